// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Huge pages on hand-made events, with counts that can be done in the head.
 * (test-huge-kernel has the real kernel as judge.)
 */
#include "tests/paging-bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <cmocka.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif
#define SECOND UINT64_C(1000000000)

static struct bench *
open_with(const char *first, const char *second)
{
	const char *const assignments[] = { "pages.policy=thp", first,
					    first ? second : NULL, NULL };

	return bench_open(assignments, 0);
}

static void
expect_is(struct bench *bench, const char *name, double wanted)
{
	double is = value(bench, name);

	if (is < wanted || is > wanted)
		print_message("%s: %g, not %g\n", name, is, wanted);
	assert_true(is >= wanted && is <= wanted);
}

/* Faults of 4 MiB written from end to end under each mode. */
static void
test_modes(void **state)
{
	static const struct {
		const char *thp;
		int advice;
		uint64_t faults;
	} cases[] = {
		{ "pages.thp=always", MADV_NORMAL, 2 },
		{ "pages.thp=always", MADV_NOHUGEPAGE, 1024 },
		{ "pages.thp=madvise", MADV_NORMAL, 1024 },
		{ "pages.thp=madvise", MADV_HUGEPAGE, 2 },
		{ "pages.thp=never", MADV_HUGEPAGE, 1024 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct bench *bench = open_with(cases[i].thp, NULL);

		map(bench, BASE, 4 * MIB, RIGHTS);
		advise(bench, BASE, 4 * MIB, cases[i].advice);
		sweep(bench, 0, BASE, 4 * MIB, SITE_STORE);
		assert_int_equal(faults(bench), cases[i].faults);
		bench_close(bench);
	}
}

/* The largest size that is on, fits the mapping and has nothing in it. */
static void
test_sizes(void **state)
{
	struct bench *bench = open_with("pages.mthp=64k,512k,2m=never", NULL);

	(void)state;
	/* 16 pages before 512K, four of 512K, 3 pages behind */
	map(bench, BASE + MIB - 16 * PAGE, 2 * MIB + 19 * PAGE, RIGHTS);
	sweep(bench, 0, BASE + MIB - 16 * PAGE, 2 * MIB + 19 * PAGE,
	      SITE_STORE);
	assert_int_equal(faults(bench), 1 + 4 + 3);
	/* a page that was read stands in the way of both, then of the larger */
	map(bench, BASE + GIB, MIB / 2, RIGHTS);
	use(bench, 0, BASE + GIB, SITE_LOAD);
	use(bench, 0, BASE + GIB + 15 * PAGE, SITE_STORE);
	use(bench, 0, BASE + GIB + 16 * PAGE, SITE_STORE);
	sweep(bench, 0, BASE + GIB, 32 * PAGE, SITE_STORE);
	/* 0 read, 15 alone, a run of 16, 0 written, 1 to 14 alone */
	assert_int_equal(faults(bench), 1 + 1 + 1 + 1 + 14);
	bench_close(bench);
}

static void
test_orders_from_text(void **state)
{
	struct huge_orders orders;

	(void)state;
	assert_true(huge_orders_parse(NULL, HUGE_MADVISE, &orders));
	assert_int_equal(orders.always, 0);
	assert_int_equal(orders.madvise, 1 << 9);
	assert_true(huge_orders_parse("16k,1m=always,2M=never", HUGE_MADVISE,
				      &orders));
	assert_int_equal(orders.always, 1 << 8);
	assert_int_equal(orders.madvise, 1 << 2);
	assert_false(huge_orders_parse("8k", HUGE_ALWAYS, &orders));
	assert_false(huge_orders_parse("64k=often", HUGE_ALWAYS, &orders));
	assert_false(huge_orders_parse("64k,,1m", HUGE_ALWAYS, &orders));
	assert_false(huge_orders_parse("64k=", HUGE_ALWAYS, &orders));
}

static void
watch(struct bench *bench, uint64_t address, uint64_t pages)
{
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t at = address + i * PAGE;

		use(bench, 0, at, SITE_STORE);
		assert_int_equal(paging_watch(bench->paging, 0, at,
					      bench->accesses),
				 0);
	}
}

