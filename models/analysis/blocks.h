/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reuse distances by when: the run in 32 to 64 equal blocks of time, each with
 * its own distances in bins (octaves.h).  How much the blocks differ tells how
 * far a curve would move if the program ran on like that.
 */
#ifndef MODELS_ANALYSIS_BLOCKS_H
#define MODELS_ANALYSIS_BLOCKS_H

#include "analyzer/base.h"
#include "models/analysis/octaves.h"

#define BLOCKS_MOST 64u

struct block {
	uint64_t references, cold;
	uint64_t count[OCTAVES_BINS]; /* by distance; the cold ones are not */
};

struct blocks {
	struct block *block; /* owned: [BLOCKS_MOST] */
	unsigned shift;	     /* log2 of the accesses of one */
};

/* 0, -ENOMEM (said). */
int blocks_init(struct blocks *blocks);
void blocks_fini(struct blocks *blocks);
/* References with their distances (reuse.h) and accesses before, which ascend. */
void blocks_add(struct blocks *blocks, const uint32_t *distance,
		const uint64_t *access, uint32_t n);
/* Add what was counted elsewhere, of other references; it may widen both. */
void blocks_join(struct blocks *blocks, struct blocks *other);
/* How many there are in a run of so many accesses; the last may be shorter. */
unsigned blocks_number(const struct blocks *blocks, uint64_t accesses);

#endif
