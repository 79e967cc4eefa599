// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The swap cache: pages that were read from swap while entries of page tables,
 * or their slot alone, still lead there (mm/swap_state.c), so that each is read
 * once for all who share it.
 *
 *	swap.cached   slot -> frame       of which the cache is one owner
 *	swap.slot_of  frame -> slot
 *	swap.ahead    slot -> 1           read ahead, and not wanted yet
 *
 * A slot that no entry leads to lasts as long as somebody maps its frame.  Who is
 * to be the only owner takes the frame out, and its slot is free.
 *
 * Reading goes with read-ahead (vm.page-cluster): of the entries round the
 * fault's in the same mapping (swap_vma_readahead) or, on a disk that turns, of
 * the slots round its own (swap_cluster_readahead), as many as earlier ones
 * turned out to be wanted.  A page of one entry alone on a device that is read by
 * the processor (zram) is read without either.
 */
#include "models/paging/space.h"

#include <stdlib.h>

#define SHARE	   6   /* bits of hits, and of the window: struct vma */
#define HITS_MOST  63u /* SWAP_RA_HITS_MAX */
#define HITS_FIRST 4u  /* what nobody knows better */
#define PAGE_OF(x) ((x) >> PAGE_SHIFT)

bool
swap_cached(const struct paging *paging, uint64_t slot, uint64_t *frame)
{
	const uint64_t *known = paging->swap.cached.n
					? hash_find(&paging->swap.cached, slot)
					: NULL;

	if (known)
		*frame = *known;
	return known;
}

bool
swap_cached_slot(const struct paging *paging, uint64_t frame, uint64_t *slot)
{
	const uint64_t *known =
		paging->swap.slot_of.n ? hash_find(&paging->swap.slot_of, frame)
				       : NULL;

	if (known && slot)
		*slot = *known;
	return known;
}

void
swap_uncache(struct paging *paging, uint64_t slot, uint64_t frame)
{
	hash_remove(&paging->swap.cached, slot);
	hash_remove(&paging->swap.slot_of, frame);
	hash_remove(&paging->swap.ahead, slot);
	if (!swap_entries(paging, slot))
		swap_free(paging, slot);
	else if (swap_entries(paging, slot) == 1)
		hash_remove(&paging->swap.owners, slot);
}

void
swap_settle(struct paging *paging, uint64_t frame)
{
	uint64_t slot;

	if (!swap_cached_slot(paging, frame, &slot) ||
	    swap_entries(paging, slot) || owner_count(paging, frame) != 1)
		return;
	swap_uncache(paging, slot, frame);
	owner_release(paging, PAGE_SHIFT, frame);
}

bool
swap_take_over(struct paging *paging, uint64_t frame)
{
	uint64_t slot;

	if (!swap_cached_slot(paging, frame, &slot) ||
	    swap_entries(paging, slot) || owner_count(paging, frame) != 2)
		return false;
	swap_uncache(paging, slot, frame);
	owner_release(paging, PAGE_SHIFT, frame);
	return true;
}

bool
swap_leave_cache(struct paging *paging, uint64_t frame)
{
	uint64_t slot;

	if (!swap_cached_slot(paging, frame, &slot) ||
	    owner_count(paging, frame) != 1)
		return false;
	if (paging->listener.swapped)
		paging->listener.swapped(paging->listener.context, frame, slot);
	swap_uncache(paging, slot, frame);
	owner_release(paging, PAGE_SHIFT, frame);
	return true;
}

int
swap_cache(struct paging *paging, uint64_t slot, uint64_t frame)
{
	struct swap *swap = &paging->swap;

	/* With its entries: taking one away needs no memory then. */
	return hash_put(&swap->owners, slot, swap_entries(paging, slot)) < 0 ||
			       hash_put(&swap->cached, slot, frame) < 0 ||
			       hash_put(&swap->slot_of, frame, slot) < 0
		       ? paging_no_memory(paging)
		       : 0;
}

int
swap_read(struct paging *paging, uint64_t slot, uint64_t address,
	  uint64_t *frame)
{
	int error;

	if (owner_take(paging, PAGE_SHIFT, address, frame) < 0)
		return paging_no_memory(paging);
	error = swap_cache(paging, slot, *frame);
	if (error)
		return error;
	paging->swap.ins++;
	if (paging->listener.returned)
		paging->listener.returned(paging->listener.context, slot,
					  *frame, true);
	return 0;
}

/* One that nobody has asked for yet, unless it is there; a guess is told from what
 * a program asks for (PG_readahead). */
static int
read_ahead(struct paging *paging, uint64_t slot, uint64_t address, bool guess)
{
	uint64_t frame;
	int error;

	if (swap_cached(paging, slot, &frame))
		return 0;
	error = swap_read(paging, slot, address, &frame);
	if (error)
		return error;
	if (guess && hash_put(&paging->swap.ahead, slot, 1) < 0)
		return paging_no_memory(paging);
	paging->swap.aheads += guess;
	if (paging->listener.ahead)
		paging->listener.ahead(paging->listener.context, frame);
	return 0;
}

void
swap_hit(struct paging *paging, struct vma *vma, uint64_t address,
	 uint64_t slot)
{
	bool ahead = hash_remove(&paging->swap.ahead, slot);
	uint64_t kept = vma && vma->ahead ? vma->ahead : HITS_FIRST;
	uint64_t hits = kept & HITS_MOST;

	paging->swap.ahead_hits += ahead;
	if (!vma || paging->swap.turns) {
		paging->swap.hits += ahead;
		return;
	}
	hits += ahead && hits < HITS_MOST;
	vma->ahead = address | (kept & (HITS_MOST << SHARE)) | hits;
}

