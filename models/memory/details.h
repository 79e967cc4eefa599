/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hierarchy where more is asked of it than which line is where: exclusive
 * levels, virtually indexed first levels and their synonyms, why a cache missed,
 * memory that is not cached as usual.  References then go one by one through
 * details_access; where none of this is asked for, none of it is there.
 */
#ifndef MODELS_MEMORY_DETAILS_H
#define MODELS_MEMORY_DETAILS_H

#include "models/memory/classify.h"
#include "models/memory/combining.h"
#include "models/memory/hierarchy.h"

/* One of the caches. */
struct detailed {
	struct cache *cache; /* borrowed */
	bool exclusive;	     /* has only what left the level above */
	unsigned pages; /* of the virtual index; 1: it is as the physical */
	struct classify *classify; /* owned unless shared; or NULL */
	bool shared;
};

enum detailed_cache {
	DETAILED_L1D,
	DETAILED_L1I,
	DETAILED_L2,
	DETAILED_L3,
	DETAILED,
};

struct details {
	struct hierarchy *hierarchy; /* borrowed */
	struct detailed cache[DETAILED];
	bool virtual; /* asked for, whatever the sizes */
	bool synonyms_stay;
	struct hierarchy_types types; /* context NULL: all is cached */
	struct combining combining;
	uint64_t uncached[USES], combined_loads;
	uint64_t synonyms, synonym_stores, mismatched;
	/* of the cache whose colours are mapped; shared by cores */
	struct colour_map *map; /* borrowed, or NULL */
	enum detailed_cache mapped;
};

/* 0 or -ENOMEM.  *out NULL: nothing of it is asked for. */
int details_open(struct details **out, struct hierarchy *hierarchy,
		 const struct hierarchy_config *config,
		 const struct hierarchy *root);
void details_close(struct details *details);

struct details_reference {
	uint64_t physical, virtual;
	unsigned bytes; /* in the line */
	enum hierarchy_use use;
};

/* As hierarchy_access. */
unsigned details_access(struct details *details,
			const struct details_reference *reference,
			enum hierarchy_place *place);

/* Forget a line of one cache, wherever it is. */
void details_drop(struct details *details, enum detailed_cache cache,
		  uint64_t physical);
/* Where the line is that the cache knows by this key. */
uint64_t details_physical(const struct details *details,
			  enum detailed_cache cache, uint64_t key);

/* Before the end: what waits in buffers is written. */
void details_drain(struct details *details);

#endif
