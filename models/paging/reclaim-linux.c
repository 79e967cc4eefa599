// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Linux's classic reclaim of a memory group that is at its limit (6.18:
 * mm/vmscan.c, mm/workingset.c, mm/swap.c): two lists of anonymous pages and
 * two of file pages, newest first.
 *
 *	fault -> [inactive] --accessed twice--> [active]
 *	             |  ^______________deactivated___|
 *	             v
 *	          evicted, leaving a shadow: the age of the lists then.  Who comes
 *	          back before as many others left or were activated as are in
 *	          memory now goes to the active list at once (refault distance).
 *
 * A page's first access counts as nothing (its entry is made young by the
 * fault); a page found accessed at the end of the inactive list goes round once
 * more, found so again it is activated.  Pages leave 32 at a time at least.
 * Active pages are deactivated, accessed or not, where the inactive list is
 * short or pages come back.
 *
 * Simplified: accessed bits are set by each run of accesses, though a
 * translation that stays in a TLB leaves a cleared bit clear; pages are on their
 * lists at once, not in batches of a CPU; writing to swap is done when the page
 * leaves; file pages mapped executable have no extra round.
 */
#include "models/paging/reclaim-list.h"

#include <math.h>

#define BATCH	     32u /* SWAP_CLUSTER_MAX */
#define PRIORITY     12	 /* DEF_PRIORITY */
#define SWAPPINESSES 200u

/* Lists: inactive and active of each type */
#define ANON	    0u
#define FILES	    1u
#define INACTIVE(t) (2 * (t))
#define ACTIVE(t)   (2 * (t) + 1)
#define LISTS	    4u

/* node.flags; node.word is the age at which the page left */
#define ACCESSED   2u /* the bit in its entry */
#define REFERENCED 4u /* found accessed once */
#define WORKINGSET 8u /* was active */
#define SHADOW	   16u
#define LAZY	   32u /* on the files' lists: what is in it is not wanted */

struct linux_lru {
	struct reclaim_lists lists;
	const uint8_t *const *file; /* borrowed */
	uint32_t swappiness;
	bool no_swap;
	uint32_t age;	  /* of what is not resident: evictions, activations */
	uint64_t cost[2]; /* of reclaiming each type, decaying */
	uint64_t activated[2],
		seen[2]; /* by refaults; as of the last reclaim */
	uint64_t activations;
	/* of the reclaim that runs */
	bool deactivate[2], skipped, forced;
};

static unsigned
type_of(struct linux_lru *lru, uint32_t page)
{
	if (reclaim_node(&lru->lists, page)->flags & LAZY)
		return FILES;
	return lru->file && (*lru->file)[page] ? FILES : ANON;
}

static uint64_t
resident(const struct linux_lru *lru)
{
	return lru->lists.reclaim.used;
}

/* lru_note_cost */
static void
note_cost(struct linux_lru *lru, unsigned type, uint64_t io, uint64_t rotated)
{
	lru->cost[type] += io * BATCH + rotated;
	if (lru->cost[ANON] + lru->cost[FILES] > resident(lru) / 4) {
		lru->cost[ANON] /= 2;
		lru->cost[FILES] /= 2;
	}
}

/* inactive_is_low */
static bool
is_low(const struct linux_lru *lru, unsigned type)
{
	uint64_t inactive = lru->lists.held[INACTIVE(type)];
	uint64_t active = lru->lists.held[ACTIVE(type)];
	uint64_t gib = (inactive + active) >> (30 - 12);
	uint64_t ratio = gib ? (uint64_t)sqrt(10.0 * (double)gib) : 1;

	return inactive * ratio < active;
}

/* shrink_active_list */
static void
shrink_active(struct linux_lru *lru, unsigned type, uint64_t n)
{
	struct reclaim_lists *lists = &lru->lists;

	for (uint64_t done = 0;
	     done < n && !reclaim_empty(lists, ACTIVE(type));) {
		uint32_t page = reclaim_oldest(lists, ACTIVE(type));
		struct reclaim_node *node = reclaim_node(lists, page);

		done += reclaim_kept(lists, page);
		reclaim_unlink(lists, page);
		node->flags &= (uint8_t)~ACCESSED;
		node->flags |= WORKINGSET;
		reclaim_push(lists, INACTIVE(type), page);
	}
}

/* workingset_eviction */
static void
evict(struct linux_lru *lru, uint32_t page)
{
	struct reclaim_node *node = reclaim_node(&lru->lists, page);
	uint8_t kept = node->flags & WORKINGSET;

	reclaim_unlink(&lru->lists, page);
	reclaim_evict(&lru->lists, page);
	node->word = lru->age;
	lru->age += (uint32_t)reclaim_kept(&lru->lists, page);
	node->flags = kept | SHADOW;
}

