// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The buddy allocator: sequences worked by hand, a plain twin, start states;
 * and the kernel's arithmetic of free blocks, by hand and against the live
 * kernel's own counts.
 */
#include "models/memory/buddyinfo.h"
#include "models/memory/frames.h"
#include "models/memory/pool.h"
#include "models/memory/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NONE UINT64_MAX

static struct pool *
pool_of(uint64_t pages, int lists)
{
	const struct buddy_config config = {
		.pages = pages,
		.most = UINT64_C(1) << 31,
		.lists = lists,
	};
	struct pool *pool;

	assert_int_equal(pool_buddy_open(&pool, &config), 0);
	return pool;
}

static uint64_t
take(struct pool *pool, unsigned order)
{
	uint64_t page;

	return pool->ops->take(pool, 12 + order, POOL_MOVABLE, &page) ? NONE
								      : page;
}

static uint64_t
blocks_of(const struct pool *pool, unsigned order)
{
	uint64_t blocks[POOL_ORDERS];

	pool->ops->blocks(pool, blocks);
	return blocks[order];
}

static void
test_by_hand(void **state)
{
	struct pool *pool = pool_of(1024, BUDDY_LIFO);

	(void)state;
	assert_int_equal(take(pool, 0), 0);
	for (unsigned order = 0; order < 10; order++)
		assert_int_equal(blocks_of(pool, order), 1);
	assert_int_equal(take(pool, 0), 1);
	assert_int_equal(take(pool, 1), 2);
	assert_int_equal(take(pool, 3), 8);
	assert_int_equal(take(pool, 0), 4);
	assert_int_equal(take(pool, 0), 5);
	/* 0 and 4 have no free buddy: the one given back last leaves first */
	pool->ops->give(pool, 0, 1);
	pool->ops->give(pool, 4, 1);
	assert_int_equal(blocks_of(pool, 0), 2);
	assert_int_equal(take(pool, 0), 4);
	pool->ops->give(pool, 4, 1);
	/* 4 and 5 merge, and with the free 6 and 7 */
	pool->ops->give(pool, 5, 1);
	assert_int_equal(blocks_of(pool, 0), 1);
	assert_int_equal(blocks_of(pool, 1), 0);
	assert_int_equal(blocks_of(pool, 2), 1);
	pool->ops->give(pool, 1, 1);
	pool->ops->give(pool, 2, 2);
	assert_int_equal(blocks_of(pool, 3), 1);
	/* half of a run goes back, then the other */
	pool->ops->give(pool, 12, 4);
	pool->ops->give(pool, 8, 4);
	assert_int_equal(blocks_of(pool, 10), 1);
	pool->ops->close(pool);
}

static void
test_lowest(void **state)
{
	struct pool *pool = pool_of(1024, BUDDY_LOWEST);

	(void)state;
	for (uint64_t i = 0; i < 8; i++)
		assert_int_equal(take(pool, 0), i);
	pool->ops->give(pool, 0, 1);
	pool->ops->give(pool, 4, 1);
	assert_int_equal(take(pool, 0), 0);
	assert_int_equal(take(pool, 0), 4);
	pool->ops->close(pool);
}

/* Which memory is free decides what is to be had, at its place too. */
static void
test_places(void **state)
{
	struct pool *pool = pool_of(4096, BUDDY_LIFO);
	const struct pool_ops *ops = pool->ops;

	(void)state;
	assert_int_equal(ops->take_at(pool, 513, 1), 0);
	assert_int_equal(ops->take_at(pool, 513, 1), -EBUSY);
	assert_int_equal(ops->take_at(pool, 512, 512), -EBUSY);
	assert_int_equal(ops->take_at(pool, 1024, 512), 0);
	assert_int_equal(ops->take_at(pool, 4096, 1), -ENOSPC);
	assert_int_equal(blocks_of(pool, 10), 2);
	assert_int_equal(take(pool, 9), 1536);
	ops->give(pool, 513, 1);
	ops->give(pool, 1024, 1024);
	assert_int_equal(blocks_of(pool, 10), 4);
	ops->close(pool);
}

