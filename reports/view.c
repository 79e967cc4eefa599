// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Looking into a result document.  result_read has checked its shape, so what
 * is missing here is missing from the run, not broken.
 */
#include "reports/view.h"

#include "analyzer/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *
document(const struct result *result)
{
	return result_json((struct result *)(uintptr_t)result);
}

static json_t *
value_entry(const struct result *result, const char *name)
{
	return json_object_get(json_object_get(document(result), "values"),
			       name);
}

bool
view_value(const struct result *result, const char *name, double *value)
{
	json_t *found = json_object_get(value_entry(result, name), "value");

	if (!json_is_number(found))
		return false;
	*value = json_number_value(found);
	return true;
}

const char *
view_option(const struct result *result, const char *name)
{
	const char *value = json_string_value(
		json_object_get(json_object_get(document(result), "options"),
				name));

	return value ? value : "";
}

double
view_or_zero(const struct result *result, const char *name)
{
	double value = 0;

	view_value(result, name, &value);
	return value;
}

const char *
view_string(const struct result *result, const char *name)
{
	const json_t *value =
		json_object_get(value_entry(result, name), "value");

	return json_is_string(value) ? json_string_value(value) : "";
}

const char *
view_reason(const struct result *result, const char *name)
{
	json_t *entry = value_entry(result, name);

	return json_string_value(json_object_get(entry, "reason"));
}

const char *
view_partial(const struct result *result)
{
	return json_string_value(json_object_get(document(result), "partial"));
}

bool
view_table(const struct result *result, const char *name,
	   struct view_table *out)
{
	json_t *table =
		json_object_get(json_object_get(document(result), "tables"),
				name);
	const char *help = json_string_value(json_object_get(table, "help"));

	out->name = name;
	out->help = help ? help : "";
	out->columns = json_object_get(table, "columns");
	out->rows = json_object_get(table, "rows");
	out->n_columns = json_array_size(out->columns);
	out->n_rows = json_array_size(out->rows);
	return table != NULL;
}

int
view_column(const struct view_table *table, const char *name)
{
	for (size_t i = 0; i < table->n_columns; i++)
		if (!strcmp(view_column_name(table, i), name))
			return (int)i;
	return -1;
}

const char *
view_column_name(const struct view_table *table, size_t column)
{
	return json_string_value(
		json_object_get(json_array_get(table->columns, column),
				"name"));
}

const char *
view_column_unit(const struct view_table *table, size_t column)
{
	const char *unit = json_string_value(
		json_object_get(json_array_get(table->columns, column),
				"unit"));

	return unit ? unit : "";
}

const json_t *
view_cell(const struct view_table *table, size_t row, int column)
{
	if (column < 0)
		return NULL;
	return json_array_get(json_array_get(table->rows, row), (size_t)column);
}

double
view_number(const struct view_table *table, size_t row, int column)
{
	const json_t *cell = view_cell(table, row, column);

	if (json_is_string(cell))
		return (double)view_address(table, row, column);
	return json_number_value(cell);
}

uint64_t
view_address(const struct view_table *table, size_t row, int column)
{
	const json_t *cell = view_cell(table, row, column);

	if (json_is_string(cell))
		return strtoull(json_string_value(cell), NULL, 0);
	if (json_is_real(cell))
		return view_count(json_real_value(cell));
	return (uint64_t)json_integer_value(cell);
}

const char *
view_text(const struct view_table *table, size_t row, int column)
{
	const char *text = json_string_value(view_cell(table, row, column));

	return text ? text : "";
}

uint64_t
view_count(double number)
{
	if (!(number > 0))
		return 0;
	return number < 0x1p64 ? (uint64_t)number : UINT64_MAX;
}

double
view_sum(const struct view_table *table, int column)
{
	double sum = 0;

	for (size_t i = 0; i < table->n_rows; i++)
		sum += view_number(table, i, column);
	return sum;
}

double
view_walk_cycles(const struct result *result)
{
	return view_or_zero(result, "walk.cycles");
}

