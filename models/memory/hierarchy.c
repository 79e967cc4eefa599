// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * L1d, L1i, L2, L3 and memory; see the header for the picture.
 *
 * Non-inclusive (the default, as Skylake-SP and later): a level's victims
 * leave the others alone.  Inclusive: what leaves L3 leaves L1 and L2 too.
 * Exclusive levels and more: details.c.
 * Not modelled: write-backs, prefetchers, coherence, bandwidth.
 */
#include "models/memory/hierarchy.h"

#include "analyzer/fail.h"
#include "models/memory/attributes.h"
#include "models/memory/details.h"
#include "models/memory/numa.h"

#include <stdio.h>
#include <stdlib.h>

#define RUN_WORTH 8 /* fewer references than that are made one by one */

static const enum hierarchy_place walk_places[] = { PLACE_L1, PLACE_L2,
						    PLACE_MEMORY };
static const char *const walk_levels[] = { "l1d", "l2", "none", NULL };
static const char *const exclusives[] = { "no", "l3", "all", NULL };
static const char *const shareds[] = { "none", "l3", "l2", NULL };
static const char *const synonyms[] = { "drop", "keep", NULL };

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
	{ .name = "exclusive",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct levels_config, exclusive),
	  .fallback = "no",
	  .choices = exclusives,
	  .help = "Levels that have only what left the level above, and give "
		  "up what is used: the L3, or all below the L1" },
	{ .name = "shared",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct levels_config, shared),
	  .fallback = "l3",
	  .choices = shareds,
	  .help = "The first level that all cores share" },
	{ .name = "classify",
	  .type = OPTION_BOOL,
	  .offset = offsetof(struct levels_config, classify),
	  .fallback = "no",
	  .help = "Tell conflict misses from capacity and compulsory ones, and "
		  "count by colour; replays slower" },
	{ .name = "virtual",
	  .type = OPTION_BOOL,
	  .offset = offsetof(struct levels_config, virtual),
	  .fallback = "no",
	  .help = "First levels are indexed by virtual addresses, and tagged "
		  "by physical ones (VIPT)" },
	{ .name = "synonyms",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct levels_config, synonyms),
	  .fallback = "drop",
	  .choices = synonyms,
	  .help = "A line that is found under another virtual index when it "
		  "comes in is dropped there, or kept" },
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
	{ .name = "attributes",
	  .type = OPTION_STRING,
	  .offset = offsetof(struct memory_config, attributes),
	  .argument = "LIST",
	  .help = "Uncached and write-combining memory, by virtual range or "
		  "mapping: \"uc:0x1000-0x2000, wc:/dev/dri/*\"" },
	{ .name = "combining",
	  .type = OPTION_INT,
	  .offset = offsetof(struct memory_config, combining),
	  .fallback = "10",
	  .min = 1,
	  .max = COMBINING_MAX,
	  .unit = "buffers",
	  .help = "Buffers that gather stores to write-combining memory" },
	{ 0 },
};

static uint64_t
sets_of(const struct cache_config *config)
{
	uint64_t ways = config->ways ? (uint64_t)config->ways
				     : config->size_bytes /
					       (uint64_t)config->line_bytes;

	return ways ? config->size_bytes / (uint64_t)config->line_bytes / ways
		    : 0;
}

static int
wrong_exclusive(const struct hierarchy_config *config, char *text, size_t bytes)
{
	const struct levels_config *levels = &config->levels;
	const struct cache_config *const all[] = { &config->l1d, &config->l1i,
						   &config->l2, &config->l3 };

	if (levels->inclusive)
		return snprintf(text, bytes, "%s: cache.inclusive must be no",
				exclusives[levels->exclusive]);
	if (levels->exclusive == EXCLUSIVE_ALL && levels->walks == 1)
		return snprintf(text, bytes,
				"all: cache.walks must be l1d or none, not l2");
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i]->size_bytes && config->l3.size_bytes &&
		    all[i]->line_bytes != config->l3.line_bytes)
			return snprintf(text, bytes,
					"%s: all caches need lines of the same "
					"length, not %jd and %jd bytes",
					exclusives[levels->exclusive],
					(intmax_t)all[i]->line_bytes,
					(intmax_t)config->l3.line_bytes);
	return 0;
}

int
hierarchy_config_wrong(const struct hierarchy_config *config,
		       const char **field, char *text, size_t bytes)
{
	const struct cache_config *first[] = { &config->l1d, &config->l1i };

	*field = "cache.exclusive";
	if (config->levels.exclusive) {
		int n = wrong_exclusive(config, text, bytes);

		if (n)
			return n;
	}
	*field = "cache.virtual";
	for (size_t i = 0; config->levels.virtual && i < 2; i++) {
		uint64_t sets = sets_of(first[i]);

		if (sets & (sets - 1))
			return snprintf(text, bytes,
					"yes: cache.%s needs a power of two of "
					"sets, not %ju",
					i ? "l1i" : "l1d", (uintmax_t)sets);
	}
	*field = "memory.attributes";
	return attributes_wrong(config->memory.attributes, text, bytes);
}

