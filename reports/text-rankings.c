// SPDX-License-Identifier: GPL-2.0-or-later
/* Who causes the misses: functions, mappings, instructions. */
#include "reports/number.h"
#include "reports/text-report.h"

#include <stdio.h>
#include <string.h>

struct ranking {
	const char *table, *heading;
	const char *names[3]; /* text columns, NULL-ended */
	const char *titles[3];
	const char *letters; /* of the whole grid */
};

static void
put_more(struct text *text, size_t shown, size_t all, const char *table)
{
	if (shown < all)
		text_say(text, "... and %zu more (--top, --table %s)",
			 all - shown, table);
}

static void
put_ranking(struct text *text, const struct ranking *ranking)
{
	struct view_table table;
	size_t n, names = 0;
	int misses, walks, cycles;
	double all = view_walk_cycles(text->result);
	struct grid *grid;

	if (!view_table(text->result, ranking->table, &table) || !table.n_rows)
		return;
	n = text->setup->top && text->setup->top < table.n_rows
		    ? text->setup->top
		    : table.n_rows;
	misses = view_column(&table, "l1_misses");
	walks = view_column(&table, "walks");
	cycles = view_column(&table, "walk_cycles");
	text_heading(text, ranking->heading);
	grid = grid_open(ranking->letters + (misses < 0));
	grid_add(grid, "share");
	if (misses >= 0)
		grid_add(grid, "L1 misses");
	grid_add(grid, "walks");
	grid_add(grid, "walk cycles");
	for (; names < 3 && ranking->names[names]; names++)
		grid_add(grid, ranking->titles[names]);
	for (size_t i = 0; i < n; i++) {
		double c = view_number(&table, i, cycles);

		grid_add(grid, number_share(c, all).text);
		if (misses >= 0)
			grid_add(grid,
				 number_count(view_number(&table, i, misses))
					 .text);
		grid_add(grid,
			 number_count(view_number(&table, i, walks)).text);
		grid_add(grid, number_count(c).text);
		for (size_t j = 0; j < names; j++)
			grid_add(grid,
				 view_text(&table, i,
					   view_column(&table,
						       ranking->names[j])));
	}
	text_grid(text, grid);
	put_more(text, n, table.n_rows, ranking->table);
}

/* Instructions are only told apart by pc; names come from symbols. */
static void
put_sites(struct text *text)
{
	struct view_table table;
	size_t n;
	int pc, kind, walks, cycles, function, line;
	double all = view_walk_cycles(text->result);
	struct grid *grid;

	if (!view_table(text->result, "sites", &table) || !table.n_rows)
		return;
	n = text->setup->top && text->setup->top < table.n_rows
		    ? text->setup->top
		    : table.n_rows;
	pc = view_column(&table, "pc");
	kind = view_column(&table, "kind");
	walks = view_column(&table, "walks");
	cycles = view_column(&table, "walk_cycles");
	function = view_column(&table, "function");
	line = view_column(&table, "line");
	text_heading(text,
		     "Instructions and code blocks by what their walks cost");
	grid = grid_open(">>><<~~");
	grid_add(grid, "share");
	grid_add(grid, "L1 misses");
	grid_add(grid, "walks");
	grid_add(grid, "kind");
	grid_add(grid, "address");
	grid_add(grid, function >= 0 ? "function" : "");
	grid_add(grid, line >= 0 ? "line" : "");
	for (size_t i = 0; i < n; i++) {
		grid_add(grid, number_share(view_number(&table, i, cycles), all)
				       .text);
		grid_add(grid,
			 number_count(
				 view_number(&table, i,
					     view_column(&table, "l1_misses")))
				 .text);
		grid_add(grid,
			 number_count(view_number(&table, i, walks)).text);
		grid_add(grid, view_text(&table, i, kind));
		grid_addf(grid, "%#llx",
			  (unsigned long long)view_address(&table, i, pc));
		grid_add(grid, view_text(&table, i, function));
		grid_add(grid, view_text(&table, i, line));
	}
	text_grid(text, grid);
	put_more(text, n, table.n_rows, "sites");
}

void
text_rankings(struct text *text)
{
	static const struct ranking rankings[] = {
		{ "functions",
		  "Functions by what their walks cost",
		  { "function", "file", NULL },
		  { "function", "file" },
		  ">>>>~~" },
		{ "mappings",
		  "Mappings by what the walks into them cost",
		  { "mapping", NULL },
		  { "mapping" },
		  ">>>>~" },
	};

	struct view_table told;

	/* --by told the same, and more */
	for (size_t i = 0; i < ARRAY_SIZE(rankings); i++) {
		char name[64];

		snprintf(name, sizeof(name), "who.%.*s",
			 (int)strlen(rankings[i].table) - 1, rankings[i].table);
		if (!view_table(text->result, name, &told))
			put_ranking(text, &rankings[i]);
	}
	put_sites(text);
}
