// SPDX-License-Identifier: GPL-2.0-or-later
/* Following what the program did to its mappings: map, unmap, protect, move. */
#include "models/paging/space.h"

#include "analyzer/fail.h"

#include <stdlib.h>
#include <string.h>

/* Flags of an event that stay with the mapping. */
#define MAP_KEPT                                                         \
	(MAP_RIGHTS | MAP_FLAG_SHARED | MAP_FLAG_FILE | MAP_FLAG_STACK | \
	 MAP_FLAG_HEAP | MAP_FLAG_HUGETLB | MAP_FLAG_NORESERVE)

/* Take a range out: its mappings, pages and tables. */
static int
unmap(struct paging *paging, struct address_space *space, struct range range)
{
	bool shared = false;
	int error;

	if (range.start >= range.end)
		return 0;
	for (size_t i = vma_at_or_after(&space->vmas, range.start);
	     i < space->vmas.n && space->vmas.vma[i].start < range.end; i++)
		shared = shared || space->vmas.vma[i].flags & MAP_FLAG_SHARED;
	hugetlb_unmap(paging, space, range);
	if (vma_remove(&space->vmas, range.start, range.end) < 0)
		return paging_no_memory(paging);
	error = zap_mapping(paging, space, range.start, range.end);
	if (error)
		return error;
	zap_tables(paging, space, range.start, range.end);
	if (shared)
		object_sweep(paging);
	return 0;
}

static int
vma_of(struct paging *paging, const struct event *event, struct range range,
       struct vma *vma)
{
	int error;

	*vma = (struct vma){ .start = range.start,
			     .end = range.end,
			     .offset = range.start,
			     .object = OBJECT_NONE,
			     .flags = vma_flags(event->flags & MAP_KEPT) };
	if (event->flags & MAP_FLAG_HUGETLB && event->extra == GIANT_SHIFT)
		vma->flags |= VMA_GIANT;
	error = region_of(paging, event, &vma->region);
	if (error)
		return error;
	if (!strncmp(paging->region[vma->region].name, "[v", 2))
		vma->flags |= VMA_KERNEL;
	if (event->flags & MAP_FLAG_FILE && event->file != UINT32_MAX) {
		vma->offset = page_down(event->offset);
		error = object_of_file(paging, event->file, &vma->object);
		if (!error && paging->object[vma->object].disk)
			vma->flags |= VMA_DISK;
	} else if (event->flags & MAP_FLAG_SHARED) {
		vma->offset = 0;
		error = object_create(paging, &vma->object);
	}
	return error;
}

/*
 * The heap and the stack grow: a recorder may tell of the new part or of the
 * whole again.  Neither replaces what is there.
 */
static int
extend(struct paging *paging, struct address_space *space,
       const struct vma *whole)
{
	uint64_t at = whole->start;

	while (at < whole->end) {
		size_t i = vma_at_or_after(&space->vmas, at);
		const struct vma *next =
			i < space->vmas.n ? &space->vmas.vma[i] : NULL;
		struct vma part = *whole;

		if (next && next->start <= at) {
			at = next->end;
			continue;
		}
		part.start = part.offset = at;
		if (next && next->start < part.end)
			part.end = next->start;
		at = part.end;
		if (vma_insert(&space->vmas, &part) < 0)
			return paging_no_memory(paging);
	}
	return 0;
}

static int
follow_map(struct paging *paging, struct address_space *space,
	   const struct event *event)
{
	struct range range = range_of(event->address, event->length);
	struct vma vma;
	int error;

	if (range.start >= range.end)
		return 0;
	if (event->file != UINT32_MAX &&
	    event->file >= stream_files(paging->stream))
		return fail(EINVAL, "mapping at %#jx: there is no file %u",
			    (uintmax_t)event->address, event->file);
	paging->mapping_events++;
	error = vma_of(paging, event, range, &vma);
	if (error)
		return error;
	if (event->flags & (MAP_FLAG_HEAP | MAP_FLAG_STACK)) {
		error = extend(paging, space, &vma);
	} else {
		error = unmap(paging, space, range);
		if (!error)
			hugetlb_map(paging, &vma);
		if (!error && vma_insert(&space->vmas, &vma) < 0)
			error = paging_no_memory(paging);
	}
	if (!error && event->flags & MAP_FLAG_POPULATE)
		error = fault_range(paging, space, range.start, range.end, true,
				    false);
	return error;
}

