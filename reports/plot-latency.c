// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How long page walks take: a histogram, and on the right axis the share of
 * walks that take at most so long.  A thin tail beyond what 99.9 % need is cut
 * from the picture when it would squeeze the rest; the legend says so.
 */
#include "reports/plot.h"
#include "reports/view.h"

#include <math.h>

#define BINS 64

struct span {
	double all, low, max, high, beyond, width;
};

static bool
find_span(const struct result *result, struct span *span,
	  struct view_table *table)
{
	int latency, walks;
	double seen = 0;

	*span = (struct span){ 0 };
	if (!view_table(result, "walk.latency", table) || !table->n_rows)
		return false;
	latency = view_column(table, "latency");
	walks = view_column(table, "walks");
	span->all = view_sum(table, walks);
	span->low = view_number(table, 0, latency);
	span->max = view_number(table, table->n_rows - 1, latency);
	span->high = span->max;
	for (size_t i = 0; i < table->n_rows; i++) {
		seen += view_number(table, i, walks);
		if (seen < 0.999 * span->all)
			continue;
		/* cut only what would take more than half of the width */
		if (span->max > 2 * view_number(table, i, latency))
			span->high = 1.2 * view_number(table, i, latency);
		break;
	}
	for (size_t i = 0; i < table->n_rows; i++)
		if (view_number(table, i, latency) > span->high)
			span->beyond += view_number(table, i, walks);
	span->width = 1;
	while ((span->high - span->low) / span->width > BINS)
		span->width *= 2;
	return span->all > 0;
}

/* Walks in the bin that begins at `from`; *row goes on to the next bin. */
static double
bin_walks(const struct view_table *table, const struct span *span, double from,
	  size_t *row)
{
	int latency = view_column(table, "latency");
	int walks = view_column(table, "walks");
	double sum = 0;

	while (*row < table->n_rows &&
	       (view_number(table, *row, latency) < from + span->width ||
		view_number(table, *row, latency) <= from))
		sum += view_number(table, (*row)++, walks);
	return sum;
}

/* Where the next bin begins; beyond the picture, that of the next row. */
static double
next_bin(const struct view_table *table, const struct span *span, double from,
	 size_t row)
{
	double next = from + span->width, at, bin;

	if (row == table->n_rows || (next <= span->high && next > from))
		return next;
	at = view_number(table, row, view_column(table, "latency"));
	bin = span->low + floor((at - span->low) / span->width) * span->width;
	/* large numbers may lie wider apart than bins */
	return bin + span->width > at ? bin : at;
}

static double
highest_share(const struct view_table *table, const struct span *span)
{
	double highest = 0, walks, from = span->low;

	for (size_t row = 0; row < table->n_rows;) {
		walks = bin_walks(table, span, from, &row);
		highest = walks > highest ? walks : highest;
		from = next_bin(table, span, from, row);
	}
	return 100 * highest / span->all;
}

static size_t
latency_data(const struct result *result, FILE *file, char *why,
	     size_t why_bytes)
{
	struct view_table table;
	struct span span;
	double walks, seen = 0, from;
	size_t i = 0, rows = 0;

	if (!find_span(result, &span, &table))
		return plot_nothing(result, "walk.latency",
				    "no page walk was made", why, why_bytes);
	fputs("# first and last latency of the bin (cycles), walks, share of "
	      "walks (%)\n",
	      file);
	for (from = span.low; i < table.n_rows;
	     from = next_bin(&table, &span, from, i)) {
		walks = bin_walks(&table, &span, from, &i);
		if (walks <= 0 && from > span.high)
			continue;
		fprintf(file, "%.0f %.0f %.0f %.6g\n", from,
			from + span.width - 1, walks, 100 * walks / span.all);
		rows++;
	}
	fputs("\n\n# latency (cycles), share of walks that take at most so "
	      "long (%)\n",
	      file);
	for (i = 0; i < table.n_rows; i++) {
		double at =
			view_number(&table, i, view_column(&table, "latency"));

		if (!i)
			fprintf(file, "%.0f 0\n", at);
		seen += view_number(&table, i, view_column(&table, "walks"));
		fprintf(file, "%.0f %.6g\n", at, 100 * seen / span.all);
	}
	return rows;
}

