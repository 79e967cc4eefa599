// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Help as plain text of at most 80 columns.
 */
#include "analyzer/page.h"

#include <stdlib.h>
#include <string.h>

enum {
	WIDTH = 80,
	TEXT_COLUMN = 26,
	DEEP_COLUMN = 34
};

/* Print words from `column` on, indenting further lines to `indent`. */
static void
wrap(FILE *file, const char *text, size_t length, size_t column, size_t indent)
{
	const char *end = text + length;
	bool first = true;

	while (text < end) {
		size_t blanks = strspn(text, " \n\t");
		size_t word = strcspn(text + blanks, " \n\t");

		text += blanks;
		if (text >= end)
			break;
		if (text + word > end)
			word = (size_t)(end - text);
		if (!first && column + 1 + word > WIDTH) {
			fprintf(file, "\n%*s", (int)indent, "");
			column = indent;
		} else if (!first) {
			putc(' ', file);
			column++;
		}
		fwrite(text, 1, word, file);
		column += word;
		text += word;
		first = false;
	}
	putc('\n', file);
}

static void
text_begin(struct page *page, const struct verb_ops *verb)
{
	if (verb)
		fprintf(page->file, "usage: pagescope %s %s\n", verb->name,
			verb->arguments ? verb->arguments : "");
	else
		fputs("usage: pagescope VERB [OPTION...] [ARGUMENT...]\n"
		      "       pagescope VERB --help\n"
		      "       pagescope --version\n",
		      page->file);
}

static void
text_heading(struct page *page, const char *text)
{
	fprintf(page->file, "\n%s:\n", text);
}

static void
text_subheading(struct page *page, const char *text)
{
	fprintf(page->file, "\n  %s:\n", text);
}

static void
text_paragraph(struct page *page, const char *text, size_t length)
{
	putc('\n', page->file);
	wrap(page->file, text, length, 0, 0);
}

static void
text_literal(struct page *page, const char *text, size_t length)
{
	fprintf(page->file, "  %.*s\n", (int)length, text);
}

static void
text_item(struct page *page, const struct page_item *item)
{
	size_t column = item->depth ? DEEP_COLUMN : TEXT_COLUMN, used;
	char term[768];

	if (item->key)
		snprintf(term, sizeof(term), "  -%c, ", item->key);
	else
		snprintf(term, sizeof(term), "%*s",
			 item->prefix[0] ? 6
			 : item->depth	 ? 4
					 : 2,
			 "");
	used = strlen(term);
	snprintf(term + used, sizeof(term) - used, "%s%s%.1s%s", item->prefix,
		 item->name, item->argument ? &item->separator : "",
		 item->argument ? item->argument : "");
	used = strlen(term);
	fputs(term, page->file);
	if (used + 2 > column)
		fprintf(page->file, "\n%*s", (int)column, "");
	else
		fprintf(page->file, "%*s", (int)(column - used), "");
	wrap(page->file, item->text, strlen(item->text), column, column);
}

static void
text_end(struct page *page, const struct verb_ops *verb)
{
	(void)page, (void)verb;
}

const struct page_ops page_text_ops = {
	.begin = text_begin,
	.heading = text_heading,
	.subheading = text_subheading,
	.paragraph = text_paragraph,
	.literal = text_literal,
	.item = text_item,
	.end = text_end,
};
