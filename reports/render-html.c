// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One page that needs nothing else: the sentences of the text report, figures
 * as SVG in it (html-figures.c), tables, and all values, folded away.  It has
 * no scripts, follows the reader's light or dark setting and fits a phone.
 */
#include "analyzer/fail.h"
#include "reports/html.h"
#include "reports/number.h"
#include "reports/text-report.h"

#include <stdlib.h>
#include <string.h>

static const char style[] =
	":root{--back:#fdfdfc;--text:#1c1c1a;--dim:#5d5d58;--line:#d9d9d3;"
	"--head:#f1f1ec;--a:#0072b2;--b:#d55e00;--c:#009e73;--d:#cc79a7}\n"
	"@media(prefers-color-scheme:dark){:root{--back:#161614;--text:#e8e8e2;"
	"--dim:#a3a39b;--line:#3a3a36;--head:#22221f;--a:#56b4e9;--b:#e69f00;"
	"--c:#2fc79b;--d:#e29cc2}}\n"
	"body{background:var(--back);color:var(--text);font:16px/1.5 "
	"system-ui,sans-serif;margin:0 auto;max-width:60rem;padding:1rem}\n"
	"h1{font-size:1.35rem;overflow-wrap:anywhere}h2{font-size:1.1rem;"
	"margin:2rem 0 .5rem}p{margin:.4rem 0;max-width:45rem}\n"
	".wide{overflow-x:auto}table{border-collapse:collapse;font-size:.85rem;"
	"font-variant-numeric:tabular-nums}\n"
	"th,td{border-bottom:1px solid var(--line);padding:.2rem .6rem;"
	"text-align:left;white-space:nowrap}\n"
	"th{background:var(--head);vertical-align:bottom}"
	"td.n,th.n{text-align:right}\n"
	"td.t{max-width:24rem;overflow:hidden;text-overflow:ellipsis}"
	"small,.dim{color:var(--dim)}\n"
	"figure{margin:1rem 0}figcaption{font-weight:600;margin-bottom:.3rem}"
	"svg{width:100%;height:auto;max-width:42rem;display:block}\n"
	"svg text{fill:var(--text);font:13px system-ui,sans-serif}"
	"summary{cursor:pointer;font-weight:600;margin:1rem 0 .3rem}\n";

void
html_text(FILE *file, const char *text)
{
	for (; *text; text++) {
		switch (*text) {
		case '<':
			fputs("&lt;", file);
			break;
		case '>':
			fputs("&gt;", file);
			break;
		case '&':
			fputs("&amp;", file);
			break;
		case '"':
			fputs("&quot;", file);
			break;
		default:
			/* HTML has no other control characters */
			if ((unsigned char)*text >= ' ')
				putc(*text, file);
			else
				putc(' ', file);
		}
	}
}

/* Headings stand at the margin, paragraphs of one line behind two blanks. */
static void
put_lines(char *words, FILE *file)
{
	char *rest = NULL;

	for (char *line = strtok_r(words, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest)) {
		bool paragraph = *line == ' ';

		fputs(paragraph ? "<p>" : "<h2>", file);
		html_text(file, line + strspn(line, " "));
		fputs(paragraph ? "</p>\n" : "</h2>\n", file);
	}
}

/* What the text report says first; its title is the page's. */
static int
put_sentences(const struct result *result, FILE *file)
{
	const struct render_setup setup = { .top = 10, .width = 1u << 20 };
	char *words = NULL, *body;
	size_t bytes;
	struct text text = { result, &setup, open_memstream(&words, &bytes),
			     0 };

	if (!text.file)
		return fail(ENOMEM, "report: no memory");
	text_sentences(&text);
	if (fclose(text.file)) {
		free(words);
		return fail(ENOMEM, "report: no memory");
	}
	/* the first line is the title, which stands above already */
	body = strchr(words, '\n');
	if (body)
		put_lines(body, file);
	free(words);
	return text.error ? fail(ENOMEM, "report: no memory") : 0;
}

