// SPDX-License-Identifier: GPL-2.0-or-later
/* Sets of pages in order; see present.h. */
#include "models/tables/present.h"

#include <stdlib.h>

static unsigned
index_of(uint64_t page, unsigned level)
{
	return (unsigned)(page >> 9 * level) & 511;
}

static struct present_node *
node_open(unsigned level)
{
	size_t below = level ? 512 * sizeof(void *) : 0;

	return calloc(1, sizeof(struct present_node) + below);
}

static bool
bit(const struct present_node *node, unsigned i)
{
	return node->bits[i / 64] >> i % 64 & 1;
}

/* The first bit at or after i; 512: none. */
static unsigned
next_bit(const struct present_node *node, unsigned i)
{
	while (i < 512) {
		uint64_t rest = node->bits[i / 64] >> i % 64;

		if (rest)
			return i + (unsigned)__builtin_ctzll(rest);
		i = (i / 64 + 1) * 64;
	}
	return 512;
}

static void
node_close(struct present_node *node, unsigned level)
{
	for (unsigned i = 0; level && i < 512; i++)
		if (bit(node, i))
			node_close(node->below[i], level - 1);
	free(node);
}

void
present_fini(struct present *present)
{
	if (present->root)
		node_close(present->root, PRESENT_LEVELS - 1);
	*present = (struct present){ .root = NULL };
}

/* The block of a page, made if need be; NULL: no memory. */
static struct present_node *
find_block(struct present *present, uint64_t page)
{
	struct present_node **at = &present->root;

	if (present->block && present->number == page >> 9)
		return present->block;
	for (unsigned level = PRESENT_LEVELS - 1;; level--) {
		struct present_node *node = *at;
		unsigned i = index_of(page, level);

		if (!node) {
			node = *at = node_open(level);
			if (!node)
				return NULL;
		}
		if (!level) {
			present->number = page >> 9;
			return present->block = node;
		}
		at = (struct present_node **)&node->below[i];
		if (!bit(node, i)) {
			*at = node_open(level - 1);
			if (!*at)
				return NULL;
			node->bits[i / 64] |= UINT64_C(1) << i % 64;
		}
	}
}

int
present_add(struct present *present, uint64_t page)
{
	struct present_node *block = find_block(present, page);
	unsigned i = index_of(page, 0);

	if (!block)
		return -ENOMEM;
	block->bits[i / 64] |= UINT64_C(1) << i % 64;
	present->n++;
	return 0;
}

/* Take it out; true if the node is now empty. */
static bool
take_out(struct present_node *node, uint64_t page, unsigned level)
{
	unsigned i = index_of(page, level);

	if (level) {
		if (!take_out(node->below[i], page, level - 1))
			return false;
		free(node->below[i]);
		node->below[i] = NULL;
	}
	node->bits[i / 64] &= ~(UINT64_C(1) << i % 64);
	return next_bit(node, 0) == 512;
}

void
present_remove(struct present *present, uint64_t page)
{
	struct present_node *block = find_block(present, page);
	unsigned i = index_of(page, 0);
	uint64_t rest = 0;

	present->n--;
	for (unsigned k = 0; k < ARRAY_SIZE(block->bits); k++)
		rest |= k == i / 64 ? block->bits[k] & ~(UINT64_C(1) << i % 64)
				    : block->bits[k];
	if (rest) {
		block->bits[i / 64] &= ~(UINT64_C(1) << i % 64);
		return;
	}
	present->block = NULL;
	(void)take_out(present->root, page, PRESENT_LEVELS - 1);
}

static uint64_t
next_in(const struct present_node *node, unsigned level, uint64_t page,
	uint64_t base)
{
	unsigned from = index_of(page, level);

	for (unsigned i = next_bit(node, from); i < 512;
	     i = next_bit(node, i + 1)) {
		uint64_t start = base | (uint64_t)i << 9 * level, found;

		if (!level)
			return start;
		found = next_in(node->below[i], level - 1, i == from ? page : 0,
				start);
		if (found != PRESENT_NONE)
			return found;
	}
	return PRESENT_NONE;
}

uint64_t
present_next(const struct present *present, uint64_t page)
{
	const struct present_node *block = present->block;

	if (block && present->number == page >> 9) {
		unsigned i = next_bit(block, index_of(page, 0));

		if (i < 512)
			return (page & ~UINT64_C(511)) | i;
	}
	return present->root
		       ? next_in(present->root, PRESENT_LEVELS - 1, page, 0)
		       : PRESENT_NONE;
}
