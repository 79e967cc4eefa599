// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Entries of elastic cuckoo tables come in, evict others, move to longer ways and
 * go; see cuckoo.c.
 */
#include "models/tables/cuckoo-ways.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "models/memory/random.h"

#define MEMO_LEAST 256u
#define MEMO_MOST  (UINT64_C(1) << 22)

static void
remember(struct cuckoo *cuckoo, const struct part *part, uint64_t key,
	 uint64_t *word)
{
	if (part == &cuckoo->part[0])
		*memo_at(cuckoo->memos, key) = (struct memo){ key, word };
}

/* It is no longer where it was. */
static void
forget(struct cuckoo *cuckoo, const struct part *part, uint64_t key)
{
	struct memo *memo = memo_at(cuckoo->memos, key);

	if (part == &cuckoo->part[0] && memo->key == key)
		*memo = (struct memo){ .key = 0 };
}

int
cuckoo_grow_memo(struct cuckoo *cuckoo)
{
	struct memo *old = cuckoo->memos.memo;
	uint64_t n = old ? cuckoo->memos.mask + 1 : 0;
	uint64_t more = n ? 2 * n : MEMO_LEAST;
	struct memo *memo = table_array(more, sizeof(*memo));

	if (!memo)
		return -ENOMEM;
	cuckoo->memos = (struct memos){ memo, more - 1 };
	for (uint64_t i = 0; i < n; i++)
		if (old[i].key)
			*memo_at(cuckoo->memos, old[i].key) = old[i];
	free(old);
	return 0;
}

struct spot
cuckoo_find_entry(const struct cuckoo *cuckoo, const struct part *part,
		  uint64_t key, unsigned *way)
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

void
cuckoo_fini_part(struct cuckoo *cuckoo, struct part *part)
{
	for (unsigned i = 0; i < cuckoo->ways; i++) {
		array_close(cuckoo, &part->way[i].now);
		array_close(cuckoo, &part->way[i].next);
	}
}

int
cuckoo_open_part(struct cuckoo *cuckoo, struct part *part)
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
move_slots(struct cuckoo *cuckoo, struct part *part, unsigned w, uint64_t n)
{
	struct way *way = &part->way[w];
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
		remember(cuckoo, part, *to.key, to.word);
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
		remember(cuckoo, part, entry->key, at.word);
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

		if (way == WAYS_MAX) {
			forget(cuckoo, part, entry->key);
			return -ENOMEM;
		}
		cuckoo->full++;
		move_slots(cuckoo, part, way, UINT64_MAX);
	}
	part->n++;
	return 0;
}

/* The words of the entry of a key, or NULL. */
static uint64_t *
find_words(struct cuckoo *cuckoo, const struct part *part, uint64_t key)
{
	const struct memo *memo = memo_at(cuckoo->memos, key);
	uint64_t *word;
	unsigned way;

	if (part == &cuckoo->part[0] && likely(memo->key == key))
		return memo->word;
	word = cuckoo_find_entry(cuckoo, part, key, &way).word;
	if (word)
		remember(cuckoo, part, key, word);
	return word;
}

static uint64_t *
cuckoo_find(struct leaves *leaves, uint64_t address, unsigned code)
{
	struct cuckoo *cuckoo = (struct cuckoo *)leaves;
	const struct part *part = &cuckoo->part[code];
	uint64_t *word = find_words(cuckoo, part, key_of(part, address));

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
	uint64_t *found;
	int error = 0;

	if (!part->slots)
		error = cuckoo_open_part(cuckoo, part);
	if (error)
		return error;
	found = find_words(cuckoo, part, key);
	if (found) {
		found[word_of(cuckoo, address, code)] = word;
		return 0;
	}
	if ((double)part->n + 1 > cuckoo->load * (double)part->slots &&
	    begin_resizing(cuckoo, part) == WAYS_MAX)
		return -ENOMEM;
	for (unsigned i = 0; i < cuckoo->ways; i++)
		if (part->way[i].next.key)
			move_slots(cuckoo, part, i, cuckoo->moves);
	if (cuckoo->part[0].n * 2 > cuckoo->memos.mask &&
	    cuckoo->memos.mask < MEMO_MOST)
		(void)cuckoo_grow_memo(cuckoo); /* or it is as it was */
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

	spot = cuckoo_find_entry(cuckoo, part, key_of(part, address), &way);
	spot.word[word_of(cuckoo, address, code)] = 0;
	for (unsigned i = 0; i < cuckoo->pages; i++)
		any |= spot.word[i];
	if (any)
		return;
	*spot.key = 0;
	forget(cuckoo, part, key_of(part, address));
	part->n--;
}

const struct leaves_ops cuckoo_leaves = {
	.find = cuckoo_find,
	.insert = cuckoo_insert,
	.remove = cuckoo_remove,
};
