/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses made up from a seed, of any length, in constant memory:
 *
 *	PATTERN[,key=value...]		mix,n=20M,pages=262144,seed=1
 *
 * Patterns: sequential, strided, uniform, zipf, chase, hotscan, phases, mix;
 * the keys are rows (generate_options) and the same for all.  The same text
 * gives the same accesses on every machine.
 */
#ifndef TRACES_GENERATE_H
#define TRACES_GENERATE_H

#include "analyzer/option.h"
#include "analyzer/source.h"

struct generate_pattern {
	const char *name;
	const char *help;
};

/* The rows behind the keys, for help; groups of one with prefix "". */
extern const struct option_tree generate_options;

/* The i-th pattern, or NULL behind the last. */
const struct generate_pattern *generate_pattern(size_t i);

/*
 * Open a generator; spec may begin with "generate:".  The first batch begins
 * with the EVENT_MAP of its region.  0, -EINVAL (said), -ENOMEM (said).
 */
int generate_open(struct source **out, const char *spec);

#endif
