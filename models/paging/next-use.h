/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When each reference's page is referenced next: what OPT wants to know.  The
 * string is given once from its start, then asked from its start; optionally its
 * page numbers are kept too, for a source that can be read only once.
 *
 *	next_use_add(pages of 0..n-1), ...      next_use_read(0..m-1), ...
 *
 * 4 bytes a reference (8 with the pages), 8 a page.  The former are in memory up
 * to 64 MiB; of a longer string they are in an unlinked file in $TMPDIR (/tmp),
 * mapped, so that the kernel may take their memory back: it then needs that much
 * disk.
 */
#ifndef MODELS_PAGING_NEXT_USE_H
#define MODELS_PAGING_NEXT_USE_H

#include "models/paging/reclaim.h"

struct next_use;

/* 0, -ENOMEM (said) */
int next_use_open(struct next_use **out, bool keep_pages);
void next_use_close(struct next_use *next_use);

/* The next n of the string.  0, -ENOMEM, -errno of the file (said). */
int next_use_add(struct next_use *next_use, const uint32_t *page, uint32_t n);
uint64_t next_use_length(const struct next_use *next_use);

/* Where the pages of references position.. are referenced next, RECLAIM_NEVER
 * if nowhere in what was added.  Returns how many: n, less at the end. */
uint32_t next_use_read(const struct next_use *next_use, uint64_t position,
		       uint32_t n, uint64_t *next);
/* The pages kept, borrowed until the next add. */
const uint32_t *next_use_pages(const struct next_use *next_use,
			       uint64_t position);

#endif
