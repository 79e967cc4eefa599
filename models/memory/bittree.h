/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of small numbers that finds its next member quickly: bits, and above
 * them words of bits that say which words below are not empty.
 */
#ifndef MODELS_MEMORY_BITTREE_H
#define MODELS_MEMORY_BITTREE_H

#include "analyzer/base.h"

#define BITTREE_LEVELS 6 /* 64^6 = 2^36 numbers */
#define BITTREE_NONE   SIZE_MAX

struct bittree {
	uint64_t *level[BITTREE_LEVELS]; /* owned; [0] has a bit a number */
	size_t words[BITTREE_LEVELS];
};

/* Zeroed memory is an empty set of no numbers; make room for [0, numbers).
 * 0 or -ENOMEM (unsaid), which leaves the set as it was. */
int bittree_grow(struct bittree *tree, size_t numbers);
void bittree_fini(struct bittree *tree);

void bittree_add(struct bittree *tree, size_t number);
void bittree_remove(struct bittree *tree, size_t number);
/* The least member >= number, or BITTREE_NONE. */
size_t bittree_next(const struct bittree *tree, size_t number);

static inline bool
bittree_has(const struct bittree *tree, size_t number)
{
	return tree->level[0][number >> 6] >> (number & 63) & 1;
}

#endif
