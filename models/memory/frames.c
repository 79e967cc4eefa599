// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who gets which frame.  Each node has its pool of free pages:
 *
 *	address = FRAMES_BASE + node * span + page * 4096
 */
#include "models/memory/frames.h"

#include "analyzer/fail.h"
#include "models/memory/buddyinfo.h"
#include "models/memory/numa-copies.h"
#include "models/memory/numa.h"
#include "models/memory/pool.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Addresses stay below 2^44: cache.c */
#define PAGES_MOST  ((UINT64_C(1) << 32) - (UINT64_C(1) << 18))
#define LARGE_ORDER 9

/* The memory of a node. */
struct bank {
	struct pool *pool;	 /* owned */
	struct palette *palette; /* owned; NULL: no colours */
	uint64_t base;		 /* address of its first page */
	uint64_t used_pages;
	uint64_t first[POOL_ORDERS]; /* free blocks when the run began */
	uint64_t low[POOL_ORDERS];   /* ... when most was in use */
	uint64_t low_pages;	     /* in use then */
	uint64_t *table; /* owned: a bit for each page that is a table's */
	uint64_t table_words;
};

struct frames {
	struct bank *bank; /* owned */
	unsigned nodes;
	struct numa *numa;	    /* borrowed; NULL: one node */
	struct numa_copies *copies; /* borrowed; NULL: tables have none */
	struct frames *below;	    /* borrowed: the host's, or NULL */
	bool recorded, host;
	unsigned shift; /* node = (address - FRAMES_BASE) >> shift */
	uint32_t space;
	uint64_t used_pages, peak_pages;
	uint64_t node_pages; /* of each node; 0: as many as needed */
	uint64_t *colour;    /* owned: [colours] pages given; or NULL */
	uint64_t colours;
	unsigned page; /* log2 of one that has a colour */
};

/* The start state of a file.  Sets pages where they are not given. */
static int
read_start(struct buddy_config *buddy, const struct frames_config *config,
	   unsigned first, unsigned nodes)
{
	struct buddyinfo *info = malloc(sizeof(*info));
	uint64_t needed, free_pages = 0;
	int error;

	if (!info)
		return fail(ENOMEM, "memory.buddyinfo: out of memory");
	error = buddyinfo_read(info, config->buddyinfo);
	if (!error && first >= info->nodes)
		error = fail(EINVAL,
			     "memory.buddyinfo: %s has %u nodes, the machine "
			     "more",
			     config->buddyinfo, info->nodes);
	for (unsigned node = first;
	     !error && node < info->nodes && node - first < nodes; node++)
		for (unsigned type = 0; type < POOL_TYPES; type++)
			for (unsigned order = 0; order < POOL_ORDERS; order++)
				buddy->blocks[type][order] +=
					info->blocks[node][type][order];
	free(info);
	if (error)
		return error;
	for (unsigned type = 0; type < POOL_TYPES; type++)
		free_pages += buddyinfo_pages(buddy->blocks[type]);
	needed = buddy_chunks_needed(buddy->blocks) << (POOL_ORDERS - 1);
	if (buddy->pages == POOL_PAGES_UNBOUNDED) {
		buddy->pages =
			2 * free_pages > needed ? 2 * free_pages : needed;
		buddy->pages = (buddy->pages + 1024) & ~UINT64_C(1023);
	}
	if (buddy->pages >> (POOL_ORDERS - 1) << (POOL_ORDERS - 1) < needed)
		return fail(EINVAL,
			    "memory.size: %ju bytes; the free blocks of %s "
			    "need at least %ju",
			    (uintmax_t)buddy->pages << 12, config->buddyinfo,
			    (uintmax_t)needed << 12);
	return 0;
}

static int
open_buddy(struct pool **pool, const struct frames_config *config,
	   uint64_t pages, uint64_t most, unsigned node)
{
	struct buddy_config buddy = {
		.pages = pages,
		.most = most,
		.lists = config->lists,
		.start = config->start,
		.grouping = !config->ungrouped,
		.aged = config->aged,
		.seed = (uint64_t)config->seed + node,
	};
	/* One node has all that the file has. */
	unsigned nodes =
		config->numa && config->numa->nodes > 1 ? 1 : BUDDYINFO_NODES;
	int error = config->start == BUDDY_FILE
			    ? read_start(&buddy, config, node, nodes)
			    : 0;

	if (!error && buddy.pages != POOL_PAGES_UNBOUNDED && buddy.pages > most)
		return fail(EINVAL, "memory.size: more than %ju bytes",
			    (uintmax_t)most << 12);
	return error ? error : pool_buddy_open(pool, &buddy);
}

