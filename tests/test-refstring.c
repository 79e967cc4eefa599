// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A kept string is played as it was told, in memory and in a file; and LRU
 * simulated over it at each size is what one pass counts.
 */
#include "models/analysis/refstring.h"
#include "models/analysis/reuse.h"
#include "models/analysis/simulate.h"
#include "models/memory/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGES 300u

/* What was told: references, and in between what changed (bytes 0: dropped) */
struct told {
	uint32_t page, bytes;
	uint64_t time;
	bool change, write;
};

struct script {
	struct told *told;
	size_t n, at;
	uint64_t position;
	bool times, next;
};

static void
script_make(struct script *script, size_t n, uint64_t seed, bool sizes)
{
	uint64_t random = seed, time = 0;

	script->told = calloc(n, sizeof(*script->told));
	assert_non_null(script->told);
	script->n = n;
	for (size_t i = 0; i < n; i++) {
		struct told *told = &script->told[i];

		told->page = (uint32_t)random_below(&random, PAGES);
		told->change = random_below(&random, 50) == 0;
		told->write = random_below(&random, 4) == 0;
		told->time = time += random_below(&random, 1000);
		if (told->change && sizes)
			told->bytes = 1 + (uint32_t)random_below(&random, 5000);
	}
}

static void
script_tell(const struct script *script, struct refstring *string)
{
	for (size_t i = 0; i < script->n; i++) {
		const struct told *told = &script->told[i];
		const uint8_t write = told->write;
		const struct reclaim_batch batch = { .page = &told->page,
						     .write = &write,
						     .time = &told->time,
						     .n = 1 };
		int error;

		if (!told->change)
			error = refstring_add(string, &batch);
		else if (told->bytes)
			error = refstring_size(string, told->page, told->bytes);
		else
			error = refstring_drop(string, told->page);
		assert_int_equal(error, 0);
	}
}

/* The next reference to the same page after this one; the position */
static uint64_t
next_of(const struct script *script, size_t at, uint64_t position)
{
	for (size_t i = at + 1; i < script->n; i++) {
		if (script->told[i].change)
			continue;
		position++;
		if (script->told[i].page == script->told[at].page)
			return position;
	}
	return RECLAIM_NEVER;
}

static int
hear_feed(void *context, const struct reclaim_batch *batch)
{
	struct script *script = context;

	assert_int_equal(batch->position, script->position);
	for (uint32_t i = 0; i < batch->n; i++) {
		const struct told *told = &script->told[script->at];

		assert_false(told->change);
		assert_int_equal(batch->page[i], told->page);
		assert_int_equal(batch->write[i], told->write);
		if (script->times)
			assert_int_equal(batch->time[i], told->time);
		if (script->next && script->at % 97 == 0)
			assert_int_equal(batch->next[i],
					 next_of(script, script->at,
						 script->position));
		script->at++;
		script->position++;
	}
	return 0;
}

static void
hear_drop(void *context, uint32_t page)
{
	struct script *script = context;
	const struct told *told = &script->told[script->at++];

	assert_true(told->change && !told->bytes);
	assert_int_equal(told->page, page);
}

static void
hear_size(void *context, uint32_t page, uint32_t bytes)
{
	struct script *script = context;
	const struct told *told = &script->told[script->at++];

	assert_true(told->change);
	assert_int_equal(told->page, page);
	assert_int_equal(told->bytes, bytes);
}

static void
play(const struct refstring_config *config, size_t n, bool sizes)
{
	struct script script = { .times = config->times, .next = true };
	const struct refstring_listener listener = { &script, hear_feed,
						     hear_drop, hear_size };
	struct refstring *string;

	script_make(&script, n, n, sizes);
	assert_int_equal(refstring_open(&string, config), 0);
	script_tell(&script, string);
	assert_int_equal(refstring_find_next(string), 0);
	for (int twice = 0; twice < 2; twice++) {
		script.at = 0;
		script.position = 0;
		assert_int_equal(refstring_play(string, &listener), 0);
		assert_int_equal(script.position, refstring_references(string));
	}
	refstring_close(string);
	free(script.told);
}

static void
test_played_as_told(void **state)
{
	(void)state;
	play(&(struct refstring_config){ .times = true }, 20000, false);
	play(&(struct refstring_config){ 0 }, 20000, true);
	play(&(struct refstring_config){ 0 }, 1, false);
	/* three chunks, of which the last two are in a file */
	play(&(struct refstring_config){ .times = true, .memory_bytes = 1 },
	     2500000, true);
}

static void
test_lru_simulated(void **state)
{
	struct refstring *string;
	struct reuse *reuse;
	struct script script = { 0 };
	struct simulation simulation[PAGES] = { 0 };
	uint64_t misses[PAGES + 1], writebacks[PAGES + 1];

	(void)state;
	script_make(&script, 30000, 5, false);
	assert_int_equal(refstring_open(&string,
					&(struct refstring_config){ 0 }),
			 0);
	script_tell(&script, string);
	assert_int_equal(reuse_open(&reuse, true), 0);
	for (size_t i = 0; i < script.n; i++) {
		const struct told *told = &script.told[i];
		const uint8_t write = told->write;

		assert_int_equal(told->change ? reuse_drop(reuse, told->page)
					      : reuse_feed(reuse, &told->page,
							   &write, 1, NULL),
				 0);
	}
	assert_true(reuse_peak(reuse) <= PAGES);
	reuse_misses(reuse, misses, writebacks);
	for (uint32_t i = 0; i < reuse_peak(reuse); i++) {
		simulation[i].config.policy = reclaim_find("lru");
		simulation[i].config.capacity = i + 1;
	}
	for (unsigned jobs = 0; jobs < 3; jobs++) {
		struct simulate simulate = { .string = string,
					     .simulation = simulation,
					     .n = reuse_peak(reuse),
					     .jobs = jobs };

		assert_int_equal(simulate_run(&simulate), 0);
		for (uint32_t i = 0; i < simulate.n; i++) {
			assert_int_equal(simulation[i].counts.misses,
					 misses[i + 1]);
			assert_int_equal(simulation[i].counts.writebacks,
					 writebacks[i + 1]);
		}
	}
	refstring_close(string);
	reuse_close(reuse);
	free(script.told);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_played_as_told),
		cmocka_unit_test(test_lru_simulated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
