/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intervals of means and of differences of means, by Student's t.  Two groups
 * of runs are compared as Welch does, without taking their spreads to be the
 * same; where one of them is a single run, whose spread nobody knows, it is
 * taken to be that of the other.
 */
#ifndef REPORTS_INTERVAL_H
#define REPORTS_INTERVAL_H

#include "analyzer/base.h"

struct sample {
	size_t n;
	double mean;
	double squares; /* sum of the squares of distances from the mean */
};

/* One more value (Welford) */
void sample_add(struct sample *sample, double value);
/* The standard deviation of single values; 0 of fewer than two */
double sample_deviation(const struct sample *sample);

/* The quantile of Student's t: P(T <= t) = share, 0 < share < 1, degrees > 0 */
double student_quantile(double share, double degrees);

struct interval {
	double low, high;
	double degrees; /* of freedom; 0: the values do not vary, low == high */
};

/* The 95 % interval of the mean of b less that of a; false: one value each, or
 * none, so that nothing tells how far they vary. */
bool interval_difference(const struct sample *a, const struct sample *b,
			 struct interval *out);

#endif
