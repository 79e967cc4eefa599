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
#include "models/translation/pwc.h"

#define WALKER_LEVELS 6u /* 0: tables without levels; 1 .. 5 */

struct walker_config {
	int64_t overhead; /* cycles of each walk beside its references */
};

extern const struct option_row walker_rows[];

struct walker {
	struct pwc pwc;
	struct hierarchy *hierarchy; /* borrowed */
	uint64_t overhead;

	uint64_t walks, references, cycles;
	uint64_t faulted, faulted_references, faulted_cycles;
	uint64_t found[WALKER_LEVELS][PLACES];
	uint64_t found_cycles[WALKER_LEVELS];
	uint64_t *latency; /* owned: [latency_max] walks by their cycles */
	uint64_t latency_max;
};

/* pwc_config: [PWC_LEVELS].  0 or -ENOMEM. */
int walker_init(struct walker *walker, const struct walker_config *config,
		const struct tlb_config *pwc_config,
		struct hierarchy *hierarchy, uint64_t seed);
void walker_fini(struct walker *walker);

/*
 * Walk.  *mapping says what was found, shift 0 if nothing; *cycles what it
 * cost.  write: a mapping that is not writable is a fault too.  0 or -ENOMEM.
 */
int walker_walk(struct walker *walker, struct table *table, uint64_t address,
		uint64_t asid, bool write, struct mapping *mapping,
		unsigned *cycles);

/* walk.* values, tables walk.latency and walk.levels, and pwc.* */
int walker_finish(const struct walker *walker, struct result *result);

#endif
