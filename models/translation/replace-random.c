// SPDX-License-Identifier: GPL-2.0-or-later
/* Any way of the set, by a seeded xorshift64* generator (Vigna 2016). */
#include "models/translation/replacement.h"

static uint32_t
random_victim(struct tlb *tlb, uint32_t first)
{
	uint64_t x = tlb->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	tlb->random = x;
	x = (x * UINT64_C(0x2545f4914f6cdd1d)) >> 32;
	return first + (uint32_t)((x * tlb->ways) >> 32);
}

const struct replacement_ops random_replacement = {
	.name = "random",
	.help = "any, by the seed",
	.victim = random_victim,
};
