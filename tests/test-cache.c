// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Caches against slow plain twins (time stamps instead of order, a recursive
 * tree), published counts, and laws; the hierarchy's inline path against the
 * full one.
 */
#include "models/memory/hierarchy.h"
#include "models/memory/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TWIN_LINES 4096

/* Every line has its times; a search over all of the set finds the victim. */
struct twin {
	const struct cache *like;
	uint64_t line[TWIN_LINES], used[TWIN_LINES], came[TWIN_LINES];
	bool full[TWIN_LINES];
	uint64_t now;
};

static bool
twin_use(struct twin *twin, uint64_t line)
{
	size_t ways = twin->like->ways;
	size_t first = line % twin->like->sets * ways, victim = first;

	twin->now++;
	for (size_t i = first; i < first + ways; i++) {
		if (twin->full[i] && twin->line[i] == line) {
			twin->used[i] = twin->now;
			return true;
		}
	}
	for (size_t i = first; i < first + ways; i++) {
		const uint64_t *time = twin->like->replacement == CACHE_LRU
					       ? twin->used
					       : twin->came;

		if (!twin->full[i]) {
			victim = i;
			break;
		}
		if (time[i] < time[victim])
			victim = i;
	}
	twin->full[victim] = true;
	twin->line[victim] = line;
	twin->used[victim] = twin->came[victim] = twin->now;
	return false;
}

static struct cache
cache_of(uint64_t lines, int64_t ways, int replacement)
{
	struct cache_config config = { .size_bytes = lines * 64,
				       .ways = ways,
				       .line_bytes = 64,
				       .latency = 4,
				       .replacement = replacement };
	struct cache cache;

	assert_int_equal(cache_init(&cache, &config, "test", 7), 0);
	return cache;
}

static void
test_lru_and_fifo_equal_their_twins(void **state)
{
	static const struct {
		uint64_t lines;
		int64_t ways;
	} shape[] = { { 64, 4 },    { 64, 0 },	 { 8, 8 },     { 96, 8 },
		      { 60, 12 },   { 512, 16 }, { 11, 1 },    { 1, 1 },
		      { 4096, 16 }, { 1024, 8 }, { 2304, 12 }, { 64, 1 },
		      { 192, 3 } };
	unsigned narrow = 0;
	struct twin *twin = malloc(sizeof(*twin));

	(void)state;
	for (size_t s = 0; s < ARRAY_SIZE(shape); s++) {
		for (int policy = CACHE_LRU; policy <= CACHE_FIFO; policy++) {
			struct cache cache =
				cache_of(shape[s].lines, shape[s].ways, policy);
			uint64_t seed = 1, evicted;

			memset(twin, 0, sizeof(*twin));
			twin->like = &cache;
			narrow += cache.tag != NULL;
			for (int i = 0; i < 30000; i++) {
				uint64_t line =
					random_below(&seed, shape[s].lines) +
					random_below(&seed, shape[s].lines);

				assert_int_equal(cache_use(&cache, line,
							   &evicted),
						 twin_use(twin, line));
				assert_true(cache_holds(&cache, line));
			}
			cache_fini(&cache);
		}
	}
	free(twin);
	assert_int_equal(narrow, 10); /* the last five shapes */
}

/* Go down the tree by halves, as the definition says. */
static unsigned
plru_victim(bool *point, unsigned node, unsigned first, unsigned n)
{
	if (n == 1)
		return first;
	return point[node]
		       ? plru_victim(point, 2 * node + 1, first + n / 2, n / 2)
		       : plru_victim(point, 2 * node, first, n / 2);
}

static void
plru_touch(bool *point, unsigned node, unsigned n, unsigned way)
{
	if (n == 1)
		return;
	point[node] = way < n / 2;
	if (way < n / 2)
		plru_touch(point, 2 * node, n / 2, way);
	else
		plru_touch(point, 2 * node + 1, n / 2, way - n / 2);
}

static void
test_plru_equals_its_twin(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		/* One set, and the first of 64, which have the narrow form. */
		unsigned ways = 1u << i / 2, sets = i % 2 ? 64 : 1;
		struct cache cache = cache_of(ways * sets, ways, CACHE_PLRU);
		uint64_t held[64], seed = ways, evicted;
		bool point[128] = { false };
		unsigned n = 0;

		for (int k = 0; k < 20000; k++) {
			uint64_t line = random_below(&seed, ways * 2);
			unsigned way = 0;
			bool hit;

			while (way < n && held[way] != line)
				way++;
			hit = way < n;
			if (!hit && n < ways)
				way = n++;
			else if (!hit)
				way = plru_victim(point, 1, 0, ways);
			held[way] = line;
			plru_touch(point, 1, ways, way);
			assert_int_equal(cache_use(&cache, line * sets,
						   &evicted),
					 hit);
		}
		cache_fini(&cache);
	}
}

