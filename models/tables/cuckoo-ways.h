/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ways of elastic cuckoo tables and where entries are in them: what the
 * files of cuckoo.c have in common.
 */
#ifndef MODELS_TABLES_CUCKOO_WAYS_H
#define MODELS_TABLES_CUCKOO_WAYS_H

#include "models/tables/leaves.h"

#define WAYS_MAX  8u
#define PAGES_MAX 8u
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

/*
 * Where an entry of 4K pages is, found without a hash: neighbours lie side by side
 * here.  As many as entries, two times over or more.  Who finds an entry the long
 * way keeps it; who moves one or takes it away says so.
 */
struct memo {
	uint64_t key; /* 0: nothing */
	uint64_t *word;
};
struct memos {
	struct memo *memo; /* owned: mask + 1 of them */
	uint64_t mask;
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
	struct memos memos;
};

static ALWAYS_INLINE uint64_t
key_of(const struct part *part, uint64_t address)
{
	return (address >> part->shift) + 1;
}

static ALWAYS_INLINE unsigned
word_of(const struct cuckoo *cuckoo, uint64_t address, unsigned code)
{
	return (unsigned)(address >> cuckoo->leaves.shift[code]) &
	       (cuckoo->pages - 1);
}

/* Where a key of 4K pages would be remembered. */
static ALWAYS_INLINE struct memo *
memo_at(const struct memos memos, uint64_t key)
{
	return &memos.memo[(key ^ key >> 15 ^ key >> 30) & memos.mask];
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
struct spot cuckoo_find_entry(const struct cuckoo *cuckoo,
			      const struct part *part, uint64_t key,
			      unsigned *way);

/* 0 or -ENOMEM (said). */
int cuckoo_open_part(struct cuckoo *cuckoo, struct part *part);
void cuckoo_fini_part(struct cuckoo *cuckoo, struct part *part);
/* More room to remember.  0 or -ENOMEM (unsaid): then it is as it was. */
int cuckoo_grow_memo(struct cuckoo *cuckoo);

extern const struct leaves_ops cuckoo_leaves;

/* As those of struct table_ops. */
unsigned cuckoo_walk(struct table *table, uint64_t address,
		     struct table_reference *references,
		     struct mapping *mapping);
unsigned cuckoo_walk_from(struct table *table, uint64_t address, unsigned from,
			  struct table_reference *references,
			  struct mapping *mapping);
unsigned cuckoo_look(struct table *table, const uint64_t *address, unsigned n,
		     const struct table_looks *looks);
unsigned cuckoo_walk_looked(struct table *table, struct table_walks *walks);
void cuckoo_prefetch(const struct table *table, const uint64_t *address,
		     unsigned n);

#endif
