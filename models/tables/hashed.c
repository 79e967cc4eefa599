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
#include "models/tables/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "models/tables/leaves.h"

#define PAGES_MAX  32u
#define PROBES_MAX 256u
#define LINE	   64u
#define POOL_PAGE  4096u

/* The pool of chained entries: number 0 stands for none. */
struct pool {
	uint64_t *words;	   /* owned: by number */
	uint64_t *physical;	   /* owned: of each page of them */
	uint32_t used, room, free; /* free: first of a list */
	size_t pages;
};

/* The table of one size. */
struct part {
	unsigned shift; /* log2 of the bytes that an entry is about */
	unsigned slots_shift;
	uint64_t n;	/* entries */
	uint64_t *slot; /* owned: stride words each; or heads, of one word */
	struct table_extent memory;
	struct pool pool;
};

struct hashed {
	struct leaves leaves;
	struct part part[LEAF_SIZES];
	bool chained, apart, large_first;
	unsigned pages_shift, pages;
	unsigned stride;       /* words that we keep of an entry */
	unsigned stride_shift; /* its factor of two; its odd one's inverse */
	uint64_t stride_inverse;
	unsigned first;	      /* word of its first page */
	unsigned entry_bytes; /* of the modelled one */
	unsigned page_offset; /* in it, of the first page's word */
	unsigned probes;
	double load;
};

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

static struct hashed *
hashed_of(struct table *table)
{
	return (struct hashed *)table;
}

static uint64_t
key_of(const struct part *part, uint64_t address)
{
	return (address >> part->shift) + 1;
}

static uint64_t
slots_of(const struct part *part)
{
	return UINT64_C(1) << part->slots_shift;
}

static uint64_t
home_of(const struct part *part, uint64_t key)
{
	return leaves_hash(key) & (slots_of(part) - 1);
}

/* The word of this page in its entry. */
static unsigned
word_of(const struct hashed *hashed, uint64_t address, unsigned code)
{
	return hashed->first +
	       ((unsigned)(address >> LEAF_SHIFT(code)) & (hashed->pages - 1));
}

static uint64_t *
pool_entry(const struct hashed *hashed, const struct part *part, uint64_t i)
{
	return part->pool.words + i * hashed->stride;
}

static uint64_t
pool_physical(const struct hashed *hashed, const struct part *part, uint64_t i)
{
	unsigned per_page = POOL_PAGE / hashed->entry_bytes;

	return part->pool.physical[i / per_page] +
	       i % per_page * hashed->entry_bytes;
}

/* One more, zeroed.  0: no memory. */
static uint32_t
pool_take(struct hashed *hashed, struct part *part)
{
	struct pool *pool = &part->pool;
	unsigned per_page = POOL_PAGE / hashed->entry_bytes;
	uint32_t i = pool->free;

	if (i) {
		pool->free = (uint32_t)pool_entry(hashed, part, i)[1];
		memset(pool_entry(hashed, part, i), 0, hashed->stride * 8);
		return i;
	}
	i = pool->used ? pool->used : 1;
	if (i >= pool->room) {
		uint32_t room = pool->room ? 2 * pool->room : 256;
		uint64_t *words =
			reallocarray(pool->words, room, hashed->stride * 8);
		uint64_t *pages;

		if (!words)
			return 0;
		memset(words + pool->room * hashed->stride, 0,
		       (room - pool->room) * hashed->stride * 8);
		pool->words = words;
		pages = reallocarray(pool->physical, room / per_page + 1, 8);
		if (!pages)
			return 0;
		pool->physical = pages;
		pool->room = room;
	}
	if (i / per_page >= pool->pages) {
		if (table_memory_take(&hashed->leaves.table.memory, 12, 0, 0,
				      &pool->physical[pool->pages]))
			return 0;
		pool->pages++;
	}
	memset(pool_entry(hashed, part, i), 0, hashed->stride * 8);
	pool->used = i + 1;
	return i;
}

