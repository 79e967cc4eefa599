// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Replacement policies against twins that keep what papers say they keep (bits,
 * counters, stacks) and move them at each hit and miss, where the real ones read
 * all that off stamps when a victim is wanted; then published counts and laws.
 */
#include "models/translation/replacement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WAYS 64u

struct set {
	uint64_t key[WAYS];
	bool used[WAYS], bit[WAYS];
	unsigned far[WAYS];   /* re-reference prediction */
	unsigned stack[WAYS]; /* ways, the least recent first */
	unsigned depth, hand;
};

struct twin {
	const char *policy;
	unsigned sets, ways, select;
	uint64_t random;
	struct set *set; /* owned */
};

static unsigned
random_of(struct twin *twin)
{
	uint64_t x = twin->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	twin->random = x;
	return (unsigned)((x * UINT64_C(0x2545f4914f6cdd1d)) >> 32);
}

static bool
is(const struct twin *twin, const char *policy)
{
	return !strcmp(twin->policy, policy);
}

static void
stack_remove(struct set *set, unsigned way)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < set->depth; i++)
		if (set->stack[i] != way)
			set->stack[kept++] = set->stack[i];
	set->depth = kept;
}

static void
stack_top(struct set *set, unsigned way)
{
	stack_remove(set, way);
	set->stack[set->depth++] = way;
}

static void
stack_bottom(struct set *set, unsigned way)
{
	stack_remove(set, way);
	memmove(&set->stack[1], &set->stack[0],
		set->depth * sizeof(set->stack[0]));
	set->stack[0] = way;
	set->depth++;
}

static unsigned
bit_victim(const struct twin *twin, struct set *set)
{
	for (unsigned way = 0; way < twin->ways; way++)
		if (!set->bit[way])
			return way;
	memset(set->bit, 0, sizeof(set->bit));
	return 0;
}

static unsigned
clock_way(const struct twin *twin, struct set *set)
{
	unsigned way;

	while (set->bit[set->hand]) {
		set->bit[set->hand] = false;
		set->hand = (set->hand + 1) % twin->ways;
	}
	way = set->hand;
	set->hand = (set->hand + 1) % twin->ways;
	return way;
}

static unsigned
far_victim(const struct twin *twin, struct set *set)
{
	for (;;) {
		for (unsigned way = 0; way < twin->ways; way++)
			if (set->far[way] == 3)
				return way;
		for (unsigned way = 0; way < twin->ways; way++)
			set->far[way]++;
	}
}

static unsigned
victim(struct twin *twin, struct set *set)
{
	if (is(twin, "nru"))
		return bit_victim(twin, set);
	if (is(twin, "clock"))
		return clock_way(twin, set);
	if (is(twin, "mru"))
		return set->stack[set->depth - 1];
	if (strstr(twin->policy, "rrip"))
		return far_victim(twin, set);
	return set->stack[0];
}

static bool
is_bimodal(struct twin *twin, unsigned set)
{
	bool bimodal = is(twin, "brrip");

	if (!is(twin, "drrip"))
		return bimodal;
	bimodal = set % 32 == 1 || (set % 32 > 1 && twin->select >= 512);
	if (set % 32 == 0 && twin->select < 1023)
		twin->select++;
	if (set % 32 == 1 && twin->select > 0)
		twin->select--;
	return bimodal;
}

static void
fill(struct twin *twin, unsigned number, unsigned way)
{
	struct set *set = &twin->set[number];

	set->far[way] = 2;
	if (is_bimodal(twin, number) && random_of(twin) % 32)
		set->far[way] = 3;
	if (is(twin, "lip") || (is(twin, "bip") && random_of(twin) % 32))
		stack_bottom(set, way);
	else
		stack_top(set, way);
	set->bit[way] = true;
}

static bool
twin_access(struct twin *twin, uint64_t page)
{
	unsigned number = (unsigned)(page % twin->sets), way = 0;
	struct set *set = &twin->set[number];

	for (unsigned i = 0; i < twin->ways; i++)
		if (set->used[i] && set->key[i] == page) {
			set->bit[i] = true;
			set->far[i] = 0;
			stack_top(set, i);
			return true;
		}
	while (way < twin->ways && set->used[way])
		way++;
	if (way == twin->ways)
		way = victim(twin, set);
	set->used[way] = true;
	set->key[way] = page;
	fill(twin, number, way);
	return false;
}