/* The entries of [start, end), which are all in one VMA with these rights. */
static int
protect_pages(struct paging *paging, struct address_space *space,
	      const struct vma *vma, struct range range)
{
	struct table_reference reference[TABLE_REFERENCES_MAX];
	const struct table_ops *ops = paging->table_ops;
	bool writable = vma->flags & MAP_FLAG_WRITE;
	bool shared = vma->flags & MAP_FLAG_SHARED;
	uint64_t *group;
	int64_t n =
		pageset_groups(&space->pages, range.start, range.end, &group);
	int error = 0;

	for (int64_t i = 0; i < n && !error; i++) {
		uint64_t bits = pageset_present(&space->pages, group[i],
						range.start, range.end);

		for (; bits && !error; bits &= bits - 1) {
			uint64_t address =
				group[i] +
				((uint64_t)__builtin_ctzll(bits) << PAGE_SHIFT);
			enum page_state state =
				pageset_state(&space->pages, address);
			struct mapping mapping;
			/* Own pages become writable at once, and shared memory
			 * whose writes nobody tracks (mm/mprotect.c,
			 * can_change_pte_writable). */
			bool now =
				writable && (shared ? !(vma->flags & VMA_DISK)
						    : state == PAGE_OWNED);

			ops->walk(space->table, address, reference, &mapping);
			if (mapping.writable == now)
				continue;
			mapping.writable = now;
			error = ops->map(space->table, address, &mapping);
		}
	}
	free(group);
	return n < 0 ? paging_no_memory(paging) : error;
}

/*
 * Locked private memory that becomes writable is made its owner's at once
 * (mm/mprotect.c, mprotect_fixup: populate_vma_page_range): where, as [n] ranges
 * that the caller frees.  Their number, -ENOMEM (said).
 */
static int64_t
to_populate(const struct paging *paging, const struct address_space *space,
	    struct range range, struct range **out)
{
	const struct vma_list *vmas = &space->vmas;
	size_t first = vma_at_or_after(vmas, range.start), n = 0;

	*out = NULL;
	for (size_t i = first; i < vmas->n && vmas->vma[i].start < range.end;
	     i++) {
		const struct vma *vma = &vmas->vma[i];

		if ((vma->flags & (MAP_FLAG_WRITE | MAP_FLAG_SHARED |
				   VMA_LOCKED)) != VMA_LOCKED)
			continue;
		if (!*out)
			*out = calloc(vmas->n - i, sizeof(**out));
		if (!*out)
			return paging_no_memory(paging);
		(*out)[n++] = (struct range){
			range.start > vma->start ? range.start : vma->start,
			range.end < vma->end ? range.end : vma->end,
		};
	}
	return (int64_t)n;
}

/* What has other rights now; of what has the same nothing changes
 * (mm/mprotect.c, mprotect_fixup).  As to_populate. */
static int64_t
to_protect(const struct paging *paging, const struct address_space *space,
	   struct range range, uint32_t rights, struct range **out)
{
	const struct vma_list *vmas = &space->vmas;
	size_t first = vma_at_or_after(vmas, range.start), n = 0;

	*out = calloc(vmas->n - first + 1, sizeof(**out));
	if (!*out)
		return paging_no_memory(paging);
	for (size_t i = first; i < vmas->n && vmas->vma[i].start < range.end;
	     i++) {
		const struct vma *vma = &vmas->vma[i];

		if ((vma->flags & MAP_RIGHTS) == rights)
			continue;
		(*out)[n++] = (struct range){
			range.start > vma->start ? range.start : vma->start,
			range.end < vma->end ? range.end : vma->end,
		};
	}
	return (int64_t)n;
}

