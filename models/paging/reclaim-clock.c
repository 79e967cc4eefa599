// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Clock, or second chance (Corbato 1968): pages in a ring in order of coming in,
 * each with a bit that references set.  The hand clears the bits that it passes
 * and takes the first page whose bit is clear.  The ring is a list whose oldest
 * end is the hand: what it passes goes to the newest end.
 */
#include "models/paging/reclaim-list.h"

#define REFERENCED 2u

struct clock {
	struct reclaim_lists lists;
	uint8_t loaded; /* flags of a page that comes in */
};

static void
clock_evict(struct reclaim_lists *lists)
{
	uint32_t page = reclaim_oldest(lists, 0);

	while (reclaim_node(lists, page)->flags & REFERENCED) {
		reclaim_node(lists, page)->flags &= (uint8_t)~REFERENCED;
		reclaim_renew(lists, page);
		page = reclaim_oldest(lists, 0);
	}
	reclaim_unlink(lists, page);
	reclaim_evict(lists, page);
}

static ALWAYS_INLINE bool
clock_touch(struct reclaim_lists *lists, uint32_t page,
	    UNUSED const struct reclaim_batch *batch, UNUSED uint32_t i)
{
	struct reclaim_node *node = reclaim_node(lists, page);

	if (node->list != RECLAIM_NONE) {
		node->flags |= REFERENCED;
		return true;
	}
	if (!reclaim_fits(lists, page))
		return false;
	while (reclaim_full(lists, page))
		clock_evict(lists);
	reclaim_enter(lists, page);
	reclaim_push(lists, 0, page);
	node->flags = ((struct clock *)lists)->loaded;
	return false;
}

static int
clock_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	return reclaim_each(reclaim, batch, clock_touch);
}

static void
clock_drop(struct reclaim *reclaim, uint32_t page)
{
	reclaim_lists_drop((struct reclaim_lists *)reclaim, page, 0);
}

static int
clock_open(struct reclaim **out, const struct reclaim_config *config)
{
	int error = reclaim_lists_open((struct reclaim_lists **)out,
				       sizeof(struct clock), config);

	if (!error)
		((struct clock *)*out)->loaded =
			config->clock_loaded ? REFERENCED : 0;
	return error;
}

const struct reclaim_ops clock_reclaim = {
	.name = "clock",
	.help = "the first page at the hand not referenced since it came by",
	.open = clock_open,
	.close = reclaim_lists_close,
	.feed = clock_feed,
	.drop = clock_drop,
};
