/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks at processes, or their threads, as the kernel counts them: faults and
 * processor time since the look before, memory now.  From /proc:
 *
 *	PID/stat, PID/task/TID/stat	faults, time
 *	PID/status			resident, swapped, page tables
 *	PID/smaps_rollup		huge pages, what was referenced: slow for
 *					large processes, hence census_detail
 *	PID/clear_refs			begins what is referenced anew
 */
#ifndef TRACERS_CENSUS_H
#define TRACERS_CENSUS_H

#include "analyzer/base.h"

#include <sys/types.h>

enum census_figure {
	CENSUS_MINOR, /* since the look before: these five */
	CENSUS_MAJOR,
	CENSUS_CPU, /* clock ticks until a look's end, then ns */
	CENSUS_RSS, /* bytes */
	CENSUS_TABLES,
	CENSUS_SWAP,
	CENSUS_HUGE, /* census_detail */
	CENSUS_REFERENCED,
	/* census-tlb.h, since the look before */
	CENSUS_L1_MISSES,
	CENSUS_L2_MISSES,
	CENSUS_WALK_CYCLES,
	CENSUS_DTLB_MISSES,
	CENSUS_ITLB_MISSES,
	CENSUS_FIGURES,
};

struct census_row {
	pid_t pid, tid, parent; /* tid: pid, where processes are looked at */
	uint64_t start;		/* ticks after boot: tells reused numbers */
	char name[32];
	bool kernel, ended, fresh; /* fresh: it began after the look before */
	bool cleared;		   /* at the look before: CENSUS_REFERENCED */
	bool refused;		   /* its details are of another user */
	unsigned known;		   /* bit 1 << enum census_figure */
	uint64_t value[CENSUS_FIGURES];
};

struct census_setup {
	const char *proc; /* "/proc"; tests have their own */
	pid_t root;	  /* only it and its descendants; 0: all processes */
	bool threads;
	bool referenced; /* look at what is touched between looks */
};

struct census;

/* The memory of the whole host; what is not known is UINT64_MAX. */
struct census_host {
	uint64_t total, available, swap, swap_used, huge, tables; /* bytes */
	/* All that some, or all, tasks waited for memory, since boot */
	uint64_t some_us, full_us;
};

/* 0 or -ENOMEM (said) */
int census_open(struct census **out, const struct census_setup *setup);
void census_close(struct census *census);
/* From the next look on. */
void census_threads(struct census *census, bool threads);

/*
 * Look: rows by pid and tid.  Of the first look the first figures are those
 * since the processes' beginning.  0 or -errno (said)
 */
int census_look(struct census *census);
/* Those of the last look; borrowed until the next one. */
struct census_row *census_rows(struct census *census, size_t *n);
/* Fill in what takes long; and begin anew what is referenced until the next
 * look, if that is wanted. */
void census_detail(struct census *census, struct census_row *row);

/* May there be a figure of this row, and it is in value? */
static inline bool
census_knows(const struct census_row *row, enum census_figure figure)
{
	return row->known & 1u << figure;
}

void census_host(const char *proc, struct census_host *host);

#endif