/* The caches that are a core's own, and where it finds the others. */
static int
open_caches(struct hierarchy *hierarchy, const struct hierarchy_config *config,
	    uint64_t seed)
{
	struct hierarchy *root = hierarchy->root;
	int shared = root == hierarchy ? SHARED_NONE : config->levels.shared;
	int error = cache_init(&hierarchy->l1d, &config->l1d, "cache.l1d",
			       seed + 1);

	if (!error)
		error = cache_init(&hierarchy->l1i, &config->l1i, "cache.l1i",
				   seed + 2);
	if (!error && shared < SHARED_L2)
		error = cache_init(&hierarchy->l2, &config->l2, "cache.l2",
				   seed + 3);
	if (!error && shared < SHARED_L3)
		error = cache_init(&hierarchy->l3, &config->l3, "cache.l3",
				   seed + 4);
	hierarchy->at[PLACE_L1] = &hierarchy->l1d;
	hierarchy->at[PLACE_L2] =
		shared < SHARED_L2 ? &hierarchy->l2 : &root->l2;
	hierarchy->at[PLACE_L3] =
		shared < SHARED_L3 ? &hierarchy->l3 : &root->l3;
	return error;
}

static int
open_core(struct hierarchy **out, const struct hierarchy_config *config,
	  struct hierarchy *root, unsigned i)
{
	struct hierarchy *hierarchy = calloc(1, sizeof(*hierarchy));
	int error;

	if (!hierarchy)
		return fail(ENOMEM, "cache: out of memory");
	*out = hierarchy;
	hierarchy->root = root ? root : hierarchy;
	hierarchy->memory_latency = (unsigned)config->memory.latency;
	hierarchy->inclusive =
		config->levels.inclusive && config->l3.size_bytes;
	hierarchy->walks_at = walk_places[config->levels.walks];
	hierarchy->numa = config->numa;
	hierarchy->shared = config->levels.shared;
	error = open_caches(hierarchy, config, config->seed + 1000 * i);
	return error;
}

static int
open_map(struct hierarchy *root, const struct hierarchy_config *config)
{
	if (!config->levels.classify || !config->colours)
		return 0;
	root->map = calloc(1, sizeof(*root->map));
	if (!root->map)
		return -ENOMEM;
	root->map->colours = config->colours;
	root->map->count = calloc(config->colours, sizeof(struct colour_count));
	return root->map->count ? 0 : -ENOMEM;
}

int
hierarchy_open(struct hierarchy **out, const struct hierarchy_config *config)
{
	unsigned cores = config->cores ? config->cores : 1, n = 0;
	struct hierarchy **core = calloc(cores, sizeof(struct hierarchy *));
	struct hierarchy *root = NULL;
	const char *field;
	char text[256];
	int error;

	if (!core)
		return fail(ENOMEM, "cache: out of memory");
	error = hierarchy_config_wrong(config, &field, text, sizeof(text))
			? fail(EINVAL, "%s: %s", field, text)
			: 0;
	for (; n < cores && !error; n++) {
		error = open_core(&core[n], config, root, n);
		root = core[0];
	}
	if (!root) {
		free(core);
		return error;
	}
	root->core = core;
	root->cores = cores;
	root->coloured = config->coloured ? config->colours : 0;
	if (!error && open_map(root, config) < 0)
		error = fail(ENOMEM, "cache.classify: out of memory");
	for (unsigned i = 0; i < cores && !error; i++)
		if (details_open(&core[i]->details, core[i], config, root) < 0)
			error = fail(ENOMEM, "cache: out of memory");
	if (error) {
		hierarchy_close(root);
		return error;
	}
	*out = root;
	return 0;
}

static void
close_core(struct hierarchy *hierarchy)
{
	if (!hierarchy)
		return;
	details_close(hierarchy->details);
	cache_fini(&hierarchy->l1d);
	cache_fini(&hierarchy->l1i);
	cache_fini(&hierarchy->l2);
	cache_fini(&hierarchy->l3);
	free(hierarchy);
}

void
hierarchy_close(struct hierarchy *root)
{
	struct hierarchy **core;

	if (!root)
		return;
	core = root->core;
	if (root->map)
		free(root->map->count);
	free(root->map);
	/* Those of the others refer to the first. */
	for (unsigned i = root->cores; i--;)
		close_core(core[i]);
	free(core);
}

/* Its lines within [start, end) of memory; the keys of virtually indexed ones
 * are others. */
static void
drop_lines(const struct hierarchy *hierarchy, struct cache *cache,
	   unsigned detailed, uint64_t start, uint64_t end)
{
	uint64_t step = UINT64_C(1) << cache->line_shift;

	if (!cache_exists(cache))
		return;
	for (uint64_t at = start & ~(step - 1); at < end; at += step)
		if (hierarchy->details)
			details_drop(hierarchy->details, detailed, at);
		else
			cache_drop(cache, at >> cache->line_shift);
}

