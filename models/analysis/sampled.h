/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LRU's curve from a sample of the pages: those whose hash is below a bound, at
 * a fixed rate, or so many pages with a bound that goes down (SHARDS;
 * Waldspurger, Park, Garthwaite, Ahmad 2015).  Two estimates from one sample:
 *
 *	SHARDS	distances among sampled pages, over the rate
 *	AET	times between references to a page alone, and how fast pages
 *		sink in the stack on average (Hu, Wang, Li, Zhou, Luo, Ding,
 *		Jiang, Wang 2016)
 *
 * Pages, references and cold misses are counted, not estimated.
 *
 * Intervals are meant to hold the exact curve at 95 % of all sizes.  They come
 * from 32 parts of the sample, by hash (jackknife, Student's t), and from how
 * many of C pages a sample may hold.  What AET takes for granted, that pages
 * sink evenly, is not in its interval.
 */
#ifndef MODELS_ANALYSIS_SAMPLED_H
#define MODELS_ANALYSIS_SAMPLED_H

#include "analyzer/model.h"

#define SAMPLED_PAGES_LEAST 256u /* of a sample of fixed size */

struct sampled_config {
	unsigned shift; /* log2 of a page's bytes */
	bool fetches;
	double rate;	/* share of the pages, at first */
	uint32_t pages; /* no more than so many; 0: the rate stays */
	uint64_t seed;
};

/* The stream outlives it.  0, -ENOMEM (said). */
int sampled_open(struct model **out, const struct sampled_config *config,
		 const struct stream *stream);

struct sampled_view {
	uint64_t accesses;   /* fetches only if they count */
	uint64_t references; /* to all pages */
	uint64_t cold;	     /* pages that there ever were */
	uint64_t peak;	     /* at once */
	uint64_t sampled_references;
	uint32_t sampled_pages; /* in the sample now */
	double rate;		/* now */
};

void sampled_view(const struct model *model, struct sampled_view *view);

struct sampled_estimate {
	double misses, low, high;
};

/* Of a memory of so many pages. */
struct sampled_estimate sampled_shards(const struct model *model,
				       uint64_t pages);
struct sampled_estimate sampled_aet(const struct model *model, uint64_t pages);

#endif
