/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration of the radix table, for those who compose an option tree. */
#ifndef MODELS_TABLES_RADIX_H
#define MODELS_TABLES_RADIX_H

#include "analyzer/option.h"

struct table_ops;

struct radix_config {
	int64_t levels; /* 3 to 5 */
};

extern const struct option_row radix_rows[];
extern const struct table_ops radix_table;

#endif
