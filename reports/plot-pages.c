// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * First-level TLB misses of the pages that miss most (up, by address) over the
 * run (right): which data is hot, and when.
 */
#include "reports/plot.h"
#include "reports/view.h"

#include <math.h>
#include <stdlib.h>

#define COLUMNS 4096 /* at most */

struct page {
	uint64_t space, address;
};

static int
page_order(const void *left, const void *right)
{
	const struct page *a = left, *b = right;

	if (a->space != b->space)
		return a->space < b->space ? -1 : 1;
	return a->address < b->address ? -1 : a->address > b->address;
}

static struct page
page_of(const struct view_table *table, size_t row)
{
	return (struct page){
		view_address(table, row, view_column(table, "space")),
		view_address(table, row, view_column(table, "address"))
	};
}

/* Each once, ascending; to be freed.  NULL: none, or no memory. */
static struct page *
find_pages(const struct view_table *table, size_t *n)
{
	struct page *pages = calloc(table->n_rows + 1, sizeof(*pages));

	*n = 0;
	for (size_t i = 0; pages && i < table->n_rows; i++)
		pages[i] = page_of(table, i);
	if (pages)
		qsort(pages, table->n_rows, sizeof(*pages), page_order);
	for (size_t i = 0; pages && i < table->n_rows; i++)
		if (!*n || page_order(&pages[*n - 1], &pages[i]))
			pages[(*n)++] = pages[i];
	return pages;
}

static size_t
columns_of(const struct view_table *table, double *width)
{
	double last = 0;

	*width = view_number(table, 0, view_column(table, "width"));
	for (size_t i = 0; i < table->n_rows; i++) {
		double at =
			view_number(table, i, view_column(table, "accesses"));

		last = at > last ? at : last;
	}
	return *width > 0 ? view_count(fmin(last / *width, COLUMNS)) + 1 : 0;
}

/* A whole matrix, of two rows and columns at least, as images want. */
static void
write_cells(FILE *file, const double *cell, size_t rows, size_t columns,
	    double width)
{
	size_t rows_shown = rows > 1 ? rows : 2;
	size_t columns_shown = columns > 1 ? columns : 2;

	fputs("# accesses so far (middle), row, L1 TLB misses\n", file);
	for (size_t i = 0; i < rows_shown; i++)
		for (size_t t = 0; t < columns_shown; t++) {
			double n = i < rows && t < columns
					   ? cell[i * columns + t]
					   : 0;

			fprintf(file,
				n > 0 ? "%.17g %zu %.0f\n" : "%.17g %zu NaN\n",
				((double)t + 0.5) * width, i, n);
		}
}

static size_t
pages_data(const struct result *result, FILE *file, char *why, size_t why_bytes)
{
	struct view_table table;
	struct page *pages;
	size_t n = 0, columns;
	double width, *cell;

	view_table(result, "who.pages.time", &table);
	if (!table.n_rows)
		return plot_nothing(result, "who.pages.time",
				    "no TLB lookup missed", why, why_bytes);
	pages = find_pages(&table, &n);
	columns = columns_of(&table, &width);
	cell = pages && columns && columns <= COLUMNS
		       ? calloc(n * columns, sizeof(*cell))
		       : NULL;
	for (size_t i = 0; cell && i < table.n_rows; i++) {
		const struct page page = page_of(&table, i);
		const struct page *at =
			bsearch(&page, pages, n, sizeof(page), page_order);
		size_t time = view_count(
			view_number(&table, i,
				    view_column(&table, "accesses")) /
			width);

		cell[(size_t)(at - pages) * columns + time] +=
			view_number(&table, i,
				    view_column(&table, "l1_misses"));
	}
	if (cell)
		write_cells(file, cell, n, columns, width);
	else if (columns > COLUMNS)
		snprintf(why, why_bytes, "more than %d intervals are too many",
			 COLUMNS);
	else
		snprintf(why, why_bytes,
			 columns ? "no memory" : "its intervals have no width");
	n = cell ? n : 0;
	free(cell);
	free(pages);
	return n;
}

static void
pages_draw(const struct result *result, FILE *script)
{
	struct view_table table;
	struct page *pages;
	size_t n = 0;
	double width, end;

	view_table(result, "who.pages.time", &table);
	pages = find_pages(&table, &n);
	end = (double)columns_of(&table, &width) * width;
	fprintf(script,
		"stats data using 3 nooutput\n"
		"set xrange [0:%.17g]\n"
		"set yrange [-0.5:%.1f]\n"
		"set logscale cb\n"
		"set format cb '%%.0s%%c'\n"
		"unset grid\n"
		"unset key\n"
		"set xlabel 'accesses so far'\n"
		"set ylabel 'the pages that miss most, by address'\n"
		"set cblabel 'L1 TLB misses' offset 1.5,0\n"
		"if (format ne 'terminal') { set rmargin at screen 0.83 }\n"
		"set cbrange [1:STATS_max < 10 ? 10 : STATS_max]\n"
		"# viridis\n"
		"set palette defined (0 '#440154', 1 '#472c7a', 2 '#3b518b', "
		"3 '#2c718e', \\\n"
		"\t4 '#21908d', 5 '#27ad81', 6 '#5cc863', 7 '#aadc32', 8 "
		"'#fde725')\n",
		end, (double)n - 0.5);
	plot_tics(script, "x", end);
	fputs("set ytics (", script);
	for (size_t i = 0; pages && i < n; i += 1 + n / 22)
		fprintf(script, "%s'%#llx' %zu", i ? ", " : "",
			(unsigned long long)pages[i].address, i);
	fputs(")\n"
	      "if (format eq 'terminal') {\n"
	      "\tlevel(n) = int(1 + 8 * log(n) / log(STATS_max + 1))\n"
	      "\tshade(n) = substr(' .:-=+*#%@', level(n) + 1, level(n) + 1)\n"
	      "\tplot data using 1:2:(valid(3) ? shade($3) : '') with labels\n"
	      "} else {\n"
	      "\tif (format eq 'svg') {\n"
	      "\t\tplot data using 1:2:3 with image pixels\n"
	      "\t} else {\n"
	      "\t\tplot data using 1:2:3 with image\n"
	      "\t}\n"
	      "}\n",
	      script);
	free(pages);
}

const struct plot_ops pages_plot = {
	.name = "pages",
	.help = "TLB misses of the hottest pages over the run (replay --by "
		"page)",
	.title = "TLB misses by page and time",
	.data = pages_data,
	.draw = pages_draw,
};
