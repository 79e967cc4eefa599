/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table `sweep' of a sweep's document: rows of points, with columns of
 * what came of them, of parameters and of figures.  Borrowed of the result.
 */
#ifndef REPORTS_SWEEP_TABLE_H
#define REPORTS_SWEEP_TABLE_H

#include "reports/view.h"

#define SWEEP_AXES_MOST	  12
#define SWEEP_VALUES_MOST 1000

struct sweep_axis_view {
	int column;
	const char *name;
	bool number;	  /* all of its values are */
	bool repetitions; /* traces or seeds: the same thing several times */
	size_t n;
	const json_t *value[SWEEP_VALUES_MOST]; /* in order of the points */
};

struct sweep_table {
	struct view_table table;
	int point, status, reason;
	size_t n_axes;
	struct sweep_axis_view *axis; /* owned */
	int first_figure;	      /* column; n_columns: there are none */
};

/* 0; -ENOENT (unsaid): it is no sweep's; -ENOMEM (said).  To be closed. */
int sweep_table_open(struct sweep_table *sweep, const struct result *result);
void sweep_table_close(struct sweep_table *sweep);

/* Which value of the axis a row has */
size_t sweep_table_value(const struct sweep_table *sweep, size_t row,
			 size_t axis);
/* Is there a number of this figure? */
bool sweep_table_figure(const struct sweep_table *sweep, size_t row, int column,
			double *value);
/* A value as it is written */
void sweep_table_text(const json_t *value, char *text, size_t bytes);
/* The column of a figure by its name, or -1; NULL: the first that users ask
 * for and that differs among points. */
int sweep_table_find(const struct sweep_table *sweep, const char *figure);

/* What was chosen of plots (x, series, figure), or NULL */
const char *sweep_table_choice(const struct result *result, const char *name);
/* The axis of this name; n_axes: there is none, or no name. */
size_t sweep_table_axis(const struct sweep_table *sweep, const char *name);
/* The axis to draw along, but this one: of numbers before words, of many
 * values before few, of repetitions last.  n_axes: none has two values. */
size_t sweep_table_best(const struct sweep_table *sweep, size_t except);

#endif
