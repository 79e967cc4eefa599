// SPDX-License-Identifier: GPL-2.0-or-later
/* Bimodal insertion: as lip, but one fill in 32 goes in as just used. */
#include "models/translation/insertion.h"

static void
bip_placed(struct tlb *tlb, uint32_t slot)
{
	if (replacement_random(tlb) % REPLACEMENT_BIMODAL == 0)
		tlb->filled[slot] = 0;
}

const struct replacement_ops bip_replacement = {
	.name = "bip",
	.help = "as lip, but one fill in 32 goes in as just used",
	.counts_hits = true,
	.victim = insertion_victim,
	.placed = bip_placed,
};
