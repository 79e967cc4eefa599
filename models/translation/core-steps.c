// SPDX-License-Identifier: GPL-2.0-or-later
/* Steps through a core; core-steps.h has the idea. */
#include "models/translation/core-steps.h"

#include <assert.h>
#include <stdlib.h>

#include "analyzer/expand.h"
#include "analyzer/fail.h"
#include "models/translation/core-miss.h"

#define SOON BATCH_BEHIND /* steps whose entry is asked for in advance */

/* What the loop needs of the core. */
struct sight {
	struct core_step *step;
	const uint64_t *tag, *cover, *unit;
	uint64_t *stamp;
	const uint16_t *hint;  /* of data */
	const uint64_t *known; /* the same */
	const struct core_group *rest;
	uint64_t asid;
	/* Constants: there are entries of large pages; and it is to be told what
	 * of them is touched */
	bool large, watched;
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
	uint64_t there = (uint64_t)(must >> 63);
	unsigned at = core_hint_hash(key);
	uint64_t slot = hint[at] & there;

	*wrong |= differs(sight, key, slot, must);
	if (sight->watched)
		*wrong |=
			(sight->known[(hint - sight->hint) + at] ^ key) & there;
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
static ALWAYS_INLINE uint64_t
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
	int error;

	to = to < made ? to : made;
	core_tell_of(core, own, from, to);
	error = core_feed_columns(core, own, from, to);
	return error ? error : core_tell(core, core->position);
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
	uint64_t wrong = 0, second, slot[CORE_GROUPS_MAX];
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
		__builtin_prefetch(
			&sight->rest[sight->step[number[SOON / 2]].rest]);
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

/* A step of which some page is missing, by its groups' first accesses. */
struct opened {
	unsigned n; /* groups whose first access was fed */
	uint64_t key[CORE_OPENINGS], slot[CORE_OPENINGS], unit[CORE_OPENINGS];
	bool looked_up[CORE_OPENINGS]; /* which counted its unit */
};

static ALWAYS_INLINE const uint16_t *
side_hint(const struct sight *sight, uint32_t ref)
{
	return sight->hint +
	       ((size_t)(SITE_KIND(ref) == SITE_FETCH) << CORE_HINT_BITS);
}

/* Are the pages of all groups that were fed where they were found? */
static bool
opened_stay(const struct sight *sight, const struct core_opening *opening,
	    const struct opened *opened)
{
	uint64_t wrong = 0;

	for (unsigned k = 0; k < opened->n; k++)
		wrong |= differs(sight, opened->key[k], opened->slot[k],
				 opening[k].must);
	return !wrong;
}

/*
 * Accesses up to `last` of the step are fed, but for stamps and counts, which
 * their groups' ends would have brought; the others come one by one.
 */
static NOINLINE int
feed_opened(struct core *core, const struct sight *sight, uint32_t number,
	    unsigned last, const struct opened *opened, struct taken *taken)
{
	const struct step *step = stream_step(core->steps.stream, number);
	const struct core_opening *opening = core->steps.opening[number];
	const struct batch *own = &core->steps.own;

	expand_step(step->access, step->n_accesses, step->guarded, taken->root,
		    own->address, own->site);
	for (unsigned i = 0; i <= last; i++) {
		uint32_t ref = own->site[i];
		uint64_t key = (own->address[i] & PAGE_MASK) | core->asid;

		for (unsigned k = 0; k < opened->n; k++) {
			if (key != opened->key[k] ||
			    (SITE_KIND(ref) == SITE_FETCH) !=
				    (SITE_KIND(opening[k].ref) == SITE_FETCH))
				continue;
			if (!differs(sight, key, opened->slot[k], HOT_READS))
				sight->stamp[opened->slot[k]] = core->now + i;
			if (i != opening[k].at || !opened->looked_up[k])
				taken->units += opened->unit[k];
			break;
		}
		taken->kinds += UINT64_C(1) << 16 * SITE_KIND(ref);
		taken->instructions +=
			core->sites.instructions[SITE_INDEX(ref)];
	}
	core->now += last + 1;
	core->position += last + 1;
	return feed_step(core, number, taken->root, last + 1, UINT32_MAX);
}

/* Feed the first access of a group.  0, or an error. */
static ALWAYS_INLINE int
open_group(struct core *core, const struct sight *sight,
	   const struct core_opening *opening, uint64_t address,
	   struct opened *opened)
{
	const uint16_t *hint = side_hint(sight, opening->ref);
	struct batch *own = &core->steps.own;
	unsigned k = opened->n++;
	uint64_t wrong = 0;
	int error;

