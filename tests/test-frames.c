// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Frames: never given twice, aligned, all of memory and no more; and the set
 * of bits under them against a plain array.
 */
#include "models/memory/bittree.h"
#include "models/memory/frames.h"
#include "models/memory/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct frames *
frames_of(uint64_t size_bytes, int order)
{
	struct frames_config config = { size_bytes, order, 42 };
	struct frames *frames;

	assert_int_equal(frames_open(&frames, &config), 0);
	return frames;
}

/* The real place of a page: once, and given back like any other. */
static void
test_a_run_at_its_place(void **state)
{
	struct frames *frames = frames_of(0, FRAMES_RECORDED);
	struct frames *small = frames_of(1 << 20, FRAMES_ASCENDING);
	const uint64_t place = UINT64_C(0x1234567000);
	uint64_t a, b, c;

	(void)state;
	assert_true(frames_recorded(frames));
	assert_false(frames_recorded(small));
	assert_int_equal(frames_take_at(frames, 12, place, &a), 0);
	assert_true(frames_is(a, place));
	assert_false(frames_is(a, place + 4096));
	assert_int_equal(frames_take_at(frames, 12, place, &b), -EBUSY);
	/* the 2M around it is not free, the next one is */
	assert_int_equal(frames_take_at(frames, 21, place & ~0x1fffffull, &b),
			 -EBUSY);
	assert_int_equal(frames_take_at(frames, 21, 0x1234600000, &b), 0);
	assert_int_equal(frames_used(frames), 4096 + (2 << 20));
	assert_int_equal(frames_take(frames, 12, &c), 0);
	assert_true(frames_is(c, 0));
	frames_give(frames, 12, a);
	assert_int_equal(frames_take_at(frames, 12, place, &a), 0);
	assert_int_equal(frames_take_at(small, 12, place, &b), -ENOSPC);
	assert_int_equal(frames_take_at(small, 12, 0xff000, &b), 0);
	assert_int_equal(frames_take_at(small, 12, 0x100000, &b), -ENOSPC);
	frames_close(frames);
	frames_close(small);
}

static void
test_bittree_equals_an_array(void **state)
{
	enum {
		NUMBERS = 20000
	};
	struct bittree tree = { 0 };
	bool *plain = calloc(NUMBERS, sizeof(*plain));
	uint64_t seed = 3;
	size_t room = 0;

	(void)state;
	for (int i = 0; i < 60000; i++) {
		size_t n, next;

		/* Grow in the midst of use, also over a level's edge. */
		if (i % 3000 == 0 && room < NUMBERS) {
			room += 1000;
			assert_int_equal(bittree_grow(&tree, room), 0);
		}
		n = random_below(&seed, room);
		plain[n] = random_below(&seed, 100) < 40;
		if (plain[n])
			bittree_add(&tree, n);
		else
			bittree_remove(&tree, n);
		assert_int_equal(bittree_has(&tree, n), plain[n]);
		n = next = random_below(&seed, room);
		while (next < room && !plain[next])
			next++;
		assert_int_equal(bittree_next(&tree, n),
				 next < room ? next : BITTREE_NONE);
	}
	free(plain);
	bittree_fini(&tree);
}

/* Take and give at random; a plain map says what is taken. */
static void
churn(int order)
{
	enum {
		PAGES = 4 * 512 + 100,
		HELD = 3000
	};
	struct frames *frames = frames_of(PAGES * 4096, order);
	bool taken[PAGES] = { false };
	struct {
		uint64_t address;
		unsigned shift;
	} held[HELD];
	size_t n = 0;
	uint64_t seed = 8, base = UINT64_MAX, used = 0, address;

	/* All of memory, to learn where it begins. */
	while (frames_take(frames, 12, &address) == 0) {
		base = address < base ? address : base;
		held[n].address = address;
		held[n++].shift = 12;
	}
	assert_int_equal(n, PAGES);
	while (n)
		frames_give(frames, 12, held[--n].address);
	for (int i = 0; i < 40000; i++) {
		static const unsigned shifts[] = { 12, 12, 12, 14, 16 };
		unsigned shift = random_below(&seed, 50)
					 ? shifts[random_below(&seed, 5)]
					 : 21;
		uint64_t pages = UINT64_C(1) << (shift - 12);

		if (n < HELD && random_below(&seed, 100) < 52 &&
		    frames_take(frames, shift, &address) == 0) {
			assert_int_equal(address % (pages << 12), 0);
			address = (address - base) >> 12;
			assert_true(address + pages <= PAGES);
			for (uint64_t p = 0; p < pages; p++) {
				assert_false(taken[address + p]);
				taken[address + p] = true;
			}
			held[n].address = address;
			held[n++].shift = shift;
			used += pages;
		} else if (n) {
			size_t k = random_below(&seed, n);

			pages = UINT64_C(1) << (held[k].shift - 12);
			memset(taken + held[k].address, 0, pages);
			frames_give(frames, held[k].shift,
				    base + (held[k].address << 12));
			held[k] = held[--n];
			used -= pages;
		}
		assert_int_equal(frames_used(frames), used << 12);
	}
	assert_int_equal(frames_peak(frames), (uint64_t)PAGES << 12);
	frames_close(frames);
}

