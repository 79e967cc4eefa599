// SPDX-License-Identifier: GPL-2.0-or-later
/* Pages in swap, on hand-made events: who has them, what a fault costs. */
#include "tests/paging-bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

static const char *const with_swap[] = { "pages.swap=yes", NULL };

/* TRUTH: N out are N majors in, and the second touch is free. */
static void
test_out_and_in(void **state)
{
	struct bench *bench = bench_open(with_swap, 0);

	(void)state;
	map(bench, BASE, 4 * MIB, RIGHTS);
	sweep(bench, 0, BASE, 2 * MIB, SITE_STORE);
	sweep(bench, 0, BASE + 2 * MIB, MIB, SITE_LOAD);
	assert_int_equal(faults(bench), 512 + 256);
	advise(bench, BASE + MIB, 3 * MIB, MADV_PAGEOUT);
	/* what was written, not the zero page */
	assert_true(value(bench, "swap.out") == 256);
	assert_true(value(bench, "swap.bytes") == 1. * MIB);
	assert_true(value(bench, "footprint.bytes") == 1. * MIB);
	sweep(bench, 0, BASE + MIB, MIB / 2, SITE_LOAD);
	sweep(bench, 0, BASE + MIB, MIB, SITE_STORE);
	assert_int_equal(faults(bench), 256);
	assert_true(value(bench, "fault.major") == 256);
	assert_true(value(bench, "fault.swap") == 256);
	assert_true(value(bench, "fault.minor") == 512 + 256);
	assert_true(value(bench, "swap.bytes") == 0);
	assert_true(value(bench, "swap.bytes.peak") == 1. * MIB);
	assert_true(value(bench, "footprint.bytes") == 2. * MIB);
	bench_close(bench);
}

static void
test_without_swap_pages_stay(void **state)
{
	const char *const none[] = { "pages.swap=no", NULL };
	struct bench *bench = bench_open(none, 0);

	(void)state;
	map(bench, BASE, MIB, RIGHTS);
	sweep(bench, 0, BASE, MIB, SITE_STORE);
	advise(bench, BASE, MIB, MADV_PAGEOUT);
	sweep(bench, 0, BASE, MIB, SITE_STORE);
	assert_int_equal(faults(bench), 256);
	assert_true(value(bench, "fault.major") < 0);
	assert_true(value(bench, "swap.out") < 0);
	bench_close(bench);
}

/* Both have it in swap, each brings it in for itself; what is locked or
 * shared stays. */
static void
test_fork_shares_slots(void **state)
{
	struct bench *bench = bench_open(with_swap, 0);
	struct event lock = event_of(EVENT_LOCK, BASE + 8 * PAGE, 8 * PAGE);

	(void)state;
	map(bench, BASE, 64 * PAGE, RIGHTS);
	sweep(bench, 0, BASE, 16 * PAGE, SITE_STORE);
	advise(bench, BASE, 8 * PAGE, MADV_PAGEOUT);
	fork_to(bench, 0, 1);
	tell(bench, 0, lock);
	assert_true(value(bench, "swap.out") == 8);
	advise(bench, BASE, 16 * PAGE, MADV_PAGEOUT);
	assert_true(value(bench, "swap.out") == 8);
	faults(bench);
	sweep(bench, 0, BASE, 8 * PAGE, SITE_STORE);
	assert_true(value(bench, "swap.bytes") == 8. * PAGE);
	sweep(bench, 1, BASE, 4 * PAGE, SITE_LOAD);
	sweep(bench, 1, BASE, 4 * PAGE, SITE_STORE);
	assert_int_equal(faults(bench), 12);
	assert_true(value(bench, "swap.bytes") == 4. * PAGE);
	end(bench, 1);
	assert_true(value(bench, "swap.bytes") == 0);
	bench_close(bench);
}

static void
test_moved_and_dropped(void **state)
{
	struct bench *bench = bench_open(with_swap, 0);
	struct event move = event_of(EVENT_REMAP, BASE, 16 * PAGE);

	(void)state;
	map(bench, BASE, 16 * PAGE, RIGHTS);
	sweep(bench, 0, BASE, 16 * PAGE, SITE_STORE);
	advise(bench, BASE, 16 * PAGE, MADV_PAGEOUT);
	move.value = BASE - GIB;
	move.extra = 16 * PAGE;
	tell(bench, 0, move);
	faults(bench);
	sweep(bench, 0, BASE - GIB, 4 * PAGE, SITE_LOAD);
	assert_true(value(bench, "fault.swap") == 4);
	unmap(bench, BASE - GIB + 4 * PAGE, 4 * PAGE);
	advise(bench, BASE - GIB + 8 * PAGE, 8 * PAGE, MADV_DONTNEED);
	assert_true(value(bench, "swap.bytes") == 0);
	sweep(bench, 0, BASE - GIB + 8 * PAGE, 8 * PAGE, SITE_STORE);
	assert_true(value(bench, "fault.swap") == 4);
	assert_int_equal(faults(bench), 12);
	bench_close(bench);
}

/* A large page is split first. */
static void
test_large_pages_go_as_small_ones(void **state)
{
	const char *const huge[] = { "pages.policy=thp", "pages.swap=yes",
				     NULL };
	struct bench *bench = bench_open(huge, 0);

	(void)state;
	map(bench, BASE, 4 * MIB, RIGHTS);
	sweep(bench, 0, BASE, 4 * MIB, SITE_STORE);
	assert_int_equal(faults(bench), 2);
	advise(bench, BASE, 2 * MIB, MADV_PAGEOUT);
	sweep(bench, 0, BASE, 4 * MIB, SITE_LOAD);
	assert_int_equal(faults(bench), 512);
	assert_true(value(bench, "fault.swap") == 512);
	bench_close(bench);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_out_and_in),
		cmocka_unit_test(test_without_swap_pages_stay),
		cmocka_unit_test(test_fork_shares_slots),
		cmocka_unit_test(test_moved_and_dropped),
		cmocka_unit_test(test_large_pages_go_as_small_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
