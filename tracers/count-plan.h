/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which events are counted: those asked for, and those that metrics need. */
#ifndef TRACERS_COUNT_PLAN_H
#define TRACERS_COUNT_PLAN_H

#include "tracers/counting.h"
#include "tracers/metric.h"

enum metric_level {
	METRICS_NONE,
	METRICS_BASIC,
	METRICS_ALL
};

struct count_plan {
	struct counting_event *event; /* owned: [n] */
	size_t n, asked;	      /* the first `asked` are shown */
	const struct metric_family *family;
	const char *pmu; /* before the family's events, or NULL */
	enum metric_level level;
	unsigned groups;
};

/*
 * events: names joined by commas, {A,B} for a group; NULL: the usual ones.
 * 0, -EINVAL (said), -ENOMEM (said).
 */
int count_plan_init(struct count_plan *plan, const char *events,
		    enum metric_level level, const struct metric_host *host);
void count_plan_fini(struct count_plan *plan);

/* Is this row of the family computed at the plan's level? */
bool count_plan_has(const struct count_plan *plan,
		    const struct metric_row *row);
/* The number of an event of a formula, or -1. */
int count_plan_find(const struct count_plan *plan, const char *event);

/* The processor that this is. */
struct metric_host count_plan_host(char *vendor, size_t vendor_bytes);

#endif
