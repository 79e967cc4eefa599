// SPDX-License-Identifier: GPL-2.0-or-later
/* What a core counted, as values and tables of the result. */
#include "models/translation/core.h"

#include <assert.h>
#include <stdio.h>

static const char *const size_names[TLB_SIZES] = { "4k", "2m", "1g" };

/* ... of granules of 4K, 16K and 64K. */
static const char *const page_names[3][TLB_SIZES] = {
	{ "4k", "2m", "1g" },
	{ "16k", "2m", "32m" },
	{ "64k", "2m", "512m" },
};

static int
put(struct result *result, const char *prefix, const char *name, uint64_t value,
    const char *unit)
{
	char full[128];

	snprintf(full, sizeof(full), "%s.%s", prefix, name);
	return result_count(result, full, value, unit);
}

static int
put_rates(struct result *result, const char *prefix, uint64_t lookups,
	  uint64_t misses)
{
	int error = put(result, prefix, "lookups", lookups, "lookups");

	if (!error)
		error = put(result, prefix, "hits", lookups - misses,
			    "lookups");
	return error ? error : put(result, prefix, "misses", misses, "lookups");
}

static uint64_t
sum_sizes(const uint64_t *hits)
{
	return hits[0] + hits[1] + hits[2];
}

/* First-level hits by size: the 4K ones are all that were not larger. */
static void
l1_hits(const struct core *core, enum core_side side, uint64_t *hits)
{
	const struct core_counts *counts = &core->counts;

	hits[1] = counts->l1_large[side][1];
	hits[2] = counts->l1_large[side][2];
	hits[0] = counts->lookups[side] - counts->l1_misses[side] - hits[1] -
		  hits[2];
}

static int
put_sizes(struct result *result, const char *prefix, const uint64_t *hits)
{
	int error = 0;

	for (unsigned code = 0; !error && code < TLB_SIZES; code++) {
		char name[32];

		snprintf(name, sizeof(name), "hits.%s", size_names[code]);
		error = put(result, prefix, name, hits[code], "lookups");
	}
	return error;
}

/* Hits of each level by their latencies, and walks. */
static uint64_t
translation_cycles(const struct core *core)
{
	const struct core_counts *c = &core->counts;

	return (c->lookups[CORE_DATA] - c->l1_misses[CORE_DATA]) *
		       core->tlb[CORE_L1D].latency +
	       (c->lookups[CORE_FETCH] - c->l1_misses[CORE_FETCH]) *
		       core->tlb[CORE_L1I].latency +
	       c->l2_cycles + core->walker.cycles;
}

uint64_t
core_accesses(const struct core *core)
{
	const uint64_t *kinds = core->counts.kinds;

	return kinds[0] + kinds[1] + kinds[2] + kinds[3];
}

static void
add_reach(struct core_reach *reach, const struct tlb *tlb)
{
	reach->entries += tlb->used;
	reach->bytes += tlb->bytes;
	reach->peak += tlb->peak;
}

int
core_add(struct core *core, const struct core *other)
{
	uint64_t *to = (uint64_t *)&core->counts;
	const uint64_t *from = (const uint64_t *)&other->counts;

	static_assert(sizeof(core->counts) % sizeof(*to) == 0,
		      "counts are of one type");
	for (size_t i = 0; i < sizeof(core->counts) / sizeof(*to); i++)
		to[i] += from[i];
	for (unsigned i = 0; i < CORE_ARRAYS; i++)
		add_reach(&core->added[i], &other->tlb[i]);
	core_beside_add(core->beside, other->beside);
	walk_queue_add(&core->queue, &other->queue);
	return walker_add(&core->walker, &other->walker);
}

static int
finish_accesses(const struct core *core, struct result *result)
{
	const struct core_counts *c = &core->counts;
	const struct {
		const char *name;
		uint64_t value;
		const char *unit;
	} rows[] = {
		{ "accesses", core_accesses(core), "accesses" },
		{ "accesses.load", c->kinds[SITE_LOAD], "accesses" },
		{ "accesses.store", c->kinds[SITE_STORE], "accesses" },
		{ "accesses.modify", c->kinds[SITE_MODIFY], "accesses" },
		{ "accesses.fetch", c->kinds[SITE_FETCH], "accesses" },
		{ "accesses.crossing", c->crossings, "lookups" },
		{ "accesses.denied", c->untranslated, "lookups" },
		{ "instructions", c->instructions, "instructions" },
		{ "tlb.switches", c->switches, "switches" },
		{ "tlb.invalidations", c->flushes, "invalidations" },
		{ "translation.cycles", translation_cycles(core), "cycles" },
	};
	int error = 0;

	for (size_t i = 0; !error && i < ARRAY_SIZE(rows); i++)
		error = result_count(result, rows[i].name, rows[i].value,
				     rows[i].unit);
	return error;
}

