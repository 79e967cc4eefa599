// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Misses against memory: a line a policy on scales of factors, LRU's with its
 * interval as a band behind it, and where the knee is.
 */
#include "reports/plot.h"
#include "reports/view.h"

#include <math.h>
#include <string.h>

#define POLICIES 16

struct lines {
	const char *name[POLICIES];
	size_t n;
	double from, to;    /* bytes */
	double least, most; /* misses of a million accesses */
};

static double
per_million(const struct result *result, double misses)
{
	return 1e6 * misses / view_or_zero(result, "accesses");
}

static void
stretch(struct lines *lines, double bytes, double misses)
{
	lines->from = fmin(lines->from, bytes);
	lines->to = fmax(lines->to, bytes);
	if (misses > 0)
		lines->least = fmin(lines->least, misses);
	lines->most = fmax(lines->most, misses);
}

/* A part of the run, or the policy of all of it */
static const char *
line_name(const struct view_table *table, size_t row)
{
	const char *of = view_text(table, row, view_column(table, "of"));

	return *of ? of : view_text(table, row, view_column(table, "policy"));
}

static void
find_lines(const struct result *result, struct lines *lines)
{
	struct view_table table;
	const char *before = "";

	*lines = (struct lines){ .from = HUGE_VAL, .least = HUGE_VAL };
	view_table(result, "curve", &table);
	for (size_t i = 0; i < table.n_rows; i++) {
		const char *name = line_name(&table, i);

		if (strcmp(name, before)) {
			if (lines->n == POLICIES)
				break;
			lines->name[lines->n++] = before = name;
		}
		stretch(lines,
			view_number(&table, i, view_column(&table, "bytes")),
			per_million(result,
				    view_number(&table, i,
						view_column(&table,
							    "misses"))));
	}
}

static size_t
band_data(const struct result *result, FILE *file)
{
	struct view_table table;
	size_t rows = 0;
	int low, high;

	if (!view_table(result, "memory.curve", &table))
		view_table(result, "curve", &table);
	low = view_column(&table, "low");
	high = view_column(&table, "high");
	fputs("\n\n# bytes, LRU's interval\n", file);
	for (size_t i = 0; i < table.n_rows; i++) {
		if (!json_is_number(view_cell(&table, i, low)) ||
		    view_number(&table, i, low) <= 0)
			continue;
		fprintf(file, "%.0f %.9g %.9g\n",
			view_number(&table, i, view_column(&table, "bytes")),
			per_million(result, view_number(&table, i, low)),
			per_million(result, view_number(&table, i, high)));
		rows++;
	}
	if (!rows)
		fputs("NaN NaN NaN\n", file);
	return rows;
}

static size_t
memory_data(const struct result *result, FILE *file, char *why,
	    size_t why_bytes)
{
	struct view_table table;
	const char *before = NULL;

	view_table(result, "curve", &table);
	if (!table.n_rows || view_or_zero(result, "accesses") <= 0)
		return plot_nothing(result, "curve", "no page was accessed",
				    why, why_bytes);
	band_data(result, file);
	fputs("\n\n# bytes, misses of a million accesses\n", file);
	for (size_t i = 0; i < table.n_rows; i++) {
		const char *name = line_name(&table, i);

		if (before && strcmp(name, before))
			fputs("\n\n", file);
		before = name;
		fprintf(file, "%.0f %.9g\n",
			view_number(&table, i, view_column(&table, "bytes")),
			per_million(result,
				    view_number(&table, i,
						view_column(&table,
							    "misses"))));
	}
	return table.n_rows;
}

/* A label at the knee, above the curves, and a line down from it */
static void
draw_knee(const struct result *result, const struct lines *lines, FILE *script)
{
	struct plot_unit unit;
	double knee;

	if (!view_value(result, "memory.knee.bytes", &knee) ||
	    knee < lines->from || knee > lines->to)
		return;
	unit = plot_unit_of(knee);
	fprintf(script,
		"set arrow from %.0f, graph 0 to %.0f, graph 0.94 nohead "
		"linewidth 1 dashtype (4,3) linecolor rgb '#444444'\n"
		"set label 'knee: %.3g %s' at %.0f, graph 0.97 %s\n",
		knee, knee, knee / unit.bytes, unit.name, knee,
		log(knee / lines->from) > 0.7 * log(lines->to / lines->from)
			? "right"
			: "left");
}

/* Of a path what tells most */
static const char *
last_part(const char *name)
{
	const char *slash = strrchr(name, '/');

	return slash && slash[1] ? slash + 1 : name;
}

static void
memory_draw(const struct result *result, FILE *script)
{
	struct lines lines;
	bool apart;

	find_lines(result, &lines);
	apart = lines.least < HUGE_VAL && lines.most > 30 * lines.least;
	fprintf(script,
		"set logscale x 2\n"
		"set xrange [%.17g:%.17g]\n"
		"set xlabel 'memory'.gap\n" PLOT_YLABEL(
			"misses per million accesses"),
		lines.from / (lines.from < lines.to ? 1 : 2),
		lines.to * (lines.from < lines.to ? 1.06 : 2));
	plot_byte_tics(script, "x", lines.from / 2, lines.to * 1.06, 10);
	if (apart) {
		fprintf(script,
			"set logscale y 10\n"
			"set yrange [%.9g:%.9g]\n",
			lines.least / 2, lines.most * 3);
		plot_power_tics(script, "y", lines.least / 2, lines.most * 3);
	} else {
		fputs("set yrange [0:*]\nset offsets 0, 0, graph 0.1, 0\n",
		      script);
	}
	draw_knee(result, &lines, script);
	fprintf(script,
		"band = format eq 'terminal' ? NaN : 1\n"
		"plot data index 0 using ($1*band):2:3 with filledcurves "
		"linecolor rgb '#cfd8e3' notitle");
	for (size_t i = 0; i < lines.n; i++) {
		fprintf(script,
			", \\\n\t'' index %zu using 1:2 with %s linewidth 2 "
			"dashtype %s linecolor rgb '%s' title ",
			i + 1, lines.from < lines.to ? "lines" : "points",
			plot_dashes(i / 7), plot_colour(i));
		plot_quote_short(script, last_part(lines.name[i]), 3);
	}
	putc('\n', script);
}

const struct plot_ops memory_plot = {
	.name = "memory",
	.help = "misses of replacement policies against memory",
	.title = "Misses and memory",
	.data = memory_data,
	.draw = memory_draw,
};