const char *
view_fault_class(const char *name)
{
	static const char *const classes[][2] = {
		{ "anon", "anonymous, written first" },
		{ "zero", "anonymous, read first (zero page)" },
		{ "zero-cow", "write to the zero page" },
		{ "cow", "copy on write" },
		{ "reuse", "write to a page no longer shared" },
		{ "file", "file page" },
		{ "shared", "shared memory" },
		{ "stack", "growth of the stack" },
		{ "unmapped", "outside every known mapping" },
		{ "swap-cache", "page in swap and in memory" },
		{ "swap", "page in swap (major)" },
		{ "read", "page read from a file (major)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (!strcmp(classes[i][0], name))
			return classes[i][1];
	return name;
}

static const json_t *
provenance(const struct result *result, const char *name)
{
	return json_object_get(json_object_get(document(result), "provenance"),
			       name);
}

bool
view_recorded_by(const struct result *result, const char *engine)
{
	json_t *engines =
		json_object_get(provenance(result, "trace"), "engines");

	for (size_t i = 0; i < json_array_size(engines); i++) {
		const char *name = json_string_value(
			json_object_get(json_array_get(engines, i), "name"));

		if (name && !strcmp(name, engine))
			return true;
	}
	return false;
}

const char *
view_host(const struct result *result, const char *what)
{
	const json_t *host =
		json_object_get(provenance(result, "trace"), "host");
	const char *text = json_string_value(json_object_get(host, what));

	return text ? text : "";
}

/* Of a replay, what the trace says about the program; of a trace that came
 * from elsewhere nobody knows the program: its own name. */
static const json_t *
recorded_command(const struct result *result)
{
	const json_t *trace = provenance(result, "trace");
	const json_t *command =
		json_object_get(provenance(result, "recording"), "command");

	if (!command)
		command = json_object_get(trace, "command");
	if (!command)
		command = json_object_get(trace, "name");
	return command ? command : provenance(result, "command");
}

/* What was asked to be read may have been standard input. */
static const char *
named(const char *word)
{
	return strcmp(word, "-") ? word : "standard input";
}

static size_t
one_line(const char *word, char *text, size_t bytes)
{
	return quote_controls(word) ? quote_word(word, text, bytes)
				    : (size_t)snprintf(text, bytes, "%s", word);
}

size_t
view_command(const struct result *result, char *text, size_t bytes)
{
	const json_t *command = recorded_command(result);
	size_t used = 0, i;
	json_t *word;

	*text = '\0';
	if (json_is_string(command))
		return one_line(named(json_string_value(command)), text, bytes);
	json_array_foreach(command, i, word)
	{
		const char *string = json_string_value(word);

		if (i && used + 1 < bytes)
			text[used] = ' ';
		used += i > 0;
		used += quote_word(string ? string : "?",
				   text + (used < bytes ? used : bytes),
				   used < bytes ? bytes - used : 0);
	}
	return used;
}

size_t
view_program(const struct result *result, char *text, size_t bytes)
{
	const json_t *command = recorded_command(result);
	const char *word = json_string_value(
		json_is_array(command) ? json_array_get(command, 0) : command);
	const char *slash;
	size_t n;

	*text = '\0';
	if (!word)
		return 0;
	word = named(word);
	n = json_is_array(command) ? strcspn(word, " ") : strlen(word);
	while ((slash = memchr(word, '/', n)) != NULL) {
		n -= (size_t)(slash + 1 - word);
		word = slash + 1;
	}
	n = (size_t)snprintf(text, bytes, "%.*s", (int)n, word);
	for (char *c = text; *c; c++)
		*c = (unsigned char)*c < ' ' ? ' ' : *c;
	return n;
}

const char *
view_machine(const struct result *result)
{
	static const char *const names[] = { "machine", "cpu", "preset" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const json_t *value = provenance(result, names[i]);

		if (json_is_object(value))
			value = json_object_get(value, "name")
					? json_object_get(value, "name")
					: json_object_get(value, "cpu");
		if (json_is_string(value))
			return json_string_value(value);
	}
	return "";
}
