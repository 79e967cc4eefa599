// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Several machines side by side: first in words what translation costs on each
 * and what the difference is made of, then a table with one column a machine,
 * how far the others are from the first, and what they were set to.
 */
#include "reports/machines.h"
#include "reports/number.h"
#include "reports/text-report.h"

#include "analyzer/fail.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CELL_WIDTH  11 /* "99.9 M", and two blanks before it */
#define TITLE_WIDTH 30
#define COLUMNS_MAX 12
#define NAMED_MAX   4 /* machines that the first sentence names one by one */

enum form {
	FORM_COUNT,
	FORM_REAL,
	FORM_BYTES
};

static const struct measure {
	const char *title, *value;
	enum form form;
} measures[] = {
	{ "translation cycles", "translation.cycles", FORM_COUNT },
	{ "L1 data TLB misses", "tlb.l1d.misses", FORM_COUNT },
	{ "L1 instruction TLB misses", "tlb.l1i.misses", FORM_COUNT },
	{ "L2 TLB misses", "tlb.l2.misses", FORM_COUNT },
	{ "page walks", "walk.count", FORM_COUNT },
	{ "references a walk", "walk.references.mean", FORM_REAL },
	{ "walk cycles", "walk.cycles", FORM_COUNT },
	{ "cycles a walk, mean", "walk.latency.mean", FORM_REAL },
	{ "  median", "walk.latency.p50", FORM_COUNT },
	{ "  90 % at most", "walk.latency.p90", FORM_COUNT },
	{ "  99 % at most", "walk.latency.p99", FORM_COUNT },
	{ "  longest", "walk.latency.max", FORM_COUNT },
	{ "remote walk references", "numa.walk.remote", FORM_COUNT },
	{ "remote data references", "numa.data.remote", FORM_COUNT },
	{ "minor faults", "fault.minor", FORM_COUNT },
	{ "major faults", "fault.major", FORM_COUNT },
	{ "page tables, most", "table.bytes.peak", FORM_BYTES },
	{ "memory, most", "footprint.bytes.peak", FORM_BYTES },
};

struct comparison {
	struct text *text;
	struct machines machines;
	char label[RESULT_MACHINES_MAX]
		  [12]; /* above the columns, where names are too long */
	bool labelled;
};

static bool
value_of(const struct comparison *all, size_t i, const char *name,
	 double *value)
{
	return view_value(all->machines.one[i], name, value);
}

static struct number
number_in(enum form form, double value)
{
	return form == FORM_BYTES  ? number_bytes(value)
	       : form == FORM_REAL ? number_real(value)
				   : number_si(value);
}

/* "58.4 % less", "250 times less", "12.0 % more", "3.2 times as much" */
static struct number
change(double value, double base)
{
	struct number number = { "" };
	double percent = base > 0 ? 100 * (value - base) / base : 0;

	if (value == base)
		strcpy(number.text, "the same");
	else if (base <= 0)
		strcpy(number.text, "where there were none");
	else if (value > 0 && percent < -99)
		snprintf(number.text, sizeof(number.text),
			 "%.20s" NB "times less", number_si(base / value).text);
	else if (percent > 200)
		snprintf(number.text, sizeof(number.text),
			 "%.20s" NB "times as" NB "much",
			 number_real(value / base).text);
	else if (fabs(percent) < 0.1)
		snprintf(number.text, sizeof(number.text), "< 0.1" NB "%% %s",
			 percent < 0 ? "less" : "more");
	else
		snprintf(number.text, sizeof(number.text), "%.1f" NB "%% %s",
			 fabs(percent), percent < 0 ? "less" : "more");
	return number;
}

static void
say_title(struct comparison *all)
{
	struct text *text = all->text;
	const struct result *first = all->machines.one[0];
	const char *partial = view_partial(first);
	bool coloured = text->setup->coloured;
	char command[160];
	size_t n = view_command(first, command, sizeof(command));
	double accesses = view_or_zero(first, "accesses");
	double instructions = view_or_zero(first, "instructions");

	if (n >= sizeof(command))
		strcpy(command + sizeof(command) - 4, "...");
	fprintf(text->file, "%s%s on %zu machines%s\n",
		coloured ? "\033[1m" : "", *command ? command : "A trace",
		all->machines.n, coloured ? "\033[0m" : "");
	if (instructions > 0)
		text_say(text, "%s by %s.", number_of(accesses, "access").text,
			 number_of(instructions, "instruction").text);
	else
		text_say(text, "%s.", number_of(accesses, "access").text);
	if (partial)
		text_say(text,
			 "PARTIAL: %s. All that follows covers only "
			 "that part.",
			 partial);
}

