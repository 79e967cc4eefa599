// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Hashed tables, one a space and page size: what a walk reads depends on how full
 * they are, not on levels.
 *
 *	open     slot -> slot -> ...	   the next one, until found or empty
 *	chained  slot -> entry -> ...	   linked, the first in the array or not
 *
 * An entry is of one page or, clustered, of some neighbours (Talluri, Hill and
 * Khalidi, "A new page table for 64-bit address spaces", SOSP 1995):
 *
 *	open     | tag | page | page ... |	 tags of 8 pages or more lie in
 *	chained  | tag | next | page ... |	 spare bits of their entries
 *
 * rounded up to 16 bytes.  An entry that is looked at is a reference; so is the
 * page's own word where it lies in another line than the tag.  Tables of sizes of
 * which no page is there are not looked into.
 *
 * When it is too full, or a walk would look at too many, a table doubles, at
 * once: `moves` counts the entries that this writes anew.  It never shrinks.
 * Entries that are taken out leave no holes in open tables.
 */
#include "models/tables/hashed-slots.h"

#include <stdio.h>
#include <stdlib.h>

#include "analyzer/fail.h"
#include "models/tables/tables.h"

static const char *const collision_choices[] = { "chained", "open", NULL };
static const char *const head_choices[] = { "inline", "apart", NULL };
static const char *const order_choices[] = { "small-first", "large-first",
					     NULL };

const struct option_row hashed_rows[] = {
	{ .name = "collisions",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct hashed_config, collisions),
	  .fallback = "open",
	  .choices = collision_choices,
	  .help = "entries of one slot are chained, or go to the next free one" },
	{ .name = "heads",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct hashed_config, heads),
	  .fallback = "inline",
	  .choices = head_choices,
	  .help = "chained: slots hold the first entry, or a pointer to it" },
	{ .name = "sizes",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct hashed_config, order),
	  .fallback = "small-first",
	  .choices = order_choices,
	  .help = "which page size's table a walk looks into first" },
	{ .name = "pages",
	  .type = OPTION_INT,
	  .offset = offsetof(struct hashed_config, pages),
	  .fallback = "1",
	  .min = 1,
	  .max = PAGES_MAX,
	  .unit = "pages",
	  .help = "pages of an entry, a power of two: more than 1 is a "
		  "clustered table" },
	{ .name = "load",
	  .type = OPTION_REAL,
	  .offset = offsetof(struct hashed_config, load),
	  .fallback = "0.5",
	  .min = 0.05,
	  .max = 8,
	  .unit = "entries",
	  .help = "entries a slot before the table doubles; open: below 1" },
	{ .name = "entries",
	  .type = OPTION_INT,
	  .offset = offsetof(struct hashed_config, entries),
	  .fallback = "512",
	  .min = 2,
	  .max = 1 << 28,
	  .unit = "slots",
	  .help = "slots at first, a power of two" },
	{ .name = "probes",
	  .type = OPTION_INT,
	  .offset = offsetof(struct hashed_config, probes),
	  .fallback = "64",
	  .min = 2,
	  .max = PROBES_MAX,
	  .unit = "entries",
	  .help = "entries of one size that a walk looks at before it gives "
		  "up: the table doubles before a page lies behind them" },
	{ NULL },
};

static uint64_t
hashed_bytes(const struct table *table)
{
	return table->memory.bytes;
}

static void
hashed_close(struct table *table)
{
	struct hashed *hashed = hashed_of(table);

	if (!table)
		return;
	for (unsigned code = 0; code < LEAF_SIZES; code++)
		if (hashed->part[code].slot)
			hashed_part_fini(hashed, &hashed->part[code]);
	leaves_fini(&hashed->leaves);
	free(hashed);
}

/* Of an odd number, modulo 2^64: each step doubles the bits that are right. */
static uint64_t
inverse_of(uint64_t odd)
{
	uint64_t inverse = odd;

	for (unsigned bits = 3; bits < 64; bits *= 2)
		inverse *= 2 - odd * inverse;
	return inverse;
}

