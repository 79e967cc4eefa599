// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What memory looks like before the run: after a history, or as counted.
 *
 * Aged.  Owners of 1 to 1024 pages (evenly by logarithm), one in eight of them
 * of pages that cannot be moved, come two at a time, page by page in turn, until
 * 15/16 of memory are in use; then owners leave in random order until the share
 * that shall be in use is left.  That three times.
 *
 * Counted.  A free block stands for a parent of which the other half is not
 * free, else they would have merged.  So from the largest order down each free
 * block takes one place of the next larger order and leaves half of it:
 *
 *	places of order 10:  #### f### f###     f: free, #: a place to break up
 *	order 9:             chosen: one half free, the other a place of order 9;
 *	                     not chosen: two places of order 9
 *
 * and what is left at the end is in use.
 */
#include "models/memory/buddy.h"
#include "models/memory/random.h"

#include <stdlib.h>
#include <string.h>

#define ROUNDS		 3
#define OWNER_LOG	 10 /* at most 2^10 pages */
#define TOGETHER	 2  /* owners that grow in turn */
#define UNMOVABLE_ONE_IN 8

struct owner {
	uint32_t first; /* newest page, then by next[] */
	uint32_t left;	/* pages to come */
	enum pool_type type;
};

struct history {
	struct buddy *buddy;
	uint64_t state;	     /* of the generator */
	uint32_t *next;	     /* owned: by page: the owner's one before */
	struct owner *owner; /* owned */
	size_t owners, room;
	uint64_t used;
};

static int
owner_add(struct history *history)
{
	uint64_t pages = UINT64_C(1)
			 << random_below(&history->state, OWNER_LOG + 1);

	if (history->owners == history->room) {
		size_t room = history->room ? 2 * history->room : 1024;
		struct owner *grown =
			reallocarray(history->owner, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		history->owner = grown;
		history->room = room;
	}
	pages -= random_below(&history->state, pages / 2 + 1);
	history->owner[history->owners++] = (struct owner){
		.first = BUDDY_NOWHERE,
		.left = (uint32_t)pages,
		.type = random_below(&history->state, UNMOVABLE_ONE_IN)
				? POOL_MOVABLE
				: POOL_UNMOVABLE,
	};
	return 0;
}

static int
owner_grow(struct history *history, struct owner *owner)
{
	uint32_t page;
	int error = buddy_take_order(history->buddy, 0, owner->type, &page);

	if (error)
		return error;
	history->next[page] = owner->first;
	owner->first = page;
	owner->left--;
	history->used++;
	return 0;
}

static int
owner_shrink(struct history *history, struct owner *owner)
{
	uint32_t page = owner->first;

	owner->first = history->next[page];
	history->used--;
	return buddy_free(history->buddy, page, 1);
}

/* Until so many pages are in use. */
static int
fill(struct history *history, uint64_t pages)
{
	size_t grows[TOGETHER] = { SIZE_MAX, SIZE_MAX };

	for (unsigned i = 0; history->used < pages; i = (i + 1) % TOGETHER) {
		int error = 0;

		if (grows[i] == SIZE_MAX || !history->owner[grows[i]].left) {
			error = owner_add(history);
			grows[i] = history->owners - 1;
		}
		if (!error)
			error = owner_grow(history, &history->owner[grows[i]]);
		if (error)
			return error;
	}
	return 0;
}

/* The same, the last owner leaving in part. */
static int
empty(struct history *history, uint64_t pages)
{
	while (history->used > pages) {
		size_t i = random_below(&history->state, history->owners);
		struct owner *owner = &history->owner[i];

		while (history->used > pages && owner->first != BUDDY_NOWHERE) {
			int error = owner_shrink(history, owner);

			if (error)
				return error;
		}
		if (owner->first == BUDDY_NOWHERE)
			*owner = history->owner[--history->owners];
	}
	return 0;
}

/* Its pages cannot be moved. */
static void
fix(const struct history *history, const struct owner *owner)
{
	for (uint32_t page = owner->first; page != BUDDY_NOWHERE;
	     page = history->next[page])
		buddy_bit_flip(history->buddy->fixed, page);
}

int
buddy_age(struct buddy *buddy, double used, uint64_t seed)
{
	struct history history = { .buddy = buddy, .state = seed };
	uint64_t stay = (uint64_t)((double)buddy->pages * used);
	uint64_t full = buddy->pages - buddy->pages / 16;
	int error = 0;

	history.next = malloc((buddy->pages + 1) * sizeof(*history.next));
	buddy->fixed = calloc(buddy->pages / 64 + 1, sizeof(*buddy->fixed));
	if (!history.next || !buddy->fixed) {
		free(history.next);
		return -ENOMEM;
	}
	for (unsigned round = 0; round < ROUNDS && !error; round++) {
		error = fill(&history, full < stay ? stay : full);
		if (!error)
			error = empty(&history, stay);
	}
	for (size_t i = 0; i < history.owners && !error; i++)
		if (history.owner[i].type == POOL_UNMOVABLE)
			fix(&history, &history.owner[i]);
	free(history.next);
	free(history.owner);
	return error;
}

/* Places of the largest order that blocks of one type need. */
static uint64_t
places_needed(const uint64_t *blocks)
{
	uint64_t places = 0;

	/* Upwards: one of order k gives two of k - 1, a free block of k - 1
	 * being one half of its own parent. */
	for (unsigned order = 0; order < CHUNK_ORDER; order++) {
		uint64_t children = places;

		places = blocks[order] +
			 (children > blocks[order]
				  ? (children - blocks[order] + 1) / 2
				  : 0);
	}
	return places + blocks[CHUNK_ORDER];
}

uint64_t
buddy_chunks_needed(const uint64_t blocks[POOL_TYPES][POOL_ORDERS])
{
	uint64_t sum = 0;

	for (unsigned type = 0; type < POOL_TYPES; type++)
		sum += places_needed(blocks[type]);
	return sum;
}

/* The first n of a list become n drawn ones. */
static void
draw_first(uint32_t *list, size_t all, size_t n, uint64_t *state)
{
	for (size_t i = 0; i < n && i + 1 < all; i++) {
		size_t j = i + random_below(state, all - i);
		uint32_t swap = list[i];

		list[i] = list[j];
		list[j] = swap;
	}
}

static uint64_t
blocks_below(const uint64_t *blocks, unsigned order)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < order; i++)
		sum += blocks[i];
	return sum;
}

