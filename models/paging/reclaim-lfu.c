// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Least frequently used, of uses since a page came in; of equal ones that which
 * has its count longest.  One list in the order in which pages would leave; of
 * each count, the array knows the newest page:
 *
 *	oldest [1 1 1] [2 2] [5] [9 9] newest
 *	            ^     ^   ^     ^
 *	            newest[1] [2] [5] [9]
 *
 * Counts end at 65535.
 */
#include "models/paging/reclaim-list.h"

#include <stdlib.h>

#include "analyzer/fail.h"

#define MOST UINT16_MAX

struct lfu {
	struct reclaim_lists lists;
	uint32_t *newest; /* owned [MOST + 1]: nodes; 0: none has that count */
};

/* The node no longer stands for its count. */
static void
lfu_forget(struct lfu *lfu, uint32_t at)
{
	const struct reclaim_node *node = lfu->lists.node;
	uint32_t older = node[at].next;
	uint16_t count = node[at].count;

	if (lfu->newest[count] == at)
		lfu->newest[count] =
			older && node[older].count == count ? older : 0;
}

static void
lfu_hit(struct lfu *lfu, uint32_t page)
{
	struct reclaim_node *node = reclaim_node(&lfu->lists, page);
	uint32_t at = RECLAIM_LISTS + page, below;
	uint16_t count = node->count;
	uint16_t more = count < MOST ? (uint16_t)(count + 1) : MOST;

	lfu_forget(lfu, at);
	below = lfu->newest[more] ? lfu->newest[more] : lfu->newest[count];
	if (below) { /* else it is between the two already */
		reclaim_unlink(&lfu->lists, page);
		reclaim_push_below(&lfu->lists, 0, lfu->lists.node[below].prev,
				   page);
	}
	node->count = more;
	lfu->newest[more] = at;
}

static void
lfu_leave(struct lfu *lfu, uint32_t page)
{
	lfu_forget(lfu, RECLAIM_LISTS + page);
	reclaim_unlink(&lfu->lists, page);
}

static ALWAYS_INLINE bool
lfu_touch(struct reclaim_lists *lists, uint32_t page,
	  UNUSED const struct reclaim_batch *batch, UNUSED uint32_t i)
{
	struct lfu *lfu = (struct lfu *)lists;

	if (reclaim_node(lists, page)->list != RECLAIM_NONE) {
		lfu_hit(lfu, page);
		return true;
	}
	if (!reclaim_fits(lists, page))
		return false;
	while (reclaim_full(lists, page)) {
		uint32_t oldest = reclaim_oldest(lists, 0);

		lfu_leave(lfu, oldest);
		reclaim_evict(lists, oldest);
	}
	reclaim_enter(lists, page);
	reclaim_node(lists, page)->count = 1;
	/* newer than all of one use; without any, newest[1] is the list's end,
	 * which is beyond the oldest */
	reclaim_push_below(lists, 0, lists->node[lfu->newest[1]].prev, page);
	lfu->newest[1] = RECLAIM_LISTS + page;
	return false;
}

static int
lfu_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	return reclaim_each(reclaim, batch, lfu_touch);
}

static void
lfu_drop(struct reclaim *reclaim, uint32_t page)
{
	struct lfu *lfu = (struct lfu *)reclaim;

	if (page >= lfu->lists.room)
		return;
	if (reclaim_node(&lfu->lists, page)->list != RECLAIM_NONE)
		lfu_forget(lfu, RECLAIM_LISTS + page);
	reclaim_lists_drop(&lfu->lists, page, 0);
}

static void
lfu_close(struct reclaim *reclaim)
{
	free(((struct lfu *)reclaim)->newest);
	reclaim_lists_close(reclaim);
}

static int
lfu_open(struct reclaim **out, const struct reclaim_config *config)
{
	struct lfu *lfu;
	int error = reclaim_lists_open((struct reclaim_lists **)&lfu,
				       sizeof(*lfu), config);

	if (error)
		return error;
	lfu->newest = calloc(MOST + 1, sizeof(*lfu->newest));
	if (!lfu->newest) {
		reclaim_lists_close(&lfu->lists.reclaim);
		return fail(ENOMEM, "reclaim: no memory for counts");
	}
	*out = &lfu->lists.reclaim;
	return 0;
}

const struct reclaim_ops lfu_reclaim = {
	.name = "lfu",
	.help = "the page used least since it came in leaves",
	.sized = true,
	.open = lfu_open,
	.close = lfu_close,
	.feed = lfu_feed,
	.drop = lfu_drop,
};