static unsigned
misses_of(const char *string, unsigned ways, int replacement)
{
	struct cache cache = cache_of(ways, 0, replacement);
	uint64_t evicted;
	unsigned misses = 0;

	for (; *string; string++)
		misses += !cache_use(&cache, (uint64_t)*string, &evicted);
	cache_fini(&cache);
	return misses;
}

/* Belady, Nelson, Shedler 1969, and the textbook string of Silberschatz. */
static void
test_published_counts(void **state)
{
	const char *belady = "123412512345", *book = "70120304230321201701";

	(void)state;
	assert_int_equal(misses_of(belady, 3, CACHE_FIFO), 9);
	assert_int_equal(misses_of(belady, 4, CACHE_FIFO), 10);
	assert_int_equal(misses_of(belady, 5, CACHE_FIFO), 5);
	assert_int_equal(misses_of(belady, 3, CACHE_LRU), 10);
	assert_int_equal(misses_of(belady, 4, CACHE_LRU), 8);
	assert_int_equal(misses_of(belady, 5, CACHE_LRU), 5);
	assert_int_equal(misses_of(book, 2, CACHE_FIFO), 15);
	assert_int_equal(misses_of(book, 3, CACHE_FIFO), 15);
	assert_int_equal(misses_of(book, 4, CACHE_FIFO), 10);
	assert_int_equal(misses_of(book, 2, CACHE_LRU), 17);
	assert_int_equal(misses_of(book, 3, CACHE_LRU), 12);
	assert_int_equal(misses_of(book, 4, CACHE_LRU), 8);
}

/* Uniform references over N lines miss a full cache of C with 1 - C/N. */
static void
test_uniform_references_miss_as_they_should(void **state)
{
	(void)state;
	for (int policy = CACHE_LRU; policy <= CACHE_PLRU; policy++) {
		struct cache cache = cache_of(64, 64, policy);
		uint64_t seed = 99, evicted;
		unsigned misses = 0;

		for (int i = 0; i < 201000; i++) {
			uint64_t line = random_below(&seed, 256);
			bool hit = cache_use(&cache, line, &evicted);

			misses += i >= 1000 && !hit;
		}
		assert_in_range(misses, 150000 - 800, 150000 + 800);
		cache_fini(&cache);
	}
}

static void
drop_one(int policy, uint64_t sets)
{
	struct cache cache = cache_of(4 * sets, 4, policy);
	uint64_t evicted;

	for (uint64_t i = 0; i < 4; i++)
		assert_false(cache_use(&cache, i * sets, &evicted));
	for (uint64_t gone = 0; gone < 4; gone++) {
		assert_true(cache_drop(&cache, gone * sets));
		assert_false(cache_drop(&cache, gone * sets));
		assert_false(cache_holds(&cache, gone * sets));
		assert_true(cache.recent[0] != gone * sets);
		for (uint64_t i = 0; i < 4; i++)
			assert_int_equal(cache_holds(&cache, i * sets),
					 i != gone);
		/* The hole is filled first, by what then stays. */
		evicted = 0;
		assert_false(cache_use(&cache, gone * sets, &evicted));
		assert_true(evicted == CACHE_NO_LINE);
		assert_true(cache_holds(&cache, gone * sets));
	}
	/* In their order 0, 1, 2, 3 again: the oldest leaves. */
	assert_false(cache_use(&cache, 9 * sets, &evicted));
	if (policy <= CACHE_FIFO)
		assert_int_equal(evicted, 0);
	cache_fini(&cache);
}

static void
test_drop_makes_room(void **state)
{
	(void)state;
	for (int policy = CACHE_LRU; policy <= CACHE_PLRU; policy++) {
		drop_one(policy, 1);
		drop_one(policy, 64);
	}
}

static void
test_bad_shapes_are_refused(void **state)
{
	static const struct cache_config bad[] = {
		{ .size_bytes = 4096, .ways = 3, .line_bytes = 64 },
		{ .size_bytes = 4096, .ways = 4, .line_bytes = 48 },
		{ .size_bytes = 4000, .ways = 4, .line_bytes = 64 },
		{ .size_bytes = 64 * 12,
		  .ways = 12,
		  .line_bytes = 64,
		  .replacement = CACHE_PLRU },
	};
	struct cache cache;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(cache_init(&cache, &bad[i], "test", 0),
				 -EINVAL);
}

