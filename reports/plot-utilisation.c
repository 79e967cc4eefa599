// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How busy the processors stay: on the left against the memory of a process
 * alone, on the right against how many of its kind share a memory.
 */
#include "reports/number.h"
#include "reports/plot.h"
#include "reports/view.h"

#include <math.h>
#include <string.h>

static size_t
utilisation_data(const struct result *result, FILE *file, char *why,
		 size_t why_bytes)
{
	static const char *const columns[] = { "processes", "utilisation",
					       "device", "full" };
	struct view_table table, many;

	view_table(result, "thrash", &table);
	view_table(result, "multiprogramming", &many);
	if (!table.n_rows &&
	    !strcmp("no-accesses", view_string(result, "memory.verdict"))) {
		snprintf(why, why_bytes, "no page was accessed");
		return 0;
	}
	if (!table.n_rows)
		return plot_nothing(result, "thrash", "no page was accessed",
				    why, why_bytes);
	fputs("# bytes, processor busy, waits (%)\n", file);
	for (size_t i = 0; i < table.n_rows; i++)
		fprintf(file, "%.0f %.9g %.9g\n",
			view_number(&table, i, view_column(&table, "bytes")),
			100 * view_number(&table, i,
					  view_column(&table, "utilisation")),
			100 * view_number(&table, i,
					  view_column(&table, "stall")));
	fputs("\n\n# processes, processors busy, device busy, all wait (%)\n",
	      file);
	for (size_t i = 0; i < many.n_rows; i++)
		for (size_t j = 0; j < ARRAY_SIZE(columns); j++)
			fprintf(file, "%.9g%s",
				(j ? 100 : 1) *
					view_number(&many, i,
						    view_column(&many,
								columns[j])),
				j + 1 < ARRAY_SIZE(columns) ? " " : "\n");
	return table.n_rows;
}

static void
mark(FILE *script, const struct result *result, const char *name,
     const char *words, double height)
{
	double bytes;

	if (!view_value(result, name, &bytes))
		return;
	fprintf(script,
		"set arrow from %.0f, 0 to %.0f, %g nohead linewidth 1 "
		"dashtype (4,3) linecolor rgb '#444444'\n"
		"set label '%s: %s ' at %.0f, %g right\n",
		bytes, bytes, height, words, number_bytes(bytes).text, bytes,
		height);
}

static void
draw_alone(const struct result *result, FILE *script)
{
	struct view_table table;
	double from, to;
	int bytes;

	view_table(result, "thrash", &table);
	bytes = view_column(&table, "bytes");
	from = view_number(&table, 0, bytes);
	to = view_number(&table, table.n_rows - 1, bytes);
	fprintf(script,
		"set logscale x 2\n"
		"set xrange [%.17g:%.17g]\n"
		"set yrange [0:105]\n"
		"set xlabel 'memory of a process alone'.gap\n" PLOT_YLABEL(
			"share of time (%%)"),
		from < to ? from : from / 2, to * 1.06);
	plot_byte_tics(script, "x", from / 2, to * 1.06, 5);
	mark(script, result, "memory.slowdown.100.bytes", "2 times as long",
	     50);
	mark(script, result, "memory.slowdown.10.bytes", "10 % longer", 90.9);
	fprintf(script,
		"plot data index 0 using 1:2 with lines linewidth 2 linecolor "
		"rgb '%s' title 'processor busy'\n",
		plot_colour(0));
}

static void
draw_together(const struct result *result, FILE *script)
{
	struct view_table many;

	view_table(result, "multiprogramming", &many);
	fprintf(script,
		"if (two) {\n"
		"\tunset logscale x\n"
		"\tunset arrow\n"
		"\tunset label\n"
		"\tset ylabel ''\n"
		"\tset xrange [0.5:%.1f]\n"
		"\tset xtics autofreq\n"
		"\tset xlabel 'such processes that share %s'.gap\n"
		"\tplot data index 1 using 1:2 with linespoints pointtype 7 "
		"pointsize 0.6 linewidth 2 linecolor rgb '%s' title "
		"'processors busy', \\\n"
		"\t\t'' index 1 using 1:3 with lines linewidth 2 dashtype %s "
		"linecolor rgb '%s' title 'device busy', \\\n"
		"\t\t'' index 1 using 1:4 with lines linewidth 2 dashtype %s "
		"linecolor rgb '%s' title 'all wait'\n"
		"\tunset multiplot\n"
		"}\n",
		(double)many.n_rows + 0.5,
		number_bytes(view_or_zero(result, "thrash.memory.bytes")).text,
		plot_colour(0), plot_dashes(2), plot_colour(1), plot_dashes(1),
		plot_colour(5));
}

static void
utilisation_draw(const struct result *result, FILE *script)
{
	fputs("two = format ne 'terminal'\n"
	      "if (two) {\n"
	      "\tunset title\n"
	      "\tset multiplot layout 1,2 title title\n"
	      "\tset tmargin 2\n"
	      "}\n",
	      script);
	draw_alone(result, script);
	draw_together(result, script);
}

const struct plot_ops utilisation_plot = {
	.name = "utilisation",
	.help = "how busy processors stay, by memory and by processes",
	.title = "Thrashing",
	.data = utilisation_data,
	.draw = utilisation_draw,
};
