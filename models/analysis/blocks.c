// SPDX-License-Identifier: GPL-2.0-or-later
/* When there are too many blocks, neighbours are put together. */
#include "models/analysis/blocks.h"

#include "analyzer/fail.h"
#include "models/analysis/reuse.h"

#include <stdlib.h>
#include <string.h>

#define NEAR 64u /* distances */

int
blocks_init(struct blocks *blocks)
{
	*blocks = (struct blocks){ .block = calloc(BLOCKS_MOST,
						   sizeof(*blocks->block)) };
	return blocks->block ? 0 : fail(ENOMEM, "reuse: no memory for blocks");
}

void
blocks_fini(struct blocks *blocks)
{
	free(blocks->block);
	blocks->block = NULL;
}

static void
add_block(struct block *to, const struct block *from)
{
	to->references += from->references;
	to->cold += from->cold;
	for (unsigned bin = 0; bin < OCTAVES_BINS; bin++)
		to->count[bin] += from->count[bin];
}

static void
halve(struct blocks *blocks)
{
	struct block *block = blocks->block;

	for (unsigned i = 0; i < BLOCKS_MOST / 2; i++) {
		if (i)
			block[i] = block[2 * i];
		add_block(&block[i], &block[2 * i + 1]);
	}
	memset(block + BLOCKS_MOST / 2, 0, BLOCKS_MOST / 2 * sizeof(*block));
	blocks->shift++;
}

/* Add references of one block.  Small distances follow each other in most
 * programs: each is counted apart, in turns, so that no count waits for the one
 * before. */
static void
add_run(struct block *block, const uint32_t *distance, uint32_t n)
{
	uint32_t near[2][NEAR] = { 0 };

	for (uint32_t i = 0; i < n; i++) {
		if (likely(distance[i] < NEAR))
			near[i & 1][distance[i]]++;
		else if (unlikely(distance[i] == REUSE_COLD))
			block->cold++;
		else
			block->count[octaves_bin(distance[i])]++;
	}
	for (uint32_t i = 1; i < NEAR; i++)
		block->count[octaves_bin(i)] += near[0][i] + near[1][i];
	block->references += n;
}

/* How many of them are in the block of the first */
static uint32_t
run_length(const struct blocks *blocks, const uint64_t *access, uint32_t n)
{
	uint64_t number = access[0] >> blocks->shift;
	uint32_t low = 0, high = n;

	if (likely(access[n - 1] >> blocks->shift == number))
		return n;
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (access[middle] >> blocks->shift == number)
			low = middle;
		else
			high = middle;
	}
	return high;
}

void
blocks_add(struct blocks *blocks, const uint32_t *distance,
	   const uint64_t *access, uint32_t n)
{
	while (n && unlikely(access[n - 1] >> blocks->shift >= BLOCKS_MOST))
		halve(blocks);
	for (uint32_t at = 0, length; at < n; at += length) {
		length = run_length(blocks, access + at, n - at);
		add_run(&blocks->block[access[at] >> blocks->shift],
			distance + at, length);
	}
}

void
blocks_join(struct blocks *blocks, struct blocks *other)
{
	while (blocks->shift < other->shift)
		halve(blocks);
	while (other->shift < blocks->shift)
		halve(other);
	for (unsigned i = 0; i < BLOCKS_MOST; i++)
		add_block(&blocks->block[i], &other->block[i]);
}

unsigned
blocks_number(const struct blocks *blocks, uint64_t accesses)
{
	return accesses ? (unsigned)((accesses - 1) >> blocks->shift) + 1 : 0;
}
