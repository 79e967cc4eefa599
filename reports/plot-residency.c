// SPDX-License-Identifier: GPL-2.0-or-later
/* Resident memory as it was seen while recording: all, in large pages, and
 * what was in use, where it was asked for. */
#include "reports/plot.h"
#include "reports/view.h"

static size_t
residency_data(const struct result *result, FILE *file, char *why,
	       size_t why_bytes)
{
	static const char *const names[] = { "resident", "large", "referenced",
					     "swapped" };
	struct view_table table;

	view_table(result, "residency.time", &table);
	if (!table.n_rows)
		return plot_nothing(result, "residency.time",
				    "nobody looked at resident memory", why,
				    why_bytes);
	fputs("# seconds, bytes: resident, in large pages, referenced, in swap\n",
	      file);
	for (size_t i = 0; i < table.n_rows; i++) {
		fprintf(file, "%.6f",
			view_number(&table, i, view_column(&table, "time")) /
				1e3);
		for (size_t j = 0; j < ARRAY_SIZE(names); j++)
			fprintf(file, " %.0f",
				view_number(&table, i,
					    view_column(&table, names[j])));
		fputc('\n', file);
	}
	return table.n_rows;
}

static void
residency_draw(const struct result *result, FILE *script)
{
	struct view_table table;
	double value, end, most = 0;

	view_table(result, "residency.time", &table);
	end = view_number(&table, table.n_rows - 1,
			  view_column(&table, "time")) /
	      1e3;
	view_value(result, "residency.bytes.peak", &most);
	if (end > 0)
		fprintf(script, "set xrange [0:%.17g]\n", end);
	fprintf(script,
		"set yrange [0:*]\n"
		"set offsets 0, 0, graph 0.05, 0\n"
		"set border 3\n"
		"set xlabel 'seconds since the first look'.gap\n" PLOT_YLABEL(
			"memory (%s)") "scale = %.0f\n",
		most >= 2147483648.0 ? "GiB"
		: most >= 2097152    ? "MiB"
				     : "KiB",
		most >= 2147483648.0 ? 1073741824.0
		: most >= 2097152    ? 1048576.0
				     : 1024.0);
	fprintf(script,
		"plot data using 1:($2/scale) with steps linewidth 2 "
		"linecolor rgb '%s' title 'resident'",
		plot_colour(0));
	if (view_value(result, "residency.large.bytes", &value))
		fprintf(script,
			", \\\n\t'' using 1:($3/scale) with steps linewidth 2 "
			"linecolor rgb '%s' title 'in large pages'",
			plot_colour(5));
	if (view_value(result, "residency.referenced.bytes", &value))
		fprintf(script,
			", \\\n\t'' using 1:($4/scale) with steps linewidth 2 "
			"linecolor rgb '%s' title 'in use between "
			"looks (an estimate, too low)'",
			plot_colour(1));
	if (view_value(result, "residency.swapped.bytes", &value) && value > 0)
		fprintf(script,
			", \\\n\t'' using 1:($5/scale) with steps linewidth 2 "
			"linecolor rgb '%s' title 'in swap'",
			plot_colour(2));
	fputc('\n', script);
}

const struct plot_ops residency_plot = {
	.name = "residency",
	.help = "resident memory as seen while recording (record --residency)",
	.title = "Resident memory",
	.data = residency_data,
	.draw = residency_draw,
};
