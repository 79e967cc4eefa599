// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The running kernel as judge of models/paging: each step (a touch, mmap,
 * munmap, mprotect, madvise, mremap, mlock, fork, ...) is done for real, with
 * its minor faults (getrusage) and the process's table bytes (VmPTE) noted, and
 * then fed to the model, which must have said the same, step by step.
 */
#include "models/memory/random.h"
#include "tests/kernel-steps.h"
#include "tests/settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include <cmocka.h>

#define FILE_PAGES STEPS_FILE_PAGES

static bool huge; /* mappings ask for huge pages */

static bool
map(uint64_t offset, uint64_t length, int rights, int flags)
{
	/* The policy is "madvise" on most hosts, "always" on some. */
	return map_at(offset, length, rights, flags) &&
	       (!huge || advise_at(offset, length, MADV_HUGEPAGE));
}

static bool
anon(uint64_t offset, uint64_t length)
{
	return map(offset, length, PROT_READ | PROT_WRITE, MAP_PRIVATE);
}

static void
do_demand_zero_stride_and_sparse(uint64_t seed)
{
	(void)seed;
	anon(0, 8 * MIB);
	sweep(0, 8 * MIB, true);
	anon(GIB, 32 * MIB);
	for (uint64_t i = 0; i < 32 * MIB; i += 7 * PAGE)
		touch(GIB + i, true);
	map(2 * GIB, 32 * GIB, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_NORESERVE);
	for (uint64_t i = 0; i < 32; i++)
		touch(2 * GIB + i * GIB, true);
	unmap_at(0, 64 * GIB);
}

static void
do_zero_page(uint64_t seed)
{
	(void)seed;
	anon(0, 2 * MIB);
	sweep(0, MIB, false);
	sweep(0, 2 * MIB, true);
	advise_at(MIB / 2, MIB, MADV_DONTNEED);
	sweep(0, 2 * MIB, false);
	unmap_at(0, 2 * MIB);
}

static void
child_writes(uint64_t seed)
{
	(void)seed;
	sweep(0, 64 * PAGE, false);
	sweep(0, 32 * PAGE, true);
	sweep(MIB, 64 * PAGE, false);
	sweep(2 * MIB, 64 * PAGE, false);
	unmap_at(0, GIB);
}

