// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Not recently used: the oldest page of the lowest class leaves.  A class is
 * "referenced lately" above "written": both are bits of a page table's entry.
 * Each interval, all references are forgotten.
 */
#include "models/paging/reclaim-list.h"

#define WRITTEN	   1u
#define REFERENCED 2u
#define CLASSES	   4u

struct nru {
	struct reclaim_lists lists;
	uint64_t interval, left;
};

static void
nru_forget(struct reclaim_lists *lists)
{
	for (unsigned class = REFERENCED; class < CLASSES; class ++)
		while (!reclaim_empty(lists, class)) {
			uint32_t page = reclaim_oldest(lists, class);

			reclaim_unlink(lists, page);
			reclaim_push(lists, class - REFERENCED, page);
		}
}

static void
nru_evict(struct reclaim_lists *lists)
{
	unsigned class = 0;
	uint32_t page;

	while (reclaim_empty(lists, class))
		class ++;
	page = reclaim_oldest(lists, class);
	reclaim_unlink(lists, page);
	reclaim_evict(lists, page);
}

static ALWAYS_INLINE bool
nru_touch(struct reclaim_lists *lists, uint32_t page,
	  const struct reclaim_batch *batch, uint32_t i)
{
	struct nru *nru = (struct nru *)lists;
	struct reclaim_node *node = reclaim_node(lists, page);
	bool hit = node->list != RECLAIM_NONE;
	bool writes = batch->write && batch->write[i];
	unsigned class = REFERENCED | (writes ? WRITTEN : 0);

	if (!nru->left--) {
		nru_forget(lists);
		nru->left = nru->interval - 1;
	}
	if (hit) {
		class |= node->list & WRITTEN;
		if (class != node->list) {
			reclaim_unlink(lists, page);
			reclaim_push(lists, class, page);
		}
	} else if (reclaim_fits(lists, page)) {
		while (reclaim_full(lists, page))
			nru_evict(lists);
		reclaim_enter(lists, page);
		reclaim_push(lists, class, page);
	}
	return hit;
}

static int
nru_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	return reclaim_each(reclaim, batch, nru_touch);
}

static void
nru_drop(struct reclaim *reclaim, uint32_t page)
{
	reclaim_lists_drop((struct reclaim_lists *)reclaim, page, CLASSES);
}

static int
nru_open(struct reclaim **out, const struct reclaim_config *config)
{
	int error = reclaim_lists_open((struct reclaim_lists **)out,
				       sizeof(struct nru), config);

	if (!error) {
		struct nru *nru = (struct nru *)*out;

		nru->interval = config->nru_interval ? config->nru_interval
						     : config->capacity;
		nru->left = nru->interval;
	}
	return error;
}

const struct reclaim_ops nru_reclaim = {
	.name = "nru",
	.help = "neither referenced lately nor written leaves first",
	.sized = true,
	.open = nru_open,
	.close = reclaim_lists_close,
	.feed = nru_feed,
	.drop = nru_drop,
};
