// SPDX-License-Identifier: GPL-2.0-or-later
/* What a hierarchy counted, of all cores together. */
#include "models/memory/hierarchy.h"

#include "analyzer/fail.h"
#include "models/memory/details.h"

#include <stdio.h>

struct sums {
	uint64_t accesses[PLACES][USES], misses[PLACES][USES];
};

static void
add_up(const struct hierarchy *root, struct sums *sums)
{
	for (unsigned i = 0; i < root->cores; i++)
		for (unsigned place = 0; place < PLACES; place++)
			for (unsigned use = 0; use < USES; use++) {
				sums->accesses[place][use] +=
					root->core[i]->accesses[place][use];
				sums->misses[place][use] +=
					root->core[i]->misses[place][use];
			}
}

static int
put(struct result *result, const char *cache, const char *what, uint64_t n)
{
	char name[128];

	snprintf(name, sizeof(name), "%s.%s", cache, what);
	return result_count(result, name, n, "references");
}

/* The counts of one cache: those of uses first .. last - 1 and of walks. */
static int
put_cache(const struct sums *sums, struct result *result, const char *name,
	  enum hierarchy_place place, unsigned uses)
{
	const uint64_t *accesses = sums->accesses[place];
	const uint64_t *misses = sums->misses[place];
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

struct share {
	const struct details *details;
	enum detailed_cache cache;
	const struct cache *of;
	hierarchy_is_table *is_table;
	const void *context;
	uint64_t lines, tables;
};

static void
count_line(void *context, uint64_t line)
{
	struct share *share = context;
	uint64_t physical =
		share->details
			? details_physical(share->details, share->cache, line)
			: line << share->of->line_shift;

	share->lines++;
	share->tables += share->is_table(share->context, physical);
}

int
hierarchy_finish_tables(const struct hierarchy *hierarchy,
			hierarchy_is_table *is_table, const void *context,
			struct result *result)
{
	const struct {
		const struct cache *cache;
		const char *name;
		enum detailed_cache which;
	} part[] = {
		{ &hierarchy->l1d, "cache.l1d.tables", DETAILED_L1D },
		{ hierarchy->at[PLACE_L2], "cache.l2.tables", DETAILED_L2 },
		{ hierarchy->at[PLACE_L3], "cache.l3.tables", DETAILED_L3 },
	};
	int error = 0;

	for (size_t i = 0; !error && i < ARRAY_SIZE(part); i++) {
		struct share share = { hierarchy->details,
				       part[i].which,
				       part[i].cache,
				       is_table,
				       context,
				       0,
				       0 };

		if (!cache_exists(part[i].cache))
			continue;
		cache_each(part[i].cache, count_line, &share);
		error = share.lines ? result_real(result, part[i].name,
						  (double)share.tables /
							  (double)share.lines,
						  "")
				    : result_absent(result, part[i].name,
						    "the cache is empty");
	}
	return error;
}

/* Misses by kind, of one cache of all cores. */
static int
put_kinds(const struct hierarchy *root, struct result *result, unsigned i,
	  const char *name)
{
	static const char *const kinds[CLASSIFY_KINDS] = { NULL, "compulsory",
							   "capacity",
							   "conflict" };
	const struct classify *last = NULL;
	uint64_t counts[CLASSIFY_KINDS] = { 0 };
	int error = 0;

	for (unsigned core = 0; core < root->cores; core++) {
		const struct classify *classify =
			root->core[core]->details->cache[i].classify;

		if (!classify)
			return 0;
		if (classify_failed(classify))
			return fail(ENOMEM, "cache.classify: out of memory");
		for (unsigned kind = 1;
		     classify != last && kind < CLASSIFY_KINDS; kind++)
			counts[kind] +=
				classify_count(classify,
					       (enum classify_kind)kind);
		last = classify;
	}
	for (unsigned kind = 1; kind < CLASSIFY_KINDS && !error; kind++) {
		char what[64];

		snprintf(what, sizeof(what), "misses.%s", kinds[kind]);
		error = put(result, name, what, counts[kind]);
	}
	return error;
}

/* Without a map of references: of pages alone. */
static int
put_map(const struct hierarchy *root, const uint64_t *pages,
	struct result *result)
{
	static const char *const columns[] = { "colour:",
					       "pages:pages",
					       "lookups:references",
					       "misses:references",
					       "conflict:references",
					       NULL };
	const struct colour_map *map = root->map;
	uint64_t colours = map ? map->colours : root->coloured;
	int error;

