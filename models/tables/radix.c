// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The x86-64 radix table: 4 or 5 levels of 512 entries, leaves of 4K, 2M and
 * 1G (Intel SDM volume 3, chapter 4.5).
 *
 *	entry: 0                      not present
 *	       pointer to struct node the next table (a multiple of 64)
 *	       frame | LEAF | ...     a page
 *
 * Table pages are frames of the modelled memory like any other, so that the
 * lines in which a walk's entries lie are the real ones.
 */
#include "models/tables/table.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "models/tables/radix.h"

#define ENTRIES 512u

#define LEAF	 UINT64_C(1)
#define WRITABLE UINT64_C(2)
#define GLOBAL	 UINT64_C(4)
#define ACCESSED UINT64_C(8)
#define FLAGS	 UINT64_C(0xfff)

struct node {
	uint64_t entry[ENTRIES];
	uint64_t physical;
	uint32_t used;
};

/*
 * The last-level tables walked of late with the references that lead there, so
 * that a walk of the machine's need not be a walk of ours.
 */
#define RECENT 512u

struct recent {
	uint64_t region;   /* address >> 21 */
	struct node *node; /* NULL: empty */
	uint64_t physical;
	uint64_t upper[4]; /* addresses of the entries of level 2 .. 5 */
	uint64_t pad;
};

struct radix {
	struct table table;
	struct frames *frames; /* borrowed */
	struct node *root;
	uint64_t nodes; /* without the root */
	struct recent recent[RECENT];
};

const struct option_row radix_rows[] = {
	{ .name = "levels",
	  .type = OPTION_INT,
	  .offset = offsetof(struct radix_config, levels),
	  .fallback = "4",
	  .min = 4,
	  .max = 5,
	  .unit = "levels",
	  .help = "levels of a radix table" },
	{ NULL },
};

static const struct option_group radix_groups[] = {
	{ "table", radix_rows, 0, "the page table" },
	{ NULL },
};

static const struct option_tree radix_options = { radix_groups,
						  sizeof(struct radix_config) };

static struct radix *
radix_of(struct table *table)
{
	return (struct radix *)table;
}

/* log2 of the bytes that an entry of this level covers. */
static unsigned
level_shift(unsigned level)
{
	return 12 + 9 * (level - 1);
}

static unsigned
index_at(uint64_t address, unsigned level)
{
	return (unsigned)(address >> level_shift(level)) & (ENTRIES - 1);
}

static bool
is_table(uint64_t entry)
{
	return entry && !(entry & LEAF);
}

static struct node *
child(uint64_t entry)
{
	return (struct node *)(uintptr_t)entry;
}

static struct node *
node_open(struct radix *radix)
{
	void *memory;
	struct node *node;

	if (posix_memalign(&memory, 64, sizeof(*node)))
		return NULL;
	node = memset(memory, 0, sizeof(*node));
	if (frames_take(radix->frames, 12, &node->physical)) {
		free(node);
		return NULL;
	}
	radix->nodes++;
	return node;
}

/* With all below it.  level: of its entries. */
static void
node_close(struct radix *radix, struct node *node, unsigned level)
{
	for (unsigned i = 0; level > 1 && i < ENTRIES; i++)
		if (is_table(node->entry[i]))
			node_close(radix, child(node->entry[i]), level - 1);
	if (level == 1)
		memset(radix->recent, 0, sizeof(radix->recent));
	frames_give(radix->frames, 12, node->physical);
	radix->nodes--;
	free(node);
}

static int
no_memory(uint64_t address)
{
	return fail(ENOMEM, "radix table: no memory for a table page at %#lx",
		    (unsigned long)address);
}

static int
radix_open(struct table **out, const void *config, struct frames *frames)
{
	const struct radix_config *c = config;
	struct radix *radix = calloc(1, sizeof(*radix));

	if (!radix)
		return -ENOMEM;
	radix->table.ops = &radix_table;
	radix->frames = frames;
	radix->table.levels = (unsigned)c->levels;
	radix->root = node_open(radix);
	if (!radix->root) {
		free(radix);
		return fail(ENOMEM, "radix table: no memory for its root");
	}
	radix->nodes = 0;
	*out = &radix->table;
	return 0;
}

static void
radix_close(struct table *table)
{
	struct radix *radix = radix_of(table);

	if (!table)
		return;
	node_close(radix, radix->root, radix->table.levels);
	free(radix);
}

