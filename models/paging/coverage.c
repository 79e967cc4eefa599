// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which 4K pages the program really uses, of large ones too: those that came
 * with a larger one and were never touched are what it costs in memory.
 *
 *	all accesses -> core: not known -> used[group] |= bit
 *	                                   brought[group] &= ~bit
 *
 * A TLB cannot tell: an entry of 2M hides which part was touched.  So a core
 * that is watched (core_config.watch) looks where its hints, which are by 4K,
 * were last told of that very page, and tells of the others, in order.
 */
#include "models/paging/space.h"

#include <stdlib.h>
#include <string.h>

static uint64_t
bits_of(const struct hash *hash, uint64_t group)
{
	const uint64_t *bits = hash_find(hash, group);

	return bits ? *bits : 0;
}

/* 0 or -ENOMEM (unsaid). */
static int
set_bits(struct hash *hash, uint64_t group, uint64_t bits)
{
	if (bits)
		return hash_put(hash, group, bits);
	hash_remove(hash, group);
	return 0;
}

/* The bits of [start, end) in a group; whole pages. */
static uint64_t
mask_of(uint64_t group, uint64_t start, uint64_t end)
{
	uint64_t base = group << GROUP_SHIFT, all = ~UINT64_C(0);
	uint64_t pages;

	if (start > base)
		all &= ~UINT64_C(0) << ((start - base) >> PAGE_SHIFT);
	pages = (end - base) >> PAGE_SHIFT;
	return pages < GROUP_PAGES ? all & ((UINT64_C(1) << pages) - 1) : all;
}

/* What of a region was touched since the last look; unless walks count. */
static int
note_recent(const struct paging *paging, struct address_space *space,
	    uint64_t address)
{
	uint64_t group = address >> GROUP_SHIFT;
	uint64_t region = address & ~(LARGE_BYTES - 1);
	uint64_t bit = UINT64_C(1) << (address >> PAGE_SHIFT) % GROUP_PAGES;
	uint64_t recent = bits_of(&space->recent, group);

	if (recent & bit || paging->config.huge.promotion.by == PROMOTION_WALKS)
		return 0;
	if (hash_put(&space->recent, group, recent | bit) < 0)
		return -ENOMEM;
	return hash_put(&space->heat, region,
			bits_of(&space->heat, region) + 1);
}

bool
paging_wants_walks(const struct paging *paging)
{
	return paging->config.policy == PAGES_BUCKETS &&
	       paging->config.huge.promotion.by == PROMOTION_WALKS;
}

int
paging_walked(struct paging *paging, uint32_t number, uint64_t address,
	      uint64_t walks)
{
	uint64_t region = address & ~(LARGE_BYTES - 1), heat;
	struct address_space *space;
	int error = space_get(paging, number, &space);

	if (error)
		return error;
	heat = bits_of(&space->heat, region);
	/* Its lower half, which stays one. */
	if ((heat & UINT32_MAX) + walks > UINT32_MAX)
		return 0;
	return hash_put(&space->heat, region, heat + walks) < 0
		       ? paging_no_memory(paging)
		       : 0;
}

int
coverage_touch(struct paging *paging, struct address_space *space,
	       uint64_t address)
{
	uint64_t group = address >> GROUP_SHIFT;
	uint64_t bit = UINT64_C(1) << (address >> PAGE_SHIFT) % GROUP_PAGES;
	uint64_t used = bits_of(&space->used, group), brought;

	if (paging->config.policy == PAGES_BUCKETS &&
	    note_recent(paging, space, address) < 0)
		return paging_no_memory(paging);
	if (used & bit)
		return 0;
	if (hash_put(&space->used, group, used | bit) < 0)
		return paging_no_memory(paging);
	brought = bits_of(&space->brought, group);
	if (!(brought & bit))
		return 0;
	(void)set_bits(&space->brought, group, brought & ~bit);
	paging->huge.untouched_bytes -= PAGE_BYTES;
	return 0;
}