static int
open_pool(struct pool **pool, const struct frames_config *config,
	  uint64_t pages, uint64_t most, unsigned node)
{
	return config->order == FRAMES_BUDDY
		       ? open_buddy(pool, config, pages, most, node)
		       : pool_bitmap_open(pool, pages, most,
					  config->order == FRAMES_RANDOM,
					  (uint64_t)config->seed + node);
}

/* log2 of the pages from the start of one node to that of the next. */
static int
span_of(const struct frames *frames, uint64_t pages, unsigned *span)
{
	if (pages == POOL_PAGES_UNBOUNDED) {
		*span = 31;
		while ((uint64_t)frames->nodes << *span > PAGES_MOST)
			--*span;
		return 0;
	}
	*span = 18;
	while (UINT64_C(1) << *span < pages)
		++*span;
	return (uint64_t)frames->nodes << *span <= PAGES_MOST
		       ? 0
		       : fail(EINVAL,
			      "memory.size: %u nodes of %ju bytes are more than "
			      "44 bits of address",
			      frames->nodes, (uintmax_t)pages << 12);
}

static int
open_bank(struct frames *frames, const struct frames_config *config,
	  unsigned node, uint64_t pages, uint64_t most)
{
	struct bank *bank = &frames->bank[node];
	uint64_t seed = (uint64_t)config->seed + node;
	int error = open_pool(&bank->pool, config, pages, most, node);

	if (!error && config->palette.colour != PALETTE_NONE)
		error = palette_open(&bank->palette, &config->palette,
				     bank->pool, config->colours,
				     bank->base >> 12, seed);
	if (!error && bank->pool->ops->blocks)
		bank->pool->ops->blocks(bank->pool, bank->first);
	return error;
}

static int
open_banks(struct frames *frames, const struct frames_config *config)
{
	uint64_t pages = config->size_bytes
				 ? (config->size_bytes >> 12) / frames->nodes
				 : POOL_PAGES_UNBOUNDED;
	uint64_t most = PAGES_MOST;
	unsigned span = 0;
	int error = 0;

	if (frames->nodes > 1) {
		error = span_of(frames, pages, &span);
		most = UINT64_C(1) << span;
	}
	for (unsigned node = 0; !error && node < frames->nodes; node++) {
		frames->bank[node].base =
			FRAMES_BASE + ((uint64_t)node << span << 12);
		error = open_bank(frames, config, node, pages, most);
	}
	frames->shift = frames->nodes > 1 ? span + 12 : 63;
	/* Of a guest and its host the host's counts: it is opened last. */
	if (frames->numa)
		frames->numa->shift = frames->shift;
	if (frames->copies)
		numa_copies_span(frames->copies, frames->shift);
	return error;
}

int
frames_open(struct frames **out, const struct frames_config *config)
{
	struct frames *frames;
	const char *field;
	char text[256];
	int error = -ENOMEM;

	if (frames_config_wrong(config, &field, text, sizeof(text)) ||
	    palette_config_wrong(&config->palette, config->colours, &field,
				 text, sizeof(text)))
		return fail(EINVAL, "memory.%s: %s", field, text);
	frames = calloc(1, sizeof(*frames));
	if (!frames)
		return fail(ENOMEM, "frames: out of memory");
	frames->numa = config->numa;
	frames->nodes = config->numa ? config->numa->nodes : 1;
	frames->recorded = config->order == FRAMES_RECORDED;
	frames->host = config->host;
	if (config->numa)
		frames->copies = config->host ? config->numa->host_copies
					      : config->numa->copies;
	frames->bank = calloc(frames->nodes, sizeof(*frames->bank));
	frames->colours = config->colours;
	frames->page = config->palette.page ? config->palette.page : 12;
	frames->node_pages = (config->size_bytes >> 12) / frames->nodes;
	if (config->colours)
		frames->colour = calloc(config->colours, sizeof(uint64_t));
	if (!frames->bank || (config->colours && !frames->colour))
		error = fail(ENOMEM, "frames: out of memory");
	else
		error = open_banks(frames, config);
	if (error) {
		frames_close(frames);
		return error;
	}
	*out = frames;
	return 0;
}

void
frames_close(struct frames *frames)
{
	if (!frames)
		return;
	for (unsigned i = 0; frames->bank && i < frames->nodes; i++) {
		palette_close(frames->bank[i].palette);
		free(frames->bank[i].table);
		if (frames->bank[i].pool)
			frames->bank[i].pool->ops->close(frames->bank[i].pool);
	}
	free(frames->bank);
	free(frames->colour);
	free(frames);
}

