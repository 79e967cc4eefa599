// SPDX-License-Identifier: GPL-2.0-or-later
/* What translation takes at worst in a region, locked or not, beside what it
 * took. */
#include "reports/number.h"
#include "reports/text-report.h"

#include <string.h>

static double
value(const struct text *text, const char *name)
{
	return view_or_zero(text->result, name);
}

static const char *
region(const struct text *text)
{
	const json_t *document =
		result_json((struct result *)(uintptr_t)text->result);
	const char *name = json_string_value(
		json_object_get(json_object_get(document, "options"),
				"bound.region"));

	return name && *name ? name : "?";
}

static void
put_sentences(struct text *text)
{
	double bound = value(text, "bound.cycles");
	double observed = value(text, "bound.observed.cycles");
	const char *where = region(text);
	bool all = strcmp(where, "all") == 0;

	text_say(text, "In %s%s, %s (one for each page of an access) %s %s.",
		 all ? "the whole run" : "the region ", all ? "" : where,
		 number_of(value(text, "bound.lookups"), "lookup").text,
		 value(text, "bound.lookups") == 1 ? "goes to" : "go to",
		 number_of(value(text, "bound.pages"), "page").text);
	text_say(text,
		 strcmp(view_string(text->result, "bound.fits"), "yes") == 0
			 ? "All pages of the run fit into the sets of the last "
			   "TLB at once, so a page walks once, and again only "
			   "after it was flushed."
			 : "The pages of the run do not all fit into the sets "
			   "of the last TLB at once, so any lookup may walk.");
	text_say(text,
		 "A walk takes %s cycles at most, with none of its entries in "
		 "a cache.",
		 number_count(value(text, "bound.walk.cycles")).text);
	if (observed > 0)
		text_say(text, "The bound is %s times what was observed.",
			 number_real(bound / observed).text);
}

static void
put_row(const struct text *text, struct grid *grid, const char *label,
	const char *const name[3]) /* NULL: 0, "": not told */
{
	grid_add(grid, label);
	for (int i = 0; i < 3; i++)
		grid_add(grid,
			 name[i] && !*name[i]
				 ? "-"
				 : number_count(name[i] ? value(text, name[i])
							: 0)
					   .text);
}

void
text_bound(struct text *text)
{
	static const char *const heads[] = { "", "walks", "page faults",
					     "cycles" };
	struct grid *grid;
	double bound;

	if (!view_value(text->result, "bound.cycles", &bound))
		return;
	text_heading(text, "The worst case of translation");
	put_sentences(text);
	grid = grid_open("<>>>");
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		grid_add(grid, heads[i]);
	put_row(text, grid, "at most, memory locked (mlock)",
		(const char *const[]){ "bound.walks", NULL, "bound.cycles" });
	put_row(text, grid, "at most, memory not locked",
		(const char *const[]){ "bound.walks", "bound.faults",
				       "bound.cycles.unlocked" });
	put_row(text, grid, "observed, page faults left out",
		(const char *const[]){ "bound.observed.walks", "",
				       "bound.observed.cycles" });
	text_grid(text, grid);
}
