// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Elastic cuckoo page tables (Skarlatos, Kokolis, Xu and Torrellas, "Elastic
 * cuckoo page tables", ASPLOS 2020): for each page size a table of d ways, in
 * any of which an entry may lie; a walk looks into all of them at once.
 *
 *	way 0:  [ moved | not yet      ]  -> [ twice as long  ]
 *	way 1:  [                      ]
 *	way 2:  [                      ]
 *
 * An entry is of 8 neighbouring pages, a line, with its tag in spare bits.  Who
 * comes in evicts who is there, which goes to another way.  When all ways
 * together are too full, the shortest begins to move into one twice as long, some
 * slots at each insertion; which of the two an entry is in, a pointer tells.
 * (The longer one is indexed by one more bit of the same hash, as in Stojkovic et
 * al., "Memory-efficient hashed page tables", HPCA 2023: so moving evicts nobody.)
 * Ways never shrink.
 *
 * Cuckoo walk caches know of a region of 2M or 1G which sizes of pages are in it,
 * and of a large page its way:
 *
 *	2M known              the one way of its page, or the d ways of 4K
 *	1G known              its page's way, or the d ways of sizes it has
 *	nothing known         all ways of all sizes in use
 *
 * What they do not know is read from cuckoo walk tables, beside the walk.  They
 * are taken to be always up to date.
 */
#include "models/tables/tables.h"

#include <stdio.h>
#include <stdlib.h>

#include "analyzer/fail.h"
#include "models/tables/cuckoo-ways.h"
#include "models/translation/aside.h"

const struct option_row cuckoo_rows[] = {
	{ .name = "ways",
	  .type = OPTION_INT,
	  .offset = offsetof(struct cuckoo_config, ways),
	  .fallback = "3",
	  .min = 2,
	  .max = WAYS_MAX,
	  .unit = "ways",
	  .help = "ways of a table, each with its own hash" },
	{ .name = "pages",
	  .type = OPTION_INT,
	  .offset = offsetof(struct cuckoo_config, pages),
	  .fallback = "8",
	  .min = 1,
	  .max = PAGES_MAX,
	  .unit = "pages",
	  .help = "pages of an entry, a power of two" },
	{ .name = "entries",
	  .type = OPTION_INT,
	  .offset = offsetof(struct cuckoo_config, entries),
	  .fallback = "128",
	  .min = 2,
	  .max = 1 << 24,
	  .unit = "slots",
	  .help = "slots of a way at first, a power of two" },
	{ .name = "load",
	  .type = OPTION_REAL,
	  .offset = offsetof(struct cuckoo_config, load),
	  .fallback = "0.6",
	  .min = 0.05,
	  .max = 1,
	  .unit = "entries",
	  .help = "entries a slot before a way doubles" },
	{ .name = "evictions",
	  .type = OPTION_INT,
	  .offset = offsetof(struct cuckoo_config, evictions),
	  .fallback = "32",
	  .min = 1,
	  .max = 10000,
	  .unit = "entries",
	  .help = "entries that one insertion may evict before a way doubles "
		  "at once" },
	{ .name = "moves",
	  .type = OPTION_INT,
	  .offset = offsetof(struct cuckoo_config, moves),
	  .fallback = "4",
	  .min = 1,
	  .max = 1 << 24,
	  .unit = "slots",
	  .help = "slots that a way in resizing moves at each insertion" },
	{ .name = "cwc-2m",
	  .type = OPTION_INT,
	  .offset = offsetof(struct cuckoo_config, cwc_2m),
	  .fallback = "16",
	  .max = 4096,
	  .unit = "entries",
	  .help = "cuckoo walk cache of 2M regions; 0: there is none" },
	{ .name = "cwc-1g",
	  .type = OPTION_INT,
	  .offset = offsetof(struct cuckoo_config, cwc_1g),
	  .fallback = "2",
	  .max = 4096,
	  .unit = "entries",
	  .help = "cuckoo walk cache of 1G regions; 0: there is none" },
	{ .name = "beside",
	  .type = OPTION_BOOL,
	  .offset = offsetof(struct cuckoo_config, beside),
	  .fallback = "yes",
	  .help = "the probes of a walk are made at the same time: the "
		  "slowest counts; no: one after the other" },
	{ NULL },
};

static const struct table_value cuckoo_values[] = {
	{ "table.cuckoo.evictions", "entries" },
	{ "table.cuckoo.full", "insertions" },
	{ "table.cuckoo.slots", "slots" },
	{ "table.cuckoo.entries", "entries" },
	{ NULL, NULL },
};

static unsigned
most_of(const struct kinds_config *kinds)
{
	const struct cuckoo_config *config = &kinds->cuckoo;

	return LEAF_SIZES * (unsigned)config->ways + 2;
}

static uint64_t
cuckoo_bytes(const struct table *table)
{
	return table->memory.bytes;
}

static void
cuckoo_count(const struct table *table, uint64_t *values)
{
	const struct cuckoo *cuckoo = (const struct cuckoo *)table;

	values[0] += cuckoo->evicted;
	values[1] += cuckoo->full;
	for (unsigned code = 0; code < LEAF_SIZES; code++) {
		values[2] += cuckoo->part[code].slots;
		values[3] += cuckoo->part[code].n;
	}
}

