// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A stack of free pages for each colour.  One that is empty is filled with a
 * run of 2 MiB of the pool, cut into pages; when the pool has none left, with
 * single pages as they come.
 *
 * Who wants a colour that is not to be had gets the next one that is, except
 * under partition, where that would share sets: there memory is out.
 */
#include "models/memory/palette.h"

#include "analyzer/fail.h"
#include "models/memory/pool.h"
#include "models/memory/random.h"

#include <stdio.h>
#include <stdlib.h>

#define RUN_SHIFT 21
#define RUN_PAGES 512

struct stack {
	uint32_t *page; /* owned */
	uint32_t n, room;
};

struct palette {
	struct palette_config config;
	struct pool *pool;	 /* borrowed */
	unsigned bits;		 /* a page has 2^bits of 4K */
	uint64_t colours, frame; /* colours: of pages */
	uint64_t state;		 /* of the generator */
	uint64_t next;		 /* hopping */
	uint64_t *hop;		 /* owned: [partitions]: hopping within each */
	uint64_t strayed;
	struct stack *stack; /* owned: [colours] */
};

static const char *const colours[] = { "none",	 "colouring", "hopping",
				       "random", "partition", NULL };
static const char *const caches[] = { "l2", "l3", NULL };

const struct option_row palette_rows[] = {
	{ .name = "colour",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct palette_config, colour),
	  .fallback = "none",
	  .choices = colours,
	  .help = "Which cache colour a page of 4K (of pages.granule) gets: that "
		  "of its virtual page number, the next one, a drawn one, or "
		  "the next of its space's share" },
	{ .name = "colour-cache",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct palette_config, cache),
	  .fallback = "l2",
	  .choices = caches,
	  .help = "The cache whose colours these are: sets * line / 4K (or pages.granule)" },
	{ .name = "partitions",
	  .type = OPTION_INT,
	  .offset = offsetof(struct palette_config, partitions),
	  .fallback = "2",
	  .min = 1,
	  .max = 65536,
	  .help = "Shares of the colours with memory.colour=partition; space n "
		  "has share n mod partitions" },
	{ 0 },
};

/* Of the 4K in a page. */
static unsigned
bits_of(const struct palette_config *config)
{
	return config->page ? config->page - 12 : 0;
}

int
palette_config_wrong(const struct palette_config *config, uint64_t of_cache,
		     const char **field, char *text, size_t bytes)
{
	unsigned bits = bits_of(config);

	if (config->colour == PALETTE_NONE)
		return 0;
	*field = "colour";
	if (!of_cache || of_cache % (UINT64_C(1) << bits))
		return snprintf(text, bytes,
				"%s: cache.%s has no colours: its sets * line "
				"must be a multiple of %uK, from %uK up",
				colours[config->colour], caches[config->cache],
				4u << bits, 4u << bits);
	of_cache >>= bits;
	*field = "partitions";
	if (config->colour == PALETTE_PARTITION &&
	    of_cache % (uint64_t)config->partitions)
		return snprintf(text, bytes,
				"%jd does not divide the %ju colours of "
				"cache.%s; allowed: a divisor from 1 to %ju",
				(intmax_t)config->partitions,
				(uintmax_t)of_cache, caches[config->cache],
				(uintmax_t)of_cache);
	return 0;
}

int
palette_open(struct palette **out, const struct palette_config *config,
	     struct pool *pool, uint64_t n, uint64_t frame, uint64_t seed)
{
	struct palette *palette = calloc(1, sizeof(*palette));

	n >>= bits_of(config);
	if (palette) {
		*palette = (struct palette){
			.config = *config,
			.pool = pool,
			.bits = bits_of(config),
			.colours = n,
			.frame = frame,
			.state = seed,
			.stack = calloc(n, sizeof(struct stack)),
			.hop = calloc((size_t)config->partitions,
				      sizeof(uint64_t)),
		};
		if (palette->stack && palette->hop) {
			*out = palette;
			return 0;
		}
		palette_close(palette);
	}
	return fail(ENOMEM, "memory.colour: out of memory for %ju colours",
		    (uintmax_t)n);
}

void
palette_close(struct palette *palette)
{
	if (!palette)
		return;
	for (uint64_t i = 0; palette->stack && i < palette->colours; i++)
		free(palette->stack[i].page);
	free(palette->stack);
	free(palette->hop);
	free(palette);
}

int
palette_give(struct palette *palette, uint64_t page)
{
	struct stack *stack =
		&palette->stack[((palette->frame + page) >> palette->bits) %
				palette->colours];

	if (stack->n == stack->room) {
		uint32_t room = stack->room ? 2 * stack->room : 8;
		uint32_t *grown =
			reallocarray(stack->page, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		stack->page = grown;
		stack->room = room;
	}
	stack->page[stack->n++] = (uint32_t)page;
	return 0;
}

void
palette_drain(struct palette *palette)
{
	for (uint64_t i = 0; i < palette->colours; i++) {
		struct stack *stack = &palette->stack[i];

		while (stack->n)
			palette->pool->ops->give(palette->pool,
						 stack->page[--stack->n],
						 UINT64_C(1) << palette->bits);
	}
}

/* More free pages.  0 or -ENOMEM. */
static int
refill(struct palette *palette, enum pool_type type)
{
	struct pool *pool = palette->pool;
	uint64_t one = UINT64_C(1) << palette->bits;
	uint64_t page, pages = RUN_PAGES;

	if (pool->ops->take(pool, RUN_SHIFT, type, &page) < 0) {
		pages = one;
		if (pool->ops->take(pool, 12 + palette->bits, type, &page) < 0)
			return -ENOMEM;
	}
	/* The lowest of a colour leaves first. */
	for (; pages; pages -= one)
		if (palette_give(palette, page + pages - one) < 0)
			return -ENOMEM;
	return 0;
}

/* The colour, or the next in [first, first + n) that has pages. */
static struct stack *
stack_near(struct palette *palette, uint64_t colour, uint64_t first, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		struct stack *stack =
			&palette->stack[first + (colour - first + i) % n];

		if (stack->n)
			return stack;
	}
	return NULL;
}

static uint64_t
choose(struct palette *palette, uint64_t page_number)
{
	switch (palette->config.colour) {
	case PALETTE_COLOURING:
		if (page_number != PALETTE_NO_PAGE)
			return (page_number >> palette->bits) %
			       palette->colours;
		break;
	case PALETTE_RANDOM:
		return random_below(&palette->state, palette->colours);
	default:
		break;
	}
	return palette->next++ % palette->colours;
}

int
palette_take(struct palette *palette, int type, uint32_t space,
	     uint64_t page_number, uint64_t *page)
{
	bool partition = palette->config.colour == PALETTE_PARTITION;
	uint64_t first = 0, n = palette->colours, colour;
	struct stack *stack;

	if (partition) {
		uint64_t parts = (uint64_t)palette->config.partitions;

		n /= parts;
		first = space % parts * n;
		colour = first + palette->hop[space % parts]++ % n;
	} else {
		colour = choose(palette, page_number);
	}
	stack = &palette->stack[colour];
	while (!stack->n && !refill(palette, (enum pool_type)type))
		;
	if (!stack->n) {
		stack = stack_near(palette, colour, first, n);
		if (!stack)
			return -ENOMEM;
		palette->strayed++;
	}
	*page = stack->page[--stack->n];
	return 0;
}

uint64_t
palette_strayed(const struct palette *palette)
{
	return palette->strayed;
}