static void
twin_drop(struct twin *twin, uint64_t page)
{
	struct set *set = &twin->set[page % twin->sets];

	for (unsigned i = 0; i < twin->ways; i++)
		if (set->used[i] && set->key[i] == page) {
			set->used[i] = false;
			stack_remove(set, i);
		}
}

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static uint64_t
key_of(uint64_t page)
{
	return tlb_key(page << 12, 12, 0, 0);
}

static bool
tlb_access(struct tlb *tlb, uint64_t page, uint64_t now)
{
	uint32_t slot = tlb_find(tlb, key_of(page), 12);

	if (slot == TLB_NO_SLOT) {
		tlb_fill(tlb, key_of(page), 12, now);
		return false;
	}
	tlb_touch(tlb, slot, now);
	return true;
}

static void
open_array(struct tlb *tlb, unsigned entries, unsigned ways, const char *policy)
{
	char *name = strdup(policy);
	struct tlb_config config = { .entries = entries,
				     .ways = ways,
				     .replacement = name,
				     .sizes = 1 };

	assert_int_equal(tlb_init(tlb, &config, NULL, 0, 7), 0);
	free(name);
}

/* Half of all are of few pages; some are swept over; some are used twice. */
static uint64_t
pick(uint64_t *random, unsigned i, uint64_t pages)
{
	uint64_t x = next_random(random);

	if ((x & 15) == 0)
		return i % pages;
	return (x >> 20) % (x & 16 ? pages / 6 + 1 : pages);
}

static void
compare(unsigned sets, unsigned ways, const char *policy)
{
	struct twin twin = { .policy = policy,
			     .sets = sets,
			     .ways = ways,
			     .select = 512,
			     .random = 15 };
	uint64_t random = 88172645463325252u, hits = 0, page = 0;
	const unsigned n = 60000;
	struct tlb tlb;

	twin.set = calloc(sets, sizeof(*twin.set));
	assert_non_null(twin.set);
	open_array(&tlb, sets * ways, ways, policy);
	for (unsigned i = 1; i <= n; i++) {
		bool hit;

		if (next_random(&random) % 8)
			page = pick(&random, i, 3 * sets * ways);
		/* long enough in one set, then in the other, that what chooses
		 * between the two of drrip comes to its ends */
		if (sets >= 32 && i / 2500 >= 8 && i / 2500 < 12)
			page = page / sets * sets + (i / 2500 >= 10);
		if (i % 97 == 0) {
			tlb_invalidate(&tlb, 0, page << 12, 4096);
			twin_drop(&twin, page);
			continue;
		}
		hit = twin_access(&twin, page);
		hits += hit;
		if (tlb_access(&tlb, page, i) != hit)
			fail_msg("%s %ux%u: access %u should %s", policy, sets,
				 ways, i, hit ? "hit" : "miss");
	}
	assert_true(hits > n / 20 && hits < n - n / 20);
	tlb_fini(&tlb);
	free(twin.set);
}

