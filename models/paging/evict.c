// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages that must leave memory: where they are, and how they go.
 *
 *	anonymous        -> swap_out, for all who share it since a fork
 *	of an object     -> unmapped wherever the object is mapped, then out of
 *	                    it: a file's page is in its file and not in the page
 *	                    cache, another's in swap
 *	in the swap cache, and mapped by nobody -> out of it
 *
 * A place may be old: the page was moved, or who had it is gone and others have
 * it still.  So it is looked for: at the same address in all spaces, then
 * everywhere.
 */
#include "models/paging/space.h"

#include <stdlib.h>

static struct mapping
mapping_at(const struct paging *paging, const struct address_space *space,
	   uint64_t address)
{
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct mapping mapping;

	paging->table_ops->walk(space->table, address, reference, &mapping);
	return mapping;
}

void
paging_place(struct paging *paging, uint32_t number, uint64_t address,
	     struct paging_place *place)
{
	struct address_space *space = paging->space[number];
	const struct vma *vma = vma_find(&space->vmas, address);
	enum page_state state = pageset_state(&space->pages, address);

	*place = (struct paging_place){ .at = address >> PAGE_SHIFT,
					.object = PAGING_PLACE_SPACE,
					.space = number };
	if (!vma)
		return;
	place->locked = vma->flags & VMA_LOCKED;
	if (state != PAGE_BORROWED || vma->object == OBJECT_NONE)
		return;
	place->object = vma->object;
	place->at = (vma->offset + (address - vma->start)) >> PAGE_SHIFT;
	place->file = paging->object[vma->object].file;
}

static bool
is_mapped(const struct paging *paging, const struct address_space *space,
	  uint64_t address, uint64_t frame)
{
	return pageset_state(&space->pages, address) == PAGE_BORROWED &&
	       mapping_at(paging, space, address).frame == frame;
}

static void
unmap_one(struct paging *paging, struct address_space *space, uint64_t address)
{
	paging->table_ops->unmap(space->table, address, PAGE_BYTES, false, NULL,
				 NULL);
	/* Taking away needs no memory. */
	(void)pageset_put(&space->pages, address, PAGE_ABSENT);
	space_stale(paging, space, address, PAGE_BYTES);
}

/* All addresses at which a page of an object is mapped: how many; unmapped too, if
 * asked. */
static uint64_t
visit_all(struct paging *paging, uint32_t object, uint64_t page, uint64_t frame,
	  bool unmap)
{
	uint64_t offset = page << PAGE_SHIFT, n = 0;

	for (size_t s = 0; s < paging->spaces; s++) {
		struct address_space *space = paging->space[s];

		for (size_t i = 0; space && i < space->vmas.n; i++) {
			const struct vma *vma = &space->vmas.vma[i];
			uint64_t at = vma->start + (offset - vma->offset);

			if (vma->object != object || offset < vma->offset ||
			    offset - vma->offset >= vma->end - vma->start ||
			    !is_mapped(paging, space, at, frame))
				continue;
			n++;
			if (unmap)
				unmap_one(paging, space, at);
		}
	}
	return n;
}

static int
evict_object(struct paging *paging, const struct paging_place *place,
	     uint64_t frame)
{
	struct object *object = &paging->object[place->object];
	const uint64_t *known = hash_find(&object->frame, place->at);
	uint64_t slot = paging->swap.slots, cached;
	int error;

	if (!known || *known != frame)
		return 0;
	visit_all(paging, place->object, place->at, frame, true);
	error = object->file ? swap_file_slot(paging, &slot)
			     : swap_take(paging, &slot);
	if (error)
		return error;
	cached = object->cache.pages;
	if (file_cache_drop(&object->cache, place->at) < 0 ||
	    hash_put(&object->out, place->at, slot) < 0)
		return paging_no_memory(paging);
	if (object->file)
		files_note(paging, object, cached, object->cache.read_pages);
	if (paging->listener.swapped)
		paging->listener.swapped(paging->listener.context, frame, slot);
	hash_remove(&object->frame, place->at);
	owner_release(paging, PAGE_SHIFT, frame);
	return object->file ? 2 : 1;
}

/* Shared memory gets a slot, and is in memory until there is need of it. */
static int
put_in_cache(struct paging *paging, const struct paging_place *place,
	     uint64_t frame)
{
	struct object *object = &paging->object[place->object];
	uint64_t slot;
	int error = swap_take(paging, &slot);

	if (error)
		return error;
	visit_all(paging, place->object, place->at, frame, true);
	hash_remove(&object->frame, place->at);
	if (hash_put(&object->out, place->at, slot) < 0)
		return paging_no_memory(paging);
	error = swap_cache(paging, slot, frame);
	return error ? error : 1;
}

