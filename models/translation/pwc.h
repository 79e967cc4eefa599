/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walk caches.  Split, the usual ones: for each upper level of a radix table a small array of
 * entries that point to the next table, as Barr, Cox and Rixner describe
 * ("Translation caching: skip, don't walk", ISCA 2010) for Intel's
 * paging-structure caches.  A hit at level l lets the walk begin at l - 1.
 *
 * Levels are asked from the lowest up, and the first hit ends it; so with each
 * level asked only after a miss below it, a walk of a 4K page makes
 * 1 + (sum of the misses of all levels) references.  All levels that a walk
 * read through are filled; a hit refreshes only the level that was hit.
 *
 * The paper's other kinds: one array for the entries of all levels (unified), and
 * caches that do not skip: each level is asked, from the root down, and a hit saves
 * the reference to that level alone.  These are asked one walk at a time.
 */
#ifndef MODELS_TRANSLATION_PWC_H
#define MODELS_TRANSLATION_PWC_H

#include "analyzer/result.h"
#include "models/translation/tlb.h"

#define PWC_LOWEST  2u /* level of a PDE */
#define PWC_HIGHEST 5u
#define PWC_LEVELS  (PWC_HIGHEST - PWC_LOWEST + 1)

enum pwc_kind {
	PWC_SPLIT,
	PWC_UNIFIED,
	PWC_NONE,
};

enum pwc_skip {
	PWC_SKIPS,
	PWC_SKIPS_NOT,
};

/* Prefix "pwc". */
struct pwc_config {
	int kind, skip;		   /* enums */
	struct tlb_config unified; /* prefix "pwc.unified" */
	unsigned granule; /* log2 of the least page; 0: 12.  No option */
};
extern const struct option_row pwc_rows[], pwc_unified_rows[];

struct pwc {
	bool special; /* unified, or does not skip, or of another granule */
	bool unified, skips;
	unsigned granule;
	struct tlb one;		      /* all levels, if unified */
	struct tlb level[PWC_LEVELS]; /* pde, pdpte, pml4e, pml5e */
	uint64_t lookups[PWC_LEVELS], hits[PWC_LEVELS];
	uint64_t now;
};

/* log2 of the bytes that an entry of this level covers; of a granule of 4K. */
static inline unsigned
pwc_shift(unsigned level)
{
	return 12 + 9 * (level - 1);
}

/* "pde", "pdpte", "pml4e", "pml5e" */
extern const char *const pwc_names[PWC_LEVELS];

/* levels: [PWC_LEVELS]; right ones.  0 or -ENOMEM. */
int pwc_init(struct pwc *pwc, const struct pwc_config *config,
	     const struct tlb_config *levels, uint64_t seed);
void pwc_fini(struct pwc *pwc);

/*
 * The lowest level below `top` + 1 whose entry for this address is cached, or
 * 0.  top: the level of the table's root entries.
 */
static ALWAYS_INLINE unsigned
pwc_find(struct pwc *pwc, uint64_t address, uint64_t asid, unsigned top)
{
	unsigned highest = top < PWC_HIGHEST ? top : PWC_HIGHEST;

	pwc->now++;
	for (unsigned level = PWC_LOWEST; level <= highest; level++) {
		unsigned i = level - PWC_LOWEST, shift = pwc_shift(level);
		struct tlb *tlb = &pwc->level[i];
		uint32_t slot;

		if (!tlb->entries)
			continue;
		pwc->lookups[i]++;
		slot = tlb_find(tlb, tlb_key(address, shift, 0, asid), shift);
		if (slot == TLB_NO_SLOT)
			continue;
		pwc->hits[i]++;
		tlb_touch(tlb, slot, pwc->now);
		return level;
	}
	return 0;
}

/* The walk has read an entry of this level that points to a table. */
static ALWAYS_INLINE void
pwc_fill(struct pwc *pwc, uint64_t address, uint64_t asid, unsigned level)
{
	unsigned shift = pwc_shift(level);
	struct tlb *tlb;

	if (level < PWC_LOWEST || level > PWC_HIGHEST)
		return;
	tlb = &pwc->level[level - PWC_LOWEST];
	if (tlb->entries)
		tlb_fill(tlb, tlb_key(address, shift, 0, asid), shift,
			 pwc->now);
}

/* Of any kind: is this level's entry for the address known?  Counted. */
bool pwc_ask(struct pwc *pwc, uint64_t address, uint64_t asid, unsigned level);
/* It was read: from now on it is. */
void pwc_put(struct pwc *pwc, uint64_t address, uint64_t asid, unsigned level);

/* Add what others counted. */
void pwc_add(struct pwc *pwc, const struct pwc *other);

void pwc_flush(struct pwc *pwc);
void pwc_flush_asid(struct pwc *pwc, uint64_t asid);
void pwc_invalidate(struct pwc *pwc, uint64_t asid, uint64_t address,
		    uint64_t length);

/* pwc.<level>.lookups and .hits */
int pwc_finish(const struct pwc *pwc, struct result *result);

#endif
