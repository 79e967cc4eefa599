// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An access that no hint answers: through the levels, the walk caches and the
 * table, to a fault if need be, and into the queue of what is to be counted;
 * see core-miss.h.
 */
#include "models/translation/core-miss.h"

#include <assert.h>

#define LINE_ENTRIES 8u /* of a page table, in a line of the cache */

static void
activate(struct core_level *level)
{
	level->n_active = 0;
	for (unsigned i = 0; i < level->n; i++)
		if (*level->probe[i].used)
			level->active[level->n_active++] = level->probe[i];
}

void
core_activate(struct core *core)
{
	for (unsigned side = 0; side < CORE_SIDES; side++) {
		activate(&core->l1[side]);
		activate(&core->l2[side]);
	}
	core->sizes_changed = false;
	core->activated++;
}

/* A slot of one of the level's arrays; array NULL: it is in none. */
struct place {
	struct tlb *array;
	uint32_t slot;
	unsigned code;
};

/* The slot that has the page, in an array whose entries have several. */
static NOINLINE uint32_t
find_grouped(const struct core *core, const struct core_probe *probe,
	     const struct core_page *page)
{
	uint64_t asid = core_asid(core, page->address);
	struct tlb *tlb = probe->tlb;
	uint32_t slot;

	if (probe->code)
		return tlb_find(tlb,
				tlb_key(page->address, probe->shift,
					probe->code, asid),
				probe->shift);
	slot = tlb_group_find(tlb, page->address, asid);
	if (slot != TLB_NO_SLOT && page->write &&
	    tlb_group_readonly(tlb, slot, page->address)) {
		tlb_group_drop(tlb, slot, page->address);
		return TLB_NO_SLOT;
	}
	return slot;
}

static ALWAYS_INLINE struct place
level_find(const struct core *core, const struct core_level *level,
	   const struct core_page *page)
{
	const uint64_t asid = core_asid(core, page->address);

	for (unsigned i = 0; i < level->n_active; i++) {
		const struct core_probe *probe = &level->active[i];
		struct tlb *tlb = probe->tlb;
		uint32_t slot;

		slot = unlikely(tlb->group != NULL)
			       ? find_grouped(core, probe, page)
			       : tlb_find(tlb,
					  tlb_key(page->address, probe->shift,
						  probe->code, asid),
					  probe->shift);
		if (slot == TLB_NO_SLOT)
			continue;
		if (unlikely(tlb->column.tag[slot] & TLB_READONLY &&
			     page->write)) {
			tlb_drop(tlb, slot);
			continue;
		}
		return (struct place){ tlb, slot, probe->code };
	}
	return (struct place){ NULL, 0, 0 };
}

static NOINLINE void
drop_pieces(const struct core *core, const struct core_level *level,
	    uint64_t address, unsigned shift)
{
	for (unsigned i = 0; i < level->n; i++)
		tlb_invalidate(level->probe[i].tlb, core_asid(core, address),
			       address >> shift << shift, UINT64_C(1) << shift);
}

/* An entry of a first level serves all spaces if it is global. */
static void
cover_global(struct tlb *tlb, uint32_t slot)
{
	if ((tlb->column.tag[slot] & TLB_ASID_MASK) == TLB_ASID_GLOBAL)
		tlb->column.cover[slot] &= ~TLB_ASID_MASK;
}

static NOINLINE uint32_t
fill_grouped(const struct core *core, const struct core_page *page,
	     struct tlb *tlb, unsigned piece, bool readonly, uint64_t now)
{
	const struct tlb_group_page one = {
		.address = page->address,
		.frame = page->physical & ~core->offset_mask,
		.asid = core_asid(core, page->address),
		.first = page->run_first,
		.last = page->run_last,
		.readonly = readonly,
	};
	unsigned shift = tlb->shift_of[piece];
	uint32_t slot;

	if (!piece)
		return tlb_group_fill(tlb, &one, now);
	slot = tlb_fill(tlb, tlb_key(page->address, shift, piece, one.asid),
			shift, now);
	tlb_group_clear(tlb, slot);
	tlb->column.tag[slot] |= readonly ? TLB_READONLY : 0;
	tlb->column.frame[slot] = page->physical >> shift << shift;
	return slot;
}

