// SPDX-License-Identifier: GPL-2.0-or-later
/* Misses by region and time; see heatmap.h. */
#include "models/analysis/heatmap.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

#define FIRST_REGION_SHIFT 16u /* 64 KiB */
#define FIRST_TIME_SHIFT   12u /* 4096 accesses */
#define BUCKETS		   (4 * HEATMAP_REGIONS)
#define RECENT		   256u
#define NO_REGION	   UINT64_MAX

struct cell {
	uint64_t misses, walks;
};

struct region {
	uint64_t number; /* address >> region_shift */
	uint32_t space;
};

/* Rows by the low bits of their number: where nearly all are found. */
struct recent {
	uint64_t number;
	uint32_t space, row;
};

struct heatmap {
	unsigned region_shift, time_shift;
	uint32_t n; /* regions in use */
	struct recent recent[RECENT];
	uint32_t bucket[BUCKETS]; /* row + 1, linear probing; 0: empty */
	struct region region[HEATMAP_REGIONS];
	/* by time first: what is written now lies close together */
	struct cell cell[HEATMAP_TIMES][HEATMAP_REGIONS];
};

static void
forget_recent(struct heatmap *heatmap)
{
	for (uint32_t i = 0; i < RECENT; i++)
		heatmap->recent[i].number = NO_REGION;
}

int
heatmap_open(struct heatmap **out)
{
	struct heatmap *heatmap = calloc(1, sizeof(*heatmap));

	if (!heatmap)
		return fail(ENOMEM, "heatmap: no memory");
	heatmap->region_shift = FIRST_REGION_SHIFT;
	heatmap->time_shift = FIRST_TIME_SHIFT;
	forget_recent(heatmap);
	*out = heatmap;
	return 0;
}

void
heatmap_close(struct heatmap *heatmap)
{
	free(heatmap);
}

static bool
same(const struct region *a, const struct region *b)
{
	return a->number == b->number && a->space == b->space;
}

/* The bucket that holds the region's row, or the empty one where it goes. */
static uint32_t *
bucket_of(struct heatmap *heatmap, const struct region *region)
{
	uint64_t hash = (region->number ^ ((uint64_t)region->space << 40)) *
			UINT64_C(0x9e3779b97f4a7c15);
	uint32_t i = (uint32_t)(hash >> 32) % BUCKETS;

	while (heatmap->bucket[i] &&
	       !same(&heatmap->region[heatmap->bucket[i] - 1], region))
		i = (i + 1) % BUCKETS;
	return &heatmap->bucket[i];
}

/* Add row `from` to a row before it, leaving it empty. */
static void
move_row(struct heatmap *heatmap, uint32_t from, uint32_t to)
{
	for (uint32_t t = 0; t < HEATMAP_TIMES; t++) {
		struct cell *cell = heatmap->cell[t];

		cell[to].misses += cell[from].misses;
		cell[to].walks += cell[from].walks;
		cell[from] = (struct cell){ 0, 0 };
	}
}

/* Double the regions, adding up the rows that become one. */
static void
merge_regions(struct heatmap *heatmap)
{
	uint32_t n = heatmap->n;

	heatmap->region_shift++;
	heatmap->n = 0;
	forget_recent(heatmap);
	memset(heatmap->bucket, 0, sizeof(heatmap->bucket));
	for (uint32_t i = 0; i < n; i++) {
		struct region region = heatmap->region[i];
		uint32_t *bucket, row;

		region.number >>= 1;
		bucket = bucket_of(heatmap, &region);
		if (!*bucket) {
			*bucket = ++heatmap->n;
			heatmap->region[heatmap->n - 1] = region;
		}
		row = *bucket - 1;
		if (row != i)
			move_row(heatmap, i, row);
	}
}

static void
merge_times(struct heatmap *heatmap)
{
	heatmap->time_shift++;
	for (uint32_t t = 0; t < HEATMAP_TIMES; t++)
		for (uint32_t i = 0; i < heatmap->n; i++) {
			struct cell *from = &heatmap->cell[t][i];
			struct cell sum = *from;

			*from = (struct cell){ 0, 0 };
			heatmap->cell[t / 2][i].misses += sum.misses;
			heatmap->cell[t / 2][i].walks += sum.walks;
		}
}

