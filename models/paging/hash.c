// SPDX-License-Identifier: GPL-2.0-or-later
#include "models/paging/hash.h"

#include <stdlib.h>

#define HASH_ROOM_FIRST 16

static size_t
home(const struct hash *hash, uint64_t key)
{
	/* Fibonacci hashing: the high bits of the product are well mixed. */
	uint64_t product = key * UINT64_C(0x9e3779b97f4a7c15);

	return (product >> 32 ^ product >> 12) & (hash->room - 1);
}

void
hash_fini(struct hash *hash)
{
	free(hash->slot);
	*hash = (struct hash){ 0 };
}

/* The key's slot, or the empty one where it would go. */
static struct hash_slot *
probe(const struct hash *hash, uint64_t key)
{
	size_t i = home(hash, key);

	while (hash->slot[i].key && hash->slot[i].key != key + 1)
		i = (i + 1) & (hash->room - 1);
	return &hash->slot[i];
}

uint64_t *
hash_find(const struct hash *hash, uint64_t key)
{
	struct hash_slot *slot;

	if (!hash->n)
		return NULL;
	slot = probe(hash, key);
	return slot->key ? &slot->value : NULL;
}

static int
hash_grow(struct hash *hash)
{
	struct hash bigger = { .room = hash->room ? hash->room * 2
						  : HASH_ROOM_FIRST };

	bigger.slot = calloc(bigger.room, sizeof(*bigger.slot));
	if (!bigger.slot)
		return -ENOMEM;
	for (size_t i = 0; i < hash->room; i++)
		if (hash->slot[i].key)
			*probe(&bigger, hash->slot[i].key - 1) = hash->slot[i];
	bigger.n = hash->n;
	free(hash->slot);
	*hash = bigger;
	return 0;
}

int
hash_put(struct hash *hash, uint64_t key, uint64_t value)
{
	uint64_t *known = hash_find(hash, key);

	if (known) {
		*known = value;
		return 0;
	}
	if ((hash->n + 1) * 4 > hash->room * 3 && hash_grow(hash) < 0)
		return -ENOMEM;
	*probe(hash, key) = (struct hash_slot){ key + 1, value };
	hash->n++;
	return 0;
}

bool
hash_remove(struct hash *hash, uint64_t key)
{
	size_t mask = hash->room - 1, hole;
	struct hash_slot *slot;

	if (!hash->n)
		return false;
	slot = probe(hash, key);
	if (!slot->key)
		return false;
	/* Move back those that probed past the hole. */
	hole = (size_t)(slot - hash->slot);
	for (size_t i = (hole + 1) & mask; hash->slot[i].key;
	     i = (i + 1) & mask) {
		size_t wanted = home(hash, hash->slot[i].key - 1);

		if (((i - wanted) & mask) >= ((i - hole) & mask)) {
			hash->slot[hole] = hash->slot[i];
			hole = i;
		}
	}
	hash->slot[hole].key = 0;
	hash->n--;
	return true;
}

static int
by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

int64_t
hash_keys(const struct hash *hash, uint64_t first, uint64_t last,
	  uint64_t **keys)
{
	int64_t n = 0;

	*keys = NULL;
	if (!hash->n || first > last)
		return 0;
	*keys = malloc(hash->n * sizeof(**keys));
	if (!*keys)
		return -ENOMEM;
	if (last - first < hash->n) {
		for (uint64_t key = first;; key++) {
			if (hash_find(hash, key))
				(*keys)[n++] = key;
			if (key == last)
				break;
		}
	} else {
		for (size_t i = 0; i < hash->room; i++) {
			uint64_t key = hash->slot[i].key - 1;

			if (hash->slot[i].key && key >= first && key <= last)
				(*keys)[n++] = key;
		}
		qsort(*keys, (size_t)n, sizeof(**keys), by_number);
	}
	if (n == 0) {
		free(*keys);
		*keys = NULL;
	}
	return n;
}
