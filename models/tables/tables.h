/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What page tables of all kinds are configured by: for kinds, and for who
 * composes a machine. */
#ifndef MODELS_TABLES_TABLES_H
#define MODELS_TABLES_TABLES_H

#include "models/tables/hashed.h"
#include "models/tables/radix.h"
#include "models/tables/table.h"

/* Of each kind that is a table by itself. */
struct kinds_config {
	struct radix_config radix;
	struct hashed_config hashed;
};

struct tables_config {
	struct kinds_config own; /* of the machine, or of its guest */
	struct table_memory_config memory;
};

extern const struct table_ops hashed_table;

/* The kind of this name, or NULL. */
const struct table_ops *table_find(const char *name);

#endif
