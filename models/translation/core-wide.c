// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Of a chunk of accesses, those that missed all TLBs, where a walk may have any
 * number of references: of hashed tables, of a guest's table over a host's.  As
 * core-walks.c, but in rounds: as many walks as there is room for their
 * references.
 */
#include "models/translation/core-phases.h"

#include <string.h>

struct wide {
	struct core_phases *phases;
	struct core *core;
	struct table_walks walks;
	unsigned left; /* walks of the round that were not asked for yet */
	unsigned at;   /* their references: in phases->reference */
	unsigned first;
	bool beside;
};

/* All walks begin at the top. */
static void
ask_nothing(struct core_phases *phases)
{
	memset(phases->from, 0, phases->n);
	for (unsigned i = 0; i < phases->n_walks; i++)
		phases->from[phases->walks[i]] = 1;
}

static NOINLINE void
next_round(struct wide *wide)
{
	struct core_phases *phases = wide->phases;
	struct core *core = wide->core;
	struct table_walks *walks = &wide->walks;
	unsigned n;

	walks->list += walks->made;
	walks->n -= walks->made;
	walks->n_first = 0;
	n = core->table->ops->walk_looked(core->table, walks);
	core_redirect(core, walks->reference, n);
	core->walker.references += n;
	phases->n_first_walks = walks->n_first;
	wide->left = walks->made;
	wide->at = wide->first = 0;
}

/* References [at, at + n) of a walk, into the queue. */
static ALWAYS_INLINE void
add_references(const struct wide *wide, unsigned n)
{
	const struct core_phases *phases = wide->phases;
	struct core *core = wide->core;

	for (unsigned i = wide->at; i < wide->at + n; i++)
		core_queue(core, phases->reference[i], USE_WALK,
			   phases->level[i]);
}

static ALWAYS_INLINE void
add_walk(struct wide *wide, const struct core_page *page, unsigned j)
{
	struct core_phases *phases = wide->phases;
	struct core *core = wide->core;
	unsigned n, steps, miss;

	if (!wide->left)
		next_round(wide);
	wide->left--;
	n = steps = phases->references[j];
	for (unsigned i = wide->at; wide->beside && i < wide->at + n; i++)
		steps -= phases->level[i] >= TABLE_BESIDE;
	core_make_room(core, 1, n);
	miss = core_add_miss(core, page, true, n, steps);
	if (wide->first < phases->n_first_walks &&
	    phases->first_walk[wide->first] == j) {
		core_add_first(core, miss);
		wide->first++;
	}
	add_references(wide, n);
	wide->at += n;
}

static ALWAYS_INLINE void
add_miss(struct wide *wide, unsigned j)
{
	struct core_phases *phases = wide->phases;
	struct core *core = wide->core;
	uint32_t place = phases->first + j;
	const struct core_page page = {
		.address = phases->address[j],
		.position = core->position + (place - phases->fed),
		.ref = phases->site[j],
	};

	if (phases->from[j]) {
		add_walk(wide, &page, j);
		return;
	}
	core_make_room(core, 1, 0);
	core_add_miss(core, &page, false, 0, 0);
}

/* Misses and data, access by access. */
static void
add_data(struct wide *wide)
{
	struct core_phases *phases = wide->phases;
	unsigned next = 0;

	for (unsigned j = 0; j < phases->n; j++) {
		uint64_t page = phases->page[j];
		uint64_t offset =
			(UINT64_C(1) << TLB_SHIFT(TABLE_CODE(page))) - 1;
		uint32_t ref = phases->site[j];

		if (next < phases->n_missed && phases->missed[next] == j) {
			add_miss(wide, j);
			next++;
		}
		core_reference(wide->core,
			       (page & ~offset) | (phases->address[j] & offset),
			       wide->core->sites.bytes[SITE_INDEX(ref)], ref,
			       true);
	}
}

/* The numbers of all walks of a flat core; they are not listed. */
static void
count_walks(struct wide *wide, uint16_t *steps)
{
	struct core_phases *phases = wide->phases;
	struct core *core = wide->core;
	struct table_walks *walks = &wide->walks;
	uint64_t by_level[TABLE_MARKS] = { 0 };

	walks->by_level = by_level;
	walks->steps = steps;
	phases->n_first_walks = 0;
	while (walks->n) {
		walks->n_first = 0;
		core->walker.references +=
			core->table->ops->walk_looked(core->table, walks);
		walks->first += walks->n_first;
		phases->n_first_walks += walks->n_first;
		walks->list += walks->made;
		walks->n -= walks->made;
	}
	for (unsigned i = 0; i < TABLE_MARKS; i++)
		if (by_level[i])
			walker_count_flat(&core->walker, i,
					  (unsigned)by_level[i]);
}

/* All that the misses of a flat core come to. */
static void
add_flat(struct wide *wide)
{
	struct core_phases *phases = wide->phases;
	struct core *core = wide->core;
	struct core_misses *misses = &core->pending->misses;
	uint64_t position = core->position + (phases->first - phases->fed);
	const uint16_t *first = phases->first_walk, *first_end;
	uint16_t steps[CHUNK], *one_by_one;
	unsigned m;

	count_walks(wide, steps);
	one_by_one = wide->beside ? steps : phases->references;
	first_end = first + phases->n_first_walks;
	core_make_room(core, CHUNK, 0);
	m = misses->n;
	for (unsigned i = 0; i < phases->n_missed; i++, m++) {
		unsigned j = phases->missed[i];
		bool walked = phases->from[j] != 0;

		misses->address[m] = phases->address[j];
		misses->position[m] = position + j;
		misses->site[m] = phases->site[j];
		misses->walked[m] = walked;
		misses->cycles[m] = 0;
		if (!walked)
			continue;
		misses->cycles[m] =
			walker_flat_cost(&core->walker, one_by_one[j]);
		core_count_walks(core, phases->references[j], one_by_one[j], 1);
		if (unlikely(first < first_end && *first == j)) {
			core_add_first(core, m);
			first++;
		}
	}
	misses->n = m;
}

void
core_phases_walk_wide(struct core_phases *phases, struct core *core)
{
	struct wide wide = {
		.phases = phases,
		.core = core,
		.beside = core->walker.aside.beside,
		.walks = {
			.address = phases->address,
			.looks = { phases->page, phases->at },
			.from = phases->from,
			.list = phases->walks,
			.n = phases->n_walks,
			.room = ARRAY_SIZE(phases->reference),
			.reference = phases->reference,
			.level = phases->level,
			.references = phases->references,
			.first = phases->first_walk,
		},
	};

	if (core->table->levels)
		core_phases_ask(phases, core);
	else
		ask_nothing(phases);
	if (core->data_cached) {
		add_data(&wide);
		return;
	}
	if (core->flat) {
		add_flat(&wide);
		return;
	}
	for (unsigned i = 0; i < phases->n_missed; i++)
		add_miss(&wide, phases->missed[i]);
}
