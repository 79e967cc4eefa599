// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The loops for batches whose accesses mostly miss.  Some hundred accesses, a
 * chunk, go through one level after the other, each of which sees them in their
 * order, so that what it does is the same as if they came one by one:
 *
 *	accesses -> look:  where is the page, what size, is this allowed?
 *	all      -> first level      -> those that missed
 *	missed   -> second level     -> those to be walked
 *	walks    -> walk caches      -> from which level each walk reads
 *	         -> references of all walks, into the queue of core-miss.h
 *
 * This is right because of one rule: what a TLB holds is what the table says
 * (whoever changes a page that is mapped invalidates it, see paging.h).  So
 * frames, sizes and rights are known before any level is asked, and no level
 * waits for the next.
 *
 * What would change a table or is seldom ends the chunk before it, and takes
 * core_lookup alone: pages that are not there or must not be written, accesses
 * that cross pages, pages of sizes whose pieces may overlap.  A table that
 * cannot look ahead makes no core heavy.
 *
 * Loops that only count on what no one can foretell branch on nothing of it.
 */
#include "models/translation/core-miss.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK	    256u
#define CHUNK_LEAST 16u /* after what ended one: ends come in crowds */
#define NEAR_END    (4096u - 64u)
#define CLASSES	    (CORE_SIDES * TLB_SIZES)

/* What accesses of a side to pages of a size have in common. */
struct class {
	struct tlb *l1, *l2; /* where they go, or NULL */
	uint64_t low1, low2; /* of their tags */
	uint8_t shift1, shift2;
	uint8_t code1, code2; /* as what they go there */
	bool open;	      /* to chunks */
};

struct core_phases {
	struct class class[CLASSES];
	bool pieces; /* some class has other shifts in the second level */

	/* a chunk: n accesses of the batch from `first` on */
	const struct batch *batch;
	uint32_t first, fed; /* fed: where this core_feed began */
	unsigned n;
	unsigned classes; /* a bit for each that is there */
	uint8_t class_of[CHUNK];
	struct table_look look[CHUNK];
	uint64_t physical[CHUNK];
	uint64_t tag1[CHUNK], tag2[CHUNK], tag[CHUNK];

	uint16_t missed[CHUNK], walks[CHUNK], list[CHUNK], part[CHUNK];
	unsigned n_missed, n_walks;
	uint8_t flag[CHUNK];
	uint8_t from[CHUNK]; /* level its walk begins at; 0: no walk */
	uint8_t references[CHUNK];
	bool accessed[CHUNK];
	/* of all walks, where data comes between them in the queue */
	uint64_t reference[CHUNK * TABLE_LEVELS_MAX + 1];
	uint8_t level[CHUNK * TABLE_LEVELS_MAX + 1];
};

struct core_phases *
core_phases_open(void)
{
	return calloc(1, sizeof(struct core_phases));
}

static void
class_init(struct class *class, const struct core *core, enum core_side side,
	   unsigned code)
{
	const struct core_level *l1 = &core->l1[side], *l2 = &core->l2[side];

	class->l1 = l1->home[code];
	class->l2 = l2->home[code];
	class->code1 = (uint8_t)l1->piece[code];
	class->code2 = (uint8_t)l2->piece[code];
	class->shift1 = (uint8_t)TLB_SHIFT(class->code1);
	class->shift2 = (uint8_t)TLB_SHIFT(class->code2);
	class->low1 = TLB_ALWAYS | core->asid |
		      (uint64_t)class->code1 << TLB_SIZE_SHIFT;
	class->low2 = TLB_ALWAYS | core->asid |
		      (uint64_t)class->code2 << TLB_SIZE_SHIFT;
	class->open = !l1->overlaps[code];
}

static void
phases_begin(struct core_phases *phases, const struct core *core)
{
	phases->pieces = false;
	for (unsigned i = 0; i < CLASSES; i++) {
		struct class *class = &phases->class[i];

		class_init(class, core, i / TLB_SIZES, i % TLB_SIZES);
		phases->pieces |= class->code1 != class->code2;
	}
}

/* Of those that may: does it cross a page's end? */
static NOINLINE bool
crosses(const struct core *core, uint64_t address, uint32_t ref)
{
	uint64_t bytes = core->sites.bytes[SITE_INDEX(ref)];

	return core_side_of(ref) == CORE_DATA &&
	       (address & ~PAGE_MASK) + bytes > PAGE_BYTES;
}

/*
 * Look ahead: the chunk is as many of the next n accesses as nothing ends.
 */
