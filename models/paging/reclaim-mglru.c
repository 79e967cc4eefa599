// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Linux's multi-generational LRU (6.18: mm/vmscan.c, lru_gen_*): pages of each
 * type in up to four generations.
 *
 *	oldest                                      youngest
 *	[min]   ->  [min + 1]  ->  [max - 1]  ->  [max]  <- faults, found accessed
 *	  |
 *	  v evicted, unless accessed
 *
 * Aging looks at all entries: what was accessed is of the youngest generation
 * then, and a new, empty one begins.  It is done where fewer than two
 * generations would be left, or where the youngest has too many pages or the
 * oldest too few.  Which type is evicted from: that of which fewer come back,
 * weighed by swappiness.
 *
 * Simplified: one tier (mapped pages are in the first), no looking around at the
 * neighbours of an accessed entry (a policy knows no addresses), no filter of
 * page-table pages: all entries are seen.  Not judged by a kernel: the tests'
 * has none.
 */
#include "models/paging/reclaim-list.h"

#define GENERATIONS  4u	 /* MAX_NR_GENS: RECLAIM_LISTS hold two types of them */
#define LEAST	     2u	 /* MIN_NR_GENS */
#define BATCH	     32u /* SWAP_CLUSTER_MAX */
#define FEW	     64u /* MIN_LRU_BATCH */
#define SWAPPINESSES 200u

#define ANON  0u
#define FILES 1u

/* node.flags */
#define ACCESSED 2u /* the bit in its entry */
#define SHADOW	 4u /* it left before */

struct mglru {
	struct reclaim_lists lists;
	const uint8_t *const *file; /* borrowed */
	uint64_t swappiness;
	bool no_swap;
	uint64_t max, min[2];	      /* numbers of generations */
	uint64_t evicted[2], back[2]; /* of each type, decaying */
	uint64_t activations;	      /* found accessed when to be evicted */
	uint64_t agings;
};

static unsigned
list_of(unsigned type, uint64_t generation)
{
	return type * GENERATIONS + (unsigned)(generation % GENERATIONS);
}

static unsigned
type_of(const struct mglru *mglru, uint32_t page)
{
	return mglru->file && (*mglru->file)[page] ? FILES : ANON;
}

/* inc_min_seq: the oldest generation becomes part of the next. */
static void
merge_oldest(struct mglru *mglru, unsigned type)
{
	struct reclaim_lists *lists = &mglru->lists;
	unsigned from = list_of(type, mglru->min[type]);

	while (!reclaim_empty(lists, from)) {
		uint32_t page = reclaim_oldest(lists, from);

		reclaim_unlink(lists, page);
		reclaim_push(lists, list_of(type, mglru->min[type] + 1), page);
	}
	mglru->min[type]++;
}

/* Those of a list that were accessed go to the youngest generation. */
static void
promote(struct mglru *mglru, unsigned type, uint64_t generation)
{
	struct reclaim_lists *lists = &mglru->lists;
	unsigned list = list_of(type, generation);
	uint32_t next;

	for (uint32_t at = lists->node[list].prev; at != list; at = next) {
		struct reclaim_node *node = &lists->node[at];
		uint32_t page = at - RECLAIM_LISTS;

		next = node->prev;
		if (!(node->flags & ACCESSED))
			continue;
		node->flags &= (uint8_t)~ACCESSED;
		if (generation == mglru->max)
			continue;
		reclaim_unlink(lists, page);
		reclaim_push(lists, list_of(type, mglru->max), page);
	}
}

/* try_to_inc_max_seq */
static void
age(struct mglru *mglru)
{
	for (unsigned type = ANON; type <= FILES; type++) {
		for (uint64_t i = mglru->min[type]; i <= mglru->max; i++)
			promote(mglru, type, i);
		if (mglru->max - mglru->min[type] + 1 == GENERATIONS)
			merge_oldest(mglru, type);
		mglru->evicted[type] /= 2;
		mglru->back[type] /= 2;
	}
	mglru->max++;
	mglru->agings++;
}

/* try_to_inc_min_seq: generations that are empty, but for the last two */
static void
drop_empty(struct mglru *mglru, unsigned type)
{
	while (mglru->min[type] + LEAST <= mglru->max &&
	       reclaim_empty(&mglru->lists, list_of(type, mglru->min[type])))
		mglru->min[type]++;
}

/* should_run_aging */
static bool
must_age(const struct mglru *mglru, unsigned type)
{
	const uint64_t *held = mglru->lists.held;
	uint64_t min = mglru->min[type], max = mglru->max, total = 0;

	if (min + LEAST > max)
		return true;
	if (min + LEAST < max)
		return false;
	for (uint64_t i = min; i <= max; i++)
		total += held[list_of(type, i)];
	return held[list_of(type, max)] * LEAST > total ||
	       held[list_of(type, min)] * (LEAST + 2) < total;
}

static uint64_t
pages_of(const struct mglru *mglru, unsigned type)
{
	uint64_t pages = 0;

	for (unsigned i = 0; i < GENERATIONS; i++)
		pages += mglru->lists.held[type * GENERATIONS + i];
	return pages;
}

/* get_type_to_scan, positive_ctrl_err; anonymous pages without swap are what is
 * left when there are no others. */
