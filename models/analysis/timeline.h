/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How counts and levels went over a run, in a bounded number of bins.
 *
 * Time is "accesses so far", which is the same for the same trace on any
 * machine.  When the last bin is full, neighbours are merged and the bins
 * become twice as wide, so memory is fixed and the picture always spans the
 * run so far with between bins/2 and bins bins.
 */
#ifndef MODELS_ANALYSIS_TIMELINE_H
#define MODELS_ANALYSIS_TIMELINE_H

#include "analyzer/result.h"

#define TIMELINE_BINS	    256
#define TIMELINE_SERIES_MAX 24

enum timeline_kind {
	TIMELINE_COUNTER, /* a bin holds the sum of what was added in it */
	TIMELINE_GAUGE,	  /* a bin holds the last level set in it or before */
};

/* A series is a column of the table; name and unit outlive the timeline. */
struct timeline_series {
	const char *name, *unit;
	enum timeline_kind kind;
};

struct timeline;

/* bins: even, 0 for TIMELINE_BINS; n at most TIMELINE_SERIES_MAX.
 * 0 or -ENOMEM (said). */
int timeline_open(struct timeline **out, const struct timeline_series *series,
		  size_t n, size_t bins);
void timeline_close(struct timeline *timeline);

/* now: accesses fed before this; never less than in the call before. */
void timeline_add(struct timeline *timeline, size_t series, uint64_t now,
		  uint64_t amount);
void timeline_set(struct timeline *timeline, size_t series, uint64_t now,
		  uint64_t level);

/*
 * The table `name` with columns accesses (where the bin begins) and one for
 * each series, up to the bin that holds access `end` - 1.  0 or -ENOMEM.
 */
int timeline_finish(const struct timeline *timeline, uint64_t end,
		    struct result *result, const char *name, const char *help);

#endif
