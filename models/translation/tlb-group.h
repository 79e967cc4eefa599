/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Entries for several pages of 4K (or of the granule) that lie side by side, aligned
 * to their number:
 *
 *	sector=8	one tag; each page comes in by itself, with its own frame
 *			    tag | valid 1 0 1 1 0 0 0 0 | frame[8]
 *	coalesce=8	those in a row whose frames are in a row too come in
 *			together, with one frame; one group may have several such
 *			entries (CoLT-SA: Pham, Vaidyanathan, Jaleel, Bhattacharjee,
 *			MICRO 2012)
 *			    tag, first 2 | valid 0 0 1 1 1 0 0 0 | frame
 *
 * Sets are chosen by the group's number.  Coalesced entries bear the number of
 * their first page in the bits of their key that the group's alignment leaves
 * free, so each key is in an array once.  One page is never in two of them: what
 * overlaps with a new one goes.
 *
 * A sector's page goes alone, a coalesced entry as a whole, when a page is
 * invalidated.  Larger pages that such an array holds are entries as usual.
 * All this is for the core's plain paths (core-miss.c): no hints, no runs.
 */
#ifndef MODELS_TRANSLATION_TLB_GROUP_H
#define MODELS_TRANSLATION_TLB_GROUP_H

#include "models/translation/tlb.h"

/* 0, or -ENOMEM; of an array whose config has a sector or coalesce above 1. */
int tlb_group_init(struct tlb *tlb, const struct tlb_config *config);
void tlb_group_fini(struct tlb *tlb);

/* The slot that has this least page, or TLB_NO_SLOT. */
uint32_t tlb_group_find(const struct tlb *tlb, uint64_t address, uint64_t asid);

/* Of a slot that has it: its frame, and whether it is read-only. */
uint64_t tlb_group_frame(const struct tlb *tlb, uint32_t slot,
			 uint64_t address);
bool tlb_group_readonly(const struct tlb *tlb, uint32_t slot, uint64_t address);

/* The pages in a row around this one that the slot has: their numbers. */
void tlb_group_run(const struct tlb *tlb, uint32_t slot, uint64_t address,
		   uint64_t *first, uint64_t *last);

/* A 4K page with those around it whose frames are in a row with its own. */
struct tlb_group_page {
	uint64_t address, frame, asid;
	uint64_t first, last; /* page numbers of the row */
	bool readonly;	      /* all of them */
};
/* Its slot. */
uint32_t tlb_group_fill(struct tlb *tlb, const struct tlb_group_page *page,
			uint64_t now);

/* That page of the slot is no longer to be had (or all that come with it). */
void tlb_group_drop(struct tlb *tlb, uint32_t slot, uint64_t address);

/* The slot has, or has no longer, anything but pages of 4K. */
void tlb_group_clear(struct tlb *tlb, uint32_t slot);

/* tlb_invalidate for such arrays. */
void tlb_group_invalidate(struct tlb *tlb, uint64_t asid, uint64_t from,
			  uint64_t last);

#endif
