// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Help as the source of a man page (man macros).  Every character that troff
 * would take for its own is escaped.
 */
#include "analyzer/page.h"

#include <ctype.h>
#include <string.h>

static void
roff(FILE *file, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		switch (text[i]) {
		case '\\':
			fputs("\\e", file);
			break;
		case '-':
			fputs("\\-", file);
			break;
		case '|':
			/* long lists of choices may be broken there */
			fputs("|\\:", file);
			break;
		case '.':
		case '\'':
			/* would be a request at the start of a line */
			fputs(i == 0 || text[i - 1] == '\n' ? "\\&" : "", file);
			putc(text[i], file);
			break;
		case '\n':
			/* a line must not begin with a blank */
			putc('\n', file);
			while (i + 1 < length && text[i + 1] == ' ')
				i++;
			break;
		default:
			putc(text[i], file);
		}
}

static void
roff_text(FILE *file, const char *text)
{
	roff(file, text, strlen(text));
}

static void
man_heading(struct page *page, const char *text)
{
	fputs(".SH ", page->file);
	for (; *text; text++)
		putc(toupper((unsigned char)*text), page->file);
	putc('\n', page->file);
}

static void
man_begin(struct page *page, const struct verb_ops *verb)
{
	FILE *file = page->file;

	fputs(".TH PAGESCOPE", file);
	if (verb) {
		putc('-', file);
		for (const char *c = verb->name; *c; c++)
			putc(toupper((unsigned char)*c), file);
	}
	/* Not adjusted: a line of one long word of choices cannot be */
	fputs(" 1 \"\" \"" PACKAGE_STRING "\" \"User Commands\"\n.ad l\n",
	      file);
	man_heading(page, "name");
	fprintf(file, "pagescope%s%s \\- ", verb ? "\\-" : "",
		verb ? verb->name : "");
	roff_text(file,
		  verb ? verb->help
		       : "where address translation and paging time goes");
	fputs("\n", file);
	man_heading(page, "synopsis");
	if (verb) {
		fprintf(file, ".B pagescope %s\n", verb->name);
		roff_text(file, verb->arguments ? verb->arguments : "");
		putc('\n', file);
	} else {
		fputs(".B pagescope\n.I VERB\n[\\fIOPTION\\fR...] "
		      "[\\fIARGUMENT\\fR...]\n.br\n.B pagescope\n.I VERB\n"
		      ".B \\-\\-help\n.br\n.B pagescope \\-\\-version\n",
		      file);
	}
	man_heading(page, "description");
}

static void
man_subheading(struct page *page, const char *text)
{
	fputs(".SS ", page->file);
	roff_text(page->file, text);
	putc('\n', page->file);
}

static void
man_paragraph(struct page *page, const char *text, size_t length)
{
	fputs(".PP\n", page->file);
	roff(page->file, text, length);
	putc('\n', page->file);
}

static void
man_literal(struct page *page, const char *text, size_t length)
{
	fputs(".RS 4\n.nf\n", page->file);
	roff(page->file, text, length);
	fputs("\n.fi\n.RE\n", page->file);
}

/* A long list of choices may break behind each. */
static void
man_argument(FILE *file, const char *text)
{
	const char *bar;

	while ((bar = strchr(text, '|'))) {
		roff(file, text, (size_t)(bar + 1 - text));
		fputs("\\:", file);
		text = bar + 1;
	}
	roff_text(file, text);
}

static void
man_item(struct page *page, const struct page_item *item)
{
	FILE *file = page->file;

	if (item->depth)
		fputs(".RS\n", file);
	fputs(".TP\n", file);
	if (item->key)
		fprintf(file, "\\fB\\-%c\\fR, ", item->key);
	fputs("\\fB", file);
	roff_text(file, item->prefix);
	roff_text(file, item->name);
	fputs("\\fR", file);
	if (item->argument) {
		fprintf(file, "%c\\fI", item->separator);
		man_argument(file, item->argument);
		fputs("\\fR", file);
	}
	putc('\n', file);
	roff_text(file, item->text);
	putc('\n', file);
	if (item->depth)
		fputs(".RE\n", file);
}

static void
man_end(struct page *page, const struct verb_ops *verb)
{
	man_heading(page, "see also");
	if (verb)
		fputs(".BR pagescope (1)", page->file);
	for (size_t i = 0; verb_registry[i]; i++)
		if (verb_registry[i] != verb)
			fprintf(page->file, "%s.BR pagescope\\-%s (1)",
				verb || i ? ",\n" : "", verb_registry[i]->name);
	putc('\n', page->file);
}

const struct page_ops page_man_ops = {
	.begin = man_begin,
	.heading = man_heading,
	.subheading = man_subheading,
	.paragraph = man_paragraph,
	.literal = man_literal,
	.item = man_item,
	.end = man_end,
};
