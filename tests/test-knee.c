// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Knees of curves whose form is known, and intervals that hold what they say:
 * the truth of most of many runs drawn from one source.
 */
#include "models/analysis/knee.h"
#include "models/analysis/reuse.h"
#include "models/memory/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define PAGES 2000u

static void
test_forms(void **state)
{
	uint64_t misses[PAGES + 1];

	(void)state;
	/* a cycle: all or nothing */
	for (uint32_t i = 0; i <= PAGES; i++)
		misses[i] = i < PAGES ? 1000000 : PAGES;
	assert_int_equal(knee_find(misses, PAGES, 1000000), 0);
	/* each page as good as any other */
	for (uint32_t i = 0; i <= PAGES; i++)
		misses[i] = 1000000 - (uint64_t)i * (1000000 - PAGES) / PAGES;
	assert_int_equal(knee_find(misses, PAGES, 1000000), 0);
	/* a hot set of 300, the others now and then */
	for (uint32_t i = 0; i <= PAGES; i++)
		misses[i] = i < 300 ? 1000000
				    : 5000 - (uint64_t)(i - 300) *
						      (5000 - PAGES) /
						      (PAGES - 300);
	assert_int_equal(knee_find(misses, PAGES, 1000000), 300);
	/* no page at all, and one */
	misses[0] = 0;
	assert_int_equal(knee_find(misses, 0, 0), 0);
	misses[0] = 100;
	misses[1] = 1;
	assert_int_equal(knee_find(misses, 1, 100), 0);
}

struct run {
	struct reuse *reuse;
	struct blocks blocks;
	struct knee_band band;
	uint64_t misses[PAGES + 1];
	uint32_t peak;
};

/*
 * 300 hot pages, and others that phases of 1,000 accesses touch: in some
 * phases many, in others few.
 */
static void
run_draw(struct run *run, uint64_t seed, uint32_t length)
{
	uint32_t *page = calloc(length, sizeof(*page));
	uint32_t *distance = calloc(length, sizeof(*distance));
	uint64_t *time = calloc(length, sizeof(*time));
	uint64_t random = seed, share = 0;
	struct knee_run knee_run;

	assert_true(page && distance && time);
	for (uint32_t i = 0; i < length; i++) {
		if (i % 1000 == 0)
			share = random_below(&random, 4) ? 5 : 100;
		page[i] = (uint32_t)(random_below(&random, 1000) < share
					     ? 300 + random_below(&random, 1700)
					     : random_below(&random, 300));
		time[i] = i;
	}
	assert_int_equal(reuse_open(&run->reuse, false), 0);
	assert_int_equal(blocks_init(&run->blocks), 0);
	assert_int_equal(reuse_feed(run->reuse, page, NULL, length, distance),
			 0);
	blocks_add(&run->blocks, distance, time, length);
	run->peak = reuse_peak(run->reuse);
	assert_true(run->peak <= PAGES);
	reuse_misses(run->reuse, run->misses, NULL);
	knee_run =
		(struct knee_run){ length, reuse_cold(run->reuse), run->peak };
	assert_int_equal(knee_band(&run->band, &run->blocks, &knee_run, seed),
			 0);
	free(page);
	free(distance);
	free(time);
}

static void
run_end(struct run *run)
{
	reuse_close(run->reuse);
	blocks_fini(&run->blocks);
}

/* Blocks hold what the whole holds. */
static void
test_blocks_add_up(void **state)
{
	struct run run;
	uint64_t left;

	(void)state;
	run_draw(&run, 3, 123456);
	left = 123456;
	for (unsigned bin = 0; octaves_end(bin) < run.peak; bin++) {
		for (unsigned i = 0; i < blocks_number(&run.blocks, 123456);
		     i++)
			left -= run.blocks.block[i].count[bin];
		assert_int_equal(left, run.misses[octaves_end(bin)]);
	}
	run_end(&run);
}

/* 90 % intervals of 60 runs hold the mean of all in 43 to 60 of them */
static void
test_intervals_hold_the_truth(void **state)
{
	enum {
		RUNS = 60,
		LENGTH = 400000
	};
	unsigned bin = octaves_bin(640), held = 0;
	uint32_t size = (uint32_t)octaves_end(bin);
	struct run *run = calloc(RUNS, sizeof(*run));
	double mean = 0;

	(void)state;
	assert_non_null(run);
	for (unsigned i = 0; i < RUNS; i++) {
		run_draw(&run[i], i + 1, LENGTH);
		mean += (double)run[i].misses[size] / RUNS;
		assert_true(run[i].band.known);
		assert_true(run[i].band.knee_low <= run[i].band.knee_high);
	}
	for (unsigned i = 0; i < RUNS; i++) {
		assert_true(run[i].band.low[bin] <= run[i].band.high[bin]);
		held += run[i].band.low[bin] <= mean &&
			mean <= run[i].band.high[bin];
	}
	if (held < 43)
		fail_msg("%u of %d intervals hold the mean", held, RUNS);
	/* the seed of the intervals decides, and nothing else */
	for (unsigned i = 0; i < RUNS; i++)
		run_end(&run[i]);
	run_draw(&run[0], 5, LENGTH);
	run_draw(&run[1], 5, LENGTH);
	assert_memory_equal(&run[0].band, &run[1].band, sizeof(run[0].band));
	run_end(&run[0]);
	run_end(&run[1]);
	free(run);
}

static void
test_too_short(void **state)
{
	struct run run;

	(void)state;
	run_draw(&run, 1, 5);
	assert_false(run.band.known);
	run_end(&run);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_blocks_add_up),
		cmocka_unit_test(test_intervals_hold_the_truth),
		cmocka_unit_test(test_too_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
