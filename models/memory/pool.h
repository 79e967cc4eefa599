/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The free pages of one node, numbered from 0: what frames.c asks for a page or
 * an aligned run.  Two kinds: a bitmap, whose choice is the lowest or an evenly
 * drawn place, and a buddy allocator.
 */
#ifndef MODELS_MEMORY_POOL_H
#define MODELS_MEMORY_POOL_H

#include "analyzer/base.h"
#include "analyzer/result.h"

#define POOL_PAGES_UNBOUNDED UINT64_MAX
#define POOL_ORDERS	     11 /* 0 .. 10, as Linux's MAX_ORDER on x86-64 */

/* Of whom Linux keeps free pages apart, so that those stay together that can
 * be moved. */
enum pool_type {
	POOL_UNMOVABLE, /* page tables */
	POOL_MOVABLE,	/* data */
	POOL_RECLAIMABLE,
	POOL_TYPES,
};

struct pool {
	const struct pool_ops *ops;
};

/* Who has pages of the run moved, numbers of the pool. */
struct pool_mover {
	void *context;
	/* May what is in this page, which the run took, be elsewhere? */
	bool (*may)(void *context, uint64_t page);
	/* It is copied to another.  0 or -ENOMEM (said). */
	int (*move)(void *context, uint64_t from, uint64_t to);
};

/* What compaction did: pages looked at to be emptied, and moved. */
struct pool_work {
	uint64_t looked, moved;
};

struct pool_ops {
	/*
	 * A free, aligned run of 2^shift bytes (12 .. 30): its first page.
	 * 0 or -ENOMEM (unsaid): full or too fragmented.
	 */
	int (*take)(struct pool *pool, unsigned shift, enum pool_type type,
		    uint64_t *page);
	/* The run that begins at this page.  -EBUSY: some of it is taken;
	 * -ENOSPC: there is no such memory; -ENOMEM. */
	int (*take_at)(struct pool *pool, uint64_t page, uint64_t pages);
	/* Part of a taken run may be given back too. */
	void (*give)(struct pool *pool, uint64_t page, uint64_t pages);
	/* Free blocks of each order now: [POOL_ORDERS]; NULL: it has none. */
	void (*blocks)(const struct pool *pool, uint64_t *blocks);
	/* Pages that were in use before the first was taken; NULL: none. */
	uint64_t (*begun)(const struct pool *pool);
	/* Move pages until a run of 2^shift bytes (13 .. 21) is free: 1; 0:
	 * none can be made so; -ENOMEM (said).  work is added to.  NULL: it
	 * moves none. */
	int (*compact)(struct pool *pool, unsigned shift,
		       const struct pool_mover *mover, struct pool_work *work);
	void (*close)(struct pool *pool);
};

/* The lowest or (random) an evenly drawn free run of so many pages (or
 * POOL_PAGES_UNBOUNDED), at most `most` where unbounded.  0 or -ENOMEM
 * (said). */
int pool_bitmap_open(struct pool **out, uint64_t pages, uint64_t most,
		     bool random, uint64_t seed);

/* Where the free pages of a buddy allocator are when the run begins. */
enum buddy_start {
	BUDDY_FRESH, /* all free */
	BUDDY_AGED,  /* a seeded history left a share of it in use */
	BUDDY_FILE,  /* free blocks as counted, at seeded places */
};

enum buddy_lists {
	BUDDY_LIFO,   /* the block given back last leaves first (Linux) */
	BUDDY_LOWEST, /* that of the lowest address */
};

struct buddy_config {
	uint64_t pages; /* or POOL_PAGES_UNBOUNDED, with BUDDY_FRESH */
	uint64_t most;	/* where unbounded */
	int lists;	/* enum buddy_lists */
	int start;	/* enum buddy_start */
	bool grouping;	/* by enum pool_type */
	double aged;	/* share in use at the start, 0 .. 1 */
	uint64_t seed;
	/* of BUDDY_FILE: free blocks by type and order */
	uint64_t blocks[POOL_TYPES][POOL_ORDERS];
};

/* How many blocks of the largest order such free blocks need for their places
 * at least. */
uint64_t buddy_chunks_needed(const uint64_t blocks[POOL_TYPES][POOL_ORDERS]);

/* 0, -ENOMEM (said). */
int pool_buddy_open(struct pool **out, const struct buddy_config *config);

#endif