static struct hierarchy_config
small_hierarchy(int replacement)
{
	return (struct hierarchy_config){
		.l1d = { 4096, 8, 64, 4, replacement },
		.l1i = { 4096, 4, 64, 5, replacement },
		.l2 = { 16384, 8, 64, 14, replacement },
		.l3 = { 64 * 96 * 8, 8, 64, 50, replacement },
		.memory = { 200 },
		.seed = 3,
	};
}

static void
test_inline_path_changes_nothing(void **state)
{
	(void)state;
	for (int policy = CACHE_LRU; policy <= CACHE_PLRU; policy++) {
		struct hierarchy_config config = small_hierarchy(policy);
		struct hierarchy *fast, *plain;
		uint64_t seed = 5, place_address = 0;

		assert_int_equal(hierarchy_open(&fast, &config), 0);
		assert_int_equal(hierarchy_open(&plain, &config), 0);
		for (int i = 0; i < 200000; i++) {
			enum hierarchy_use use =
				(enum hierarchy_use)random_below(&seed, USES);
			enum hierarchy_place a, b;

			if (random_below(&seed, 3) == 0)
				place_address = random_below(&seed, 1 << 17);
			assert_int_equal(hierarchy_access(fast, place_address,
							  use, &a),
					 hierarchy_descend(plain, place_address,
							   use, &b));
			assert_int_equal(a, b);
		}
		assert_memory_equal(fast->accesses, plain->accesses,
				    sizeof(fast->accesses));
		assert_memory_equal(fast->misses, plain->misses,
				    sizeof(fast->misses));
		assert_true(fast->misses[PLACE_L1][USE_LOAD] > 0);
		hierarchy_close(fast);
		hierarchy_close(plain);
	}
}

/* What a level misses comes to the next; memory gets the rest. */
static void
test_levels_add_up(void **state)
{
	struct hierarchy_config config = small_hierarchy(CACHE_LRU);
	struct hierarchy *hierarchy;
	uint64_t seed = 11, cycles = 0, wanted = 0;

	(void)state;
	assert_int_equal(hierarchy_open(&hierarchy, &config), 0);
	for (int i = 0; i < 100000; i++) {
		static const unsigned cost[PLACES] = { 4, 14, 50, 200 };
		enum hierarchy_place place;

		cycles += hierarchy_access(hierarchy,
					   random_below(&seed, 1 << 18),
					   USE_LOAD, &place);
		wanted += cost[place];
	}
	assert_int_equal(cycles, wanted);
	for (int level = PLACE_L1; level < PLACE_MEMORY; level++)
		assert_int_equal(hierarchy->misses[level][USE_LOAD],
				 hierarchy->accesses[level + 1][USE_LOAD]);
	hierarchy_close(hierarchy);
}

static void
test_walks_may_enter_at_l2(void **state)
{
	struct hierarchy_config config = small_hierarchy(CACHE_LRU);
	struct hierarchy *hierarchy;
	enum hierarchy_place place;

	(void)state;
	config.levels.walks = 1;
	assert_int_equal(hierarchy_open(&hierarchy, &config), 0);
	assert_int_equal(hierarchy_access(hierarchy, 640, USE_WALK, &place),
			 200);
	assert_int_equal(hierarchy_access(hierarchy, 640, USE_WALK, &place),
			 14);
	assert_int_equal(hierarchy_access(hierarchy, 640, USE_LOAD, &place),
			 14);
	assert_int_equal(hierarchy_access(hierarchy, 640, USE_WALK, &place),
			 14);
	assert_int_equal(hierarchy->accesses[PLACE_L1][USE_WALK], 0);
	hierarchy_close(hierarchy);
}

/* One by one and many together, with data between them. */
static void
test_walks_may_enter_no_cache(void **state)
{
	static struct hierarchy_queue queue;
	struct hierarchy_config config = small_hierarchy(CACHE_LRU);
	struct hierarchy *each, *all;

	(void)state;
	config.levels.walks = 2;
	assert_int_equal(hierarchy_open(&each, &config), 0);
	assert_int_equal(hierarchy_open(&all, &config), 0);
	queue.data = true;
	for (queue.n = 0; queue.n < 60; queue.n++) {
		bool walk = queue.n % 3 == 0;

		queue.physical[queue.n] = queue.n % 7 * 640;
		queue.use[queue.n] = walk ? USE_WALK : USE_LOAD;
	}
	hierarchy_run(all, &queue);
	for (unsigned i = 0; i < queue.n; i++) {
		enum hierarchy_place place;
		unsigned cycles = hierarchy_access(each, queue.physical[i],
						   queue.use[i], &place);

		assert_int_equal(place, queue.place[i]);
		if (queue.use[i] != USE_WALK)
			continue;
		assert_int_equal(place, PLACE_MEMORY);
		assert_int_equal(cycles, 200);
	}
	assert_memory_equal(each->accesses, all->accesses,
			    sizeof(all->accesses));
	assert_int_equal(all->accesses[PLACE_MEMORY][USE_WALK], 20);
	assert_int_equal(all->accesses[PLACE_L1][USE_WALK] +
				 all->accesses[PLACE_L2][USE_WALK] +
				 all->accesses[PLACE_L3][USE_WALK],
			 0);
	hierarchy_close(each);
	hierarchy_close(all);
}

