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
#include <string.h>

#include "analyzer/fail.h"
#include "models/memory/random.h"
#include "models/tables/leaves.h"
#include "models/translation/aside.h"

#define WAYS_MAX  8u
#define PAGES_MAX 8u
#define HINT_BITS 18u
#define CWT_BYTES 65536u /* a line is of 128 regions, 4 bits each */
#define CWT_SHIFT 7
#define LINE	  64u
#define SLOTS_MAX 28u

enum {
	CWC_2M,
	CWC_1G,
};

/* Tags lie apart from pages: the host's caches hold all tags, and what is found
 * is one line more. */
struct array {
	uint64_t *key;	/* owned; 0: free */
	uint64_t *word; /* owned: `pages` words each */
	unsigned shift; /* log2 of its slots */
	struct table_extent memory;
};

struct way {
	struct array now, next; /* next.key: NULL: it is not in resizing */
	uint64_t moved;		/* slots of `now` that went to `next` */
};

/* The table of one size. */
struct part {
	struct way way[WAYS_MAX];
	unsigned shift; /* log2 of the bytes that an entry is about */
	uint64_t n, slots;
};

struct cuckoo {
	struct leaves leaves;
	struct part part[LEAF_SIZES];
	struct table_extent cwt[2];
	unsigned ways, pages, pages_shift, entry_bytes, first_shift;
	unsigned evictions, moves;
	double load;
	bool beside;
	uint64_t random;
	uint64_t evicted, full; /* insertions that found no place */
	uint8_t *hint; /* owned: way in which an entry of that hash was last */
};

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

static struct cuckoo *
cuckoo_of(struct table *table)
{
	return (struct cuckoo *)table;
}

static uint64_t
key_of(const struct part *part, uint64_t address)
{
	return (address >> part->shift) + 1;
}

static unsigned
word_of(const struct cuckoo *cuckoo, uint64_t address, unsigned code)
{
	return (unsigned)(address >> LEAF_SHIFT(code)) & (cuckoo->pages - 1);
}

/* What is well mixed, mixed anew for each way. */
static ALWAYS_INLINE uint64_t
way_hash(uint64_t hash, unsigned way)
{
	static const uint64_t odd[WAYS_MAX] = {
		UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xc2b2ae3d27d4eb4f),
		UINT64_C(0x165667b19e3779f9), UINT64_C(0xd6e8feb86659fd93),
		UINT64_C(0xff51afd7ed558ccd), UINT64_C(0xc4ceb9fe1a85ec53),
		UINT64_C(0xbf58476d1ce4e5b9), UINT64_C(0x94d049bb133111eb),
	};

	return (hash * odd[way]) >> 32;
}

/* Where an entry of this hash is in a way, if it is: array and slot. */
static ALWAYS_INLINE const struct array *
place_in(const struct way *way, uint64_t hash, uint64_t *slot)
{
	*slot = hash & ((UINT64_C(1) << way->now.shift) - 1);
	if (likely(*slot >= way->moved))
		return &way->now;
	*slot = hash & ((UINT64_C(1) << way->next.shift) - 1);
	return &way->next;
}

/* A slot: its tag, and the words of its pages. */
struct spot {
	uint64_t *key, *word; /* NULL: there is none */
};

static ALWAYS_INLINE struct spot
spot_at(const struct cuckoo *cuckoo, const struct array *array, uint64_t slot)
{
	return (struct spot){ array->key + slot,
			      array->word + (slot << cuckoo->pages_shift) };
}

static ALWAYS_INLINE struct spot
spot_in(const struct cuckoo *cuckoo, const struct part *part, uint64_t hash,
	unsigned way)
{
	uint64_t slot;
	const struct array *array =
		place_in(&part->way[way], way_hash(hash, way), &slot);

	return spot_at(cuckoo, array, slot);
}

