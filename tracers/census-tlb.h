/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLB misses and walks of each process between looks, where the processor's
 * counters can be had: a process is counted from the look that first asks for
 * it until one that does not.
 */
#ifndef TRACERS_CENSUS_TLB_H
#define TRACERS_CENSUS_TLB_H

#include "tracers/census.h"
#include "tracers/count-plan.h"

struct census_tlb;

/* The plan is borrowed; kernel NULL: Linux.  0 or -ENOMEM (said) */
int census_tlb_open(struct census_tlb **out, const struct count_plan *plan,
		    const struct counting_kernel *kernel);
void census_tlb_close(struct census_tlb *tlb);

/* Fill in the row's figures since the look before; nothing where it is the
 * first, or where the process cannot be counted. */
void census_tlb_row(struct census_tlb *tlb, struct census_row *row);
/* The look is over: those that were not asked for are counted no more. */
void census_tlb_end(struct census_tlb *tlb);

/* Which metric of the counters a figure is, or NULL */
const char *census_tlb_metric(enum census_figure figure);

#endif
