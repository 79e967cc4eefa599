/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What misses of a memory curve cost: how slow a program gets, how busy the
 * processors stay, alone or with others like it.
 *
 *	processors <---- M processes ----> one device for swap and files
 *	compute until the next fault	   read (and write back) a page
 *
 * A closed network of two stations with exponential times (Gordon, Newell
 * 1967; Buzen 1973): with one processor the same figures as exact mean value
 * analysis (Reiser, Lavenberg 1980).  A process alone waits for each read.
 * The shares of time are those of the kernel's pressure stall information: some
 * (a process at least waits) and full (all of them do).
 */
#ifndef MODELS_PAGING_THRASH_H
#define MODELS_PAGING_THRASH_H

#include "analyzer/base.h"

#define THRASH_PROCESSES 1024u

struct thrash_config {
	double cpu_ns;		  /* time of an access where nothing faults */
	double read_ns, write_ns; /* of a page, from and to the device */
	unsigned processors;
};

/* One process at one size of memory */
struct thrash_load {
	double accesses;
	double faults;	   /* that wait for the device */
	double writebacks; /* of pages that made room */
};

struct thrash {
	double utilisation; /* of the processors */
	double device;	    /* of the device */
	double some, full;  /* shares of time */
	/* Work done in a time, of all together; 1: one process without faults */
	double throughput;
	double slowdown; /* of each; 1: none, as if it were alone */
};

/* So many processes like it, 1 to THRASH_PROCESSES, each with that load. */
void thrash_together(struct thrash *out, const struct thrash_load *load,
		     const struct thrash_config *config, unsigned processes);

#endif
