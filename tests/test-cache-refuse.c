// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the engine `cache` can't run in its cache it steps: it tells what `step`
 * tells, and why, and the program notices nothing.
 */
#include "analyzer/base.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <jansson.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache-watch.h"
#include "step-watch.h"

#define HWCAP2_FSGSBASE 2
static char directory[CACHE_WATCH_PATH];

static void
watch(struct step_run *run, const char *engine, const char *name)
{
	char path[2 * CACHE_WATCH_PATH], mode[16];
	char *argv[] = { path, mode, NULL };

	snprintf(path, sizeof(path), "%s/refuse-target", directory);
	snprintf(mode, sizeof(mode), "%s", name);
	assert_int_equal(step_run(run, engine, argv), 0);
	assert_true(WIFEXITED(run->status));
}

/* Instructions that were stepped because of what `cause` is part of */
static uint64_t
stepped_for(const struct step_run *run, const char *cause)
{
	json_t *list = json_object_get(stream_about(run->stream), "stepped");
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one) if (
		strstr(json_string_value(json_object_get(one, "cause")),
		       cause)) return (uint64_t)
		json_integer_value(json_object_get(one, "instructions"));
	return 0;
}

/* cause: NULL: nothing but single instructions */
static void
check(const char *mode, const char *cause)
{
	struct step_run step, cache;
	char why[256];

	watch(&step, "step", mode);
	watch(&cache, "cache", mode);
	if (WEXITSTATUS(step.status) == 77) {
		assert_int_equal(WEXITSTATUS(cache.status), 77);
		step_run_close(&step);
		step_run_close(&cache);
		skip();
	}
	assert_int_equal(WEXITSTATUS(step.status), 7);
	assert_int_equal(WEXITSTATUS(cache.status), 7);
	if (!step_run_same(&step, &cache, why, sizeof(why)))
		fail_msg("%s: %s", mode, why);
	assert_int_equal(step.n_events, cache.n_events);
	for (size_t i = 0; i < step.n_events; i++) {
		assert_int_equal(step.event[i].event.type,
				 cache.event[i].event.type);
		assert_int_equal(step.event[i].event.address,
				 cache.event[i].event.address);
	}
	if (cause)
		assert_true(stepped_for(&cache, cause) > 20);
	else
		assert_null(
			json_object_get(stream_about(cache.stream), "stepped"));
	step_run_close(&step);
	step_run_close(&cache);
}

static void
test_a_program_uses_gs(void **state)
{
	/* Without these instructions only until it loads a segment */
	bool always = getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE;

	(void)state;
	check("gs", always ? NULL : "it uses the GS segment");
}

static void
test_blocked_signals_stay_blocked(void **state)
{
	(void)state;
	check("mask", NULL);
}

static void
test_restartable_sequences_count_right(void **state)
{
	struct step_run run;

	(void)state;
	for (int i = 0; i < 3; i++) {
		watch(&run, "cache", "rseq");
		assert_int_equal(WEXITSTATUS(run.status), 7);
		step_run_close(&run);
	}
}

static void
test_code_is_too_far_from_any_room(void **state)
{
	(void)state;
	check("far", "2 GiB");
}

static void
test_a_program_may_not_map_much(void **state)
{
	(void)state;
	check("limit", "RLIMIT_AS");
}

/* May filters be suspended? */
static bool
may_suspend(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { { 0 } };

	return !syscall(SYS_capget, &head, data) &&
	       data[0].effective >> CAP_SYS_ADMIN & 1;
}

static void
may_not_suspend(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = { { 0 } };

	syscall(SYS_capget, &head, data);
	data[0].effective &= ~(1u << CAP_SYS_ADMIN);
	syscall(SYS_capset, &head, data);
}

static void
test_filters_do_not_see_our_calls(void **state)
{
	(void)state;
	if (!may_suspend())
		skip();
	check("execed", NULL);
	check("strict", NULL);
}

static void
test_filters_forbid_the_cache(void **state)
{
	(void)state;
	may_not_suspend();
	check("execed", "seccomp");
	check("strict", NULL);
}

/* Its stream is in another order each time */
static void
test_threads_that_filters_forbid(void **state)
{
	struct step_run cache;

	(void)state;
	may_not_suspend();
	watch(&cache, "cache", "filter");
	if (WEXITSTATUS(cache.status) != 77) {
		assert_int_equal(WEXITSTATUS(cache.status), 7);
		assert_true(stepped_for(&cache, "seccomp") > 500);
	}
	step_run_close(&cache);
}

static bool
is_told(const struct step_run *run, const char *part)
{
	json_t *list = json_object_get(stream_about(run->stream), "losses");
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one) if (strstr(json_string_value(one),
						    part)) return true;
	return false;
}

static void
test_a_program_maps_over_ours(void **state)
{
	struct step_run run;

	(void)state;
	watch(&run, "cache", "takes");
	assert_int_equal(WEXITSTATUS(run.status), 7);
	assert_true(run.n > 1000);
	assert_true(is_told(&run, "where the engine's own is"));
	step_run_close(&run);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_program_uses_gs),
		cmocka_unit_test(test_blocked_signals_stay_blocked),
		cmocka_unit_test(test_restartable_sequences_count_right),
		cmocka_unit_test(test_code_is_too_far_from_any_room),
		cmocka_unit_test(test_a_program_may_not_map_much),
		cmocka_unit_test(test_a_program_maps_over_ours),
		cmocka_unit_test(test_filters_do_not_see_our_calls),
		cmocka_unit_test(test_filters_forbid_the_cache),
		cmocka_unit_test(test_threads_that_filters_forbid),
	};
	int begun = cache_watch_begin(directory, argv, "CACHE_REFUSE_FIXED");

	(void)argc;
	if (begun)
		return begun;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
