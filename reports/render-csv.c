// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Comma-separated values (RFC 4180, with plain newlines): one table with its
 * columns' names as the heading, or all values as name,value,unit,reason.
 * Numbers are exact and never grouped.
 */
#include "reports/renderer.h"
#include "reports/view.h"

#include <string.h>

static void
field_text(const char *text, FILE *file)
{
	if (!strpbrk(text, ",\"\n\r")) {
		fputs(text, file);
		return;
	}
	putc('"', file);
	for (; *text; text++) {
		if (*text == '"')
			putc('"', file);
		putc(*text, file);
	}
	putc('"', file);
}

/* null is an empty field. */
static void
field(const json_t *value, FILE *file)
{
	if (json_is_string(value))
		field_text(json_string_value(value), file);
	else if (value && !json_is_null(value))
		result_print_json(value, file);
}

static void
table_render(const struct view_table *table, size_t top, FILE *file)
{
	for (size_t i = 0; i < table->n_columns; i++) {
		fputs(i ? "," : "", file);
		field_text(view_column_name(table, i), file);
	}
	putc('\n', file);
	for (size_t i = 0; i < table->n_rows && (!top || i < top); i++) {
		for (size_t j = 0; j < table->n_columns; j++) {
			fputs(j ? "," : "", file);
			field(view_cell(table, i, (int)j), file);
		}
		putc('\n', file);
	}
}

static int
csv_render(const struct result *result, const struct render_setup *setup,
	   FILE *file)
{
	static const char *const keys[] = { "value", "unit", "reason" };
	json_t *values =
		json_object_get(result_json((struct result *)(uintptr_t)result),
				"values");
	struct view_table table;
	const char *name;
	json_t *entry;

	if (setup->table) {
		view_table(result, setup->table, &table);
		table_render(&table, setup->top, file);
		return 0;
	}
	fputs("name,value,unit,reason\n", file);
	json_object_foreach(values, name, entry)
	{
		field_text(name, file);
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			putc(',', file);
			field(json_object_get(entry, keys[i]), file);
		}
		putc('\n', file);
	}
	return 0;
}

const struct renderer_ops csv_renderer = {
	.name = "csv",
	.help = "all values, or one table, separated by commas",
	.render = csv_render,
};