/* A GiB is 256 of the largest blocks, side by side. */
static void
test_giga(void **state)
{
	struct pool *pool = pool_of(3 << 18, BUDDY_LIFO);

	(void)state;
	assert_int_equal(pool->ops->take_at(pool, 1 << 18, 1), 0);
	assert_int_equal(take(pool, 18), 0);
	assert_int_equal(take(pool, 18), 2 << 18);
	assert_int_equal(take(pool, 18), NONE);
	pool->ops->give(pool, 1 << 18, 1);
	assert_int_equal(take(pool, 18), 1 << 18);
	assert_int_equal(take(pool, 0), NONE);
	pool->ops->give(pool, 2 << 18, 1 << 18);
	assert_int_equal(blocks_of(pool, 10), 256);
	pool->ops->close(pool);
	/* where memory has no end there is always another */
	pool = pool_of(POOL_PAGES_UNBOUNDED, BUDDY_LIFO);
	assert_int_equal(take(pool, 0), 0);
	assert_int_equal(take(pool, 18), 1 << 18);
	assert_int_equal(take(pool, 18), 2 << 18);
	pool->ops->close(pool);
}

/*
 * The twin: lists as arrays, the first at the end; merging looks through all of
 * them.
 */
struct plain {
	uint64_t block[POOL_ORDERS][8192];
	unsigned n[POOL_ORDERS];
};

static void
plain_put(struct plain *plain, unsigned order, uint64_t page)
{
	plain->block[order][plain->n[order]++] = page;
}

static uint64_t
plain_take(struct plain *plain, unsigned order)
{
	unsigned from = order;
	uint64_t page;

	while (from < POOL_ORDERS && !plain->n[from])
		from++;
	if (from == POOL_ORDERS)
		return NONE;
	page = plain->block[from][--plain->n[from]];
	while (from-- > order)
		plain_put(plain, from, page + (1u << from));
	return page;
}

static void
plain_give(struct plain *plain, unsigned order, uint64_t page)
{
	for (unsigned i = 0; order < POOL_ORDERS - 1 && i < plain->n[order];)
		if (plain->block[order][i] == (page ^ 1u << order)) {
			memmove(&plain->block[order][i],
				&plain->block[order][i + 1],
				(plain->n[order] - i - 1) * sizeof(uint64_t));
			plain->n[order]--;
			page &= ~(uint64_t)(1u << order);
			order++;
			i = 0;
		} else {
			i++;
		}
	plain_put(plain, order, page);
}

struct held {
	uint64_t page;
	unsigned order;
};

#define TWIN_PAGES 8192

static void
same_blocks(const struct pool *pool, const struct plain *plain)
{
	for (unsigned order = 0; order < POOL_ORDERS; order++)
		assert_int_equal(blocks_of(pool, order), plain->n[order]);
}

static void
test_twin(void **state)
{
	static struct plain plain;
	static struct held held[TWIN_PAGES];
	struct pool *pool = pool_of(TWIN_PAGES, BUDDY_LIFO);
	uint64_t random = 7;
	unsigned n = 0;

	(void)state;
	/* The lowest of all leaves first at the start */
	for (uint64_t page = TWIN_PAGES; page; page -= 1024)
		plain_put(&plain, 10, page - 1024);
	for (unsigned step = 0; step < 200000; step++) {
		unsigned order = random_below(&random, 8) ? 0 : 9;
		bool grow = random_below(&random, 100) <
			    (step / 20000 % 2 ? 35 : 60);
		uint64_t page;

		if (grow || !n) {
			page = take(pool, order);
			assert_int_equal(page, plain_take(&plain, order));
			if (page != NONE)
				held[n++] = (struct held){ page, order };
		} else {
			unsigned i = (unsigned)random_below(&random, n);

			pool->ops->give(pool, held[i].page,
					UINT64_C(1) << held[i].order);
			plain_give(&plain, held[i].order, held[i].page);
			held[i] = held[--n];
		}
		if (step % 1000 == 0)
			same_blocks(pool, &plain);
	}
	while (n--) {
		pool->ops->give(pool, held[n].page,
				UINT64_C(1) << held[n].order);
		plain_give(&plain, held[n].order, held[n].page);
	}
	same_blocks(pool, &plain);
	assert_int_equal(blocks_of(pool, 10), TWIN_PAGES / 1024);
	pool->ops->close(pool);
}

