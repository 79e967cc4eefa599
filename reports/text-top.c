// SPDX-License-Identifier: GPL-2.0-or-later
/* What pagescope top saw in an interval: figures above, rows below. */
#include "reports/number.h"
#include "reports/text-report.h"

#include <stdio.h>
#include <string.h>

/* "12.3 k/s", or "-" */
static struct number
rate(const struct text *text, const char *name)
{
	double value, seconds = view_or_zero(text->result, "time.elapsed");
	struct number shown = { "-" };

	if (view_value(text->result, name, &value) && seconds > 0)
		snprintf(shown.text, sizeof(shown.text), "%.40s/s",
			 number_si(value / seconds).text);
	return shown;
}

static struct number
bytes(const struct text *text, const char *name)
{
	double value;
	struct number shown = { "-" };

	return view_value(text->result, name, &value) ? number_bytes(value)
						      : shown;
}

static struct number
percent(const struct text *text, const char *name)
{
	double value;
	struct number shown = { "-" };

	if (view_value(text->result, name, &value))
		snprintf(shown.text, sizeof(shown.text), "%.1f %%", value);
	return shown;
}

/* Figures of the processor's counters, or once why there are none */
static void
put_translation(struct text *text)
{
	static const char *const names[] = { "tlb.l1d.misses", "tlb.l2.misses",
					     "walk.cycles", "dtlb.load.misses",
					     "itlb.misses" };
	double end = view_or_zero(text->result, "time.end");
	const char *why = NULL, *before = "";
	char line[256] = "";

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *reason = view_reason(text->result, names[i]);
		size_t n = strlen(line);
		double value;

		if (view_value(text->result, names[i], &value)) {
			snprintf(line + n, sizeof(line) - n, "%s%s %s", before,
				 names[i], rate(text, names[i]).text);
			before = ", ";
		} else if (reason && !why) {
			why = reason;
		}
	}
	if (*line)
		text_say(text, "Translation: %s.", line);
	/* once: at the end of the first interval */
	if (!*line && why &&
	    end < 1.5 * view_or_zero(text->result, "time.elapsed"))
		text_say(text, "Translation: not counted: %s.", why);
	else if (!*line)
		text_say(text, "Translation: not counted.");
}

static void
put_head(struct text *text)
{
	const char *why = view_reason(text->result, "counter.page-faults");

	if (!why)
		why = view_reason(text->result, "counter.minor-faults");
	fprintf(text->file, "  At %.1f s, over %.2f s: ",
		view_or_zero(text->result, "time.end"),
		view_or_zero(text->result, "time.elapsed"));
	fprintf(text->file, "faults %s minor, %s major; switches %s\n",
		rate(text, "counter.minor-faults").text,
		rate(text, "counter.major-faults").text,
		rate(text, "counter.context-switches").text);
	if (why)
		text_say(text, "Not counted: %s.", why);
	put_translation(text);
	fprintf(text->file,
		"  Host: memory %s, available %s; huge %s; tables %s; swap %s "
		"of %s\n",
		bytes(text, "host.memory.bytes").text,
		bytes(text, "host.available.bytes").text,
		bytes(text, "host.huge.bytes").text,
		bytes(text, "host.table.bytes").text,
		bytes(text, "host.swap.used.bytes").text,
		bytes(text, "host.swap.bytes").text);
	why = view_reason(text->result, "pressure.memory.some");
	if (why)
		text_say(text, "Waiting for memory: not known: %s.", why);
	else
		fprintf(text->file,
			"  Waiting for memory: some %s, all tasks %s of the "
			"time\n",
			percent(text, "pressure.memory.some").text,
			percent(text, "pressure.memory.full").text);
}