	opened->key[k] = (address & PAGE_MASK) | sight->asid;
	opened->slot[k] = look(sight, address, hint, opening->must, &wrong);
	opened->looked_up[k] = wrong;
	if (wrong) {
		own->address[opening->at] = address;
		own->site[opening->at] = opening->ref;
		error = core_lookup(core, own, opening->at, 0);
		if (unlikely(error))
			return error;
		opened->slot[k] =
			look(sight, address, hint, opening->must, &wrong);
	} else {
		sight->stamp[opened->slot[k]] = core->now + opening->at;
	}
	opened->unit[k] = sight->unit[opened->slot[k]];
	return core->known ? core_tell_one(core, address, opening->ref,
					   core->position + opening->at)
			   : 0;
}

/* All groups' first accesses were fed: the step's others are hits. */
static void
close_groups(const struct sight *sight, const struct core_step *step,
	     const struct core_opening *opening, const struct opened *opened,
	     struct taken *taken)
{
	for (unsigned k = 0; k < opened->n; k++) {
		uint64_t *stamp = &sight->stamp[opened->slot[k]];
		uint64_t last = taken->now + opening[k].last;

		*stamp = last > *stamp ? last : *stamp;
		taken->units += opened->unit[k] *
				(opening[k].count - opened->looked_up[k]);
	}
	taken->kinds += step->kinds;
	taken->instructions += step->instructions;
}

/* Does no group cross a page's end, and are there any? */
static bool
openings_fit(const struct core_opening *opening, const uint64_t *root)
{
	int64_t room = 0;

	for (unsigned k = 0; k < CORE_OPENINGS && opening[k].count; k++) {
		uint64_t from =
			opening[k].from +
			(opening[k].slot ? root[opening[k].slot - 1] : 0);

		room |= opening[k].limit - (int64_t)(from & ~PAGE_MASK);
	}
	return opening->count && room >= 0;
}

/* A step that take_steps() did not take. */
static int
feed_missing(struct core *core, const struct sight *sight, uint32_t number,
	     struct taken *taken)
{
	const struct core_opening *opening = core->steps.opening[number];
	const struct core_step *step = &sight->step[number];
	const uint64_t *root = taken->root;
	struct opened opened;
	int error;

	if (!core->steps.lone || !openings_fit(opening, root))
		return feed_step(core, number, root, 0, UINT32_MAX);
	opened.n = 0;
	for (unsigned k = 0; k < CORE_OPENINGS && opening[k].count; k++) {
		uint64_t address =
			opening[k].displacement +
			(opening[k].slot ? root[opening[k].slot - 1] : 0);

		error = open_group(core, sight, &opening[k], address, &opened);
		if (unlikely(error))
			return error;
		if (opened.looked_up[k] &&
		    unlikely(!opened_stay(sight, opening, &opened)))
			return feed_opened(core, sight, number, opening[k].at,
					   &opened, taken);
	}
	close_groups(sight, step, opening, &opened, taken);
	core->now += step->n_accesses;
	core->position += step->n_accesses;
	return 0;
}

/* Do first-level arrays hold large pages, or others whose cover matters? */
static bool
large_held(const struct core *core)
{
	uint32_t held = core->globals || core->offset_mask >= PAGE_BYTES;

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
			       .known = core->known,
			       .asid = core->asid };
}

/* Loops of one text: where no large pages are held now, which is only a
 * matter of speed, they need not be thought of. */
static const uint32_t *
take_small(struct sight sight, const uint32_t *number, const uint32_t *end,
	   struct taken *taken)
{
	sight.large = sight.watched = false;
	return take_steps(&sight, number, end, taken);
}

static const uint32_t *
take_large(struct sight sight, const uint32_t *number, const uint32_t *end,
	   struct taken *taken)
{
	sight.large = true;
	sight.watched = false;
	return take_steps(&sight, number, end, taken);
}

/* A large page hides which part was touched: what is not known of is not taken
 * (of a page of 4K it is its entry that is not there). */
static const uint32_t *
take_watched(struct sight sight, const uint32_t *number, const uint32_t *end,
	     struct taken *taken)
{
	sight.large = sight.watched = true;
	return take_steps(&sight, number, end, taken);
}

typedef const uint32_t *take_fn(struct sight sight, const uint32_t *number,
				const uint32_t *end, struct taken *taken);

static take_fn *
choose_take(const struct core *core)
{
	return !large_held(core) ? take_small
	       : core->known	 ? take_watched
				 : take_large;
}

/* Whole steps up to number `end` of the batch. */
static int
feed_steps(struct core *core, struct core_pass *pass, uint32_t end)
{
	const struct batch *batch = pass->batch;
	const uint32_t *number = batch->step + pass->step;
	const uint32_t *last = batch->step + end;
	struct sight sight = sight_of(core);
	take_fn *take = choose_take(core);
	struct taken taken = { .root = batch->root + pass->root,
			       .now = core->now };
	uint64_t position = core->position;
	int error = 0;

	sight.large = take != take_small;
	for (;;) {
		number = take(sight, number, last, &taken);
		core->position += taken.now - core->now;
		core->now = taken.now;
		if (number == last)
			break;
		error = feed_missing(core, &sight, *number, &taken);
		if (unlikely(error))
			break;
		taken.now = core->now;
		taken.root += sight.step[*number++].n_slots;
		/* A large page that came in must be known for one: the first
		 * 4K of it look like a page of their own. */
		if (unlikely(core->known != NULL)) {
			take = choose_take(core);
			sight.large = take != take_small;
		}
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
		return core_steps_learn(core, stream);
	if (batch->packed && !batch->columned) {
		pass->columns.address = core->steps.own.address;
		pass->columns.site = core->steps.own.site;
		batch_expand(&pass->columns, stream);
	}
	return 0;
}

void
core_pass_move(struct core *core, struct core_pass *pass)
{
	if (pass->stepwise)
		core_set_heavy(core, false);
	pass->walks = core_walks(core);
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
		core_tell_of(core, &pass->columns, from, to);
		error = core_feed(core, &pass->columns, from, to);
		return error ? error : core_tell(core, core->position);
	}
	assert(!core->heavy); /* its rows and hints are not those of steps */
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
