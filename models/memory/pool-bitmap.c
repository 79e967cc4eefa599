// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Free frames as a bitmap: 2 MiB blocks of 512 bits (0.13 bytes a page), and
 * two sets over the blocks: those with any free frame, and those all free.
 * That is what a buddy allocator's lists of order 0 and 9 would answer; 1 GiB
 * runs are counted blocks.
 *
 *	page = block * 512 + bit
 *
 * Blocks come into being as they are needed (ascending), or in a range that
 * doubles when half of it is taken (random, unbounded).
 */
#include "models/memory/pool.h"

#include "analyzer/fail.h"
#include "models/memory/bittree.h"
#include "models/memory/random.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_PAGES   512
#define BLOCK_WORDS   (BLOCK_PAGES / 64)
#define GIGA_BLOCKS   512
#define BLOCKS_FIRST  64
#define RANDOM_BLOCKS (UINT64_C(1) << 13) /* 16 GiB to begin with */

struct block {
	uint64_t free[BLOCK_WORDS];
};

struct bitmap {
	struct pool pool;
	struct block *block; /* owned */
	size_t blocks;
	size_t blocks_max;   /* the last one may be partial: pages_last */
	unsigned pages_last; /* 1 .. 512 */
	struct bittree some, whole;
	uint16_t *whole_in_giga; /* owned: all free blocks of each GiB */
	size_t gigas;
	bool random;
	uint64_t state;
	uint64_t used_pages;
};

static struct bitmap *
bitmap_of(struct pool *pool)
{
	return (struct bitmap *)pool;
}

static void
block_now_whole(struct bitmap *bitmap, size_t block)
{
	bittree_add(&bitmap->whole, block);
	bitmap->whole_in_giga[block / GIGA_BLOCKS]++;
}

static void
block_not_whole(struct bitmap *bitmap, size_t block)
{
	if (!bittree_has(&bitmap->whole, block))
		return;
	bittree_remove(&bitmap->whole, block);
	bitmap->whole_in_giga[block / GIGA_BLOCKS]--;
}

static unsigned
block_pages(const struct bitmap *bitmap, size_t block)
{
	return block + 1 == bitmap->blocks_max ? bitmap->pages_last
					       : BLOCK_PAGES;
}

static unsigned
block_free_pages(const struct block *block)
{
	int n = 0;

	for (unsigned i = 0; i < BLOCK_WORDS; i++)
		n += __builtin_popcountll(block->free[i]);
	return (unsigned)n;
}

static bool
block_has_free(const struct block *block)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < BLOCK_WORDS; i++)
		any |= block->free[i];
	return any;
}

/* A block that just came into being. */
static void
block_create(struct bitmap *bitmap, size_t number)
{
	struct block *block = &bitmap->block[number];
	unsigned pages = block_pages(bitmap, number);

	memset(block, 0, sizeof(*block));
	for (unsigned i = 0; i < pages; i++)
		block->free[i / 64] |= UINT64_C(1) << i % 64;
	bittree_add(&bitmap->some, number);
	if (pages == BLOCK_PAGES)
		block_now_whole(bitmap, number);
}

/* Twice the blocks.  0 or -ENOMEM: also when all there may be are there. */
static int
bitmap_grow(struct bitmap *bitmap, size_t wanted)
{
	size_t blocks =
		wanted < bitmap->blocks_max ? wanted : bitmap->blocks_max;
	size_t gigas = (blocks + GIGA_BLOCKS - 1) / GIGA_BLOCKS;
	struct block *block;
	uint16_t *count;

	if (blocks <= bitmap->blocks)
		return -ENOMEM;
	block = reallocarray(bitmap->block, blocks, sizeof(*block));
	if (!block)
		return -ENOMEM;
	bitmap->block = block;
	count = reallocarray(bitmap->whole_in_giga, gigas, sizeof(*count));
	if (!count)
		return -ENOMEM;
	bitmap->whole_in_giga = count;
	memset(count + bitmap->gigas, 0,
	       (gigas - bitmap->gigas) * sizeof(*count));
	bitmap->gigas = gigas;
	if (bittree_grow(&bitmap->some, blocks) < 0 ||
	    bittree_grow(&bitmap->whole, blocks) < 0)
		return -ENOMEM;
	for (size_t i = bitmap->blocks; i < blocks; i++)
		block_create(bitmap, i);
	bitmap->blocks = blocks;
	return 0;
}

static void
bitmap_close(struct pool *pool)
{
	struct bitmap *bitmap = bitmap_of(pool);

	if (!pool)
		return;
	free(bitmap->block);
	free(bitmap->whole_in_giga);
	bittree_fini(&bitmap->some);
	bittree_fini(&bitmap->whole);
	free(bitmap);
}

static bool
page_is_free(const struct bitmap *bitmap, uint64_t page)
{
	return bitmap->block[page / BLOCK_PAGES]
			       .free[page % BLOCK_PAGES / 64] >>
		       page % 64 &
	       1;
}

