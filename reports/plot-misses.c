// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TLB misses by level: on the left how many of 1,000 accesses miss, data and
 * fetches side by side; on the right who answers what the first level missed,
 * by page size.
 */
#include "reports/plot.h"
#include "reports/view.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

/* What the first level missed of this size, and who answered it. */
static double
size_misses(const struct view_table *table, size_t row, double *hits,
	    double *walks)
{
	double found =
		view_number(table, row, view_column(table, "l2_data_hits")) +
		view_number(table, row, view_column(table, "l2_fetch_hits"));
	double walked = view_number(table, row, view_column(table, "walks"));

	if (hits)
		*hits = found;
	if (walks)
		*walks = walked;
	return found + walked;
}

/* Rows of page sizes that were used at all. */
static size_t
sizes_data(const struct result *result, FILE *file)
{
	struct view_table table;
	double hits, walks;
	size_t rows = 0;

	if (!view_table(result, "tlb.sizes", &table))
		return 0;
	for (size_t i = 0; i < table.n_rows; i++) {
		const char *size =
			view_text(&table, i, view_column(&table, "size"));

		if (size_misses(&table, i, &hits, &walks) <= 0)
			continue;
		fprintf(file, "\"%.*s %ciB\" %.0f %.0f\n",
			(int)strcspn(size, "kmg"), size,
			toupper((unsigned char)size[strcspn(size, "kmg")]),
			hits, walks);
		rows++;
	}
	return rows;
}

static size_t
misses_data(const struct result *result, FILE *file, char *why,
	    size_t why_bytes)
{
	static const char *const levels[][3] = {
		{ "L1 TLB", "tlb.l1d.misses", "tlb.l1i.misses" },
		{ "L2 TLB", "tlb.l2.data.misses", "tlb.l2.fetch.misses" },
	};
	double accesses = view_or_zero(result, "accesses"), all = 0, n;
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		for (size_t j = 1; j < ARRAY_SIZE(levels[i]); j++)
			if (view_value(result, levels[i][j], &n)) {
				all += n;
				any = true;
			}
	if (accesses <= 0 || all <= 0) {
		snprintf(why, why_bytes, "%s",
			 any ? "no TLB lookup missed"
			     : "this result has no TLB misses");
		return 0;
	}
	fputs("# level, misses per 1,000 accesses: data, fetch\n", file);
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		fprintf(file, "\"%s\"", levels[i][0]);
		/* what is not known is no bar, not a bar of height 0 */
		for (size_t j = 1; j < ARRAY_SIZE(levels[i]); j++)
			if (view_value(result, levels[i][j], &n))
				fprintf(file, " %.9g", 1000 * n / accesses);
			else
				fputs(" NaN", file);
		putc('\n', file);
	}
	fputs("\n\n# page size, hits in the L2 TLB, page walks\n", file);
	return ARRAY_SIZE(levels) + sizes_data(result, file);
}

static size_t
sizes_used(const struct view_table *table)
{
	size_t n = 0;

	for (size_t i = 0; i < table->n_rows; i++)
		n += size_misses(table, i, NULL, NULL) > 0;
	return n;
}

static double
sizes_most(const struct view_table *table)
{
	double most = 0;

	for (size_t i = 0; i < table->n_rows; i++)
		most = fmax(most, size_misses(table, i, NULL, NULL));
	return most;
}

static void
misses_draw(const struct result *result, FILE *script)
{
	struct view_table table;
	bool any = view_table(result, "tlb.sizes", &table) &&
		   sizes_used(&table) > 0;

	fprintf(script,
		"two = %d\n"
		"set style data histograms\n"
		"set boxwidth 0.85 relative\n"
		"small = format eq 'tikz' ? '' : sprintf(',%%.3g', points * \\\n"
		"\t(format eq 'png' ? 17 : format eq 'pdf' ? 7 : 9) / 9.)\n"
		"label(y) = y == 0 ? '0' : y < 1e-4 ? '< 0.0001' : "
		"y < 0.01 ? sprintf('%%.4f', y) : sprintf('%%.3g', y)\n"
		"set yrange [0:*]\n"
		"set offsets 0, 0, graph 0.12, 0\n"
		"if (two && format ne 'terminal') {\n"
		"\tunset title\n"
		"\tset multiplot layout 1,2 title title\n"
		"\tset tmargin 2\n"
		"}\n"
		"set xtics scale 0\n"
		"set style histogram clustered gap 1\n"
		"set xrange [-0.6:1.6]\n" PLOT_YLABEL(
			"misses per 1,000 accesses") "set xlabel ' '.gap\n"
						     "plot data index 0 using 2:xtic(1) title 'data' "
						     "linecolor rgb '%s', \\\n"
						     "\t'' index 0 using 3 title 'fetch' linecolor rgb '%s', \\\n"
						     "\t'' index 0 using ($0-1./6):2:(label($2)) with labels "
						     "offset 0,0.7 font small notitle, \\\n"
						     "\t'' index 0 using ($0+1./6):3:(label($3)) with labels "
						     "offset 0,0.7 font small notitle\n",
		any, plot_colour(0), plot_colour(1));
	fprintf(script,
		"if (two && format ne 'terminal') {\n"
		"\tset style histogram rowstacked gap 1\n"
		"\tset boxwidth 0.5 relative\n"
		"\tset xrange [-0.75:%zu-0.25]\n"
		"\tset ylabel 'L1 TLB misses'\n"
		"\tset xlabel 'page size'.gap\n\t",
		sizes_used(&table));
	plot_tics(script, "y", sizes_most(&table));
	fprintf(script,
		"\tplot data index 1 using 2:xtic(1) title 'L2 TLB hit' linecolor rgb '%s', \\\n"
		"\t\t'' index 1 using 3 title 'page walk' linecolor rgb "
		"'%s'\n"
		"\tunset multiplot\n"
		"}\n",
		plot_colour(4), plot_colour(5));
}

const struct plot_ops misses_plot = {
	.name = "misses",
	.help = "TLB misses by level, kind and page size",
	.title = "TLB misses",
	.data = misses_data,
	.draw = misses_draw,
};
