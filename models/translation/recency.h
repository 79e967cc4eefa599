/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stack of recency-based preloading (Saulsbury, Dahlgren, Stenstrom, ISCA
 * 2000): what left the TLB lies on a stack of its space, the latest on top; a page
 * that misses leaves the stack, and those that lay above and below it, which left
 * the TLB when it did, are wanted next.
 *
 *	top -> page <-> page <-> page ...	by links that a real machine keeps in
 *						the entries of the page table
 *
 * Who changes those links there reads and writes memory; that is not counted.
 */
#ifndef MODELS_TRANSLATION_RECENCY_H
#define MODELS_TRANSLATION_RECENCY_H

#include "analyzer/base.h"
#include "models/paging/hash.h"

#define RECENCY_NEIGHBOURS 2u

struct recency_page {
	uint64_t address;
	uint32_t above, below; /* numbers plus 1; 0: none */
};

struct recency_stack {
	struct hash place; /* page number -> number in page[] */
	uint32_t top;
};

struct recency {
	struct recency_stack *stack; /* owned: [spaces] */
	uint32_t spaces;
	struct recency_page *page; /* owned */
	uint32_t n, room, free;	   /* free: linked by below */
};

/* Zeroed memory is one without any page. */
void recency_fini(struct recency *recency);

/* A page (its first address) left the TLB.  0 or -ENOMEM (unsaid). */
int recency_left(struct recency *recency, uint32_t space, uint64_t address);

/* A page missed: which are wanted, at most RECENCY_NEIGHBOURS; how many. */
unsigned recency_missed(struct recency *recency, uint32_t space,
			uint64_t address, uint64_t *wanted);

#endif