static void
pool_give(struct hashed *hashed, struct part *part, uint32_t i)
{
	pool_entry(hashed, part, i)[1] = part->pool.free;
	part->pool.free = i;
}

static void
part_fini(struct hashed *hashed, struct part *part)
{
	struct table_memory *memory = &hashed->leaves.table.memory;

	for (size_t i = 0; i < part->pool.pages; i++)
		table_memory_give(memory, 12, part->pool.physical[i]);
	table_extent_give(&part->memory, memory);
	free(part->pool.physical);
	free(part->pool.words);
	free(part->slot);
	part->slot = NULL;
	part->pool = (struct pool){ .used = 0 };
}

/* Words that we keep of a slot; bytes of a modelled one. */
static unsigned
slot_words(const struct hashed *hashed)
{
	return hashed->apart ? 1 : hashed->stride;
}

static unsigned
slot_bytes(const struct hashed *hashed)
{
	return hashed->apart ? 8 : hashed->entry_bytes;
}

/* 0 or -ENOMEM (said). */
static int
part_slots(struct hashed *hashed, struct part *part, unsigned slots_shift)
{
	uint64_t slots = UINT64_C(1) << slots_shift;

	part->slots_shift = slots_shift;
	part->n = 0;
	part->slot = table_array(slots, slot_words(hashed) * 8);
	if (part->slot &&
	    !table_extent_take(&part->memory, &hashed->leaves.table.memory,
			       slots * slot_bytes(hashed)))
		return 0;
	free(part->slot);
	part->slot = NULL;
	return fail(ENOMEM, "hashed table: no memory for %lu slots",
		    (unsigned long)slots);
}

/* Where an entry was found: the modelled memory of it, and ours. */
struct spot {
	uint64_t *entry; /* NULL: not there */
	uint64_t slot;	 /* of the array; chained: its number in the pool, or
			  * 0 */
	uint64_t probes; /* entries looked at, this one too */
};

static struct spot
find_open(const struct hashed *hashed, const struct part *part, uint64_t key)
{
	uint64_t mask = slots_of(part) - 1, at = home_of(part, key);

	for (uint64_t n = 1; n <= hashed->probes; n++) {
		uint64_t *entry = part->slot + at * hashed->stride;

		if (likely(entry[0] == key))
			return (struct spot){ entry, at, n };
		if (!entry[0])
			return (struct spot){ NULL, at, n };
		at = (at + 1) & mask;
	}
	/* no free one within reach */
	return (struct spot){ NULL, (at - 1) & mask, hashed->probes };
}

static struct spot
find_chained(const struct hashed *hashed, const struct part *part, uint64_t key)
{
	uint64_t *entry = part->slot + home_of(part, key) * slot_words(hashed);
	struct spot spot = { NULL, 0, 0 };

	if (hashed->apart) {
		spot.slot = *entry;
		entry = pool_entry(hashed, part, spot.slot);
	}
	while (hashed->apart ? spot.slot != 0 : entry[0] != 0) {
		spot.probes++;
		if (entry[0] == key) {
			spot.entry = entry;
			return spot;
		}
		spot.slot = entry[1];
		if (!spot.slot)
			break;
		entry = pool_entry(hashed, part, spot.slot);
	}
	return spot;
}

static ALWAYS_INLINE struct spot
find_entry(const struct hashed *hashed, const struct part *part, uint64_t key)
{
	return hashed->chained ? find_chained(hashed, part, key)
			       : find_open(hashed, part, key);
}

/* Put in an entry for a key that is not there; NULL: no memory, or (open) no
 * free slot that a walk would reach. */
