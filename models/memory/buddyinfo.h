/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's own account of free memory, /proc/buddyinfo or
 * /proc/pagetypeinfo, and its arithmetic on it. */
#ifndef MODELS_MEMORY_BUDDYINFO_H
#define MODELS_MEMORY_BUDDYINFO_H

#include "models/memory/pool.h"

#define BUDDYINFO_NODES 64

struct buddyinfo {
	unsigned nodes;
	/* free blocks by node, type (all movable where the file has none) and
	 * order; zones of a node are added up */
	uint64_t blocks[BUDDYINFO_NODES][POOL_TYPES][POOL_ORDERS];
};

/* 0, -errno or -EINVAL (said). */
int buddyinfo_read(struct buddyinfo *info, const char *path);
/* The kernel's free pages (nr_free_pages) of a node. */
uint64_t buddyinfo_pages(const uint64_t blocks[POOL_ORDERS]);

/*
 * Of mm/vmstat.c, in thousandths.  Fragmentation: would a block of this order
 * that is not to be had be so for lack of memory (towards 0) or for its
 * fragmentation (towards 1000)?  -1000: it is to be had.  Unusable: the share
 * of free memory that is in smaller blocks.
 */
int64_t buddyinfo_fragmentation(const uint64_t blocks[POOL_ORDERS],
				unsigned order);
int64_t buddyinfo_unusable(const uint64_t blocks[POOL_ORDERS], unsigned order);

#endif
