// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables of the parts that a machine may have: how many entries a walk reads,
 * what the TLBs cover, what is counted of rare parts, cores, nodes of memory,
 * page colours, the worst case.  Each only where it
 * tells more than one line elsewhere does.
 */
#include "reports/number.h"
#include "reports/text-report.h"

#include <stdio.h>
#include <string.h>

#define ROWS_MAX 16

/* How a column's cells are written */
enum form {
	FORM_TEXT,
	FORM_COUNT,
	FORM_BYTES,
	FORM_LEVEL
};

/* Levels of a host's table below a guest's come after this one. */
#define GUEST_LEVELS 8

struct column {
	const char *name, *title;
	enum form form;
};

struct part {
	const char *table, *heading;
	size_t least; /* rows, or it is not worth a table */
	const char *letters;
	struct column columns[8]; /* ends with a NULL name */
	const char *counts; /* NULL, or: rows where this is 0 are left out */
};

static void
put_cell(struct grid *grid, const struct view_table *table, size_t row,
	 const struct column *column)
{
	int at = view_column(table, column->name);
	const json_t *cell = view_cell(table, row, at);
	double value = view_number(table, row, at);

	if (!cell || json_is_null(cell))
		grid_add(grid, "-");
	else if (column->form == FORM_TEXT && json_is_string(cell))
		grid_add(grid, json_string_value(cell));
	else if (column->form == FORM_LEVEL && value > GUEST_LEVELS)
		grid_addf(grid, "host's %.0f", value - GUEST_LEVELS);
	else if (column->form == FORM_BYTES)
		grid_add(grid, number_bytes(value).text);
	else
		grid_add(grid, number_count(value).text);
}

/* A blank line of "...": what is left out is in the table itself. */
static void
put_part(struct text *text, const struct part *part)
{
	size_t top = text->setup->top ? ROWS_MAX : SIZE_MAX, n;
	struct view_table table;
	struct grid *grid;

	if (!view_table(text->result, part->table, &table) ||
	    table.n_rows < part->least)
		return;
	grid = grid_open(part->letters);
	if (!grid) {
		text->error = -ENOMEM;
		return;
	}
	text_heading(text, part->heading);
	for (size_t j = 0; part->columns[j].name; j++)
		grid_add(grid, part->columns[j].title);
	n = table.n_rows < top ? table.n_rows : top;
	for (size_t i = 0; i < n; i++) {
		if (part->counts &&
		    view_number(&table, i, view_column(&table, part->counts)) <=
			    0)
			continue;
		for (size_t j = 0; part->columns[j].name; j++)
			put_cell(grid, &table, i, &part->columns[j]);
	}
	text_grid(text, grid);
	if (n < table.n_rows)
		text_say(text, "... and %zu more (--table %s)",
			 table.n_rows - n, part->table);
}

static const struct part parts[] = {
	{ "tlb.reach",
	  "What the TLBs cover",
	  1,
	  "<>>>",
	  { { "array", "array", FORM_TEXT },
	    { "entries", "entries", FORM_COUNT },
	    { "bytes", "at the end", FORM_BYTES },
	    { "peak", "at most", FORM_BYTES } },
	  "peak" },
	{ "cores",
	  "Cores",
	  2,
	  ">>>>>>>",
	  { { "core", "core", FORM_COUNT },
	    { "threads", "threads", FORM_COUNT },
	    { "accesses", "accesses", FORM_COUNT },
	    { "l1_misses", "L1 misses", FORM_COUNT },
	    { "walks", "walks", FORM_COUNT },
	    { "walk_cycles", "walk cycles", FORM_COUNT },
	    { "switches", "switches", FORM_COUNT } } },
	{ "numa.nodes",
	  "Memory by node (references that reach it)",
	  2,
	  ">>>>>>",
	  { { "node", "node", FORM_COUNT },
	    { "data_local", "data, local", FORM_COUNT },
	    { "data_remote", "remote", FORM_COUNT },
	    { "walk_local", "walks, local", FORM_COUNT },
	    { "walk_remote", "remote", FORM_COUNT },
	    { "cycles", "cycles", FORM_COUNT } } },
	{ "numa.walks",
	  "Walks' references to memory by level",
	  1,
	  ">>>>",
	  { { "level", "level", FORM_LEVEL },
	    { "local", "local", FORM_COUNT },
	    { "remote", "remote", FORM_COUNT },
	    { "cycles", "cycles", FORM_COUNT } } },
};

