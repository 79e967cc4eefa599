// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Making huge pages of small ones: MADV_COLLAPSE at once, and khugepaged, which
 * scans the regions of 2M one after the other, so many pages a round
 * (mm/khugepaged.c):
 *
 *	sleep ... round: the next scan_pages of all spaces ... sleep ...
 *
 * A region is collapsed if it has a PTE table, and in it no more pages that
 * are absent (or the zero page), in swap, or shared than the limits say; and a
 * page that was referenced, which those are not that a child got by fork until
 * it touches one.  (What clears that bit later, as MADV_COLD, is not followed.)
 *
 * Time is the trace's: of a recording, that of a program slowed down by its
 * recorder, so rounds come too early by as much.
 */
#include "models/paging/space.h"

#define COLLAPSE_PAGES	(LARGE_BYTES >> PAGE_SHIFT)
#define ALLOC_SLEEP_NS	(UINT64_C(60) * 1000000000) /* alloc_sleep_millisecs */
#define IDLE_ROUNDS_MAX 64

/* What is in the 512 entries of a region. */
struct seen {
	int64_t none, swapped, shared, present;
	bool referenced;
};

/* A region that may be collapsed. */
struct candidate {
	struct address_space *space;
	struct vma *vma;
	uint64_t start;
	struct seen seen;
};

static int
look(const struct paging *paging, const struct address_space *space,
     uint64_t start, struct seen *seen)
{
	const struct range range = { start, start + LARGE_BYTES };
	int64_t swapped = swap_count(paging, space, range);

	if (swapped < 0)
		return (int)swapped;
	*seen = (struct seen){ .swapped = swapped };
	for (uint64_t at = start; at < range.end; at += PAGE_BYTES) {
		enum page_state state = pageset_state(&space->pages, at);

		seen->present += state > PAGE_BORROWED;
		seen->referenced = seen->referenced || state == PAGE_OWNED ||
				   (state == PAGE_FORKED &&
				    pageset_touched(&space->pages, at));
		seen->shared +=
			state == PAGE_FORKED && !page_alone(paging, space, at);
	}
	seen->none = (int64_t)COLLAPSE_PAGES - seen->present - swapped;
	return 0;
}

/* Is the region one of 4K pages in a mapping that may have huge ones? */
static bool
is_candidate(const struct address_space *space, const struct vma *vma,
	     uint64_t start)
{
	struct large_page page;

	return vma->object == OBJECT_NONE && vma->anon &&
	       !(vma->flags & (VMA_UNMAPPED | VMA_NOHUGE | MAP_FLAG_HUGETLB |
			       MAP_FLAG_SHARED)) &&
	       start >= vma->start && start + LARGE_BYTES <= vma->end &&
	       !large_find(space, start, &page) &&
	       pageset_region(&space->pages, start);
}

/* 1: it is one large page now; 0: it stays as it is; -ENOMEM (said). */
static int
collapse(struct paging *paging, const struct candidate *candidate,
	 enum compact_for who)
{
	const struct seen *seen = &candidate->seen;
	struct huge *huge = &paging->huge;
	int error = large_collapse(paging, candidate->space, candidate->vma,
				   candidate->start, who);

	if (error == 0) {
		huge->collapse_failed++;
		return 0;
	}
	if (error < 0)
		return error;
	huge->collapse_copied += (uint64_t)(seen->present + seen->swapped);
	huge->collapse_zeroed += (uint64_t)seen->none;
	huge->swapped_in += (uint64_t)seen->swapped;
	return 1;
}

int
khugepaged_collapse(struct paging *paging, struct address_space *space,
		    uint64_t start)
{
	struct candidate one = { .space = space, .start = start };
	int error;

	one.vma = vma_find(&space->vmas, start);
	if (!one.vma || !is_candidate(space, one.vma, start))
		return 0;
	error = look(paging, space, start, &one.seen);
	if (!error)
		error = collapse(paging, &one, COMPACT_POLICY);
	paging->huge.promoted += error == 1;
	return error;
}

int
khugepaged_advise(struct paging *paging, struct address_space *space,
		  uint64_t start, uint64_t end)
{
	for (uint64_t at = (start + LARGE_BYTES - 1) & ~(LARGE_BYTES - 1);
	     at < end && end - at >= LARGE_BYTES; at += LARGE_BYTES) {
		struct candidate one = { .space = space, .start = at };
		int error;

		one.vma = vma_find(&space->vmas, at);
		if (!one.vma || !is_candidate(space, one.vma, at))
			continue;
		error = look(paging, space, at, &one.seen);
		if (!error)
			error = collapse(paging, &one, COMPACT_ADVICE);
		if (error < 0)
			return error;
		paging->huge.advised += (uint64_t)error;
	}
	return 0;
}

