// SPDX-License-Identifier: GPL-2.0-or-later
/* A treap of pieces; see extents.h. */
#include "models/analysis/extents.h"

#include <stdlib.h>
#include <string.h>

struct extent_node {
	struct extent extent;
	uint32_t left, right; /* 0: none; of a spare node: the next spare one */
};

void
extents_fini(struct extents *extents)
{
	free(extents->node);
	*extents = (struct extents){ .node = NULL };
}

static uint64_t
priority(uint64_t start)
{
	start *= UINT64_C(0x9e3779b97f4a7c15);
	start ^= start >> 29;
	return start * UINT64_C(0xbf58476d1ce4e5b9);
}

const struct extent *
extents_before(const struct extents *extents, uint64_t address)
{
	const struct extent *best = NULL;

	for (uint32_t i = extents->root; i;) {
		const struct extent_node *node = &extents->node[i];

		if (node->extent.start <= address) {
			best = &node->extent;
			i = node->right;
		} else {
			i = node->left;
		}
	}
	return best;
}

const struct extent *
extents_after(const struct extents *extents, uint64_t address)
{
	const struct extent *best = NULL;

	for (uint32_t i = extents->root; i;) {
		const struct extent_node *node = &extents->node[i];

		if (node->extent.start > address) {
			best = &node->extent;
			i = node->left;
		} else {
			i = node->right;
		}
	}
	return best;
}

const struct extent *
extents_find(const struct extents *extents, uint64_t address)
{
	const struct extent *extent = extents_before(extents, address);

	return extent && address < extent->end ? extent : NULL;
}

/* Those below the key to the left, the others to the right. */
static void
split(struct extents *extents, uint32_t at, uint64_t key, uint32_t *left,
      uint32_t *right)
{
	while (at) {
		struct extent_node *node = &extents->node[at];

		if (node->extent.start < key) {
			*left = at;
			left = &node->right;
			at = node->right;
		} else {
			*right = at;
			right = &node->left;
			at = node->left;
		}
	}
	*left = *right = 0;
}

static uint32_t
join(struct extents *extents, uint32_t left, uint32_t right)
{
	uint32_t root = 0, *to = &root;

	while (left && right) {
		struct extent_node *a = &extents->node[left];
		struct extent_node *b = &extents->node[right];

		if (priority(a->extent.start) > priority(b->extent.start)) {
			*to = left;
			to = &a->right;
			left = a->right;
		} else {
			*to = right;
			to = &b->left;
			right = b->left;
		}
	}
	*to = left ? left : right;
	return root;
}

static int
make_room(struct extents *extents, uint32_t more)
{
	uint32_t room = extents->room ? extents->room : 64;
	struct extent_node *wider;

	if (!extents->n)
		extents->n = 1;
	while (room < extents->n + more)
		room *= 2;
	if (room == extents->room)
		return 0;
	wider = reallocarray(extents->node, room, sizeof(*wider));
	if (!wider)
		return -ENOMEM;
	extents->node = wider;
	extents->room = room;
	return 0;
}

/* There is room, and nothing where it goes. */
static void
insert(struct extents *extents, const struct extent *extent)
{
	uint32_t at = extents->spare, left, right;

	if (at)
		extents->spare = extents->node[at].left;
	else
		at = extents->n++;
	extents->node[at] = (struct extent_node){ *extent, 0, 0 };
	split(extents, extents->root, extent->start, &left, &right);
	extents->root = join(extents, join(extents, left, at), right);
}

static void
drop(struct extents *extents, uint64_t start)
{
	uint32_t left, at, right;

	split(extents, extents->root, start, &left, &right);
	split(extents, right, start + 1, &at, &right);
	extents->root = join(extents, left, right);
	extents->node[at].left = extents->spare;
	extents->spare = at;
}

int
extents_remove(struct extents *extents, uint64_t start, uint64_t end)
{
	const struct extent *found;

	if (start >= end || !extents->root)
		return 0;
	if (make_room(extents, 2))
		return -ENOMEM;
	found = extents_find(extents, start);
	if (!found)
		found = extents_after(extents, start);
	while (found && found->start < end) {
		struct extent old = *found;

		drop(extents, old.start);
		if (old.end > end) {
			struct extent rest = old;

			rest.offset += end - old.start;
			rest.start = end;
			insert(extents, &rest);
		}
		if (old.start < start) {
			struct extent rest = old;

			rest.end = start;
			insert(extents, &rest);
		}
		found = extents_after(extents, start);
	}
	return 0;
}

int
extents_put(struct extents *extents, const struct extent *extent)
{
	if (extent->start >= extent->end)
		return 0;
	if (make_room(extents, 3) ||
	    extents_remove(extents, extent->start, extent->end))
		return -ENOMEM;
	insert(extents, extent);
	return 0;
}

int
extents_copy(struct extents *to, const struct extents *from)
{
	struct extent_node *node;

	if (!from->room)
		return 0;
	node = calloc(from->room, sizeof(*node));
	if (!node)
		return -ENOMEM;
	memcpy(node, from->node, from->n * sizeof(*node));
	*to = *from;
	to->node = node;
	return 0;
}
