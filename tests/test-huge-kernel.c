// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The running kernel as judge of huge pages: seeded random programs over
 * mappings of all alignments, with random sets of sizes switched on, and hand-
 * made ones of what TRUTH says.  Faults are compared step by step, VmPTE and
 * AnonHugePages after each call.
 *
 * Sizes are switched on for who asks by madvise only, so that nobody else's
 * memory changes, and back by a guardian.
 */
#include "tests/kernel-steps.h"
#include "tests/settings.h"

#include "models/memory/random.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define POPULATE_READ  22
#define POPULATE_WRITE 23

#define DIRECTORY    "/sys/kernel/mm/transparent_hugepage/"
#define ARENA_PAGES  (9u * 512)
#define REGION_PAGES 512u
#define NEVER_MS     4000000000u

/* What may be touched: rights by page, 0: no mapping. */
static uint8_t allowed[ARENA_PAGES];
static char sizes[128]; /* that are on, as of pages.mthp */
static bool large;	/* any is, or MADV_COLLAPSE may be */

static bool
all_allowed(uint64_t page, uint64_t pages)
{
	for (uint64_t i = page; i < page + pages; i++)
		if (!allowed[i])
			return false;
	return true;
}

/* Places near what matters: 2M, the sizes, anywhere. */
static uint64_t
random_page(uint64_t *seed)
{
	uint64_t page = random_below(seed, ARENA_PAGES);
	unsigned order = (unsigned)random_below(seed, 10);

	if (random_below(seed, 3))
		page &= ~((UINT64_C(1) << order) - 1);
	if (random_below(seed, 4) == 0)
		page = page / REGION_PAGES * REGION_PAGES;
	return page;
}

static uint64_t
random_pages(uint64_t *seed, uint64_t page)
{
	uint64_t most = ARENA_PAGES - page, pages;

	switch (random_below(seed, 4)) {
	case 0:
		pages = random_below(seed, 40) + 1;
		break;
	case 1:
		pages = UINT64_C(1) << random_below(seed, 11);
		break;
	case 2:
		pages = (random_below(seed, 3) + 1) * REGION_PAGES;
		break;
	default:
		pages = random_below(seed, 1600) + 1;
	}
	return pages < most ? pages : most;
}

static void
random_map(uint64_t *seed, uint64_t page, uint64_t pages)
{
	int rights = random_below(seed, 8) ? PROT_READ | PROT_WRITE : PROT_READ;

	if (map_at(page * PAGE, pages * PAGE, rights, MAP_PRIVATE))
		memset(allowed + page, rights, pages);
	if (random_below(seed, 4))
		advise_at(page * PAGE, pages * PAGE, MADV_HUGEPAGE);
}

/* Region by region: one that fails in the middle has done what nobody knows. */
static void
collapse(uint64_t page, uint64_t pages)
{
	uint64_t end = page + pages;

	if (!large)
		return;
	page = (page + REGION_PAGES - 1) / REGION_PAGES * REGION_PAGES;
	for (; page + REGION_PAGES <= end; page += REGION_PAGES)
		advise_at(page * PAGE, REGION_PAGES * PAGE, MADV_COLLAPSE);
}

static void
random_advice(uint64_t *seed, uint64_t page, uint64_t pages)
{
	static const int advice[] = {
		MADV_HUGEPAGE, MADV_HUGEPAGE,  MADV_NOHUGEPAGE, MADV_DONTNEED,
		MADV_DONTNEED, MADV_DONTNEED,  MADV_COLLAPSE,	MADV_COLLAPSE,
		POPULATE_READ, POPULATE_WRITE, MADV_COLD,	MADV_FREE,
	};
	/* The last two split what they cover in part, and what of it is zero
	 * becomes the zero page (mm/migrate.c, try_to_map_unused_to_zeropage):
	 * only a model that knows all contents could follow. */
	int one = advice[random_below(seed, ARRAY_SIZE(advice) - 2 * large)];

	if (!all_allowed(page, pages))
		return;
	if (one == MADV_COLLAPSE) {
		collapse(page, pages);
		return;
	}
	for (uint64_t i = 0; one == POPULATE_WRITE && i < pages; i++)
		if (!(allowed[page + i] & PROT_WRITE))
			return;
	advise_at(page * PAGE, pages * PAGE, one);
}