/*
 * Enter a page of size code, whose byte at page->address is at
 * page->physical.
 */
static ALWAYS_INLINE struct place
level_fill(const struct core *core, const struct core_level *level,
	   const struct core_page *page, unsigned code, bool readonly,
	   uint64_t now)
{
	struct tlb *tlb = level->home[code];
	unsigned piece = level->piece[code], shift;
	struct place place = { tlb, 0, piece };

	if (!tlb)
		return place;
	shift = tlb->shift_of[piece];
	if (unlikely(level->overlaps[code]))
		drop_pieces(core, level, page->address, shift);
	if (unlikely(tlb->group != NULL)) {
		place.slot =
			fill_grouped(core, page, tlb, piece, readonly, now);
		return place;
	}
	place.slot = tlb_fill(tlb,
			      tlb_key(page->address, shift, piece,
				      core_asid(core, page->address)),
			      shift, now);
	if (unlikely(core->globals) && tlb->column.cover)
		cover_global(tlb, place.slot);
	tlb->column.tag[place.slot] |= readonly ? TLB_READONLY : 0;
	tlb->column.frame[place.slot] = page->physical >> shift << shift;
	return place;
}

static ALWAYS_INLINE void
set_hint(struct core *core, const struct core_page *page,
	 const struct place *place)
{
	uint64_t key = (page->address & PAGE_MASK) | core->asid;

	if (place->array)
		core->hint[core_hint_at(key, page->ref)] =
			(uint16_t)(place->slot + (place->array->column.tag -
						  core->l1_column.tag));
}

static uint64_t
physical_at(const struct place *place, uint64_t address)
{
	const struct tlb_columns *column = &place->array->column;

	if (unlikely(place->array->group && !place->code))
		return tlb_group_frame(place->array, place->slot, address) +
		       (address &
			((UINT64_C(1) << place->array->page_shift) - 1));
	return column->frame[place->slot] +
	       (address &
		((UINT64_C(1) << place->array->shift_of[place->code]) - 1));
}

static ALWAYS_INLINE bool
readonly_at(const struct place *place, uint64_t address)
{
	if (unlikely(place->array->group && !place->code))
		return tlb_group_readonly(place->array, place->slot, address);
	return place->array->column.tag[place->slot] & TLB_READONLY;
}

static struct site_count *
site_of(struct core *core, uint32_t ref)
{
	return &core->sites.count[SITE_INDEX(ref)];
}

static void
add_waits(struct core *core, struct core_misses *misses)
{
	for (unsigned i = 0; i < misses->n; i++)
		if (misses->walked[i])
			misses->cycles[i] += (uint32_t)
				walk_queue_enter(&core->queue,
						 misses->position[i] -
							 core->elsewhere,
						 misses->cycles[i]);
}

/* What each walk took, from what its references did. */
static void
add_costs(struct core *core)
{
	struct core_pending *pending = core->pending;
	struct core_misses *misses = &pending->misses;
	uint32_t overhead = (uint32_t)core->walker.overhead;

	if (core->flat)
		return;
	pending->cost[0] = 0;
	if (pending->queue.n) {
		hierarchy_run(core->hierarchy, &pending->queue);
		walker_charge(&core->walker, &pending->queue, pending->cost);
	}
	for (unsigned i = 0; i < pending->n_faulted; i++) {
		const uint32_t *cost =
			&pending->cost[pending->faulted_reference[i]];

		core->walker.faulted_cycles +=
			cost[pending->faulted_references[i]] - cost[0];
	}
	for (unsigned i = 0; i < misses->n; i++) {
		const uint32_t *cost = &pending->cost[pending->reference[i]];

		misses->cycles[i] = (misses->walked[i] ? overhead : 0) +
				    cost[pending->references[i]] - cost[0];
	}
	if (walk_queue_runs(&core->queue))
		add_waits(core, misses);
}

