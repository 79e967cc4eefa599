/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Misses of TLBs and caches of all shapes at once: for each power of two of
 * sets up to a bound and each number of ways up to a bound, with LRU in the
 * sets, in one pass (all-associativity; Mattson et al. 1970, Hill, Smith 1989).
 *
 * An entry holds one aligned piece of an address space (a page, a line), whose
 * low bits choose the set; spaces are told apart as by ASIDs.  What is unmapped
 * or mapped anew leaves its entries empty, which are filled first.  Lines are
 * by virtual address.
 */
#ifndef MODELS_ANALYSIS_ASSOCIATIVITY_H
#define MODELS_ANALYSIS_ASSOCIATIVITY_H

#include "analyzer/model.h"

#define ASSOCIATIVITY_SETS_SHIFT 20u /* the most: 2^20 sets */
#define ASSOCIATIVITY_WAYS	 64u

struct associativity_config {
	unsigned shift;	     /* log2 bytes of a piece */
	unsigned sets_shift; /* log2 of the most sets */
	unsigned ways;	     /* the most, 1 or more */
	bool fetches;	     /* code goes through it, too */
};

/* The stream outlives it.  0, -ENOMEM (said). */
int associativity_open(struct model **out,
		       const struct associativity_config *config,
		       const struct stream *stream);

/* Runs of accesses to one piece: lookups, but for those that must hit. */
uint64_t associativity_references(const struct model *model);
/* Of 2^sets_shift sets of so many ways, both within the bounds. */
uint64_t associativity_misses(const struct model *model, unsigned sets_shift,
			      unsigned ways);

/* The table associativity: sets, ways, entries, bytes, misses, ratio (of so
 * many accesses).  0, -ENOMEM. */
int associativity_result(const struct model *model, uint64_t accesses,
			 struct result *result);

#endif
