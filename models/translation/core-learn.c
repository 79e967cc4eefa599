// SPDX-License-Identifier: GPL-2.0-or-later
/* What is known of a step before it is fed: its groups; see core-steps.h. */
#include "models/translation/core-steps.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "models/translation/core-hot.h"

#define GROUP_SPAN 256 /* farther apart, a page's end is too often between */

int
core_steps_init(struct core_steps *steps)
{
	*steps = (struct core_steps){ .n = 0 };
	steps->own.address =
		calloc(BATCH_ACCESSES + BATCH_SPARE, sizeof(uint64_t));
	steps->own.site =
		calloc(BATCH_ACCESSES + BATCH_SPARE, sizeof(uint32_t));
	return steps->own.address && steps->own.site ? 0 : -ENOMEM;
}

void
core_steps_fini(struct core_steps *steps)
{
	free(steps->own.address);
	free(steps->own.site);
	free(steps->step);
	free(steps->opening);
	free(steps->rest);
	*steps = (struct core_steps){ .n = 0 };
}

/* A group while it is put together. */
struct draft {
	uint64_t from, bytes; /* of it, that are accessed */
	uint16_t slot;
	bool fetch, write;
	unsigned opening; /* its first access, counted in the step */
	unsigned last, count;
};

/* Can the group take in bytes from `from` on?  Then it does. */
static bool
draft_extend(struct draft *draft, uint64_t from, uint64_t bytes)
{
	int64_t low = (int64_t)(from - draft->from);
	int64_t high = low + (int64_t)bytes;

	if (low < -GROUP_SPAN || low > GROUP_SPAN)
		return false;
	low = low < 0 ? low : 0;
	high = high > (int64_t)draft->bytes ? high : (int64_t)draft->bytes;
	if (high - low > GROUP_SPAN)
		return false;
	draft->from += (uint64_t)low;
	draft->bytes = (uint64_t)(high - low);
	return true;
}

/* A fetch crosses no page: all that counts is its first byte's page, where
 * that is known. */
static struct draft
draft_of(const struct shape_access *access, uint64_t bytes)
{
	enum site_kind kind = SITE_KIND(access->ref);
	struct draft draft = { .from = (uint64_t)access->displacement,
			       .bytes = bytes + !bytes,
			       .slot = access->slot,
			       .fetch = kind == SITE_FETCH,
			       .write = kind == SITE_STORE ||
					kind == SITE_MODIFY };

	if (!draft.fetch)
		return draft;
	draft.bytes = 1;
	if (!draft.slot)
		draft.from &= PAGE_MASK;
	return draft;
}

/* Groups of the step's accesses, in order of their last ones; 0: too many. */
static unsigned
draft_groups(const struct core *core, const struct step *step,
	     struct draft *drafts)
{
	unsigned n = 0;

	for (unsigned i = 0; i < step->n_accesses; i++) {
		const struct shape_access *access = &step->access[i];
		uint32_t site = SITE_INDEX(access->ref);
		struct draft new = draft_of(access, core->sites.bytes[site]);
		unsigned k = 0;

		new.opening = i;
		while (k < n &&
		       (drafts[k].slot != new.slot ||
			drafts[k].fetch != new.fetch ||
			!draft_extend(&drafts[k], new.from, new.bytes)))
			k++;
		if (k == CORE_GROUPS_MAX)
			return 0;
		if (k < n) {
			new.from = drafts[k].from;
			new.bytes = drafts[k].bytes;
			new.write |= drafts[k].write;
			new.count = drafts[k].count;
			new.opening = drafts[k].opening;
			for (n--; k < n; k++)
				drafts[k] = drafts[k + 1];
		}
		new.last = i;
		new.count++;
		drafts[n++] = new;
	}
	return n;
}

static const struct core_group no_group = {
	.root = -1,
	.limit = PAGE_BYTES - 1,
};

static struct core_group
group_of(const struct draft *draft)
{
	return (struct core_group){
		.from = draft->from,
		.limit = (uint16_t)(PAGE_BYTES - draft->bytes),
		.must = draft->write ? (int16_t)HOT_WRITES : (int16_t)HOT_READS,
		.root = (int8_t)(draft->slot - 1),
		.last = (uint8_t)draft->last,
		.count = (uint8_t)draft->count,
		.fetch = draft->fetch,
	};
}

static int
add_rest(struct core_steps *steps, const struct core_group *group)
{
	if (steps->n_rest == steps->rest_room) {
		uint32_t room = steps->rest_room ? 2 * steps->rest_room : 1024;
		struct core_group *rest =
			reallocarray(steps->rest, room, sizeof(*rest));

		if (!rest)
			return fail(ENOMEM, "machine: no memory for steps");
		steps->rest = rest;
		steps->rest_room = room;
	}
	steps->rest[steps->n_rest++] = *group;
	return 0;
}

