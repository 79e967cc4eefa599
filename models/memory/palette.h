/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Free pages of a pool by their colour: the page-sized part of a physically
 * indexed cache that they fall into.
 *
 *	colour = frame number mod colours, colours = sets * line / 4K
 *
 * Pages of 4K get a colour by policy; larger ones have all of them, or are
 * aligned to what they have, and come from the pool as they are.
 */
#ifndef MODELS_MEMORY_PALETTE_H
#define MODELS_MEMORY_PALETTE_H

#include "analyzer/option.h"

struct pool;

enum palette_colour {
	PALETTE_NONE,	   /* as the free pages come */
	PALETTE_COLOURING, /* by the virtual page number (Kessler, Hill 1992) */
	PALETTE_HOPPING,   /* the next one each time: bin hopping */
	PALETTE_RANDOM,	   /* a drawn one each time */
	PALETTE_PARTITION, /* each space its share, hopping within it */
};

struct palette_config {
	int colour; /* enum palette_colour */
	int cache;  /* whose colours: 0: L2, 1: L3 */
	int64_t partitions;
	unsigned page; /* log2 of a page, 12 .. 16; 0: 12.  No option here */
};

/* colour, colour-cache, partitions: prefix "memory" */
extern const struct option_row palette_rows[];

/* As frames_config_wrong; colours: of 4K, of the cache named, 0: it has none. */
int palette_config_wrong(const struct palette_config *config, uint64_t colours,
			 const char **field, char *text, size_t bytes);

struct palette;

/* pool: borrowed; frame: number of its first 4K; colours: of 4K, of which a larger
 * page takes several.  0 or -ENOMEM (said). */
int palette_open(struct palette **out, const struct palette_config *config,
		 struct pool *pool, uint64_t colours, uint64_t frame,
		 uint64_t seed);
void palette_close(struct palette *palette);

/* A page (config->page) for this virtual page (tables: none of their own) of a
 * space; type: enum pool_type.  Numbers are of 4K. */
int palette_take(struct palette *palette, int type, uint32_t space,
		 uint64_t page_number, uint64_t *page);
/* A page, from here or from a larger run of the pool, is free. */
int palette_give(struct palette *palette, uint64_t page);
/* Give all free pages back to the pool, whose runs may be whole again. */
void palette_drain(struct palette *palette);
/* Pages that got another colour than they should, as memory was short. */
uint64_t palette_strayed(const struct palette *palette);

/* That no virtual page number is known of: PALETTE_COLOURING hops. */
#define PALETTE_NO_PAGE UINT64_MAX

#endif
