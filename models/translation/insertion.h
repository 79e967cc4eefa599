/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LRU whose fills may go in as the least recently used, of Qureshi, Jaleel,
 * Patt, Steely and Emer, "Adaptive insertion policies for high performance
 * caching" (ISCA 2007): until its first hit such an entry is below all others,
 * the latest fill at the bottom.  It had no hit while its stamp is that of its
 * fill.
 */
#ifndef MODELS_TRANSLATION_INSERTION_H
#define MODELS_TRANSLATION_INSERTION_H

#include "models/translation/replacement.h"

static inline uint32_t
insertion_victim(struct tlb *tlb, uint32_t first)
{
	const uint64_t *stamp = tlb->column.stamp, *filled = tlb->filled;
	uint32_t oldest = first, bottom = TLB_NO_SLOT;

	for (uint32_t i = first; i < first + tlb->ways; i++) {
		if (stamp[i] == filled[i] &&
		    (bottom == TLB_NO_SLOT || stamp[i] > stamp[bottom]))
			bottom = i;
		oldest = stamp[i] < stamp[oldest] ? i : oldest;
	}
	return bottom == TLB_NO_SLOT ? oldest : bottom;
}

#endif
