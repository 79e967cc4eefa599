// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Compaction: the buddy allocator's against a plain twin over an array of pages,
 * and in closed form; then what each mode of pages.defrag does where memory is
 * fragmented, with counts that can be done in the head.
 */
#include "tests/paging-bench.h"

#include "models/memory/pool.h"
#include "models/memory/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define GROUP  512u
#define GROUPS 12u
#define PAGES  (GROUPS * GROUP)

/* What a page has: 0: it is free; who moves has a number, odd: it cannot. */
struct twin {
	uint32_t page[PAGES];
	uint64_t empty_from, fill_below;
	uint64_t moved;
};

struct world {
	struct pool *pool;
	uint32_t page[PAGES]; /* what the pool's mover made of it */
	struct pool_work work;
};

static bool
may(void *context, uint64_t page)
{
	const struct world *world = context;

	assert_true(world->page[page] != 0);
	return world->page[page] % 2 == 0;
}

static int
move(void *context, uint64_t from, uint64_t to)
{
	struct world *world = context;

	assert_true(world->page[from] != 0 && world->page[to] == 0);
	world->page[to] = world->page[from];
	world->page[from] = 0;
	return 0;
}

static bool
group_is_free(const struct twin *twin, uint64_t group)
{
	for (uint64_t i = 0; i < GROUP; i++)
		if (twin->page[group * GROUP + i])
			return false;
	return true;
}

/* A free page of the highest group above a place; PAGES: none. */
static uint64_t
place_above(struct twin *twin, uint64_t above)
{
	for (; twin->fill_below > above; twin->fill_below -= GROUP) {
		uint64_t group = twin->fill_below / GROUP - 1;

		if (group * GROUP < above || group_is_free(twin, group))
			continue;
		for (uint64_t i = group * GROUP; i < twin->fill_below; i++)
			if (!twin->page[i])
				return i;
	}
	return PAGES;
}

static bool
run_moves(const struct twin *twin, uint64_t start, uint64_t run)
{
	for (uint64_t i = start; i < start + run; i++)
		if (twin->page[i] % 2)
			return false;
	return true;
}

static bool
twin_compact(struct twin *twin, uint64_t run)
{
	uint64_t start;

	if (twin->empty_from >= twin->fill_below) {
		twin->empty_from = 0;
		twin->fill_below = PAGES;
	}
	start = (twin->empty_from + run - 1) / run * run;
	for (; start + run <= twin->fill_below; start += run) {
		bool room = true;

		twin->empty_from = start;
		if (!run_moves(twin, start, run))
			continue;
		for (uint64_t i = start; i < start + run && room; i++) {
			uint64_t to;

			if (!twin->page[i])
				continue;
			to = place_above(twin, start + run);
			room = to < PAGES;
			if (!room)
				break;
			twin->page[to] = twin->page[i];
			twin->page[i] = 0;
			twin->moved++;
		}
		if (room) {
			twin->empty_from = start + run;
			return true;
		}
		break;
	}
	twin->empty_from = twin->fill_below = 0;
	return false;
}

/* Free blocks by order, from the pages alone. */
static void
count_blocks(const struct twin *twin, uint64_t blocks[POOL_ORDERS])
{
	memset(blocks, 0, POOL_ORDERS * sizeof(*blocks));
	for (uint64_t i = 0; i < PAGES;) {
		unsigned order = POOL_ORDERS;
		bool all = false;

		while (!all && order--) {
			uint64_t n = UINT64_C(1) << order;

			all = i % n == 0 && i + n <= PAGES;
			for (uint64_t k = i; all && k < i + n; k++)
				all = !twin->page[k];
		}
		blocks[all ? order : 0] += all;
		i += all ? UINT64_C(1) << order : 1;
	}
}

static void
open_world(struct world *world, struct twin *twin, uint64_t *seed)
{
	const struct buddy_config config = { .pages = PAGES, .most = PAGES };
	/* how full, and how much of it cannot move, by 1/256 */
	uint64_t full = random_below(seed, 256);
	uint64_t fixed = random_below(seed, 2) ? random_below(seed, 6) : 0;

	memset(world, 0, sizeof(*world));
	memset(twin, 0, sizeof(*twin));
	assert_int_equal(pool_buddy_open(&world->pool, &config), 0);
	for (uint32_t i = 0; i < PAGES; i++) {
		if (random_below(seed, 256) >= full)
			continue;
		assert_int_equal(world->pool->ops->take_at(world->pool, i, 1),
				 0);
		world->page[i] = 2 * i + 2 +
				 (random_below(seed, 256) * 8 < fixed);
		twin->page[i] = world->page[i];
	}
}