static ALWAYS_INLINE uint64_t
physical_in(const struct cuckoo *cuckoo, const struct part *part, uint64_t hash,
	    unsigned way)
{
	uint64_t slot;
	const struct array *array =
		place_in(&part->way[way], way_hash(hash, way), &slot);

	return table_extent_at(&array->memory, slot * cuckoo->entry_bytes);
}

/* The entry of a key and its way, if there is one. */
static struct spot
find_entry(const struct cuckoo *cuckoo, const struct part *part, uint64_t key,
	   unsigned *way)
{
	uint64_t hash = leaves_hash(key);

	for (*way = 0; *way < cuckoo->ways; ++*way) {
		struct spot spot = spot_in(cuckoo, part, hash, *way);

		if (*spot.key == key)
			return spot;
	}
	return (struct spot){ NULL, NULL };
}

static void
array_close(struct cuckoo *cuckoo, struct array *array)
{
	table_extent_give(&array->memory, &cuckoo->leaves.table.memory);
	free(array->key);
	free(array->word);
	*array = (struct array){ .key = NULL };
}

/* 0 or -ENOMEM (said). */
static int
array_open(struct cuckoo *cuckoo, struct array *array, unsigned shift)
{
	uint64_t slots = UINT64_C(1) << shift;

	array->shift = shift;
	if (shift <= SLOTS_MAX) {
		array->key = table_array(slots, 8);
		array->word = table_array(slots, cuckoo->pages * 8);
	}
	if (array->key && array->word &&
	    !table_extent_take(&array->memory, &cuckoo->leaves.table.memory,
			       slots * cuckoo->entry_bytes))
		return 0;
	free(array->key);
	free(array->word);
	*array = (struct array){ .key = NULL };
	return fail(ENOMEM, "cuckoo table: no memory for %lu slots",
		    (unsigned long)slots);
}

static void
part_fini(struct cuckoo *cuckoo, struct part *part)
{
	for (unsigned i = 0; i < cuckoo->ways; i++) {
		array_close(cuckoo, &part->way[i].now);
		array_close(cuckoo, &part->way[i].next);
	}
}

static int
part_open(struct cuckoo *cuckoo, struct part *part)
{
	int error = 0;

	for (unsigned i = 0; !error && i < cuckoo->ways; i++)
		error = array_open(cuckoo, &part->way[i].now,
				   cuckoo->first_shift);
	part->slots = (uint64_t)cuckoo->ways << cuckoo->first_shift;
	return error;
}

/* Move some more slots of a way in resizing, which may end that. */
static void
move_slots(struct cuckoo *cuckoo, struct way *way, unsigned w, uint64_t n)
{
	uint64_t end = UINT64_C(1) << way->now.shift;

	for (; n && way->moved < end; n--, way->moved++) {
		struct spot from = spot_at(cuckoo, &way->now, way->moved), to;
		uint64_t hash;

		if (!*from.key)
			continue;
		hash = way_hash(leaves_hash(*from.key), w);
		to = spot_at(cuckoo, &way->next,
			     hash & ((UINT64_C(1) << way->next.shift) - 1));
		*to.key = *from.key;
		memcpy(to.word, from.word, cuckoo->pages * 8);
		cuckoo->leaves.table.counts.moves++;
	}
	if (way->moved < end)
		return;
	array_close(cuckoo, &way->now);
	way->now = way->next;
	way->next = (struct array){ .key = NULL };
	way->moved = 0;
}

/* The way in resizing, or else the shortest, which begins it.  WAYS_MAX: no
 * memory (said). */
static unsigned
begin_resizing(struct cuckoo *cuckoo, struct part *part)
{
	unsigned least = 0;

	for (unsigned i = 0; i < cuckoo->ways; i++) {
		if (part->way[i].next.key)
			return i;
		if (part->way[i].now.shift < part->way[least].now.shift)
			least = i;
	}
	if (array_open(cuckoo, &part->way[least].next,
		       part->way[least].now.shift + 1))
		return WAYS_MAX;
	part->slots += UINT64_C(1) << part->way[least].now.shift;
	cuckoo->leaves.table.counts.resizes++;
	return least;
}

