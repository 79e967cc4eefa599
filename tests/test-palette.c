// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Colours of frames: how many pages random placement leaves without room, by the
 * closed form; none for page colouring; partitions that share no colour; and
 * memory that runs out.
 */
#include "models/memory/frames.h"
#include "models/memory/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define PAGES 1024 /* of the cache and of the program */

static struct frames *
frames_of(int colour, uint64_t colours, int64_t seed, uint64_t size_bytes)
{
	const struct frames_config config = {
		.size_bytes = size_bytes,
		.seed = seed,
		.palette = { .colour = colour, .partitions = 4 },
		.colours = colours,
	};
	struct frames *frames;

	assert_int_equal(frames_open(&frames, &config), 0);
	return frames;
}

static uint64_t
colour_of(uint64_t address, uint64_t colours)
{
	return (address >> 12) % colours;
}

/* Pages beyond the ways of their colour, of a contiguous PAGES. */
static double
excess(int colour, unsigned ways, int64_t seed)
{
	uint64_t colours = PAGES / ways, address;
	struct frames *frames = frames_of(colour, colours, seed, 0);
	unsigned n[PAGES] = { 0 }, beyond = 0;

	for (uint64_t i = 0; i < PAGES; i++) {
		assert_int_equal(frames_take_data(frames, 12, (777 + i) << 12,
						  &address),
				 0);
		n[colour_of(address, colours)]++;
	}
	for (uint64_t i = 0; i < colours; i++) {
		assert_int_equal(n[i], frames_colours(frames)[i]);
		beyond += n[i] > ways ? n[i] - ways : 0;
	}
	frames_close(frames);
	return (double)beyond / PAGES;
}

/* B * sum over k > w of (k - w) * Binomial(U, 1/B, k), over U */
static double
expected(unsigned ways)
{
	double bins = (double)PAGES / ways, sum = 0;

	for (unsigned k = ways + 1; k <= PAGES; k++) {
		double log_of = lgamma(PAGES + 1) - lgamma(k + 1) -
				lgamma(PAGES - k + 1) - k * log(bins) +
				(PAGES - k) * log1p(-1 / bins);

		sum += (k - ways) * exp(log_of);
	}
	return bins * sum / PAGES;
}

static void
test_published(void **state)
{
	static const struct {
		unsigned ways;
		double published;
	} anchors[] = {
		{ 1, .368 }, { 2, .270 }, { 4, .195 }, { 8, .139 }, { 16, .098 }
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(anchors); i++) {
		unsigned ways = anchors[i].ways;
		double mean = 0;

		for (int64_t seed = 1; seed <= 200; seed++)
			mean += excess(PALETTE_RANDOM, ways, seed) / 200;
		assert_true(fabs(expected(ways) - anchors[i].published) <
			    .0006);
		assert_true(fabs(mean - expected(ways)) < .003);
		assert_true(excess(PALETTE_COLOURING, ways, 1) == 0);
		assert_true(excess(PALETTE_HOPPING, ways, 1) == 0);
	}
}

static void
test_colouring_is_by_address(void **state)
{
	struct frames *frames = frames_of(PALETTE_COLOURING, 48, 1, 0);
	uint64_t random = 3, address;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		uint64_t page = random_below(&random, 1 << 30);

		assert_int_equal(frames_take_data(frames, 12, page << 12,
						  &address),
				 0);
		assert_int_equal(colour_of(address, 48), page % 48);
	}
	frames_close(frames);
}

/* Each space has a quarter of the colours, whatever comes and goes; large pages
 * are beside that. */
static void
test_partitions(void **state)
{
	struct frames *frames = frames_of(PALETTE_PARTITION, 64, 1, 64 << 20);
	static uint64_t held[1 << 14];
	uint64_t random = 3, n = 0, address;
	int error = 0;

	(void)state;
	for (unsigned i = 0; i < 80000; i++) {
		uint32_t space = (uint32_t)random_below(&random, 8);

		frames_run(frames, space);
		if (random_below(&random, 3) || !n) {
			error = random_below(&random, 8)
					? frames_take_data(frames, 12, 0,
							   &address)
					: frames_take_table(frames, 12, 1, 0,
							    &address);
			if (error)
				break;
			assert_int_equal(colour_of(address, 64) / 16,
					 space % 4);
			held[n++] = address;
		} else {
			uint64_t k = random_below(&random, n);

			frames_give(frames, 12, held[k]);
			held[k] = held[--n];
		}
	}
	/* out, for that space: near the end of memory, not before */
	assert_int_equal(error, -ENOMEM);
	assert_true(n > (64 << 8) * 9 / 10);
	while (n)
		frames_give(frames, 12, held[--n]);
	assert_int_equal(frames_used(frames), 0);
	/* and all of it can be large pages again */
	for (unsigned i = 0; i < 32; i++)
		assert_int_equal(frames_take_data(frames, 21, 0, &address), 0);
	assert_int_equal(frames_take_data(frames, 12, 0, &address), -ENOMEM);
	frames_close(frames);
}

/* A colour that is out gives way to others: all of memory is given. */
static void
test_strays(void **state)
{
	struct frames *frames = frames_of(PALETTE_COLOURING, 16, 1, 1 << 20);
	uint64_t address, last = 0;

	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		assert_int_equal(frames_take_data(frames, 12, 0, &address), 0);
		assert_int_not_equal(address, last);
		last = address;
		if (i < 16)
			assert_int_equal(colour_of(address, 16), 0);
	}
	assert_int_equal(frames_take_data(frames, 12, 0, &address), -ENOMEM);
	frames_close(frames);
}

static void
test_what_is_refused(void **state)
{
	struct palette_config config = { .colour = PALETTE_PARTITION,
					 .partitions = 3 };
	const char *field = NULL;
	char text[256];

	(void)state;
	assert_true(palette_config_wrong(&config, 64, &field, text,
					 sizeof(text)) > 0);
	assert_string_equal(field, "partitions");
	config.partitions = 64;
	assert_int_equal(palette_config_wrong(&config, 64, &field, text,
					      sizeof(text)),
			 0);
	assert_true(palette_config_wrong(&config, 0, &field, text,
					 sizeof(text)) > 0);
	assert_string_equal(field, "colour");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published),
		cmocka_unit_test(test_colouring_is_by_address),
		cmocka_unit_test(test_partitions),
		cmocka_unit_test(test_strays),
		cmocka_unit_test(test_what_is_refused),
	};

	return cmocka_run_group_tests_name("palette", tests, NULL, NULL);
}
