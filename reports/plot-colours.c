// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Page colours: how evenly pages, references, misses and conflict misses are
 * spread over them, one row each of a machine.  1 (white) is an even spread;
 * colours that are used too much stand out in red, those left idle in blue.
 */
#include "reports/machines.h"
#include "reports/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define COLOURS_MAX 256 /* columns of the picture: more are put together */

static const char *const measures[][2] = {
	{ "pages", "pages" },
	{ "lookups", "references" },
	{ "misses", "misses" },
	{ "conflict", "conflict misses" },
};

static size_t
bins_of(const struct view_table *table)
{
	size_t together = 1;

	while (table->n_rows > together * COLOURS_MAX)
		together *= 2;
	return (table->n_rows + together - 1) / together;
}

/* One row of the picture.  False: there is nothing to spread. */
static bool
row_data(const struct view_table *table, const char *measure, size_t row,
	 FILE *file)
{
	int column = view_column(table, measure);
	size_t bins = bins_of(table);
	double mean = view_sum(table, column) / (double)bins, sum;
	size_t i = 0;

	if (column < 0 || mean <= 0)
		return false;
	for (size_t bin = 0; bin < bins; bin++) {
		sum = 0;
		for (; i < table->n_rows && i * bins / table->n_rows == bin;
		     i++)
			sum += view_number(table, i, column);
		fprintf(file, "%zu %zu %.6g\n", bin, row, sum / mean);
	}
	return true;
}

/* From the top: the first machine's pages, ... */
static size_t
rows_of(const struct machines *machines)
{
	return machines->n * ARRAY_SIZE(measures);
}

static size_t
colours_data(const struct result *result, FILE *file, char *why,
	     size_t why_bytes)
{
	struct machines machines;
	struct view_table table;
	size_t rows = 0, row;

	if (machines_open(&machines, result))
		return 0;
	row = rows_of(&machines);
	fputs("# colour (some together), row of the picture, how many times "
	      "the mean\n",
	      file);
	for (size_t i = 0; i < machines.n; i++) {
		view_table(machines.one[i], "colour.map", &table);
		for (size_t m = 0; m < ARRAY_SIZE(measures); m++)
			rows += row_data(&table, measures[m][0], --row, file);
	}
	if (!rows)
		plot_nothing(machines.one[0], "colour.map",
			     "no page was coloured", why, why_bytes);
	machines_close(&machines);
	return rows;
}

static void
write_rows(const struct machines *machines, FILE *script)
{
	size_t row = rows_of(machines);
	char text[128];

	fputs("set ytics scale 0 (", script);
	for (size_t i = 0; i < machines->n; i++)
		for (size_t m = 0; m < ARRAY_SIZE(measures); m++) {
			if (machines->alone)
				snprintf(text, sizeof(text), "%s",
					 measures[m][1]);
			else
				snprintf(text, sizeof(text), "%.13s%s: %s",
					 machines->name[i],
					 strlen(machines->name[i]) > 13 ? ".."
									: "",
					 measures[m][1]);
			fputs(i || m ? ", " : "", script);
			plot_quote(script, text);
			fprintf(script, " %zu", --row);
		}
	fputs(")\n", script);
	for (size_t i = 1; i < machines->n; i++)
		fprintf(script,
			"set arrow from graph 0, first %.1f to graph 1, first "
			"%.1f nohead linecolor rgb '#444444' linewidth 0.5 "
			"front\n",
			(double)(i * ARRAY_SIZE(measures)) - 0.5,
			(double)(i * ARRAY_SIZE(measures)) - 0.5);
}

static void
colours_draw(const struct result *result, FILE *script)
{
	struct machines machines;
	struct view_table table;
	size_t bins = 1, colours = 1;

	if (machines_open(&machines, result))
		return;
	for (size_t i = 0; i < machines.n; i++) {
		view_table(machines.one[i], "colour.map", &table);
		bins = bins_of(&table) > bins ? bins_of(&table) : bins;
		colours = table.n_rows > colours ? table.n_rows : colours;
	}
	fprintf(script,
		"set xrange [-0.5:%.1f]\n"
		"set yrange [-0.5:%.1f]\n"
		"unset grid\n"
		"unset key\n"
		"set border 15\n"
		"set tics front\n"
		"set xlabel 'page colour%s'\n"
		"set cblabel 'times an even spread (grey: none)' offset "
		"1.5,0\n"
		"set object 1 rectangle from graph 0, graph 0 to graph 1, graph 1 "
		"behind fillstyle solid 1 noborder fillcolor rgb '#bbbbbb'\n"
		"if (format ne 'terminal') { set rmargin at screen 0.83 }\n"
		"set cbrange [0:2]\n"
		"set cbtics 0, 0.5, 2\n"
		"set palette defined (0 '#2166ac', 0.5 '#92c5de', 1 '#f7f7f7', "
		"1.5 '#f4a582', 2 '#b2182b')\n",
		(double)bins - 0.5, (double)rows_of(&machines) - 0.5,
		bins < colours ? " (neighbours together)" : "");
	write_rows(&machines, script);
	fputs("if (format eq 'terminal') {\n"
	      "\tlevel(n) = n >= 2 ? 9 : int(4.5 * n)\n"
	      "\tshade(n) = substr(' .:-=+*#%@', level(n) + 1, level(n) + 1)\n"
	      "\tplot data using 1:2:(shade($3)) with labels\n"
	      "} else {\n"
	      "\tplot data using 1:2:(0.5):(0.5):($3 > 2 ? 2 : $3) with "
	      "boxxyerrorbars \\\n"
	      "\t\tfillstyle solid 1 noborder linecolor palette\n"
	      "}\n",
	      script);
	machines_close(&machines);
}

const struct plot_ops colours_plot = {
	.name = "colours",
	.help = "how evenly page colours are used: pages, misses, conflicts",
	.title = "Use of page colours",
	.machines = true,
	.data = colours_data,
	.draw = colours_draw,
};
