// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who gets which frame.  Each node has its pool of free pages:
 *
 *	address = FRAMES_BASE + node * span + page * 4096
 */
#include "models/memory/frames.h"

#include "analyzer/fail.h"
#include "models/memory/buddyinfo.h"
#include "models/memory/pool.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Addresses stay below 2^44: cache.c */
#define PAGES_MOST  ((UINT64_C(1) << 32) - (UINT64_C(1) << 18))
#define LARGE_ORDER 9

struct frames {
	struct pool *pool; /* owned */
	bool recorded;
	uint64_t used_pages, peak_pages;
	uint64_t first[POOL_ORDERS]; /* free blocks when the run began */
	uint64_t low[POOL_ORDERS];   /* ... when most was in use */
	uint64_t low_pages;	     /* in use then */
};

static const char *const orders[] = { "ascending", "random", "recorded",
				      "buddy", NULL };
static const char *const starts[] = { "fresh", "aged", "file", NULL };
static const char *const lists[] = { "lifo", "lowest", NULL };

const struct option_row frames_rows[] = {
	{ .name = "size",
	  .type = OPTION_SIZE,
	  .offset = offsetof(struct frames_config, size_bytes),
	  .fallback = "0",
	  .unit = "bytes",
	  .help = "Memory for pages and page tables; 0 is as much as needed" },
	{ .name = "order",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct frames_config, order),
	  .fallback = "ascending",
	  .choices = orders,
	  .help = "Which free frame is taken first; recorded: the real one, "
		  "from where the trace shows it (record --residency); buddy: "
		  "as Linux's allocator does" },
	{ .name = "seed",
	  .type = OPTION_INT,
	  .offset = offsetof(struct frames_config, seed),
	  .fallback = "1",
	  .help = "Seed of the random order, colours and start states" },
	{ .name = "start",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct frames_config, start),
	  .fallback = "fresh",
	  .choices = starts,
	  .help = "What is free at the start, with order buddy: all, what a "
		  "seeded history left, or what memory.buddyinfo counts" },
	{ .name = "aged",
	  .type = OPTION_REAL,
	  .offset = offsetof(struct frames_config, aged),
	  .fallback = "0.5",
	  .max = 0.99,
	  .help = "Share of memory that is in use when start is aged" },
	{ .name = "buddyinfo",
	  .type = OPTION_STRING,
	  .offset = offsetof(struct frames_config, buddyinfo),
	  .argument = "FILE",
	  .help = "A copy of /proc/buddyinfo or /proc/pagetypeinfo, for start "
		  "file; memory.size 0 is twice what is free there" },
	{ .name = "lists",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct frames_config, lists),
	  .fallback = "lifo",
	  .choices = lists,
	  .help = "Which block of an order leaves first, with order buddy: the "
		  "one given back last (Linux) or the lowest" },
	{ .name = "ungrouped",
	  .type = OPTION_BOOL,
	  .offset = offsetof(struct frames_config, ungrouped),
	  .fallback = "no",
	  .help = "Order buddy does not keep page tables apart from data" },
	{ 0 },
};

static int
wrong_start(const struct frames_config *config, const char **field, char *text,
	    size_t bytes)
{
	*field = "start";
	if (config->start != BUDDY_FRESH && config->order != FRAMES_BUDDY)
		return snprintf(text, bytes,
				"%s needs memory.order=buddy, not %s",
				starts[config->start], orders[config->order]);
	if (config->start == BUDDY_AGED && !config->size_bytes)
		return snprintf(text, bytes,
				"aged needs a memory.size of 4M to 15T, not 0");
	if (config->start == BUDDY_FILE && !config->buddyinfo)
		return snprintf(text, bytes,
				"file needs memory.buddyinfo=FILE");
	*field = "buddyinfo";
	if (config->buddyinfo && config->start != BUDDY_FILE)
		return snprintf(text, bytes,
				"\"%s\" is for memory.start=file, not %s",
				config->buddyinfo, starts[config->start]);
	return 0;
}

int
frames_config_wrong(const struct frames_config *config, const char **field,
		    char *text, size_t bytes)
{
	*field = "size";
	if (config->size_bytes && config->size_bytes < 4096)
		return snprintf(text, bytes, "%ju bytes are less than a page",
				(uintmax_t)config->size_bytes);
	return wrong_start(config, field, text, bytes);
}

/* The start state of a file.  Sets pages where they are not given. */
static int
read_start(struct buddy_config *buddy, const struct frames_config *config)
{
	struct buddyinfo *info = malloc(sizeof(*info));
	uint64_t needed, free_pages = 0;
	int error;

	if (!info)
		return fail(ENOMEM, "memory.buddyinfo: out of memory");
	error = buddyinfo_read(info, config->buddyinfo);
	for (unsigned node = 0; !error && node < info->nodes; node++)
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
	   uint64_t pages, uint64_t most, uint64_t seed)
{
	struct buddy_config buddy = {
		.pages = pages,
		.most = most,
		.lists = config->lists,
		.start = config->start,
		.grouping = !config->ungrouped,
		.aged = config->aged,
		.seed = seed,
	};
	int error =
		config->start == BUDDY_FILE ? read_start(&buddy, config) : 0;

	if (!error && buddy.pages != POOL_PAGES_UNBOUNDED && buddy.pages > most)
		return fail(EINVAL, "memory.size: more than %ju bytes",
			    (uintmax_t)most << 12);
	return error ? error : pool_buddy_open(pool, &buddy);
}

