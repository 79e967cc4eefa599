// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SIEVE (Zhang, Yang, Yue, Vigfusson, Rashmi 2024): a queue in order of coming
 * in, each page with a bit that hits set.  The hand goes from the oldest to the
 * newest, clearing bits, and evicts where it finds one clear; survivors keep
 * their places, so that new pages are sieved soon.
 */
#include "models/paging/reclaim-list.h"

#define VISITED 2u

struct sieve {
	struct reclaim_lists lists;
	uint32_t hand; /* node; 0, the list's end: the oldest is next */
};

static void
sieve_evict(struct sieve *sieve)
{
	struct reclaim_node *node = sieve->lists.node;
	uint32_t at = sieve->hand;

	for (;;) {
		if (at == 0)
			at = node[0].prev;
		if (!(node[at].flags & VISITED))
			break;
		node[at].flags &= (uint8_t)~VISITED;
		at = node[at].prev; /* the newer one */
	}
	sieve->hand = node[at].prev;
	reclaim_unlink(&sieve->lists, at - RECLAIM_LISTS);
	reclaim_evict(&sieve->lists, at - RECLAIM_LISTS);
}

static ALWAYS_INLINE bool
sieve_touch(struct reclaim_lists *lists, uint32_t page,
	    UNUSED const struct reclaim_batch *batch, UNUSED uint32_t i)
{
	struct reclaim_node *node = reclaim_node(lists, page);

	if (node->list != RECLAIM_NONE) {
		node->flags |= VISITED;
		return true;
	}
	if (!reclaim_fits(lists, page))
		return false;
	while (reclaim_full(lists, page))
		sieve_evict((struct sieve *)lists);
	node->flags &= (uint8_t)~VISITED;
	reclaim_enter(lists, page);
	reclaim_push(lists, 0, page);
	return false;
}

static int
sieve_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	return reclaim_each(reclaim, batch, sieve_touch);
}

static void
sieve_drop(struct reclaim *reclaim, uint32_t page)
{
	struct sieve *sieve = (struct sieve *)reclaim;

	if (page >= sieve->lists.room)
		return;
	if (sieve->hand == page + RECLAIM_LISTS)
		sieve->hand = reclaim_node(&sieve->lists, page)->prev;
	reclaim_lists_drop(&sieve->lists, page, 0);
}

static int
sieve_open(struct reclaim **out, const struct reclaim_config *config)
{
	return reclaim_lists_open((struct reclaim_lists **)out,
				  sizeof(struct sieve), config);
}

const struct reclaim_ops sieve_reclaim = {
	.name = "sieve",
	.help = "as clock, but what survives keeps its place",
	.sized = true,
	.open = sieve_open,
	.close = reclaim_lists_close,
	.feed = sieve_feed,
	.drop = sieve_drop,
};
