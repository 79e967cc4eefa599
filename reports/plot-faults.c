// SPDX-License-Identifier: GPL-2.0-or-later
/* Page faults over the run, stacked by class, and their running total. */
#include "reports/number.h"
#include "reports/plot.h"
#include "reports/view.h"

#include <math.h>
#include <string.h>

#define CLASSES_MAX 16

/* The classes that occur, as columns; column 0 is the time. */
static size_t
find_classes(const struct view_table *table, int *classes)
{
	size_t n = 0;

	for (size_t j = 1; j < table->n_columns && n < CLASSES_MAX; j++)
		if (view_sum(table, (int)j) > 0)
			classes[n++] = (int)j;
	return n;
}

static size_t
faults_data(const struct result *result, FILE *file, char *why,
	    size_t why_bytes)
{
	struct view_table table;
	int classes[CLASSES_MAX];
	double total = 0;
	size_t n;

	view_table(result, "faults.time", &table);
	n = find_classes(&table, classes);
	if (!n)
		return plot_nothing(result, "faults.time",
				    "no page fault was taken", why, why_bytes);
	fputs("# accesses so far", file);
	for (size_t j = 0; j < n; j++)
		fprintf(file, ", %s",
			view_column_name(&table, (size_t)classes[j]));
	fputs(", all faults so far\n", file);
	for (size_t i = 0; i < table.n_rows; i++) {
		fprintf(file, "%.0f", view_number(&table, i, 0));
		for (size_t j = 0; j < n; j++) {
			double faults = view_number(&table, i, classes[j]);

			total += faults;
			fprintf(file, " %.0f", faults);
		}
		fprintf(file, " %.0f\n", total);
	}
	return table.n_rows;
}

static double
all_faults(const struct view_table *table, const int *classes, size_t n)
{
	double sum = 0;

	for (size_t j = 0; j < n; j++)
		sum += view_sum(table, classes[j]);
	return sum;
}

/* The highest stack. */
static double
most_at_once(const struct view_table *table, const int *classes, size_t n)
{
	double most = 0;

	for (size_t i = 0; i < table->n_rows; i++) {
		double sum = 0;

		for (size_t j = 0; j < n; j++)
			sum += view_number(table, i, classes[j]);
		most = fmax(most, sum);
	}
	return most;
}

static void
faults_draw(const struct result *result, FILE *script)
{
	struct view_table table;
	int classes[CLASSES_MAX];
	char label[64];
	double width, end = view_or_zero(result, "accesses");
	size_t n;

	view_table(result, "faults.time", &table);
	n = find_classes(&table, classes);
	width = table.n_rows > 1
			? view_number(&table, 1, 0) - view_number(&table, 0, 0)
			: end;
	if (end <= 0)
		end = view_number(&table, table.n_rows - 1, 0) + width;
	snprintf(label, sizeof(label), "faults in %s",
		 number_of(width, "access").text);
	fprintf(script,
		"width = %.17g\n"
		"set xrange [0:%.17g]\n"
		"set yrange [0:*]\n"
		"set y2range [0:*]\n"
		"set border 11\n"
		"set xlabel 'accesses so far'.gap\n" PLOT_YLABEL(
			"%s") "set y2label side('all faults so far')\n",
		width, end, label);
	plot_tics(script, "x", end);
	plot_tics(script, "y", most_at_once(&table, classes, n));
	plot_tics(script, "y2", all_faults(&table, classes, n));
	fputs("plot ", script);
	/* the whole stack first, then what is below it over it */
	for (size_t j = n; j-- > 0;) {
		fprintf(script, "%s using ($1+width/2.):(",
			j + 1 == n ? "data" : "\t''");
		for (size_t k = 0; k <= j; k++)
			fprintf(script, "%s$%zu", k ? "+" : "", k + 2);
		fputs("):(width) with boxes title ", script);
		plot_quote(script,
			   view_fault_class(
				   view_column_name(&table,
						    (size_t)classes[j])));
		fprintf(script, " linecolor rgb '%s', \\\n", plot_colour(j));
	}
	fprintf(script,
		"\t'' using ($1+width):%zu axes x1y2 with lines linewidth 1.5 "
		"linecolor rgb '#000000' title 'all so far (right)'\n",
		n + 2);
}

const struct plot_ops faults_plot = {
	.name = "faults",
	.help = "page faults over the run, by class",
	.title = "Page faults",
	.data = faults_data,
	.draw = faults_draw,
};
