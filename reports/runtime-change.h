/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a change of walks, cache misses and faults does to a program's runtime.
 *
 *	T = instructions * cpi + overlap * (data + walks) + faults
 *
 * data, walks: cycles as if each waited for the one before; overlap: the part
 * of them that the program really waits for, one figure for both, since both
 * are the same loads.  Where the runtime is known, the overlap follows from
 * it; else it is between what dependent and independent loads were measured to
 * have.  cpi: of all else, between 0.25 and 1.
 *
 * Of a program that was recorded in windows, all but faults is of these alone:
 * it is taken to be the same in the time between them, which is known.
 */
#ifndef REPORTS_RUNTIME_CHANGE_H
#define REPORTS_RUNTIME_CHANGE_H

#include "reports/view.h"

/* What one machine made of the program */
struct runtime_load {
	double instructions;
	double walks;  /* cycles of translation */
	double data;   /* cycles of cache misses; NAN: caches carry no data */
	double faults; /* cycles */
	double small;  /* of these: of faults of 4K */
	double ahead;  /* of cache misses that are fetched ahead: not in data */
};

/* In percent of the runtime, less than 0: faster */
struct runtime_change {
	bool known;
	const char *why; /* not known: why */
	double low, change, high;
};

struct runtime_facts {
	double cycles; /* the runtime with 4K pages; 0: not known */
	double system; /* of it: in the kernel; 0: not known */
	double away;   /* cycles of it that nothing was recorded of */
	double error;  /* that walks and faults may be off, as a part */
	double overlap_low, overlap_high;
	bool partial; /* the trace is of a part of the run */
	double mhz;
};

/* Of a machine's document. */
void runtime_load(struct runtime_load *load, const struct result *machine);
/* ns that a fault takes which brings in 2M, in the middle */
double runtime_huge_fault(const struct result *machine);
/* all: its value runtime.ns, if it is there */
void runtime_facts(struct runtime_facts *facts, const struct result *all,
		   const struct result *machine);
/*
 * Where the kernel's time is known and faults of 4K are most of it, they are all
 * of it: what they take more or less than was measured elsewhere.  1: it is not
 * known, or something else takes it.
 */
double runtime_fault_scale(const struct runtime_facts *facts,
			   const struct runtime_load *now);
/* From the plain machine to the other. */
void runtime_change(struct runtime_change *change,
		    const struct runtime_facts *facts,
		    const struct runtime_load *now,
		    const struct runtime_load *then);
/* The overlap and the runtime in cycles, at the middle. */
double runtime_overlap(const struct runtime_facts *facts,
		       const struct runtime_load *now, double *cycles);

#endif