static void
page_take(struct bitmap *bitmap, uint64_t page)
{
	size_t number = page / BLOCK_PAGES;
	struct block *block = &bitmap->block[number];

	block->free[page % BLOCK_PAGES / 64] &= ~(UINT64_C(1) << page % 64);
	block_not_whole(bitmap, number);
	if (!block_has_free(block))
		bittree_remove(&bitmap->some, number);
}

/* The first member at or after a drawn place, round the end. */
static size_t
draw_block(struct bitmap *bitmap, const struct bittree *tree)
{
	size_t number = BITTREE_NONE;

	if (bitmap->random)
		number = bittree_next(tree, random_below(&bitmap->state,
							 bitmap->blocks));
	return number == BITTREE_NONE ? bittree_next(tree, 0) : number;
}

static bool
find_page(struct bitmap *bitmap, uint64_t *page)
{
	size_t number;
	const struct block *block;
	unsigned word = 0;

	/* Even draws while memory is not crowded; then the next free one. */
	for (int tries = 0; bitmap->random && tries < 16; tries++) {
		*page = random_below(&bitmap->state,
				     (uint64_t)bitmap->blocks * BLOCK_PAGES);
		if (page_is_free(bitmap, *page))
			return true;
	}
	number = draw_block(bitmap, &bitmap->some);
	if (number == BITTREE_NONE)
		return false;
	block = &bitmap->block[number];
	while (!block->free[word])
		word++;
	*page = (uint64_t)number * BLOCK_PAGES + word * 64 +
		(unsigned)__builtin_ctzll(block->free[word]);
	return true;
}

static bool
is_free_run(const struct block *block, unsigned first, unsigned pages)
{
	uint64_t taken = 0;

	if (pages < 64)
		return !(~block->free[first / 64] & ((UINT64_C(1) << pages) - 1)
							    << first % 64);
	for (unsigned i = 0; i < pages / 64; i++)
		taken |= ~block->free[first / 64 + i];
	return !taken;
}

/* The first free, aligned run of so many pages (a power of two) of a block from
 * page number `from` on, round the end. */
static bool
find_run_in(const struct block *block, unsigned pages, unsigned from,
	    unsigned *first)
{
	for (unsigned n = 0; n < BLOCK_PAGES; n += pages) {
		unsigned i = (from + n) % BLOCK_PAGES;

		if (is_free_run(block, i, pages)) {
			*first = i;
			return true;
		}
	}
	return false;
}

/* More than a page: aligned runs inside a block. */
static bool
find_run(struct bitmap *bitmap, unsigned pages, uint64_t *page)
{
	size_t begun = draw_block(bitmap, &bitmap->some), number = begun;
	unsigned from = 0, first;
	bool wrapped = false;

	if (bitmap->random)
		from = (unsigned)random_below(&bitmap->state,
					      BLOCK_PAGES / pages) *
		       pages;
	while (number != BITTREE_NONE && !(wrapped && number >= begun)) {
		if (find_run_in(&bitmap->block[number], pages, from, &first)) {
			*page = (uint64_t)number * BLOCK_PAGES + first;
			return true;
		}
		number = bittree_next(&bitmap->some, number + 1);
		if (number == BITTREE_NONE && !wrapped) {
			wrapped = true;
			number = bittree_next(&bitmap->some, 0);
		}
	}
	return false;
}

static bool
find_block(struct bitmap *bitmap, uint64_t *page)
{
	size_t number = draw_block(bitmap, &bitmap->whole);

	*page = (uint64_t)number * BLOCK_PAGES;
	return number != BITTREE_NONE;
}

static bool
find_giga(struct bitmap *bitmap, uint64_t *page)
{
	size_t start = 0;

	if (bitmap->random)
		start = random_below(&bitmap->state, bitmap->gigas);
	for (size_t i = 0; i < bitmap->gigas; i++) {
		size_t giga = (start + i) % bitmap->gigas;

		if (bitmap->whole_in_giga[giga] == GIGA_BLOCKS) {
			*page = (uint64_t)giga * GIGA_BLOCKS * BLOCK_PAGES;
			return true;
		}
	}
	return false;
}

/* An aligned run of so many whole blocks. */
static bool
find_blocks(struct bitmap *bitmap, size_t n, uint64_t *page)
{
	size_t runs = bitmap->blocks / n, start = 0;

	if (bitmap->random && runs)
		start = random_below(&bitmap->state, runs);
	for (size_t i = 0; i < runs; i++) {
		size_t first = (start + i) % runs * n, k = 0;

		while (k < n &&
		       bittree_next(&bitmap->whole, first + k) == first + k)
			k++;
		if (k == n) {
			*page = (uint64_t)first * BLOCK_PAGES;
			return true;
		}
	}
	return false;
}

