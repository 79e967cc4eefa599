// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The hierarchy one reference at a time: exclusive levels and shared ones
 * against a plain twin, why a cache missed against another, virtual indices and
 * synonyms by hand, UC and WC memory counted by hand.
 */
#include "models/memory/attributes.h"
#include "models/memory/details.h"
#include "models/memory/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct hierarchy_config
small(void)
{
	return (struct hierarchy_config){
		.l1d = { 1024, 2, 64, 4, CACHE_LRU },
		.l1i = { 1024, 2, 64, 4, CACHE_LRU },
		.l2 = { 4096, 4, 64, 14, CACHE_LRU },
		.l3 = { 16384, 8, 64, 50, CACHE_LRU },
		.memory = { .latency = 200, .combining = 2 },
	};
}

static struct hierarchy *
open_of(const struct hierarchy_config *config)
{
	struct hierarchy *hierarchy;

	assert_int_equal(hierarchy_open(&hierarchy, config), 0);
	return hierarchy;
}

/* Twin: each cache a list of lines by set, newest first. */
struct plain_cache {
	unsigned sets, ways;
	uint64_t line[256][16];
	unsigned n[256];
};

static bool
plain_remove(struct plain_cache *cache, uint64_t line)
{
	uint64_t *set = cache->line[line % cache->sets];
	unsigned *n = &cache->n[line % cache->sets];

	for (unsigned i = 0; i < *n; i++)
		if (set[i] == line) {
			memmove(set + i, set + i + 1,
				(*n - i - 1) * sizeof(*set));
			--*n;
			return true;
		}
	return false;
}

/* As the newest; what leaves for it, or CACHE_NO_LINE */
static uint64_t
plain_insert(struct plain_cache *cache, uint64_t line)
{
	uint64_t *set = cache->line[line % cache->sets], left = CACHE_NO_LINE;
	unsigned *n = &cache->n[line % cache->sets];

	if (*n == cache->ways)
		left = set[--*n];
	memmove(set + 1, set, *n * sizeof(*set));
	set[0] = line;
	++*n;
	return left;
}

struct plain {
	struct plain_cache cache[4]; /* l1d, l1i, l2, l3 */
	int exclusive;
};

static void
plain_victim(struct plain *plain, unsigned level, uint64_t line)
{
	if (line == CACHE_NO_LINE || level > 3)
		return;
	if (plain->exclusive == EXCLUSIVE_ALL ||
	    (plain->exclusive == EXCLUSIVE_L3 && level == 3)) {
		plain_remove(&plain->cache[level], line);
		plain_victim(plain, level + 1,
			     plain_insert(&plain->cache[level], line));
	}
}

/* Where it was found: 0 first level, ... 3 memory */
static unsigned
plain_access(struct plain *plain, uint64_t line, bool fetch)
{
	const unsigned order[3] = { fetch, 2, 3 };
	unsigned found = 0;

	while (found < 3 && !plain_remove(&plain->cache[order[found]], line))
		found++;
	if (plain->exclusive == EXCLUSIVE_ALL) {
		plain_victim(plain, 2,
			     plain_insert(&plain->cache[fetch], line));
		return found;
	}
	for (unsigned i = 0; i <= found && i < 3; i++) {
		bool fills = i < 2 || plain->exclusive == EXCLUSIVE_NO;
		uint64_t left;

		if (!fills)
			continue;
		left = plain_insert(&plain->cache[order[i]], line);
		plain_victim(plain, i == 0 ? 2 : 3, left);
	}
	return found;
}

static void
against_plain(int exclusive, bool virtual, bool fetches)
{
	static struct plain plain;
	struct hierarchy_config config = small();
	struct hierarchy *hierarchy;
	uint64_t random = 5;

	config.levels.exclusive = exclusive;
	/* the indices are within a page: it makes no difference */
	config.levels.virtual = virtual;
	hierarchy = open_of(&config);
	assert_non_null(hierarchy->details);
	plain = (struct plain){ .cache = { { .sets = 8, .ways = 2 },
					   { .sets = 8, .ways = 2 },
					   { .sets = 16, .ways = 4 },
					   { .sets = 32, .ways = 8 } },
				.exclusive = exclusive };
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t line = random_below(&random, 3)
					? random_below(&random, 40)
					: random_below(&random, 600);
		bool fetch = fetches && random_below(&random, 4) == 0;
		enum hierarchy_place place;

		hierarchy_access(hierarchy, line * 64,
				 fetch ? USE_FETCH : USE_LOAD, &place);
		assert_int_equal(place, plain_access(&plain, line, fetch));
	}
	/* a line is in one level at most, where all are exclusive */
	for (uint64_t line = 0;
	     exclusive == EXCLUSIVE_ALL && !fetches && line < 600; line++)
		assert_true(cache_holds(&hierarchy->l1d, line) +
				    cache_holds(&hierarchy->l2, line) +
				    cache_holds(&hierarchy->l3, line) <=
			    1);
	hierarchy_close(hierarchy);
}