/* The most references of a walk: each entry's, and one in its other line. */
static unsigned
most_of(const struct kinds_config *kinds)
{
	const struct hashed_config *config = &kinds->hashed;

	return LEAF_SIZES * ((unsigned)config->probes + 1) + 1;
}

static int
hashed_open(struct table **out, const struct table_with *with)
{
	const struct hashed_config *config = &with->kinds->hashed;
	struct hashed *hashed = calloc(1, sizeof(*hashed));
	unsigned tag_bytes;

	if (!hashed)
		return fail(ENOMEM, "hashed table: no memory");
	table_init(&hashed->leaves.table, &hashed_table, with);
	leaves_init(&hashed->leaves, &hashed_leaves, with);
	hashed->leaves.table.most = most_of(with->kinds);
	hashed->chained = config->collisions == HASHED_CHAINED;
	hashed->apart = hashed->chained && config->heads == HASHED_APART;
	hashed->large_first = config->order == HASHED_LARGE_FIRST;
	hashed->pages = (unsigned)config->pages;
	hashed->probes = (unsigned)config->probes;
	hashed->load = config->load;
	hashed->first = hashed->chained ? 2 : 1;
	hashed->stride = hashed->first + hashed->pages;
	hashed->stride_shift = (unsigned)__builtin_ctz(hashed->stride);
	hashed->stride_inverse =
		inverse_of(hashed->stride >> hashed->stride_shift);
	tag_bytes = hashed->chained ? 16 : hashed->pages < 8 ? 8 : 0;
	hashed->page_offset = tag_bytes;
	hashed->entry_bytes =
		(tag_bytes + hashed->pages * 8 + 15) & ~(unsigned)15;
	for (unsigned code = 0; code < LEAF_SIZES; code++) {
		struct part *part = &hashed->part[code];

		part->shift = hashed->leaves.shift[code] +
			      (unsigned)__builtin_ctz(hashed->pages);
		part->slots_shift =
			(unsigned)__builtin_ctzll((uint64_t)config->entries);
	}
	if (hashed_part_slots(hashed, &hashed->part[0],
			      hashed->part[0].slots_shift)) {
		hashed_close(&hashed->leaves.table);
		return -ENOMEM;
	}
	*out = &hashed->leaves.table;
	return 0;
}

static bool
is_power(int64_t n)
{
	return !(n & (n - 1));
}

static int
hashed_wrong(const struct tables_config *config,
	     const struct kinds_config *kinds, const char **field, char *text,
	     size_t bytes)
{
	const struct hashed_config *c = &kinds->hashed;

	(void)config;
	if (!is_power(c->pages)) {
		*field = "hashed.pages";
		return snprintf(text, bytes,
				"%ld; allowed: 1, 2, 4, 8, 16 or 32",
				(long)c->pages);
	}
	if (!is_power(c->entries)) {
		*field = "hashed.entries";
		return snprintf(text, bytes,
				"%ld is not a power of two; allowed: 2 to %d",
				(long)c->entries, 1 << 28);
	}
	if (c->collisions == HASHED_OPEN && c->load > 0.95) {
		*field = "hashed.load";
		return snprintf(text, bytes,
				"%g; allowed: 0.05 to 0.95 where "
				"table.hashed.collisions is open",
				c->load);
	}
	return 0;
}

const struct table_ops hashed_table = {
	.name = "hashed",
	.help = "a hash table a page size: chained, open, clustered",
	.open = hashed_open,
	.close = hashed_close,
	.walk = hashed_walk,
	.walk_from = hashed_walk_from,
	.look = hashed_look,
	.walk_looked = hashed_walk_looked,
	.prefetch = hashed_prefetch,
	.map = leaves_map,
	.unmap = leaves_unmap,
	.bytes = hashed_bytes,
	.most = most_of,
	.wrong = hashed_wrong,
};
