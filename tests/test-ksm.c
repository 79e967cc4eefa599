// SPDX-License-Identifier: GPL-2.0-or-later
/* Merging at a given rate (ksm.rate), on hand-made events: closed forms of how
 * many frames remain, and when; and what MADV_UNMERGEABLE takes apart. */
#include "tests/paging-bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static void
pass(struct bench *bench, uint64_t from_ms, uint64_t to_ms)
{
	for (uint64_t ms = from_ms; ms <= to_ms; ms += 20)
		assert_int_equal(paging_time(bench->paging, ms * MS,
					     bench->accesses),
				 0);
}

static struct bench *
open_with(const char *rate, uint64_t pages)
{
	const char *const options[] = { "ksm.run=yes",	   rate,
					"ksm.group=4",	   "ksm.tick=0",
					"ksm.scan-cost=0", "ksm.merge-cost=0",
					"ksm.sleep=20ms",  NULL };
	struct bench *bench = bench_open(options, 0);

	map(bench, BASE, 2 * pages * PAGE, RIGHTS);
	sweep(bench, 0, BASE, 2 * pages * PAGE, SITE_STORE);
	return bench;
}

/* All that ask for it have equals, in fours: n/4 frames.  Noted in the first
 * round, merged in the second, 100 pages a wakeup and one that ends a round. */
static void
test_all_merge_in_their_second_round(void **state)
{
	static const uint64_t sizes[] = { 8, 100, 400, 1000, 1004 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t n = sizes[i];
		struct bench *bench = open_with("ksm.rate=1", n);
		uint64_t wakeups = n / 100 + 1 + (n + 99) / 100;

		advise(bench, BASE, n * PAGE, MADV_MERGEABLE);
		pass(bench, 20, 3000);
		assert_true(value(bench, "ksm.shared") == (double)n / 4);
		assert_true(value(bench, "ksm.sharing") == (double)n * 3 / 4);
		assert_true(value(bench, "ksm.sharers.most") == 4);
		assert_true(value(bench, "ksm.merge.time") ==
			    (double)wakeups * 20);
		assert_true(value(bench, "footprint.bytes") ==
			    (double)((n + n / 4) * PAGE));
		bench_close(bench);
	}
}

static void
tell_host(struct bench *bench, const char *name, uint64_t number)
{
	const struct file file = { .path = name, .build_id = "" };
	struct event event = event_of(EVENT_COUNTER, 0, 0);

	assert_int_equal(stream_file_add(bench->stream, &file, &event.file), 0);
	event.flags = COUNTER_START | COUNTER_SYSTEM;
	event.value = number;
	tell(bench, 0, event);
}

/* The host's own settings, unless others are asked for; where its advisor
 * changes them, there is no one time. */
static void
test_as_the_host_did(void **state)
{
	(void)state;
	for (uint64_t advised = 0; advised < 2; advised++) {
		struct bench *bench = open_with("ksm.rate=1", 400);

		tell_host(bench, "ksm.run", 1);
		tell_host(bench, "ksm.pages_to_scan", 50);
		tell_host(bench, "ksm.advisor_mode", advised);
		advise(bench, BASE, 400 * PAGE, MADV_MERGEABLE);
		pass(bench, 20, 3000);
		assert_true(value(bench, "ksm.shared") == 100);
		assert_true(value(bench, "ksm.merge.time") ==
			    (advised ? -1. : (8 + 1 + 8) * 20.));
		bench_close(bench);
	}
}

/* A quarter has equals: within five sigma of the binomial distribution */
static void
test_a_quarter(void **state)
{
	struct bench *bench = open_with("ksm.rate=0.25", 4000);
	double shared, all;

	(void)state;
	advise(bench, BASE, 4000 * PAGE, MADV_MERGEABLE);
	pass(bench, 20, 4000);
	shared = value(bench, "ksm.shared");
	all = shared + value(bench, "ksm.sharing");
	assert_true(all > 1000 - 5 * 27.4 && all < 1000 + 5 * 27.4);
	assert_true(shared >= all / 4 && shared < all / 4 + 1);
	bench_close(bench);
}

static void
test_where_nobody_asks_all_do(void **state)
{
	struct bench *bench = open_with("ksm.rate=1", 200);

	(void)state;
	pass(bench, 20, 1000);
	assert_true(value(bench, "ksm.shared") == 100);
	assert_true(value(bench, "ksm.sharing") == 300);
	bench_close(bench);
}

/* Each its own again, as faults that getrusage counts, and so it stays; the
 * others remain merged, until they are written. */
static void
test_taken_apart(void **state)
{
	struct bench *bench = open_with("ksm.rate=1", 400);
	struct ksm_counts counts;
	uint64_t minor, shared_frame;

	(void)state;
	advise(bench, BASE, 400 * PAGE, MADV_MERGEABLE);
	pass(bench, 20, 1000);
	shared_frame = use(bench, 0, BASE, SITE_LOAD).frame;
	assert_int_equal(use(bench, 0, BASE + 3 * PAGE, SITE_LOAD).frame,
			 shared_frame);
	minor = paging_minor(bench->paging, true);
	advise(bench, BASE, 200 * PAGE, MADV_UNMERGEABLE);
	assert_int_equal(paging_minor(bench->paging, true) - minor, 200);
	assert_int_not_equal(use(bench, 0, BASE, SITE_LOAD).frame,
			     use(bench, 0, BASE + 3 * PAGE, SITE_LOAD).frame);
	pass(bench, 1020, 3000);
	ksm_counts(bench->paging, &counts);
	assert_int_equal(counts.shared, 50);
	assert_int_equal(counts.sharing, 150);
	assert_true(value(bench, "ksm.unmerged") == 200);
	assert_true(value(bench, "footprint.bytes") ==
		    (double)((400 + 200 + 50) * PAGE));
	faults(bench);
	sweep(bench, 0, BASE, 200 * PAGE, SITE_STORE);
	assert_int_equal(faults(bench), 0);
	use(bench, 0, BASE + 200 * PAGE, SITE_STORE);
	assert_int_equal(faults(bench), 1);
	ksm_counts(bench->paging, &counts);
	assert_int_equal(counts.sharing, 149);
	assert_true(value(bench, "ksm.unmerged") == 201);
	bench_close(bench);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_merge_in_their_second_round),
		cmocka_unit_test(test_as_the_host_did),
		cmocka_unit_test(test_a_quarter),
		cmocka_unit_test(test_where_nobody_asks_all_do),
		cmocka_unit_test(test_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
