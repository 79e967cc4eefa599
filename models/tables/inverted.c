// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The inverted table: one entry a frame of memory (of the least page), whoever has it, found through
 * a hash anchor table; one table for all spaces, whose size the memory fixes
 * (as of the IBM RT PC; Chang and Mergen, "801 storage", 1988).
 *
 *	hash(space, page) -> anchor -> entry -> entry -> ...
 *	                     8 bytes   16 bytes: page, space, rights, next
 *
 * The frame is the entry's number.  A page of 2M has the entry of its first
 * frame.  What no such table can say is that two pages are of one frame: here the
 * second and later ones (shared memory, files, fork, the zero page) have entries
 * in an overflow area, and are counted: table.inverted.aliases.
 */
#include "models/tables/tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "models/tables/leaves.h"
#include "models/translation/tlb.h"

#define THERE	     (UINT64_C(1) << 63)
#define ANCHOR_BYTES 8u
#define ENTRY_BYTES  16u
#define ALIAS_PAGE   4096u
/* Entries of one size that a walk is told to read.  Chains are as long as
 * entries an anchor, one or some, at the mean: none is ever as long. */
#define CHAIN_MAX 60u

struct entry {
	uint64_t page; /* THERE | page number << 2 | size code; 0: free */
	uint64_t word; /* as in leaves.h */
	uint32_t space;
	uint32_t next; /* its number plus 1; 0: none */
};

/* What all spaces share. */
struct shared {
	struct table_memory memory;
	struct entry *entry; /* owned: by frame */
	uint32_t *anchor;    /* owned: number of the first entry plus 1 */
	unsigned anchors_shift;
	unsigned shift[LEAF_SIZES];	      /* of a page, by code */
	uint32_t frames;		      /* of the least page */
	struct table_extent entries, anchors; /* as modelled */
	/* aliases: numbers from `frames` on */
	struct entry *alias; /* owned */
	uint64_t *alias_page;
	uint32_t aliases, alias_room, alias_free;
	size_t alias_pages;
	uint64_t aliases_made;
	uint64_t present[LEAF_SIZES]; /* pages of all spaces */
	unsigned users;
	const struct table *first;
};

struct inverted {
	struct leaves leaves;
	struct shared *shared;
	void **shared_at;
};

const struct option_row inverted_rows[] = {
	{ .name = "anchors",
	  .type = OPTION_REAL,
	  .offset = offsetof(struct inverted_config, anchors),
	  .fallback = "1",
	  .min = 0.25,
	  .max = 16,
	  .unit = "anchors",
	  .help = "hash anchors a frame (rounded up to a power of two in all)" },
	{ NULL },
};

static const struct table_value inverted_values[] = {
	{ "table.inverted.entries", "entries" },
	{ "table.inverted.aliases", "entries" },
	{ NULL, NULL },
};

static struct inverted *
inverted_of(struct table *table)
{
	return (struct inverted *)table;
}

static ALWAYS_INLINE uint64_t
page_of(const struct shared *shared, uint64_t address, unsigned code)
{
	return THERE | address >> shared->shift[code] << 2 | code;
}

static ALWAYS_INLINE uint64_t
anchor_of(const struct shared *shared, uint32_t space, uint64_t page)
{
	return leaves_hash(page ^ (uint64_t)space << 56 ^
			   (uint64_t)space << 20) &
	       ((UINT64_C(1) << shared->anchors_shift) - 1);
}

/* By its number plus 1. */
static ALWAYS_INLINE struct entry *
entry_at(const struct shared *shared, uint32_t number)
{
	number--;
	return likely(number < shared->frames)
		       ? &shared->entry[number]
		       : &shared->alias[number - shared->frames];
}