static void
test_exclusive(void **state)
{
	(void)state;
	against_plain(EXCLUSIVE_NO, true, true);
	against_plain(EXCLUSIVE_L3, false, true);
	against_plain(EXCLUSIVE_L3, true, false);
	against_plain(EXCLUSIVE_ALL, false, false);
}

/* With nothing asked for that changes what happens, the counts are those of the
 * plain way. */
static void
test_details_alone_change_nothing(void **state)
{
	struct hierarchy_config config = small();
	struct hierarchy *plain, *detailed;
	uint64_t random = 9;

	(void)state;
	config.levels.inclusive = true;
	plain = open_of(&config);
	config.levels.classify = true;
	detailed = open_of(&config);
	for (unsigned i = 0; i < 100000; i++) {
		uint64_t physical = random_below(&random, 40000);
		enum hierarchy_use use =
			(enum hierarchy_use)random_below(&random, USES);
		enum hierarchy_place place[2];

		assert_int_equal(hierarchy_access(plain, physical, use,
						  &place[0]),
				 hierarchy_access(detailed, physical, use,
						  &place[1]));
		assert_int_equal(place[0], place[1]);
	}
	assert_memory_equal(plain->accesses, detailed->accesses,
			    sizeof(plain->accesses));
	assert_memory_equal(plain->misses, detailed->misses,
			    sizeof(plain->misses));
	hierarchy_close(plain);
	hierarchy_close(detailed);
}

/* Cores have their own first levels and share the last: what one brought in,
 * the other finds there; inclusion reaches both. */
static void
test_cores(void **state)
{
	static const enum hierarchy_place want[3] = {
		[SHARED_NONE] = PLACE_MEMORY,
		[SHARED_L3] = PLACE_L3,
		[SHARED_L2] = PLACE_L2,
	};

	(void)state;
	for (int shared = SHARED_NONE; shared <= SHARED_L2; shared++) {
		struct hierarchy_config config = small();
		struct hierarchy *root, *other;
		enum hierarchy_place place;
		bool inclusive = shared == SHARED_L3;

		config.cores = 2;
		config.levels.shared = shared;
		config.levels.inclusive = inclusive;
		root = open_of(&config);
		other = hierarchy_of_core(root, 1);
		hierarchy_access(root, 0, USE_LOAD, &place);
		assert_int_equal(place, PLACE_MEMORY);
		hierarchy_access(other, 0, USE_LOAD, &place);
		assert_int_equal(place, want[shared]);
		hierarchy_access(other, 0, USE_LOAD, &place);
		assert_int_equal(place, PLACE_L1);
		/* eight more lines of the L3's set, by the first core */
		for (uint64_t i = 1; i <= 8; i++)
			hierarchy_access(root, i * 32 * 64, USE_LOAD, &place);
		assert_int_equal(cache_holds(&other->l1d, 0), !inclusive);
		hierarchy_close(root);
	}
}

/* The fully associative twin, a plain list; what was there once, an array. */
static void
test_three_kinds_of_misses(void **state)
{
	enum {
		LINES = 64,
		ALL = 400
	};
	struct cache_config config = { LINES * 64, 2, 64, 1, CACHE_LRU };
	static uint64_t list[LINES];
	unsigned n = 0;
	bool ever[ALL] = { false };
	struct classify *classify;
	struct cache cache;
	uint64_t random = 4, evicted, sum = 0;

	(void)state;
	assert_int_equal(cache_init(&cache, &config, "cache", 1), 0);
	assert_int_equal(classify_open(&classify, LINES), 0);
	for (unsigned i = 0; i < 60000; i++) {
		uint64_t line = random_below(&random, 4)
					? random_below(&random, 70)
					: random_below(&random, ALL);
		bool hit = cache_use(&cache, line, &evicted);
		unsigned at = 0;
		enum classify_kind want;

		while (at < n && list[at] != line)
			at++;
		want = hit	     ? CLASSIFY_HIT
		       : !ever[line] ? CLASSIFY_COMPULSORY
		       : at < n	     ? CLASSIFY_CONFLICT
				     : CLASSIFY_CAPACITY;
		if (at == n)
			at = n < LINES ? n++ : LINES - 1;
		memmove(list + 1, list, at * sizeof(*list));
		list[0] = line;
		ever[line] = true;
		assert_int_equal(classify_use(classify, line, hit), want);
	}
	for (unsigned kind = 0; kind < CLASSIFY_KINDS; kind++)
		sum += classify_count(classify, (enum classify_kind)kind);
	assert_int_equal(sum, 60000);
	assert_int_equal(classify_count(classify, CLASSIFY_COMPULSORY), ALL);
	classify_close(classify);
	cache_fini(&cache);
}

