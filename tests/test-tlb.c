// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The array of tlb.h against a slow twin that keeps each policy the way the
 * textbook says: lists moved about for LRU and FIFO, a stored tree for PLRU.
 */
#include "models/translation/tlb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/translation/replacement.h"

#define TWIN_WAYS 4096

/* One set of the twin.  order: ways, the next to leave first. */
struct twin_set {
	uint64_t key[TWIN_WAYS];
	bool used[TWIN_WAYS];
	unsigned order[TWIN_WAYS], n_order;
	bool tree[TWIN_WAYS]; /* heap order from 1: true: go right */
};

struct twin {
	unsigned sets, ways;
	const char *policy;
	uint64_t random;
	struct twin_set *set;
};

static void
twin_init(struct twin *twin, unsigned entries, unsigned ways,
	  const char *policy, uint64_t seed)
{
	twin->ways = ways && ways < entries ? ways : entries;
	twin->sets = entries / twin->ways;
	twin->policy = policy;
	twin->random = seed * 2 + 1;
	twin->set = calloc(twin->sets, sizeof(*twin->set));
	assert_non_null(twin->set);
}

static void
order_remove(struct twin_set *set, unsigned way)
{
	for (unsigned i = 0; i < set->n_order; i++)
		if (set->order[i] == way) {
			memmove(&set->order[i], &set->order[i + 1],
				(set->n_order - i - 1) * sizeof(unsigned));
			set->n_order--;
			return;
		}
}

static void
order_append(struct twin_set *set, unsigned way)
{
	order_remove(set, way);
	set->order[set->n_order++] = way;
}

/* Point every node on the way to this leaf away from it. */
static void
tree_touch(const struct twin *twin, struct twin_set *set, unsigned way)
{
	unsigned node = 1;

	for (unsigned half = twin->ways / 2; half; half /= 2) {
		bool right = way & half;

		set->tree[node] = !right;
		node = 2 * node + right;
	}
}

static unsigned
tree_victim(const struct twin *twin, const struct twin_set *set)
{
	unsigned node = 1, way = 0;

	for (unsigned half = twin->ways / 2; half; half /= 2) {
		way += set->tree[node] ? half : 0;
		node = 2 * node + set->tree[node];
	}
	return way;
}

static unsigned
random_way(struct twin *twin)
{
	uint64_t x = twin->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	twin->random = x;
	return (unsigned)((((x * UINT64_C(0x2545f4914f6cdd1d)) >> 32) *
			   twin->ways) >>
			  32);
}

/* true: a hit */
static bool
twin_access(struct twin *twin, uint64_t key, unsigned shift)
{
	struct twin_set *set = &twin->set[(key >> shift) % twin->sets];
	unsigned way = 0;
	bool hit = false;

	for (unsigned i = 0; i < twin->ways && !hit; i++)
		if (set->used[i] && set->key[i] == key) {
			way = i;
			hit = true;
		}
	if (!hit) {
		while (way < twin->ways && set->used[way])
			way++;
		if (way == twin->ways)
			way = !strcmp(twin->policy, "plru")
				      ? tree_victim(twin, set)
			      : !strcmp(twin->policy, "random")
				      ? random_way(twin)
				      : set->order[0];
		set->used[way] = true;
		set->key[way] = key;
	}
	if (!hit || !strcmp(twin->policy, "lru"))
		order_append(set, way);
	tree_touch(twin, set, way);
	return hit;
}

