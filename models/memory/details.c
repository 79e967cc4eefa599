// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * References through the caches one by one; see the header.
 *
 * Exclusive levels take in what leaves the level above and nothing else, and
 * give a line up when it is found there:
 *
 *	found in L3:  L3 -> L1 (and L2, where that is not exclusive)
 *	L1 full:      victim -> L2, whose victim -> L3, whose victim is gone
 *
 * A virtually indexed cache keeps lines under
 *
 *	key = frame number << set bits | set (by virtual address)
 *
 * so a line of one frame can be in as many sets as the index has pages: the
 * copies in other sets are synonyms.  A fill that finds one counts it, and
 * drops it unless cache.synonyms=keep.
 */
#include "models/memory/details.h"

#include <stdlib.h>

#include "models/memory/numa.h"

#define PAGE_SHIFT 12
#define PAGE_MASK  ((UINT64_C(1) << PAGE_SHIFT) - 1)

static uint64_t
key_of(const struct detailed *at, uint64_t physical, uint64_t virtual)
{
	const struct cache *cache = at->cache;

	if (at->pages == 1)
		return physical >> cache->line_shift;
	return physical >> PAGE_SHIFT << cache->set_bits |
	       (virtual >> cache->line_shift & cache->set_mask);
}

static uint64_t
physical_of(const struct detailed *at, uint64_t key)
{
	const struct cache *cache = at->cache;

	if (at->pages == 1)
		return key << cache->line_shift;
	return key >> cache->set_bits << PAGE_SHIFT |
	       (key << cache->line_shift & PAGE_MASK);
}

/* The key of a line in the set that another virtual page number gives. */
static uint64_t
alias_of(const struct detailed *at, uint64_t key, unsigned page)
{
	unsigned shift = PAGE_SHIFT - at->cache->line_shift;
	uint64_t mask = (uint64_t)(at->pages - 1) << shift;

	return (key & ~mask) | (uint64_t)page << shift;
}

static unsigned
page_of(const struct detailed *at, uint64_t address)
{
	return (unsigned)(address >> PAGE_SHIFT) & (at->pages - 1);
}

/* A line came into a virtually indexed cache: is it there already? */
static void
look_for_synonyms(struct details *details, struct detailed *at, uint64_t key,
		  const struct details_reference *reference)
{
	unsigned own = page_of(at, reference->virtual);

	for (unsigned page = 0; page < at->pages; page++) {
		uint64_t alias = alias_of(at, key, page);

		if (page == own || !cache_holds(at->cache, alias))
			continue;
		details->synonyms++;
		details->synonym_stores += reference->use == USE_STORE;
		if (!details->synonyms_stay)
			cache_drop(at->cache, alias);
	}
}

/* What left a level goes to those below that want it. */
static void
pass_down(struct details *details, unsigned place, uint64_t physical)
{
	for (unsigned i = place + 1; i <= PLACE_L3; i++) {
		struct detailed *at =
			&details->cache[i == PLACE_L2 ? DETAILED_L2
						      : DETAILED_L3];
		uint64_t evicted = CACHE_NO_LINE;

		if (!cache_exists(at->cache))
			continue;
		if (!at->exclusive)
			return;
		cache_use(at->cache, physical >> at->cache->line_shift,
			  &evicted);
		if (evicted == CACHE_NO_LINE)
			return;
		physical = physical_of(at, evicted);
	}
}

static void
count_colour(struct details *details, uint64_t physical,
	     enum classify_kind kind, bool hit)
{
	struct colour_map *map = details->map;
	struct colour_count *count =
		&map->count[(physical >> PAGE_SHIFT) % map->colours];

	count->lookups++;
	count->misses += !hit;
	count->conflicts += kind == CLASSIFY_CONFLICT;
}

/* One level is asked; true: there.  top: it is the first.  What left it goes
 * into *evicted. */