void
frames_run(struct frames *frames, uint32_t space)
{
	frames->space = space;
}

/* Who a frame is for. */
struct want {
	unsigned shift;
	enum pool_type type;
	uint64_t page; /* virtual page number, or PALETTE_NO_PAGE */
};

/* Without memory it is not told. */
static void
note_table(struct bank *bank, uint64_t page, bool table)
{
	uint64_t word = page / 64, bit = UINT64_C(1) << page % 64;

	if (word >= bank->table_words) {
		uint64_t words = 2 * word + 64, *grown;

		if (!table)
			return;
		grown = reallocarray(bank->table, words, sizeof(*grown));
		if (!grown)
			return;
		memset(grown + bank->table_words, 0,
		       (words - bank->table_words) * sizeof(*grown));
		bank->table = grown;
		bank->table_words = words;
	}
	if (table)
		bank->table[word] |= bit;
	else
		bank->table[word] &= ~bit;
}

static void
count_taken(struct frames *frames, struct bank *bank, uint64_t page,
	    uint64_t pages, bool table)
{
	struct numa *numa = frames->numa;

	frames->used_pages += pages;
	bank->used_pages += pages;
	for (uint64_t i = 0; i < pages; i++)
		note_table(bank, page + i, table);
	if (frames->peak_pages < frames->used_pages)
		frames->peak_pages = frames->used_pages;
	for (uint64_t i = 0;
	     frames->colour && pages << 12 <= 1u << frames->page && i < pages;
	     i++)
		frames->colour[((bank->base >> 12) + page + i) %
			       frames->colours]++;
	if (numa)
		(table ? numa->table_pages
		       : numa->pages)[bank - frames->bank] += pages;
}

static int
bank_take(struct frames *frames, struct bank *bank, const struct want *want,
	  uint64_t *address)
{
	const struct pool_ops *ops = bank->pool->ops;
	uint64_t page;
	int error;

	if (bank->palette && want->shift == frames->page) {
		error = palette_take(bank->palette, want->type, frames->space,
				     want->page, &page);
	} else {
		error = ops->take(bank->pool, want->shift, want->type, &page);
		if (error && bank->palette) {
			palette_drain(bank->palette);
			error = ops->take(bank->pool, want->shift, want->type,
					  &page);
		}
	}
	if (error)
		return error;
	count_taken(frames, bank, page, UINT64_C(1) << (want->shift - 12),
		    want->type == POOL_UNMOVABLE);
	*address = bank->base + (page << 12);
	return 0;
}

/* On the node wanted, or where else it may be. */
static int
take(struct frames *frames, unsigned node, const struct want *want,
     uint64_t *address)
{
	bool table = want->type == POOL_UNMOVABLE;

	if (!frames->numa)
		return bank_take(frames, frames->bank, want, address);
	for (unsigned i = 0;; i++) {
		unsigned there = numa_try(frames->numa, node, i, table);

		if (there == NUMA_NONE)
			return -ENOMEM;
		if (bank_take(frames, &frames->bank[there], want, address) < 0)
			continue;
		if (!table)
			frames->numa->data_node = there;
		return 0;
	}
}

static int
take_data(struct frames *frames, unsigned shift, uint64_t page,
	  uint64_t *address)
{
	const struct want want = { shift, POOL_MOVABLE, page };
	unsigned node =
		!frames->numa ? 0
		: page == PALETTE_NO_PAGE
			? frames->numa->node
			: numa_place_data(frames->numa, page << 12, shift);

	return take(frames, node, &want, address);
}

int
frames_take(struct frames *frames, unsigned shift, uint64_t *address)
{
	return take_data(frames, shift, PALETTE_NO_PAGE, address);
}

int
frames_take_data(struct frames *frames, unsigned shift, uint64_t virtual,
		 uint64_t *address)
{
	return take_data(frames, shift, virtual >> 12, address);
}

/* Addresses of a guest are none that the caches see: not numa_node_of. */
static unsigned
node_of(const struct frames *frames, uint64_t address)
{
	return (unsigned)((address - FRAMES_BASE) >> frames->shift);
}

static struct bank *
bank_of(struct frames *frames, uint64_t address)
{
	return &frames->bank[node_of(frames, address)];
}

/* Before anything is given back: is this what the node looks like when most is
 * in use? */