static void
test_no_frame_is_given_twice(void **state)
{
	(void)state;
	churn(FRAMES_ASCENDING);
	churn(FRAMES_RANDOM);
}

static void
test_ascending_takes_the_lowest(void **state)
{
	struct frames *frames = frames_of(0, FRAMES_ASCENDING);
	uint64_t a, b, c, again;

	(void)state;
	assert_int_equal(frames_take(frames, 12, &a), 0);
	assert_int_equal(frames_take(frames, 12, &b), 0);
	assert_int_equal(frames_take(frames, 12, &c), 0);
	assert_true(a > 0 && b == a + 4096 && c == b + 4096);
	frames_give(frames, 12, a);
	assert_int_equal(frames_take(frames, 12, &again), 0);
	assert_int_equal(again, a);
	frames_close(frames);
}

/* A page in each 2M block leaves no 2M run, though most memory is free. */
static void
test_fragmented_memory_has_no_large_run(void **state)
{
	struct frames *frames = frames_of(UINT64_C(2) << 30, FRAMES_ASCENDING);
	uint64_t address[1024], page;

	(void)state;
	assert_int_equal(frames_take(frames, 30, &page), 0);
	assert_int_equal(page % (UINT64_C(1) << 30), 0);
	frames_give(frames, 30, page);
	for (int i = 0; i < 1024; i++)
		assert_int_equal(frames_take(frames, 21, &address[i]), 0);
	assert_int_equal(frames_take(frames, 12, &page), -ENOMEM);
	for (int i = 0; i < 1024; i++) /* all but its last page */
		for (uint64_t p = 0; p < 511; p++)
			frames_give(frames, 12, address[i] + p * 4096);
	assert_int_equal(frames_used(frames), 1024 * 4096);
	assert_int_equal(frames_take(frames, 21, &page), -ENOMEM);
	assert_int_equal(frames_take(frames, 30, &page), -ENOMEM);
	frames_give(frames, 12, address[500] + 511 * 4096);
	assert_int_equal(frames_take(frames, 21, &page), 0);
	assert_int_equal(page, address[500]);
	frames_close(frames);
}

static void
test_unbounded_memory_grows(void **state)
{
	struct frames *frames = frames_of(0, FRAMES_ASCENDING);
	uint64_t page, last = 0;

	(void)state;
	assert_int_equal(frames_take(frames, 12, &page), 0);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(frames_take(frames, 30, &page), 0);
		assert_true(page > last);
		last = page;
	}
	assert_int_equal(frames_used(frames), (UINT64_C(300) << 30) + 4096);
	frames_close(frames);
}

/*
 * Random frames fall on page colours evenly: of U = 1024 pages in 1024
 * colours 1/e of the colours stay empty: 36.8 % (ANCHORS: excess at one way).
 */
static void
test_random_order_is_even(void **state)
{
	struct frames *frames = frames_of(0, FRAMES_RANDOM);
	unsigned excess = 0;

	(void)state;
	for (int round = 0; round < 50; round++) {
		uint64_t address[1024];
		unsigned colour[1024] = { 0 };

		for (int i = 0; i < 1024; i++) {
			assert_int_equal(frames_take(frames, 12, &address[i]),
					 0);
			if (colour[address[i] / 4096 % 1024]++)
				excess++;
		}
		for (int i = 0; i < 1024; i++)
			frames_give(frames, 12, address[i]);
	}
	assert_in_range(excess, 50 * 1024 * 362 / 1000, 50 * 1024 * 374 / 1000);
	frames_close(frames);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bittree_equals_an_array),
		cmocka_unit_test(test_a_run_at_its_place),
		cmocka_unit_test(test_no_frame_is_given_twice),
		cmocka_unit_test(test_ascending_takes_the_lowest),
		cmocka_unit_test(test_fragmented_memory_has_no_large_run),
		cmocka_unit_test(test_unbounded_memory_grows),
		cmocka_unit_test(test_random_order_is_even),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