/* A whole entry. */
struct entry {
	uint64_t key, word[PAGES_MAX];
};

/* Put one in, evicting others; what is left over at last, in entry.  True:
 * nothing. */
static bool
put(struct cuckoo *cuckoo, struct part *part, struct entry *entry)
{
	unsigned last = WAYS_MAX;

	for (unsigned i = 0; i <= cuckoo->evictions; i++) {
		uint64_t hash = leaves_hash(entry->key);
		struct entry other;
		struct spot at;
		unsigned way = (unsigned)random_below(&cuckoo->random,
						      last < WAYS_MAX
							      ? cuckoo->ways - 1
							      : cuckoo->ways);

		/* not back to where it was */
		way += way >= last;
		at = spot_in(cuckoo, part, hash, way);
		other.key = *at.key;
		memcpy(other.word, at.word, cuckoo->pages * 8);
		*at.key = entry->key;
		memcpy(at.word, entry->word, cuckoo->pages * 8);
		cuckoo->hint[hash >> (64 - HINT_BITS)] = (uint8_t)way;
		if (!other.key)
			return true;
		cuckoo->evicted++;
		cuckoo->leaves.table.counts.moves++;
		*entry = other;
		last = way;
	}
	return false;
}

static int
put_for_sure(struct cuckoo *cuckoo, struct part *part, struct entry *entry)
{
	while (!put(cuckoo, part, entry)) {
		unsigned way = begin_resizing(cuckoo, part);

		if (way == WAYS_MAX)
			return -ENOMEM;
		cuckoo->full++;
		move_slots(cuckoo, &part->way[way], way, UINT64_MAX);
	}
	part->n++;
	return 0;
}

static uint64_t *
cuckoo_find(struct leaves *leaves, uint64_t address, unsigned code)
{
	const struct cuckoo *cuckoo = (struct cuckoo *)leaves;
	const struct part *part = &cuckoo->part[code];
	unsigned way;
	uint64_t *word =
		find_entry(cuckoo, part, key_of(part, address), &way).word;

	word = word ? word + word_of(cuckoo, address, code) : NULL;
	return word && *word ? word : NULL;
}

static int
cuckoo_insert(struct leaves *leaves, uint64_t address, unsigned code,
	      uint64_t word)
{
	struct cuckoo *cuckoo = (struct cuckoo *)leaves;
	struct part *part = &cuckoo->part[code];
	uint64_t key = key_of(part, address);
	struct entry fresh = { .key = key };
	struct spot spot;
	unsigned way;
	int error = 0;

	if (!part->slots)
		error = part_open(cuckoo, part);
	if (error)
		return error;
	spot = find_entry(cuckoo, part, key, &way);
	if (spot.word) {
		spot.word[word_of(cuckoo, address, code)] = word;
		return 0;
	}
	if ((double)part->n + 1 > cuckoo->load * (double)part->slots &&
	    begin_resizing(cuckoo, part) == WAYS_MAX)
		return -ENOMEM;
	for (unsigned i = 0; i < cuckoo->ways; i++)
		if (part->way[i].next.key)
			move_slots(cuckoo, &part->way[i], i, cuckoo->moves);
	fresh.word[word_of(cuckoo, address, code)] = word;
	return put_for_sure(cuckoo, part, &fresh);
}

static void
cuckoo_remove(struct leaves *leaves, uint64_t address, unsigned code)
{
	struct cuckoo *cuckoo = (struct cuckoo *)leaves;
	struct part *part = &cuckoo->part[code];
	struct spot spot;
	uint64_t any = 0;
	unsigned way;

	spot = find_entry(cuckoo, part, key_of(part, address), &way);
	spot.word[word_of(cuckoo, address, code)] = 0;
	for (unsigned i = 0; i < cuckoo->pages; i++)
		any |= spot.word[i];
	if (any)
		return;
	*spot.key = 0;
	part->n--;
}

