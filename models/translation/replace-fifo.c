// SPDX-License-Identifier: GPL-2.0-or-later
/* First in, first out: the least fill time of the set; hits do not matter. */
#include "models/translation/replacement.h"

static uint32_t
fifo_victim(struct tlb *tlb, uint32_t first)
{
	uint32_t best = first;

	for (uint32_t i = first + 1; i < first + tlb->ways; i++)
		best = tlb->filled[i] < tlb->filled[best] ? i : best;
	return best;
}

const struct replacement_ops fifo_replacement = {
	.name = "fifo",
	.help = "the one that came in first",
	.victim = fifo_victim,
};
