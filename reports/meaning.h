/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the figures of a result mean.  The words are those of
 * pagescope-result(5), made into a table by build-aux/mkwords.awk; to them
 * comes, by the beginning of a name, how it is counted and what changes it.
 */
#ifndef REPORTS_MEANING_H
#define REPORTS_MEANING_H

#include "analyzer/base.h"

struct meaning_words {
	const char *kind; /* "value", "table" or "column" */
	const char *name; /* words in capitals, and "*", stand for any */
	const char *text;
};

struct meaning_family {
	const char *prefix; /* "tlb." */
	const char
		*options; /* beginnings of their names, with blanks between */
	const char *counted; /* how */
	const char *source;  /* where it comes from: a part, what it follows */
};

/* Generated; ends with a kind of NULL. */
extern const struct meaning_words meaning_words[];

/* The words for this name, the most literal ones; NULL: there are none. */
const struct meaning_words *meaning_find(const char *kind, const char *name);
/* Of a column; "TABLE.column" in the page speaks for all tables. */
const struct meaning_words *meaning_column(const char *table,
					   const char *column);
/* Of the longest prefix; never NULL. */
const struct meaning_family *meaning_family(const char *name);

/* The unit as far as the name tells it; NULL: it does not. */
const char *meaning_unit(const char *name);

#endif
