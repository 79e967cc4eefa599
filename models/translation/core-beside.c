// SPDX-License-Identifier: GPL-2.0-or-later
/* Ranges and prefetched pages beside the second level; see core-beside.h. */
#include "models/translation/core-beside.h"

#include <stdlib.h>

#include "analyzer/fail.h"
#include "models/memory/numa-copies.h"
#include "models/memory/numa.h"
#include "models/translation/core-miss.h"

int
core_beside_open(struct core_beside **out, const struct beside_config *config)
{
	struct core_beside *beside;
	int error;

	*out = NULL;
	if (!config->range.entries && config->prefetch.kind == PREFETCH_NONE)
		return 0;
	beside = calloc(1, sizeof(*beside));
	if (!beside)
		return fail(ENOMEM, "machine: no memory for ranges");
	error = range_tlb_init(&beside->range, &config->range);
	if (!error)
		error = prefetch_init(&beside->prefetch, &config->prefetch);
	if (error) {
		core_beside_close(beside);
		return error;
	}
	*out = beside;
	return 0;
}

void
core_beside_close(struct core_beside *beside)
{
	if (!beside)
		return;
	range_tlb_fini(&beside->range);
	prefetch_fini(&beside->prefetch);
	recency_fini(&beside->recency);
	free(beside);
}

/* Cycles of this core's clock, if it has one. */
static uint64_t
now_of(const struct core *core, const struct core_page *page)
{
	return (uint64_t)((double)(page->position - core->elsewhere) *
			  core->queue.cycles_per_access);
}

static bool
find_prefetched(struct core *core, const struct core_page *page,
		struct beside_found *found)
{
	struct prefetch *prefetch = &core->beside->prefetch;
	struct prefetch_entry *entry =
		prefetch_find(prefetch,
			      (uint32_t)core_asid(core, page->address),
			      page->address);

	if (!entry)
		return false;
	if (entry->readonly && page->write) {
		entry->shift = 0;
		return false;
	}
	*found = (struct beside_found){
		.physical = entry->frame + (page->address - entry->page),
		.code = tlb_page_code(core->walker.pwc.granule, entry->shift),
		.latency = core->tlb[CORE_L2].latency,
		.readonly = entry->readonly,
		.second = true,
	};
	prefetch->useful++;
	prefetch->late += now_of(core, page) < entry->ready;
	entry->shift = 0;
	return true;
}

bool
core_beside_find(struct core *core, const struct core_page *page,
		 struct beside_found *found)
{
	struct core_beside *beside = core->beside;

	if (beside->prefetch.kind != PREFETCH_NONE &&
	    find_prefetched(core, page, found))
		return true;
	*found = (struct beside_found){ .latency = beside->range.latency };
	return range_tlb_find(&beside->range,
			      (uint32_t)core_asid(core, page->address),
			      page->address, page->write, &found->physical,
			      &found->readonly);
}

/* The walk of a prefetch goes through walk caches and caches at once. */
static void
fetch_ahead(struct core *core, const struct core_page *page, uint64_t address)
{
	struct prefetch *prefetch = &core->beside->prefetch;
	const struct numa *numa = core->hierarchy->numa;
	struct table_reference references[TABLE_REFERENCES_MAX];
	uint64_t asid = core_asid(core, address), cycles;
	struct mapping mapping;
	unsigned n;

	if (prefetch_find(prefetch, (uint32_t)asid, address) ||
	    core_second_has(core, page->side, address))
		return;
	core_settle(core);
	core->ahead = true;
	n = walker_find(&core->walker, core->table, address, core->asid,
			references, &mapping);
	core->ahead = false;
	cycles = core->walker.overhead;
	for (unsigned i = 0; i < n; i++) {
		uint64_t physical = references[i].address;
		enum hierarchy_place place;

		if (unlikely(numa) && numa->redirects)
			physical = numa_copies_read(numa->redirects, physical);
		cycles += hierarchy_access(core->hierarchy, physical, USE_WALK,
					   &place);
	}
	prefetch->references += n;
	prefetch->cycles += cycles;
	if (!mapping.shift) {
		prefetch->absent++;
		return;
	}
	prefetch->issued++;
	prefetch_put(prefetch,
		     &(struct prefetch_entry){
			     .page = address >> mapping.shift << mapping.shift,
			     .frame = mapping.frame,
			     .ready = now_of(core, page) + cycles,
			     .asid = (uint32_t)asid,
			     .shift = mapping.shift,
			     .readonly = !mapping.writable });
}

/* The page that the last fill drove out of an array goes on its space's stack. */
static void
note_left(struct core *core, const struct tlb *tlb)
{
	uint64_t tag = tlb->evicted, asid = tag & TLB_ASID_MASK;
	unsigned shift = tlb->shift_of[tag >> TLB_SIZE_SHIFT & 3];
	uint32_t space;

	if (tag == TLB_FREE || asid == TLB_ASID_GLOBAL)
		return;
	space = core->asid_space[asid];
	if (space != SPACE_NONE && recency_left(&core->beside->recency, space,
						tag >> shift << shift) < 0)
		core->error = fail(ENOMEM, "machine: no memory for recency");
}

