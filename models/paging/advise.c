// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * madvise and mlock.
 *
 * MADV_FREE and COLD change no count while memory suffices: reclaim-driver.c
 * follows them.  Not followed: WILLNEED of files.
 */
#include "models/paging/space.h"

#include <stdlib.h>
#include <sys/mman.h>

/* Newer than the oldest libc we build with. */
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED 24
#endif

static uint64_t
later(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t
sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* VMA by VMA: a PTE table goes only if one VMA has all of its 2 MiB; up to one that
 * is locked. */
static int
drop_pages(struct paging *paging, struct address_space *space,
	   struct range range, bool locked)
{
	int error = 0;

	for (size_t i = vma_at_or_after(&space->vmas, range.start);
	     !error && i < space->vmas.n &&
	     space->vmas.vma[i].start < range.end;
	     i++) {
		const struct vma *vma = &space->vmas.vma[i];
		struct range part = { later(range.start, vma->start),
				      sooner(range.end, vma->end) };

		if (!locked && vma->flags & VMA_LOCKED)
			break;
		error = zap_pages(paging, space, part.start, part.end);
		if (!error)
			error = coverage_drop(paging, space, part);
	}
	return error;
}

/* Bytes [from, to) of an object leave all who map them. */
static int
drop_object(struct paging *paging, uint32_t object, uint64_t from, uint64_t to)
{
	int error = 0;

	for (size_t s = 0; s < paging->spaces; s++) {
		struct address_space *space = paging->space[s];

		for (size_t i = 0; space && !error && i < space->vmas.n; i++) {
			const struct vma *vma = &space->vmas.vma[i];
			uint64_t end = vma->offset + (vma->end - vma->start);

			if (vma->object != object || vma->offset >= to ||
			    end <= from)
				continue;
			error = zap_pages(paging, space,
					  vma->start +
						  (later(from, vma->offset) -
						   vma->offset),
					  vma->start + (sooner(to, end) -
							vma->offset));
		}
		if (space)
			space_account(paging, space);
	}
	return error;
}

/* MADV_REMOVE: the pages leave the object, too. */
static int
remove_pages(struct paging *paging, struct address_space *space,
	     struct range range)
{
	int error = 0;

	for (size_t i = vma_at_or_after(&space->vmas, range.start);
	     !error && i < space->vmas.n &&
	     space->vmas.vma[i].start < range.end;
	     i++) {
		const struct vma *vma = &space->vmas.vma[i];
		uint32_t object = vma->object;
		uint64_t from = vma->offset +
				(later(range.start, vma->start) - vma->start);
		uint64_t to = vma->offset +
			      (sooner(range.end, vma->end) - vma->start);

		if (object == OBJECT_NONE)
			continue;
		error = drop_object(paging, object, from, to);
		object_punch(paging, object, from >> PAGE_SHIFT,
			     (to - 1) >> PAGE_SHIFT);
	}
	return error;
}

/* Locked pages stay, and what somebody shares. */
static int
page_out_one(struct paging *paging, struct address_space *space, uint64_t at)
{
	const struct vma *vma = vma_find(&space->vmas, at);
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct mapping mapping;
	int out;

	if (!vma || vma->flags & VMA_LOCKED)
		return 0;
	if (pageset_state(&space->pages, at) == PAGE_BORROWED) {
		out = evict_mapped(paging, space, at);
		return out < 0 ? out : 0;
	}
	paging->table_ops->walk(space->table, at, reference, &mapping);
	if (owner_count(paging, mapping.frame) -
		    swap_cached_slot(paging, mapping.frame, NULL) !=
	    1)
		return 0;
	out = swap_page_out(paging, space, at);
	return out < 0 ? out : 0;
}

/*
 * MADV_PAGEOUT (mm/madvise.c, madvise_cold_or_pageout_pte_range): pages that
 * nobody else maps go to swap, those of files out of the page cache; what was
 * written to a file is only unmapped (shrink_folio_list leaves the writing to
 * others).  Up to a mapping that is locked.
 */
static int
page_out(struct paging *paging, struct address_space *space, struct range range)
{
	uint64_t *group;
	int64_t n;
	int error;

	if (!paging->swap_space)
		return 0;
	for (size_t i = vma_at_or_after(&space->vmas, range.start);
	     i < space->vmas.n && space->vmas.vma[i].start < range.end; i++)
		if (space->vmas.vma[i].flags & VMA_LOCKED) {
			range.end =
				later(space->vmas.vma[i].start, range.start);
			break;
		}
	error = large_split_alone(paging, space, range.start, range.end);
	if (error)
		return error;
	n = pageset_groups(&space->pages, range.start, range.end, &group);
	for (int64_t i = 0; i < n && !error; i++) {
		uint64_t bits = pageset_present(&space->pages, group[i],
						range.start, range.end);

		for (; bits && !error; bits &= bits - 1) {
			uint64_t at =
				group[i] +
				((uint64_t)__builtin_ctzll(bits) << PAGE_SHIFT);

			error = page_out_one(paging, space, at);
		}
	}
	free(group);
	return n < 0 ? paging_no_memory(paging) : error;
}

/* Advice that only changes what the VMA remembers. */
static const struct {
	int advice;
	uint32_t clear, set;
} remembered[] = {
	{ MADV_NORMAL, VMA_RANDOM | VMA_SEQUENTIAL, 0 },
	{ MADV_RANDOM, VMA_SEQUENTIAL, VMA_RANDOM },
	{ MADV_SEQUENTIAL, VMA_RANDOM, VMA_SEQUENTIAL },
	{ MADV_HUGEPAGE, VMA_NOHUGE, VMA_HUGE },
	{ MADV_NOHUGEPAGE, VMA_HUGE, VMA_NOHUGE },
	{ MADV_MERGEABLE, 0, VMA_MERGEABLE },
	{ MADV_UNMERGEABLE, VMA_MERGEABLE, 0 },
	{ MADV_DONTFORK, 0, VMA_DONTFORK },
	{ MADV_DOFORK, VMA_DONTFORK, 0 },
	{ MADV_WIPEONFORK, 0, VMA_WIPEONFORK },
	{ MADV_KEEPONFORK, VMA_WIPEONFORK, 0 },
};

int
follow_advice(struct paging *paging, struct address_space *space,
	      const struct event *event)
{
	struct range range = range_of(event->address, event->length);
	int error = 0;

	if (range.start >= range.end)
		return 0;
	if (event->value == MADV_UNMERGEABLE)
		error = ksm_unmerge(paging, space, range.start, range.end);
	if (error)
		return error;
	for (size_t i = 0; i < ARRAY_SIZE(remembered); i++)
		if ((uint64_t)remembered[i].advice == event->value)
			return vma_change(&space->vmas, range.start, range.end,
					  remembered[i].clear,
					  remembered[i].set) < 0
				       ? paging_no_memory(paging)
				       : large_split_between(paging, space,
							     range.start,
							     range.end);
	switch (event->value) {
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
		return drop_pages(paging, space, range,
				  event->value == MADV_DONTNEED_LOCKED);
	case MADV_PAGEOUT:
		return page_out(paging, space, range);
	case MADV_WILLNEED:
		return swap_want(paging, space, range);
	case MADV_FREE:
		return swap_drop(paging, space, range);
	case MADV_COLLAPSE:
		return khugepaged_advise(paging, space, range.start, range.end);
	case MADV_REMOVE:
		return remove_pages(paging, space, range);
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		return fault_range(paging, space, range.start, range.end, false,
				   event->value == MADV_POPULATE_WRITE);
	default:
		return 0;
	}
}

int
follow_lock(struct paging *paging, struct address_space *space,
	    const struct event *event)
{
	struct range range = range_of(event->address, event->length);
	bool lock = !(event->flags & 1);
	int error;

	if (vma_change(&space->vmas, range.start, range.end, VMA_LOCKED,
		       lock ? VMA_LOCKED : 0) < 0)
		return paging_no_memory(paging);
	error = large_split_between(paging, space, range.start, range.end);
	if (error)
		return error;
	return lock ? fault_range(paging, space, range.start, range.end, true,
				  false)
		    : 0;
}
