/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sites of a foreign trace, each known once by (pc, size, kind,
 * instructions).  Code runs in loops, so each entry remembers which one
 * followed it the last time: nine times in ten that is the answer, and the
 * hash table is not asked.
 */
#ifndef TRACES_SITES_H
#define TRACES_SITES_H

#include "analyzer/stream.h"

struct sites_entry {
	uint64_t pc;
	uint64_t key; /* size, instructions, kind: sites_key */
	uint32_t ref;
	uint32_t next; /* entry that followed */
};

struct sites {
	struct stream *stream;	   /* not owned */
	struct sites_entry *entry; /* owned, doubles */
	uint32_t *slot;		   /* owned hash table: entry + 1, or 0 */
	uint32_t n, max;	   /* entries; slots are 2 * max, 2^k */
	uint32_t last;
	int error; /* why SITES_FAILED */
};

#define SITES_FAILED UINT32_MAX /* no reference has this value */

/* 0 or -ENOMEM (said). */
int sites_init(struct sites *sites, struct stream *stream);
void sites_fini(struct sites *sites);

/* The reference by way of the hash table, added when new. */
uint32_t sites_search(struct sites *sites, uint64_t pc, uint64_t key);

static inline uint64_t
sites_key(uint32_t size, enum site_kind kind, unsigned instructions)
{
	return (uint64_t)size << 8 | instructions << 2 | kind;
}

/* The site reference; SITES_FAILED with sites->error set (said). */
static ALWAYS_INLINE uint32_t
sites_find(struct sites *sites, uint64_t pc, uint64_t key)
{
	uint32_t next = sites->entry[sites->last].next;
	const struct sites_entry *entry = &sites->entry[next];

	if (unlikely(entry->pc != pc || entry->key != key))
		return sites_search(sites, pc, key);
	sites->last = next;
	return entry->ref;
}

#endif