static void
compare(const struct world *world, const struct twin *twin)
{
	uint64_t wanted[POOL_ORDERS], is[POOL_ORDERS];

	assert_memory_equal(world->page, twin->page, sizeof(twin->page));
	assert_int_equal(world->work.moved, twin->moved);
	count_blocks(twin, wanted);
	world->pool->ops->blocks(world->pool, is);
	assert_memory_equal(is, wanted, sizeof(is));
}

static void
test_twin(void **state)
{
	unsigned made = 0, failed = 0;

	(void)state;
	for (uint64_t round = 0; round < 60; round++) {
		uint64_t seed = 1000 + round;
		static struct world world;
		static struct twin twin;
		const struct pool_mover mover = { &world, may, move };

		open_world(&world, &twin, &seed);
		for (unsigned i = 0; i < 14; i++) {
			unsigned order = 2 + (unsigned)random_below(&seed, 8);
			int is = world.pool->ops->compact(world.pool,
							  12 + order, &mover,
							  &world.work);

			assert_int_equal(is, twin_compact(&twin, 1u << order));
			compare(&world, &twin);
			made += is == 1;
			failed += is == 0;
		}
		world.pool->ops->close(world.pool);
	}
	/* The seeds try both. */
	if (made <= 100 || failed <= 40)
		print_message("made %u, failed %u\n", made, failed);
	assert_true(made > 100 && failed > 40);
}

/* Of G groups, all half full, half become free. */
static void
test_half_full(void **state)
{
	const struct buddy_config config = { .pages = PAGES, .most = PAGES };
	static struct world world;
	const struct pool_mover mover = { &world, may, move };
	unsigned made = 0;

	(void)state;
	memset(&world, 0, sizeof(world));
	assert_int_equal(pool_buddy_open(&world.pool, &config), 0);
	for (uint32_t i = 0; i < PAGES; i += 2) {
		assert_int_equal(world.pool->ops->take_at(world.pool, i, 1), 0);
		world.page[i] = 2;
	}
	while (world.pool->ops->compact(world.pool, 21, &mover, &world.work) ==
	       1)
		made++;
	assert_int_equal(made, GROUPS / 2);
	assert_int_equal(world.work.moved, GROUPS / 2 * GROUP / 2);
	world.pool->ops->close(world.pool);
}

/*
 * Memory of 16 groups: every second page of 15 is in use, the last is free.
 * Then a mapping of 8 huge pages is written from end to end.
 */
static struct bench *
fragmented(const char *defrag, const char *other)
{
	const char *const assignments[] = { "pages.policy=thp", defrag, other,
					    NULL };
	const struct frames_config memory = { .size_bytes = 32 * MIB,
					      .order = FRAMES_BUDDY };
	struct bench *bench = bench_open_in(assignments, &memory);

	map(bench, BASE, 30 * MIB, RIGHTS);
	advise(bench, BASE, 30 * MIB, MADV_NOHUGEPAGE);
	sweep(bench, 0, BASE, 30 * MIB, SITE_STORE);
	for (uint64_t page = 1; page < 30 * MIB / PAGE; page += 2)
		advise(bench, BASE + page * PAGE, PAGE, MADV_DONTNEED);
	map(bench, BASE + GIB, 16 * MIB, RIGHTS);
	return bench;
}

static void
expect(struct bench *bench, const char *name, uint64_t wanted)
{
	uint64_t is = (uint64_t)value(bench, name);

	if (is != wanted)
		print_message("%s: %ju, not %ju\n", name, (uintmax_t)is,
			      (uintmax_t)wanted);
	assert_int_equal(is, wanted);
}

/* No two pages have one frame. */
static void
expect_apart(struct bench *bench)
{
	const uint64_t pages = 8192;
	bool *seen = calloc(pages, sizeof(*seen));

	assert_non_null(seen);
	for (uint64_t i = 0; i < 46 * MIB / PAGE; i++) {
		uint64_t at = BASE + i * PAGE;
		struct paging_page page;

		at += i < 30 * MIB / PAGE ? 0 : GIB - 30 * MIB;
		if (!paging_page(bench->paging, 0, at, &page))
			continue;
		at = (page.frame - FRAMES_BASE + (at - page.start)) / PAGE;
		assert_true(at < pages && !seen[at]);
		seen[at] = true;
	}
	free(seen);
}

