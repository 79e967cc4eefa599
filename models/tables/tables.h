/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What page tables of all kinds are configured by: for kinds, and for who
 * composes a machine. */
#ifndef MODELS_TABLES_TABLES_H
#define MODELS_TABLES_TABLES_H

#include "models/tables/cuckoo.h"
#include "models/tables/flat.h"
#include "models/tables/granule.h"
#include "models/tables/hashed.h"
#include "models/tables/inverted.h"
#include "models/tables/nested.h"
#include "models/tables/radix.h"
#include "models/tables/table.h"

/* Of each kind that is a table by itself. */
struct kinds_config {
	struct radix_config radix;
	struct flat_config flat;
	struct hashed_config hashed;
	struct inverted_config inverted;
	struct cuckoo_config cuckoo;
};

struct tables_config {
	struct kinds_config own;  /* of the machine, or of its guest */
	struct kinds_config host; /* of what is below a guest */
	struct nested_config nested;
	struct tlb_config nested_array[NESTED_ARRAYS];
	struct shadow_config shadow;
	struct table_memory_config memory;
	/* of other groups, no options of their own */
	uint64_t memory_bytes; /* memory.size */
	unsigned granule;      /* log2 of the least page: 12, 14, 16; 0: 12 */
};

extern const struct table_ops hashed_table;
extern const struct table_ops flat_table;
extern const struct table_ops nested_table;
extern const struct table_ops shadow_table;
extern const struct table_ops cuckoo_table;
extern const struct table_ops inverted_table;

/* The kind of this name, or NULL. */
const struct table_ops *table_find(const char *name);
/* The same with pages of such a granule (0: 12). */
const struct table_ops *table_find_of(const char *name, unsigned granule);
static inline unsigned
tables_granule(const struct tables_config *config)
{
	return config->granule ? config->granule : 12;
}
/* Find the kinds that others are made of; of right names. */
void tables_resolve(struct tables_config *config);
/* References of a walk of n over one of m. */
static inline unsigned
tables_product(unsigned n, unsigned m)
{
	return (n + 1) * (m + 1) - 1;
}
/* The name under table.* of a field of a host's or merged kind. */
const char *tables_host_field(const char *field);
/* May this kind not be part of another?  As tlb_config_wrong. */
int tables_part_wrong(const char *name, char *text, size_t bytes);

#endif
