// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Near and far memory: on the left the shares of the data's and of the walks'
 * references to memory that stay on their node; on the right how many of the
 * walks' go elsewhere, by the level of the table.
 */
#include "reports/machines.h"
#include "reports/plot.h"

#include <math.h>

/* Those of a host's table below a guest's come after GUEST_LEVELS */
#define LEVELS	     16
#define GUEST_LEVELS 8

/* Percent of (a + b) that is a; NaN of nothing. */
static double
share(double a, double b)
{
	return a + b > 0 ? 100 * a / (a + b) : NAN;
}

static bool
node_shares(const struct result *one, double *data, double *walk)
{
	struct view_table table;
	double sum[4];
	static const char *const columns[] = { "data_local", "data_remote",
					       "walk_local", "walk_remote" };

	*data = *walk = NAN;
	if (!view_table(one, "numa.nodes", &table) || !table.n_rows)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		sum[i] = view_sum(&table, view_column(&table, columns[i]));
	*data = share(sum[0], sum[1]);
	*walk = share(sum[2], sum[3]);
	return !isnan(*data) || !isnan(*walk);
}

static double
remote_of_level(const struct result *one, unsigned level)
{
	struct view_table table;
	double local = 0, remote = 0;

	if (!view_table(one, "numa.walks", &table))
		return NAN;
	for (size_t i = 0; i < table.n_rows; i++) {
		if (view_number(&table, i, view_column(&table, "level")) !=
		    level)
			continue;
		local += view_number(&table, i, view_column(&table, "local"));
		remote += view_number(&table, i, view_column(&table, "remote"));
	}
	return share(remote, local);
}

static bool
is_used(const struct machines *machines, unsigned level)
{
	for (size_t i = 0; i < machines->n; i++)
		if (!isnan(remote_of_level(machines->one[i], level)))
			return true;
	return false;
}

/* How many bars the right panel has: level 0 is of tables without levels. */
static unsigned
levels_of(const struct machines *machines)
{
	unsigned n = 0;

	for (unsigned level = 0; level <= LEVELS; level++)
		n += is_used(machines, level);
	return n;
}

static bool
has_host(const struct machines *machines)
{
	bool has = false;

	for (unsigned level = GUEST_LEVELS + 1; level <= LEVELS; level++)
		has |= is_used(machines, level);
	return has;
}

static void
put_level(FILE *file, unsigned level)
{
	if (!level)
		fputs("none", file);
	else if (level > GUEST_LEVELS)
		fprintf(file, "h%u", level - GUEST_LEVELS);
	else
		fprintf(file, "%u", level);
}

static void
put_share(FILE *file, double value)
{
	if (isnan(value))
		fputs(" NaN", file);
	else
		fprintf(file, " %.6g", value);
}

static size_t
numa_data(const struct result *result, FILE *file, char *why, size_t why_bytes)
{
	struct machines machines;
	size_t rows = 0;
	double data, walk;

	if (machines_open(&machines, result))
		return 0;
	fputs("# machine, references to memory that are local (%): data, "
	      "walks\n",
	      file);
	for (size_t i = 0; i < machines.n; i++) {
		rows += node_shares(machines.one[i], &data, &walk);
		plot_label(file, machines.name[i]);
		put_share(file, data);
		put_share(file, walk);
		putc('\n', file);
	}
	fputs("\n\n# level, references of walks that are remote (%), a "
	      "machine each\n",
	      file);
	for (unsigned level = 0; level <= LEVELS; level++) {
		if (!is_used(&machines, level))
			continue;
		put_level(file, level);
		for (size_t i = 0; i < machines.n; i++)
			put_share(file,
				  remote_of_level(machines.one[i], level));
		putc('\n', file);
	}
	if (!rows)
		plot_nothing(machines.one[0], "numa.nodes",
			     "no reference went to memory", why, why_bytes);
	machines_close(&machines);
	return rows;
}

static void
draw_shares(const struct machines *machines, FILE *script)
{
	plot_machine_tics(script, machines, 3, 0.5);
	fprintf(script,
		"set xrange [-0.8:%.1f]\n" PLOT_YLABEL(
			"references to memory (%%)") "set xlabel 'left bar: data, right bar: walks'.gap\n"
						     "set style fill solid 0.9 noborder\n"
						     "plot data index 0 using (3*$0):(0):(3*$0-0.42):(3*$0+0.42):(0):2 "
						     "with boxxyerrorbars linecolor rgb '%s' title 'local', \\\n"
						     "\t'' index 0 using (3*$0+1):(0):(3*$0+0.58):(3*$0+1.42):(0):3 "
						     "with boxxyerrorbars linecolor rgb '%s' notitle, \\\n"
						     "\t'' index 0 using (3*$0):(0):(3*$0-0.42):(3*$0+0.42):2:"
						     "(100+0*$2) "
						     "with boxxyerrorbars linecolor rgb '%s' title 'remote', \\\n"
						     "\t'' index 0 using (3*$0+1):(0):(3*$0+0.58):(3*$0+1.42):3:"
						     "(100+0*$3) "
						     "with boxxyerrorbars linecolor rgb '%s' notitle\n",
		3 * (double)machines->n - 1.2, plot_colour(4), plot_colour(4),
		plot_colour(5), plot_colour(5));
}

static void
numa_draw(const struct result *result, FILE *script)
{
	struct machines machines;
	const char *before = "";
	unsigned levels;

	if (machines_open(&machines, result))
		return;
	levels = levels_of(&machines);
	fprintf(script,
		"two = %d && format ne 'terminal'\n"
		"set yrange [0:105]\n"
		"set ytics 0, 20, 100\n"
		"if (two) {\n"
		"\tunset title\n"
		"\tset multiplot layout 1,2 title title\n"
		"\tset tmargin 2\n"
		"}\n",
		levels > 0);
	draw_shares(&machines, script);
	fprintf(script,
		"if (two) {\n"
		"\tset style data histograms\n"
		"\tset style histogram clustered gap 1\n"
		"\tset boxwidth 0.9 relative\n"
		"\tset xrange [-0.6:%.1f]\n"
		"\tset xtics autofreq scale 0 norotate\n"
		"\tset ylabel 'remote references of walks (%%)'\n"
		"\tset xlabel 'level of the table (1: last%s)'.gap\n"
		"\tplot ",
		(double)levels - 0.4,
		has_host(&machines) ? "; h: the host" : "");
	/* those of one node have no bars, but the others their own colours */
	for (size_t i = 0; i < machines.n; i++) {
		double data, walk;

		if (!node_shares(machines.one[i], &data, &walk))
			continue;
		fprintf(script,
			"%sdata index 1 using %zu:xtic(1) linecolor rgb '%s' "
			"title ",
			before, i + 2, plot_colour(i));
		before = ", \\\n\t\t";
		plot_quote_short(script, machines.name[i], 2);
	}
	fputs("\n\tunset multiplot\n}\n", script);
	machines_close(&machines);
}

const struct plot_ops numa_plot = {
	.name = "numa",
	.help = "local and remote references, of data, walks and levels",
	.title = "Local and remote memory",
	.machines = true,
	.data = numa_data,
	.draw = numa_draw,
};