static uint64_t
physical_at(const struct shared *shared, uint32_t number)
{
	uint64_t offset;

	number--;
	if (number < shared->frames)
		return table_extent_at(&shared->entries,
				       number * (uint64_t)ENTRY_BYTES);
	offset = (number - shared->frames) * (uint64_t)ENTRY_BYTES;
	return shared->alias_page[offset / ALIAS_PAGE] + offset % ALIAS_PAGE;
}

static struct entry *
find(const struct shared *shared, uint32_t space, uint64_t page)
{
	uint32_t i = shared->anchor[anchor_of(shared, space, page)];

	while (i) {
		struct entry *entry = entry_at(shared, i);

		if (entry->page == page && entry->space == space)
			return entry;
		i = entry->next;
	}
	return NULL;
}

static uint64_t *
inverted_find(struct leaves *leaves, uint64_t address, unsigned code)
{
	const struct shared *shared = ((struct inverted *)leaves)->shared;
	struct entry *entry = find(shared, leaves->table.memory.space,
				   page_of(shared, address, code));

	return entry ? &entry->word : NULL;
}

/* A number, plus 1, for an entry that its frame has no room for; 0: no memory. */
static uint32_t
alias_take(struct shared *shared)
{
	uint32_t i = shared->alias_free;

	shared->aliases_made++;
	if (i) {
		shared->alias_free = entry_at(shared, i)->next;
		return i;
	}
	i = shared->aliases;
	if (i == shared->alias_room) {
		uint32_t room =
			shared->alias_room ? 2 * shared->alias_room : 256;
		struct entry *alias =
			reallocarray(shared->alias, room, sizeof(*alias));
		uint64_t *pages;

		if (!alias)
			return 0;
		shared->alias = alias;
		pages = reallocarray(shared->alias_page,
				     room * ENTRY_BYTES / ALIAS_PAGE + 1,
				     sizeof(*pages));
		if (!pages)
			return 0;
		shared->alias_page = pages;
		shared->alias_room = room;
	}
	if (i * (uint64_t)ENTRY_BYTES / ALIAS_PAGE >= shared->alias_pages) {
		if (table_memory_take(&shared->memory, 12, 0, 0,
				      &shared->alias_page[shared->alias_pages]))
			return 0;
		shared->alias_pages++;
	}
	shared->aliases++;
	return shared->frames + i + 1;
}

static int
inverted_insert(struct leaves *leaves, uint64_t address, unsigned code,
		uint64_t word)
{
	struct shared *shared = ((struct inverted *)leaves)->shared;
	uint32_t space = leaves->table.memory.space;
	uint64_t page = page_of(shared, address, code);
	uint64_t frame =
		frames_number(shared->memory.frames, word & ~TABLE_BITS) >>
		(shared->shift[0] - 12);
	uint32_t *anchor = &shared->anchor[anchor_of(shared, space, page)];
	uint32_t i;

	if (frame < shared->frames && !shared->entry[frame].page)
		i = (uint32_t)frame + 1;
	else
		i = alias_take(shared);
	if (!i)
		return fail(ENOMEM, "inverted table: no memory for an alias");
	*entry_at(shared, i) = (struct entry){ page, word, space, *anchor };
	*anchor = i;
	shared->present[code]++;
	return 0;
}

static void
inverted_remove(struct leaves *leaves, uint64_t address, unsigned code)
{
	struct shared *shared = ((struct inverted *)leaves)->shared;
	uint32_t space = leaves->table.memory.space, i;
	uint64_t page = page_of(shared, address, code);
	uint32_t *link = &shared->anchor[anchor_of(shared, space, page)];
	struct entry *entry;

	for (;; link = &entry->next) {
		i = *link;
		entry = entry_at(shared, i);
		if (entry->page == page && entry->space == space)
			break;
	}
	*link = entry->next;
	*entry = (struct entry){ .page = 0 };
	if (i > shared->frames) {
		entry->next = shared->alias_free;
		shared->alias_free = i;
	}
	shared->present[code]--;
}