static int
protect_all(struct paging *paging, struct address_space *space,
	    struct range range, uint32_t rights)
{
	struct range *changed;
	int64_t n = to_protect(paging, space, range, rights, &changed);
	int error = 0;

	if (n >= 0 && vma_change(&space->vmas, range.start, range.end,
				 MAP_RIGHTS, rights) < 0)
		error = paging_no_memory(paging);
	/* Only where something changes (mm/vma.c, vma_adjust_trans_huge). */
	if (n >= 0 && !error)
		error = large_split_between(paging, space, range.start,
					    range.end);
	for (int64_t i = 0; i < n && !error; i++) {
		/* It may be a part of a larger one now. */
		const struct vma *vma =
			vma_find(&space->vmas, changed[i].start);

		error = large_protect(paging, space, changed[i].start,
				      changed[i].end, rights & MAP_FLAG_WRITE);
		if (!error)
			error = protect_pages(paging, space, vma, changed[i]);
	}
	free(changed);
	space_stale(paging, space, range.start, range.end - range.start);
	return n < 0 ? (int)n : error;
}

static int
follow_protect(struct paging *paging, struct address_space *space,
	       const struct event *event)
{
	struct range range = range_of(event->address, event->length);
	struct range *part = NULL;
	uint32_t rights = event->flags & MAP_RIGHTS;
	int64_t n = 0;
	int error = 0;

	if (rights & MAP_FLAG_WRITE)
		n = to_populate(paging, space, range, &part);
	if (n >= 0)
		error = protect_all(paging, space, range, rights);
	for (int64_t i = 0; i < n && !error; i++)
		error = fault_range(paging, space, part[i].start, part[i].end,
				    true, false);
	free(part);
	return n < 0 ? (int)n : error;
}

struct move {
	struct paging *paging;
	struct address_space *space;
	uint64_t from, delta;
};

/* One group of pages, so that nothing is kept in between. */
static int
move_group(const struct move *move, uint64_t group, struct range range)
{
	struct table_reference reference[TABLE_REFERENCES_MAX];
	const struct table_ops *ops = move->paging->table_ops;
	struct address_space *space = move->space;
	uint64_t bits =
		pageset_present(&space->pages, group, range.start, range.end);

	for (; bits; bits &= bits - 1) {
		uint64_t address =
			group + ((uint64_t)__builtin_ctzll(bits) << PAGE_SHIFT);
		enum page_state state = pageset_state(&space->pages, address);
		struct page_group *old = pageset_group(&space->pages, address);
		bool touched = old->touched & (bits & -bits);
		struct mapping mapping;
		int error;

		ops->walk(space->table, address, reference, &mapping);
		ops->unmap(space->table, address, PAGE_BYTES, false, NULL,
			   NULL);
		(void)pageset_put(&space->pages, address, PAGE_ABSENT);
		error = page_map(move->paging, space, address + move->delta,
				 &mapping, state);
		if (error)
			return error;
		if (touched)
			pageset_touch(&space->pages, address + move->delta);
	}
	return 0;
}

/*
 * Each PTE table of the old range gets one, or two, in the new, also where no
 * page is (mm/mremap.c, move_page_tables).
 */
static int
move_tables(struct paging *paging, struct address_space *space,
	    struct range range, uint64_t delta)
{
	while (range.start < range.end) {
		uint64_t to = range.start + delta;
		uint64_t left = LARGE_BYTES - range.start % LARGE_BYTES;
		uint64_t room = LARGE_BYTES - to % LARGE_BYTES;
		int error = 0;

		if (pageset_region(&space->pages, range.start))
			error = page_table_add(paging, space, to);
		if (error)
			return error;
		range.start += left < room ? left : room;
	}
	return 0;
}

static int
move_pages(struct paging *paging, struct address_space *space,
	   struct range range, uint64_t delta)
{
	const struct move move = { paging, space, range.start, delta };
	uint64_t *group;
	int64_t n;
	int error = large_move(paging, space, range.start, range.end, delta);

