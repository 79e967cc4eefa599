/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cache hierarchy and the memory behind it: where a physical reference is
 * found, and what that costs.
 */
#ifndef MODELS_MEMORY_HIERARCHY_H
#define MODELS_MEMORY_HIERARCHY_H

#include "analyzer/option.h"
#include "analyzer/result.h"

struct hierarchy;

enum hierarchy_place {
	PLACE_L1,
	PLACE_L2,
	PLACE_L3,
	PLACE_MEMORY,
	PLACES,
};

enum hierarchy_use {
	USE_WALK,
	USE_LOAD,
	USE_STORE,
	USE_FETCH,
	USES
};

struct hierarchy_config; /* in hierarchy.c's own header part, by rows */

extern const struct option_group hierarchy_groups[]; /* cache.l1d, cache.l1i,
	cache.l2, cache.l3, memory; prefix-relative offsets into
	struct hierarchy_config; ends with rows NULL */
extern const size_t hierarchy_config_bytes;

int hierarchy_open(struct hierarchy **out,
		   const struct hierarchy_config *config);
void hierarchy_close(struct hierarchy *hierarchy);

/*
 * One reference to the line of this physical address: fills caches, returns
 * cycles and where it was found.  Walk references enter at L1d as the
 * hardware's do, unless configured to enter at L2.
 */
unsigned hierarchy_access(struct hierarchy *hierarchy, uint64_t physical,
			  enum hierarchy_use use, enum hierarchy_place *place);

/* cache.l1d.misses, cache.l3.walk.misses, memory.references ... */
int hierarchy_finish(const struct hierarchy *hierarchy, struct result *result);

#endif
