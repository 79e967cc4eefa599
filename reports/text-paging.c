// SPDX-License-Identifier: GPL-2.0-or-later
/* Tables of the kernel part: faults by class and over time, memory. */
#include "reports/number.h"
#include "reports/text-report.h"

#include <math.h>
#include <stdio.h>

#define SLICES	      10
#define MINOR_CLASSES 10u /* the first of classes[] */

static const char *const classes[] = { "anon",	     "zero",  "zero-cow",
				       "cow",	     "reuse", "file",
				       "shared",     "stack", "unmapped",
				       "swap-cache", "swap",  "read" };

/* major: those whose page had to be read. */
static void
put_some(struct text *text, struct grid *grid, bool major, double all)
{
	char name[64];
	double n;

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		snprintf(name, sizeof(name), "fault.%s", classes[i]);
		if ((i >= MINOR_CLASSES) != major ||
		    !view_value(text->result, name, &n) || n <= 0)
			continue;
		grid_add(grid, view_fault_class(classes[i]));
		grid_add(grid, number_count(n).text);
		grid_add(grid, number_share(n, all).text);
		grid_add(grid, number_bar(n, all, 24).text);
	}
}

static void
put_sum(struct grid *grid, const char *label, double n, bool share)
{
	grid_add(grid, label);
	grid_add(grid, number_count(n).text);
	grid_add(grid, share ? number_share(n, n).text : "");
	grid_add(grid, "");
}

static void
put_classes(struct text *text, double minor)
{
	double major = view_or_zero(text->result, "fault.major"), n;
	struct grid *grid;

	text_heading(text, "Page faults");
	if (minor + major <= 0) {
		text_say(text, "None.");
		return;
	}
	grid = grid_open("<>><");
	grid_add(grid, "class");
	grid_add(grid, "faults");
	grid_add(grid, "share");
	grid_add(grid, "");
	put_some(text, grid, false, minor);
	put_sum(grid, "all minor faults", minor, minor > 0);
	if (view_value(text->result, "fault.recorded.minor", &n))
		put_sum(grid, "the real kernel's, as recorded", n, false);
	if (major > 0) {
		put_some(text, grid, true, major);
		put_sum(grid, "all major faults", major, true);
	}
	if (major > 0 && view_value(text->result, "fault.recorded.major", &n))
		put_sum(grid, "the real kernel's, as recorded", n, false);
	text_grid(text, grid);
}

struct slices {
	double faults[SLICES], of_class[SLICES][ARRAY_SIZE(classes)];
	double end, all;
	size_t n; /* SLICES, or one an access */
};

static void
slices_fill(struct slices *slices, const struct view_table *table)
{
	int start = view_column(table, "accesses");
	double last = view_number(table, table->n_rows - 1, start);

	/* a row's bin reaches to where the next one begins */
	if (slices->end <= last)
		slices->end = last + 1;
	slices->n = view_count(fmin(slices->end, SLICES));
	for (size_t i = 0; i < table->n_rows; i++) {
		size_t slice = view_count(view_number(table, i, start) *
					  (double)slices->n / slices->end);

		/* where a later row begins before an earlier one */
		if (slice >= SLICES)
			slice = SLICES - 1;
		for (size_t j = 0; j < ARRAY_SIZE(classes); j++) {
			double n = view_number(table, i,
					       view_column(table, classes[j]));

			slices->of_class[slice][j] += n;
			slices->faults[slice] += n;
			slices->all += n;
		}
	}
}

static void
put_over_time(struct text *text)
{
	struct view_table table;
	struct slices slices = { .end = view_or_zero(text->result,
						     "accesses") };
	double most = 0;
	struct grid *grid;

	if (!view_table(text->result, "faults.time", &table) || !table.n_rows)
		return;
	slices_fill(&slices, &table);
	if (slices.all <= 0)
		return;
	for (size_t i = 0; i < slices.n; i++)
		most = slices.faults[i] > most ? slices.faults[i] : most;
	text_heading(text, "Page faults over the run");
	grid = grid_open(">>><<");
	grid_add(grid, "from access");
	grid_add(grid, "faults");
	grid_add(grid, "share");
	grid_add(grid, "mostly");
	grid_add(grid, "");
	for (size_t i = 0; i < slices.n; i++) {
		size_t best = 0;

		for (size_t j = 1; j < ARRAY_SIZE(classes); j++)
			if (slices.of_class[i][j] > slices.of_class[i][best])
				best = j;
		grid_add(grid,
			 number_si(slices.end * (double)i / (double)slices.n)
				 .text);
		grid_add(grid, number_count(slices.faults[i]).text);
		grid_add(grid, number_share(slices.faults[i], slices.all).text);
		grid_add(grid, slices.faults[i] > 0 ? classes[best] : "");
		grid_add(grid, number_bar(slices.faults[i], most, 30).text);
	}
	text_grid(text, grid);
}

