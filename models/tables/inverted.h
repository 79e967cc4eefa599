/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configuration of the inverted table, for those who compose an option tree. */
#ifndef MODELS_TABLES_INVERTED_H
#define MODELS_TABLES_INVERTED_H

#include "analyzer/option.h"

struct inverted_config {
	double anchors; /* a frame */
};

extern const struct option_row inverted_rows[];

#endif