static bool
look(struct details *details, struct detailed *at, bool top,
     const struct details_reference *reference, uint64_t *evicted)
{
	uint64_t key = key_of(at, reference->physical, reference->virtual);
	enum classify_kind kind = CLASSIFY_HIT;
	bool hit;

	if (at->exclusive && !top)
		hit = cache_drop(at->cache, key);
	else
		hit = cache_use(at->cache, key, evicted);
	if (at->pages > 1) {
		details->mismatched += page_of(at, reference->virtual) !=
				       page_of(at, reference->physical);
		if (!hit)
			look_for_synonyms(details, at, key, reference);
	}
	if (at->classify)
		kind = classify_use(at->classify,
				    reference->physical >>
					    at->cache->line_shift,
				    hit);
	if (details->map && at == &details->cache[details->mapped])
		count_colour(details, reference->physical, kind, hit);
	return hit;
}

/* What left the levels that were asked, once all were. */
static void
place_victims(struct details *details, struct detailed *const *level,
	      const uint64_t *evicted)
{
	for (unsigned i = PLACE_L1; i <= PLACE_L3; i++) {
		if (evicted[i] == CACHE_NO_LINE)
			continue;
		if (i == PLACE_L3 && details->hierarchy->inclusive)
			hierarchy_drop_above(details->hierarchy, evicted[i]);
		pass_down(details, i, physical_of(level[i], evicted[i]));
	}
}

static unsigned
go_out(struct details *details, const struct details_reference *reference,
       enum hierarchy_place *place)
{
	struct hierarchy *hierarchy = details->hierarchy;

	hierarchy->accesses[PLACE_MEMORY][reference->use]++;
	*place = PLACE_MEMORY;
	return hierarchy->numa && reference->use != USE_WALK
		       ? numa_reach_data(hierarchy->numa, reference->physical)
		       : hierarchy->memory_latency;
}

/* Memory that is not cached: true, and its cycles. */
static bool
pass_caches(struct details *details, const struct details_reference *reference,
	    enum hierarchy_place *place, unsigned *cycles)
{
	enum memory_type type =
		(enum memory_type)details->types.type(details->types.context,
						      reference->virtual);

	if (type == MEMORY_WB)
		return false;
	if (type == MEMORY_WC && reference->use == USE_STORE) {
		/* It is in a buffer, which costs as the first level does. */
		combining_store(&details->combining, reference->physical,
				reference->bytes);
		*place = PLACE_L1;
		*cycles = details->hierarchy->l1d.latency;
		return true;
	}
	if (type == MEMORY_UC) {
		combining_drain(&details->combining);
		details->uncached[reference->use]++;
	} else {
		details->combined_loads++;
	}
	*cycles = go_out(details, reference, place);
	return true;
}

unsigned
details_access(struct details *details,
	       const struct details_reference *reference,
	       enum hierarchy_place *place)
{
	struct hierarchy *hierarchy = details->hierarchy;
	enum hierarchy_use use = reference->use;
	struct detailed *const level[] = {
		&details->cache[use == USE_FETCH ? DETAILED_L1I : DETAILED_L1D],
		&details->cache[DETAILED_L2],
		&details->cache[DETAILED_L3],
	};
	uint64_t evicted[] = { CACHE_NO_LINE, CACHE_NO_LINE, CACHE_NO_LINE };
	unsigned first = use == USE_WALK ? hierarchy->walks_at : PLACE_L1;
	unsigned cycles, found = PLACE_MEMORY;
	bool top = true;

	if (details->types.context && use != USE_WALK &&
	    pass_caches(details, reference, place, &cycles))
		return cycles;
	for (unsigned i = first; i < ARRAY_SIZE(level); i++) {
		struct detailed *at = level[i];

		if (!cache_exists(at->cache))
			continue;
		hierarchy->accesses[i][use]++;
		if (look(details, at, top, reference, &evicted[i])) {
			found = i;
			break;
		}
		hierarchy->misses[i][use]++;
		top = false;
	}
	place_victims(details, level, evicted);
	if (found == PLACE_MEMORY)
		return go_out(details, reference, place);
	*place = (enum hierarchy_place)found;
	return level[found]->cache->latency;
}

