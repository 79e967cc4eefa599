// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Compaction of a buddy allocator's memory (mm/compaction.c): two scanners, one
 * from below that empties aligned runs of the wanted size, one from above that
 * finds free pages for what was in them, until a run is free or they meet.
 *
 *	[x.x.][xxx.][x..u]  ->           <-  [.x..][xx.x]
 *	 emptied      u: cannot move, so the      filled
 *	              run is passed over
 *
 * Only groups of movable pages are emptied and filled, and no group that is
 * all free is filled.  Each scanner goes on where it was the last time; when
 * they have met, the next time begins at the ends.
 *
 * Of what was in use before the run, those pages move that belong to owners
 * whose pages can (buddy-start.c), or where that is not known, those in groups
 * of movable pages.  Taken to be so: no page is pinned, none in writeback.
 */
#include "models/memory/buddy.h"

#include <stdlib.h>

static uint64_t
pages_of(const struct buddy *buddy)
{
	uint64_t chunks = (uint64_t)buddy->chunks * CHUNK_PAGES;

	return buddy->pages < chunks ? buddy->pages : chunks;
}

int
buddy_note_start(struct buddy *buddy)
{
	uint64_t pages = pages_of(buddy), words = pages / 64 + 1;
	bool told = buddy->fixed != NULL;

	buddy->before = calloc(words, sizeof(*buddy->before));
	if (!told)
		buddy->fixed = calloc(words, sizeof(*buddy->fixed));
	if (!buddy->before || !buddy->fixed)
		return -ENOMEM;
	for (uint64_t page = 0; page < pages;) {
		enum pool_type type;
		unsigned order = buddy_block_round(buddy, page, &type);

		if (order < POOL_ORDERS) {
			page += UINT64_C(1) << order;
			continue;
		}
		buddy_bit_flip(buddy->before, page);
		if (!told && buddy_group_type(buddy, page) != POOL_MOVABLE)
			buddy_bit_flip(buddy->fixed, page);
		page++;
	}
	return 0;
}

static bool
may_move(const struct buddy *buddy, const struct pool_mover *mover,
	 uint64_t page)
{
	return buddy_bit(buddy->before, page)
		       ? !buddy_bit(buddy->fixed, page)
		       : mover->may(mover->context, page);
}

/* Pages in use of a run; UINT64_MAX: some cannot be moved. */
static uint64_t
to_move(const struct buddy *buddy, const struct pool_mover *mover,
	uint64_t start, uint64_t end, struct pool_work *work)
{
	uint64_t n = 0;

	for (uint64_t page = start; page < end;) {
		enum pool_type type;
		unsigned order = buddy_block_round(buddy, page, &type);

		work->looked++;
		if (order < POOL_ORDERS) {
			page += UINT64_C(1) << order;
			continue;
		}
		if (!may_move(buddy, mover, page))
			return UINT64_MAX;
		n++;
		page++;
	}
	return n;
}

/* The first free page of [start, end), or end. */
static uint64_t
first_free(const struct buddy *buddy, uint64_t start, uint64_t end)
{
	enum pool_type type;

	while (start < end &&
	       buddy_block_round(buddy, start, &type) == POOL_ORDERS)
		start++;
	return start;
}

/* Take a free page above `above`, from the highest group on: 0, -ENOSPC,
 * -ENOMEM. */
static int
take_above(struct buddy *buddy, uint64_t above, uint64_t *page)
{
	while (buddy->fill_below > above) {
		uint64_t end = buddy->fill_below;
		uint64_t start = (end - 1) & ~(uint64_t)(GROUP_PAGES - 1);
		enum pool_type type;

		if (start >= above &&
		    buddy_group_type(buddy, start) == POOL_MOVABLE &&
		    buddy_block_round(buddy, start, &type) % POOL_ORDERS <
			    GROUP_ORDER) {
			*page = first_free(
				buddy,
				buddy->fill_at > start ? buddy->fill_at : start,
				end);
			buddy->fill_at = *page;
			if (*page < end)
				return buddy_carve(buddy, *page, 0);
		}
		buddy->fill_below = start;
		buddy->fill_at = 0;
	}
	return -ENOSPC;
}

static int
move_page(struct buddy *buddy, const struct pool_mover *mover, uint64_t from,
	  uint64_t to)
{
	if (!buddy_bit(buddy->before, from)) {
		int error = mover->move(mover->context, from, to);

		return error ? error : buddy_free(buddy, from, 1);
	}
	buddy_bit_flip(buddy->before, from);
	buddy_bit_flip(buddy->before, to);
	return buddy_free(buddy, from, 1);
}

/* All in use of [start, end) goes above it: 1; 0: there is no room. */
static int
empty_run(struct buddy *buddy, const struct pool_mover *mover, uint64_t start,
	  uint64_t end, struct pool_work *work)
{
	for (uint64_t page = start; page < end;) {
		enum pool_type type;
		unsigned order = buddy_block_round(buddy, page, &type);
		uint64_t to = 0;
		int error;

		if (order < POOL_ORDERS) {
			page = (page >> order << order) + (UINT64_C(1) << order);
			continue;
		}
		error = take_above(buddy, end, &to);
		if (error)
			return error == -ENOSPC ? 0 : error;
		error = move_page(buddy, mover, page, to);
		if (error)
			return error;
		work->moved++;
	}
	return 1;
}

int
buddy_compact(struct pool *pool, unsigned shift, const struct pool_mover *mover,
	      struct pool_work *work)
{
	struct buddy *buddy = (struct buddy *)pool;
	uint64_t run = UINT64_C(1) << (shift - 12), start;

	if (buddy->empty_from >= buddy->fill_below) {
		buddy->empty_from = 0;
		buddy->fill_below = pages_of(buddy);
		buddy->fill_at = 0;
	}
	start = (buddy->empty_from + run - 1) & ~(run - 1);
	for (; start + run <= buddy->fill_below; start += run) {
		int made;

		buddy->empty_from = start;
		if (buddy_group_type(buddy, start) != POOL_MOVABLE ||
		    to_move(buddy, mover, start, start + run, work) ==
			    UINT64_MAX)
			continue;
		made = empty_run(buddy, mover, start, start + run, work);
		if (made) {
			buddy->empty_from = made == 1 ? start + run : start;
			return made;
		}
		break;
	}
	/* They have met. */
	buddy->empty_from = buddy->fill_below = 0;
	return 0;
}