static const struct leaves_ops cuckoo_leaves = {
	.find = cuckoo_find,
	.insert = cuckoo_insert,
	.remove = cuckoo_remove,
};

/* The references of one walk. */
struct list {
	uint64_t *reference;
	uint8_t *level;
	unsigned n;
	uint8_t beside; /* flag of all but the first */
};

static ALWAYS_INLINE void
list_add(struct list *list, uint64_t physical, unsigned level)
{
	list->reference[list->n] = physical;
	list->level[list->n] = (uint8_t)(level | (list->n ? list->beside : 0));
	list->n++;
}

/* All ways of one size. */
static ALWAYS_INLINE void
list_ways(const struct cuckoo *cuckoo, uint64_t address, unsigned code,
	  struct list *list)
{
	const struct part *part = &cuckoo->part[code];
	uint64_t hash = leaves_hash(key_of(part, address));

	for (unsigned way = 0; way < cuckoo->ways; way++)
		list_add(list, physical_in(cuckoo, part, hash, way), 0);
}

/* The one way of a large page that is there. */
static NOINLINE bool
list_large(const struct cuckoo *cuckoo, uint64_t address, unsigned code,
	   struct list *list)
{
	const struct part *part = &cuckoo->part[code];
	uint64_t key = key_of(part, address), *word;
	unsigned way;

	if (!cuckoo->leaves.present[code].n)
		return false;
	word = find_entry(cuckoo, part, key, &way).word;
	if (!word || !word[word_of(cuckoo, address, code)])
		return false;
	list_add(list, physical_in(cuckoo, part, leaves_hash(key), way), 0);
	return true;
}

/* Does the aligned region of this address have pages of that size? */
static bool
region_has(const struct cuckoo *cuckoo, uint64_t address, unsigned region_shift,
	   unsigned code)
{
	const struct present *present = &cuckoo->leaves.present[code];
	unsigned shift = region_shift - LEAF_SHIFT(code);
	uint64_t first = address >> region_shift << shift;

	return present->n &&
	       present_next(present, first) < first + (UINT64_C(1) << shift);
}

static void
list_cwt(const struct cuckoo *cuckoo, uint64_t address, unsigned which,
	 struct list *list)
{
	unsigned shift = which == CWC_2M ? 21 : 30;
	uint64_t line =
		leaves_hash(address >> shift >> CWT_SHIFT) % (CWT_BYTES / LINE);

	list_add(list, table_extent_at(&cuckoo->cwt[which], line * LINE),
		 which == CWC_2M ? 2 : 3);
}

/* Is there a walk cache of these regions? */
static bool
has_cwc(const struct cuckoo *cuckoo, unsigned which)
{
	const struct aside *aside = cuckoo->leaves.table.aside;

	return aside && aside->n && aside->array[which].tlb.entries;
}

/* Which ways a walk reads by what its caches know. */
static ALWAYS_INLINE void
list_walk(const struct cuckoo *cuckoo, uint64_t address, bool known_2m,
	  bool known_1g, struct list *list)
{
	bool large = cuckoo->leaves.present[1].n | cuckoo->leaves.present[2].n;
	bool all_2m = false, all_4k;

	if (unlikely(large)) {
		if (known_1g && list_large(cuckoo, address, 2, list))
			return;
		if (known_2m && list_large(cuckoo, address, 1, list))
			return;
		all_2m = cuckoo->leaves.present[1].n && !known_2m &&
			 (!known_1g || region_has(cuckoo, address, 30, 1));
	}
	all_4k = known_2m || !known_1g || !large ||
		 region_has(cuckoo, address, 30, 0) || !all_2m;
	if (all_4k)
		list_ways(cuckoo, address, 0, list);
	if (all_2m)
		list_ways(cuckoo, address, 1, list);
	if (unlikely(large) && !known_2m && !known_1g &&
	    cuckoo->leaves.present[2].n)
		list_ways(cuckoo, address, 2, list);
	if (!known_2m && has_cwc(cuckoo, CWC_2M))
		list_cwt(cuckoo, address, CWC_2M, list);
	if (!known_1g && has_cwc(cuckoo, CWC_1G))
		list_cwt(cuckoo, address, CWC_1G, list);
}

