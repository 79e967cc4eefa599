/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of reuse.h share: reuse.c, and of pieces reuse-pieces.c. */
#ifndef MODELS_ANALYSIS_REUSE_INSIDE_H
#define MODELS_ANALYSIS_REUSE_INSIDE_H

#include "models/analysis/reuse.h"

#define BLOCK_SLOTS 256u
#define BLOCK_WORDS (BLOCK_SLOTS / 64)
#define FAN	    16u			/* children of a node: one cache line */
#define LEVELS_MOST 6			/* 16^6 blocks */
#define CLEAN	    UINT32_MAX		/* as dirty[]: clean at all sizes */
#define UNKNOWN	    (UINT32_C(1) << 31) /* flag of dirty[]: see struct reuse */
#define COUNTS_BITS __attribute__((target("popcnt,bmi,bmi2,avx2")))
/* A tally: references in its lower half, write-backs in its upper one */
#define WRITEBACK (UINT64_C(1) << 32)

struct seen {
	uint32_t slot;	/* the last of this page, 0: none */
	uint32_t dirty; /* from this size on it is */
};

/* Of one distance, or one size, of all references that were flushed: how often
 * it was, and write-backs more than at the size before */
struct tallies {
	uint64_t count;
	int64_t written;
};

struct reuse {
	struct seen *seen; /* owned: [n_pages] */
	uint32_t n_pages;
	bool writes;
	/* Of pieces: what is dirty before a page's first write is not known:
	 * then dirty[] is UNKNOWN | the greatest distance so far, which goes
	 * to before[] with that write */
	bool pieces;
	uint32_t *before; /* owned: [n_pages]; NULL unless pieces */
	uint64_t *mark;	  /* owned: [n_slots / 64] */
	/* Marks before a child in its node, full blocks only; [0] is owned, and
	 * has a child a block */
	uint32_t *tree[LEVELS_MOST];
	unsigned n_levels;
	uint32_t n_slots; /* a power of two */
	uint32_t now;	  /* the next slot */
	uint32_t marks;	  /* pages and holes: never fewer */
	uint32_t *hole;	  /* owned: a heap of slots, the latest first */
	uint32_t n_holes, room_holes;
	/* Of one distance, or one size, since they were flushed: owned,
	 * [room_tally].  None has distance 0. */
	uint64_t *tally;
	struct tallies *all; /* of those before */
	uint32_t room_tally;
	uint64_t flushed; /* references that are in `all` */
	uint64_t references, cold;
	bool counts_bits; /* popcnt is at hand */
};

/* Cells of all levels of the tree, and room behind the last for whole nodes */
size_t reuse_tree_cells(uint32_t n_slots);
/* Tallies of all distances that there can be.  0, -ENOMEM (said). */
int reuse_make_tallies(struct reuse *reuse, uint32_t depth);

static ALWAYS_INLINE uint32_t
ones(uint64_t word)
{
	return (uint32_t)__builtin_popcountll(word);
}

/* Marks in this block up to and with the slot */
static ALWAYS_INLINE uint32_t
block_rank(const struct reuse *reuse, uint32_t slot)
{
	uint32_t block = slot / BLOCK_SLOTS, word = slot / 64 % BLOCK_WORDS;
	const uint64_t *mark = &reuse->mark[block * BLOCK_WORDS];
	uint32_t n = ones(mark[word] << (63 - slot % 64));

	n += word > 0 ? ones(mark[0]) : 0;
	n += word > 1 ? ones(mark[1]) : 0;
	n += word > 2 ? ones(mark[2]) : 0;
	return n;
}

/* Marks up to and with the slot, which is in a full block */
static ALWAYS_INLINE uint32_t
rank_of(const struct reuse *reuse, uint32_t slot)
{
	uint32_t n = block_rank(reuse, slot), node = slot / BLOCK_SLOTS;

	for (unsigned level = 0; level < reuse->n_levels; level++) {
		n += reuse->tree[level][node];
		node /= FAN;
	}
	return n;
}

/* Blocks that are closed, where `now` is this slot */
static ALWAYS_INLINE uint32_t
closed_blocks(uint32_t now)
{
	return now < 64 ? 0 : (now / 64 - 1) / BLOCK_WORDS;
}

/* Those behind a slot in its word */
static ALWAYS_INLINE uint32_t
word_behind(uint64_t word, uint32_t slot)
{
	return ones(word >> (slot % 64) >> 1);
}

/* Marks behind a slot that is in no closed block */
static ALWAYS_INLINE uint32_t
open_rank(const struct reuse *reuse, uint32_t slot)
{
	uint32_t n = word_behind(reuse->mark[slot / 64], slot);

	for (uint32_t i = slot / 64 + 1; i <= reuse->now / 64; i++)
		n += ones(reuse->mark[i]);
	return n;
}

/* The depth at which the page with this last slot is */
static ALWAYS_INLINE uint32_t
depth_of(const struct reuse *reuse, uint32_t slot)
{
	if (slot / BLOCK_SLOTS >= closed_blocks(reuse->now))
		return open_rank(reuse, slot) + 1;
	return reuse->marks - rank_of(reuse, slot) + 1;
}

/* Sizes from `dirty` to below `depth` wrote it back. */
static ALWAYS_INLINE void
write_back(uint64_t *tally, uint32_t dirty, uint32_t depth)
{
	if (dirty >= depth)
		return;
	tally[dirty] += WRITEBACK;
	tally[depth] -= WRITEBACK;
}

static inline struct tallies
tallies_of(const struct reuse *reuse, uint32_t i)
{
	const struct tallies *all = &reuse->all[i];

	return (struct tallies){
		.count = all->count + (uint32_t)reuse->tally[i],
		.written = all->written + (int32_t)(reuse->tally[i] >> 32),
	};
}

#endif
