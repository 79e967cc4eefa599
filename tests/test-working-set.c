// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Working sets against a plain twin, which looks back T accesses from each, and
 * against the closed form for independent references, sum(1 - (1 - p)^T).
 */
#include "models/analysis/octaves.h"
#include "models/analysis/working-set.h"
#include "models/memory/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PAGES	 40
#define ACCESSES 3000

static void
test_bins(void **state)
{
	(void)state;
	for (unsigned bin = 0; bin < OCTAVES_BINS; bin++) {
		uint64_t end = octaves_end(bin);

		assert_int_equal(octaves_bin(end), bin);
		assert_int_equal(octaves_bin(end + 1), bin + 1);
		if (bin)
			assert_true(end > octaves_end(bin - 1));
	}
	for (uint64_t i = 1; i <= 16; i++)
		assert_int_equal(octaves_end(octaves_bin(i)), i);
}

/* Accesses, one page each; runs of a page are one reference. */
static void
feed(struct working_set *set, const uint32_t *page, uint32_t n,
     const uint8_t *group, uint64_t *random)
{
	uint32_t reference[ACCESSES], left = 0;
	uint64_t time[ACCESSES];
	struct working_set_run run = { reference, time, 0, group };

	for (uint32_t i = 0; i < n; i++) {
		if (i && page[i] == page[i - 1])
			continue;
		reference[left] = page[i];
		time[left++] = i;
	}
	for (uint32_t at = 0; at < left; at += run.n) {
		run.page = reference + at;
		run.time = time + at;
		run.n = 1 + (uint32_t)random_below(random, 100);
		run.n = run.n < left - at ? run.n : left - at;
		assert_int_equal(working_set_feed(set, &run), 0);
	}
	assert_int_equal(working_set_end(set, n), 0);
}

/* Different pages of a group in [from, to) */
static unsigned
different(const uint32_t *page, uint32_t from, uint32_t to,
	  const uint8_t *group, unsigned wanted)
{
	bool seen[PAGES] = { false };
	unsigned n = 0;

	for (uint32_t i = from; i < to; i++) {
		if (!seen[page[i]] && (!group || group[page[i]] == wanted))
			n++;
		seen[page[i]] = true;
	}
	return n;
}

static void
check_sizes(const struct working_set *set, const uint32_t *page, uint32_t n)
{
	uint64_t window;

	for (unsigned i = 0; (window = working_set_time(set, i)); i++) {
		uint64_t sum = 0, missing = 0;

		for (uint32_t t = 0; t < n; t++) {
			uint32_t from =
				t + 1 > window ? t + 1 - (uint32_t)window : 0;
			uint32_t before = t > window ? t - (uint32_t)window : 0;

			sum += different(page, from, t + 1, NULL, 0);
			missing += different(page, before, t, NULL, 0) !=
				   different(page, before, t + 1, NULL, 0);
		}
		assert_true(fabs(working_set_pages(set, i) - (double)sum / n) <
			    1e-9);
		assert_true(fabs(working_set_missing(set, i) -
				 (double)missing / n) < 1e-9);
		if (i > 40)
			i += 5; /* the twin is slow */
	}
}

static void
check_windows(const struct working_set *set, const uint32_t *page, uint32_t n,
	      const uint8_t *group)
{
	uint64_t window = working_set_window(set);
	unsigned windows = working_set_windows(set);

	assert_int_equal(windows, (n + window - 1) / window);
	assert_true(windows <= WORKING_SET_WINDOWS);
	for (unsigned i = 0; i < windows; i++) {
		uint32_t from = (uint32_t)(i * window);
		uint32_t to = from + (uint32_t)window;

		for (unsigned g = 0; g < 3; g++)
			assert_int_equal(working_set_touched(set, i, g),
					 different(page, from, to < n ? to : n,
						   group, g));
	}
}

static void
test_plain_twin(void **state)
{
	uint32_t page[ACCESSES];
	uint8_t group[PAGES];

	(void)state;
	for (uint32_t i = 0; i < PAGES; i++)
		group[i] = (uint8_t)(i % 3);
	for (uint64_t seed = 1; seed <= 4; seed++) {
		uint32_t n = seed == 1 ? 100 : ACCESSES - (uint32_t)seed * 37;
		struct working_set *set;
		uint64_t random = seed;

		for (uint32_t i = 0; i < n; i++)
			page[i] = i && random_below(&random, 3)
					  ? page[i - 1]
					  : (uint32_t)random_below(
						    &random, 1 + i * PAGES / n);
		/* one run that goes over many windows */
		for (uint32_t i = n / 2; seed == 4 && i < n / 2 + 300; i++)
			page[i] = 5;
		assert_int_equal(working_set_open(&set), 0);
		feed(set, page, n, group, &random);
		check_sizes(set, page, n);
		check_windows(set, page, n, group);
		working_set_close(set);
	}
}