static void
random_move(uint64_t *seed, uint64_t page, uint64_t pages)
{
	uint64_t to = random_page(seed);

	if (pages > ARENA_PAGES - to || !all_allowed(page, pages) ||
	    (to < page + pages && page < to + pages) ||
	    !move_at(page * PAGE, pages * PAGE, to * PAGE, pages * PAGE))
		return;
	memcpy(allowed + to, allowed + page, pages);
	memset(allowed + page, 0, pages);
}

static void
random_call(uint64_t *seed)
{
	uint64_t page = random_page(seed);
	uint64_t pages = random_pages(seed, page);
	int rights = random_below(seed, 2) ? PROT_READ | PROT_WRITE : PROT_READ;

	switch (random_below(seed, 12)) {
	case 0:
	case 1:
	case 2:
	case 3:
		random_map(seed, page, pages);
		return;
	case 4:
		if (unmap_at(page * PAGE, pages * PAGE))
			memset(allowed + page, 0, pages);
		return;
	case 5:
	case 6:
		if (all_allowed(page, pages) &&
		    protect_at(page * PAGE, pages * PAGE, rights))
			memset(allowed + page, rights, pages);
		return;
	case 7:
		random_move(seed, page, pages);
		return;
	case 8:
		if (all_allowed(page, pages) && random_below(seed, 2))
			lock_at(page * PAGE, pages * PAGE, true);
		lock_at(page * PAGE, pages * PAGE, false);
		return;
	default:
		random_advice(seed, page, pages);
	}
}

/* Runs of pages, some with a stride. */
static void
random_touches(uint64_t *seed)
{
	uint64_t page = random_page(seed);
	uint64_t stride =
		random_below(seed, 4) ? 1 : random_below(seed, 40) + 1;
	uint64_t run = random_below(seed, 6) ? 1 + random_below(seed, 8)
					     : random_below(seed, 700);
	bool writes = random_below(seed, 3);

	for (; run && page < ARENA_PAGES; run--, page += stride)
		if (allowed[page])
			touch(page * PAGE, allowed[page] & PROT_WRITE &&
						   writes &&
						   random_below(seed, 20));
}

static void
random_steps(uint64_t *seed, int steps)
{
	for (int i = 0; i < steps; i++) {
		if (random_below(seed, 5) == 0)
			random_call(seed);
		random_touches(seed);
	}
}

static void
random_child(uint64_t seed)
{
	random_steps(&seed, 60);
	unmap_at(0, ARENA_PAGES * PAGE);
}

static void
do_random(uint64_t seed)
{
	memset(allowed, 0, sizeof(allowed));
	for (int round = 0; round < 6; round++) {
		random_steps(&seed, 100);
		if (round % 2)
			fork_and(random_child, random_next(&seed));
	}
	unmap_at(0, ARENA_PAGES * PAGE);
	assert_in_range(steps_count(), 1000, 190000);
}

static int64_t max_none = 511, max_shared = 256;
static uint64_t pool_pages; /* of hugetlb; 0: no limit */

static struct paging_config
config_now(void)
{
	return (struct paging_config){
		.policy = PAGES_THP,
		.swap = SWAP_NO,
		.huge.thp = HUGE_MADVISE,
		.huge.mthp = sizes,
		.huge.khugepaged = {
			.scan_pages = 1 << 30,
			.sleep_ns = 1000000000,
			.max_none = max_none,
			.max_swap = 64,
			.max_shared = max_shared,
		},
		.huge.hugetlb.pages = { pool_pages, 0 },
	};
}

