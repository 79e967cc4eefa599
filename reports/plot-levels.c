// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a page walk reads on each machine: on the left how many entries of each
 * level of the table, on the right where they are found; a bar a machine.
 */
#include "reports/machines.h"
#include "reports/plot.h"

#include <math.h>
#include <stdlib.h>

/* Level 0: of a table without levels; the last: of the host's below a guest's */
#define LEVELS 6
#define HOST   LEVELS

static const char *const places[][2] = { { "l1", "L1 cache" },
					 { "l2", "L2 cache" },
					 { "l3", "L3 cache" },
					 { "memory", "memory" } };

/* Those of a host's table below a guest's, if there is one. */
static void
count_host(const struct result *one, double walks, double *levels,
	   double *found)
{
	struct view_table table;

	if (!view_table(one, "walk.levels.host", &table))
		return;
	levels[HOST] +=
		view_sum(&table, view_column(&table, "references")) / walks;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		found[i] +=
			view_sum(&table, view_column(&table, places[i][0])) /
			walks;
}

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
		if (level >= 0 && level < HOST)
			levels[(size_t)level] +=
				view_number(&table, row, column) / walks;
	}
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		found[i] = view_sum(&table, view_column(&table, places[i][0])) /
			   walks;
	count_host(one, walks, levels, found);
	return true;
}

/* Which levels some machine reads, and the most that a walk reads */
static double
find_levels(const struct machines *machines, bool *used)
{
	double levels[LEVELS + 1], found[ARRAY_SIZE(places)], sum, most = 0;

	for (size_t level = 0; level <= LEVELS; level++)
		used[level] = false;
	for (size_t i = 0; i < machines->n; i++) {
		count_levels(machines->one[i], levels, found);
		sum = 0;
		for (size_t level = 0; level <= LEVELS; level++) {
			sum += levels[level];
			used[level] |= levels[level] > 0;
		}
		most = fmax(most, sum);
	}
	return most;
}

static size_t
levels_data(const struct result *result, FILE *file, char *why,
	    size_t why_bytes)
{
	double levels[LEVELS + 1], found[ARRAY_SIZE(places)];
	struct machines machines;
	size_t rows = 0;

	if (machines_open(&machines, result))
		return 0;
	fprintf(file,
		"# machine, entries a walk of no level, of level 1 to %d, of "
		"the host\n",
		HOST - 1);
	for (size_t i = 0; i < machines.n; i++) {
		rows += count_levels(machines.one[i], levels, found);
		plot_label(file, machines.name[i]);
		for (size_t level = 0; level <= LEVELS; level++)
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

/* How a level is drawn, from the last one upwards */
static const struct {
	size_t colour;
	const char *title;
} drawn[LEVELS + 1] = {
	{ 6, "no levels (hashed)" }, { 0, "level 1 (PTE)" },
	{ 4, "level 2 (PDE)" },	     { 2, "level 3 (PDPTE)" },
	{ 1, "level 4 (PML4E)" },    { 3, "level 5 (PML5E)" },
	{ 8, "the host's table" },
};

static void
levels_draw(const struct result *result, FILE *script)
{
	struct machines machines;
	const char *before = "plot ";
	bool used[LEVELS + 1];
	double most;

	if (machines_open(&machines, result))
		return;
	most = find_levels(&machines, used);
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
	fputs("set xlabel ' '.gap\n" PLOT_YLABEL("entries read a walk"),
	      script);
	for (size_t level = 0; level <= LEVELS; level++) {
		if (!used[level])
			continue;
		fprintf(script,
			"%sdata index 0 using %zu linecolor rgb '%s' title \"%s\"",
			before, level + 2, plot_colour(drawn[level].colour),
			drawn[level].title);
		before = ", \\\n\t";
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
	.title = "What page walks read (those that fault too)",
	.machines = true,
	.data = levels_data,
	.draw = levels_draw,
};
