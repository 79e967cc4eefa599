// SPDX-License-Identifier: GPL-2.0-or-later
/* First in, first out: the page that came in first leaves, used or not. */
#include "models/paging/reclaim-list.h"

static ALWAYS_INLINE bool
fifo_touch(struct reclaim_lists *lists, uint32_t page,
	   UNUSED const struct reclaim_batch *batch, UNUSED uint32_t i)
{
	if (reclaim_node(lists, page)->list != RECLAIM_NONE)
		return true;
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
fifo_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	return reclaim_each(reclaim, batch, fifo_touch);
}

static void
fifo_drop(struct reclaim *reclaim, uint32_t page)
{
	reclaim_lists_drop((struct reclaim_lists *)reclaim, page, 0);
}

static int
fifo_open(struct reclaim **out, const struct reclaim_config *config)
{
	return reclaim_lists_open((struct reclaim_lists **)out,
				  sizeof(struct reclaim_lists), config);
}

const struct reclaim_ops fifo_reclaim = {
	.name = "fifo",
	.help = "the page that came in first leaves",
	.sized = true,
	.open = fifo_open,
	.close = reclaim_lists_close,
	.feed = fifo_feed,
	.drop = fifo_drop,
	.part = reclaim_lists_part,
};