/* Written since: it is memory as before (shrink_folio_list, nr_lazyfree_fail). */
static void
want_again(struct linux_lru *lru, uint32_t page)
{
	reclaim_node(&lru->lists, page)->flags &= (uint8_t) ~(LAZY | ACCESSED);
	reclaim_unlink(&lru->lists, page);
	reclaim_push(&lru->lists, ACTIVE(ANON), page);
	lru->age += (uint32_t)reclaim_kept(&lru->lists, page);
	lru->activations += reclaim_kept(&lru->lists, page);
}

/* shrink_inactive_list, folio_check_references: how many left */
static uint64_t
shrink_inactive(struct linux_lru *lru, unsigned type, uint64_t n)
{
	struct reclaim_lists *lists = &lru->lists;
	uint64_t scanned = 0, reclaimed = 0, written = 0;
	uint64_t all = lists->held[INACTIVE(type)];

	for (n = n < all ? n : all;
	     scanned < n && !reclaim_empty(lists, INACTIVE(type));) {
		uint32_t page = reclaim_oldest(lists, INACTIVE(type));
		struct reclaim_node *node = reclaim_node(lists, page);
		uint64_t kept = reclaim_kept(lists, page);
		bool again = node->flags & REFERENCED;

		scanned += kept;
		node->flags &= (uint8_t)~REFERENCED;
		if ((node->flags & (LAZY | RECLAIM_DIRTY)) ==
		    (LAZY | RECLAIM_DIRTY)) {
			want_again(lru, page);
			continue;
		}
		if (!(node->flags & ACCESSED)) {
			if (!(node->flags & LAZY) &&
			    (type == ANON || node->flags & RECLAIM_DIRTY))
				written += kept;
			evict(lru, page);
			reclaimed += kept;
			continue;
		}
		node->flags &= (uint8_t)~ACCESSED;
		node->flags |= REFERENCED;
		if (!again) {
			reclaim_renew(lists, page);
			continue;
		}
		reclaim_unlink(lists, page);
		reclaim_push(lists, ACTIVE(type), page);
		lru->age += (uint32_t)kept;
		lru->activations += kept;
	}
	note_cost(lru, type, written, scanned - reclaimed);
	return reclaimed;
}

/* get_scan_count: how much of each list is looked at */
static void
scan_counts(const struct linux_lru *lru, unsigned priority, bool anon,
	    uint64_t *scan)
{
	const uint64_t *held = lru->lists.held;
	uint64_t total = lru->cost[ANON] + lru->cost[FILES];
	uint64_t cost[2] = { total + lru->cost[ANON],
			     total + lru->cost[FILES] };
	uint64_t part[2], whole = cost[ANON] + cost[FILES] + 1;
	bool trim =
		held[INACTIVE(FILES)] >> priority && !lru->deactivate[FILES];

	part[ANON] = lru->swappiness * whole / (cost[ANON] + 1);
	part[FILES] =
		(SWAPPINESSES - lru->swappiness) * whole / (cost[FILES] + 1);
	for (unsigned i = 0; i < LISTS; i++) {
		unsigned type = i / 2;

		scan[i] = held[i] >> priority;
		if (!anon || (priority && trim))
			scan[i] = type == ANON ? 0 : scan[i];
		else if (priority)
			scan[i] = scan[i] * part[type] /
				  (part[ANON] + part[FILES]);
	}
}

/* shrink_lruvec */
static uint64_t
shrink_lists(struct linux_lru *lru, unsigned priority, bool anon)
{
	uint64_t scan[LISTS], reclaimed = 0;

	scan_counts(lru, priority, anon, scan);
	while ((scan[INACTIVE(ANON)] || scan[INACTIVE(FILES)] ||
		scan[ACTIVE(FILES)]) &&
	       reclaimed < BATCH) {
		for (unsigned i = 0; i < LISTS; i++) {
			uint64_t n = scan[i] < BATCH ? scan[i] : BATCH;

			scan[i] -= n;
			if (!n)
				continue;
			if (i == INACTIVE(i / 2))
				reclaimed += shrink_inactive(lru, i / 2, n);
			else if (lru->deactivate[i / 2])
				shrink_active(lru, i / 2, n);
			else
				lru->skipped = true;
		}
	}
	if (anon && is_low(lru, ANON))
		shrink_active(lru, ANON, BATCH);
	return reclaimed;
}

/* do_try_to_free_pages: from a little of each list to all of it */
static uint64_t
reclaim(struct linux_lru *lru, bool anon)
{
	uint64_t reclaimed = 0;

	lru->forced = lru->skipped = false;
	for (int priority = PRIORITY; priority >= 0 && reclaimed < BATCH;
	     priority--) {
		for (unsigned type = ANON; type <= FILES; type++)
			lru->deactivate[type] =
				lru->forced || is_low(lru, type) ||
				lru->activated[type] != lru->seen[type];
		reclaimed += shrink_lists(lru, (unsigned)priority, anon);
		if (!priority && !reclaimed && lru->skipped && !lru->forced) {
			lru->forced = true;
			lru->skipped = false;
			priority = PRIORITY + 1;
		}
	}
	for (unsigned type = ANON; type <= FILES; type++)
		lru->seen[type] = lru->activated[type];
	return reclaimed;
}

