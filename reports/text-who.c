// SPDX-License-Identifier: GPL-2.0-or-later
/* Who misses, walks and faults (replay --by): a ranking for each table. */
#include "reports/number.h"
#include "reports/text-report.h"

#include <string.h>

struct ranking {
	const char *table, *heading;
	const char *name[3], *title[3]; /* text columns; NULL: no more */
	const char *letters;		/* of these */
};

static const struct ranking rankings[] = {
	{ "who.function",
	  "Who misses: functions",
	  { "function", "file" },
	  { "function", "file" },
	  "~~" },
	{ "who.path",
	  "Who misses: functions with what they called",
	  { "function", "file" },
	  { "function", "file" },
	  "~~" },
	{ "who.line",
	  "Who misses: source lines",
	  { "line", "function" },
	  { "line", "function" },
	  "<~" },
	{ "who.object",
	  "What is missed on: data objects",
	  { "object", "kind" },
	  { "object", "kind" },
	  "~<" },
	{ "who.mapping",
	  "What is missed on: mappings",
	  { "mapping" },
	  { "mapping" },
	  "~" },
	{ "who.thread",
	  "Who misses: threads",
	  { "thread", "process" },
	  { "thread", "process" },
	  "<<" },
	{ "who.node",
	  "Nodes: which ran, and which has the page",
	  { "from", "node" },
	  { "ran", "memory" },
	  ">>" },
};

static void
add_count(struct grid *grid, const struct view_table *table, size_t row,
	  const char *prefix, const char *name)
{
	char column[64];
	int at;

	snprintf(column, sizeof(column), "%s%s", prefix, name);
	at = view_column(table, column);
	grid_add(grid,
		 json_is_null(view_cell(table, row, at))
			 ? "-"
			 : number_count(view_number(table, row, at)).text);
}

static void
add_row(struct grid *grid, const struct ranking *ranking,
	const struct view_table *table, size_t row)
{
	const char *prefix =
		view_column(table, "total_walks") >= 0 ? "total_" : "";
	int cycles = view_column(table, "walk_cycles");
	int share = view_column(table, "share");

	grid_add(grid, number_share(view_number(table, row, share), 100).text);
	add_count(grid, table, row, prefix, "walk_cycles");
	add_count(grid, table, row, prefix, "walks");
	if (*prefix)
		grid_add(grid,
			 number_count(view_number(table, row, cycles)).text);
	else
		add_count(grid, table, row, "", "l1d_misses");
	add_count(grid, table, row, prefix, "faults_minor");
	for (size_t i = 0; i < 3 && ranking->name[i]; i++) {
		const char *name =
			view_text(table, row,
				  view_column(table, ranking->name[i]));

		grid_add(grid, *name ? name : "-");
	}
}

static void
put_ranking(struct text *text, const struct ranking *ranking)
{
	struct view_table table;
	char letters[16] = ">>>>>";
	size_t top = text->setup->top, n;
	struct grid *grid;

	if (!view_table(text->result, ranking->table, &table) || !table.n_rows)
		return;
	n = top && top < table.n_rows ? top : table.n_rows;
	text_heading(text, ranking->heading);
	strcat(letters, ranking->letters);
	grid = grid_open(letters);
	grid_add(grid, "share");
	grid_add(grid, "walk cycles");
	grid_add(grid, "walks");
	grid_add(grid, view_column(&table, "total_walks") >= 0 ? "own cycles"
							       : "L1d misses");
	grid_add(grid, "faults");
	for (size_t i = 0; i < 3 && ranking->name[i]; i++)
		grid_add(grid, ranking->title[i]);
	for (size_t i = 0; i < n; i++)
		add_row(grid, ranking, &table, i);
	text_grid(text, grid);
	if (n < table.n_rows)
		text_say(text, "... and %zu more (--top, --table %s)",
			 table.n_rows - n, ranking->table);
}

static void
put_pages(struct text *text)
{
	struct view_table table;
	size_t top = text->setup->top, n;
	struct grid *grid;

	if (!view_table(text->result, "who.pages", &table) || !table.n_rows)
		return;
	n = top && top < table.n_rows ? top : table.n_rows;
	text_heading(text, "The hottest pages (of 4K)");
	grid = grid_open(">>>>~");
	grid_add(grid, "share");
	grid_add(grid, "walk cycles");
	grid_add(grid, "walks");
	grid_add(grid, "address");
	grid_add(grid, "mapping");
	for (size_t i = 0; i < n; i++) {
		double cycles = view_number(&table, i,
					    view_column(&table, "walk_cycles"));

		grid_add(grid,
			 number_share(cycles, view_walk_cycles(text->result))
				 .text);
		grid_add(grid, number_count(cycles).text);
		add_count(grid, &table, i, "", "walks");
		grid_add(grid,
			 view_text(&table, i, view_column(&table, "address")));
		grid_add(grid,
			 view_text(&table, i, view_column(&table, "mapping")));
	}
	text_grid(text, grid);
}

/* Why data is not named by where it was allocated. */
static void
put_allocations(struct text *text, const struct ranking *ranking)
{
	const char *why = view_reason(text->result, "who.allocations");

	if (why && !strcmp(ranking->table, "who.object"))
		text_say(text, "Allocations are not told apart: %s", why);
}

void
text_who(struct text *text)
{
	const char *missing = view_string(text->result, "who.line.missing");

	for (size_t i = 0; i < ARRAY_SIZE(rankings); i++) {
		put_ranking(text, &rankings[i]);
		if (*missing && !strcmp(rankings[i].table, "who.line"))
			text_say(text,
				 "No line information (built without -g, or "
				 "its debug package is not installed): %.3000s",
				 missing);
		put_allocations(text, &rankings[i]);
	}
	put_pages(text);
}
