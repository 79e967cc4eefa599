// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Free frames as a bitmap: 2 MiB blocks of 512 bits (0.13 bytes a page), and
 * two sets over the blocks: those with any free frame, and those all free.
 * That is what a buddy allocator's lists of order 0 and 9 would answer; 1 GiB
 * runs are counted blocks.
 *
 *	address = FRAMES_BASE + (block * 512 + bit) * 4096
 *
 * Blocks come into being as they are needed (ascending), or in a range that
 * doubles when half of it is taken (random, unbounded).
 */
#include "models/memory/frames.h"

#include "analyzer/fail.h"
#include "models/memory/bittree.h"
#include "models/memory/random.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define FRAMES_BASE	 (UINT64_C(1) << 30)
#define BLOCK_SHIFT	 21
#define BLOCK_PAGES	 512
#define BLOCK_WORDS	 (BLOCK_PAGES / 64)
#define GIGA_BLOCKS	 512
#define BLOCKS_UNBOUNDED ((UINT64_C(1) << 23) - 512) /* below 2^44: cache.c */
#define BLOCKS_FIRST	 64
#define RANDOM_BLOCKS	 (UINT64_C(1) << 13) /* 16 GiB to begin with */

struct block {
	uint64_t free[BLOCK_WORDS];
};

struct frames {
	struct block *block; /* owned */
	size_t blocks;
	size_t blocks_max;   /* the last one may be partial: pages_last */
	unsigned pages_last; /* 1 .. 512 */
	struct bittree some, whole;
	uint16_t *whole_in_giga; /* owned: all free blocks of each GiB */
	size_t gigas;
	bool random, recorded;
	uint64_t state;
	uint64_t used_pages, peak_pages;
};

static const char *const orders[] = { "ascending", "random", "recorded", NULL };

const struct option_row frames_rows[] = {
	{ .name = "size",
	  .type = OPTION_SIZE,
	  .offset = offsetof(struct frames_config, size_bytes),
	  .fallback = "0",
	  .unit = "bytes",
	  .help = "Memory for pages and page tables; 0 is as much as needed" },
	{ .name = "order",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct frames_config, order),
	  .fallback = "ascending",
	  .choices = orders,
	  .help = "Which free frame is taken first; recorded: the real one, "
		  "from where the trace shows it (record --residency)" },
	{ .name = "seed",
	  .type = OPTION_INT,
	  .offset = offsetof(struct frames_config, seed),
	  .fallback = "1",
	  .help = "Seed of the random order" },
	{ 0 },
};

static void
block_now_whole(struct frames *frames, size_t block)
{
	bittree_add(&frames->whole, block);
	frames->whole_in_giga[block / GIGA_BLOCKS]++;
}

static void
block_not_whole(struct frames *frames, size_t block)
{
	if (!bittree_has(&frames->whole, block))
		return;
	bittree_remove(&frames->whole, block);
	frames->whole_in_giga[block / GIGA_BLOCKS]--;
}

