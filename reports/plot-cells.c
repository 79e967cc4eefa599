// SPDX-License-Identifier: GPL-2.0-or-later
/* Matrices of TLB misses over the run: those of heatmap and of pages. */
#include "reports/plot-cells.h"

#include "reports/plot.h"

const char plot_viridis[] =
	"# viridis, dark is little\n"
	"set palette defined (0 '#440154', 1 '#472c7a', 2 '#3b518b', "
	"3 '#2c718e', \\\n"
	"\t4 '#21908d', 5 '#27ad81', 6 '#5cc863', 7 '#aadc32', 8 "
	"'#fde725')\n";

void
plot_cells_write(const struct plot_cells *cells, const double *cell, FILE *data)
{
	size_t rows = cells->rows, columns = cells->columns;
	/* an image of one column or row is none to gnuplot: it is cut in two */
	size_t halves_x = columns > 1 ? 1 : 2, halves_y = rows > 1 ? 1 : 2;

	fputs("# accesses so far (middle of the cell), row, L1 TLB misses\n",
	      data);
	for (size_t i = 0; i < rows * halves_y; i++)
		for (size_t t = 0; t < columns * halves_x; t++) {
			double n = cell[i / halves_y * columns + t / halves_x];
			double x = ((double)t + 0.5) / (double)halves_x;
			double y = ((double)i + 0.5) / (double)halves_y - 0.5;

			fprintf(data,
				n > 0 ? "%.17g %g %.0f\n" : "%.17g %g NaN\n",
				x * cells->width, y, n);
		}
}

void
plot_cells_begin(const struct plot_cells *cells, FILE *script)
{
	double end = (double)cells->columns * cells->width;

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
		"set cblabel 'L1 TLB misses' offset 1.5,0\n"
		"if (format ne 'terminal') { set rmargin at screen 0.83 }\n"
		"# where all cells count the same too\n"
		"set cbrange [1:STATS_max < 10 ? 10 : STATS_max]\n"
		"%s",
		end, (double)cells->rows - 0.5, plot_viridis);
	plot_tics(script, "x", end);
}

void
plot_cells_draw(FILE *script)
{
	fputs("if (format eq 'terminal') {\n"
	      "\tlevel(n) = int(1 + 8 * log(n) / log(STATS_max + 1))\n"
	      "\tshade(n) = substr(' .:-=+*#%@', level(n) + 1, level(n) + 1)\n"
	      "\tplot data using 1:2:(valid(3) ? shade($3) : '') with labels\n"
	      "}\n"
	      "if (format eq 'svg') {\n"
	      "\tplot data using 1:2:3 with image pixels\n"
	      "}\n"
	      "if (format ne 'terminal' && format ne 'svg') {\n"
	      "\tplot data using 1:2:3 with image\n"
	      "}\n",
	      script);
}
