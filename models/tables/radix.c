// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The radix table of x86-64 (Intel SDM volume 3, chapter 4.5), AArch64 with a
 * granule of 4K, and RISC-V (Sv39, Sv48, Sv57): 3 to 5 levels of 512 entries,
 * leaves of 4K, 2M and 1G.  Upper levels may be merged into a larger root
 * (flat.c).  Three levels fold what they have no bits for, so that they replay
 * programs of machines with four.
 *
 *	entry: 0                      not present
 *	       pointer to struct node the next table (a multiple of 64)
 *	       frame | LEAF | ...     a page
 *
 * Table pages are frames of the modelled memory like any other, so that the
 * lines in which a walk's entries lie are the real ones.
 */
#include "models/tables/tables.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "models/tables/radix-shape.h"

#define ENTRIES 512u
#define FOLDED	3u /* tables of so many levels fold */

#define LEAF	 UINT64_C(1)
#define WRITABLE TABLE_WRITABLE
#define GLOBAL	 UINT64_C(4)
#define ACCESSED UINT64_C(8)
#define FLAGS	 UINT64_C(0xfff)

struct node {
	uint64_t physical;
	uint64_t above[TABLE_LEVELS_MAX +
		       1]; /* by level: the entries on the way */
	uint32_t used;
	uint64_t entry[]; /* 512; of the root as many as its bits say */
};

/*
 * The last-level tables walked of late, so that a walk of the machine's need
 * not be a walk of ours.
 */
#define RECENT	  1024u
#define NO_REGION UINT64_MAX

struct recent {
	uint64_t region; /* address >> 21; NO_REGION: empty */
	struct node *node;
};

struct radix {
	struct table table;
	struct node *root;
	unsigned root_bits; /* 9, or what levels are merged into it */
	/* Three levels translate 39 bits, which is less than most recorded
	 * programs use: they fold.  What a root entry is of, address >> 30
	 * plus 1, for good: the one that those bits name, or else the next that
	 * is free.  Owned; NULL: the table does not fold. */
	uint64_t *above;
	uint64_t nodes; /* without the root */
	struct recent recent[RECENT];
};

const struct option_row radix_rows[] = {
	{ .name = "levels",
	  .type = OPTION_INT,
	  .offset = offsetof(struct radix_config, levels),
	  .fallback = "4",
	  .min = 3,
	  .max = 5,
	  .unit = "levels",
	  .help = "levels of a radix table: 3 Sv39; 4 x86-64, AArch64 with 48 "
		  "bits, Sv48; 5 LA57, Sv57; with pages.granule 16k, 3 is 47 "
		  "bits; 64k has 3" },
	{ NULL },
};

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

