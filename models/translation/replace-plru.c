// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tree pseudo-LRU: a binary tree over the ways, each node pointing away from
 * the half used last.  Which half that is can be read off the stamps, so the
 * tree is never stored:
 *
 *	            o            go to the half whose latest stamp is
 *	        o       o        earlier; both unused (0): to the left
 *	      w0  w1  w2  w3
 *
 * A stored tree also moves at an invalidation's refill just as this one does.
 */
#include "models/translation/replacement.h"

static uint64_t
latest(const uint64_t *stamp, uint32_t n)
{
	uint64_t most = 0;

	for (uint32_t i = 0; i < n; i++)
		most = stamp[i] > most ? stamp[i] : most;
	return most;
}

static uint32_t
plru_victim(struct tlb *tlb, uint32_t first)
{
	const uint64_t *stamp = tlb->column.stamp;

	for (uint32_t n = tlb->ways / 2; n; n /= 2)
		if (latest(&stamp[first + n], n) < latest(&stamp[first], n))
			first += n;
	return first;
}

const struct replacement_ops plru_replacement = {
	.name = "plru",
	.help = "tree pseudo-LRU; ways a power of two",
	.power_of_two = true,
	.victim = plru_victim,
};