int
evict_mapped(struct paging *paging, const struct address_space *space,
	     uint64_t address)
{
	struct mapping mapping = mapping_at(paging, space, address);
	struct paging_place place;

	paging_place(paging, space->number, address, &place);
	if (place.object == PAGING_PLACE_SPACE || place.locked ||
	    visit_all(paging, place.object, place.at, mapping.frame, false) !=
		    1)
		return 0;
	if (!place.file &&
	    hash_remove(&paging->object[place.object].unwritten, place.at)) {
		visit_all(paging, place.object, place.at, mapping.frame, true);
		hash_remove(&paging->object[place.object].frame, place.at);
		owner_release(paging, PAGE_SHIFT, mapping.frame);
		return 0;
	}
	if (!place.file && !paging->swap.synchronous)
		return put_in_cache(paging, &place, mapping.frame);
	if (!place.file || !mapping.writable)
		return evict_object(paging, &place, mapping.frame);
	visit_all(paging, place.object, place.at, mapping.frame, true);
	return 0;
}

/* Does this space have it there, as a page of its own? */
static bool
has_at(const struct paging *paging, const struct address_space *space,
       uint64_t address, uint64_t frame)
{
	enum page_state state =
		space ? pageset_state(&space->pages, address) : PAGE_ABSENT;

	return (state == PAGE_OWNED || state == PAGE_FORKED) &&
	       mapping_at(paging, space, address).frame == frame;
}

static struct address_space *
find_at(const struct paging *paging, uint64_t address, uint64_t frame)
{
	for (size_t i = 0; i < paging->spaces; i++)
		if (has_at(paging, paging->space[i], address, frame))
			return paging->space[i];
	return NULL;
}

/* Where a space has this frame; 0: nowhere.  Rare: only of what mremap moved
 * and nobody touched since. */
static uint64_t
search(const struct paging *paging, const struct address_space *space,
       uint64_t frame)
{
	uint64_t *group, found = 0;
	int64_t n =
		pageset_groups(&space->pages, 0, page_down(UINT64_MAX), &group);

	for (int64_t i = 0; i < n && !found; i++)
		for (unsigned k = 0; k < GROUP_PAGES && !found; k++) {
			uint64_t address =
				group[i] + ((uint64_t)k << PAGE_SHIFT);

			if (has_at(paging, space, address, frame))
				found = address;
		}
	free(group);
	return found;
}

/* A space that maps it, and where; NULL: none does. */
static struct address_space *
find_space(struct paging *paging, const struct paging_place *place,
	   uint64_t frame, uint64_t *address)
{
	struct address_space *space = paging->space[place->space];

	*address = place->at << PAGE_SHIFT;
	if (!has_at(paging, space, *address, frame))
		space = find_at(paging, *address, frame);
	for (size_t i = 0; !space && i < paging->spaces; i++) {
		if (!paging->space[i])
			continue;
		*address = search(paging, paging->space[i], frame);
		if (*address)
			space = paging->space[i];
	}
	return space;
}

int
paging_evict(struct paging *paging, const struct paging_place *place,
	     uint64_t frame)
{
	struct address_space *space;
	uint64_t address;

	if (swap_leave_cache(paging, frame))
		return 1;
	if (place->object != PAGING_PLACE_SPACE)
		return evict_object(paging, place, frame);
	space = find_space(paging, place, frame, &address);
	return space ? swap_out(paging, space, address) : 0;
}

/* Who maps it by one entry, maps its parts from here on. */
static int
split_all(struct paging *paging, uint64_t address, uint64_t frame)
{
	int error = 0;

	for (size_t i = 0; i < paging->spaces && !error; i++) {
		struct address_space *space = paging->space[i];
		struct large_page page;

		if (space && large_find(space, address, &page) &&
		    page.kind == LARGE_THP && page.state != PAGE_BORROWED &&
		    mapping_at(paging, space, page.start).frame == frame)
			error = large_split(paging, space, address);
	}
	return error;
}

/* Where a THP is: elsewhere than at `address' after mremap. */
static uint64_t
search_whole(const struct paging *paging, uint64_t address, uint64_t frame)
{
	for (size_t i = 0; i < paging->spaces; i++)
		if (paging->space[i] &&
		    mapping_at(paging, paging->space[i], address).frame ==
			    frame)
			return address;
	for (size_t i = 0; i < paging->spaces; i++) {
		const struct address_space *space = paging->space[i];

		for (size_t k = 0; space && k < space->large.room; k++) {
			uint64_t key = space->large.slot[k].key;

			if (key &&
			    mapping_at(paging, space, key - 1).frame == frame)
				return key - 1;
		}
	}
	return address;
}

