// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What stat --interval counted, as rates over time: a line an event, of those
 * that happened the ones with the most, on a logarithmic axis.
 */
#include "reports/plot.h"
#include "reports/view.h"

#include <math.h>
#include <string.h>

#define LINES_MOST 8

struct lines {
	struct view_table table;
	int end, event, count;
	const char *name[LINES_MOST]; /* borrowed */
	double sum[LINES_MOST];
	size_t n;
	double least, most, to; /* rates; seconds */
};

static bool
has_event(const struct lines *lines, const char *name)
{
	for (size_t i = 0; i < lines->table.n_rows; i++)
		if (!strcmp(view_text(&lines->table, i, lines->event), name))
			return true;
	return false;
}

/* What has no line: clocks, and the sum of two others */
static bool
is_left_out(const struct lines *lines, const char *event)
{
	size_t n = strlen(event);

	return (n >= 5 && !strcmp(event + n - 5, "clock")) ||
	       (!strcmp(event, "page-faults") &&
		has_event(lines, "minor-faults"));
}

/* Where the interval of this row began: at the end of the one before */
static double
begin_of(const struct lines *lines, size_t row)
{
	double end = view_number(&lines->table, row, lines->end), before = 0;

	for (size_t i = row; i-- > 0;) {
		before = view_number(&lines->table, i, lines->end);
		if (before < end)
			return before;
	}
	return 0;
}

static double
rate_of(const struct lines *lines, size_t row)
{
	double length = view_number(&lines->table, row, lines->end) -
			begin_of(lines, row);

	return length > 0
		       ? view_number(&lines->table, row, lines->count) / length
		       : 0;
}

/* Keep the events with the most, in the order of the most. */
static void
add_event(struct lines *lines, const char *name, double sum)
{
	size_t at = lines->n;

	while (at && lines->sum[at - 1] < sum)
		at--;
	if (at == LINES_MOST)
		return;
	if (lines->n < LINES_MOST)
		lines->n++;
	for (size_t i = lines->n - 1; i > at; i--) {
		lines->name[i] = lines->name[i - 1];
		lines->sum[i] = lines->sum[i - 1];
	}
	lines->name[at] = name;
	lines->sum[at] = sum;
}

static void
find_lines(const struct result *result, struct lines *lines)
{
	double first;

	*lines = (struct lines){ .least = HUGE_VAL };
	view_table(result, "intervals", &lines->table);
	lines->end = view_column(&lines->table, "end");
	lines->event = view_column(&lines->table, "event");
	lines->count = view_column(&lines->table, "count");
	first = view_number(&lines->table, 0, lines->end);
	for (size_t i = 0; i < lines->table.n_rows; i++) {
		const char *name = view_text(&lines->table, i, lines->event);
		double sum = 0, rate = rate_of(lines, i);

		lines->to = view_number(&lines->table, i, lines->end);
		if (is_left_out(lines, name))
			continue;
		if (rate > 0) {
			lines->least = fmin(lines->least, rate);
			lines->most = fmax(lines->most, rate);
		}
		/* each event once, in the first interval */
		for (size_t j = i;
		     lines->to <= first && j < lines->table.n_rows; j++)
			if (!strcmp(view_text(&lines->table, j, lines->event),
				    name))
				sum += view_number(&lines->table, j,
						   lines->count);
		if (sum > 0)
			add_event(lines, name, sum);
	}
}

static size_t
intervals_data(const struct result *result, FILE *file, char *why,
	       size_t why_bytes)
{
	struct lines lines;

	find_lines(result, &lines);
	if (!lines.n)
		return plot_nothing(result, "intervals", "nothing was counted",
				    why, why_bytes);
	fputs("# seconds, events a second from then on\n", file);
	for (size_t k = 0; k < lines.n; k++) {
		double rate = 0;

		fputs(k ? "\n\n" : "", file);
		for (size_t i = 0; i < lines.table.n_rows; i++) {
			if (strcmp(view_text(&lines.table, i, lines.event),
				   lines.name[k]) != 0)
				continue;
			rate = rate_of(&lines, i);
			fprintf(file, rate > 0 ? "%.9g %.9g\n" : "%.9g NaN\n",
				begin_of(&lines, i), rate);
		}
		fprintf(file, rate > 0 ? "%.9g %.9g\n" : "%.9g NaN\n", lines.to,
			rate);
	}
	return lines.n;
}

static void
intervals_draw(const struct result *result, FILE *script)
{
	struct lines lines;

	find_lines(result, &lines);
	fprintf(script,
		"set xrange [0:%.9g]\n"
		"set logscale y 10\n"
		"set yrange [%.9g:%.9g]\n"
		"set xlabel 'seconds'.gap\n" PLOT_YLABEL("events per second"),
		lines.to, lines.least / 2, lines.most * 2);
	plot_power_tics(script, "y", lines.least / 2, lines.most * 2);
	fputs("plot ", script);
	for (size_t k = 0; k < lines.n; k++) {
		/* without the name of the PMU */
		const char *own = strstr(lines.name[k], "::");

		fprintf(script,
			"%sdata index %zu using 1:2 with steps linewidth 1.5 "
			"dashtype %s linecolor rgb '%s' title ",
			k ? ", \\\n\t" : "", k, plot_dashes(k), plot_colour(k));
		plot_quote_short(script, own ? own + 2 : lines.name[k], 4);
	}
	putc('\n', script);
}

const struct plot_ops intervals_plot = {
	.name = "intervals",
	.help = "events per second over time (stat --interval)",
	.title = "Events over time",
	.data = intervals_data,
	.draw = intervals_draw,
};
