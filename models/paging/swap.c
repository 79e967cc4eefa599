// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Anonymous pages that are in swap.  A slot holds one page, for all spaces
 * that fork made share it; its number is all that a space remembers:
 *
 *	space->swapped   page number -> slot
 *	swap.owners      slot -> owners, if it is not one
 *
 * The entry of the page table is gone from the table (a walk finds nothing),
 * but as in Linux it fills its place: the PTE table stays, and no large page
 * comes in over it (mm/memory.c, pte_none).
 */
#include "models/paging/space.h"

#include <stdlib.h>

static uint64_t
slot_owners(const struct paging *paging, uint64_t slot)
{
	const uint64_t *owners = hash_find(&paging->swap.owners, slot);

	return owners ? *owners : 1;
}

/* Is it free now? */
static bool
slot_leave(struct paging *paging, uint64_t slot)
{
	uint64_t owners = slot_owners(paging, slot);

	if (owners == 1)
		paging->swap.pages--;
	else if (owners == 2)
		hash_remove(&paging->swap.owners, slot);
	else /* a known key: needs no memory */
		(void)hash_put(&paging->swap.owners, slot, owners - 1);
	return owners == 1;
}

bool
swap_has(const struct address_space *space, uint64_t address)
{
	return space->swapped.n &&
	       hash_find(&space->swapped, address >> PAGE_SHIFT);
}

static struct mapping
mapping_at(const struct paging *paging, const struct address_space *space,
	   uint64_t address)
{
	struct table_reference reference[TABLE_REFERENCES_MAX];
	struct mapping mapping;

	paging->table_ops->walk(space->table, address, reference, &mapping);
	return mapping;
}

static bool
is_own(const struct address_space *space, uint64_t address)
{
	enum page_state state = pageset_state(&space->pages, address);

	return state == PAGE_OWNED || state == PAGE_FORKED;
}

/* Does this space map that frame at the address, by a 4K entry? */
static bool
maps(const struct paging *paging, const struct address_space *space,
     uint64_t address, uint64_t frame)
{
	return space && is_own(space, address) &&
	       mapping_at(paging, space, address).frame == frame;
}

static int
leave_for(struct paging *paging, struct address_space *space, uint64_t address,
	  uint64_t slot)
{
	uint64_t frame = mapping_at(paging, space, address).frame;

	if (hash_put(&space->swapped, address >> PAGE_SHIFT, slot) < 0)
		return paging_no_memory(paging);
	paging->table_ops->unmap(space->table, address, PAGE_BYTES, false, NULL,
				 NULL);
	/* Taking away needs no memory. */
	(void)pageset_put(&space->pages, address, PAGE_ABSENT);
	owner_release(paging, PAGE_SHIFT, frame);
	space_stale(paging, space, address, PAGE_BYTES);
	return 0;
}

int
swap_out(struct paging *paging, struct address_space *space, uint64_t address)
{
	uint64_t frame, owners, found = 0, slot = paging->swap.slots;
	int error = 0;

	address = page_down(address);
	if (!is_own(space, address))
		return 0;
	frame = mapping_at(paging, space, address).frame;
	owners = owner_count(paging, frame);
	/* Who shares it since a fork has it at the same address. */
	for (size_t i = 0; owners > 1 && i < paging->spaces; i++)
		found += maps(paging, paging->space[i], address, frame);
	if (owners > 1 && found != owners)
		return 0;
	if (paging->listener.swapped)
		paging->listener.swapped(paging->listener.context, frame, slot);
	if (owners == 1)
		error = leave_for(paging, space, address, slot);
	for (size_t i = 0; owners > 1 && !error && i < paging->spaces; i++)
		if (maps(paging, paging->space[i], address, frame))
			error = leave_for(paging, paging->space[i], address,
					  slot);
	if (!error && owners > 1 &&
	    hash_put(&paging->swap.owners, slot, owners) < 0)
		error = paging_no_memory(paging);
	if (error)
		return error;
	paging->swap.slots++;
	paging->swap.outs++;
	if (++paging->swap.pages > paging->swap.peak)
		paging->swap.peak = paging->swap.pages;
	return 1;
}

