// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Figures of a page as SVG: bars of a ranking, lines over the run, misses by
 * region and time.  Colours are the page's, so that they follow light and dark.
 */
#include "reports/html.h"
#include "reports/number.h"
#include "reports/view.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH  480
#define LEFT   64 /* room for the labels of an axis */
#define HEIGHT 180
#define BARS   10
#define NAMES  190 /* room for the names of bars */
#define BAR    230 /* the longest */
#define CELLS  64  /* of a heat map, each way */
#define SHADES 8

static void
begin(const char *caption, const char *note, int height, FILE *file)
{
	fputs("<figure><figcaption>", file);
	html_text(file, caption);
	fputs("</figcaption>\n", file);
	if (*note) {
		fputs("<p class=\"dim\">", file);
		html_text(file, note);
		fputs("</p>\n", file);
	}
	fprintf(file, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"",
		WIDTH, height);
	html_text(file, caption);
	fputs("\">\n", file);
}

static void
end(FILE *file)
{
	fputs("</svg></figure>\n", file);
}

static void
put_label(FILE *file, double x, double y, const char *anchor, const char *text)
{
	fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y,
		anchor);
	html_text(file, text);
	fputs("</text>\n", file);
}

/* The first characters of a text, whole ones. */
static void
shorten(const char *text, size_t most, char *to, size_t bytes)
{
	size_t n = 0, at = 0;

	while (text[at] && n < most && at + 5 < bytes) {
		n += ((unsigned char)text[at] & 0xc0) != 0x80;
		to[at] = text[at];
		at++;
	}
	while (text[at] && at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
		at--;
	strcpy(to + at, text[at] ? "…" : "");
}

struct bars {
	const char *table, *label, *value, *caption;
};

static void
put_bars(const struct result *result, const struct bars *bars, FILE *file)
{
	struct view_table table;
	int label, value;
	size_t n;
	double most = 0, sum;

	if (!view_table(result, bars->table, &table) || !table.n_rows)
		return;
	label = view_column(&table, bars->label);
	value = view_column(&table, bars->value);
	sum = view_sum(&table, value);
	n = table.n_rows < BARS ? table.n_rows : BARS;
	for (size_t i = 0; i < n; i++)
		most = fmax(most, view_number(&table, i, value));
	if (most <= 0)
		return;
	begin(bars->caption, "", (int)(22 * n + 6), file);
	for (size_t i = 0; i < n; i++) {
		double v = view_number(&table, i, value);
		double y = 22 * (double)i + 4;
		char text[200];

		shorten(view_text(&table, i, label), 26, text, sizeof(text));
		put_label(file, NAMES - 6, y + 14, "end", text);
		fprintf(file,
			"<rect x=\"%d\" y=\"%.1f\" width=\"%.1f\" "
			"height=\"18\" fill=\"var(--a)\"/>\n",
			NAMES, y, fmax(1, BAR * v / most));
		put_label(file, NAMES + 6 + BAR * v / most, y + 14, "start",
			  number_share(v, sum).text);
	}
	end(file);
}

struct lines {
	const char *table, *column, *caption;
	bool bytes;
	const char *colour;
};

static void
put_axis(const struct view_table *table, double most, bool bytes, double last,
	 FILE *file)
{
	for (int i = 0; i <= 2; i++) {
		double y = HEIGHT - 30 - (HEIGHT - 45) * i / 2.;
		double v = most * i / 2;

		fprintf(file,
			"<line x1=\"%d\" y1=\"%.1f\" x2=\"%d\" y2=\"%.1f\" "
			"stroke=\"var(--line)\"/>\n",
			LEFT, y, WIDTH - 10, y);
		put_label(file, LEFT - 6, y + 4, "end",
			  bytes ? number_bytes(v).text : number_si(v).text);
	}
	put_label(file, LEFT, HEIGHT - 8, "start", "0");
	put_label(file, WIDTH - 10, HEIGHT - 8, "end",
		  view_column(table, "time") >= 0 ? number_si(last / 1e9).text
						  : number_si(last).text);
	put_label(file, (LEFT + WIDTH) / 2., HEIGHT - 8, "middle",
		  view_column(table, "time") >= 0 ? "seconds of the recording"
						  : "accesses so far");
}

/* A step for each interval, over time if it is known, else over accesses. */
static void
put_lines_of(const struct result *result, const struct lines *lines, FILE *file)
{
	struct view_table table;
	int x, y = -1;
	double last = 0, most = 0;

	if (view_table(result, lines->table, &table))
		y = view_column(&table, lines->column);
	if (y < 0 || table.n_rows < 2)
		return;
	x = view_column(&table, "time");
	if (x < 0)
		x = view_column(&table, "accesses");
	last = view_number(&table, table.n_rows - 1, x);
	for (size_t i = 0; i < table.n_rows; i++)
		most = fmax(most, view_number(&table, i, y));
	if (last <= 0 || most <= 0)
		return;
	begin(lines->caption, "", HEIGHT, file);
	put_axis(&table, most, lines->bytes, last, file);
	fprintf(file,
		"<path fill=\"none\" stroke=\"var(--%s)\" "
		"stroke-width=\"1.5\" d=\"",
		lines->colour);
	for (size_t i = 0; i < table.n_rows; i++) {
		double at = LEFT + (WIDTH - 10 - LEFT) *
					   view_number(&table, i, x) / last;
		double up = HEIGHT - 30 -
			    (HEIGHT - 45) * view_number(&table, i, y) / most;

		fprintf(file, i ? "H%.1fV%.1f" : "M%.1f %.1f", at, up);
	}
	fprintf(file, "H%d\"/>\n", WIDTH - 10);
	end(file);
}

/* Regions that occur, stacked; ascending. */
struct region {
	uint64_t space, address;
};

static int
region_order(const void *left, const void *right)
{
	const struct region *a = left, *b = right;

	if (a->space != b->space)
		return a->space < b->space ? -1 : 1;
	return a->address < b->address ? -1 : a->address > b->address;
}

static size_t
find_regions(const struct view_table *map, struct region *regions)
{
	int space = view_column(map, "space");
	int address = view_column(map, "address");
	size_t n = 0;

	for (size_t i = 0; i < map->n_rows; i++) {
		regions[i] = (struct region){ view_address(map, i, space),
					      view_address(map, i, address) };
	}
	qsort(regions, map->n_rows, sizeof(*regions), region_order);
	for (size_t i = 0; i < map->n_rows; i++)
		if (!n || region_order(&regions[n - 1], &regions[i]))
			regions[n++] = regions[i];
	return n;
}

/* Cells of CELLS x rows, as many of the table's added up as it takes. */
static void
add_cells(const struct view_table *map, const struct region *regions, size_t n,
	  size_t rows, double last, double *cell)
{
	for (size_t i = 0; i < map->n_rows; i++) {
		const struct region key = {
			view_address(map, i, view_column(map, "space")),
			view_address(map, i, view_column(map, "address"))
		};
		const struct region *found =
			bsearch(&key, regions, n, sizeof(key), region_order);
		size_t row = (size_t)(found - regions) * rows / n;
		size_t time = view_count(
			view_number(map, i, view_column(map, "accesses")) /
			last * CELLS);

		if (time >= CELLS)
			time = CELLS - 1;
		cell[row * CELLS + time] +=
			view_number(map, i, view_column(map, "l1_misses"));
	}
}

static void
put_shades(const double *cell, size_t rows, FILE *file)
{
	double most = 1, width = (WIDTH - 10. - LEFT) / CELLS;
	double height = 256. / (double)rows;

	for (size_t i = 0; i < rows * CELLS; i++)
		most = fmax(most, cell[i]);
	for (int shade = 0; shade < SHADES; shade++) {
		bool any = false;

		for (size_t i = 0; i < rows * CELLS; i++) {
			double of =
				log1p(cell[i]) / log1p(most) * (SHADES - 0.001);
			size_t row = i / CELLS;

			if (cell[i] <= 0 || of < shade || of >= shade + 1)
				continue;
			if (!any)
				fprintf(file,
					"<path fill=\"var(--b)\" "
					"fill-opacity=\"%.2f\" d=\"",
					(shade + 1.) / SHADES);
			any = true;
			/* the least address is at the bottom */
			fprintf(file, "M%.1f %.1fh%.1fv%.1fh-%.1fz",
				LEFT + width * (double)(i % CELLS),
				260 - height * (double)(row + 1), width, height,
				width);
		}
		fputs(any ? "\"/>\n" : "", file);
	}
}

static void
put_map(const struct result *result, FILE *file)
{
	struct view_table map;
	double last = view_or_zero(result, "accesses");
	struct region *regions;
	double *cell;
	size_t n, rows;
	char label[40];

	if (!view_table(result, "heatmap", &map) || !map.n_rows || last <= 0)
		return;
	regions = calloc(map.n_rows, sizeof(*regions));
	cell = calloc(CELLS * CELLS, sizeof(*cell));
	n = regions && cell ? find_regions(&map, regions) : 0;
	rows = n < CELLS ? n : CELLS;
	if (n) {
		add_cells(&map, regions, n, rows, last, cell);
		begin("First-level TLB misses by address and time",
		      "Stronger is more (logarithmic). Regions without misses "
		      "are left out.",
		      290, file);
		put_shades(cell, rows, file);
		snprintf(label, sizeof(label), "%#jx",
			 (uintmax_t)regions[0].address);
		put_label(file, LEFT, 284, "start", label);
		put_label(file, WIDTH - 10, 284, "end", number_si(last).text);
		put_label(file, (LEFT + WIDTH) / 2., 284, "middle",
			  "accesses so far");
		fprintf(file,
			"<path fill=\"none\" stroke=\"var(--line)\" "
			"d=\"M%d 4V260H%d\"/>\n",
			LEFT, WIDTH - 10);
		put_label(file, LEFT - 6, 256, "end", "low");
		put_label(file, LEFT - 6, 14, "end", "high");
		end(file);
	}
	free(regions);
	free(cell);
}

void
html_figures(const struct result *result, FILE *file)
{
	static const struct bars bars[] = {
		{ "who.function", "function", "walk_cycles",
		  "Walk cycles by function" },
		{ "who.object", "object", "walk_cycles",
		  "Walk cycles by data object" },
		{ "functions", "function", "walk_cycles",
		  "Walk cycles by function" },
		{ "mappings", "mapping", "walk_cycles",
		  "Walk cycles by mapping" },
	};
	static const struct lines lines[] = {
		{ "who.time", "walk_cycles", "Walk cycles per interval", false,
		  "a" },
		{ "who.time", "faults_minor", "Minor faults per interval",
		  false, "b" },
		{ "who.time", "resident", "Resident memory", true, "c" },
	};
	struct view_table who;
	bool told = view_table(result, "who.function", &who) && who.n_rows;

	for (size_t i = 0; i < ARRAY_SIZE(bars); i++)
		if (!told || strcmp(bars[i].table, "functions") != 0)
			put_bars(result, &bars[i], file);
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		put_lines_of(result, &lines[i], file);
	put_map(result, file);
}
