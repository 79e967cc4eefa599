/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From what a machine counted by number (models/analysis/who.h) to tables with
 * names, who.function, who.line, ..., each of which adds up to the run's
 * totals: what is not told apart is its last row, "(the rest)".
 */
#ifndef REPORTS_WHO_TABLES_H
#define REPORTS_WHO_TABLES_H

#include "reports/symbols.h"

/* Replaces who.counts, who.objects and who.paths of a result, if it has them.
 * 0 or -ENOMEM (unsaid). */
int who_tables(struct symbols *symbols, const struct stream *stream,
	       struct result *result);

/* Counts of a row, as columns of these tables and of who.counts. */
enum who_column {
	WHO_L1D,
	WHO_L1I,
	WHO_L2,
	WHO_WALKS,
	WHO_CYCLES,
	WHO_MINOR,
	WHO_MAJOR,
	WHO_COLUMNS,
};
extern const char *const who_columns[WHO_COLUMNS]; /* "name:unit" */

#define WHO_REST "(the rest)"

#endif
