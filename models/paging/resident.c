// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What was seen of the real pages while recording (EVENT_RESIDENT), from where
 * it was seen on:
 *
 *	pages.policy = recorded   2M of private anonymous memory that one entry
 *	                          mapped become one page, as if collapsed
 *	memory.order = recorded   an anonymous page that nobody shares moves to
 *	                          the frame it really had
 *
 * What was there when the recording of a space began (RESIDENT_INITIAL) is there
 * in the model, too.  None of this counts a fault.
 */
#include "models/paging/space.h"

static const struct vma *
anonymous_at(struct address_space *space, uint64_t start, uint64_t end)
{
	const struct vma *vma = vma_find(&space->vmas, start);

	return vma && vma->end >= end && vma->object == OBJECT_NONE &&
			       !(vma->flags & (MAP_FLAG_SHARED | VMA_UNMAPPED))
		       ? vma
		       : NULL;
}

static int
become_large(struct paging *paging, struct address_space *space,
	     uint64_t address)
{
	struct large_page page;
	int error;

	/* Reclaim knows no large pages. */
	if (paging->listener.swapped || large_find(space, address, &page) ||
	    !anonymous_at(space, address, address + LARGE_BYTES))
		return 0;
	error = large_collapse(paging, space, vma_find(&space->vmas, address),
			       address, COMPACT_KHUGEPAGED);
	if (error == 1)
		paging->recorded_large++;
	return error < 0 ? error : 0;
}

/* Frames of the model are numbered as physical memory is. */
static int
move_to(struct paging *paging, struct address_space *space, uint64_t address,
	unsigned shift, uint64_t physical)
{
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct mapping mapping;
	uint64_t old, frame;
	int error;

	paging->table_ops->walk(space->table, address, reference, &mapping);
	old = mapping.frame;
	if (mapping.shift != shift || !owner_alone(paging, shift, old))
		return 0;
	if (frames_is(old, physical))
		return 0;
	if (frames_take_at(paging->frames, shift, physical, &frame)) {
		paging->recorded_taken++;
		return 0;
	}
	mapping.frame = frame;
	error = paging->table_ops->map(space->table, address, &mapping);
	if (error)
		return error;
	frames_give(paging->frames, shift, old);
	paging->recorded_frames++;
	space_stale(paging, space, address, UINT64_C(1) << shift);
	return 0;
}

static bool
is_own(const struct address_space *space, uint64_t address, unsigned shift)
{
	struct large_page page;

	if (shift == PAGE_SHIFT)
		return pageset_state(&space->pages, address) == PAGE_OWNED;
	return large_find(space, address, &page) && page.start == address &&
	       page.shift == shift && page.state == PAGE_OWNED;
}

/* A page of private memory that is this space's, or others' whom we don't see. */
static int
adopt_own(struct paging *paging, struct address_space *space, struct vma *vma,
	  uint64_t address, bool shared)
{
	struct mapping mapping = { .shift = PAGE_SHIFT,
				   .writable = !shared &&
					       vma->flags & MAP_FLAG_WRITE };

	vma_prepare(paging, space, vma);
	if (owner_take(paging, PAGE_SHIFT, address, &mapping.frame) < 0 ||
	    (shared && owner_share(paging, PAGE_SHIFT, mapping.frame) < 0))
		return paging_no_memory(paging);
	return page_map(paging, space, address, &mapping,
			shared ? PAGE_FORKED : PAGE_OWNED);
}

/* A page of a file or of shared memory. */
static int
adopt_object(struct paging *paging, struct address_space *space,
	     const struct vma *vma, uint64_t address, uint16_t flags)
{
	struct object *object = &paging->object[vma->object];
	uint64_t page = (vma->offset + (address - vma->start)) >> PAGE_SHIFT;
	struct mapping mapping = {
		.shift = PAGE_SHIFT,
		.writable = (vma->flags & (MAP_FLAG_SHARED | MAP_FLAG_WRITE)) ==
				    (MAP_FLAG_SHARED | MAP_FLAG_WRITE) &&
			    (!object->disk || flags & RESIDENT_DIRTY),
	};
	int error = object_page(paging, object, page, true, &mapping.frame);

	return error ? error
		     : page_map(paging, space, address, &mapping,
				PAGE_BORROWED);
}

static int
adopt_zero(struct paging *paging, struct address_space *space, uint64_t address)
{
	struct mapping mapping = { .shift = PAGE_SHIFT };

	if (!paging->zero_frame &&
	    frames_take(paging->frames, PAGE_SHIFT, &paging->zero_frame) < 0)
		return paging_no_memory(paging);
	mapping.frame = paging->zero_frame;
	return page_map(paging, space, address, &mapping, PAGE_BORROWED);
}

/* What was there before the recording. */
static int
adopt(struct paging *paging, struct address_space *space,
      const struct event *event)
{
	uint64_t end = event->address + event->length;
	int error = 0;

	for (uint64_t at = event->address; at < end && !error;
	     at += PAGE_BYTES) {
		struct vma *vma = vma_find(&space->vmas, at);
		struct large_page large;

		if (!vma || pageset_state(&space->pages, at) != PAGE_ABSENT ||
		    large_find(space, at, &large))
			continue;
		paging->untouched_pages = true;
		if (event->flags & RESIDENT_ZERO)
			error = adopt_zero(paging, space, at);
		else if (vma->object != OBJECT_NONE &&
			 (vma->flags & MAP_FLAG_SHARED ||
			  event->flags & RESIDENT_FILE))
			error = adopt_object(paging, space, vma, at,
					     event->flags);
		else
			error = adopt_own(paging, space, vma, at,
					  event->flags & RESIDENT_SHARED);
	}
	return error;
}

static bool
is_small(const struct paging *paging, const struct address_space *space)
{
	return space->granule == PAGE_SHIFT &&
	       paging->config.policy != PAGES_2M &&
	       paging->config.policy != PAGES_1G;
}

int
follow_resident(struct paging *paging, struct address_space *space,
		const struct event *event)
{
	const uint16_t others = RESIDENT_FILE | RESIDENT_ZERO | RESIDENT_GONE |
				RESIDENT_SWAPPED;
	bool large = event->flags & RESIDENT_LARGE;
	unsigned shift = large ? LARGE_SHIFT : PAGE_SHIFT;
	uint64_t bytes = UINT64_C(1) << shift;
	uint64_t end = event->address + event->length;
	int error = 0;

	if (event->flags & RESIDENT_INITIAL && is_small(paging, space) &&
	    end >= event->address)
		error = adopt(paging, space, event);
	if (error || event->flags & others ||
	    (large && event->extra != LARGE_SHIFT) || event->address % bytes ||
	    end < event->address)
		return error;
	for (uint64_t at = event->address; at + bytes <= end && !error;
	     at += bytes) {
		uint64_t physical = event->value + (at - event->address);

		if (large && paging->config.policy == PAGES_RECORDED &&
		    space->granule == PAGE_SHIFT)
			error = become_large(paging, space, at);
		if (!error && event->value && physical % bytes == 0 &&
		    frames_recorded(paging->frames) && is_own(space, at, shift))
			error = move_to(paging, space, at, shift, physical);
	}
	return error;
}
