// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Taking pages away (mm/memory.c, unmap_vmas, zap_page_range), and the tables
 * that then serve nobody (free_pgtables).
 *
 * munmap frees the tables that cover only the gap between the neighbouring
 * mappings.  MADV_DONTNEED frees each PTE table whose 2 MiB lie wholly in the
 * range (CONFIG_PT_RECLAIM), but not the levels above.
 */
#include "models/paging/space.h"

#include <stdlib.h>

struct zap {
	struct paging *paging;
	struct address_space *space;
};

static void
page_gone(void *context, uint64_t address, const struct mapping *mapping)
{
	const struct zap *zap = context;
	struct pageset *pages = &zap->space->pages;
	enum page_state state = pageset_state(pages, address);

	if (state == PAGE_FORKED || state == PAGE_OWNED)
		owner_release(zap->paging, mapping->shift, mapping->frame);
	/* Taking away needs no memory. */
	(void)pageset_put(pages, address, PAGE_ABSENT);
}

/* The present 4K pages in [start, end), as runs of neighbouring groups. */
static int
zap_groups(struct paging *paging, struct address_space *space, uint64_t start,
	   uint64_t end)
{
	const uint64_t bytes = UINT64_C(1) << GROUP_SHIFT;
	struct zap zap = { paging, space };
	uint64_t *group;
	int64_t n = pageset_groups(&space->pages, start, end, &group);
	bool any = false;

	for (int64_t i = 0, next; i < n; i = next) {
		uint64_t from = group[i] > start ? group[i] : start, to;

		next = i + 1;
		if (!pageset_present(&space->pages, group[i], start, end))
			continue;
		while (next < n && group[next] == group[next - 1] + bytes)
			next++;
		to = group[next - 1] + bytes;
		to = to < end ? to : end;
		paging->table_ops->unmap(space->table, from, to - from, false,
					 page_gone, &zap);
		any = true;
	}
	free(group);
	if (any)
		space_stale(paging, space, start, end - start);
	return n < 0 ? paging_no_memory(paging) : 0;
}

int
zap_pages(struct paging *paging, struct address_space *space, uint64_t start,
	  uint64_t end)
{
	uint64_t first = (start + LARGE_BYTES - 1) & ~(LARGE_BYTES - 1);
	uint64_t last = end & ~(LARGE_BYTES - 1);
	uint64_t *group;
	int64_t n;
	int error = large_zap(paging, space, start, end, false);

	if (!error)
		error = reservation_drop(paging, space,
					 (struct range){ start, end });
	if (!error)
		error = swap_drop(paging, space, (struct range){ start, end });
	if (!error)
		error = zap_groups(paging, space, start, end);
	if (error || first >= last)
		return error;
	n = pageset_groups(&space->pages, first, last, &group);
	for (int64_t i = 0; i < n; i++) {
		uint64_t region = group[i] & ~(LARGE_BYTES - 1);

		/* A table that another group of it already gave back. */
		if (!pageset_group(&space->pages, group[i]))
			continue;
		paging->table_ops->unmap(space->table, region, LARGE_BYTES,
					 true, NULL, NULL);
		pageset_forget(&space->pages, region, region + LARGE_BYTES);
	}
	free(group);
	return n < 0 ? paging_no_memory(paging) : 0;
}

void
zap_tables(struct paging *paging, struct address_space *space, uint64_t start,
	   uint64_t end)
{
	/* What-if pages may reach into the gap: keep off their regions. */
	uint64_t align = paging->config.policy == PAGES_1G ||
					 space->granule > LARGE_SHIFT
				 ? UINT64_C(1) << GIANT_SHIFT
				 : LARGE_BYTES;
	uint64_t floor, ceiling;

	vma_gap(&space->vmas, start, end, &floor, &ceiling);
	if (floor > UINT64_MAX - align)
		return;
	floor = (floor + align - 1) & ~(align - 1);
	ceiling &= ~(align - 1);
	if (floor >= ceiling)
		return;
	paging->table_ops->unmap(space->table, floor, ceiling - floor, true,
				 NULL, NULL);
	pageset_forget(&space->pages, floor, ceiling);
}

int
zap_mapping(struct paging *paging, struct address_space *space, uint64_t start,
	    uint64_t end)
{
	int error = large_zap(paging, space, start, end, true);

	if (!error)
		error = reservation_drop(paging, space,
					 (struct range){ start, end });
	if (!error)
		error = swap_drop(paging, space, (struct range){ start, end });
	if (!error)
		error = coverage_drop(paging, space,
				      (struct range){ start, end });
	if (!error)
		error = zap_groups(paging, space, start, end);
	return error;
}

int
zap_space(struct paging *paging, struct address_space *space)
{
	int error;

	hugetlb_unmap(paging, space,
		      (struct range){ 0, page_down(UINT64_MAX) });
	vma_fini(&space->vmas);
	error = zap_mapping(paging, space, 0, page_down(UINT64_MAX));
	if (error)
		return error;
	zap_tables(paging, space, 0, page_down(UINT64_MAX));
	pageset_fini(&space->pages);
	space_stale(paging, space, 0, UINT64_MAX);
	object_sweep(paging);
	return 0;
}