/* What came along and nobody touched; where the page goes it goes. */
static void
test_bloat(void **state)
{
	struct bench *bench = open_with("pages.mthp=64k", NULL);

	(void)state;
	map(bench, BASE - 16 * PAGE, 4 * MIB + 16 * PAGE, RIGHTS);
	watch(bench, BASE, 100);
	watch(bench, BASE, 100);
	expect_is(bench, "thp.bloat.bytes", 412. * 4096);
	/* a run of 64K at the head */
	watch(bench, BASE - 16 * PAGE, 1);
	expect_is(bench, "thp.bloat.bytes", (412. + 15) * 4096);
	watch(bench, BASE + 2 * MIB, 512);
	expect_is(bench, "thp.bloat.bytes", (412. + 15) * 4096);
	expect_is(bench, "thp.bytes", 4. * MIB);
	expect_is(bench, "thp.coverage", 1024. / (1024 + 16));
	expect_is(bench, "thp.unaligned.bytes", 16. * 4096);
	/* splitting keeps it, taking a part away takes its part */
	unmap(bench, BASE + 96 * PAGE, 16 * PAGE);
	expect_is(bench, "thp.bloat.bytes", (400. + 15) * 4096);
	expect_is(bench, "thp.splits", 1);
	expect_is(bench, "thp.bytes", 2. * MIB);
	advise(bench, BASE - 16 * PAGE, 16 * PAGE, MADV_DONTNEED);
	expect_is(bench, "thp.bloat.bytes", 400. * 4096);
	end(bench, 0);
	/* as before the end */
	expect_is(bench, "thp.bloat.bytes", 400. * 4096);
	expect_is(bench, "thp.bloat.bytes.peak", (511. + 15 + 412) * 4096);
	bench_close(bench);
}

/* Pages that one process maps whole and another by parts are shared all the same:
 * as smaps of the running kernel had it (Pss_Anon 1,606 and 2,148 kB less what was
 * mapped beside). */
static void
test_share_of_a_part(void **state)
{
	struct bench *bench = open_with(NULL, NULL);
	const json_t *rows;

	(void)state;
	map(bench, BASE, 2 * MIB, RIGHTS);
	use(bench, 0, BASE, SITE_STORE);
	fork_to(bench, 0, 1);
	sweep(bench, 1, BASE, MIB, SITE_STORE);
	expect_is(bench, "thp.splits", 1);
	rows = json_object_get(
		json_object_get(json_object_get(result_json(bench->result),
						"tables"),
				"processes"),
		"rows");
	assert_int_equal(json_array_size(rows), 2);
	for (size_t i = 0; i < 2; i++) {
		const json_t *row = json_array_get(rows, i);

		assert_int_equal(json_integer_value(json_array_get(row, 1)),
				 2 * MIB);
		assert_int_equal(json_integer_value(json_array_get(row, 2)),
				 MIB + MIB / 2);
		assert_int_equal(json_integer_value(json_array_get(row, 3)),
				 MIB);
	}
	bench_close(bench);
}

static void
time_is(struct bench *bench, uint64_t seconds)
{
	assert_int_equal(paging_time(bench->paging, seconds * SECOND,
				     bench->accesses),
			 0);
}

/* Eight regions a round of 4096 pages, a round each ten seconds. */
static void
test_khugepaged_has_time(void **state)
{
	struct bench *bench =
		open_with("pages.thp=madvise", "khugepaged.max-none=500");

	(void)state;
	map(bench, BASE, 40 * MIB, RIGHTS);
	time_is(bench, 100);
	/* 12 pages in each are enough, 11 not; none in the last but one */
	for (uint64_t i = 0; i < 20; i++)
		sweep(bench, 0, BASE + i * 2 * MIB,
		      (i == 3	 ? 11
		       : i == 18 ? 0
				 : 12) *
			      PAGE,
		      SITE_STORE);
	advise(bench, BASE, 40 * MIB, MADV_HUGEPAGE);
	time_is(bench, 109);
	expect_is(bench, "thp.bytes", 0);
	time_is(bench, 110);
	expect_is(bench, "thp.bytes", 7. * 2 * MIB);
	time_is(bench, 119);
	expect_is(bench, "khugepaged.collapses", 7);
	time_is(bench, 120);
	expect_is(bench, "khugepaged.collapses", 15);
	time_is(bench, 1000000);
	expect_is(bench, "khugepaged.collapses", 18);
	expect_is(bench, "khugepaged.rounds", 99990);
	expect_is(bench, "thp.collapse.ns", 18. * (12 * 860 + 500 * 320));
	/* all of them are there, without a fault */
	faults(bench);
	sweep(bench, 0, BASE, 3 * 2 * MIB, SITE_STORE);
	assert_int_equal(faults(bench), 0);
	bench_close(bench);
}