/* One region of a round, by its limits. */
static int
scan_region(struct paging *paging, struct address_space *space, struct vma *vma,
	    uint64_t start)
{
	const struct khugepaged_config *config =
		&paging->config.huge.khugepaged;
	struct candidate one = { space, vma, start, { 0 } };
	const struct seen *seen = &one.seen;
	struct huge *huge = &paging->huge;
	int error;

	huge->scanned++;
	if (!is_candidate(space, vma, start))
		return 0;
	error = look(paging, space, start, &one.seen);
	if (error)
		return error;
	if (seen->swapped > config->max_swap || seen->none > config->max_none ||
	    seen->shared > config->max_shared || !seen->referenced) {
		huge->beyond_limits++;
		return 0;
	}
	error = collapse(paging, &one, COMPACT_KHUGEPAGED);
	if (error == 1)
		huge->collapsed++;
	return error;
}

/* From huge->address on, while *left pages last.  Collapses, or -ENOMEM (said). */
static int
scan_space(struct paging *paging, struct address_space *space, uint64_t *left)
{
	struct huge *huge = &paging->huge;
	size_t i = vma_at_or_after(&space->vmas, huge->address);
	int collapsed = 0;

	for (; i < space->vmas.n && *left; i++) {
		struct vma *vma = &space->vmas.vma[i];
		uint64_t start =
			(vma->start + LARGE_BYTES - 1) & ~(LARGE_BYTES - 1);
		uint64_t end = vma->end & ~(LARGE_BYTES - 1);

		huge->address = huge->address > start ? huge->address : start;
		if (!(huge_allowed(paging, vma) >> LARGE_ORDER & 1) ||
		    huge->address >= end) {
			--*left;
			continue;
		}
		while (huge->address < end && *left) {
			int done =
				scan_region(paging, space, vma, huge->address);

			if (done < 0)
				return done;
			collapsed += done;
			huge->address += LARGE_BYTES;
			*left -=
				*left < COLLAPSE_PAGES ? *left : COLLAPSE_PAGES;
		}
		/* Not through with this one: here it goes on. */
		if (huge->address < end)
			return collapsed;
	}
	if (i == space->vmas.n) {
		huge->space++;
		huge->address = 0;
	}
	space_account(paging, space);
	return collapsed;
}

/* One round: collapses, or -ENOMEM (said). */
static int
scan_round(struct paging *paging)
{
	struct huge *huge = &paging->huge;
	uint64_t left = paging->config.huge.khugepaged.scan_pages;
	unsigned ends = 0;
	int collapsed = 0;

	while (left && ends < 2) {
		struct address_space *space;
		int done;

		if (huge->space >= paging->spaces) {
			huge->space = 0;
			huge->address = 0;
			huge->full_scans++;
			ends++;
			continue;
		}
		space = paging->space[huge->space];
		if (!space || !space->vmas.n) {
			huge->space++;
			huge->address = 0;
			continue;
		}
		done = scan_space(paging, space, &left);
		if (done < 0)
			return done;
		collapsed += done;
	}
	return collapsed;
}

static bool
is_on(const struct paging *paging)
{
	const struct huge_orders *orders = &paging->huge.orders;

	return paging->config.policy == PAGES_THP &&
	       paging->config.huge.khugepaged.scan_pages &&
	       (orders->always | orders->madvise) >> LARGE_ORDER & 1;
}

int
khugepaged_run(struct paging *paging, uint64_t time_ns)
{
	uint64_t sleep = paging->config.huge.khugepaged.sleep_ns;
	struct huge *huge = &paging->huge;
	unsigned idle = 0;

	if (!is_on(paging) || !time_ns)
		return 0;
	if (!huge->next_ns)
		huge->next_ns = time_ns + sleep;
	while (time_ns >= huge->next_ns) {
		uint64_t failed = huge->collapse_failed;
		int collapsed = scan_round(paging);

		if (collapsed < 0)
			return collapsed;
		huge->rounds++;
		huge->next_ns +=
			huge->collapse_failed > failed ? ALLOC_SLEEP_NS : sleep;
		idle = collapsed ? 0 : idle + 1;
		/* Nothing changes while nobody runs. */
		if (idle == IDLE_ROUNDS_MAX && time_ns >= huge->next_ns) {
			uint64_t rounds = (time_ns - huge->next_ns) / sleep + 1;

			huge->rounds += rounds;
			huge->next_ns += rounds * sleep;
		}
	}
	return 0;
}
