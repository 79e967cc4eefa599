// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Bit n of level k + 1 is set if word n of level k is not 0.  All six levels
 * are always there; the upper ones are one word each in small sets.
 */
#include "models/memory/bittree.h"

#include <stdlib.h>
#include <string.h>

int
bittree_grow(struct bittree *tree, size_t numbers)
{
	for (unsigned k = 0; k < BITTREE_LEVELS; k++) {
		size_t words = (numbers + 63) / 64;
		uint64_t *level;

		if (words <= tree->words[k])
			break;
		level = reallocarray(tree->level[k], words, sizeof(*level));
		if (!level)
			return -ENOMEM;
		memset(level + tree->words[k], 0,
		       (words - tree->words[k]) * sizeof(*level));
		/* A level that just came over others must know them. */
		if (k > 0 && tree->words[k] == 0)
			for (size_t i = 0; i < tree->words[k - 1]; i++)
				if (tree->level[k - 1][i])
					level[i >> 6] |= UINT64_C(1)
							 << (i & 63);
		tree->level[k] = level;
		tree->words[k] = words;
		numbers = words;
	}
	return 0;
}

void
bittree_fini(struct bittree *tree)
{
	for (unsigned k = 0; k < BITTREE_LEVELS; k++)
		free(tree->level[k]);
	memset(tree, 0, sizeof(*tree));
}

void
bittree_add(struct bittree *tree, size_t number)
{
	for (unsigned k = 0; k < BITTREE_LEVELS; k++) {
		uint64_t *word = &tree->level[k][number >> 6];
		bool was_empty = *word == 0;

		*word |= UINT64_C(1) << (number & 63);
		if (!was_empty)
			return;
		number >>= 6;
	}
}

void
bittree_remove(struct bittree *tree, size_t number)
{
	for (unsigned k = 0; k < BITTREE_LEVELS; k++) {
		uint64_t *word = &tree->level[k][number >> 6];

		*word &= ~(UINT64_C(1) << (number & 63));
		if (*word)
			return;
		number >>= 6;
	}
}

size_t
bittree_next(const struct bittree *tree, size_t number)
{
	unsigned k = 0;

	/* Up until a word has a member at or after the number ... */
	for (;;) {
		size_t i = number >> 6;
		uint64_t word;

		if (k == BITTREE_LEVELS || i >= tree->words[k])
			return BITTREE_NONE;
		word = tree->level[k][i] >> (number & 63);
		if (word) {
			number += (size_t)__builtin_ctzll(word);
			break;
		}
		number = i + 1;
		k++;
	}
	/* ... and down along the first ones. */
	while (k-- > 0)
		number = number << 6 |
			 (size_t)__builtin_ctzll(tree->level[k][number]);
	return number;
}
