// SPDX-License-Identifier: GPL-2.0-or-later
/* When there are too many blocks, neighbours are put together. */
#include "models/analysis/blocks.h"

#include "analyzer/fail.h"
#include "models/analysis/reuse.h"

#include <stdlib.h>
#include <string.h>

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

void
blocks_add(struct blocks *blocks, const uint32_t *distance,
	   const uint64_t *access, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		struct block *block;

		while (unlikely(access[i] >> blocks->shift >= BLOCKS_MOST))
			halve(blocks);
		block = &blocks->block[access[i] >> blocks->shift];
		block->references++;
		if (distance[i] == REUSE_COLD)
			block->cold++;
		else
			block->count[octaves_bin(distance[i])]++;
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
