/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration of the hashed table, for those who compose an option tree. */
#ifndef MODELS_TABLES_HASHED_H
#define MODELS_TABLES_HASHED_H

#include "analyzer/option.h"

enum hashed_collisions {
	HASHED_CHAINED,
	HASHED_OPEN, /* linear probes */
};

enum hashed_heads {
	HASHED_INLINE, /* a chain's first entry lies in the array */
	HASHED_APART,  /* the array holds pointers */
};

enum hashed_order {
	HASHED_SMALL_FIRST,
	HASHED_LARGE_FIRST,
};

struct hashed_config {
	int collisions, heads, order;
	int64_t pages;	 /* of an entry, a power of two */
	double load;	 /* entries a slot, at most */
	int64_t entries; /* slots at first, a power of two */
	int64_t probes;	 /* entries that a walk looks at, at most */
};

extern const struct option_row hashed_rows[];

#endif
