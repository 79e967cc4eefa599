// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One figure of a sweep against one parameter, a line for each value of the
 * others; bars where the parameter's values are words.  Seeds and traces are
 * repetitions: the mean of them, and from the least to the most.
 */
#include "reports/number.h"
#include "reports/plot.h"
#include "reports/sweep-table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES_MOST 8
#define TICS_MOST  12 /* of values, each with its label */

struct chart {
	struct sweep_table sweep;
	int figure;
	size_t x;		    /* axis */
	bool line[SWEEP_AXES_MOST]; /* axes whose values are lines */
	bool held[SWEEP_AXES_MOST]; /* axes of which only the first is shown */
	size_t n_lines;
	bool repeated;
	double least, most; /* of the figure, in its unit */
	struct plot_unit unit;
};

struct spot {
	double sum, least, most;
	size_t n;
};

/* The other axes become lines while there are few; the rest stand still. */
static void
choose_lines(struct chart *chart, const char *series)
{
	size_t only = sweep_table_axis(&chart->sweep, series);

	chart->n_lines = 1;
	for (size_t k = 0; k < chart->sweep.n_axes; k++) {
		const struct sweep_axis_view *axis = &chart->sweep.axis[k];

		if (k == chart->x)
			continue;
		if (axis->repetitions && k != only) {
			chart->repeated |= axis->n > 1;
		} else if ((series && k != only) ||
			   chart->n_lines * axis->n > LINES_MOST) {
			chart->held[k] = axis->n > 1;
		} else {
			chart->line[k] = axis->n > 1;
			chart->n_lines *= axis->n;
		}
	}
}

/* The line of a row; false: it is of a value that is not shown. */
static bool
line_of(const struct chart *chart, size_t row, size_t *line)
{
	*line = 0;
	for (size_t k = 0; k < chart->sweep.n_axes; k++) {
		size_t i = sweep_table_value(&chart->sweep, row, k);

		if (chart->held[k] && i)
			return false;
		if (chart->line[k])
			*line = *line * chart->sweep.axis[k].n + i;
	}
	return true;
}

static void
line_name(const struct chart *chart, size_t line, char *text, size_t bytes)
{
	char value[128], part[SWEEP_AXES_MOST][192];
	size_t used = 0;

	for (size_t k = chart->sweep.n_axes; k-- > 0;) {
		const struct sweep_axis_view *axis = &chart->sweep.axis[k];

		part[k][0] = '\0';
		if (!chart->line[k])
			continue;
		sweep_table_text(axis->value[line % axis->n], value,
				 sizeof(value));
		line /= axis->n;
		/* a bare number needs its name */
		snprintf(part[k], sizeof(part[k]), "%s%s%s",
			 axis->number ? axis->name : "",
			 axis->number ? " " : "", value);
	}
	text[0] = '\0';
	for (size_t k = 0; k < chart->sweep.n_axes && used < bytes; k++)
		if (part[k][0])
			used += (size_t)snprintf(text + used, bytes - used,
						 "%s%s", used ? ", " : "",
						 part[k]);
}

/* [line][value of x], to be freed; NULL: no memory */
static struct spot *
find_spots(struct chart *chart)
{
	size_t n = chart->sweep.axis[chart->x].n, line;
	struct spot *spots = calloc(chart->n_lines * n + 1, sizeof(*spots));
	double value;

	chart->least = HUGE_VAL;
	chart->most = -HUGE_VAL;
	for (size_t r = 0; spots && r < chart->sweep.table.n_rows; r++) {
		size_t i = sweep_table_value(&chart->sweep, r, chart->x);
		struct spot *spot;

		if (!line_of(chart, r, &line) ||
		    !sweep_table_figure(&chart->sweep, r, chart->figure,
					&value))
			continue;
		spot = &spots[line * n + i];
		spot->least = spot->n ? fmin(spot->least, value) : value;
		spot->most = spot->n ? fmax(spot->most, value) : value;
		spot->sum += value;
		spot->n++;
		chart->least = fmin(chart->least, value);
		chart->most = fmax(chart->most, value);
	}
	chart->unit = (struct plot_unit){
		view_column_unit(&chart->sweep.table, (size_t)chart->figure), 1
	};
	if (!strcmp(chart->unit.name, "bytes"))
		chart->unit = plot_unit_of(chart->most);
	chart->least /= chart->unit.bytes;
	chart->most /= chart->unit.bytes;
	return spots;
}

