/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the buddy allocator, for buddy.c, buddy-start.c and compaction.c
 * only.
 *
 *	chunk   1024 pages, the largest block: free as a whole, or broken up
 *	state   of the page at which a free block begins: its order and whose
 *	        list it is in; 0 elsewhere
 */
#ifndef MODELS_MEMORY_BUDDY_H
#define MODELS_MEMORY_BUDDY_H

#include "models/memory/bittree.h"
#include "models/memory/pool.h"

#define CHUNK_ORDER    (POOL_ORDERS - 1u)
#define CHUNK_PAGES    (1u << CHUNK_ORDER)
#define GROUP_ORDER    9u /* pages of one type: Linux's pageblock */
#define GROUP_PAGES    (1u << GROUP_ORDER)
#define CHUNK_GROUPS   (CHUNK_PAGES / GROUP_PAGES)
#define BUDDY_NOWHERE  UINT32_MAX
#define BUDDY_MAX_PAGE (UINT64_C(1) << 32) /* pages are 32 bits here */

struct buddy_link {
	uint32_t next, previous; /* first pages of free blocks */
};

struct buddy_chunk {
	struct buddy_link whole; /* in the list of the largest blocks */
	struct buddy_part *part; /* owned: [CHUNK_PAGES]; NULL: not broken up */
	uint8_t state;		 /* of it as a whole */
	uint8_t type[CHUNK_GROUPS]; /* enum pool_type */
};

struct buddy_part {
	struct buddy_link link;
	uint8_t state;
};

/* Free blocks of one order and type. */
struct buddy_list {
	uint32_t first, last; /* BUDDY_LIFO */
	struct bittree set;   /* BUDDY_LOWEST: by number, page >> order */
	uint64_t n;
};

struct buddy {
	struct pool pool;
	struct buddy_chunk *chunk; /* owned */
	uint16_t *free_in_giga;	   /* owned: chunks free as a whole, by GiB */
	size_t chunks, chunks_max;
	uint64_t pages; /* where bounded */
	struct buddy_list list[POOL_TYPES][POOL_ORDERS];
	bool lowest, grouping;
	uint64_t begun; /* pages in use at the start */
	/* owned, bits by page, NULL: none: in use since the start, by others
	 * than the run; of these, those that cannot be moved */
	uint64_t *before, *fixed;
	/* compaction.c: where it goes on looking for what to empty, upwards,
	 * and for where to put it, downwards by groups, upwards in one from
	 * fill_at on; 0: at the ends */
	uint64_t empty_from, fill_below, fill_at;
};

static inline bool
buddy_bit(const uint64_t *bits, uint64_t page)
{
	return bits && bits[page / 64] >> page % 64 & 1;
}

static inline void
buddy_bit_flip(uint64_t *bits, uint64_t page)
{
	bits[page / 64] ^= UINT64_C(1) << page % 64;
}

/* A run of 2^order pages; 0 or -ENOMEM. */
int buddy_take_order(struct buddy *buddy, unsigned order, enum pool_type type,
		     uint32_t *page);
/* Pages [page, page + pages) become free, and merge.  0 or -ENOMEM. */
int buddy_free(struct buddy *buddy, uint64_t page, uint64_t pages);
/* The free block that this page is in: its order; POOL_ORDERS: none. */
unsigned buddy_block_round(const struct buddy *buddy, uint64_t page,
			   enum pool_type *type);
/* Take [page, page + 2^order) out of the free block that it is in: 0, -EBUSY,
 * -ENOMEM. */
int buddy_carve(struct buddy *buddy, uint64_t page, unsigned order);
/* Of the group of pages that this one is in. */
enum pool_type buddy_group_type(const struct buddy *buddy, uint64_t page);
/* Pages free now. */
uint64_t buddy_free_pages(const struct buddy *buddy);

/* buddy-start.c: from all free to aged.  0 or -ENOMEM. */
int buddy_age(struct buddy *buddy, double used, uint64_t seed);
/* From nothing free to so many blocks; they must fit.  0 or -ENOMEM. */
int buddy_scatter(struct buddy *buddy,
		  const uint64_t blocks[POOL_TYPES][POOL_ORDERS],
		  uint64_t seed);

/* compaction.c: what is in use now was so before the run began.  0 or
 * -ENOMEM. */
int buddy_note_start(struct buddy *buddy);
int buddy_compact(struct pool *pool, unsigned shift,
		  const struct pool_mover *mover, struct pool_work *work);

#endif
