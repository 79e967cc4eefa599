// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a page of help says.  There is no second list of anything: verbs come
 * from the registry, options from rows, engines, formats, machines and page
 * tables from theirs.
 */
#include "analyzer/page.h"

#include <stdarg.h>
#include <string.h>

struct item_context {
	struct page *page;
	const char *prefix;
	char separator;
	unsigned depth;
};

/* Paragraphs with empty lines between them; indented lines stay lines. */
static void
prose(struct page *page, const char *text)
{
	while (*text) {
		size_t line = strcspn(text, "\n"), length = line;

		if (!line) {
			text++;
			continue;
		}
		if (*text == ' ' || *text == '\t') {
			page->ops->literal(page, text, line);
			text += line;
			continue;
		}
		/* more lines of the same paragraph */
		while (text[length] == '\n' && text[length + 1] &&
		       !strchr("\n \t", text[length + 1]))
			length += 1 + strcspn(text + length + 1, "\n");
		page->ops->paragraph(page, text, length);
		text += length;
	}
}

PRINTF_LIKE(3, 4)
static void
append(char *text, size_t text_bytes, const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, text_bytes - used, format, args);
	va_end(args);
}

/* "how many (entries, default 64)" */
static void
describe(const struct option_row *row, char *text, size_t text_bytes)
{
	const char *open = " (", *close = "";

	snprintf(text, text_bytes, "%s", row->help ? row->help : "");
	if (row->unit) {
		append(text, text_bytes, "%s%s", open, row->unit);
		open = ", ";
		close = ")";
	}
	if (row->type == OPTION_LIST && !strstr(text, "repeated")) {
		append(text, text_bytes, "%smay be repeated", open);
		open = ", ";
		close = ")";
	}
	if (row->fallback && *row->fallback) {
		const char *value = row->fallback;

		if (row->type == OPTION_BOOL)
			value = !strcmp(value, "true")	  ? "yes"
				: !strcmp(value, "false") ? "no"
							  : value;
		append(text, text_bytes, "%sdefault %s", open, value);
		close = ")";
	}
	append(text, text_bytes, "%s", close);
}

static int
option_item(void *context, const char *name, const struct option_row *row,
	    const void *struct_start)
{
	const struct item_context *items = context;
	bool is_switch = row->type == OPTION_BOOL && items->prefix[0];
	char text[1024], domain[512], shown[160];
	struct page_item item = {
		.key = items->prefix[0] ? row->key : '\0',
		.prefix = items->prefix,
		.name = shown,
		.argument = is_switch ? NULL : domain,
		.separator = items->separator,
		.text = text,
		.depth = items->depth,
	};

	(void)struct_start;
	option_domain(row, domain, sizeof(domain));
	describe(row, text, sizeof(text));
	if (!is_switch)
		snprintf(shown, sizeof(shown), "%s", name);
	else
		snprintf(shown, sizeof(shown), "[no-]%s",
			 strncmp(name, "no-", 3) ? name : name + 3);
	/* "--[no-]follow" would hide which one the row is about. */
	if (is_switch && !strncmp(name, "no-", 3))
		snprintf(shown, sizeof(shown), "%s", name);
	items->page->ops->item(items->page, &item);
	return 0;
}

static void
option_items(struct page *page, const struct option_tree *tree,
	     struct item_context *context)
{
	const struct option_group *group;
	const char *before = "";

	for (group = tree->groups; group->rows; group++) {
		const struct option_group one[2] = { *group };
		const struct option_tree alone = { one, tree->config_bytes };

		/* one part of the tree may come from two groups */
		if (group->help && tree->groups[1].rows &&
		    strcmp(group->help, before) != 0)
			page->ops->subheading(page, group->help);
		before = group->help ? group->help : "";
		option_each(&alone, NULL, option_item, context);
	}
}

static void
list_items(struct page *page, const struct page_list *list)
{
	struct item_context options = { page, "", '=', 1 };

	page->ops->heading(page, list->title);
	for (size_t i = 0; i < list->n_entries; i++) {
		const struct page_entry *entry = &list->entry[i];
		const struct page_item item = { .prefix = "",
						.name = entry->name,
						.text = entry->help };

		page->ops->item(page, &item);
		if (entry->options)
			option_items(page, entry->options, &options);
	}
}

static void
examples(struct page *page, const char *text)
{
	page->ops->heading(page, "Examples");
	while (*text) {
		size_t length = strcspn(text, "\n");

		page->ops->literal(page, text, length);
		text += length;
		text += *text == '\n';
	}
}

static void
lists(struct page *page, unsigned wanted)
{
	for (const struct page_list *list = page->lists; list->list; list++)
		if ((wanted & list->list) && list->n_entries)
			list_items(page, list);
}

void
page_verb(struct page *page, const struct verb_ops *verb)
{
	static const struct page_item help = {
		.key = 'h', .prefix = "--", .name = "help", .text = "show this"
	};
	struct item_context options = { page, "--", ' ', 0 };

	page->ops->begin(page, verb);
	prose(page, verb->details ? verb->details : verb->help);
	page->ops->heading(page, "Options");
	if (verb->options)
		option_items(page, verb->options, &options);
	page->ops->item(page, &help);
	lists(page, verb->lists);
	if (verb->examples)
		examples(page, verb->examples);
	page->ops->end(page, verb);
}

static const struct page_item statuses[] = {
	{ .prefix = "", .name = "0", .text = "done" },
	{ .prefix = "", .name = "2", .text = "the command line is wrong" },
	{ .prefix = "",
	  .name = "3",
	  .text = "done, but the result covers only part of what was asked" },
	{ .prefix = "",
	  .name = "125",
	  .text = "pagescope itself failed, as it said on standard error" },
	{ .prefix = "",
	  .name = "126, 127",
	  .text = "the command could not be executed, was not found" },
	{ .prefix = "",
	  .name = "other",
	  .text = "that of the recorded command; 128+N: it died of signal N" },
};

static const char program_text[] =
	"pagescope tells where a program's address translation and paging time "
	"goes, and what another TLB, page table, page size or memory would "
	"change.  It records every access and fault of an unmodified program "
	"into a small trace, replays the trace through models of machines, and "
	"writes reports and plots.\n"
	"\n"
	"Options may be given as --option VALUE or --option=VALUE, and by any "
	"unique beginning; --no-x turns --x off; -- ends the options.  Sizes "
	"take K, M, G and T, powers of two; times take ns, us, ms, s, m and h.\n"
	"\n"
	"The first Ctrl-C (or SIGTERM) ends the work early and keeps what is "
	"there; the second one aborts.  Progress is shown on standard error "
	"where that is a terminal.  NO_COLOR in the environment turns colours "
	"off.";

static const char program_examples[] =
	"pagescope check\n"
	"pagescope record -o gzip.pst -- gzip -9 -k -f FILE\n"
	"pagescope replay gzip.pst --cpu skylake-sp -o gzip.json\n"
	"pagescope report gzip.json\n";

void
page_program(struct page *page)
{
	page->ops->begin(page, NULL);
	prose(page, program_text);
	lists(page, LIST_VERBS);
	page->ops->heading(page, "Exit status");
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		page->ops->item(page, &statuses[i]);
	examples(page, program_examples);
	page->ops->end(page, NULL);
}
