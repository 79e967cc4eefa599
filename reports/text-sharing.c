// SPDX-License-Identifier: GPL-2.0-or-later
/* Who shares what, and what is saved by it. */
#include "reports/number.h"
#include "reports/text-report.h"

#include <stdio.h>

#define PROCESSES 20 /* shown at most */
#define LIBRARIES 16 /* rows */

static void
put_process(struct grid *grid, const struct view_table *table, size_t row)
{
	static const char *const columns[] = { "rss",	"pss",	"uss",
					       "anon",	"file", "memory",
					       "tables" };
	char pid[24];

	snprintf(pid, sizeof(pid), "%.0f",
		 view_number(table, row, view_column(table, "process")));
	grid_add(grid, pid);
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		grid_add(grid,
			 number_bytes(
				 view_number(table, row,
					     view_column(table, columns[i])))
				 .text);
}

static void
put_processes(struct text *text)
{
	static const char *const heads[] = { "process", "rss",	 "pss",
					     "uss",	"anon",	 "file",
					     "shared",	"tables" };
	struct view_table table;
	struct grid *grid;

	if (!view_table(text->result, "processes", &table) || table.n_rows < 2)
		return;
	text_heading(text, "Processes, when most was mapped");
	grid = grid_open(">>>>>>>>");
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		grid_add(grid, heads[i]);
	for (size_t i = 0; i < table.n_rows && i < PROCESSES; i++)
		put_process(grid, &table, i);
	text_grid(text, grid);
	if (table.n_rows > PROCESSES)
		text_say(text, "... and %zu more.", table.n_rows - PROCESSES);
	text_say(
		text,
		"Of rss, uss is the process's alone; pss counts what n "
		"processes share as one n-th. Processes that were not recorded "
		"are not known to share.");
}

/* What the segments of one file came to. */
static void
put_libraries(struct text *text)
{
	static const char *const columns[] = { "rss", "pss", "uss", "anon" };
	struct view_table table;
	struct grid *grid;

	if (!view_table(text->result, "libraries", &table) || !table.n_rows)
		return;
	text_heading(text, "Programs and libraries, by segment");
	grid = grid_open("<<>>>>>");
	grid_add(grid, "file");
	grid_add(grid, "segment");
	grid_add(grid, "processes");
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		grid_add(grid, columns[i]);
	for (size_t i = 0; i < table.n_rows && i < LIBRARIES; i++) {
		char n[24];

		snprintf(n, sizeof(n), "%.0f",
			 view_number(&table, i,
				     view_column(&table, "processes")));
		grid_add(grid,
			 view_text(&table, i, view_column(&table, "library")));
		grid_add(grid,
			 view_text(&table, i, view_column(&table, "segment")));
		grid_add(grid, n);
		for (size_t k = 0; k < ARRAY_SIZE(columns); k++)
			grid_add(grid,
				 number_bytes(
					 view_number(&table, i,
						     view_column(&table,
								 columns[k])))
					 .text);
	}
	text_grid(text, grid);
	if (table.n_rows > LIBRARIES)
		text_say(text, "... and %zu more.", table.n_rows - LIBRARIES);
	text_say(text, "Text is in memory once; what a process writes (relro: "
		       "the loader, data: the program) it has of its own: "
		       "anon.");
}

static void
put_savings(struct text *text)
{
	struct view_table table;
	struct grid *grid;
	double tables;
	bool any = false;

	if (!view_table(text->result, "savings", &table))
		return;
	grid = grid_open("<>");
	grid_add(grid, "shared by");
	grid_add(grid, "saves");
	for (size_t i = 0; i < table.n_rows; i++) {
		double saved =
			view_number(&table, i, view_column(&table, "saved"));

		if (saved <= 0)
			continue;
		any = true;
		grid_add(grid, view_text(&table, i,
					 view_column(&table, "mechanism")));
		grid_add(grid, number_bytes(saved).text);
	}
	if (!any) {
		grid_close(grid);
		return;
	}
	text_heading(text, "Memory that sharing saves");
	text_grid(text, grid);
	if (view_value(text->result, "shared.tables.saveable", &tables) &&
	    tables > 0)
		text_say(
			text,
			"%s of page tables more, if one served all who map the "
			"same 2 MiB alike.",
			number_bytes(tables).text);
}

void
text_sharing(struct text *text)
{
	put_processes(text);
	put_libraries(text);
	put_savings(text);
}