static uint64_t *
put_entry(struct hashed *hashed, struct part *part, uint64_t key)
{
	uint64_t *entry, *head;
	uint32_t i;

	if (!hashed->chained) {
		struct spot spot = find_open(hashed, part, key);

		entry = part->slot + spot.slot * hashed->stride;
		if (entry[0])
			return NULL;
		entry[0] = key;
		part->n++;
		return entry;
	}
	if (find_chained(hashed, part, key).probes >= hashed->probes)
		return NULL;
	head = part->slot + home_of(part, key) * slot_words(hashed);
	if (!hashed->apart && !head[0]) {
		head[0] = key;
		part->n++;
		return head;
	}
	i = pool_take(hashed, part);
	if (!i)
		return NULL;
	entry = pool_entry(hashed, part, i);
	entry[0] = key;
	entry[1] = hashed->apart ? head[0] : head[1];
	head[hashed->apart ? 0 : 1] = i;
	part->n++;
	return entry;
}

static bool
is_empty(const struct hashed *hashed, const uint64_t *entry)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < hashed->pages; i++)
		any |= entry[hashed->first + i];
	return !any;
}

/* Move all entries of an older state of the part in; false: they do not fit. */
static bool
move_one(struct hashed *hashed, struct part *part, const uint64_t *old)
{
	uint64_t *entry = put_entry(hashed, part, old[0]);

	if (!entry)
		return false;
	memcpy(entry + hashed->first, old + hashed->first, hashed->pages * 8);
	return true;
}

static bool
move_all(struct hashed *hashed, struct part *part, const struct part *old)
{
	for (uint64_t i = 0; !hashed->apart && i < slots_of(old); i++) {
		const uint64_t *entry = old->slot + i * hashed->stride;

		if (entry[0] && !move_one(hashed, part, entry))
			return false;
	}
	for (uint32_t i = 1; i < old->pool.used; i++) {
		const uint64_t *entry = pool_entry(hashed, old, i);

		/* those given back are empty */
		if (!is_empty(hashed, entry) && !move_one(hashed, part, entry))
			return false;
	}
	return true;
}

static int
grow(struct hashed *hashed, struct part *part)
{
	struct part old = *part;

	for (unsigned shift = old.slots_shift + 1;; shift++) {
		int error;

		part->memory = (struct table_extent){ .runs = 0 };
		part->pool = (struct pool){ .used = 0 };
		error = part_slots(hashed, part, shift);
		if (error) {
			*part = old;
			return error;
		}
		if (move_all(hashed, part, &old))
			break;
		part_fini(hashed, part);
		if (shift > old.slots_shift + 8) {
			*part = old;
			return fail(ENOMEM, "hashed table: no memory for its "
					    "entries, or table.hashed.probes "
					    "is too small");
		}
	}
	hashed->leaves.table.counts.moves += part->n;
	hashed->leaves.table.counts.resizes++;
	part_fini(hashed, &old);
	return 0;
}

static uint64_t *
hashed_find(struct leaves *leaves, uint64_t address, unsigned code)
{
	struct hashed *hashed = (struct hashed *)leaves;
	const struct part *part = &hashed->part[code];
	uint64_t *entry = find_entry(hashed, part, key_of(part, address)).entry;

	entry = entry ? entry + word_of(hashed, address, code) : NULL;
	return entry && *entry ? entry : NULL;
}

static int
hashed_insert(struct leaves *leaves, uint64_t address, unsigned code,
	      uint64_t word)
{
	struct hashed *hashed = (struct hashed *)leaves;
	struct part *part = &hashed->part[code];
	uint64_t key = key_of(part, address), *entry;
	int error = 0;

	if (!part->slot)
		error = part_slots(hashed, part, part->slots_shift);
	if (error)
		return error;
	entry = find_entry(hashed, part, key).entry;
	while (!entry) {
		bool full = (double)part->n + 1 >
			    hashed->load * (double)slots_of(part);

		entry = full ? NULL : put_entry(hashed, part, key);
		error = entry ? 0 : grow(hashed, part);
		if (error)
			return error;
	}
	entry[word_of(hashed, address, code)] = word;
	return 0;
}