/* Runs that memory did not have: of THPs (of all sizes, on a busy host). */
static long
fallbacks(void)
{
	long sum =
		settings_number("/proc/vmstat", "thp_fault_fallback ") +
		settings_number("/proc/vmstat", "thp_zero_page_alloc_failed ");

	for (unsigned kb = 16; kb <= 1024; kb *= 2) {
		char path[128];

		snprintf(path, sizeof(path),
			 DIRECTORY "hugepages-%ukB/stats/anon_fault_fallback",
			 kb);
		sum += settings_number(path, "");
	}
	return sum;
}

/* Twice, as on a busy host a page may be held by somebody for a moment. */
static bool
agrees_with(void (*act)(uint64_t seed), uint64_t seed)
{
	const struct paging_config config = config_now();

	for (int tries = 0; tries < 3; tries++) {
		long before = fallbacks();

		steps_reset();
		act(seed);
		if (steps_agree(&config))
			return true;
		print_message(
			"seed %ju, sizes %s, max %jd none, %jd shared%s\n",
			(uintmax_t)seed, sizes, (intmax_t)max_none,
			(intmax_t)max_shared,
			fallbacks() == before ? "" : ", memory fragmented");
	}
	return false;
}

static void
put_size(unsigned kb, bool on)
{
	char path[128];

	snprintf(path, sizeof(path), DIRECTORY "hugepages-%ukB/enabled", kb);
	assert_true(settings_put(path, on ? "madvise" : "never"));
}

/* Bits of orders from 2 (16K) to 9 (2M). */
static void
put_sizes(unsigned orders)
{
	static const char *const names[] = { "16k",  "32k",  "64k", "128k",
					     "256k", "512k", "1m",  "2m" };

	sizes[0] = '\0';
	large = true;
	for (unsigned order = 2; order <= 9; order++) {
		size_t n = strlen(sizes);
		bool on = orders >> order & 1;

		put_size(4u << order, on);
		if (on || order == 9)
			snprintf(sizes + n, sizeof(sizes) - n, "%s%s=%s",
				 n ? "," : "", names[order - 2],
				 on ? "madvise" : "never");
	}
}

#define KHUGEPAGED DIRECTORY "khugepaged/"

/* Let khugepaged go through all memory, some times: at least once from the
 * start of this. */
static void
run_khugepaged(void)
{
	long before = settings_number(KHUGEPAGED "full_scans", "");

	settings_put_number(KHUGEPAGED "pages_to_scan", 1000000);
	settings_put_number(KHUGEPAGED "scan_sleep_millisecs", 1);
	for (int i = 0; i < 2000; i++) {
		usleep(5000);
		if (settings_number(KHUGEPAGED "full_scans", "") >= before + 4)
			break;
	}
	settings_put_number(KHUGEPAGED "scan_sleep_millisecs", NEVER_MS);
	settings_put_number(KHUGEPAGED "pages_to_scan", 1);
}

static uint64_t
near(uint64_t *seed, int64_t limit)
{
	int64_t n = limit + (int64_t)random_below(seed, 5) - 2;

	return n < 0 ? 0 : n > 512 ? 512 : (uint64_t)n;
}

/* Fill regions up to about the limits: with some pages of the zero page, and
 * some that a child shares. */
static void
fill(uint64_t *seed, uint64_t region)
{
	uint64_t present = 512 - near(seed, max_none);
	uint64_t zero = random_below(seed, 2) ? random_below(seed, 9) : 0;
	uint64_t start = region * 2 * MIB;

	for (uint64_t i = 0; i < present; i++)
		touch(start + (i * 37 % 512) * PAGE, true);
	for (uint64_t i = present; i < 512 && i < present + zero; i++)
		touch(start + (i * 37 % 512) * PAGE, false);
}

/* The child takes pages of its own until the limit of shared ones. */
static void
khugepaged_child(uint64_t seed)
{
	for (uint64_t region = 0; region < 8; region++)
		for (uint64_t i = near(&seed, max_shared); i < 512; i++)
			touch(region * 2 * MIB + i * PAGE,
			      allowed[region * 512 + i] & PROT_WRITE);
	run_khugepaged();
	time_at(20000000000);
	sweep(0, 16 * MIB, false);
	unmap_at(0, ARENA_PAGES * PAGE);
}

