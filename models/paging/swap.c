// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Anonymous pages that are in swap.  A slot holds one page, for all spaces
 * that fork made share it; its number is all that a space remembers:
 *
 *	space->swapped   page number -> slot * 2 + 1 if fork never shared the page
 *	swap.owners      slot -> entries that lead there, if it is not one
 *
 * The entry of the page table is gone from the table (a walk finds nothing),
 * but as in Linux it fills its place: the PTE table stays, and no large page
 * comes in over it (mm/memory.c, pte_none).
 */
#include "models/paging/space.h"

#include <stdlib.h>
#include <string.h>

#define WORD_BITS 64u

uint64_t
swap_entries(const struct paging *paging, uint64_t slot)
{
	const uint64_t *owners = hash_find(&paging->swap.owners, slot);

	return owners ? *owners : 1;
}

bool
swap_in_use(const struct paging *paging, uint64_t slot)
{
	return slot < paging->swap.slots &&
	       paging->swap.used[slot / WORD_BITS] >> slot % WORD_BITS & 1;
}

/* The next number, which no page has yet. */
static int
next_slot(struct paging *paging, uint64_t *slot)
{
	struct swap *swap = &paging->swap;

	if (swap->slots / WORD_BITS == swap->used_room) {
		size_t room = swap->used_room ? swap->used_room * 2 : 64;
		uint64_t *grown =
			reallocarray(swap->used, room, sizeof(*grown));

		if (!grown)
			return paging_no_memory(paging);
		memset(grown + swap->used_room, 0,
		       (room - swap->used_room) * sizeof(*grown));
		swap->used = grown;
		swap->used_room = room;
	}
	*slot = swap->slots++;
	return 0;
}

int
swap_file_slot(struct paging *paging, uint64_t *slot)
{
	return next_slot(paging, slot);
}

int
swap_take(struct paging *paging, uint64_t *slot)
{
	struct swap *swap = &paging->swap;
	int error = next_slot(paging, slot);

	if (error)
		return error;
	swap->used[*slot / WORD_BITS] |= UINT64_C(1) << *slot % WORD_BITS;
	swap->outs++;
	if (++swap->pages > swap->peak)
		swap->peak = swap->pages;
	return 0;
}

void
swap_free(struct paging *paging, uint64_t slot)
{
	struct swap *swap = &paging->swap;

	hash_remove(&swap->owners, slot);
	swap->used[slot / WORD_BITS] &= ~(UINT64_C(1) << slot % WORD_BITS);
	swap->pages--;
}

static int
add_entries(struct paging *paging, uint64_t slot, uint64_t n)
{
	return hash_put(&paging->swap.owners, slot,
			swap_entries(paging, slot) + n) < 0
		       ? paging_no_memory(paging)
		       : 0;
}

/* One entry less: is the slot free now? */
static bool
slot_leave(struct paging *paging, uint64_t slot)
{
	uint64_t entries = swap_entries(paging, slot), frame;
	bool cached = swap_cached(paging, slot, &frame);

	if (entries == 1 && !cached) {
		swap_free(paging, slot);
		return true;
	}
	/* a known key: needs no memory */
	if (entries == 2 && !cached)
		hash_remove(&paging->swap.owners, slot);
	else
		(void)hash_put(&paging->swap.owners, slot, entries - 1);
	if (cached)
		swap_settle(paging, frame);
	return false;
}

bool
swap_has(const struct address_space *space, uint64_t address)
{
	return space->swapped.n &&
	       hash_find(&space->swapped, address >> PAGE_SHIFT);
}

bool
swap_slot(const struct address_space *space, uint64_t address, uint64_t *slot)
{
	const uint64_t *entry =
		hash_find(&space->swapped, address >> PAGE_SHIFT);

	if (entry)
		*slot = *entry / 2;
	return entry;
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
	  uint64_t entry)
{
	uint64_t frame = mapping_at(paging, space, address).frame;

	if (hash_put(&space->swapped, address >> PAGE_SHIFT, entry) < 0)
		return paging_no_memory(paging);
	paging->table_ops->unmap(space->table, address, PAGE_BYTES, false, NULL,
				 NULL);
	/* Taking away needs no memory. */
	(void)pageset_put(&space->pages, address, PAGE_ABSENT);
	owner_release(paging, PAGE_SHIFT, frame);
	space_stale(paging, space, address, PAGE_BYTES);
	return 0;
}

/* For so many who map it: the slot that the page came from, or a new one. */
static int
slot_for(struct paging *paging, uint64_t frame, uint64_t mappers,
	 uint64_t *slot)
{
	int error;

	if (swap_cached_slot(paging, frame, slot))
		return add_entries(paging, *slot, mappers);
	error = swap_take(paging, slot);
	return error || mappers == 1 ? error
				     : add_entries(paging, *slot, mappers - 1);
}

int
swap_out(struct paging *paging, struct address_space *space, uint64_t address)
{
	uint64_t frame, mappers, found = 0, slot, entry;
	bool cached;
	int error;

	address = page_down(address);
	if (!is_own(space, address))
		return 0;
	frame = mapping_at(paging, space, address).frame;
	cached = swap_cached_slot(paging, frame, NULL);
	mappers = owner_count(paging, frame) - cached;
	/* Who shares it since a fork has it at the same address. */
	for (size_t i = 0; mappers > 1 && i < paging->spaces; i++)
		found += maps(paging, paging->space[i], address, frame);
	if (mappers > 1 && found != mappers)
		return 0;
	error = slot_for(paging, frame, mappers, &slot);
	if (error)
		return error;
	if (paging->listener.swapped)
		paging->listener.swapped(paging->listener.context, frame, slot);
	entry = slot * 2 +
		(pageset_state(&space->pages, address) == PAGE_OWNED);
	if (mappers == 1)
		error = leave_for(paging, space, address, entry);
	for (size_t i = 0; mappers > 1 && !error && i < paging->spaces; i++)
		if (maps(paging, paging->space[i], address, frame))
			error = leave_for(paging, paging->space[i], address,
					  slot * 2);
	if (!error && cached) {
		swap_uncache(paging, slot, frame);
		owner_release(paging, PAGE_SHIFT, frame);
	}
	return error ? error : 1;
}

