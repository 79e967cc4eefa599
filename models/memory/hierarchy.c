// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * L1d, L1i, L2, L3 and memory; see the header for the picture.
 *
 * Non-inclusive (the default, as Skylake-SP and later): a level's victims
 * leave the others alone.  Inclusive: what leaves L3 leaves L1 and L2 too.
 * Not modelled: write-backs, prefetchers, victim L3s, bandwidth.
 */
#include "models/memory/hierarchy.h"

#include "analyzer/fail.h"
#include "models/memory/numa.h"

#include <stdio.h>
#include <stdlib.h>

#define RUN_WORTH 8 /* fewer references than that are made one by one */

static const enum hierarchy_place walk_places[] = { PLACE_L1, PLACE_L2,
						    PLACE_MEMORY };
static const char *const walk_levels[] = { "l1d", "l2", "none", NULL };

const struct option_row levels_rows[] = {
	{ .name = "inclusive",
	  .type = OPTION_BOOL,
	  .offset = offsetof(struct levels_config, inclusive),
	  .fallback = "no",
	  .help = "A line that leaves the L3 leaves L1 and L2 too" },
	{ .name = "walks",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct levels_config, walks),
	  .fallback = "l1d",
	  .choices = walk_levels,
	  .help = "The first cache that page-walk references look into; none: "
		  "each goes to memory" },
	{ 0 },
};

const struct option_row memory_rows[] = {
	{ .name = "latency",
	  .type = OPTION_INT,
	  .offset = offsetof(struct memory_config, latency),
	  .fallback = "200",
	  .max = 1000000,
	  .unit = "cycles",
	  .help = "Cycles of a reference that no cache answers" },
	{ 0 },
};

int
hierarchy_open(struct hierarchy **out, const struct hierarchy_config *config)
{
	struct hierarchy *hierarchy = calloc(1, sizeof(*hierarchy));
	int error;

	if (!hierarchy)
		return fail(ENOMEM, "cache: out of memory");
	error = cache_init(&hierarchy->l1d, &config->l1d, "cache.l1d",
			   config->seed + 1);
	if (!error)
		error = cache_init(&hierarchy->l1i, &config->l1i, "cache.l1i",
				   config->seed + 2);
	if (!error)
		error = cache_init(&hierarchy->l2, &config->l2, "cache.l2",
				   config->seed + 3);
	if (!error)
		error = cache_init(&hierarchy->l3, &config->l3, "cache.l3",
				   config->seed + 4);
	if (error) {
		hierarchy_close(hierarchy);
		return error;
	}
	hierarchy->memory_latency = (unsigned)config->memory.latency;
	hierarchy->inclusive =
		config->levels.inclusive && config->l3.size_bytes;
	hierarchy->walks_at = walk_places[config->levels.walks];
	hierarchy->numa = config->numa;
	*out = hierarchy;
	return 0;
}

void
hierarchy_close(struct hierarchy *hierarchy)
{
	if (!hierarchy)
		return;
	cache_fini(&hierarchy->l1d);
	cache_fini(&hierarchy->l1i);
	cache_fini(&hierarchy->l2);
	cache_fini(&hierarchy->l3);
	free(hierarchy);
}

/* The lines of the upper caches within one line that left the L3. */
static void
drop_above(struct hierarchy *hierarchy, uint64_t l3_line)
{
	struct cache *above[] = { &hierarchy->l1d, &hierarchy->l1i,
				  &hierarchy->l2 };
	uint64_t start = l3_line << hierarchy->l3.line_shift;
	uint64_t end = start + (UINT64_C(1) << hierarchy->l3.line_shift);

	for (size_t i = 0; i < ARRAY_SIZE(above); i++) {
		unsigned shift = above[i]->line_shift;

		if (!cache_exists(above[i]))
			continue;
		for (uint64_t line = start >> shift; line <= (end - 1) >> shift;
		     line++)
			cache_drop(above[i], line);
	}
}

unsigned
hierarchy_descend(struct hierarchy *hierarchy, uint64_t physical,
		  enum hierarchy_use use, enum hierarchy_place *place)
{
	struct cache *const level[] = {
		use == USE_FETCH ? &hierarchy->l1i : &hierarchy->l1d,
		&hierarchy->l2,
		&hierarchy->l3,
	};
	unsigned first = use == USE_WALK ? hierarchy->walks_at : PLACE_L1;

