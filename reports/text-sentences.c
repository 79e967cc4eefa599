// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a reader wants to know first, in words: what translation costs, how
 * much of it is walks and what those find where, who causes it, what the
 * kernel did.  Each sentence is said only when the document knows it; "0" and
 * "unknown" are different sentences.
 */
#include "reports/number.h"
#include "reports/symbols.h"
#include "reports/text-report.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What a page table calls the entries of its levels, as its walk caches do */
static const char *const level_names[] = { "no levels", "PTE",	 "PDE",
					   "PDPTE",	"PML4E", "PML5E" };

static void
say_title(struct text *text)
{
	char command[160], title[512];
	size_t n = view_command(text->result, command, sizeof(command));
	const char *machine = view_machine(text->result);
	const char *partial = view_partial(text->result);
	double accesses = view_or_zero(text->result, "accesses");
	double instructions;

	if (n >= sizeof(command))
		strcpy(command + sizeof(command) - 4, "...");
	snprintf(title, sizeof(title), "%s%s%s", *command ? command : "A trace",
		 *machine ? " on " : "", machine);
	fprintf(text->file, "%s%s%s\n", text->setup->coloured ? "\033[1m" : "",
		title, text->setup->coloured ? "\033[0m" : "");
	if (accesses <= 0)
		text_say(text, "No access.");
	else if (view_value(text->result, "instructions", &instructions) &&
		 instructions > 0)
		text_say(text, "%s by %s.", number_of(accesses, "access").text,
			 number_of(instructions, "instruction").text);
	else
		text_say(text,
			 "%s; how many instructions made %s is not known.",
			 number_of(accesses, "access").text,
			 accesses == 1 ? "it" : "them");
	if (partial)
		text_say(text,
			 "PARTIAL: %s. All that follows covers only "
			 "that part.",
			 partial);
}

/* Cycles per access and per 1,000 instructions. */
static void
say_cost(struct text *text, double cycles, double accesses)
{
	double instructions, walk_cycles = 0, rest;
	char per[96] = "";

	if (cycles <= 0) {
		text_say(text, "Address translation costs nothing beyond "
			       "first-level TLB hits: no lookup missed.");
		return;
	}
	if (view_value(text->result, "instructions", &instructions) &&
	    instructions > 0)
		snprintf(per, sizeof(per),
			 " and %s" NB "cycles per 1,000 "
			 "instructions",
			 number_real(1000 * cycles / instructions).text);
	text_say(text,
		 "Address translation costs %s" NB "cycles: %s" NB
		 "cycles per access%s "
		 "(first-level TLB hits are free).",
		 number_si(cycles).text, number_real(cycles / accesses).text,
		 per);
	if (*per)
		text_say(text,
			 "If the program ran at one instruction per cycle "
			 "otherwise, that would be %s of its time.",
			 number_share(cycles, cycles + instructions).text);
	if (!view_value(text->result, "walk.cycles", &walk_cycles))
		return;
	rest = cycles - walk_cycles;
	if (walk_cycles <= 0)
		text_say(text, "All of the translation cycles are hits in the "
			       "second-level TLB; no page walk was needed.");
	else if (rest <= 0)
		text_say(text, "All of the translation cycles are page walks.");
	else
		text_say(text,
			 "Of the translation cycles %s are page walks and %s "
			 "hits in the second-level TLB.",
			 number_share(walk_cycles, cycles).text,
			 number_share(rest, cycles).text);
}

static void
say_how_often(struct text *text, double walks, double accesses)
{
	if (walks > accesses)
		text_say(text, "There are %s page walks for each access.",
			 number_real(walks / accesses).text);
	else if (walks == accesses)
		text_say(text, "Every access needs a page walk.");
	else if (walks * 20 > accesses)
		text_say(text, "%s of the accesses need a page walk.",
			 number_share(walks, accesses).text);
	else
		text_say(text, "One of %s accesses needs a page walk.",
			 number_si(round(accesses / walks)).text);
}

static void
say_walks(struct text *text, double walks, double accesses)
{
	double mean, p50, p99, max, references;

	if (walks <= 0)
		return;
	say_how_often(text, walks, accesses);
	if (view_value(text->result, "walk.latency.mean", &mean) &&
	    view_value(text->result, "walk.latency.p50", &p50) &&
	    view_value(text->result, "walk.latency.p99", &p99) &&
	    view_value(text->result, "walk.latency.max", &max))
		text_say(text,
			 "A walk takes %s" NB "cycles on "
			 "average, half of them at most %s, 99" NB
			 "%% at most %s, "
			 "the longest %s.",
			 number_real(mean).text, number_count(p50).text,
			 number_count(p99).text, number_count(max).text);
	if (view_value(text->result, "walk.references.mean", &references))
		text_say(text, "It reads %s page-table %s on average%s.",
			 number_real(references).text,
			 references == 1 ? "entry" : "entries",
			 view_or_zero(text->result, "pwc.pde.hits") > 0
				 ? "; the walk caches save the others"
				 : "");
}