static void
note_peak(struct bank *bank)
{
	const struct pool *pool = bank->pool;

	if (!pool->ops->blocks || bank->used_pages <= bank->low_pages)
		return;
	bank->low_pages = bank->used_pages;
	pool->ops->blocks(pool, bank->low);
}

static void
give(struct frames *frames, unsigned shift, uint64_t address)
{
	struct bank *bank = bank_of(frames, address);
	uint64_t page = (address - bank->base) >> 12;
	uint64_t pages = UINT64_C(1) << (shift - 12);

	note_peak(bank);
	/* Without memory to note its colour it goes back to the pool. */
	if (!bank->palette || shift != frames->page ||
	    palette_give(bank->palette, page))
		bank->pool->ops->give(bank->pool, page, pages);
	bank->used_pages -= pages;
	frames->used_pages -= pages;
}

static struct want
table_want(unsigned shift)
{
	return (struct want){ shift, POOL_UNMOVABLE, PALETTE_NO_PAGE };
}

/* Of a run of a table, log2 of the bytes that move to another node as one. */
static unsigned
moving_shift(const struct frames *frames, unsigned shift)
{
	return shift < frames->page ? shift : frames->page;
}

/* Runs like that at address on all nodes, and its pages become copies. */
static int
take_copies(struct frames *frames, unsigned shift, uint64_t address)
{
	struct numa *numa = frames->numa;
	const struct want want = table_want(shift);
	unsigned first = node_of(frames, address), n = 0;
	bool moves = !numa_copies_replicated(frames->copies);
	uint64_t runs[TOPOLOGY_NODES];

	for (; n < (moves ? 1 : numa->nodes); n++) {
		runs[n] = address;
		if (!moves && n != first &&
		    bank_take(frames, &frames->bank[n], &want, &runs[n]) < 0)
			break;
	}
	if (moves || n == numa->nodes) {
		uint64_t pages = UINT64_C(1) << (shift - 12), page = 0;

		for (; page < pages; page++) {
			uint64_t all[TOPOLOGY_NODES];

			for (unsigned i = 0; i < n; i++)
				all[i] = runs[i] + (page << 12);
			if (numa_copies_add(frames->copies,
					    address + (page << 12),
					    moving_shift(frames, shift),
					    all) < 0)
				break;
		}
		if (page == pages)
			return 0;
		while (page--)
			(void)numa_copies_remove(frames->copies,
						 address + (page << 12),
						 (uint64_t[TOPOLOGY_NODES]){
							 0 });
	}
	while (n--)
		if (runs[n] != address)
			give(frames, shift, runs[n]);
	return -ENOMEM;
}

int
frames_take_table(struct frames *frames, unsigned shift, unsigned level,
		  uint64_t virtual, uint64_t *address)
{
	const struct want want = table_want(shift);
	struct numa *numa = frames->numa;
	unsigned node = numa ? numa_place_table(numa, level, frames->host) : 0;
	int error = take(frames, node, &want, address);

	(void)virtual;
	if (!error && frames->copies) {
		error = take_copies(frames, shift, *address);
		if (error)
			give(frames, shift, *address);
	}
	return error;
}

int
frames_take_behind(struct frames *frames, const struct frames *guest,
		   unsigned shift, uint64_t guest_physical, uint64_t *address)
{
	const struct want want = { shift, POOL_MOVABLE, PALETTE_NO_PAGE };

	return take(frames, node_of(guest, guest_physical), &want, address);
}

unsigned
frames_node(const struct frames *frames, uint64_t address)
{
	return node_of(frames, address);
}

struct numa *
frames_numa(const struct frames *frames)
{
	return frames->numa;
}

struct numa_copies *
frames_copies(const struct frames *frames)
{
	return frames->copies;
}

int
frames_take_on(struct frames *frames, unsigned shift, unsigned node,
	       uint64_t *address)
{
	const struct want want = { shift, POOL_MOVABLE, PALETTE_NO_PAGE };

	return bank_take(frames, &frames->bank[node], &want, address);
}

bool
frames_recorded(const struct frames *frames)
{
	return frames->recorded;
}

uint64_t
frames_number(const struct frames *frames, uint64_t address)
{
	unsigned node = frames->numa ? numa_node_of(frames->numa, address) : 0;
	uint64_t page;

	if (node >= frames->nodes || address < frames->bank[node].base)
		return UINT64_MAX;
	page = (address - frames->bank[node].base) >> 12;
	return page < frames->node_pages ? node * frames->node_pages + page
					 : UINT64_MAX;
}

