// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reuse distances against memories of each size that are simulated one by one:
 * a list of pages, the latest first, of which the last makes room.
 */
#include "models/analysis/reuse.h"
#include "models/memory/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGES_MOST 512

struct plain {
	uint32_t size, n;
	uint32_t page[PAGES_MOST]; /* the latest first */
	bool dirty[PAGES_MOST];
	uint64_t misses, writebacks;
};

static uint32_t
plain_find(const struct plain *plain, uint32_t page)
{
	uint32_t at = 0;

	while (at < plain->n && plain->page[at] != page)
		at++;
	return at;
}

static void
plain_remove(struct plain *plain, uint32_t at)
{
	plain->n--;
	memmove(plain->page + at, plain->page + at + 1,
		(plain->n - at) * sizeof(*plain->page));
	memmove(plain->dirty + at, plain->dirty + at + 1,
		(plain->n - at) * sizeof(*plain->dirty));
}

static void
plain_take(struct plain *plain, uint32_t page, bool write)
{
	uint32_t at = plain_find(plain, page);
	bool dirty = at < plain->n && plain->dirty[at];

	if (at < plain->n) {
		plain_remove(plain, at);
	} else {
		plain->misses++;
		if (!plain->size)
			return;
		if (plain->n == plain->size) {
			plain->writebacks += plain->dirty[plain->n - 1];
			plain->n--;
		}
	}
	memmove(plain->page + 1, plain->page, plain->n * sizeof(*plain->page));
	memmove(plain->dirty + 1, plain->dirty,
		plain->n * sizeof(*plain->dirty));
	plain->page[0] = page;
	plain->dirty[0] = dirty || write;
	plain->n++;
}

static void
plain_drop(struct plain *plain, uint32_t page)
{
	uint32_t at = plain_find(plain, page);

	if (at < plain->n)
		plain_remove(plain, at);
}

struct world {
	struct reuse *reuse;
	struct plain *plain; /* [pages + 1] */
	uint32_t pages;
	uint64_t random;
};

static void
world_open(struct world *world, uint32_t pages, uint64_t seed)
{
	*world = (struct world){ .pages = pages, .random = seed };
	assert_true(pages <= PAGES_MOST);
	assert_int_equal(reuse_open(&world->reuse, true), 0);
	world->plain = calloc(pages + 1, sizeof(*world->plain));
	assert_non_null(world->plain);
	for (uint32_t size = 0; size <= pages; size++)
		world->plain[size].size = size;
}

static void
world_take(struct world *world, const uint32_t *page, const uint8_t *write,
	   uint32_t n)
{
	assert_int_equal(reuse_feed(world->reuse, page, write, n, NULL), 0);
	for (uint32_t size = 0; size <= world->pages; size++)
		for (uint32_t i = 0; i < n; i++)
			plain_take(&world->plain[size], page[i],
				   write && write[i]);
}

static void
world_drop(struct world *world, uint32_t page)
{
	assert_int_equal(reuse_drop(world->reuse, page), 0);
	for (uint32_t size = 0; size <= world->pages; size++)
		plain_drop(&world->plain[size], page);
}

static void
world_check_and_close(struct world *world)
{
	uint32_t peak = reuse_peak(world->reuse);
	uint64_t *misses = calloc(peak + 1, sizeof(*misses));
	uint64_t *writebacks = calloc(peak + 1, sizeof(*writebacks));

	assert_true(peak <= world->pages);
	reuse_misses(world->reuse, misses, writebacks);
	for (uint32_t size = 0; size <= world->pages; size++) {
		const struct plain *plain = &world->plain[size];

		assert_int_equal(misses[size < peak ? size : peak],
				 plain->misses);
		if (size && size <= peak)
			assert_int_equal(writebacks[size], plain->writebacks);
	}
	assert_int_equal(misses[peak], reuse_cold(world->reuse));
	free(misses);
	free(writebacks);
	free(world->plain);
	reuse_close(world->reuse);
}

/* Hot pages, far ones, and a scan now and then */
static uint32_t
draw(struct world *world)
{
	uint64_t kind = random_below(&world->random, 10);

	if (kind < 5)
		return (uint32_t)random_below(&world->random, 5) % world->pages;
	return (uint32_t)random_below(&world->random, world->pages);
}

