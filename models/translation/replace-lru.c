// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Least recently used: the least stamp of the set.
 *
 * Wide sets keep a lower bound of the stamps of every TLB_GROUP ways.  Stamps
 * only grow, so a bound stays one until it is looked at again; the group with
 * the least bound is scanned, and if its least stamp equals the bound, no
 * other can be less.  64 ways: 16 compares where a scan takes 64.
 */
#include "models/translation/replacement.h"

/* The slot of the least of n stamps.  Two chains of conditional moves. */
static uint32_t
oldest(const uint64_t *stamp, uint32_t n)
{
	uint64_t even = stamp[0], odd = UINT64_MAX;
	uint32_t even_at = 0, odd_at = 0, i = 1;

	for (; i + 1 < n; i += 2) {
		odd_at = stamp[i] < odd ? i : odd_at;
		odd = stamp[i] < odd ? stamp[i] : odd;
		even_at = stamp[i + 1] < even ? i + 1 : even_at;
		even = stamp[i + 1] < even ? stamp[i + 1] : even;
	}
	if (i < n && stamp[i] < odd) {
		odd_at = i;
		odd = stamp[i];
	}
	return odd < even ? odd_at : even_at;
}

static uint32_t
lru_victim(struct tlb *tlb, uint32_t first)
{
	const uint64_t *stamp = &tlb->column.stamp[first];
	uint64_t *bound;

	if (tlb->ways <= TLB_SCANNED)
		return first + oldest(stamp, tlb->ways);
	bound = tlb->bound + (size_t)(first / tlb->ways) * tlb->groups;
	for (;;) {
		uint32_t group = oldest(bound, tlb->groups);
		uint32_t start = group * TLB_GROUP, n = tlb->ways - start;
		uint32_t way = start + oldest(&stamp[start],
					      n < TLB_GROUP ? n : TLB_GROUP);

		if (stamp[way] == bound[group])
			return first + way;
		bound[group] = stamp[way];
	}
}

const struct replacement_ops lru_replacement = {
	.name = "lru",
	.help = "the least recently used",
	.ranked = true,
	.victim = lru_victim,
};
