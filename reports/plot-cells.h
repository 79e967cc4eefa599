/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Figures that are matrices of cells over the run, dark is little. */
#ifndef REPORTS_PLOT_CELLS_H
#define REPORTS_PLOT_CELLS_H

#include "analyzer/base.h"

#include <stdio.h>

struct plot_cells {
	size_t rows, columns; /* up, and right */
	double width;	      /* accesses of a column */
};

/* A whole matrix, as gnuplot's images want: middle, row, value; NaN for 0.
 * cell: [rows * columns] */
void plot_cells_write(const struct plot_cells *cells, const double *cell,
		      FILE *data);
/* Ranges, axes but the one upwards, and the palette */
void plot_cells_begin(const struct plot_cells *cells, FILE *script);
/* The picture, for each kind of terminal */
void plot_cells_draw(FILE *script);

/* Lines of a script: the palette viridis, dark is little */
extern const char plot_viridis[];

#endif
