/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table from number to number: open addressing, linear probes, at most 3/4
 * full, 16 bytes a slot.  For what is kept by frame or by page number.
 */
#ifndef MODELS_PAGING_HASH_H
#define MODELS_PAGING_HASH_H

#include "analyzer/base.h"

struct hash_slot {
	uint64_t key; /* plus 1; 0: empty */
	uint64_t value;
};

/* Zeroed memory is an empty table. */
struct hash {
	struct hash_slot *slot; /* owned */
	size_t n, room;		/* room: slots, 0 or a power of two */
};

void hash_fini(struct hash *hash);

/* Where the value of a key is, or NULL.  Good until the next change. */
uint64_t *hash_find(const struct hash *hash, uint64_t key);
/* Add or change; key below UINT64_MAX.  0 or -ENOMEM (unsaid). */
int hash_put(struct hash *hash, uint64_t key, uint64_t value);
/* true if it was there. */
bool hash_remove(struct hash *hash, uint64_t key);

/*
 * The keys in [first, last], ascending, in a new array that the caller frees
 * (NULL if there are none).  Their number, or -ENOMEM (unsaid).
 */
int64_t hash_keys(const struct hash *hash, uint64_t first, uint64_t last,
		  uint64_t **keys);

#endif