static void
test_collapse_at_once(void **state)
{
	struct bench *bench = open_with("pages.thp=never", NULL);

	(void)state;
	map(bench, BASE, 6 * MIB, RIGHTS);
	use(bench, 0, BASE + MIB, SITE_STORE);
	use(bench, 0, BASE + 5 * MIB, SITE_STORE);
	/* the middle has no table, the last is covered in part */
	advise(bench, BASE, 5 * MIB, MADV_COLLAPSE);
	expect_is(bench, "thp.collapses", 1);
	assert_int_equal(use(bench, 0, BASE, SITE_STORE).shift, 21);
	assert_int_equal(use(bench, 0, BASE + 5 * MIB, SITE_STORE).shift, 12);
	assert_int_equal(faults(bench), 2);
	bench_close(bench);
}

/* Memory for three pages of 2M with tables: then small ones. */
static void
test_fallback(void **state)
{
	const char *const thp[] = { "pages.policy=thp", NULL };
	struct bench *bench = bench_open(thp, 8 * MIB - 2 * PAGE);

	(void)state;
	map(bench, BASE, 8 * MIB, RIGHTS);
	sweep(bench, 0, BASE, 6 * MIB + 100 * PAGE, SITE_STORE);
	assert_int_equal(faults(bench), 103);
	expect_is(bench, "thp.fallback", 1);
	expect_is(bench, "thp.faults", 3);
	expect_is(bench, "thp.zero.ns", 3. * 512 * 320);
	bench_close(bench);
}

/* All places of the run, then one page, without a copy. */
static void
test_reservation(void **state)
{
	const char *const policy[] = { "pages.policy=reservation", NULL };
	struct bench *bench = bench_open(policy, 0);
	struct mapping first, other;

	(void)state;
	map(bench, BASE, 4 * MIB, RIGHTS);
	first = use(bench, 0, BASE + 5 * PAGE, SITE_STORE);
	other = use(bench, 0, BASE + 3 * PAGE, SITE_STORE);
	assert_int_equal(first.frame - other.frame, 2 * PAGE);
	expect_is(bench, "footprint.bytes", 2. * 4096);
	expect_is(bench, "thp.reserved.bytes.peak", 2. * MIB);
	sweep(bench, 0, BASE, 2 * MIB, SITE_STORE);
	assert_int_equal(use(bench, 0, BASE, SITE_STORE).shift, 21);
	assert_int_equal(use(bench, 0, BASE, SITE_STORE).frame,
			 first.frame - 5 * PAGE);
	assert_int_equal(faults(bench), 512);
	expect_is(bench, "thp.promotions", 1);
	expect_is(bench, "footprint.bytes", 2. * MIB);
	/* what is taken away in part never becomes one */
	sweep(bench, 0, BASE + 2 * MIB, MIB, SITE_STORE);
	advise(bench, BASE + 2 * MIB, PAGE, MADV_DONTNEED);
	sweep(bench, 0, BASE + 2 * MIB, 2 * MIB, SITE_STORE);
	expect_is(bench, "thp.promotions", 1);
	expect_is(bench, "thp.reservations.broken", 1);
	expect_is(bench, "footprint.bytes", 4. * MIB);
	bench_close(bench);
}

/* The oldest gives way to pages of others. */
static void
test_reservation_under_pressure(void **state)
{
	const char *const policy[] = { "pages.policy=reservation", NULL };
	struct bench *bench = bench_open(policy, 8 * MIB);

	(void)state;
	map(bench, BASE, 16 * MIB, RIGHTS);
	for (uint64_t i = 0; i < 3; i++)
		use(bench, 0, BASE + i * 2 * MIB, SITE_STORE);
	sweep(bench, 0, BASE + 6 * MIB, 4 * MIB, SITE_STORE);
	assert_true(value(bench, "thp.reservations.broken") >= 1);
	assert_int_equal(use(bench, 0, BASE + 2 * MIB, SITE_STORE).shift, 12);
	assert_int_equal(faults(bench), 3 + 1024);
	bench_close(bench);
}