static void
policies_equal_their_twins(void **state)
{
	static const char *const policies[] = { "nru",	 "clock", "mru",
						"srrip", "brrip", "drrip",
						"lip",	 "bip",	  "lru" };
	static const unsigned shapes[][2] = {
		{ 16, 4 }, { 128, 12 }, { 1, 64 }, { 3, 20 }, { 64, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(policies); i++)
		for (size_t k = 0; k < ARRAY_SIZE(shapes); k++)
			compare(shapes[k][0], shapes[k][1], policies[i]);
}

static unsigned
misses_of(const char *policy, unsigned entries, const char *pages)
{
	struct tlb tlb;
	unsigned misses = 0;

	open_array(&tlb, entries, entries, policy);
	for (unsigned i = 0; pages[i]; i++)
		misses += !tlb_access(&tlb, (uint64_t)pages[i], i + 1);
	tlb_fini(&tlb);
	return misses;
}

/* Belady's string and the one of Silberschatz's book. */
static void
published_strings_count_as_published(void **state)
{
	static const char belady[] = "123412512345";
	static const char book[] = "70120304230321201701";

	(void)state;
	assert_int_equal(misses_of("clock", 3, belady), 9);
	assert_int_equal(misses_of("clock", 3, book), 14);
	assert_int_equal(misses_of("fifo", 3, belady), 9);
	assert_int_equal(misses_of("fifo", 4, belady), 10);
	assert_int_equal(misses_of("lru", 3, belady), 10);
	assert_int_equal(misses_of("lru", 4, belady), 8);
	assert_int_equal(misses_of("fifo", 3, book), 15);
	assert_int_equal(misses_of("lru", 3, book), 12);
	assert_int_equal(misses_of("lru", 2, book), 17);
}

/* A cyclic sweep over N pages: LRU misses all, MRU and LIP keep C - 1 of them,
 * each round, once they are settled. */
static void
sweeps_are_kept_in_part(void **state)
{
	const unsigned entries = 32, pages = 48, rounds = 100;
	static const char *const policies[] = { "lru", "lip", "mru", "bip",
						"brrip" };
	unsigned misses[ARRAY_SIZE(policies)];

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(policies); k++) {
		struct tlb tlb;

		misses[k] = 0;
		open_array(&tlb, entries, entries, policies[k]);
		for (unsigned i = 0; i < rounds * pages; i++)
			misses[k] += !tlb_access(&tlb, i % pages, i + 1);
		tlb_fini(&tlb);
	}
	assert_int_equal(misses[0], rounds * pages);
	assert_int_equal(misses[1],
			 pages + (rounds - 1) * (pages - entries + 1));
	/* MRU: of N - 1 consecutive accesses C - 1 hit (its own law) */
	assert_in_range(misses[2], rounds * pages / 3,
			rounds * pages * 16 / 47 + pages);
	assert_true(misses[3] < rounds * pages / 2);
	assert_true(misses[4] < rounds * pages / 2);
}

/* Uniform over N pages, C entries: whoever leaves, a miss comes with 1 - C/N. */
static void
no_policy_foretells_uniform_pages(void **state)
{
	const unsigned entries = 64, pages = 512, n = 200000;

	(void)state;
	for (size_t k = 0; replacement_registry[k]; k++) {
		uint64_t random = 99, misses = 0;
		double ratio, exact = 1 - entries / (double)pages;
		struct tlb tlb;

		open_array(&tlb, entries, 0, replacement_registry[k]->name);
		for (unsigned i = 1; i <= n; i++)
			misses += !tlb_access(&tlb,
					      (next_random(&random) >> 20) %
						      pages,
					      i);
		ratio = (double)misses / n;
		if (ratio < exact - 0.005 || ratio > exact + 0.005)
			fail_msg("%s: %f, not %f",
				 replacement_registry[k]->name, ratio, exact);
		tlb_fini(&tlb);
	}
}

/* By stack distances of one pass: how many misses LRU arrays of any size have. */
static void
lru_counts_are_stack_distances(void **state)
{
	enum {
		N = 60000,
		DEPTH = 512
	};
	static uint64_t stack[DEPTH], beyond[DEPTH + 1];
	static const unsigned entries[] = {
		1, 2, 7, 16, 17, 64, 100, 300, 511
	};
	uint64_t random = 2024;
	unsigned depth = 0;

	(void)state;
	/* beyond[d]: accesses whose page is not among the last d */
	for (unsigned i = 1; i <= N; i++) {
		uint64_t page = pick(&random, i, DEPTH);
		unsigned at = 0;

		while (at < depth && stack[at] != page)
			at++;
		for (unsigned d = 0; d <= DEPTH && (d <= at || at == depth);
		     d++)
			beyond[d]++;
		depth += at == depth;
		memmove(&stack[1], &stack[0], at * sizeof(stack[0]));
		stack[0] = page;
	}
	for (size_t k = 0; k < ARRAY_SIZE(entries); k++) {
		uint64_t misses = 0;
		struct tlb tlb;

		random = 2024;
		open_array(&tlb, entries[k], 0, "lru");
		for (unsigned i = 1; i <= N; i++)
			misses += !tlb_access(&tlb, pick(&random, i, DEPTH), i);
		assert_int_equal(misses, beyond[entries[k]]);
		tlb_fini(&tlb);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policies_equal_their_twins),
		cmocka_unit_test(published_strings_count_as_published),
		cmocka_unit_test(sweeps_are_kept_in_part),
		cmocka_unit_test(lru_counts_are_stack_distances),
		cmocka_unit_test(no_policy_foretells_uniform_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