void
hierarchy_drop_above(struct hierarchy *hierarchy, uint64_t l3_line)
{
	const struct hierarchy *root = hierarchy->root;
	unsigned shift = hierarchy->at[PLACE_L3]->line_shift;
	uint64_t start = l3_line << shift, end = start + (UINT64_C(1) << shift);

	for (unsigned i = 0; i < root->cores; i++) {
		struct hierarchy *core = root->core[i];

		if (core != hierarchy && root->shared < SHARED_L3)
			continue;
		drop_lines(core, &core->l1d, DETAILED_L1D, start, end);
		drop_lines(core, &core->l1i, DETAILED_L1I, start, end);
		drop_lines(core, &core->l2, DETAILED_L2, start, end);
	}
}

static NOINLINE unsigned
descend_detailed(struct hierarchy *hierarchy, uint64_t physical,
		 enum hierarchy_use use, enum hierarchy_place *place)
{
	const struct details_reference reference = { physical, physical, 1,
						     use };

	return details_access(hierarchy->details, &reference, place);
}

unsigned
hierarchy_access_detailed(struct hierarchy *hierarchy, uint64_t physical,
			  uint64_t virtual, unsigned bytes,
			  enum hierarchy_use use)
{
	const struct details_reference reference = { physical, virtual, bytes,
						     use };
	enum hierarchy_place place;

	return details_access(hierarchy->details, &reference, &place);
}

static void
note_stream(struct hierarchy_streams *streams, uint64_t physical,
	    enum hierarchy_use use, enum hierarchy_place place)
{
	uint64_t line = physical >> 6, last;

	if (place == PLACE_L1 || (use != USE_LOAD && use != USE_STORE))
		return;
	last = streams->line[physical >> 12 & (HIERARCHY_STREAMS - 1)];
	streams->line[physical >> 12 & (HIERARCHY_STREAMS - 1)] = line;
	streams->count[place] += line - last + 1 <= 2 && line != last;
}

static unsigned
descend(struct hierarchy *hierarchy, uint64_t physical, enum hierarchy_use use,
	enum hierarchy_place *place)
{
	struct cache *const level[] = {
		use == USE_FETCH ? &hierarchy->l1i : &hierarchy->l1d,
		hierarchy->at[PLACE_L2],
		hierarchy->at[PLACE_L3],
	};
	unsigned first = use == USE_WALK ? hierarchy->walks_at : PLACE_L1;

	if (unlikely(hierarchy->details))
		return descend_detailed(hierarchy, physical, use, place);

	for (unsigned i = first; i < ARRAY_SIZE(level); i++) {
		struct cache *cache = level[i];
		uint64_t evicted = CACHE_NO_LINE;

		if (!cache_exists(cache))
			continue;
		hierarchy->accesses[i][use]++;
		/* The L3's set is far away in our own memory: ask early. */
		if (i == PLACE_L2 && cache_exists(level[PLACE_L3]))
			cache_prefetch(level[PLACE_L3],
				       physical >> level[PLACE_L3]->line_shift);
		if (cache_use(cache, physical >> cache->line_shift, &evicted)) {
			*place = (enum hierarchy_place)i;
			return cache->latency;
		}
		hierarchy->misses[i][use]++;
		if (i == PLACE_L3 && hierarchy->inclusive &&
		    evicted != CACHE_NO_LINE)
			hierarchy_drop_above(hierarchy, evicted);
	}
	hierarchy->accesses[PLACE_MEMORY][use]++;
	*place = PLACE_MEMORY;
	/* Of walks the walker knows more, and counts them. */
	if (unlikely(hierarchy->numa) && use != USE_WALK)
		return numa_reach_data(hierarchy->numa, physical);
	return hierarchy->memory_latency;
}

unsigned
hierarchy_descend(struct hierarchy *hierarchy, uint64_t physical,
		  enum hierarchy_use use, enum hierarchy_place *place)
{
	unsigned cycles = descend(hierarchy, physical, use, place);

	note_stream(&hierarchy->streams, physical, use, *place);
	return cycles;
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
	if (hierarchy->inclusive || hierarchy->details ||
	    queue->n < RUN_WORTH) {
		run_each(hierarchy, queue);
		return;
	}
	n = run_first(hierarchy, queue);
	n = run_level(hierarchy, queue, hierarchy->at[PLACE_L2], PLACE_L2, list,
		      n);
	n = run_level(hierarchy, queue, hierarchy->at[PLACE_L3], PLACE_L3, list,
		      n);
	count_uses(queue, list, n, hierarchy->accesses[PLACE_MEMORY]);
	for (unsigned i = 0; i < n; i++)
		queue->place[list[i]] = PLACE_MEMORY;
	if (unlikely(hierarchy->numa))
		reach_nodes(hierarchy, queue, list, n);
	for (unsigned i = 0; queue->data && i < queue->n; i++)
		note_stream(&hierarchy->streams, queue->physical[i],
			    queue->use[i], queue->place[i]);
}