void
core_settle(struct core *core)
{
	struct core_pending *pending = core->pending;
	struct core_misses *misses = &pending->misses;

	add_costs(core);
	for (unsigned i = 0; i < misses->n; i++) {
		struct site_count *site = site_of(core, misses->site[i]);
		bool walked = misses->walked[i];

		site->l1_misses++;
		site->walks += walked;
		site->cycles += misses->cycles[i];
		if (!core->flat &&
		    unlikely(walker_count(&core->walker, pending->references[i],
					  misses->cycles[i], walked)))
			core->error = -ENOMEM;
	}
	misses->space = core->space;
	if (misses->n)
		core->kernel.missed(core->kernel.context, misses);
	misses->n = misses->n_first = pending->n_faulted = 0;
	pending->queue.n = 0;
	pending->queue.data = false;
}

/* The program was denied the access: a miss that no walk resolved. */
static NOINLINE void
count_untranslated(struct core *core, const struct core_page *page)
{
	struct site_count *site = site_of(core, page->ref);
	struct core_misses *misses = &core->pending->misses;

	core_settle(core);
	core_add_miss(core, page, true, 0, 0);
	misses->cycles[0] = 0;
	misses->space = core->space;
	site->l1_misses++;
	site->walks++;
	core->counts.untranslated++;
	core->kernel.missed(core->kernel.context, misses);
	misses->n = 0;
}

/* Let the kernel answer a walk that found no page.  0 or an error. */
static NOINLINE int
fault(struct core *core, const struct core_page *page,
      const struct table_reference *references, unsigned n,
      struct mapping *mapping)
{
	struct core_pending *pending = core->pending;
	unsigned i = pending->n_faulted;

	pending->faulted_reference[i] = (uint16_t)pending->queue.n;
	pending->faulted_references[i] = (uint16_t)n;
	pending->n_faulted += !core->flat;
	core_queue_walk(core, references, n);
	walker_fault(&core->walker, n);
	if (core->flat)
		core->walker.faulted_cycles +=
			walker_flat_cost(&core->walker,
					 walker_steps(references, n)) -
			core->walker.overhead;
	if (core_tell(core, page->position))
		return -ENOMEM;
	return core->kernel.fault(core->kernel.context, core->space,
				  page->address, SITE_KIND(page->ref),
				  page->position, mapping);
}

/* Is that page in a row with the one that a walk found? */
static bool
in_row(const struct core *core, uint64_t number, const struct core_page *page,
       const struct mapping *mapping)
{
	struct table_reference references[TABLE_REFERENCES_MAX];
	unsigned least = core->walker.pwc.granule;
	struct mapping other;

	core->table->ops->walk(core->table, number << least, references,
			       &other);
	return other.shift == least && other.accessed &&
	       other.writable == mapping->writable &&
	       other.frame ==
		       mapping->frame + ((number << least) -
					 (page->address & ~core->offset_mask));
}

/* Pages around the one that was found: of a large one, or of its line. */
static NOINLINE void
find_run(const struct core *core, struct core_page *page,
	 const struct mapping *mapping)
{
	unsigned least = core->walker.pwc.granule;
	uint64_t number = page->address >> least, first = number, last = number;
	uint64_t pages = UINT64_C(1) << (mapping->shift - least);

	if (pages > 1) {
		page->run_first = number & ~(pages - 1);
		page->run_last = number | (pages - 1);
		return;
	}
	/* Under a guest's table `walk` does not tell the frames: no rows. */
	if (in_row(core, number, page, mapping)) {
		while (first % LINE_ENTRIES &&
		       in_row(core, first - 1, page, mapping))
			first--;
		while ((last + 1) % LINE_ENTRIES &&
		       in_row(core, last + 1, page, mapping))
			last++;
	}
	page->run_first = first;
	page->run_last = last;
}

