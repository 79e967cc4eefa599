// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System calls that the target of the engine `cache` makes without a stop: what
 * the kernel touched is told at the place where `step` tells it, and a program
 * that is interrupted in them does not notice.
 */
#include "analyzer/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cache-watch.h"
#include "step-watch.h"
#include "tracers/tracer.h"

static char directory[CACHE_WATCH_PATH];

static void
watch(struct step_run *run, const char *engine, char *mode, char *argument)
{
	char path[2 * CACHE_WATCH_PATH];
	char *argv[] = { path, mode, argument, NULL };

	snprintf(path, sizeof(path), "%s/call-target", directory);
	assert_int_equal(step_run(run, engine, argv), 0);
	assert_true(WIFEXITED(run->status));
	assert_int_equal(WEXITSTATUS(run->status), 7);
}

/* Loads and stores before it: how fetches are cut differs */
static size_t
data_before(const struct step_run *run, const struct step_event *event)
{
	size_t n = 0;

	for (size_t i = 0; i < event->position; i++)
		n += run->access[i].kind != SITE_FETCH;
	return n;
}

static void
test_kernel_accesses_are_those_of_step(void **state)
{
	char mode[] = "calls";
	struct step_run step, cache;
	size_t kernel = 0;

	(void)state;
	watch(&step, "step", mode, NULL);
	watch(&cache, "cache", mode, NULL);
	assert_int_equal(step.n_events, cache.n_events);
	for (size_t i = 0; i < step.n_events; i++) {
		const struct event *a = &step.event[i].event;
		const struct event *b = &cache.event[i].event;

		kernel += a->type == EVENT_KERNEL_READ ||
			  a->type == EVENT_KERNEL_WRITE;
		assert_int_equal(a->type, b->type);
		assert_int_equal(a->address, b->address);
		assert_int_equal(a->length, b->length);
		assert_int_equal(data_before(&step, &step.event[i]),
				 data_before(&cache, &cache.event[i]));
	}
	assert_true(kernel >= 40);
	step_run_close(&step);
	step_run_close(&cache);
}

static void
check_mode(const char *engine, const char *name)
{
	char mode[16];
	struct step_run run;

	snprintf(mode, sizeof(mode), "%s", name);
	watch(&run, engine, mode, NULL);
	step_run_close(&run);
}

static void
test_registers_after_a_call(void **state)
{
	(void)state;
	check_mode("cache", "registers");
}

static void
test_calls_that_signals_interrupt(void **state)
{
	(void)state;
	check_mode("cache", "restart");
}

/* The kernel begins the heap at random places up to 1 GiB above the program */
static void
test_the_heap_can_grow(void **state)
{
	(void)state;
	personality(0);
	for (int i = 0; i < 12; i++)
		check_mode("cache", "heap");
	personality(ADDR_NO_RANDOMIZE);
}

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* With a stop each they would take 10 s and more */
static void
test_short_calls_do_not_stop(void **state)
{
	char mode[] = "many", n[] = "200000";
	struct step_run run;
	double start = now();

	(void)state;
	watch(&run, "cache", mode, n);
	assert_true(run.n > 200000);
	assert_true(now() - start < 5);
	step_run_close(&run);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kernel_accesses_are_those_of_step),
		cmocka_unit_test(test_registers_after_a_call),
		cmocka_unit_test(test_calls_that_signals_interrupt),
		cmocka_unit_test(test_the_heap_can_grow),
		cmocka_unit_test(test_short_calls_do_not_stop),
	};
	int begun = cache_watch_begin(directory, argv, "CACHE_CALLS_FIXED");

	(void)argc;
	if (begun)
		return begun;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