/* 64 pages, the k-th with a share of 1 / (k + 1): s(T) = sum 1 - (1 - p)^T */
static void
test_independent_references(void **state)
{
	enum {
		KINDS = 64,
		LENGTH = 2000000
	};
	uint32_t *page = calloc(LENGTH, sizeof(*page));
	uint64_t *time = calloc(LENGTH, sizeof(*time));
	struct working_set_run run = { page, time, LENGTH, NULL };
	double share[KINDS], all = 0, sum[KINDS + 1] = { 0 };
	struct working_set *set;
	uint64_t random = 11, window;

	(void)state;
	assert_non_null(page);
	assert_non_null(time);
	for (unsigned k = 0; k < KINDS; k++)
		all += share[k] = 1.0 / (k + 1);
	for (unsigned k = 0; k < KINDS; k++)
		sum[k + 1] = sum[k] + (share[k] /= all);
	for (uint32_t i = 0; i < LENGTH; i++) {
		double x = (double)(random_next(&random) >> 11) * 0x1p-53;

		while (page[i] + 1 < KINDS && sum[page[i] + 1] <= x)
			page[i]++;
		time[i] = i;
	}
	assert_int_equal(working_set_open(&set), 0);
	assert_int_equal(working_set_feed(set, &run), 0);
	assert_int_equal(working_set_end(set, LENGTH), 0);
	for (unsigned i = 0; (window = working_set_time(set, i)); i++) {
		double wanted = 0, missing = 0;

		if (window > 5000)
			break; /* the first windows of the run are shorter */
		for (unsigned k = 0; k < KINDS; k++) {
			double gone = pow(1 - share[k], (double)window);

			wanted += 1 - gone;
			missing += share[k] * gone;
		}
		assert_true(fabs(working_set_pages(set, i) / wanted - 1) <
			    0.005);
		assert_true(fabs(working_set_missing(set, i) - missing) <
			    0.002);
	}
	working_set_close(set);
	free(page);
	free(time);
}

/*
 * Windows of a run by region: pages of two kinds, half of the references each,
 * to 50 of one region and 2000 of the other.  A window of T accesses touches
 * sum(1 - (1 - p)^T) of each.
 */
static void
test_regions_over_time(void **state)
{
	enum {
		SMALL = 50,
		LARGE = 2000,
		LENGTH = 1 << 20
	};
	uint32_t *page = calloc(LENGTH, sizeof(*page));
	uint64_t *time = calloc(LENGTH, sizeof(*time));
	uint8_t group[SMALL + LARGE];
	struct working_set_run run = { page, time, LENGTH, group };
	struct working_set *set;
	uint64_t random = 5, length;
	double wanted[2], sum[2] = { 0 };
	unsigned windows;

	(void)state;
	for (unsigned i = 0; i < SMALL + LARGE; i++)
		group[i] = i >= SMALL;
	for (uint32_t i = 0; i < LENGTH; i++) {
		page[i] = random_below(&random, 2)
				  ? (uint32_t)random_below(&random, SMALL)
				  : SMALL + (uint32_t)random_below(&random,
								   LARGE);
		time[i] = i;
	}
	assert_int_equal(working_set_open(&set), 0);
	assert_int_equal(working_set_feed(set, &run), 0);
	assert_int_equal(working_set_end(set, LENGTH), 0);
	length = working_set_window(set);
	windows = working_set_windows(set);
	assert_true(windows > 100 && windows * length == LENGTH);
	for (unsigned i = 0; i < windows; i++)
		for (unsigned of = 0; of < 2; of++)
			sum[of] += (double)working_set_touched(set, i, of);
	wanted[0] = SMALL * (1 - pow(1 - 0.5 / SMALL, (double)length));
	wanted[1] = LARGE * (1 - pow(1 - 0.5 / LARGE, (double)length));
	for (unsigned of = 0; of < 2; of++)
		assert_true(fabs(sum[of] / windows / wanted[of] - 1) < 0.005);
	working_set_close(set);
	free(page);
	free(time);
}

static void
test_no_access(void **state)
{
	struct working_set *set;

	(void)state;
	assert_int_equal(working_set_open(&set), 0);
	assert_int_equal(working_set_end(set, 0), 0);
	assert_int_equal(working_set_windows(set), 0);
	assert_true(working_set_pages(set, 0) == 0);
	working_set_close(set);
	working_set_close(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bins),
		cmocka_unit_test(test_plain_twin),
		cmocka_unit_test(test_independent_references),
		cmocka_unit_test(test_regions_over_time),
		cmocka_unit_test(test_no_access),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
