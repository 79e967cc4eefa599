// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * First-level TLB misses by virtual region (up) and time (right).  Address
 * spaces are mostly holes: regions that occur are stacked without them, a thin
 * blank row marks each hole, and the address where a run of regions begins
 * stands at the axis.
 */
#include "reports/plot.h"
#include "reports/view.h"

#include <math.h>
#include <stdlib.h>

#define MIB (UINT64_C(1) << 20)

struct rows {
	size_t n, hole; /* rows in all, and blank rows a hole takes */
	size_t regions;
};

struct region {
	uint64_t space, address;
	size_t row; /* of the picture */
	bool first; /* of a run without holes */
};

static int
region_order(const void *left, const void *right)
{
	const struct region *a = left, *b = right;

	if (a->space != b->space)
		return a->space < b->space ? -1 : 1;
	return a->address < b->address ? -1 : a->address > b->address;
}

/* The distinct regions, ascending, with their rows; owned by the caller.
 * NULL: none, or no memory. */
static struct region *
find_regions(const struct view_table *table, struct rows *rows)
{
	int space = view_column(table, "space");
	int address = view_column(table, "address");
	uint64_t bytes = view_address(table, 0, view_column(table, "bytes"));
	struct region *regions = calloc(table->n_rows + 1, sizeof(*regions));
	size_t n = 0;

	*rows = (struct rows){ 0 };
	for (size_t i = 0; regions && i < table->n_rows; i++)
		regions[i] = (struct region){ view_address(table, i, space),
					      view_address(table, i, address),
					      0, false };
	if (regions)
		qsort(regions, table->n_rows, sizeof(*regions), region_order);
	for (size_t i = 0; regions && i < table->n_rows; i++)
		if (!n || region_order(&regions[n - 1], &regions[i]))
			regions[n++] = regions[i];
	rows->regions = n;
	rows->hole = 1 + n / 100;
	for (size_t i = 0; i < n; i++) {
		regions[i].first =
			!i || regions[i].space != regions[i - 1].space ||
			regions[i].address != regions[i - 1].address + bytes;
		if (i && regions[i].first)
			rows->n += rows->hole;
		regions[i].row = rows->n++;
	}
	return regions;
}

static size_t
row_of(const struct region *regions, size_t n, uint64_t space, uint64_t address)
{
	const struct region key = { space, address, 0, false };
	const struct region *found =
		bsearch(&key, regions, n, sizeof(key), region_order);

	return found ? found->row : 0;
}

/* A whole matrix, as gnuplot's images want: time, row, misses, walks. */
static void
write_cells(const struct view_table *table, const struct rows *rows,
	    const struct region *regions, size_t times, double width,
	    double *cell, FILE *file)
{
	int start = view_column(table, "accesses");
	int misses = view_column(table, "l1_misses");
	/* an image of one column or row is none to gnuplot: it is cut in two */
	size_t halves_x = times > 1 ? 1 : 2, halves_y = rows->n > 1 ? 1 : 2;

	for (size_t i = 0; i < table->n_rows; i++) {
		size_t row =
			row_of(regions, rows->regions,
			       view_address(table, i,
					    view_column(table, "space")),
			       view_address(table, i,
					    view_column(table, "address")));
		size_t time = view_count(view_number(table, i, start) / width);

		if (time < times)
			cell[row * times + time] +=
				view_number(table, i, misses);
	}
	fputs("# accesses so far (middle of the cell), row, L1 TLB misses\n",
	      file);
	for (size_t i = 0; i < rows->n * halves_y; i++)
		for (size_t t = 0; t < times * halves_x; t++) {
			double n = cell[i / halves_y * times + t / halves_x];
			double x = ((double)t + 0.5) / (double)halves_x;
			double y = ((double)i + 0.5) / (double)halves_y - 0.5;

			fprintf(file,
				n > 0 ? "%.17g %g %.0f\n" : "%.17g %g NaN\n",
				x * width, y, n);
		}
}

static double
bin_width(const struct view_table *table)
{
	double width = 0, w;

	/* the last bin may be narrower */
	for (size_t i = 0; i < table->n_rows; i++) {
		w = view_number(table, i, view_column(table, "width"));
		width = w > width ? w : width;
	}
	return width > 0 ? width : 1;
}

static size_t
bins(const struct result *result, const struct view_table *table, double width)
{
	double end = view_or_zero(result, "accesses"), at;

	for (size_t i = 0; i < table->n_rows; i++) {
		at = view_number(table, i, view_column(table, "accesses")) + 1;
		end = at > end ? at : end;
	}
	return view_count(ceil(end / width));
}