/* __swapin_nr_pages: after the read-ahead before at that page, of so many. */
static unsigned
ahead_pages(const struct paging *paging, uint64_t before, uint64_t now,
	    unsigned hits, unsigned last)
{
	unsigned pages = hits + 2, most = 1u << paging->swap.cluster;

	if (pages == 2) {
		if (now != before + 1 && now != before - 1)
			pages = 1;
	} else {
		unsigned up = 4;

		while (up < pages)
			up *= 2;
		pages = up;
	}
	pages = pages < most ? pages : most;
	return pages > last / 2 ? pages : last / 2;
}

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

/* swap_vma_ra_win: false: nothing but the page itself. */
static bool
window_of(const struct fault *fault, struct range *range)
{
	struct vma *vma = fault->vma;
	uint64_t kept = vma->ahead ? vma->ahead : HITS_FIRST;
	uint64_t at = fault->address, before = page_down(kept), left;
	uint64_t table = at & ~(LARGE_BYTES - 1);
	unsigned pages =
		ahead_pages(fault->paging, PAGE_OF(before), PAGE_OF(at),
			    kept & HITS_MOST, kept >> SHARE & HITS_MOST);
	uint64_t bytes = (uint64_t)pages << PAGE_SHIFT;

	vma->ahead = at | (uint64_t)pages << SHARE;
	if (pages == 1)
		return false;
	if (at == before + PAGE_BYTES)
		left = at;
	else if (before == at + PAGE_BYTES)
		left = at - bytes + PAGE_BYTES;
	else
		left = at - ((uint64_t)(pages - 1) / 2 << PAGE_SHIFT);
	range->end = left + bytes;
	if ((int64_t)left < 0)
		left = 0;
	range->start = later(left, later(vma->start, table));
	range->end = sooner(range->end, sooner(vma->end, table + LARGE_BYTES));
	return true;
}

/* swap_vma_readahead */
static int
read_around(const struct fault *fault)
{
	struct range range;
	int error = 0;

	if (!window_of(fault, &range))
		return 0;
	for (uint64_t at = range.start; !error && at < range.end;
	     at += PAGE_BYTES) {
		uint64_t slot;

		if (at != fault->address && swap_slot(fault->space, at, &slot))
			error = read_ahead(fault->paging, slot, at, true);
	}
	return error;
}

int
swap_read_cluster(struct paging *paging, uint64_t slot)
{
	struct swap *swap = &paging->swap;
	/* The first page of the device is its header. */
	uint64_t at = slot + 1, mask;
	unsigned hits = swap->hits;
	int error = 0;

	if (!swap->cluster)
		return 0;
	swap->hits = 0;
	mask = ahead_pages(paging, swap->before, at, hits, swap->last) - 1;
	swap->last = (unsigned)mask + 1;
	if (!hits)
		swap->before = at;
	for (uint64_t i = at & ~mask; mask && !error && i <= (at | mask); i++)
		if (i && i != at && swap_in_use(paging, i - 1))
			error = read_ahead(paging, i - 1, i << PAGE_SHIFT,
					   true);
	return error;
}

int
swap_read_fault(const struct fault *fault, uint64_t slot, uint64_t *frame)
{
	struct paging *paging = fault->paging;
	int error = paging->swap.turns	   ? swap_read_cluster(paging, slot)
		    : paging->swap.cluster ? read_around(fault)
					   : 0;

	return error ? error : swap_read(paging, slot, fault->address, frame);
}

/* Slots of the keys [first, last] of a table of them. */
static int
want_slots(struct paging *paging, const struct hash *slots, unsigned shift,
	   struct range keys)
{
	uint64_t *key;
	int64_t n = hash_keys(slots, keys.start, keys.end, &key);
	int error = n < 0 ? paging_no_memory(paging) : 0;

	for (int64_t i = 0; i < n && !error; i++)
		error = read_ahead(paging, *hash_find(slots, key[i]) >> shift,
				   key[i] << PAGE_SHIFT, false);
	free(key);
	return error;
}

/* shmem_swapin_range */
static int
want_object(struct paging *paging, const struct vma *vma, struct range range)
{
	const struct object *object = &paging->object[vma->object];
	uint64_t from = later(range.start, vma->start) - vma->start;
	uint64_t to = sooner(range.end, vma->end) - vma->start;
	const struct range pages = { PAGE_OF(vma->offset + from),
				     PAGE_OF(vma->offset + to - 1) };

	return object->file ? 0 : want_slots(paging, &object->out, 0, pages);
}

int
swap_want(struct paging *paging, const struct address_space *space,
	  struct range range)
{
	const struct range pages = { PAGE_OF(range.start),
				     PAGE_OF(range.end - 1) };
	int error = want_slots(paging, &space->swapped, 1, pages);

	for (size_t i = vma_at_or_after(&space->vmas, range.start);
	     !error && i < space->vmas.n &&
	     space->vmas.vma[i].start < range.end;
	     i++)
		if (space->vmas.vma[i].object != OBJECT_NONE)
			error = want_object(paging, &space->vmas.vma[i], range);
	return error;
}
