// SPDX-License-Identifier: GPL-2.0-or-later
/* The document itself, or one table of it. */
#include "reports/renderer.h"
#include "reports/view.h"

static int
json_render(const struct result *result, const struct render_setup *setup,
	    FILE *file)
{
	struct view_table table;

	if (!setup->table) {
		result_print(result, file);
		return 0;
	}
	view_table(result, setup->table, &table);
	fputs("{\"columns\": ", file);
	result_print_json(table.columns, file);
	fputs(", \"rows\": [", file);
	for (size_t i = 0; i < table.n_rows && (!setup->top || i < setup->top);
	     i++) {
		fputs(i ? ",\n  " : "\n  ", file);
		result_print_json(json_array_get(table.rows, i), file);
	}
	fputs("\n]}\n", file);
	return 0;
}

const struct renderer_ops json_renderer = {
	.name = "json",
	.help = "the document as it is stored, or one table of it",
	.render = json_render,
};
