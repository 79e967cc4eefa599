// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Working sets: on the left what the last T accesses touched, on average, on
 * the right what each part of the run touched, a layer a mapping.
 */
#include "reports/number.h"
#include "reports/plot.h"
#include "reports/view.h"

#include <math.h>
#include <string.h>

#define LAYERS 7

struct layers {
	const char *name[LAYERS];
	size_t n;
	double most; /* bytes of all in one window */
};

static size_t
layer_of(struct layers *layers, const char *name)
{
	size_t i = 0;

	while (i < layers->n && strcmp(layers->name[i], name))
		i++;
	if (i == layers->n && i < LAYERS)
		layers->name[layers->n++] = name;
	return i < LAYERS ? i : LAYERS - 1;
}

/* Bytes by layer of the window that begins in row *i, which goes on behind it;
 * returns where the window begins. */
static double
take_window(const struct result *result, const struct view_table *table,
	    struct layers *layers, size_t *i, double *bytes)
{
	int time = view_column(table, "accesses");
	double start = view_number(table, *i, time), all = 0;
	double page = view_or_zero(result, "curve.page.bytes");

	memset(bytes, 0, LAYERS * sizeof(*bytes));
	for (; *i < table->n_rows && view_number(table, *i, time) <= start;
	     ++*i) {
		double part = page * view_number(table, *i,
						 view_column(table, "pages"));

		bytes[layer_of(layers,
			       view_text(table, *i,
					 view_column(table, "mapping")))] +=
			part;
		all += part;
	}
	layers->most = fmax(layers->most, all);
	return start;
}

static void
find_layers(const struct result *result, struct layers *layers)
{
	struct view_table table;
	double bytes[LAYERS];

	*layers = (struct layers){ 0 };
	view_table(result, "working.set.time", &table);
	for (size_t i = 0; i < table.n_rows;)
		take_window(result, &table, layers, &i, bytes);
}

/* Where a window begins, and the layers, each on top of those before */
static void
put_layers(FILE *file, double at, const double *bytes, size_t n)
{
	double sum = 0;

	fprintf(file, "%.0f 0", at);
	for (size_t i = 0; i < n; i++)
		fprintf(file, " %.0f", sum += bytes[i]);
	putc('\n', file);
}

static void
time_data(const struct result *result, FILE *file)
{
	struct layers layers;
	struct view_table table;
	double bytes[LAYERS] = { 0 }, start;
	double window = view_or_zero(result, "working.set.window");

	find_layers(result, &layers);
	view_table(result, "working.set.time", &table);
	fputs("\n\n# where a window begins or ends, bytes: sums of layers\n",
	      file);
	for (size_t i = 0; i < table.n_rows;) {
		start = take_window(result, &table, &layers, &i, bytes);
		put_layers(file, start, bytes, layers.n);
		put_layers(file,
			   fmin(start + window,
				view_or_zero(result, "accesses")),
			   bytes, layers.n);
	}
}

static size_t
working_set_data(const struct result *result, FILE *file, char *why,
		 size_t why_bytes)
{
	struct view_table table;

	view_table(result, "working.set", &table);
	if (!table.n_rows)
		return plot_nothing(result, "working.set",
				    "no page was accessed", why, why_bytes);
	fputs("# last accesses, bytes that they touched\n", file);
	for (size_t i = 0; i < table.n_rows; i++)
		fprintf(file, "%.0f %.9g\n",
			view_number(&table, i, view_column(&table, "window")),
			view_number(&table, i, view_column(&table, "bytes")));
	time_data(result, file);
	return table.n_rows;
}

static void
draw_sizes(const struct result *result, FILE *script)
{
	struct view_table table;
	int bytes;
	double from, to;

	view_table(result, "working.set", &table);
	bytes = view_column(&table, "bytes");
	from = view_number(&table, 0, bytes);
	to = view_number(&table, table.n_rows - 1, bytes);
	fprintf(script,
		"set logscale x 10\n"
		"set logscale y 2\n"
		"set yrange [%.17g:%.17g]\n"
		"set xlabel 'last accesses'.gap\n" PLOT_YLABEL(
			"touched by them, on average"),
		from, fmax(to, 2 * from));
	plot_byte_tics(script, "y", from / 2, fmax(to, 2 * from), 10);
	plot_power_tics(script, "x", 1,
			view_number(&table, table.n_rows - 1,
				    view_column(&table, "window")));
	fprintf(script,
		"plot data index 0 using 1:2 with lines linewidth 2 linecolor "
		"rgb '%s' notitle\n",
		plot_colour(0));
}

static void
draw_time(const struct result *result, FILE *script)
{
	struct layers layers;
	struct plot_unit unit;

	find_layers(result, &layers);
	if (!layers.n)
		return;
	unit = plot_unit_of(layers.most);
	fprintf(script,
		"if (two) {\n"
		"\tunset logscale\n"
		"\tset xrange [0:%.17g]\n"
		"\tset yrange [0:*]\n"
		"\tset ytics autofreq\n"
		"\tset ylabel 'touched (%s)'\n"
		"\tset xlabel 'accesses so far, in windows of %s'.gap\n\t",
		view_or_zero(result, "accesses"), unit.name,
		number_si(view_or_zero(result, "working.set.window")).text);
	plot_tics(script, "x", view_or_zero(result, "accesses"));
	fputs("\tplot ", script);
	for (size_t i = 0; i < layers.n; i++) {
		const char *name = strrchr(layers.name[i], '/');

		fprintf(script,
			"%sdata index 1 using 1:($%zu/%.0f):($%zu/%.0f) with "
			"filledcurves linecolor rgb '%s' title ",
			i ? ", \\\n\t\t" : "", i + 2, unit.bytes, i + 3,
			unit.bytes, plot_colour(i));
		plot_quote_short(script, name ? name + 1 : layers.name[i], 5);
	}
	fputs("\n\tunset multiplot\n}\n", script);
}

static void
working_set_draw(const struct result *result, FILE *script)
{
	struct layers layers;

	find_layers(result, &layers);
	fprintf(script,
		"two = %d && format ne 'terminal'\n"
		"if (two) {\n"
		"\tunset title\n"
		"\tset multiplot layout 1,2 title title\n"
		"\tset tmargin 2\n"
		"}\n",
		layers.n > 0);
	draw_sizes(result, script);
	draw_time(result, script);
}

const struct plot_ops working_set_plot = {
	.name = "working-set",
	.help = "what the last accesses touched, and each part of the run",
	.title = "Working set",
	.data = working_set_data,
	.draw = working_set_draw,
};
