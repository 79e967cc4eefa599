// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The report of a sweep: how far it came, what is best, what each parameter
 * changes by itself, then the points, and those that are no machine.
 */
#include "reports/number.h"
#include "reports/sweep-table.h"
#include "reports/text-report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIGURES 5 /* side by side */
#define REASONS 8

static const char *const shown[] = {
	"translation.cycles", "walk.count",	      "walk.cycles",
	"fault.minor",	      "fault.major",	      "table.bytes.peak",
	"reclaim.evicted",    "footprint.bytes.peak",
};

struct sweep_text {
	struct text *text;
	struct sweep_table sweep;
	int figure[FIGURES]; /* columns */
	size_t n_figures;
	size_t *row; /* owned: of points with the first figure, least first */
	size_t n_rows;
};

static struct number
number_in(const struct sweep_text *all, int column, double value)
{
	const char *unit = view_column_unit(&all->sweep.table, (size_t)column);

	return !strcmp(unit, "bytes") ? number_bytes(value) : number_si(value);
}

static bool
varies(const struct sweep_text *all, int column)
{
	double least = HUGE_VAL, most = -HUGE_VAL, value;

	for (size_t i = 0; i < all->sweep.table.n_rows; i++)
		if (sweep_table_figure(&all->sweep, i, column, &value)) {
			least = fmin(least, value);
			most = fmax(most, value);
		}
	return least < most;
}

/* The figure by which points are ordered, then others that vary */
static void
choose_figures(struct sweep_text *all)
{
	int first = sweep_table_find(&all->sweep, NULL);

	if (first < 0)
		return;
	all->figure[all->n_figures++] = first;
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++) {
		int column = sweep_table_find(&all->sweep, shown[i]);

		if (all->n_figures < FIGURES && column >= 0 &&
		    column != first && varies(all, column))
			all->figure[all->n_figures++] = column;
	}
	/* where --figures chose others */
	for (int i = all->sweep.first_figure;
	     i < (int)all->sweep.table.n_columns && all->n_figures < 2; i++)
		if (i != first && varies(all, i))
			all->figure[all->n_figures++] = i;
}

static void
row_text(const struct sweep_text *all, size_t row, char *text, size_t bytes)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t k = 0; k < all->sweep.n_axes && used < bytes; k++) {
		const struct sweep_axis_view *axis = &all->sweep.axis[k];
		char value[128];

		sweep_table_text(view_cell(&all->sweep.table, row,
					   axis->column),
				 value, sizeof(value));
		used += (size_t)snprintf(text + used, bytes - used,
					 "%s%s" NB "=" NB "%s",
					 used ? ", " : "", axis->name, value);
	}
}

static double
first_figure(const struct sweep_text *all, size_t row)
{
	double value = 0;

	sweep_table_figure(&all->sweep, row, all->figure[0], &value);
	return value;
}

static int
by_figure(const void *a, const void *b, void *context)
{
	const struct sweep_text *all = context;
	size_t i = *(const size_t *)a, j = *(const size_t *)b;
	double x = first_figure(all, i), y = first_figure(all, j);

	return x == y ? (i > j) - (i < j) : (x > y) - (x < y);
}

static int
order_rows(struct sweep_text *all)
{
	double value;

	all->row = calloc(all->sweep.table.n_rows + 1, sizeof(*all->row));
	if (!all->row)
		return -ENOMEM;
	for (size_t i = 0; all->n_figures && i < all->sweep.table.n_rows; i++)
		if (sweep_table_figure(&all->sweep, i, all->figure[0], &value))
			all->row[all->n_rows++] = i;
	if (all->n_rows)
		qsort_r(all->row, all->n_rows, sizeof(*all->row), by_figure,
			all);
	return 0;
}

static void
say_title(struct sweep_text *all)
{
	struct text *text = all->text;
	const struct result *result = text->result;
	char command[160];
	size_t n = view_command(result, command, sizeof(command));
	const char *partial = view_partial(result);
	double points = view_or_zero(result, "sweep.points"), done;
	double invalid = view_or_zero(result, "sweep.invalid");

	if (n >= sizeof(command))
		strcpy(command + sizeof(command) - 4, "...");
	fprintf(text->file, "%s%s%s\n", text->setup->coloured ? "\033[1m" : "",
		command, text->setup->coloured ? "\033[0m" : "");
	if (!view_value(result, "sweep.done", &done))
		text_say(text, "A plan of %s, %.0f of them no machine.",
			 number_of(points, "point").text, invalid);
	else
		text_say(text,
			 "%s: %.0f done, %.0f no machine, %.0f failed, %.0f "
			 "missing.",
			 number_of(points, "point").text, done, invalid,
			 view_or_zero(result, "sweep.failed"),
			 view_or_zero(result, "sweep.missing"));
	if (partial)
		text_say(text, "PARTIAL: %s.", partial);
}

static void
say_best(struct sweep_text *all)
{
	const char *name =
		view_column_name(&all->sweep.table, (size_t)all->figure[0]);
	double least, most;
	char best[512], worst[512];

	if (!all->n_rows)
		return;
	least = first_figure(all, all->row[0]);
	most = first_figure(all, all->row[all->n_rows - 1]);
	row_text(all, all->row[0], best, sizeof(best));
	row_text(all, all->row[all->n_rows - 1], worst, sizeof(worst));
	if (all->n_rows == 1 || least == most) {
		text_say(all->text, "%s is %s in all of them.", name,
			 number_in(all, all->figure[0], least).text);
		return;
	}
	text_say(all->text, "Least %s: %s, with %s.", name,
		 number_in(all, all->figure[0], least).text, best);
	text_say(all->text, "Most: %s, with %s%s.",
		 number_in(all, all->figure[0], most).text, worst,
		 least > 0 ? "" : "; the least is none at all");
	if (least > 0)
		text_say(all->text, "That is %s times the least.",
			 number_real(most / least).text);
}

