/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The entries of hashed tables and where they lie: what the files of hashed.c
 * have in common. */
#ifndef MODELS_TABLES_HASHED_SLOTS_H
#define MODELS_TABLES_HASHED_SLOTS_H

#include "models/tables/leaves.h"

#define PAGES_MAX  32u
#define PROBES_MAX 256u
#define LINE	   64u
#define POOL_PAGE  4096u

/* The pool of chained entries: number 0 stands for none. */
struct pool {
	uint64_t *words;	   /* owned: by number */
	uint64_t *physical;	   /* owned: of each page of them */
	uint32_t used, room, free; /* free: first of a list */
	size_t pages;
};

/* The table of one size. */
struct part {
	unsigned shift; /* log2 of the bytes that an entry is about */
	unsigned slots_shift;
	uint64_t n;	/* entries */
	uint64_t *slot; /* owned: stride words each; or heads, of one word */
	struct table_extent memory;
	struct pool pool;
};

struct hashed {
	struct leaves leaves;
	struct part part[LEAF_SIZES];
	bool chained, apart, large_first;
	unsigned pages_shift, pages;
	unsigned stride;       /* words that we keep of an entry */
	unsigned stride_shift; /* its factor of two; its odd one's inverse */
	uint64_t stride_inverse;
	unsigned first;	      /* word of its first page */
	unsigned entry_bytes; /* of the modelled one */
	unsigned page_offset; /* in it, of the first page's word */
	unsigned probes;
	double load;
};

static ALWAYS_INLINE struct hashed *
hashed_of(struct table *table)
{
	return (struct hashed *)table;
}

static ALWAYS_INLINE uint64_t
key_of(const struct part *part, uint64_t address)
{
	return (address >> part->shift) + 1;
}

static ALWAYS_INLINE uint64_t
slots_of(const struct part *part)
{
	return UINT64_C(1) << part->slots_shift;
}

static ALWAYS_INLINE uint64_t
home_of(const struct part *part, uint64_t key)
{
	return leaves_hash(key) & (slots_of(part) - 1);
}

/* The word of this page in its entry. */
static ALWAYS_INLINE unsigned
word_of(const struct hashed *hashed, uint64_t address, unsigned code)
{
	return hashed->first +
	       ((unsigned)(address >> hashed->leaves.shift[code]) &
		(hashed->pages - 1));
}

static ALWAYS_INLINE uint64_t *
pool_entry(const struct hashed *hashed, const struct part *part, uint64_t i)
{
	return part->pool.words + i * hashed->stride;
}

static ALWAYS_INLINE uint64_t
pool_physical(const struct hashed *hashed, const struct part *part, uint64_t i)
{
	unsigned per_page = POOL_PAGE / hashed->entry_bytes;

	return part->pool.physical[i / per_page] +
	       i % per_page * hashed->entry_bytes;
}

/* Words that we keep of a slot; bytes of a modelled one. */
static ALWAYS_INLINE unsigned
slot_words(const struct hashed *hashed)
{
	return hashed->apart ? 1 : hashed->stride;
}

static ALWAYS_INLINE unsigned
slot_bytes(const struct hashed *hashed)
{
	return hashed->apart ? 8 : hashed->entry_bytes;
}

/* Where an entry was found: the modelled memory of it, and ours. */
struct spot {
	uint64_t *entry; /* NULL: not there */
	uint64_t slot;	 /* of the array; chained: its number in the pool, or
			  * 0 */
	uint64_t probes; /* entries looked at, this one too */
};

struct spot hashed_find_entry(const struct hashed *hashed,
			      const struct part *part, uint64_t key);

/* The slots of a part that has none.  0 or -ENOMEM (said). */
int hashed_part_slots(struct hashed *hashed, struct part *part,
		      unsigned slots_shift);
void hashed_part_fini(struct hashed *hashed, struct part *part);

extern const struct leaves_ops hashed_leaves;

/* As those of struct table_ops: hashed-walk.c. */
unsigned hashed_walk(struct table *table, uint64_t address,
		     struct table_reference *references,
		     struct mapping *mapping);
unsigned hashed_walk_from(struct table *table, uint64_t address, unsigned from,
			  struct table_reference *references,
			  struct mapping *mapping);
unsigned hashed_look(struct table *table, const uint64_t *address, unsigned n,
		     const struct table_looks *looks);
unsigned hashed_walk_looked(struct table *table, struct table_walks *walks);
void hashed_prefetch(const struct table *table, const uint64_t *address,
		     unsigned n);

#endif
