// SPDX-License-Identifier: GPL-2.0-or-later
/* The hottest pages; see who-table.h. */
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "models/analysis/who-table.h"

void
who_pages_fini(struct who_pages *pages)
{
	free(pages->page);
	free(pages->bucket);
	free(pages->time);
}

static uint32_t *
bucket_of(const struct who_pages *pages, uint64_t page, uint32_t space)
{
	uint64_t hash =
		(page ^ (uint64_t)space << 40) * UINT64_C(0x9e3779b97f4a7c15);
	uint32_t i = (uint32_t)(hash >> 32) & (pages->buckets - 1);

	while (pages->bucket[i]) {
		const struct who_page *at = &pages->page[pages->bucket[i] - 1];

		if (at->page == page && at->space == space)
			break;
		i = (i + 1) & (pages->buckets - 1);
	}
	return &pages->bucket[i];
}

static int
grow(struct who_pages *pages)
{
	uint32_t room = pages->room ? 2 * pages->room : 4096;
	struct who_page *page = reallocarray(pages->page, room, sizeof(*page));
	uint32_t *bucket;

	if (!page)
		return -ENOMEM;
	pages->page = page;
	bucket = calloc(2 * (size_t)room, sizeof(*bucket));
	if (!bucket)
		return -ENOMEM;
	free(pages->bucket);
	pages->bucket = bucket;
	pages->buckets = 2 * room;
	pages->room = room;
	for (uint32_t i = 0; i < pages->n; i++)
		*bucket_of(pages, page[i].page, page[i].space) = i + 1;
	return 0;
}

/* Twice as wide. */
static void
merge_times(struct who_pages *pages)
{
	uint32_t n = pages->n < WHO_TIMED_MAX ? pages->n : WHO_TIMED_MAX;

	pages->time_shift++;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t *time = pages->time[i];

		for (uint32_t t = 0; t < WHO_TIMES / 2; t++)
			time[t] = time[2 * t] + time[2 * t + 1];
		memset(time + WHO_TIMES / 2, 0, WHO_TIMES / 2 * sizeof(*time));
	}
}

static int
add_time(struct who_pages *pages, uint32_t page, uint64_t position)
{
	if (page >= WHO_TIMED_MAX)
		return 0;
	if (!pages->time) {
		pages->time = calloc(WHO_TIMED_MAX, sizeof(*pages->time));
		pages->time_shift = 10;
	}
	if (!pages->time)
		return fail(ENOMEM, "machine: no memory for --by page");
	while (position >> pages->time_shift >= WHO_TIMES)
		merge_times(pages);
	pages->time[page][position >> pages->time_shift]++;
	return 0;
}

int
who_pages_add(struct who_pages *pages, const struct who_miss *miss, bool walked)
{
	uint64_t number = miss->address >> 12;
	uint32_t *bucket;
	struct who_page *page;

	if (pages->n == pages->room && pages->n < WHO_PAGES_MAX && grow(pages))
		return fail(ENOMEM, "machine: no memory for --by page");
	bucket = bucket_of(pages, number, miss->space);
	if (!*bucket) {
		if (pages->n == pages->room)
			return 0; /* in the rest */
		pages->page[pages->n] =
			(struct who_page){ .page = number,
					   .space = miss->space,
					   .region = miss->region };
		*bucket = ++pages->n;
	}
	page = &pages->page[*bucket - 1];
	page->misses++;
	page->walks += walked;
	page->cycles += walked ? miss->cycles : 0;
	return add_time(pages, *bucket - 1, miss->position);
}

static int
rank(const void *left, const void *right)
{
	const struct who_page *a = *(const struct who_page *const *)left;
	const struct who_page *b = *(const struct who_page *const *)right;

	if (a->cycles != b->cycles)
		return a->cycles < b->cycles ? 1 : -1;
	if (a->misses != b->misses)
		return a->misses < b->misses ? 1 : -1;
	if (a->space != b->space)
		return a->space < b->space ? -1 : 1;
	return a->page < b->page ? -1 : 1;
}

static int
put_pages(const struct who_page **order, uint32_t n,
	  const struct who_regions *regions, struct result *result)
{
	static const char *const columns[] = {
		"space:",      "address:",
		"mapping:",    "misses:lookups",
		"walks:walks", "walk_cycles:cycles",
		NULL
	};
	int error = result_table(result, "who.pages",
				 "4K pages by what walks for them cost, the "
				 "most expensive first",
				 columns);

	for (uint32_t i = 0; !error && i < n && i < WHO_PAGES_REPORTED; i++)
		error = result_row(result, "who.pages", "uxsuuu",
				   (uint64_t)order[i]->space,
				   order[i]->page << 12,
				   regions->name(regions->context,
						 order[i]->region),
				   order[i]->misses, order[i]->walks,
				   order[i]->cycles);
	return error;
}

static int
by_misses(const void *left, const void *right)
{
	const struct who_page *a = *(const struct who_page *const *)left;
	const struct who_page *b = *(const struct who_page *const *)right;

	if (a->misses != b->misses)
		return a->misses < b->misses ? 1 : -1;
	return rank(left, right);
}

/* Of those that missed most and were followed. */
static int
put_times(const struct who_pages *pages, const struct who_page **order,
	  struct result *result)
{
	static const char *const columns[] = {
		"space:",	  "address:",	       "accesses:accesses",
		"width:accesses", "l1_misses:lookups", NULL
	};
	uint32_t shown = 0;
	int error = result_table(result, "who.pages.time",
				 "first-level misses of the pages that missed "
				 "most, over the run",
				 columns);

	for (uint32_t i = 0; !error && i < pages->n && shown < WHO_TIMED_SHOWN;
	     i++) {
		size_t number = (size_t)(order[i] - pages->page);

		if (number >= WHO_TIMED_MAX)
			continue;
		shown++;
		for (uint64_t t = 0; !error && t < WHO_TIMES; t++)
			if (pages->time[number][t])
				error = result_row(result, "who.pages.time",
						   "uxuuu",
						   (uint64_t)order[i]->space,
						   order[i]->page << 12,
						   t << pages->time_shift,
						   UINT64_C(1)
							   << pages->time_shift,
						   (uint64_t)pages
							   ->time[number][t]);
	}
	return error;
}

int
who_pages_finish(const struct who_pages *pages,
		 const struct who_regions *regions, struct result *result)
{
	const struct who_page **order = calloc(pages->n + 1u, sizeof(*order));
	int error = order ? 0 : -ENOMEM;

	for (uint32_t i = 0; order && i < pages->n; i++)
		order[i] = &pages->page[i];
	if (order && pages->n)
		qsort(order, pages->n, sizeof(*order), rank);
	if (!error)
		error = put_pages(order, pages->n, regions, result);
	if (order && pages->n)
		qsort(order, pages->n, sizeof(*order), by_misses);
	if (!error)
		error = put_times(pages, order, result);
	free(order);
	return error;
}