static void
test_modes(void **state)
{
	/*
	 * stall: the run that is free, then six made by moving 256 pages each,
	 * until less than twice a run is free.  wake: each second one.
	 */
	static const struct {
		const char *mode;
		bool advised;
		uint64_t huge, stalls, wakes, moved;
	} cases[] = {
		{ "pages.defrag=always", false, 7, 6, 0, 6 * 256 },
		{ "pages.defrag=always", true, 7, 6, 0, 6 * 256 },
		{ "pages.defrag=defer", false, 4, 0, 4, 0 },
		{ "pages.defrag=defer", true, 4, 0, 4, 0 },
		{ "pages.defrag=defer+madvise", false, 4, 0, 4, 0 },
		{ "pages.defrag=defer+madvise", true, 7, 6, 0, 6 * 256 },
		{ "pages.defrag=madvise", false, 1, 0, 0, 0 },
		{ "pages.defrag=madvise", true, 7, 6, 0, 6 * 256 },
		{ "pages.defrag=never", false, 1, 0, 0, 0 },
		{ "pages.defrag=never", true, 1, 0, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct bench *bench = fragmented(cases[i].mode, NULL);

		if (cases[i].advised)
			advise(bench, BASE + GIB, 16 * MIB, MADV_HUGEPAGE);
		faults(bench);
		sweep(bench, 0, BASE + GIB, 16 * MIB, SITE_STORE);
		print_message("%s%s\n", cases[i].mode,
			      cases[i].advised ? ", advised" : "");
		assert_int_equal(faults(bench),
				 cases[i].huge + (8 - cases[i].huge) * 512);
		expect(bench, "thp.faults", cases[i].huge);
		expect(bench, "thp.fallback", 8 - cases[i].huge);
		expect(bench, "thp.compact.stalls", cases[i].stalls);
		expect(bench, "thp.compact.success", cases[i].stalls);
		expect(bench, "thp.compact.moved", cases[i].moved);
		expect(bench, "kcompactd.wakes", cases[i].wakes);
		expect(bench, "kcompactd.success",
		       cases[i].wakes ? cases[i].wakes - 1 : 0);
		assert_true(value(bench, "thp.compact.ns") >=
			    (double)cases[i].moved * 1000);
		expect_apart(bench);
		bench_close(bench);
	}
}

/* khugepaged makes later what faults could not, if it may compact. */
static void
test_khugepaged(void **state)
{
	(void)state;
	for (unsigned no = 0; no < 2; no++) {
		struct bench *bench =
			fragmented("pages.defrag=never",
				   no ? "khugepaged.no-defrag=true" : NULL);

		sweep(bench, 0, BASE + GIB, 8 * MIB, SITE_STORE);
		expect(bench, "thp.fallback", 3);
		for (uint64_t s = 1; s < 400; s += 100)
			assert_int_equal(paging_time(bench->paging,
						     s * UINT64_C(1000000000),
						     bench->accesses),
					 0);
		expect(bench, "khugepaged.collapses", no ? 0 : 3);
		expect(bench, "thp.compact.stalls", 0);
		expect_apart(bench);
		bench_close(bench);
	}
}

/* What cannot move stays: shared by fork. */
static void
test_shared_pages_stay(void **state)
{
	struct bench *bench = fragmented("pages.defrag=always", NULL);

	(void)state;
	fork_to(bench, 0, 1);
	sweep(bench, 0, BASE + GIB, 4 * MIB, SITE_STORE);
	expect(bench, "thp.faults", 1);
	expect(bench, "thp.compact.stalls", 1);
	expect(bench, "thp.compact.success", 0);
	expect(bench, "thp.compact.moved", 0);
	bench_close(bench);
}

/* Without fragmentation nothing is compacted, and it is said why. */
static void
test_absent(void **state)
{
	const char *const thp[] = { "pages.policy=thp", NULL };
	struct bench *bench = bench_open(thp, 0);

	(void)state;
	map(bench, BASE, 4 * MIB, RIGHTS);
	sweep(bench, 0, BASE, 4 * MIB, SITE_STORE);
	assert_true(value(bench, "thp.compact.stalls") < 0);
	bench_close(bench);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_twin),
		cmocka_unit_test(test_half_full),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_khugepaged),
		cmocka_unit_test(test_shared_pages_stay),
		cmocka_unit_test(test_absent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