/* Close the gap at a slot: who comes later moves up. */
static void
remove_open(struct hashed *hashed, struct part *part, uint64_t at)
{
	uint64_t mask = slots_of(part) - 1, next = at;

	for (;;) {
		uint64_t *entry, home;

		next = (next + 1) & mask;
		entry = part->slot + next * hashed->stride;
		if (!entry[0])
			break;
		home = home_of(part, entry[0]);
		if (((next - home) & mask) < ((next - at) & mask))
			continue;
		memcpy(part->slot + at * hashed->stride, entry,
		       hashed->stride * 8);
		hashed->leaves.table.counts.moves++;
		at = next;
	}
	memset(part->slot + at * hashed->stride, 0, hashed->stride * 8);
}

static void
remove_chained(struct hashed *hashed, struct part *part, uint64_t key)
{
	uint64_t *head = part->slot + home_of(part, key) * slot_words(hashed);
	uint64_t *link = hashed->apart ? head : head + 1;
	uint32_t i;

	if (!hashed->apart && head[0] == key) {
		i = (uint32_t)head[1];
		if (!i) {
			memset(head, 0, hashed->stride * 8);
			return;
		}
		/* the second becomes the first */
		memcpy(head, pool_entry(hashed, part, i), hashed->stride * 8);
		hashed->leaves.table.counts.moves++;
	} else {
		while (pool_entry(hashed, part, *link)[0] != key)
			link = pool_entry(hashed, part, *link) + 1;
		i = (uint32_t)*link;
		*link = pool_entry(hashed, part, i)[1];
	}
	memset(pool_entry(hashed, part, i), 0, hashed->stride * 8);
	pool_give(hashed, part, i);
}

static void
hashed_remove(struct leaves *leaves, uint64_t address, unsigned code)
{
	struct hashed *hashed = (struct hashed *)leaves;
	struct part *part = &hashed->part[code];
	uint64_t key = key_of(part, address);
	struct spot spot = find_entry(hashed, part, key);

	spot.entry[word_of(hashed, address, code)] = 0;
	if (!is_empty(hashed, spot.entry))
		return;
	part->n--;
	if (hashed->chained)
		remove_chained(hashed, part, key);
	else
		remove_open(hashed, part, spot.slot);
}

static const struct leaves_ops hashed_leaves = {
	.find = hashed_find,
	.insert = hashed_insert,
	.remove = hashed_remove,
};

/* Where the references of a walk go. */
struct list {
	uint64_t *reference;
	uint8_t *level;
	unsigned n;
};

static ALWAYS_INLINE void
list_add(struct list *list, uint64_t physical)
{
	list->reference[list->n] = physical;
	list->level[list->n++] = 0;
}

/* The found page's own word, if it lies in another line than its tag. */
static ALWAYS_INLINE void
list_word(const struct hashed *hashed, struct list *list, uint64_t physical,
	  unsigned word)
{
	uint64_t at = physical + hashed->page_offset +
		      (word - hashed->first) * UINT64_C(8);

	if (at / LINE != physical / LINE)
		list_add(list, at);
}

/* What a walk reads of an open table, up to this many entries. */
static ALWAYS_INLINE uint64_t
list_open(const struct hashed *hashed, const struct part *part, uint64_t key,
	  uint64_t probes, struct list *list)
{
	uint64_t mask = slots_of(part) - 1, at = home_of(part, key);
	uint64_t physical = 0;

	for (; probes; probes--) {
		physical = table_extent_at(&part->memory,
					   at * hashed->entry_bytes);
		list_add(list, physical);
		at = (at + 1) & mask;
	}
	return physical;
}

/* The last entry that it looks at is that of the key, or the chain's last. */
static uint64_t
list_chained(const struct hashed *hashed, const struct part *part, uint64_t key,
	     struct list *list)
{
	uint64_t home = home_of(part, key);
	uint64_t *entry = part->slot + home * slot_words(hashed);
	uint64_t physical =
		table_extent_at(&part->memory, home * slot_bytes(hashed));
	uint64_t next;

	list_add(list, physical);
	if (!hashed->apart && entry[0] == key)
		return physical;
	next = hashed->apart ? entry[0] : entry[1];
	while (next) {
		entry = pool_entry(hashed, part, next);
		physical = pool_physical(hashed, part, next);
		list_add(list, physical);
		if (entry[0] == key)
			break;
		next = entry[1];
	}
	return physical;
}

