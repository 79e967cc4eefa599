/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a page had at the last look: a table from number to number. */
#ifndef TRACERS_PAGE_KNOWN_H
#define TRACERS_PAGE_KNOWN_H

#include "analyzer/base.h"

struct page_known_slot {
	uint64_t key; /* plus 1; 0: empty */
	uint64_t value;
};

/* Zeroed memory is an empty table. */
struct page_known {
	struct page_known_slot *slot; /* owned */
	size_t n, room;		      /* room: a power of two, or 0 */
};

/* 1: it is new or was another one, 0: it was this, -ENOMEM (unsaid). */
int page_known_put(struct page_known *known, uint64_t key, uint64_t value);
void page_known_fini(struct page_known *known);

#endif