static unsigned
choose(const struct mglru *mglru, bool anon)
{
	uint64_t file_weight = SWAPPINESSES - mglru->swappiness;

	if (!pages_of(mglru, FILES))
		return ANON;
	if (!anon || !mglru->swappiness || !pages_of(mglru, ANON))
		return FILES;
	return mglru->back[FILES] < FEW ||
			       mglru->back[FILES] *
					       (mglru->evicted[ANON] + FEW) *
					       mglru->swappiness <=
				       (mglru->back[ANON] + 1) *
					       mglru->evicted[FILES] *
					       file_weight
		       ? FILES
		       : ANON;
}

/* evict_folios: how many left; the oldest generation may be found in use. */
static unsigned
evict(struct mglru *mglru, unsigned type)
{
	struct reclaim_lists *lists = &mglru->lists;
	unsigned list = list_of(type, mglru->min[type]), gone = 0;

	for (uint64_t n = lists->held[list]; n && gone < BATCH; n--) {
		uint32_t page;
		struct reclaim_node *node;

		if (reclaim_empty(lists, list))
			break;
		page = reclaim_oldest(lists, list);
		node = reclaim_node(lists, page);
		reclaim_unlink(lists, page);
		if (node->flags & ACCESSED) {
			node->flags &= (uint8_t)~ACCESSED;
			reclaim_push(lists, list_of(type, mglru->max), page);
			mglru->activations++;
			continue;
		}
		reclaim_evict(lists, page);
		node->flags = SHADOW;
		mglru->evicted[type]++;
		gone++;
	}
	return gone;
}

static void
make_room(struct mglru *mglru, uint32_t page)
{
	bool anon = !mglru->no_swap;
	unsigned gone = 0;

	while (reclaim_full(&mglru->lists, page) || (gone && gone < BATCH)) {
		unsigned type = choose(mglru, anon), one;

		drop_empty(mglru, type);
		if (must_age(mglru, type))
			age(mglru);
		drop_empty(mglru, type);
		one = evict(mglru, type);
		gone += one;
		if (!one && gone)
			return;
	}
}

static ALWAYS_INLINE bool
mglru_touch(struct reclaim_lists *lists, uint32_t page,
	    const struct reclaim_batch *batch, UNUSED uint32_t i)
{
	struct mglru *mglru = (struct mglru *)lists;
	struct reclaim_node *node = reclaim_node(lists, page);
	unsigned type;

	if (node->list != RECLAIM_NONE) {
		node->flags |= ACCESSED;
		return true;
	}
	if (!reclaim_fits(lists, page))
		return false;
	if (reclaim_full(lists, page))
		make_room(mglru, page);
	type = type_of(mglru, page);
	if (node->flags & SHADOW)
		mglru->back[type]++;
	node->flags = batch->ahead ? 0 : ACCESSED;
	reclaim_enter(lists, page);
	reclaim_push(lists,
		     list_of(type,
			     batch->ahead ? mglru->min[type] : mglru->max),
		     page);
	return false;
}

static int
mglru_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	return reclaim_each(reclaim, batch, mglru_touch);
}

static void
mglru_drop(struct reclaim *reclaim, uint32_t page)
{
	reclaim_lists_drop((struct reclaim_lists *)reclaim, page,
			   RECLAIM_LISTS - 1);
}

/* lru_gen's part of lru_deactivate and lru_lazyfree: to the oldest generation; of
 * its type, as this knows no pages that change theirs */
static void
mglru_cool(struct reclaim *reclaim, uint32_t page, UNUSED bool free)
{
	struct mglru *mglru = (struct mglru *)reclaim;
	struct reclaim_lists *lists = &mglru->lists;
	unsigned type;

	if (page >= lists->room ||
	    reclaim_node(lists, page)->list == RECLAIM_NONE)
		return;
	type = type_of(mglru, page);
	reclaim_node(lists, page)->flags &= (uint8_t)~ACCESSED;
	reclaim_unlink(lists, page);
	reclaim_push(lists, list_of(type, mglru->min[type]), page);
}

static int
mglru_open(struct reclaim **out, const struct reclaim_config *config)
{
	struct mglru *mglru;
	int error = reclaim_lists_open((struct reclaim_lists **)out,
				       sizeof(struct mglru), config);

	if (error)
		return error;
	mglru = (struct mglru *)*out;
	mglru->file = config->file;
	mglru->swappiness = (uint64_t)config->swappiness;
	mglru->no_swap = config->no_swap;
	mglru->max = LEAST - 1;
	return 0;
}

static int
mglru_finish(const struct reclaim *reclaim, struct result *result)
{
	const struct mglru *mglru = (const struct mglru *)reclaim;
	int error = result_count(result, "reclaim.agings", mglru->agings,
				 "generations");

	return error ? error
		     : result_count(result, "reclaim.activations",
				    mglru->activations, "pages");
}

const struct reclaim_ops mglru_reclaim = {
	.name = "mglru",
	.help = "Linux's generations of pages (MGLRU), simplified",
	.open = mglru_open,
	.close = reclaim_lists_close,
	.feed = mglru_feed,
	.drop = mglru_drop,
	.cool = mglru_cool,
	.finish = mglru_finish,
};
