/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration of the flattened table, for those who compose an option tree. */
#ifndef MODELS_TABLES_FLAT_H
#define MODELS_TABLES_FLAT_H

#include "analyzer/option.h"

struct flat_config {
	int64_t levels; /* before its two upper ones are merged */
};

extern const struct option_row flat_rows[];

#endif