	for (unsigned i = first; i < ARRAY_SIZE(level); i++) {
		struct cache *cache = level[i];
		uint64_t evicted = CACHE_NO_LINE;

		if (!cache_exists(cache))
			continue;
		hierarchy->accesses[i][use]++;
		/* The L3's set is far away in our own memory: ask early. */
		if (i == PLACE_L2 && cache_exists(&hierarchy->l3))
			cache_prefetch(&hierarchy->l3,
				       physical >> hierarchy->l3.line_shift);
		if (cache_use(cache, physical >> cache->line_shift, &evicted)) {
			*place = (enum hierarchy_place)i;
			return cache->latency;
		}
		hierarchy->misses[i][use]++;
		if (i == PLACE_L3 && hierarchy->inclusive &&
		    evicted != CACHE_NO_LINE)
			drop_above(hierarchy, evicted);
	}
	hierarchy->accesses[PLACE_MEMORY][use]++;
	*place = PLACE_MEMORY;
	/* Of walks the walker knows more, and counts them. */
	if (unlikely(hierarchy->numa) && use != USE_WALK)
		return numa_reach_data(hierarchy->numa, physical);
	return hierarchy->memory_latency;
}

/* Add the uses of listed references to counts[]. */
static void
count_uses(const struct hierarchy_queue *queue, const uint16_t *list,
	   unsigned n, uint64_t *counts)
{
	if (!queue->data) {
		counts[USE_WALK] += n;
		return;
	}
	for (unsigned i = 0; i < n; i++)
		counts[queue->use[list[i]]]++;
}

/* The listed references go through one cache, if it is there. */
static unsigned
run_level(struct hierarchy *hierarchy, struct hierarchy_queue *queue,
	  struct cache *cache, enum hierarchy_place place, uint16_t *list,
	  unsigned n)
{
	if (!cache_exists(cache))
		return n;
	count_uses(queue, list, n, hierarchy->accesses[place]);
	for (unsigned i = 0; i < n; i++)
		queue->place[list[i]] = (uint8_t)place;
	n = cache_run(cache, queue->physical, list, n);
	count_uses(queue, list, n, hierarchy->misses[place]);
	return n;
}

/*
 * Through the first level: data and fetches each through their own cache,
 * walks through that of data unless they enter below.  Lists what goes on,
 * but for walks that need not.
 */
static unsigned
run_first(struct hierarchy *hierarchy, struct hierarchy_queue *queue)
{
	uint16_t *list = queue->list[0], *fetches = queue->list[1];
	enum hierarchy_place walks_at = hierarchy->walks_at;
	unsigned n = 0, m = 0, all = queue->n;

	if (!queue->data && walks_at == PLACE_L1) {
		for (unsigned i = 0; i < all; i++) {
			list[i] = (uint16_t)i;
			queue->place[i] = PLACE_L2;
		}
		return run_level(hierarchy, queue, &hierarchy->l1d, PLACE_L1,
				 list, all);
	}
	for (unsigned i = 0; i < all; i++) {
		enum hierarchy_use use = queue->use[i];
		bool below = use == USE_WALK && walks_at != PLACE_L1;

		queue->place[i] = (uint8_t)(below ? walks_at : PLACE_L2);
		list[n] = fetches[m] = (uint16_t)i;
		m += use == USE_FETCH;
		n += use != USE_FETCH && !below;
	}
	if (n == all)
		return run_level(hierarchy, queue, &hierarchy->l1d, PLACE_L1,
				 list, n);
	n = run_level(hierarchy, queue, &hierarchy->l1d, PLACE_L1, list, n);
	m = run_level(hierarchy, queue, &hierarchy->l1i, PLACE_L1, fetches, m);
	for (unsigned i = 0; i < n; i++)
		queue->place[list[i]] = PLACE_L2;
	for (unsigned i = 0; i < m; i++)
		queue->place[fetches[i]] = PLACE_L2;
	n = 0;
	for (unsigned i = 0; i < all; i++) {
		bool below = queue->place[i] == PLACE_MEMORY;

		list[n] = (uint16_t)i;
		n += queue->place[i] == PLACE_L2;
		hierarchy->accesses[PLACE_MEMORY][USE_WALK] += below;
	}
	return n;
}

