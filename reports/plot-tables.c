// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory of page tables over the run, a line a machine. */
#include "reports/machines.h"
#include "reports/plot.h"

static size_t
tables_data(const struct result *result, FILE *file, char *why,
	    size_t why_bytes)
{
	struct machines machines;
	struct view_table table;
	size_t rows = 0;
	double end;

	if (machines_open(&machines, result))
		return 0;
	for (size_t i = 0; i < machines.n; i++) {
		int time, bytes;

		view_table(machines.one[i], "table.time", &table);
		time = view_column(&table, "accesses");
		bytes = view_column(&table, "bytes");
		end = view_or_zero(machines.one[i], "accesses");
		fputs(i ? "\n\n# " : "# ", file);
		plot_label(file, machines.name[i]);
		fputs(": accesses so far, bytes of page tables\n", file);
		for (size_t row = 0; row < table.n_rows; row++)
			fprintf(file, "%.0f %.0f\n",
				view_number(&table, row, time),
				view_number(&table, row, bytes));
		/* the last level holds to the end of the run */
		if (table.n_rows)
			fprintf(file, "%.0f %.0f\n", end,
				view_number(&table, table.n_rows - 1, bytes));
		else
			fputs("NaN NaN\n", file);
		rows += table.n_rows;
	}
	if (!rows)
		plot_nothing(machines.one[0], "table.time",
			     "no page table was made", why, why_bytes);
	machines_close(&machines);
	return rows;
}

static void
tables_draw(const struct result *result, FILE *script)
{
	struct machines machines;
	struct view_table table;
	struct plot_unit unit;
	double end = 0, most = 0, n;

	if (machines_open(&machines, result))
		return;
	for (size_t i = 0; i < machines.n; i++) {
		n = view_or_zero(machines.one[i], "accesses");
		end = n > end ? n : end;
		view_table(machines.one[i], "table.time", &table);
		for (size_t row = 0; row < table.n_rows; row++) {
			n = view_number(&table, row,
					view_column(&table, "bytes"));
			most = n > most ? n : most;
		}
	}
	unit = plot_unit_of(most);
	if (end > 0) {
		fprintf(script, "set xrange [0:%.17g]\n", end);
		plot_tics(script, "x", end);
	}
	fprintf(script,
		"set yrange [0:%.17g]\n"
		"set xlabel 'accesses so far'.gap\n" PLOT_YLABEL(
			"page tables (%s)"),
		most > 0 ? 1.08 * most / unit.bytes : 1, unit.name);
	fputs("plot ", script);
	for (size_t i = 0; i < machines.n; i++) {
		fprintf(script,
			"%sdata index %zu using 1:($2/%.0f) with steps "
			"linewidth 2 dashtype %s linecolor rgb '%s' title ",
			i ? ", \\\n\t" : "", i, unit.bytes, plot_dashes(i),
			plot_colour(i));
		plot_quote_short(script, machines.name[i], 2);
	}
	putc('\n', script);
	machines_close(&machines);
}

const struct plot_ops tables_plot = {
	.name = "tables",
	.help = "memory of page tables over the run, a line a machine",
	.title = "Memory of page tables",
	.machines = true,
	.data = tables_data,
	.draw = tables_draw,
};