/* Sign-extended from the top bit that the levels translate. */
static bool
canonical(const struct radix *radix, uint64_t address)
{
	unsigned unused = 64 - (level_shift(radix->table.levels) + 9);

	return (uint64_t)((int64_t)(address << unused) >> unused) == address;
}

static uint64_t
radix_prefetch(const struct table *table, uint64_t address)
{
	const struct radix *radix = (const struct radix *)table;
	const struct recent *recent = &radix->recent[(address >> 21) % RECENT];
	unsigned i = index_at(address, 1);

	if (recent->region != address >> 21 || !recent->node)
		return 0;
	__builtin_prefetch(&recent->node->entry[i]);
	return recent->physical + i * sizeof(recent->node->entry[i]);
}

static void
leaf_mapping(uint64_t entry, unsigned level, struct mapping *mapping)
{
	*mapping = (struct mapping){ .frame = entry & ~FLAGS,
				     .shift = (uint8_t)level_shift(level),
				     .writable = entry & WRITABLE,
				     .global = entry & GLOBAL,
				     .accessed = entry & ACCESSED };
}

static void
recent_set(struct radix *radix, uint64_t address, struct node *node,
	   const struct table_reference *references)
{
	struct recent *recent = &radix->recent[(address >> 21) % RECENT];
	unsigned levels = radix->table.levels;

	recent->region = address >> 21;
	recent->node = node;
	recent->physical = node->physical;
	for (unsigned level = 2; level <= levels; level++)
		recent->upper[level - 2] = references[levels - level].address;
}

/* All of a walk from the root; *leaf is where it ended, NULL: not present. */
static unsigned
walk_all(struct radix *radix, uint64_t address,
	 struct table_reference *references, uint64_t **leaf, unsigned *at)
{
	struct node *node = radix->root;
	unsigned n = 0;

	*leaf = NULL;
	if (unlikely(!canonical(radix, address)))
		return 0;
	for (unsigned level = radix->table.levels; level; level--) {
		unsigned i = index_at(address, level);
		uint64_t *entry = &node->entry[i];

		references[n].address = node->physical + i * sizeof(*entry);
		references[n++].level = (uint8_t)level;
		if (level == 1)
			recent_set(radix, address, node, references);
		if (is_table(*entry)) {
			node = child(*entry);
			continue;
		}
		if (*entry) {
			*leaf = entry;
			*at = level;
		}
		break;
	}
	return n;
}

/* A walk of a region that is remembered. */
static ALWAYS_INLINE unsigned
walk_recent(const struct recent *recent, uint64_t address, unsigned from,
	    struct table_reference *references, uint64_t **leaf)
{
	unsigned i = index_at(address, 1), n = 0;

	for (unsigned level = from; level > 1; level--) {
		references[n].address = recent->upper[level - 2];
		references[n++].level = (uint8_t)level;
	}
	references[n].address = recent->physical + i * sizeof(uint64_t);
	references[n++].level = 1;
	*leaf = &recent->node->entry[i];
	return n;
}

static unsigned
radix_walk_from(struct table *table, uint64_t address, unsigned from,
		struct table_reference *references, struct mapping *mapping)
{
	struct radix *radix = radix_of(table);
	const struct recent *recent = &radix->recent[(address >> 21) % RECENT];
	unsigned n, skipped, level = 1;
	uint64_t *leaf;

	*mapping = (struct mapping){ .shift = 0 };
	if (likely(recent->node && recent->region == address >> 21)) {
		n = walk_recent(recent, address, from, references, &leaf);
		skipped = 0;
	} else {
		n = walk_all(radix, address, references, &leaf, &level);
		skipped = table->levels - from;
	}
	if (leaf && *leaf) {
		leaf_mapping(*leaf, level, mapping);
		if (unlikely(!(*leaf & ACCESSED)))
			*leaf |= ACCESSED;
	}
	if (skipped) {
		n -= skipped;
		memmove(references, references + skipped,
			n * sizeof(*references));
	}
	return n;
}

static unsigned
radix_walk(struct table *table, uint64_t address,
	   struct table_reference *references, struct mapping *mapping)
{
	unsigned level = 1, n;
	uint64_t *leaf;

	*mapping = (struct mapping){ .shift = 0 };
	n = walk_all(radix_of(table), address, references, &leaf, &level);
	if (leaf)
		leaf_mapping(*leaf, level, mapping);
	return n;
}

