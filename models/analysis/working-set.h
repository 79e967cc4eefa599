/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Working sets (Denning 1968): the pages that the last T accesses touched.
 *
 *	s(T)	their average number over the run, exactly, for all T of a scale
 *		at once: each page adds min(gap, T) for each gap between two
 *		accesses to it and for its last one to the end (Denning, Slutz
 *		1978), over the accesses
 *	m(T)	the share of accesses whose page was not in the set before
 *
 * and how many pages each of some hundred equal windows of the run touched, by
 * group of pages (a mapping each).  Time is the number of the access, from 0.
 */
#ifndef MODELS_ANALYSIS_WORKING_SET_H
#define MODELS_ANALYSIS_WORKING_SET_H

#include "analyzer/base.h"

#define WORKING_SET_GROUPS  64
#define WORKING_SET_WINDOWS 256

struct working_set;

/* A run of references: a page is accessed from its time to that of the next. */
struct working_set_run {
	const uint32_t *page; /* dense numbers */
	const uint64_t *time; /* ascending, from run to run, too */
	uint32_t n;
	const uint8_t *group; /* of each page number, below
			       * WORKING_SET_GROUPS; NULL: all in one */
};

/* 0, -ENOMEM (said). */
int working_set_open(struct working_set **out);
void working_set_close(struct working_set *set);
int working_set_feed(struct working_set *set,
		     const struct working_set_run *run);
/* The run is over after so many accesses; then the following may be asked. */
int working_set_end(struct working_set *set, uint64_t accesses);

/* T of the i-th point of the scale, ascending; 0: there is none: the one before
 * is the length of the run, or more. */
uint64_t working_set_time(const struct working_set *set, unsigned i);
/* s(T), in pages, and m(T) of the i-th point */
double working_set_pages(const struct working_set *set, unsigned i);
double working_set_missing(const struct working_set *set, unsigned i);

/* Accesses in a window, a power of two, and how many windows there are. */
uint64_t working_set_window(const struct working_set *set);
unsigned working_set_windows(const struct working_set *set);
/* Different pages of the group that were accessed in the window. */
uint64_t working_set_touched(const struct working_set *set, unsigned window,
			     unsigned group);

#endif
