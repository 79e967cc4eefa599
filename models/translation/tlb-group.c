// SPDX-License-Identifier: GPL-2.0-or-later
/* Entries for several pages; see tlb-group.h. */
#include "models/translation/tlb-group.h"

#include <stdlib.h>
#include <string.h>

#define GROUPS_FEW  4u /* invalidated by looking for them, not at all slots */
#define ONE(number) (UINT64_C(1) << (number))

static unsigned
log2_of(int64_t n)
{
	return 63u - (unsigned)__builtin_clzll((uint64_t)n);
}

int
tlb_group_init(struct tlb *tlb, const struct tlb_config *config)
{
	tlb->coalesces = config->coalesce > 1;
	tlb->page_shift = tlb->shift_of[0];
	tlb->group_shift =
		tlb->page_shift +
		log2_of(tlb->coalesces ? config->coalesce : config->sector);
	tlb->shift_of[0] = (uint8_t)tlb->group_shift;
	tlb->group = calloc(tlb->entries, sizeof(*tlb->group));
	if (!tlb->coalesces)
		tlb->group_frame =
			calloc((size_t)tlb->entries
				       << (tlb->group_shift - tlb->page_shift),
			       sizeof(*tlb->group_frame));
	return tlb->group && (tlb->coalesces || tlb->group_frame) ? 0 : -ENOMEM;
}

void
tlb_group_fini(struct tlb *tlb)
{
	free(tlb->group);
	free(tlb->group_frame);
}

/* Which page of its group? */
static unsigned
number_of(const struct tlb *tlb, uint64_t address)
{
	return (unsigned)(address >> tlb->page_shift) &
	       ((1u << (tlb->group_shift - tlb->page_shift)) - 1);
}

static uint64_t *
frame_at(const struct tlb *tlb, uint32_t slot, unsigned number)
{
	return &tlb->group_frame[((size_t)slot
				  << (tlb->group_shift - tlb->page_shift)) +
				 number];
}

static uint64_t
key_of(const struct tlb *tlb, uint64_t address, uint64_t asid, unsigned first)
{
	return tlb_key(address, tlb->group_shift, 0, asid) |
	       (uint64_t)first << tlb->page_shift;
}

uint32_t
tlb_group_find(const struct tlb *tlb, uint64_t address, uint64_t asid)
{
	unsigned number = number_of(tlb, address);
	unsigned first = tlb->coalesces ? number : 0;

	for (;; first--) {
		uint32_t slot = tlb_find(tlb, key_of(tlb, address, asid, first),
					 tlb->group_shift);

		if (slot != TLB_NO_SLOT && tlb->group[slot].valid & ONE(number))
			return slot;
		if (!first)
			return TLB_NO_SLOT;
	}
}

uint64_t
tlb_group_frame(const struct tlb *tlb, uint32_t slot, uint64_t address)
{
	unsigned number = number_of(tlb, address);
	unsigned first = number_of(tlb, tlb->column.tag[slot]);

	return tlb->coalesces
		       ? tlb->column.frame[slot] +
				 ((uint64_t)(number - first) << tlb->page_shift)
		       : *frame_at(tlb, slot, number);
}

bool
tlb_group_readonly(const struct tlb *tlb, uint32_t slot, uint64_t address)
{
	return tlb->group[slot].readonly & ONE(number_of(tlb, address));
}

void
tlb_group_run(const struct tlb *tlb, uint32_t slot, uint64_t address,
	      uint64_t *first, uint64_t *last)
{
	uint64_t page = address >> tlb->page_shift;
	uint64_t group = page - number_of(tlb, address);
	uint64_t valid = tlb->group[slot].valid;

	*first = *last = page;
	if (!tlb->coalesces)
		return;
	*first = group + (unsigned)__builtin_ctzll(valid);
	*last = group + log2_of((int64_t)valid);
}

static void
set_valid(struct tlb *tlb, uint32_t slot, uint64_t valid)
{
	unsigned before =
		(unsigned)__builtin_popcountll(tlb->group[slot].valid);
	unsigned after = (unsigned)__builtin_popcountll(valid);

	tlb->group[slot].valid = valid;
	tlb->bytes += (uint64_t)after << tlb->page_shift;
	tlb->bytes -= (uint64_t)before << tlb->page_shift;
	tlb->peak = tlb->bytes > tlb->peak ? tlb->bytes : tlb->peak;
}

void
tlb_group_clear(struct tlb *tlb, uint32_t slot)
{
	set_valid(tlb, slot, 0);
}

/* One page into its sector. */
static uint32_t
fill_sector(struct tlb *tlb, const struct tlb_group_page *page, uint64_t now)
{
	unsigned number = number_of(tlb, page->address);
	uint64_t key = key_of(tlb, page->address, page->asid, 0);
	uint32_t slot = tlb_find(tlb, key, tlb->group_shift);
	struct tlb_group *group;

	if (slot == TLB_NO_SLOT) {
		slot = tlb_fill(tlb, key, tlb->group_shift, now);
		set_valid(tlb, slot, 0);
		tlb->group[slot].readonly = 0;
	} else {
		tlb_touch(tlb, slot, now);
	}
	group = &tlb->group[slot];
	group->readonly &= ~ONE(number);
	group->readonly |= page->readonly ? ONE(number) : 0;
	set_valid(tlb, slot, group->valid | ONE(number));
	*frame_at(tlb, slot, number) = page->frame;
	return slot;
}

