// SPDX-License-Identifier: GPL-2.0-or-later
/* Walks of elastic cuckoo tables: what they read, by what the walk caches know;
 * see cuckoo.c. */
#include "models/tables/cuckoo-ways.h"

#include <string.h>

#include "models/translation/aside.h"

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
	word = cuckoo_find_entry(cuckoo, part, key, &way).word;
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
	unsigned shift = region_shift - cuckoo->leaves.shift[code];
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

/* The full walk knows nothing, and asks nobody. */
unsigned
cuckoo_walk(struct table *table, uint64_t address,
	    struct table_reference *references, struct mapping *mapping)
{
	struct cuckoo *cuckoo = (struct cuckoo *)table;
	unsigned code, n = 0;
	uint64_t *word = leaves_find(&cuckoo->leaves, address, &code);

	*mapping = leaves_mapping(&cuckoo->leaves, word, code);
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

unsigned
cuckoo_walk_from(struct table *table, uint64_t address, unsigned from,
		 struct table_reference *references, struct mapping *mapping)
{
	struct cuckoo *cuckoo = (struct cuckoo *)table;
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
	*mapping = leaves_mapping(&cuckoo->leaves, word, code);
	if (word)
		*word |= LEAF_ACCESSED;
	for (unsigned i = 0; i < list.n; i++)
		references[i] =
			(struct table_reference){ reference[i], level[i] };
	return list.n;
}

/* Not one that is remembered.  at: the word of the page. */
static NOINLINE bool
look_further(struct cuckoo *cuckoo, uint64_t address, uint64_t *page, void **at)
{
	unsigned code;
	uint64_t *word = leaves_find(&cuckoo->leaves, address, &code);

	if (!word)
		return false;
	*page = leaves_page(*word, code);
	*at = word;
	return true;
}

unsigned
cuckoo_look(struct table *table, const uint64_t *address, unsigned n,
	    const struct table_looks *looks)
{
	struct cuckoo *cuckoo = (struct cuckoo *)table;
	/* what is written here changes none of these */
	const struct memos memos = cuckoo->memos;
	const unsigned shift = cuckoo->part[0].shift, mask = cuckoo->pages - 1;
	const unsigned least = cuckoo->leaves.shift[0];
	uint64_t *page = looks->page;
	void **at = looks->at;

	for (unsigned i = 0; i < n; i++) {
		uint64_t key = (address[i] >> shift) + 1;
		const struct memo *memo = memo_at(memos, key);
		uint64_t *word = memo->word + (address[i] >> least & mask);

		if (unlikely(memo->key != key || !*word)) {
			if (!look_further(cuckoo, address[i], &page[i], &at[i]))
				return i;
			continue;
		}
		page[i] = *word;
		at[i] = word;
	}
	return n;
}

void
cuckoo_prefetch(const struct table *table, const uint64_t *address, unsigned n)
{
	const struct cuckoo *cuckoo = (const struct cuckoo *)table;
	const struct memos memos = cuckoo->memos;

	for (unsigned i = 0; i < n; i++) {
		uint64_t key = key_of(&cuckoo->part[0], address[i]);

		__builtin_prefetch(memo_at(memos, key)->word +
				   word_of(cuckoo, address[i], 0));
	}
}

/* Of the first n walks, those of which a cache knows nothing, in list; returns how
 * many. */
static unsigned
ask_cwc(const struct cuckoo *cuckoo, const struct table_walks *walks,
	unsigned n, unsigned which, uint16_t *list)
{
	const struct table *table = &cuckoo->leaves.table;

	memcpy(list, walks->list, n * sizeof(*list));
	return aside_run(table->aside, which, walks->address, table->asid, list,
			 n);
}

/* A flag for each of the first n. */
static void
mark_known(const struct cuckoo *cuckoo, const struct table_walks *walks,
	   unsigned n, unsigned which, bool *known)
{
	bool there = has_cwc(cuckoo, which);
	uint16_t list[TABLE_LOOKS_MAX];
	unsigned left = there ? ask_cwc(cuckoo, walks, n, which, list) : 0;

	for (unsigned k = 0, i = 0; k < n; k++) {
		known[k] = there && !(i < left && list[i] == walks->list[k]);
		i += there && !known[k];
	}
}

/* As many walks as there is room for. */
static unsigned
list_looked(struct cuckoo *cuckoo, struct table_walks *walks)
{
	bool known_2m[TABLE_LOOKS_MAX], known_1g[TABLE_LOOKS_MAX];
	unsigned fit = walks->room / cuckoo->leaves.table.most, all = 0;

	fit = fit < TABLE_LOOKS_MAX ? fit : TABLE_LOOKS_MAX;
	walks->made = walks->n < fit ? walks->n : fit;
	mark_known(cuckoo, walks, walks->made, CWC_2M, known_2m);
	mark_known(cuckoo, walks, walks->made, CWC_1G, known_1g);
	for (unsigned k = 0; k < walks->made; k++) {
		unsigned j = walks->list[k];
		struct list list = { walks->reference + all, walks->level + all,
				     0, cuckoo->beside ? TABLE_BESIDE : 0 };

		list_walk(cuckoo, walks->address[j], known_2m[k], known_1g[k],
			  &list);
		walks->references[j] = (uint16_t)list.n;
		all += list.n;
	}
	return all;
}

/* The numbers of walks that read all ways of 4K and what the caches do not know,
 * where there are no large pages. */
static unsigned
count_small(struct cuckoo *cuckoo, struct table_walks *walks)
{
	uint16_t list[TABLE_LOOKS_MAX];
	unsigned all = walks->n * cuckoo->ways;

	for (unsigned k = 0; k < walks->n; k++)
		walks->references[walks->list[k]] = (uint16_t)cuckoo->ways;
	walks->by_level[0] += all;
	for (unsigned which = 0; which < 2; which++) {
		unsigned n;

		if (!has_cwc(cuckoo, which))
			continue;
		n = ask_cwc(cuckoo, walks, walks->n, which, list);
		for (unsigned k = 0; k < n; k++)
			walks->references[list[k]]++;
		walks->by_level[which == CWC_2M ? 2 : 3] += n;
		all += n;
	}
	walks->made = walks->n;
	return all;
}

unsigned
cuckoo_walk_looked(struct table *table, struct table_walks *walks)
{
	struct cuckoo *cuckoo = (struct cuckoo *)table;
	bool large = cuckoo->leaves.present[1].n | cuckoo->leaves.present[2].n;
	unsigned all;

	all = walks->by_level && !large ? count_small(cuckoo, walks)
					: list_looked(cuckoo, walks);
	for (unsigned k = 0; walks->by_level && k < walks->made; k++) {
		unsigned j = walks->list[k];

		walks->steps[j] = cuckoo->beside ? 1 : walks->references[j];
	}
	for (unsigned i = 0; walks->by_level && large && i < all; i++)
		walks->by_level[walks->level[i] & ~TABLE_BESIDE]++;
	for (unsigned k = 0; k < walks->made; k++) {
		unsigned j = walks->list[k];

		if (unlikely(leaves_first(walks, j) &&
			     leaves_touch(walks->looks.at[j])))
			walks->first[walks->n_first++] = (uint16_t)j;
	}
	return all;
}
