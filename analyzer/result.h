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
 * Of several machines: the members above hold what is of all of them, and
 * "machines" is a list of { "name", "provenance", "options", "values",
 * "tables" }, one each, in the order in which they were asked for.
 *
 * Histograms and time series are tables too.  A name's first use fixes its
 * place.  All calls return 0 or -ENOMEM (unsaid) unless they say otherwise.
 */
#ifndef ANALYZER_RESULT_H
#define ANALYZER_RESULT_H

#include "analyzer/base.h"

#include <jansson.h>
#include <stdio.h>

#define RESULT_SCHEMA	    1
#define RESULT_MACHINES_MAX 256
#define RESULT_NUMBER_END   0x1p128 /* what is read is less than that */

struct result;

int result_open(struct result **out);
void result_close(struct result *result);

/*
 * Whole numbers are exact below 2^63 (above: the nearest real); reals print
 * with as few digits as give the same number back, 17 at most.  A real that
 * is not finite becomes null with that reason.
 */
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
 * with one letter a column: 's' const char * (NULL: null), 'u' uint64_t,
 * 'x' uint64_t as the text "0x7f..." (addresses: exact in every JSON reader),
 * 'd' double, 'n' nothing (null; consumes no argument).
 */
int result_table(struct result *result, const char *name, const char *help,
		 const char *const *columns);
int result_row(struct result *result, const char *table, const char *letters,
	       ...);

/*
 * One more machine, under a name of its own: what `one` holds of provenance,
 * options, values and tables.  0 or -ENOMEM.
 */
int result_machine_add(struct result *result, const char *name,
		       const struct result *one);
/* How many there are in the document; 0: it is that of one. */
size_t result_machines(const struct result *result);
const char *result_machine_name(const struct result *result, size_t i);
/*
 * The document of this machine alone, with what is of all of them; its
 * provenance.machine is { "name", ...}.  To be closed; shares the members, so
 * both are only to be read from now on.  0 or -ENOMEM.
 */
int result_machine(struct result **out, const struct result *result, size_t i);

/* The document, borrowed: for renderers. */
json_t *result_json(struct result *result);

/* A JSON text of any bytes: what is not UTF-8 becomes U+FFFD.  NULL: no memory.
 * For texts that go into result_provenance or stream_about. */
json_t *result_string(const char *text);

/* The shortest text that strtod takes back to value; returns its length. */
int result_real_print(double value, char *text, size_t text_bytes);

/* A result around a checked document, whose reference it takes on success. */
int result_adopt(struct result **out, json_t *document);

/*
 * Read a document ("-": stdin) and check all of it against the schema; says
 * file and place of what is wrong.  -EINVAL, -errno, -ENOMEM.
 */
int result_read(struct result **out, const char *path);
/* Write it, indented, in the order of first use; "-" is stdout.  -errno (said),
 * also for a full disk. */
int result_write(const struct result *result, const char *path);

/* What result_write writes, into an open file; the caller checks its end.
 * result_print_json: any value of it, on one line. */
void result_print(const struct result *result, FILE *file);
void result_print_json(const json_t *value, FILE *file);

#endif
