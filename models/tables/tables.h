/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What page tables of all kinds are configured by: for kinds, and for who
 * composes a machine. */
#ifndef MODELS_TABLES_TABLES_H
#define MODELS_TABLES_TABLES_H

#include "models/tables/cuckoo.h"
#include "models/tables/hashed.h"
#include "models/tables/inverted.h"
#include "models/tables/radix.h"
#include "models/tables/table.h"

/* Of each kind that is a table by itself. */
struct kinds_config {
	struct radix_config radix;
	struct hashed_config hashed;
	struct inverted_config inverted;
	struct cuckoo_config cuckoo;
};

struct tables_config {
	struct kinds_config own; /* of the machine, or of its guest */
	struct table_memory_config memory;
	uint64_t memory_bytes; /* memory.size; no option of its own */
};

extern const struct table_ops hashed_table;
extern const struct table_ops cuckoo_table;
extern const struct table_ops inverted_table;

/* The kind of this name, or NULL. */
const struct table_ops *table_find(const char *name);

#endif
