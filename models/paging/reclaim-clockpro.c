// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * CLOCK-Pro (Jiang, Chen, Zhang 2005): LIRS by bits and hands.  One ring holds
 * hot pages, cold ones in memory, and cold ones that left but are in their test
 * period: one that is referenced again within it becomes hot.
 *
 *	hot hand	makes a hot page without its bit cold; ends the tests of
 *			cold pages that it passes
 *	cold hand	evicts the first cold page without its bit
 *	test hand	ends tests if more than a memory of pages is remembered
 *
 * New and moved pages come in behind the hot hand.  Tests that succeed give
 * cold pages more of memory, tests that end give them less.  While memory has
 * room, hot pages may be all but the cold pages' share.
 *
 * A cold page with its bit but out of its test comes around with a new test, as
 * a hit in Q alone does in LIRS.
 */
#include "models/paging/reclaim-list.h"

#define RING	   0u /* node.list, for all in the ring */
#define REFERENCED 2u
#define HOT	   4u
#define TEST	   8u
#define GONE	   16u

struct clockpro {
	struct reclaim_lists lists;
	uint32_t hot_hand, cold_hand, test_hand; /* nodes; 0: the ring's end */
	uint64_t hot, cold, gone;		 /* held */
	uint64_t cold_target;
};

static uint32_t
behind(const struct clockpro *pro, uint32_t at)
{
	return pro->lists.node[at].next;
}

/* The hand's page; 0, the list's own end, is none. */
static uint32_t
hand_at(const struct clockpro *pro, uint32_t *hand)
{
	if (*hand == 0)
		*hand = behind(pro, 0);
	return *hand;
}

static void
ring_remove(struct clockpro *pro, uint32_t at)
{
	uint32_t next = behind(pro, at);

	if (pro->hot_hand == at)
		pro->hot_hand = next;
	if (pro->cold_hand == at)
		pro->cold_hand = next;
	if (pro->test_hand == at)
		pro->test_hand = next;
	reclaim_unlink(&pro->lists, at - RECLAIM_LISTS);
}

/* Where the hot hand comes last: hands go towards older pages, so newer than
 * where it is */
static void
ring_insert(struct clockpro *pro, uint32_t at)
{
	reclaim_push_below(&pro->lists, RING,
			   pro->lists.node[pro->hot_hand].prev,
			   at - RECLAIM_LISTS);
}

static uint64_t
size_at(const struct clockpro *pro, uint32_t at)
{
	return reclaim_kept(&pro->lists, at - RECLAIM_LISTS);
}

static void
cold_more(struct clockpro *pro, uint64_t size)
{
	uint64_t most = pro->lists.reclaim.capacity;

	most -= most > 1;
	pro->cold_target += size;
	if (pro->cold_target > most)
		pro->cold_target = most;
}

static void
cold_less(struct clockpro *pro, uint64_t size)
{
	pro->cold_target =
		pro->cold_target > size ? pro->cold_target - size : 1;
}

static uint64_t
hot_most(const struct clockpro *pro)
{
	return pro->lists.reclaim.capacity - pro->cold_target;
}

/* End the test of the cold page there, if it is in one. */
static void
end_test(struct clockpro *pro, uint32_t at)
{
	struct reclaim_node *node = &pro->lists.node[at];
	uint64_t size = size_at(pro, at);

	if (!(node->flags & TEST))
		return;
	node->flags &= (uint8_t)~TEST;
	if (!(node->flags & REFERENCED))
		cold_less(pro, size);
	if (node->flags & GONE) {
		node->flags &= (uint8_t)~GONE;
		pro->gone -= size;
		ring_remove(pro, at);
	}
}

/* Make one hot page cold. */
static void
run_hot(struct clockpro *pro)
{
	for (;;) {
		uint32_t at = hand_at(pro, &pro->hot_hand);
		struct reclaim_node *node = &pro->lists.node[at];
		uint32_t next = node->next;

		if (!(node->flags & HOT)) {
			end_test(pro, at);
			pro->hot_hand = next;
			continue;
		}
		pro->hot_hand = next;
		if (!(node->flags & REFERENCED)) {
			node->flags &= (uint8_t)~HOT;
			pro->hot -= size_at(pro, at);
			pro->cold += size_at(pro, at);
			return;
		}
		node->flags &= (uint8_t)~REFERENCED;
	}
}

static void
limit_hot(struct clockpro *pro)
{
	while (pro->hot > hot_most(pro))
		run_hot(pro);
}

/* End tests until no more is remembered than there is memory. */
static void
limit_gone(struct clockpro *pro)
{
	while (pro->gone > pro->lists.reclaim.capacity) {
		uint32_t at = hand_at(pro, &pro->test_hand);

		pro->test_hand = behind(pro, at);
		if (!(pro->lists.node[at].flags & HOT))
			end_test(pro, at);
	}
}