	if (!error)
		error = move_tables(paging, space, range, delta);
	if (!error)
		error = swap_move(paging, space, range, delta);
	if (!error)
		error = coverage_move(paging, space, range, delta);
	if (error)
		return error;
	n = pageset_groups(&space->pages, range.start, range.end, &group);
	for (int64_t i = 0; i < n && !error; i++)
		error = move_group(&move, group[i], range);
	free(group);
	return n < 0 ? paging_no_memory(paging) : error;
}

/* Move `old` of one VMA to `new`: the pages go along, without a fault. */
static int
remap_move(struct paging *paging, struct address_space *space, struct range old,
	   struct range new)
{
	struct vma vma = *vma_find(&space->vmas, old.start);
	int error = unmap(paging, space, new);

	if (error)
		return error;
	if (old.end - old.start > new.end - new.start) {
		struct range tail = { old.start + (new.end - new.start),
				      old.end };

		error = unmap(paging, space, tail);
		if (error)
			return error;
		old.end = tail.start;
	}
	vma.offset += old.start - vma.start;
	/* Without pages of its own it is as if mapped there (mm/vma.c). */
	if (vma.object == OBJECT_NONE && !vma.anon)
		vma.offset = new.start;
	vma.start = new.start;
	vma.end = new.end;
	if (vma_insert(&space->vmas, &vma) < 0)
		return paging_no_memory(paging);
	if (old.start == old.end) /* old length 0: a second mapping */
		return 0;
	error = move_pages(paging, space, old, new.start - old.start);
	if (!error)
		error = unmap(paging, space, old);
	space_stale(paging, space, old.start, old.end - old.start);
	return error;
}

/* A move that keeps the length may span VMAs (Linux 6.17). */
static int
remap_each(struct paging *paging, struct address_space *space, struct range old,
	   struct range new)
{
	uint64_t delta = new.start - old.start;

	while (old.start < old.end) {
		size_t i = vma_at_or_after(&space->vmas, old.start);
		const struct vma *vma = &space->vmas.vma[i];
		struct range part = old;
		int error;

		if (i == space->vmas.n || vma->start >= old.end)
			return 0;
		part.start = vma->start > old.start ? vma->start : old.start;
		part.end = vma->end < old.end ? vma->end : old.end;
		error = remap_move(paging, space, part,
				   (struct range){ part.start + delta,
						   part.end + delta });
		if (error)
			return error;
		old.start = part.end;
	}
	return 0;
}

static int
follow_remap(struct paging *paging, struct address_space *space,
	     const struct event *event)
{
	struct range old = range_of(event->address, event->length);
	struct range new = range_of(event->value, event->extra);
	const struct vma *source = vma_find(&space->vmas, old.start);
	struct vma vma;

	if (old.start != new.start &&
	    old.end - old.start == new.end - new.start)
		return remap_each(paging, space, old, new);
	if (!source)
		return 0;
	if (old.start != new.start)
		return remap_move(paging, space, old, new);
	if (new.end < old.end)
		return unmap(paging, space, (struct range){ new.end, old.end });
	vma = *source;
	if (new.end > vma.end) {
		vma.offset += vma.end - vma.start;
		vma.start = vma.end;
		vma.end = new.end;
		if (vma_insert(&space->vmas, &vma) < 0)
			return paging_no_memory(paging);
	}
	return 0;
}

int
follow_mapping(struct paging *paging, struct address_space *space,
	       const struct event *event)
{
	switch (event->type) {
	case EVENT_MAP:
		return follow_map(paging, space, event);
	case EVENT_UNMAP:
		return unmap(paging, space,
			     range_of(event->address, event->length));
	case EVENT_PROTECT:
		return follow_protect(paging, space, event);
	case EVENT_REMAP:
		return follow_remap(paging, space, event);
	case EVENT_ADVISE:
		return follow_advice(paging, space, event);
	default:
		return follow_lock(paging, space, event);
	}
}