static void
put_cell(const json_t *cell, const char *unit, FILE *file)
{
	char real[40];

	if (json_is_integer(cell)) {
		fputs("<td class=\"n\">", file);
		fputs(number_count((double)json_integer_value(cell)).text,
		      file);
	} else if (json_is_real(cell)) {
		double value = json_real_value(cell);

		fputs("<td class=\"n\">", file);
		if (!strcmp(unit, "percent"))
			fprintf(file, "%.1f %%", value);
		else
			fputs((result_real_print(value, real, sizeof(real)),
			       real),
			      file);
	} else if (json_is_string(cell)) {
		fputs("<td class=\"t\" title=\"", file);
		html_text(file, json_string_value(cell));
		fputs("\">", file);
		html_text(file, json_string_value(cell));
	} else {
		fputs("<td class=\"n dim\">–", file);
	}
	fputs("</td>", file);
}

static bool
is_numeric(const struct view_table *table, size_t column)
{
	for (size_t i = 0; i < table->n_rows; i++) {
		const json_t *cell = view_cell(table, i, (int)column);

		if (!json_is_null(cell))
			return json_is_number(cell);
	}
	return false;
}

static void
put_table(const struct view_table *table, size_t top, FILE *file)
{
	size_t n = top && top < table->n_rows ? top : table->n_rows;

	fputs("<div class=\"wide\"><table><thead><tr>", file);
	for (size_t j = 0; j < table->n_columns; j++) {
		const char *unit = view_column_unit(table, j);

		fputs(is_numeric(table, j) ? "<th class=\"n\">" : "<th>", file);
		html_text(file, view_column_name(table, j));
		if (*unit && strcmp(unit, "percent") != 0) {
			fputs("<br><small>", file);
			html_text(file, unit);
			fputs("</small>", file);
		}
		fputs("</th>", file);
	}
	fputs("</tr></thead>\n<tbody>\n", file);
	for (size_t i = 0; i < n; i++) {
		fputs("<tr>", file);
		for (size_t j = 0; j < table->n_columns; j++)
			put_cell(view_cell(table, i, (int)j),
				 view_column_unit(table, j), file);
		fputs("</tr>\n", file);
	}
	fputs("</tbody></table></div>\n", file);
	if (n < table->n_rows)
		fprintf(file,
			"<p class=\"dim\">... and %zu more rows (--top 0 puts "
			"all here; --format csv --table ",
			table->n_rows - n);
	if (n < table->n_rows) {
		html_text(file, table->name);
		fputs(")</p>\n", file);
	}
}

/* Which tables are shown open, in this order, and what they are called; all
 * others are folded away. */
static const struct shown {
	const char *name, *title;
} shown[] = {
	{ "values", "Values" },
	{ "who.function", "Who misses: functions" },
	{ "who.path", "Who misses: functions with what they called" },
	{ "who.line", "Who misses: source lines" },
	{ "who.object", "What is missed on: data objects" },
	{ "who.mapping", "What is missed on: mappings" },
	{ "who.thread", "Who misses: threads" },
	{ "who.node", "Nodes: which ran, and which has the page" },
	{ "functions", "Functions" },
	{ "mappings", "Mappings" },
	{ "samples.functions", "Functions, by samples" },
	{ "tlb.sizes", "Who answered, by size of the page" },
	{ "curve", "Misses by memory" },
};

/* NULL: it is not among them. */
static const char *
title_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		if (!strcmp(shown[i].name, name))
			return shown[i].title;
	return NULL;
}

static void
put_one(const struct result *result, const char *name, size_t top, FILE *file)
{
	const char *open = title_of(name);
	struct view_table table;

	if (!view_table(result, name, &table) || !table.n_rows)
		return;
	fputs(open ? "<h2>" : "<details><summary>", file);
	html_text(file, open ? open : name);
	fputs(open ? "</h2>\n<p class=\"dim\">"
		   : "</summary>\n<p class=\"dim\">",
	      file);
	html_text(file, table.help);
	fputs("</p>\n", file);
	put_table(&table, top, file);
	fputs(open ? "" : "</details>\n", file);
}

static void
put_tables(const struct result *result, size_t top, FILE *file)
{
	json_t *tables =
		json_object_get(result_json((struct result *)(uintptr_t)result),
				"tables");
	const char *name;
	json_t *table;

	for (size_t i = 0; i < ARRAY_SIZE(shown); i++)
		put_one(result, shown[i].name, top, file);
	json_object_foreach(tables, name, table) if (!title_of(name))
		put_one(result, name, top ? 2 * top : 0, file);
}