static struct hierarchy *
virtual_l1(int synonyms)
{
	struct hierarchy_config config = small();

	/* 16 KiB, 2 ways: two pages of index, one bit */
	config.l1d.size_bytes = 16384;
	config.levels.virtual = true;
	config.levels.synonyms = synonyms;
	return open_of(&config);
}

/* Physical page 5, seen at virtual pages of both colours. */
static void
test_synonyms_by_hand(void **state)
{
	struct hierarchy *hierarchy = virtual_l1(0);
	const struct details *details = hierarchy->details;
	const uint64_t *misses = hierarchy->misses[PLACE_L1];

	(void)state;
	hierarchy_access_detailed(hierarchy, 0x5040, 0x10040, 8, USE_LOAD);
	assert_int_equal(misses[USE_LOAD], 1);
	hierarchy_access_detailed(hierarchy, 0x5040, 0x10040, 8, USE_LOAD);
	assert_int_equal(misses[USE_LOAD], 1);
	/* the same page at an address of the same colour: a hit */
	hierarchy_access_detailed(hierarchy, 0x5048, 0x24048, 8, USE_LOAD);
	assert_int_equal(misses[USE_LOAD], 1);
	assert_int_equal(details->synonyms, 0);
	/* of the other colour: a miss, and the line is in two sets */
	hierarchy_access_detailed(hierarchy, 0x5048, 0x31048, 8, USE_STORE);
	assert_int_equal(misses[USE_STORE], 1);
	assert_int_equal(details->synonyms, 1);
	assert_int_equal(details->synonym_stores, 1);
	/* where it was dropped */
	hierarchy_access_detailed(hierarchy, 0x5040, 0x10040, 8, USE_LOAD);
	assert_int_equal(misses[USE_LOAD], 2);
	assert_int_equal(details->synonyms, 2);
	assert_int_equal(details->mismatched, 4);
	hierarchy_close(hierarchy);
	/* kept: both are there */
	hierarchy = virtual_l1(1);
	misses = hierarchy->misses[PLACE_L1];
	for (unsigned i = 0; i < 10; i++) {
		hierarchy_access_detailed(hierarchy, 0x5040, 0x10040, 8,
					  USE_LOAD);
		hierarchy_access_detailed(hierarchy, 0x5040, 0x11040, 8,
					  USE_LOAD);
	}
	assert_int_equal(misses[USE_LOAD], 2);
	assert_int_equal(hierarchy->details->synonyms, 1);
	hierarchy_close(hierarchy);
}

/* Random pages at random addresses: synonyms, unless the bits of the index are
 * the same in both; then it is as physically indexed. */
static void
test_the_constraint(void **state)
{
	(void)state;
	for (unsigned same = 0; same < 2; same++) {
		struct hierarchy *hierarchy = virtual_l1(0), *physical;
		struct hierarchy_config config = small();
		uint64_t random = 8;

		config.l1d.size_bytes = 16384;
		physical = open_of(&config);
		for (unsigned i = 0; i < 50000; i++) {
			uint64_t frame = random_below(&random, 16);
			uint64_t page = random_below(&random, 64) * 2;
			uint64_t offset = random_below(&random, 64) * 64;
			enum hierarchy_place place;

			page += same ? frame & 1 : random_below(&random, 2);
			hierarchy_access_detailed(hierarchy,
						  frame << 12 | offset,
						  page << 12 | offset, 1,
						  USE_LOAD);
			hierarchy_access(physical, frame << 12 | offset,
					 USE_LOAD, &place);
		}
		assert_int_equal(hierarchy->details->synonyms == 0, same);
		assert_int_equal(hierarchy->details->mismatched == 0, same);
		assert_int_equal(hierarchy->misses[PLACE_L1][USE_LOAD] ==
					 physical->misses[PLACE_L1][USE_LOAD],
				 same);
		hierarchy_close(hierarchy);
		hierarchy_close(physical);
	}
}