/* One value of one parameter: the mean over all points that have it */
static void
put_effect(struct sweep_text *all, struct grid *grid, size_t k, size_t i)
{
	struct sweep_table *sweep = &all->sweep;
	char value[128];
	size_t n = 0;

	for (size_t r = 0; r < all->n_rows; r++)
		n += sweep_table_value(sweep, all->row[r], k) == i;
	if (!n)
		return;
	sweep_table_text(sweep->axis[k].value[i], value, sizeof(value));
	grid_add(grid, i ? "" : sweep->axis[k].name);
	grid_add(grid, value);
	grid_addf(grid, "%zu", n);
	for (size_t f = 0; f < all->n_figures; f++) {
		double sum = 0, one;
		size_t known = 0;

		for (size_t r = 0; r < all->n_rows; r++)
			if (sweep_table_value(sweep, all->row[r], k) == i &&
			    sweep_table_figure(sweep, all->row[r],
					       all->figure[f], &one)) {
				sum += one;
				known++;
			}
		grid_add(grid, known ? number_in(all, all->figure[f],
						 sum / (double)known)
					       .text
				     : "-");
	}
}

static void
put_effects(struct sweep_text *all)
{
	char letters[FIGURES + 4] = "<<>";
	struct grid *grid;

	memset(letters + 3, '>', all->n_figures);
	grid = grid_open(letters);
	if (!grid) {
		all->text->error = -ENOMEM;
		return;
	}
	text_heading(all->text, "Each parameter: means over all points that "
				"have the value");
	grid_add(grid, "parameter");
	grid_add(grid, "value");
	grid_add(grid, "points");
	for (size_t f = 0; f < all->n_figures; f++)
		grid_add(grid, view_column_name(&all->sweep.table,
						(size_t)all->figure[f]));
	for (size_t k = 0; k < all->sweep.n_axes; k++)
		for (size_t i = 0; i < all->sweep.axis[k].n; i++)
			put_effect(all, grid, k, i);
	text_grid(all->text, grid);
}

static void
put_points(struct sweep_text *all)
{
	char letters[SWEEP_AXES_MOST + FIGURES + 2] = ">";
	size_t top = all->text->setup->top, axes = all->sweep.n_axes, n;
	char value[128];
	struct grid *grid;

	memset(letters + 1, '<', axes);
	memset(letters + 1 + axes, '>', all->n_figures);
	grid = grid_open(letters);
	if (!grid) {
		all->text->error = -ENOMEM;
		return;
	}
	n = top && top < all->n_rows ? top : all->n_rows;
	text_heading(all->text, "Points, the least first");
	grid_add(grid, "point");
	for (size_t k = 0; k < axes; k++)
		grid_add(grid, all->sweep.axis[k].name);
	for (size_t f = 0; f < all->n_figures; f++)
		grid_add(grid, view_column_name(&all->sweep.table,
						(size_t)all->figure[f]));
	for (size_t r = 0; r < n; r++) {
		size_t row = all->row[r];

		grid_addf(grid, "%.0f",
			  view_number(&all->sweep.table, row,
				      all->sweep.point));
		for (size_t k = 0; k < axes; k++) {
			sweep_table_text(view_cell(&all->sweep.table, row,
						   all->sweep.axis[k].column),
					 value, sizeof(value));
			grid_add(grid, value);
		}
		for (size_t f = 0; f < all->n_figures; f++) {
			double number;
			bool known =
				sweep_table_figure(&all->sweep, row,
						   all->figure[f], &number);

			grid_add(grid,
				 known ? number_in(all, all->figure[f], number)
						 .text
				       : "-");
		}
	}
	text_grid(all->text, grid);
	if (n < all->n_rows)
		text_say(all->text,
			 "... and %zu more (--top 0 shows all; --format csv "
			 "--table sweep all figures)",
			 all->n_rows - n);
}

/* Why there is nothing of some points, by reason */
static void
say_without(struct sweep_text *all)
{
	const struct view_table *table = &all->sweep.table;
	size_t first[REASONS], points[REASONS], n = 0, more = 0;
	char text[512];

	for (size_t i = 0; i < table->n_rows; i++) {
		const char *why = view_text(table, i, all->sweep.reason);
		size_t k = 0;

		while (k < n && strcmp(why, view_text(table, first[k],
						      all->sweep.reason)))
			k++;
		if (k == REASONS) {
			more += *why != 0;
			continue;
		}
		if (k == n && *why) {
			first[n] = i;
			points[n++] = 0;
		}
		if (*why)
			points[k]++;
	}
	if (n)
		text_heading(all->text, "Points without a result");
	for (size_t k = 0; k < n; k++) {
		row_text(all, first[k], text, sizeof(text));
		text_say(all->text, "%s, %s, the first with %s: %s",
			 view_text(table, first[k], all->sweep.status),
			 number_of((double)points[k], "point").text, text,
			 view_text(table, first[k], all->sweep.reason));
	}
	if (more)
		text_say(all->text,
			 "%zu more for other reasons (--table "
			 "sweep)",
			 more);
}

void
text_sweep(struct text *text)
{
	struct sweep_text all = { .text = text };
	int error = sweep_table_open(&all.sweep, text->result);

	if (!error)
		choose_figures(&all);
	if (!error)
		error = order_rows(&all);
	if (!error) {
		say_title(&all);
		say_best(&all);
		if (all.n_rows > 1)
			put_effects(&all);
		if (all.n_rows)
			put_points(&all);
		say_without(&all);
		text_provenance(text);
	}
	if (error == -ENOMEM)
		text->error = error;
	free(all.row);
	sweep_table_close(&all.sweep);
}
