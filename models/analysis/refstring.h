/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A string of references that is kept, to be played to policies that look at
 * it more than once, or at many sizes: 4 bytes a reference, in memory and
 * beyond a bound in a temporary file that has no name.
 */
#ifndef MODELS_ANALYSIS_REFSTRING_H
#define MODELS_ANALYSIS_REFSTRING_H

#include "models/paging/reclaim.h"

#define REFSTRING_PAGES (UINT32_C(1) << 31) /* numbers are below it */

struct refstring;

struct refstring_config {
	bool times;	       /* keep the time of each, too */
	uint64_t memory_bytes; /* from here on in a file; 0: 1 GiB */
};

/* 0, -ENOMEM (said). */
int refstring_open(struct refstring **out,
		   const struct refstring_config *config);
void refstring_close(struct refstring *string);

/* Add references; add that a page is given back; that a page has this size
 * from here on.  0, -ENOMEM, -errno of the file (said). */
int refstring_add(struct refstring *string, const struct reclaim_batch *batch);
int refstring_drop(struct refstring *string, uint32_t page);
int refstring_size(struct refstring *string, uint32_t page, uint32_t bytes);

/* Nothing more comes; find the next reference of each, for OPT.  0, -ENOMEM,
 * -errno (said). */
int refstring_find_next(struct refstring *string);

uint64_t refstring_references(const struct refstring *string);

/* Who is played to: references come in runs, between what changes. */
struct refstring_listener {
	void *context;
	int (*feed)(void *context, const struct reclaim_batch *batch);
	void (*drop)(void *context, uint32_t page);
	void (*size)(void *context, uint32_t page, uint32_t bytes);
};

/* Play all of it; any number of threads may.  0, -ENOMEM (said), or what feed
 * returned. */
int refstring_play(const struct refstring *string,
		   const struct refstring_listener *listener);

#endif
