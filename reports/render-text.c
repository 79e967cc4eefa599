// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The report for people: first what matters in plain sentences, then the
 * tables behind them, then where all of it comes from.
 */
#include "reports/text-report.h"

#include "analyzer/fail.h"

#include <stdarg.h>
#include <string.h>

void
text_heading(struct text *text, const char *heading)
{
	bool coloured = text->setup->coloured;

	fprintf(text->file, "\n%s%s%s\n", coloured ? "\033[1m" : "", heading,
		coloured ? "\033[0m" : "");
}

void
text_say(struct text *text, const char *format, ...)
{
	char words[4096], *word, *rest = NULL;
	unsigned at = 0, n;
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	for (word = strtok_r(words, " ", &rest); word;
	     word = strtok_r(NULL, " ", &rest)) {
		n = 0;
		for (char *c = word; *c; c++) {
			if (*c == *NB)
				*c = ' ';
			n += ((unsigned char)*c & 0xc0) != 0x80;
		}
		if (at && at + 1 + n > text->setup->width) {
			putc('\n', text->file);
			at = 0;
		}
		fputs(at ? " " : "  ", text->file);
		fputs(word, text->file);
		at += n + (at ? 1 : 2);
	}
	putc('\n', text->file);
}

void
text_grid(struct text *text, struct grid *grid)
{
	int error = grid_print(grid, text->file, text->setup->width,
			       text->setup->coloured);

	if (error && !text->error)
		text->error = error;
	grid_close(grid);
}

static void
cell_add(struct grid *grid, const json_t *cell)
{
	char real[40];

	if (json_is_string(cell)) {
		grid_add(grid, json_string_value(cell));
	} else if (json_is_integer(cell)) {
		grid_addf(grid, "%" JSON_INTEGER_FORMAT,
			  json_integer_value(cell));
	} else if (json_is_real(cell)) {
		result_real_print(json_real_value(cell), real, sizeof(real));
		grid_add(grid, real);
	} else {
		grid_add(grid, "-");
	}
}

void
text_table(struct text *text, const struct view_table *table, size_t top)
{
	char letters[32];
	size_t n = table->n_columns < sizeof(letters) - 1 ? table->n_columns
							  : sizeof(letters) - 1;
	struct grid *grid;

	for (size_t j = 0; j < n; j++)
		letters[j] = table->n_rows && json_is_string(view_cell(table, 0,
								       (int)j))
				     ? '<'
				     : '>';
	letters[n] = '\0';
	grid = grid_open(letters);
	if (!grid) {
		text->error = -ENOMEM;
		return;
	}
	for (size_t j = 0; j < n; j++)
		grid_add(grid, view_column_name(table, j));
	for (size_t i = 0; i < table->n_rows && (!top || i < top); i++)
		for (size_t j = 0; j < n; j++)
			cell_add(grid, view_cell(table, i, (int)j));
	text_grid(text, grid);
}

static int
text_render(const struct result *result, const struct render_setup *setup,
	    FILE *file)
{
	struct text text = { result, setup, file, 0 };
	struct view_table table;

	if (setup->table && !strcmp(setup->table, "validate")) {
		text_validate(&text);
	} else if (setup->table) {
		view_table(result, setup->table, &table);
		text_table(&text, &table, setup->top);
	} else if (result_machines(result)) {
		text_comparison(&text);
		text_verdicts(&text);
	} else if (view_table(result, "sweep", &table)) {
		text_sweep(&text);
	} else if (view_table(result, "curve", &table)) {
		text_curve(&text);
	} else if (view_table(result, "top", &table)) {
		text_top(&text);
	} else if (view_table(result, "counters", &table)) {
		text_counters(&text);
	} else if (view_or_zero(result, "accesses") == 0 &&
		   view_table(result, "samples.events", &table)) {
		/* Nothing was replayed: a machine has nothing to tell */
		text_samples(&text);
		text_provenance(&text);
	} else {
		text_sentences(&text);
		text_explain(&text);
		text_translation(&text);
		text_walks(&text);
		text_bound(&text);
		text_parts(&text);
		text_paging(&text);
		text_huge(&text);
		text_sharing(&text);
		text_merging(&text);
		text_validate(&text);
		text_reclaim(&text);
		text_who(&text);
		text_rankings(&text);
		text_samples(&text);
		text_provenance(&text);
	}
	if (text.error)
		return fail(ENOMEM, "report: no memory for a table");
	return 0;
}

const struct renderer_ops text_renderer = {
	.name = "text",
	.help = "a report to read: sentences first, then tables",
	.render = text_render,
};
