// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Clock, or second chance (Corbato 1968): pages in a ring in order of coming in,
 * each with a bit that references set.  The hand clears the bits that it passes
 * and takes the first page whose bit is clear; a new page comes in behind it.
 *
 * The ring is a queue in an array: what the hand passes goes to its end.  So the
 * pages to come are known and their bits are fetched early; steps from link to
 * link wait for each (12 M references/s on the hostile mix, against 45).
 */
#include "models/paging/reclaim-list.h"

#include <inttypes.h>
#include <stdlib.h>

#include "analyzer/fail.h"

#define REFERENCED 2u
#define IN	   0u /* node.list; pages are not linked */
#define AHEAD	   12u

struct clock {
	struct reclaim_lists lists;
	/* owned [2 * room]: pages; node.word says which entry a page's is, the
	 * others were dropped */
	uint32_t *queue;
	uint64_t head, tail; /* entries counted on and on */
	uint32_t room;
	uint8_t loaded; /* flags of a page that comes in */
};

static uint32_t *
entry(const struct clock *clock, uint64_t at)
{
	return &clock->queue[at & (2 * (uint64_t)clock->room - 1)];
}

static bool
is_live(struct clock *clock, uint64_t at)
{
	const struct reclaim_node *node =
		reclaim_node(&clock->lists, *entry(clock, at));

	return node->list == IN && node->word == (uint32_t)at;
}

static void
put(struct clock *clock, uint32_t page)
{
	reclaim_node(&clock->lists, page)->word = (uint32_t)clock->tail;
	*entry(clock, clock->tail++) = page;
}

/* Half of the entries at least were dropped: the others move up. */
static NOINLINE void
compact(struct clock *clock)
{
	uint64_t end = clock->tail;

	clock->tail = clock->head;
	for (uint64_t at = clock->head; at < end; at++)
		if (is_live(clock, at))
			put(clock, *entry(clock, at));
}

static void
clock_evict(struct clock *clock)
{
	for (;;) {
		uint64_t at = clock->head++;
		uint32_t page = *entry(clock, at);
		struct reclaim_node *node = reclaim_node(&clock->lists, page);

		__builtin_prefetch(
			reclaim_node(&clock->lists, *entry(clock, at + AHEAD)));
		if (unlikely(!is_live(clock, at)))
			continue;
		if (node->flags & REFERENCED) {
			node->flags &= (uint8_t)~REFERENCED;
			put(clock, page);
			continue;
		}
		node->list = RECLAIM_NONE;
		reclaim_evict(&clock->lists, page);
		return;
	}
}

static ALWAYS_INLINE bool
clock_touch(struct reclaim_lists *lists, uint32_t page,
	    UNUSED const struct reclaim_batch *batch, UNUSED uint32_t i)
{
	struct clock *clock = (struct clock *)lists;
	struct reclaim_node *node = reclaim_node(lists, page);

	if (node->list == IN) {
		node->flags |= REFERENCED;
		return true;
	}
	if (!reclaim_fits(lists, page))
		return false;
	while (reclaim_full(lists, page))
		clock_evict(clock);
	node->flags &= (uint8_t)~REFERENCED;
	node->flags |= clock->loaded;
	reclaim_enter(lists, page);
	if (unlikely(clock->tail - clock->head == 2 * (uint64_t)clock->room))
		compact(clock);
	node->list = IN;
	put(clock, page);
	return false;
}

static int
clock_grow(struct clock *clock, uint32_t page)
{
	int error = reclaim_lists_grow(&clock->lists, page);
	struct clock grown = *clock;

	if (error)
		return error;
	grown.room = clock->lists.room;
	grown.queue = calloc(grown.room, 2 * sizeof(*grown.queue));
	if (!grown.queue)
		return fail(ENOMEM, "reclaim: no memory for %" PRIu32 " pages",
			    grown.room);
	for (uint64_t at = clock->head; at < clock->tail; at++)
		*entry(&grown, at) = *entry(clock, at);
	free(clock->queue);
	clock->queue = grown.queue;
	clock->room = grown.room;
	return 0;
}

static int
clock_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	struct clock *clock = (struct clock *)reclaim;
	uint32_t top = reclaim_top(batch);
	int error = top < clock->room ? 0 : clock_grow(clock, top);

	return error ? error : reclaim_each(reclaim, batch, clock_touch);
}

static void
clock_drop(struct reclaim *reclaim, uint32_t page)
{
	struct clock *clock = (struct clock *)reclaim;
	struct reclaim_node *node;

	if (page >= clock->lists.room)
		return;
	node = reclaim_node(&clock->lists, page);
	if (node->list == IN)
		reclaim->used -= reclaim_kept(&clock->lists, page);
	*node = (struct reclaim_node){ .list = RECLAIM_NONE };
}

static void
clock_close(struct reclaim *reclaim)
{
	free(((struct clock *)reclaim)->queue);
	reclaim_lists_close(reclaim);
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
	.sized = true,
	.open = clock_open,
	.close = clock_close,
	.feed = clock_feed,
	.drop = clock_drop,
};
