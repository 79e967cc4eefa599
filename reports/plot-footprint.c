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
	if (view_sum(&table, resident) + view_sum(&table, tables) <= 0) {
		snprintf(why, why_bytes, "no memory was used");
		return 0;
	}
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

static void
footprint_draw(const struct result *result, FILE *script)
{
	double end = view_or_zero(result, "accesses");

	if (end > 0)
		fprintf(script, "set xrange [0:%.17g]\n", end);
	fprintf(script,
		"set yrange [0:*]\n"
		"set y2range [0:*]\n"
		"set border 11\n"
		"set y2tics\n"
		"set format x '%%.0s%%c'\n"
		"set format y '%%.0b %%BB'\n"
		"set format y2 '%%.0b %%BB'\n"
		"set xlabel 'accesses so far'\n"
		"set ylabel 'memory in use'\n"
		"set y2label 'page tables'\n"
		"set key bottom center outside horizontal samplen 2\n"
		"plot data using 1:2 with steps linewidth 2 title 'memory in "
		"use (left)' linecolor rgb '%s', \\\n"
		"\t'' using 1:3 axes x1y2 with steps linewidth 2 title 'page "
		"tables (right)' linecolor rgb '%s' dashtype 2\n",
		plot_colour(0), plot_colour(5));
}

const struct plot_ops footprint_plot = {
	.name = "footprint",
	.help = "memory in use and page tables over the run",
	.title = "Memory in use",
	.data = footprint_data,
	.draw = footprint_draw,
};
