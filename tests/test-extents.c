// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pieces of a space against a plain array, byte by byte; call paths and data
 * objects by hand.
 */
#include "models/analysis/extents.h"
#include "models/analysis/objects.h"
#include "models/analysis/paths.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define SPACE  512u
#define ROUNDS 20000
#define STACK  UINT64_C(0x7f0000000000)

struct plain {
	uint32_t number[SPACE]; /* 0: none */
	uint64_t offset[SPACE];
};

static uint64_t
next_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return *state >> 33;
}

static void
compare(const struct extents *extents, const struct plain *plain)
{
	for (uint64_t i = 0; i < SPACE; i++) {
		const struct extent *found = extents_find(extents, i);

		assert_int_equal(found ? found->number : 0, plain->number[i]);
		if (found)
			assert_int_equal(found->offset + (i - found->start),
					 plain->offset[i]);
	}
}

static void
same_as_plain(void **state)
{
	struct extents extents = { NULL, 0, 0, 0, 0 }, copy = extents;
	struct plain plain = { 0 };
	uint64_t seed = 7;

	(void)state;
	for (unsigned round = 1; round < ROUNDS; round++) {
		uint64_t start = next_random(&seed) % SPACE;
		uint64_t bytes = 1 + next_random(&seed) % 40;
		uint64_t end = start + bytes < SPACE ? start + bytes : SPACE;
		bool put = next_random(&seed) % 3;
		const struct extent extent = { start, end, 1000 * round,
					       round };

		assert_int_equal(put ? extents_put(&extents, &extent)
				     : extents_remove(&extents, start, end),
				 0);
		for (uint64_t i = start; i < end; i++) {
			plain.number[i] = put ? round : 0;
			plain.offset[i] = 1000 * round + (i - start);
		}
		if (round % 50 == 0)
			compare(&extents, &plain);
	}
	assert_int_equal(extents_copy(&copy, &extents), 0);
	extents_fini(&extents);
	compare(&copy, &plain);
	extents_fini(&copy);
}

static void
calls_and_returns(void **state)
{
	struct paths *paths;
	uint32_t outer, inner;

	(void)state;
	assert_int_equal(paths_open(&paths), 0);
	assert_int_equal(paths_now(paths, 3), 0);
	assert_int_equal(paths_call(paths, 3, 0x1000, 10), 0);
	outer = paths_now(paths, 3);
	assert_int_equal(paths_call(paths, 3, 0x0f00, 11), 0);
	inner = paths_now(paths, 3);
	assert_int_equal(paths_get(paths, inner)->parent, outer);
	assert_int_equal(paths_get(paths, inner)->site, 11);
	assert_int_equal(paths_return(paths, 3, 0x0f00), 0);
	assert_int_equal(paths_now(paths, 3), outer);
	/* the same call is the same path; another one is not */
	assert_int_equal(paths_call(paths, 3, 0x0f00, 11), 0);
	assert_int_equal(paths_now(paths, 3), inner);
	assert_int_equal(paths_call(paths, 3, 0x0f00, 12), 0);
	assert_int_not_equal(paths_now(paths, 3), inner);
	/* longjmp over three frames, then a call */
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(paths_call(paths, 3, 0x0e00 - 64 * i, 20 + i),
				 0);
	assert_int_equal(paths_call(paths, 3, 0x0f00, 11), 0);
	assert_int_equal(paths_now(paths, 3), inner);
	/* another thread has frames of its own, but for a forked one */
	assert_int_equal(paths_fork(paths, 3, 9), 0);
	assert_int_equal(paths_begin(paths, 4, 8), 0);
	assert_int_equal(paths_now(paths, 4), 0);
	assert_int_equal(paths_begin(paths, 5, 9), 0);
	assert_int_equal(paths_now(paths, 5), inner);
	assert_int_equal(paths_return(paths, 5, 0x0f00), 0);
	assert_int_equal(paths_now(paths, 5), outer);
	assert_int_equal(paths_now(paths, 3), inner);
	assert_int_equal(paths_return(paths, 3, 0x1000), 0);
	assert_int_equal(paths_now(paths, 3), 0);
	paths_close(paths);
}

/* Deeper than is kept, and more paths than the first tables hold */
static void
many_calls(void **state)
{
	struct paths *paths;
	uint32_t deepest;

	(void)state;
	assert_int_equal(paths_open(&paths), 0);
	for (uint32_t i = 0; i < 3 * PATH_FRAMES_MAX; i++)
		assert_int_equal(paths_call(paths, 0, 0x1000000 - 16 * i, i),
				 0);
	deepest = paths_now(paths, 0);
	assert_int_equal(paths_get(paths, deepest)->site, PATH_FRAMES_MAX - 1);
	assert_int_equal(paths_return(paths, 0, 0x1000000), 0);
	assert_int_equal(paths_now(paths, 0), 0);
	for (uint32_t i = 0; i < 5000; i++)
		assert_int_equal(paths_call(paths, 0, 0x1000, 7 * i), 0);
	for (uint32_t i = 0; i < 5000; i++) {
		assert_int_equal(paths_call(paths, 0, 0x1000, 7 * i), 0);
		assert_int_equal(paths_get(paths, paths_now(paths, 0))->site,
				 7 * i);
	}
	paths_close(paths);
}