	if (!colours)
		return 0;
	error = result_table(result, "colour.map",
			     "by cache colour: 4K pages given, and "
			     "references to the cache of those colours "
			     "(with cache.classify)",
			     columns);
	for (uint64_t i = 0; i < colours && !error; i++)
		error = map ? result_row(result, "colour.map", "uuuuu", i,
					 pages ? pages[i] : 0,
					 map->count[i].lookups,
					 map->count[i].misses,
					 map->count[i].conflicts)
			    : result_row(result, "colour.map", "uunnn", i,
					 pages ? pages[i] : 0);
	return error;
}

static int
put_types(const struct details *sum, bool data, struct result *result)
{
	const struct {
		const char *name;
		uint64_t value;
		const char *unit;
	} counts[] = {
		{ "memory.uc.loads", sum->uncached[USE_LOAD], "references" },
		{ "memory.uc.stores", sum->uncached[USE_STORE], "references" },
		{ "memory.uc.fetches", sum->uncached[USE_FETCH], "references" },
		{ "memory.wc.loads", sum->combined_loads, "references" },
		{ "memory.wc.stores", sum->combining.stores, "references" },
		{ "memory.wc.writes.line", sum->combining.whole, "writes" },
		{ "memory.wc.writes.partial", sum->combining.partial,
		  "writes" },
	};
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(counts) && !error; i++)
		error = data ? result_count(result, counts[i].name,
					    counts[i].value, counts[i].unit)
			     : result_absent(result, counts[i].name,
					     "data does not go through the "
					     "caches (cache.data)");
	return error;
}

static int
put_synonyms(const struct details *sum, struct result *result)
{
	int error = result_count(result, "cache.synonyms.found", sum->synonyms,
				 "lines");

	if (!error)
		error = result_count(result, "cache.synonyms.stores",
				     sum->synonym_stores, "lines");
	return error ? error
		     : result_count(result, "cache.synonyms.mismatched",
				    sum->mismatched, "references");
}

static void
add_details(struct details *sum, const struct details *of)
{
	for (unsigned use = 0; use < USES; use++)
		sum->uncached[use] += of->uncached[use];
	sum->combined_loads += of->combined_loads;
	sum->combining.stores += of->combining.stores;
	sum->combining.whole += of->combining.whole;
	sum->combining.partial += of->combining.partial;
	sum->synonyms += of->synonyms;
	sum->synonym_stores += of->synonym_stores;
	sum->mismatched += of->mismatched;
}

/* Did more than walks come here?  sum: NULL, or what else there is. */
static bool
any_data(const struct sums *sums, const struct details *sum)
{
	uint64_t n = sum ? sum->combined_loads + sum->combining.stores : 0;

	for (unsigned use = 0; use < USES; use++)
		for (unsigned place = 0; place < PLACES; place++)
			n += use == USE_WALK ? 0 : sums->accesses[place][use];
	for (unsigned use = 0; sum && use < USES; use++)
		n += sum->uncached[use];
	return n > 0;
}

/* What references of one use took, each where it was found. */
static uint64_t
cycles_of(const struct hierarchy *root, const struct sums *sums,
	  enum hierarchy_use use)
{
	const struct cache *const level[] = {
		use == USE_FETCH ? &root->l1i : &root->l1d,
		&root->l2,
		&root->l3,
	};
	uint64_t cycles =
		sums->accesses[PLACE_MEMORY][use] * root->memory_latency;