static int
open_pool(struct pool **pool, const struct frames_config *config)
{
	uint64_t pages = config->size_bytes ? config->size_bytes >> 12
					    : POOL_PAGES_UNBOUNDED;
	uint64_t seed = (uint64_t)config->seed;

	return config->order == FRAMES_BUDDY
		       ? open_buddy(pool, config, pages, PAGES_MOST, seed)
		       : pool_bitmap_open(pool, pages, PAGES_MOST,
					  config->order == FRAMES_RANDOM, seed);
}

int
frames_open(struct frames **out, const struct frames_config *config)
{
	struct frames *frames;
	const char *field;
	char text[256];
	int error;

	if (frames_config_wrong(config, &field, text, sizeof(text)))
		return fail(EINVAL, "memory.%s: %s", field, text);
	frames = calloc(1, sizeof(*frames));
	if (!frames)
		return fail(ENOMEM, "frames: out of memory");
	frames->recorded = config->order == FRAMES_RECORDED;
	error = open_pool(&frames->pool, config);
	if (error) {
		frames_close(frames);
		return error;
	}
	if (frames->pool->ops->blocks)
		frames->pool->ops->blocks(frames->pool, frames->first);
	*out = frames;
	return 0;
}

void
frames_close(struct frames *frames)
{
	if (!frames)
		return;
	if (frames->pool)
		frames->pool->ops->close(frames->pool);
	free(frames);
}

static void
count_taken(struct frames *frames, unsigned shift)
{
	frames->used_pages += UINT64_C(1) << (shift - 12);
	if (frames->peak_pages < frames->used_pages)
		frames->peak_pages = frames->used_pages;
}

static int
take(struct frames *frames, unsigned shift, enum pool_type type,
     uint64_t *address)
{
	uint64_t page;
	int error = frames->pool->ops->take(frames->pool, shift, type, &page);

	if (error)
		return error;
	count_taken(frames, shift);
	*address = FRAMES_BASE + (page << 12);
	return 0;
}

int
frames_take(struct frames *frames, unsigned shift, uint64_t *address)
{
	return take(frames, shift, POOL_MOVABLE, address);
}

int
frames_take_data(struct frames *frames, unsigned shift, uint64_t virtual,
		 uint64_t *address)
{
	(void)virtual;
	return take(frames, shift, POOL_MOVABLE, address);
}

int
frames_take_table(struct frames *frames, unsigned shift, unsigned level,
		  uint64_t virtual, uint64_t *address)
{
	(void)level;
	(void)virtual;
	return take(frames, shift, POOL_UNMOVABLE, address);
}

bool
frames_recorded(const struct frames *frames)
{
	return frames->recorded;
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
	int error = frames->pool->ops->take_at(frames->pool, physical >> 12,
					       UINT64_C(1) << (shift - 12));

	if (error)
		return error;
	count_taken(frames, shift);
	*address = FRAMES_BASE + physical;
	return 0;
}

/* Before anything is given back: is this what the run looks like when most is
 * in use? */
static void
note_peak(struct frames *frames)
{
	const struct pool *pool = frames->pool;

	if (!pool->ops->blocks || frames->used_pages <= frames->low_pages)
		return;
	frames->low_pages = frames->used_pages;
	pool->ops->blocks(pool, frames->low);
}

void
frames_give(struct frames *frames, unsigned shift, uint64_t address)
{
	uint64_t pages = UINT64_C(1) << (shift - 12);

	note_peak(frames);
	frames->pool->ops->give(frames->pool, (address - FRAMES_BASE) >> 12,
				pages);
	frames->used_pages -= pages;
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

static const uint64_t *
blocks_at_peak(const struct frames *frames, uint64_t *now)
{
	frames->pool->ops->blocks(frames->pool, now);
	return frames->used_pages > frames->low_pages ? now : frames->low;
}

static int
put_table(const struct frames *frames, struct result *result,
	  const uint64_t *peak, const uint64_t *now)
{
	static const char *const columns[] = {
		"order:",    "start:blocks",   "peak:blocks", "end:blocks",
		"unusable:", "fragmentation:", NULL,
	};
	int error = result_table(result, "frames.free",
				 "free blocks of 2^order pages: at the start, "
				 "when most was in use, and at the end; and of "
				 "the second the kernel's indices",
				 columns);

	for (unsigned i = 0; i < POOL_ORDERS && !error; i++)
		error = result_row(result, "frames.free", "uuuudd", (uint64_t)i,
				   frames->first[i], peak[i], now[i],
				   (double)buddyinfo_unusable(peak, i) / 1000,
				   (double)buddyinfo_fragmentation(peak, i) /
					   1000);
	return error;
}

int
frames_finish(const struct frames *frames, struct result *result)
{
	const struct pool *pool = frames->pool;
	uint64_t now[POOL_ORDERS];
	const uint64_t *peak;
	int error;

	if (!pool->ops->blocks)
		return 0;
	peak = blocks_at_peak(frames, now);
	error = result_count(result, "frames.begun", pool->ops->begun(pool),
			     "pages");
	if (!error)
		error = result_count(result, "frames.free.pages",
				     buddyinfo_pages(peak), "pages");
	if (!error)
		error = result_real(result, "frames.unusable.2m",
				    (double)buddyinfo_unusable(peak,
							       LARGE_ORDER) /
					    1000,
				    "");
	if (!error)
		error = result_real(
			result, "frames.fragmentation.2m",
			(double)buddyinfo_fragmentation(peak, LARGE_ORDER) /
				1000,
			"");
	return error ? error : put_table(frames, result, peak, now);
}
