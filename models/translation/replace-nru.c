// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Not recently used: a bit an entry, set by its fill and by hits.  The first
 * way whose bit is not set leaves; where all are set, all are cleared and the
 * first way leaves, as in TLBs of UltraSPARC.  The bits are the stamps later
 * than the last clearing, of_set.
 */
#include "models/translation/replacement.h"

static uint32_t
nru_victim(struct tlb *tlb, uint32_t first)
{
	const uint64_t *stamp = tlb->column.stamp;
	uint64_t *cleared = &tlb->of_set[first / tlb->ways], latest = 0;

	for (uint32_t i = first; i < first + tlb->ways; i++) {
		if (stamp[i] <= *cleared)
			return i;
		latest = stamp[i] > latest ? stamp[i] : latest;
	}
	*cleared = latest;
	return first;
}

const struct replacement_ops nru_replacement = {
	.name = "nru",
	.help = "the first whose used bit is not set",
	.victim = nru_victim,
};
