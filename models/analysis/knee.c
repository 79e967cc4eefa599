// SPDX-License-Identifier: GPL-2.0-or-later
#include "models/analysis/knee.h"

#include "analyzer/fail.h"
#include "models/memory/random.h"

#include <stdlib.h>
#include <string.h>

#define REPLICATES    200u
#define FAULTING_MOST 0.1 /* share of accesses that miss at a knee */
/* Closer to what all of the memory costs than that is no knee. */
#define GAIN_LEAST 0.05

/* Is this size better than the best so far?  Costs are pages times misses. */
struct search {
	double most; /* misses */
	double cost, last;
	uint64_t pages;
};

static void
search_add(struct search *search, uint64_t pages, double misses)
{
	double cost = (double)pages * misses;

	search->last = cost;
	if (misses > search->most || (search->pages && cost >= search->cost))
		return;
	search->pages = pages;
	search->cost = cost;
}

static uint64_t
search_end(const struct search *search)
{
	return search->cost < (1 - GAIN_LEAST) * search->last ? search->pages
							      : 0;
}

uint32_t
knee_find(const uint64_t *misses, uint32_t peak, uint64_t accesses)
{
	struct search search = { .most = FAULTING_MOST * (double)accesses };

	for (uint32_t size = 1; size <= peak; size++)
		search_add(&search, size, (double)misses[size]);
	return (uint32_t)search_end(&search);
}

/* All blocks drawn once more, together */
static void
resample(struct block *all, const struct blocks *blocks, unsigned n,
	 uint64_t *random)
{
	memset(all, 0, sizeof(*all));
	for (unsigned i = 0; i < n; i++) {
		const struct block *one =
			&blocks->block[random_below(random, n)];

		all->references += one->references;
		all->cold += one->cold;
		for (unsigned bin = 0; bin < OCTAVES_BINS; bin++)
			all->count[bin] += one->count[bin];
	}
}

/* Misses at the ends of bins, of as many references as there were */
static unsigned
misses_of(const struct block *all, double *misses)
{
	uint64_t left = all->references;
	unsigned last = 0;

	for (unsigned bin = 0; bin < OCTAVES_BINS; bin++) {
		left -= all->count[bin];
		misses[bin] = (double)left;
		if (all->count[bin])
			last = bin;
	}
	return last;
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
quantiles(double *value, unsigned n, double *low, double *high)
{
	qsort(value, n, sizeof(*value), by_size);
	*low = value[n / 20];
	*high = value[n - 1 - n / 20];
}

struct draws {
	double misses[REPLICATES][OCTAVES_BINS];
	double knee[REPLICATES];
	unsigned knees;
};

static void
find_band(struct knee_band *band, struct draws *draws)
{
	double value[REPLICATES], low, high;

	for (unsigned bin = 0; bin < OCTAVES_BINS; bin++) {
		for (unsigned i = 0; i < REPLICATES; i++)
			value[i] = draws->misses[i][bin];
		quantiles(value, REPLICATES, &band->low[bin], &band->high[bin]);
	}
	if (draws->knees < REPLICATES / 2)
		return;
	quantiles(draws->knee, draws->knees, &low, &high);
	band->knee_low = (uint64_t)low;
	band->knee_high = (uint64_t)high;
}

int
knee_band(struct knee_band *band, const struct blocks *blocks,
	  uint64_t accesses, uint64_t seed)
{
	unsigned n = blocks_number(blocks, accesses);
	uint64_t random = seed;
	struct draws *draws;
	struct block all;

	*band = (struct knee_band){ .known = n >= KNEE_BLOCKS_LEAST };
	if (!band->known)
		return 0;
	/* The last is shorter: it is no equal among the others. */
	n -= accesses & ((UINT64_C(1) << blocks->shift) - 1) ? 1 : 0;
	draws = calloc(1, sizeof(*draws));
	if (!draws)
		return fail(ENOMEM, "knee: no memory");
	for (unsigned i = 0; i < REPLICATES; i++) {
		double length =
			(double)n * (double)(UINT64_C(1) << blocks->shift);
		double scale = (double)accesses / length;
		struct search search = { .most = FAULTING_MOST *
						 (double)accesses };
		unsigned last;
		uint64_t knee;

		resample(&all, blocks, n, &random);
		last = misses_of(&all, draws->misses[i]);
		for (unsigned bin = 0; bin < OCTAVES_BINS; bin++) {
			draws->misses[i][bin] *= scale;
			if (bin <= last)
				search_add(&search, octaves_end(bin),
					   draws->misses[i][bin]);
		}
		knee = search_end(&search);
		if (knee)
			draws->knee[draws->knees++] = (double)knee;
	}
	find_band(band, draws);
	free(draws);
	return 0;
}