uint64_t
frames_total(const struct frames *frames)
{
	return frames->nodes * frames->node_pages;
}

bool
frames_is(uint64_t address, uint64_t physical)
{
	return address - FRAMES_BASE == physical;
}

int
frames_take_at(struct frames *frames, unsigned shift, uint64_t physical,
	       uint64_t *address)
{
	uint64_t pages = UINT64_C(1) << (shift - 12);
	struct bank *bank;
	uint64_t page;
	int error;

	*address = FRAMES_BASE + physical;
	if (frames->numa && node_of(frames, *address) >= frames->nodes)
		return -ENOSPC;
	bank = bank_of(frames, *address);
	page = (*address - bank->base) >> 12;
	error = bank->pool->ops->take_at(bank->pool, page, pages);
	if (!error)
		count_taken(frames, bank, page, pages, false);
	return error;
}

/* A page of a table that moves keeps the frame where it was first, for that is
 * its name, and no other may get it: taken, but not in use. */
static void
leave(struct frames *frames, uint64_t address, unsigned shift)
{
	struct bank *bank = bank_of(frames, address);
	uint64_t pages = UINT64_C(1) << (shift - 12);

	note_peak(bank);
	bank->used_pages -= pages;
	frames->used_pages -= pages;
}

static void
give_name(struct frames *frames, uint64_t address)
{
	bank_of(frames, address)->used_pages++;
	frames->used_pages++;
	give(frames, 12, address);
}

/* Pages of a table that have copies, or are elsewhere. */
static void
give_copies(struct frames *frames, unsigned shift, uint64_t address)
{
	uint64_t end = address + (UINT64_C(1) << shift);

	for (uint64_t page = address; page < end; page += 4096) {
		uint64_t copy[TOPOLOGY_NODES];
		unsigned n = numa_copies_remove(frames->copies, page, copy);

		if (!n)
			give(frames, 12, page);
		else if (n == 1 && *copy != page)
			give_name(frames, page);
		while (n--)
			give(frames, 12, copy[n]);
	}
}

void
frames_give(struct frames *frames, unsigned shift, uint64_t address)
{
	if (frames->copies && shift < 30 && frames_is_table(frames, address))
		give_copies(frames, shift, address);
	else
		give(frames, shift, address);
}

void
frames_stand_on(struct frames *guest, struct frames *host)
{
	guest->below = host;
}

void
frames_move_tables(struct frames *frames)
{
	struct numa_wish wish = { 0 };

	if (frames->below)
		frames_move_tables(frames->below);
	while (frames->copies && numa_copies_wish(frames->copies, &wish)) {
		uint64_t address = 0;

		const struct want want = table_want(wish.shift);

		if (bank_take(frames, &frames->bank[wish.node], &want,
			      &address) < 0)
			continue;
		numa_copies_moved(frames->copies, &wish, address);
		if (wish.now == wish.page)
			leave(frames, wish.now, wish.shift);
		else
			give(frames, wish.shift, wish.now);
	}
}

unsigned
frames_table_copies(const struct frames *frames)
{
	return frames->copies && numa_copies_replicated(frames->copies)
		       ? frames->nodes
		       : 1;
}

uint64_t
frames_used(const struct frames *frames)
{
	return frames->used_pages << 12;
}

uint64_t
frames_peak(const struct frames *frames)
{
	return frames->peak_pages << 12;
}

bool
frames_is_table(const struct frames *frames, uint64_t address)
{
	const struct bank *bank = &frames->bank[node_of(frames, address)];
	uint64_t page = (address - bank->base) >> 12;

	return page / 64 < bank->table_words &&
	       bank->table[page / 64] >> page % 64 & 1;
}

const uint64_t *
frames_colours(const struct frames *frames)
{
	return frames->colour;
}

bool
frames_compactable(const struct frames *frames)
{
	return frames->bank[0].pool->ops->compact != NULL;
}

/* Where who runs now gets data from. */
static struct bank *
bank_here(const struct frames *frames)
{
	return &frames->bank[frames->numa ? frames->numa->node : 0];
}

struct moving {
	struct frames_compaction *of;
	const struct bank *bank;
};

static bool
may_move(void *context, uint64_t page)
{
	const struct moving *moving = context;
	const struct bank *bank = moving->bank;

	if (page / 64 < bank->table_words &&
	    bank->table[page / 64] >> page % 64 & 1)
		return false;
	return moving->of->may(moving->of->context, bank->base + (page << 12));
}