/* Inclusive: nothing is in L1 or L2 that is not in L3. */
static void
test_inclusive_levels_include(void **state)
{
	struct hierarchy_config config = small_hierarchy(CACHE_LRU);
	struct hierarchy *hierarchy;
	uint64_t seed = 17;
	unsigned held = 0;

	(void)state;
	config.l3 = (struct cache_config){ 16384, 4, 128, 50, CACHE_LRU };
	config.levels.inclusive = true;
	assert_int_equal(hierarchy_open(&hierarchy, &config), 0);
	for (int i = 0; i < 20000; i++) {
		enum hierarchy_place place;

		hierarchy_access(hierarchy, random_below(&seed, 1 << 16),
				 i % 4 ? USE_LOAD : USE_FETCH, &place);
	}
	for (uint64_t line = 0; line < 1 << 10; line++) {
		bool above = cache_holds(&hierarchy->l1d, line) ||
			     cache_holds(&hierarchy->l1i, line) ||
			     cache_holds(&hierarchy->l2, line);

		held += above;
		assert_true(!above || cache_holds(&hierarchy->l3, line >> 1));
	}
	assert_true(held > 64);
	hierarchy_close(hierarchy);
}

/* Many at once or one by one: the same misses in the same order. */
static void
test_a_run_is_uses_one_by_one(void **state)
{
	static const struct cache_config shapes[] = {
		{ 32 << 10, 8, 64, 4, CACHE_LRU },
		{ 1 << 20, 16, 64, 4, CACHE_LRU },
		{ 1 << 20, 16, 64, 4, CACHE_FIFO },
		{ 32 << 10, 8, 64, 4, CACHE_RANDOM },
		{ 32 << 10, 8, 64, 4, CACHE_PLRU },
		{ 36 << 10, 12, 64, 4, CACHE_LRU },  /* 48 sets */
		{ 128 << 10, 32, 64, 4, CACHE_LRU }, /* wide */
	};
	uint64_t physical[300], seed = 12, evicted;
	uint16_t list[300], expected[300];

	(void)state;
	/* as on a host without vectors, with those of AVX2, and as it is */
	for (size_t third = 0; third < 3 * ARRAY_SIZE(shapes); third++) {
		size_t k = third / 3;
		uint64_t lines = shapes[k].size_bytes / 64 * 2, hits = 0;
		struct cache run, one;

		assert_int_equal(cache_init(&run, &shapes[k], "run", 5), 0);
		assert_int_equal(cache_init(&one, &shapes[k], "one", 5), 0);
		one.rows = false;
		run.rows &= third % 3 > 0;
		run.vectors &= third % 3 > 1;
		for (unsigned round = 0; round < 400; round++) {
			unsigned n = 0, missed = 0;

			for (unsigned i = 0; i < 300; i++) {
				physical[i] = random_below(&seed, lines) * 64 +
					      random_below(&seed, 64);
				if (!random_below(&seed, 4))
					continue; /* not listed */
				list[n++] = (uint16_t)i;
				if (!cache_use(&one, physical[i] >> 6,
					       &evicted))
					expected[missed++] = (uint16_t)i;
			}
			assert_int_equal(cache_run(&run, physical, list, n),
					 missed);
			assert_memory_equal(list, expected,
					    missed * sizeof(*list));
			hits += n - missed;
		}
		assert_true(hits > 10000);
		cache_fini(&run);
		cache_fini(&one);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lru_and_fifo_equal_their_twins),
		cmocka_unit_test(test_plru_equals_its_twin),
		cmocka_unit_test(test_published_counts),
		cmocka_unit_test(test_uniform_references_miss_as_they_should),
		cmocka_unit_test(test_drop_makes_room),
		cmocka_unit_test(test_bad_shapes_are_refused),
		cmocka_unit_test(test_inline_path_changes_nothing),
		cmocka_unit_test(test_a_run_is_uses_one_by_one),
		cmocka_unit_test(test_levels_add_up),
		cmocka_unit_test(test_walks_may_enter_at_l2),
		cmocka_unit_test(test_walks_may_enter_no_cache),
		cmocka_unit_test(test_inclusive_levels_include),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
