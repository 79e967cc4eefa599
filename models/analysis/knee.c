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

/* Misses at the ends of bins, but for the cold ones, times scale */
static void
misses_of(const struct block *all, double scale, double *misses)
{
	uint64_t left = all->references - all->cold;

	for (unsigned bin = 0; bin < OCTAVES_BINS; bin++) {
		left -= all->count[bin];
		misses[bin] = scale * (double)left;
	}
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
find_band(struct knee_band *band, struct draws *draws, double cold)
{
	double value[REPLICATES], low, high;

	for (unsigned bin = 0; bin < OCTAVES_BINS; bin++) {
		for (unsigned i = 0; i < REPLICATES; i++)
			value[i] = draws->misses[i][bin];
		quantiles(value, REPLICATES, &band->low[bin], &band->high[bin]);
		band->low[bin] += cold;
		band->high[bin] += cold;
	}
	if (draws->knees < REPLICATES / 2)
		return;
	quantiles(draws->knee, draws->knees, &low, &high);
	band->knee_low = (uint64_t)low;
	band->knee_high = (uint64_t)high;
}

/* The knee of these misses beside so many cold ones; 0: there is none */
static uint64_t
knee_of(const double *misses, double cold, uint32_t peak, double accesses)
{
	struct search search = { .most = FAULTING_MOST * accesses };

	for (unsigned bin = 0; bin <= octaves_bin(peak); bin++)
		search_add(&search, octaves_end(bin), misses[bin] + cold);
	return search_end(&search);
}

int
knee_band(struct knee_band *band, const struct blocks *blocks,
	  const struct knee_run *run, uint64_t seed)
{
	unsigned n = blocks_number(blocks, run->accesses);
	double accesses = (double)run->accesses, scale;
	uint64_t random = seed;
	struct draws *draws;
	struct block all;

	*band = (struct knee_band){ .known = n >= KNEE_BLOCKS_LEAST };
	if (!band->known || !run->peak)
		return 0;
	/* The last is shorter: it is no equal among the others. */
	n -= run->accesses & ((UINT64_C(1) << blocks->shift) - 1) ? 1 : 0;
	scale = accesses / ((double)n * (double)(UINT64_C(1) << blocks->shift));
	draws = calloc(1, sizeof(*draws));
	if (!draws)
		return fail(ENOMEM, "knee: no memory");
	for (unsigned i = 0; i < REPLICATES; i++) {
		uint64_t knee;

		resample(&all, blocks, n, &random);
		misses_of(&all, scale, draws->misses[i]);
		knee = knee_of(draws->misses[i], scale * (double)all.cold,
			       run->peak, accesses);
		if (knee)
			draws->knee[draws->knees++] = (double)knee;
	}
	find_band(band, draws, (double)run->cold);
	free(draws);
	return 0;
}