static void
twin_drop(struct twin *twin, uint64_t key, unsigned shift)
{
	struct twin_set *set = &twin->set[(key >> shift) % twin->sets];

	for (unsigned i = 0; i < twin->ways; i++)
		if (set->used[i] && set->key[i] == key) {
			set->used[i] = false;
			order_remove(set, i);
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

static bool
tlb_access(struct tlb *tlb, uint64_t key, unsigned shift, uint64_t now)
{
	uint32_t slot = tlb_find(tlb, key, shift);

	if (slot == TLB_NO_SLOT) {
		tlb_fill(tlb, key, shift, now);
		return false;
	}
	tlb_touch(tlb, slot, now);
	return true;
}

/* The same, each page with its key for a frame. */
static bool
tlb_access_frame(struct tlb *tlb, uint64_t key, unsigned shift, uint64_t now)
{
	bool hit = tlb_access(tlb, key, shift, now);
	uint32_t slot = tlb_find(tlb, key, shift);

	assert_int_not_equal(slot, TLB_NO_SLOT);
	if (hit)
		assert_int_equal(tlb->column.frame[slot], key);
	tlb->column.frame[slot] = key;
	return hit;
}

enum storage {
	STORAGE_GIVEN,
	STORAGE_OWN,
	STORAGE_OWN_PLAIN, /* without vectors */
};

/* A page of a skewed distribution: half of all in 32 pages, one in 16 2M. */
static uint64_t
pick_key(uint64_t *state, uint64_t pages, unsigned *shift)
{
	uint64_t x = next_random(state), page = (x >> 20) % pages;
	unsigned code = (x & 15) == 0;

	if (x & 16)
		page %= 32;
	*shift = TLB_SHIFT(code);
	return tlb_key(page << *shift, *shift, code, (x >> 8) & 1);
}

static void
compare_storage(unsigned entries, unsigned ways, const char *policy, unsigned n,
		enum storage storage)
{
	struct tlb_columns columns;
	char *name = strdup(policy);
	struct tlb_config config = { .entries = entries,
				     .ways = ways,
				     .replacement = name,
				     .sizes = 3 };
	uint64_t state = 88172645463325252u, hits = 0;
	struct twin twin;
	struct tlb tlb;
	const char *field;
	char text[256];

	assert_int_equal(tlb_config_wrong(&config, &field, text, sizeof(text)),
			 0);
	assert_int_equal(tlb_columns_init(&columns, entries + 1u, true), 0);
	assert_int_equal(tlb_init(&tlb, &config,
				  storage == STORAGE_GIVEN ? &columns : NULL, 1,
				  7),
			 0);
	tlb.vectors &= storage != STORAGE_OWN_PLAIN;
	twin_init(&twin, entries, ways, policy, 7);
	for (unsigned i = 1; i <= n; i++) {
		unsigned shift;
		uint64_t key = pick_key(&state, entries * 3, &shift);
		bool hit;

		if (i % 61 == 0) {
			tlb_invalidate(&tlb, key & TLB_ASID_MASK,
				       key >> shift << shift, 1);
			twin_drop(&twin,
				  tlb_key(key, TLB_SHIFT(0), 0,
					  key & TLB_ASID_MASK),
				  TLB_SHIFT(0));
			twin_drop(&twin,
				  tlb_key(key, TLB_SHIFT(1), 1,
					  key & TLB_ASID_MASK),
				  TLB_SHIFT(1));
			continue;
		}
		hit = twin_access(&twin, key, shift);
		hits += hit;
		if (tlb_access_frame(&tlb, key, shift, i) != hit)
			fail_msg("%s %ux%u: access %u should %s", policy,
				 entries, ways, i, hit ? "hit" : "miss");
	}
	assert_true(hits > n / 20 && hits < n - n / 20);
	tlb_fini(&tlb);
	tlb_columns_fini(&columns);
	free(twin.set);
	free(name);
}

/* With stamps and, where they serve, with ranks. */
static void
compare(unsigned entries, unsigned ways, const char *policy, unsigned n)
{
	compare_storage(entries, ways, policy, n, STORAGE_GIVEN);
	compare_storage(entries, ways, policy, n, STORAGE_OWN);
	compare_storage(entries, ways, policy, n, STORAGE_OWN_PLAIN);
}

static const struct {
	unsigned entries, ways;
} shapes[] = {
	{ 64, 4 },  { 1536, 12 }, { 64, 0 },   { 72, 0 },  { 16, 16 },
	{ 96, 6 },  { 20, 5 },	  { 128, 1 },  { 17, 17 }, { 300, 100 },
	{ 512, 0 }, { 8, 2 },	  { 160, 32 }, { 18, 9 },  { 32, 8 },
	{ 26, 13 }, { 1, 1 },
};

static void
lru_equals_its_twin(void **state)
{
	(void)state;
	for (size_t i = 0; i + 1 < ARRAY_SIZE(shapes); i++)
		compare(shapes[i].entries, shapes[i].ways, "lru", 40000);
}

static void
fifo_equals_its_twin(void **state)
{
	(void)state;
	for (size_t i = 0; i + 1 < ARRAY_SIZE(shapes); i++)
		compare(shapes[i].entries, shapes[i].ways, "fifo", 40000);
}

static void
random_equals_its_twin(void **state)
{
	(void)state;
	for (size_t i = 0; i + 1 < ARRAY_SIZE(shapes); i++)
		compare(shapes[i].entries, shapes[i].ways, "random", 40000);
}

static void
plru_equals_its_twin(void **state)
{
	static const unsigned ways[] = { 2, 4, 8, 16, 32, 64 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		compare(ways[i], ways[i], "plru", 40000);
		compare(8 * ways[i], ways[i], "plru", 40000);
	}
}

/* Uses of several pages in a row; `ones`: one by one, as tlb_run says. */
static unsigned
run_or_ones(struct tlb *tlb, const struct tlb_uses *uses, uint16_t *list,
	    unsigned n, bool ones)
{
	unsigned missed = 0;

	if (!ones)
		return tlb_run(tlb, uses, list, n);
	for (unsigned i = 0; i < n; i++) {
		unsigned j = list[i];
		uint64_t key = uses->tag[j] & ~TLB_ALWAYS;
		unsigned code = key >> TLB_SIZE_SHIFT & 3;
		unsigned shift = TLB_SHIFT(code);

		list[missed] = (uint16_t)j;
		missed += !tlb_access(tlb, key, shift, uses->stamp + j);
	}
	return missed;
}

#define RUN 100u

/*
 * The same misses by runs of many, with vectors, short ones and without, as one
 * by one, of pages of one size or of two; among them first levels that are ranked
 * for some of the time only.
 */
static void
compare_runs(unsigned entries, unsigned ways, char *policy, unsigned k)
{
	struct tlb_config config = { .entries = entries,
				     .ways = ways,
				     .replacement = policy,
				     .sizes = 3 };
	uint64_t state = 4711 + k, tag[RUN], physical[RUN], now = 1;
	bool own = k & 1, mixed = k & 4;
	struct tlb_columns columns[2];
	struct tlb tlb[2];

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(tlb_columns_init(&columns[i], entries + 1u,
						  true),
				 0);
		assert_int_equal(tlb_init(&tlb[i], &config,
					  own ? NULL : &columns[i], 1, 7),
				 0);
	}
	tlb[0].vectors &= !(k & 2);
	tlb[0].short_vectors &= !(k & 16);
	for (unsigned round = 0; round < 150; round++, now += RUN) {
		struct tlb_uses uses = { .tag = tag,
					 .mask = UINT64_MAX,
					 .physical = k & 8 ? physical : NULL,
					 .stamp = now,
					 .same_size = !mixed };
		uint16_t list[2][RUN];
		unsigned shift, n = 0, m;
		uint64_t key;

		for (unsigned j = 0; j < RUN; j++) {
			do
				key = pick_key(&state, entries * 3, &shift);
			while (!mixed && shift != TLB_SHIFT(0));
			tag[j] = key | TLB_ALWAYS;
			physical[j] = key >> shift << shift | 0x123;
			if (next_random(&state) & 3) {
				list[0][n] = (uint16_t)j;
				list[1][n++] = (uint16_t)j;
			}
		}
		if (!own && round % 50 == 10)
			tlb_rank(&tlb[0]);
		if (!own && round % 50 == 40)
			tlb_unrank(&tlb[0], now);
		m = run_or_ones(&tlb[0], &uses, list[0], n, false);
		assert_int_equal(m,
				 run_or_ones(&tlb[1], &uses, list[1], n, true));
		assert_memory_equal(list[0], list[1], m * sizeof(list[0][0]));
		for (unsigned i = 0; i < 2 && round % 7 == 0; i++)
			tlb_invalidate(&tlb[i], round & 1, (round % 90) << 12,
				       round % 3 ? 4096 : 40 * 4096);
		assert_memory_equal(tlb[0].used_by, tlb[1].used_by,
				    sizeof(tlb[0].used_by));
	}
	for (unsigned i = 0; i < 2; i++) {
		tlb_fini(&tlb[i]);
		tlb_columns_fini(&columns[i]);
	}
}

static void
runs_equal_uses_one_by_one(void **state)
{
	char lru[] = "lru", fifo[] = "fifo", random_name[] = "random";

	(void)state;
	for (size_t i = 0; i + 1 < ARRAY_SIZE(shapes); i++)
		for (unsigned k = 0; k < 32; k++) {
			compare_runs(shapes[i].entries, shapes[i].ways, lru, k);
			if (k % 5)
				continue;
			compare_runs(shapes[i].entries, shapes[i].ways, fifo,
				     k);
			compare_runs(shapes[i].entries, shapes[i].ways,
				     random_name, k);
		}
}

/* LRU is a stack algorithm: in a full array, more entries never miss more. */
static void
more_ways_never_miss_more(void **state)
{
	uint64_t before = UINT64_MAX;

	(void)state;
	for (unsigned ways = 1; ways <= 64; ways = ways * 3 / 2 + 1) {
		char name[] = "lru";
		struct tlb_config config = { .entries = 16 * ways,
					     .ways = ways,
					     .replacement = name,
					     .sizes = 3 };
		uint64_t random = 12345, misses = 0;
		struct tlb tlb;

		assert_int_equal(tlb_init(&tlb, &config, NULL, 0, 1), 0);
		for (unsigned i = 1; i <= 50000; i++) {
			unsigned shift;
			uint64_t key = pick_key(&random, 1000, &shift);

			misses += !tlb_access(&tlb, key, shift, i);
		}
		assert_true(misses <= before);
		before = misses;
		tlb_fini(&tlb);
	}
}

/* A cyclic sweep over one page more than fits: LRU and FIFO miss all. */
static void
cyclic_sweep_misses_all(void **state)
{
	(void)state;
	for (unsigned entries = 1; entries <= 200; entries += 7) {
		char name[] = "lru";
		struct tlb_config config = { .entries = entries,
					     .replacement = name,
					     .sizes = 1 };
		struct tlb tlb;

		assert_int_equal(tlb_init(&tlb, &config, NULL, 0, 1), 0);
		for (uint64_t i = 1; i <= 20 * (entries + 1); i++)
			assert_false(tlb_access(&tlb,
						tlb_key(i % (entries + 1) << 12,
							12, 0, 0),
						12, i));
		tlb_fini(&tlb);
	}
}

/* Uniform over N pages, C entries: a miss with probability 1 - C/N. */
static void
uniform_misses_as_the_closed_form(void **state)
{
	const unsigned pages = 512, n = 400000;
	static const unsigned entries[] = { 16, 64, 256 };

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(entries); k++) {
		char name[] = "lru";
		struct tlb_config config = { .entries = entries[k],
					     .replacement = name,
					     .sizes = 1 };
		uint64_t random = 99, misses = 0;
		double ratio, exact = 1 - entries[k] / (double)pages;
		struct tlb tlb;

		assert_int_equal(tlb_init(&tlb, &config, NULL, 0, 1), 0);
		for (unsigned i = 1; i <= n; i++) {
			uint64_t page = (next_random(&random) >> 20) % pages;

			misses +=
				!tlb_access(&tlb, tlb_key(page << 12, 12, 0, 0),
					    12, i);
		}
		ratio = (double)misses / n;
		assert_true(ratio > exact - 0.005 && ratio < exact + 0.005);
		tlb_fini(&tlb);
	}
}

