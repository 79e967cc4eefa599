/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pieces of an address space, each with a number, none over another: a treap by
 * their starts, whose priorities are hashes of these (the same pieces make the
 * same tree).  Adding, taking out and finding take O(log n).
 */
#ifndef MODELS_ANALYSIS_EXTENTS_H
#define MODELS_ANALYSIS_EXTENTS_H

#include "analyzer/base.h"

struct extent {
	uint64_t start, end;
	uint64_t offset; /* of start in what it is a piece of */
	uint32_t number;
};

struct extent_node;

/* Zeroed memory has no pieces. */
struct extents {
	struct extent_node *node; /* owned; [0] stands for none */
	uint32_t n, room, root, spare;
};

void extents_fini(struct extents *extents);

/* The last piece that starts at or below the address (it may end before it);
 * NULL: there is none.  Good until the next change. */
const struct extent *extents_before(const struct extents *extents,
				    uint64_t address);
/* The first piece that starts above the address, or NULL. */
const struct extent *extents_after(const struct extents *extents,
				   uint64_t address);
/* The piece that has the address, or NULL. */
const struct extent *extents_find(const struct extents *extents,
				  uint64_t address);

/* Take [start, end) out of all; what sticks out on either side stays.  0 or
 * -ENOMEM (unsaid). */
int extents_remove(struct extents *extents, uint64_t start, uint64_t end);
/* Add a piece; what was there is taken out before.  0 or -ENOMEM (unsaid). */
int extents_put(struct extents *extents, const struct extent *extent);
/* The same pieces in an empty one.  0 or -ENOMEM (unsaid). */
int extents_copy(struct extents *to, const struct extents *from);

#endif