static void
do_khugepaged(uint64_t seed)
{
	memset(allowed, 0, sizeof(allowed));
	time_at(1);
	anon_at(0, 16 * MIB + random_below(&seed, 512) * PAGE);
	/* Small pages first. */
	advise_at(0, 16 * MIB, MADV_NOHUGEPAGE);
	for (uint64_t region = 0; region < 8; region++)
		fill(&seed, region);
	advise_at(0, 16 * MIB, MADV_HUGEPAGE);
	memset(allowed, PROT_READ | PROT_WRITE, sizeof(allowed));
	if (random_below(&seed, 2)) {
		uint64_t page = random_below(&seed, 4096 - 64);

		protect_at(page * PAGE, 64 * PAGE, PROT_READ);
		memset(allowed + page, PROT_READ, 64);
	}
	if (random_below(&seed, 2)) {
		run_khugepaged();
		time_at(10000000000);
	}
	fork_and(khugepaged_child, random_next(&seed));
	sweep(0, 16 * MIB, false);
	run_khugepaged();
	time_at(40000000000);
	unmap_at(0, ARENA_PAGES * PAGE);
}

/* HUGE_SEEDS=1000 for a long run, HUGE_SEED for one, HUGE_TEST names one test. */
static uint64_t
seeds(uint64_t usual, uint64_t *first)
{
	const char *text = getenv("HUGE_SEEDS"), *one = getenv("HUGE_SEED");

	*first = one ? strtoull(one, NULL, 10) : 1;
	return one ? *first : text ? strtoull(text, NULL, 10) : usual;
}

static void
test_random_thp(void **state)
{
	uint64_t seed, last = seeds(8, &seed);

	(void)state;
	put_sizes(1u << 9);
	for (; seed <= last; seed++)
		assert_true(agrees_with(do_random, seed));
}

/* Without any, but with advice that keeps to small pages. */
static void
test_random_small(void **state)
{
	uint64_t seed, last = seeds(4, &seed);

	(void)state;
	put_sizes(0);
	large = false;
	for (; seed <= last; seed++)
		assert_true(agrees_with(do_random, seed));
}

static void
test_random_sizes(void **state)
{
	uint64_t seed, last = seeds(20, &seed);

	(void)state;
	for (; seed <= last; seed++) {
		uint64_t draw = seed * 7919;

		put_sizes((unsigned)random_below(&draw, 256) << 2);
		assert_true(agrees_with(do_random, seed));
	}
}

static void
test_khugepaged(void **state)
{
	static const int64_t limits[] = { 0, 1, 64, 255, 500, 511 };
	uint64_t seed, last = seeds(20, &seed);

	(void)state;
	put_sizes(1u << 9);
	for (; seed <= last; seed++) {
		uint64_t draw = seed * 7919;

		max_none = limits[random_below(&draw, ARRAY_SIZE(limits))];
		max_shared = limits[random_below(&draw, ARRAY_SIZE(limits))];
		settings_put_number(KHUGEPAGED "max_ptes_none",
				    (uint64_t)max_none);
		settings_put_number(KHUGEPAGED "max_ptes_shared",
				    (uint64_t)max_shared);
		assert_true(agrees_with(do_khugepaged, seed));
	}
	settings_put_number(KHUGEPAGED "max_ptes_none", 0);
}

#define POOL_PAGES 24

