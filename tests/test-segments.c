// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Segments that are measured side by side against one engine that takes all
 * references in turn: misses, write-backs and blocks of time, to the last.
 */
#include "models/analysis/segments.h"
#include "models/memory/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define REFERENCES 400000u
#define BATCH	   5000u

struct world {
	struct reuse *turn, *all;
	struct blocks turn_blocks, blocks;
	struct segments *segments;
	uint64_t random, access, beside;
	uint32_t page[BATCH], distance[BATCH];
	uint8_t write[BATCH];
	uint64_t time[BATCH];
};

/* Segments come in their order, each reference once. */
static int
in_order(void *context, const struct segment *segment)
{
	struct world *world = context;

	for (uint32_t i = 0; i < segment->n; i++) {
		assert_true(segment->access[i] >= world->beside);
		world->beside = segment->access[i] + 1;
	}
	return 0;
}

static struct world *
world_open(unsigned n, unsigned jobs, const struct segments_remote *remote)
{
	struct world *world = calloc(1, sizeof(*world));
	const struct segments_config config = { .n = n,
						.jobs = jobs,
						.beside = in_order,
						.context = world,
						.remote = remote };

	assert_non_null(world);
	assert_int_equal(reuse_open(&world->turn, true), 0);
	assert_int_equal(reuse_open(&world->all, true), 0);
	assert_int_equal(blocks_init(&world->turn_blocks), 0);
	assert_int_equal(blocks_init(&world->blocks), 0);
	assert_int_equal(segments_open(&world->segments, &config, world->all,
				       &world->blocks),
			 0);
	return world;
}

static void
world_take(struct world *world, uint32_t n)
{
	const struct reclaim_batch batch = { .page = world->page,
					     .write = world->write,
					     .access = world->time,
					     .n = n };

	assert_int_equal(reuse_feed(world->turn, world->page, world->write, n,
				    world->distance),
			 0);
	blocks_add(&world->turn_blocks, world->distance, world->time, n);
	assert_int_equal(segments_feed(world->segments, &batch), 0);
}

static void
world_drop(struct world *world, uint32_t page)
{
	assert_int_equal(reuse_drop(world->turn, page), 0);
	assert_int_equal(segments_drop(world->segments, page), 0);
}

/* Hot pages, a scan and strangers; few writes, so that much is clean long */
static void
draw(struct world *world, uint32_t pages, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		uint64_t kind = random_below(&world->random, 8);

		world->access += 1 + random_below(&world->random, 3);
		world->time[i] = world->access;
		world->write[i] = random_below(&world->random, 40) == 0;
		world->page[i] =
			kind < 4 ? (uint32_t)random_below(&world->random, 50)
			: kind < 6
				? (uint32_t)(world->access / 7 % pages)
				: (uint32_t)random_below(&world->random, pages);
	}
}

static void
world_compare_and_close(struct world *world)
{
	uint32_t peak = reuse_peak(world->turn);
	size_t bytes = (peak + 1) * sizeof(uint64_t);
	uint64_t *misses[2], *writebacks[2];

	assert_int_equal(segments_end(world->segments), 0);
	assert_int_equal(reuse_peak(world->all), peak);
	assert_int_equal(reuse_cold(world->all), reuse_cold(world->turn));
	assert_int_equal(reuse_references(world->all),
			 reuse_references(world->turn));
	for (int i = 0; i < 2; i++) {
		misses[i] = calloc(1, bytes);
		writebacks[i] = calloc(1, bytes);
		reuse_misses(i ? world->all : world->turn, misses[i],
			     writebacks[i]);
	}
	assert_memory_equal(misses[0], misses[1], bytes);
	assert_memory_equal(writebacks[0], writebacks[1], bytes);
	assert_true(writebacks[0][peak / 2] > 0);
	for (int i = 0; i < 2; i++) {
		free(misses[i]);
		free(writebacks[i]);
	}
	assert_int_equal(world->blocks.shift, world->turn_blocks.shift);
	assert_memory_equal(world->blocks.block, world->turn_blocks.block,
			    BLOCKS_MOST * sizeof(struct block));
	segments_close(world->segments);
	reuse_close(world->turn);
	reuse_close(world->all);
	blocks_fini(&world->turn_blocks);
	blocks_fini(&world->blocks);
	free(world);
}

/* drops: one in so many batches gives pages back; 0: none */
static void
compare(unsigned n, unsigned jobs, uint32_t pages, unsigned drops)
{
	struct world *world = world_open(n, jobs, NULL);

	world->random = n * 100 + jobs;
	for (uint32_t done = 0; done < REFERENCES;) {
		uint32_t take =
			1 + (uint32_t)random_below(&world->random, BATCH);

		draw(world, pages, take);
		world_take(world, take);
		done += take;
		if (!drops || random_below(&world->random, drops))
			continue;
		for (uint64_t k = random_below(&world->random, 40); k; k--)
			world_drop(world, (uint32_t)random_below(&world->random,
								 pages));
	}
	world_compare_and_close(world);
}

static void
test_side_by_side(void **state)
{
	(void)state;
	compare(1, 0, 3000, 0);
	compare(1, 1, 3000, 0);
	compare(2, 1, 60000, 0);
	compare(5, 3, 1000, 0);
}

/* Rounds with few references, which are taken in turn, and others */
static void
test_pages_given_back(void **state)
{
	(void)state;
	compare(1, 2, 20000, 30);
	compare(3, 1, 2000, 4);
	compare(2, 1, 20000, 30);
	compare(16, 2, 5000, 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_side_by_side),
		cmocka_unit_test(test_pages_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
