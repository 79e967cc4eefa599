// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Open addressing, linear probes, at most 3/4 full: half a byte a page where
 * groups are dense, some 57 bytes where each page is alone in 256 KiB.
 */
#include "models/paging/pageset.h"

#include <stdlib.h>

#define PAGESET_ROOM_FIRST 64

static size_t
home(const struct pageset *set, uint64_t number)
{
	uint64_t product = number * UINT64_C(0x9e3779b97f4a7c15);

	return (product >> 32 ^ product >> 12) & (set->room - 1);
}

static struct page_group *
probe(const struct pageset *set, uint64_t number)
{
	size_t i = home(set, number);

	while (set->group[i].key && set->group[i].key != number + 1)
		i = (i + 1) & (set->room - 1);
	return &set->group[i];
}

void
pageset_fini(struct pageset *set)
{
	free(set->group);
	*set = (struct pageset){ 0 };
}

struct page_group *
pageset_group(const struct pageset *set, uint64_t address)
{
	struct page_group *group;

	if (!set->n)
		return NULL;
	group = probe(set, address >> GROUP_SHIFT);
	return group->key ? group : NULL;
}

static unsigned
bit_of(uint64_t address)
{
	return (unsigned)(address >> 12) % GROUP_PAGES;
}

static enum page_state
state_at(const struct page_group *group, unsigned bit)
{
	return (enum page_state)((group->whose[0] >> bit & 1) |
				 (group->whose[1] >> bit & 1) << 1);
}

uint64_t
pageset_pages(const struct pageset *set)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < set->room; i++)
		if (set->group[i].key)
			pages += (uint64_t)__builtin_popcountll(
				set->group[i].whose[0] |
				set->group[i].whose[1]);
	return pages;
}

enum page_state
pageset_state(const struct pageset *set, uint64_t address)
{
	const struct page_group *group = pageset_group(set, address);

	return group ? state_at(group, bit_of(address)) : PAGE_ABSENT;
}

static int
pageset_grow(struct pageset *set)
{
	struct pageset bigger = { .room = set->room ? set->room * 2
						    : PAGESET_ROOM_FIRST };

	bigger.group = calloc(bigger.room, sizeof(*bigger.group));
	if (!bigger.group)
		return -ENOMEM;
	for (size_t i = 0; i < set->room; i++)
		if (set->group[i].key)
			*probe(&bigger, set->group[i].key - 1) = set->group[i];
	bigger.n = set->n;
	free(set->group);
	*set = bigger;
	return 0;
}

static int
group_create(struct pageset *set, uint64_t address, struct page_group **out)
{
	uint64_t number = address >> GROUP_SHIFT;

	if ((set->n + 1) * 4 > set->room * 3 && pageset_grow(set) < 0)
		return -ENOMEM;
	*out = probe(set, number);
	(*out)->key = number + 1;
	set->n++;
	return 0;
}

int
pageset_put(struct pageset *set, uint64_t address, enum page_state state)
{
	struct page_group *group = pageset_group(set, address);
	uint64_t bit = UINT64_C(1) << bit_of(address);

	if (!group) {
		if (state == PAGE_ABSENT)
			return 0;
		if (group_create(set, address, &group) < 0)
			return -ENOMEM;
	}
	group->whose[0] =
		state & 1 ? group->whose[0] | bit : group->whose[0] & ~bit;
	group->whose[1] =
		state & 2 ? group->whose[1] | bit : group->whose[1] & ~bit;
	if (state == PAGE_ABSENT)
		group->touched &= ~bit;
	return 0;
}

int
pageset_reserve(struct pageset *set, uint64_t address)
{
	struct page_group *group = pageset_group(set, address);

	return group ? 0 : group_create(set, address, &group);
}

bool
pageset_touch(struct pageset *set, uint64_t address)
{
	struct page_group *group = pageset_group(set, address);
	uint64_t bit = UINT64_C(1) << bit_of(address);

	if (!group || group->touched & bit ||
	    !((group->whose[0] | group->whose[1]) & bit))
		return false;
	group->touched |= bit;
	return true;
}

bool
pageset_touched(const struct pageset *set, uint64_t address)
{
	const struct page_group *group = pageset_group(set, address);

	return group && group->touched >> bit_of(address) & 1;
}

static void
group_remove(struct pageset *set, struct page_group *group)
{
	size_t mask = set->room - 1, hole = (size_t)(group - set->group);

	for (size_t i = (hole + 1) & mask; set->group[i].key;
	     i = (i + 1) & mask) {
		size_t wanted = home(set, set->group[i].key - 1);

		if (((i - wanted) & mask) >= ((i - hole) & mask)) {
			set->group[hole] = set->group[i];
			hole = i;
		}
	}
	set->group[hole] = (struct page_group){ 0 };
	set->n--;
}

void
pageset_forget(struct pageset *set, uint64_t start, uint64_t end)
{
	uint64_t *address;
	int64_t n = pageset_groups(set, start, end, &address);

	for (int64_t i = 0; i < n; i++) {
		struct page_group *group = pageset_group(set, address[i]);

		if (address[i] >= start &&
		    address[i] + (GROUP_PAGES << 12) <= end)
			group_remove(set, group);
	}
	free(address);
}

bool
pageset_region(const struct pageset *set, uint64_t address)
{
	uint64_t region = address & ~((UINT64_C(1) << 21) - 1);

	for (unsigned i = 0; i < 8; i++)
		if (pageset_group(set, region + ((uint64_t)i << GROUP_SHIFT)))
			return true;
	return false;
}

static int
by_address(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Into list (room for all groups) or, list NULL, only counted. */
static int64_t
groups_in(const struct pageset *set, uint64_t first, uint64_t last,
	  uint64_t *list)
{
	int64_t n = 0;

	if (last - first < set->n) {
		for (uint64_t number = first; number <= last; number++) {
			if (!probe(set, number)->key)
				continue;
			if (list)
				list[n] = number << GROUP_SHIFT;
			n++;
		}
		return n;
	}
	for (size_t i = 0; i < set->room; i++) {
		uint64_t number = set->group[i].key - 1;

		if (!set->group[i].key || number < first || number > last)
			continue;
		if (list)
			list[n] = number << GROUP_SHIFT;
		n++;
	}
	if (list)
		qsort(list, (size_t)n, sizeof(*list), by_address);
	return n;
}

int64_t
pageset_groups(const struct pageset *set, uint64_t start, uint64_t end,
	       uint64_t **addresses)
{
	uint64_t first = start >> GROUP_SHIFT, last = (end - 1) >> GROUP_SHIFT;
	int64_t n;

	*addresses = NULL;
	if (!set->n || start >= end)
		return 0;
	n = groups_in(set, first, last, NULL);
	if (n == 0)
		return 0;
	*addresses = malloc((size_t)n * sizeof(**addresses));
	if (!*addresses)
		return -ENOMEM;
	return groups_in(set, first, last, *addresses);
}

uint64_t
pageset_present(const struct pageset *set, uint64_t group_address,
		uint64_t start, uint64_t end)
{
	const struct page_group *group = pageset_group(set, group_address);
	uint64_t bits, pages;

	if (!group || end <= group_address ||
	    start >= group_address + (GROUP_PAGES << 12))
		return 0;
	bits = group->whose[0] | group->whose[1];
	if (start > group_address)
		bits &= ~UINT64_C(0) << bit_of(start);
	pages = (end - group_address) >> 12;
	if (pages < GROUP_PAGES)
		bits &= (UINT64_C(1) << pages) - 1;
	return bits;
}
