// SPDX-License-Identifier: GPL-2.0-or-later
/* What pagescope stat counted. */
#include "reports/number.h"
#include "reports/text-report.h"

#include <stdio.h>
#include <string.h>

static bool
has_reason(const struct view_table *table, size_t rows, const char *why)
{
	int reason = view_column(table, "reason");

	for (size_t i = 0; i < rows; i++)
		if (!strcmp(view_text(table, i, reason), why))
			return true;
	return false;
}

/* Each reason once, in the order of its first row, if not said before */
static void
say_reasons(struct text *text, const struct view_table *table,
	    const struct view_table *before)
{
	for (size_t i = 0; i < table->n_rows; i++) {
		const char *why =
			view_text(table, i, view_column(table, "reason"));

		if (*why && !has_reason(table, i, why) &&
		    (!before || !has_reason(before, before->n_rows, why)))
			text_say(text, "Not supported: %s.", why);
	}
}

/* "1,234", "12.34 msec", "not supported" */
static void
add_count(struct grid *grid, const json_t *cell, const char *unit)
{
	if (!json_is_number(cell))
		grid_add(grid, "not supported");
	else if (!strcmp(unit, "ns"))
		grid_addf(grid, "%.2f", json_number_value(cell) / 1e6);
	else
		grid_add(grid, number_count(json_number_value(cell)).text);
}

/* What the count means: a rate, or how many processors were busy */
static void
add_rate(struct text *text, struct grid *grid, const struct view_table *table,
	 size_t i)
{
	const json_t *count = view_cell(table, i, view_column(table, "count"));
	const json_t *rate = view_cell(table, i, view_column(table, "rate"));
	double elapsed = view_or_zero(text->result, "time.elapsed");

	if (json_is_number(rate))
		grid_addf(grid, "%s/s",
			  number_si(json_number_value(rate)).text);
	else if (json_is_number(count) && elapsed > 0)
		grid_addf(grid, "%.3f CPUs",
			  json_number_value(count) / 1e9 / elapsed);
	else
		grid_add(grid, "");
}

static void
add_marks(struct grid *grid, const struct view_table *table, size_t i)
{
	const json_t *running =
		view_cell(table, i, view_column(table, "running"));
	const json_t *deviation =
		view_cell(table, i, view_column(table, "deviation"));
	bool scaled =
		json_is_number(running) && json_number_value(running) < 100;
	char text[64] = "";

	if (json_is_number(deviation))
		snprintf(text, sizeof(text), "+- %.2f %%",
			 json_number_value(deviation));
	grid_add(grid, text);
	if (scaled)
		grid_addf(grid, "scaled: on %.1f %% of the time",
			  json_number_value(running));
	else
		grid_add(grid, "");
}

static void
put_counters(struct text *text, const struct view_table *table)
{
	int count = view_column(table, "count");
	int unit = view_column(table, "unit"), event;
	struct grid *grid = grid_open(">~>><");

	event = view_column(table, "event");
	text_heading(text, "Counters");
	grid_add(grid, "count");
	grid_add(grid, "event");
	grid_add(grid, "rate");
	grid_add(grid, "");
	grid_add(grid, "");
	for (size_t i = 0; i < table->n_rows; i++) {
		bool clock = !strcmp(view_text(table, i, unit), "ns");

		add_count(grid, view_cell(table, i, count),
			  view_text(table, i, unit));
		grid_addf(grid, "%s%s", view_text(table, i, event),
			  clock ? " (ms)" : "");
		add_rate(text, grid, table, i);
		add_marks(grid, table, i);
	}
	text_grid(text, grid);
}

static void
put_metrics(struct text *text, const struct view_table *counters)
{
	struct view_table table;
	struct grid *grid;

	if (!view_table(text->result, "metrics", &table) || !table.n_rows)
		return;
	text_heading(text, "Address translation");
	grid = grid_open("><<~");
	grid_add(grid, "value");
	grid_add(grid, "figure");
	grid_add(grid, "unit");
	grid_add(grid, "meaning");
	for (size_t i = 0; i < table.n_rows; i++) {
		const json_t *value =
			view_cell(&table, i, view_column(&table, "value"));
		bool scaled = !strcmp(view_text(&table, i,
						view_column(&table, "scaled")),
				      "yes");
		double v = json_number_value(value);

		if (!json_is_number(value))
			grid_add(grid, "not supported");
		else
			grid_addf(grid, "%s%s", scaled ? "~" : "",
				  v < 1000 ? number_real(v).text
					   : number_count(v).text);
		grid_add(grid,
			 view_text(&table, i, view_column(&table, "metric")));
		grid_add(grid,
			 view_text(&table, i, view_column(&table, "unit")));
		grid_add(grid,
			 view_text(&table, i, view_column(&table, "help")));
	}
	text_grid(text, grid);
	say_reasons(text, &table, counters);
}

static void
put_threads(struct text *text)
{
	struct view_table table;
	struct grid *grid;
	int core, count;

	if (!view_table(text->result, "threads", &table) || !table.n_rows)
		return;
	core = view_column(&table, "core");
	count = view_column(&table, "count");
	text_heading(text, "By thread");
	grid = grid_open(">>~");
	grid_add(grid, "thread");
	grid_add(grid, "count");
	grid_add(grid, "event");
	for (size_t i = 0; i < table.n_rows; i++) {
		if (json_is_number(view_cell(&table, i, core)))
			grid_addf(grid, "core %.0f",
				  view_number(&table, i, core));
		else
			grid_addf(grid, "%.0f/%.0f",
				  view_number(&table, i,
					      view_column(&table, "pid")),
				  view_number(&table, i,
					      view_column(&table, "tid")));
		grid_add(grid,
			 number_count(view_number(&table, i, count)).text);
		grid_add(grid,
			 view_text(&table, i, view_column(&table, "event")));
	}
	text_grid(text, grid);
}

void
text_counters(struct text *text)
{
	struct view_table table;
	double runs = view_or_zero(text->result, "runs"), user;

	if (!view_table(text->result, "counters", &table))
		return;
	put_counters(text, &table);
	say_reasons(text, &table, NULL);
	put_metrics(text, &table);
	put_threads(text);
	putc('\n', text->file);
	if (runs > 1)
		text_say(text, "%.0f runs; the means, +- their standard error.",
			 runs);
	text_say(text, "%.6f seconds elapsed",
		 view_or_zero(text->result, "time.elapsed"));
	if (view_value(text->result, "time.user", &user))
		text_say(text, "%.6f seconds user, %.6f seconds system", user,
			 view_or_zero(text->result, "time.system"));
	if (view_partial(text->result))
		text_say(text, "Only a part: %s.", view_partial(text->result));
}
