// SPDX-License-Identifier: GPL-2.0-or-later
/* Steps through a core; core-steps.h has the idea. */
#include "models/translation/core-steps.h"

#include <stdlib.h>

#include "analyzer/expand.h"
#include "analyzer/fail.h"
#include "models/translation/core-miss.h"

#define GROUP_SPAN 256 /* farther apart, a page's end is too often between */
#define GROUPS_MAX 32
#define SOON	   BATCH_BEHIND /* steps whose entry is asked for in advance */

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
	free(steps->rest);
	*steps = (struct core_steps){ .n = 0 };
}

/* A group while it is put together. */
struct draft {
	uint64_t from, bytes; /* of it, that are accessed */
	uint16_t slot;
	bool fetch, write;
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

		while (k < n &&
		       (drafts[k].slot != new.slot ||
			drafts[k].fetch != new.fetch ||
			!draft_extend(&drafts[k], new.from, new.bytes)))
			k++;
		if (k == GROUPS_MAX)
			return 0;
		if (k < n) {
			new.from = drafts[k].from;
			new.bytes = drafts[k].bytes;
			new.write |= drafts[k].write;
			new.count = drafts[k].count;
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

/* Steps that the hot loop cannot take have no groups. */
static int
learn_step(struct core *core, const struct step *step, struct core_step *entry)
{
	struct core_steps *steps = &core->steps;
	struct draft drafts[GROUPS_MAX];
	unsigned n;

	*entry = (struct core_step){ .n_slots = step->n_slots,
				     .fetch_must = -1,
				     .first = no_group,
				     .second = no_group,
				     .rest = steps->n_rest };
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
	return set_groups(steps, entry, drafts, n);
}

static int
learn_steps(struct core *core, const struct stream *stream)
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
	if (room != steps->room) {
		struct core_step *step =
			aligned_alloc(64, room * sizeof(*step));

		if (!step)
			return fail(ENOMEM, "machine: no memory for %u steps",
				    n);
		for (uint32_t i = 0; i < steps->n; i++)
			step[i] = steps->step[i];
		free(steps->step);
		steps->step = step;
		steps->room = room;
	}
	for (; !error && steps->n < n; steps->n++)
		error = learn_step(core, stream_step(stream, steps->n),
				   &steps->step[steps->n]);
	return error;
}

/* What the loop needs of the core. */
struct sight {
	struct core_step *step;
	const uint64_t *tag, *cover, *unit;
	uint64_t *stamp;
	const uint16_t *hint; /* of data */
	const struct core_group *rest;
	uint64_t asid;
	bool large; /* there are entries of large pages; constant */
};

/*
 * Bits are set if the entry at slot is no hit.  Where `large` is not set,
 * entries of large pages are none either, and those of 4K pages cover nothing
 * but what `must` has.
 */
static ALWAYS_INLINE uint64_t
differs(const struct sight *sight, uint64_t key, uint64_t slot, int64_t must)
{
	uint64_t bits = (sight->tag[slot] ^ key) & (uint64_t)must;

	return sight->large ? bits & sight->cover[slot] : bits;
}

/* The entry that the hint names; *wrong gets bits set if it is no hit. */
static ALWAYS_INLINE uint64_t
look(const struct sight *sight, uint64_t address, const uint16_t *hint,
     int64_t must, uint64_t *wrong)
{
	uint64_t key = (address & PAGE_MASK) | sight->asid;
	uint64_t slot = hint[core_hint_hash(key)] & (uint64_t)(must >> 63);

	*wrong |= differs(sight, key, slot, must);
	return slot;
}

static ALWAYS_INLINE uint64_t
look_at_group(const struct sight *sight, const struct core_group *group,
	      const uint64_t *root, uint64_t *wrong, int64_t *room)
{
	uint64_t address = root[group->root] + group->from;

	*room |= group->limit - (int64_t)(address & ~PAGE_MASK);
	return look(sight, address, sight->hint, group->must, wrong);
}

/* One of the rest: of any side, perhaps without a root. */
static uint64_t
look_at_rest(const struct sight *sight, const struct core_group *group,
	     const uint64_t *root, uint64_t *wrong, int64_t *room)
{
	uint64_t address =
		(group->root < 0 ? 0 : root[group->root]) + group->from;
	unsigned side = group->fetch ? 1u << CORE_HINT_BITS : 0;

	*room |= group->limit - (int64_t)(address & ~PAGE_MASK);
	return look(sight, address, sight->hint + side, group->must, wrong);
}

/* One by one: accesses [from, to) of a step, of those it made. */
static NOINLINE int
feed_step(struct core *core, uint32_t number, const uint64_t *root,
	  uint32_t from, uint32_t to)
{
	struct batch *own = &core->steps.own;
	const struct step *step = stream_step(core->steps.stream, number);
	uint32_t made =
		expand_step(step->access, step->n_accesses, step->guarded, root,
			    own->address, own->site);

	return core_feed_columns(core, own, from, to < made ? to : made);
}

/* How far the loop is, and packed counters of what it took. */
struct taken {
	const uint64_t *root;
	uint64_t now; /* stamp of the next access */
	uint64_t kinds, units, instructions;
};

static ALWAYS_INLINE void
stamp(const struct sight *sight, uint64_t slot, uint64_t now, uint64_t count,
      struct taken *taken)
{
	sight->stamp[slot] = now;
	if (sight->large)
		taken->units += sight->unit[slot] * count;
}

/* Fetches and the first group: before all others, as stamps must grow. */
static ALWAYS_INLINE void
stamp_first(const struct sight *sight, const struct core_step *step,
	    uint64_t fetch, uint64_t first, struct taken *taken)
{
	stamp(sight, fetch, taken->now + step->fetch_last, step->fetch_count,
	      taken);
	stamp(sight, first, taken->now + step->first.last, step->first.count,
	      taken);
}

/* Steps of more groups.  Those of the rest are in no order. */
static ALWAYS_INLINE bool
take_many(const struct sight *sight, const struct core_step *step,
	  uint64_t fetch, uint64_t first, struct taken *taken)
{
	const uint64_t *root = taken->root;
	const struct core_group *rest = sight->rest + step->rest;
	unsigned n = step->n_groups - 2u;
	uint64_t wrong = 0, second, slot[GROUPS_MAX];
	int64_t room = 0;

	second = look_at_group(sight, &step->second, root, &wrong, &room);
	for (unsigned i = 0; i < n; i++)
		slot[i] = look_at_rest(sight, &rest[i], root, &wrong, &room);
	if (unlikely(wrong || room < 0))
		return false;
	stamp_first(sight, step, fetch, first, taken);
	stamp(sight, second, taken->now + step->second.last, step->second.count,
	      taken);
	for (unsigned i = 0; i < n; i++) {
		uint64_t last = taken->now + rest[i].last;
		uint64_t before = sight->stamp[slot[i]];

		stamp(sight, slot[i], last > before ? last : before,
		      rest[i].count, taken);
	}
	return true;
}

/*
 * The loop that all the time goes into: whole steps up to `end`, or to the
 * first that must be fed one by one, which is returned.
 */
static ALWAYS_INLINE const uint32_t *
take_steps(const struct sight *sight, const uint32_t *number,
	   const uint32_t *end, struct taken *out)
{
	struct taken taken = *out; /* which no stamp can alias */

	while (number < end) {
		const struct core_step *step = &sight->step[*number];
		uint64_t fetch, first, wrong = 0;
		int64_t room = 0;

		__builtin_prefetch(&sight->step[number[SOON]]);
		fetch = look(sight, step->fetch_page,
			     sight->hint + (1u << CORE_HINT_BITS),
			     step->fetch_must, &wrong);
		first = look_at_group(sight, &step->first, taken.root, &wrong,
				      &room);
		if (unlikely(wrong || room < 0))
			break;
		if (step->n_groups > 1) {
			if (unlikely(!take_many(sight, step, fetch, first,
						&taken)))
				break;
		} else {
			stamp_first(sight, step, fetch, first, &taken);
		}
		taken.kinds += step->kinds;
		taken.instructions += step->instructions;
		taken.now += step->n_accesses;
		taken.root += step->n_slots;
		number++;
	}
	*out = taken;
	return number;
}

/* Do first-level arrays hold large pages? */
static bool
large_held(const struct core *core)
{
	uint32_t held = 0;

	for (unsigned i = 0; i < CORE_L1_ARRAYS; i++)
		held |= core->tlb[i].used_by[1] | core->tlb[i].used_by[2];
	return held;
}

static struct sight
sight_of(const struct core *core)
{
	return (struct sight){ .step = core->steps.step,
			       .rest = core->steps.rest,
			       .tag = core->l1_column.tag,
			       .cover = core->l1_column.cover,
			       .unit = core->l1_column.unit,
			       .stamp = core->l1_column.stamp,
			       .hint = core->hint,
			       .asid = core->asid };
}

/* Two loops of one text: where no large pages are held now, which is only a
 * matter of speed, they need not be thought of. */
static const uint32_t *
take_small(struct sight sight, const uint32_t *number, const uint32_t *end,
	   struct taken *taken)
{
	sight.large = false;
	return take_steps(&sight, number, end, taken);
}

static const uint32_t *
take_large(struct sight sight, const uint32_t *number, const uint32_t *end,
	   struct taken *taken)
{
	sight.large = true;
	return take_steps(&sight, number, end, taken);
}

/* Whole steps up to number `end` of the batch. */
static int
feed_steps(struct core *core, struct core_pass *pass, uint32_t end)
{
	const struct batch *batch = pass->batch;
	const uint32_t *number = batch->step + pass->step;
	const uint32_t *last = batch->step + end;
	const struct sight sight = sight_of(core);
	const uint32_t *(*take)(struct sight, const uint32_t *,
				const uint32_t *, struct taken *) =
		large_held(core) ? take_large : take_small;
	struct taken taken = { .root = batch->root + pass->root,
			       .now = core->now };
	uint64_t position = core->position;
	int error = 0;

	for (;;) {
		number = take(sight, number, last, &taken);
		core->position += taken.now - core->now;
		core->now = taken.now;
		if (number == last)
			break;
		error = feed_step(core, *number, taken.root, 0, UINT32_MAX);
		if (unlikely(error))
			break;
		taken.now = core->now;
		taken.root += sight.step[*number++].n_slots;
	}
	pass->step = end;
	pass->root = (uint32_t)(taken.root - batch->root);
	pass->at += (uint32_t)(core->position - position);
	pass->step_at = pass->at;
	core_count(core, taken.kinds, taken.units, taken.instructions);
	return error;
}

int
core_pass_begin(struct core *core, struct core_pass *pass,
		const struct stream *stream, const struct batch *batch)
{
	bool stepwise = batch->packed && !batch->columned && !core->plain &&
			!core->data_cached && !core->heavy;

	*pass = (struct core_pass){ .batch = batch,
				    .stepwise = stepwise,
				    .walks = core_walks(core),
				    .columns = *batch };
	if (stepwise)
		return learn_steps(core, stream);
	if (batch->packed && !batch->columned) {
		pass->columns.address = core->steps.own.address;
		pass->columns.site = core->steps.own.site;
		batch_expand(&pass->columns, stream);
	}
	return 0;
}

/* The first step that is not all before `to`. */
static uint32_t
steps_before(const struct core_steps *steps, const struct core_pass *pass,
	     uint32_t to)
{
	const struct batch *batch = pass->batch;
	const uint64_t *root = batch->root + pass->root;
	uint32_t at = pass->step_at, k = pass->step;

	if (to == batch->n)
		return batch->n_steps;
	for (; k < batch->n_steps; k++) {
		const struct step *step =
			stream_step(steps->stream, batch->step[k]);

		at += expand_count(step, root);
		if (at > to)
			break;
		root += step->n_slots;
	}
	return k;
}

/* Where an event stands inside a step: its accesses before `to`. */
static int
feed_part(struct core *core, struct core_pass *pass, uint32_t to)
{
	uint32_t number = pass->batch->step[pass->step];
	const uint64_t *root = pass->batch->root + pass->root;
	const struct step *step = stream_step(core->steps.stream, number);
	uint32_t end = pass->step_at + expand_count(step, root);
	int error;

	to = to < end ? to : end;
	error = feed_step(core, number, root, pass->at - pass->step_at,
			  to - pass->step_at);
	pass->at = to;
	if (to == end) {
		pass->step++;
		pass->root += step->n_slots;
		pass->step_at = end;
	}
	return error;
}

int
core_pass_feed(struct core *core, struct core_pass *pass, uint32_t to)
{
	uint32_t from = pass->at;
	int error = 0;

	if (!pass->stepwise) {
		pass->at = to;
		return core_feed(core, &pass->columns, from, to);
	}
	while (!error && pass->at < to) {
		if (pass->at == pass->step_at)
			error = feed_steps(core, pass,
					   steps_before(&core->steps, pass,
							to));
		if (!error && pass->at < to)
			error = feed_part(core, pass, to);
	}
	core_settle(core);
	/* Not before: the other loop sets no hints, which steps need. */
	if (pass->at == pass->batch->n)
		core_feed_after(core, pass->walks, pass->at);
	return error ? error : core->error;
}
