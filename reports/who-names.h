/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names for the rows of who.counts; each instruction, object and path is looked
 * up once. */
#ifndef REPORTS_WHO_NAMES_H
#define REPORTS_WHO_NAMES_H

#include "reports/who-tables.h"

struct who_names;

/* All borrowed of the names, until the next row; NULL: not told apart, or there
 * is none. */
struct who_row_names {
	size_t number;
	const char *function, *file, *line;
	const char *object, *kind, *object_file;
	const char *mapping, *thread, *process, *from, *node;
	struct who_names *names;
	uint64_t bytes, times; /* of the object */
	size_t path;	       /* 0: none */
	uint64_t count[WHO_COLUMNS];
};

/* For a result with who.counts.  0 or -ENOMEM (unsaid). */
int who_names_open(struct who_names **out, struct symbols *symbols,
		   const struct stream *stream, const struct result *result);
void who_names_close(struct who_names *names);
/* False: there is no row i. */
bool who_names_row(struct who_names *names, size_t i,
		   struct who_row_names *row);

/* The call site that a path ends with, and the path without it. */
const struct symbols_named *who_names_frame(struct who_names *names,
					    size_t path);
size_t who_names_parent(const struct who_names *names, size_t path);

/* The functions on the row's path and its own, joined by semicolons; "" where
 * functions are not told apart.  NULL: no memory. */
const char *who_names_stack(const struct who_row_names *row);

/* Value who.line.missing: files without line information and the cycles of
 * their walks, if lines were asked for.  0 or -ENOMEM. */
int who_names_lines(struct who_names *names, struct result *result);

#endif
