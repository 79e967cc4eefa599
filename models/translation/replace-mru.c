// SPDX-License-Identifier: GPL-2.0-or-later
/* Most recently used: keeps what came first of a sweep that does not fit. */
#include "models/translation/replacement.h"

static uint32_t
mru_victim(struct tlb *tlb, uint32_t first)
{
	const uint64_t *stamp = tlb->column.stamp;
	uint32_t best = first;

	for (uint32_t i = first + 1; i < first + tlb->ways; i++)
		best = stamp[i] > stamp[best] ? i : best;
	return best;
}

const struct replacement_ops mru_replacement = {
	.name = "mru",
	.help = "the most recently used",
	.victim = mru_victim,
};
