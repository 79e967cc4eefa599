/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel itself counts of a process and of the host, read from /proc
 * and /sys: the truth that `validate` holds a replay against.  Each value has a
 * dotted name, from where it was read and the kernel's own word:
 *
 *	stat.minflt stat.majflt          /proc/PID/stat, of all its threads
 *	status.VmPTE status.VmRSS ...    /proc/PID/status
 *	smaps.Pss smaps.AnonHugePages    /proc/PID/smaps_rollup
 *	ksm_stat.ksm_merging_pages ...   /proc/PID/ksm_stat
 *	oom.score_adj                    /proc/PID/oom_score_adj, signed, if not 0
 *	vmstat.pgfault ...               /proc/vmstat           (of the host)
 *	memory.stat.rss ...              of the process's group (of the host)
 *	ksm.pages_shared ...             /sys/kernel/mm/ksm     (of the host)
 *	zram0.orig_data_size ...         /sys/block/zram0       (of the host)
 *
 * Sizes are in bytes.  Allocates nothing and takes no lock: the guardian of
 * the cache engine reads with it.
 */
#ifndef TRACERS_KERNEL_COUNTS_H
#define TRACERS_KERNEL_COUNTS_H

#include "analyzer/base.h"

#include <sys/types.h>

struct kernel_count {
	const char *name; /* good until the call returns */
	uint64_t value;
	uint64_t own;	/* of it, the recorder's: what it put into the target */
	bool disturbed; /* it has some, and how much is not known */
	bool codeless;	/* faults: without those on code */
};

/* The recorder's own part of a process; zeroed: none. */
struct kernel_own {
	bool any;
	uint64_t smaps[32]; /* by the words of smaps, in kernel-counts.c */
	uint64_t table_bytes;
};

struct kernel_counts {
	void *context;
	void (*tell)(void *context, const struct kernel_count *count);
	/* Is this address of the process the recorder's?  NULL: none is. */
	bool (*owns)(void *context, uint64_t address);
	bool disturbed; /* the recorder runs in the process (valgrind) */
	/* The recorder reads the code that is to run, and so takes the faults on
	 * its pages before the program can; or reads more than that */
	bool reads_code, reads_ahead;
};

/* All of a process; nothing of one that is no more. */
void kernel_counts_process(pid_t pid, const struct kernel_counts *counts);
/* All of the host, and of the memory group that the process is in; zeros are
 * left out. */
void kernel_counts_host(pid_t pid, const struct kernel_counts *counts);

#endif