/* A cold page with its bit: it comes around, hot if it was in its test. */
static void
spare(struct clockpro *pro, uint32_t at)
{
	struct reclaim_node *node = &pro->lists.node[at];
	uint64_t size = size_at(pro, at);
	bool tested = node->flags & TEST;

	node->flags &= (uint8_t) ~(REFERENCED | TEST);
	node->flags |= tested ? HOT : TEST;
	ring_remove(pro, at);
	ring_insert(pro, at);
	if (tested) {
		pro->cold -= size;
		pro->hot += size;
		cold_more(pro, size);
		limit_hot(pro);
	}
}

/* Evict one page. */
static void
run_cold(struct clockpro *pro)
{
	for (;;) {
		uint32_t at;
		struct reclaim_node *node;

		if (!pro->cold)
			run_hot(pro);
		at = hand_at(pro, &pro->cold_hand);
		node = &pro->lists.node[at];
		if (node->flags & (HOT | GONE)) {
			pro->cold_hand = node->next;
			continue;
		}
		if (node->flags & REFERENCED) {
			spare(pro, at);
			continue;
		}
		pro->cold_hand = node->next;
		pro->cold -= size_at(pro, at);
		reclaim_evict(&pro->lists, at - RECLAIM_LISTS);
		if (node->flags & TEST) {
			node->flags |= GONE;
			pro->gone += size_at(pro, at);
			limit_gone(pro);
		} else {
			ring_remove(pro, at);
		}
		return;
	}
}

static NOINLINE void
clockpro_miss(struct clockpro *pro, uint32_t page)
{
	struct reclaim_lists *lists = &pro->lists;
	uint32_t at = RECLAIM_LISTS + page;
	struct reclaim_node *node = reclaim_node(lists, page);
	bool tested = node->list == RING;

	if (tested) {
		pro->gone -= size_at(pro, at);
		ring_remove(pro, at);
	}
	node->flags = 0;
	if (!reclaim_fits(lists, page))
		return;
	while (reclaim_full(lists, page))
		run_cold(pro);
	reclaim_enter(lists, page);
	if (tested) {
		cold_more(pro, size_at(pro, at));
		node->flags |= HOT;
	} else if (pro->hot + size_at(pro, at) <= hot_most(pro) && !pro->cold) {
		node->flags |= HOT; /* memory fills up */
	} else {
		node->flags |= TEST;
	}
	*(node->flags & HOT ? &pro->hot : &pro->cold) += size_at(pro, at);
	ring_insert(pro, at);
	limit_hot(pro);
}

static ALWAYS_INLINE bool
clockpro_touch(struct reclaim_lists *lists, uint32_t page,
	       UNUSED const struct reclaim_batch *batch, UNUSED uint32_t i)
{
	struct reclaim_node *node = reclaim_node(lists, page);

	if (node->list == RING && !(node->flags & GONE)) {
		node->flags |= REFERENCED;
		return true;
	}
	clockpro_miss((struct clockpro *)lists, page);
	return false;
}

static int
clockpro_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	return reclaim_each(reclaim, batch, clockpro_touch);
}

static void
clockpro_drop(struct reclaim *reclaim, uint32_t page)
{
	struct clockpro *pro = (struct clockpro *)reclaim;
	uint32_t at = RECLAIM_LISTS + page;
	struct reclaim_node *node;

	if (page >= pro->lists.room)
		return;
	node = &pro->lists.node[at];
	if (node->list == RING) {
		uint64_t *of = node->flags & HOT    ? &pro->hot
			       : node->flags & GONE ? &pro->gone
						    : &pro->cold;

		*of -= size_at(pro, at);
		if (!(node->flags & GONE))
			reclaim->used -= size_at(pro, at);
		ring_remove(pro, at);
	}
	*node = (struct reclaim_node){ .list = RECLAIM_NONE };
}

static int
clockpro_finish(const struct reclaim *reclaim, struct result *result)
{
	const struct clockpro *pro = (const struct clockpro *)reclaim;

	return result_count(result, "reclaim.clockpro.cold-target",
			    pro->cold_target, "pages");
}

static int
clockpro_open(struct reclaim **out, const struct reclaim_config *config)
{
	int error = reclaim_lists_open((struct reclaim_lists **)out,
				       sizeof(struct clockpro), config);

	if (!error) {
		struct clockpro *pro = (struct clockpro *)*out;

		cold_more(pro, reclaim_share(config, config->clockpro_cold));
		pro->cold_target += !pro->cold_target;
	}
	return error;
}

const struct reclaim_ops clockpro_reclaim = {
	.name = "clockpro",
	.help = "CLOCK-Pro: LIRS by reference bits and three hands",
	.fixed = true,
	.sized = true,
	.open = clockpro_open,
	.close = reclaim_lists_close,
	.feed = clockpro_feed,
	.drop = clockpro_drop,
	.finish = clockpro_finish,
};
