/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration of the elastic cuckoo table, for those who compose an option
 * tree. */
#ifndef MODELS_TABLES_CUCKOO_H
#define MODELS_TABLES_CUCKOO_H

#include "analyzer/option.h"

struct cuckoo_config {
	int64_t ways;
	int64_t pages;		/* of an entry, a power of two */
	int64_t entries;	/* slots of a way at first, a power of two */
	double load;		/* entries a slot, of all ways, at most */
	int64_t evictions;	/* of an insertion, at most */
	int64_t moves;		/* slots of a way in resizing, an insertion */
	int64_t cwc_2m, cwc_1g; /* entries of the walk caches; 0: none */
	bool beside;		/* probes of a walk are made at the same time */
};

extern const struct option_row cuckoo_rows[];

#endif