int
swap_in(struct paging *paging, struct address_space *space,
	const struct vma *vma, uint64_t address)
{
	uint64_t slot = *hash_find(&space->swapped, address >> PAGE_SHIFT);
	struct mapping mapping = { .shift = PAGE_SHIFT,
				   .writable = vma->flags & MAP_FLAG_WRITE };
	bool last;

	if (owner_take(paging, PAGE_SHIFT, address, &mapping.frame) < 0)
		return paging_no_memory(paging);
	hash_remove(&space->swapped, address >> PAGE_SHIFT);
	last = slot_leave(paging, slot);
	paging->swap.ins++;
	if (paging->listener.returned)
		paging->listener.returned(paging->listener.context, slot,
					  mapping.frame, last);
	/* What others still have in swap is copied at once; the kernel's would
	 * stay one page until written (the swap cache). */
	return page_map(paging, space, address, &mapping, PAGE_OWNED);
}

/* Their number; -ENOMEM (said). */
static int64_t
swapped_in(const struct paging *paging, const struct address_space *space,
	   struct range range, uint64_t **page)
{
	int64_t n;

	*page = NULL;
	if (!space->swapped.n || range.start >= range.end)
		return 0;
	n = hash_keys(&space->swapped, range.start >> PAGE_SHIFT,
		      (range.end - 1) >> PAGE_SHIFT, page);
	return n < 0 ? paging_no_memory(paging) : n;
}

int64_t
swap_count(const struct paging *paging, const struct address_space *space,
	   struct range range)
{
	uint64_t *page;
	int64_t n = swapped_in(paging, space, range, &page);

	free(page);
	return n;
}

int
swap_drop(struct paging *paging, struct address_space *space,
	  struct range range)
{
	uint64_t *page;
	int64_t n = swapped_in(paging, space, range, &page);

	for (int64_t i = 0; i < n; i++) {
		uint64_t slot = *hash_find(&space->swapped, page[i]);

		if (slot_leave(paging, slot) && paging->listener.forgotten)
			paging->listener.forgotten(paging->listener.context,
						   slot);
		hash_remove(&space->swapped, page[i]);
	}
	free(page);
	return n < 0 ? (int)n : 0;
}

int
swap_fork(struct paging *paging, const struct address_space *parent,
	  struct address_space *child, const struct vma *vma)
{
	const struct range range = { vma->start, vma->end };
	uint64_t *page;
	int64_t n = swapped_in(paging, parent, range, &page);
	int error = n < 0 ? (int)n : 0;

	for (int64_t i = 0; i < n && !error; i++) {
		uint64_t slot = *hash_find(&parent->swapped, page[i]);

		error = page_table_add(paging, child, page[i] << PAGE_SHIFT);
		if (!error && (hash_put(&child->swapped, page[i], slot) < 0 ||
			       hash_put(&paging->swap.owners, slot,
					slot_owners(paging, slot) + 1) < 0))
			error = paging_no_memory(paging);
	}
	free(page);
	return error;
}

int
swap_move(struct paging *paging, struct address_space *space,
	  struct range range, uint64_t delta)
{
	uint64_t *page;
	int64_t n = swapped_in(paging, space, range, &page);
	int error = n < 0 ? (int)n : 0;

	for (int64_t i = 0; i < n && !error; i++) {
		uint64_t slot = *hash_find(&space->swapped, page[i]);
		/* delta may be negative, modulo 2^64: so may the sum */
		uint64_t to = (page[i] << PAGE_SHIFT) + delta;

		hash_remove(&space->swapped, page[i]);
		if (hash_put(&space->swapped, to >> PAGE_SHIFT, slot) < 0)
			error = paging_no_memory(paging);
	}
	free(page);
	return error;
}
