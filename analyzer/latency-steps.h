/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where a curve of latency over size steps up: what fits into one level of a
 * cache or TLB, and what the next one costs.
 *
 *	latency        ____        plateaus: the pieces of a piecewise constant
 *	         _____/    \__     function in log(latency) that are long enough
 *	     ___/                  step: between two plateaus; its size is where
 *	   size ->                 a quarter of the rise is done
 */
#ifndef ANALYZER_LATENCY_STEPS_H
#define ANALYZER_LATENCY_STEPS_H

#include "analyzer/base.h"

#define LATENCY_POINTS_MAX 256
#define LATENCY_STEPS_MAX  8

struct latency_point {
	double size;	/* ascending */
	double latency; /* above 0: the least of some repetitions */
	double spread;	/* how far their median is above it, as a part */
};

struct latency_step {
	double size, low, high; /* what fits: likely, and between */
	double before, after;	/* latencies of the plateaus */
};

/*
 * The steps of n <= LATENCY_POINTS_MAX points, in at most
 * LATENCY_STEPS_MAX.  *noise: what neighbours differ by where nothing steps, as
 * a part.
 */
size_t latency_steps(const struct latency_point *point, size_t n,
		     struct latency_step *step, double *noise);

/* Above so much nothing is to be believed. */
#define LATENCY_NOISE_MAX 0.15

#endif
