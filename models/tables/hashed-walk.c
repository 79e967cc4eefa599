// SPDX-License-Identifier: GPL-2.0-or-later
/* Walks of hashed tables, one by one and many at once; see hashed.c. */
#include "models/tables/hashed-slots.h"

#define NEAR 3u /* slots that are looked at whichever it is */

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
	struct spot spot = hashed_find_entry(hashed, part, key);
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

	*mapping = leaves_mapping(&hashed_of(table)->leaves, entry, code);
	if (touch && entry)
		*entry |= LEAF_ACCESSED;
	for (unsigned i = 0; i < list.n; i++)
		references[i] = (struct table_reference){ reference[i], 0 };
	return list.n;
}

unsigned
hashed_walk(struct table *table, uint64_t address,
	    struct table_reference *references, struct mapping *mapping)
{
	return walk(table, address, references, mapping, false);
}

unsigned
hashed_walk_from(struct table *table, uint64_t address, unsigned from,
		 struct table_reference *references, struct mapping *mapping)
{
	(void)from;
	return walk(table, address, references, mapping, true);
}

/* Not in the first slots that it may be in, or not a page of 4K.  at: the start
 * of the entry. */
static NOINLINE bool
look_further(struct hashed *hashed, uint64_t address, uint64_t *page, void **at)
{
	for (unsigned code = 0; code < LEAF_SIZES; code++) {
		const struct part *part = &hashed->part[code];
		unsigned word = word_of(hashed, address, code);
		uint64_t *entry =
			hashed->leaves.present[code].n
				? hashed_find_entry(hashed, part,
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

/* Of an open table: the first slots that a key may be in, of which no branch
 * asks which it is; the last of them if it is in none. */
static ALWAYS_INLINE uint64_t *
near_home(uint64_t *slots, uint64_t mask, uint64_t home, uint64_t key,
	  unsigned words)
{
	uint64_t *entry = slots + ((home + NEAR - 1) & mask) * words;

	for (unsigned i = NEAR - 1; i--;) {
		uint64_t *slot = slots + ((home + i) & mask) * words;

		entry = slot[0] == key ? slot : entry;
	}
	return entry;
}

/* words: of a slot, a constant where it can be. */
static ALWAYS_INLINE unsigned
look(struct hashed *hashed, const uint64_t *address, unsigned n,
     const struct table_looks *looks, unsigned words, bool open)
{
	const struct part part = hashed->part[0];
	uint64_t *slots = part.slot, mask = slots_of(&part) - 1;

	for (unsigned i = 0; i < n; i++) {
		uint64_t key = key_of(&part, address[i]), page = 0;
		uint64_t home = leaves_hash(key) & mask;
		uint64_t *entry = slots + home * words;

		if (likely(open))
			entry = near_home(slots, mask, home, key, words);
		else if (hashed->apart)
			entry = pool_entry(hashed, &part, *entry);
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

unsigned
hashed_look(struct table *table, const uint64_t *address, unsigned n,
	    const struct table_looks *looks)
{
	struct hashed *hashed = hashed_of(table);

	if (hashed->chained)
		return look(hashed, address, n, looks, slot_words(hashed),
			    false);
	return hashed->stride == 2
		       ? look(hashed, address, n, looks, 2, true)
		       : look(hashed, address, n, looks, hashed->stride, true);
}

void
hashed_prefetch(const struct table *table, const uint64_t *address, unsigned n)
{
	const struct hashed *hashed = (const struct hashed *)table;
	const struct part *part = &hashed->part[0];
	uint64_t words = slot_words(hashed), mask = slots_of(part) - 1;

	for (unsigned i = 0; part->slot && i < n; i++) {
		uint64_t home = home_of(part, key_of(part, address[i]));

		__builtin_prefetch(part->slot + home * words);
		/* in the next line, of every second */
		__builtin_prefetch(part->slot +
				   ((home + NEAR - 1) & mask) * words);
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

/* How many entries of an open table a walk looks at up to this one. */
static ALWAYS_INLINE uint64_t
probes_to(const struct hashed *hashed, const struct part *part, uint64_t key,
	  const uint64_t *entry)
{
	/* a multiple of the stride: divided by its two factors */
	uint64_t at = (uint64_t)(entry - part->slot) >> hashed->stride_shift;

	at *= hashed->stride_inverse;
	return ((at - home_of(part, key)) & (slots_of(part) - 1)) + 1;
}

/* What is read up to an entry that was found. */
static ALWAYS_INLINE void
list_found(const struct hashed *hashed, uint64_t address, unsigned code,
	   const uint64_t *entry, struct list *list)
{
	const struct part *part = &hashed->part[code];
	uint64_t key = key_of(part, address), physical;

	if (hashed->chained)
		physical = list_chained(hashed, part, key, list);
	else
		physical = list_open(hashed, part, key,
				     probes_to(hashed, part, key, entry), list);
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

/* The number of references of an open table of single 4K pages. */
static ALWAYS_INLINE unsigned
count_one(struct table *table, const struct table_walks *walks, unsigned j,
	  uint64_t *reference, uint8_t *level)
{
	const struct hashed *hashed = hashed_of(table);
	const struct part *part = &hashed->part[0];

	(void)reference;
	(void)level;
	return (unsigned)probes_to(hashed, part,
				   key_of(part, walks->address[j]),
				   walks->looks.at[j]);
}

unsigned
hashed_walk_looked(struct table *table, struct table_walks *walks)
{
	struct hashed *hashed = hashed_of(table);
	bool plain =
		walks->by_level && !hashed->chained && hashed->pages == 1 &&
		!(hashed->leaves.present[1].n | hashed->leaves.present[2].n);
	unsigned all = plain ? leaves_count_each(table, walks, count_one)
			     : leaves_walk_each(table, walks, walk_one);

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