/* Ranges: what overlaps goes, in its own ASID, and nothing else. */
static void
invalidation_drops_what_overlaps(void **state)
{
	static const uint64_t lengths[] = { 1, 4096, 4097, 1 << 20, 1 << 24 };
	char name[] = "lru";
	struct tlb_config config = {
		.entries = 2048, .ways = 8, .replacement = name, .sizes = 3
	};
	struct tlb tlb;

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(lengths); k++) {
		uint64_t from = 0x2fff000, last = from + lengths[k] - 1;

		assert_int_equal(tlb_init(&tlb, &config, NULL, 0, 1), 0);
		for (uint64_t page = 0; page < 256; page++)
			for (unsigned code = 0; code < 2; code++)
				for (uint64_t asid = 0; asid < 2; asid++)
					tlb_fill(&tlb,
						 tlb_key((0x2f80 + page) << 12,
							 TLB_SHIFT(code), code,
							 asid) +
							 (code ? page << 21
							       : 0),
						 TLB_SHIFT(code), page + 1);
		tlb_invalidate(&tlb, 1, from, lengths[k]);
		for (uint32_t i = 0; i < tlb.entries; i++) {
			uint64_t tag = tlb.column.tag[i];
			uint64_t first =
				tag & (UINT64_MAX
				       << TLB_SHIFT(tag >> TLB_SIZE_SHIFT & 3));
			unsigned code = (unsigned)(tag >> TLB_SIZE_SHIFT) & 3;

			if (tag == TLB_FREE || (tag & TLB_ASID_MASK) != 1)
				continue;
			assert_true(first > last ||
				    first + (UINT64_C(1) << TLB_SHIFT(code)) <=
					    from);
		}
		tlb_flush_asid(&tlb, 1);
		assert_true(tlb.used >= 512);
		tlb_flush(&tlb);
		assert_int_equal(tlb.used, 0);
		tlb_fini(&tlb);
	}
}