void
coverage_again(struct paging *paging)
{
	if (paging->listener.again)
		paging->listener.again(paging->listener.context);
}

int
paging_watch(struct paging *paging, uint32_t number, uint64_t address,
	     uint64_t accesses)
{
	struct address_space *space;
	int error = space_get(paging, number, &space);

	if (error)
		return error;
	paging->now = accesses;
	paging->huge.watched = true;
	error = coverage_touch(paging, space, address);
	coverage_note(paging);
	return error;
}

void
coverage_note(struct paging *paging)
{
	if (paging->huge.untouched_peak < paging->huge.untouched_bytes)
		paging->huge.untouched_peak = paging->huge.untouched_bytes;
	timeline_set(paging->huge.line, HUGE_LINE_UNTOUCHED, paging->now,
		     paging->huge.untouched_bytes);
}

bool
paging_wants_watch(const struct paging *paging)
{
	return paging_sizes_vary(paging) &&
	       (paging->config.huge.bloat ||
		(paging->config.policy == PAGES_BUCKETS &&
		 paging->config.huge.promotion.by == PROMOTION_COVERAGE));
}

int
coverage_bring(struct paging *paging, struct address_space *space,
	       uint64_t start, uint64_t end)
{
	for (uint64_t group = start >> GROUP_SHIFT; group << GROUP_SHIFT < end;
	     group++) {
		uint64_t old = bits_of(&space->brought, group);
		uint64_t bits = mask_of(group, start, end) &
				~bits_of(&space->used, group) & ~old;

		if (set_bits(&space->brought, group, old | bits) < 0)
			return paging_no_memory(paging);
		paging->huge.untouched_bytes +=
			(uint64_t)__builtin_popcountll(bits) << PAGE_SHIFT;
	}
	return 0;
}

static void
drop_group(struct paging *paging, struct address_space *space, uint64_t group,
	   uint64_t mask)
{
	uint64_t brought = bits_of(&space->brought, group);

	paging->huge.untouched_bytes -=
		(uint64_t)__builtin_popcountll(brought & mask) << PAGE_SHIFT;
	/* Fewer bits of a known group: needs no memory. */
	(void)set_bits(&space->brought, group, brought & ~mask);
	(void)set_bits(&space->used, group,
		       bits_of(&space->used, group) & ~mask);
}

int
coverage_drop(struct paging *paging, struct address_space *space,
	      struct range range)
{
	struct hash *hashes[] = { &space->used, &space->brought };

	if (range.start >= range.end || (!space->used.n && !space->brought.n))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(hashes); i++) {
		uint64_t *group;
		int64_t n = hash_keys(hashes[i], range.start >> GROUP_SHIFT,
				      (range.end - 1) >> GROUP_SHIFT, &group);

		for (int64_t k = 0; k < n; k++)
			drop_group(paging, space, group[k],
				   mask_of(group[k], range.start, range.end));
		free(group);
		if (n < 0)
			return paging_no_memory(paging);
	}
	return 0;
}

/* One page after the other: mremap is rare. */
int
coverage_move(struct paging *paging, struct address_space *space,
	      struct range range, uint64_t delta)
{
	if (!space->used.n && !space->brought.n)
		return 0;
	for (uint64_t at = range.start; at < range.end; at += PAGE_BYTES) {
		uint64_t group = at >> GROUP_SHIFT;
		uint64_t bit = UINT64_C(1) << (at >> PAGE_SHIFT) % GROUP_PAGES;
		bool used = bits_of(&space->used, group) & bit;
		bool brought = bits_of(&space->brought, group) & bit;
		int error = 0;

		drop_group(paging, space, group, bit);
		if (brought)
			error = coverage_bring(paging, space, at + delta,
					       at + delta + PAGE_BYTES);
		if (!error && used)
			error = coverage_touch(paging, space, at + delta);
		if (error)
			return error;
	}
	return 0;
}