/* Every machine with its cycles, in one sentence. */
static void
say_each(struct comparison *all, const double *cycles)
{
	char words[1024];
	size_t used = 0;

	for (size_t i = 0; i < all->machines.n; i++)
		used += (size_t)snprintf(words + used, sizeof(words) - used,
					 i ? ", %s" NB "on %.80s (%s)"
					   : "%s" NB "cycles on %.80s",
					 number_si(cycles[i]).text,
					 all->machines.name[i],
					 change(cycles[i], cycles[0]).text);
	text_say(all->text, "Address translation costs %s.", words);
}

/* What the step from one machine to the other is made of. */
static void
say_why(struct comparison *all, size_t from, size_t to)
{
	const struct result *a = all->machines.one[from];
	const struct result *b = all->machines.one[to];
	double saved = view_or_zero(a, "translation.cycles") -
		       view_or_zero(b, "translation.cycles");
	double walk_saved =
		view_or_zero(a, "walk.cycles") - view_or_zero(b, "walk.cycles");
	double walks[2], latency[2];
	double share = 100 * walk_saved / saved;

	if (saved <= 0)
		return;
	text_say(all->text,
		 "Of the %s" NB "cycles by which %s and %s differ, %s are page "
		 "walks%s.",
		 number_si(saved).text, all->machines.name[from],
		 all->machines.name[to],
		 share > 99.95	 ? "all"
		 : share <= 0.05 ? "none"
				 : number_share(walk_saved, saved).text,
		 share > 100.05	 ? " and more; its second-level hits cost more"
		 : share > 99.95 ? ""
				 : ", the rest second-level TLB hits");
	if (!view_value(a, "walk.count", &walks[0]) ||
	    !view_value(b, "walk.count", &walks[1]) ||
	    !view_value(a, "walk.latency.mean", &latency[0]) ||
	    !view_value(b, "walk.latency.mean", &latency[1]))
		return;
	text_say(all->text,
		 "%s walks %s often (%s and %s walks), and a walk takes it %s "
		 "cycles instead of %s.",
		 all->machines.name[to],
		 fabs(walks[1] - walks[0]) < 0.01 * walks[0] ? "as"
		 : walks[1] < walks[0]			     ? "less"
							     : "more",
		 number_si(walks[1]).text, number_si(walks[0]).text,
		 number_real(latency[1]).text, number_real(latency[0]).text);
}

/* What these cycles leave out, where one faults more than the other. */
static void
say_faults(struct comparison *all, size_t from, size_t to)
{
	double faults[2] = { 0, 0 };
	const size_t of[2] = { from, to };

	for (size_t i = 0; i < 2; i++) {
		const struct result *one = all->machines.one[of[i]];

		faults[i] = view_or_zero(one, "fault.minor") +
			    view_or_zero(one, "fault.major");
	}
	if (fabs(faults[0] - faults[1]) <= 0.01 * fmax(faults[0], faults[1]))
		return;
	text_say(
		all->text,
		"%s takes %s page faults, %s %s: the time of a fault is not in "
		"these cycles, only the walk before it and the one after.",
		all->machines.name[from], number_si(faults[0]).text,
		all->machines.name[to], number_si(faults[1]).text);
}

static void
say_costs(struct comparison *all)
{
	double cycles[RESULT_MACHINES_MAX] = { 0 };
	size_t least = 0, most = 0, n = all->machines.n;

	for (size_t i = 0; i < n; i++) {
		if (!value_of(all, i, "translation.cycles", &cycles[i])) {
			text_say(all->text,
				 "What address translation costs is not known "
				 "on all of them.");
			return;
		}
		least = cycles[i] < cycles[least] ? i : least;
		most = cycles[i] > cycles[most] ? i : most;
	}
	if (cycles[most] == cycles[least]) {
		text_say(all->text,
			 "Address translation costs the same on all of them: "
			 "%s" NB "cycles.",
			 number_si(cycles[0]).text);
		return;
	}
	if (n <= NAMED_MAX)
		say_each(all, cycles);
	else
		text_say(all->text,
			 "Address translation costs least on %s, %s" NB
			 "cycles, and most on %s, %s (%s).",
			 all->machines.name[least],
			 number_si(cycles[least]).text,
			 all->machines.name[most], number_si(cycles[most]).text,
			 change(cycles[most], cycles[least]).text);
	say_why(all, most, least);
	say_faults(all, most, least);
}

