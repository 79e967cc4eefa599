// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One figure of a sweep over two parameters as a map, a cell a pair of values,
 * evenly spaced whatever they are; the least is framed.  Of the other
 * parameters seeds and traces are averaged, the rest keep their first value.
 */
#include "reports/number.h"
#include "reports/plot-cells.h"
#include "reports/plot.h"
#include "reports/sweep-table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NUMBERS_MOST 120 /* cells with their number in them */
#define TICS_MOST    16

struct map {
	struct sweep_table sweep;
	int figure;
	size_t x, y;		     /* axes */
	double *sum;		     /* owned: [y][x] */
	size_t *n;		     /* owned: points in it */
	size_t columns, rows, least; /* least: which cell */
	struct plot_unit unit;
};

static bool
is_shown(const struct map *map, size_t row)
{
	for (size_t k = 0; k < map->sweep.n_axes; k++)
		if (k != map->x && k != map->y &&
		    !map->sweep.axis[k].repetitions &&
		    sweep_table_value(&map->sweep, row, k))
			return false;
	return true;
}

static double
cell(const struct map *map, size_t i)
{
	return map->n[i] ? map->sum[i] / (double)map->n[i] / map->unit.bytes
			 : NAN;
}

static int
fill(struct map *map)
{
	const char *unit =
		view_column_unit(&map->sweep.table, (size_t)map->figure);
	double value, most = 0;

	map->columns = map->sweep.axis[map->x].n;
	map->rows = map->sweep.axis[map->y].n;
	map->sum = calloc(map->columns * map->rows, sizeof(*map->sum));
	map->n = calloc(map->columns * map->rows, sizeof(*map->n));
	if (!map->sum || !map->n)
		return -ENOMEM;
	for (size_t r = 0; r < map->sweep.table.n_rows; r++) {
		size_t i = sweep_table_value(&map->sweep, r, map->y) *
				   map->columns +
			   sweep_table_value(&map->sweep, r, map->x);

		if (!is_shown(map, r) ||
		    !sweep_table_figure(&map->sweep, r, map->figure, &value))
			continue;
		map->sum[i] += value;
		map->n[i]++;
		most = fmax(most, value);
	}
	map->unit = (struct plot_unit){ unit, 1 };
	if (!strcmp(unit, "bytes"))
		map->unit = plot_unit_of(most);
	map->least = map->columns * map->rows;
	for (size_t i = 0; i < map->columns * map->rows; i++)
		if (map->n[i] && (map->least == map->columns * map->rows ||
				  cell(map, i) < cell(map, map->least)))
			map->least = i;
	return 0;
}

static void
map_close(struct map *map)
{
	free(map->sum);
	free(map->n);
	sweep_table_close(&map->sweep);
}

static bool
map_open(struct map *map, const struct result *result, char *why,
	 size_t why_bytes)
{
	const char *x = sweep_table_choice(result, "x");
	const char *y = sweep_table_choice(result, "series");
	const char *figure = sweep_table_choice(result, "figure");
	struct sweep_table *sweep = &map->sweep;

	*map = (struct map){ .figure = -1 };
	if (sweep_table_open(sweep, result)) {
		plot_nothing(result, "sweep", "", why, why_bytes);
		return false;
	}
	map->figure = sweep_table_find(sweep, figure);
	map->x = x ? sweep_table_axis(sweep, x)
		   : sweep_table_best(sweep, y ? sweep_table_axis(sweep, y)
					       : SIZE_MAX);
	map->y = y ? sweep_table_axis(sweep, y)
		   : sweep_table_best(sweep, map->x);
	if (map->x >= sweep->n_axes || map->y >= sweep->n_axes ||
	    map->x == map->y)
		snprintf(why, why_bytes,
			 "it takes two parameters with two values or more");
	else if (map->figure < 0)
		snprintf(why, why_bytes, "no point has %s",
			 figure ? figure : "a result");
	else if (!fill(map) && map->least < map->columns * map->rows)
		return true;
	else
		snprintf(why, why_bytes, "no point has a result");
	map_close(map);
	return false;
}

static size_t
map_data(const struct result *result, FILE *file, char *why, size_t why_bytes)
{
	struct map map;
	size_t n;

	if (!map_open(&map, result, why, why_bytes))
		return 0;
	n = map.columns * map.rows;
	fprintf(file, "# %s, %s (both: which value), mean of %s\n",
		map.sweep.axis[map.x].name, map.sweep.axis[map.y].name,
		view_column_name(&map.sweep.table, (size_t)map.figure));
	for (size_t i = 0; i < n; i++)
		if (map.n[i])
			fprintf(file, "%zu %zu %.9g\n", i % map.columns,
				i / map.columns, cell(&map, i));
		else
			fprintf(file, "%zu %zu NaN\n", i % map.columns,
				i / map.columns);
	map_close(&map);
	return n;
}

