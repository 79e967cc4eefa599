// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine `cache` with less room than it needs: a cache that is full is
 * emptied, and nothing of the stream is lost or told twice.
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
#include <unistd.h>

#include "step-watch.h"
#include "tracers/tracer.h"

#define ALL (TRACER_DATA | TRACER_FETCH)

static char directory[4096];

static char *
program(char *path, const char *name)
{
	snprintf(path, 8192, "%s/%s", directory, name);
	return path;
}

static size_t
next_data(const struct step_run *run, size_t i)
{
	while (i < run->n && run->access[i].kind == SITE_FETCH)
		i++;
	return i;
}

/* Fetches are cut in another way by each engine */
static void
check_same_data(const struct step_run *a, const struct step_run *b)
{
	size_t i = 0, k = 0, n = 0;

	for (;; i++, k++, n++) {
		i = next_data(a, i);
		k = next_data(b, k);
		if (i == a->n || k == b->n)
			break;
		assert_int_equal(a->access[i].pc, b->access[k].pc);
		assert_int_equal(a->access[i].address, b->access[k].address);
		assert_int_equal(a->access[i].size, b->access[k].size);
		assert_int_equal(a->access[i].kind, b->access[k].kind);
	}
	assert_int_equal(i, a->n);
	assert_int_equal(k, b->n);
	assert_true(n > 1000);
	assert_int_equal(a->n_events, b->n_events);
	for (i = 0; i < a->n_events; i++)
		assert_int_equal(a->event[i].event.type,
				 b->event[i].event.type);
}

static void
test_a_cache_that_is_emptied_often(void **state)
{
	const struct tracer_setup small = { .kinds = ALL, .code_bytes = 60000 };
	char name[] = "/bin/true";
	char *argv[] = { name, NULL };
	struct step_run step, cache;

	(void)state;
	assert_int_equal(step_run(&step, "step", argv), 0);
	assert_int_equal(step_run_setup(&cache, "cache", argv, &small), 0);
	assert_int_equal(WEXITSTATUS(cache.status), 0);
	check_same_data(&step, &cache);
	step_run_close(&step);
	step_run_close(&cache);
}

/* Threads and a timer that check themselves, and code that changes */
static void
test_threads_that_are_called_back(void **state)
{
	const struct tracer_setup small = { .kinds = ALL, .code_bytes = 60000 };
	char path[8192], busy[] = "busy", ms[] = "200", jit[] = "jit";
	char *threads[] = { program(path, "cache-target"), busy, ms, NULL };
	char *code[] = { path, jit, NULL };
	struct step_run cache;

	(void)state;
	assert_int_equal(step_run_setup(&cache, "cache", threads, &small), 0);
	assert_true(WIFEXITED(cache.status));
	assert_int_equal(WEXITSTATUS(cache.status), 7);
	step_run_close(&cache);
	assert_int_equal(step_run_setup(&cache, "cache", code, &small), 0);
	assert_true(WIFEXITED(cache.status));
	assert_int_equal(WEXITSTATUS(cache.status), 7);
	step_run_close(&cache);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_cache_that_is_emptied_often),
		cmocka_unit_test(test_threads_that_are_called_back),
	};
	ssize_t n =
		readlink("/proc/self/exe", directory, sizeof(directory) - 1);
	char why[512];

	(void)argc;
	if (n < 0)
		return 99;
	directory[n] = '\0';
	*strrchr(directory, '/') = '\0';
	for (size_t i = 0; tracer_registry[i]; i++)
		if (!strcmp(tracer_registry[i]->name, "cache") &&
		    tracer_registry[i]->probe(why, sizeof(why))) {
			printf("skipped: %s\n", why);
			return 77;
		}
	/* The same addresses each time, for those that we start */
	if (!getenv("CACHE_BOUNDS_FIXED")) {
		personality(ADDR_NO_RANDOMIZE);
		setenv("CACHE_BOUNDS_FIXED", "1", 1);
		execv("/proc/self/exe", argv);
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