static void
cuckoo_close(struct table *table)
{
	struct cuckoo *cuckoo = (struct cuckoo *)table;

	if (!table)
		return;
	for (unsigned code = 0; code < LEAF_SIZES; code++)
		cuckoo_fini_part(cuckoo, &cuckoo->part[code]);
	for (unsigned i = 0; i < ARRAY_SIZE(cuckoo->cwt); i++)
		table_extent_give(&cuckoo->cwt[i], &table->memory);
	leaves_fini(&cuckoo->leaves);
	free(cuckoo->memos.memo);
	free(cuckoo);
}

static unsigned
bytes_of(unsigned pages)
{
	return pages == 1 ? 16 : pages == 2 ? 32 : LINE;
}

static int
cuckoo_open(struct table **out, const struct table_with *with)
{
	const struct cuckoo_config *config = &with->kinds->cuckoo;
	struct cuckoo *cuckoo = calloc(1, sizeof(*cuckoo));
	bool short_of = false;

	if (!cuckoo)
		return fail(ENOMEM, "cuckoo table: no memory");
	table_init(&cuckoo->leaves.table, &cuckoo_table, with);
	leaves_init(&cuckoo->leaves, &cuckoo_leaves, with);
	cuckoo->leaves.table.most = most_of(with->kinds);
	cuckoo->ways = (unsigned)config->ways;
	cuckoo->pages = (unsigned)config->pages;
	cuckoo->pages_shift = (unsigned)__builtin_ctz(cuckoo->pages);
	cuckoo->entry_bytes = bytes_of(cuckoo->pages);
	cuckoo->first_shift =
		(unsigned)__builtin_ctzll((uint64_t)config->entries);
	cuckoo->evictions = (unsigned)config->evictions;
	cuckoo->moves = (unsigned)config->moves;
	cuckoo->load = config->load;
	cuckoo->beside = config->beside;
	cuckoo->random = with->space;
	for (unsigned code = 0; code < LEAF_SIZES; code++)
		cuckoo->part[code].shift =
			cuckoo->leaves.shift[code] +
			(unsigned)__builtin_ctz(cuckoo->pages);
	for (unsigned i = 0; i < ARRAY_SIZE(cuckoo->cwt); i++)
		if (i == CWC_2M ? config->cwc_2m : config->cwc_1g)
			short_of |=
				table_extent_take(&cuckoo->cwt[i],
						  &cuckoo->leaves.table.memory,
						  CWT_BYTES) != 0;
	if (cuckoo_grow_memo(cuckoo) || short_of ||
	    cuckoo_open_part(cuckoo, &cuckoo->part[0])) {
		cuckoo_close(&cuckoo->leaves.table);
		return fail(ENOMEM, "cuckoo table: no memory");
	}
	*out = &cuckoo->leaves.table;
	return 0;
}

static int
cuckoo_aside_open(struct aside *aside, const struct table_with *with,
		  uint64_t seed)
{
	static char lru[] = "lru";
	const struct cuckoo_config *config = &with->kinds->cuckoo;
	const struct tlb_config arrays[] = {
		[CWC_2M] = { config->cwc_2m, 0, lru, 0, 1 },
		[CWC_1G] = { config->cwc_1g, 0, lru, 0, 1 },
	};
	int error;

	aside->beside = config->beside;
	error = aside_add(aside, "cwc.2m", &arrays[CWC_2M], 21, true, seed);
	return error ? error
		     : aside_add(aside, "cwc.1g", &arrays[CWC_1G], 30, true,
				 seed);
}

static int
cuckoo_wrong(const struct tables_config *config,
	     const struct kinds_config *kinds, const char **field, char *text,
	     size_t bytes)
{
	const struct cuckoo_config *c = &kinds->cuckoo;

	(void)config;
	if (c->pages & (c->pages - 1)) {
		*field = "cuckoo.pages";
		return snprintf(text, bytes, "%ld; allowed: 1, 2, 4 or 8",
				(long)c->pages);
	}
	if (c->entries & (c->entries - 1)) {
		*field = "cuckoo.entries";
		return snprintf(text, bytes,
				"%ld is not a power of two; allowed: 2 to %d",
				(long)c->entries, 1 << 24);
	}
	return 0;
}

const struct table_ops cuckoo_table = {
	.name = "cuckoo",
	.help = "elastic cuckoo tables, a page size each, with their walk "
		"caches",
	.open = cuckoo_open,
	.close = cuckoo_close,
	.walk = cuckoo_walk,
	.walk_from = cuckoo_walk_from,
	.look = cuckoo_look,
	.walk_looked = cuckoo_walk_looked,
	.prefetch = cuckoo_prefetch,
	.map = leaves_map,
	.unmap = leaves_unmap,
	.bytes = cuckoo_bytes,
	.values = cuckoo_values,
	.count = cuckoo_count,
	.aside_open = cuckoo_aside_open,
	.most = most_of,
	.wrong = cuckoo_wrong,
};