/*
 * Break up places of the next larger order: at half[0] to half[*halves - 1]
 * come those of this order.
 */
static int
scatter_order(struct buddy *buddy, const uint64_t *blocks, unsigned order,
	      uint32_t **place, size_t *places, uint64_t *state)
{
	size_t n = (size_t)blocks[order], halves = 0;
	uint32_t *half = malloc((2 * *places + 1) * sizeof(*half));
	uint64_t below = blocks_below(blocks, order);

	if (!half)
		return -ENOMEM;
	draw_first(*place, *places, n, state);
	for (size_t i = 0; i < *places; i++) {
		uint32_t lower = (*place)[i], upper = lower + (1u << order);
		bool swap = random_next(state) & 1;

		if (i < n &&
		    buddy_free(buddy, swap ? upper : lower, 1u << order) < 0) {
			free(half);
			return -ENOMEM;
		}
		if (i >= n || swap)
			half[halves++] = lower;
		if (i >= n || !swap)
			half[halves++] = upper;
	}
	/* No more than blocks to come can use */
	draw_first(half, halves, halves < below ? halves : below, state);
	*places = halves < below ? halves : below;
	free(*place);
	*place = half;
	return 0;
}

/* Blocks of one type into the chunks listed. */
static int
scatter_type(struct buddy *buddy, const uint64_t *blocks, enum pool_type type,
	     const uint32_t *chunk, size_t chunks, uint64_t *state)
{
	size_t whole = (size_t)blocks[CHUNK_ORDER], places = chunks - whole;
	uint32_t *place = malloc((places + 1) * sizeof(*place));
	int error = place ? 0 : -ENOMEM;

	for (size_t i = 0; i < chunks; i++)
		memset(buddy->chunk[chunk[i]].type, (int)type, CHUNK_GROUPS);
	for (size_t i = 0; i < whole && !error; i++)
		error = buddy_free(buddy, (uint64_t)chunk[i] * CHUNK_PAGES,
				   CHUNK_PAGES);
	for (size_t i = 0; i < places && !error; i++)
		place[i] = chunk[whole + i] * CHUNK_PAGES;
	for (unsigned order = CHUNK_ORDER; order-- && !error;)
		error = scatter_order(buddy, blocks, order, &place, &places,
				      state);
	free(place);
	return error;
}

int
buddy_scatter(struct buddy *buddy,
	      const uint64_t blocks[POOL_TYPES][POOL_ORDERS], uint64_t seed)
{
	/* The last chunk may be there in part: it is in use. */
	size_t chunks = (size_t)(buddy->pages / CHUNK_PAGES), next = 0;
	uint64_t spare = chunks - buddy_chunks_needed(blocks), state = seed;
	uint32_t *chunk = calloc(chunks + 1, sizeof(*chunk));
	int error = chunk ? 0 : -ENOMEM;

	for (size_t i = 0; i < chunks && !error; i++)
		chunk[i] = (uint32_t)i;
	if (!error)
		draw_first(chunk, chunks, chunks, &state);
	for (unsigned type = 0; type < POOL_TYPES && !error; type++) {
		size_t n = (size_t)places_needed(blocks[type]);

		/* What is not needed is all in the movable pages' part. */
		n += type == POOL_MOVABLE ? (size_t)spare : 0;
		error = scatter_type(buddy, blocks[type], (enum pool_type)type,
				     chunk + next, n, &state);
		next += n;
	}
	free(chunk);
	return error;
}
