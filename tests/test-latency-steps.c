// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Steps of made-up latency curves, whose levels are known: with noise from a
 * seed, where levels replace at random (so that the rise is slow), and where
 * there is none or too much noise to tell.  And what becomes of a runtime, by
 * hand.
 */
#include "analyzer/calibration.h"
#include "models/memory/random.h"
#include "reports/runtime-change.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define OCTAVE 6
#define SEEDS  40

struct level {
	double size, latency; /* up to this size; the last: 0, beyond all */
};

struct made {
	const struct level *level;
	double from, to; /* sizes */
	double noise;	 /* up to so much slower, as what disturbs does */
	bool random;	 /* levels replace at random */
};

/* Misses of a cycle through n lines that a cache of c lines, which replaces at
 * random, has: m = 1 - exp(-m * ...) as its fixed point */
static double
missed(double size, double capacity, bool random)
{
	double miss = 1;

	if (size <= capacity)
		return 0;
	if (!random)
		return 1;
	/* A line survives n * m replacements of c, each taking it by 1/c. */
	for (int i = 0; i < 100; i++)
		miss = 1 - exp(-miss * size / capacity);
	return miss;
}

static size_t
make(const struct made *made, uint64_t seed, struct latency_point *point)
{
	size_t n = (size_t)(log2(made->to / made->from) * OCTAVE) + 1;

	for (size_t i = 0; i < n; i++) {
		double size = made->from * exp2((double)i / OCTAVE);
		const struct level *level = made->level;
		double latency = level->latency;
		double draw = (double)(random_next(&seed) >> 11) * 0x1p-53;

		for (; level->size > 0; level++)
			latency += missed(size, level->size, made->random) *
				   (level[1].latency - level[0].latency);
		point[i] = (struct latency_point){
			size, latency * (1 + made->noise * draw * draw),
			made->noise / 4
		};
	}
	return n;
}

static void
check(const struct made *made, size_t levels, double tolerance)
{
	struct latency_point point[LATENCY_POINTS_MAX];
	struct latency_step step[LATENCY_STEPS_MAX];
	double noise;

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		size_t n = make(made, seed * 77, point);
		size_t steps = latency_steps(point, n, step, &noise);

		assert_true(noise < LATENCY_NOISE_MAX);
		assert_int_equal(steps, levels);
		for (size_t i = 0; i < steps; i++) {
			double size = made->level[i].size;

			assert_true(step[i].low <= step[i].size);
			assert_true(step[i].size <= step[i].high);
			assert_true(fabs(log(step[i].size / size)) < tolerance);
			assert_true(
				fabs(step[i].before / made->level[i].latency -
				     1) < 0.15);
		}
	}
}

static const struct level caches[] = { { 32768, 4 },
				       { 524288, 14 },
				       { 33554432, 50 },
				       { 0, 280 } };
static const struct level pages[] = { { 64, 4 }, { 2048, 11 }, { 0, 80 } };

static void
test_sharp(void **state)
{
	struct made made = { caches, 4096, 268435456, 0, false };

	(void)state;
	check(&made, 3, 0.13); /* a sixth of an octave, the grid */
	made.noise = 0.08;
	check(&made, 3, 0.25);
	made.level = pages;
	made.from = 16;
	made.to = 65536;
	check(&made, 2, 0.25);
}

/* The rise begins at the capacity, and takes an octave or two. */
static void
test_slow(void **state)
{
	struct made made = { pages, 16, 65536, 0, true };

	(void)state;
	check(&made, 2, 0.3);
	made.noise = 0.06;
	check(&made, 2, 0.35);
}

static void
test_none(void **state)
{
	static const struct level flat[] = { { 0, 4 } };
	struct made made = { flat, 16, 65536, 0.1, false };
	struct latency_point point[LATENCY_POINTS_MAX];
	struct latency_step step[LATENCY_STEPS_MAX];
	double noise;

	(void)state;
	check(&made, 0, 1);
	assert_int_equal(latency_steps(point, 0, step, &noise), 0);
	point[0] = (struct latency_point){ 1, 4, 0 };
	assert_int_equal(latency_steps(point, 1, step, &noise), 0);
}

/* What does not repeat is not believed. */
static void
test_noisy(void **state)
{
	struct made made = { pages, 16, 65536, 3, false };
	struct latency_point point[LATENCY_POINTS_MAX];
	struct latency_step step[LATENCY_STEPS_MAX];
	double noise;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		size_t n = make(&made, seed * 91, point);

		latency_steps(point, n, step, &noise);
		assert_true(noise > LATENCY_NOISE_MAX);
	}
}

/* --- runtime-change.h ------------------------------------------------------ */

