/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cache hierarchy and the memory behind it: where a physical reference is
 * found, and what that costs.
 *
 *	load, store, walk -> L1d \
 *	                          L2 -> L3 -> memory
 *	fetch ------------> L1i /
 *
 * Each core has its own such hierarchy, of which the last levels may be the same
 * (cache.shared).  A level of size 0 is left out.  A line is filled into every
 * level that missed; for exclusive levels and more see details.h.  Latencies are from the start of the reference: one found in L2
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

enum hierarchy_exclusive {
	EXCLUSIVE_NO,
	EXCLUSIVE_L3,  /* the L3 has what left the L2 (Zen) */
	EXCLUSIVE_ALL, /* ... and the L2 what left the L1 (K8) */
};

/* What all cores have together; the rest each has its own. */
enum hierarchy_shared {
	SHARED_NONE,
	SHARED_L3,
	SHARED_L2, /* and L3 */
};

/* How the levels stand together; prefix "cache". */
struct levels_config {
	bool inclusive; /* a line leaving L3 leaves L1 and L2 too */
	int walks;	/* walk references enter at 0: L1d, 1: L2, 2: memory */
	int exclusive;	/* enum hierarchy_exclusive */
	int shared;	/* enum hierarchy_shared */
	bool classify;	/* tell conflict from capacity misses */
	bool virtual;	/* L1 is indexed by virtual addresses */
	int synonyms;	/* 0: dropped, 1: kept */
#define HIERARCHY_WALKS_NONE 2
};
extern const struct option_row levels_rows[];

/* Prefix "memory", beside frames_rows. */
struct memory_config {
	int64_t latency;   /* cycles from the start of the reference */
	char *attributes;  /* owned: attributes.h, or NULL */
	int64_t combining; /* write-combining buffers */
};
extern const struct option_row memory_rows[];

struct numa;

/* Who knows the type of memory (enum memory_type) at an address that the
 * running program uses; context NULL: all is cached as usual. */
struct hierarchy_types {
	void *context;
	int (*type)(void *context, uint64_t virtual);
};

/* References to a cache by colour of the page. */
struct colour_count {
	uint64_t lookups, misses, conflicts;
};
struct colour_map {
	uint64_t colours;
	struct colour_count *count; /* owned: [colours] */
};

struct details;

struct hierarchy_config {
	struct cache_config l1d, l1i; /* cache_rows */
	struct cache_config l2;	      /* cache_l2_rows */
	struct cache_config l3;	      /* cache_l3_rows */
	struct levels_config levels;  /* levels_rows */
	struct memory_config memory;  /* memory_rows */
	/* no rows */
	uint64_t seed;	   /* of random replacement */
	struct numa *numa; /* borrowed; NULL: one node of memory */
	unsigned cores;	   /* 0 is 1 */
	struct hierarchy_types types;
	uint64_t colours; /* to map, of the L2 or L3, with classify */
	bool mapped_l3;
	bool coloured; /* tell the pages of each colour without classify too */
};

/*
 * What hardware would fetch ahead: data that is not in L1, in the line before or
 * behind the last such one of its page.  Counted alone, no cache gets it early.
 */
#define HIERARCHY_STREAMS 64u

struct hierarchy_streams {
	uint64_t line[HIERARCHY_STREAMS]; /* the last one, by page */
	uint64_t count[PLACES];		  /* where they were found */
};

/* The eight fields that hierarchy_access needs, and the counts. */
struct hierarchy {
	struct cache l1d, l1i, l2, l3;
	unsigned memory_latency;
	bool inclusive;
	enum hierarchy_place walks_at; /* the first that they look into */
	struct numa *numa; /* borrowed; NULL: all memory costs the same */
	/* by place: its own or the shared one; [PLACE_L1]: l1d */
	struct cache *at[PLACE_MEMORY];
	struct details *details; /* owned; NULL: nothing more is asked for */
	struct hierarchy *root;	 /* of the first core */
	struct hierarchy **core; /* owned by the root: [cores] */
	unsigned cores;		 /* of the root */
	int shared;		 /* enum hierarchy_shared */
	struct colour_map *map;	 /* owned by the root; or NULL */
	uint64_t coloured;	 /* colours whose pages are told; 0: none */
	/* references that came to a level, and those it did not have */
	uint64_t accesses[PLACES][USES];
	uint64_t misses[PLACES][USES];
	struct hierarchy_streams streams;
};

/*
 * Is it one that hierarchy_open takes, beside its single caches
 * (cache_config_wrong)?  As there; *field with its prefix: "cache.exclusive".
 */
int hierarchy_config_wrong(const struct hierarchy_config *config,
			   const char **field, char *text, size_t bytes);

/* Of the first core, which owns those of the others.  0, -EINVAL or -ENOMEM
 * (said). */
int hierarchy_open(struct hierarchy **out,
		   const struct hierarchy_config *config);
void hierarchy_close(struct hierarchy *hierarchy);
/* Of core number i; borrowed.  Where it was opened for fewer, they have the
 * first together. */
static inline struct hierarchy *
hierarchy_of_core(const struct hierarchy *hierarchy, unsigned i)
{
	return hierarchy->core[i < hierarchy->cores ? i : 0];
}

/* A line left the L3: what is of it in the upper caches of its cores goes too. */
void hierarchy_drop_above(struct hierarchy *hierarchy, uint64_t l3_line);

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

/* The same where addresses and lengths matter (hierarchy->details). */
unsigned hierarchy_access_detailed(struct hierarchy *hierarchy,
				   uint64_t physical, uint64_t virtual,
				   unsigned bytes, enum hierarchy_use use);

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

/* All references of walks go to memory, and cost the same? */
static inline bool
hierarchy_walks_uncached(const struct hierarchy *hierarchy)
{
	if (hierarchy->numa)
		return false;
	return hierarchy->walks_at == PLACE_MEMORY ||
	       !((cache_exists(&hierarchy->l1d) &&
		  hierarchy->walks_at == PLACE_L1) ||
		 cache_exists(hierarchy->at[PLACE_L2]) ||
		 cache_exists(hierarchy->at[PLACE_L3]));
}

/* What a reference costs that a walk finds there; of memory: see numa.h where
 * there is more than one node. */
static inline unsigned
hierarchy_walk_latency(const struct hierarchy *hierarchy,
		       enum hierarchy_place place)
{
	const unsigned latency[PLACES] = {
		[PLACE_L1] = hierarchy->l1d.latency,
		[PLACE_L2] = hierarchy->at[PLACE_L2]->latency,
		[PLACE_L3] = hierarchy->at[PLACE_L3]->latency,
		[PLACE_MEMORY] = hierarchy->memory_latency,
	};

	return latency[place];
}

/* Is the page at this physical address one of a table? */
typedef bool hierarchy_is_table(const void *context, uint64_t physical);

/*
 * cache.L.tables: the share of the lines that are there now which are of page
 * tables, for each level of the first core.
 */
int hierarchy_finish_tables(const struct hierarchy *hierarchy,
			    hierarchy_is_table *is_table, const void *context,
			    struct result *result);

/*
 * Of all cores: cache.l1d.accesses, cache.l1d.misses, cache.l1d.walk.accesses, ... for each
 * level that exists (also l1i, l2, l3), memory.references and
 * memory.walk.references; and what details.h has.  pages (or NULL): given of
 * each colour.
 */
int hierarchy_finish(const struct hierarchy *hierarchy, const uint64_t *pages,
		     struct result *result);

#endif
