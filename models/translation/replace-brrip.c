// SPDX-License-Identifier: GPL-2.0-or-later
/* Bimodal re-reference interval prediction: see rrip.h. */
#include "models/translation/rrip.h"

static void
brrip_placed(struct tlb *tlb, uint32_t slot)
{
	tlb->state[slot] = rrip_bimodal(tlb);
}

const struct replacement_ops brrip_replacement = {
	.name = "brrip",
	.help = "as srrip, but most fills are predicted never to be used",
	.counts_hits = true,
	.victim = rrip_victim,
	.placed = brrip_placed,
};