/* All that a walk for the address reads in the table of one size; its entry's
 * word if it is there. */
static uint64_t *
list_part(struct hashed *hashed, uint64_t address, unsigned code,
	  struct list *list)
{
	const struct part *part = &hashed->part[code];
	uint64_t key = key_of(part, address), physical;
	struct spot spot = find_entry(hashed, part, key);
	unsigned word = word_of(hashed, address, code);

	physical = hashed->chained
			   ? list_chained(hashed, part, key, list)
			   : list_open(hashed, part, key, spot.probes, list);
	if (!spot.entry)
		return NULL;
	list_word(hashed, list, physical, word);
	return spot.entry[word] ? spot.entry + word : NULL;
}

/* All that a walk reads; the entry if it is there, and its size. */
static uint64_t *
list_all(struct hashed *hashed, uint64_t address, struct list *list,
	 unsigned *size)
{
	uint64_t *entry = NULL;

	for (unsigned i = 0; !entry && i < LEAF_SIZES; i++) {
		unsigned code = hashed->large_first ? LEAF_SIZES - 1 - i : i;

		*size = code;
		if (hashed->leaves.present[code].n)
			entry = list_part(hashed, address, code, list);
	}
	if (!list->n)
		(void)list_part(hashed, address, 0, list);
	return entry;
}

static unsigned
walk(struct table *table, uint64_t address, struct table_reference *references,
     struct mapping *mapping, bool touch)
{
	uint64_t reference[TABLE_REFERENCES_MAX];
	uint8_t level[TABLE_REFERENCES_MAX];
	struct list list = { reference, level, 0 };
	unsigned code = 0;
	uint64_t *entry = list_all(hashed_of(table), address, &list, &code);

	*mapping = leaves_mapping(entry, code);
	if (touch && entry)
		*entry |= LEAF_ACCESSED;
	for (unsigned i = 0; i < list.n; i++)
		references[i] = (struct table_reference){ reference[i], 0 };
	return list.n;
}

static unsigned
hashed_walk(struct table *table, uint64_t address,
	    struct table_reference *references, struct mapping *mapping)
{
	return walk(table, address, references, mapping, false);
}

static unsigned
hashed_walk_from(struct table *table, uint64_t address, unsigned from,
		 struct table_reference *references, struct mapping *mapping)
{
	(void)from;
	return walk(table, address, references, mapping, true);
}

/* Not in the first slot that it may be in, or not a page of 4K.  at: the start
 * of the entry. */
static NOINLINE bool
look_further(struct hashed *hashed, uint64_t address, uint64_t *page, void **at)
{
	for (unsigned code = 0; code < LEAF_SIZES; code++) {
		const struct part *part = &hashed->part[code];
		unsigned word = word_of(hashed, address, code);
		uint64_t *entry = hashed->leaves.present[code].n
					  ? find_entry(hashed, part,
						       key_of(part, address))
						    .entry
					  : NULL;

		if (!entry || !entry[word])
			continue;
		*page = leaves_page(entry[word], code);
		*at = entry;
		return true;
	}
	return false;
}

static unsigned
hashed_look(struct table *table, const uint64_t *address, unsigned n,
	    const struct table_looks *looks)
{
	struct hashed *hashed = hashed_of(table);
	const struct part *part = &hashed->part[0];
	unsigned words = slot_words(hashed);
	uint64_t *slot = part->slot, mask = slots_of(part) - 1;
	bool apart = hashed->apart, chained = hashed->chained;

	for (unsigned i = 0; i < n; i++) {
		uint64_t key = key_of(part, address[i]), page = 0;
		uint64_t home = home_of(part, key);
		uint64_t *entry = slot + home * words;
		/* of an open table the second too, and no branch on which */
		uint64_t *next = slot + ((home + 1) & mask) * words;

		if (unlikely(apart))
			entry = pool_entry(hashed, part, *entry);
		else if (likely(!chained))
			entry = next[0] == key ? next : entry;
		if (likely(entry && entry[0] == key))
			page = entry[word_of(hashed, address[i], 0)];
		if (unlikely(!page)) {
			if (!look_further(hashed, address[i], &looks->page[i],
					  &looks->at[i]))
				return i;
			continue;
		}
		looks->page[i] = page;
		looks->at[i] = entry;
	}
	return n;
}