/* What walks read of a table and, if it is a guest's, of its host's. */
struct read {
	double cycles, references, found[4]; /* in L1, L2, L3, memory */
	double most;			     /* cycles of one level */
	uint64_t level;
	bool host; /* whose that level is */
};

static void
add_read(struct read *read, const struct result *result, bool host)
{
	static const char *const places[] = { "l1", "l2", "l3", "memory" };
	struct view_table table;
	int column;

	if (!view_table(result, host ? "walk.levels.host" : "walk.levels",
			&table))
		return;
	column = view_column(&table, "cycles");
	read->cycles += view_sum(&table, column);
	read->references += view_sum(&table, view_column(&table, "references"));
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		read->found[i] +=
			view_sum(&table, view_column(&table, places[i]));
	for (size_t i = 0; i < table.n_rows; i++) {
		double cycles = view_number(&table, i, column);

		if (cycles <= read->most)
			continue;
		read->most = cycles;
		read->host = host;
		read->level =
			view_address(&table, i, view_column(&table, "level"));
	}
}

/* Which level of the table the cycles go to, and where its entries lie. */
static void
say_levels(struct text *text)
{
	static const char *const names[] = { "the L1 cache", "the L2 cache",
					     "the L3 cache", "memory" };
	struct read read = { 0 };
	size_t place = 0;

	add_read(&read, text->result, false);
	add_read(&read, text->result, true);
	if (read.cycles <= 0 || read.references <= 0)
		return;
	for (size_t i = 1; i < ARRAY_SIZE(names); i++)
		if (read.found[i] > read.found[place])
			place = i;
	text_say(text,
		 "%s%s of the walks' cycles are spent on level-%llu entries "
		 "(%s)%s. Of all entries read, %s are found in %s%s%s%s.",
		 view_or_zero(text->result, "walk.faulted.references") > 0
			 ? "With the walks that end in a page fault, "
			 : "",
		 number_share(read.most, read.cycles).text,
		 (unsigned long long)read.level,
		 read.level < ARRAY_SIZE(level_names) ? level_names[read.level]
						      : "upper",
		 read.host ? " of the host's table" : "",
		 number_share(read.found[place], read.references).text,
		 names[place], place == 3 ? "" : " and ",
		 place == 3 ? ""
			    : number_share(read.found[3], read.references).text,
		 place == 3 ? "" : " come from memory");
}

/* Of what the cost of translation mostly is: walks, or first-level misses
 * that the second level answers. */
static bool
walks_dominate(const struct text *text)
{
	double walks = view_or_zero(text->result, "walk.cycles");

	return walks > 0 &&
	       2 * walks >= view_or_zero(text->result, "translation.cycles");
}

/* The row of a ranking that costs most, and whether it stands out at all. */
static void
say_top(struct text *text, const char *name, const char *column,
	const char *what)
{
	struct view_table table;
	double all = view_walk_cycles(text->result), most = 0, cost;
	const char *unit = "walk cycles", *named;
	int costs;
	size_t row = 0;

	view_table(text->result, name, &table);
	costs = view_column(&table, "walk_cycles");
	if (!walks_dominate(text) && view_column(&table, "l1_misses") >= 0) {
		costs = view_column(&table, "l1_misses");
		all = view_or_zero(text->result, "tlb.l1d.misses") +
		      view_or_zero(text->result, "tlb.l1i.misses");
		unit = "first-level TLB misses";
	}
	for (size_t i = 0; i < table.n_rows; i++) {
		cost = view_number(&table, i, costs);
		row = cost > most ? i : row;
		most = cost > most ? cost : most;
	}
	if (most <= 0)
		return;
	named = view_text(&table, row, view_column(&table, column));
	if (!strcmp(named, SYMBOLS_UNKNOWN))
		return;
	text_say(text, "%s %s causes %s of the %s%s.",
		 strncmp(named, "0x", 2) ? what : "The code at", named,
		 number_share(most, all).text, unit,
		 most < 0.2 * all ? ": no single one dominates" : "");
}