/* Pages that can't be moved stay in groups of their own. */
static void
test_grouping(void **state)
{
	struct buddy_config config = { .pages = 8192,
				       .most = 1 << 20,
				       .grouping = true };
	struct pool *pool;
	bool group[2][16] = { { false } };

	(void)state;
	assert_int_equal(pool_buddy_open(&pool, &config), 0);
	for (unsigned i = 0; i < 4000; i++) {
		enum pool_type type = i % 8 ? POOL_MOVABLE : POOL_UNMOVABLE;
		uint64_t page;

		assert_int_equal(pool->ops->take(pool, 12, type, &page), 0);
		group[type][page / 512] = true;
	}
	for (unsigned i = 0; i < 16; i++)
		assert_false(group[POOL_MOVABLE][i] &&
			     group[POOL_UNMOVABLE][i]);
	/* until memory is full: then all of it is given out */
	for (unsigned i = 4000; i < 8192; i++)
		assert_int_not_equal(take(pool, 0), NONE);
	assert_int_equal(take(pool, 0), NONE);
	pool->ops->close(pool);
}

static void
test_aged(void **state)
{
	struct buddy_config config = { .pages = 1 << 17,
				       .most = 1 << 20,
				       .start = BUDDY_AGED,
				       .aged = 0.3,
				       .seed = 5,
				       .grouping = true };
	uint64_t blocks[2][POOL_ORDERS];
	struct pool *pool;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(pool_buddy_open(&pool, &config), 0);
		pool->ops->blocks(pool, blocks[i]);
		assert_int_equal(pool->ops->begun(pool),
				 (uint64_t)(0.3 * (1 << 17)));
		assert_int_equal(buddyinfo_pages(blocks[i]),
				 (1 << 17) - (uint64_t)(0.3 * (1 << 17)));
		pool->ops->close(pool);
	}
	assert_memory_equal(blocks[0], blocks[1], sizeof(blocks[0]));
	assert_int_equal(pool_buddy_open(&pool, &config), 0);
	for (uint64_t i = buddyinfo_pages(blocks[0]); i; i--)
		assert_int_not_equal(take(pool, 0), NONE);
	assert_int_equal(take(pool, 0), NONE);
	pool->ops->close(pool);
	/* a history leaves less in large blocks than a boot does */
	assert_true(buddyinfo_unusable(blocks[0], 9) > 100);
	assert_true(buddyinfo_unusable(blocks[0], 0) == 0);
}

/* What was counted is there, whatever the counts; and nothing merged. */
static void
test_counted(void **state)
{
	uint64_t random = 11;

	(void)state;
	for (unsigned round = 0; round < 50; round++) {
		struct buddy_config config = { .most = 1 << 24,
					       .start = BUDDY_FILE,
					       .grouping = true,
					       .seed = round };
		uint64_t want[POOL_ORDERS] = { 0 }, got[POOL_ORDERS];
		struct pool *pool;

		for (unsigned type = 0; type < POOL_TYPES; type++)
			for (unsigned i = 0; i < POOL_ORDERS; i++) {
				config.blocks[type][i] =
					random_below(&random, 2)
						? random_below(&random,
							       300u >> i)
						: 0;
				want[i] += config.blocks[type][i];
			}
		config.pages = buddy_chunks_needed(config.blocks) * 1024;
		config.pages += round % 2 ? 1024 * 3 + 77 : 0;
		if (!config.pages)
			continue;
		assert_int_equal(pool_buddy_open(&pool, &config), 0);
		pool->ops->blocks(pool, got);
		assert_memory_equal(got, want, sizeof(want));
		pool->ops->close(pool);
	}
}

static void
test_indices(void **state)
{
	const uint64_t small[POOL_ORDERS] = { 1024 };
	const uint64_t few[POOL_ORDERS] = { 10 };
	const uint64_t mixed[POOL_ORDERS] = { [0] = 512, [9] = 1 };
	const uint64_t none[POOL_ORDERS] = { 0 };

	(void)state;
	assert_int_equal(buddyinfo_fragmentation(small, 9), 998);
	assert_int_equal(buddyinfo_fragmentation(few, 9), 899);
	assert_int_equal(buddyinfo_fragmentation(few, 0), -1000);
	assert_int_equal(buddyinfo_fragmentation(mixed, 9), -1000);
	assert_int_equal(buddyinfo_fragmentation(mixed, 10), 1000 - 2000 / 513);
	assert_int_equal(buddyinfo_fragmentation(none, 3), 0);
	assert_int_equal(buddyinfo_unusable(mixed, 9), 500);
	assert_int_equal(buddyinfo_unusable(mixed, 0), 0);
	assert_int_equal(buddyinfo_unusable(mixed, 10), 1000);
	assert_int_equal(buddyinfo_unusable(none, 0), 1000);
	assert_int_equal(buddyinfo_pages(mixed), 1024);
}

