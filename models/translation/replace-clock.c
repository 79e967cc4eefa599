// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Clock, or second chance: a hand goes around the set, of_set, and takes the
 * first entry whose bit is not set, clearing the bits that it passes.  Fills
 * and hits set them: a bit is set while the stamp is not the one that the hand
 * saw last, filled[].
 */
#include "models/translation/replacement.h"

static uint32_t
clock_victim(struct tlb *tlb, uint32_t first)
{
	uint64_t *hand = &tlb->of_set[first / tlb->ways];

	for (;;) {
		uint32_t slot = first + (uint32_t)*hand;
		uint64_t stamp = tlb->column.stamp[slot];

		*hand = *hand + 1 < tlb->ways ? *hand + 1 : 0;
		if (tlb->filled[slot] == stamp)
			return slot;
		tlb->filled[slot] = stamp;
	}
}

static void
clock_placed(struct tlb *tlb, uint32_t slot)
{
	tlb->filled[slot] = 0;
}

const struct replacement_ops clock_replacement = {
	.name = "clock",
	.help = "the first at the hand that was not used since it came by",
	.victim = clock_victim,
	.placed = clock_placed,
};
