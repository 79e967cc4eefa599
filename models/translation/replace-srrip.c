// SPDX-License-Identifier: GPL-2.0-or-later
/* Static re-reference interval prediction: see rrip.h. */
#include "models/translation/rrip.h"

static void
srrip_placed(struct tlb *tlb, uint32_t slot)
{
	tlb->state[slot] = RRIP_LONG;
}

const struct replacement_ops srrip_replacement = {
	.name = "srrip",
	.help = "the one predicted to be used last, two bits",
	.counts_hits = true,
	.victim = rrip_victim,
	.placed = srrip_placed,
};
