/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This host by measurement: curves of latency (pointer-chase.h) and what their steps
 * say of its caches and TLBs.
 */
#ifndef ANALYZER_CALIBRATION_H
#define ANALYZER_CALIBRATION_H

#include "analyzer/latency-steps.h"

struct latency_curve {
	struct latency_point point[LATENCY_POINTS_MAX];
	size_t n;
	struct latency_step step[LATENCY_STEPS_MAX];
	size_t steps;
	double noise; /* LATENCY_NOISE_MAX: above, steps are not believed */
};

struct calibration_plan {
	size_t bytes;	 /* largest buffer, a multiple of 2M */
	double seconds;	 /* of one repetition of one point */
	unsigned times;	 /* repetitions */
	unsigned octave; /* points for a factor of two */
	unsigned passes; /* over all points; fewer where time is up */
	double limit;	 /* seconds after which no pass begins */
	uint64_t seed;
	void *context;
	void (*tick)(void *context, unsigned done, unsigned all);
};

/* Latencies in cycles */
struct calibration {
	double mhz;
	unsigned passes;	     /* made */
	struct latency_curve caches; /* by bytes */
	/* What translation adds to a load that hits the L1 cache, which is in
	 * it, by 4K pages touched: of small and of huge pages */
	struct latency_curve small, huge;
	const char *no_huge; /* why there is no such curve; NULL: there is */
	/* With what giving the page back takes; 0: not measured */
	double fault_ns, huge_fault_ns;
	double huge_near_ns; /* of memory that the last cache has */
	double fault_error;  /* what half of all faults differ by, as a part */
	/* Loads in chains side by side over those in one, over all pages */
	double overlap;
};

/* On the processor that it runs on: pin it before.  0 or -ENOMEM (said). */
int calibration_measure(struct calibration *calibration,
			const struct calibration_plan *plan);

/* Do huge pages reach further than small ones?  false: the host backs them
 * with small ones, so that they save walks' depth alone. */
bool calibration_huge_reach(const struct calibration *calibration);

/* The step of the second level in a curve of pages: the first behind that of
 * the first level, for those that come later are of tables that no cache holds.
 * NULL: there is none. */
const struct latency_step *
calibration_second_level(const struct latency_curve *curve);

/* Above the L1 cache's latency at so many pages, interpolated; cycles. */
double calibration_penalty(const struct latency_curve *curve, double pages);

#endif
