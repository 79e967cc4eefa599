// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory with a limit: what left, what came back, what that cost, and whether it
 * would have ended in an out-of-memory kill. */
#include "reports/number.h"
#include "reports/text-report.h"

#include <string.h>

static const char *
option_of(const struct text *text, const char *name)
{
	return view_option(text->result, name);
}

static double
value(const struct text *text, const char *name)
{
	return view_or_zero(text->result, name);
}

static struct number
time_of(double ns)
{
	bool seconds = ns >= 1e9;
	struct number number = number_real(ns / (seconds ? 1e9 : 1e6));

	strcat(number.text, seconds ? " s" : " ms");
	return number;
}

static void
put_sentences(struct text *text)
{
	double majors = value(text, "fault.major");
	double references = value(text, "reclaim.references");
	bool often = majors > references / 10; /* "one in 1" tells nothing */
	const char *scope = option_of(text, "reclaim.scope");
	const char *whose = !strcmp(scope, "process") ? "each process"
			    : !strcmp(scope, "group") ? "each group"
						      : "all data";

	text_say(text,
		 "With %s for %s and reclaim.policy=%s, %s of %s (runs of "
		 "accesses to one page) wait for a page that is not in "
		 "memory%s%s.",
		 number_bytes(strtod(option_of(text, "memory.size"), NULL))
			 .text,
		 whose, option_of(text, "reclaim.policy"),
		 number_count(majors).text,
		 number_of(references, "reference").text,
		 majors <= 0 ? ""
		 : often     ? ": "
			     : ": one in ",
		 majors <= 0 ? ""
		 : often     ? number_share(majors, references).text
			     : number_count(references / majors).text);
	if (value(text, "reclaim.stall_ns") > 0)
		text_say(text,
			 "That stalls the program for %s (%s of it for files). "
			 "Swap (%s) is busy for %s, the drive of the files for "
			 "%s.",
			 time_of(value(text, "reclaim.stall_ns")).text,
			 number_share(value(text, "reclaim.stall.files_ns"),
				      value(text, "reclaim.stall_ns"))
				 .text,
			 option_of(text, "reclaim.device"),
			 time_of(value(text, "reclaim.device_ns")).text,
			 time_of(value(text, "reclaim.files_ns")).text);
	if (value(text, "reclaim.evictions") <= 0)
		text_say(text, "No page had to leave.");
}

static void
put_oom(struct text *text)
{
	const json_t *document =
		result_json((struct result *)(uintptr_t)text->result);
	const char *name = json_string_value(
		json_object_get(json_object_get(json_object_get(document,
								"values"),
						"oom.process"),
				"value"));
	double position;

	if (!view_value(text->result, "oom.position", &position))
		return;
	text_say(text,
		 "Out of memory at access %s: a page without a file had to "
		 "leave, and swap had no room. Of %s Linux would kill "
		 "%s%s%.0f%s, the largest: %s "
		 "resident, %s in swap, %s of page tables (without "
		 "oom_score_adj, which traces do not have).",
		 number_count(position).text,
		 number_of(value(text, "oom.candidates"), "process").text,
		 name ? name : "", name ? " (process " : "process" NB,
		 value(text, "oom.pid"), name ? ")" : "",
		 number_bytes(value(text, "oom.resident.bytes")).text,
		 number_bytes(value(text, "oom.swapped.bytes")).text,
		 number_bytes(value(text, "oom.tables.bytes")).text);
	text_say(text,
		 "The replay kills nobody and goes on as if there were room; "
		 "%s found none.",
		 number_of(value(text, "oom.pages"), "page").text);
}

static void
put_counts(struct text *text)
{
	static const struct {
		const char *name, *label;
		bool always;
	} row[] = {
		{ "reclaim.misses", "pages that came in", true },
		{ "fault.swap", "  from swap", false },
		{ "fault.read", "  from files", false },
		{ "reclaim.refaults", "  that had left before", false },
		{ "reclaim.refaults.active", "    soon: active at once",
		  false },
		{ "reclaim.evictions", "pages that left", true },
		{ "reclaim.writebacks", "  and were written", true },
		{ "reclaim.writebacks.file", "    to files", false },
		{ "reclaim.activations", "pages found in use, made active",
		  false },
		{ "reclaim.wired", "pages that are locked", false },
		{ "reclaim.stuck", "pages that could not leave", false },
	};
	double all = value(text, "reclaim.misses");
	struct grid *grid = grid_open("<><");

	grid_add(grid, "");
	grid_add(grid, "pages");
	grid_add(grid, "");
	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		double n = value(text, row[i].name);

		if (!row[i].always && n <= 0)
			continue;
		grid_add(grid, row[i].label);
		grid_add(grid, number_count(n).text);
		grid_add(grid, number_bar(n, all, 24).text);
	}
	text_grid(text, grid);
}

static void
put_memories(struct text *text)
{
	struct view_table table;

	if (!view_table(text->result, "reclaim.memories", &table) ||
	    !table.n_rows)
		return;
	text_heading(text, "Reclaim by memory");
	text_table(text, &table, text->setup->top);
}

void
text_reclaim(struct text *text)
{
	double references;

	if (!view_value(text->result, "reclaim.references", &references) ||
	    !*option_of(text, "reclaim.policy"))
		return;
	text_heading(text, "Memory pressure");
	put_sentences(text);
	put_oom(text);
	put_counts(text);
	text_say(text,
		 "Pages of files count from their first access on; those that "
		 "a fault maps around it or reads ahead are in the page cache "
		 "of others.");
	put_memories(text);
}
