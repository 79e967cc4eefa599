/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A table for a terminal: cells are collected, then each column gets the width
 * that it needs, and the one column that may shrink loses the middle of its
 * longest texts.
 */
#ifndef REPORTS_GRID_H
#define REPORTS_GRID_H

#include "analyzer/base.h"

#include <stdio.h>

struct grid;

/*
 * One letter a column: '<' left, '>' right, '~' left and may shrink.  The
 * first row that is added is the heading; a blank row is not printed.  NULL: no memory (unsaid).
 */
struct grid *grid_open(const char *letters);
void grid_close(struct grid *grid);

/* Append one cell; rows fill from left to right.  NULL text: "".  A failed
 * allocation is remembered and said by grid_print. */
void grid_add(struct grid *grid, const char *text);
void grid_addf(struct grid *grid, const char *format, ...) PRINTF_LIKE(2, 3);

/* Print with an indent of two, at most `width` columns where that can be.
 * 0 or -ENOMEM (unsaid). */
int grid_print(const struct grid *grid, FILE *file, unsigned width,
	       bool coloured);

#endif