static NOINLINE uint32_t
find_row(struct heatmap *heatmap, uint32_t space, uint64_t address)
{
	for (;;) {
		struct region region = { address >> heatmap->region_shift,
					 space };
		uint32_t *bucket = bucket_of(heatmap, &region);

		if (!*bucket && heatmap->n < HEATMAP_REGIONS) {
			heatmap->region[heatmap->n] = region;
			*bucket = ++heatmap->n;
		}
		/* At a shift of 63 two regions a space are left: more than
		 * 128 spaces then share the last row. */
		if (!*bucket && heatmap->region_shift == 63)
			*bucket = HEATMAP_REGIONS;
		if (*bucket) {
			heatmap->recent[region.number % RECENT] =
				(struct recent){ region.number, space,
						 *bucket - 1 };
			return *bucket - 1;
		}
		merge_regions(heatmap);
	}
}

/* How many of these misses are in the same column of time as the first? */
static unsigned
same_time(const struct heatmap *heatmap, unsigned n, const uint64_t *position)
{
	uint64_t time = *position >> heatmap->time_shift;

	if (likely(position[n - 1] >> heatmap->time_shift == time))
		return n;
	for (n = 1; position[n] >> heatmap->time_shift == time;)
		n++;
	return n;
}

/* Misses of one column of time. */
static void
add_at(struct heatmap *heatmap, uint32_t space, unsigned n,
       const uint64_t *address, uint64_t time, const bool *walked)
{
	struct cell *cell = heatmap->cell[time];
	unsigned shift = heatmap->region_shift;

	for (unsigned i = 0; i < n; i++) {
		uint64_t number = address[i] >> shift;
		const struct recent *recent = &heatmap->recent[number % RECENT];
		uint32_t row = recent->row;

		if (unlikely(recent->number != number ||
			     recent->space != space)) {
			row = find_row(heatmap, space, address[i]);
			shift = heatmap->region_shift;
		}
		cell[row].misses++;
		cell[row].walks += walked[i];
	}
}

void
heatmap_add(struct heatmap *heatmap, uint32_t space, unsigned n,
	    const uint64_t *address, const uint64_t *position,
	    const bool *walked)
{
	while (n && unlikely(position[n - 1] >> heatmap->time_shift >=
			     HEATMAP_TIMES))
		merge_times(heatmap);
	while (n) {
		unsigned same = same_time(heatmap, n, position);

		add_at(heatmap, space, same, address,
		       *position >> heatmap->time_shift, walked);
		address += same;
		position += same;
		walked += same;
		n -= same;
	}
}

struct order {
	struct region region;
	uint32_t row;
};

static int
ascending(const void *left, const void *right)
{
	const struct order *a = left, *b = right;

	if (a->region.space != b->region.space)
		return a->region.space < b->region.space ? -1 : 1;
	return a->region.number < b->region.number
		       ? -1
		       : a->region.number > b->region.number;
}

static int
put_row(const struct heatmap *heatmap, const struct order *order, uint64_t end,
	struct result *result)
{
	uint64_t width = UINT64_C(1) << heatmap->time_shift;
	int error = 0;

	for (uint64_t t = 0; !error && t < HEATMAP_TIMES; t++) {
		const struct cell *cell = &heatmap->cell[t][order->row];
		uint64_t start = t * width;

		if (!cell->misses)
			continue;
		error = result_row(result, "heatmap", "uuuuuuu",
				   (uint64_t)order->region.space,
				   order->region.number
					   << heatmap->region_shift,
				   UINT64_C(1) << heatmap->region_shift, start,
				   end - start < width ? end - start : width,
				   cell->misses, cell->walks);
	}
	return error;
}

int
heatmap_finish(const struct heatmap *heatmap, uint64_t end,
	       struct result *result)
{
	static const char *const columns[] = {
		"space:",	  "address:",
		"bytes:bytes",	  "accesses:accesses",
		"width:accesses", "l1_misses:lookups",
		"walks:walks",	  NULL
	};
	struct order order[HEATMAP_REGIONS];
	int error = result_table(result, "heatmap",
				 "first-level misses and walks by virtual "
				 "region and time (accesses so far); cells "
				 "without misses are left out",
				 columns);

	for (uint32_t i = 0; i < heatmap->n; i++)
		order[i] = (struct order){ heatmap->region[i], i };
	qsort(order, heatmap->n, sizeof(*order), ascending);
	for (uint32_t i = 0; !error && i < heatmap->n; i++)
		error = put_row(heatmap, &order[i], end, result);
	return error;
}
