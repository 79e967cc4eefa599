/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking into a result document: what renderers ask of it.  All that is
 * returned is borrowed from the result.
 */
#ifndef REPORTS_VIEW_H
#define REPORTS_VIEW_H

#include "analyzer/result.h"

/* The number of this value.  False: unknown, null or a text. */
bool view_value(const struct result *result, const char *name, double *value);
/* The number, or 0 where there is none. */
double view_or_zero(const struct result *result, const char *name);
/* The text of this value; "" where there is none. */
const char *view_string(const struct result *result, const char *name);
/* What this option was set to; "" where there is none. */
const char *view_option(const struct result *result, const char *name);
/* Why the value is null; NULL: it is not, or nobody put it. */
const char *view_reason(const struct result *result, const char *name);
/* Why the whole is partial, or NULL. */
const char *view_partial(const struct result *result);

struct view_table {
	const char *name, *help;
	const json_t *columns, *rows;
	size_t n_columns, n_rows;
};

/* False: there is no such table (which is then empty). */
bool view_table(const struct result *result, const char *name,
		struct view_table *out);
/* Number of the column, or -1. */
int view_column(const struct view_table *table, const char *name);
const char *view_column_name(const struct view_table *table, size_t column);
/* The unit of the column, or "". */
const char *view_column_unit(const struct view_table *table, size_t column);
const json_t *view_cell(const struct view_table *table, size_t row, int column);
/* The cell's number ("0x..." texts too); 0 where there is none. */
double view_number(const struct view_table *table, size_t row, int column);
/* The same for addresses, exactly. */
uint64_t view_address(const struct view_table *table, size_t row, int column);
/* The cell's text; "" where there is none. */
const char *view_text(const struct view_table *table, size_t row, int column);
/* A number as a count: 0 for what is less or none, UINT64_MAX for what is more.
 * (A document may be anybody's.) */
uint64_t view_count(double number);
double view_sum(const struct view_table *table, int column);

/* Cycles of the walks that ended in a translation: what the rankings'
 * walk_cycles add up to. */
double view_walk_cycles(const struct result *result);

/* A class of page faults in words, from its name in the document: "cow" is
 * "copy on write"; a name that is not known comes back. */
const char *view_fault_class(const char *name);

/* Was the trace recorded by this engine? */
bool view_recorded_by(const struct result *result, const char *engine);

/* What the trace says of its host: "numa" is "nodes 0-1, balancing on"; "" when
 * unknown. */
const char *view_host(const struct result *result, const char *what);

/* The provenance's command line as one line of text; "" when unknown.
 * Returns the length as snprintf would. */
size_t view_command(const struct result *result, char *text, size_t bytes);
/* The base name of the recorded program, or "" */
size_t view_program(const struct result *result, char *text, size_t bytes);
/* The machine's name (its preset), or "" */
const char *view_machine(const struct result *result);

#endif
