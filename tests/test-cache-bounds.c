// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine `cache` within bounds: with less room than it needs a cache that is
 * full is emptied, and nothing of the stream is lost or told twice; with less
 * time it records windows.
 */
#include "analyzer/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache-watch.h"
#include "step-watch.h"
#include "tracers/tracer.h"

#define ALL (TRACER_DATA | TRACER_FETCH)

static char directory[CACHE_WATCH_PATH];

static char *
program(char *path, const char *name)
{
	snprintf(path, 2 * CACHE_WATCH_PATH, "%s/%s", directory, name);
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
	char path[2 * CACHE_WATCH_PATH], busy[] = "busy", ms[] = "200",
					 jit[] = "jit";
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

/* What the target says of itself */
static void
check_verdict(const struct step_run *run, const char *mode)
{
	if (!WIFEXITED(run->status) || WEXITSTATUS(run->status) != 7)
		fail_msg("%s ended with %s %d", mode,
			 WIFEXITED(run->status) ? "status" : "signal",
			 WIFEXITED(run->status) ? WEXITSTATUS(run->status)
						: WTERMSIG(run->status));
}

/* The tables for indirect branches grow, also before the cache is emptied */
static void
test_more_targets_than_tables_hold(void **state)
{
	const struct tracer_setup large = { .kinds = ALL };
	const struct tracer_setup small = { .kinds = ALL,
					    .code_bytes = 3 << 20 };
	char path[2 * CACHE_WATCH_PATH], many[] = "many";
	char *argv[] = { program(path, "cache-target"), many, NULL };
	struct step_run a, b;

	(void)state;
	assert_int_equal(step_run_setup(&a, "cache", argv, &large), 0);
	assert_true(WIFEXITED(a.status));
	assert_int_equal(WEXITSTATUS(a.status), 7);
	assert_int_equal(step_run_setup(&b, "cache", argv, &small), 0);
	assert_true(WIFEXITED(b.status));
	assert_int_equal(WEXITSTATUS(b.status), 7);
	check_same_data(&a, &b);
	step_run_close(&a);
	step_run_close(&b);
}

static size_t
marks(const struct step_run *run)
{
	return step_run_count(run, EVENT_MARK);
}

/* true: it was recorded for some time, in windows */
static bool
is_undisturbed(const char *name, const char *mode, unsigned ms)
{
	const struct tracer_setup windows = { .kinds = ALL,
					      .on_ns = 2000000,
					      .off_ns = 4000000 };
	char path[2 * CACHE_WATCH_PATH], second[16], third[16];
	char *argv[] = { program(path, name), second, ms ? third : NULL, NULL };
	struct step_run run;
	bool enough;

	snprintf(second, sizeof(second), "%s", mode);
	snprintf(third, sizeof(third), "%u", ms);
	assert_int_equal(step_run_setup(&run, "cache", argv, &windows), 0);
	check_verdict(&run, mode);
	enough = run.n > 100 && marks(&run) > 10;
	step_run_close(&run);
	return enough;
}

/* They check themselves, and do not notice that we come and go */
static void
test_windows_disturb_nobody(void **state)
{
	bool enough = false;

	(void)state;
	/* On a busy machine there are few windows: then for longer */
	for (unsigned ms = 150; !enough && ms <= 150 << 4; ms *= 2)
		enough = is_undisturbed("cache-target", "busy", ms);
	assert_true(enough);
	/* These may be over before much is seen of them */
	is_undisturbed("cache-target", "jit", 0);
	/* It can't come at the change when it is stopped */
	is_undisturbed("cache-target", "stops", 0);
	is_undisturbed("call-target", "restart", 0);
}

/* What is changed between windows is found when they begin: code of a file that
 * was written there, in the process and in its children. */
static void
test_code_that_is_changed_between_windows(void **state)
{
	bool enough = false;

	(void)state;
	for (unsigned ms = 250; !enough && ms <= 250 << 4; ms *= 2)
		enough = is_undisturbed("cache-target", "patched", ms);
	assert_true(enough);
}

/* Signals that come while calls are made in the thread are neither lost nor
 * delivered twice, and keep what is told of them. */
static void
test_queued_signals_all_come(void **state)
{
	bool enough = false;

	(void)state;
	for (unsigned n = 400; !enough && n <= 400 << 4; n *= 2)
		enough = is_undisturbed("cache-target", "queued", n);
	assert_true(enough);
}

#define LATE  8
#define TRIES 4

/* Waits that are longer than windows, and are ended by them again and again */
static void
test_waits_end_in_time(void **state)
{
	const struct tracer_setup windows = { .kinds = ALL,
					      .on_ns = 5000000,
					      .off_ns = 5000000 };
	int status = LATE;

	(void)state;
	for (int i = 0; i < TRIES && status == LATE; i++) {
		char path[2 * CACHE_WATCH_PATH], mode[] = "limits";
		char *argv[] = { program(path, "call-target"), mode, NULL };
		struct step_run run;

		assert_int_equal(step_run_setup(&run, "cache", argv, &windows),
				 0);
		assert_true(WIFEXITED(run.status));
		status = WEXITSTATUS(run.status);
		step_run_close(&run);
	}
	assert_int_equal(status, 7);
}

#define PAGES (1u << 20) /* a bit for each of the pages in a hash */

struct pages {
	uint64_t *page; /* page + 1; 0: never used, 1: unmapped */
};

static uint64_t *
page_place(struct pages *pages, uint64_t page)
{
	size_t i = (size_t)(page * UINT64_C(0x9e3779b97f4a7c15) >> 44);

	while (pages->page[i] && pages->page[i] >> 1 != page + 1)
		i = (i + 1) % PAGES;
	return &pages->page[i];
}

static void
map(struct pages *pages, uint64_t start, uint64_t bytes, bool here)
{
	for (uint64_t page = start >> 12; page < (start + bytes) >> 12; page++)
		*page_place(pages, page) = (page + 1) << 1 | here;
}

static void
apply(struct pages *pages, const struct event *event)
{
	if (event->type == EVENT_MAP || event->type == EVENT_UNMAP)
		map(pages, event->address, event->length,
		    event->type == EVENT_MAP);
}

/* The accesses to pages that were told to be there: all */
static size_t
check_mapped(const struct step_run *run)
{
	struct pages pages = { calloc(PAGES, sizeof(uint64_t)) };
	size_t e = 0, mapped = 0;

	for (size_t i = 0; i < run->n; i++) {
		uint64_t page = run->access[i].address >> 12;

		for (; e < run->n_events && run->event[e].position <= i; e++)
			apply(&pages, &run->event[e].event);
		/* The stack grows by itself */
		if (page >> 23 == 0xf || page >> 20 == 0x7ff)
			continue;
		if (!(*page_place(&pages, page) & 1))
			fail_msg("access %zu of %zu, to %llx by %llx: no page "
				 "was told there, after event %zu of %zu",
				 i, run->n,
				 (unsigned long long)run->access[i].address,
				 (unsigned long long)run->access[i].pc, e,
				 run->n_events);
		mapped++;
	}
	free(pages.page);
	return mapped;
}

/* What came and went between windows is known when they begin.  On a busy
 * machine there are few of them: then for longer. */
static void
test_mappings_are_told_behind_each_window(void **state)
{
	const struct tracer_setup windows = { .kinds = TRACER_DATA,
					      .on_ns = 3000000,
					      .off_ns = 5000000 };
	bool enough = false;

	(void)state;
	for (unsigned time = 300; !enough && time <= 300 << 4; time *= 2) {
		char path[2 * CACHE_WATCH_PATH], mode[] = "maps", ms[16];
		char *argv[] = { program(path, "call-target"), mode, ms, NULL };
		struct step_run run;

		snprintf(ms, sizeof(ms), "%u", time);
		assert_int_equal(step_run_setup(&run, "cache", argv, &windows),
				 0);
		check_verdict(&run, mode);
		enough = check_mapped(&run) > 1000 && marks(&run) > 10;
		step_run_close(&run);
	}
	assert_true(enough);
}

/* N accesses a second are a bound on the average */
static void
test_a_rate_is_kept(void **state)
{
	const struct tracer_setup slow = { .kinds = ALL, .rate = 1000000 };
	char path[2 * CACHE_WATCH_PATH], mode[] = "maps", ms[] = "1000";
	char *argv[] = { program(path, "call-target"), mode, ms, NULL };
	struct step_run run;

	(void)state;
	assert_int_equal(step_run_setup(&run, "cache", argv, &slow), 0);
	assert_int_equal(WEXITSTATUS(run.status), 7);
	assert_true(marks(&run) > 0);
	/* One window at full speed, and how late it is noticed */
	assert_true(run.n < 6000000);
	step_run_close(&run);
}

/* test-cache-bounds [PATTERN]: only the tests of such names */
int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_cache_that_is_emptied_often),
		cmocka_unit_test(test_more_targets_than_tables_hold),
		cmocka_unit_test(test_threads_that_are_called_back),
		cmocka_unit_test(test_windows_disturb_nobody),
		cmocka_unit_test(test_code_that_is_changed_between_windows),
		cmocka_unit_test(test_queued_signals_all_come),
		cmocka_unit_test(test_waits_end_in_time),
		cmocka_unit_test(test_mappings_are_told_behind_each_window),
		cmocka_unit_test(test_a_rate_is_kept),
	};
	int begun = cache_watch_begin(directory, argv, "CACHE_BOUNDS_FIXED");

	if (begun)
		return begun;
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