static void
run_each(struct hierarchy *hierarchy, struct hierarchy_queue *queue)
{
	for (unsigned i = 0; i < queue->n; i++) {
		enum hierarchy_place place;

		hierarchy_access(hierarchy, queue->physical[i], queue->use[i],
				 &place);
		queue->place[i] = (uint8_t)place;
	}
}

/* References of data that went to memory, of more than one node. */
static NOINLINE void
reach_nodes(struct hierarchy *hierarchy, const struct hierarchy_queue *queue,
	    const uint16_t *list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (queue->use[list[i]] != USE_WALK)
			numa_reach_data(hierarchy->numa,
					queue->physical[list[i]]);
}

void
hierarchy_run(struct hierarchy *hierarchy, struct hierarchy_queue *queue)
{
	uint16_t *list = queue->list[0];
	unsigned n;

	/* Where L3 takes lines from those above, each may tell on the next. */
	if (hierarchy->inclusive || queue->n < RUN_WORTH) {
		run_each(hierarchy, queue);
		return;
	}
	n = run_first(hierarchy, queue);
	n = run_level(hierarchy, queue, &hierarchy->l2, PLACE_L2, list, n);
	n = run_level(hierarchy, queue, &hierarchy->l3, PLACE_L3, list, n);
	count_uses(queue, list, n, hierarchy->accesses[PLACE_MEMORY]);
	for (unsigned i = 0; i < n; i++)
		queue->place[list[i]] = PLACE_MEMORY;
	if (unlikely(hierarchy->numa))
		reach_nodes(hierarchy, queue, list, n);
}

static int
put(struct result *result, const char *cache, const char *what, uint64_t n)
{
	char name[64];

	snprintf(name, sizeof(name), "%s.%s", cache, what);
	return result_count(result, name, n, "references");
}

/* The counts of one cache: those of uses first .. last - 1 and of walks. */
static int
put_cache(const struct hierarchy *hierarchy, struct result *result,
	  const char *name, enum hierarchy_place place, unsigned uses)
{
	const uint64_t *accesses = hierarchy->accesses[place];
	const uint64_t *misses = hierarchy->misses[place];
	uint64_t all = 0, missed = 0;
	int error;

	for (unsigned use = 0; use < USES; use++) {
		if (!(uses & 1u << use))
			continue;
		all += accesses[use];
		missed += misses[use];
	}
	error = put(result, name, "accesses", all);
	if (!error)
		error = put(result, name, "misses", missed);
	if (!error && uses & 1u << USE_WALK)
		error = put(result, name, "walk.accesses", accesses[USE_WALK]);
	if (!error && uses & 1u << USE_WALK)
		error = put(result, name, "walk.misses", misses[USE_WALK]);
	return error;
}

int
hierarchy_finish(const struct hierarchy *hierarchy, struct result *result)
{
	const unsigned fetch = 1u << USE_FETCH, all = (1u << USES) - 1;
	const struct {
		const struct cache *cache;
		const char *name;
		enum hierarchy_place place;
		unsigned uses;
	} part[] = {
		{ &hierarchy->l1d, "cache.l1d", PLACE_L1, all & ~fetch },
		{ &hierarchy->l1i, "cache.l1i", PLACE_L1, fetch },
		{ &hierarchy->l2, "cache.l2", PLACE_L2, all },
		{ &hierarchy->l3, "cache.l3", PLACE_L3, all },
	};
	const uint64_t *memory = hierarchy->accesses[PLACE_MEMORY];
	int error = 0;

	for (size_t i = 0; !error && i < ARRAY_SIZE(part); i++)
		if (cache_exists(part[i].cache))
			error = put_cache(hierarchy, result, part[i].name,
					  part[i].place, part[i].uses);
	if (!error)
		error = put(result, "memory", "references",
			    memory[USE_WALK] + memory[USE_LOAD] +
				    memory[USE_STORE] + memory[USE_FETCH]);
	if (!error)
		error = put(result, "memory", "walk.references",
			    memory[USE_WALK]);
	return error;
}