/* One by one: they stand beside those that the model predicts. */
static void
say_compared(struct text *text, double count, double unpredicted)
{
	double fetched = view_or_zero(text->result, "fault.unrecorded.fetch");
	double others = view_or_zero(text->result, "fault.unrecorded");

	if (unpredicted > 0)
		text_say(text,
			 "While it was recorded the real kernel took %s, %s of "
			 "which were not predicted.",
			 number_count(count).text,
			 number_count(unpredicted).text);
	else
		text_say(text,
			 "While it was recorded the real kernel took %s: each "
			 "was predicted.",
			 number_count(count).text);
	if (others > 0)
		text_say(text, "Of those predicted it did not take %s.",
			 number_count(others).text);
	if (fetched > 0)
		text_say(text,
			 "Those of %s instruction fetches are not the "
			 "program's own where translated code runs.",
			 number_count(fetched).text);
}

/* Under Valgrind most of a process's faults are Valgrind's own. */
static void
say_recorded(struct text *text, double minor)
{
	double count, unpredicted;

	if (!view_value(text->result, "fault.recorded.minor", &count))
		return;
	if (view_recorded_by(text->result, "valgrind"))
		text_say(text,
			 "While it was recorded the real kernel took %s, "
			 "Valgrind's own among them: not to be compared.",
			 number_count(count).text);
	else if (view_value(text->result, "fault.recorded.unpredicted",
			    &unpredicted))
		say_compared(text,
			     count + view_or_zero(text->result,
						  "fault.recorded.major"),
			     unpredicted);
	else
		text_say(text,
			 "While it was recorded the real kernel took %s "
			 "(prediction %+.1f" NB "%%).",
			 number_count(count).text,
			 count > 0 ? 100 * (minor - count) / count : 0.0);
}

static void
say_faults(struct text *text)
{
	static const char *const classes[][2] = {
		{ "fault.anon", "first writes to anonymous memory" },
		{ "fault.zero", "first reads of anonymous memory" },
		{ "fault.zero-cow", "writes to the zero page" },
		{ "fault.cow", "copies on write" },
		{ "fault.reuse", "writes to pages no longer shared" },
		{ "fault.file", "file pages" },
		{ "fault.shared", "shared memory" },
		{ "fault.stack", "growth of the stack" },
		{ "fault.unmapped", "accesses outside every known mapping" },
		{ "fault.swap-cache",
		  "pages in swap that were in memory, too" },
	};
	double minor, count, best = 0, major;
	const char *what = "", *best_class = "";
	char majors[64] = "";

	if (!view_value(text->result, "fault.minor", &minor))
		return;
	if (view_value(text->result, "fault.major", &major) && major > 0)
		snprintf(majors, sizeof(majors), " and %s",
			 number_of(major, "major fault").text);
	if (minor <= 0) {
		text_say(text, "The kernel takes no minor page fault%s.",
			 majors);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (view_value(text->result, classes[i][0], &count) &&
		    count > best) {
			best = count;
			what = classes[i][1];
			best_class = classes[i][0] + strlen("fault.");
		}
	if (minor == 1 && *what)
		text_say(text, "The kernel takes 1 minor page fault%s: %s.",
			 majors, view_fault_class(best_class));
	else
		text_say(text, "The kernel takes %s%s%s%s%s%s.",
			 number_of(minor, "minor page fault").text, majors,
			 *what ? "; " : "",
			 *what ? number_share(best, minor).text : "",
			 *what ? " are " : "", what);
	say_recorded(text, minor);
}

static void
say_memory(struct text *text)
{
	double tables, footprint;

	if (!view_value(text->result, "table.bytes.peak", &tables) &&
	    !view_value(text->result, "table.bytes", &tables))
		return;
	if (!view_value(text->result, "footprint.bytes.peak", &footprint) &&
	    !view_value(text->result, "footprint.bytes", &footprint))
		text_say(text, "Its page tables take %s at most.",
			 number_bytes(tables).text);
	else if (footprint > 0)
		text_say(text,
			 "It uses %s of memory at most, and its page tables %s "
			 "(%s of that).",
			 number_bytes(footprint).text,
			 number_bytes(tables).text,
			 number_share(tables, footprint).text);
}

void
text_sentences(struct text *text)
{
	double accesses = view_or_zero(text->result, "accesses"), cycles;
	const char *reason = view_reason(text->result, "translation.cycles");

	say_title(text);
	text_heading(text, "Where the time goes");
	if (accesses <= 0)
		text_say(text, "No access was replayed, so nothing can be "
			       "said about translation.");
	else if (view_value(text->result, "translation.cycles", &cycles))
		say_cost(text, cycles, accesses);
	else
		text_say(text,
			 "What address translation costs is not known%s%s.",
			 reason ? ": " : "", reason ? reason : "");
	say_walks(text, view_or_zero(text->result, "walk.count"), accesses);
	say_levels(text);
	say_top(text, "functions", "function", "The function");
	say_top(text, "mappings", "mapping", "The mapping");
	say_faults(text);
	say_memory(text);
}