static void
test_utilisation(void **state)
{
	const char *const policy[] = { "pages.policy=utilisation",
				       "promotion.threshold=0.5", NULL };
	struct bench *bench = bench_open(policy, 0);

	(void)state;
	map(bench, BASE, 4 * MIB, RIGHTS);
	sweep(bench, 0, BASE, 255 * PAGE, SITE_STORE);
	sweep(bench, 0, BASE + 2 * MIB, 256 * PAGE, SITE_STORE);
	time_is(bench, 1);
	expect_is(bench, "thp.promotions", 1);
	assert_int_equal(use(bench, 0, BASE, SITE_STORE).shift, 12);
	assert_int_equal(use(bench, 0, BASE + 2 * MIB, SITE_STORE).shift, 21);
	/* what was copied and zeroed for it */
	expect_is(bench, "thp.collapse.ns", 256. * 860 + 256 * 320);
	faults(bench);
	/* the next page is the one that is wanting, and none faults after it */
	sweep(bench, 0, BASE, 4 * MIB, SITE_STORE);
	assert_int_equal(faults(bench), 1);
	expect_is(bench, "thp.promotions", 2);
	bench_close(bench);
}

/* The most accessed first, as many as the interval allows. */
static void
test_buckets(void **state)
{
	const char *const policy[] = { "pages.policy=buckets",
				       "promotion.pages=1", NULL };
	struct bench *bench = bench_open(policy, 0);

	(void)state;
	map(bench, BASE, 6 * MIB, RIGHTS);
	time_is(bench, 1);
	watch(bench, BASE, 60);
	watch(bench, BASE + 2 * MIB, 300);
	watch(bench, BASE + 4 * MIB, 200);
	time_is(bench, 30);
	expect_is(bench, "thp.promotions", 0);
	time_is(bench, 31);
	assert_int_equal(use(bench, 0, BASE + 2 * MIB, SITE_STORE).shift, 21);
	expect_is(bench, "thp.promotions", 1);
	/* now the first is the hottest */
	watch(bench, BASE, 512);
	time_is(bench, 61);
	assert_int_equal(use(bench, 0, BASE, SITE_STORE).shift, 21);
	assert_int_equal(use(bench, 0, BASE + 4 * MIB, SITE_STORE).shift, 12);
	bench_close(bench);
}

static void
test_buckets_by_walks(void **state)
{
	const char *const policy[] = { "pages.policy=buckets",
				       "promotion.pages=1",
				       "promotion.by=walks", NULL };
	struct bench *bench = bench_open(policy, 0);

	(void)state;
	map(bench, BASE, 4 * MIB, RIGHTS);
	time_is(bench, 1);
	assert_true(paging_wants_walks(bench->paging));
	use(bench, 0, BASE, SITE_STORE);
	use(bench, 0, BASE + 2 * MIB, SITE_STORE);
	assert_int_equal(paging_walked(bench->paging, 0, BASE, 40), 0);
	assert_int_equal(paging_walked(bench->paging, 0, BASE + 2 * MIB, 400),
			 0);
	time_is(bench, 40);
	assert_int_equal(use(bench, 0, BASE, SITE_STORE).shift, 12);
	assert_int_equal(use(bench, 0, BASE + 2 * MIB, SITE_STORE).shift, 21);
	bench_close(bench);
}

/* Pages of a pool, reserved when mapped; what it lacks comes small. */
static void
test_pool(void **state)
{
	const char *const pool[] = { "hugetlb.pages-2m=4", NULL };
	struct bench *bench = bench_open(pool, 32 * MIB);
	uint64_t free_pages, reserved;

	(void)state;
	map(bench, BASE, 6 * MIB, RIGHTS | MAP_FLAG_HUGETLB);
	map(bench, BASE + GIB, 4 * MIB, RIGHTS | MAP_FLAG_HUGETLB);
	expect_is(bench, "hugetlb.2m.refused", 1);
	sweep(bench, 0, BASE, 2 * MIB, SITE_STORE);
	sweep(bench, 0, BASE + GIB, 4 * PAGE, SITE_STORE);
	assert_int_equal(faults(bench), 1 + 4);
	paging_hugetlb(bench->paging, HUGETLB_2M, &free_pages, &reserved);
	assert_int_equal(free_pages, 3);
	assert_int_equal(reserved, 2);
	unmap(bench, BASE, 6 * MIB);
	paging_hugetlb(bench->paging, HUGETLB_2M, &free_pages, &reserved);
	assert_int_equal(free_pages, 4);
	assert_int_equal(reserved, 0);
	bench_close(bench);
}