/* Those that the hot loop has a place for, and the rest. */
static int
set_groups(struct core_steps *steps, struct core_step *entry,
	   const struct draft *drafts, unsigned n)
{
	int error = 0;

	for (unsigned i = 0; !error && i < n; i++) {
		struct core_group group = group_of(&drafts[i]);

		if (group.fetch && group.root < 0 && !entry->fetch_must) {
			entry->fetch_page = group.from;
			entry->fetch_must = group.must;
			entry->fetch_last = group.last;
			entry->fetch_count = group.count;
		} else if (group.fetch || group.root < 0) {
			error = add_rest(steps, &group);
		} else if (!entry->first.must) {
			entry->first = group;
		} else if (!entry->second.must) {
			entry->second = group;
		} else {
			error = add_rest(steps, &group);
		}
	}
	entry->n_groups = (uint8_t)(steps->n_rest - entry->rest);
	if (entry->n_groups || entry->second.must)
		entry->n_groups++;
	entry->n_groups++;
	return error;
}

/* Of the groups, in the order of their first accesses. */
static void
set_openings(struct core_opening *openings, const struct step *step,
	     const struct draft *drafts, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct shape_access *access =
			&step->access[drafts[i].opening];
		const struct core_group group = group_of(&drafts[i]);
		unsigned k = i;

		for (; k && openings[k - 1].at > drafts[i].opening; k--)
			openings[k] = openings[k - 1];
		openings[k] = (struct core_opening){
			.displacement = (uint64_t)access->displacement,
			.ref = access->ref,
			.from = group.from,
			.limit = group.limit,
			.must = group.must,
			.slot = (uint8_t)access->slot,
			.at = (uint8_t)drafts[i].opening,
			.last = group.last,
			.count = group.count,
		};
	}
}

/* Steps that the hot loop cannot take have no groups. */
static int
learn_step(struct core *core, const struct step *step, uint32_t number)
{
	struct core_steps *steps = &core->steps;
	struct core_step *entry = &steps->step[number];
	struct draft drafts[CORE_GROUPS_MAX];
	unsigned n;

	*entry = (struct core_step){ .n_slots = step->n_slots,
				     .fetch_must = -1,
				     .first = no_group,
				     .second = no_group,
				     .rest = steps->n_rest };
	memset(steps->opening[number], 0, sizeof(steps->opening[number]));
	if (step->guarded || step->n_accesses > UINT8_MAX ||
	    step->n_slots > INT8_MAX)
		return 0;
	n = draft_groups(core, step, drafts);
	for (unsigned i = 0; i < n; i++)
		if (drafts[i].bytes > PAGE_BYTES)
			return 0;
	entry->n_accesses = (uint8_t)step->n_accesses;
	for (unsigned i = 0; i < step->n_accesses; i++) {
		uint32_t ref = step->access[i].ref;

		entry->kinds += UINT64_C(1) << 16 * SITE_KIND(ref);
		entry->instructions =
			(uint16_t)(entry->instructions +
				   core->sites.instructions[SITE_INDEX(ref)]);
	}
	if (!n)
		return 0;
	entry->fetch_must = 0;
	if (n <= CORE_OPENINGS)
		set_openings(steps->opening[number], step, drafts, n);
	return set_groups(steps, entry, drafts, n);
}

static int
steps_grow(struct core_steps *steps, uint32_t room)
{
	struct core_step *step = aligned_alloc(64, room * sizeof(*step));
	void *opening =
		reallocarray(steps->opening, room, sizeof(*steps->opening));

	if (opening)
		steps->opening = opening;
	if (!step || !opening) {
		free(step);
		return fail(ENOMEM, "machine: no memory for %u steps", room);
	}
	for (uint32_t i = 0; i < steps->n; i++)
		step[i] = steps->step[i];
	free(steps->step);
	steps->step = step;
	steps->room = room;
	return 0;
}

int
core_steps_learn(struct core *core, const struct stream *stream)
{
	struct core_steps *steps = &core->steps;
	uint32_t n = stream_steps(stream), room = steps->room;
	int error = 0;

	steps->stream = stream;
	if (likely(n == steps->n))
		return 0;
	/* Once more: the reader may have gone on, and steps have new sites. */
	error = site_table_update(&core->sites, stream);
	if (error)
		return error;
	while (room < n)
		room = room ? 2 * room : 1024;
	if (room != steps->room)
		error = steps_grow(steps, room);
	for (; !error && steps->n < n; steps->n++)
		error = learn_step(core, stream_step(stream, steps->n),
				   steps->n);
	return error;
}
