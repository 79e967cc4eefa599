// SPDX-License-Identifier: GPL-2.0-or-later
/* Regions of 2 MiB, judged one by one; see huge-regions.h. */
#include "reports/huge-regions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHIFT  21
#define PAGES  512.0
#define SPARSE 0.25 /* of its pages: below that memory is wasted */

struct columns {
	int space, process, mapping, start, end, touched, faults, large, walks,
		cycles;
};

static struct columns
columns_of(const struct view_table *table)
{
	return (struct columns){
		.space = view_column(table, "space"),
		.process = view_column(table, "process"),
		.mapping = view_column(table, "mapping"),
		.start = view_column(table, "start"),
		.end = view_column(table, "end"),
		.touched = view_column(table, "touched"),
		.faults = view_column(table, "faults"),
		.large = view_column(table, "large_faults"),
		.walks = view_column(table, "walks"),
		.cycles = view_column(table, "walk_cycles"),
	};
}

static struct huge_region
region_of(const struct view_table *table, const struct columns *at, size_t row)
{
	return (struct huge_region){
		.space = (uint32_t)view_address(table, row, at->space),
		.process = view_address(table, row, at->process),
		.start = view_address(table, row, at->start),
		.end = view_address(table, row, at->end),
		.mapping = view_text(table, row, at->mapping),
		.touched = view_number(table, row, at->touched),
		.walks = view_number(table, row, at->walks),
		.cycles = view_number(table, row, at->cycles),
		.faults = view_number(table, row, at->faults),
	};
}

/* Before, the same, after: by space and 2 MiB */
static int
compare(const struct huge_region *a, const struct huge_region *b)
{
	if (a->space != b->space)
		return a->space < b->space ? -1 : 1;
	if (a->start >> SHIFT != b->start >> SHIFT)
		return a->start >> SHIFT < b->start >> SHIFT ? -1 : 1;
	return 0;
}

static enum huge_advice
advise(const struct huge_region *region)
{
	if (region->large <= 0)
		return HUGE_NONE;
	if (region->touched < SPARSE * PAGES)
		return HUGE_SPARSE;
	return region->saved > 0   ? HUGE_YES
	       : region->saved < 0 ? HUGE_NO
				   : HUGE_NONE;
}

static void
judge(struct huge_region *region, const struct huge_costs *costs)
{
	double small = region->faults_huge - region->large;

	region->saved =
		costs->overlap * (region->cycles - region->cycles_huge) +
		(region->faults - small) * costs->fault -
		region->large * costs->huge_fault;
	region->advice = advise(region);
}

/* Take the figures with huge pages over from the row of the same place. */
static void
join(struct huge_regions *regions, const struct view_table *huge)
{
	struct columns at = columns_of(huge);
	size_t k = 0;

	for (size_t i = 0; i < regions->n; i++) {
		struct huge_region *to = &regions->region[i], from;
		int order = -1;

		while (k < huge->n_rows && order < 0) {
			from = region_of(huge, &at, k);
			order = from.end ? compare(&from, to) : -1;
			k += order <= 0;
		}
		if (order)
			continue;
		to->walks_huge = from.walks;
		to->cycles_huge = from.cycles;
		to->faults_huge = from.faults;
		to->large = view_number(huge, k - 1, at.large);
	}
}

int
huge_regions_open(struct huge_regions *regions, const struct result *plain,
		  const struct result *huge, const struct huge_costs *costs)
{
	struct view_table small, large;
	struct columns at;

	*regions = (struct huge_regions){ NULL, 0 };
	view_table(plain, "regions.2m", &small);
	view_table(huge, "regions.2m", &large);
	regions->region = calloc(small.n_rows + 1, sizeof(*regions->region));
	if (!regions->region)
		return -ENOMEM;
	at = columns_of(&small);
	for (size_t i = 0; i < small.n_rows; i++) {
		struct huge_region region = region_of(&small, &at, i);

		if (region.end)
			regions->region[regions->n++] = region;
	}
	join(regions, &large);
	for (size_t i = 0; i < regions->n; i++)
		judge(&regions->region[i], costs);
	return 0;
}

void
huge_regions_close(struct huge_regions *regions)
{
	free(regions->region);
	*regions = (struct huge_regions){ NULL, 0 };
}

double
huge_region_bloat(const struct huge_region *region)
{
	return region->large > 0 ? (PAGES - region->touched) * 4096 : 0;
}

bool
huge_region_joins(const struct huge_region *a, const struct huge_region *b)
{
	return a->space == b->space && a->advice == b->advice &&
	       a->end == b->start && !strcmp(a->mapping, b->mapping);
}
