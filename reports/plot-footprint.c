// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory in use and page tables over the run, each with an axis of its own. */
#include "reports/plot.h"
#include "reports/view.h"

static size_t
footprint_data(const struct result *result, FILE *file, char *why,
	       size_t why_bytes)
{
	struct view_table table;
	int time, resident, tables;

	view_table(result, "footprint.time", &table);
	time = view_column(&table, "accesses");
	resident = view_column(&table, "resident");
	tables = view_column(&table, "tables");
	if (view_sum(&table, resident) + view_sum(&table, tables) <= 0)
		return plot_nothing(result, "footprint.time",
				    "no memory was used", why, why_bytes);
	fputs("# accesses so far, resident bytes, bytes of page tables\n",
	      file);
	for (size_t i = 0; i < table.n_rows; i++)
		fprintf(file, "%.0f %.0f %.0f\n", view_number(&table, i, time),
			view_number(&table, i, resident),
			view_number(&table, i, tables));
	/* the last level holds to the end of the run */
	if (view_or_zero(result, "accesses") >
	    view_number(&table, table.n_rows - 1, time))
		fprintf(file, "%.0f %.0f %.0f\n",
			view_or_zero(result, "accesses"),
			view_number(&table, table.n_rows - 1, resident),
			view_number(&table, table.n_rows - 1, tables));
	return table.n_rows;
}

/* The unit in which the column's largest value is 1 to 1023 or so. */
static struct plot_unit
unit_of(const struct view_table *table, const char *column)
{
	double most = 0;

	for (size_t row = 0; row < table->n_rows; row++) {
		double n = view_number(table, row, view_column(table, column));

		most = n > most ? n : most;
	}
	return plot_unit_of(most);
}

static void
footprint_draw(const struct result *result, FILE *script)
{
	double end = view_or_zero(result, "accesses");
	struct view_table table;
	struct plot_unit resident, tables;

	view_table(result, "footprint.time", &table);
	resident = unit_of(&table, "resident");
	tables = unit_of(&table, "tables");
	if (end > 0) {
		fprintf(script, "set xrange [0:%.17g]\n", end);
		plot_tics(script, "x", end);
	}
	fprintf(script,
		"set yrange [0:*]\n"
		"set y2range [0:*]\n"
		"set offsets 0, 0, graph 0.05, 0\n"
		"set border 11\n"
		"set y2tics\n"
		"set xlabel 'accesses so far'.gap\n" PLOT_YLABEL(
			"memory in use (%s)") "set y2label side('page tables (%s)')\n",
		resident.name, tables.name);
	fprintf(script,
		"plot data using 1:($2/%.0f) with steps linewidth 2 linecolor "
		"rgb '%s' title 'memory in use (left)', \\\n"
		"\t'' using 1:($3/%.0f) axes x1y2 with steps linewidth 2 "
		"linecolor rgb '%s' title 'page tables (right)'\n",
		resident.bytes, plot_colour(0), tables.bytes, plot_colour(5));
}

const struct plot_ops footprint_plot = {
	.name = "footprint",
	.help = "memory in use and page tables over the run",
	.title = "Memory in use",
	.data = footprint_data,
	.draw = footprint_draw,
};