static int
no_second_level(struct result *result)
{
	static const char *const names[] = {
		"tlb.l2.lookups",     "tlb.l2.hits",	     "tlb.l2.misses",
		"tlb.l2.data.misses", "tlb.l2.fetch.misses",
	};
	int error = 0;

	for (size_t i = 0; !error && i < ARRAY_SIZE(names); i++)
		error = result_absent(result, names[i],
				      "the machine has no second-level TLB");
	return error;
}

static int
finish_second(const struct core *core, struct result *result)
{
	static const char *const prefixes[] = { "tlb.l2.data", "tlb.l2.fetch" };
	const struct core_counts *c = &core->counts;
	uint64_t both[TLB_SIZES], misses = 0;
	int error = 0;

	/* what is beside it counts as hits of it, there or not */
	if (!core->l2[CORE_DATA].n && !core->l2[CORE_FETCH].n && !core->beside)
		return no_second_level(result);
	for (unsigned side = 0; !error && side < CORE_SIDES; side++) {
		misses += c->l2_misses[side];
		error = put_rates(result, prefixes[side],
				  sum_sizes(c->l2_hits[side]) +
					  c->l2_misses[side],
				  c->l2_misses[side]);
	}
	for (unsigned code = 0; code < TLB_SIZES; code++)
		both[code] = c->l2_hits[CORE_DATA][code] +
			     c->l2_hits[CORE_FETCH][code];
	if (!error)
		error = put_rates(result, "tlb.l2", sum_sizes(both) + misses,
				  misses);
	return error ? error : put_sizes(result, "tlb.l2", both);
}

static int
finish_tlbs(const struct core *core, struct result *result)
{
	static const char *const prefixes[] = { "tlb.l1d", "tlb.l1i" };
	const struct core_counts *c = &core->counts;
	int error = 0;

	for (unsigned side = 0; !error && side < CORE_SIDES; side++) {
		uint64_t hits[TLB_SIZES];

		l1_hits(core, side, hits);
		error = put_rates(result, prefixes[side], c->lookups[side],
				  c->l1_misses[side]);
		if (!error)
			error = put_sizes(result, prefixes[side], hits);
	}
	return error ? error : finish_second(core, result);
}

static int
finish_sizes(const struct core *core, struct result *result)
{
	static const char *const columns[] = { "size:",
					       "l1d_hits:lookups",
					       "l1i_hits:lookups",
					       "l2_data_hits:lookups",
					       "l2_fetch_hits:lookups",
					       "walks:walks",
					       NULL };
	const char *const *names =
		page_names[(core->walker.pwc.granule - 12) / 2];
	const struct core_counts *c = &core->counts;
	uint64_t data[TLB_SIZES], fetch[TLB_SIZES];
	int error = result_table(result, "tlb.sizes",
				 "who answered, by the size of the entry "
				 "(walks: of the page)",
				 columns);

	l1_hits(core, CORE_DATA, data);
	l1_hits(core, CORE_FETCH, fetch);
	for (unsigned code = 0; !error && code < TLB_SIZES; code++)
		error = result_row(result, "tlb.sizes", "suuuuu", names[code],
				   data[code], fetch[code],
				   c->l2_hits[CORE_DATA][code],
				   c->l2_hits[CORE_FETCH][code],
				   c->walks[code]);
	return error;
}

static int
finish_reach(const struct core *core, struct result *result)
{
	static const char *const columns[] = { "array:", "entries:entries",
					       "bytes:bytes", "peak:bytes",
					       NULL };
	int error = result_table(result, "tlb.reach",
				 "what each array covers at the end, and the "
				 "most that it did (of several cores: sums)",
				 columns);

	for (unsigned i = 0; !error && i < CORE_ARRAYS; i++) {
		struct core_reach reach = core->added[i];

		if (!core->tlb[i].entries)
			continue;
		add_reach(&reach, &core->tlb[i]);
		error = result_row(result, "tlb.reach", "suuu",
				   core_array_names[i], reach.entries,
				   reach.bytes, reach.peak);
	}
	if (!error && core->beside && core->beside->range.entries)
		error = result_row(result, "tlb.reach", "suuu", "range",
				   (uint64_t)core->beside->range.used,
				   core->beside->range.pages << 12,
				   core->beside->range.peak << 12);
	return error;
}

int
core_finish(const struct core *core, const struct stream *stream,
	    struct result *result)
{
	int error = finish_accesses(core, result);

	if (!error)
		error = finish_tlbs(core, result);
	if (!error)
		error = finish_sizes(core, result);
	if (!error)
		error = finish_reach(core, result);
	if (!error)
		error = walker_finish(&core->walker, result);
	if (!error)
		error = walk_queue_finish(&core->queue, result);
	if (!error)
		error = core_beside_finish(core->beside,
					   walk_queue_runs(&core->queue),
					   result);
	return error ? error : site_table_finish(&core->sites, stream, result);
}
