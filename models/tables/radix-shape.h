/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The radix table in other shapes: for kinds that are one. */
#ifndef MODELS_TABLES_RADIX_SHAPE_H
#define MODELS_TABLES_RADIX_SHAPE_H

#include "models/tables/table.h"

/*
 * A table of so many levels whose root has 2^root_bits entries (9 or 18), the
 * others 512.  0 or -ENOMEM (said).
 */
int radix_open_shape(struct table **out, const struct table_ops *ops,
		     const struct table_with *with, unsigned levels,
		     unsigned root_bits);

void radix_close(struct table *table);
unsigned radix_walk(struct table *table, uint64_t address,
		    struct table_reference *references,
		    struct mapping *mapping);
unsigned radix_walk_from(struct table *table, uint64_t address, unsigned from,
			 struct table_reference *references,
			 struct mapping *mapping);
unsigned radix_look(struct table *table, const uint64_t *address, unsigned n,
		    const struct table_looks *looks);
unsigned radix_walk_looked(struct table *table, struct table_walks *walks);
void radix_prefetch(const struct table *table, const uint64_t *address,
		    unsigned n);
int radix_map(struct table *table, uint64_t address,
	      const struct mapping *mapping);
void radix_unmap(struct table *table, uint64_t address, uint64_t length,
		 bool free_tables,
		 void (*gone)(void *context, uint64_t address,
			      const struct mapping *mapping),
		 void *context);
uint64_t radix_bytes(const struct table *table);

/* All of table_ops but the name and open. */
#define RADIX_METHODS                                                 \
	.close = radix_close, .walk = radix_walk,                     \
	.walk_from = radix_walk_from, .look = radix_look,             \
	.walk_looked = radix_walk_looked, .prefetch = radix_prefetch, \
	.map = radix_map, .unmap = radix_unmap, .bytes = radix_bytes

#endif
