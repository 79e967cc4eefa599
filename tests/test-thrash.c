// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Processes and one device: against exact mean value analysis, against the
 * machine repairman's formulas, and against processes that are run in turn over
 * one memory: M equal working sets thrash together where they no longer fit.
 */
#include "models/analysis/memory-need.h"
#include "models/analysis/reuse.h"
#include "models/paging/thrash.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void
near(double got, double wanted)
{
	if (fabs(got - wanted) > 1e-9 * fmax(1, fabs(wanted)))
		fail_msg("%.12g, not %.12g", got, wanted);
}

/* Two stations that serve one at a time (Reiser, Lavenberg 1980) */
static double
mean_value(double compute, double service, unsigned processes)
{
	double at_processor = 0, at_device = 0, throughput = 0;

	for (unsigned n = 1; n <= processes; n++) {
		double processor = compute * (1 + at_processor);
		double device = service * (1 + at_device);

		throughput = n / (processor + device);
		at_processor = throughput * processor;
		at_device = throughput * device;
	}
	return throughput;
}

static void
test_mean_value_analysis(void **state)
{
	static const double loads[] = { 1e-6, 0.01, 0.5, 1, 2, 30, 1e6 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(loads); i++) {
		for (unsigned n = 1; n <= 200; n += n < 8 ? 1 : 64) {
			const struct thrash_config config = { 2, 1000, 0, 1 };
			const struct thrash_load load = { 1000, loads[i], 0 };
			double compute = 2 * 1000 / loads[i];
			double throughput = mean_value(compute, 1000, n);
			struct thrash thrash;

			thrash_together(&thrash, &load, &config, n);
			near(thrash.utilisation, throughput * compute);
			near(thrash.device, throughput * 1000);
			near(thrash.slowdown * thrash.throughput, n);
			assert_true(thrash.full <= thrash.some + 1e-12);
		}
	}
}

/* As many processors as processes: the repairman with one crew,
 * p0 = 1 / sum M!/(M-k)! r^k */
static void
test_machine_repairman(void **state)
{
	const struct thrash_config config = { 1, 300, 100, 5 };
	const struct thrash_load load = { 1e6, 1000, 500 };
	double r = (300 + 0.5 * 100) / (1e6 / 1000), sum = 0, term = 1;
	struct thrash thrash;

	(void)state;
	for (unsigned k = 0; k <= 5; k++) {
		sum += term;
		term *= (5 - k) * r;
	}
	thrash_together(&thrash, &load, &config, 5);
	near(thrash.some, 1 - 1 / sum);
	near(thrash.device, 1 - 1 / sum);
	/* what comes to the device is what it ends */
	near(thrash.throughput / 1000 * 350, thrash.device);
}

static void
test_alone(void **state)
{
	const struct thrash_config config = { 1, 1000, 0, 1 };
	struct thrash_load load = { 1e6, 1000, 0 };
	struct thrash thrash;

	(void)state;
	thrash_together(&thrash, &load, &config, 1);
	near(thrash.slowdown, 2);
	near(thrash.utilisation, 0.5);
	near(thrash.some, 0.5);
	near(thrash.full, 0.5);
	load.faults = 0;
	thrash_together(&thrash, &load, &config, 3);
	near(thrash.utilisation, 1);
	near(thrash.some, 0);
	near(thrash.throughput, 1);
	near(thrash.slowdown, 3);
}

/* Misses of each of M processes that go round n pages, in turn, over LRU */
static uint64_t
run_together(unsigned processes, uint32_t n, unsigned rounds, uint32_t memory)
{
	struct reuse *reuse;
	uint64_t *misses, all;
	uint32_t peak;

	assert_int_equal(reuse_open(&reuse, false), 0);
	for (unsigned i = 0; i < rounds * n; i++)
		for (unsigned p = 0; p < processes; p++) {
			uint32_t page = p * n + i % n;

			assert_int_equal(reuse_feed(reuse, &page, NULL, 1,
						    NULL),
					 0);
		}
	peak = reuse_peak(reuse);
	misses = calloc(peak + 1, sizeof(*misses));
	assert_non_null(misses);
	reuse_misses(reuse, misses, NULL);
	all = misses[memory < peak ? memory : peak];
	free(misses);
	reuse_close(reuse);
	return all / processes;
}

static double
value_of(struct result *result, const char *name)
{
	const json_t *values = json_object_get(result_json(result), "values");
	const json_t *value =
		json_object_get(json_object_get(values, name), "value");

	return json_is_number(value) ? json_number_value(value) : NAN;
}

/*
 * 100 pages each in a memory of 550: five fit, the sixth makes all of them
 * fault always.  That is what is predicted from the curve of one.
 */
static void
test_working_sets_thrash_together(void **state)
{
	enum {
		PAGES = 100,
		ROUNDS = 50,
		MEMORY = 550
	};
	uint64_t misses[PAGES + 1];
	struct memory_point point[PAGES];
	struct memory_curve curve = {
		.page_bytes = 4096,
		.accesses = PAGES * ROUNDS,
		.cold = PAGES,
		.peak = PAGES,
		.point = point,
		.n = PAGES,
		.misses = misses,
		.late = NAN,
	};
	const struct memory_need_config config = {
		.thrash = { 1, 1000, 1000, 1 },
		.memory_bytes = MEMORY * 4096,
		.processes = 10,
	};
	struct result *result;

	(void)state;
	for (uint32_t size = 0; size <= PAGES; size++) {
		misses[size] = run_together(1, PAGES, ROUNDS, size);
		if (size)
			point[size - 1] = (struct memory_point){
				size, (double)misses[size], 0, NAN, NAN
			};
	}
	assert_int_equal(result_open(&result), 0);
	assert_int_equal(memory_need_finish(&curve, &config, result), 0);
	for (unsigned n = 1; n <= 10; n++) {
		uint64_t each = run_together(n, PAGES, ROUNDS, MEMORY);

		assert_int_equal(each, n <= 5 ? PAGES : PAGES * ROUNDS);
	}
	near(value_of(result, "thrash.processes.best"), 5);
	near(value_of(result, "thrash.processes.collapse"), 6);
	/* a cycle has no knee: all or nothing */
	assert_true(isnan(value_of(result, "memory.knee.bytes")));
	near(value_of(result, "memory.slowdown.1.bytes"), PAGES * 4096);
	near(value_of(result, "memory.slowdown.100.bytes"), PAGES * 4096);
	result_close(result);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mean_value_analysis),
		cmocka_unit_test(test_machine_repairman),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_working_sets_thrash_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
