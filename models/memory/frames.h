/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Physical memory as frames: who gets which.
 *
 *	who asks -> node (numa.h) -> colour (palette.h) -> free pages (pool.h)
 *
 * All frames are given here, those of data and those of tables: this is the
 * one place that knows who touched, which level of which table it is for, and
 * in which space.
 */
#ifndef MODELS_MEMORY_FRAMES_H
#define MODELS_MEMORY_FRAMES_H

#include "analyzer/base.h"
#include "analyzer/option.h"
#include "analyzer/result.h"
#include "models/memory/palette.h"

#define FRAMES_BASE (UINT64_C(1) << 30) /* address of the first frame */

struct frames;
struct numa;
struct numa_copies;
struct numa_wish;

enum frames_order {
	FRAMES_ASCENDING, /* the lowest free run */
	FRAMES_RANDOM,	  /* a seeded, evenly drawn one */
	FRAMES_RECORDED,  /* as ascending, until the real one is known */
	FRAMES_BUDDY,	  /* Linux's free lists by order (buddy.c) */
};

struct frames_config {
	uint64_t size_bytes; /* of memory; 0: unbounded */
	int order;	     /* enum frames_order */
	int64_t seed;
	int start;	 /* enum buddy_start */
	int lists;	 /* enum buddy_lists */
	bool ungrouped;	 /* whatever their type */
	double aged;	 /* share in use at the start */
	char *buddyinfo; /* owned: file of free blocks at the start, or NULL */
	struct palette_config palette; /* palette_rows */
	/* no rows */
	uint64_t colours;  /* of the cache that palette.cache names; 0: none */
	struct numa *numa; /* borrowed; NULL: one node */
	bool host;	   /* its tables are those of a host, below a guest's */
};

/* size, order, seed, ...: for prefix "memory", beside memory_rows
 * (hierarchy.h) */
extern const struct option_row frames_rows[];

/*
 * Is the configuration one that frames_open takes?  0, or more and in text (its
 * length returned, as snprintf does) the value and what is allowed, in *field
 * the name of its row.  Does not read memory.buddyinfo.
 */
int frames_config_wrong(const struct frames_config *config, const char **field,
			char *text, size_t bytes);

/* 0, -EINVAL (said: what), -errno of memory.buddyinfo (said), -ENOMEM (said). */
int frames_open(struct frames **out, const struct frames_config *config);
void frames_close(struct frames *frames);

/* Who touches what is not there, from now on. */
void frames_run(struct frames *frames, uint32_t space);

/*
 * A free, aligned run of 2^shift bytes (12 .. 30): its physical address in
 * *address.  Frame 0 is never given, so an address of 0 can mean "none".
 * 0 or -ENOMEM (unsaid): memory is full or too fragmented.
 */
int frames_take(struct frames *frames, unsigned shift, uint64_t *address);
/* ... for data at this virtual address (of a file: at this place in it). */
int frames_take_data(struct frames *frames, unsigned shift, uint64_t virtual,
		     uint64_t *address);
/* ... for entries of this level (1 the last; 0: of no level) of a table,
 * the first of which translates this virtual address. */
int frames_take_table(struct frames *frames, unsigned shift, unsigned level,
		      uint64_t virtual, uint64_t *address);
/* The same for the run that is this physical memory.  -EBUSY: some of it is
 * taken; -ENOSPC: there is no such memory; -ENOMEM. */
int frames_take_at(struct frames *frames, unsigned shift, uint64_t physical,
		   uint64_t *address);
/* Is this address that physical memory? */
bool frames_is(uint64_t address, uint64_t physical);
/* Number of the frame with this address, from 0, where their number is fixed;
 * UINT64_MAX: there is no such frame. */
uint64_t frames_number(const struct frames *frames, uint64_t address);
/* How many there are; 0: as many as needed. */
uint64_t frames_total(const struct frames *frames);
/* memory.order is recorded. */
bool frames_recorded(const struct frames *frames);
/* How often each page of a table is there: where tables are replicated, once a
 * node. */
unsigned frames_table_copies(const struct frames *frames);
/* Part of a taken run may be given back too. */
void frames_give(struct frames *frames, unsigned shift, uint64_t address);

/* Bytes taken now, and at most. */
uint64_t frames_used(const struct frames *frames);
uint64_t frames_peak(const struct frames *frames);

/* For a host: a frame behind memory of a guest, on the node that the guest takes
 * that to be on if it has room. */
int frames_take_behind(struct frames *frames, const struct frames *guest,
		       unsigned shift, uint64_t guest_physical,
		       uint64_t *address);
/* On which node this memory is: of a guest's too, whose addresses numa_node_of does
 * not know. */
unsigned frames_node(const struct frames *frames, uint64_t address);
/* Of frames_config. */
struct numa *frames_numa(const struct frames *frames);
/* Frames of data on a node, and only there: to move a page to. */
int frames_take_on(struct frames *frames, unsigned shift, unsigned node,
		   uint64_t *address);
/* This is the memory of a guest, and that of its host; NULL: no longer. */
void frames_stand_on(struct frames *guest, struct frames *host);
/* Copies of its tables; NULL: there are none, nor do they move. */
struct numa_copies *frames_copies(const struct frames *frames);
/* Where tables move to who walks them: do what numa_copies_wish wants, and for a
 * host's too. */
void frames_move_tables(struct frames *frames);

/* Does memory have free lists that compaction can be of? */
bool frames_compactable(const struct frames *frames);

/* As struct pool_mover, by address; what was done is added up. */
struct frames_compaction {
	void *context;
	bool (*may)(void *context, uint64_t address);
	int (*move)(void *context, uint64_t from, uint64_t to);
	uint64_t looked, moved;
};
/* Move pages until a run of 2^shift bytes is free: 1; 0: none can be made so,
 * -ENOMEM (said).  On the node that who runs now gets memory from. */
int frames_compact(struct frames *frames, unsigned shift,
		   struct frames_compaction *compaction);
/* Free pages there, and the kernel's fragmentation index of such a run, in
 * thousandths (buddyinfo.h). */
void frames_fragmentation(const struct frames *frames, unsigned shift,
			  uint64_t *pages, int64_t *index);

/* Is the page at this address one of a table, or was it, and is not data? */
bool frames_is_table(const struct frames *frames, uint64_t address);

/* Pages of 4K given out so far of each colour: [colours]; NULL: none are
 * counted. */
const uint64_t *frames_colours(const struct frames *frames);

/*
 * Of buddy allocators: frames.begun, frames.free.pages, frames.unusable.2m,
 * frames.fragmentation.2m and the table frames.free, the values of the moment
 * when most was in use; of colours: colour.count, colour.strayed.
 */
int frames_finish(const struct frames *frames, struct result *result);

#endif
