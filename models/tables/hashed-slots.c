// SPDX-License-Identifier: GPL-2.0-or-later
/* Entries of hashed tables come, go, and move into a larger table; see hashed.c. */
#include "models/tables/hashed-slots.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

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

void
hashed_part_fini(struct hashed *hashed, struct part *part)
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

int
hashed_part_slots(struct hashed *hashed, struct part *part,
		  unsigned slots_shift)
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

struct spot
hashed_find_entry(const struct hashed *hashed, const struct part *part,
		  uint64_t key)
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
		error = hashed_part_slots(hashed, part, shift);
		if (error) {
			*part = old;
			return error;
		}
		if (move_all(hashed, part, &old))
			break;
		hashed_part_fini(hashed, part);
		if (shift > old.slots_shift + 8) {
			*part = old;
			return fail(ENOMEM, "hashed table: no memory for its "
					    "entries, or table.hashed.probes "
					    "is too small");
		}
	}
	hashed->leaves.table.counts.moves += part->n;
	hashed->leaves.table.counts.resizes++;
	hashed_part_fini(hashed, &old);
	return 0;
}

static uint64_t *
hashed_find(struct leaves *leaves, uint64_t address, unsigned code)
{
	struct hashed *hashed = (struct hashed *)leaves;
	const struct part *part = &hashed->part[code];
	uint64_t *entry =
		hashed_find_entry(hashed, part, key_of(part, address)).entry;

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
		error = hashed_part_slots(hashed, part, part->slots_shift);
	if (error)
		return error;
	entry = hashed_find_entry(hashed, part, key).entry;
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
	struct spot spot = hashed_find_entry(hashed, part, key);

	assert(spot.entry); /* only what is there is removed */
	spot.entry[word_of(hashed, address, code)] = 0;
	if (!is_empty(hashed, spot.entry))
		return;
	part->n--;
	if (hashed->chained)
		remove_chained(hashed, part, key);
	else
		remove_open(hashed, part, spot.slot);
}

const struct leaves_ops hashed_leaves = {
	.find = hashed_find,
	.insert = hashed_insert,
	.remove = hashed_remove,
};
