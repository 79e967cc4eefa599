// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Folded stacks, as flame graphs are made of: a line for each combination of
 * the table who.stacks, its frames joined by semicolons, and a count:
 *
 *	sqlite3 (7);thread 7;main;shell_exec;sqlite3BtreeIndexMoveto 1204
 */
#include "analyzer/fail.h"
#include "reports/renderer.h"
#include "reports/view.h"

#include <string.h>

#define WEIGHT "walk_cycles"

/* Frames hold no line ends, and stacks are all that is joined. */
static void
put_frame(const char *text, const char **before, FILE *file)
{
	if (!*text)
		return;
	fputs(*before, file);
	for (; *text; text++)
		putc(*text == '\n' || *text == '\r' ? ' ' : *text, file);
	*before = ";";
}

static void
put_row(const struct view_table *stacks, size_t i, int weight, FILE *file)
{
	static const char *const columns[] = { "process", "thread", "mapping",
					       "stack",	  "line",   "object" };
	uint64_t n = view_address(stacks, i, weight);
	const char *before = "";

	if (!n)
		return;
	for (size_t j = 0; j < ARRAY_SIZE(columns); j++) {
		const char *text =
			view_text(stacks, i, view_column(stacks, columns[j]));
		char thread[80];

		if (j == 1 && *text) {
			snprintf(thread, sizeof(thread), "thread %s", text);
			text = thread;
		}
		put_frame(text, &before, file);
	}
	fprintf(file, " %ju\n", (uintmax_t)n);
}

static int
folded_render(const struct result *result, const struct render_setup *setup,
	      FILE *file)
{
	const char *name = setup->weight ? setup->weight : WEIGHT;
	struct view_table stacks;
	int weight;

	if (!view_table(result, "who.stacks", &stacks))
		return fail(EINVAL,
			    "report: this result has no stacks: replay with "
			    "--by path,function (or other words of --by)");
	weight = view_column(&stacks, name);
	if (weight < view_column(&stacks, "l1d_misses") ||
	    !strcmp(name, "share"))
		return fail(EINVAL,
			    "report: no weight \"%s\"; there are l1d_misses, "
			    "l1i_misses, l2_misses, walks, walk_cycles, "
			    "faults_minor, faults_major",
			    name);
	if (!strstr(view_string(result, "who.by"), "path"))
		note("without call paths (replay --by path): a stack is its "
		     "process, thread, and what else --by told apart");
	for (size_t i = 0; i < stacks.n_rows; i++)
		put_row(&stacks, i, weight, file);
	return 0;
}

const struct renderer_ops folded_renderer = {
	.name = "folded",
	.help = "stacks and what their walks cost (--weight), one a line, for "
		"flame graphs",
	.render = folded_render,
};
