// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long page walks take on each machine: the share of its walks that take
 * at most so many cycles, a line a machine.
 */
#include "reports/machines.h"
#include "reports/plot.h"

#include <math.h>

/* Where the line ends that 99.9 % of the walks need, and where it begins. */
static bool
span_of(const struct result *one, double *low, double *high)
{
	struct view_table table;
	int latency, walks;
	double all, seen = 0;
	size_t i;

	if (!view_table(one, "walk.latency", &table) || !table.n_rows)
		return false;
	latency = view_column(&table, "latency");
	walks = view_column(&table, "walks");
	all = view_sum(&table, walks);
	for (i = 0; i + 1 < table.n_rows; i++) {
		seen += view_number(&table, i, walks);
		if (seen >= 0.999 * all)
			break;
	}
	*low = view_number(&table, 0, latency);
	*high = view_number(&table, i, latency);
	return all > 0;
}

static size_t
line_data(const struct result *one, FILE *file)
{
	struct view_table table;
	int latency, walks;
	double all, seen = 0;

	if (!view_table(one, "walk.latency", &table) || !table.n_rows) {
		fputs("NaN NaN\n", file);
		return 0;
	}
	latency = view_column(&table, "latency");
	walks = view_column(&table, "walks");
	all = view_sum(&table, walks);
	fprintf(file, "%.9g 0\n", fmax(1, view_number(&table, 0, latency)));
	for (size_t i = 0; i < table.n_rows; i++) {
		seen += view_number(&table, i, walks);
		/* a logarithm has no place for 0 cycles */
		fprintf(file, "%.9g %.6g\n",
			fmax(1, view_number(&table, i, latency)),
			100 * seen / all);
	}
	return table.n_rows;
}

static size_t
cdf_data(const struct result *result, FILE *file, char *why, size_t why_bytes)
{
	struct machines machines;
	size_t rows = 0;

	if (machines_open(&machines, result))
		return 0;
	for (size_t i = 0; i < machines.n; i++) {
		fputs(i ? "\n\n# " : "# ", file);
		plot_label(file, machines.name[i]);
		fputs(": latency (cycles), share of walks that take at most "
		      "so long (%)\n",
		      file);
		rows += line_data(machines.one[i], file);
	}
	if (!rows)
		plot_nothing(machines.one[0], "walk.latency",
			     "no page walk was made", why, why_bytes);
	machines_close(&machines);
	return rows;
}

static void
write_axis(const struct machines *machines, FILE *script)
{
	double least = HUGE_VAL, most = 1, low, high;

	for (size_t i = 0; i < machines->n; i++) {
		if (!span_of(machines->one[i], &low, &high))
			continue;
		least = fmin(least, fmax(1, low));
		most = fmax(most, high);
	}
	fprintf(script,
		"set yrange [0:105]\n"
		"set ytics 0, 20, 100\n" PLOT_YLABEL(
			"walks that take at most so long (%%)") "set xlabel 'latency of a walk (cycles)'.gap\n"
								"if (format ne 'terminal') { set grid xtics }\n");
	if (most > 12 * least)
		fprintf(script, "set logscale x\nset xrange [%.9g:%.9g]\n",
			0.9 * least, 1.3 * most);
	else
		fprintf(script, "set xrange [%.9g:%.9g]\n",
			fmax(0, least - 0.05 * (most - least) - 1),
			most + 0.1 * (most - least) + 1);
}

static void
cdf_draw(const struct result *result, FILE *script)
{
	struct machines machines;
	char title[128];
	double p50, p99;

	if (machines_open(&machines, result))
		return;
	write_axis(&machines, script);
	fputs("plot ", script);
	for (size_t i = 0; i < machines.n; i++) {
		int n = snprintf(title, sizeof(title), "%.40s",
				 machines.name[i]);

		if (view_value(machines.one[i], "walk.latency.p50", &p50) &&
		    view_value(machines.one[i], "walk.latency.p99", &p99))
			snprintf(title + n, sizeof(title) - (size_t)n,
				 " (median %.0f, 99 %%: %.0f)", p50, p99);
		fprintf(script,
			"%sdata index %zu using 1:2 with steps linewidth 2 "
			"dashtype %s linecolor rgb '%s' title ",
			i ? ", \\\n\t" : "", i, plot_dashes(i), plot_colour(i));
		plot_quote(script, title);
	}
	putc('\n', script);
	machines_close(&machines);
}

const struct plot_ops cdf_plot = {
	.name = "cdf",
	.help = "how long page walks take: distribution, a line a machine",
	.title = "How long page walks take",
	.machines = true,
	.data = cdf_data,
	.draw = cdf_draw,
};
