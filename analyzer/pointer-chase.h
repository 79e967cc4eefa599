/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Measuring this host by loads that wait for each other: a random cycle through
 * a buffer, one line of each step of it.
 *
 *	[*   ][  * ][*   ][   *]     step 4K: each load another page
 *	  ^------------/
 *
 * The line within its page is drawn, too, so that they spread over the caches'
 * sets.  All times are the least of some repetitions.
 */
#ifndef ANALYZER_POINTER_CHASE_H
#define ANALYZER_POINTER_CHASE_H

#include "analyzer/base.h"

enum chase_pages {
	CHASE_4K,
	CHASE_2M, /* MADV_HUGEPAGE, and it was looked whether they came */
};

struct chase;

#define CHASE_LANES 8 /* chains side by side */

/* bytes: a multiple of 2M.  0, -ENOMEM (unsaid), -ENOTSUP (unsaid): no huge
 * pages came. */
int chase_open(struct chase **out, size_t bytes, enum chase_pages pages,
	       uint64_t seed);
void chase_close(struct chase *chase);

struct chase_time {
	double ns;     /* a load */
	double spread; /* how far the median is above the least, as a part */
};

struct chase_shape {
	size_t n;	/* lines: n * step is at most the buffer */
	size_t step;	/* bytes: 64, 4096, ... */
	double seconds; /* of one repetition, about */
	unsigned times; /* repetitions */
	bool free;	/* loads do not wait for each other */
};

/* One more pass over a shape: time is that of all passes so far, the one whose
 * least was least; ns 0: there was none. */
void chase_run(struct chase *chase, const struct chase_shape *shape,
	       struct chase_time *time);

/* MHz of a chain of additions, one a cycle. */
double chase_clock(void);

/* Faults of fresh memory: first writes to each page, and giving it back */
#define CHASE_FAULTS	 6  /* a time */
#define CHASE_FAULTS_MAX 32 /* times (CHASE_FAULTS - 1) */

struct chase_faults {
	double ns[CHASE_FAULTS_MAX]; /* each the mean of all its pages */
	unsigned n;
};

/* Some more, of so many bytes each; none where there are no such pages. */
void chase_faults(struct chase_faults *faults, enum chase_pages pages,
		  size_t bytes);
/* The median, and what the middle half differs by, as a part (or NULL). 0:
 * there are none. */
double chase_faults_middle(struct chase_faults *faults, double *spread);

#endif