	for (unsigned i = 0; i < ARRAY_SIZE(level); i++)
		if (cache_exists(level[i]))
			cycles += level[i]->latency * (sums->accesses[i][use] -
						       sums->misses[i][use]);
	return cycles;
}

/* Of what is not a walk. */
static int
put_cycles(const struct hierarchy *root, const struct sums *sums,
	   struct result *result)
{
	static const struct {
		const char *name;
		enum hierarchy_use use;
	} uses[] = {
		{ "cache.load.cycles", USE_LOAD },
		{ "cache.store.cycles", USE_STORE },
		{ "cache.fetch.cycles", USE_FETCH },
	};
	int error = 0;

	for (size_t i = 0; i < ARRAY_SIZE(uses) && !error; i++)
		error = root->numa ? result_absent(result, uses[i].name,
						   "memory has nodes: what it "
						   "costs is in numa.nodes")
				   : result_count(result, uses[i].name,
						  cycles_of(root, sums,
							    uses[i].use),
						  "cycles");
	return error;
}

/* Data that a prefetcher would have had ahead, where it came from. */
static int
put_streams(const struct hierarchy *root, struct result *result)
{
	static const char *const names[PLACES] = { NULL, "cache.streamed.l2",
						   "cache.streamed.l3",
						   "cache.streamed.memory" };
	int error = 0;

	for (unsigned i = PLACE_L2; i < PLACES && !error; i++) {
		uint64_t n = 0;

		for (unsigned core = 0; core < root->cores; core++)
			n += root->core[core]->streams.count[i];
		error = root->details
				? result_absent(
					  result, names[i],
					  "not counted with "
					  "cache.classify, cache.virtual, "
					  "cache.exclusive or types of "
					  "memory")
				: result_count(result, names[i], n,
					       "references");
	}
	return error;
}

static int
put_details(const struct hierarchy *root, const struct sums *sums,
	    struct result *result)
{
	static const char *const names[DETAILED] = { "cache.l1d", "cache.l1i",
						     "cache.l2", "cache.l3" };
	const struct details *first = root->details;
	struct details sum = { 0 };
	int error = 0;

	for (unsigned core = 0; core < root->cores; core++) {
		details_drain(root->core[core]->details);
		add_details(&sum, root->core[core]->details);
	}
	for (unsigned i = 0; i < DETAILED && !error; i++)
		error = put_kinds(root, result, i, names[i]);
	if (!error && first->virtual)
		error = put_synonyms(&sum, result);
	if (!error && first->types.context)
		error = put_types(&sum, any_data(sums, &sum), result);
	return error;
}

int
hierarchy_finish(const struct hierarchy *hierarchy, const uint64_t *pages,
		 struct result *result)
{
	struct sums sums = { 0 };
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
	const uint64_t *memory = sums.accesses[PLACE_MEMORY];
	int error = 0;

	add_up(hierarchy, &sums);
	for (size_t i = 0; !error && i < ARRAY_SIZE(part); i++)
		if (cache_exists(part[i].cache))
			error = put_cache(&sums, result, part[i].name,
					  part[i].place, part[i].uses);
	if (!error)
		error = put(result, "memory", "references",
			    memory[USE_WALK] + memory[USE_LOAD] +
				    memory[USE_STORE] + memory[USE_FETCH]);
	if (!error)
		error = put(result, "memory", "walk.references",
			    memory[USE_WALK]);
	if (!error && any_data(&sums, NULL))
		error = put_cycles(hierarchy, &sums, result);
	if (!error && any_data(&sums, NULL))
		error = put_streams(hierarchy, result);
	if (!error && hierarchy->details)
		error = put_details(hierarchy, &sums, result);
	return error ? error : put_map(hierarchy, pages, result);
}
