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

static struct bench *
open_on(const char *cluster)
{
	const char *const options[] = { "pages.swap=yes", cluster, NULL };

	return bench_open(options, 0);
}

/* Both have it in swap: who comes first reads it, the other finds it in the cache.
 * Who writes gets a copy while the other wants it, and who is the last the page
 * itself: at once by a write, after a read by one more fault.  What is locked or
 * shared stays. */
static void
test_fork_shares_slots(void **state)
{
	struct bench *bench = open_on("pages.page-cluster=0");
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
	assert_true(value(bench, "fault.swap") == 8);
	assert_true(value(bench, "swap.bytes") == 8. * PAGE);
	sweep(bench, 1, BASE, 4 * PAGE, SITE_LOAD);
	assert_true(value(bench, "fault.swap-cache") == 4);
	assert_int_equal(faults(bench), 12);
	sweep(bench, 1, BASE, 4 * PAGE, SITE_STORE);
	assert_true(value(bench, "fault.reuse") == 4);
	assert_true(value(bench, "swap.bytes") == 4. * PAGE);
	sweep(bench, 1, BASE + 4 * PAGE, 2 * PAGE, SITE_STORE);
	assert_int_equal(faults(bench), 6);
	assert_true(value(bench, "fault.swap-cache") == 6);
	assert_true(value(bench, "swap.in") == 8);
	assert_true(value(bench, "swap.bytes") == 2. * PAGE);
	end(bench, 1);
	assert_true(value(bench, "swap.bytes") == 0);
	bench_close(bench);
}

/* 200 pages, 3 children that read all: the first reads, the others do not. */
static void
test_each_page_is_read_once(void **state)
{
	struct bench *bench = open_on("pages.page-cluster=0");

	(void)state;
	map(bench, BASE, 200 * PAGE, RIGHTS);
	sweep(bench, 0, BASE, 200 * PAGE, SITE_STORE);
	advise(bench, BASE, 200 * PAGE, MADV_PAGEOUT);
	for (uint32_t child = 1; child < 4; child++)
		fork_to(bench, 0, child);
	for (uint32_t child = 1; child < 4; child++)
		sweep(bench, child, BASE, 200 * PAGE, SITE_LOAD);
	assert_true(value(bench, "fault.swap") == 200);
	assert_true(value(bench, "fault.swap-cache") == 400);
	assert_true(value(bench, "footprint.bytes") == 200. * PAGE);
	bench_close(bench);
}

/* In order, all but the first few are read ahead by eight. */
static void
test_read_ahead(void **state)
{
	struct bench *bench = open_on("pages.page-cluster=3");
	double majors;

	(void)state;
	map(bench, BASE, 200 * PAGE, RIGHTS);
	sweep(bench, 0, BASE, 200 * PAGE, SITE_STORE);
	advise(bench, BASE, 200 * PAGE, MADV_PAGEOUT);
	fork_to(bench, 0, 1);
	sweep(bench, 1, BASE, 200 * PAGE, SITE_LOAD);
	majors = value(bench, "fault.swap");
	assert_in_range(majors, 25, 30);
	assert_true(value(bench, "fault.swap-cache") == 200 - majors);
	assert_true(value(bench, "swap.in") == 200);
	assert_true(value(bench, "swap.read-ahead") == 200 - majors);
	assert_true(value(bench, "swap.read-ahead.hits") == 200 - majors);
	/* Asked for, and nobody waits */
	advise(bench, BASE, 200 * PAGE, MADV_WILLNEED);
	sweep(bench, 0, BASE, 200 * PAGE, SITE_LOAD);
	assert_true(value(bench, "fault.swap") == majors);
	bench_close(bench);
}

/* Shared memory: out if one process maps it; what nobody wrote is dropped. */
static void
test_shared_memory(void **state)
{
	struct bench *bench = open_on("pages.page-cluster=3");

	(void)state;
	map(bench, BASE, 32 * PAGE, RIGHTS | MAP_FLAG_SHARED);
	sweep(bench, 0, BASE, 16 * PAGE, SITE_STORE);
	sweep(bench, 0, BASE + 16 * PAGE, 16 * PAGE, SITE_LOAD);
	advise(bench, BASE, 32 * PAGE, MADV_PAGEOUT);
	assert_true(value(bench, "swap.out") == 16);
	assert_true(value(bench, "footprint.bytes") == 0);
	faults(bench);
	sweep(bench, 0, BASE, 32 * PAGE, SITE_STORE);
	assert_int_equal(faults(bench), 32);
	assert_true(value(bench, "fault.swap") == 16);
	assert_true(value(bench, "swap.bytes") == 0);
	fork_to(bench, 0, 1);
	sweep(bench, 1, BASE, 8 * PAGE, SITE_STORE);
	advise(bench, BASE, 32 * PAGE, MADV_PAGEOUT);
	assert_true(value(bench, "swap.out") == 16 + 24);
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
		cmocka_unit_test(test_each_page_is_read_once),
		cmocka_unit_test(test_read_ahead),
		cmocka_unit_test(test_shared_memory),
		cmocka_unit_test(test_moved_and_dropped),
		cmocka_unit_test(test_large_pages_go_as_small_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