static uint64_t
kernel_free_pages(void)
{
	FILE *file = fopen("/proc/vmstat", "re");
	unsigned long long n = 0;
	char line[128];

	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "nr_free_pages %llu", &n) == 1)
			break;
	fclose(file);
	return n;
}

/* Free blocks add up to the kernel's free pages; memory in use may change
 * between the two looks. */
static void
test_live_kernel(void **state)
{
	static struct buddyinfo info;
	double best = 1;

	(void)state;
	if (access("/proc/buddyinfo", R_OK) || !kernel_free_pages()) {
		print_message("no /proc/buddyinfo here\n");
		skip();
	}
	for (unsigned tries = 0; tries < 20 && best > 0.001; tries++) {
		double sum = 0, want, off;

		assert_int_equal(buddyinfo_read(&info, "/proc/buddyinfo"), 0);
		want = (double)kernel_free_pages();
		for (unsigned node = 0; node < info.nodes; node++)
			sum += (double)buddyinfo_pages(
				info.blocks[node][POOL_MOVABLE]);
		off = sum > want ? sum / want - 1 : 1 - sum / want;
		best = off < best ? off : best;
	}
	assert_true(best < 0.03);
}

static void
read_text(const char *text, int expected, struct buddyinfo *info)
{
	char path[] = "buddyinfo-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	assert_int_equal(buddyinfo_read(info, path), expected);
	unlink(path);
}

static void
test_files(void **state)
{
	static struct buddyinfo info;

	(void)state;
	read_text("Node 0, zone      DMA      1      2\n"
		  "Node 0, zone   Normal     10      0      1\n"
		  "Node 1, zone   Normal      7\n",
		  0, &info);
	assert_int_equal(info.nodes, 2);
	assert_int_equal(info.blocks[0][POOL_MOVABLE][0], 11);
	assert_int_equal(info.blocks[0][POOL_MOVABLE][1], 2);
	assert_int_equal(info.blocks[0][POOL_MOVABLE][2], 1);
	assert_int_equal(info.blocks[1][POOL_MOVABLE][0], 7);
	read_text("Page block order: 9\nPages per block:  512\n\n"
		  "Free pages count per migrate type at order       0      1\n"
		  "Node    0, zone   Normal, type    Unmovable      3      4\n"
		  "Node    0, zone   Normal, type      Movable >100000      9\n"
		  "\nNumber of blocks type     Unmovable      Movable\n"
		  "Node 0, zone   Normal           26         1000\n",
		  0, &info);
	assert_int_equal(info.blocks[0][POOL_UNMOVABLE][1], 4);
	assert_int_equal(info.blocks[0][POOL_MOVABLE][0], 100000);
	read_text("", -EINVAL, &info);
	read_text("Node 0, zone Normal\n", -EINVAL, &info);
	read_text("Node 0, zone Normal 1 2 x\n", -EINVAL, &info);
	read_text("Node 0, zone Normal 1 1 1 1 1 1 1 1 1 1 1 1\n", -EINVAL,
		  &info);
	read_text("Node 64, zone Normal 1\n", -EINVAL, &info);
	read_text("Node 0, zone Normal, type Strange 1\n", -EINVAL, &info);
	read_text("Knoten 0\n", -EINVAL, &info);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_hand),
		cmocka_unit_test(test_lowest),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_giga),
		cmocka_unit_test(test_twin),
		cmocka_unit_test(test_grouping),
		cmocka_unit_test(test_aged),
		cmocka_unit_test(test_counted),
		cmocka_unit_test(test_indices),
		cmocka_unit_test(test_live_kernel),
		cmocka_unit_test(test_files),
	};

	return cmocka_run_group_tests_name("buddy", tests, NULL, NULL);
}
