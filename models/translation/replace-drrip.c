// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Dynamic re-reference interval prediction: of every 32 sets the first fills as
 * srrip, the second as brrip, the others as the one of these two that missed
 * less: a counter of 10 bits goes up at misses of the first and down at those
 * of the second.  An array of one set is srrip.
 */
#include "models/translation/rrip.h"

#define DUEL   32u
#define MOST   1023u
#define MIDDLE 512u

static void
drrip_placed(struct tlb *tlb, uint32_t slot)
{
	uint32_t set = slot / tlb->ways % DUEL;
	/* from 0 as MIDDLE; wraps nowhere */
	uint32_t select = tlb->select ^ MIDDLE;
	bool bimodal = set == 1 || (set > 1 && select >= MIDDLE);

	if (set == 0)
		select += select < MOST;
	else if (set == 1)
		select -= select > 0;
	tlb->select = select ^ MIDDLE;
	tlb->state[slot] = bimodal ? rrip_bimodal(tlb) : RRIP_LONG;
}

const struct replacement_ops drrip_replacement = {
	.name = "drrip",
	.help = "srrip or brrip, whichever misses less in its sets of trial",
	.counts_hits = true,
	.victim = rrip_victim,
	.placed = drrip_placed,
};