static struct event
map_event(uint64_t address, uint64_t length, uint16_t flags)
{
	return (struct event){ .type = EVENT_MAP,
			       .flags = flags,
			       .file = UINT32_MAX,
			       .address = address,
			       .length = length };
}

static unsigned
kind_at(struct objects *objects, uint32_t space, uint64_t address)
{
	return objects_get(objects, objects_at(objects, space, address))->kind;
}

/* A stack, what is moved, what is gone */
static void
mapped_objects(struct objects *objects)
{
	struct event event;
	uint32_t number;

	assert_int_equal(objects_stack(objects, 0, 0x51000, 5), 0);
	number = objects_at(objects, 0, 0x50000);
	assert_int_equal(objects_get(objects, number)->kind, OBJECT_STACK);
	assert_int_equal(objects_get(objects, number)->thread, 5);
	event = (struct event){ .type = EVENT_REMAP,
				.address = 0x50000,
				.length = 0x2000,
				.value = 0x90000,
				.extra = 0x4000 };
	assert_int_equal(objects_event(objects, 0, &event), 0);
	assert_int_equal(objects_at(objects, 0, 0x93fff), number);
	assert_int_equal(kind_at(objects, 0, 0x50000), OBJECT_NOTHING);
	event = (struct event){ .type = EVENT_UNMAP,
				.address = 0x91000,
				.length = 0x1000 };
	assert_int_equal(objects_event(objects, 0, &event), 0);
	assert_int_equal(kind_at(objects, 0, 0x91000), OBJECT_NOTHING);
	assert_int_equal(objects_at(objects, 0, 0x92000), number);
}

static void
data_objects(void **state)
{
	const struct object_symbols none = { NULL, NULL };
	struct allocation block = { .address = 0x20100,
				    .bytes = 0x80,
				    .caller = 0x1234 };
	struct objects *objects;
	struct stream *stream;
	struct space space = { .pid = 1, .parent = SPACE_NONE };
	struct event event;
	uint32_t number, allocated;

	(void)state;
	assert_int_equal(stream_open(&stream), 0);
	assert_int_equal(stream_space_add(stream, &space, &number), 0);
	assert_int_equal(stream_space_add(stream, &space, &number), 0);
	assert_int_equal(objects_open(&objects, stream, &none), 0);
	assert_int_equal(kind_at(objects, 0, 0x20000), OBJECT_NOTHING);
	event = map_event(0x20000, 0x10000, MAP_FLAG_HEAP);
	assert_int_equal(objects_event(objects, 0, &event), 0);
	event = map_event(STACK, 0x10000, MAP_FLAG_STACK);
	assert_int_equal(objects_event(objects, 0, &event), 0);
	event = map_event(0x50000, 0x2000, MAP_FLAG_READ);
	assert_int_equal(objects_event(objects, 0, &event), 0);
	assert_int_equal(kind_at(objects, 0, 0x20000), OBJECT_HEAP);
	assert_int_equal(kind_at(objects, 0, 0x50fff), OBJECT_MMAP);
	assert_int_equal(kind_at(objects, 0, 0x52000), OBJECT_NOTHING);
	/* the first stack grows down */
	assert_int_equal(kind_at(objects, 0, STACK - 0x1000), OBJECT_STACK);
	/* an allocation wins, to its very ends, until it is freed */
	assert_int_equal(objects_allocate(objects, 0, &block), 0);
	allocated = objects_at(objects, 0, 0x2017f);
	assert_int_equal(objects_get(objects, allocated)->kind,
			 OBJECT_ALLOCATED);
	assert_int_equal(objects_get(objects, allocated)->offset, 0x1234);
	assert_int_equal(objects_at(objects, 0, 0x20100), allocated);
	assert_int_equal(kind_at(objects, 0, 0x200ff), OBJECT_HEAP);
	assert_int_equal(kind_at(objects, 0, 0x20180), OBJECT_HEAP);
	/* fork copies, and what comes after is each one's own */
	event = (struct event){ .type = EVENT_FORK, .value = 1 };
	assert_int_equal(objects_event(objects, 0, &event), 0);
	assert_int_equal(objects_free(objects, 0, 0x20100), 0);
	assert_int_equal(kind_at(objects, 0, 0x20100), OBJECT_HEAP);
	assert_int_equal(objects_at(objects, 1, 0x20100), allocated);
	mapped_objects(objects);
	/* the same call site is the same object */
	block.address = 0x21000;
	assert_int_equal(objects_allocate(objects, 0, &block), 0);
	assert_int_equal(objects_at(objects, 0, 0x21000), allocated);
	assert_int_equal(objects_get(objects, allocated)->times, 2);
	objects_close(objects);
	stream_close(stream);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_as_plain),
		cmocka_unit_test(calls_and_returns),
		cmocka_unit_test(many_calls),
		cmocka_unit_test(data_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
