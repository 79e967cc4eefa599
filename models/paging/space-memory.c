// SPDX-License-Identifier: GPL-2.0-or-later
/* What a space holds now, as /proc/PID/smaps_rollup counts it. */
#include "models/paging/space.h"

#include <stdlib.h>

bool
page_alone(const struct paging *paging, const struct address_space *space,
	   uint64_t address)
{
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct mapping mapping;

	paging->table_ops->walk(space->table, address, reference, &mapping);
	return owner_alone(paging, PAGE_SHIFT, mapping.frame);
}

static void
add_group(const struct page_group *group, struct paging_memory *memory)
{
	uint64_t borrowed = group->whose[0] & ~group->whose[1];
	uint64_t own = group->whose[1];

	memory->anonymous_bytes += (uint64_t)__builtin_popcountll(own)
				   << PAGE_SHIFT;
	memory->borrowed_bytes += (uint64_t)__builtin_popcountll(borrowed)
				  << PAGE_SHIFT;
}

void
paging_memory(const struct paging *paging, uint32_t number,
	      struct paging_memory *memory)
{
	const struct address_space *space;

	*memory = (struct paging_memory){ 0 };
	if (number >= paging->spaces || !paging->space[number])
		return;
	space = paging->space[number];
	for (size_t i = 0; i < space->pages.room; i++)
		if (space->pages.group[i].key)
			add_group(&space->pages.group[i], memory);
	for (size_t i = 0; i < space->large.room; i++) {
		struct large_page page;

		if (!space->large.slot[i].key ||
		    !large_find(space, space->large.slot[i].key - 1, &page) ||
		    page.state == PAGE_BORROWED)
			continue;
		if (page.kind == LARGE_HUGETLB) {
			memory->hugetlb_bytes += UINT64_C(1) << page.shift;
			continue;
		}
		memory->anonymous_bytes += UINT64_C(1) << page.shift;
		memory->huge_bytes += UINT64_C(1) << page.shift;
	}
	memory->swap_bytes = space->swapped.n << PAGE_SHIFT;
}