static void
hugetlb_steps(uint64_t *seed, int steps)
{
	while (steps--) {
		uint64_t region = random_below(seed, 9);
		uint64_t regions = 1 + random_below(seed, 9 - region);
		uint64_t start = region * 2 * MIB, length = regions * 2 * MIB;
		int rights = random_below(seed, 6) ? PROT_READ | PROT_WRITE
						   : PROT_READ;
		int flags = random_below(seed, 4) ? MAP_PRIVATE : MAP_SHARED;

		switch (random_below(seed, 6)) {
		case 0:
			/* One that the pool has no pages for leaves a hole. */
			unmap_at(start, length);
			memset(allowed + region, 0, regions);
			if (map_at(start, length, rights, flags | MAP_HUGETLB))
				memset(allowed + region, rights, regions);
			continue;
		case 1:
			if (unmap_at(start, length))
				memset(allowed + region, 0, regions);
			continue;
		case 2:
			if (memchr(allowed + region, 0, regions) ||
			    !protect_at(start, length, rights))
				continue;
			memset(allowed + region, rights, regions);
			continue;
		default:
			start += random_below(seed, 512) * PAGE;
			if (allowed[region])
				touch(start, allowed[region] & PROT_WRITE &&
						     random_below(seed, 3));
		}
	}
}

/* The pool has enough for all its copies. */
static void
hugetlb_child(uint64_t seed)
{
	hugetlb_steps(&seed, 20);
	unmap_at(0, ARENA_PAGES * PAGE);
}

static void
do_hugetlb(uint64_t seed)
{
	memset(allowed, 0, sizeof(allowed));
	hugetlb_steps(&seed, 150);
	fork_and(hugetlb_child, random_next(&seed));
	hugetlb_steps(&seed, 100);
	unmap_at(0, ARENA_PAGES * PAGE);
}

/* Pages of the pool: those free and those reserved, after each call. */
static void
test_hugetlb(void **state)
{
	uint64_t seed, last = seeds(20, &seed);

	(void)state;
	if (!settings_put_number(STEPS_POOL "nr_hugepages", POOL_PAGES) ||
	    settings_number(STEPS_POOL "free_hugepages", "") != POOL_PAGES) {
		print_message("no %d free hugetlb pages here\n", POOL_PAGES);
		skip();
	}
	note_pool(true);
	pool_pages = POOL_PAGES;
	for (; seed <= last; seed++)
		assert_true(agrees_with(do_hugetlb, seed));
	note_pool(false);
	pool_pages = 0;
}

/* Who is killed leaves all as it was. */
static void
test_settings_come_back_after_a_kill(void **state)
{
	const char *path = DIRECTORY "khugepaged/alloc_sleep_millisecs";
	long before = settings_number(path, "");
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		settings_forget();
		if (settings_open() && settings_put_number(path, 12345))
			raise(SIGKILL);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	for (int i = 0; i < 500 && settings_number(path, "") != before; i++)
		usleep(10000);
	assert_int_equal(settings_number(path, ""), before);
}

static const char *
set_up(void)
{
	if (!settings_open())
		return "only root may change the kernel's huge pages";
	settings_lock_huge_pages(false);
	if (!settings_put(DIRECTORY "enabled", "madvise"))
		return "this kernel has no transparent huge pages";
	if (!settings_put(DIRECTORY "hugepages-64kB/enabled", "never"))
		return "this kernel has no sizes below 2M";
	settings_put(DIRECTORY "use_zero_page", "1");
	/* khugepaged begins with a round when sizes change: let it do nothing. */
	settings_put_number(DIRECTORY "khugepaged/scan_sleep_millisecs",
			    NEVER_MS);
	settings_put_number(DIRECTORY "khugepaged/pages_to_scan", 1);
	settings_put_number(DIRECTORY "khugepaged/max_ptes_none", 0);
	return steps_open();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_khugepaged),
		cmocka_unit_test(test_hugetlb),
		cmocka_unit_test(test_random_small),
		cmocka_unit_test(test_random_thp),
		cmocka_unit_test(test_random_sizes),
		cmocka_unit_test(test_settings_come_back_after_a_kill),
	};
	const char *reason = set_up();
	int failed;

	if (reason) {
		printf("skipped: %s\n", reason);
		settings_close();
		return 77;
	}
	cmocka_set_test_filter(getenv("HUGE_TEST"));
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	settings_close();
	return failed;
}
