// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Of a chunk of accesses, those that missed all TLBs:
 *
 *	walks -> walk caches  -> from which level each walk reads
 *	      -> references of all walks, into the queue of core-miss.h
 *
 * or, where all references cost the same (core->flat), only their numbers.
 */
#include "models/translation/core-phases.h"

#include <string.h>

#include "models/translation/replacement.h"

/*
 * One level of the walk caches: those that missed the ones below.  A walk that
 * ends at this level or above finds nothing here and leaves nothing.
 */
static NOINLINE unsigned
run_above_leaves(struct core_phases *phases, struct tlb *tlb,
		 const struct tlb_uses *uses, unsigned level, uint16_t *list,
		 unsigned n)
{
	unsigned m = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned j = list[i];
		bool above = TABLE_LEAF(phases->page[j]) + 1 < level;

		phases->flag[j] = !above;
		phases->part[m] = (uint16_t)j;
		m += above;
	}
	m = tlb_run(tlb, uses, phases->part, m);
	for (unsigned i = 0; i < m; i++)
		phases->flag[phases->part[i]] = 1;
	return core_phases_keep(phases->flag, list, n);
}

/*
 * Of an array of one set: leave out uses of what was used just before, which find
 * it and change nothing, but where the policy counts hits.
 */
static unsigned
skip_repeats(const struct tlb_uses *uses, uint16_t *list, unsigned n)
{
	uint64_t last = TLB_FREE;
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		uint64_t tag = uses->tag[list[i]] & uses->mask;

		list[kept] = list[i];
		kept += tag != last;
		last = tag;
	}
	return kept;
}

/* Do all walks of the chunk end at the last level? */
static bool
all_small(const struct core_phases *phases, const struct core *core)
{
	return !(phases->classes & ~(1u << CORE_FETCH * TLB_SIZES | 1)) &&
	       !core->table->apart;
}

static unsigned
run_walk_cache(struct core_phases *phases, struct core *core, unsigned level,
	       uint16_t *list, unsigned n)
{
	struct pwc *pwc = &core->walker.pwc;
	struct tlb *tlb = &pwc->level[level - PWC_LOWEST];
	const struct tlb_uses uses = { .tag = phases->tag1,
				       .mask = UINT64_MAX << pwc_shift(level),
				       .low = TLB_ALWAYS | core->asid,
				       .stamp = pwc->now + 1,
				       .same_size = true };
	unsigned m;

	if (!tlb->entries)
		return n;
	if (unlikely(!all_small(phases, core))) {
		m = run_above_leaves(phases, tlb, &uses, level, list, n);
	} else {
		m = tlb->sets == 1 && !tlb->replacement->counts_hits
			    ? skip_repeats(&uses, list, n)
			    : n;
		m = tlb_run(tlb, &uses, list, m);
	}
	pwc->lookups[level - PWC_LOWEST] += n;
	pwc->hits[level - PWC_LOWEST] += n - m;
	return m;
}

/* Each walk reads from below the walk caches that missed on. */
void
core_phases_ask(struct core_phases *phases, struct core *core)
{
	unsigned top = core->table->levels, n = phases->n_walks;
	unsigned highest = top < PWC_HIGHEST ? top : PWC_HIGHEST;
	uint8_t *from = phases->from;
	uint16_t *list = phases->list;

	memset(from, 0, phases->n);
	for (unsigned i = 0; i < n; i++)
		from[phases->walks[i]] = 1;
	memset(phases->n_from, 0, sizeof(phases->n_from));
	phases->n_from[1] = n;
	memcpy(list, phases->walks, n * sizeof(*list));
	for (unsigned level = PWC_LOWEST; level <= highest && n; level++) {
		n = run_walk_cache(phases, core, level, list, n);
		for (unsigned i = 0; i < n; i++)
			from[list[i]] = (uint8_t)level;
		phases->n_from[level] = n;
	}
	core->walker.pwc.now += phases->n;
}

/*
 * The walks, whose references go to reference[] and level[], and their numbers to
 * phases->references; reference NULL: nobody wants these.  Returns how many.
 */
static unsigned
make_walks(struct core_phases *phases, struct core *core, uint64_t *reference,
	   uint8_t *level)
{
	struct table_walks walks = {
		.address = phases->address,
		.looks = { phases->page, phases->at },
		.from = phases->from,
		.list = phases->walks,
		.n = phases->n_walks,
		.reference = reference,
		.level = level,
		.references = phases->references,
		.first = phases->first_walk,
	};
	unsigned n = core->table->ops->walk_looked(core->table, &walks);

	phases->n_first_walks = walks.n_first;
	return n;
}

static unsigned
walk_table(struct core_phases *phases, struct core *core, uint64_t *reference,
	   uint8_t *level)
{
	unsigned n;

	memset(phases->references, 0, phases->n * sizeof(*phases->references));
	n = make_walks(phases, core, reference, level);
	core_redirect(core, reference, n);
	core->walker.references += n;
	return n;
}

/* Which misses, from number m on, were the first walks to their pages? */
static NOINLINE void
add_first_walks(const struct core_phases *phases, struct core *core, unsigned m)
{
	const uint16_t *first = phases->first_walk;
	const uint16_t *end = first + phases->n_first_walks;

	for (unsigned i = 0; first < end; i++) {
		if (phases->missed[i] != *first)
			continue;
		core_add_first(core, m + i);
		first++;
	}
}

