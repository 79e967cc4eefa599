// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Misses of all TLBs (or caches) that one pass over the trace tells: a line for
 * each number of ways that is a power of two, over their size; the gap between
 * lines is what conflicts cost.
 */
#include "reports/plot.h"
#include "reports/view.h"

#include <math.h>
#include <string.h>

#define LINES_MOST 6 /* 1 to 32 ways */

struct shapes {
	struct view_table table;
	bool bytes; /* of caches; TLBs are told by their entries */
	double from, to, least, most; /* sizes; percent of accesses that miss */
	unsigned ways[LINES_MOST];
	size_t n;
};

static double
size_of(const struct shapes *shapes, size_t row)
{
	return view_number(&shapes->table, row,
			   view_column(&shapes->table,
				       shapes->bytes ? "bytes" : "entries"));
}

static double
percent_of(const struct shapes *shapes, size_t row)
{
	return 100 * view_number(&shapes->table, row,
				 view_column(&shapes->table, "ratio"));
}

static unsigned
ways_of(const struct shapes *shapes, size_t row)
{
	return (unsigned)view_number(&shapes->table, row,
				     view_column(&shapes->table, "ways"));
}

static bool
has_ways(const struct shapes *shapes, unsigned ways)
{
	for (size_t i = 0; i < shapes->table.n_rows; i++)
		if (ways_of(shapes, i) == ways)
			return true;
	return false;
}

static void
find_shapes(const struct result *result, struct shapes *shapes)
{
	*shapes = (struct shapes){ .least = HUGE_VAL, .from = HUGE_VAL };
	view_table(result, "associativity", &shapes->table);
	shapes->bytes = !strcmp(view_option(result, "unit"), "line");
	for (unsigned ways = 1; ways && shapes->n < LINES_MOST; ways *= 2) {
		if (!has_ways(shapes, ways))
			break;
		shapes->ways[shapes->n++] = ways;
	}
	for (size_t i = 0; i < shapes->table.n_rows; i++) {
		double percent = percent_of(shapes, i);

		shapes->from = fmin(shapes->from, size_of(shapes, i));
		shapes->to = fmax(shapes->to, size_of(shapes, i));
		shapes->most = fmax(shapes->most, percent);
		if (percent > 0)
			shapes->least = fmin(shapes->least, percent);
	}
}

static size_t
associativity_data(const struct result *result, FILE *file, char *why,
		   size_t why_bytes)
{
	struct shapes shapes;

	find_shapes(result, &shapes);
	if (!shapes.table.n_rows || !shapes.n)
		return plot_nothing(result, "associativity",
				    "no page was accessed", why, why_bytes);
	fprintf(file, "# %s, percent of accesses that miss\n",
		shapes.bytes ? "bytes" : "entries");
	for (size_t k = 0; k < shapes.n; k++) {
		fprintf(file, "%s# of %u ways\n", k ? "\n\n" : "",
			shapes.ways[k]);
		for (size_t i = 0; i < shapes.table.n_rows; i++)
			if (ways_of(&shapes, i) == shapes.ways[k])
				fprintf(file, "%.0f %.9g\n",
					size_of(&shapes, i),
					percent_of(&shapes, i));
	}
	return shapes.table.n_rows;
}

/* "4", "16", "1k": powers of two, no more than there is room for */
static void
entry_tics(const struct shapes *shapes, FILE *script)
{
	double step = 2;
	const char *before = "";

	while (shapes->to / shapes->from > pow(step, 8))
		step *= 2;
	fputs("set xtics (", script);
	for (double at = shapes->from; at <= shapes->to; at *= step) {
		fprintf(script, at < 1024 ? "%s'%.0f' " : "%s'%.0fk' ", before,
			at < 1024 ? at : at / 1024);
		fprintf(script, "%.0f", at);
		before = ", ";
	}
	fputs(")\n", script);
}

static void
draw_axes(const struct shapes *shapes, FILE *script)
{
	fprintf(script,
		"set logscale x 2\n"
		"set xrange [%.17g:%.17g]\n"
		"set xlabel '%s'.gap\n" PLOT_YLABEL(
			"misses, %% of accesses") "set key title 'ways' left\n",
		shapes->from * 0.9, shapes->to * 1.1,
		shapes->bytes ? "size of the cache" : "entries of the TLB");
	if (shapes->bytes)
		plot_byte_tics(script, "x", shapes->from, shapes->to * 1.1, 8);
	else
		entry_tics(shapes, script);
	if (shapes->least < HUGE_VAL && shapes->most > 30 * shapes->least) {
		fprintf(script,
			"set logscale y 10\n"
			"set yrange [%.9g:%.9g]\n",
			shapes->least / 2, shapes->most * 2);
		plot_power_tics(script, "y", shapes->least / 2,
				shapes->most * 2);
	} else {
		fputs("set yrange [0:*]\nset offsets 0, 0, graph 0.1, 0\n",
		      script);
	}
}

static void
associativity_draw(const struct result *result, FILE *script)
{
	struct shapes shapes;

	find_shapes(result, &shapes);
	draw_axes(&shapes, script);
	fputs("plot ", script);
	for (size_t k = 0; k < shapes.n; k++)
		fprintf(script,
			"%sdata index %zu using 1:2 with linespoints linewidth "
			"1.5 dashtype %s pointtype %zu pointsize 0.5 "
			"linecolor rgb '%s' title '%u'",
			k ? ", \\\n\t" : "", k, plot_dashes(k), 4 + k,
			plot_colour(k), shapes.ways[k]);
	putc('\n', script);
}

const struct plot_ops associativity_plot = {
	.name = "associativity",
	.help = "misses by size and ways of a TLB or cache (curve "
		"--associativity)",
	.title = "Misses by associativity",
	.data = associativity_data,
	.draw = associativity_draw,
};
