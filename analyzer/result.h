/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one result document (schema and man page in reports/): values with
 * dotted names and units, tables, histograms and series.  Models fill it,
 * renderers read it, files keep it as JSON with sorted, stable text.
 *
 * Document:
 *   { "pagescope": VERSION, "schema": 1, "partial": null or "why",
 *     "provenance": {...}, "options": { "tlb.l1d.entries": "64", ... },
 *     "values": { "tlb.l1d.misses": {"value": 12, "unit": "accesses"},
 *                 "x.y": {"value": null, "reason": "..."} },
 *     "tables": { "functions": {"columns": [{"name","unit"}..],
 *                               "rows": [[...], ...], "help": "..."} } }
 *
 * Histograms and time series are tables too.  A name's first use fixes its
 * place.  All calls return 0 or -ENOMEM unless they say otherwise.
 */
#ifndef ANALYZER_RESULT_H
#define ANALYZER_RESULT_H

#include "analyzer/base.h"

#include <jansson.h>

struct result;

int result_open(struct result **out);
void result_close(struct result *result);

/* Whole numbers are exact to 2^63; reals print with 17 digits at most. */
int result_count(struct result *result, const char *name, uint64_t value,
		 const char *unit);
int result_real(struct result *result, const char *name, double value,
		const char *unit);
int result_text(struct result *result, const char *name, const char *value);
/* A value that this run cannot give, and why: null, never 0. */
int result_absent(struct result *result, const char *name, const char *reason);
/* The whole document covers only part of the run. */
int result_partial(struct result *result, const char *reason);

/* One effective option, as option_print gives it. */
int result_option(struct result *result, const char *name, const char *value);
/* Provenance: takes the reference to value. */
int result_provenance(struct result *result, const char *name, json_t *value);

/*
 * A table: columns "name:unit" (unit may be empty), ended by NULL.  Then rows
 * with one letter a column: 's' const char *, 'u' uint64_t, 'd' double,
 * 'n' nothing (null; consumes no argument).
 */
int result_table(struct result *result, const char *name, const char *help,
		 const char *const *columns);
int result_row(struct result *result, const char *table, const char *letters,
	       ...);

/* The document, borrowed: for renderers. */
json_t *result_json(struct result *result);

/* Read a document; says file and place of what is wrong.  -EINVAL, -errno */
int result_read(struct result **out, const char *path);
/* Write it, sorted and indented; "-" is stdout. */
int result_write(const struct result *result, const char *path);

#endif