static const struct leaves_ops inverted_leaves = {
	.find = inverted_find,
	.insert = inverted_insert,
	.remove = inverted_remove,
	.by_frame = true,
};

/* What a walk reads for a page of one size; the entry if it is there. */
static struct entry *
list_size(const struct shared *shared, uint32_t space, uint64_t page,
	  uint64_t *reference, unsigned *n)
{
	uint64_t anchor = anchor_of(shared, space, page);
	uint32_t i = shared->anchor[anchor];

	reference[(*n)++] =
		table_extent_at(&shared->anchors, anchor * ANCHOR_BYTES);
	for (unsigned k = 0; i && k < CHAIN_MAX; k++) {
		struct entry *entry = entry_at(shared, i);

		reference[(*n)++] = physical_at(shared, i);
		if (entry->page == page && entry->space == space)
			return entry;
		i = entry->next;
	}
	return NULL;
}

/* All that it reads, size by size, those of which there are any. */
static struct entry *
list_all(const struct shared *shared, uint32_t space, uint64_t address,
	 uint64_t *reference, unsigned *n, unsigned *code)
{
	struct entry *entry = NULL;

	*n = 0;
	for (*code = 0; *code < LEAF_SIZES; ++*code) {
		if (*code && !shared->present[*code])
			continue;
		entry = list_size(shared, space,
				  page_of(shared, address, *code), reference,
				  n);
		if (entry)
			return entry;
	}
	return NULL;
}

static unsigned
walk(struct table *table, uint64_t address, struct table_reference *references,
     struct mapping *mapping, bool touch)
{
	uint64_t reference[LEAF_SIZES * (CHAIN_MAX + 1)];
	unsigned n, code;
	struct entry *entry =
		list_all(inverted_of(table)->shared, table->memory.space,
			 address, reference, &n, &code);

	*mapping = leaves_mapping(&inverted_of(table)->leaves,
				  entry ? &entry->word : NULL, code);
	if (touch && entry)
		entry->word |= LEAF_ACCESSED;
	for (unsigned i = 0; i < n; i++)
		references[i] = (struct table_reference){ reference[i], 0 };
	return n;
}

static unsigned
inverted_walk(struct table *table, uint64_t address,
	      struct table_reference *references, struct mapping *mapping)
{
	return walk(table, address, references, mapping, false);
}

static unsigned
inverted_walk_from(struct table *table, uint64_t address, unsigned from,
		   struct table_reference *references, struct mapping *mapping)
{
	(void)from;
	return walk(table, address, references, mapping, true);
}

/* Of a 4K page that was looked for: which of its anchor's entries it is, from 1
 * on; 0: that is not known. */
#define RANK_SHIFT    6
#define RANK_MAX      7u
#define RANK_OF(page) ((unsigned)((page) >> RANK_SHIFT & RANK_MAX))

/* Not the first of its anchor, or a large page. */
static NOINLINE bool
look_further(const struct shared *shared, uint32_t space, uint64_t address,
	     uint32_t first, uint64_t *page, void **at)
{
	uint64_t wanted = page_of(shared, address, 0);

	for (unsigned rank = 1; first && rank <= RANK_MAX; rank++) {
		struct entry *entry = entry_at(shared, first);

		if (entry->page == wanted && entry->space == space) {
			*page = entry->word | (uint64_t)rank << RANK_SHIFT;
			*at = entry;
			return true;
		}
		first = entry->next;
	}
	for (unsigned code = 0; code < LEAF_SIZES; code++) {
		struct entry *entry =
			shared->present[code]
				? find(shared, space,
				       page_of(shared, address, code))
				: NULL;

		if (!entry)
			continue;
		*page = leaves_page(entry->word, code);
		*at = entry;
		return true;
	}
	return false;
}

