// SPDX-License-Identifier: GPL-2.0-or-later
/* A TLB of ranges; see range-tlb.h. */
#include "models/translation/range-tlb.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

#define PAGE_SHIFT 12u

const struct option_row range_tlb_rows[] = {
	{ .name = "entries",
	  .type = OPTION_INT,
	  .offset = offsetof(struct range_tlb_config, entries),
	  .fallback = "0",
	  .max = RANGE_TLB_MAX,
	  .unit = "entries",
	  .help = "ranges that it holds, LRU, 0: there is none" },
	{ .name = "least",
	  .type = OPTION_INT,
	  .offset = offsetof(struct range_tlb_config, least),
	  .fallback = "8",
	  .min = 2,
	  .max = 1048576,
	  .unit = "pages",
	  .help = "4K pages of the smallest range" },
	{ .name = "latency",
	  .type = OPTION_INT,
	  .offset = offsetof(struct range_tlb_config, latency),
	  .fallback = "9",
	  .max = 10000,
	  .unit = "cycles",
	  .help = "what a hit here adds to the access" },
	{ NULL },
};

int
range_tlb_init(struct range_tlb *tlb, const struct range_tlb_config *config)
{
	*tlb = (struct range_tlb){ .entries = (uint32_t)config->entries,
				   .least = (uint64_t)config->least,
				   .latency = (unsigned)config->latency };
	if (!tlb->entries)
		return 0;
	tlb->entry = calloc(tlb->entries, sizeof(*tlb->entry));
	return tlb->entry ? 0 : fail(ENOMEM, "machine: no memory for ranges");
}

void
range_tlb_fini(struct range_tlb *tlb)
{
	free(tlb->entry);
	free(tlb->known);
	*tlb = (struct range_tlb){ .entries = 0 };
}

static bool
holds(const struct range *range, uint32_t owner, uint64_t page)
{
	return range->owner == owner && range->first <= page &&
	       page <= range->last;
}

bool
range_tlb_find(struct range_tlb *tlb, uint32_t asid, uint64_t address,
	       bool write, uint64_t *physical, bool *readonly)
{
	uint64_t page = address >> PAGE_SHIFT;

	for (uint32_t i = 0; i < tlb->used; i++) {
		struct range *range = &tlb->entry[i];

		if (!holds(range, asid, page) || (write && !range->writable))
			continue;
		range->stamp = ++tlb->now;
		*physical =
			range->frame + (address - (range->first << PAGE_SHIFT));
		*readonly = !range->writable;
		tlb->hits++;
		return true;
	}
	return false;
}