/* ... of what a second-level entry has. */
static NOINLINE void
run_of_hit(const struct core *core, struct core_page *page,
	   const struct place *at)
{
	unsigned least = core->walker.pwc.granule;
	uint64_t number = page->address >> least;
	uint64_t pages = UINT64_C(1)
			 << (tlb_page_shift(least, at->code) - least);

	if (at->array->group && !at->code) {
		tlb_group_run(at->array, at->slot, page->address,
			      &page->run_first, &page->run_last);
		return;
	}
	page->run_first = number & ~(pages - 1);
	page->run_last = number | (pages - 1);
}

int
core_resolve(struct core *core, struct core_page *page,
	     struct table_reference *references, unsigned n,
	     struct mapping *mapping)
{
	struct place place;
	unsigned code;

	if (unlikely(core_denied(page, mapping))) {
		int error = fault(core, page, references, n, mapping);

		if (error)
			return error;
		if (core_denied(page, mapping)) {
			count_untranslated(core, page);
			return 0;
		}
		n = walker_find(&core->walker, core->table, page->address,
				core->asid, references, mapping);
		assert(!core_denied(page, mapping));
	}
	core_add_walk(core, page, references, n, mapping);
	code = tlb_page_code(core->walker.pwc.granule, mapping->shift);
	core->counts.walks[code]++;
	page->found = true;
	page->physical =
		mapping->frame +
		(page->address & ((UINT64_C(1) << mapping->shift) - 1));
	if (unlikely(core->grouped))
		find_run(core, page, mapping);
	level_fill(core, &core->l2[page->side], page, code, !mapping->writable,
		   core->l2_now);
	place = level_fill(core, &core->l1[page->side], page, code,
			   !mapping->writable, page->stamp);
	set_hint(core, page, &place);
	return 0;
}

static ALWAYS_INLINE void
l2_hit(struct core *core, struct core_page *page, const struct place *at)
{
	bool readonly = readonly_at(at, page->address);
	struct place place;

	core->counts.l2_hits[page->side][at->code]++;
	core->counts.l2_cycles += at->array->latency;
	core_add_miss(core, page, false, 0, 0);
	page->found = true;
	page->physical = physical_at(at, page->address);
	tlb_touch(at->array, at->slot, core->l2_now);
	if (unlikely(core->grouped))
		run_of_hit(core, page, at);
	place = level_fill(core, &core->l1[page->side], page, at->code,
			   readonly, page->stamp);
	set_hint(core, page, &place);
}

bool
core_second_has(const struct core *core, enum core_side side, uint64_t address)
{
	const struct core_page page = { .address = address, .side = side };

	return level_find(core, &core->l2[side], &page).array;
}

/* Has what is beside the second level the page? */
static NOINLINE bool
lookup_beside(struct core *core, struct core_page *page)
{
	struct beside_found found;
	struct place place;

	if (!core_beside_find(core, page, &found))
		return false;
	core->counts.l2_hits[page->side][found.code]++;
	core->counts.l2_cycles += found.latency;
	/* no walk of its own told the kernel part that it was touched */
	core_add_first(core, core_add_miss(core, page, false, 0, 0));
	page->found = true;
	page->physical = found.physical;
	page->run_first = page->run_last =
		page->address >> core->walker.pwc.granule;
	if (found.second)
		level_fill(core, &core->l2[page->side], page, found.code,
			   found.readonly, core->l2_now);
	place = level_fill(core, &core->l1[page->side], page, found.code,
			   found.readonly, page->stamp);
	set_hint(core, page, &place);
	core_beside_used(core, page, &found);
	return true;
}

/* A walk whose page may bring more to what is beside the second level. */
static NOINLINE int
walk_beside(struct core *core, struct core_page *page)
{
	struct table_reference references[TABLE_REFERENCES_MAX];
	struct mapping mapping;
	unsigned n = walker_find(&core->walker, core->table, page->address,
				 core->asid, references, &mapping);
	int error = core_resolve(core, page, references, n, &mapping);

	if (!error && page->found)
		core_beside_walked(core, page, &mapping);
	return error;
}

