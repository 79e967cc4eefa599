// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine `cache` tells, access by access, what `step` tells; it leaves
 * processes as it found them.
 */
#include "analyzer/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cache-watch.h"
#include "step-watch.h"
#include "tracers/roster.h"
#include "tracers/tracer.h"

static char directory[CACHE_WATCH_PATH];
static const struct tracer_ops *cache_ops;

static char *
program(char *path, const char *name)
{
	snprintf(path, 2 * CACHE_WATCH_PATH, "%s/%s", directory, name);
	return path;
}

static void
check_same(const struct step_run *step, const struct step_run *cache)
{
	char why[256];

	if (!step_run_same(step, cache, why, sizeof(why)))
		fail_msg("%s", why);
}

static void
check_events(const struct step_run *step, const struct step_run *cache)
{
	assert_int_equal(step->n_events, cache->n_events);
	for (size_t i = 0; i < step->n_events; i++) {
		const struct event *a = &step->event[i].event;
		const struct event *b = &cache->event[i].event;

		assert_int_equal(a->type, b->type);
		assert_int_equal(a->address, b->address);
		assert_int_equal(a->length, b->length);
		assert_int_equal(a->flags, b->flags);
		assert_int_equal(a->value, b->value);
	}
}

static void
check_program(char **argv, int status)
{
	struct step_run step, cache;

	assert_int_equal(step_run(&step, "step", argv), 0);
	assert_int_equal(step_run(&cache, "cache", argv), 0);
	assert_true(WIFEXITED(step.status) && WIFEXITED(cache.status));
	assert_int_equal(WEXITSTATUS(step.status), status);
	assert_int_equal(WEXITSTATUS(cache.status), status);
	assert_true(step.n > 20);
	check_same(&step, &cache);
	check_events(&step, &cache);
	step_run_close(&step);
	step_run_close(&cache);
}

static void
check_named(const char *name, char *mode)
{
	char path[2 * CACHE_WATCH_PATH];
	char *argv[] = { program(path, name), mode, NULL };

	check_program(argv, 7);
}

