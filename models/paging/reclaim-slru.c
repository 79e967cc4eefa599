// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Segmented LRU (Karedla, Love, Wherry 1994; here of any number of segments): a
 * hit takes a page one segment up, what a segment has no room for sinks one
 * down, and out of the lowest.
 *
 *	segment 3   newest ... oldest --+
 *	segment 2      ^ hit            v  newest ... oldest --+
 *	segment 1                                              v
 *	segment 0   a miss comes in here (or higher, while there is room)
 */
#include "models/paging/reclaim-list.h"

#include <assert.h>

struct slru {
	struct reclaim_lists lists;
	unsigned segments;
	uint64_t most[RECLAIM_LISTS];
};

static void
slru_evict(struct reclaim_lists *lists, unsigned segment)
{
	uint32_t page = reclaim_oldest(lists, segment);

	reclaim_unlink(lists, page);
	reclaim_evict(lists, page);
}

/* What is too much in this segment sinks, and below it what that is too much
 * for.  (The lowest may hold more than its share while others hold less.) */
static void
slru_sink(struct slru *slru, unsigned segment)
{
	struct reclaim_lists *lists = &slru->lists;

	for (unsigned i = segment; lists->held[i] > slru->most[i]; i--) {
		while (lists->held[i] > slru->most[i]) {
			uint32_t page = reclaim_oldest(lists, i);

			reclaim_unlink(lists, page);
			if (i)
				reclaim_push(lists, i - 1, page);
			else
				reclaim_evict(lists, page);
		}
		if (!i)
			break;
	}
}

static void
slru_enter(struct slru *slru, uint32_t page)
{
	struct reclaim_lists *lists = &slru->lists;
	uint64_t size = reclaim_size(lists, page);
	unsigned segment = 0;

	while (reclaim_full(lists, page)) {
		while (reclaim_empty(lists, segment))
			segment++;
		slru_evict(lists, segment);
	}
	for (segment = 0; segment < slru->segments; segment++)
		if (lists->held[segment] + size <= slru->most[segment])
			break;
	reclaim_enter(lists, page);
	reclaim_push(lists, segment < slru->segments ? segment : 0, page);
}

static ALWAYS_INLINE bool
slru_touch(struct reclaim_lists *lists, uint32_t page,
	   UNUSED const struct reclaim_batch *batch, UNUSED uint32_t i)
{
	struct slru *slru = (struct slru *)lists;
	struct reclaim_node *node = reclaim_node(lists, page);
	unsigned segment = node->list;

	if (segment + 1 == slru->segments) {
		reclaim_renew(lists, page);
		return true;
	}
	if (segment != RECLAIM_NONE) {
		reclaim_unlink(lists, page);
		reclaim_push(lists, segment + 1, page);
		slru_sink(slru, segment + 1);
		return true;
	}
	if (reclaim_size(lists, page) <= slru->most[0])
		slru_enter(slru, page);
	return false;
}

static int
slru_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	return reclaim_each(reclaim, batch, slru_touch);
}

static void
slru_drop(struct reclaim *reclaim, uint32_t page)
{
	reclaim_lists_drop((struct reclaim_lists *)reclaim, page,
			   RECLAIM_LISTS);
}

static int
slru_open(struct reclaim **out, const struct reclaim_config *config)
{
	int error = reclaim_lists_open((struct reclaim_lists **)out,
				       sizeof(struct slru), config);
	uint64_t segments =
		config->slru_segments > 1 ? (uint64_t)config->slru_segments : 1;
	struct slru *slru;

	if (error)
		return error;
	slru = (struct slru *)*out;
	if (segments > config->capacity)
		segments = config->capacity;
	assert(segments);
	for (uint64_t i = 0; i < segments; i++)
		slru->most[i] = config->capacity / segments;
	/* the lowest takes what is over */
	slru->most[0] += config->capacity % segments;
	slru->segments = (unsigned)segments;
	return 0;
}

const struct reclaim_ops slru_reclaim = {
	.name = "slru",
	.help = "LRU in segments: each hit takes a page one up",
	.fixed = true,
	.sized = true,
	.open = slru_open,
	.close = reclaim_lists_close,
	.feed = slru_feed,
	.drop = slru_drop,
};