static bool
find(struct bitmap *bitmap, unsigned shift, uint64_t *page)
{
	if (shift == 12)
		return find_page(bitmap, page);
	if (shift < 21)
		return find_run(bitmap, 1u << (shift - 12), page);
	if (shift == 21)
		return find_block(bitmap, page);
	return shift == 30
		       ? find_giga(bitmap, page)
		       : find_blocks(bitmap, (size_t)1 << (shift - 21), page);
}

/* Pages of a block, or whole blocks; free, and no longer. */
static void
run_take(struct bitmap *bitmap, uint64_t page, uint64_t pages)
{
	for (uint64_t i = 0; pages < BLOCK_PAGES && i < pages; i++)
		page_take(bitmap, page + i);
	for (uint64_t i = 0; pages >= BLOCK_PAGES && i < pages;
	     i += BLOCK_PAGES) {
		size_t number = (page + i) / BLOCK_PAGES;

		memset(&bitmap->block[number], 0, sizeof(struct block));
		block_not_whole(bitmap, number);
		bittree_remove(&bitmap->some, number);
	}
	bitmap->used_pages += pages;
}

static int
bitmap_take(struct pool *pool, unsigned shift, enum pool_type type,
	    uint64_t *page)
{
	struct bitmap *bitmap = bitmap_of(pool);

	(void)type;
	assert(shift >= 12 && shift <= 30);
	if (bitmap->random &&
	    bitmap->used_pages * 2 > bitmap->blocks * BLOCK_PAGES)
		(void)bitmap_grow(bitmap, bitmap->blocks * 2);
	while (!find(bitmap, shift, page)) {
		size_t wanted = bitmap->blocks * 2;

		if (shift == 30 && wanted < bitmap->gigas * 2 * GIGA_BLOCKS)
			wanted = bitmap->gigas * 2 * GIGA_BLOCKS;
		if (shift > 21 && wanted >> (shift - 21) < 2)
			wanted = (size_t)2 << (shift - 21);
		if (bitmap_grow(bitmap, wanted) < 0)
			return -ENOMEM;
	}
	run_take(bitmap, *page, UINT64_C(1) << (shift - 12));
	return 0;
}

static int
bitmap_take_at(struct pool *pool, uint64_t page, uint64_t pages)
{
	struct bitmap *bitmap = bitmap_of(pool);
	size_t last = (size_t)((page + pages - 1) / BLOCK_PAGES);

	if (last >= bitmap->blocks_max ||
	    (page + pages - 1) % BLOCK_PAGES >= block_pages(bitmap, last))
		return -ENOSPC;
	if (last >= bitmap->blocks && bitmap_grow(bitmap, last + 1) < 0)
		return -ENOMEM;
	for (uint64_t i = page; i < page + pages; i++)
		if (!page_is_free(bitmap, i))
			return -EBUSY;
	run_take(bitmap, page, pages);
	return 0;
}

static void
bitmap_give(struct pool *pool, uint64_t first, uint64_t pages)
{
	struct bitmap *bitmap = bitmap_of(pool);

	for (uint64_t page = first; page < first + pages; page++) {
		size_t number = page / BLOCK_PAGES;
		struct block *block = &bitmap->block[number];

		assert(number < bitmap->blocks && !page_is_free(bitmap, page));
		block->free[page % BLOCK_PAGES / 64] |= UINT64_C(1)
							<< page % 64;
		bittree_add(&bitmap->some, number);
		if (block_free_pages(block) == BLOCK_PAGES)
			block_now_whole(bitmap, number);
	}
	bitmap->used_pages -= pages;
}

static const struct pool_ops bitmap_ops = {
	.take = bitmap_take,
	.take_at = bitmap_take_at,
	.give = bitmap_give,
	.close = bitmap_close,
};

int
pool_bitmap_open(struct pool **out, uint64_t pages, uint64_t most, bool random,
		 uint64_t seed)
{
	struct bitmap *bitmap = calloc(1, sizeof(*bitmap));
	size_t first;

	if (!bitmap)
		return fail(ENOMEM, "frames: out of memory");
	bitmap->pool.ops = &bitmap_ops;
	bitmap->blocks_max = most / BLOCK_PAGES;
	bitmap->pages_last = BLOCK_PAGES;
	if (pages < bitmap->blocks_max * BLOCK_PAGES) {
		bitmap->blocks_max = (pages + BLOCK_PAGES - 1) / BLOCK_PAGES;
		bitmap->pages_last = (unsigned)((pages - 1) % BLOCK_PAGES) + 1;
	}
	bitmap->random = random;
	bitmap->state = seed;
	first = !random				? BLOCKS_FIRST
		: pages != POOL_PAGES_UNBOUNDED ? bitmap->blocks_max
						: RANDOM_BLOCKS;
	if (bitmap_grow(bitmap, first) < 0) {
		bitmap_close(&bitmap->pool);
		return fail(ENOMEM, "memory.size: out of memory for its map");
	}
	*out = &bitmap->pool;
	return 0;
}
