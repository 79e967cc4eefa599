/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Re-reference interval prediction, of Jaleel, Theobald, Steely and Emer, "High
 * performance cache replacement using re-reference interval prediction" (ISCA
 * 2010): two bits an entry, state[], say how long until its next use, 0 soon to
 * 3 far.  Hits set 0 (their hit priority); the first way with 3 leaves, where
 * none has it all grow until one does.  A hit was one since the stamp filled[].
 */
#ifndef MODELS_TRANSLATION_RRIP_H
#define MODELS_TRANSLATION_RRIP_H

#include "models/translation/replacement.h"

#define RRIP_FAR  3
#define RRIP_LONG 2

static inline uint32_t
rrip_victim(struct tlb *tlb, uint32_t first)
{
	uint32_t end = first + tlb->ways, farthest = first;
	uint8_t *state = tlb->state;
	uint8_t grow;

	for (uint32_t i = first; i < end; i++) {
		if (tlb->filled[i] != tlb->column.stamp[i]) {
			tlb->filled[i] = tlb->column.stamp[i];
			state[i] = 0;
		}
		farthest = state[i] > state[farthest] ? i : farthest;
	}
	grow = (uint8_t)(RRIP_FAR - state[farthest]);
	for (uint32_t i = first; grow && i < end; i++)
		state[i] = (uint8_t)(state[i] + grow);
	return farthest;
}

/* Fills go in as far, one in 32 as long. */
static inline uint8_t
rrip_bimodal(struct tlb *tlb)
{
	return replacement_random(tlb) % REPLACEMENT_BIMODAL ? RRIP_FAR
							     : RRIP_LONG;
}

#endif