static unsigned
most_of(const struct kinds_config *kinds)
{
	const struct cuckoo_config *config = &kinds->cuckoo;

	return LEAF_SIZES * (unsigned)config->ways + 2;
}

/* The full walk knows nothing, and asks nobody. */
static unsigned
cuckoo_walk(struct table *table, uint64_t address,
	    struct table_reference *references, struct mapping *mapping)
{
	struct cuckoo *cuckoo = cuckoo_of(table);
	unsigned code, n = 0;
	uint64_t *word = leaves_find(&cuckoo->leaves, address, &code);

	*mapping = leaves_mapping(word, code);
	for (code = 0; code < LEAF_SIZES; code++) {
		const struct part *part = &cuckoo->part[code];
		uint64_t hash = leaves_hash(key_of(part, address));

		if (code && !cuckoo->leaves.present[code].n)
			continue;
		for (unsigned way = 0; way < cuckoo->ways; way++, n++)
			references[n] = (struct table_reference){
				physical_in(cuckoo, part, hash, way),
				n && cuckoo->beside ? TABLE_BESIDE : 0
			};
	}
	return n;
}

static unsigned
cuckoo_walk_from(struct table *table, uint64_t address, unsigned from,
		 struct table_reference *references, struct mapping *mapping)
{
	struct cuckoo *cuckoo = cuckoo_of(table);
	uint64_t reference[LEAF_SIZES * WAYS_MAX + 2];
	uint8_t level[LEAF_SIZES * WAYS_MAX + 2];
	struct list list = { reference, level, 0,
			     cuckoo->beside ? TABLE_BESIDE : 0 };
	unsigned code;
	uint64_t *word = leaves_find(&cuckoo->leaves, address, &code);
	bool known[2] = { false, false };

	(void)from;
	for (unsigned i = 0; i < 2; i++)
		known[i] = has_cwc(cuckoo, i) &&
			   aside_use(table->aside, i, address, table->asid);
	list_walk(cuckoo, address, known[CWC_2M], known[CWC_1G], &list);
	*mapping = leaves_mapping(word, code);
	if (word)
		*word |= LEAF_ACCESSED;
	for (unsigned i = 0; i < list.n; i++)
		references[i] =
			(struct table_reference){ reference[i], level[i] };
	return list.n;
}

/* Not in the way where it was last.  at: the word of the page. */
static NOINLINE bool
look_further(struct cuckoo *cuckoo, uint64_t address, uint64_t *page, void **at)
{
	unsigned code, way;
	uint64_t *word = leaves_find(&cuckoo->leaves, address, &code);

	if (!word)
		return false;
	if (!code) {
		uint64_t key = key_of(&cuckoo->part[0], address);

		(void)find_entry(cuckoo, &cuckoo->part[0], key, &way);
		cuckoo->hint[leaves_hash(key) >> (64 - HINT_BITS)] =
			(uint8_t)way;
	}
	*page = leaves_page(*word, code);
	*at = word;
	return true;
}

/* The slot of a 4K page's entry in the way where one of its hash was last. */
static ALWAYS_INLINE struct spot
guess(const struct cuckoo *cuckoo, uint64_t key)
{
	uint64_t hash = leaves_hash(key);

	return spot_in(cuckoo, &cuckoo->part[0], hash,
		       cuckoo->hint[hash >> (64 - HINT_BITS)]);
}

static unsigned
cuckoo_look(struct table *table, const uint64_t *address, unsigned n,
	    const struct table_looks *looks)
{
	struct cuckoo *cuckoo = cuckoo_of(table);

	for (unsigned i = 0; i < n; i++) {
		uint64_t key = key_of(&cuckoo->part[0], address[i]);
		struct spot spot = guess(cuckoo, key);
		uint64_t *word = spot.word + word_of(cuckoo, address[i], 0);

		if (unlikely(*spot.key != key || !*word)) {
			if (!look_further(cuckoo, address[i], &looks->page[i],
					  &looks->at[i]))
				return i;
			continue;
		}
		looks->page[i] = *word;
		looks->at[i] = word;
	}
	return n;
}

