/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cache hierarchy and the memory behind it: where a physical reference is
 * found, and what that costs.
 *
 *	load, store, walk -> L1d \
 *	                          L2 -> L3 -> memory
 *	fetch ------------> L1i /
 *
 * A level of size 0 is left out.  A line is filled into every level that
 * missed.  Latencies are from the start of the reference: one found in L2
 * costs the L2's latency, not the sum.  Stores allocate; write-backs are not
 * counted.  Walks may enter at L2, or go to memory at once.
 */
#ifndef MODELS_MEMORY_HIERARCHY_H
#define MODELS_MEMORY_HIERARCHY_H

#include "analyzer/option.h"
#include "analyzer/result.h"
#include "models/memory/cache.h"

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

/* How the levels stand together; prefix "cache". */
struct levels_config {
	bool inclusive; /* a line leaving L3 leaves L1 and L2 too */
	int walks;	/* walk references enter at 0: L1d, 1: L2, 2: memory */
#define HIERARCHY_WALKS_NONE 2
};
extern const struct option_row levels_rows[];

/* Prefix "memory", beside frames_rows. */
struct memory_config {
	int64_t latency; /* cycles from the start of the reference */
};
extern const struct option_row memory_rows[];

struct hierarchy_config {
	struct cache_config l1d, l1i; /* cache_rows */
	struct cache_config l2;	      /* cache_l2_rows */
	struct cache_config l3;	      /* cache_l3_rows */
	struct levels_config levels;  /* levels_rows */
	struct memory_config memory;  /* memory_rows */
	uint64_t seed;		      /* of random replacement; no row */
};

/* The eight fields that hierarchy_access needs, and the counts. */
struct hierarchy {
	struct cache l1d, l1i, l2, l3;
	unsigned memory_latency;
	bool inclusive;
	enum hierarchy_place walks_at; /* the first that they look into */
	/* references that came to a level, and those it did not have */
	uint64_t accesses[PLACES][USES];
	uint64_t misses[PLACES][USES];
};

/* 0, -EINVAL or -ENOMEM (said). */
int hierarchy_open(struct hierarchy **out,
		   const struct hierarchy_config *config);
void hierarchy_close(struct hierarchy *hierarchy);

/* hierarchy_access for all that the inline part does not answer. */
unsigned hierarchy_descend(struct hierarchy *hierarchy, uint64_t physical,
			   enum hierarchy_use use, enum hierarchy_place *place);

/*
 * One reference to the line of this physical address: fills caches, returns
 * cycles and where it was found.  A reference that crosses lines is the
 * caller's to split.
 */
static ALWAYS_INLINE unsigned
hierarchy_access(struct hierarchy *hierarchy, uint64_t physical,
		 enum hierarchy_use use, enum hierarchy_place *place)
{
	const struct cache *l1 =
		use == USE_FETCH ? &hierarchy->l1i : &hierarchy->l1d;
	uint64_t line = physical >> l1->line_shift;

	if (likely(l1->recent &&
		   (use != USE_WALK || hierarchy->walks_at == PLACE_L1)) &&
	    l1->recent[line & l1->set_mask] == line) {
		hierarchy->accesses[PLACE_L1][use]++;
		*place = PLACE_L1;
		return l1->latency;
	}
	return hierarchy_descend(hierarchy, physical, use, place);
}

/*
 * References that wait to be made together: as no cache depends on what comes
 * of a reference in a lower one, all go through L1, then those that missed
 * through L2, ... in loops whose waits for our own memory overlap.
 */
#define HIERARCHY_QUEUE 2048u

struct hierarchy_queue {
	unsigned n;
	bool data; /* there are others than USE_WALK */
	uint64_t physical[HIERARCHY_QUEUE];
	uint8_t use[HIERARCHY_QUEUE];  /* enum hierarchy_use */
	uint8_t mark[HIERARCHY_QUEUE]; /* the owner's: not looked at here */
	/* out */
	uint8_t place[HIERARCHY_QUEUE];
	uint16_t list[2][HIERARCHY_QUEUE]; /* scratch */
};

/*
 * Make the references of the queue, in its order: the same counts, caches and
 * places as by hierarchy_access one by one.  n stays.
 */
void hierarchy_run(struct hierarchy *hierarchy, struct hierarchy_queue *queue);

/* All references of walks go to memory? */
static inline bool
hierarchy_walks_uncached(const struct hierarchy *hierarchy)
{
	return hierarchy->walks_at == PLACE_MEMORY ||
	       !((cache_exists(&hierarchy->l1d) &&
		  hierarchy->walks_at == PLACE_L1) ||
		 cache_exists(&hierarchy->l2) || cache_exists(&hierarchy->l3));
}

/* What a reference costs that a walk finds there. */
static inline unsigned
hierarchy_walk_latency(const struct hierarchy *hierarchy,
		       enum hierarchy_place place)
{
	const unsigned latency[PLACES] = {
		[PLACE_L1] = hierarchy->l1d.latency,
		[PLACE_L2] = hierarchy->l2.latency,
		[PLACE_L3] = hierarchy->l3.latency,
		[PLACE_MEMORY] = hierarchy->memory_latency,
	};

	return latency[place];
}

/*
 * cache.l1d.accesses, cache.l1d.misses, cache.l1d.walk.accesses, ... for each
 * level that exists (also l1i, l2, l3), memory.references and
 * memory.walk.references.
 */
int hierarchy_finish(const struct hierarchy *hierarchy, struct result *result);

#endif