void
details_drop(struct details *details, enum detailed_cache cache,
	     uint64_t physical)
{
	struct detailed *at = &details->cache[cache];
	uint64_t key = key_of(at, physical, physical);

	if (at->pages == 1) {
		cache_drop(at->cache, key);
		return;
	}
	for (unsigned page = 0; page < at->pages; page++)
		cache_drop(at->cache, alias_of(at, key, page));
}

uint64_t
details_physical(const struct details *details, enum detailed_cache cache,
		 uint64_t key)
{
	return physical_of(&details->cache[cache], key);
}

void
details_drain(struct details *details)
{
	combining_drain(&details->combining);
}

static unsigned
index_pages(const struct cache *cache)
{
	uint64_t way = cache->sets << cache->line_shift;

	return cache_exists(cache) && way > PAGE_MASK + 1
		       ? (unsigned)(way >> PAGE_SHIFT)
		       : 1;
}

/* The parts beside each cache; those of shared ones are the first core's. */
static int
open_classify(struct details *details, const struct hierarchy *root)
{
	for (unsigned i = 0; i < DETAILED; i++) {
		struct detailed *at = &details->cache[i];

		if (!cache_exists(at->cache) || at->exclusive)
			continue;
		if (root != details->hierarchy && at->shared) {
			at->classify = root->details->cache[i].classify;
			continue;
		}
		if (classify_open(&at->classify,
				  at->cache->sets * at->cache->ways) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void
forget_recent(struct cache *cache)
{
	free(cache->recent);
	cache->recent = NULL;
}

int
details_open(struct details **out, struct hierarchy *hierarchy,
	     const struct hierarchy_config *config,
	     const struct hierarchy *root)
{
	const struct levels_config *levels = &config->levels;
	struct details *details;

	*out = NULL;
	if (!levels->exclusive && !levels->classify && !levels->virtual &&
	    !config->types.context)
		return 0;
	details = calloc(1, sizeof(*details));
	if (!details)
		return -ENOMEM;
	*details = (struct details){
		.hierarchy = hierarchy,
		.cache = { [DETAILED_L1D] = { .cache = &hierarchy->l1d },
			   [DETAILED_L1I] = { .cache = &hierarchy->l1i },
			   [DETAILED_L2] = { .cache = hierarchy->at[PLACE_L2] },
			   [DETAILED_L3] = { .cache =
						     hierarchy
							     ->at[PLACE_L3] } },
		.virtual = levels->virtual,
		.synonyms_stay = levels->synonyms,
		.types = config->types,
		.combining.buffers = (unsigned)config->memory.combining,
		.map = root->map,
		.mapped = config->mapped_l3 ? DETAILED_L3 : DETAILED_L2,
	};
	*out = details;
	for (unsigned i = 0; i < DETAILED; i++) {
		details->cache[i].pages = 1;
		/* Every use counts now. */
		forget_recent(details->cache[i].cache);
	}
	details->cache[DETAILED_L2].exclusive =
		levels->exclusive == EXCLUSIVE_ALL;
	details->cache[DETAILED_L3].exclusive =
		levels->exclusive != EXCLUSIVE_NO;
	details->cache[DETAILED_L2].shared = levels->shared >= SHARED_L2;
	details->cache[DETAILED_L3].shared = levels->shared >= SHARED_L3;
	if (levels->virtual) {
		details->cache[DETAILED_L1D].pages =
			index_pages(&hierarchy->l1d);
		details->cache[DETAILED_L1I].pages =
			index_pages(&hierarchy->l1i);
	}
	return levels->classify ? open_classify(details, root) : 0;
}

void
details_close(struct details *details)
{
	bool root;

	if (!details)
		return;
	root = details->hierarchy->root == details->hierarchy;
	for (unsigned i = 0; i < DETAILED; i++)
		if (root || !details->cache[i].shared)
			classify_close(details->cache[i].classify);
	free(details);
}
