// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How much memory each TLB array covers, against what the program uses: bars
 * by array, one a machine, on a logarithmic axis.
 */
#include "reports/machines.h"
#include "reports/plot.h"

#include <math.h>
#include <string.h>

#define ARRAYS 32

struct arrays {
	const char *name[ARRAYS];
	size_t n;
};

/* The most that it covered, where the result tells. */
static int
bytes_column(const struct view_table *table)
{
	int peak = view_column(table, "peak");

	return peak >= 0 ? peak : view_column(table, "bytes");
}

/* Names of the arrays that some machine has, in their order. */
static void
find_arrays(const struct machines *machines, struct arrays *arrays)
{
	struct view_table table;

	arrays->n = 0;
	for (size_t i = 0; i < machines->n; i++) {
		view_table(machines->one[i], "tlb.reach", &table);
		for (size_t row = 0; row < table.n_rows; row++) {
			const char *name =
				view_text(&table, row,
					  view_column(&table, "array"));
			size_t j = 0;

			while (j < arrays->n && strcmp(arrays->name[j], name))
				j++;
			if (j == arrays->n && j < ARRAYS &&
			    view_number(&table, row, bytes_column(&table)) > 0)
				arrays->name[arrays->n++] = name;
		}
	}
}

static double
reach_of(const struct result *one, const char *array)
{
	struct view_table table;

	view_table(one, "tlb.reach", &table);
	for (size_t row = 0; row < table.n_rows; row++)
		if (!strcmp(array, view_text(&table, row,
					     view_column(&table, "array"))))
			return view_number(&table, row, bytes_column(&table));
	return 0;
}

static size_t
reach_data(const struct result *result, FILE *file, char *why, size_t why_bytes)
{
	struct machines machines;
	struct arrays arrays;
	double bytes;

	if (machines_open(&machines, result))
		return 0;
	find_arrays(&machines, &arrays);
	fputs("# array, bytes it covers, a machine each\n", file);
	for (size_t j = 0; j < arrays.n; j++) {
		plot_label(file, arrays.name[j]);
		for (size_t i = 0; i < machines.n; i++) {
			bytes = reach_of(machines.one[i], arrays.name[j]);
			if (bytes > 0)
				fprintf(file, " %.0f", bytes);
			else
				fputs(" NaN", file);
		}
		putc('\n', file);
	}
	if (!arrays.n)
		plot_nothing(machines.one[0], "tlb.reach",
			     "no TLB holds anything", why, why_bytes);
	machines_close(&machines);
	return arrays.n;
}

/* The range of the axis; *used: what the program uses, or 0. */
static void
find_range(const struct machines *machines, const struct arrays *arrays,
	   double *least, double *most, double *used)
{
	double bytes;

	*least = HUGE_VAL;
	*most = *used = 0;
	for (size_t i = 0; i < machines->n; i++) {
		bytes = view_or_zero(machines->one[i], "footprint.bytes.peak");
		*used = fmax(*used, bytes);
		for (size_t j = 0; j < arrays->n; j++) {
			bytes = reach_of(machines->one[i], arrays->name[j]);
			*most = fmax(*most, bytes);
			if (bytes > 0)
				*least = fmin(*least, bytes);
		}
	}
	*most = fmax(*most, *used);
}

static void
reach_draw(const struct result *result, FILE *script)
{
	struct machines machines;
	struct arrays arrays;
	double least, most, used;
	struct plot_unit unit;

	if (machines_open(&machines, result))
		return;
	find_arrays(&machines, &arrays);
	find_range(&machines, &arrays, &least, &most, &used);
	unit = plot_unit_of(2 * used);
	fprintf(script,
		"set style data histograms\n"
		"set style histogram clustered gap 1\n"
		"set boxwidth 0.9 relative\n"
		"set xtics scale 0\n"
		"set logscale y 2\n"
		"set yrange [%.17g:%.17g]\n"
		"set xrange [-0.6:%.1f]\n" PLOT_YLABEL(
			"memory covered, at most") "set xlabel 'TLB array'.gap\n",
		least / 4, 4 * most, (double)arrays.n - 0.4);
	plot_byte_tics(script, "y", least / 4, 4 * most, 10);
	fputs("plot ", script);
	for (size_t i = 0; i < machines.n; i++) {
		fprintf(script,
			"%sdata index 0 using %zu%s linecolor rgb '%s' title ",
			i ? ", \\\n\t" : "", i + 2, i ? "" : ":xtic(1)",
			plot_colour(i));
		plot_quote_short(script, machines.name[i], 2);
	}
	if (used > 0)
		fprintf(script,
			", \\\n\t%.0f with lines linewidth 1.5 dashtype (6,3) "
			"linecolor rgb '#000000' title 'used by the program at "
			"most: %.3g %s'",
			used, used / unit.bytes, unit.name);
	putc('\n', script);
	machines_close(&machines);
}

const struct plot_ops reach_plot = {
	.name = "reach",
	.help = "how much memory each TLB array covers",
	.title = "Reach of the TLBs",
	.machines = true,
	.data = reach_data,
	.draw = reach_draw,
};