/* Turn a leaf of this level into a table of 512 leaves.  0 or -ENOMEM. */
static int
split(struct radix *radix, uint64_t *entry, unsigned level)
{
	uint64_t step = UINT64_C(1) << level_shift(level - 1);
	struct node *node = node_open(radix);

	if (!node)
		return -ENOMEM;
	for (unsigned i = 0; i < ENTRIES; i++)
		node->entry[i] = *entry + i * step;
	node->used = ENTRIES;
	*entry = (uint64_t)(uintptr_t)node;
	return 0;
}

static int
radix_map(struct table *table, uint64_t address, const struct mapping *mapping)
{
	struct radix *radix = radix_of(table);
	struct node *node = radix->root;
	unsigned level = radix->table.levels;
	uint64_t *entry;

	if (!canonical(radix, address))
		return fail(EINVAL,
			    "radix table: address %#lx needs more than %u "
			    "levels",
			    (unsigned long)address, radix->table.levels);
	for (; level_shift(level) > mapping->shift; level--) {
		entry = &node->entry[index_at(address, level)];
		if (!*entry) {
			struct node *next = node_open(radix);

			if (!next)
				return no_memory(address);
			*entry = (uint64_t)(uintptr_t)next;
			node->used++;
		} else if (*entry & LEAF && split(radix, entry, level)) {
			return no_memory(address);
		}
		node = child(*entry);
	}
	entry = &node->entry[index_at(address, level)];
	if (is_table(*entry))
		node_close(radix, child(*entry), level - 1);
	else if (!*entry)
		node->used++;
	*entry = mapping->frame | LEAF | (mapping->writable ? WRITABLE : 0) |
		 (mapping->global ? GLOBAL : 0);
	return 0;
}

struct unmap {
	struct radix *radix;
	uint64_t from, last; /* inclusive */
	bool free_tables;
	void (*gone)(void *context, uint64_t address,
		     const struct mapping *mapping);
	void *context;
};

static void
drop_leaf(const struct unmap *unmap, struct node *node, unsigned i,
	  unsigned level, uint64_t address)
{
	struct mapping mapping;

	leaf_mapping(node->entry[i], level, &mapping);
	node->entry[i] = 0;
	node->used--;
	if (unmap->gone)
		unmap->gone(unmap->context, address, &mapping);
}

/* base: the first address that the node translates. */
static void
unmap_node(const struct unmap *unmap, struct node *node, unsigned level,
	   uint64_t base)
{
	unsigned shift = level_shift(level);
	uint64_t span = UINT64_C(1) << shift;
	uint64_t first = unmap->from > base ? (unmap->from - base) >> shift : 0;

	for (uint64_t i = first; i < ENTRIES; i++) {
		uint64_t start = base + i * span, end = start + (span - 1);
		bool whole = start >= unmap->from && end <= unmap->last;
		uint64_t *entry = &node->entry[i];

		if (start > unmap->last)
			break;
		if (!*entry)
			continue;
		/* A page that is only partly unmapped is split; where memory
		 * is full it goes as a whole. */
		if (*entry & LEAF &&
		    (whole || split(unmap->radix, entry, level))) {
			drop_leaf(unmap, node, (unsigned)i, level, start);
			continue;
		}
		unmap_node(unmap, child(*entry), level - 1, start);
		if (whole && unmap->free_tables) {
			node_close(unmap->radix, child(*entry), level - 1);
			*entry = 0;
			node->used--;
		}
	}
}

static void
radix_unmap(struct table *table, uint64_t address, uint64_t length,
	    bool free_tables,
	    void (*gone)(void *context, uint64_t address,
			 const struct mapping *mapping),
	    void *context)
{
	struct radix *radix = radix_of(table);
	unsigned bits = level_shift(radix->table.levels) + 9;
	/* The sign-extended upper half lies in the upper half of the root. */
	uint64_t high = address & ~((UINT64_C(1) << bits) - 1);
	struct unmap unmap = { radix,	    address, address + (length - 1),
			       free_tables, gone,    context };

	if (!length)
		return;
	if (unmap.last < address)
		unmap.last = UINT64_MAX;
	unmap_node(&unmap, radix->root, radix->table.levels, high);
}

static uint64_t
radix_bytes(const struct table *table)
{
	return ((const struct radix *)table)->nodes * 4096;
}

const struct table_ops radix_table = {
	.name = "radix",
	.help = "x86-64: 4 or 5 levels, 4K, 2M and 1G pages",
	.options = &radix_options,
	.open = radix_open,
	.close = radix_close,
	.walk = radix_walk,
	.walk_from = radix_walk_from,
	.prefetch = radix_prefetch,
	.map = radix_map,
	.unmap = radix_unmap,
	.bytes = radix_bytes,
};