static void
hashed_prefetch(const struct table *table, const uint64_t *address, unsigned n)
{
	const struct hashed *hashed = (const struct hashed *)table;
	const struct part *part = &hashed->part[0];

	for (unsigned i = 0; part->slot && i < n; i++) {
		uint64_t home = home_of(part, key_of(part, address[i]));

		__builtin_prefetch(part->slot + home * slot_words(hashed));
	}
}

/* What is read of the tables of sizes that are asked before this one. */
static NOINLINE void
list_others(struct hashed *hashed, uint64_t address, unsigned found,
	    struct list *list)
{
	for (unsigned i = 0; i < LEAF_SIZES; i++) {
		unsigned code = hashed->large_first ? LEAF_SIZES - 1 - i : i;

		if (code == found)
			return;
		if (hashed->leaves.present[code].n)
			(void)list_part(hashed, address, code, list);
	}
}

/* What is read up to an entry that was found. */
static ALWAYS_INLINE void
list_found(const struct hashed *hashed, uint64_t address, unsigned code,
	   const uint64_t *entry, struct list *list)
{
	const struct part *part = &hashed->part[code];
	uint64_t key = key_of(part, address), physical, at, probes;

	if (hashed->chained) {
		physical = list_chained(hashed, part, key, list);
	} else {
		/* a multiple of the stride: divided by its two factors */
		at = (uint64_t)(entry - part->slot) >> hashed->stride_shift;
		at *= hashed->stride_inverse;
		probes = ((at - home_of(part, key)) & (slots_of(part) - 1)) + 1;
		physical = list_open(hashed, part, key, probes, list);
	}
	if (hashed->pages > 1)
		list_word(hashed, list, physical,
			  word_of(hashed, address, code));
}

/* The walk for number j, which found its page. */
static ALWAYS_INLINE unsigned
walk_one(struct table *table, const struct table_walks *walks, unsigned j,
	 uint64_t *reference, uint8_t *level)
{
	struct hashed *hashed = hashed_of(table);
	uint64_t address = walks->address[j];
	struct list list = { reference, level, 0 };
	uint64_t *entry = walks->looks.at[j];
	unsigned code = TABLE_CODE(walks->looks.page[j]);

	if (unlikely(hashed->leaves.present[1].n | hashed->leaves.present[2].n))
		list_others(hashed, address, code, &list);
	list_found(hashed, address, code, entry, &list);
	return list.n;
}

static unsigned
hashed_walk_looked(struct table *table, struct table_walks *walks)
{
	struct hashed *hashed = hashed_of(table);
	unsigned all = leaves_walk_each(table, walks, walk_one);

	for (unsigned k = 0; k < walks->made; k++) {
		unsigned j = walks->list[k];
		uint64_t *entry = walks->looks.at[j];
		unsigned code = TABLE_CODE(walks->looks.page[j]);

		entry += word_of(hashed, walks->address[j], code);
		if (unlikely(leaves_first(walks, j) && leaves_touch(entry)))
			walks->first[walks->n_first++] = (uint16_t)j;
	}
	return all;
}

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
			part_fini(hashed, &hashed->part[code]);
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
	hashed->leaves.ops = &hashed_leaves;
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

		part->shift = LEAF_SHIFT(code) +
			      (unsigned)__builtin_ctz(hashed->pages);
		part->slots_shift =
			(unsigned)__builtin_ctzll((uint64_t)config->entries);
	}
	if (part_slots(hashed, &hashed->part[0], hashed->part[0].slots_shift)) {
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
