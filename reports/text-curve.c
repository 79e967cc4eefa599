// SPDX-License-Identifier: GPL-2.0-or-later
/* The report of memory curves: the verdict, then the tables behind it. */
#include "reports/number.h"
#include "reports/text-report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS	 16u /* of a long table */
#define POLICIES 8u  /* side by side */

static void
say_title(struct text *text)
{
	char command[160];
	size_t n = view_command(text->result, command, sizeof(command));
	const char *partial = view_partial(text->result);
	double accesses = view_or_zero(text->result, "accesses");
	const char *unit = view_string(text->result, "curve.unit");

	if (n >= sizeof(command))
		strcpy(command + sizeof(command) - 4, "...");
	fprintf(text->file, "%s%s%s\n", text->setup->coloured ? "\033[1m" : "",
		*command ? command : "A trace",
		text->setup->coloured ? "\033[0m" : "");
	if (accesses <= 0) {
		text_say(text, "No access.");
		return;
	}
	text_say(text, "%s, in %s to %s: %s%s.",
		 number_of(accesses, "access").text,
		 number_of(view_or_zero(text->result, "curve.references"),
			   "reference")
			 .text,
		 number_of(view_or_zero(text->result, "footprint.pages"),
			   !strcmp(unit, "object") ? "object"
			   : !strcmp(unit, "line") ? "cache line"
						   : "page")
			 .text,
		 number_bytes(view_or_zero(text->result, "footprint.bytes"))
			 .text,
		 !strcmp(unit, "object") ? "" : " at once, at most");
	if (partial)
		text_say(text,
			 "PARTIAL: %s. All that follows covers only that part.",
			 partial);
}

/* Does row i of n go into a table of at most ROWS?  The last one does. */
static bool
shown(size_t i, size_t n)
{
	return n <= ROWS || (i + 1) * ROWS / n != i * ROWS / n;
}

struct curves {
	struct view_table table;
	int policy, bytes, misses, ratio, low, high, of;
	const char *name[POLICIES];
	size_t first[POLICIES], rows[POLICIES];
	size_t n, more;
};

/* A part of the run, or the policy of all of it */
static const char *
curve_name(const struct curves *curves, size_t row)
{
	const char *of = view_text(&curves->table, row, curves->of);

	return *of ? of : view_text(&curves->table, row, curves->policy);
}

static void
find_curves(struct curves *curves, const struct result *result)
{
	const char *before = "";

	*curves = (struct curves){ 0 };
	view_table(result, "curve", &curves->table);
	curves->policy = view_column(&curves->table, "policy");
	curves->bytes = view_column(&curves->table, "bytes");
	curves->misses = view_column(&curves->table, "misses");
	curves->ratio = view_column(&curves->table, "ratio");
	curves->low = view_column(&curves->table, "low");
	curves->high = view_column(&curves->table, "high");
	curves->of = view_column(&curves->table, "of");
	for (size_t i = 0; i < curves->table.n_rows; i++) {
		const char *name = curve_name(curves, i);

		if (strcmp(name, before)) {
			curves->more += curves->n == POLICIES;
			if (curves->n == POLICIES)
				continue;
			curves->name[curves->n] = name;
			curves->first[curves->n++] = i;
			before = name;
		}
		curves->rows[curves->n - 1]++;
	}
}

static void
put_interval(struct grid *grid, const struct curves *curves, size_t row)
{
	double low = view_number(&curves->table, row, curves->low);
	double high = view_number(&curves->table, row, curves->high);

	grid_addf(grid, "%s to %s", number_count(low).text,
		  number_count(high).text);
}

static void
put_one_curve(struct text *text, const struct curves *curves)
{
	bool estimated =
		json_is_number(view_cell(&curves->table, 0, curves->high));
	struct grid *grid = grid_open(estimated ? ">>>><" : ">>><");
	size_t n = curves->rows[0];

	grid_add(grid, "memory");
	grid_addf(grid, "%s misses", curves->name[0]);
	if (estimated)
		grid_add(grid, "95 % interval");
	grid_add(grid, "of accesses");
	grid_add(grid, "");
	for (size_t i = 0; i < n; i++) {
		double ratio = view_number(&curves->table, i, curves->ratio);

		if (!shown(i, n))
			continue;
		grid_add(grid, number_bytes(view_number(&curves->table, i,
							curves->bytes))
				       .text);
		grid_add(grid, number_count(view_number(&curves->table, i,
							curves->misses))
				       .text);
		if (estimated)
			put_interval(grid, curves, i);
		grid_add(grid, number_share(ratio, 1).text);
		grid_add(grid, number_bar(ratio, 1, 30).text);
	}
	text_grid(text, grid);
}