/* The first known range of the owner that ends at the page or after. */
static size_t
seek(const struct range_tlb *tlb, uint32_t owner, uint64_t page)
{
	size_t low = 0, high = tlb->n_known;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const struct range *range = &tlb->known[middle];

		if (range->owner < owner ||
		    (range->owner == owner && range->last < page))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int
insert(struct range_tlb *tlb, size_t at, const struct range *range)
{
	if (tlb->n_known == tlb->room) {
		size_t room = tlb->room ? 2 * tlb->room : 64;
		struct range *grown =
			reallocarray(tlb->known, room, sizeof(*grown));

		if (!grown)
			return fail(ENOMEM, "machine: no memory for ranges");
		tlb->known = grown;
		tlb->room = room;
	}
	memmove(&tlb->known[at + 1], &tlb->known[at],
		(tlb->n_known - at) * sizeof(*tlb->known));
	tlb->known[at] = *range;
	tlb->n_known++;
	return 0;
}

static void
erase(struct range_tlb *tlb, size_t from, size_t to)
{
	if (from == to)
		return;
	memmove(&tlb->known[from], &tlb->known[to],
		(tlb->n_known - to) * sizeof(*tlb->known));
	tlb->n_known -= to - from;
}

/* Is that page in a row with the range?  Then the range takes it, and what is
 * known or large around it.  down: it is the one before, else the one behind. */
static bool
take_in(const struct range_tlb *tlb, struct table *table, struct range *range,
	bool down)
{
	struct table_reference references[TABLE_REFERENCES_MAX];
	uint64_t page = down ? range->first - 1 : range->last + 1;
	uint64_t frame = range->frame + ((page - range->first) << PAGE_SHIFT);
	uint64_t first, last;
	size_t at = seek(tlb, range->owner, page);
	struct mapping mapping;

	if ((down && !range->first) || (!down && !page))
		return false;
	if (at < tlb->n_known && holds(&tlb->known[at], range->owner, page)) {
		const struct range *other = &tlb->known[at];

		if (other->writable != range->writable ||
		    other->frame + ((page - other->first) << PAGE_SHIFT) !=
			    frame)
			return false;
		first = other->first;
		last = other->last;
	} else {
		uint64_t pages;

		table->ops->walk(table, page << PAGE_SHIFT, references,
				 &mapping);
		if (!mapping.shift || mapping.writable != range->writable)
			return false;
		pages = UINT64_C(1) << (mapping.shift - PAGE_SHIFT);
		if (mapping.frame + ((page & (pages - 1)) << PAGE_SHIFT) !=
		    frame)
			return false;
		first = page & ~(pages - 1);
		last = page | (pages - 1);
	}
	range->frame -= down ? (range->first - first) << PAGE_SHIFT : 0;
	range->first = down ? first : range->first;
	range->last = down ? range->last : last;
	return true;
}

static uint64_t
length_of(const struct range *range)
{
	return range->last - range->first + 1;
}

static struct range *
make_room(struct range_tlb *tlb)
{
	struct range *best = tlb->entry;

	if (tlb->used < tlb->entries)
		return &tlb->entry[tlb->used++];
	for (uint32_t i = 1; i < tlb->used; i++)
		if (tlb->entry[i].stamp < best->stamp)
			best = &tlb->entry[i];
	tlb->pages -= length_of(best);
	return best;
}

/* Entries that the range takes in go. */
static void
enter(struct range_tlb *tlb, const struct range *range, uint32_t asid)
{
	struct range *entry;

	range_tlb_invalidate(tlb, asid, range->first << PAGE_SHIFT,
			     (range->last - range->first + 1) << PAGE_SHIFT);
	entry = make_room(tlb);
	*entry = *range;
	tlb->pages += length_of(range);
	tlb->peak = tlb->pages > tlb->peak ? tlb->pages : tlb->peak;
	entry->owner = asid;
	entry->stamp = ++tlb->now;
}

int
range_tlb_walk(struct range_tlb *tlb, struct table *table, uint32_t space,
	       uint32_t asid, uint64_t address, const struct mapping *mapping)
{
	uint64_t pages = UINT64_C(1) << (mapping->shift - PAGE_SHIFT);
	uint64_t page = address >> PAGE_SHIFT;
	struct range range = { .first = page & ~(pages - 1),
			       .last = page | (pages - 1),
			       .frame = mapping->frame,
			       .writable = mapping->writable,
			       .owner = space };
	struct table_reference references[TABLE_REFERENCES_MAX];
	struct mapping told;
	size_t from, to;

	tlb->walks++;
	table->ops->walk(table, address, references, &told);
	if (told.frame != mapping->frame)
		return 0; /* under a guest's table it does not tell */
	while (take_in(tlb, table, &range, true))
		;
	while (take_in(tlb, table, &range, false))
		;
	if (length_of(&range) < tlb->least)
		return 0;
	enter(tlb, &range, asid);
	from = seek(tlb, space, range.first);
	for (to = from; to < tlb->n_known && tlb->known[to].owner == space &&
			tlb->known[to].first <= range.last;)
		to++;
	erase(tlb, from, to);
	return insert(tlb, from, &range);
}

void
range_tlb_flush_asid(struct range_tlb *tlb, uint32_t asid)
{
	range_tlb_invalidate(tlb, asid, 0, UINT64_MAX);
}

static uint64_t
end_of(uint64_t address, uint64_t length)
{
	uint64_t last = address + (length - 1);

	return (last < address ? UINT64_MAX : last) >> PAGE_SHIFT;
}

int
range_tlb_forget(struct range_tlb *tlb, uint32_t space, uint64_t address,
		 uint64_t length)
{
	uint64_t from = length == UINT64_MAX ? 0 : address >> PAGE_SHIFT;
	uint64_t last =
		length == UINT64_MAX ? UINT64_MAX : end_of(address, length);
	size_t at = seek(tlb, space, from);

	while (at < tlb->n_known && tlb->known[at].owner == space &&
	       tlb->known[at].first <= last) {
		struct range range = tlb->known[at], behind = range;
		int error = 0;

		erase(tlb, at, at + 1);
		behind.first = last + 1;
		behind.frame += (behind.first - range.first) << PAGE_SHIFT;
		range.last = from - 1;
		if (behind.last > last)
			error = insert(tlb, at, &behind);
		if (!error && range.first < from)
			error = insert(tlb, at++, &range);
		if (error || behind.last > last)
			return error;
	}
	return 0;
}

void
range_tlb_invalidate(struct range_tlb *tlb, uint32_t asid, uint64_t address,
		     uint64_t length)
{
	uint64_t from = address >> PAGE_SHIFT, last = end_of(address, length);

	for (uint32_t i = tlb->used; i--;) {
		const struct range *range = &tlb->entry[i];

		if (range->owner == asid && range->first <= last &&
		    range->last >= from) {
			tlb->pages -= length_of(range);
			tlb->entry[i] = tlb->entry[--tlb->used];
		}
	}
}
