// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The table of AArch64 with a granule of 16K or 64K (Arm ARM, D8.2: VMSAv8-64
 * translation; table D8-18 and following).  Pages and tables are granules; an
 * index has 11 or 13 bits, but for the root's, which has what is left:
 *
 *	16K, 48 bits	 1 | 11 | 11 | 11 | 14	4 levels (table.levels = 4)
 *	16K, 47 bits	     11 | 11 | 11 | 14	3 levels
 *	64K, 48 bits	      6 | 13 | 13 | 16	3 levels
 *
 * Leaves are of 16K, 32M and 64G, or 64K, 512M and 4T; and 128 or 32 entries of the
 * last level that are marked contiguous are one of 2M.  Each half of the address
 * space has its own root (TTBR0_EL1, TTBR1_EL1), the upper one from its first page
 * on.
 *
 *	entry: 0, a pointer to struct node, or frame | LEAF | ...: as radix.c's,
 *	which this is not, so that its hot loops keep their constants.  Here is no
 *	`look`: walks are made one by one.
 */
#include "models/tables/granule.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "models/tables/tables.h"
#include "models/translation/tlb.h"

#define LEAF	   UINT64_C(1)
#define WRITABLE   TABLE_WRITABLE
#define GLOBAL	   UINT64_C(4)
#define ACCESSED   UINT64_C(8)
#define CONTIGUOUS UINT64_C(16)
#define FLAGS	   UINT64_C(0xfff)
#define HALVES	   2u

struct node {
	uint64_t physical;
	uint64_t entry[];
};

struct granule {
	struct table table;
	struct granule_shape shape;
	struct node *root[HALVES]; /* by the address's top bit; NULL: not yet */
	uint64_t nodes;		   /* without the roots */
};

struct granule_shape
granule_shape(unsigned page, unsigned levels)
{
	struct granule_shape shape = { .page = page, .bits = page - 3 };
	unsigned most = 48;

	if (page == 14 && levels == 3)
		most = 47;
	shape.levels = (most - page + shape.bits - 1) / shape.bits;
	shape.root_bits = most - page - shape.bits * (shape.levels - 1);
	return shape;
}

static struct granule *
granule_of(struct table *table)
{
	return (struct granule *)table;
}

/* log2 of the bytes that an entry of this level covers. */
static unsigned
level_shift(const struct granule *granule, unsigned level)
{
	return granule->shape.page + granule->shape.bits * (level - 1);
}

static unsigned
bits_at(const struct granule *granule, unsigned level)
{
	return level == granule->shape.levels ? granule->shape.root_bits
					      : granule->shape.bits;
}

