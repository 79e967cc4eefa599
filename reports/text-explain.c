// SPDX-License-Identifier: GPL-2.0-or-later
/* The first walks of a run, told step by step. */
#include "reports/number.h"
#include "reports/text-report.h"

#include <stdio.h>
#include <string.h>

/* What a page table calls the entries of its levels */
static const char *const level_names[] = { "no levels", "PTE",	 "PDE",
					   "PDPTE",	"PML4E", "PML5E" };

struct row {
	uint64_t level;
	const char *address, *found, *note;
	double cycles;
	bool costs;
};

static const char *
level_name(uint64_t level)
{
	return level < ARRAY_SIZE(level_names) ? level_names[level] : "entry";
}

static void
say_access(struct text *text, const struct row *row, uint64_t walk)
{
	fprintf(text->file, "%s  Walk %llu: %s of %s (%s)\n",
		walk > 1 ? "\n" : "", (unsigned long long)walk, row->found,
		row->address, row->note);
}

static void
say_ask(struct text *text, const struct row *row, uint64_t walk)
{
	(void)walk;
	/* beside the caches of levels, those of the host, of cuckoo tables */
	if (*row->address && !strcmp(row->note, "nested.tlb"))
		fprintf(text->file, "    nested TLB for %s: %s\n", row->address,
			row->found);
	else if (*row->address && row->level)
		fprintf(text->file,
			"    the host's walk cache of %ss for %s: %s\n",
			level_name(row->level), row->address, row->found);
	else if (*row->address)
		fprintf(text->file, "    cuckoo walk cache %s for %s: %s\n",
			row->note, row->address, row->found);
	else
		fprintf(text->file, "    walk cache of %ss: %s\n",
			level_name(row->level), row->found);
}

static void
say_read(struct text *text, const struct row *row, uint64_t walk)
{
	(void)walk;
	if (row->level)
		fprintf(text->file,
			"    level %llu: ", (unsigned long long)row->level);
	else
		fputs("    ", text->file);
	fprintf(text->file, "%s at %s%s%s%s",
		row->level ? level_name(row->level) : "entry", row->address,
		*row->note ? " (" : "", row->note, *row->note ? ")" : "");
	if (row->costs)
		fprintf(text->file, ": in %s, %s", row->found,
			number_of(row->cycles, "cycle").text);
	putc('\n', text->file);
}

static void
say_keep(struct text *text, const struct row *row, uint64_t walk)
{
	(void)walk;
	fprintf(text->file, "    its %s goes into the walk cache\n",
		level_name(row->level));
}

static void
say_fault(struct text *text, const struct row *row, uint64_t walk)
{
	(void)walk;
	fprintf(text->file, "    %s: the kernel handles the fault\n",
		!strcmp(row->found, "no page") ? "no page is there"
					       : "the page is read-only");
}

static void
say_cost(struct text *text, const struct row *row, const char *what)
{
	fprintf(text->file, "    %s: %s\n", what,
		number_of(row->cycles, "cycle").text);
}

static void
say_overhead(struct text *text, const struct row *row, uint64_t walk)
{
	(void)walk;
	say_cost(text, row, "overhead of a walk");
}

static void
say_wait(struct text *text, const struct row *row, uint64_t walk)
{
	(void)walk;
	say_cost(text, row, "waits for a walker");
}

static void
say_end(struct text *text, const struct row *row, uint64_t walk)
{
	(void)walk;
	fprintf(text->file, "    = %s in a %s, %s: %s\n", row->address,
		row->found, row->note, number_of(row->cycles, "cycle").text);
}

static void
say_denied(struct text *text, const struct row *row, uint64_t walk)
{
	(void)walk;
	(void)row;
	fputs("    the access is denied\n", text->file);
}

static const struct {
	const char *step;
	void (*say)(struct text *text, const struct row *row, uint64_t walk);
} sayings[] = {
	{ "access", say_access }, { "ask", say_ask },
	{ "read", say_read },	  { "keep", say_keep },
	{ "fault", say_fault },	  { "overhead", say_overhead },
	{ "wait", say_wait },	  { "end", say_end },
	{ "denied", say_denied },
};

void
text_explain(struct text *text)
{
	struct view_table table;

	if (!view_table(text->result, "walks.explained", &table))
		return;
	text_heading(text, "The first walks, step by step");
	if (!table.n_rows)
		text_say(text, "No walk was made.");
	for (size_t i = 0; i < table.n_rows; i++) {
		int cycles = view_column(&table, "cycles");
		const char *step =
			view_text(&table, i, view_column(&table, "step"));
		const struct row row = {
			.level = view_address(&table, i,
					      view_column(&table, "level")),
			.address = view_text(&table, i,
					     view_column(&table, "address")),
			.found = view_text(&table, i,
					   view_column(&table, "found")),
			.note = view_text(&table, i,
					  view_column(&table, "note")),
			.cycles = view_number(&table, i, cycles),
			.costs = json_is_number(view_cell(&table, i, cycles)),
		};

		for (size_t j = 0; j < ARRAY_SIZE(sayings); j++)
			if (!strcmp(sayings[j].step, step))
				sayings[j]
					.say(text, &row,
					     view_address(&table, i,
							  view_column(&table,
								      "walk")));
	}
}
