// SPDX-License-Identifier: GPL-2.0-or-later
/* Sizes as words of a command line. */
#include "analyzer/fail.h"
#include "analyzer/span.h"
#include "analyzer/tasks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void
is(const char *text, size_t n, const uint64_t *wanted)
{
	struct span span;

	assert_int_equal(span_parse(&span, text, 4096, "--sizes"), 0);
	assert_int_equal(span.n, n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(span.bytes[i], wanted[i]);
	span_fini(&span);
}

#define IS(text, ...)                                                    \
	is(text, sizeof((uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t), \
	   (uint64_t[]){ __VA_ARGS__ })

static void
test_sizes(void **state)
{
	(void)state;
	IS("64K", 65536);
	IS("64KiB,1MB, 4096B", 4096, 65536, 1 << 20);
	IS("3p,4p,3p", 3 * 4096, 4 * 4096);
	IS("1M..8M x2", 1 << 20, 2 << 20, 4 << 20, 8 << 20);
	IS("1M..8M", 1 << 20, 2 << 20, 4 << 20, 8 << 20);
	IS("10p..40p +10p", 40960, 81920, 122880, 163840);
	IS("4p..10p x1.5,1G", 16384, 24576, 36864, 40960, 1 << 30);
	IS("1p..3p", 4096, 8192, 12288);
	IS("1p..4p +2p", 4096, 12288, 16384);
	IS("1M..1M x2", 1 << 20);
}

static void
test_points(void **state)
{
	struct span span;

	(void)state;
	assert_int_equal(span_parse(&span, "20 points", 4096, "--sizes"), 0);
	assert_int_equal(span.points, 20);
	assert_int_equal(span.n, 0);
	span_fini(&span);
}

static void
test_nonsense(void **state)
{
	static const char *const texts[] = {
		"",
		"0p",
		"0",
		"300",
		"12x",
		"64K,",
		"-3K",
		"1G..1M",
		"1M..1G x1",
		"1M..1G x0.5",
		"1M..1G y2",
		"1M..",
		"100B",
		"0 points",
		"1000000000 points",
		"1p..1G +0p",
		"99999999999999999999K",
		"4000000000000T",
		"64K junk",
		"1p..900M +1p",
	};
	struct span span;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (span_parse(&span, texts[i], 4096, "--sizes") != -EUSAGE)
			fail_msg("\"%s\" is taken", texts[i]);
}

struct work {
	unsigned done[1000];
	size_t fail_at;
};

static int
work(void *context, size_t i)
{
	struct work *all = context;

	all->done[i]++;
	return i >= all->fail_at ? -(int)i : 0;
}

static void
test_tasks(void **state)
{
	(void)state;
	for (unsigned jobs = 0; jobs < 5; jobs++) {
		struct work all = { .fail_at = SIZE_MAX };
		struct tasks tasks = {
			.n = 1000, .work = work, .context = &all, .jobs = jobs
		};

		assert_int_equal(tasks_run(&tasks), 0);
		for (size_t i = 0; i < tasks.n; i++)
			assert_int_equal(all.done[i], 1);
		all.fail_at = 300;
		assert_int_equal(tasks_run(&tasks), -300);
		tasks.n = 0;
		assert_int_equal(tasks_run(&tasks), 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_points),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_tasks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
