// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any page, each as likely.  Pages in memory stand in an array without gaps, so
 * that one draw is enough; node.word is a page's place there.
 */
#include "models/paging/reclaim-list.h"

#include <stdlib.h>

#include "analyzer/fail.h"
#include "models/memory/random.h"

struct random {
	struct reclaim_lists lists;
	uint32_t *in; /* owned [room]: the pages in memory are the first n */
	uint32_t n, room;
	uint64_t random;
};

static void
random_leave(struct random *random, uint32_t page)
{
	struct reclaim_node *node = reclaim_node(&random->lists, page);
	uint32_t last = random->in[--random->n];

	random->in[node->word] = last;
	reclaim_node(&random->lists, last)->word = node->word;
	node->list = RECLAIM_NONE;
}

static ALWAYS_INLINE bool
random_touch(struct reclaim_lists *lists, uint32_t page,
	     UNUSED const struct reclaim_batch *batch, UNUSED uint32_t i)
{
	struct random *random = (struct random *)lists;
	struct reclaim_node *node = reclaim_node(lists, page);

	if (node->list != RECLAIM_NONE)
		return true;
	if (!reclaim_fits(lists, page))
		return false;
	while (reclaim_full(lists, page)) {
		uint32_t victim =
			random->in[random_below(&random->random, random->n)];

		random_leave(random, victim);
		reclaim_evict(lists, victim);
	}
	reclaim_enter(lists, page);
	node->list = 0;
	node->word = random->n;
	random->in[random->n++] = page;
	return false;
}

static int
random_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	struct random *random = (struct random *)reclaim;
	uint32_t top = reclaim_top(batch);

	if (top >= random->room) {
		int error = reclaim_lists_grow(&random->lists, top);
		uint32_t room = random->lists.room, *in;

		if (error)
			return error;
		in = reallocarray(random->in, room, sizeof(*in));
		if (!in)
			return fail(ENOMEM, "reclaim: no memory for %u pages",
				    room);
		random->in = in;
		random->room = room;
	}
	return reclaim_each(reclaim, batch, random_touch);
}

static void
random_drop(struct reclaim *reclaim, uint32_t page)
{
	struct random *random = (struct random *)reclaim;
	struct reclaim_node *node;

	if (page >= random->lists.room)
		return;
	node = reclaim_node(&random->lists, page);
	if (node->list != RECLAIM_NONE) {
		reclaim->used -= reclaim_kept(&random->lists, page);
		random_leave(random, page);
	}
	*node = (struct reclaim_node){ .list = RECLAIM_NONE };
}

static void
random_close(struct reclaim *reclaim)
{
	free(((struct random *)reclaim)->in);
	reclaim_lists_close(reclaim);
}

static int
random_open(struct reclaim **out, const struct reclaim_config *config)
{
	int error = reclaim_lists_open((struct reclaim_lists **)out,
				       sizeof(struct random), config);

	if (!error)
		((struct random *)*out)->random = config->seed;
	return error;
}

const struct reclaim_ops random_reclaim = {
	.name = "random",
	.help = "any page leaves",
	.sized = true,
	.open = random_open,
	.close = random_close,
	.feed = random_feed,
	.drop = random_drop,
};
