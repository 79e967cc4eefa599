// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A buddy allocator as Linux's (mm/page_alloc.c, 6.1): free blocks of 2^order
 * pages in lists by order and type.  A block is taken from the smallest order
 * that has one, its upper halves going back; a block given back merges with its
 * buddy, whose number differs in one bit, as long as that one is free.
 *
 *	take order 0:  [    8    ]  ->  x 1 [2 ] [  4  ]
 *	give it back:   x and 1 -> 2 and 2 -> 4 and 4 -> 8
 *
 * Where no block of the own type is left, the largest of another is taken; and,
 * if at least half of its 2 MiB is free, those change their type (there: stealing).
 * Not modelled: zones, the lists of each processor, watermarks.
 *
 * A run of 1 GiB is 256 neighbours that are all free, as alloc_contig_range
 * looks for.
 */
#include "models/memory/buddy.h"

#include "analyzer/fail.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define GIGA_CHUNKS  256
#define CHUNKS_FIRST 32

/* Whose blocks are taken when the own ones are out: Linux's fallbacks[]. */
static const enum pool_type others[POOL_TYPES][POOL_TYPES - 1] = {
	[POOL_UNMOVABLE] = { POOL_RECLAIMABLE, POOL_MOVABLE },
	[POOL_MOVABLE] = { POOL_RECLAIMABLE, POOL_UNMOVABLE },
	[POOL_RECLAIMABLE] = { POOL_UNMOVABLE, POOL_MOVABLE },
};

static struct buddy *
buddy_of(struct pool *pool)
{
	return (struct buddy *)pool;
}

static uint8_t
state_of(unsigned order, enum pool_type type)
{
	return (uint8_t)((order + 1) | (unsigned)type << 4);
}

static struct buddy_chunk *
chunk_of(const struct buddy *buddy, uint64_t page)
{
	return &buddy->chunk[page / CHUNK_PAGES];
}

static struct buddy_link *
link_at(const struct buddy *buddy, uint32_t page, unsigned order)
{
	struct buddy_chunk *chunk = chunk_of(buddy, page);

	return order == CHUNK_ORDER ? &chunk->whole
				    : &chunk->part[page % CHUNK_PAGES].link;
}

/* Does a free block of this order begin here?  If so, of which type? */
static bool
is_free(const struct buddy *buddy, uint64_t page, unsigned order,
	enum pool_type *type)
{
	const struct buddy_chunk *chunk;
	uint8_t state;

	if (page / CHUNK_PAGES >= buddy->chunks)
		return false;
	chunk = chunk_of(buddy, page);
	if (order < CHUNK_ORDER && !chunk->part)
		return false;
	state = order == CHUNK_ORDER ? chunk->state
				     : chunk->part[page % CHUNK_PAGES].state;
	*type = (enum pool_type)(state >> 4);
	return (state & 15) == order + 1;
}

enum pool_type
buddy_group_type(const struct buddy *buddy, uint64_t page)
{
	return (enum pool_type)chunk_of(buddy, page)
		->type[page % CHUNK_PAGES / GROUP_PAGES];
}

static void
set_state(struct buddy *buddy, uint32_t page, unsigned order, uint8_t state)
{
	struct buddy_chunk *chunk = chunk_of(buddy, page);
	uint16_t *giga = &buddy->free_in_giga[page / CHUNK_PAGES / GIGA_CHUNKS];

	if (order < CHUNK_ORDER) {
		chunk->part[page % CHUNK_PAGES].state = state;
		return;
	}
	chunk->state = state;
	*giga = (uint16_t)(*giga + (state ? 1 : -1));
}

static void
list_add(struct buddy *buddy, uint32_t page, unsigned order,
	 enum pool_type type, bool last)
{
	struct buddy_list *list = &buddy->list[type][order];
	struct buddy_link *link = link_at(buddy, page, order);

	set_state(buddy, page, order, state_of(order, type));
	list->n++;
	if (buddy->lowest) {
		bittree_add(&list->set, page >> order);
		return;
	}
	*link = (struct buddy_link){ BUDDY_NOWHERE, BUDDY_NOWHERE };
	if (list->first == BUDDY_NOWHERE) {
		list->first = list->last = page;
	} else if (last) {
		link->previous = list->last;
		link_at(buddy, list->last, order)->next = page;
		list->last = page;
	} else {
		link->next = list->first;
		link_at(buddy, list->first, order)->previous = page;
		list->first = page;
	}
}