/* Walks by how many entries they read; one row is the mean itself. */
static void
put_references(struct text *text)
{
	struct view_table table;
	int references, walks;
	struct grid *grid;
	double all, most = 0;
	size_t n;

	if (!view_table(text->result, "walk.references.histogram", &table) ||
	    table.n_rows < 2)
		return;
	references = view_column(&table, "references");
	walks = view_column(&table, "walks");
	all = view_sum(&table, walks);
	for (size_t i = 0; i < table.n_rows; i++)
		if (view_number(&table, i, walks) > most)
			most = view_number(&table, i, walks);
	grid = grid_open(">>><");
	text_heading(text, "Walks by the entries that they read");
	grid_add(grid, "entries");
	grid_add(grid, "walks");
	grid_add(grid, "share");
	grid_add(grid, "");
	n = text->setup->top && table.n_rows > ROWS_MAX ? ROWS_MAX
							: table.n_rows;
	for (size_t i = 0; i < n; i++) {
		double count = view_number(&table, i, walks);

		grid_add(grid,
			 number_count(view_number(&table, i, references)).text);
		grid_add(grid, number_count(count).text);
		grid_add(grid, number_share(count, all).text);
		grid_add(grid, number_bar(count, most, 24).text);
	}
	text_grid(text, grid);
	if (n < table.n_rows)
		text_say(text,
			 "... and %zu more "
			 "(--table walk.references.histogram)",
			 table.n_rows - n);
}

/* Counts of parts that most machines do not have */
static const struct column counts[] = {
	{ "table.moves", "entries moved in the table", FORM_COUNT },
	{ "table.resizes", "times that the table grew", FORM_COUNT },
	{ "table.cuckoo.evictions", "entries evicted in the table",
	  FORM_COUNT },
	{ "table.inverted.aliases", "aliases in the inverted table",
	  FORM_COUNT },
	{ "nested.host.faults", "faults of the host", FORM_COUNT },
	{ "nested.host.bytes", "the host's table at the end", FORM_BYTES },
	{ "nested.host.frames.bytes", "  memory that it lies in, with its root",
	  FORM_BYTES },
	{ "shadow.exits", "exits for the guest's writes to its table",
	  FORM_COUNT },
	{ "shadow.cycles", "  their cycles (not of translation)", FORM_COUNT },
	{ "tlb.range.hits", "hits in the range TLB", FORM_COUNT },
	{ "tlb.prefetch.issued", "translations fetched ahead", FORM_COUNT },
	{ "tlb.prefetch.useful", "  that were used", FORM_COUNT },
	{ "tlb.shootdown.count", "invalidations on other cores", FORM_COUNT },
	{ "walk.wait.count", "walks that waited for a walker", FORM_COUNT },
	{ "walk.wait.cycles", "  cycles of waiting", FORM_COUNT },
	{ "cache.load.cycles", "cycles of loads in the caches", FORM_COUNT },
	{ "cache.store.cycles", "cycles of stores", FORM_COUNT },
	{ "cache.fetch.cycles", "cycles of fetches", FORM_COUNT },
	{ "cache.synonyms.found", "lines found under another index",
	  FORM_COUNT },
	{ "memory.uc.loads", "loads of uncached memory", FORM_COUNT },
	{ "memory.uc.stores", "stores to uncached memory", FORM_COUNT },
	{ "memory.wc.stores", "stores to write-combining memory", FORM_COUNT },
	{ "memory.wc.writes.line", "  written as whole lines", FORM_COUNT },
	{ "memory.wc.writes.partial", "  written in parts", FORM_COUNT },
	{ "numa.tables.copies", "copies of table pages", FORM_COUNT },
	{ "numa.tables.writes", "  writes to keep them alike", FORM_COUNT },
	{ "numa.tables.write-cycles", "  cycles of these", FORM_COUNT },
	{ "numa.tables.moved", "table pages that moved", FORM_COUNT },
	{ "numa.host-tables.copies", "copies of table pages of the host",
	  FORM_COUNT },
	{ "numa.host-tables.writes", "  writes to keep them alike",
	  FORM_COUNT },
	{ "numa.host-tables.write-cycles", "  cycles of these", FORM_COUNT },
	{ "numa.host-tables.moved", "table pages of the host that moved",
	  FORM_COUNT },
	{ "numa.hints.faults", "hinting faults", FORM_COUNT },
	{ "numa.hints.moved", "  pages that moved", FORM_COUNT },
};

