/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each 2 MiB of a program with 4K pages and with huge ones, and what to advise
 * the kernel about it.
 */
#ifndef REPORTS_HUGE_REGIONS_H
#define REPORTS_HUGE_REGIONS_H

#include "reports/runtime-change.h"

enum huge_advice {
	HUGE_NONE,  /* no huge page comes there, or it changes nothing */
	HUGE_YES,   /* MADV_HUGEPAGE */
	HUGE_NO,    /* MADV_NOHUGEPAGE: it costs more than it saves */
	HUGE_SPARSE /* the same: too little of it is used */
};

struct huge_region {
	uint32_t space;
	uint64_t process, start, end;
	const char *mapping; /* borrowed */
	double touched;	     /* 4K pages */
	double walks, walks_huge, cycles, cycles_huge;
	double faults, faults_huge, large; /* large: of faults_huge */
	double saved; /* cycles of the program, at the middle */
	enum huge_advice advice;
};

struct huge_regions {
	struct huge_region *region; /* owned: by space and address */
	size_t n;
};

struct huge_costs {
	double overlap;		  /* of walk cycles */
	double fault, huge_fault; /* cycles */
};

/* plain, huge: documents that have the table regions.2m, and outlive this. 0,
 * -ENOMEM (unsaid). */
int huge_regions_open(struct huge_regions *regions, const struct result *plain,
		      const struct result *huge,
		      const struct huge_costs *costs);
void huge_regions_close(struct huge_regions *regions);

/* Bytes that huge pages take there and nobody touches */
double huge_region_bloat(const struct huge_region *region);
/* Are both of one mapping and one advice, without a gap? */
bool huge_region_joins(const struct huge_region *a,
		       const struct huge_region *b);

#endif
