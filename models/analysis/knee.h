/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a curve of misses bends, and how sure that is.
 *
 * The knee is the size at which memory times misses is least: the ray from the
 * origin that touches the lifetime curve (accesses between faults against
 * memory; Denning, Kahn 1975; Denning 1980), among sizes at which fewer than
 * one access in ten misses.  A run whose least is at its whole footprint has
 * none: each page counts to the last.
 *
 * Intervals are 5 % to 95 % of 200 resamplings of the run's blocks of time
 * (bootstrap, Efron 1979), seeded.  They tell how much one part of the run
 * differs from another, not how another input would behave.
 */
#ifndef MODELS_ANALYSIS_KNEE_H
#define MODELS_ANALYSIS_KNEE_H

#include "models/analysis/blocks.h"

#define KNEE_BLOCKS_LEAST 8u /* fewer blocks give no interval */

/* The knee of misses[0..peak] of a run, in pages; 0: there is none. */
uint32_t knee_find(const uint64_t *misses, uint32_t peak, uint64_t accesses);

struct knee_band {
	bool known; /* else there are too few blocks */
	/* Of misses at sizes that are ends of bins; those that are cold are as
	 * they were, the others as they may be */
	double low[OCTAVES_BINS], high[OCTAVES_BINS];
	/* Pages; 0 where less than half of the resamplings have a knee */
	uint64_t knee_low, knee_high;
};

struct knee_run {
	uint64_t accesses, cold;
	uint32_t peak; /* pages at once, at most */
};

/* 0, -ENOMEM (said). */
int knee_band(struct knee_band *band, const struct blocks *blocks,
	      const struct knee_run *run, uint64_t seed);

#endif
