/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command run by itself, unrecorded, for its time: with huge pages or none. */
#ifndef ANALYZER_NATIVE_H
#define ANALYZER_NATIVE_H

#include "analyzer/base.h"

enum native_pages {
	NATIVE_AS_IS,
	NATIVE_NO_HUGE, /* prctl(PR_SET_THP_DISABLE) before it starts */
};

struct native_time {
	double cpu_ns, wall_ns; /* user and system; all its children, too */
	double system_ns;	/* of cpu_ns */
	int status;		/* as wait tells it */
};

/* Run it once; its standard output goes nowhere.  0 or a negative errno (said):
 * it could not be run. */
int native_run(char *const *argv, enum native_pages pages,
	       struct native_time *time);

/* Where the kernel gives huge pages: "always", "madvise", "never"; "" where
 * that is not known. */
void native_huge_mode(char mode[16]);

/*
 * Have the kernel give huge pages to all, until native_huge_back, or until this
 * process is gone, however it ends: a child waits for that.  0 (*guard is to be
 * given back) or a negative errno (said).
 */
int native_huge_always(int *guard);
void native_huge_back(int guard);

#endif
