// SPDX-License-Identifier: GPL-2.0-or-later
/* Least recently used: one list, a reference takes a page to its newest end. */
#include "models/paging/reclaim-list.h"

static ALWAYS_INLINE bool
lru_touch(struct reclaim_lists *lists, uint32_t page,
	  UNUSED const struct reclaim_batch *batch, UNUSED uint32_t i)
{
	if (reclaim_node(lists, page)->list != RECLAIM_NONE) {
		reclaim_renew(lists, page);
		return true;
	}
	if (!reclaim_fits(lists, page))
		return false;
	while (reclaim_full(lists, page)) {
		uint32_t oldest = reclaim_oldest(lists, 0);

		reclaim_unlink(lists, oldest);
		reclaim_evict(lists, oldest);
	}
	reclaim_enter(lists, page);
	reclaim_push(lists, 0, page);
	return false;
}

static int
lru_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	return reclaim_each(reclaim, batch, lru_touch);
}

static void
lru_drop(struct reclaim *reclaim, uint32_t page)
{
	reclaim_lists_drop((struct reclaim_lists *)reclaim, page, 0);
}

static void
lru_cool(struct reclaim *reclaim, uint32_t page, UNUSED bool free)
{
	struct reclaim_lists *lists = (struct reclaim_lists *)reclaim;

	if (page >= lists->room ||
	    reclaim_node(lists, page)->list == RECLAIM_NONE)
		return;
	reclaim_unlink(lists, page);
	reclaim_push_oldest(lists, 0, page);
}

static int
lru_open(struct reclaim **out, const struct reclaim_config *config)
{
	return reclaim_lists_open((struct reclaim_lists **)out,
				  sizeof(struct reclaim_lists), config);
}

const struct reclaim_ops lru_reclaim = {
	.name = "lru",
	.help = "the page not referenced for longest leaves",
	.sized = true,
	.open = lru_open,
	.close = reclaim_lists_close,
	.feed = lru_feed,
	.drop = lru_drop,
	.part = reclaim_lists_part,
	.cool = lru_cool,
};
