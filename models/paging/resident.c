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
 * Both count no fault.  What a program begins with (RESIDENT_INITIAL: the pages
 * that exec made, or all of a process that was joined) is there from then on.
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

	if (large_find(space, address, &page) ||
	    !anonymous_at(space, address, address + LARGE_BYTES))
		return 0;
	error = zap_pages(paging, space, address, address + LARGE_BYTES);
	if (error)
		return error;
	error = large_collapse(paging, space, vma_find(&space->vmas, address),
			       address);
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

static int
begin_with(struct paging *paging, struct address_space *space,
	   const struct event *event)
{
	struct range range = range_of(event->address, event->length);
	int error = 0;

	for (uint64_t at = range.start; at < range.end && !error;
	     at += PAGE_BYTES)
		error = page_initial(paging, space, at,
				     event->flags & RESIDENT_FILE);
	return error;
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

	if (event->flags & RESIDENT_INITIAL)
		return space->granule == PAGE_SHIFT
			       ? begin_with(paging, space, event)
			       : 0;
	if (event->flags & others || (large && event->extra != LARGE_SHIFT) ||
	    event->address % bytes || end < event->address)
		return 0;
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
