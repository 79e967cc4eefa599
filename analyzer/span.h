/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sizes of memory as one word of a command line:
 *
 *	64M				one
 *	1M,3M,100p			some
 *	1M..1G x2			from, to and what each is times the one before
 *	1M..1G +32M			from, to and what is added
 *	100 points			so many, wherever they are wanted
 *
 * A range holds both its ends, whatever its step.
 * Each has a unit: K, M, G, T (powers of two; KiB and KB are the same), B for
 * bytes or p for pages.
 */
#ifndef ANALYZER_SPAN_H
#define ANALYZER_SPAN_H

#include "analyzer/base.h"

#define SPAN_MOST 100000u

struct span {
	uint64_t *bytes; /* owned: ascending, each once */
	size_t n;
	size_t points; /* "N points": then there are no bytes */
};

/*
 * page_bytes: what p stands for, and sizes are at least one of; name: how the
 * message calls it ("--sizes").  0, -EUSAGE (said), -ENOMEM (said).
 */
int span_parse(struct span *span, const char *text, uint64_t page_bytes,
	       const char *name);
void span_fini(struct span *span);

#endif
