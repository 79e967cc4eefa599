/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verdicts: what results answer to a question, in one word, with the runtime
 * change to expect and the reason; and the topics that make them.
 *
 *	trace -> machines that the topics ask for -> document of all of them
 *	      -> judge, a topic each -> table `verdicts` -> text
 *
 * A topic is a file topic-NAME.c, registered from TOPICS in Makefile.am.
 */
#ifndef REPORTS_VERDICT_H
#define REPORTS_VERDICT_H

#include "reports/runtime-change.h"
#include "reports/text-report.h"

/* The machine of every document, its first: the user's, with 4K pages */
#define VERDICT_PLAIN NULL

enum verdict_word {
	VERDICT_NO,
	VERDICT_YES,
	VERDICT_UNKNOWN,
};

struct verdict {
	const char *topic;
	enum verdict_word word;
	struct runtime_change change; /* if the answer is followed */
	char reason[1024];
	char advice[512]; /* what to do, or what to record; or "" */
};

struct topic_ops {
	const char *name;     /* "huge-pages" */
	const char *question; /* "Will huge pages help?" */
	const char *help;     /* one line, for lists */
	/* "LABEL=:OPTION=VALUE,..." each, beside the plain one; an option's value
	 * that ends in x is so many times the plain machine's.  NULL: none */
	const char *const *machines;
	bool curve; /* wants the memory curve of the trace, too */
	bool data;  /* says nothing unless caches carry data */
	bool lean;  /* quick enough for `run` */
	/* Verdict and tables of its own into `out`, which may be `all`.  0 or
	 * -ENOMEM (unsaid). */
	int (*judge)(const struct result *all, struct result *out);
	/* More than the verdict; NULL: nothing */
	void (*say)(struct text *text);
};

/* Generated from TOPICS in Makefile.am; ends with NULL. */
extern const struct topic_ops *const topic_registry[];

/* The machine of this label, to be closed; NULL: the document has none, or no
 * memory. */
struct result *verdict_machine(const struct result *all, const char *label);

/* Judge by the topics [0..n), whose verdicts replace those that are there. 0 or
 * -ENOMEM (said). */
int verdicts_judge(struct result *all, const struct topic_ops *const *topic,
		   size_t n);
/* One more row; for topics.  0 or -ENOMEM. */
int verdict_add(struct result *out, const struct verdict *verdict);
/* "can't tell", as machines are missing in the document: what makes them. */
int verdict_missing(struct result *out, const char *topic);

/*
 * By the change alone: yes where it is sure to save, no where it can do
 * little or costs; else unknown.  percent: what is little.
 */
enum verdict_word verdict_of(const struct runtime_change *change,
			     double percent);

/* "4.2 % faster (2 % to 7 %)", "1 % slower (0 % to 3 %)" */
void verdict_change_words(const struct runtime_change *change, char *text,
			  size_t bytes);

/*
 * The table huge.ranges as lines: process, address, length, advice, offset in
 * the first range of its mapping, mapping.  "-": standard output.  0, or a
 * negative errno (said).
 */
int verdict_ranges(const struct result *result, const char *path);

/* All verdicts of a document, alone.  0 or -ENOMEM (said). */
int verdicts_print(const struct result *result,
		   const struct render_setup *setup, FILE *file);

#endif