/* Nothing where they are 0 */
static void
put_counts(struct text *text)
{
	struct grid *grid = grid_open("<>");
	bool any = false;

	if (!grid) {
		text->error = -ENOMEM;
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		double value = view_or_zero(text->result, counts[i].name);

		if (value <= 0)
			continue;
		if (!any)
			text_heading(text, "What other parts did");
		any = true;
		grid_add(grid, counts[i].title);
		grid_add(grid, counts[i].form == FORM_BYTES
				       ? number_bytes(value).text
				       : number_count(value).text);
	}
	if (any)
		text_grid(text, grid);
	else
		grid_close(grid);
}

/* What share of the references of `what` goes to other nodes. */
static void
say_remote(struct text *text, const char *local_name, const char *remote_name,
	   const char *what)
{
	double local, remote;

	if (!view_value(text->result, local_name, &local) ||
	    !view_value(text->result, remote_name, &remote) ||
	    local + remote <= 0)
		return;
	text_say(text,
		 "Of the references that %s make to memory, %s go to "
		 "another node.",
		 what, number_share(remote, local + remote).text);
}

/* The row of the most pages, and how far it is from an even spread. */
static void
put_colours(struct text *text)
{
	struct view_table table;
	double pages, most = 0, misses, conflicts;
	size_t used = 0;
	int column;

	if (!view_table(text->result, "colour.map", &table) || !table.n_rows)
		return;
	column = view_column(&table, "pages");
	pages = view_sum(&table, column);
	for (size_t i = 0; i < table.n_rows; i++) {
		double n = view_number(&table, i, column);

		used += n > 0;
		most = n > most ? n : most;
	}
	text_heading(text, "Page colours");
	if (pages > 0)
		text_say(text,
			 "%zu of %zu colours are used; the fullest has %s, "
			 "%s times an even spread.",
			 used, table.n_rows, number_of(most, "page").text,
			 number_real(most * (double)table.n_rows / pages).text);
	misses = view_sum(&table, view_column(&table, "misses"));
	conflicts = view_sum(&table, view_column(&table, "conflict"));
	if (misses > 0)
		text_say(text,
			 "Of the %s of that cache %s are conflicts: a fully "
			 "associative one of its size would have had the line.",
			 number_of(misses, "miss").text,
			 number_share(conflicts, misses).text);
}

/* What a region's translation takes at most */
static void
put_bound(struct text *text)
{
	double cycles, walks = view_or_zero(text->result, "bound.walks");
	double lookups = view_or_zero(text->result, "bound.lookups");

	if (!view_value(text->result, "bound.cycles", &cycles))
		return;
	text_heading(text, "Worst case of translation");
	text_say(text,
		 "Translation in bound.region takes %s at most where memory is "
		 "locked, and %s where its pages may fault (%s). This run took "
		 "%s.",
		 number_of(cycles, "cycle").text,
		 number_count(
			 view_or_zero(text->result, "bound.cycles.unlocked"))
			 .text,
		 number_of(view_or_zero(text->result, "bound.faults"), "fault")
			 .text,
		 number_count(
			 view_or_zero(text->result, "bound.observed.cycles"))
			 .text);
	text_say(text,
		 "The TLBs are empty at its beginning, and a walk reads all of "
		 "its entries from memory: %s. %s of the %s to %s walk, as the "
		 "TLB %s.",
		 number_of(view_or_zero(text->result, "bound.walk.cycles"),
			   "cycle")
			 .text,
		 number_count(walks).text, number_of(lookups, "lookup").text,
		 number_of(view_or_zero(text->result, "bound.pages"), "page")
			 .text,
		 walks < lookups
			 ? "has room for all of these pages: each once, "
			   "and again where its translation went away"
			 : "may not have room for all of these pages");
}

void
text_parts(struct text *text)
{
	put_references(text);
	put_counts(text);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		put_part(text, &parts[i]);
	say_remote(text, "numa.data.local", "numa.data.remote", "data");
	say_remote(text, "numa.walk.local", "numa.walk.remote", "walks");
	put_colours(text);
	put_bound(text);
}