static void
wrong_shapes_are_named(void **state)
{
	static const struct {
		int64_t entries, ways;
		const char *policy, *field;
	} cases[] = {
		{ 64, 5, "lru", "ways" },	{ 64, 4, "LRU", "replacement" },
		{ 70000, 0, "lru", "entries" }, { 96, 6, "plru", "ways" },
		{ 64, -1, "lru", "ways" },	{ -1, 1, "fifo", "entries" },
		{ 24, 0, "plru", "ways" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *name = strdup(cases[i].policy);
		struct tlb_config config = { .entries = cases[i].entries,
					     .ways = cases[i].ways,
					     .replacement = name };
		const char *field;
		char text[256];

		assert_int_not_equal(tlb_config_wrong(&config, &field, text,
						      sizeof(text)),
				     0);
		assert_string_equal(field, cases[i].field);
		free(name);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lru_equals_its_twin),
		cmocka_unit_test(fifo_equals_its_twin),
		cmocka_unit_test(random_equals_its_twin),
		cmocka_unit_test(plru_equals_its_twin),
		cmocka_unit_test(runs_equal_uses_one_by_one),
		cmocka_unit_test(more_ways_never_miss_more),
		cmocka_unit_test(cyclic_sweep_misses_all),
		cmocka_unit_test(uniform_misses_as_the_closed_form),
		cmocka_unit_test(invalidation_drops_what_overlaps),
		cmocka_unit_test(wrong_shapes_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
