// SPDX-License-Identifier: GPL-2.0-or-later
/* What was predicted beside what the kernel counted in the recorded run. */
#include "reports/number.h"
#include "reports/text-report.h"

#include <math.h>
#include <string.h>

static void
put_heads(struct grid *grid)
{
	static const char *const heads[] = {
		"process", "figure",  "predicted", "measured",
		"error",   "allowed", "",
	};

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		grid_add(grid, heads[i]);
}

static const char *
mark(const char *pass)
{
	return strcmp(pass, "yes") == 0	 ? "pass"
	       : strcmp(pass, "no") == 0 ? "DIFFERS"
					 : "-";
}

static void
put_error(struct grid *grid, double error, double measured)
{
	if (error == 0)
		grid_add(grid, "0");
	else if (measured > 0)
		grid_addf(grid, "%+.2f %%", error * 100 / measured);
	else
		grid_addf(grid, "%+.0f", error);
}

/* The rows of one process: [first, end) */
struct process {
	size_t first, end;
	unsigned agree, differ;
	double number;
	const char *program;
};

static struct process
process_at(const struct view_table *table, size_t first)
{
	int process = view_column(table, "process");
	struct process of = {
		.first = first,
		.number = view_number(table, first, process),
		.program =
			view_text(table, first, view_column(table, "program")),
	};

	for (of.end = first; of.end < table->n_rows &&
			     view_number(table, of.end, process) == of.number;
	     of.end++) {
		const char *pass =
			view_text(table, of.end, view_column(table, "pass"));

		of.agree += !strcmp(pass, "yes");
		of.differ += !strcmp(pass, "no");
	}
	return of;
}

static void
put_row(struct grid *grid, const struct view_table *table, size_t i)
{
	double measured = view_number(table, i, view_column(table, "measured"));
	int predicted = view_column(table, "predicted");
	bool known = !json_is_null(view_cell(table, i, predicted));

	grid_add(grid, view_text(table, i, view_column(table, "figure")));
	grid_add(grid,
		 known ? number_count(view_number(table, i, predicted)).text
		       : "-");
	grid_add(grid, number_count(measured).text);
	if (known)
		put_error(grid,
			  view_number(table, i, view_column(table, "error")),
			  measured);
	else
		grid_add(grid, "-");
	grid_add(grid, view_text(table, i, view_column(table, "tolerance")));
	grid_add(grid, mark(view_text(table, i, view_column(table, "pass"))));
}

/* Of many processes only those are shown figure by figure of which one differs. */
#define SHOWN 2u

static void
put_rows(struct text *text, const struct view_table *table)
{
	struct grid *grid = grid_open("><>>><<");
	size_t processes = 0, folded = 0;
	unsigned agree = 0;

	for (size_t i = 0; i < table->n_rows; processes++)
		i = process_at(table, i).end;
	put_heads(grid);
	for (size_t i = 0; i < table->n_rows;) {
		struct process of = process_at(table, i);

		if (processes > SHOWN && !of.differ) {
			folded++;
			agree += of.agree;
			i = of.end;
			continue;
		}
		for (; i < of.end; i++) {
			if (i > of.first)
				grid_add(grid, "");
			else
				grid_addf(grid, "%.0f%s%s", of.number,
					  *of.program ? " " : "", of.program);
			put_row(grid, table, i);
		}
	}
	if (folded < processes)
		text_grid(text, grid);
	else
		grid_close(grid);
	if (folded)
		text_say(text,
			 "%zu %sprocesses have no figure that differs, and %u "
			 "that agree; --format csv shows each.",
			 folded, folded < processes ? "other " : "", agree);
}

/* Each reason once, with the figures that it holds for */
static void
put_reasons(struct text *text, const struct view_table *table)
{
	int reason = view_column(table, "reason");
	int figure = view_column(table, "figure");

	for (size_t i = 0; i < table->n_rows; i++) {
		const char *why = view_text(table, i, reason);
		char names[512] = "";
		size_t first = 0;

		while (strcmp(view_text(table, first, reason), why) != 0)
			first++;
		if (!*why || first < i)
			continue;
		for (size_t k = i; k < table->n_rows; k++) {
			const char *name = view_text(table, k, figure);

			if (strcmp(view_text(table, k, reason), why) != 0 ||
			    strstr(names, name))
				continue;
			if (*names)
				strncat(names, ", ",
					sizeof(names) - strlen(names) - 1);
			strncat(names, name, sizeof(names) - strlen(names) - 1);
		}
		text_say(text, "Not compared: %s: %s.", names, why);
	}
}

/* Options of a what-if, where the kernel did something else */
static void
put_what_if(struct text *text)
{
	static const struct {
		const char *name, *recorded;
	} options[] = {
		{ "reclaim.policy", "none" }, { "files.cache", "recorded" },
		{ "files.read-ahead", "-1" }, { "ksm.rate", "0" },
		{ "ksm.run", "recorded" },    { "pages.zero-page", "recorded" },
	};
	char names[128] = "";

	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		const char *value = view_option(text->result, options[i].name);

		if (!*value || !strcmp(value, options[i].recorded))
			continue;
		if (*names)
			strcat(names, ", ");
		strcat(names, options[i].name);
	}
	if (*names)
		text_say(text,
			 "What differs may be what you ask for: the kernel did "
			 "as recorded, the replay as %s would have it.",
			 names);
}

/* Counters of the host that something is predicted of. */
static void
put_host(struct text *text)
{
	struct view_table table;
	struct grid *grid;
	bool any = false;

	if (!view_table(text->result, "kernel.counters", &table))
		return;
	grid = grid_open("<>><");
	grid_add(grid, "counter");
	grid_add(grid, "predicted");
	grid_add(grid, "measured");
	grid_add(grid, "");
	for (size_t i = 0; i < table.n_rows; i++) {
		int predicted = view_column(&table, "predicted");
		double value = view_number(&table, i, predicted);
		double measured =
			view_number(&table, i, view_column(&table, "measured"));

		if (json_is_null(view_cell(&table, i, predicted)) ||
		    (value == 0 && measured == 0))
			continue;
		any = true;
		grid_add(grid,
			 view_text(&table, i, view_column(&table, "counter")));
		grid_add(grid, number_count(value).text);
		grid_add(grid, number_count(measured).text);
		grid_add(grid,
			 view_text(&table, i, view_column(&table, "figure")));
	}
	if (!any) {
		grid_close(grid);
		return;
	}
	text_heading(text, "The kernel's counters, while this was recorded");
	text_grid(text, grid);
	text_say(text,
		 "rusage is of all processes of the command, from before their "
		 "exec on; the others are of the whole host or memory group, "
		 "where others count, too.  All are in the table "
		 "kernel.counters.");
}

static void
put_processes(struct text *text)
{
	struct view_table table;
	double passed = view_or_zero(text->result, "validate.passed");
	double differs = view_or_zero(text->result, "validate.differs");

	if (!view_table(text->result, "validate", &table) || !table.n_rows)
		return;
	text_heading(text, "Predicted, and what the kernel counted");
	put_rows(text, &table);
	if (passed + differs > 0)
		text_say(text,
			 "%.0f of %.0f figures are as the kernel counted.",
			 passed, passed + differs);
	if (differs > 0)
		put_what_if(text);
	put_reasons(text, &table);
}

void
text_validate(struct text *text)
{
	put_processes(text);
	put_host(text);
}
