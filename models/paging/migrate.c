// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages that go to another node, and the scan before that: of present memory,
 * in ascending order, some at a time, as task_numa_work (kernel/sched/fair.c)
 * does; what is scanned leaves the TLBs, for its entries change.
 *
 * Only what a space owns alone moves (there: page_mapcount of 1, or few).
 */
#include "models/paging/space.h"

#include <stdlib.h>

struct scan {
	const struct paging_scan *wanted;
	uint64_t left, end; /* end: of what was scanned */
};

static void
mark(struct scan *scan, uint64_t start, uint64_t bytes)
{
	scan->wanted->mark(scan->wanted->context, start, bytes);
	scan->left -= scan->left < bytes ? scan->left : bytes;
	scan->end = start + bytes;
}

/* Large pages and groups, merged in order. */
static void
scan_sorted(struct scan *scan, const struct address_space *space,
	    const uint64_t *group, int64_t groups, const uint64_t *large,
	    int64_t larges)
{
	int64_t i = 0, j = 0;

	while (scan->left && (i < groups || j < larges)) {
		struct large_page page;

		if (j == larges || (i < groups && group[i] < large[j])) {
			if (group[i] >= scan->end)
				mark(scan, group[i],
				     UINT64_C(1) << GROUP_SHIFT);
			i++;
		} else {
			if (large_find(space, large[j], &page))
				mark(scan, page.start,
				     UINT64_C(1) << page.shift);
			j++;
		}
	}
}

int
paging_scan(struct paging *paging, uint32_t number,
	    const struct paging_scan *wanted, uint64_t *cursor)
{
	struct scan scan = { wanted, wanted->bytes, *cursor };
	struct address_space *space;
	uint64_t *group, *large = NULL;
	int64_t groups, larges;

	if (number >= paging->spaces || !paging->space[number])
		return 0;
	space = paging->space[number];
	groups = pageset_groups(&space->pages, *cursor,
				UINT64_MAX >> GROUP_SHIFT << GROUP_SHIFT,
				&group);
	if (groups < 0)
		return paging_no_memory(paging);
	larges = hash_keys(&space->large, *cursor, UINT64_MAX - 1, &large);
	if (larges < 0) {
		free(group);
		return paging_no_memory(paging);
	}
	scan_sorted(&scan, space, group, groups, large, larges);
	free(group);
	free(large);
	if (scan.end > *cursor)
		space_stale(paging, space, *cursor, scan.end - *cursor);
	/* All of it was seen: from the start again. */
	*cursor = scan.left ? 0 : scan.end;
	return 0;
}

bool
paging_page(struct paging *paging, uint32_t number, uint64_t address,
	    struct paging_page *page)
{
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct address_space *space = paging->space[number];
	struct mapping mapping;
	struct large_page large;

	paging->table_ops->walk(space->table, address, reference, &mapping);
	if (!mapping.shift)
		return false;
	page->start = address >> mapping.shift << mapping.shift;
	page->shift = mapping.shift;
	page->frame = mapping.frame;
	if (large_find(space, address, &large))
		page->own = large.state == PAGE_OWNED;
	else
		page->own = pageset_state(&space->pages, address) == PAGE_OWNED;
	page->own =
		page->own && owner_alone(paging, mapping.shift, mapping.frame);
	return true;
}

int
paging_move(struct paging *paging, uint32_t number, uint64_t address,
	    unsigned node)
{
	struct address_space *space = paging->space[number];
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct paging_page page;
	struct mapping mapping;
	int error;

	if (!paging_page(paging, number, address, &page) || !page.own)
		return 0;
	paging->table_ops->walk(space->table, page.start, reference, &mapping);
	if (frames_take_on(paging->frames, page.shift, node, &mapping.frame) <
	    0)
		return 0;
	error = paging->table_ops->map(space->table, page.start, &mapping);
	if (error)
		return error;
	frames_give(paging->frames, page.shift, page.frame);
	space_stale(paging, space, page.start, UINT64_C(1) << page.shift);
	return 1;
}
