// SPDX-License-Identifier: GPL-2.0-or-later
/* Mapping and unmapping of tables that keep one entry a page; see leaves.h. */
#include "models/tables/leaves.h"

#include "analyzer/fail.h"
#include "models/tables/tables.h"
#include "models/translation/tlb.h"

static struct leaves *
leaves_of(struct table *table)
{
	return (struct leaves *)table;
}

void
leaves_init(struct leaves *leaves, const struct leaves_ops *ops,
	    const struct table_with *with)
{
	leaves->ops = ops;
	leaves->granule = tables_granule(with->config);
	for (unsigned code = 0; code < LEAF_SIZES; code++)
		leaves->shift[code] = tlb_page_shift(leaves->granule, code);
}

void
leaves_fini(struct leaves *leaves)
{
	for (unsigned code = 0; code < LEAF_SIZES; code++)
		present_fini(&leaves->present[code]);
	table_memory_fini(&leaves->table.memory);
}

uint64_t *
leaves_find(struct leaves *leaves, uint64_t address, unsigned *code)
{
	for (*code = 0; *code < LEAF_SIZES; ++*code) {
		uint64_t *entry =
			leaves->present[*code].n
				? leaves->ops->find(leaves, address, *code)
				: NULL;

		if (entry)
			return entry;
	}
	return NULL;
}

static int
add(struct leaves *leaves, uint64_t address, unsigned code, uint64_t entry)
{
	int error = leaves->ops->insert(leaves, address, code, entry);

	if (error)
		return error;
	if (present_add(&leaves->present[code],
			address >> leaves->shift[code])) {
		leaves->ops->remove(leaves, address, code);
		return fail(ENOMEM, "%s table: no memory",
			    leaves->table.ops->name);
	}
	leaves->table.counts.map_writes++;
	return 0;
}

static void
drop(struct leaves *leaves, uint64_t address, unsigned code)
{
	leaves->ops->remove(leaves, address, code);
	present_remove(&leaves->present[code], address >> leaves->shift[code]);
	leaves->table.counts.unmap_writes++;
}

/* A page becomes some of the next smaller size.  0, -ENOMEM (said): then some
 * are missing. */
static int
split(struct leaves *leaves, uint64_t address, unsigned code)
{
	uint64_t start = address >> leaves->shift[code] << leaves->shift[code];
	uint64_t entry = *leaves->ops->find(leaves, address, code);
	uint64_t step = UINT64_C(1) << leaves->shift[code - 1];
	uint64_t parts = UINT64_C(1)
			 << (leaves->shift[code] - leaves->shift[code - 1]);
	int error = 0;

	drop(leaves, start, code);
	for (uint64_t i = 0; !error && i < parts; i++)
		error = add(leaves, start + i * step, code - 1,
			    entry + i * step);
	return error;
}

/* No smaller page is left in the range of one that comes in. */
static void
drop_smaller(struct leaves *leaves, uint64_t start, unsigned code)
{
	uint64_t last = start + ((UINT64_C(1) << leaves->shift[code]) - 1);

	while (code--) {
		unsigned shift = leaves->shift[code];
		struct present *present = &leaves->present[code];
		uint64_t page = present_next(present, start >> shift);

		for (; page <= last >> shift;
		     page = present_next(present, page + 1))
			drop(leaves, page << shift, code);
	}
}

int
leaves_map(struct table *table, uint64_t address, const struct mapping *mapping)
{
	struct leaves *leaves = leaves_of(table);
	unsigned code = tlb_page_code(leaves->granule, mapping->shift);
	uint64_t entry = mapping->frame | LEAF_THERE |
			 (mapping->writable ? LEAF_WRITABLE : 0) |
			 (mapping->global ? LEAF_GLOBAL : 0);
	uint64_t *old;

	for (unsigned larger = LEAF_SIZES - 1; larger > code; larger--)
		if (leaves->present[larger].n &&
		    leaves->ops->find(leaves, address, larger)) {
			int error = split(leaves, address, larger);

			if (error)
				return error;
		}
	old = leaves->present[code].n ? leaves->ops->find(leaves, address, code)
				      : NULL;
	if (old && leaves->ops->by_frame &&
	    (*old & ~TABLE_BITS) != mapping->frame) {
		drop(leaves, address, code);
	} else if (old) {
		*old = entry;
		table->counts.map_writes++;
		return 0;
	}
	drop_smaller(leaves, address, code);
	return add(leaves, address, code, entry);
}

void
leaves_unmap(struct table *table, uint64_t address, uint64_t length,
	     bool free_tables,
	     void (*gone)(void *context, uint64_t address,
			  const struct mapping *mapping),
	     void *context)
{
	struct leaves *leaves = leaves_of(table);
	uint64_t last = address + (length - 1);

	(void)free_tables;
	if (!length)
		return;
	if (last < address)
		last = UINT64_MAX;
	for (unsigned code = LEAF_SIZES; code--;) {
		unsigned shift = leaves->shift[code];
		struct present *present = &leaves->present[code];
		uint64_t page = present_next(present, address >> shift);

		for (; page <= last >> shift;
		     page = present_next(present, page + 1)) {
			uint64_t start = page << shift;
			uint64_t end = start + ((UINT64_C(1) << shift) - 1);
			struct mapping mapping =
				leaves_mapping(leaves,
					       leaves->ops->find(leaves, start,
								 code),
					       code);

			/* The least, or where memory is full: as a whole. */
			if (code && (start < address || end > last) &&
			    !split(leaves, start, code))
				continue;
			if (leaves->ops->find(leaves, start, code))
				drop(leaves, start, code);
			if (gone)
				gone(context, start, &mapping);
		}
	}
}