static void
do_fork(uint64_t seed)
{
	(void)seed;
	anon(0, 128 * PAGE);
	sweep(0, 128 * PAGE, true);
	anon(MIB, 64 * PAGE);
	sweep(MIB, 64 * PAGE, false);
	map(2 * MIB, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	sweep(2 * MIB, 64 * PAGE, true);
	fork_and(child_writes, 0);
	sweep(0, 128 * PAGE, true);
	fork_and(child_writes, 0);
	protect_at(0, 64 * PAGE, PROT_READ);
	protect_at(0, 64 * PAGE, PROT_READ | PROT_WRITE);
	sweep(0, 128 * PAGE, true);
	protect_at(0, 64 * PAGE, PROT_READ);
	protect_at(0, 64 * PAGE, PROT_READ | PROT_WRITE);
	sweep(0, 128 * PAGE, true);
	unmap_at(0, GIB);
}

static void
do_files(uint64_t seed)
{
	(void)seed;
	file_at(3 * PAGE, 100 * PAGE, PROT_READ, MAP_PRIVATE, 0, 5);
	sweep(8 * PAGE, 60 * PAGE, false);
	touch(3 * PAGE, false);
	file_at(GIB, 512 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, 0);
	for (uint64_t i = 0; i < 512; i += 5)
		touch(GIB + i * PAGE, i % 2);
	sweep(GIB, 512 * PAGE, false);
	sweep(GIB, 512 * PAGE, true);
	/* Past the end of the file, up to its last page only. */
	file_at(2 * GIB, 32 * PAGE, PROT_READ, MAP_PRIVATE, 0, FILE_PAGES - 20);
	touch(2 * GIB + 17 * PAGE, false);
	touch(2 * GIB + 15 * PAGE, false);
	file_at(3 * GIB, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 1, 32);
	sweep(3 * GIB, 16 * PAGE, true);
	file_at(4 * GIB, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, 1, 32);
	sweep(4 * GIB, 64 * PAGE, false);
	sweep(4 * GIB, 64 * PAGE, true);
	unmap_at(0, 8 * GIB);
}

static void
do_populate_and_lock(uint64_t seed)
{
	(void)seed;
	map(0, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_POPULATE);
	sweep(0, 64 * PAGE, true);
	map(MIB, 64 * PAGE, PROT_READ, MAP_PRIVATE | MAP_POPULATE);
	sweep(MIB, 64 * PAGE, false);
	file_at(2 * MIB, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0, 0);
	lock_at(2 * MIB + 5 * PAGE, 20 * PAGE, true);
	sweep(2 * MIB, 64 * PAGE, true);
	file_at(4 * MIB, 64 * PAGE, PROT_READ, MAP_PRIVATE, 0, 0);
	lock_at(4 * MIB + 5 * PAGE, 20 * PAGE, true);
	sweep(4 * MIB, 64 * PAGE, false);
	anon(6 * MIB, 64 * PAGE);
	advise_at(6 * MIB, 8 * PAGE, 22 /* MADV_POPULATE_READ */);
	advise_at(6 * MIB + 8 * PAGE, 8 * PAGE, 23 /* MADV_POPULATE_WRITE */);
	kernel_write_at(6 * MIB + 12 * PAGE + 1, 8 * PAGE);
	sweep(6 * MIB, 64 * PAGE, true);
	unmap_at(0, GIB);
}

static void
do_stack_growth(uint64_t seed)
{
	(void)seed;
	anon(0, PAGE);
	touch(0, true);
	map(8 * MIB, 32 * PAGE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_GROWSDOWN);
	for (uint64_t page = 2048 + 31; page >= 257; page -= 3)
		touch(page * PAGE, true);
	unmap_at(0, GIB);
}

#define RANDOM_PAGES 2600 /* of the arena: over five PTE tables */

/* What may be touched: rights by page, 0: no mapping. */
static uint8_t allowed[RANDOM_PAGES];

static bool
all_allowed(uint64_t page, uint64_t pages)
{
	for (uint64_t i = page; i < page + pages; i++)
		if (!allowed[i])
			return false;
	return true;
}

static void
random_map(uint64_t *seed, uint64_t page, uint64_t pages)
{
	int rights = random_below(seed, 4) ? PROT_READ | PROT_WRITE : PROT_READ;
	int flags = random_below(seed, 3) ? MAP_PRIVATE : MAP_SHARED;
	uint32_t file = (uint32_t)random_below(seed, 2);
	bool anonymous = random_below(seed, 2);
	uint64_t of_file;

	if (!anonymous && flags == MAP_SHARED)
		file = 1; /* what is on disk is written back at times */
	if (!anonymous && pages > FILE_PAGES / 2)
		pages = FILE_PAGES / 2;
	/* It would populate before the advice is heard. */
	if (random_below(seed, 20) == 0 && !huge)
		flags |= MAP_POPULATE;
	of_file = random_below(seed, FILE_PAGES / 2);
	if (anonymous ? map(page * PAGE, pages * PAGE, rights, flags)
		      : file_at(page * PAGE, pages * PAGE, rights, flags, file,
				of_file))
		memset(allowed + page, rights, pages);
}

static void
random_call(uint64_t *seed)
{
	uint64_t page = random_below(seed, RANDOM_PAGES - 1);
	uint64_t pages = random_below(seed, 8) ? random_below(seed, 60) + 1
					       : random_below(seed, 1500) + 1;
	uint64_t to = random_below(seed, RANDOM_PAGES - 64);
	int rights = random_below(seed, 2) ? PROT_READ | PROT_WRITE : PROT_READ;

	if (pages > RANDOM_PAGES - page)
		pages = RANDOM_PAGES - page;
	switch (random_below(seed, 10)) {
	case 0:
	case 1:
	case 2:
		random_map(seed, page, pages);
		return;
	case 3:
		if (unmap_at(page * PAGE, pages * PAGE))
			memset(allowed + page, 0, pages);
		return;
	case 4:
	case 5:
		if (all_allowed(page, pages) &&
		    protect_at(page * PAGE, pages * PAGE, rights))
			memset(allowed + page, rights, pages);
		return;
	case 6:
		if (all_allowed(page, pages))
			advise_at(page * PAGE, pages * PAGE, MADV_DONTNEED);
		return;
	case 7:
		pages = pages > 64 ? 64 : pages;
		if (!all_allowed(page, pages) ||
		    (to < page + pages && page < to + pages) ||
		    !move_at(page * PAGE, pages * PAGE, to * PAGE,
			     pages * PAGE))
			return;
		memcpy(allowed + to, allowed + page, pages);
		memset(allowed + page, 0, pages);
		return;
	case 8:
		if (all_allowed(page, pages))
			advise_at(page * PAGE, pages * PAGE,
				  rights & PROT_WRITE && allowed[page] &&
						  random_below(seed, 2)
					  ? 22
					  : MADV_DONTNEED);
		return;
	default:
		if (all_allowed(page, pages) && random_below(seed, 2))
			lock_at(page * PAGE, pages * PAGE, true);
		lock_at(page * PAGE, pages * PAGE, false);
		return;
	}
}

static void
random_steps(uint64_t *seed, int steps)
{
	for (int i = 0; i < steps; i++) {
		uint64_t page, run;

		if (random_below(seed, 12) == 0)
			random_call(seed);
		page = random_below(seed, RANDOM_PAGES);
		run = random_below(seed, 6) ? 1 : random_below(seed, 40);
		for (; run && page < RANDOM_PAGES; run--, page++)
			if (allowed[page])
				touch(page * PAGE,
				      allowed[page] & PROT_WRITE &&
					      random_below(seed, 2));
	}
}

static void
random_child(uint64_t seed)
{
	random_steps(&seed, 150);
	unmap_at(0, RANDOM_PAGES * PAGE);
}

static void
do_random(uint64_t seed)
{
	memset(allowed, 0, sizeof(allowed));
	for (int round = 0; round < 8; round++) {
		random_steps(&seed, 250);
		if (round % 2)
			fork_and(random_child, random_next(&seed));
	}
	unmap_at(0, RANDOM_PAGES * PAGE);
	assert_in_range(steps_count(), 1000, STEPS_MOST - 2);
}

/*
 * Fault-around leaves a page out that another part of the kernel holds locked
 * at the moment (mm/filemap.c, next_uptodate_folio): seen in 1 of 200,000
 * steps.  So a difference counts only if it comes again.
 */
static bool
agrees_with(void (*act)(uint64_t seed), uint64_t seed, int policy)
{
	const struct paging_config config = { .policy = policy };

	for (int tries = 0; tries < 5; tries++) {
		steps_reset();
		act(seed);
		if (steps_agree(&config))
			return true;
		print_message("seed %ju, again\n", (uintmax_t)seed);
	}
	return false;
}

static void
test_hand_made_programs(void **state)
{
	static void (*const programs[])(uint64_t seed) = {
		do_demand_zero_stride_and_sparse,
		do_zero_page,
		do_fork,
		do_files,
		do_populate_and_lock,
		do_stack_growth,
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		assert_true(agrees_with(programs[i], i, PAGES_RECORDED));
}

static void
huge_child(uint64_t seed)
{
	(void)seed;
	sweep(2 * MIB, 20 * PAGE, false);
	sweep(2 * MIB, 20 * PAGE, true);
	sweep(8 * MIB, 20 * PAGE, true);
	protect_at(4 * MIB, 2 * MIB, PROT_READ);
	unmap_at(0, GIB);
}

static void
do_huge(uint64_t seed)
{
	(void)seed;
	anon(MIB, 12 * MIB);
	sweep(MIB, 8 * MIB, true);
	sweep(10 * MIB, 3 * MIB, false);
	sweep(10 * MIB, 3 * MIB, true);
	fork_and(huge_child, 0);
	sweep(MIB, 8 * MIB, true);
	unmap_at(3 * MIB, PAGE);
	protect_at(5 * MIB, MIB, PROT_READ);
	sweep(4 * MIB, 2 * MIB, false);
	advise_at(6 * MIB, 4 * MIB, MADV_DONTNEED);
	sweep(6 * MIB, 4 * MIB, true);
	move_at(8 * MIB, 2 * MIB, 64 * MIB, 2 * MIB);
	move_at(10 * MIB, 2 * MIB, 80 * MIB + PAGE, 2 * MIB);
	sweep(64 * MIB, 2 * MIB, true);
	sweep(80 * MIB + PAGE, 2 * MIB, true);
	unmap_at(0, GIB);
}

/* PAGING_SEEDS=1000 for a long run. */
static void
test_random_programs(void **state)
{
	const char *seeds = getenv("PAGING_SEEDS");
	uint64_t n = seeds ? strtoull(seeds, NULL, 10) : 12;

	(void)state;
	for (uint64_t seed = 1; seed <= n; seed++)
		assert_true(agrees_with(do_random, seed, PAGES_RECORDED));
}

/* Memory without a free 2M run falls back to small pages. */
static long
fallbacks(void)
{
	return settings_number("/proc/vmstat", "thp_fault_fallback ") +
	       settings_number("/proc/vmstat", "thp_zero_page_alloc_failed ");
}

static bool
huge_pages_work(void)
{
	const char *directory = "/sys/kernel/mm/transparent_hugepage/";
	char path[128], line[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "%suse_zero_page", directory);
	if (settings_number(path, "") != 1)
		return false;
	snprintf(path, sizeof(path), "%senabled", directory);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		line[0] = '\0';
	if (file)
		fclose(file);
	return line[0] && !strstr(line, "[never]");
}

static void
test_huge_pages(void **state)
{
	long before = fallbacks();

	(void)state;
	if (!huge_pages_work()) {
		print_message("transparent huge pages are off here\n");
		skip();
	}
	settings_lock_huge_pages(true);
	assert_int_equal(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0), 0);
	huge = true;
	note_huge(true);
	for (uint64_t seed = 0; seed < 6; seed++) {
		bool agrees = agrees_with(seed ? do_random : do_huge, seed,
					  PAGES_THP);

		if (!agrees && fallbacks() != before) {
			print_message("memory is too fragmented\n");
			break;
		}
		assert_true(agrees);
	}
	huge = false;
	note_huge(false);
	assert_int_equal(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), 0);
}

/* Why the kernel's figures cannot be had here, or NULL. */
static const char *
set_up(void)
{
	const char *reason = steps_open();

	if (!reason)
		reason = steps_files();
	if (!reason)
		note_huge(false);
	if (!reason && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		reason = "huge pages cannot be switched off";
	return reason;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hand_made_programs),
		cmocka_unit_test(test_random_programs),
		cmocka_unit_test(test_huge_pages),
	};
	const char *reason = set_up();

	if (reason) {
		printf("skipped: %s\n", reason);
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
