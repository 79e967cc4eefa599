/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AArch64's tables of granules of 16K and 64K: radix tables that others know as
 * radix_table.  No kind of their own: who composes a machine takes it for that one
 * where pages.granule says so.
 */
#ifndef MODELS_TABLES_GRANULE_H
#define MODELS_TABLES_GRANULE_H

#include "models/tables/table.h"

extern const struct table_ops granule_table;

/* Which bits of an address are whose. */
struct granule_shape {
	unsigned page;	 /* log2 of a page and of a table, in bytes: 14, 16 */
	unsigned bits;	 /* of an index below the root: page - 3 */
	unsigned levels; /* 16K: 3 or 4; 64K: 3 */
	unsigned root_bits; /* what is left of 47 or 48 */
};

/* levels: what table.levels says, 3 or 4. */
struct granule_shape granule_shape(unsigned page, unsigned levels);

#endif