/* The same for any level of this table. */
static unsigned
index_in(const struct radix *radix, uint64_t address, unsigned level)
{
	unsigned bits = level == radix->table.levels ? radix->root_bits : 9;

	return (unsigned)(address >> level_shift(level)) & ((1u << bits) - 1);
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

static uint64_t
entry_at(const struct node *node, unsigned i)
{
	return node->physical + i * sizeof(node->entry[0]);
}

/*
 * A table for entry i, of this level, of its parent (NULL: the root, and as if
 * of a level above it), where an address is translated.
 */
static struct node *
node_open(struct radix *radix, const struct node *parent, unsigned i,
	  unsigned level, uint64_t address)
{
	unsigned bits = parent ? 9 : radix->root_bits;
	size_t bytes = sizeof(struct node) + (sizeof(uint64_t) << bits);
	void *memory;
	struct node *node;

	if (posix_memalign(&memory, 64, bytes))
		return NULL;
	node = memset(memory, 0, bytes);
	if (table_memory_take(&radix->table.memory, bits + 3, level - 1,
			      address >> level_shift(level)
						 << level_shift(level),
			      &node->physical)) {
		free(node);
		return NULL;
	}
	if (parent) {
		memcpy(node->above, parent->above, sizeof(node->above));
		node->above[level] = entry_at(parent, i);
		radix->table.counts.map_writes++;
	}
	radix->nodes++;
	return node;
}

/* The entry of a folded root for an address, or the free one that it may take;
 * ENTRIES: there is none. */
static unsigned
folded_index(const struct radix *radix, uint64_t address)
{
	uint64_t key = (address >> level_shift(FOLDED)) + 1;

	for (unsigned k = 0; k < ENTRIES; k++) {
		unsigned i = (index_at(address, FOLDED) + k) & (ENTRIES - 1);

		if (radix->above[i] == key || !radix->above[i])
			return i;
	}
	return ENTRIES;
}

static void
forget_recent(struct radix *radix)
{
	for (unsigned i = 0; i < RECENT; i++)
		radix->recent[i].region = NO_REGION;
}

/* With all below it.  level: of its entries. */
static void
node_close(struct radix *radix, struct node *node, unsigned level)
{
	unsigned bits = node == radix->root ? radix->root_bits : 9;

	for (unsigned i = 0; level > 1 && i < 1u << bits; i++)
		if (is_table(node->entry[i]))
			node_close(radix, child(node->entry[i]), level - 1);
	if (level == 1)
		forget_recent(radix);
	table_memory_give(&radix->table.memory, bits + 3, node->physical);
	radix->nodes--;
	free(node);
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

int
radix_open_shape(struct table **out, const struct table_ops *ops,
		 const struct table_with *with, unsigned levels,
		 unsigned root_bits)
{
	struct radix *radix = calloc(1, sizeof(*radix));
	bool folds = levels == FOLDED && root_bits == 9;

	if (!radix)
		return fail(ENOMEM, "radix table: no memory");
	table_init(&radix->table, ops, with);
	radix->table.levels = radix->table.most = levels;
	radix->root_bits = root_bits;
	radix->root = node_open(radix, NULL, 0, levels + 1, 0);
	if (radix->root && folds)
		radix->above = calloc(ENTRIES, sizeof(uint64_t));
	if (!radix->root || (folds && !radix->above)) {
		free(radix->root);
		free(radix);
		return fail(ENOMEM, "radix table: no memory for its root");
	}
	radix->nodes = 0;
	forget_recent(radix);
	*out = &radix->table;
	return 0;
}

static int
radix_open(struct table **out, const struct table_with *with)
{
	return radix_open_shape(out, &radix_table, with,
				(unsigned)with->kinds->radix.levels, 9);
}

void
radix_close(struct table *table)
{
	struct radix *radix = radix_of(table);

	if (!table)
		return;
	node_close(radix, radix->root, radix->table.levels);
	table_memory_fini(&table->memory);
	free(radix->above);
	free(radix);
}

/* Sign-extended from the top bit that the levels translate. */
static bool
canonical(const struct radix *radix, uint64_t address)
{
	unsigned unused =
		64 - (level_shift(radix->table.levels) + radix->root_bits);

	return radix->above ||
	       (uint64_t)((int64_t)(address << unused) >> unused) == address;
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

/* Where a walk ends: at an entry of a node, on a level; NULL: nowhere. */
struct end {
	struct node *node;
	unsigned i, level;
	bool foreign; /* the entry is not this address's */
};

static struct end
find_end(struct radix *radix, uint64_t address)
{
	struct end end = { NULL, 0, radix->table.levels, false };
	struct node *node = radix->root;

	if (unlikely(!canonical(radix, address)))
		return end;
	for (;; end.level--) {
		end.node = node;
		end.i = index_in(radix, address, end.level);
		if (unlikely(radix->above && node == radix->root)) {
			unsigned i = folded_index(radix, address);

			if (i == ENTRIES || !radix->above[i]) {
				end.foreign = true;
				return end;
			}
			end.i = i;
		}
		if (!is_table(node->entry[end.i]))
			return end;
		node = child(node->entry[end.i]);
	}
}

static NOINLINE struct end
find_end_anew(struct radix *radix, uint64_t address)
{
	struct end end = find_end(radix, address);

	if (end.node && end.level == 1)
		radix->recent[(address >> 21) % RECENT] =
			(struct recent){ address >> 21, end.node };
	return end;
}

/* The references from this level down to where the walk ends. */
static ALWAYS_INLINE unsigned
list_references(const struct end *end, unsigned from,
		struct table_reference *references)
{
	unsigned n = 0;

	for (unsigned level = from; level > end->level; level--)
		references[n++] =
			(struct table_reference){ end->node->above[level],
						  (uint8_t)level };
	references[n++] = (struct table_reference){ entry_at(end->node, end->i),
						    (uint8_t)end->level };
	return n;
}

unsigned
radix_walk_from(struct table *table, uint64_t address, unsigned from,
		struct table_reference *references, struct mapping *mapping)
{
	struct radix *radix = radix_of(table);
	const struct recent *recent = &radix->recent[(address >> 21) % RECENT];
	struct end end = { recent->node, index_at(address, 1), 1, false };
	uint64_t *entry;

	if (unlikely(recent->region != address >> 21)) {
		end = find_end_anew(radix, address);
		if (!end.node) {
			*mapping = (struct mapping){ .shift = 0 };
			return 0;
		}
	}
	entry = &end.node->entry[end.i];
	if (likely(*entry && !end.foreign)) {
		leaf_mapping(*entry, end.level, mapping);
		if (unlikely(!(*entry & ACCESSED)))
			*entry |= ACCESSED;
	} else {
		*mapping = (struct mapping){ .shift = 0 };
	}
	return list_references(&end, from, references);
}

/* Not by a last-level table of late.  False: there is no page. */
static NOINLINE bool
look_anew(struct radix *radix, uint64_t address, uint64_t *page, void **at)
{
	struct end end = find_end_anew(radix, address);

	if (!end.node || !end.node->entry[end.i] || end.foreign)
		return false;
	*page = end.node->entry[end.i] |
		(uint64_t)(end.level - 1) << TABLE_CODE_SHIFT |
		(uint64_t)(end.level - 1) << TABLE_LEAF_SHIFT;
	*at = end.node;
	return true;
}

unsigned
radix_look(struct table *table, const uint64_t *address, unsigned n,
	   const struct table_looks *looks)
{
	struct radix *radix = radix_of(table);
	uint64_t *page = looks->page;
	void **at = looks->at;

	for (unsigned i = 0; i < n; i++) {
		uint64_t region = address[i] >> 21, entry;
		const struct recent *recent = &radix->recent[region % RECENT];

		if (unlikely(recent->region != region)) {
			if (!look_anew(radix, address[i], &page[i], &at[i]))
				return i;
			continue;
		}
		entry = recent->node->entry[index_at(address[i], 1)];
		if (unlikely(!entry))
			return i;
		page[i] = entry;
		at[i] = recent->node;
	}
	return n;
}

void
radix_prefetch(const struct table *table, const uint64_t *address, unsigned n)
{
	const struct radix *radix = (const struct radix *)table;

	for (unsigned i = 0; i < n; i++) {
		uint64_t region = address[i] >> 21;
		const struct recent *recent = &radix->recent[region % RECENT];

		if (likely(recent->region == region))
			__builtin_prefetch(
				&recent->node->entry[index_at(address[i], 1)]);
	}
}

/* Of a walk that reads more than two entries, or ends at a large page. */
static NOINLINE unsigned
list_levels(const struct node *node, unsigned i, unsigned level, unsigned from,
	    uint64_t *reference, uint8_t *levels)
{
	unsigned n = 0;

	for (; from > level; from--) {
		reference[n] = node->above[from];
		levels[n++] = (uint8_t)from;
	}
	reference[n] = entry_at(node, i);
	levels[n++] = (uint8_t)level;
	return n;
}

/* The entry of a node at which a walk of a large page ends, which may be one of a
 * root that is larger than others, or folds. */
static NOINLINE unsigned
large_index(const struct radix *radix, const struct node *node,
	    uint64_t address, unsigned level)
{
	if (node != radix->root)
		return index_at(address, level);
	return radix->above ? folded_index(radix, address)
			    : index_in(radix, address, level);
}

static ALWAYS_INLINE unsigned
index_of(const struct radix *radix, const struct node *node, uint64_t address,
	 unsigned level)
{
	return likely(level == 1) ? index_at(address, 1)
				  : large_index(radix, node, address, level);
}

/* The walk for number j, of any kind; returns the number of references. */
static NOINLINE unsigned
walk_one(const struct table_walks *walks, unsigned j, unsigned i, unsigned all)
{
	return list_levels(walks->looks.at[j], i,
			   TABLE_CODE(walks->looks.page[j]) + 1, walks->from[j],
			   walks->reference + all, walks->level + all);
}

/* False: it was before. */
static ALWAYS_INLINE bool
set_accessed(uint64_t *entry)
{
	if (likely(*entry & ACCESSED))
		return false;
	*entry |= ACCESSED;
	return true;
}

/* Only set the accessed bits.  What was looked for may have got its own since,
 * by a walk before in the list. */
static void
touch_looked(const struct radix *radix, struct table_walks *walks)
{
	const uint64_t *page = walks->looks.page;
	const uint16_t *list = walks->list;
	uint64_t all = ACCESSED;
	unsigned n_first = 0;

	for (unsigned k = 0; k < walks->n; k++)
		all &= page[list[k]];
	for (unsigned k = 0; unlikely(!all) && k < walks->n; k++) {
		unsigned j = list[k], level = TABLE_CODE(page[j]) + 1;
		struct node *node = walks->looks.at[j];

		if (set_accessed(
			    &node->entry[index_of(radix, node,
						  walks->address[j], level)]))
			walks->first[n_first++] = (uint16_t)j;
	}
	walks->n_first = n_first;
}

/* Their accessed bits and numbers. */
static unsigned
count_looked(const struct radix *radix, struct table_walks *walks)
{
	unsigned all = 0;

	touch_looked(radix, walks);
	for (unsigned k = 0; k < walks->n; k++) {
		unsigned j = walks->list[k], from = walks->from[j];
		unsigned n = from - TABLE_CODE(walks->looks.page[j]);

		walks->references[j] = walks->steps[j] = (uint16_t)n;
		for (unsigned i = 0; i < n; i++)
			walks->by_level[from - i]++;
		all += n;
	}
	walks->made = walks->n;
	return all;
}

unsigned
radix_walk_looked(struct table *table, struct table_walks *walks)
{
	const struct radix *radix = radix_of(table);
	const uint64_t *address = walks->address, *page = walks->looks.page;
	void *const *at = walks->looks.at;
	const uint16_t *list = walks->list;
	const uint8_t *from = walks->from;
	uint64_t *reference = walks->reference;
	uint8_t *levels = walks->level;
	uint16_t *references = walks->references;
	unsigned all = 0, n_first = 0, n_walks = walks->n;

	if (walks->by_level)
		return count_looked(radix, walks);
	if (!reference) {
		touch_looked(radix, walks);
		return 0;
	}
	for (unsigned k = 0; k < n_walks; k++) {
		unsigned j = list[k], n = from[j], code = TABLE_CODE(page[j]);
		struct node *node = at[j];
		unsigned i = index_of(radix, node, address[j], code + 1);

		if (unlikely(set_accessed(&node->entry[i])))
			walks->first[n_first++] = (uint16_t)j;
		if (likely(!code && n <= 2)) {
			/* one or two, and no branch on which */
			reference[all] = node->above[2];
			levels[all] = 2;
			reference[all + n - 1] = entry_at(node, i);
			levels[all + n - 1] = 1;
		} else {
			n = walk_one(walks, j, i, all);
		}
		references[j] = (uint16_t)n;
		all += n;
	}
	walks->n_first = n_first;
	return all;
}

/* The last-level table for an address, if it is one of late, or NULL. */
static ALWAYS_INLINE struct node *
recent_node(const struct radix *radix, uint64_t address)
{
	const struct recent *recent = &radix->recent[(address >> 21) % RECENT];

	return likely(recent->region == address >> 21) ? recent->node : NULL;
}

unsigned
radix_walk(struct table *table, uint64_t address,
	   struct table_reference *references, struct mapping *mapping)
{
	struct radix *radix = radix_of(table);
	struct end end = { recent_node(radix, address), index_at(address, 1), 1,
			   false };

	if (!end.node)
		end = find_end(radix, address);
	*mapping = (struct mapping){ .shift = 0 };
	if (!end.node)
		return 0;
	if (end.node->entry[end.i] && !end.foreign)
		leaf_mapping(end.node->entry[end.i], end.level, mapping);
	return list_references(&end, table->levels, references);
}

/* Turn a leaf of this level into a table of 512 leaves.  0 or -ENOMEM. */
static int
split(struct radix *radix, struct node *parent, unsigned at, unsigned level,
      uint64_t address)
{
	uint64_t *entry = &parent->entry[at];
	uint64_t step = UINT64_C(1) << level_shift(level - 1);
	struct node *node = node_open(radix, parent, at, level, address);

	if (!node)
		return -ENOMEM;
	for (unsigned i = 0; i < ENTRIES; i++)
		node->entry[i] = *entry + i * step;
	node->used = ENTRIES;
	radix->table.counts.map_writes += ENTRIES;
	*entry = (uint64_t)(uintptr_t)node;
	return 0;
}

int
radix_map(struct table *table, uint64_t address, const struct mapping *mapping)
{
	struct radix *radix = radix_of(table);
	struct node *node = recent_node(radix, address);
	unsigned level = radix->table.levels, root;
	uint64_t *entry;

	if (node && mapping->shift == level_shift(1))
		level = 1;
	else
		node = radix->root;
	if (!canonical(radix, address))
		return fail(EINVAL,
			    "radix table: address %#lx needs more than %u "
			    "levels",
			    (unsigned long)address, radix->table.levels);
	root = radix->above && node == radix->root
		       ? folded_index(radix, address)
		       : index_in(radix, address, level);
	if (radix->above && root == ENTRIES)
		return fail(EINVAL,
			    "radix table: %#lx is in one GiB more than %u "
			    "levels have entries for",
			    (unsigned long)address, level);
	if (radix->above && node == radix->root)
		radix->above[root] = (address >> level_shift(level)) + 1;
	for (; level_shift(level) > mapping->shift; level--) {
		unsigned i =
			node == radix->root ? root : index_at(address, level);

		entry = &node->entry[i];
		if (!*entry) {
			struct node *next =
				node_open(radix, node, i, level, address);

			if (!next)
				return no_memory(address);
			*entry = (uint64_t)(uintptr_t)next;
			node->used++;
		} else if (*entry & LEAF &&
			   split(radix, node, i, level, address)) {
			return no_memory(address);
		}
		node = child(*entry);
	}
	entry = &node->entry[node == radix->root ? root
						 : index_at(address, level)];
	radix->table.counts.map_writes++;
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
	unmap->radix->table.counts.unmap_writes++;
	if (unmap->gone)
		unmap->gone(unmap->context, address, &mapping);
}

static void unmap_node(const struct unmap *unmap, struct node *node,
		       unsigned level, uint64_t base);

/* Entry i, whose first address is start, of which some goes. */
static void
unmap_entry(const struct unmap *unmap, struct node *node, unsigned i,
	    unsigned level, uint64_t start)
{
	uint64_t end = start + ((UINT64_C(1) << level_shift(level)) - 1);
	bool whole = start >= unmap->from && end <= unmap->last;
	uint64_t *entry = &node->entry[i];

	if (!*entry)
		return;
	/* A page that is only partly unmapped is split; where memory is full it
	 * goes as a whole. */
	if (*entry & LEAF &&
	    (whole || split(unmap->radix, node, i, level, start))) {
		drop_leaf(unmap, node, i, level, start);
		return;
	}
	unmap_node(unmap, child(*entry), level - 1, start);
	if (whole && unmap->free_tables) {
		node_close(unmap->radix, child(*entry), level - 1);
		*entry = 0;
		node->used--;
		unmap->radix->table.counts.unmap_writes++;
	}
}

/* base: the first address that the node translates. */
static void
unmap_node(const struct unmap *unmap, struct node *node, unsigned level,
	   uint64_t base)
{
	unsigned shift = level_shift(level);
	uint64_t first = unmap->from > base ? (unmap->from - base) >> shift : 0;
	uint64_t entries = node == unmap->radix->root
				   ? UINT64_C(1) << unmap->radix->root_bits
				   : ENTRIES;

	for (uint64_t i = first; i < entries; i++) {
		uint64_t start = base + (i << shift);

		if (start > unmap->last)
			break;
		unmap_entry(unmap, node, (unsigned)i, level, start);
	}
}

/* Of a root that folds, each entry begins where its user does. */
static void
unmap_folded(const struct unmap *unmap)
{
	struct radix *radix = unmap->radix;
	unsigned level = radix->table.levels, shift = level_shift(level);

	for (unsigned i = 0; i < ENTRIES; i++) {
		uint64_t start = (radix->above[i] - 1) << shift;
		uint64_t end = start + ((UINT64_C(1) << shift) - 1);

		if (radix->above[i] && start <= unmap->last &&
		    end >= unmap->from)
			unmap_entry(unmap, radix->root, i, level, start);
	}
}

void
radix_unmap(struct table *table, uint64_t address, uint64_t length,
	    bool free_tables,
	    void (*gone)(void *context, uint64_t address,
			 const struct mapping *mapping),
	    void *context)
{
	struct radix *radix = radix_of(table);
	unsigned bits = level_shift(radix->table.levels) + radix->root_bits;
	/* The sign-extended upper half lies in the upper half of the root. */
	uint64_t high = address & ~((UINT64_C(1) << bits) - 1);
	struct unmap unmap = { radix,	    address, address + (length - 1),
			       free_tables, gone,    context };

	if (!length)
		return;
	if (unmap.last < address)
		unmap.last = UINT64_MAX;
	if (radix->above)
		unmap_folded(&unmap);
	else
		unmap_node(&unmap, radix->root, radix->table.levels, high);
}

uint64_t
radix_bytes(const struct table *table)
{
	return ((const struct radix *)table)->nodes * 4096;
}

static unsigned
most_of(const struct kinds_config *kinds)
{
	return (unsigned)kinds->radix.levels;
}

const struct table_ops radix_table = {
	.name = "radix",
	.help = "x86-64, AArch64, RISC-V: 3 to 5 levels, 4K, 2M "
		"and 1G pages",
	.open = radix_open,
	.most = most_of,
	RADIX_METHODS,
};