/* The first level does not have it. */
static ALWAYS_INLINE int
lookup_l2(struct core *core, struct core_page *page)
{
	struct place at = level_find(core, &core->l2[page->side], page);
	struct table_reference references[TABLE_REFERENCES_MAX];
	struct mapping mapping;
	unsigned n;

	core_make_room(core, 1, 2 * core->table->most);
	core->counts.l1_misses[page->side]++;
	core->l2_now++;
	if (at.array) {
		l2_hit(core, page, &at);
		return 0;
	}
	if (unlikely(core->beside != NULL)) {
		if (lookup_beside(core, page))
			return 0;
		core->counts.l2_misses[page->side]++;
		return walk_beside(core, page);
	}
	core->counts.l2_misses[page->side]++;
	n = walker_find(&core->walker, core->table, page->address, core->asid,
			references, &mapping);
	return core_resolve(core, page, references, n, &mapping);
}

/* One page of one access, without hints. */
static ALWAYS_INLINE int
lookup_page(struct core *core, struct core_page *page)
{
	struct place at;

	if (unlikely(core->sizes_changed))
		core_activate(core);
	at = level_find(core, &core->l1[page->side], page);

	if (!at.array)
		return lookup_l2(core, page);
	at.slot = tlb_touch(at.array, at.slot, page->stamp);
	core->counts.l1_large[page->side][at.code]++;
	page->found = true;
	page->physical = physical_at(&at, page->address);
	set_hint(core, page, &at);
	return 0;
}

void
core_reference_detailed(struct core *core, uint64_t physical, uint64_t address,
			uint64_t bytes, uint32_t ref)
{
	uint64_t step = UINT64_C(1) << core->line_shift[core_side_of(ref)];

	bytes += !bytes;
	while (bytes) {
		uint64_t here = step - (physical & (step - 1));

		here = here < bytes ? here : bytes;
		hierarchy_access_detailed(core->hierarchy, physical, address,
					  (unsigned)here, core_use_of(ref));
		physical += here;
		address += here;
		bytes -= here;
	}
}

/* The data of a page that was looked up. */
static ALWAYS_INLINE void
refer(struct core *core, const struct core_page *page, uint64_t bytes)
{
	if (!core->heavy && core->pending->queue.n &&
	    (core->data_cached || core->plain))
		core_settle(core);
	if (!core->data_cached || !page->found)
		return;
	if (unlikely(core->hierarchy->details))
		core_reference_detailed(core, page->physical, page->address,
					bytes, page->ref);
	else
		core_reference(core, page->physical, bytes, page->ref,
			       core->heavy);
}

/*
 * An access that crosses pages: page by page.  Each beyond the first advances
 * core->now, so that stamps stay in order.
 */
static NOINLINE int
lookup_pages(struct core *core, struct core_page *page, uint64_t bytes)
{
	uint64_t last = page->address + bytes - 1;
	int error;

	if (last < page->address)
		last = UINT64_MAX;
	for (;;) {
		uint64_t end = page->address | core->offset_mask;

		page->found = false;
		error = lookup_page(core, page);
		if (error)
			return error;
		refer(core, page,
		      (last < end ? last : end) - page->address + 1);
		if (last <= end)
			return 0;
		page->address = end + 1;
		page->stamp++;
		core->now++;
		core->counts.crossings++;
		core->counts.lookups[page->side]++;
	}
}

int
core_lookup(struct core *core, const struct batch *batch, uint32_t i,
	    uint32_t from)
{
	uint32_t ref = batch->site[i];
	uint64_t address = batch->address[i];
	uint64_t bytes = core->sites.bytes[SITE_INDEX(ref)];
	struct core_page page = { .address = address,
				  .position = core->position + i - from,
				  .stamp = core->now + i,
				  .ref = ref,
				  .side = core_side_of(ref),
				  .write = core_writes(ref) };
	int error;

	bytes += !bytes;
	if (unlikely((address & core->offset_mask) + bytes >
			     core->offset_mask + 1 &&
		     page.side == CORE_DATA))
		return lookup_pages(core, &page, bytes);
	error = lookup_page(core, &page);
	if (!error)
		refer(core, &page, bytes);
	return error;
}