/* Do all say the same of it?  Also if none says anything. */
static bool
same_on_all(const struct comparison *all, const char *name)
{
	double first = 0, value;
	bool known = value_of(all, 0, name, &first);

	for (size_t i = 1; i < all->machines.n; i++)
		if (value_of(all, i, name, &value) != known ||
		    (known && value != first))
			return false;
	return true;
}

static bool
known_somewhere(const struct comparison *all, const char *name)
{
	double value;

	for (size_t i = 0; i < all->machines.n; i++)
		if (value_of(all, i, name, &value))
			return true;
	return false;
}

static void
say_same(struct comparison *all)
{
	char words[512] = "";
	size_t used = 0;

	for (size_t i = 0; i < ARRAY_SIZE(measures); i++) {
		const char *title = measures[i].title;

		if (*title == ' ' || !same_on_all(all, measures[i].value) ||
		    !known_somewhere(all, measures[i].value))
			continue;
		used += (size_t)snprintf(words + used, sizeof(words) - used,
					 "%s%.*s", used ? ", " : "",
					 (int)strcspn(title, ","), title);
	}
	if (used)
		text_say(all->text, "The same on all of them: %s.", words);
}

static struct grid *
columns_open(struct comparison *all, size_t first, size_t n, const char *title)
{
	char letters[COLUMNS_MAX + 2];
	struct grid *grid;

	memset(letters, '>', n + 1);
	letters[0] = '<';
	letters[n + 1] = '\0';
	grid = grid_open(letters);
	if (!grid) {
		all->text->error = -ENOMEM;
		return NULL;
	}
	grid_add(grid, title);
	for (size_t i = first; i < first + n; i++)
		grid_add(grid,
			 all->labelled ? all->label[i] : all->machines.name[i]);
	return grid;
}

static void
put_measures(struct comparison *all, size_t first, size_t n)
{
	struct grid *grid = columns_open(all, first, n, "");
	double value;

	for (size_t m = 0; grid && m < ARRAY_SIZE(measures); m++) {
		if (!known_somewhere(all, measures[m].value))
			continue;
		grid_add(grid, measures[m].title);
		for (size_t i = first; i < first + n; i++)
			grid_add(grid,
				 value_of(all, i, measures[m].value, &value)
					 ? number_in(measures[m].form, value)
						   .text
					 : "-");
	}
	if (grid)
		text_grid(all->text, grid);
}

/* "-58.4 %", "x 3.21", "1/133 k" */
static struct number
ratio(double value, double base)
{
	struct number number = { "-" };
	double percent = base > 0 ? 100 * (value - base) / base : 0;

	if (value == base)
		strcpy(number.text, "=");
	else if (base > 0 && percent > 200)
		snprintf(number.text, sizeof(number.text), "x %.20s",
			 number_real(value / base).text);
	else if (base > 0 && value > 0 && base / value > 100)
		snprintf(number.text, sizeof(number.text), "1/%.20s",
			 number_si(base / value).text);
	else if (base > 0 && fabs(percent) < 0.05)
		strcpy(number.text, "about =");
	else if (base > 0)
		snprintf(number.text, sizeof(number.text), "%+.1f %%", percent);
	return number;
}

static void
put_ratios(struct comparison *all, size_t first, size_t n)
{
	struct grid *grid = columns_open(all, first, n, "");
	double value, base;

	for (size_t m = 0; grid && m < ARRAY_SIZE(measures); m++) {
		const char *name = measures[m].value;

		if (same_on_all(all, name) || !value_of(all, 0, name, &base))
			continue;
		grid_add(grid, measures[m].title);
		for (size_t i = first; i < first + n; i++)
			grid_add(grid, value_of(all, i, name, &value)
					       ? ratio(value, base).text
					       : "-");
	}
	if (grid)
		text_grid(all->text, grid);
}

