// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * 2Q, the full version (Johnson, Shasha 1994): new pages pass a FIFO, A1in; a
 * page that left it is remembered in A1out, and one that is wanted while it is
 * there is worth the LRU list, Am.
 *
 *	miss -> A1in -> A1out (only remembered)
 *	                  | wanted again
 *	                  v
 *	                 Am -> out
 */
#include "models/paging/reclaim-list.h"

enum {
	IN,
	MAIN,
	OUT
};

struct twoq {
	struct reclaim_lists lists;
	uint64_t in, out; /* most of A1in while Am has any, of A1out */
};

static void
twoq_evict(struct twoq *twoq)
{
	struct reclaim_lists *lists = &twoq->lists;
	uint32_t page;

	if (lists->held[IN] <= twoq->in && !reclaim_empty(lists, MAIN)) {
		page = reclaim_oldest(lists, MAIN);
		reclaim_unlink(lists, page);
		reclaim_evict(lists, page);
		return;
	}
	page = reclaim_oldest(lists, IN);
	reclaim_unlink(lists, page);
	reclaim_evict(lists, page);
	if (reclaim_kept(lists, page) > twoq->out)
		return;
	while (lists->held[OUT] + reclaim_kept(lists, page) > twoq->out)
		reclaim_unlink(lists, reclaim_oldest(lists, OUT));
	reclaim_push(lists, OUT, page);
}

static ALWAYS_INLINE bool
twoq_touch(struct reclaim_lists *lists, uint32_t page,
	   UNUSED const struct reclaim_batch *batch, UNUSED uint32_t i)
{
	uint8_t list = reclaim_node(lists, page)->list;

	if (list == IN)
		return true;
	if (list == MAIN) {
		reclaim_renew(lists, page);
		return true;
	}
	if (!reclaim_fits(lists, page))
		return false;
	if (list == OUT)
		reclaim_unlink(lists, page);
	while (reclaim_full(lists, page))
		twoq_evict((struct twoq *)lists);
	reclaim_enter(lists, page);
	reclaim_push(lists, list == OUT ? MAIN : IN, page);
	return false;
}

static int
twoq_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	return reclaim_each(reclaim, batch, twoq_touch);
}

static void
twoq_drop(struct reclaim *reclaim, uint32_t page)
{
	reclaim_lists_drop((struct reclaim_lists *)reclaim, page, MAIN);
}

static int
twoq_open(struct reclaim **out, const struct reclaim_config *config)
{
	int error = reclaim_lists_open((struct reclaim_lists **)out,
				       sizeof(struct twoq), config);

	if (!error) {
		struct twoq *twoq = (struct twoq *)*out;

		twoq->in = reclaim_share(config, config->twoq_in);
		twoq->out = reclaim_share(config, config->twoq_out);
	}
	return error;
}

const struct reclaim_ops twoq_reclaim = {
	.name = "2q",
	.also = "twoq", /* as its options are: files' names begin with letters */
	.help = "new pages pass a queue; those wanted again soon after it stay",
	.fixed = true,
	.sized = true,
	.open = twoq_open,
	.close = reclaim_lists_close,
	.feed = twoq_feed,
	.drop = twoq_drop,
};