static void
chunk_begin(struct core_phases *phases, struct core *core, unsigned n)
{
	const uint64_t *address = phases->batch->address + phases->first;
	const uint32_t *site = phases->batch->site + phases->first;
	unsigned classes = 0, j;

	n = core->table->ops->look(core->table, address, n, phases->look);
	for (j = 0; j < n; j++) {
		const struct table_look *look = &phases->look[j];
		uint32_t ref = site[j];
		unsigned number = core_side_of(ref) * TLB_SIZES +
				  TLB_SIZE_CODE(look->shift);
		const struct class *class = &phases->class[number];

		if (unlikely(!class->open ||
			     (core_writes(ref) && !look->writable)))
			break;
		if (unlikely((ref & SITE_WIDE ||
			      (address[j] & ~PAGE_MASK) > NEAR_END) &&
			     crosses(core, address[j], ref)))
			break;
		classes |= 1u << number;
		phases->class_of[j] = (uint8_t)number;
		phases->physical[j] = look->physical;
		phases->tag1[j] =
			(address[j] >> class->shift1 << class->shift1) |
			class->low1 | (look->writable ? 0 : TLB_READONLY);
	}
	phases->n = j;
	phases->classes = classes;
}

/* Of the listed ones: those whose flag is set. */
static unsigned
keep_flagged(const uint8_t *flag, uint16_t *list, unsigned n)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned j = list[i];

		list[kept] = (uint16_t)j;
		kept += flag[j];
	}
	return kept;
}

static struct tlb *
array_of(const struct class *class, bool second)
{
	return second ? class->l2 : class->l1;
}

/* Which classes go to this array? */
static unsigned
classes_of(const struct core_phases *phases, bool second,
	   const struct tlb *array)
{
	unsigned bits = 0;

	for (unsigned i = 0; i < CLASSES; i++)
		if (array_of(&phases->class[i], second) == array)
			bits |= 1u << i;
	return bits & phases->classes;
}

/* The listed ones go through a level that keeps them in several arrays. */
static NOINLINE unsigned
run_arrays(struct core_phases *phases, const struct tlb_uses *uses,
	   bool second, uint16_t *list, unsigned n)
{
	unsigned left = phases->classes;

	for (unsigned i = 0; i < n; i++)
		phases->flag[list[i]] = 1;
	while (left) {
		const struct class *class =
			&phases->class[__builtin_ctz(left)];
		struct tlb *array = array_of(class, second);
		unsigned bits = classes_of(phases, second, array), m = 0;

		left &= ~bits;
		if (!array)
			continue;
		for (unsigned i = 0; i < n; i++) {
			unsigned j = list[i];

			phases->part[m] = (uint16_t)j;
			phases->flag[j] &=
				(uint8_t)~(bits >> phases->class_of[j] & 1);
			m += bits >> phases->class_of[j] & 1;
		}
		m = tlb_run(array, uses, phases->part, m);
		for (unsigned i = 0; i < m; i++)
			phases->flag[phases->part[i]] = 1;
	}
	return keep_flagged(phases->flag, list, n);
}

/* The listed ones go through a level: returns how many missed. */
static unsigned
run_level(struct core_phases *phases, const struct tlb_uses *uses, bool second,
	  uint16_t *list, unsigned n)
{
	struct tlb *array = array_of(
		&phases->class[__builtin_ctz(phases->classes)], second);

	if (classes_of(phases, second, array) != phases->classes)
		return run_arrays(phases, uses, second, list, n);
	return array ? tlb_run(array, uses, list, n) : n;
}

/* Numbers of the listed ones, by class. */
static void
count_classes(const struct core_phases *phases, const uint16_t *list,
	      unsigned n, unsigned *counts)
{
	unsigned only = (unsigned)__builtin_ctz(phases->classes);

	memset(counts, 0, CLASSES * sizeof(*counts));
	if (phases->classes == 1u << only) {
		counts[only] = n;
		return;
	}
	for (unsigned i = 0; i < n; i++)
		counts[phases->class_of[list[i]]]++;
}

static void
run_first(struct core_phases *phases, struct core *core)
{
	const struct tlb_uses uses = { phases->tag1, phases->physical,
				       core->now + phases->first };
	unsigned all[CLASSES], missed[CLASSES];

	for (unsigned j = 0; j < phases->n; j++)
		phases->missed[j] = (uint16_t)j;
	count_classes(phases, phases->missed, phases->n, all);
	phases->n_missed =
		run_level(phases, &uses, false, phases->missed, phases->n);
	count_classes(phases, phases->missed, phases->n_missed, missed);
	for (unsigned i = 0; i < CLASSES; i++) {
		enum core_side side = i / TLB_SIZES;

		core->counts.l1_misses[side] += missed[i];
		core->counts.l1_large[side][phases->class[i].code1] +=
			all[i] - missed[i];
	}
}

