// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Replacement policies: published strings, laws, and each against a slow plain
 * twin.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/memory/random.h"
#include "models/paging/next-use.h"
#include "tests/reclaim-drive.h"

static const uint32_t belady[] = { 1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5 };
static const uint32_t textbook[] = { 7, 0, 1, 2, 0, 3, 0, 4, 2, 3,
				     0, 3, 2, 1, 2, 0, 1, 7, 0, 1 };

#define STRING(a)                               \
	{                                       \
		.page = (a), .n = ARRAY_SIZE(a) \
	}

/* Belady, Nelson, Shedler 1969; Silberschatz' string */
static void
test_strings(UNUSED void **state)
{
	static const struct {
		const char *policy;
		uint64_t capacity, belady, textbook;
	} row[] = {
		{ "fifo", 3, 9, 15 },  { "fifo", 4, 10, 10 },
		{ "fifo", 5, 5, 0 },   { "fifo", 2, 0, 15 },
		{ "lru", 3, 10, 12 },  { "lru", 4, 8, 8 },
		{ "lru", 5, 5, 0 },    { "lru", 2, 0, 17 },
		{ "opt", 3, 7, 9 },    { "opt", 4, 6, 8 },
		{ "opt", 5, 5, 0 },    { "opt", 2, 0, 13 },
		{ "clock", 3, 9, 14 },
	};
	const struct reclaim_string first = STRING(belady);
	const struct reclaim_string second = STRING(textbook);

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		if (row[i].belady)
			assert_int_equal(reclaim_misses(row[i].policy,
							row[i].capacity,
							&first),
					 row[i].belady);
		if (row[i].textbook)
			assert_int_equal(reclaim_misses(row[i].policy,
							row[i].capacity,
							&second),
					 row[i].textbook);
	}
}

/* next-use against a search ahead, in runs of all lengths */
static void
test_next_use(UNUSED void **state)
{
	enum {
		LENGTH = 3000
	};
	static uint32_t page[LENGTH];
	static uint64_t next[LENGTH];
	struct next_use *next_use;
	uint32_t run;

	reclaim_random(page, LENGTH, 50, 3);
	assert_int_equal(next_use_open(&next_use, true), 0);
	for (uint32_t i = 0; i < LENGTH; i += run) {
		run = LENGTH - i < i % 7 ? LENGTH - i : i % 7 + !(i % 7);
		assert_int_equal(next_use_add(next_use, page + i, run), 0);
	}
	assert_int_equal(next_use_length(next_use), LENGTH);
	assert_int_equal(next_use_read(next_use, 0, LENGTH, next), LENGTH);
	assert_int_equal(next_use_read(next_use, LENGTH - 3, 10, next), 3);
	assert_int_equal(next_use_read(next_use, LENGTH, 10, next), 0);
	assert_int_equal(next_use_read(next_use, 0, LENGTH, next), LENGTH);
	assert_memory_equal(next_use_pages(next_use, 10), page + 10,
			    (LENGTH - 10) * sizeof(*page));
	for (uint64_t i = 0; i < LENGTH; i++) {
		uint64_t j = i + 1;

		while (j < LENGTH && page[j] != page[i])
			j++;
		assert_int_equal(next[i], j < LENGTH ? j : RECLAIM_NEVER);
	}
	next_use_close(next_use);
}

/* Long strings go through a file. */
static void
test_next_use_long(UNUSED void **state)
{
	enum {
		RUN = 1 << 20,
		RUNS = 20
	};
	uint32_t *page = malloc(RUN * sizeof(*page));
	struct next_use *next_use;
	uint64_t next;

	assert_non_null(page);
	for (uint32_t i = 0; i < RUN; i++)
		page[i] = i;
	assert_int_equal(next_use_open(&next_use, false), 0);
	for (int i = 0; i < RUNS; i++)
		assert_int_equal(next_use_add(next_use, page, RUN), 0);
	for (uint64_t i = 0; i < RUN * (uint64_t)RUNS; i += 9973) {
		assert_int_equal(next_use_read(next_use, i, 1, &next), 1);
		assert_int_equal(next, i + RUN < RUN * (uint64_t)RUNS
					       ? i + RUN
					       : RECLAIM_NEVER);
	}
	next_use_close(next_use);
	free(page);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_next_use),
		cmocka_unit_test(test_next_use_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
