// SPDX-License-Identifier: GPL-2.0-or-later
/* Any way of the set, by the array's seeded generator. */
#include "models/translation/replacement.h"

static uint32_t
random_victim(struct tlb *tlb, uint32_t first)
{
	uint64_t x = replacement_random(tlb);

	return first + (uint32_t)((x * tlb->ways) >> 32);
}

const struct replacement_ops random_replacement = {
	.name = "random",
	.help = "any, by the seed",
	.victim = random_victim,
};