/* A page of this size came into the last level, where it is in pieces or whole. */
static unsigned
predict_recency(struct core *core, const struct core_page *page, unsigned code,
		uint64_t *wanted)
{
	const struct core_level *level = &core->l2[page->side];
	unsigned n, shift;

	if (!level->home[code])
		level = &core->l1[page->side];
	if (!level->home[code])
		return 0;
	shift = level->home[code]->shift_of[level->piece[code]];
	n = core_asid(core, page->address) == TLB_ASID_GLOBAL
		    ? 0
		    : recency_missed(&core->beside->recency, core->space,
				     page->address >> shift << shift, wanted);
	note_left(core, level->home[code]);
	return n;
}

/* A page of size code came in. */
static void
predict(struct core *core, const struct core_page *page, unsigned code)
{
	unsigned shift = tlb_page_shift(core->walker.pwc.granule, code);
	uint64_t wanted[PREFETCH_PAGES_MAX];
	unsigned n = core->beside->prefetch.kind == PREFETCH_RECENCY
			     ? predict_recency(core, page, code, wanted)
			     : prefetch_predict(&core->beside->prefetch,
						SITE_INDEX(page->ref),
						page->address, shift, wanted);

	for (unsigned i = 0; i < n; i++)
		fetch_ahead(core, page, wanted[i]);
}

void
core_beside_walked(struct core *core, const struct core_page *page,
		   const struct mapping *mapping)
{
	struct core_beside *beside = core->beside;

	if (beside->range.entries &&
	    range_tlb_walk(&beside->range, core->table, core->space,
			   (uint32_t)core_asid(core, page->address),
			   page->address, mapping))
		core->error = -ENOMEM;
	predict(core, page,
		tlb_page_code(core->walker.pwc.granule, mapping->shift));
}

void
core_beside_used(struct core *core, const struct core_page *page,
		 const struct beside_found *found)
{
	if (found->second)
		predict(core, page, found->code);
}

void
core_beside_flush_asid(struct core_beside *beside, uint64_t asid)
{
	range_tlb_flush_asid(&beside->range, (uint32_t)asid);
	prefetch_invalidate(&beside->prefetch, (uint32_t)asid, 0, UINT64_MAX);
}

int
core_beside_invalidate(struct core_beside *beside, uint32_t space,
		       uint64_t asid, uint64_t address, uint64_t length)
{
	if (asid != UINT64_MAX) {
		range_tlb_invalidate(&beside->range, (uint32_t)asid, address,
				     length);
		prefetch_invalidate(&beside->prefetch, (uint32_t)asid, address,
				    length);
	}
	return range_tlb_forget(&beside->range, space, address, length);
}

void
core_beside_add(struct core_beside *beside, const struct core_beside *other)
{
	if (!beside || !other)
		return;
	beside->range.used += other->range.used;
	beside->range.pages += other->range.pages;
	beside->range.peak += other->range.peak;
	beside->range.hits += other->range.hits;
	beside->range.walks += other->range.walks;
	beside->prefetch.issued += other->prefetch.issued;
	beside->prefetch.useful += other->prefetch.useful;
	beside->prefetch.late += other->prefetch.late;
	beside->prefetch.absent += other->prefetch.absent;
	beside->prefetch.references += other->prefetch.references;
	beside->prefetch.cycles += other->prefetch.cycles;
}

static int
finish_ranges(const struct range_tlb *range, struct result *result)
{
	int error =
		result_count(result, "tlb.range.hits", range->hits, "lookups");

	return error ? error
		     : result_count(result, "tlb.range.walks", range->walks,
				    "walks");
}

static int
finish_prefetch(const struct prefetch *prefetch, bool timed,
		struct result *result)
{
	const struct {
		const char *name, *unit;
		uint64_t value;
	} rows[] = {
		{ "tlb.prefetch.issued", "walks", prefetch->issued },
		{ "tlb.prefetch.useful", "walks", prefetch->useful },
		{ "tlb.prefetch.absent", "walks", prefetch->absent },
		{ "tlb.prefetch.references", "references",
		  prefetch->references },
		{ "tlb.prefetch.cycles", "cycles", prefetch->cycles },
	};
	int error = 0;

	for (size_t i = 0; !error && i < ARRAY_SIZE(rows); i++)
		error = result_count(result, rows[i].name, rows[i].value,
				     rows[i].unit);
	if (error)
		return error;
	return timed ? result_count(result, "tlb.prefetch.late", prefetch->late,
				    "walks")
		     : result_absent(result, "tlb.prefetch.late",
				     "walker.cycles-per-access is 0: there is "
				     "no clock");
}

int
core_beside_finish(const struct core_beside *beside, bool timed,
		   struct result *result)
{
	int error = 0;

	if (beside && beside->range.entries)
		error = finish_ranges(&beside->range, result);
	if (!error && beside && beside->prefetch.kind != PREFETCH_NONE)
		error = finish_prefetch(&beside->prefetch, timed, result);
	return error;
}