/* In as many grids as the width asks for. */
static void
put_columns(struct comparison *all, size_t first,
	    void (*put)(struct comparison *all, size_t first, size_t n))
{
	size_t fit = (all->text->setup->width - TITLE_WIDTH) / CELL_WIDTH;

	fit = fit < 1 ? 1 : fit > COLUMNS_MAX ? COLUMNS_MAX : fit;
	for (size_t i = first; i < all->machines.n; i += fit) {
		size_t left = all->machines.n - i;

		if (i > first)
			putc('\n', all->text->file);
		put(all, i, left < fit ? left : fit);
	}
}

/* Names that do not fit above their columns get letters. */
static void
choose_labels(struct comparison *all)
{
	for (size_t i = 0; i < all->machines.n; i++) {
		all->labelled |= strlen(all->machines.name[i]) >
				 CELL_WIDTH - 2 + (all->machines.n < 5 ? 5 : 0);
		if (i < 26)
			snprintf(all->label[i], sizeof(all->label[i]), "%c",
				 (char)('A' + i));
		else
			snprintf(all->label[i], sizeof(all->label[i]), "%c%c",
				 (char)('A' + i / 26 - 1),
				 (char)('A' + i % 26));
	}
}

static void
put_machines(struct comparison *all)
{
	struct grid *grid = grid_open("<<~");

	if (!grid) {
		all->text->error = -ENOMEM;
		return;
	}
	text_heading(all->text, "Machines");
	grid_add(grid, "");
	grid_add(grid, "machine");
	grid_add(grid, "what it is");
	for (size_t i = 0; i < all->machines.n; i++) {
		json_t *machine = json_object_get(
			json_object_get(result_json(all->machines.one[i]),
					"provenance"),
			"machine");
		const char *about =
			json_string_value(json_object_get(machine, "about"));

		grid_add(grid, all->labelled ? all->label[i] : "");
		grid_add(grid, all->machines.name[i]);
		grid_add(grid, about ? about : "");
	}
	text_grid(all->text, grid);
}

static const char *
option_of(const struct comparison *all, size_t i, const char *name)
{
	const char *value = json_string_value(
		json_object_get(json_object_get(result_json(
							all->machines.one[i]),
						"options"),
				name));

	return value ? value : "-";
}

static void
put_options(struct comparison *all, size_t first, size_t n)
{
	struct grid *grid = columns_open(all, first, n, "option");
	json_t *options =
		json_object_get(result_json(all->machines.one[0]), "options");
	size_t top = all->text->setup->top, rows = 0;
	const char *name;
	json_t *value;

	json_object_foreach(options, name, value)
	{
		bool differs = false;

		for (size_t i = 1; i < all->machines.n; i++)
			differs |= strcmp(json_string_value(value),
					  option_of(all, i, name)) != 0;
		if (!grid || !differs || !strcmp(name, "machine.about"))
			continue;
		if (top && rows++ >= top)
			continue;
		grid_add(grid, name);
		for (size_t i = first; i < first + n; i++)
			grid_addf(grid, "%.16s", option_of(all, i, name));
	}
	if (grid)
		text_grid(all->text, grid);
	if (top && rows > top)
		text_say(all->text, "... and %zu more (--top 0 shows all)",
			 rows - top);
}

static bool
options_differ(const struct comparison *all)
{
	for (size_t i = 1; i < all->machines.n; i++)
		if (!json_equal(json_object_get(result_json(
							all->machines.one[0]),
						"options"),
				json_object_get(result_json(
							all->machines.one[i]),
						"options")))
			return true;
	return false;
}

void
text_comparison(struct text *text)
{
	struct comparison all = { .text = text };
	char heading[128];

	if (machines_open(&all.machines, text->result)) {
		text->error = -ENOMEM;
		return;
	}
	choose_labels(&all);
	say_title(&all);
	text_heading(text, "What differs");
	say_costs(&all);
	say_same(&all);
	put_machines(&all);
	text_heading(text, "Side by side");
	put_columns(&all, 0, put_measures);
	if (all.machines.n > 1) {
		snprintf(heading, sizeof(heading), "Against %.100s",
			 all.machines.name[0]);
		text_heading(text, heading);
		put_columns(&all, 1, put_ratios);
	}
	if (options_differ(&all)) {
		text_heading(text, "Options that differ");
		put_columns(&all, 0, put_options);
	}
	text_samples(text);
	text_provenance(text);
	machines_close(&all.machines);
}