int
paging_split_whole(struct paging *paging, const struct paging_place *place,
		   uint64_t frame)
{
	uint64_t address = search_whole(paging, place->at << PAGE_SHIFT, frame);

	return split_all(paging, address, frame);
}

int
paging_evict_whole(struct paging *paging, const struct paging_place *place,
		   unsigned shift, uint64_t frame)
{
	struct paging_place part = *place;
	uint64_t address = place->at << PAGE_SHIFT;
	int went = 0, error = 0;

	if (shift == LARGE_SHIFT) {
		address = search_whole(paging, address, frame);
		error = split_all(paging, address, frame);
	}
	for (uint64_t i = 0; i < UINT64_C(1) << (shift - PAGE_SHIFT) && !error;
	     i++) {
		int one;

		part.at = (address >> PAGE_SHIFT) + i;
		one = paging_evict(paging, &part, frame + (i << PAGE_SHIFT));
		error = one < 0 ? one : 0;
		went |= one;
	}
	paging->huge.swapped_out += shift == LARGE_SHIFT && went;
	return error ? error : went;
}

int
paging_discard(struct paging *paging, const struct paging_place *place,
	       uint64_t frame)
{
	struct address_space *space;
	uint64_t address;

	if (place->object != PAGING_PLACE_SPACE)
		return 0;
	space = find_space(paging, place, frame, &address);
	for (size_t i = 0; space && i < paging->spaces; i++) {
		if (!has_at(paging, paging->space[i], address, frame))
			continue;
		unmap_one(paging, paging->space[i], address);
		owner_release(paging, PAGE_SHIFT, frame);
	}
	return space != NULL;
}

bool
paging_is_alone(const struct paging *paging, uint32_t number, uint64_t address,
		bool anonymous)
{
	struct address_space *space = paging->space[number];
	enum page_state state = pageset_state(&space->pages, address);
	struct large_page page;
	uint64_t frame;

	if (large_find(space, address, &page))
		return page.state != PAGE_BORROWED &&
		       owner_alone(paging, page.shift,
				   mapping_at(paging, space, page.start).frame);
	if (state == PAGE_ABSENT || (anonymous && state == PAGE_BORROWED))
		return false;
	frame = mapping_at(paging, space, address).frame;
	return state == PAGE_BORROWED || owner_alone(paging, PAGE_SHIFT, frame);
}

bool
paging_is_away(const struct paging *paging, uint32_t number, uint64_t address)
{
	struct address_space *space = paging->space[number];
	const struct vma *vma = vma_find(&space->vmas, address);
	uint64_t page;

	if (swap_has(space, address))
		return true;
	if (!vma || vma->object == OBJECT_NONE)
		return false;
	page = (vma->offset + (address - vma->start)) >> PAGE_SHIFT;
	return object_is_out(&paging->object[vma->object], page);
}

struct paging_usage
paging_usage(const struct paging *paging, uint32_t number)
{
	struct paging_usage usage = { 0 };
	const struct address_space *space =
		number < paging->spaces ? paging->space[number] : NULL;
	uint64_t *group;
	int64_t n;

	if (!space)
		return usage;
	n = pageset_groups(&space->pages, 0, page_down(UINT64_MAX), &group);
	for (int64_t i = 0; i < n; i++)
		usage.resident += (uint64_t)__builtin_popcountll(
			pageset_present(&space->pages, group[i], 0,
					page_down(UINT64_MAX)));
	free(group);
	for (size_t i = 0; i < space->large.room; i++) {
		struct large_page page;

		if (space->large.slot[i].key &&
		    large_find(space, space->large.slot[i].key - 1, &page) &&
		    page.kind != LARGE_HUGETLB && page.state != PAGE_BORROWED)
			usage.resident += UINT64_C(1)
					  << (page.shift - PAGE_SHIFT);
	}
	usage.swapped = space->swapped.n;
	for (size_t i = 0; i < space->vmas.n; i++)
		if (space->vmas.vma[i].flags & VMA_LOCKED)
			usage.locked += (space->vmas.vma[i].end -
					 space->vmas.vma[i].start) >>
					PAGE_SHIFT;
	usage.tables = paging_table_bytes(paging, number) >> PAGE_SHIFT;
	return usage;
}
