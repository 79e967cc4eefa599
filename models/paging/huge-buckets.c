// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Promotion by access buckets, as HawkEye does (Panwar et al., ASPLOS 2019): at
 * intervals, count what was accessed of each region of 2M (or how many walks
 * it took), halve what was before, and sort into ten buckets; the regions of
 * the highest become 2M pages first, the spaces in turn.
 */
#include "models/paging/huge-policy.h"

#include <stdlib.h>

#define BUCKETS 10

struct candidate {
	uint64_t start;
	uint32_t space, turn; /* the how manyth of its space's bucket */
	unsigned bucket;
};

struct candidates {
	struct candidate *at; /* owned */
	size_t n, room;
};

static int
by_bucket(const void *left, const void *right)
{
	const struct candidate *a = left, *b = right;

	if (a->bucket != b->bucket)
		return a->bucket < b->bucket ? 1 : -1;
	if (a->turn != b->turn)
		return a->turn < b->turn ? -1 : 1;
	if (a->space != b->space)
		return a->space < b->space ? -1 : 1;
	return (a->start > b->start) - (a->start < b->start);
}

static int
add(struct candidates *all, const struct candidate *one)
{
	if (all->n == all->room) {
		size_t room = all->room ? 2 * all->room : 64;
		struct candidate *more =
			reallocarray(all->at, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		all->at = more;
		all->room = room;
	}
	all->at[all->n++] = *one;
	return 0;
}

/* Of 512 pages; walks: as many are the highest bucket. */
static unsigned
bucket_of(uint64_t heat)
{
	uint64_t bucket = heat * BUCKETS / 513;

	return bucket < BUCKETS ? (unsigned)bucket : BUCKETS - 1;
}

static int
look_at_space(struct paging *paging, struct address_space *space,
	      struct candidates *all)
{
	uint32_t turn[BUCKETS] = { 0 };
	uint64_t *start;
	int64_t n = hash_keys(&space->heat, 0, UINT64_MAX - 1, &start);
	int error = n < 0 ? -ENOMEM : 0;

	(void)paging;
	for (int64_t i = 0; i < n && !error; i++) {
		uint64_t *heat = hash_find(&space->heat, start[i]);
		/* old in the upper half, what came since in the lower */
		uint64_t mean = ((*heat >> 32) + (*heat & UINT32_MAX)) / 2;
		struct candidate one = { start[i], space->number, 0,
					 bucket_of(mean) };
		struct large_page page;

		*heat = mean << 32;
		if (!mean) {
			hash_remove(&space->heat, start[i]);
			continue;
		}
		one.turn = turn[one.bucket]++;
		if (!large_find(space, start[i], &page))
			error = add(all, &one);
	}
	free(start);
	/* Who is seen again counts again. */
	hash_fini(&space->recent);
	return error;
}

static int
buckets_tick(struct paging *paging, uint64_t time_ns)
{
	const struct promotion_config *config = &paging->config.huge.promotion;
	struct huge *huge = &paging->huge;
	struct candidates all = { 0 };
	uint64_t made = 0;
	int error = 0;

	if (!huge->next_ns)
		huge->next_ns = time_ns + config->interval_ns;
	if (!time_ns || time_ns < huge->next_ns)
		return 0;
	huge->next_ns = time_ns + config->interval_ns;
	for (size_t i = 0; i < paging->spaces && !error; i++)
		if (paging->space[i])
			error = look_at_space(paging, paging->space[i], &all);
	if (error)
		error = paging_no_memory(paging);
	if (all.n)
		qsort(all.at, all.n, sizeof(*all.at), by_bucket);
	for (size_t i = 0; i < all.n && made < config->pages && error >= 0;
	     i++) {
		error = khugepaged_collapse(paging,
					    paging->space[all.at[i].space],
					    all.at[i].start);
		made += error == 1;
	}
	free(all.at);
	coverage_again(paging);
	return error < 0 ? error : 0;
}

const struct huge_policy buckets_policy = {
	.tick = buckets_tick,
};