int
swap_page_out(struct paging *paging, struct address_space *space,
	      uint64_t address)
{
	uint64_t frame, slot;
	int error;

	address = page_down(address);
	if (!is_own(space, address))
		return 0;
	frame = mapping_at(paging, space, address).frame;
	/* What swap has as it is goes at once. */
	if (paging->swap.synchronous || owner_count(paging, frame) != 1)
		return swap_out(paging, space, address);
	error = swap_take(paging, &slot);
	if (!error && owner_share(paging, PAGE_SHIFT, frame) < 0)
		error = paging_no_memory(paging);
	if (!error)
		error = swap_cache(paging, slot, frame);
	if (!error)
		error = leave_for(paging, space, address,
				  slot * 2 + (pageset_state(&space->pages,
							    address) ==
					      PAGE_OWNED));
	return error ? error : 1;
}

/* Read by the processor, for nobody else: no cache, and the slot is free. */
static int
come_alone(const struct fault *fault, uint64_t slot)
{
	struct paging *paging = fault->paging;
	struct mapping mapping = { .shift = PAGE_SHIFT,
				   .writable =
					   fault->vma->flags & MAP_FLAG_WRITE };
	int error;

	if (owner_take(paging, PAGE_SHIFT, fault->address, &mapping.frame) < 0)
		return paging_no_memory(paging);
	hash_remove(&fault->space->swapped, fault->address >> PAGE_SHIFT);
	slot_leave(paging, slot);
	paging->swap.ins++;
	if (paging->listener.returned)
		paging->listener.returned(paging->listener.context, slot,
					  mapping.frame, false);
	error = page_map(paging, fault->space, fault->address, &mapping,
			 PAGE_OWNED);
	return error ? error : FAULT_SWAP;
}

/* From the cache: its own if nobody else has it, else to be copied by who writes. */
static int
map_cached(const struct fault *fault, uint64_t entry, uint64_t frame,
	   enum fault_class class)
{
	struct paging *paging = fault->paging;
	struct mapping mapping = { .frame = frame, .shift = PAGE_SHIFT };
	enum page_state state = PAGE_FORKED;
	int error;

	if (owner_share(paging, PAGE_SHIFT, frame) < 0)
		return paging_no_memory(paging);
	hash_remove(&fault->space->swapped, fault->address >> PAGE_SHIFT);
	slot_leave(paging, entry / 2);
	if ((entry & 1 || fault->write) && swap_take_over(paging, frame)) {
		state = PAGE_OWNED;
		mapping.writable = fault->vma->flags & MAP_FLAG_WRITE;
	} else if (fault->write) {
		error = fault_own(fault, class);
		owner_release(paging, PAGE_SHIFT, frame);
		return error;
	}
	error = page_map(paging, fault->space, fault->address, &mapping, state);
	return error ? error : (int)class;
}

int
swap_fault(const struct fault *fault)
{
	struct paging *paging = fault->paging;
	uint64_t entry = *hash_find(&fault->space->swapped,
				    fault->address >> PAGE_SHIFT);
	uint64_t slot = entry / 2, frame;
	int error;

	if (swap_cached(paging, slot, &frame)) {
		swap_hit(paging, fault->vma, fault->address, slot);
		return map_cached(fault, entry, frame, FAULT_CACHED);
	}
	if (paging->swap.synchronous && swap_entries(paging, slot) == 1)
		return come_alone(fault, slot);
	error = swap_read_fault(fault, slot, &frame);
	return error ? error : map_cached(fault, entry, frame, FAULT_SWAP);
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
		uint64_t slot = *hash_find(&space->swapped, page[i]) / 2;

		if (slot_leave(paging, slot) && paging->listener.forgotten)
			paging->listener.forgotten(paging->listener.context,
						   slot);
		hash_remove(&space->swapped, page[i]);
	}
	free(page);
	return n < 0 ? (int)n : 0;
}

int
swap_fork(struct paging *paging, struct address_space *parent,
	  struct address_space *child, const struct vma *vma)
{
	const struct range range = { vma->start, vma->end };
	uint64_t *page;
	int64_t n = swapped_in(paging, parent, range, &page);
	int error = n < 0 ? (int)n : 0;

	for (int64_t i = 0; i < n && !error; i++) {
		uint64_t *entry = hash_find(&parent->swapped, page[i]);
		uint64_t slot = *entry / 2;

		*entry = slot * 2; /* not the parent's alone any more */
		error = page_table_add(paging, child, page[i] << PAGE_SHIFT);
		if (!error && hash_put(&child->swapped, page[i], slot * 2) < 0)
			error = paging_no_memory(paging);
		if (!error)
			error = add_entries(paging, slot, 1);
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
		uint64_t entry = *hash_find(&space->swapped, page[i]);
		/* delta may be negative, modulo 2^64: so may the sum */
		uint64_t to = (page[i] << PAGE_SHIFT) + delta;

		hash_remove(&space->swapped, page[i]);
		if (hash_put(&space->swapped, to >> PAGE_SHIFT, entry) < 0)
			error = paging_no_memory(paging);
	}
	free(page);
	return error;
}