/* How a column is shown */
enum kind {
	RATE,
	SHARE,
	BYTES
};
static const struct column {
	const char *name, *heading;
	enum kind kind;
	bool always; /* else only where some row has it */
} columns[] = {
	{ "minor", "minor/s", RATE, true },
	{ "major", "major/s", RATE, true },
	{ "cpu", "CPU %", SHARE, true },
	{ "rss", "resident", BYTES, true },
	{ "huge", "huge", BYTES, true },
	{ "tables", "tables", BYTES, true },
	{ "swap", "swap", BYTES, true },
	{ "working_set", "touched", BYTES, false },
	{ "l1_misses", "L1 miss/s", RATE, false },
	{ "l2_misses", "L2 miss/s", RATE, false },
	{ "dtlb_misses", "dTLB miss/s", RATE, false },
	{ "itlb_misses", "iTLB miss/s", RATE, false },
	{ "walk_cycles", "walk cyc/s", RATE, false },
};

static bool
is_shown(const struct view_table *table, const struct column *column)
{
	int at = view_column(table, column->name);

	for (size_t i = 0; i < table->n_rows && !column->always; i++)
		if (json_is_number(view_cell(table, i, at)))
			return true;
	return column->always;
}

/* "1.2G": short, for there are many columns */
static void
add_bytes(struct grid *grid, double value)
{
	static const char units[] = "BKMGTP";
	size_t i = 0;

	while (value >= 1000 && units[i + 1]) {
		value /= 1024;
		i++;
	}
	if (!i)
		grid_addf(grid, "%.0f", value);
	else
		grid_addf(grid, value < 9.95 ? "%.1f%c" : "%.0f%c", value,
			  units[i]);
}

static void
add_cell(struct grid *grid, const json_t *cell, enum kind kind, double seconds)
{
	double value = json_number_value(cell);

	if (!json_is_number(cell) || seconds <= 0)
		grid_add(grid, "-");
	else if (kind == BYTES)
		add_bytes(grid, value);
	else if (kind == SHARE)
		grid_addf(grid, "%.1f", value / seconds / 1e7);
	else if (value / seconds < 1000)
		grid_addf(grid, value ? "%.3g" : "0", value / seconds);
	else
		grid_add(grid, number_si(value / seconds).text);
}

static void
put_rows(struct text *text, const struct view_table *table)
{
	double seconds = view_or_zero(text->result, "time.elapsed");
	int tid = view_column(table, "tid");
	size_t top = text->setup->top;
	char letters[ARRAY_SIZE(columns) + 3] = ">";
	struct grid *grid;
	size_t n = 1;

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		if (is_shown(table, &columns[i]))
			letters[n++] = '>';
	letters[n++] = '~';
	letters[n] = '\0';
	grid = grid_open(letters);
	grid_add(grid, table->n_rows && json_is_number(view_cell(table, 0, tid))
			       ? "thread"
			       : "process");
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		if (is_shown(table, &columns[i]))
			grid_add(grid, columns[i].heading);
	grid_add(grid, "command");
	for (size_t row = 0; row < table->n_rows && (!top || row < top);
	     row++) {
		bool thread = json_is_number(view_cell(table, row, tid));

		grid_addf(grid, "%.0f",
			  view_number(table, row,
				      thread ? tid
					     : view_column(table, "pid")));
		for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
			if (is_shown(table, &columns[i]))
				add_cell(grid,
					 view_cell(table, row,
						   view_column(table,
							       columns[i]
								       .name)),
					 columns[i].kind, seconds);
		grid_add(grid,
			 view_text(table, row, view_column(table, "command")));
	}
	text_grid(text, grid);
}

void
text_top(struct text *text)
{
	struct view_table table;
	double all;

	if (!view_table(text->result, "top", &table))
		return;
	put_head(text);
	putc('\n', text->file);
	put_rows(text, &table);
	if (view_value(text->result, "top.count", &all) &&
	    all > (double)table.n_rows)
		text_say(text, "... and %.0f more.",
			 all - (double)table.n_rows);
	if (view_partial(text->result))
		text_say(text, "Only a part: %s.", view_partial(text->result));
}