/* Anchors first, so that the waits for their entries overlap. */
static unsigned
inverted_look(struct table *table, const uint64_t *address, unsigned n,
	      const struct table_looks *looks)
{
	const struct shared *shared = inverted_of(table)->shared;
	uint32_t space = table->memory.space, first[TABLE_LOOKS_MAX];

	for (unsigned i = 0; i < n; i++) {
		uint64_t page = page_of(shared, address[i], 0);

		first[i] = shared->anchor[anchor_of(shared, space, page)];
		if (first[i])
			__builtin_prefetch(entry_at(shared, first[i]));
	}
	for (unsigned i = 0; i < n; i++) {
		uint64_t page = page_of(shared, address[i], 0);
		struct entry *entry =
			first[i] ? entry_at(shared, first[i]) : NULL;

		if (likely(entry && entry->page == page &&
			   entry->space == space)) {
			looks->page[i] = entry->word | 1 << RANK_SHIFT;
			looks->at[i] = entry;
		} else if (!look_further(shared, space, address[i], first[i],
					 &looks->page[i], &looks->at[i])) {
			return i;
		}
	}
	return n;
}

static void
inverted_prefetch(const struct table *table, const uint64_t *address,
		  unsigned n)
{
	const struct shared *shared = ((const struct inverted *)table)->shared;
	uint32_t space = table->memory.space;

	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(
			&shared->anchor[anchor_of(shared, space,
						  page_of(shared, address[i],
							  0))]);
}

static ALWAYS_INLINE unsigned
walk_one(struct table *table, const struct table_walks *walks, unsigned j,
	 uint64_t *reference, uint8_t *level)
{
	unsigned n = RANK_OF(walks->looks.page[j]), code;

	if (walks->by_level && likely(n))
		return n + 1; /* and the anchor */
	(void)list_all(inverted_of(table)->shared, table->memory.space,
		       walks->address[j], reference, &n, &code);
	memset(level, 0, n);
	return n;
}

static unsigned
inverted_walk_looked(struct table *table, struct table_walks *walks)
{
	unsigned all = leaves_walk_each(table, walks, walk_one);

	for (unsigned k = 0; k < walks->made; k++) {
		unsigned j = walks->list[k];
		struct entry *entry = walks->looks.at[j];

		if (unlikely(leaves_first(walks, j) &&
			     leaves_touch(&entry->word)))
			walks->first[walks->n_first++] = (uint16_t)j;
	}
	return all;
}

/* The whole table is the first space's. */
static uint64_t
inverted_bytes(const struct table *table)
{
	const struct shared *shared = ((const struct inverted *)table)->shared;

	return shared->first == table ? shared->memory.bytes : 0;
}

static void
inverted_taken(const struct table *table, struct table_taken *sum)
{
	const struct shared *shared = ((const struct inverted *)table)->shared;

	if (shared->first != table)
		return;
	sum->n += shared->memory.taken.n;
	sum->bytes += shared->memory.taken.bytes;
}

static void
inverted_count(const struct table *table, uint64_t *values)
{
	const struct shared *shared = ((const struct inverted *)table)->shared;

	if (shared->first != table)
		return;
	values[0] += shared->frames;
	values[1] += shared->aliases_made;
}

static void
shared_close(struct shared *shared)
{
	table_extent_give(&shared->entries, &shared->memory);
	table_extent_give(&shared->anchors, &shared->memory);
	for (size_t i = 0; i < shared->alias_pages; i++)
		table_memory_give(&shared->memory, 12, shared->alias_page[i]);
	table_memory_fini(&shared->memory);
	free(shared->entry);
	free(shared->anchor);
	free(shared->alias);
	free(shared->alias_page);
	free(shared);
}

static void
inverted_close(struct table *table)
{
	struct inverted *inverted = inverted_of(table);

	if (!table)
		return;
	leaves_unmap(table, 0, UINT64_MAX, true, NULL, NULL);
	if (!--inverted->shared->users) {
		shared_close(inverted->shared);
		*inverted->shared_at = NULL;
	}
	leaves_fini(&inverted->leaves);
	free(inverted);
}

