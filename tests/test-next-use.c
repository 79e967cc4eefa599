// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Next references of long strings, made short: the file and the table of far
 * distances are used from a few KiB and a distance of 50 on.
 */
#define MEMORY_MAX (UINT64_C(1) << 12)
#define FAR	   50u
#include "models/paging/next-use.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "models/memory/random.h"

#define LENGTH 300000u
#define PAGES  150u

/* A string from a file against the same one searched backwards */
static void
test_spilled(UNUSED void **state)
{
	uint32_t *page = malloc(LENGTH * sizeof(*page));
	uint64_t *next = malloc(LENGTH * sizeof(*next));
	uint64_t last[PAGES], random = 9;
	struct next_use *next_use = NULL;
	uint32_t run, far = 0;

	assert_true(page && next);
	for (uint32_t i = 0; i < LENGTH; i++)
		page[i] = (uint32_t)random_below(&random, PAGES);
	assert_int_equal(next_use_open(&next_use, true), 0);
	for (uint32_t i = 0; i < LENGTH; i += run) {
		run = LENGTH - i < 7777 ? LENGTH - i : 7777;
		assert_int_equal(next_use_add(next_use, page + i, run), 0);
	}
	assert_true(next_use->distance.file >= 0);
	assert_true(next_use->page.file >= 0);
	assert_true(next_use->far.n > 0);
	assert_int_equal(next_use_read(next_use, 0, LENGTH, next), LENGTH);
	assert_memory_equal(next_use_pages(next_use, 0), page,
			    LENGTH * sizeof(*page));
	for (uint32_t i = 0; i < PAGES; i++)
		last[i] = RECLAIM_NEVER;
	for (uint32_t i = LENGTH; i-- > 0;) {
		assert_int_equal(next[i], last[page[i]]);
		far += next[i] != RECLAIM_NEVER && next[i] - i >= FAR;
		last[page[i]] = i;
	}
	assert_int_equal(far, next_use->far.n);
	next_use_close(next_use);
	free(page);
	free(next);
}

/* No directory for the file: said, and what was there can be closed. */
static void
test_no_directory(UNUSED void **state)
{
	struct next_use *next_use = NULL;
	const uint32_t page[2] = { 0, 1 };

	setenv("TMPDIR", "/nonexistent", 1);
	assert_int_equal(next_use_open(&next_use, false), 0);
	assert_int_equal(next_use_add(next_use, page, 0), 0);
	assert_int_equal(next_use_add(next_use, page, 2), -EIO);
	next_use_close(next_use);
	unsetenv("TMPDIR");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spilled),
		cmocka_unit_test(test_no_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
