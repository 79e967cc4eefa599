/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a processor's counters say of address translation: figures with the
 * same names on every processor, each with a formula of that processor's
 * events.  The formulas are data (metric-table.c); here they are read.
 *
 * A formula is events joined by " + " and " - "; a metric is its formula,
 * divided by the formula `under` if there is one, times `scale`.
 */
#ifndef TRACERS_METRIC_H
#define TRACERS_METRIC_H

#include "analyzer/base.h"

struct metric_row {
	const char *name; /* "walk.count": as replay names what it predicts */
	const char *over, *under;
	double scale;
	bool detail; /* not by default: it needs many counters */
	/* Instead of a formula: why this processor can't tell */
	const char *absent;
};

/* What a name means, the same for all processors */
struct metric_meaning {
	const char *name, *unit, *help;
};

#define METRIC_ROWS_MAX	   3
#define METRIC_EVENT_BYTES 256 /* of the longest event name and its end */

struct metric_family {
	const char *name;
	/* libpfm4's names of its PMUs, NULL-ended: the first that is present
	 * decides.  All of one family take the same event names. */
	const char *pmus[8];
	/* Where libpfm4 does not know it yet: as /proc/cpuinfo has them */
	const char *vendor;
	unsigned cpu_family;
	const struct metric_row
		*rows[METRIC_ROWS_MAX]; /* each NULL-named last */
};

/* Both end with a NULL name; the last family is the generic one. */
extern const struct metric_family metric_families[];
extern const struct metric_meaning metric_meanings[];

struct metric_host {
	bool (*has_pmu)(void *context, const char *pmu);
	void *context;
	const char *vendor; /* "" where unknown */
	unsigned cpu_family;
};

/* The family of this host; *pmu is the name to put before events ("skl"), or
 * NULL.  Never NULL: the generic one at least. */
const struct metric_family *metric_family_find(const struct metric_host *host,
					       const char **pmu);

/* This family's row for a name, or NULL. */
const struct metric_row *metric_row_find(const struct metric_family *family,
					 const char *name);

/*
 * Take the next event of a formula from *text: its name in event, its sign in
 * *sign.  False at the end.
 */
bool metric_event_next(const char **text, char *event, size_t event_bytes,
		       int *sign);

/*
 * The value of a metric from the counts that find gives.  find returns false
 * and sets *why when it has none.  0, or -ENODATA with *why (borrowed).
 */
typedef bool metric_find(void *context, const char *event, double *count,
			 const char **why);
int metric_value(const struct metric_row *row, metric_find *find, void *context,
		 double *value, const char **why);

#endif