static void
map_giant(struct bench *bench, uint64_t address, uint64_t length)
{
	struct event event = event_of(EVENT_MAP, address, length);

	event.flags = RIGHTS | MAP_FLAG_HUGETLB;
	event.extra = 30;
	tell(bench, 0, event);
}

/* Two pages of 1G: one reserved by who maps it, one for a child's copy, and
 * then there is none. */
static void
test_pool_of_1g(void **state)
{
	const char *const pool[] = { "hugetlb.pages-1g=2", NULL };
	struct bench *bench = bench_open(pool, 4 * GIB);
	uint64_t free_pages, reserved;
	struct mapping first, copy;

	(void)state;
	map_giant(bench, BASE, GIB);
	paging_hugetlb(bench->paging, HUGETLB_1G, &free_pages, &reserved);
	assert_int_equal(free_pages, 2);
	assert_int_equal(reserved, 1);
	first = use(bench, 0, BASE + 5 * MIB, SITE_STORE);
	assert_int_equal(first.shift, 30);
	sweep(bench, 0, BASE, 4 * MIB, SITE_LOAD);
	assert_int_equal(faults(bench), 1);
	paging_hugetlb(bench->paging, HUGETLB_1G, &free_pages, &reserved);
	assert_int_equal(free_pages, 1);
	assert_int_equal(reserved, 0);
	/* more than is left: refused, and of small pages */
	map_giant(bench, BASE + 8 * GIB, 2 * GIB);
	expect_is(bench, "hugetlb.1g.refused", 1);
	assert_int_equal(use(bench, 0, BASE + 8 * GIB, SITE_STORE).shift, 12);
	faults(bench);
	fork_to(bench, 0, 1);
	copy = use(bench, 1, BASE, SITE_STORE);
	assert_int_equal(copy.shift, 30);
	assert_true(copy.frame != first.frame);
	assert_int_equal(faults(bench), 1);
	paging_hugetlb(bench->paging, HUGETLB_1G, &free_pages, &reserved);
	assert_int_equal(free_pages, 0);
	/* nor can the parent's 2M pages be had from there */
	map(bench, BASE + 16 * GIB, 2 * MIB, RIGHTS | MAP_FLAG_HUGETLB);
	assert_int_equal(use(bench, 0, BASE + 16 * GIB, SITE_STORE).shift, 21);
	end(bench, 1);
	paging_hugetlb(bench->paging, HUGETLB_1G, &free_pages, &reserved);
	assert_int_equal(free_pages, 1);
	expect_is(bench, "hugetlb.1g.used.peak", 2);
	bench_close(bench);
}

/* khugepaged brings back what is in swap, up to so many of a region. */
static void
test_max_swap(void **state)
{
	struct bench *bench =
		open_with("pages.thp=madvise", "khugepaged.max-none=0");

	(void)state;
	map(bench, BASE, 6 * MIB, RIGHTS);
	sweep(bench, 0, BASE, 6 * MIB, SITE_STORE);
	advise(bench, BASE, 64 * PAGE, MADV_PAGEOUT);
	advise(bench, BASE + 2 * MIB, 65 * PAGE, MADV_PAGEOUT);
	advise(bench, BASE, 6 * MIB, MADV_HUGEPAGE);
	time_is(bench, 1);
	time_is(bench, 12);
	expect_is(bench, "khugepaged.collapses", 2);
	assert_true(value(bench, "khugepaged.declined") >= 1);
	assert_int_equal(use(bench, 0, BASE, SITE_LOAD).shift, 21);
	assert_int_equal(use(bench, 0, BASE + 4 * MIB, SITE_LOAD).shift, 21);
	faults(bench);
	/* of the one between, each page that is in swap is a fault */
	sweep(bench, 0, BASE + 2 * MIB, 2 * MIB, SITE_LOAD);
	assert_int_equal(faults(bench), 65);
	bench_close(bench);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_orders_from_text),
		cmocka_unit_test(test_bloat),
		cmocka_unit_test(test_khugepaged_has_time),
		cmocka_unit_test(test_collapse_at_once),
		cmocka_unit_test(test_fallback),
		cmocka_unit_test(test_reservation),
		cmocka_unit_test(test_reservation_under_pressure),
		cmocka_unit_test(test_utilisation),
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_buckets_by_walks),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_pool_of_1g),
		cmocka_unit_test(test_max_swap),
		cmocka_unit_test(test_share_of_a_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
