/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tables without levels have in common: each page has one entry, found by
 * its size and number; a page that is unmapped in part is split; a range is
 * forgotten page by page.  A kind gives find, insert and remove.
 *
 *	entry: frame | what struct table_looks says of a page's bits
 */
#ifndef MODELS_TABLES_LEAVES_H
#define MODELS_TABLES_LEAVES_H

#include "models/tables/present.h"
#include "models/tables/table.h"

#define LEAF_SIZES    3u
#define LEAF_THERE    UINT64_C(1)
#define LEAF_WRITABLE TABLE_WRITABLE
#define LEAF_GLOBAL   UINT64_C(4)
#define LEAF_ACCESSED UINT64_C(8)

struct leaves;

struct leaves_ops {
	/* The entry of a page of this size, or NULL; good until a change. */
	uint64_t *(*find)(struct leaves *leaves, uint64_t address,
			  unsigned code);
	/* One that is not there.  0 or -ENOMEM (said). */
	int (*insert)(struct leaves *leaves, uint64_t address, unsigned code,
		      uint64_t entry);
	/* One that is. */
	void (*remove)(struct leaves *leaves, uint64_t address, unsigned code);
	bool by_frame; /* where an entry lies depends on its frame */
};

/* The first member of each such kind. */
struct leaves {
	struct table table;
	const struct leaves_ops *ops;
	unsigned granule;
	unsigned shift[LEAF_SIZES]; /* of a page, by code: tlb_page_shift */
	struct present present[LEAF_SIZES]; /* by page number of that size */
};

/* After table_init. */
void leaves_init(struct leaves *leaves, const struct leaves_ops *ops,
		 const struct table_with *with);
void leaves_fini(struct leaves *leaves);

/* The entry of the page with this address and its size, or NULL. */
uint64_t *leaves_find(struct leaves *leaves, uint64_t address, unsigned *code);

/* As those of struct table_ops. */
int leaves_map(struct table *table, uint64_t address,
	       const struct mapping *mapping);
void leaves_unmap(struct table *table, uint64_t address, uint64_t length,
		  bool free_tables,
		  void (*gone)(void *context, uint64_t address,
			       const struct mapping *mapping),
		  void *context);

static inline struct mapping
leaves_mapping(const struct leaves *leaves, const uint64_t *entry,
	       unsigned code)
{
	if (!entry)
		return (struct mapping){ .shift = 0 };
	return (struct mapping){ .frame = *entry & ~TABLE_BITS,
				 .shift = (uint8_t)leaves->shift[code],
				 .writable = *entry & LEAF_WRITABLE,
				 .global = *entry & LEAF_GLOBAL,
				 .accessed = *entry & LEAF_ACCESSED };
}

/* As struct table_looks has it. */
static ALWAYS_INLINE uint64_t
leaves_page(uint64_t entry, unsigned code)
{
	return entry | (uint64_t)code << TABLE_CODE_SHIFT |
	       (uint64_t)code << TABLE_LEAF_SHIFT;
}

/* Walks one by one, as long as there is room: `one` puts the references of
 * number j where it is told and returns their number.  All of no level, and one
 * after the other. */
typedef unsigned leaves_one(struct table *table,
			    const struct table_walks *walks, unsigned j,
			    uint64_t *reference, uint8_t *level);

static ALWAYS_INLINE unsigned
leaves_count_each(struct table *table, struct table_walks *walks,
		  leaves_one *one)
{
	unsigned all = 0;

	for (unsigned k = 0; k < walks->n; k++) {
		unsigned j = walks->list[k];
		unsigned n =
			one(table, walks, j, walks->reference, walks->level);

		walks->references[j] = walks->steps[j] = (uint16_t)n;
		all += n;
	}
	walks->by_level[0] += all;
	walks->made = walks->n;
	return all;
}

static ALWAYS_INLINE unsigned
leaves_walk_each(struct table *table, struct table_walks *walks,
		 leaves_one *one)
{
	unsigned all = 0, k;

	if (walks->by_level)
		return leaves_count_each(table, walks, one);
	for (k = 0; k < walks->n && all + table->most <= walks->room; k++) {
		unsigned j = walks->list[k];
		unsigned n = one(table, walks, j, walks->reference + all,
				 walks->level + all);

		walks->references[j] = (uint16_t)n;
		all += n;
	}
	walks->made = k;
	return all;
}

/* An entry is walked to: was it never before? */
static ALWAYS_INLINE bool
leaves_touch(uint64_t *entry)
{
	if (likely(*entry & LEAF_ACCESSED))
		return false;
	*entry |= LEAF_ACCESSED;
	return true;
}

/* May it be that number j was never walked to?  What was looked for says so
 * without a look at the entry. */
static ALWAYS_INLINE bool
leaves_first(const struct table_walks *walks, unsigned j)
{
	return !(walks->looks.page[j] & LEAF_ACCESSED);
}

/* Full avalanche: what tables hash by. */
static ALWAYS_INLINE uint64_t
leaves_hash(uint64_t x)
{
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	x ^= x >> 32;
	x *= UINT64_C(0xd6e8feb86659fd93);
	return x ^ x >> 32;
}

#endif