static void
list_remove(struct buddy *buddy, uint32_t page, unsigned order,
	    enum pool_type type)
{
	struct buddy_list *list = &buddy->list[type][order];
	struct buddy_link link = *link_at(buddy, page, order);

	set_state(buddy, page, order, 0);
	list->n--;
	if (buddy->lowest) {
		bittree_remove(&list->set, page >> order);
		return;
	}
	if (link.previous == BUDDY_NOWHERE)
		list->first = link.next;
	else
		link_at(buddy, link.previous, order)->next = link.next;
	if (link.next == BUDDY_NOWHERE)
		list->last = link.previous;
	else
		link_at(buddy, link.next, order)->previous = link.previous;
}

/* A block that such a list gives first, or BUDDY_NOWHERE. */
static uint32_t
list_first(const struct buddy *buddy, unsigned order, enum pool_type type)
{
	const struct buddy_list *list = &buddy->list[type][order];

	if (!list->n)
		return BUDDY_NOWHERE;
	return buddy->lowest ? (uint32_t)(bittree_next(&list->set, 0) << order)
			     : list->first;
}

static int
break_up(struct buddy_chunk *chunk)
{
	if (!chunk->part)
		chunk->part = calloc(CHUNK_PAGES, sizeof(*chunk->part));
	return chunk->part ? 0 : -ENOMEM;
}

/* Of a block that is in no list: its first 2^order pages stay so. */
static void
expand(struct buddy *buddy, uint32_t page, unsigned from, unsigned order,
       enum pool_type type)
{
	while (from > order) {
		from--;
		list_add(buddy, page + (1u << from), from, type, false);
	}
}

static int
grow_sets(struct buddy *buddy, size_t chunks)
{
	for (unsigned type = 0; buddy->lowest && type < POOL_TYPES; type++)
		for (unsigned order = 0; order < POOL_ORDERS; order++)
			if (bittree_grow(&buddy->list[type][order].set,
					 chunks << (CHUNK_ORDER - order)) < 0)
				return -ENOMEM;
	return 0;
}

