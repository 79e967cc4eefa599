/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who leaves a full set.  One file a policy, registered from REPLACEMENTS in
 * Makefile.am.
 *
 * A hit only writes a stamp, whatever the policy (tlb.h).  So a policy reads
 * what it wants to know of hits from the stamps when it is asked for a victim:
 * of bits and counters that hits set and only misses change, no more is ever
 * needed.  Beside stamps an array keeps for its policy:
 *
 *	filled[slot]	when it came in; a policy with `placed` may write it
 *	state[slot]	a byte
 *	of_set[set]	a word
 *	select		a counter of the whole array
 *	random		a generator's state
 */
#ifndef MODELS_TRANSLATION_REPLACEMENT_H
#define MODELS_TRANSLATION_REPLACEMENT_H

#include "models/translation/tlb.h"

struct replacement_ops {
	const char *name;
	const char *help;
	bool ranked; /* it is LRU: see tlb.h */
	/* Its ways must be a power of two. */
	bool power_of_two;
	/* A hit right after the fill changes what will leave. */
	bool counts_hits;
	/* The slot to be reused in the full set that begins at `first`. */
	uint32_t (*victim)(struct tlb *tlb, uint32_t first);
	/* NULL, or: the slot was filled just now. */
	void (*placed)(struct tlb *tlb, uint32_t slot);
};

extern const struct replacement_ops *const replacement_registry[];

/* NULL: there is no policy of that name. */
const struct replacement_ops *replacement_find(const char *name);

/* 32 bits of a xorshift64* generator (Vigna 2016). */
static inline uint32_t
replacement_random(struct tlb *tlb)
{
	uint64_t x = tlb->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	tlb->random = x;
	return (uint32_t)((x * UINT64_C(0x2545f4914f6cdd1d)) >> 32);
}

/* One fill in so many of bimodal policies goes in as if it were used. */
#define REPLACEMENT_BIMODAL 32u

#endif