static const struct mark {
	const char *value, *text;
	double at; /* height of its text */
} marks[] = {
	{ "walk.latency.p50", "median", 0.99 },
	{ "walk.latency.mean", "mean", 0.93 },
	{ "walk.latency.p99", "99 % at most", 0.87 },
};

/* A line with its text on the side where there is room.  In a terminal they
 * would run into each other: there the axis' label says it. */
static void
draw_marks(const struct result *result, double low, double high, FILE *script)
{
	double cycles, median = 0;
	const char *before = "\\n";

	view_value(result, "walk.latency.p50", &median);
	for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
		const struct mark *mark = &marks[i];
		bool left;

		if (!view_value(result, mark->value, &cycles))
			continue;
		left = cycles > low + 0.7 * (high - low) ||
		       (cycles < median && cycles > low + 0.2 * (high - low));
		fprintf(script,
			"if (format eq 'terminal') {\n"
			"\tbelow = below.\"%s\".'%s %.4g'\n"
			"} else {\n"
			"\tset arrow from first %.17g, graph 0 to first %.17g, "
			"graph %g nohead dashtype 2 linecolor rgb '#444444' "
			"front\n"
			"\tset label '%s %.4g' at first %.17g, graph %g "
			"offset %g,0 %s front\n"
			"}\n",
			before, mark->text, cycles, cycles, cycles, mark->at,
			mark->text, cycles, cycles, mark->at - 0.025,
			left ? -0.5 : 0.5, left ? "right" : "left");
		before = "; ";
	}
}

static void
latency_draw(const struct result *result, FILE *script)
{
	struct view_table table;
	struct span span;
	double top, step, parts;

	find_span(result, &span, &table);
	/* a third more than the data need, for the marks' texts */
	top = highest_share(&table, &span);
	for (step = 0.001; step * 6 < top; step *= step * 10 < top ? 10 : 2)
		;
	top = ceil(top / step) * step;
	/* tics of both sides at the same height where that makes whole ones */
	parts = round(top / step);
	parts = fmod(100, parts) > 0 ? 4 : parts;
	fprintf(script,
		"width = %.0f\n"
		"set xrange [%.17g:%.17g]\n"
		"set yrange [0:%.17g]\n"
		"set ytics 0, %.17g, %.17g\n"
		"set y2range [0:130]\n"
		"set border 11\n"
		"set y2tics 0, %.17g, 100\n" PLOT_YLABEL(
			"share of walks (%%)") "set y2label side('walks that take at most so long (%%)')\n"
					       "set key bottom center outside horizontal samplen 2\n",
		span.width, span.low - span.width, span.high + span.width,
		1.3 * top, step, top, 100 / parts);
	fputs("below = 'latency of a walk (cycles)'\n", script);
	if (span.beyond > 0)
		fprintf(script,
			"below = below.'; %.2g %% of walks are longer, up to "
			"%.0f'\n",
			100 * span.beyond / span.all, span.max);
	draw_marks(result, span.low - span.width, span.high + span.width,
		   script);
	fputs("set xlabel below.gap\n", script);
	fprintf(script,
		"plot data index 0 using ($1-0.5+width/2.):4:(width) with boxes linecolor rgb "
		"'%s' title 'walks in %.0f cycle%s', \\\n"
		"\t'' index 1 using 1:2 axes x1y2 with steps linewidth 1.5 "
		"linecolor rgb '%s' title 'at most so long (right)'",
		plot_colour(4), span.width, span.width > 1 ? "s" : "",
		plot_colour(5));
	putc('\n', script);
}

const struct plot_ops latency_plot = {
	.name = "latency",
	.help = "how long page walks take: histogram and distribution",
	.title = "Latency of page walks",
	.data = latency_data,
	.draw = latency_draw,
};