static int
move(void *context, uint64_t from, uint64_t to)
{
	const struct moving *moving = context;
	uint64_t base = moving->bank->base;

	return moving->of->move(moving->of->context, base + (from << 12),
				base + (to << 12));
}

int
frames_compact(struct frames *frames, unsigned shift,
	       struct frames_compaction *compaction)
{
	const struct bank *bank = bank_here(frames);
	struct moving moving = { compaction, bank };
	const struct pool_mover mover = { &moving, may_move, move };
	struct pool_work work = { 0 };
	int made = bank->pool->ops->compact(bank->pool, shift, &mover, &work);

	compaction->looked += work.looked;
	compaction->moved += work.moved;
	return made;
}

void
frames_fragmentation(const struct frames *frames, unsigned shift,
		     uint64_t *pages, int64_t *index)
{
	const struct pool *pool = bank_here(frames)->pool;
	uint64_t blocks[POOL_ORDERS];

	pool->ops->blocks(pool, blocks);
	*pages = buddyinfo_pages(blocks);
	*index = buddyinfo_fragmentation(blocks, shift - 12);
}

/* Free blocks when most was in use. */
static const uint64_t *
blocks_at_peak(const struct bank *bank, uint64_t *now)
{
	bank->pool->ops->blocks(bank->pool, now);
	return bank->used_pages > bank->low_pages ? now : bank->low;
}

static int
put_bank(const struct frames *frames, unsigned node, struct result *result)
{
	const struct bank *bank = &frames->bank[node];
	uint64_t now[POOL_ORDERS];
	const uint64_t *peak = blocks_at_peak(bank, now);
	int error = 0;

	for (unsigned i = 0; i < POOL_ORDERS && !error; i++)
		error = result_row(result, "frames.free", "uuuuudd",
				   (uint64_t)node, (uint64_t)i, bank->first[i],
				   peak[i], now[i],
				   (double)buddyinfo_unusable(peak, i) / 1000,
				   (double)buddyinfo_fragmentation(peak, i) /
					   1000);
	return error;
}

/* The table, and in peak[] the sums of it. */
static int
put_banks(const struct frames *frames, struct result *result, uint64_t *begun,
	  uint64_t peak[POOL_ORDERS])
{
	static const char *const columns[] = {
		"node:",      "order:",	   "start:blocks",   "peak:blocks",
		"end:blocks", "unusable:", "fragmentation:", NULL,
	};
	int error = result_table(result, "frames.free",
				 "free blocks of 2^order pages: at the start, "
				 "when most was in use, and at the end; and of "
				 "the second the kernel's indices",
				 columns);

	for (unsigned node = 0; node < frames->nodes && !error; node++) {
		const struct bank *bank = &frames->bank[node];
		uint64_t now[POOL_ORDERS];
		const uint64_t *blocks = blocks_at_peak(bank, now);

		for (unsigned i = 0; i < POOL_ORDERS; i++)
			peak[i] += blocks[i];
		*begun += bank->pool->ops->begun(bank->pool);
		error = put_bank(frames, node, result);
	}
	return error;
}

static int
put_indices(const uint64_t peak[POOL_ORDERS], struct result *result)
{
	int error = result_count(result, "frames.free.pages",
				 buddyinfo_pages(peak), "pages");

	if (!error)
		error = result_real(result, "frames.unusable.2m",
				    (double)buddyinfo_unusable(peak,
							       LARGE_ORDER) /
					    1000,
				    "");
	return error ? error
		     : result_real(result, "frames.fragmentation.2m",
				   (double)buddyinfo_fragmentation(
					   peak, LARGE_ORDER) /
					   1000,
				   "");
}

static int
put_colours(const struct frames *frames, struct result *result)
{
	uint64_t strayed = 0;
	int error;

	if (!frames->bank[0].palette)
		return 0;
	for (unsigned node = 0; node < frames->nodes; node++)
		strayed += palette_strayed(frames->bank[node].palette);
	error = result_count(result, "colour.count",
			     frames->colours >> (frames->page - 12), "colours");
	return error ? error
		     : result_count(result, "colour.strayed", strayed, "pages");
}

int
frames_finish(const struct frames *frames, struct result *result)
{
	uint64_t begun = 0, peak[POOL_ORDERS] = { 0 };
	int error = put_colours(frames, result);

	if (error || !frames->bank[0].pool->ops->blocks)
		return error;
	error = put_banks(frames, result, &begun, peak);
	if (!error)
		error = result_count(result, "frames.begun", begun, "pages");
	return error ? error : put_indices(peak, result);
}