static unsigned
block_pages(const struct frames *frames, size_t block)
{
	return block + 1 == frames->blocks_max ? frames->pages_last
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
block_create(struct frames *frames, size_t number)
{
	struct block *block = &frames->block[number];
	unsigned pages = block_pages(frames, number);

	memset(block, 0, sizeof(*block));
	for (unsigned i = 0; i < pages; i++)
		block->free[i / 64] |= UINT64_C(1) << i % 64;
	bittree_add(&frames->some, number);
	if (pages == BLOCK_PAGES)
		block_now_whole(frames, number);
}

/* Twice the blocks.  0 or -ENOMEM: also when all there may be are there. */
static int
frames_grow(struct frames *frames, size_t wanted)
{
	size_t blocks =
		wanted < frames->blocks_max ? wanted : frames->blocks_max;
	size_t gigas = (blocks + GIGA_BLOCKS - 1) / GIGA_BLOCKS;
	struct block *block;
	uint16_t *count;

	if (blocks <= frames->blocks)
		return -ENOMEM;
	block = reallocarray(frames->block, blocks, sizeof(*block));
	if (!block)
		return -ENOMEM;
	frames->block = block;
	count = reallocarray(frames->whole_in_giga, gigas, sizeof(*count));
	if (!count)
		return -ENOMEM;
	frames->whole_in_giga = count;
	memset(count + frames->gigas, 0,
	       (gigas - frames->gigas) * sizeof(*count));
	frames->gigas = gigas;
	if (bittree_grow(&frames->some, blocks) < 0 ||
	    bittree_grow(&frames->whole, blocks) < 0)
		return -ENOMEM;
	for (size_t i = frames->blocks; i < blocks; i++)
		block_create(frames, i);
	frames->blocks = blocks;
	return 0;
}

int
frames_open(struct frames **out, const struct frames_config *config)
{
	struct frames *frames = calloc(1, sizeof(*frames));
	uint64_t pages = config->size_bytes >> 12;
	size_t first;
	int error = -ENOMEM;

	if (!frames)
		return fail(ENOMEM, "frames: out of memory");
	if (config->size_bytes && !pages) {
		error = fail(EINVAL,
			     "memory.size: %ju bytes are less than a page",
			     (uintmax_t)config->size_bytes);
		goto free_frames;
	}
	frames->blocks_max = BLOCKS_UNBOUNDED;
	frames->pages_last = BLOCK_PAGES;
	if (pages && pages < BLOCKS_UNBOUNDED * BLOCK_PAGES) {
		frames->blocks_max = (pages + BLOCK_PAGES - 1) / BLOCK_PAGES;
		frames->pages_last = (unsigned)((pages - 1) % BLOCK_PAGES) + 1;
	}
	frames->random = config->order == FRAMES_RANDOM;
	frames->recorded = config->order == FRAMES_RECORDED;
	frames->state = (uint64_t)config->seed;
	first = !frames->random	     ? BLOCKS_FIRST
		: config->size_bytes ? frames->blocks_max
				     : RANDOM_BLOCKS;
	if (frames_grow(frames, first) < 0) {
		error = fail(ENOMEM, "memory.size: out of memory for its map");
		goto close_frames;
	}
	*out = frames;
	return 0;

close_frames:
	frames_close(frames);
	return error;
free_frames:
	free(frames);
	return error;
}

void
frames_close(struct frames *frames)
{
	if (!frames)
		return;
	free(frames->block);
	free(frames->whole_in_giga);
	bittree_fini(&frames->some);
	bittree_fini(&frames->whole);
	free(frames);
}

static bool
page_is_free(const struct frames *frames, uint64_t page)
{
	return frames->block[page / BLOCK_PAGES]
			       .free[page % BLOCK_PAGES / 64] >>
		       page % 64 &
	       1;
}

static void
page_take(struct frames *frames, uint64_t page)
{
	size_t number = page / BLOCK_PAGES;
	struct block *block = &frames->block[number];

	block->free[page % BLOCK_PAGES / 64] &= ~(UINT64_C(1) << page % 64);
	block_not_whole(frames, number);
	if (!block_has_free(block))
		bittree_remove(&frames->some, number);
}

/* The first member at or after a drawn place, round the end. */
static size_t
draw_block(struct frames *frames, const struct bittree *tree)
{
	size_t number = BITTREE_NONE;

	if (frames->random)
		number = bittree_next(tree, random_below(&frames->state,
							 frames->blocks));
	return number == BITTREE_NONE ? bittree_next(tree, 0) : number;
}

static bool
find_page(struct frames *frames, uint64_t *page)
{
	size_t number;
	const struct block *block;
	unsigned word = 0;

	/* Even draws while memory is not crowded; then the next free one. */
	for (int tries = 0; frames->random && tries < 16; tries++) {
		*page = random_below(&frames->state,
				     (uint64_t)frames->blocks * BLOCK_PAGES);
		if (page_is_free(frames, *page))
			return true;
	}
	number = draw_block(frames, &frames->some);
	if (number == BITTREE_NONE)
		return false;
	block = &frames->block[number];
	while (!block->free[word])
		word++;
	*page = (uint64_t)number * BLOCK_PAGES + word * 64 +
		(unsigned)__builtin_ctzll(block->free[word]);
	return true;
}

static bool
find_block(struct frames *frames, uint64_t *page)
{
	size_t number = draw_block(frames, &frames->whole);

	*page = (uint64_t)number * BLOCK_PAGES;
	return number != BITTREE_NONE;
}

static bool
find_giga(struct frames *frames, uint64_t *page)
{
	size_t start = 0;

	if (frames->random)
		start = random_below(&frames->state, frames->gigas);
	for (size_t i = 0; i < frames->gigas; i++) {
		size_t giga = (start + i) % frames->gigas;

		if (frames->whole_in_giga[giga] == GIGA_BLOCKS) {
			*page = (uint64_t)giga * GIGA_BLOCKS * BLOCK_PAGES;
			return true;
		}
	}
	return false;
}

/* A page, or whole blocks; free, and no longer. */
static void
run_take(struct frames *frames, uint64_t page, uint64_t pages)
{
	if (pages == 1)
		page_take(frames, page);
	for (uint64_t i = 0; pages > 1 && i < pages; i += BLOCK_PAGES) {
		size_t number = (page + i) / BLOCK_PAGES;

		memset(&frames->block[number], 0, sizeof(struct block));
		block_not_whole(frames, number);
		bittree_remove(&frames->some, number);
	}
	frames->used_pages += pages;
	if (frames->peak_pages < frames->used_pages)
		frames->peak_pages = frames->used_pages;
}

int
frames_take(struct frames *frames, unsigned shift, uint64_t *address)
{
	bool (*find)(struct frames *, uint64_t *) = shift == 12	  ? find_page
						    : shift == 21 ? find_block
								  : find_giga;
	uint64_t page, pages = UINT64_C(1) << (shift - 12);

	assert(shift == 12 || shift == 21 || shift == 30);
	if (frames->random &&
	    frames->used_pages * 2 > frames->blocks * BLOCK_PAGES)
		(void)frames_grow(frames, frames->blocks * 2);
	while (!find(frames, &page)) {
		size_t wanted = frames->blocks * 2;

		if (shift == 30 && wanted < frames->gigas * 2 * GIGA_BLOCKS)
			wanted = frames->gigas * 2 * GIGA_BLOCKS;
		if (frames_grow(frames, wanted) < 0)
			return -ENOMEM;
	}
	run_take(frames, page, pages);
	*address = FRAMES_BASE + (page << 12);
	return 0;
}

bool
frames_recorded(const struct frames *frames)
{
	return frames->recorded;
}

uint64_t
frames_number(uint64_t address)
{
	return (address - FRAMES_BASE) >> 12;
}

uint64_t
frames_total(const struct frames *frames)
{
	return frames->blocks_max == BLOCKS_UNBOUNDED
		       ? 0
		       : (uint64_t)(frames->blocks_max - 1) * BLOCK_PAGES +
				 frames->pages_last;
}

bool
frames_is(uint64_t address, uint64_t physical)
{
	return address - FRAMES_BASE == physical;
}

int
frames_take_at(struct frames *frames, unsigned shift, uint64_t physical,
	       uint64_t *address)
{
	uint64_t page = physical >> 12, pages = UINT64_C(1) << (shift - 12);
	size_t last = (size_t)((page + pages - 1) / BLOCK_PAGES);

	if (last >= frames->blocks_max ||
	    (page + pages - 1) % BLOCK_PAGES >= block_pages(frames, last))
		return -ENOSPC;
	if (last >= frames->blocks && frames_grow(frames, last + 1) < 0)
		return -ENOMEM;
	for (uint64_t i = page; i < page + pages; i++)
		if (!page_is_free(frames, i))
			return -EBUSY;
	run_take(frames, page, pages);
	*address = FRAMES_BASE + physical;
	return 0;
}

void
frames_give(struct frames *frames, unsigned shift, uint64_t address)
{
	uint64_t first = (address - FRAMES_BASE) >> 12;
	uint64_t pages = UINT64_C(1) << (shift - 12);

	for (uint64_t page = first; page < first + pages; page++) {
		size_t number = page / BLOCK_PAGES;
		struct block *block = &frames->block[number];

		assert(number < frames->blocks && !page_is_free(frames, page));
		block->free[page % BLOCK_PAGES / 64] |= UINT64_C(1)
							<< page % 64;
		bittree_add(&frames->some, number);
		if (block_free_pages(block) == BLOCK_PAGES)
			block_now_whole(frames, number);
	}
	frames->used_pages -= pages;
}

uint64_t
frames_used(const struct frames *frames)
{
	return frames->used_pages << 12;
}

uint64_t
frames_peak(const struct frames *frames)
{
	return frames->peak_pages << 12;
}