static void
put_many_curves(struct text *text, const struct curves *curves)
{
	char letters[POLICIES + 2];
	struct grid *grid;
	size_t n = curves->rows[0];

	memset(letters, '>', curves->n + 1);
	letters[curves->n + 1] = '\0';
	grid = grid_open(letters);
	grid_add(grid, "memory");
	for (size_t p = 0; p < curves->n; p++)
		grid_add(grid, curves->name[p]);
	for (size_t i = 0; i < n; i++) {
		if (!shown(i, n))
			continue;
		grid_add(grid, number_bytes(view_number(&curves->table, i,
							curves->bytes))
				       .text);
		for (size_t p = 0; p < curves->n; p++)
			grid_add(grid,
				 i < curves->rows[p]
					 ? number_count(
						   view_number(
							   &curves->table,
							   curves->first[p] + i,
							   curves->misses))
						   .text
					 : "-");
	}
	text_grid(text, grid);
	if (curves->more)
		text_say(text, "%zu more in the result: report --table curve.",
			 curves->more);
}

static void
put_curves(struct text *text)
{
	struct curves curves;

	find_curves(&curves, text->result);
	if (!curves.n)
		return;
	text_heading(text, "Misses by size of memory");
	if (curves.n == 1)
		put_one_curve(text, &curves);
	else
		put_many_curves(text, &curves);
}

/* Of how much of the run the curve was estimated */
static void
say_sample(struct text *text)
{
	double rate = view_or_zero(text->result, "curve.sample.rate");

	if (rate <= 0)
		return;
	text_say(text,
		 "Estimated from %s of the pages (%s), to which %s went; "
		 "pages, references and first misses are counted.",
		 number_share(rate, 1).text,
		 number_of(view_or_zero(text->result, "curve.sample.pages"),
			   "page")
			 .text,
		 number_of(view_or_zero(text->result,
					"curve.sample.references"),
			   "reference")
			 .text);
}

/* Ways that are shown, of all there are */
static bool
way_shown(uint64_t ways)
{
	return ways <= 4 || ways == 6 || ways == 8 || ways == 12 ||
	       ways == 16 || ways == 24 || ways == 32 || ways == 64;
}

static void
put_ways(struct grid *grid, const struct view_table *table, bool head)
{
	int sets = view_column(table, "sets"),
	    ways = view_column(table, "ways");
	int ratio = view_column(table, "ratio");
	double before = 0;

	for (size_t i = 0; i < table->n_rows; i++) {
		double of = view_number(table, i, sets);
		uint64_t way = view_address(table, i, ways);

		if (head && of > 1)
			return;
		if (!head && of > before)
			grid_addf(grid, "%.0f", before = of);
		if (!way_shown(way))
			continue;
		if (head)
			grid_addf(grid, "%" PRIu64, way);
		else
			grid_add(grid,
				 number_share(view_number(table, i, ratio), 1)
					 .text);
	}
}

static void
put_associativity(struct text *text)
{
	struct view_table table;
	char letters[ROWS + 2];
	struct grid *grid;
	size_t n = 1;

	if (!view_table(text->result, "associativity", &table) || !table.n_rows)
		return;
	for (size_t i = 0; i < table.n_rows; i++)
		n += way_shown(view_address(&table, i,
					    view_column(&table, "ways"))) &&
		     view_number(&table, i, view_column(&table, "sets")) < 2;
	memset(letters, '>', n);
	letters[n] = '\0';
	text_heading(text, "Misses by sets and ways, of accesses (LRU)");
	grid = grid_open(letters);
	grid_add(grid, "sets \\ ways");
	put_ways(grid, &table, true);
	put_ways(grid, &table, false);
	text_grid(text, grid);
}

