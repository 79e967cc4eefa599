/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts as a result: the values counter.NAME and those of metrics, and the
 * tables counters, metrics, intervals and threads.
 */
#ifndef TRACERS_COUNT_RESULT_H
#define TRACERS_COUNT_RESULT_H

#include "analyzer/result.h"
#include "tracers/count-plan.h"
#include "tracers/counting.h"

/* One event over the runs of a command (or the one time of a process) */
struct count_sum {
	double sum, squares; /* of the scaled counts */
	uint64_t exact;	     /* the count of the only run, if not scaled */
	uint64_t enabled_ns, running_ns;
	unsigned runs; /* in which it was counted */
	char why[256]; /* it was not, or "" */
	bool user_only;
};

/* Add one run's counts to sums[n]. */
void count_sums_add(struct count_sum *sums, const struct count_plan *plan,
		    const struct counting *counting,
		    const struct count *counts);

/* counter.* and `counters`, metrics and `metrics`, of runs that took so long
 * each.  0 or -ENOMEM */
int count_result_totals(struct result *result, const struct count_plan *plan,
			const struct count_sum *sums, double seconds);

/* One interval that ended so long after the beginning; `before` becomes
 * counts.  The first makes the table. */
int count_result_interval(struct result *result, const struct count_plan *plan,
			  const struct counting *counting, double end_s,
			  const struct count *counts, struct count *before);

int count_result_threads(struct result *result, const struct count_plan *plan,
			 const struct counting *counting,
			 const struct thread_count *threads, size_t n);

/* "ns" for clocks, "events" for others */
const char *count_unit(const char *event);

#endif