static int
type_by_address(void *context, uint64_t virtual)
{
	(void)context;
	return virtual >= 0x20000   ? MEMORY_WC
	       : virtual >= 0x10000 ? MEMORY_UC
				    : MEMORY_WB;
}

static void
test_types_by_hand(void **state)
{
	struct hierarchy_config config = small();
	struct hierarchy *hierarchy;
	const struct combining *combining;
	const uint64_t *memory;

	(void)state;
	config.types = (struct hierarchy_types){ &config, type_by_address };
	hierarchy = open_of(&config);
	combining = &hierarchy->details->combining;
	memory = hierarchy->accesses[PLACE_MEMORY];
	for (unsigned i = 0; i < 5; i++) {
		hierarchy_access_detailed(hierarchy, 0, 0, 8, USE_LOAD);
		hierarchy_access_detailed(hierarchy, 0x10000, 0x10000, 8,
					  USE_LOAD);
		hierarchy_access_detailed(hierarchy, 0x10000, 0x10000, 8,
					  USE_STORE);
	}
	/* cached: once; uncached: each */
	assert_int_equal(memory[USE_LOAD], 1 + 5);
	assert_int_equal(memory[USE_STORE], 5);
	assert_int_equal(hierarchy->accesses[PLACE_L1][USE_LOAD], 5);
	/* eight stores of eight bytes are one line; three lines of two buffers */
	for (uint64_t i = 0; i < 8; i++)
		hierarchy_access_detailed(hierarchy, 0x20000 + 8 * i,
					  0x20000 + 8 * i, 8, USE_STORE);
	assert_int_equal(combining->whole, 1);
	for (uint64_t i = 1; i <= 3; i++)
		hierarchy_access_detailed(hierarchy, 0x20000 + 64 * i,
					  0x20000 + 64 * i, 4, USE_STORE);
	assert_int_equal(combining->partial, 1);
	assert_int_equal(combining->used, 2);
	/* an uncached load sends them off; a load of such memory goes out */
	hierarchy_access_detailed(hierarchy, 0x10000, 0x10000, 8, USE_LOAD);
	assert_int_equal(combining->partial, 3);
	hierarchy_access_detailed(hierarchy, 0x20000, 0x20000, 8, USE_LOAD);
	assert_int_equal(memory[USE_LOAD], 8);
	assert_int_equal(combining->stores, 11);
	assert_int_equal(memory[USE_STORE], 5);
	hierarchy_close(hierarchy);
}

static void
test_lists_of_types(void **state)
{
	static const char *const wrong[] = { "uc",	   "uc:",
					     "xy:0x1-0x2", "uc:0x2-0x1",
					     "uc:0x1000",  "wc:[heap],uc:5" };
	struct attributes *attributes;
	char text[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_true(attributes_wrong(wrong[i], text, sizeof(text)) > 0);
	assert_int_equal(attributes_wrong("wb:0x1000-0x1800, uc:0x1000-0x3000 "
					  ", wc:/dev/dri/*,uc:[heap]",
					  text, sizeof(text)),
			 0);
	assert_int_equal(attributes_open(&attributes,
					 "wb:0x1000-0x1800, uc:0x1000-0x3000 , "
					 "wc:/dev/dri/*,uc:[heap]"),
			 0);
	assert_int_equal(attributes_of(attributes, 0x1000, 0, "[anon]"),
			 MEMORY_WB);
	assert_int_equal(attributes_of(attributes, 0x1800, 0, "[anon]"),
			 MEMORY_UC);
	assert_int_equal(attributes_of(attributes, 0x3000, 0, "[anon]"),
			 MEMORY_WB);
	assert_int_equal(attributes_of(attributes, 0x5000, 9, "/dev/dri/card0"),
			 MEMORY_WC);
	assert_int_equal(attributes_of(attributes, 0x5000, 70, "[heap]"),
			 MEMORY_UC);
	assert_int_equal(attributes_of(attributes, 0x1100, 70, "[heap]"),
			 MEMORY_WB);
	attributes_close(attributes);
	assert_int_equal(attributes_open(&attributes, NULL), 0);
	assert_null(attributes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exclusive),
		cmocka_unit_test(test_details_alone_change_nothing),
		cmocka_unit_test(test_cores),
		cmocka_unit_test(test_three_kinds_of_misses),
		cmocka_unit_test(test_synonyms_by_hand),
		cmocka_unit_test(test_the_constraint),
		cmocka_unit_test(test_types_by_hand),
		cmocka_unit_test(test_lists_of_types),
	};

	return cmocka_run_group_tests_name("details", tests, NULL, NULL);
}
