/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Table pages that are elsewhere than the table thinks: replicated, with a copy
 * on each node, or moved to the node that walks them.  The table knows the page
 * that it was given first; walks are sent to the copy of their node here, so
 * no kind of table need know of it.  Of a guest's table, whose entries have
 * addresses that its host translates, the nested one asks; of all others who sends
 * walks through the caches.
 */
#ifndef MODELS_MEMORY_NUMA_COPIES_H
#define MODELS_MEMORY_NUMA_COPIES_H

#include "analyzer/base.h"
#include "analyzer/result.h"
#include "models/memory/hierarchy.h"

struct numa;
struct numa_copies;

/* A table page whose walks came from another node time and again. */
struct numa_wish {
	uint64_t page;	/* its address, as the table knows it */
	unsigned shift; /* log2 of its bytes */
	uint64_t now;	/* where it is */
	unsigned node;	/* where it is wanted */
};

/* replicated: else they move.  0 or -ENOMEM. */
int numa_copies_open(struct numa_copies **out, const struct numa *numa,
		     bool replicated);
void numa_copies_close(struct numa_copies *copies);
/* log2 of the bytes from the start of one node to that of the next. */
void numa_copies_span(struct numa_copies *copies, unsigned shift);
bool numa_copies_replicated(const struct numa_copies *copies);

/* The 4K at `page` have copies at address[0 .. nodes - 1]; where tables move,
 * they are at address[0], and are part of an aligned page of 2^shift bytes that
 * moves as one.  0 or -ENOMEM. */
int numa_copies_add(struct numa_copies *copies, uint64_t page, unsigned shift,
		    const uint64_t *address);
/* How many frames it has now, in address[]; 0: it is no such page, else it is
 * one no longer. */
unsigned numa_copies_remove(struct numa_copies *copies, uint64_t page,
			    uint64_t *address);

/* Send n references of walks to where their pages are. */
void numa_redirect(struct numa *numa, uint64_t *physical, unsigned n);
/* Where a walk of the running node reads what the table has at this address; and
 * it is counted, if pages move. */
uint64_t numa_copies_read(struct numa_copies *copies, uint64_t physical);

/* The next page that is to be moved; false: none.  Then where it is now. */
bool numa_copies_wish(struct numa_copies *copies, struct numa_wish *wish);
void numa_copies_moved(struct numa_copies *copies, const struct numa_wish *wish,
		       uint64_t address);

/* So many entries of tables were written. */
void numa_copies_written(struct numa_copies *copies, uint64_t entries);

/* numa.tables.*, or numa.host-tables.* */
int numa_copies_finish(const struct numa_copies *copies, bool host,
		       struct result *result);

#endif