/* Tags as the second level has them, of what missed the first. */
static const uint64_t *
second_tags(struct core_phases *phases)
{
	const uint64_t *address = phases->batch->address + phases->first;

	if (likely(!phases->pieces))
		return phases->tag1;
	for (unsigned i = 0; i < phases->n_missed; i++) {
		unsigned j = phases->missed[i];
		const struct class *class =
			&phases->class[phases->class_of[j]];

		phases->tag2[j] =
			(address[j] >> class->shift2 << class->shift2) |
			class->low2 | (phases->tag1[j] & TLB_READONLY);
	}
	return phases->tag2;
}

static void
run_second(struct core_phases *phases, struct core *core)
{
	const struct tlb_uses uses = { second_tags(phases), phases->physical,
				       core->l2_now + 1 };
	unsigned all[CLASSES], missed[CLASSES];

	core->l2_now += phases->n;
	memcpy(phases->walks, phases->missed,
	       phases->n_missed * sizeof(*phases->walks));
	count_classes(phases, phases->walks, phases->n_missed, all);
	phases->n_walks = run_level(phases, &uses, true, phases->walks,
				    phases->n_missed);
	count_classes(phases, phases->walks, phases->n_walks, missed);
	for (unsigned i = 0; i < CLASSES; i++) {
		const struct class *class = &phases->class[i];
		enum core_side side = i / TLB_SIZES;
		unsigned hits = all[i] - missed[i];

		core->counts.l2_misses[side] += missed[i];
		core->counts.walks[i % TLB_SIZES] += missed[i];
		core->counts.l2_hits[side][class->code2] += hits;
		core->counts.l2_cycles +=
			hits ? (uint64_t)hits * class->l2->latency : 0;
	}
}

/*
 * One level of the walk caches: those that missed the ones below.  A walk that
 * ends at this level or above finds nothing here and leaves nothing.
 */
static unsigned
run_walk_cache(struct core_phases *phases, struct core *core, unsigned level,
	       uint16_t *list, unsigned n)
{
	struct pwc *pwc = &core->walker.pwc;
	const uint64_t mask = UINT64_MAX << pwc_shift(level);
	const uint64_t *address = phases->batch->address + phases->first;
	const struct tlb_uses uses = { phases->tag, NULL, pwc->now + 1 };
	unsigned m = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned j = list[i];

		phases->tag[j] =
			(address[j] & mask) | TLB_ALWAYS | core->asid;
		phases->from[j] = (uint8_t)(level - 1);
		phases->flag[j] = 1;
		phases->part[m] = (uint16_t)j;
		m += phases->look[j].shift < pwc_shift(level);
	}
	pwc->lookups[level - PWC_LOWEST] += n;
	if (likely(m == n)) {
		m = tlb_run(&pwc->level[level - PWC_LOWEST], &uses, list, n);
		pwc->hits[level - PWC_LOWEST] += n - m;
		return m;
	}
	for (unsigned i = 0; i < m; i++)
		phases->flag[phases->part[i]] = 0;
	m = tlb_run(&pwc->level[level - PWC_LOWEST], &uses, phases->part, m);
	for (unsigned i = 0; i < m; i++)
		phases->flag[phases->part[i]] = 1;
	m = keep_flagged(phases->flag, list, n);
	pwc->hits[level - PWC_LOWEST] += n - m;
	return m;
}

/* From which level does each walk read? */
static void
run_walk_caches(struct core_phases *phases, struct core *core)
{
	unsigned top = core->table->levels, n = phases->n_walks;
	unsigned highest = top < PWC_HIGHEST ? top : PWC_HIGHEST;

	memcpy(phases->list, phases->walks, n * sizeof(*phases->list));
	for (unsigned level = PWC_LOWEST; level <= highest && n; level++)
		if (core->walker.pwc.level[level - PWC_LOWEST].entries)
			n = run_walk_cache(phases, core, level, phases->list,
					   n);
	for (unsigned i = 0; i < n; i++)
		phases->from[phases->list[i]] = (uint8_t)top;
	core->walker.pwc.now += phases->n;
}

