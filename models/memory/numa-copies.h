/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Table pages that are elsewhere than the table thinks: replicated, with a copy
 * on each node, or moved to the node that walks them.  The table knows the page
 * that it was given first; walks are sent to the copy of their node here, so
 * no kind of table need know of it.
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
	uint64_t page; /* its address, as the table knows it */
	uint64_t now;  /* where it is */
	unsigned node; /* where it is wanted */
};

int numa_copies_open(struct numa_copies **out); /* 0 or -ENOMEM */
void numa_copies_close(struct numa_copies *copies);

/* The page at `page` has copies at address[0 .. nodes - 1]; where tables move,
 * it is at address[0].  0 or -ENOMEM. */
int numa_copies_add(struct numa *numa, uint64_t page, const uint64_t *address);
/* How many frames it has now, in address[]; 0: it is no such page, else it is
 * one no longer. */
unsigned numa_copies_remove(struct numa *numa, uint64_t page,
			    uint64_t *address);

/* Send the references of walks in a queue to where their pages are. */
void numa_redirect(struct numa *numa, struct hierarchy_queue *queue);

/* The next page that is to be moved; false: none.  Then where it is now. */
bool numa_copies_wish(struct numa *numa, struct numa_wish *wish);
void numa_copies_moved(struct numa *numa, uint64_t page, uint64_t address);

/* So many entries of tables were written. */
void numa_copies_written(struct numa *numa, uint64_t entries);

/* numa.tables.* */
int numa_copies_finish(const struct numa *numa, struct result *result);

#endif
