/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much memory a run needs, from its curve: sizes for a slowdown, the knee,
 * what more processes do to it; each as values and tables of a result.
 *
 * The curve is points, and where there is one pass behind it all sizes between
 * them, too.
 */
#ifndef MODELS_ANALYSIS_MEMORY_NEED_H
#define MODELS_ANALYSIS_MEMORY_NEED_H

#include "analyzer/result.h"
#include "models/paging/thrash.h"

struct memory_point {
	uint64_t pages;
	double misses, writebacks;
	double low, high; /* of misses, 90 % interval; NAN: not known */
};

struct memory_curve {
	uint64_t page_bytes;
	uint64_t accesses, cold;
	uint64_t peak; /* pages at once, at most: with them only cold misses */
	const struct memory_point *point; /* by pages, ascending, to the peak */
	size_t n;
	const uint64_t *misses; /* [peak + 1] of each size; NULL: not known */
	/* Pages; 0: there is none, or no interval */
	uint64_t knee, knee_low, knee_high;
	/* Share of its pages that the last quarter of the run touched first;
	 * NAN: not known */
	double late;
};

struct memory_need_config {
	struct thrash_config thrash;
	bool cold;	       /* first references wait for the device, too */
	uint64_t memory_bytes; /* that processes share; 0: 4 knees */
	unsigned processes;    /* tables to so many */
};

/*
 * Values memory.*, thrash.* and the tables thrash and multiprogramming.
 * 0 or -ENOMEM (unsaid).
 */
int memory_need_finish(const struct memory_curve *curve,
		       const struct memory_need_config *config,
		       struct result *result);

#endif