static void
test_runtime(void **state)
{
	struct runtime_facts facts = { .cycles = 0,
				       .error = 0,
				       .overlap_low = 0.5,
				       .overlap_high = 1,
				       .mhz = 1000 };
	struct runtime_load now = { 1000, 400, 200, 0, 0, 0 };
	struct runtime_load then = { 1000, 0, 200, 0, 0, 0 };
	struct runtime_change change;

	(void)state;
	/* 1000 = 0.4 * 1000 + x * 600: x = 1, and walks are 400 of 1000 */
	facts.cycles = 1000;
	runtime_change(&change, &facts, &now, &then);
	assert_true(change.known);
	assert_true(fabs(change.change + 40) < 1e-9);
	assert_true(change.low <= change.change &&
		    change.change <= change.high);
	/* Half the time for the loads: overlap 0.5 */
	facts.cycles = 700;
	runtime_change(&change, &facts, &now, &then);
	assert_true(fabs(change.change + 100 * 200.0 / 700) < 1e-9);
	/* Faults are never overlapped. */
	then.walks = 400;
	then.faults = 70;
	runtime_change(&change, &facts, &now, &then);
	assert_true(fabs(change.change - 10) < 1e-9);
	/* Unknown: overlaps 0.5 to 1, and cpi 0.25 to 1 */
	facts.cycles = 0;
	then = (struct runtime_load){ 1000, 0, 200, 0, 0, 0 };
	runtime_change(&change, &facts, &now, &then);
	assert_true(fabs(change.low + 100 * 400.0 / (250 + 600)) < 1e-9);
	assert_true(fabs(change.high + 100 * 200.0 / (1000 + 300)) < 1e-9);
	/* An error of the walks widens it. */
	facts.error = 0.5;
	runtime_change(&change, &facts, &now, &then);
	assert_true(change.low < -100 * 400.0 / (250 + 600));
}

/* Recorded in windows: walks are scaled up to all of the run, faults are not. */
static void
test_windows(void **state)
{
	struct runtime_facts facts = {
		.overlap_low = 0.5, .overlap_high = 1, .mhz = 1000, .away = 550
	};
	struct runtime_load now = { 1000, 400, 200, 70, 70, 0 };
	struct runtime_load then = { 1000, 400, 200, 0, 0, 0 };
	struct runtime_change change;

	(void)state;
	/* The shortest: 0.25 * 1000 + 0.5 * 600 = 550, twice, and 70 */
	runtime_change(&change, &facts, &now, &then);
	assert_true(fabs(change.low + 100 * 70.0 / (1100 + 70)) < 1e-9);
	/* Of walks alone it is the same as of the windows. */
	now.faults = 0;
	then.walks = 0;
	runtime_change(&change, &facts, &now, &then);
	assert_true(fabs(change.low + 100 * 400.0 / (250 + 600)) < 1e-9);
}

/* The kernel's time tells what faults take, unless something else has most of
 * it. */
static void
test_fault_scale(void **state)
{
	struct runtime_facts facts = { .system = 150 };
	struct runtime_load now = { .small = 100 };

	(void)state;
	assert_true(fabs(runtime_fault_scale(&facts, &now) - 1.5) < 1e-9);
	facts.system = 80;
	assert_true(fabs(runtime_fault_scale(&facts, &now) - 0.8) < 1e-9);
	facts.system = 1000;
	assert_true(fabs(runtime_fault_scale(&facts, &now) - 1) < 1e-9);
	facts.system = 0;
	assert_true(fabs(runtime_fault_scale(&facts, &now) - 1) < 1e-9);
	now.small = 0;
	assert_true(fabs(runtime_fault_scale(&facts, &now) - 1) < 1e-9);
}

/* A guest's pages: the highest step is of tables that no cache holds, not the
 * second level. */
static void
test_second_level(void **state)
{
	static const struct level guest[] = {
		{ 64, 4 }, { 2048, 12 }, { 16384, 118 }, { 0, 820 }
	};
	const struct made made = { guest, 16, 65536, 0, false };
	struct latency_curve curve = { .noise = 0 };
	const struct latency_step *second;

	(void)state;
	curve.n = make(&made, 1, curve.point);
	curve.steps =
		latency_steps(curve.point, curve.n, curve.step, &curve.noise);
	assert_int_equal(curve.steps, 3);
	second = calibration_second_level(&curve);
	assert_non_null(second);
	assert_true(fabs(log(second->size / 2048)) < 0.13);
	curve.steps = 1;
	assert_null(calibration_second_level(&curve));
}

/* No claim: what is waited for is something else; a part of the run; nothing */
static void
test_no_claim(void **state)
{
	struct runtime_facts facts = { .overlap_low = 0.5, .overlap_high = 1 };
	struct runtime_load now = { 1000, 400, 200, 0, 0, 0 }, none = { 0 };
	struct runtime_change change;

	(void)state;
	facts.cycles = 100000;
	runtime_change(&change, &facts, &now, &now);
	assert_false(change.known);
	assert_non_null(change.why);
	facts.cycles = 1000;
	facts.partial = true;
	runtime_change(&change, &facts, &now, &now);
	assert_false(change.known);
	facts.partial = false;
	runtime_change(&change, &facts, &now, &now);
	assert_true(change.known && change.change == 0);
	runtime_change(&change, &facts, &none, &none);
	assert_false(change.known);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sharp),
		cmocka_unit_test(test_slow),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_noisy),
		cmocka_unit_test(test_runtime),
		cmocka_unit_test(test_no_claim),
		cmocka_unit_test(test_windows),
		cmocka_unit_test(test_fault_scale),
		cmocka_unit_test(test_second_level),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