/* Entries of the group that have any of these pages go. */
static void
drop_overlapping(struct tlb *tlb, const struct tlb_group_page *page,
		 uint64_t valid)
{
	unsigned last = log2_of((int64_t)valid);

	for (unsigned first = 0; first <= last; first++) {
		uint32_t slot =
			tlb_find(tlb,
				 key_of(tlb, page->address, page->asid, first),
				 tlb->group_shift);

		if (slot != TLB_NO_SLOT && tlb->group[slot].valid & valid)
			tlb_drop(tlb, slot);
	}
}

static uint32_t
fill_coalesced(struct tlb *tlb, const struct tlb_group_page *page, uint64_t now)
{
	unsigned number = number_of(tlb, page->address);
	uint64_t at = page->address >> tlb->page_shift, group = at - number;
	unsigned first =
		page->first > group ? (unsigned)(page->first - group) : 0;
	unsigned most = (1u << (tlb->group_shift - tlb->page_shift)) - 1;
	unsigned last = page->last < group + most
				? (unsigned)(page->last - group)
				: most;
	uint64_t valid = (ONE(last) << 1) - ONE(first);
	uint32_t slot;

	drop_overlapping(tlb, page, valid);
	slot = tlb_fill(tlb, key_of(tlb, page->address, page->asid, first),
			tlb->group_shift, now);
	set_valid(tlb, slot, valid);
	tlb->group[slot].readonly = page->readonly ? valid : 0;
	tlb->column.frame[slot] =
		page->frame - ((uint64_t)(number - first) << tlb->page_shift);
	return slot;
}

uint32_t
tlb_group_fill(struct tlb *tlb, const struct tlb_group_page *page, uint64_t now)
{
	return tlb->coalesces ? fill_coalesced(tlb, page, now)
			      : fill_sector(tlb, page, now);
}

void
tlb_group_drop(struct tlb *tlb, uint32_t slot, uint64_t address)
{
	uint64_t valid = tlb->group[slot].valid & ~ONE(number_of(tlb, address));

	if (tlb->coalesces || !valid)
		tlb_drop(tlb, slot);
	else
		set_valid(tlb, slot, valid);
}

/* Pages [from, last] of one group, which the slot may have. */
static void
take_pages(struct tlb *tlb, uint32_t slot, uint64_t from, uint64_t last)
{
	uint64_t group = tlb->column.tag[slot] >> tlb->group_shift
							  << tlb->group_shift;
	uint64_t end = group + (ONE(tlb->group_shift) - 1);
	unsigned low = from > group ? number_of(tlb, from) : 0;
	unsigned high = number_of(tlb, last < end ? last : end);
	uint64_t gone = (ONE(high) << 1) - ONE(low);
	uint64_t valid = tlb->group[slot].valid;

	if (!(valid & gone))
		return;
	if (tlb->coalesces || !(valid & ~gone))
		tlb_drop(tlb, slot);
	else
		set_valid(tlb, slot, valid & ~gone);
}

static void
take_groups(struct tlb *tlb, uint64_t asid, uint64_t from, uint64_t last)
{
	unsigned n =
		tlb->coalesces ? 1u << (tlb->group_shift - tlb->page_shift) : 1;

	for (uint64_t group = from >> tlb->group_shift;
	     group <= last >> tlb->group_shift; group++)
		for (unsigned first = 0; first < n; first++) {
			uint32_t slot =
				tlb_find(tlb,
					 key_of(tlb, group << tlb->group_shift,
						asid, first),
					 tlb->group_shift);

			if (slot != TLB_NO_SLOT)
				take_pages(tlb, slot, from, last);
		}
}

static void
take_slot(struct tlb *tlb, uint32_t slot, uint64_t from, uint64_t last)
{
	uint64_t tag = tlb->column.tag[slot];
	unsigned code = tag >> TLB_SIZE_SHIFT & 3, shift = tlb->shift_of[code];
	uint64_t first = tag >> shift << shift;

	if (first > last || first + (ONE(shift) - 1) < from)
		return;
	if (code)
		tlb_drop(tlb, slot);
	else
		take_pages(tlb, slot, from, last);
}

void
tlb_group_invalidate(struct tlb *tlb, uint64_t asid, uint64_t from,
		     uint64_t last)
{
	bool few = (last >> tlb->group_shift) - (from >> tlb->group_shift) <
		   GROUPS_FEW;

	if (few)
		take_groups(tlb, asid, from, last);
	if (few && tlb->used_by[0] == tlb->used)
		return;
	for (uint32_t i = 0; i < tlb->entries; i++)
		if (tlb->column.tag[i] != TLB_FREE &&
		    (tlb->column.tag[i] & TLB_ASID_MASK) == asid)
			take_slot(tlb, i, from, last);
}