static size_t
heatmap_data(const struct result *result, FILE *file, char *why,
	     size_t why_bytes)
{
	struct view_table table;
	struct region *regions;
	struct rows rows;
	double *cell = NULL, width;
	size_t times;

	view_table(result, "heatmap", &table);
	if (!table.n_rows)
		return plot_nothing(result, "heatmap", "no TLB lookup missed",
				    why, why_bytes);
	regions = find_regions(&table, &rows);
	width = bin_width(&table);
	times = bins(result, &table, width);
	if (times > 4096 || rows.n > 65536)
		snprintf(why, why_bytes, "%zu x %zu cells are too many", times,
			 rows.n);
	else if (!times)
		snprintf(why, why_bytes, "no accesses were counted");
	else if (regions)
		cell = calloc(rows.n * times, sizeof(*cell));
	if (cell)
		write_cells(&table, &rows, regions, times, width, cell, file);
	else if (!*why)
		snprintf(why, why_bytes, "no memory");
	free(regions);
	times = cell ? rows.n * times : 0;
	free(cell);
	return times;
}

/* Does another run begin within so many rows above region i? */
static bool
begins_above(const struct rows *rows, const struct region *regions, size_t i,
	     size_t within)
{
	size_t row = regions[i].row;

	while (++i < rows->regions && regions[i].row <= row + within)
		if (regions[i].first)
			return true;
	return false;
}

/* Labels where a run begins, but none too close to the one below; in a long
 * run also between. */
static void
write_tics(const struct rows *rows, const struct region *regions, FILE *script)
{
	size_t apart = rows->n / 22, between = rows->n / 8 + 1, next = 0;
	bool spaces = rows->regions &&
		      regions[0].space != regions[rows->regions - 1].space;
	const char *before = "";

	fputs("set ytics (", script);
	for (size_t i = 0; i < rows->regions; i++) {
		if (regions[i].row < next ||
		    (!regions[i].first &&
		     (regions[i].row + apart + 1 < next + between ||
		      begins_above(rows, regions, i, apart))))
			continue;
		fprintf(script, "%s", before);
		if (spaces)
			fprintf(script, "'%llu: %#llx' %.1f",
				(unsigned long long)regions[i].space,
				(unsigned long long)regions[i].address,
				(double)regions[i].row - 0.5);
		else
			fprintf(script, "'%#llx' %.1f",
				(unsigned long long)regions[i].address,
				(double)regions[i].row - 0.5);
		before = ", ";
		next = regions[i].row + apart + 1;
	}
	fputs(")\n", script);
}

static void
heatmap_draw(const struct result *result, FILE *script)
{
	struct view_table table;
	struct region *regions;
	struct rows rows;
	uint64_t bytes;
	double width;

	view_table(result, "heatmap", &table);
	regions = find_regions(&table, &rows);
	bytes = view_address(&table, 0, view_column(&table, "bytes"));
	width = bin_width(&table);
	fprintf(script,
		"# all of it, before there is a range\n"
		"stats data using 3 nooutput\n"
		"set xrange [0:%.17g]\n"
		"set yrange [-0.5:%.1f]\n"
		"set logscale cb\n"
		"set format cb '%%.0s%%c'\n"
		"unset grid\n"
		"unset key\n"
		"set xlabel 'accesses so far'\n"
		"set ylabel 'virtual address (regions of %llu %s; holes left "
		"out)'\n"
		"set cblabel 'L1 TLB misses' offset 1.5,0\n"
		"if (format ne 'terminal') { set rmargin at screen 0.83 }\n"
		"# where all cells count the same too\n"
		"set cbrange [1:STATS_max < 10 ? 10 : STATS_max]\n"
		"# viridis\n"
		"set palette defined (0 '#440154', 1 '#472c7a', 2 '#3b518b', "
		"3 '#2c718e', \\\n"
		"\t4 '#21908d', 5 '#27ad81', 6 '#5cc863', 7 '#aadc32', 8 "
		"'#fde725')\n",
		(double)bins(result, &table, width) * width,
		(double)rows.n - 0.5,
		(unsigned long long)(bytes % MIB ? bytes >> 10 : bytes / MIB),
		bytes % MIB ? "KiB" : "MiB");
	plot_tics(script, "x", (double)bins(result, &table, width) * width);
	if (regions)
		write_tics(&rows, regions, script);
	fputs("if (format eq 'terminal') {\n"
	      "\tlevel(n) = int(1 + 8 * log(n) / "
	      "log(STATS_max + 1))\n"
	      "\tshade(n) = substr(' .:-=+*#%@', level(n) + 1, level(n) + 1)\n"
	      "\tplot data using 1:2:(valid(3) ? shade($3) : '') with labels\n"
	      "}\n"
	      "if (format eq 'svg' || format eq 'tikz') {\n"
	      "\tplot data using 1:2:3 with image pixels\n"
	      "}\n"
	      "if (format ne 'terminal' && format ne 'svg' && format ne 'tikz') {\n"
	      "\tplot data using 1:2:3 with image\n"
	      "}\n",
	      script);
	free(regions);
}

const struct plot_ops heatmap_plot = {
	.name = "heatmap",
	.help = "TLB misses by virtual region and time",
	.title = "TLB misses by region and time",
	.data = heatmap_data,
	.draw = heatmap_draw,
};