/* So many chunks, the new ones in no list.  0 or -ENOMEM. */
static int
grow(struct buddy *buddy, size_t chunks)
{
	size_t old_gigas = (buddy->chunks + GIGA_CHUNKS - 1) / GIGA_CHUNKS;
	size_t gigas = (chunks + GIGA_CHUNKS - 1) / GIGA_CHUNKS;
	struct buddy_chunk *chunk;
	uint16_t *count;

	chunk = reallocarray(buddy->chunk, chunks, sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	buddy->chunk = chunk;
	count = reallocarray(buddy->free_in_giga, gigas, sizeof(*count));
	if (!count)
		return -ENOMEM;
	buddy->free_in_giga = count;
	if (grow_sets(buddy, chunks) < 0)
		return -ENOMEM;
	memset(count + old_gigas, 0, (gigas - old_gigas) * sizeof(*count));
	memset(chunk + buddy->chunks, 0,
	       (chunks - buddy->chunks) * sizeof(*chunk));
	for (size_t i = buddy->chunks; i < chunks; i++)
		memset(chunk[i].type, POOL_MOVABLE, sizeof(chunk[i].type));
	buddy->chunks = chunks;
	return 0;
}

/* Unbounded memory gets more.  0 or -ENOMEM. */
static int
grow_free(struct buddy *buddy, size_t wanted)
{
	size_t old = buddy->chunks;
	size_t chunks = wanted < buddy->chunks_max ? wanted : buddy->chunks_max;

	if (buddy->pages != POOL_PAGES_UNBOUNDED || chunks <= old ||
	    grow(buddy, chunks) < 0)
		return -ENOMEM;
	for (size_t i = old; i < chunks; i++)
		list_add(buddy, (uint32_t)(i * CHUNK_PAGES), CHUNK_ORDER,
			 POOL_MOVABLE, true);
	return 0;
}

/* Free pages of a group change lists; so does the group, if they are most. */
static void
convert_group(struct buddy *buddy, uint32_t page, enum pool_type type)
{
	struct buddy_chunk *chunk = chunk_of(buddy, page);
	uint32_t start = page & ~(GROUP_PAGES - 1), moved = 0;

	for (uint32_t i = start; i < start + GROUP_PAGES;) {
		uint8_t state = chunk->part[i % CHUNK_PAGES].state;
		unsigned order = (state & 15u) - 1;

		if (!state) {
			i++;
			continue;
		}
		list_remove(buddy, i, order, (enum pool_type)(state >> 4));
		list_add(buddy, i, order, type, false);
		moved += 1u << order;
		i += 1u << order;
	}
	if (moved >= GROUP_PAGES / 2)
		chunk->type[page % CHUNK_PAGES / GROUP_PAGES] = (uint8_t)type;
}

/* Has another type a block of this order? */
static bool
other_at(const struct buddy *buddy, unsigned order, enum pool_type type,
	 enum pool_type *of)
{
	for (unsigned k = 0; k < POOL_TYPES - 1; k++) {
		*of = others[type][k];
		if (buddy->list[*of][order].n)
			return true;
	}
	return false;
}

/* The order of another type's block to take: the largest, but the smallest that
 * will do where only less than half a group is to be had for movable pages. */
static bool
find_other(const struct buddy *buddy, unsigned order, enum pool_type type,
	   unsigned *found, enum pool_type *of)
{
	unsigned i = POOL_ORDERS;

	do {
		if (i-- == order)
			return false;
	} while (!other_at(buddy, i, type, of));
	if (type == POOL_MOVABLE && i < GROUP_ORDER / 2)
		for (i = order; !other_at(buddy, i, type, of);)
			i++;
	*found = i;
	return true;
}

/* Of another type.  0 or -ENOMEM. */
static int
take_other(struct buddy *buddy, unsigned order, enum pool_type type,
	   uint32_t *page)
{
	enum pool_type of;
	unsigned from;
	bool steal;

	if (!find_other(buddy, order, type, &from, &of))
		return -ENOMEM;
	*page = list_first(buddy, from, of);
	steal = from >= GROUP_ORDER / 2 || type != POOL_MOVABLE;
	if (order < CHUNK_ORDER && break_up(chunk_of(buddy, *page)) < 0)
		return -ENOMEM;
	list_remove(buddy, *page, from, of);
	if (steal && from >= GROUP_ORDER) {
		for (unsigned i = 0; i < 1u << (from - GROUP_ORDER); i++)
			chunk_of(buddy, *page)
				->type[*page % CHUNK_PAGES / GROUP_PAGES + i] =
				(uint8_t)type;
	} else if (steal) {
		/* back for a moment, so that it is counted */
		list_add(buddy, *page, from, of, false);
		convert_group(buddy, *page, type);
		list_remove(buddy, *page, from, type);
	}
	expand(buddy, *page, from, order, steal ? type : of);
	return 0;
}

int
buddy_take_order(struct buddy *buddy, unsigned order, enum pool_type type,
		 uint32_t *page)
{
	if (!buddy->grouping)
		type = POOL_MOVABLE;
	for (unsigned from = order; from < POOL_ORDERS; from++) {
		*page = list_first(buddy, from, type);
		if (*page == BUDDY_NOWHERE)
			continue;
		if (order < CHUNK_ORDER && break_up(chunk_of(buddy, *page)) < 0)
			return -ENOMEM;
		list_remove(buddy, *page, from, type);
		expand(buddy, *page, from, order, type);
		return 0;
	}
	return take_other(buddy, order, type, page);
}

/* A block becomes free and merges with its buddies. */
static int
free_block(struct buddy *buddy, uint32_t page, unsigned order)
{
	enum pool_type type;

	if (order < CHUNK_ORDER && break_up(chunk_of(buddy, page)) < 0)
		return -ENOMEM;
	while (order < CHUNK_ORDER &&
	       is_free(buddy, page ^ 1u << order, order, &type)) {
		list_remove(buddy, page ^ 1u << order, order, type);
		page &= ~(1u << order);
		order++;
	}
	list_add(buddy, page, order, buddy_group_type(buddy, page), false);
	return 0;
}

int
buddy_free(struct buddy *buddy, uint64_t page, uint64_t pages)
{
	while (pages) {
		unsigned order = 63 - (unsigned)__builtin_clzll(pages);
		unsigned aligned = page ? (unsigned)__builtin_ctzll(page) : 63;

		order = order < aligned ? order : aligned;
		order = order < CHUNK_ORDER ? order : CHUNK_ORDER;
		if (free_block(buddy, (uint32_t)page, order) < 0)
			return -ENOMEM;
		page += 1u << order;
		pages -= 1u << order;
	}
	return 0;
}

static void
take_chunks(struct buddy *buddy, size_t chunk, size_t n)
{
	for (size_t i = chunk; i < chunk + n; i++)
		list_remove(buddy, (uint32_t)(i * CHUNK_PAGES), CHUNK_ORDER,
			    (enum pool_type)(buddy->chunk[i].state >> 4));
}

static int
take_giga(struct buddy *buddy, uint64_t *page)
{
	size_t gigas = buddy->chunks / GIGA_CHUNKS;

	for (size_t giga = 0; giga < gigas; giga++) {
		if (buddy->free_in_giga[giga] != GIGA_CHUNKS)
			continue;
		take_chunks(buddy, giga * GIGA_CHUNKS, GIGA_CHUNKS);
		*page = (uint64_t)giga * GIGA_CHUNKS * CHUNK_PAGES;
		return 0;
	}
	return -ENOMEM;
}

/* An aligned run of n chunks that are free. */
static int
take_run(struct buddy *buddy, size_t n, uint64_t *page)
{
	for (size_t chunk = 0; chunk + n <= buddy->chunks; chunk += n) {
		enum pool_type type;
		size_t k = 0;

		while (k < n &&
		       is_free(buddy, (uint32_t)((chunk + k) * CHUNK_PAGES),
			       CHUNK_ORDER, &type))
			k++;
		if (k < n)
			continue;
		take_chunks(buddy, chunk, n);
		*page = (uint64_t)chunk * CHUNK_PAGES;
		return 0;
	}
	return -ENOMEM;
}

/* More than a chunk. */
static int
take_large(struct buddy *buddy, unsigned shift, uint64_t *page)
{
	return shift == 30 ? take_giga(buddy, page)
			   : take_run(buddy,
				      (size_t)1 << (shift - 12 - CHUNK_ORDER),
				      page);
}

static int
buddy_take(struct pool *pool, unsigned shift, enum pool_type type,
	   uint64_t *page)
{
	struct buddy *buddy = buddy_of(pool);
	size_t giga = buddy->chunks / GIGA_CHUNKS * GIGA_CHUNKS;
	bool large = shift > 12 + CHUNK_ORDER;
	uint32_t first = 0;
	int error;

	do {
		size_t wanted = buddy->chunks * 2;

		error = large ? take_large(buddy, shift, page)
			      : buddy_take_order(buddy, shift - 12, type,
						 &first);
		if (!error)
			break;
		if (large && wanted < giga + 2 * GIGA_CHUNKS)
			wanted = giga + 2 * GIGA_CHUNKS;
		error = grow_free(buddy, wanted);
	} while (!error);
	if (!error && !large)
		*page = first;
	return error;
}

unsigned
buddy_block_round(const struct buddy *buddy, uint64_t page, enum pool_type *type)
{
	unsigned order = 0;

	while (order < POOL_ORDERS &&
	       !is_free(buddy, page >> order << order, order, type))
		order++;
	return order;
}

int
buddy_carve(struct buddy *buddy, uint64_t page, unsigned order)
{
	enum pool_type type;
	unsigned from = buddy_block_round(buddy, page, &type);
	uint32_t block;

	if (from == POOL_ORDERS || from < order)
		return -EBUSY;
	block = (uint32_t)(page >> from << from);
	if (order < CHUNK_ORDER && break_up(chunk_of(buddy, page)) < 0)
		return -ENOMEM;
	list_remove(buddy, block, from, type);
	while (from > order) {
		uint32_t half = 1u << --from;
		bool upper = page & half;

		list_add(buddy, upper ? block : block + half, from, type,
			 false);
		block += upper ? half : 0;
	}
	return 0;
}

static int
buddy_take_at(struct pool *pool, uint64_t page, uint64_t pages)
{
	struct buddy *buddy = buddy_of(pool);
	unsigned order = (unsigned)__builtin_ctzll(pages);
	size_t chunk = (size_t)(page / CHUNK_PAGES), n = pages / CHUNK_PAGES;

	if (page + pages > buddy->pages || page + pages > BUDDY_MAX_PAGE)
		return -ENOSPC;
	while (page + pages > (uint64_t)buddy->chunks * CHUNK_PAGES)
		if (grow_free(buddy, buddy->chunks * 2) < 0)
			return -ENOSPC;
	if (n <= 1)
		return buddy_carve(buddy, page, order);
	for (size_t i = chunk; i < chunk + n; i++)
		if (!buddy->chunk[i].state)
			return -EBUSY;
	take_chunks(buddy, chunk, n);
	return 0;
}

static void
buddy_give(struct pool *pool, uint64_t page, uint64_t pages)
{
	enum pool_type type;

	assert(buddy_block_round(buddy_of(pool), page, &type) ==
	       POOL_ORDERS);
	/* Without memory to note parts of a chunk they stay in use. */
	(void)buddy_free(buddy_of(pool), page, pages);
}

uint64_t
buddy_free_pages(const struct buddy *buddy)
{
	uint64_t pages = 0;

	for (unsigned type = 0; type < POOL_TYPES; type++)
		for (unsigned order = 0; order < POOL_ORDERS; order++)
			pages += buddy->list[type][order].n << order;
	return pages;
}

static void
buddy_blocks(const struct pool *pool, uint64_t *blocks)
{
	const struct buddy *buddy = (const struct buddy *)pool;

	for (unsigned order = 0; order < POOL_ORDERS; order++) {
		blocks[order] = 0;
		for (unsigned type = 0; type < POOL_TYPES; type++)
			blocks[order] += buddy->list[type][order].n;
	}
}

static uint64_t
buddy_begun(const struct pool *pool)
{
	return ((const struct buddy *)pool)->begun;
}

static void
buddy_close(struct pool *pool)
{
	struct buddy *buddy = buddy_of(pool);

	if (!pool)
		return;
	for (size_t i = 0; i < buddy->chunks; i++)
		free(buddy->chunk[i].part);
	for (unsigned type = 0; type < POOL_TYPES; type++)
		for (unsigned order = 0; order < POOL_ORDERS; order++)
			bittree_fini(&buddy->list[type][order].set);
	free(buddy->chunk);
	free(buddy->free_in_giga);
	free(buddy->before);
	free(buddy->fixed);
	free(buddy);
}

static const struct pool_ops buddy_ops = {
	.take = buddy_take,
	.take_at = buddy_take_at,
	.give = buddy_give,
	.blocks = buddy_blocks,
	.begun = buddy_begun,
	.compact = buddy_compact,
	.close = buddy_close,
};

/* All of bounded memory becomes free: ascending, as after a boot. */
static int
free_all(struct buddy *buddy)
{
	size_t whole = (size_t)(buddy->pages / CHUNK_PAGES);

	for (size_t i = 0; i < whole; i++)
		list_add(buddy, (uint32_t)(i * CHUNK_PAGES), CHUNK_ORDER,
			 POOL_MOVABLE, true);
	return buddy_free(buddy, (uint64_t)whole * CHUNK_PAGES,
			  buddy->pages % CHUNK_PAGES);
}

static int
start(struct buddy *buddy, const struct buddy_config *config)
{
	size_t chunks =
		(size_t)((config->pages + CHUNK_PAGES - 1) / CHUNK_PAGES);
	int error;

	if (config->pages == POOL_PAGES_UNBOUNDED)
		return grow_free(buddy, CHUNKS_FIRST);
	error = grow(buddy, chunks);
	if (!error && config->start == BUDDY_FILE)
		error = buddy_scatter(buddy, config->blocks, config->seed);
	else if (!error)
		error = free_all(buddy);
	if (!error && config->start == BUDDY_AGED)
		error = buddy_age(buddy, config->aged, config->seed);
	return error || config->start == BUDDY_FRESH ? error
						     : buddy_note_start(buddy);
}

int
pool_buddy_open(struct pool **out, const struct buddy_config *config)
{
	struct buddy *buddy = calloc(1, sizeof(*buddy));

	if (!buddy)
		return fail(ENOMEM, "memory.order: out of memory");
	buddy->pool.ops = &buddy_ops;
	buddy->pages = config->pages;
	buddy->chunks_max = (size_t)(config->most / CHUNK_PAGES);
	buddy->lowest = config->lists == BUDDY_LOWEST;
	buddy->grouping = config->grouping;
	for (unsigned type = 0; type < POOL_TYPES; type++)
		for (unsigned order = 0; order < POOL_ORDERS; order++)
			buddy->list[type][order].first =
				buddy->list[type][order].last = BUDDY_NOWHERE;
	if (start(buddy, config) < 0) {
		buddy_close(&buddy->pool);
		return fail(ENOMEM,
			    "memory.order: out of memory for the free lists of "
			    "%ju pages",
			    (uintmax_t)config->pages);
	}
	if (config->pages != POOL_PAGES_UNBOUNDED)
		buddy->begun = config->pages - buddy_free_pages(buddy);
	*out = &buddy->pool;
	return 0;
}