/* Until there is room.  All pages accessed: they go round, and lose the bit. */
static void
make_room(struct linux_lru *lru, uint32_t page)
{
	bool anon = !lru->no_swap;

	while (reclaim_full(&lru->lists, page))
		if (!reclaim(lru, anon))
			/* Nothing but memory without swap: its owner sees what
			 * leaves, and that it could not. */
			anon = true;
}

/* workingset_refault: does it go to the active list? */
static bool
refault(struct linux_lru *lru, const struct reclaim_node *node, unsigned type)
{
	const uint64_t *held = lru->lists.held;
	uint64_t size = held[ACTIVE(FILES)];

	if (type == ANON)
		size += held[INACTIVE(FILES)];
	if (!lru->no_swap)
		size += held[ACTIVE(ANON)];
	if (!lru->no_swap && type == FILES)
		size += held[INACTIVE(ANON)];
	if (lru->age - node->word > size)
		return false;
	lru->age++;
	lru->activated[type]++;
	if (node->flags & WORKINGSET)
		note_cost(lru, type, 1, 0);
	return true;
}

static ALWAYS_INLINE bool
linux_touch(struct reclaim_lists *lists, uint32_t page,
	    const struct reclaim_batch *batch, UNUSED uint32_t i)
{
	struct linux_lru *lru = (struct linux_lru *)lists;
	struct reclaim_node *node = reclaim_node(lists, page);
	unsigned type;
	uint8_t kept = 0;
	bool active = false;

	if (node->list != RECLAIM_NONE) {
		node->flags |= ACCESSED;
		return true;
	}
	if (!reclaim_fits(lists, page))
		return false;
	make_room(lru, page);
	type = type_of(lru, page);
	if (node->flags & SHADOW) {
		active = refault(lru, node, type);
		kept = active ? node->flags & WORKINGSET : 0;
	}
	node->flags = batch->ahead ? kept : kept | ACCESSED;
	reclaim_enter(lists, page);
	reclaim_push(lists, active ? ACTIVE(type) : INACTIVE(type), page);
	return false;
}

static int
linux_feed(struct reclaim *reclaim, const struct reclaim_batch *batch)
{
	return reclaim_each(reclaim, batch, linux_touch);
}

static void
linux_drop(struct reclaim *reclaim, uint32_t page)
{
	reclaim_lists_drop((struct reclaim_lists *)reclaim, page, LISTS - 1);
}

/* lru_deactivate, lru_lazyfree */
static void
linux_cool(struct reclaim *reclaim, uint32_t page, bool free)
{
	struct linux_lru *lru = (struct linux_lru *)reclaim;
	struct reclaim_lists *lists = &lru->lists;
	struct reclaim_node *node;
	bool active;

	if (page >= lists->room)
		return;
	node = reclaim_node(lists, page);
	if (node->list == RECLAIM_NONE)
		return;
	active = node->list == ACTIVE(ANON) || node->list == ACTIVE(FILES);
	node->flags &= (uint8_t) ~(ACCESSED | REFERENCED);
	if (free)
		node->flags = LAZY;
	if (!free && !active)
		return;
	reclaim_unlink(lists, page);
	reclaim_push(lists, INACTIVE(type_of(lru, page)), page);
}

static int
linux_open(struct reclaim **out, const struct reclaim_config *config)
{
	struct linux_lru *lru;
	int error = reclaim_lists_open((struct reclaim_lists **)out,
				       sizeof(struct linux_lru), config);

	if (error)
		return error;
	lru = (struct linux_lru *)*out;
	lru->file = config->file;
	lru->swappiness = (uint32_t)config->swappiness;
	lru->no_swap = config->no_swap;
	return 0;
}

static int
linux_finish(const struct reclaim *reclaim, struct result *result)
{
	const struct linux_lru *lru = (const struct linux_lru *)reclaim;
	int error = result_count(result, "reclaim.refaults.active",
				 lru->activated[ANON] + lru->activated[FILES],
				 "pages");

	return error ? error
		     : result_count(result, "reclaim.activations",
				    lru->activations, "pages");
}

const struct reclaim_ops linux_reclaim = {
	.name = "linux",
	.help = "Linux's active and inactive lists with refault distances",
	.open = linux_open,
	.close = reclaim_lists_close,
	.feed = linux_feed,
	.drop = linux_drop,
	.part = reclaim_lists_part,
	.cool = linux_cool,
	.finish = linux_finish,
};