/* The walks, whose references go to reference[] and level[]. */
static unsigned
walk_table(struct core_phases *phases, struct core *core, uint64_t *reference,
	   uint8_t *level)
{
	const struct table_walks walks = {
		.address = phases->batch->address + phases->first,
		.look = phases->look,
		.from = phases->from,
		.list = phases->walks,
		.n = phases->n_walks,
		.reference = reference,
		.level = level,
		.references = phases->references,
		.accessed = phases->accessed,
	};
	unsigned n = core->table->ops->walk_looked(core->table, &walks);

	core->walker.references += n;
	return n;
}

/* A miss, whose walk's references are in the queue from `at` on. */
static ALWAYS_INLINE unsigned
add_miss(const struct core_phases *phases, const struct core *core,
	 struct core_pending *pending, unsigned j, unsigned at)
{
	struct core_misses *misses = &pending->misses;
	unsigned i = misses->n++, n = phases->references[j];
	uint32_t place = phases->first + j;

	misses->address[i] = phases->batch->address[place];
	misses->position[i] = core->position + (place - phases->fed);
	misses->site[i] = phases->batch->site[place];
	misses->walked[i] = phases->from[j] != 0;
	misses->first[i] = !phases->accessed[j];
	pending->reference[i] = (uint16_t)at;
	pending->references[i] = (uint8_t)n;
	return n;
}

/* Queue walks where no data is between them. */
static void
queue_walks(struct core_phases *phases, struct core *core)
{
	struct core_pending *pending = core->pending;
	struct hierarchy_queue *queue = &pending->queue;
	unsigned at, n;

	core_make_room(core, CHUNK, CHUNK * TABLE_LEVELS_MAX + 1);
	at = queue->n;
	n = walk_table(phases, core, queue->physical + at, queue->mark + at);
	memset(queue->use + at, USE_WALK, n);
	queue->n += n;
	for (unsigned i = 0; i < phases->n_missed; i++)
		at += add_miss(phases, core, pending, phases->missed[i], at);
}

/* Queue walks and data, access by access. */
static void
queue_data(struct core_phases *phases, struct core *core)
{
	struct core_pending *pending = core->pending;
	unsigned next = 0, at = 0;

	walk_table(phases, core, phases->reference, phases->level);
	for (unsigned j = 0; j < phases->n; j++) {
		uint32_t ref = phases->batch->site[phases->first + j];

		if (next < phases->n_missed && phases->missed[next] == j) {
			unsigned n;

			core_make_room(core, 1, TABLE_LEVELS_MAX);
			n = add_miss(phases, core, pending, j,
				     pending->queue.n);
			for (unsigned i = 0; i < n; i++, at++)
				core_queue(core, phases->reference[at],
					   USE_WALK, phases->level[at]);
			next++;
		}
		core_reference(core, phases->physical[j],
			       core->sites.bytes[SITE_INDEX(ref)], ref, true);
	}
}

static void
chunk_run(struct core_phases *phases, struct core *core)
{
	run_first(phases, core);
	for (unsigned i = 0; i < phases->n_missed; i++) {
		phases->from[phases->missed[i]] = 0;
		phases->references[phases->missed[i]] = 0;
		phases->accessed[phases->missed[i]] = true;
	}
	run_second(phases, core);
	run_walk_caches(phases, core);
	if (core->data_cached)
		queue_data(phases, core);
	else
		queue_walks(phases, core);
}

/* What the accesses are, whatever comes of them. */
static void
count_accesses(struct core *core, const struct batch *batch, uint32_t from,
	       uint32_t to)
{
	const uint8_t *instructions = core->sites.instructions;
	uint64_t kinds = 0, begun = 0;

	for (uint32_t i = from; i < to; i++) {
		uint32_t ref = batch->site[i];

		kinds += UINT64_C(1) << 16 * SITE_KIND(ref);
		begun += instructions[SITE_INDEX(ref)];
	}
	core_count(core, kinds, 0, begun);
}

int
core_feed_phases(struct core *core, const struct batch *batch, uint32_t from,
		 uint32_t to)
{
	struct core_phases *phases = core->phases;
	unsigned most = CHUNK;
	uint32_t i = from;
	int error = 0;

	phases_begin(phases, core);
	phases->batch = batch;
	phases->fed = from;
	core->now -= from;
	while (!error && i < to) {
		unsigned n = to - i < most ? to - i : most;

		phases->first = i;
		chunk_begin(phases, core, n);
		if (phases->n)
			chunk_run(phases, core);
		i += phases->n;
		most = most < CHUNK ? 2 * most : CHUNK;
		if (phases->n == n)
			continue;
		error = core_lookup(core, batch, i++, from);
		most = CHUNK_LEAST;
	}
	core->now += i;
	core->position += i - from;
	count_accesses(core, batch, from, i);
	return error;
}
