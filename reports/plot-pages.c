// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * First-level TLB misses of the pages that miss most (up, by address) over the
 * run (right): which data is hot, and when.
 */
#include "reports/plot-cells.h"
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

static struct plot_cells
cells_of(const struct view_table *table, size_t pages)
{
	struct plot_cells cells = { .rows = pages };
	double last = 0;

	cells.width = view_number(table, 0, view_column(table, "width"));
	for (size_t i = 0; i < table->n_rows; i++) {
		double at =
			view_number(table, i, view_column(table, "accesses"));

		last = at > last ? at : last;
	}
	if (cells.width > 0)
		cells.columns =
			view_count(fmin(last / cells.width, COLUMNS)) + 1;
	return cells;
}

static size_t
pages_data(const struct result *result, FILE *file, char *why, size_t why_bytes)
{
	struct view_table table;
	struct page *pages;
	struct plot_cells cells;
	size_t n = 0;
	double *cell;

	view_table(result, "who.pages.time", &table);
	if (!table.n_rows)
		return plot_nothing(result, "who.pages.time",
				    "no TLB lookup missed", why, why_bytes);
	pages = find_pages(&table, &n);
	cells = cells_of(&table, n);
	cell = pages && cells.columns && cells.columns <= COLUMNS
		       ? calloc(n * cells.columns, sizeof(*cell))
		       : NULL;
	for (size_t i = 0; cell && i < table.n_rows; i++) {
		const struct page page = page_of(&table, i);
		const struct page *at =
			bsearch(&page, pages, n, sizeof(page), page_order);
		size_t time = view_count(
			view_number(&table, i,
				    view_column(&table, "accesses")) /
			cells.width);

		cell[(size_t)(at - pages) * cells.columns + time] +=
			view_number(&table, i,
				    view_column(&table, "l1_misses"));
	}
	if (cell)
		plot_cells_write(&cells, cell, file);
	else if (cells.columns > COLUMNS)
		snprintf(why, why_bytes, "more than %d intervals are too many",
			 COLUMNS);
	else
		snprintf(why, why_bytes,
			 cells.columns ? "no memory"
				       : "its intervals have no width");
	n = cell ? n : 0;
	free(cell);
	free(pages);
	return n;
}

static void
pages_draw(const struct result *result, FILE *script)
{
	struct view_table table;
	struct plot_cells cells;
	struct page *pages;
	size_t n = 0;

	view_table(result, "who.pages.time", &table);
	pages = find_pages(&table, &n);
	cells = cells_of(&table, n);
	plot_cells_begin(&cells, script);
	fputs("set ylabel 'pages that miss most'\n"
	      "set ytics (",
	      script);
	for (size_t i = 0; pages && i < n; i += 1 + n / 14)
		fprintf(script, "%s'%#llx' %zu", i ? ", " : "",
			(unsigned long long)pages[i].address, i);
	fputs(")\n", script);
	plot_cells_draw(script);
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
