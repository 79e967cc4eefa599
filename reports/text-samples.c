// SPDX-License-Identifier: GPL-2.0-or-later
/* What samples tell of translation: shares with their standard errors. */
#include "reports/number.h"
#include "reports/text-report.h"

#include <stdio.h>

static void
add_share(struct grid *grid, const struct view_table *table, size_t i,
	  const char *share, const char *error)
{
	const json_t *cell = view_cell(table, i, view_column(table, share));

	if (json_is_number(cell))
		grid_addf(grid, "%.1f +- %.1f %%", json_number_value(cell),
			  view_number(table, i, view_column(table, error)));
	else
		grid_add(grid, "-");
}

static void
add_number(struct grid *grid, const struct view_table *table, size_t i,
	   const char *column)
{
	const json_t *cell = view_cell(table, i, view_column(table, column));

	grid_add(grid, json_is_number(cell)
			       ? number_count(json_number_value(cell)).text
			       : "-");
}

static void
put_groups(struct text *text, const char *name, const char *heading)
{
	struct view_table table;
	struct grid *grid;

	if (!view_table(text->result, name, &table) || !table.n_rows)
		return;
	text_heading(text, heading);
	grid = grid_open(">>>>>~");
	grid_add(grid, "share");
	grid_add(grid, "samples");
	grid_add(grid, "of them walks");
	grid_add(grid, "latency");
	grid_add(grid, "translation");
	grid_add(grid, "");
	for (size_t i = 0; i < table.n_rows; i++) {
		add_share(grid, &table, i, "share", "error");
		add_number(grid, &table, i, "samples");
		add_share(grid, &table, i, "walk_share", "walk_error");
		add_number(grid, &table, i, "latency");
		add_number(grid, &table, i, "translation");
		grid_add(grid,
			 view_text(&table, i, view_column(&table, "what")));
	}
	text_grid(text, grid);
}

static void
put_functions(struct text *text)
{
	struct view_table table;
	size_t n;
	struct grid *grid;

	if (!view_table(text->result, "samples.functions", &table) ||
	    !table.n_rows)
		return;
	n = text->setup->top && text->setup->top < table.n_rows
		    ? text->setup->top
		    : table.n_rows;
	text_heading(text, "Samples by function");
	grid = grid_open(">>><~~");
	grid_add(grid, "share");
	grid_add(grid, "walks");
	grid_add(grid, "samples");
	grid_add(grid, "event");
	grid_add(grid, "function");
	grid_add(grid, "file");
	for (size_t i = 0; i < n; i++) {
		add_share(grid, &table, i, "share", "error");
		add_number(grid, &table, i, "walks");
		add_number(grid, &table, i, "samples");
		grid_add(grid,
			 view_text(&table, i, view_column(&table, "event")));
		grid_add(grid,
			 view_text(&table, i, view_column(&table, "function")));
		grid_add(grid,
			 view_text(&table, i, view_column(&table, "file")));
	}
	text_grid(text, grid);
	if (n < table.n_rows)
		text_say(text,
			 "... and %zu more (--top, --table samples.functions)",
			 table.n_rows - n);
}

void
text_samples(struct text *text)
{
	put_groups(text, "samples.translation", "Samples by translation");
	put_groups(text, "samples.pages", "Samples by page size");
	put_groups(text, "samples.levels", "Samples by where the data was");
	put_groups(text, "samples.mappings", "Samples by mapping");
	put_functions(text);
}
