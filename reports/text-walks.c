// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables of page walks: how many, how long, which level, found where. */
#include "reports/number.h"
#include "reports/text-report.h"

#include <math.h>

#define BINS_MAX 12

static const char *const places[][2] = { { "l1", "in L1" },
					 { "l2", "in L2" },
					 { "l3", "in L3" },
					 { "memory", "in memory" } };

static void
put_summary(struct text *text)
{
	static const char *const values[][2] = {
		{ "walk.count", "walks" },
		{ "walk.references", "entries read" },
		{ "walk.references.mean", "entries read by a walk" },
		{ "walk.cycles", "cycles" },
		{ "walk.latency.mean", "cycles of a walk, mean" },
		{ "walk.latency.p50", "  median" },
		{ "walk.latency.p90", "  90 % at most" },
		{ "walk.latency.p99", "  99 % at most" },
		{ "walk.latency.max", "  longest" },
		{ "walk.faulted.count", "further walks that ended in a fault" },
	};
	struct grid *grid = grid_open("<>~");

	text_heading(text, "Page walks");
	for (int i = 0; i < 3; i++)
		grid_add(grid, "");
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		const char *reason = view_reason(text->result, values[i][0]);
		double value;
		bool got = view_value(text->result, values[i][0], &value);

		if (!got && !reason)
			continue;
		grid_add(grid, values[i][1]);
		grid_add(grid, !got ? "-"
			       : value == trunc(value)
				       ? number_count(value).text
				       : number_real(value).text);
		grid_add(grid, got ? "" : reason);
	}
	text_grid(text, grid);
}

struct bins {
	double low, width;
	double walks[BINS_MAX];
	size_t n;
};

/* Bins of 1, 2 or 5 times a power of ten, at most BINS_MAX up to p99; what
 * is longer goes into the last one. */
static void
bins_fill(struct bins *bins, const struct view_table *table, double low,
	  double high)
{
	static const double steps[] = { 2, 2.5, 2 };
	int latency = view_column(table, "latency");
	int walks = view_column(table, "walks");
	double width = 1;

	for (size_t i = 0; (high - low) / width > BINS_MAX - 2; i++)
		width *= steps[i % 3];
	bins->width = width;
	bins->low = floor(low / width) * width;
	for (size_t i = 0; i < table->n_rows; i++) {
		double at =
			(view_number(table, i, latency) - bins->low) / width;
		size_t bin = at < 0	      ? 0
			     : at >= BINS_MAX ? BINS_MAX - 1
					      : (size_t)at;

		bins->walks[bin] += view_number(table, i, walks);
		bins->n = bin + 1 > bins->n ? bin + 1 : bins->n;
	}
}

static void
put_histogram(struct text *text)
{
	struct view_table table;
	struct bins bins = { 0 };
	double all, most = 0, sum = 0, p99, max = 0;
	struct grid *grid;
	int latency;

	if (!view_table(text->result, "walk.latency", &table) || !table.n_rows)
		return;
	latency = view_column(&table, "latency");
	all = view_sum(&table, view_column(&table, "walks"));
	max = view_number(&table, table.n_rows - 1, latency);
	if (!view_value(text->result, "walk.latency.p99", &p99))
		p99 = max;
	bins_fill(&bins, &table, view_number(&table, 0, latency), p99);
	for (size_t i = 0; i < bins.n; i++)
		most = bins.walks[i] > most ? bins.walks[i] : most;
	text_heading(text, "Walks by latency");
	grid = grid_open(">>>><");
	grid_add(grid, "cycles");
	grid_add(grid, "walks");
	grid_add(grid, "share");
	grid_add(grid, "up to here");
	grid_add(grid, "");
	for (size_t i = 0; i < bins.n; i++) {
		double from = bins.low + (double)i * bins.width;
		double to = i + 1 == BINS_MAX ? max : from + bins.width - 1;

		sum += bins.walks[i];
		if (to > from)
			grid_addf(grid, "%.0f - %.0f", from, to);
		else
			grid_addf(grid, "%.0f", from);
		grid_add(grid, number_count(bins.walks[i]).text);
		grid_add(grid, number_share(bins.walks[i], all).text);
		grid_add(grid, number_share(sum, all).text);
		grid_add(grid, number_bar(bins.walks[i], most, 30).text);
	}
	text_grid(text, grid);
}

/* Of all walks, also those that ended in a fault. */
struct all {
	double walks, cycles;
};

/* A row a level of one table. */
static void
add_levels(struct grid *grid, const struct view_table *table,
	   const struct all *all, const char *whose)
{
	static const char *const names[] = { "0",	  "1 (PTE)",
					     "2 (PDE)",	  "3 (PDPTE)",
					     "4 (PML4E)", "5 (PML5E)" };

	for (size_t i = 0; i < table->n_rows; i++) {
		uint64_t level =
			view_address(table, i, view_column(table, "level"));
		double n =
			view_number(table, i, view_column(table, "references"));
		double c = view_number(table, i, view_column(table, "cycles"));

		if (level && level < ARRAY_SIZE(names))
			grid_addf(grid, "%s%s", whose, names[level]);
		else
			grid_addf(grid, "%s%llu", whose,
				  (unsigned long long)level);
		grid_add(grid, number_count(n).text);
		/* as the plot of levels */
		if (all->walks > 0)
			grid_addf(grid, "%.2f", n / all->walks);
		else
			grid_add(grid, "-");
		for (size_t j = 0; j < ARRAY_SIZE(places); j++)
			grid_add(grid,
				 number_share(
					 view_number(table, i,
						     view_column(table,
								 places[j][0])),
					 n)
					 .text);
		grid_add(grid, number_count(c).text);
		grid_add(grid, number_share(c, all->cycles).text);
	}
}

static void
put_levels(struct text *text)
{
	struct view_table table, host;
	struct all all = { view_or_zero(text->result, "walk.count") +
				   view_or_zero(text->result,
						"walk.faulted.count"),
			   0 };
	struct grid *grid;

	if (!view_table(text->result, "walk.levels", &table) || !table.n_rows)
		return;
	all.cycles = view_sum(&table, view_column(&table, "cycles"));
	/* empty where there is none */
	if (view_table(text->result, "walk.levels.host", &host))
		all.cycles += view_sum(&host, view_column(&host, "cycles"));
	text_heading(text,
		     view_or_zero(text->result, "walk.faulted.references") > 0
			     ? "Page-table entries read, also by walks that "
			       "ended in a fault, by level and place"
			     : "Page-table entries read, by level and by where "
			       "they were found");
	grid = grid_open("<>>>>>>>>");
	grid_add(grid, "level");
	grid_add(grid, "entries");
	grid_add(grid, "a walk");
	for (size_t j = 0; j < ARRAY_SIZE(places); j++)
		grid_add(grid, places[j][1]);
	grid_add(grid, "cycles");
	grid_add(grid, "share");
	add_levels(grid, &table, &all, "");
	add_levels(grid, &host, &all, "host's ");
	text_grid(text, grid);
}

void
text_walks(struct text *text)
{
	double walks;

	if (!view_value(text->result, "walk.count", &walks))
		return;
	put_summary(text);
	if (walks > 0)
		put_histogram(text);
	put_levels(text);
}