static void
put_values(const struct result *result, FILE *file)
{
	json_t *values =
		json_object_get(result_json((struct result *)(uintptr_t)result),
				"values");
	const char *name;
	json_t *entry;

	fputs("<details><summary>All values</summary>\n<div class=\"wide\">"
	      "<table><tbody>\n",
	      file);
	json_object_foreach(values, name, entry)
	{
		const char *unit =
			json_string_value(json_object_get(entry, "unit"));
		const char *why =
			json_string_value(json_object_get(entry, "reason"));

		fputs("<tr><td>", file);
		html_text(file, name);
		fputs("</td>", file);
		put_cell(json_object_get(entry, "value"), unit ? unit : "",
			 file);
		fputs("<td>", file);
		html_text(file, unit ? unit : why ? why : "");
		fputs("</td></tr>\n", file);
	}
	fputs("</tbody></table></div></details>\n", file);
}

static void
put_options(const struct result *result, FILE *file)
{
	json_t *options =
		json_object_get(result_json((struct result *)(uintptr_t)result),
				"options");
	const char *name;
	json_t *value;

	if (!json_object_size(options))
		return;
	fputs("<details><summary>Effective options</summary>\n"
	      "<div class=\"wide\"><table><tbody>\n",
	      file);
	json_object_foreach(options, name, value)
	{
		fputs("<tr><td>", file);
		html_text(file, name);
		fputs("</td><td>", file);
		html_text(file, json_string_value(value));
		fputs("</td></tr>\n", file);
	}
	fputs("</tbody></table></div></details>\n", file);
}

/* Name and value alone tell what there is of several machines. */
static int
put_body(const struct result *result, const struct render_setup *setup,
	 FILE *file)
{
	const char *partial = view_partial(result);
	struct view_table accesses;
	int error = 0;

	if (partial) {
		fputs("<p><strong>Partial:</strong> ", file);
		html_text(file, partial);
		fputs("</p>\n", file);
	}
	if (!view_table(result, "curve", &accesses) &&
	    view_or_zero(result, "accesses") > 0)
		error = put_sentences(result, file);
	html_figures(result, file);
	put_tables(result, setup->top, file);
	put_values(result, file);
	put_options(result, file);
	return error;
}

static int
put_machines(const struct result *result, const struct render_setup *setup,
	     FILE *file)
{
	int error = 0;

	for (size_t i = 0; !error && i < result_machines(result); i++) {
		struct result *one;

		error = result_machine(&one, result, i);
		if (error)
			return fail(ENOMEM, "report: no memory");
		fputs("<h1>", file);
		html_text(file, result_machine_name(result, i));
		fputs("</h1>\n", file);
		error = put_body(one, setup, file);
		result_close(one);
	}
	return error;
}

static int
html_render(const struct result *result, const struct render_setup *setup,
	    FILE *file)
{
	char command[1000];
	struct view_table table;
	int error = 0;

	view_command(result, command, sizeof(command));
	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n"
	      "<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
	      "content=\"width=device-width, initial-scale=1\">\n"
	      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
	      file);
	html_text(file, *command ? command : "pagescope");
	fprintf(file, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<h1>",
		style);
	html_text(file, *command ? command : "A pagescope result");
	if (*view_machine(result)) {
		fputs(" <small>on ", file);
		html_text(file, view_machine(result));
		fputs("</small>", file);
	}
	fputs("</h1>\n", file);
	if (setup->table && view_table(result, setup->table, &table))
		put_table(&table, setup->top, file);
	else if (result_machines(result))
		error = put_machines(result, setup, file);
	else
		error = put_body(result, setup, file);
	fputs("<p class=\"dim\">Made by pagescope " PACKAGE_VERSION
	      ".</p>\n</body>\n</html>\n",
	      file);
	return error;
}

const struct renderer_ops html_renderer = {
	.name = "html",
	.help = "one page with sentences, figures and tables, which needs no "
		"network",
	.render = html_render,
};