static void
put_memory(struct text *text)
{
	static const char *const values[][2] = {
		{ "footprint.bytes", "memory in use at the end" },
		{ "footprint.bytes.peak", "memory in use, at most" },
		{ "table.bytes", "page tables at the end" },
		{ "table.bytes.peak", "page tables, at most" },
	};
	struct grid *grid;
	double value, bytes, any = 0;
	const char *reason;
	char note[96];

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		any += view_value(text->result, values[i][0], &value);
	if (any <= 0)
		return;
	text_heading(text, "Memory");
	grid = grid_open("<>>~");
	for (int i = 0; i < 4; i++)
		grid_add(grid, i == 2 ? "bytes" : "");
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		if (!view_value(text->result, values[i][0], &value))
			continue;
		grid_add(grid, values[i][1]);
		grid_add(grid, number_bytes(value).text);
		grid_add(grid, number_count(value).text);
		grid_add(grid, "");
	}
	if (view_value(text->result, "table.frame.count", &value) &&
	    view_value(text->result, "table.frame.bytes", &bytes)) {
		snprintf(note, sizeof(note), "%s frames, with roots%s",
			 number_count(value).text,
			 view_or_zero(text->result, "numa.tables.copies") > 0
				 ? " and copies"
				 : "");
		grid_add(grid, "memory that page tables lie in");
		grid_add(grid, number_bytes(bytes).text);
		grid_add(grid, number_count(bytes).text);
		grid_add(grid, note);
	}
	if (view_value(text->result, "table.pages", &value)) {
		grid_add(grid, "page-table pages, with roots");
		grid_add(grid, number_count(value).text);
		grid_add(grid, "");
		grid_add(grid, "");
	}
	reason = view_reason(text->result, "footprint.pages");
	if (view_value(text->result, "footprint.pages", &value) || reason) {
		grid_add(grid, "4 KiB pages touched");
		grid_add(grid, reason ? "-" : number_count(value).text);
		grid_add(grid, "");
		grid_add(grid, reason);
	}
	text_grid(text, grid);
}

/* Ten looks, evenly chosen, the last among them */
static void
put_residency(struct text *text)
{
	static const char *const columns[] = { "resident", "large", "swapped",
					       "referenced" };
	struct view_table table;
	struct grid *grid;

	if (!view_table(text->result, "residency.time", &table) ||
	    !table.n_rows)
		return;
	text_heading(text, "Resident memory while it was recorded");
	grid = grid_open(">>>>>");
	grid_add(grid, "second");
	for (size_t j = 0; j < ARRAY_SIZE(columns); j++)
		grid_add(grid, columns[j]);
	for (size_t k = 0; k < SLICES && k < table.n_rows; k++) {
		size_t n = table.n_rows < SLICES ? table.n_rows : SLICES;
		size_t row = n > 1 ? k * (table.n_rows - 1) / (n - 1) : 0;
		char second[32];

		snprintf(second, sizeof(second), "%.2f",
			 view_number(&table, row, view_column(&table, "time")) /
				 1e3);
		grid_add(grid, second);
		for (size_t j = 0; j < ARRAY_SIZE(columns); j++) {
			int column = view_column(&table, columns[j]);

			grid_add(grid,
				 json_is_null(view_cell(&table, row, column))
					 ? "-"
					 : number_bytes(view_number(&table, row,
								    column))
						   .text);
		}
	}
	text_grid(text, grid);
	text_say(text,
		 "Large: mapped by one entry of the page table. "
		 "Referenced (record --referenced): an estimate of what "
		 "was in use since the look before, up to 40 %% too low.");
}

void
text_paging(struct text *text)
{
	double minor;

	if (view_value(text->result, "fault.minor", &minor)) {
		put_classes(text, minor);
		if (minor > 0)
			put_over_time(text);
	}
	put_memory(text);
	put_residency(text);
}
