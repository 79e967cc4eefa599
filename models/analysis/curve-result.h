/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a curve model has come to, as values and tables of a result. */
#ifndef MODELS_ANALYSIS_CURVE_RESULT_H
#define MODELS_ANALYSIS_CURVE_RESULT_H

#include "models/analysis/curve.h"
#include "models/analysis/memory-need.h"
#include "models/analysis/simulate.h"

struct curve_result_config {
	const char *unit; /* as the user calls it */
	unsigned shift;
	bool objects;
	uint64_t seed;
	struct memory_need_config need;
};

/* Values curve.*, footprint.*, memory.*, thrash.*; tables memory.curve,
 * working.set, working.set.time, thrash, multiprogramming.  0, -ENOMEM. */
int curve_result_values(const struct model *model,
			const struct curve_result_config *config,
			struct result *result);

/* Sizes at which a curve is shown: ends of bins below the peak, and the peak.
 * Returns how many. */
size_t curve_result_sizes(uint64_t peak, uint64_t size[OCTAVES_BINS]);

/* The table curve: policy, bytes, pages, misses, ratio, writebacks, low, high,
 * of. */
int curve_result_table(struct result *result);

struct curve_result_rows {
	const uint64_t *bytes; /* n = 0: all that the pass knows */
	size_t n;
	unsigned shift;
};

int curve_result_lru(const struct model *model,
		     const struct curve_result_rows *rows,
		     struct result *result);
/* One simulation each size */
int curve_result_simulated(const struct model *model,
			   const struct curve_result_rows *rows,
			   const char *policy,
			   const struct simulation *simulation,
			   struct result *result);

#endif
