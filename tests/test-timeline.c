// SPDX-License-Identifier: GPL-2.0-or-later
/* Timelines: sums survive the doubling of bins, levels are carried over. */
#include "models/analysis/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct timeline_series series[] = {
	{ "faults", "faults", TIMELINE_COUNTER },
	{ "resident", "bytes", TIMELINE_GAUGE },
};

static json_t *
rows_of(struct result *result)
{
	json_t *tables = json_object_get(result_json(result), "tables");
	json_t *table = json_object_get(tables, "t");

	assert_non_null(table);
	return json_object_get(table, "rows");
}

static json_int_t
cell(json_t *rows, size_t row, size_t column)
{
	return json_integer_value(
		json_array_get(json_array_get(rows, row), column));
}

static void
test_short_run_keeps_each_access(void **state)
{
	struct timeline *timeline;
	struct result *result;
	json_t *rows;

	(void)state;
	assert_int_equal(timeline_open(&timeline, series, 2, 8), 0);
	assert_int_equal(result_open(&result), 0);
	timeline_add(timeline, 0, 0, 2);
	timeline_set(timeline, 1, 1, 10);
	timeline_add(timeline, 0, 3, 1);
	assert_int_equal(timeline_finish(timeline, 5, result, "t", "help"), 0);
	rows = rows_of(result);
	assert_int_equal(json_array_size(rows), 5);
	assert_int_equal(cell(rows, 0, 1), 2);
	assert_int_equal(cell(rows, 0, 2), 0);
	assert_int_equal(cell(rows, 1, 2), 10);
	assert_int_equal(cell(rows, 3, 0), 3);
	assert_int_equal(cell(rows, 3, 1), 1);
	assert_int_equal(cell(rows, 4, 1), 0);
	assert_int_equal(cell(rows, 4, 2), 10);
	result_close(result);
	timeline_close(timeline);
}

/* A million accesses into 8 bins of 131072; one fault every 1000. */
static void
test_long_run_keeps_its_sums(void **state)
{
	struct timeline *timeline;
	struct result *result;
	json_t *rows;
	json_int_t sum = 0;

	(void)state;
	assert_int_equal(timeline_open(&timeline, series, 2, 8), 0);
	assert_int_equal(result_open(&result), 0);
	for (uint64_t now = 0; now < 1000000; now += 1000) {
		timeline_add(timeline, 0, now, 1);
		if (now < 500000)
			timeline_set(timeline, 1, now, now);
	}
	assert_int_equal(timeline_finish(timeline, 1000000, result, "t",
					 "help"),
			 0);
	rows = rows_of(result);
	assert_int_equal(json_array_size(rows), 8);
	for (size_t i = 0; i < 8; i++) {
		uint64_t first = i * 131072, end = first + 131072;
		json_int_t wanted;

		assert_int_equal(cell(rows, i, 0), first);
		end = end < 1000000 ? end : 1000000;
		wanted =
			(json_int_t)((end + 999) / 1000 - (first + 999) / 1000);
		assert_int_equal(cell(rows, i, 1), wanted);
		sum += cell(rows, i, 1);
		assert_int_equal(cell(rows, i, 2),
				 end <= 499000 ? (end - 1) / 1000 * 1000
					       : 499000);
	}
	assert_int_equal(sum, 1000);
	result_close(result);
	timeline_close(timeline);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_short_run_keeps_each_access),
		cmocka_unit_test(test_long_run_keeps_its_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
