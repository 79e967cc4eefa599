// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A fixed grid of bins; see the header for the doubling.  A gauge that was
 * not set in a bin is carried over from the bin before when it is printed.
 */
#include "models/analysis/timeline.h"

#include "analyzer/fail.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cell {
	uint64_t value;
	bool set;
};

struct timeline {
	const struct timeline_series *series; /* borrowed names in owned rows */
	struct timeline_series *rows;	      /* owned */
	struct cell *cell;		      /* owned: [bins][n] */
	size_t n, bins;
	unsigned shift; /* log2 of the accesses in a bin */
};

int
timeline_open(struct timeline **out, const struct timeline_series *series,
	      size_t n, size_t bins)
{
	struct timeline *timeline = calloc(1, sizeof(*timeline));

	assert(n > 0 && n <= TIMELINE_SERIES_MAX && bins % 2 == 0);
	if (!timeline)
		return fail(ENOMEM, "timeline: out of memory");
	timeline->n = n;
	timeline->bins = bins ? bins : TIMELINE_BINS;
	timeline->rows = calloc(n, sizeof(*timeline->rows));
	timeline->cell = calloc(timeline->bins * n, sizeof(*timeline->cell));
	if (!timeline->rows || !timeline->cell) {
		timeline_close(timeline);
		return fail(ENOMEM, "timeline: out of memory");
	}
	memcpy(timeline->rows, series, n * sizeof(*series));
	timeline->series = timeline->rows;
	*out = timeline;
	return 0;
}

void
timeline_close(struct timeline *timeline)
{
	if (!timeline)
		return;
	free(timeline->rows);
	free(timeline->cell);
	free(timeline);
}

/* Merge each pair of neighbours. */
static void
halve(struct timeline *timeline)
{
	size_t n = timeline->n, half = timeline->bins / 2;

	for (size_t b = 0; b < half; b++) {
		for (size_t s = 0; s < n; s++) {
			struct cell one = timeline->cell[2 * b * n + s];
			struct cell two = timeline->cell[(2 * b + 1) * n + s];
			bool sum = timeline->series[s].kind == TIMELINE_COUNTER;

			if (sum)
				one.value += two.value;
			else if (two.set)
				one = two;
			timeline->cell[b * n + s] = one;
		}
	}
	memset(timeline->cell + half * n, 0,
	       half * n * sizeof(*timeline->cell));
	timeline->shift++;
}

static struct cell *
cell_now(struct timeline *timeline, size_t series, uint64_t now)
{
	while (now >> timeline->shift >= timeline->bins)
		halve(timeline);
	return &timeline->cell[(now >> timeline->shift) * timeline->n + series];
}

void
timeline_add(struct timeline *timeline, size_t series, uint64_t now,
	     uint64_t amount)
{
	cell_now(timeline, series, now)->value += amount;
}

void
timeline_set(struct timeline *timeline, size_t series, uint64_t now,
	     uint64_t level)
{
	struct cell *cell = cell_now(timeline, series, now);

	cell->value = level;
	cell->set = true;
}

static int
timeline_columns(const struct timeline *timeline, struct result *result,
		 const char *name, const char *help)
{
	char text[TIMELINE_SERIES_MAX][64];
	const char *columns[TIMELINE_SERIES_MAX + 2] = { "accesses:accesses" };

	for (size_t s = 0; s < timeline->n; s++) {
		snprintf(text[s], sizeof(text[s]), "%s:%s",
			 timeline->series[s].name, timeline->series[s].unit);
		columns[s + 1] = text[s];
	}
	return result_table(result, name, help, columns);
}

static int
timeline_row(const struct timeline *timeline, struct result *result,
	     const char *name, uint64_t start, const uint64_t *v)
{
	char letters[TIMELINE_SERIES_MAX + 2];

	memset(letters, 'u', timeline->n + 1);
	letters[timeline->n + 1] = '\0';
	/* As many as TIMELINE_SERIES_MAX; letters says how many are read. */
	return result_row(result, name, letters, start, v[0], v[1], v[2], v[3],
			  v[4], v[5], v[6], v[7], v[8], v[9], v[10], v[11],
			  v[12], v[13], v[14], v[15], v[16], v[17], v[18],
			  v[19], v[20], v[21], v[22], v[23]);
}

int
timeline_finish(const struct timeline *timeline, uint64_t end,
		struct result *result, const char *name, const char *help)
{
	uint64_t level[TIMELINE_SERIES_MAX] = { 0 };
	int error = timeline_columns(timeline, result, name, help);

	for (size_t b = 0; !error && b < timeline->bins; b++) {
		const struct cell *cell = &timeline->cell[b * timeline->n];

		if (b << timeline->shift >= end && b > 0)
			break;
		for (size_t s = 0; s < timeline->n; s++)
			if (timeline->series[s].kind == TIMELINE_COUNTER ||
			    cell[s].set)
				level[s] = cell[s].value;
		error = timeline_row(timeline, result, name,
				     b << timeline->shift, level);
	}
	return error;
}