/* Powers of ten of accesses */
static void
put_working_set(struct text *text)
{
	struct view_table table;
	struct grid *grid;
	double wanted = 1000;

	if (!view_table(text->result, "working.set", &table) || !table.n_rows)
		return;
	text_heading(text, "Working set: what the last accesses touched, on "
			   "average");
	grid = grid_open(">>>");
	grid_add(grid, "accesses");
	grid_add(grid, "memory");
	grid_add(grid, "the next is to another page");
	for (size_t i = 0; i < table.n_rows; i++) {
		double window =
			view_number(&table, i, view_column(&table, "window"));

		if (window < wanted && i + 1 < table.n_rows)
			continue;
		while (wanted <= window)
			wanted *= 10;
		grid_add(grid, number_si(window).text);
		grid_add(grid,
			 number_bytes(view_number(&table, i,
						  view_column(&table, "bytes")))
				 .text);
		grid_add(grid, number_share(view_number(&table, i,
							view_column(&table,
								    "missing")),
					    1)
				       .text);
	}
	text_grid(text, grid);
}

static void
put_alone(struct text *text)
{
	struct view_table table;
	struct grid *grid;

	if (!view_table(text->result, "thrash", &table) || !table.n_rows)
		return;
	text_heading(text, "What misses cost (LRU)");
	grid = grid_open(">>>>");
	grid_add(grid, "memory");
	grid_add(grid, "faults that wait");
	grid_add(grid, "times as long");
	grid_add(grid, "processor busy");
	for (size_t i = 0; i < table.n_rows; i++) {
		if (!shown(i, table.n_rows))
			continue;
		grid_add(grid,
			 number_bytes(view_number(&table, i,
						  view_column(&table, "bytes")))
				 .text);
		grid_add(grid, number_count(view_number(&table, i,
							view_column(&table,
								    "faults")))
				       .text);
		grid_add(grid, number_real(view_number(&table, i,
						       view_column(&table,
								   "slowdown")))
				       .text);
		grid_add(grid,
			 number_share(view_number(&table, i,
						  view_column(&table,
							      "utilisation")),
				      1)
				 .text);
	}
	text_grid(text, grid);
}

static void
put_together(struct text *text)
{
	static const char *const columns[] = { "utilisation", "device", "some",
					       "full" };
	struct view_table table;
	struct grid *grid;
	char heading[96];

	if (!view_table(text->result, "multiprogramming", &table) ||
	    !table.n_rows)
		return;
	snprintf(heading, sizeof(heading), "Such processes that share %s",
		 number_bytes(view_or_zero(text->result, "thrash.memory.bytes"))
			 .text);
	text_heading(text, heading);
	grid = grid_open(">>>>>>>");
	grid_add(grid, "processes");
	grid_add(grid, "memory of each");
	grid_add(grid, "faults of each");
	grid_add(grid, "processors busy");
	grid_add(grid, "device busy");
	grid_add(grid, "some wait");
	grid_add(grid, "all wait");
	for (size_t i = 0; i < table.n_rows; i++) {
		if (!shown(i, table.n_rows))
			continue;
		grid_addf(grid, "%.0f",
			  view_number(&table, i,
				      view_column(&table, "processes")));
		grid_add(grid,
			 number_bytes(view_number(&table, i,
						  view_column(&table, "bytes")))
				 .text);
		grid_add(grid, number_count(view_number(&table, i,
							view_column(&table,
								    "faults")))
				       .text);
		for (size_t j = 0; j < ARRAY_SIZE(columns); j++)
			grid_add(grid,
				 number_share(
					 view_number(&table, i,
						     view_column(&table,
								 columns[j])),
					 1)
					 .text);
	}
	text_grid(text, grid);
}

void
text_curve(struct text *text)
{
	say_title(text);
	if (*view_string(text->result, "memory.verdict")) {
		text_heading(text, "How much memory");
		text_advice_memory(text);
	}
	if (view_or_zero(text->result, "accesses") > 0) {
		say_sample(text);
		put_curves(text);
		put_associativity(text);
		put_working_set(text);
		put_alone(text);
		put_together(text);
	}
	text_provenance(text);
}