static void
cuckoo_prefetch(const struct table *table, const uint64_t *address, unsigned n)
{
	const struct cuckoo *cuckoo = (const struct cuckoo *)table;

	for (unsigned i = 0; i < n; i++) {
		const struct spot spot =
			guess(cuckoo, key_of(&cuckoo->part[0], address[i]));

		__builtin_prefetch(spot.word + word_of(cuckoo, address[i], 0));
	}
}

/* What a cache knows of the first n walks: a flag for each, by number. */
static void
ask_cwc(const struct cuckoo *cuckoo, const struct table_walks *walks,
	unsigned n, unsigned which, bool *known)
{
	const struct table *table = &cuckoo->leaves.table;
	bool there = has_cwc(cuckoo, which);
	uint16_t list[TABLE_LOOKS_MAX];

	for (unsigned k = 0; k < n; k++)
		known[walks->list[k]] = there;
	if (!there)
		return;
	memcpy(list, walks->list, n * sizeof(*list));
	n = aside_run(table->aside, which, walks->address, table->asid, list,
		      n);
	for (unsigned k = 0; k < n; k++)
		known[list[k]] = false;
}

static unsigned
cuckoo_walk_looked(struct table *table, struct table_walks *walks)
{
	const struct cuckoo *cuckoo = cuckoo_of(table);
	unsigned fit = walks->room / table->most;
	bool known_2m[TABLE_LOOKS_MAX], known_1g[TABLE_LOOKS_MAX];
	struct list all = { .n = 0 };

	walks->made = walks->n < fit ? walks->n : fit;
	ask_cwc(cuckoo, walks, walks->made, CWC_2M, known_2m);
	ask_cwc(cuckoo, walks, walks->made, CWC_1G, known_1g);
	for (unsigned k = 0; k < walks->made; k++) {
		unsigned j = walks->list[k];
		struct list list = { walks->reference + all.n,
				     walks->level + all.n, 0,
				     cuckoo->beside ? TABLE_BESIDE : 0 };

		list_walk(cuckoo, walks->address[j], known_2m[j], known_1g[j],
			  &list);
		walks->references[j] = (uint16_t)list.n;
		all.n += list.n;

		if (unlikely(leaves_first(walks, j) &&
			     leaves_touch(walks->looks.at[j])))
			walks->first[walks->n_first++] = (uint16_t)j;
	}
	return all.n;
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
	struct cuckoo *cuckoo = cuckoo_of(table);

	if (!table)
		return;
	for (unsigned code = 0; code < LEAF_SIZES; code++)
		part_fini(cuckoo, &cuckoo->part[code]);
	for (unsigned i = 0; i < ARRAY_SIZE(cuckoo->cwt); i++)
		table_extent_give(&cuckoo->cwt[i], &table->memory);
	leaves_fini(&cuckoo->leaves);
	free(cuckoo->hint);
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
	cuckoo->leaves.ops = &cuckoo_leaves;
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
	cuckoo->hint = calloc(1, 1 << HINT_BITS);
	for (unsigned code = 0; code < LEAF_SIZES; code++)
		cuckoo->part[code].shift =
			LEAF_SHIFT(code) +
			(unsigned)__builtin_ctz(cuckoo->pages);
	for (unsigned i = 0; i < ARRAY_SIZE(cuckoo->cwt); i++)
		if (i == CWC_2M ? config->cwc_2m : config->cwc_1g)
			short_of |=
				table_extent_take(&cuckoo->cwt[i],
						  &cuckoo->leaves.table.memory,
						  CWT_BYTES) != 0;
	if (!cuckoo->hint || short_of || part_open(cuckoo, &cuckoo->part[0])) {
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
