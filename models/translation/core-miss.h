/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between the files of a core: the loops that answer hits (core.c, core-steps.c)
 * and what happens to an access that they do not answer (core-miss.c).
 *
 * Nothing that an access finds in its TLBs, walk caches and table depends on
 * what earlier walks cost.  So misses and the references of walks are queued,
 * and go through the caches and to who counts them together: core_settle.
 *
 *	misses 0, 1, ...                 each first-level miss, in order
 *	queue   w w w d w d ...          references of walks, each walk's together,
 *	                                 and, if core->heavy, those of data
 *
 * Where all references of walks cost the same (core->flat), none are queued:
 * what a walk costs and what there is to count of it are known at once.
 *
 * Settled are they when the queue is full, at the end of each core_feed and
 * core_pass_feed, and, where data goes through the caches at once, before it
 * does.
 */
#ifndef MODELS_TRANSLATION_CORE_MISS_H
#define MODELS_TRANSLATION_CORE_MISS_H

#include "models/memory/numa-copies.h"
#include "models/memory/numa.h"
#include "models/translation/core-hot.h"

struct core_pending {
	struct core_misses misses;
	/* by miss: of its walk, where in the queue */
	uint16_t reference[CORE_PENDING];
	uint16_t references[CORE_PENDING];
	/* walks that ended in faults: as above */
	unsigned n_faulted;
	uint16_t faulted_reference[CORE_PENDING + 1];
	uint16_t faulted_references[CORE_PENDING + 1];
	struct hierarchy_queue queue;
	uint32_t cost[HIERARCHY_QUEUE + 1]; /* scratch: of all before */
};

/* Send off and count all that is pending; core->error says if that failed. */
void core_settle(struct core *core);

/* Bring each level's `active` up to date. */
void core_activate(struct core *core);

/* One page of one access on its way through the levels. */
struct core_page {
	uint64_t address;
	uint64_t position; /* of the access in the run */
	uint64_t stamp;
	uint32_t ref;
	enum core_side side;
	bool write;
	/* of cores with grouped arrays: pages known to lie in a row with it */
	uint64_t run_first, run_last;
	/* out */
	bool found;	   /* else the program was denied the access */
	uint64_t physical; /* of address */
};

/*
 * What comes after a walk for a page that both levels miss: fault if need be,
 * and walk again, fill both levels and count.  Room was made.  0 with
 * page->found and ->physical, or an error.
 */
int core_resolve(struct core *core, struct core_page *page,
		 struct table_reference *references, unsigned n,
		 struct mapping *mapping);

/* Does an array of the second level have it? */
bool core_second_has(const struct core *core, enum core_side side,
		     uint64_t address);

/*
 * An access that the hint did not answer.  i: its place in the batch, which is
 * fed from `from` on.  0 or the error.
 */
int core_lookup(struct core *core, const struct batch *batch, uint32_t i,
		uint32_t from);

/* What core-phases.c needs.  NULL: no memory. */
struct core_phases *core_phases_open(void);
/* core_feed where most accesses miss: the same counts, by other loops. */
int core_feed_phases(struct core *core, const struct batch *batch,
		     uint32_t from, uint32_t to);

/* Of the entries that an address may be in. */
static ALWAYS_INLINE uint64_t
core_asid(const struct core *core, uint64_t address)
{
	return unlikely(core->globals) && address >> 63 ? TLB_ASID_GLOBAL
							: core->asid;
}

static ALWAYS_INLINE enum core_side
core_side_of(uint32_t ref)
{
	return SITE_KIND(ref) == SITE_FETCH ? CORE_FETCH : CORE_DATA;
}

static ALWAYS_INLINE bool
core_writes(uint32_t ref)
{
	return SITE_KIND(ref) == SITE_STORE || SITE_KIND(ref) == SITE_MODIFY;
}

static ALWAYS_INLINE void
core_queue(struct core *core, uint64_t physical, enum hierarchy_use use,
	   unsigned mark)
{
	struct hierarchy_queue *queue = &core->pending->queue;

	queue->physical[queue->n] = physical;
	queue->use[queue->n] = (uint8_t)use;
	queue->mark[queue->n++] = (uint8_t)mark;
}

/* References of walks, just made, to where their tables' pages are: later, those
 * may be gone. */
static ALWAYS_INLINE void
core_redirect(const struct core *core, uint64_t *physical, unsigned n)
{
	struct numa *numa = core->hierarchy->numa;

	if (unlikely(numa) && numa->redirects)
		numa_redirect(numa, physical, n);
}

/* There is room for so many more misses and references of their walks. */
static ALWAYS_INLINE void
core_make_room(struct core *core, unsigned misses, unsigned references)
{
	const struct core_pending *pending = core->pending;

	if (unlikely(pending->misses.n > CORE_PENDING - misses ||
		     pending->queue.n > HIERARCHY_QUEUE - references))
		core_settle(core);
}

