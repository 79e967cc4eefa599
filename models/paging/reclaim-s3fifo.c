// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi 2023): three FIFO queues.  Most pages
 * are used once: they pass a small queue and are gone.
 *
 *	miss -> small -- used twice --> main --(used: around again)--> out
 *	          |                       ^
 *	          +-> ghost -- wanted ----+
 */
#include "models/paging/reclaim-list.h"

#define MAIN_USES 3u /* counted in the main queue: 2 bits */

enum {
	SMALL,
	MAIN,
	GHOST
};

struct s3fifo {
	struct reclaim_lists lists;
	uint64_t small, main, ghost; /* sizes of the queues */
	unsigned uses;
	bool fill; /* and memory was never full */
};

static void
s3fifo_remember(struct s3fifo *s3fifo, uint32_t page)
{
	struct reclaim_lists *lists = &s3fifo->lists;
	uint64_t size = reclaim_kept(lists, page);

	if (size > s3fifo->ghost)
		return;
	while (lists->held[GHOST] + size > s3fifo->ghost)
		reclaim_unlink(lists, reclaim_oldest(lists, GHOST));
	reclaim_push(lists, GHOST, page);
}

/* One leaves, or all were worth the main queue. */
static void
s3fifo_evict_small(struct s3fifo *s3fifo)
{
	struct reclaim_lists *lists = &s3fifo->lists;

	while (!reclaim_empty(lists, SMALL)) {
		uint32_t page = reclaim_oldest(lists, SMALL);
		struct reclaim_node *node = reclaim_node(lists, page);

		reclaim_unlink(lists, page);
		if (node->count < s3fifo->uses) {
			reclaim_evict(lists, page);
			s3fifo_remember(s3fifo, page);
			return;
		}
		node->count = 0;
		reclaim_push(lists, MAIN, page);
	}
}

static void
s3fifo_evict_main(struct s3fifo *s3fifo)
{
	struct reclaim_lists *lists = &s3fifo->lists;
	uint32_t page = reclaim_oldest(lists, MAIN);

	while (reclaim_node(lists, page)->count) {
		struct reclaim_node *node = reclaim_node(lists, page);

		node->count = (uint16_t)((node->count < MAIN_USES ? node->count
								  : MAIN_USES) -
					 1);
		reclaim_renew(lists, page);
		page = reclaim_oldest(lists, MAIN);
	}
	reclaim_unlink(lists, page);
	reclaim_evict(lists, page);
}

static NOINLINE void
s3fifo_enter(struct s3fifo *s3fifo, uint32_t page)
{
	struct reclaim_lists *lists = &s3fifo->lists;
	bool known = reclaim_node(lists, page)->list == GHOST;

	if (known)
		reclaim_unlink(lists, page);
	if (reclaim_size(lists, page) > s3fifo->small)
		return;
	while (reclaim_full(lists, page)) {
		s3fifo->fill = false;
		if (lists->held[MAIN] > s3fifo->main ||
		    reclaim_empty(lists, SMALL))
			s3fifo_evict_main(s3fifo);
		else
			s3fifo_evict_small(s3fifo);
	}
	known |= s3fifo->fill && lists->held[SMALL] >= s3fifo->small;
	reclaim_node(lists, page)->count = 0;
	reclaim_enter(lists, page);
	reclaim_push(lists, known ? MAIN : SMALL, page);
}

static ALWAYS_INLINE bool
s3fifo_touch(struct reclaim_lists *lists, uint32_t page,
	     UNUSED const struct reclaim_batch *batch, UNUSED uint32_t i)
{
	struct reclaim_node *node = reclaim_node(lists, page);

	if (node->list <= MAIN) {
		node->count =
			(uint16_t)(node->count + (node->count < UINT16_MAX));
		return true;
	}
	s3fifo_enter((struct s3fifo *)lists, page);
	return false;
}

static int
s3fifo_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	return reclaim_each(reclaim, batch, s3fifo_touch);
}

static void
s3fifo_drop(struct reclaim *reclaim, uint32_t page)
{
	reclaim_lists_drop((struct reclaim_lists *)reclaim, page, MAIN);
}

static int
s3fifo_open(struct reclaim **out, const struct reclaim_config *config)
{
	int error = reclaim_lists_open((struct reclaim_lists **)out,
				       sizeof(struct s3fifo), config);

	if (!error) {
		struct s3fifo *s3fifo = (struct s3fifo *)*out;

		s3fifo->small = reclaim_share(config, config->s3fifo_small);
		s3fifo->small += !s3fifo->small;
		s3fifo->main = config->capacity - s3fifo->small;
		s3fifo->ghost = reclaim_share(config, config->s3fifo_ghost);
		s3fifo->uses = (unsigned)config->s3fifo_uses;
		s3fifo->fill = config->s3fifo_fill;
	}
	return error;
}

const struct reclaim_ops s3fifo_reclaim = {
	.name = "s3fifo",
	.help = "a small queue, a main one, and memory of what left the first",
	.fixed = true,
	.sized = true,
	.open = s3fifo_open,
	.close = reclaim_lists_close,
	.feed = s3fifo_feed,
	.drop = s3fifo_drop,
};