static void
test_stream_of_plain_programs_is_steps(void **state)
{
	(void)state;
	check_named("step-base", NULL);
	check_named("step-twin", NULL);
	if (__builtin_cpu_supports("avx2"))
		check_named("step-avx2", NULL);
	if (__builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512vl"))
		check_named("step-avx512", NULL);
}

static void
test_stream_of_a_dynamic_program_is_steps(void **state)
{
	char name[] = "/bin/true";
	char *argv[] = { name, NULL };

	(void)state;
	check_program(argv, 0);
}

static void
test_faults_that_a_handler_repairs(void **state)
{
	char mode[] = "segv";

	(void)state;
	check_named("cache-target", mode);
}

static void
test_lanes_that_were_done_before_a_fault(void **state)
{
	char mode[] = "lanes";

	(void)state;
	check_named("cache-target", mode);
}

static void
test_code_that_is_written_anew(void **state)
{
	char mode[] = "jit";

	(void)state;
	check_named("cache-target", mode);
}

/*
 * The last words of such a record are those that expansion fills in: where a
 * buffer ends in front of them, the record ended behind the buffer, and a length
 * below 0 was copied into the next one.
 */
static void
test_records_that_end_behind_a_buffer(void **state)
{
	char path[2 * CACHE_WATCH_PATH], mode[] = "arrays";
	char *argv[] = { program(path, "cache-target"), mode, NULL };
	struct step_run run;
	uint64_t start[2] = { 0 }, marked = UINT64_MAX;
	size_t n = 0;

	(void)state;
	assert_int_equal(step_run(&run, "cache", argv), 0);
	assert_int_equal(WEXITSTATUS(run.status), 7);
	for (size_t i = 0; i < run.n; i++) {
		const struct step_access *access = &run.access[i];
		unsigned array = n / 2 % 2;

		if (access->kind == SITE_LOAD && access->size == 10)
			marked = access->pc;
		if (access->kind != SITE_LOAD || access->size != 2 ||
		    access->pc - marked > 64)
			continue;
		if (n < 4 && n % 2 == 0)
			start[array] = access->address;
		assert_int_equal(access->address,
				 start[array] + (n / 4 % 1024) * (8u >> n % 2));
		n++;
	}
	assert_int_equal(n, 256 * 1024 * 4);
	step_run_close(&run);
}

/* The next of the 8-byte modifies that a thread makes in its own table; locks
 * are of 4 bytes, and are waited for in another order each time */
static size_t
next_of(const struct step_run *run, size_t i, uint32_t thread)
{
	while (i < run->n &&
	       (run->access[i].thread != thread || run->access[i].size != 8 ||
		run->access[i].kind != SITE_MODIFY))
		i++;
	return i;
}

static void
test_each_threads_stream_is_steps(void **state)
{
	char path[2 * CACHE_WATCH_PATH], mode[] = "threads";
	char *argv[] = { program(path, "cache-target"), mode, NULL };
	struct step_run step, cache;
	size_t n = 0;

	(void)state;
	assert_int_equal(step_run(&step, "step", argv), 0);
	assert_int_equal(step_run(&cache, "cache", argv), 0);
	assert_int_equal(WEXITSTATUS(cache.status), 7);
	for (uint32_t thread = 0; thread < 4; thread++) {
		size_t i = 0, k = 0;

		for (;; i++, k++, n++) {
			i = next_of(&step, i, thread);
			k = next_of(&cache, k, thread);
			if (i == step.n || k == cache.n)
				break;
			assert_int_equal(step.access[i].pc, cache.access[k].pc);
			assert_int_equal(step.access[i].address,
					 cache.access[k].address);
		}
		assert_int_equal(i, step.n);
		assert_int_equal(k, cache.n);
	}
	assert_true(n >= 4 * 500);
	step_run_close(&step);
	step_run_close(&cache);
}

static uint64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Join a process for some milliseconds and leave it; accesses seen */
static uint64_t
visit(pid_t pid, unsigned ms)
{
	volatile sig_atomic_t stop = 0;
	struct tracer_setup setup = { .kinds = TRACER_DATA | TRACER_FETCH,
				      .stop = &stop,
				      .pid = pid };
	struct stream *stream;
	struct tracer *tracer;
	struct batch batch;
	uint64_t n = 0, end;
	int got = 1;

	assert_int_equal(batch_init(&batch), 0);
	assert_int_equal(stream_open(&stream), 0);
	setup.stream = stream;
	assert_int_equal(roster_open(&setup.roster, stream), 0);
	assert_int_equal(cache_ops->open(&tracer, &setup), 0);
	assert_int_equal(tracer->tracing->attach(tracer, pid), 0);
	end = now_ms() + ms;
	while (got > 0) {
		if (now_ms() >= end && !stop) {
			stop = 1;
			tracer->tracing->detach(tracer);
		}
		got = source_next(&tracer->source, &batch);
		n += got > 0 ? batch.n : 0;
	}
	assert_int_equal(got, 0);
	source_close(&tracer->source);
	roster_close(setup.roster);
	stream_close(stream);
	batch_fini(&batch);
	return n;
}

static size_t
read_maps(pid_t pid, char *text, size_t bytes)
{
	char path[64];
	size_t n;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	file = fopen(path, "re");
	assert_non_null(file);
	n = fread(text, 1, bytes - 1, file);
	text[n] = '\0';
	fclose(file);
	return n;
}

#define VISITS	    20
#define ENOUGH	    100000
#define PATIENCE_MS 20000

/* On a busy machine little is seen in a visit: then there are more of them. */
static void
test_a_process_is_left_as_it_was_found(void **state)
{
	static char before[65536], after[65536];
	char path[2 * CACHE_WATCH_PATH], mode[] = "busy", time[] = "60000";
	char *argv[] = { program(path, "cache-target"), mode, time, NULL };
	uint64_t n = 0, until = now_ms() + PATIENCE_MS;
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		execv(argv[0], argv);
		_exit(99);
	}
	usleep(100000);
	read_maps(pid, before, sizeof(before));
	for (int i = 0; i < VISITS || (n <= ENOUGH && now_ms() < until); i++)
		n += visit(pid, 20);
	read_maps(pid, after, sizeof(after));
	assert_string_equal(before, after);
	kill(pid, SIGTERM);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_true(n > ENOUGH);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stream_of_plain_programs_is_steps),
		cmocka_unit_test(test_stream_of_a_dynamic_program_is_steps),
		cmocka_unit_test(test_faults_that_a_handler_repairs),
		cmocka_unit_test(test_lanes_that_were_done_before_a_fault),
		cmocka_unit_test(test_code_that_is_written_anew),
		cmocka_unit_test(test_records_that_end_behind_a_buffer),
		cmocka_unit_test(test_each_threads_stream_is_steps),
		cmocka_unit_test(test_a_process_is_left_as_it_was_found),
	};
	int begun = cache_watch_begin(directory, argv, "CACHE_ENGINE_FIXED");

	(void)argc;
	if (begun)
		return begun;
	for (size_t i = 0; tracer_registry[i]; i++)
		if (!strcmp(tracer_registry[i]->name, "cache"))
			cache_ops = tracer_registry[i];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
