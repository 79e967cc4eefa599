// SPDX-License-Identifier: GPL-2.0-or-later
/* Same-page merging: what it saves, what it takes, and when. */
#include "reports/number.h"
#include "reports/text-report.h"

#include <string.h>

#define SLICES 10

static double
value(const struct text *text, const char *name)
{
	return view_or_zero(text->result, name);
}

static struct number
time_of(double ms)
{
	bool seconds = ms >= 1000;
	struct number number = number_real(seconds ? ms / 1000 : ms);

	strcat(number.text, seconds ? " s" : " ms");
	return number;
}

static void
put_sentences(struct text *text)
{
	double shared = value(text, "ksm.shared");
	double sharing = value(text, "ksm.sharing");
	double zero = value(text, "ksm.zero");

	if (value(text, "ksm.merged") + zero <= 0) {
		text_say(text,
			 "No pages are merged: of %s looked at, none is found "
			 "equal to another and the same at two looks.",
			 number_of(value(text, "ksm.scanned"), "page").text);
		return;
	}
	text_say(
		text,
		"At most, %s with the content of others lie in %s, which saves "
		"%s.",
		number_of(shared + sharing, "page").text,
		number_of(shared, "frame").text,
		number_bytes(value(text, "ksm.saved.bytes")).text);
	if (zero > 0)
		text_say(text,
			 "Of what is saved, %s of zeros became the zero page.",
			 number_of(zero, "page").text);
	text_say(text,
		 "The last merge comes %s after the first content is known. "
		 "Looking and merging keep one processor busy for %s.",
		 time_of(value(text, "ksm.merge.time")).text,
		 time_of(value(text, "ksm.cpu.time")).text);
}

static void
put_counts(struct text *text)
{
	static const struct {
		const char *name, *label;
	} row[] = {
		{ "ksm.rounds", "rounds over all pages" },
		{ "ksm.scanned", "pages looked at" },
		{ "ksm.skipped", "pages passed over (never merged before)" },
		{ "ksm.merged", "pages merged" },
		{ "ksm.unmerged", "pages taken apart (written, unmerged)" },
		{ "ksm.sharers.most", "mappings of one frame, at most" },
	};
	struct grid *grid = grid_open("<>");

	grid_add(grid, "over the run");
	grid_add(grid, "");
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		grid_add(grid, row[i].label);
		grid_add(grid, number_count(value(text, row[i].name)).text);
	}
	text_grid(text, grid);
}

struct slice {
	double shared, sharing, saved;
};

/* What each tenth of the run has at most */
static double
slices_fill(struct slice slice[SLICES], const struct view_table *table,
	    double end)
{
	int saved = view_column(table, "saved");
	double most = 0;

	for (size_t i = 0; i < table->n_rows; i++) {
		double at =
			view_number(table, i, view_column(table, "accesses"));
		size_t k = end > 0 ? view_count(at * SLICES / end) : 0;
		struct slice *one = &slice[k < SLICES ? k : SLICES - 1];
		double bytes = view_number(table, i, saved);

		if (bytes < one->saved)
			continue;
		one->saved = bytes;
		one->shared =
			view_number(table, i, view_column(table, "shared"));
		one->sharing =
			view_number(table, i, view_column(table, "sharing"));
		most = bytes > most ? bytes : most;
	}
	return most;
}

static void
put_over_time(struct text *text)
{
	struct slice slice[SLICES] = { { 0 } };
	double end = value(text, "accesses"), most;
	struct view_table table;
	struct grid *grid;

	if (!view_table(text->result, "ksm.time", &table) ||
	    table.n_rows < SLICES)
		return;
	most = slices_fill(slice, &table, end);
	if (most <= 0)
		return;
	text_heading(text, "Merged pages over the run");
	grid = grid_open(">>>><");
	grid_add(grid, "from access");
	grid_add(grid, "pages");
	grid_add(grid, "in frames");
	grid_add(grid, "saves");
	grid_add(grid, "");
	for (size_t i = 0; i < SLICES; i++) {
		const struct slice *one = &slice[i];

		grid_add(grid, number_si(end * (double)i / SLICES).text);
		grid_add(grid, number_count(one->shared + one->sharing).text);
		grid_add(grid, number_count(one->shared).text);
		grid_add(grid, number_bytes(one->saved).text);
		grid_add(grid, number_bar(one->saved, most, 30).text);
	}
	text_grid(text, grid);
}

void
text_merging(struct text *text)
{
	double shared;

	if (!view_value(text->result, "ksm.shared", &shared))
		return;
	text_heading(text, "Merging of equal pages (KSM)");
	put_sentences(text);
	put_counts(text);
	put_over_time(text);
}