/* False, and why: there is nothing to draw. */
static bool
chart_open(struct chart *chart, const struct result *result, char *why,
	   size_t why_bytes)
{
	const char *x = sweep_table_choice(result, "x"),
		   *figure = sweep_table_choice(result, "figure");
	const char *series = sweep_table_choice(result, "series");

	*chart = (struct chart){ .figure = -1 };
	if (sweep_table_open(&chart->sweep, result)) {
		plot_nothing(result, "sweep", "", why, why_bytes);
		return false;
	}
	chart->figure = sweep_table_find(&chart->sweep, figure);
	chart->x = x ? sweep_table_axis(&chart->sweep, x)
		     : sweep_table_best(&chart->sweep, SIZE_MAX);
	if (chart->x >= chart->sweep.n_axes)
		snprintf(why, why_bytes, "%s is no parameter of this sweep",
			 x ? x : "there");
	else if (series &&
		 sweep_table_axis(&chart->sweep, series) >= chart->sweep.n_axes)
		snprintf(why, why_bytes, "%s is no parameter of this sweep",
			 series);
	else if (chart->figure < 0)
		snprintf(why, why_bytes, "%s%s", figure ? figure : "",
			 figure ? " is no figure of this sweep"
				: "no point has a result");
	else
		return choose_lines(chart, series), true;
	sweep_table_close(&chart->sweep);
	return false;
}

static void
put_spot(const struct spot *spot, const struct chart *chart, FILE *file)
{
	double unit = chart->unit.bytes;

	if (spot->n)
		fprintf(file, " %.9g %.9g %.9g",
			spot->sum / (double)spot->n / unit, spot->least / unit,
			spot->most / unit);
	else
		fputs(" NaN NaN NaN", file);
}

/* A row a value of x: its text or number, then mean, least, most of each line */
static size_t
sweep_data(const struct result *result, FILE *file, char *why, size_t why_bytes)
{
	struct chart chart;
	struct spot *spots;
	size_t n, rows = 0;
	char text[128];

	if (!chart_open(&chart, result, why, why_bytes))
		return 0;
	spots = find_spots(&chart);
	n = chart.sweep.axis[chart.x].n;
	fprintf(file, "# %s; %s: mean, least, most of each line\n",
		chart.sweep.axis[chart.x].name,
		view_column_name(&chart.sweep.table, (size_t)chart.figure));
	for (size_t i = 0; spots && i < n; i++) {
		const json_t *value = chart.sweep.axis[chart.x].value[i];

		if (chart.sweep.axis[chart.x].number) {
			fprintf(file, "%.17g", json_number_value(value));
		} else {
			sweep_table_text(value, text, sizeof(text));
			plot_label(file, text);
		}
		for (size_t line = 0; line < chart.n_lines; line++) {
			put_spot(&spots[line * n + i], &chart, file);
			rows += spots[line * n + i].n > 0;
		}
		putc('\n', file);
	}
	if (!rows)
		snprintf(why, why_bytes, "no point has a result");
	free(spots);
	sweep_table_close(&chart.sweep);
	return rows;
}

static struct number
value_label(const char *unit, double value)
{
	struct number number;

	if (!strcmp(unit, "bytes"))
		return number_bytes(value);
	snprintf(number.text, sizeof(number.text), "%.6g", value);
	return number;
}

/* Values as tics where they are few, evenly or by factors */
static void
draw_x(const struct chart *chart, FILE *script)
{
	const struct sweep_axis_view *axis = &chart->sweep.axis[chart->x];
	const char *unit =
		view_column_unit(&chart->sweep.table, (size_t)axis->column);
	double least = HUGE_VAL, most = -HUGE_VAL, room;
	bool factors;

	for (size_t i = 0; i < axis->n; i++) {
		least = fmin(least, json_number_value(axis->value[i]));
		most = fmax(most, json_number_value(axis->value[i]));
	}
	factors = least > 0 && most >= 8 * least;
	room = factors ? pow(most / least, 0.04) : (most - least) * 0.04;
	fprintf(script, "%s", factors ? "set logscale x 2\n" : "");
	if (least < most)
		fprintf(script, "set xrange [%.17g:%.17g]\n",
			factors ? least / room : least - room,
			factors ? most * room : most + room);
	if (axis->n <= TICS_MOST) {
		fputs("set xtics (", script);
		for (size_t i = 0; i < axis->n; i++) {
			double value = json_number_value(axis->value[i]);

			fprintf(script, "%s'%s' %.17g", i ? ", " : "",
				value_label(unit, value).text, value);
		}
		fputs(")\n", script);
	} else if (!strcmp(unit, "bytes") && factors) {
		plot_byte_tics(script, "x", least, most, 10);
	}
}