static void
draw_tics(const struct map *map, const char *name, size_t k, FILE *script)
{
	const struct sweep_axis_view *axis = &map->sweep.axis[k];
	const char *unit =
		view_column_unit(&map->sweep.table, (size_t)axis->column);
	size_t step = (axis->n - 1) / TICS_MOST + 1;
	char text[128];

	fprintf(script, "set %slabel ", name);
	plot_quote(script, axis->name);
	fprintf(script, "\nset %srange [-0.5:%.1f]\nset %stics scale 0 (", name,
		(double)axis->n - 0.5, name);
	for (size_t i = 0; i < axis->n; i += step) {
		sweep_table_text(axis->value[i], text, sizeof(text));
		if (!strcmp(unit, "bytes"))
			snprintf(text, sizeof(text), "%s",
				 number_bytes(json_number_value(axis->value[i]))
					 .text);
		fputs(i ? ", " : "", script);
		plot_quote_short(script, text, 3);
		fprintf(script, " %zu", i);
	}
	fputs(")\n", script);
}

/* The figure's name and unit, and what stands still */
static void
draw_label(const struct map *map, FILE *script)
{
	const char *name =
		view_column_name(&map->sweep.table, (size_t)map->figure);
	char text[512], value[128];
	size_t used;

	used = (size_t)snprintf(text, sizeof(text), "%s", name);
	if (*map->unit.name && !strstr(name, map->unit.name))
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 " (%s)", map->unit.name);
	for (size_t k = 0; k < map->sweep.n_axes && used < sizeof(text); k++) {
		const struct sweep_axis_view *axis = &map->sweep.axis[k];

		if (k == map->x || k == map->y || axis->repetitions ||
		    axis->n < 2)
			continue;
		sweep_table_text(axis->value[0], value, sizeof(value));
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 ", with %s=%s", axis->name, value);
	}
	if (used < sizeof(text))
		snprintf(text + used, sizeof(text) - used,
			 "; framed: the least");
	fputs("told = ", script);
	plot_quote(script, text);
	fputs("\nset title title.\"\\n\".told\n", script);
}

static void
draw_palette(const struct map *map, FILE *script)
{
	double least = HUGE_VAL, most = -HUGE_VAL;

	for (size_t i = 0; i < map->columns * map->rows; i++)
		if (map->n[i]) {
			least = fmin(least, cell(map, i));
			most = fmax(most, cell(map, i));
		}
	if (least > 0 && most > 50 * least) {
		fputs("set logscale cb\n", script);
		plot_power_tics(script, "cb", least, most);
	} else if (least >= 0 && most >= 10) {
		plot_tics(script, "cb", most);
	}
	if (least == most)
		most = least + 1;
	fprintf(script,
		"set cbrange [%.9g:%.9g]\n"
		"middle = %.9g\n"
		"unset grid\n"
		"unset key\n"
		"%s",
		least, most,
		least > 0 && most > 50 * least ? sqrt(least * most)
					       : (least + most) / 2,
		plot_viridis);
}

/* The least, as often as it is there */
static void
draw_frames(const struct map *map, FILE *script)
{
	double least = cell(map, map->least);
	size_t number = 0;

	fputs("if (format ne 'terminal') {\n", script);
	for (size_t i = 0; i < map->columns * map->rows; i++)
		if (map->n[i] && !(cell(map, i) > least))
			fprintf(script,
				"\tset object %zu rectangle center %zu,%zu size "
				"0.94,0.94 front fillstyle empty border rgb "
				"'#d55e00' linewidth 2\n",
				++number, i % map->columns, i / map->columns);
	fputs("}\n", script);
}

static void
map_draw(const struct result *result, FILE *script)
{
	struct map map;
	char why[256];

	if (!map_open(&map, result, why, sizeof(why)))
		return;
	draw_label(&map, script);
	draw_tics(&map, "x", map.x, script);
	draw_tics(&map, "y", map.y, script);
	draw_palette(&map, script);
	draw_frames(&map, script);
	fputs("small = format eq 'png' ? ',17' : format eq 'pdf' ? ',7' : "
	      "',9'\n"
	      "# three digits\n"
	      "number(n) = n >= 999.5e6 ? sprintf('%.3gG', n / 1e9) : "
	      "n >= 999.5e3 ? sprintf('%.3gM', n / 1e6) : \\\n"
	      "\tn >= 999.5 ? sprintf('%.3gk', n / 1e3) : "
	      "sprintf('%.3g', n)\n"
	      "if (format eq 'terminal') {\n"
	      "\tplot data using 1:2:(valid(3) ? number($3) : '-') with "
	      "labels\n"
	      "} else {\n"
	      "\tplot data using 1:2:3 with image pixels",
	      script);
	if (map.columns * map.rows <= NUMBERS_MOST)
		fputs(", \\\n\t\tdata using 1:2:(valid(3) ? number($3) : "
		      "'-'):($3 < middle ? 0xffffff : 0x000000) with labels "
		      "font small textcolor rgb variable",
		      script);
	fputs("\n}\n", script);
	map_close(&map);
}

const struct plot_ops sweep_map_plot = {
	.name = "sweep-map",
	.help = "a figure of a sweep over two parameters",
	.title = "Sweep",
	.data = map_data,
	.draw = map_draw,
};
