/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * LRU's curve by who makes the references: each thread, process, mapping or site
 * (an instruction's operand) has a curve of its own, in one pass.
 *
 * Together: all share one memory, and a group's curve is of its references that
 * miss there; at each size the groups sum up to the curve of all.  Alone: each
 * has a memory of its own, in which nobody else's pages are.
 */
#ifndef MODELS_ANALYSIS_CURVE_BY_H
#define MODELS_ANALYSIS_CURVE_BY_H

#include "analyzer/model.h"

enum curve_by {
	CURVE_BY_NOTHING,
	CURVE_BY_THREAD,
	CURVE_BY_PROCESS,
	CURVE_BY_MAPPING,
	CURVE_BY_SITE,
};

struct curve_by_config {
	unsigned shift;
	bool fetches;
	enum curve_by by;
	bool alone; /* not of sites */
	/* Sizes in pages, ascending, at which misses will be asked for;
	 * borrowed; n = 0: ends of bins (octaves.h) */
	const uint64_t *size;
	size_t n;
};

/* The stream and sizes outlive it.  0, -ENOMEM (said). */
int curve_by_open(struct model **out, const struct curve_by_config *config,
		  const struct stream *stream);

/* Groups are numbered from 0: a thread or site (index) of the stream, a
 * process in the order of its first reference, a mapping's name. */
size_t curve_by_groups(const struct model *model);
uint64_t curve_by_references(const struct model *model, size_t group);
/* A process: its pid */
uint32_t curve_by_pid(const struct model *model, size_t group);
/* A mapping: its name.  Borrowed. */
const char *curve_by_name(const struct model *model, size_t group);
/* Pages at once, at most: of all, or of a group alone. */
uint64_t curve_by_peak(const struct model *model, size_t group);
/* Misses of a group in memory of the i-th size (or end of bin i). */
uint64_t curve_by_misses(const struct model *model, size_t group, size_t i);

#endif
