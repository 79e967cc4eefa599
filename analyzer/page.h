/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages of help: what --help and the man page of a verb say, once, from its
 * rows and the registries; a renderer (page-text.c, page-man.c) says how.
 */
#ifndef ANALYZER_PAGE_H
#define ANALYZER_PAGE_H

#include "analyzer/verb.h"

#include <stdio.h>

/* One entry of a registry, whichever it is */
struct page_entry {
	const char *name, *help;
	const struct option_tree *options; /* or NULL */
};

struct page_list {
	unsigned list;	   /* enum verb_list */
	const char *title; /* "Engines" */
	/* "ENGINE": an option of a verb with this list whose argument begins
	 * so takes names of entries; NULL: none does */
	const char *argument;
	const struct page_entry *entry;
	size_t n_entries;
};

struct page {
	const struct page_ops *ops;
	FILE *file;
	const struct page_list *lists; /* of every registry; ends with 0 */
};

/* An option or another named thing to be explained */
struct page_item {
	char key;	      /* or 0 */
	const char *prefix;   /* "--" or "" */
	const char *name;     /* "[no-]follow", "tlb.l1d.entries" */
	const char *argument; /* or NULL */
	char separator;	      /* between name and argument: ' ' or '=' */
	const char *text;
	unsigned depth; /* 0, or 1 below another item */
};

struct page_ops {
	/* verb is NULL on the program's own page */
	void (*begin)(struct page *page, const struct verb_ops *verb);
	void (*heading)(struct page *page, const char *text);
	void (*subheading)(struct page *page, const char *text);
	void (*paragraph)(struct page *page, const char *text, size_t length);
	/* A line to be kept as it is */
	void (*literal)(struct page *page, const char *text, size_t length);
	void (*item)(struct page *page, const struct page_item *item);
	void (*end)(struct page *page, const struct verb_ops *verb);
};

extern const struct page_ops page_text_ops, page_man_ops;

void page_verb(struct page *page, const struct verb_ops *verb);
void page_program(struct page *page);

/* The completion script for bash of all verbs; lists as in a page */
void page_completion(FILE *file, const struct page_list *lists);

#endif
