/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory that page tables lie in: whatever a table takes, it takes here, and
 * says for which space and level.  Table pages may be cut from 2M frames.
 */
#ifndef MODELS_TABLES_TABLE_MEMORY_H
#define MODELS_TABLES_TABLE_MEMORY_H

#include "analyzer/option.h"
#include "models/memory/frames.h"

enum table_frames {
	TABLE_FRAMES_4K,
	TABLE_FRAMES_2M, /* 512 table pages of 4K in each */
};

/* Prefix "table". */
struct table_memory_config {
	int frames;  /* enum table_frames */
	bool cached; /* else each reference of a walk goes to memory */
};
extern const struct option_row table_memory_rows[];

/* A 2M frame of which table pages are cut. */
struct table_run {
	uint64_t physical;
	uint64_t used[8]; /* a bit each page */
};

/* Frames that tables lie in. */
struct table_taken {
	uint64_t n, bytes;
};

struct table_memory {
	struct frames *frames; /* borrowed */
	uint32_t space;
	bool large;
	struct table_run *run; /* owned */
	size_t runs, room;
	size_t first;		  /* no run before this has a free page of 4K */
	uint64_t bytes;		  /* taken from here */
	struct table_taken taken; /* from frames */
};

void table_memory_init(struct table_memory *memory,
		       const struct table_memory_config *config,
		       struct frames *frames, uint32_t space);
/* After all was given back. */
void table_memory_fini(struct table_memory *memory);

/*
 * 2^shift bytes (12 to 21), aligned, for a table whose entries are of this level
 * (0: of none), the first of which translates this virtual address.  0 or
 * -ENOMEM (unsaid).
 */
int table_memory_take(struct table_memory *memory, unsigned shift,
		      unsigned level, uint64_t virtual, uint64_t *physical);
void table_memory_give(struct table_memory *memory, unsigned shift,
		       uint64_t physical);

struct table;

/* Add those of this table: its root and what bytes leaves out, too; what tables
 * share is the first's. */
void table_taken_add(const struct table *table, struct table_taken *sum);

/*
 * Memory for an array of any length: in pages if it is shorter than 2M, else in
 * runs of 2M.  (A real one is contiguous; in which lines and pages its entries
 * lie is the same.)
 */
struct table_extent {
	uint64_t *run; /* owned: physical addresses */
	size_t runs;
	uint64_t bytes;
	unsigned shift; /* of a run */
};

/*
 * Our own memory for such an array, zeroed: NULL or what free takes.  In large
 * pages of the host where it pays: one look in it is one miss of the host's own
 * TLBs (hashed tables replay the hostile mix 1.15 times as fast).
 */
void *table_array(size_t n, size_t bytes);

/* 0 or -ENOMEM (unsaid), and nothing is taken. */
int table_extent_take(struct table_extent *extent, struct table_memory *memory,
		      uint64_t bytes);
void table_extent_give(struct table_extent *extent,
		       struct table_memory *memory);

static inline uint64_t
table_extent_at(const struct table_extent *extent, uint64_t offset)
{
	return extent->run[offset >> extent->shift] +
	       (offset & ((UINT64_C(1) << extent->shift) - 1));
}

#endif