/* That miss walked to a page for the first time. */
static ALWAYS_INLINE void
core_add_first(struct core *core, unsigned miss)
{
	struct core_misses *misses = &core->pending->misses;

	misses->first[misses->n_first++] = (uint16_t)miss;
}

/* Its number; references: of its walk, which are next in the queue; steps: how
 * many of them one after the other. */
static ALWAYS_INLINE unsigned
core_add_miss(struct core *core, const struct core_page *page, bool walked,
	      unsigned references, unsigned steps)
{
	struct core_pending *pending = core->pending;
	struct core_misses *misses = &pending->misses;
	unsigned i = misses->n++;

	misses->address[i] = page->address;
	misses->position[i] = page->position;
	misses->site[i] = page->ref;
	misses->walked[i] = walked;
	misses->cycles[i] = walked ? walker_flat_cost(&core->walker, steps) : 0;
	pending->reference[i] = (uint16_t)pending->queue.n;
	pending->references[i] = (uint16_t)references;
	return i;
}

static ALWAYS_INLINE bool
core_denied(const struct core_page *page, const struct mapping *mapping)
{
	return !mapping->shift || (page->write && !mapping->writable);
}

static ALWAYS_INLINE void
core_queue_walk(struct core *core, const struct table_reference *references,
		unsigned n)
{
	uint64_t *physical = core->pending->queue.physical;
	unsigned at = core->pending->queue.n;

	for (unsigned i = 0; i < n; i++)
		if (core->flat)
			walker_count_flat(&core->walker,
					  references[i].level & ~TABLE_BESIDE,
					  1);
		else
			core_queue(core, references[i].address, USE_WALK,
				   references[i].level);
	core_redirect(core, physical + at, core->pending->queue.n - at);
}

/* Walks, n of so many references and steps, are known to cost so much. */
static ALWAYS_INLINE void
core_count_walks(struct core *core, unsigned references, unsigned steps,
		 unsigned n)
{
	uint32_t cost = walker_flat_cost(&core->walker, steps);

	if (unlikely(walker_count(&core->walker, references, cost, n)))
		core->error = -ENOMEM;
}

/* The walk found its page: queue what it read. */
static ALWAYS_INLINE void
core_add_walk(struct core *core, const struct core_page *page,
	      const struct table_reference *references, unsigned n,
	      const struct mapping *mapping)
{
	unsigned steps =
		core->walker.aside.beside ? walker_steps(references, n) : n;
	unsigned miss = core_add_miss(core, page, true, n, steps);

	if (unlikely(!mapping->accessed))
		core_add_first(core, miss);
	core->walker.references += n;
	if (core->flat)
		core_count_walks(core, n, steps, 1);
	core_queue_walk(core, references, n);
}

/* One line of data or code, at once or queued. */
static ALWAYS_INLINE void
core_reference_line(struct core *core, uint64_t physical,
		    enum hierarchy_use use, bool queued)
{
	struct hierarchy_queue *queue = &core->pending->queue;
	enum hierarchy_place place;

	if (!queued) {
		hierarchy_access(core->hierarchy, physical, use, &place);
		return;
	}
	if (unlikely(queue->n == HIERARCHY_QUEUE))
		core_settle(core);
	queue->data = true;
	core_queue(core, physical, use, WALKER_NONE);
}

static ALWAYS_INLINE enum hierarchy_use
core_use_of(uint32_t ref)
{
	static const enum hierarchy_use uses[4] = {
		[SITE_LOAD] = USE_LOAD,
		[SITE_STORE] = USE_STORE,
		[SITE_MODIFY] = USE_STORE,
		[SITE_FETCH] = USE_FETCH,
	};

	return uses[SITE_KIND(ref)];
}

/* All lines of an access, where the hierarchy wants to know more of each. */
void core_reference_detailed(struct core *core, uint64_t physical,
			     uint64_t address, uint64_t bytes, uint32_t ref);

/* All lines of an access.  queued: core->heavy, if that is known. */
static ALWAYS_INLINE void
core_reference(struct core *core, uint64_t physical, uint64_t bytes,
	       uint32_t ref, bool queued)
{
	enum hierarchy_use use = core_use_of(ref);
	uint64_t step = UINT64_C(1) << core->line_shift[core_side_of(ref)];
	uint64_t last = physical + (bytes ? bytes - 1 : 0);

	core_reference_line(core, physical, use, queued);
	for (physical = (physical | (step - 1)) + 1; unlikely(physical <= last);
	     physical += step)
		core_reference_line(core, physical, use, queued);
}

#endif