/* Queue walks where no data is between them. */
static void
queue_walks(struct core_phases *phases, struct core *core)
{
	struct core_pending *pending = core->pending;
	struct core_misses *misses = &pending->misses;
	struct hierarchy_queue *queue = &pending->queue;
	uint64_t position = core->position + (phases->first - phases->fed);
	const uint64_t *address = phases->address;
	const uint32_t *site = phases->site;
	const uint16_t *missed = phases->missed;
	unsigned at, n, m;

	core_make_room(core, CHUNK, CHUNK * TABLE_LEVELS_MAX + 1);
	at = queue->n;
	m = misses->n;
	n = walk_table(phases, core, queue->physical + at, queue->mark + at);
	memset(queue->use + at, USE_WALK, n);
	queue->n += n;
	for (unsigned i = 0; i < phases->n_missed; i++, m++) {
		unsigned j = missed[i];

		misses->address[m] = address[j];
		misses->position[m] = position + j;
		misses->site[m] = site[j];
		misses->walked[m] = phases->references[j] != 0;
		pending->reference[m] = (uint16_t)at;
		pending->references[m] = phases->references[j];
		at += phases->references[j];
	}
	if (unlikely(phases->n_first_walks))
		add_first_walks(phases, core, misses->n);
	misses->n = m;
}

/* What there is to count of the walks; references[] as they were. */
static void
count_flat(struct core_phases *phases, struct core *core)
{
	const unsigned *n_from = phases->n_from;
	struct walker *walker = &core->walker;

	for (unsigned level = 1; level <= TABLE_LEVELS_MAX; level++) {
		if (!n_from[level])
			break;
		walker->references += n_from[level];
		walker_count_flat(walker, level, n_from[level]);
		core_count_walks(core, level, level,
				 n_from[level] - n_from[level + 1]);
	}
}

/* ... where some end above the last level. */
static NOINLINE void
count_flat_large(struct core_phases *phases, struct core *core)
{
	for (unsigned i = 0; i < phases->n_walks; i++) {
		unsigned j = phases->walks[i], from = phases->from[j];
		unsigned n = from - TABLE_CODE(phases->page[j]);

		phases->references[j] = (uint16_t)n;
		core->walker.references += n;
		core_count_walks(core, n, n, 1);
		for (; n; n--)
			walker_count_flat(&core->walker, from--, 1);
	}
}

/* All that the walks of a flat core come to. */
static void
queue_flat(struct core_phases *phases, struct core *core)
{
	struct core_misses *misses = &core->pending->misses;
	uint64_t position = core->position + (phases->first - phases->fed);
	const uint64_t *address = phases->address;
	const uint32_t *site = phases->site;
	const uint16_t *missed = phases->missed;
	uint32_t cost[TABLE_LEVELS_MAX + 1] = { 0 };
	unsigned m;

	core_make_room(core, CHUNK, 0);
	m = misses->n;
	for (unsigned n = 1; n <= TABLE_LEVELS_MAX; n++)
		cost[n] = walker_flat_cost(&core->walker, n);
	if (likely(all_small(phases, core))) {
		for (unsigned j = 0; j < phases->n; j++)
			phases->references[j] = phases->from[j];
		count_flat(phases, core);
	} else {
		memset(phases->references, 0,
		       phases->n * sizeof(*phases->references));
		count_flat_large(phases, core);
	}
	make_walks(phases, core, NULL, NULL);
	for (unsigned i = 0; i < phases->n_missed; i++, m++) {
		unsigned j = missed[i], n = phases->references[j];

		misses->address[m] = address[j];
		misses->position[m] = position + j;
		misses->site[m] = site[j];
		misses->walked[m] = n != 0;
		misses->cycles[m] = cost[n];
	}
	if (unlikely(phases->n_first_walks))
		add_first_walks(phases, core, misses->n);
	misses->n = m;
}

/* A miss, and the references of its walk, which are reference[at], ...; their
 * number. */
static unsigned
queue_miss(struct core_phases *phases, struct core *core, unsigned j,
	   unsigned at)
{
	uint32_t place = phases->first + j;
	const struct core_page page = {
		.address = phases->address[j],
		.position = core->position + (place - phases->fed),
		.ref = phases->site[j],
	};
	unsigned n = phases->references[j];

	core_make_room(core, 1, TABLE_LEVELS_MAX);
	core_add_miss(core, &page, phases->from[j] != 0, n, n);
	for (unsigned i = at; i < at + n; i++)
		core_queue(core, phases->reference[i], USE_WALK,
			   phases->level[i]);
	return n;
}

/* Queue walks and data, access by access. */
static void
queue_data(struct core_phases *phases, struct core *core)
{
	unsigned next = 0, at = 0, first = 0;

	walk_table(phases, core, phases->reference, phases->level);
	for (unsigned j = 0; j < phases->n; j++) {
		uint64_t page = phases->page[j];
		uint64_t offset =
			(UINT64_C(1) << TLB_SHIFT(TABLE_CODE(page))) - 1;
		uint32_t ref = phases->site[j];

		if (next < phases->n_missed && phases->missed[next] == j) {
			at += queue_miss(phases, core, j, at);
			next++;
		}
		if (first < phases->n_first_walks &&
		    phases->first_walk[first] == j) {
			core_add_first(core, core->pending->misses.n - 1);
			first++;
		}
		core_reference(core,
			       (page & ~offset) | (phases->address[j] & offset),
			       core->sites.bytes[SITE_INDEX(ref)], ref, true);
	}
}

void
core_phases_walk(struct core_phases *phases, struct core *core)
{
	if (core->table->most > TABLE_LEVELS_MAX) {
		core_phases_walk_wide(phases, core);
		return;
	}
	core_phases_ask(phases, core);
	if (core->data_cached)
		queue_data(phases, core);
	else if (core->flat)
		queue_flat(phases, core);
	else
		queue_walks(phases, core);
}
