/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hardware walker: asks the table which entries a walk reads, lets the
 * walk caches skip the first of them, and sends the rest through the cache
 * hierarchy one after the other, each with its own latency.
 *
 * A walk that finds no page ends in a fault; it is counted apart
 * (walk.faulted.*), and the walk repeated after the fault is the one that
 * counts in walk.count.  So walk.count equals the misses of the last TLB.
 */
#ifndef MODELS_TRANSLATION_WALKER_H
#define MODELS_TRANSLATION_WALKER_H

#include "models/memory/hierarchy.h"
#include "models/tables/table.h"
#include "models/translation/aside.h"
#include "models/translation/pwc.h"

/* 0: tables without levels; 1 .. 5; those of a host from TABLE_HOST on */
#define WALKER_LEVELS TABLE_MARKS
#define WALKER_NONE   TABLE_MARKS

struct walker_config {
	int64_t overhead; /* cycles of each walk beside its references */
	struct pwc_config pwc;
};

extern const struct option_row walker_rows[];

struct walker {
	struct pwc pwc;
	struct aside aside;
	struct hierarchy *hierarchy; /* borrowed */
	uint64_t overhead;

	uint64_t walks, references, cycles;
	uint64_t faulted, faulted_references, faulted_cycles;
	/* by table level; [WALKER_NONE]: of references that are no walk's */
	uint64_t found[WALKER_NONE + 1][PLACES];
	uint64_t *latency; /* owned: [latency_max] walks by their cycles */
	uint64_t latency_max;
	/* walks by their references */
	uint64_t by_references[TABLE_REFERENCES_MAX + 1];
};

/* pwc_config: [PWC_LEVELS].  0 or -ENOMEM. */
int walker_init(struct walker *walker, const struct walker_config *config,
		const struct tlb_config *pwc_config,
		struct hierarchy *hierarchy, uint64_t seed);
void walker_fini(struct walker *walker);

/* Fill walk caches after a walk whose references are not all its own table's:
 * with the guest's, but the last. */
void walker_fill(struct walker *walker, uint64_t address, uint64_t asid,
		 const struct table_reference *references, unsigned n);

/* walker_find where walk caches are unified or do not skip. */
unsigned walker_find_special(struct walker *walker, struct table *table,
			     uint64_t address, uint64_t asid,
			     struct table_reference *references,
			     struct mapping *mapping);

/*
 * A walk comes in two halves, so that the references of many can go through
 * the caches together.  The first asks the walk caches and the table: sets
 * *mapping to what was found, shift 0 if nothing, and returns the number of
 * references, whose latencies decide nothing.
 */
static ALWAYS_INLINE unsigned
walker_find(struct walker *walker, struct table *table, uint64_t address,
	    uint64_t asid, struct table_reference *references,
	    struct mapping *mapping)
{
	unsigned cached, n, levels = table->levels;

	if (!levels)
		return table->ops->walk_from(table, address, 0, references,
					     mapping);
	if (unlikely(walker->pwc.special))
		return walker_find_special(walker, table, address, asid,
					   references, mapping);
	cached = pwc_find(&walker->pwc, address, asid, levels);
	n = table->ops->walk_from(table, address, cached ? cached - 1 : levels,
				  references, mapping);
	if (table->most > TABLE_LEVELS_MAX) {
		walker_fill(walker, address, asid, references, n);
		return n;
	}
	for (unsigned i = 0; i + 1 < n; i++)
		pwc_fill(&walker->pwc, address, asid, references[i].level);
	return n;
}

/* How many of these come one after the other. */
static ALWAYS_INLINE unsigned
walker_steps(const struct table_reference *references, unsigned n)
{
	unsigned steps = n;

	for (unsigned i = 0; i < n; i++)
		steps -= references[i].level >= TABLE_BESIDE;
	return steps;
}

/* A walk of n references ended in a fault; what they cost is to be added. */
static inline void
walker_fault(struct walker *walker, unsigned n)
{
	walker->faulted++;
	walker->faulted_references += n;
	walker->faulted_cycles += walker->overhead;
}

/*
 * The other half of walks that found their pages.  First what the references of
 * a queue cost, whose marks are levels (WALKER_NONE: not a walk's): cost[i] is
 * that of all before number i, and cost[queue->n] of all; then each miss with
 * its sum, which is 0 if it did not walk.
 */
void walker_charge(struct walker *walker, const struct hierarchy_queue *queue,
		   uint32_t *cost);
/*
 * Where all references of walks go to memory, both halves are one: what a walk
 * of n steps costs, and that so many references to a level were made.
 */
static ALWAYS_INLINE uint32_t
walker_flat_cost(const struct walker *walker, unsigned n)
{
	return (uint32_t)walker->overhead +
	       n * walker->hierarchy->memory_latency;
}
static ALWAYS_INLINE void
walker_count_flat(struct walker *walker, unsigned level, unsigned n)
{
	walker->found[level][PLACE_MEMORY] += n;
	walker->hierarchy->accesses[PLACE_MEMORY][USE_WALK] += n;
}

/* 0 or -ENOMEM (said). */
int walker_grow(struct walker *walker, uint64_t cycles);
/* n walks, each of so many references and cycles. */
static ALWAYS_INLINE int
walker_count(struct walker *walker, unsigned references, unsigned cycles,
	     unsigned n)
{
	walker->walks += n;
	walker->by_references[references] += n;
	walker->cycles += (uint64_t)n * cycles;
	if (unlikely(cycles >= walker->latency_max) &&
	    walker_grow(walker, cycles))
		return -ENOMEM;
	walker->latency[cycles] += n;
	return 0;
}

/* Add what another walker and its walk caches counted.  0 or -ENOMEM (said). */
int walker_add(struct walker *walker, const struct walker *other);

/* walk.* values, tables walk.latency, walk.levels and
 * walk.references.histogram, and pwc.* */
int walker_finish(const struct walker *walker, struct result *result);

#endif