static void
test_sizes_one_by_one(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct world world;
		uint32_t page[3000];
		uint8_t write[3000];

		world_open(&world, 20 + 30 * (uint32_t)seed, seed);
		for (int round = 0; round < 3; round++) {
			uint32_t n =
				1 + (uint32_t)random_below(&world.random, 3000);

			for (uint32_t i = 0; i < n; i++) {
				page[i] = draw(&world);
				write[i] = random_below(&world.random, 3) == 0;
			}
			world_take(&world, page, round == 1 ? NULL : write, n);
		}
		world_check_and_close(&world);
	}
}

/* Pages are given back now and then, some of them twice or never seen */
static void
test_pages_given_back(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 8; seed++) {
		struct world world;
		uint32_t page[40];
		uint8_t write[40];

		world_open(&world, 10 + 10 * (uint32_t)seed, seed);
		for (int round = 0; round < 300; round++) {
			uint32_t n =
				1 + (uint32_t)random_below(&world.random, 40);

			for (uint32_t i = 0; i < n; i++) {
				page[i] = draw(&world);
				write[i] = random_below(&world.random, 3) == 0;
			}
			world_take(&world, page, write, n);
			for (uint64_t drops = random_below(&world.random, 6);
			     drops; drops--)
				world_drop(&world, draw(&world));
		}
		world_check_and_close(&world);
	}
}

/* So long that slots run out many times, at sizes that grow */
static void
test_distances_of_a_cycle(void **state)
{
	static const uint32_t lengths[] = { 1, 2, 64, 255, 257, 5000, 70000 };
	uint32_t *page = calloc(70000, sizeof(*page));
	uint32_t *distance = calloc(70000, sizeof(*distance));
	struct reuse *reuse;
	uint64_t expected = 0;

	(void)state;
	assert_int_equal(reuse_open(&reuse, false), 0);
	for (size_t k = 0; k < ARRAY_SIZE(lengths); k++) {
		uint32_t n = lengths[k];

		for (uint32_t i = 0; i < n; i++)
			page[i] = i;
		for (int round = 0; round < 6; round++) {
			assert_int_equal(reuse_feed(reuse, page, NULL, n,
						    distance),
					 0);
			/* the first round goes up the stack of the one before */
			for (uint32_t i = 0; round && i < n; i++)
				assert_int_equal(distance[i], n);
			expected += n;
		}
	}
	assert_int_equal(reuse_references(reuse), expected);
	assert_int_equal(reuse_cold(reuse), 70000);
	assert_int_equal(reuse_peak(reuse), 70000);
	reuse_close(reuse);
	free(page);
	free(distance);
}

/* Independent uniform references to N pages: C of them hit with C / N */
static void
test_uniform_references(void **state)
{
	enum {
		PAGES = 1000,
		REFERENCES = 1000000
	};
	uint32_t *page = calloc(REFERENCES, sizeof(*page));
	uint64_t misses[PAGES + 1], random = 7;
	struct reuse *reuse;

	(void)state;
	for (uint32_t i = 0; i < REFERENCES; i++)
		page[i] = (uint32_t)random_below(&random, PAGES);
	assert_int_equal(reuse_open(&reuse, false), 0);
	assert_int_equal(reuse_feed(reuse, page, NULL, REFERENCES, NULL), 0);
	assert_int_equal(reuse_peak(reuse), PAGES);
	reuse_misses(reuse, misses, NULL);
	for (uint32_t size = 1; size < PAGES; size++) {
		double ratio = (double)misses[size] / REFERENCES;
		double wanted = 1 - (double)size / PAGES;

		/* 5 sigma, and the start in which memory fills */
		assert_true(ratio > wanted - 0.003 && ratio < wanted + 0.005);
		assert_true(misses[size] <= misses[size - 1]);
	}
	reuse_close(reuse);
	free(page);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes_one_by_one),
		cmocka_unit_test(test_pages_given_back),
		cmocka_unit_test(test_distances_of_a_cycle),
		cmocka_unit_test(test_uniform_references),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
