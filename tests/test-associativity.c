// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All shapes in one pass against one plain TLB each: entries with the time of
 * their last use, of which the first that is empty, or the oldest, makes room.
 */
#include "models/analysis/associativity.h"
#include "models/memory/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SHIFT	   12u
#define SETS_SHIFT 5u
#define WAYS	   19u /* no whole vectors */

struct entry {
	uint64_t page, used;
	uint32_t space;
	bool valid;
};

struct plain {
	unsigned sets, ways;
	struct entry entry[1u << SETS_SHIFT][WAYS];
	uint64_t misses, now;
};

static void
plain_take(struct plain *plain, uint32_t space, uint64_t page)
{
	struct entry *set = plain->entry[page % plain->sets], *victim = set;

	plain->now++;
	for (unsigned i = 0; i < plain->ways; i++) {
		struct entry *entry = &set[i];

		if (entry->valid && entry->page == page &&
		    entry->space == space) {
			entry->used = plain->now;
			return;
		}
		if (victim->valid &&
		    (!entry->valid || entry->used < victim->used))
			victim = entry;
	}
	plain->misses++;
	*victim = (struct entry){ page, plain->now, space, true };
}

static void
plain_unmap(struct plain *plain, uint32_t space, uint64_t first, uint64_t last)
{
	for (unsigned s = 0; s < plain->sets; s++)
		for (unsigned i = 0; i < plain->ways; i++) {
			struct entry *entry = &plain->entry[s][i];

			if (entry->space == space && entry->page >= first &&
			    entry->page <= last)
				entry->valid = false;
		}
}

struct world {
	struct stream *stream;
	struct model *model;
	struct batch batch;
	struct plain *plain; /* [SETS_SHIFT + 1][WAYS] */
	uint32_t load, store, wide;
	uint64_t random;
};

static void
world_open(struct world *world, uint64_t seed)
{
	const struct associativity_config config = { SHIFT, SETS_SHIFT, WAYS,
						     true };
	const struct site load = { 0x1000, 8, 0, SITE_LOAD, 0 };
	const struct site store = { 0x1008, 4, 0, SITE_STORE, 0 };
	const struct site wide = { 0x1010, 3 << SHIFT, 0, SITE_LOAD, 0 };

	*world = (struct world){ .random = seed };
	assert_int_equal(stream_open(&world->stream), 0);
	assert_true(stream_site_add(world->stream, &load, &world->load) >= 0);
	assert_true(stream_site_add(world->stream, &store, &world->store) >= 0);
	assert_true(stream_site_add(world->stream, &wide, &world->wide) >= 0);
	assert_int_equal(associativity_open(&world->model, &config,
					    world->stream),
			 0);
	assert_int_equal(batch_init(&world->batch), 0);
	world->plain = calloc((SETS_SHIFT + 1) * WAYS, sizeof(*world->plain));
	assert_non_null(world->plain);
	for (unsigned k = 0; k <= SETS_SHIFT; k++)
		for (unsigned w = 0; w < WAYS; w++) {
			world->plain[k * WAYS + w].sets = 1u << k;
			world->plain[k * WAYS + w].ways = w + 1;
		}
}

static void
world_take(struct world *world, uint64_t address, uint32_t site,
	   uint64_t last_byte)
{
	batch_access(&world->batch, address, site);
	for (uint64_t page = address >> SHIFT; page <= last_byte >> SHIFT;
	     page++)
		for (unsigned i = 0; i < (SETS_SHIFT + 1) * WAYS; i++)
			plain_take(&world->plain[i], world->batch.space, page);
}

static void
world_unmap(struct world *world, enum event_type type, uint64_t first,
	    uint64_t pages)
{
	struct event *event = batch_event(&world->batch, type);

	event->address = first << SHIFT;
	event->length = pages << SHIFT;
	for (unsigned i = 0; i < (SETS_SHIFT + 1) * WAYS; i++)
		plain_unmap(&world->plain[i], world->batch.space, first,
			    first + pages - 1);
}

static uint64_t
draw(struct world *world, uint64_t below)
{
	return random_below(&world->random, below);
}

static void
one_batch(struct world *world, bool unmaps)
{
	uint64_t hot = draw(world, 100);
	unsigned n = 1 + (unsigned)draw(world, 3000);

	batch_reset(&world->batch);
	world->batch.space = (uint32_t)draw(world, 2);
	for (unsigned i = 0; i < n; i++) {
		uint64_t page = draw(world, 3) ? hot + draw(world, 12)
					       : draw(world, 700);
		uint64_t address = (page << SHIFT) + draw(world, 4000);

		if (draw(world, 50) == 0)
			world_take(world, address, world->wide,
				   address + (3 << SHIFT) - 1);
		else if (draw(world, 3) == 0)
			world_take(world, address, world->store, address + 3);
		else
			world_take(world, address, world->load, address + 7);
		if (unmaps && draw(world, 60) == 0)
			world_unmap(world,
				    draw(world, 2) ? EVENT_UNMAP : EVENT_MAP,
				    draw(world, 700), 1 + draw(world, 30));
	}
	if (unmaps) /* more than there is */
		world_unmap(world, EVENT_UNMAP, 600, 1 << 20);
	assert_int_equal(world->model->methods->feed(world->model,
						     &world->batch),
			 0);
}

static void
world_check_and_close(struct world *world)
{
	uint64_t before = UINT64_MAX;

	for (unsigned k = 0; k <= SETS_SHIFT; k++)
		for (unsigned w = 1; w <= WAYS; w++) {
			const struct plain *plain =
				&world->plain[k * WAYS + w - 1];
			uint64_t misses =
				associativity_misses(world->model, k, w);

			assert_int_equal(misses, plain->misses);
			if (w > 1)
				assert_true(misses <= before);
			before = misses;
		}
	model_close(world->model);
	stream_close(world->stream);
	batch_fini(&world->batch);
	free(world->plain);
}

static void
test_plain_twins(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 6; seed++) {
		struct world world;

		world_open(&world, seed);
		for (unsigned i = 0; i < 8; i++)
			one_batch(&world, seed > 3);
		world_check_and_close(&world);
	}
}

/* n pages in turn: all miss in fewer entries, none in as many, whatever the
 * shape */
static void
test_cycle(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 1);
	for (unsigned round = 0; round < 5; round++) {
		batch_reset(&world.batch);
		for (uint64_t page = 0; page < 64; page++)
			batch_access(&world.batch, page << SHIFT, world.load);
		assert_int_equal(world.model->methods->feed(world.model,
							    &world.batch),
				 0);
	}
	for (unsigned k = 0; k <= SETS_SHIFT; k++)
		for (unsigned w = 1; w <= WAYS; w++)
			assert_int_equal(associativity_misses(world.model, k,
							      w),
					 (w << k) < 64 ? 320 : 64);
	assert_int_equal(associativity_references(world.model), 320);
	model_close(world.model);
	stream_close(world.stream);
	batch_fini(&world.batch);
	free(world.plain);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_twins),
		cmocka_unit_test(test_cycle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