static void
draw_labels(const struct chart *chart, FILE *script)
{
	const struct sweep_axis_view *axis = &chart->sweep.axis[chart->x];
	const char *name =
		view_column_name(&chart->sweep.table, (size_t)chart->figure);
	const char *unit = chart->unit.name;
	char text[512], value[128];
	size_t used;

	snprintf(text, sizeof(text), "%s%s%s%s", name,
		 *unit && !strstr(name, unit) ? " (" : "",
		 *unit && !strstr(name, unit) ? unit : "",
		 *unit && !strstr(name, unit) ? ")" : "");
	fputs("upward = ", script);
	plot_quote(script, text);
	fputs("\nset ylabel upward\n"
	      "if (format eq 'terminal') {\n"
	      "\tset title title.\"\\n\".'(upwards: '.upward.')'\n"
	      "}\n",
	      script);
	used = (size_t)snprintf(text, sizeof(text), "%s", axis->name);
	for (size_t k = 0; k < chart->sweep.n_axes && used < sizeof(text);
	     k++) {
		if (!chart->held[k])
			continue;
		sweep_table_text(chart->sweep.axis[k].value[0], value,
				 sizeof(value));
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 ", with %s=%s",
					 chart->sweep.axis[k].name, value);
	}
	if (chart->repeated && used < sizeof(text))
		snprintf(text + used, sizeof(text) - used,
			 " (mean, least and most of repetitions)");
	fputs("set xlabel ", script);
	plot_quote(script, text);
	fputs(".gap\n", script);
}

static void
draw_y(const struct chart *chart, FILE *script)
{
	double least = chart->least / 1.5, most = chart->most * 1.5;

	if (chart->least > 0 && chart->most > 50 * chart->least) {
		fprintf(script, "set logscale y 10\nset yrange [%.9g:%.9g]\n",
			least, most);
		plot_power_tics(script, "y", least, most);
		return;
	}
	most = chart->most > 0 ? chart->most * 1.08 : 1;
	fprintf(script, "set yrange [%.9g:%.9g]\n",
		chart->least < 0 ? chart->least * 1.08 : 0.0, most);
	if (chart->least >= 0 && chart->most >= 10 && chart->unit.bytes == 1)
		plot_tics(script, "y", most);
}

static void
draw_lines(const struct chart *chart, FILE *script)
{
	const char *before = "";
	char name[256];

	draw_x(chart, script);
	fputs("plot ", script);
	/* below the lines, as they blot out what is in their middle */
	for (size_t i = 0; chart->repeated && i < chart->n_lines; i++) {
		fprintf(script,
			"%sdata using 1:%zu:%zu:%zu with yerrorbars pointtype "
			"-1 pointsize 0 notitle",
			before, 3 * i + 2, 3 * i + 3, 3 * i + 4);
		before = ", \\\n\t";
	}
	for (size_t i = 0; i < chart->n_lines; i++) {
		fprintf(script,
			"%sdata using 1:%zu with linespoints linewidth 2 "
			"pointtype %zu pointsize 0.8 dashtype %s linecolor "
			"rgb '%s' ",
			before, 3 * i + 2, i % 4 * 2 + 5, plot_dashes(i),
			plot_colour(i));
		line_name(chart, i, name, sizeof(name));
		fputs(*name ? "title " : "notitle", script);
		if (*name)
			plot_quote(script, name);
		before = ", \\\n\t";
	}
	putc('\n', script);
}

static void
draw_bars(const struct chart *chart, FILE *script)
{
	const struct sweep_axis_view *axis = &chart->sweep.axis[chart->x];
	char name[256];

	fprintf(script,
		"set style data histograms\n"
		"set style histogram %s gap 1\n"
		"set boxwidth 0.9 relative\n"
		"set xtics scale 0\n"
		"set xrange [-0.6:%.1f]\n"
		"plot ",
		chart->repeated ? "errorbars" : "clustered",
		(double)axis->n - 0.4);
	for (size_t i = 0; i < chart->n_lines; i++) {
		fprintf(script, "%sdata using %zu", i ? ", \\\n\t" : "",
			3 * i + 2);
		if (chart->repeated)
			fprintf(script, ":%zu:%zu", 3 * i + 3, 3 * i + 4);
		fprintf(script, "%s linecolor rgb '%s' ", i ? "" : ":xtic(1)",
			plot_colour(i));
		line_name(chart, i, name, sizeof(name));
		fputs(*name ? "title " : "notitle", script);
		if (*name)
			plot_quote(script, name);
	}
	putc('\n', script);
}

static void
sweep_draw(const struct result *result, FILE *script)
{
	struct chart chart;
	char why[256];

	if (!chart_open(&chart, result, why, sizeof(why)))
		return;
	free(find_spots(&chart)); /* for the range */
	if (chart.repeated)
		fputs("set errorbars linecolor rgb '#333333' linewidth 1.2\n",
		      script);
	draw_labels(&chart, script);
	draw_y(&chart, script);
	if (chart.sweep.axis[chart.x].number)
		draw_lines(&chart, script);
	else
		draw_bars(&chart, script);
	sweep_table_close(&chart.sweep);
}

const struct plot_ops sweep_plot = {
	.name = "sweep",
	.help = "a figure of a sweep against a parameter, lines of the others",
	.title = "Sweep",
	.data = sweep_data,
	.draw = sweep_draw,
};