static unsigned
index_at(const struct granule *granule, uint64_t address, unsigned level)
{
	return (unsigned)(address >> level_shift(granule, level)) &
	       ((1u << bits_at(granule, level)) - 1);
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

/* log2 of a table's bytes; small roots take a frame. */
static unsigned
node_shift(const struct granule *granule, unsigned level)
{
	unsigned shift = bits_at(granule, level) + 3;

	return shift < 12 ? 12 : shift;
}

/* A table whose entries are of this level; linked: from one above it. */
static struct node *
node_open(struct granule *granule, unsigned level, uint64_t address,
	  bool linked)
{
	unsigned span = level_shift(granule, level) + bits_at(granule, level);
	size_t bytes = sizeof(struct node) +
		       (sizeof(uint64_t) << bits_at(granule, level));
	void *memory;
	struct node *node;

	if (posix_memalign(&memory, 64, bytes))
		return NULL;
	node = memset(memory, 0, bytes);
	if (table_memory_take(&granule->table.memory,
			      node_shift(granule, level), level,
			      address >> span << span, &node->physical)) {
		free(node);
		return NULL;
	}
	granule->nodes += linked;
	granule->table.counts.map_writes += linked;
	return node;
}

/* With all below it. */
static void
node_close(struct granule *granule, struct node *node, unsigned level)
{
	for (unsigned i = 0; level > 1 && i < 1u << bits_at(granule, level);
	     i++)
		if (is_table(node->entry[i]))
			node_close(granule, child(node->entry[i]), level - 1);
	table_memory_give(&granule->table.memory, node_shift(granule, level),
			  node->physical);
	granule->nodes -= level < granule->shape.levels;
	free(node);
}

static int
granule_open(struct table **out, const struct table_with *with)
{
	struct granule *granule = calloc(1, sizeof(*granule));

	if (!granule)
		return fail(ENOMEM, "radix table: no memory");
	table_init(&granule->table, &granule_table, with);
	granule->shape = granule_shape(with->config->granule,
				       (unsigned)with->kinds->radix.levels);
	granule->table.levels = granule->table.most = granule->shape.levels;
	granule->root[0] = node_open(granule, granule->shape.levels, 0, false);
	if (!granule->root[0]) {
		free(granule);
		return fail(ENOMEM, "radix table: no memory for its root");
	}
	*out = &granule->table;
	return 0;
}

static void
granule_close(struct table *table)
{
	struct granule *granule = granule_of(table);

	if (!table)
		return;
	for (unsigned half = 0; half < HALVES; half++)
		if (granule->root[half])
			node_close(granule, granule->root[half],
				   granule->shape.levels);
	table_memory_fini(&table->memory);
	free(granule);
}

/* The bits above those that the levels translate are all alike. */
static bool
canonical(const struct granule *granule, uint64_t address)
{
	unsigned bits = level_shift(granule, granule->shape.levels) +
			granule->shape.root_bits;

	return address >> bits == (address >> 63 ? UINT64_MAX >> bits : 0);
}

/* How many entries of the last level one page of 2M takes. */
static unsigned
run_entries(const struct granule *granule)
{
	return 1u << (TLB_CONTIGUOUS_SHIFT - granule->shape.page);
}

/* The entry that speaks for a leaf: itself, or the first of its run. */
static uint64_t *
head_of(const struct granule *granule, uint64_t *entry)
{
	uint64_t number = *entry >> granule->shape.page;

	return *entry & CONTIGUOUS
		       ? entry - (number & (run_entries(granule) - 1))
		       : entry;
}

static void
leaf_mapping(const struct granule *granule, uint64_t *entry, unsigned level,
	     struct mapping *mapping)
{
	uint64_t head = *head_of(granule, entry);

	*mapping = (struct mapping){
		.frame = head & ~FLAGS,
		.shift = (uint8_t)(head & CONTIGUOUS
					   ? TLB_CONTIGUOUS_SHIFT
					   : level_shift(granule, level)),
		.writable = head & WRITABLE,
		.global = head & GLOBAL,
		.accessed = head & ACCESSED,
	};
}

/* The run of an entry falls apart (arch/arm64/mm/contpte.c, contpte_convert). */
static void
break_run(struct granule *granule, uint64_t *entry)
{
	uint64_t *head = head_of(granule, entry);
	uint64_t accessed = *head & ACCESSED;

	if (!(*entry & CONTIGUOUS))
		return;
	for (unsigned i = 0; i < run_entries(granule); i++)
		head[i] = (head[i] & ~CONTIGUOUS) | accessed;
	granule->table.counts.map_writes += run_entries(granule);
}

/* The entry at which a walk ends, or NULL: it has none to read.  Lists those from
 * this level down. */
static uint64_t *
find_end(struct granule *granule, uint64_t address, unsigned from,
	 struct table_reference *references, unsigned *n, unsigned *level)
{
	struct node *node = granule->root[address >> 63];

	*n = 0;
	*level = granule->shape.levels;
	if (unlikely(!node || !canonical(granule, address)))
		return NULL;
	for (;; --*level) {
		unsigned i = index_at(granule, address, *level);

		if (*level <= from)
			references[(*n)++] = (struct table_reference){
				node->physical + i * sizeof(node->entry[0]),
				(uint8_t)*level
			};
		if (!is_table(node->entry[i]))
			return &node->entry[i];
		node = child(node->entry[i]);
	}
}

static unsigned
granule_walk_from(struct table *table, uint64_t address, unsigned from,
		  struct table_reference *references, struct mapping *mapping)
{
	struct granule *granule = granule_of(table);
	unsigned n, level;
	uint64_t *entry =
		find_end(granule, address, from, references, &n, &level);

	*mapping = (struct mapping){ .shift = 0 };
	if (likely(entry && *entry)) {
		leaf_mapping(granule, entry, level, mapping);
		*head_of(granule, entry) |= ACCESSED;
	}
	return n;
}

static unsigned
granule_walk(struct table *table, uint64_t address,
	     struct table_reference *references, struct mapping *mapping)
{
	struct granule *granule = granule_of(table);
	unsigned n, level;
	uint64_t *entry = find_end(granule, address, table->levels, references,
				   &n, &level);

	*mapping = (struct mapping){ .shift = 0 };
	if (entry && *entry)
		leaf_mapping(granule, entry, level, mapping);
	return n;
}

/* Turn a leaf of this level into a table of leaves.  0 or -ENOMEM. */
static int
split(struct granule *granule, uint64_t *entry, unsigned level,
      uint64_t address)
{
	uint64_t step = UINT64_C(1) << level_shift(granule, level - 1);
	unsigned entries = 1u << granule->shape.bits;
	struct node *node = node_open(granule, level - 1, address, true);

	if (!node)
		return -ENOMEM;
	for (unsigned i = 0; i < entries; i++)
		node->entry[i] = *entry + i * step;
	granule->table.counts.map_writes += entries;
	*entry = (uint64_t)(uintptr_t)node;
	return 0;
}

static int
no_memory(uint64_t address)
{
	return fail(ENOMEM,
		    "radix table: no memory for a table page at %#lx "
		    "(memory.size too small? with reclaim.policy=linux "
		    "pages leave when it is full)",
		    (unsigned long)address);
}

/* The table that an entry of this level points to, made if need be, or NULL. */
static struct node *
descend(struct granule *granule, uint64_t *entry, unsigned level,
	uint64_t address)
{
	if (!*entry)
		*entry = (uint64_t)(uintptr_t)node_open(granule, level - 1,
							address, true);
	else if (*entry & LEAF && split(granule, entry, level, address))
		return NULL;
	return child(*entry);
}

/* A page that begins at the entry or, of a run, at its first. */
static void
put_leaf(struct granule *granule, uint64_t *entry, unsigned level,
	 const struct mapping *mapping)
{
	unsigned shift = level_shift(granule, level), n = 1;
	uint64_t leaf = mapping->frame | LEAF |
			(mapping->writable ? WRITABLE : 0) |
			(mapping->global ? GLOBAL : 0);

	if (mapping->shift > shift) {
		n = run_entries(granule);
		leaf |= CONTIGUOUS;
	} else if (is_table(*entry)) {
		node_close(granule, child(*entry), level - 1);
	} else {
		break_run(granule, entry);
	}
	for (unsigned i = 0; i < n; i++)
		entry[i] = leaf + ((uint64_t)i << shift);
	granule->table.counts.map_writes += n;
}

static int
granule_map(struct table *table, uint64_t address,
	    const struct mapping *mapping)
{
	struct granule *granule = granule_of(table);
	struct node **root = &granule->root[address >> 63], *node;
	unsigned level = table->levels;
	uint64_t *entry;

	if (!canonical(granule, address))
		return fail(EINVAL,
			    "radix table: address %#lx needs more than %u "
			    "levels of this granule",
			    (unsigned long)address, level);
	if (!*root)
		*root = node_open(granule, level, address, false);
	for (node = *root; node && level_shift(granule, level) > mapping->shift;
	     level--)
		node = descend(granule,
			       &node->entry[index_at(granule, address, level)],
			       level, address);
	if (!node)
		return no_memory(address);
	entry = &node->entry[index_at(granule,
				      address >> mapping->shift
							 << mapping->shift,
				      level)];
	put_leaf(granule, entry, level, mapping);
	return 0;
}

struct unmap {
	struct granule *granule;
	uint64_t from, last; /* inclusive */
	bool free_tables;
	void (*gone)(void *context, uint64_t address,
		     const struct mapping *mapping);
	void *context;
};

static void unmap_node(const struct unmap *unmap, struct node *node,
		       unsigned level, uint64_t base);

/* An entry, whose first address is start, of which some goes. */
static void
unmap_entry(const struct unmap *unmap, uint64_t *entry, unsigned level,
	    uint64_t start)
{
	struct granule *granule = unmap->granule;
	uint64_t end =
		start + ((UINT64_C(1) << level_shift(granule, level)) - 1);
	bool whole = start >= unmap->from && end <= unmap->last;
	unsigned n = 1;
	struct mapping mapping;

	if (!*entry)
		return;
	if (*entry & LEAF && *entry & CONTIGUOUS) {
		end = start + ((UINT64_C(1) << TLB_CONTIGUOUS_SHIFT) - 1);
		if (end <= unmap->last && entry == head_of(granule, entry))
			n = run_entries(granule);
		else
			break_run(granule, entry);
	}
	/* As radix.c: split, or where memory is full the whole page goes. */
	if (*entry & LEAF &&
	    (whole || level == 1 || split(granule, entry, level, start))) {
		leaf_mapping(granule, entry, level, &mapping);
		memset(entry, 0, n * sizeof(*entry));
		granule->table.counts.unmap_writes += n;
		if (unmap->gone)
			unmap->gone(unmap->context, start, &mapping);
		return;
	}
	unmap_node(unmap, child(*entry), level - 1, start);
	if (whole && unmap->free_tables) {
		node_close(granule, child(*entry), level - 1);
		*entry = 0;
		granule->table.counts.unmap_writes++;
	}
}

/* base: the first address that the node translates. */
static void
unmap_node(const struct unmap *unmap, struct node *node, unsigned level,
	   uint64_t base)
{
	unsigned shift = level_shift(unmap->granule, level);
	uint64_t entries = UINT64_C(1) << bits_at(unmap->granule, level);
	uint64_t first = unmap->from > base ? (unmap->from - base) >> shift : 0;

	for (uint64_t i = first; i < entries; i++) {
		uint64_t start = base + (i << shift);

		if (start > unmap->last)
			break;
		unmap_entry(unmap, &node->entry[i], level, start);
	}
}

static void
granule_unmap(struct table *table, uint64_t address, uint64_t length,
	      bool free_tables,
	      void (*gone)(void *context, uint64_t address,
			   const struct mapping *mapping),
	      void *context)
{
	struct granule *granule = granule_of(table);
	unsigned levels = table->levels;
	unsigned bits = level_shift(granule, levels) + granule->shape.root_bits;
	struct unmap unmap = { granule,	    address, address + (length - 1),
			       free_tables, gone,    context };

	if (!length)
		return;
	if (unmap.last < address)
		unmap.last = UINT64_MAX;
	if (!(address >> 63))
		unmap_node(&unmap, granule->root[0], levels, 0);
	if (unmap.last >> 63 && granule->root[1])
		unmap_node(&unmap, granule->root[1], levels,
			   UINT64_MAX << bits);
}

static uint64_t
granule_bytes(const struct table *table)
{
	const struct granule *granule = (const struct granule *)table;

	return granule->nodes << granule->shape.page;
}

const struct table_ops granule_table = {
	.name = "radix",
	.help = "AArch64, granules of 16K and 64K",
	.open = granule_open,
	.close = granule_close,
	.walk = granule_walk,
	.walk_from = granule_walk_from,
	.map = granule_map,
	.unmap = granule_unmap,
	.bytes = granule_bytes,
};
