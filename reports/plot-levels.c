// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a page walk reads on each machine: on the left how many entries of each
 * level of the table, on the right where they are found; a bar a machine.
 */
#include "reports/machines.h"
#include "reports/plot.h"

#include <math.h>
#include <stdlib.h>

#define LEVELS 12

static const char *const places[][2] = { { "l1", "L1 cache" },
					 { "l2", "L2 cache" },
					 { "l3", "L3 cache" },
					 { "memory", "memory" } };

/* References a walk, by level; false: no walk. */
static bool
count_levels(const struct result *one, double *levels, double *found)
{
	double walks = view_or_zero(one, "walk.count") +
		       view_or_zero(one, "walk.faulted.count");
	struct view_table table;
	int column;

	for (size_t i = 0; i <= LEVELS; i++)
		levels[i] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		found[i] = 0;
	if (!view_table(one, "walk.levels", &table) || walks <= 0)
		return false;
	for (size_t row = 0; row < table.n_rows; row++) {
		double level =
			view_number(&table, row, view_column(&table, "level"));

		column = view_column(&table, "references");
		if (level >= 0 && level <= LEVELS)
			levels[(size_t)level] +=
				view_number(&table, row, column) / walks;
	}
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		found[i] = view_sum(&table, view_column(&table, places[i][0])) /
			   walks;
	return true;
}

/* The highest level that some machine has, and the most that a walk reads */
static size_t
highest_level(const struct machines *machines, double *most)
{
	double levels[LEVELS + 1], found[ARRAY_SIZE(places)], sum;
	size_t highest = 1;

	*most = 0;
	for (size_t i = 0; i < machines->n; i++) {
		count_levels(machines->one[i], levels, found);
		sum = 0;
		for (size_t level = 0; level <= LEVELS; level++) {
			sum += levels[level];
			if (levels[level] > 0 && level > highest)
				highest = level;
		}
		*most = fmax(*most, sum);
	}
	return highest;
}

static size_t
levels_data(const struct result *result, FILE *file, char *why,
	    size_t why_bytes)
{
	double levels[LEVELS + 1], found[ARRAY_SIZE(places)], most;
	struct machines machines;
	size_t rows = 0, highest;

	if (machines_open(&machines, result))
		return 0;
	highest = highest_level(&machines, &most);
	fputs("# machine, entries a walk of level 1, 2, ...\n", file);
	for (size_t i = 0; i < machines.n; i++) {
		rows += count_levels(machines.one[i], levels, found);
		plot_label(file, machines.name[i]);
		for (size_t level = 1; level <= highest; level++)
			fprintf(file, " %.6g", levels[level]);
		putc('\n', file);
	}
	fputs("\n\n# machine, entries a walk found in L1, L2, L3, memory\n",
	      file);
	for (size_t i = 0; i < machines.n; i++) {
		count_levels(machines.one[i], levels, found);
		plot_label(file, machines.name[i]);
		for (size_t j = 0; j < ARRAY_SIZE(places); j++)
			fprintf(file, " %.6g", found[j]);
		putc('\n', file);
	}
	if (!rows)
		plot_nothing(machines.one[0], "walk.levels",
			     "no page walk was made", why, why_bytes);
	machines_close(&machines);
	return rows;
}

/* From the last level, which most walks read, upwards */
static const char *
level_colour(size_t level)
{
	static const size_t order[] = { 0, 4, 2, 1, 3, 5 };

	return plot_colour(level <= ARRAY_SIZE(order) ? order[level - 1]
						      : level);
}

static void
levels_draw(const struct result *result, FILE *script)
{
	static const char *const names[] = { "",      "PTE",   "PDE",
					     "PDPTE", "PML4E", "PML5E" };
	struct machines machines;
	size_t highest;
	double most;

	if (machines_open(&machines, result))
		return;
	highest = highest_level(&machines, &most);
	fprintf(script,
		"set style data histograms\n"
		"set style histogram rowstacked gap 1\n"
		"set boxwidth 0.6 relative\n"
		"set yrange [0:%.9g]\n"
		"if (format ne 'terminal') {\n"
		"\tunset title\n"
		"\tset multiplot layout 1,2 title title\n"
		"\tset tmargin 2\n"
		"\tset key invert\n"
		"}\n",
		1.08 * most);
	fprintf(script, "set xrange [-0.7:%.1f]\n", (double)machines.n - 0.3);
	plot_machine_tics(script, &machines, 1, 0);
	/* both panels as high, whatever their keys need */
	fputs("if (format ne 'terminal') {\n"
	      "\tset bmargin at screen aslant ? 0.4 : 0.3\n"
	      "}\n",
	      script);
	fputs("set xlabel ' '.gap\n" PLOT_YLABEL("entries read a walk") "plot ",
	      script);
	for (size_t level = 1; level <= highest; level++) {
		fprintf(script,
			"%sdata index 0 using %zu linecolor rgb '%s' title "
			"'level %zu%s%s%s'",
			level > 1 ? ", \\\n\t" : "", level + 1,
			level_colour(level), level,
			level < ARRAY_SIZE(names) ? " (" : "",
			level < ARRAY_SIZE(names) ? names[level] : "",
			level < ARRAY_SIZE(names) ? ")" : "");
	}
	fputs("\nif (format ne 'terminal') {\n"
	      "\tset ylabel 'found in (entries a walk)'\n"
	      "\tset rmargin at screen aslant ? 0.9 : 0.98\n"
	      "\tplot ",
	      script);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		fprintf(script,
			"%sdata index 1 using %zu linecolor rgb '%s' title "
			"'%s'",
			i ? ", \\\n\t\t" : "", i + 2,
			plot_colour(i < 3 ? (size_t[]){ 4, 0, 1 }[i] : 5),
			places[i][1]);
	fputs("\n\tunset multiplot\n}\n", script);
	machines_close(&machines);
}

const struct plot_ops levels_plot = {
	.name = "levels",
	.help = "what a page walk reads, by level and by where it is found",
	.title = "What page walks read",
	.machines = true,
	.data = levels_data,
	.draw = levels_draw,
};