static unsigned
shift_over(double n)
{
	unsigned shift = 0;

	while ((double)(UINT64_C(1) << shift) < n)
		shift++;
	return shift;
}

static int
shared_open(struct shared **out, const struct table_with *with)
{
	const struct inverted_config *config = &with->kinds->inverted;
	struct shared *shared = calloc(1, sizeof(*shared));
	const unsigned granule = tables_granule(with->config);
	uint64_t frames = frames_total(with->frames) >> (granule - 12), anchors;

	if (!shared)
		return fail(ENOMEM, "inverted table: no memory");
	table_memory_init(&shared->memory, &with->config->memory, with->frames,
			  UINT32_MAX);
	for (unsigned code = 0; code < LEAF_SIZES; code++)
		shared->shift[code] = tlb_page_shift(granule, code);
	shared->frames = (uint32_t)frames;
	shared->anchors_shift = shift_over((double)frames * config->anchors);
	anchors = UINT64_C(1) << shared->anchors_shift;
	/* zeroed, and for most of a large memory never touched */
	shared->entry = calloc(frames, sizeof(*shared->entry));
	shared->anchor = calloc(anchors, sizeof(*shared->anchor));
	if (!shared->entry || !shared->anchor ||
	    table_extent_take(&shared->entries, &shared->memory,
			      frames * ENTRY_BYTES) ||
	    table_extent_take(&shared->anchors, &shared->memory,
			      anchors * ANCHOR_BYTES)) {
		shared_close(shared);
		return fail(ENOMEM,
			    "inverted table: no memory for entries of %lu "
			    "frames",
			    (unsigned long)frames);
	}
	*out = shared;
	return 0;
}

static int
inverted_open(struct table **out, const struct table_with *with)
{
	struct inverted *inverted = calloc(1, sizeof(*inverted));
	int error = 0;

	if (!inverted)
		return fail(ENOMEM, "inverted table: no memory");
	table_init(&inverted->leaves.table, &inverted_table, with);
	leaves_init(&inverted->leaves, &inverted_leaves, with);
	inverted->leaves.table.most = LEAF_SIZES * (CHAIN_MAX + 1);
	inverted->shared_at = with->shared;
	inverted->shared = *with->shared;
	if (!inverted->shared) {
		error = shared_open(&inverted->shared, with);
		if (error) {
			free(inverted);
			return error;
		}
		*with->shared = inverted->shared;
		inverted->shared->first = &inverted->leaves.table;
	}
	inverted->shared->users++;
	*out = &inverted->leaves.table;
	return 0;
}

static int
inverted_wrong(const struct tables_config *config,
	       const struct kinds_config *kinds, const char **field, char *text,
	       size_t bytes)
{
	(void)kinds;
	*field = "kind";
	if (!config->memory_bytes)
		return snprintf(text, bytes,
				"inverted needs memory.size (an entry a "
				"frame): allowed: 4K to 8T, now 0 (unbounded)");
	if (config->memory_bytes >> 12 >= UINT32_MAX / 2)
		return snprintf(text, bytes,
				"inverted takes a memory.size of 4K to 8T, "
				"not %lu bytes",
				(unsigned long)config->memory_bytes);
	return 0;
}

const struct table_ops inverted_table = {
	.name = "inverted",
	.help = "one entry a frame, shared by all spaces, and hash anchors; "
		"needs memory.size",
	.open = inverted_open,
	.close = inverted_close,
	.walk = inverted_walk,
	.walk_from = inverted_walk_from,
	.look = inverted_look,
	.walk_looked = inverted_walk_looked,
	.prefetch = inverted_prefetch,
	.map = leaves_map,
	.unmap = leaves_unmap,
	.bytes = inverted_bytes,
	.taken = inverted_taken,
	.values = inverted_values,
	.count = inverted_count,
	.wrong = inverted_wrong,
};
