/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Automatic NUMA balancing (kernel/sched/fair.c, 6.1): scans mark pages, the
 * next walk to a marked page is a hinting fault, and a page that is seen from
 * another node moves there: at once early in a process's life or where the same
 * thread came before, else when two faults in a row came from that node.
 *
 * Where threads should run is not decided here: they stay as numa.threads says.
 */
#ifndef MODELS_MEMORY_NUMA_HINTS_H
#define MODELS_MEMORY_NUMA_HINTS_H

#include "analyzer/base.h"
#include "analyzer/result.h"

struct numa;
struct numa_hints;

/* A page that is to be moved. */
struct numa_move {
	uint64_t address;
	uint32_t space;
	uint32_t node;
};

/* 0 or -ENOMEM (said). */
int numa_hints_open(struct numa_hints **out, const struct numa *numa);
void numa_hints_close(struct numa_hints *hints);

/* Is a scan of the space due at this time?  If so its bytes, and where in the
 * space it goes on (for the caller to move on), else 0; resident: of it. */
uint64_t numa_hints_due(struct numa_hints *hints, uint32_t space,
			uint64_t time_ns, uint64_t resident_bytes,
			uint64_t **cursor);
/* [start, start + bytes) of the space was scanned. */
int numa_hints_mark(struct numa_hints *hints, uint32_t space, uint64_t start,
		    uint64_t bytes);
/* The scan is done: when is the next? */
void numa_hints_scanned(struct numa_hints *hints, uint32_t space);

/* May a walk to this address be a hinting fault? */
bool numa_hints_pending(const struct numa_hints *hints, uint32_t space,
			uint64_t address);
/* A walk to the page that begins there, of that node, by a thread: counts, and
 * notes the page if it is to be moved.  0 or -ENOMEM. */
int numa_hints_walk(struct numa_hints *hints, uint32_t space, uint64_t page,
		    unsigned page_node, uint32_t thread);
/* The next page to be moved; false: none. */
bool numa_hints_move(struct numa_hints *hints, struct numa_move *move);
/* Whether it was moved. */
void numa_hints_moved(struct numa_hints *hints, bool moved);

/* numa.hints.faults, .local, .remote, .moved, .failed, numa.hints.scans */
int numa_hints_finish(const struct numa_hints *hints, struct result *result);

#endif
