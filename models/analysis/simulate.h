/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Replacement policies at many sizes of memory, each simulated for itself over
 * one kept string of references, several at a time.
 */
#ifndef MODELS_ANALYSIS_SIMULATE_H
#define MODELS_ANALYSIS_SIMULATE_H

#include "analyzer/tasks.h"
#include "models/analysis/refstring.h"

struct simulation {
	struct reclaim_config config; /* policy, capacity; not its size */
	struct reclaim_counts counts; /* out */
};

struct simulate {
	const struct refstring *string;
	bool sizes; /* capacities are bytes of objects that have sizes */
	struct simulation *simulation;
	size_t n;
	unsigned jobs;			   /* threads beside the caller's */
	const volatile sig_atomic_t *stop; /* NULL: nobody stops it */
	void (*tick)(void *context, size_t done); /* as in tasks.h, or NULL */
	void *tick_context;
};

/* 0, -EINTR (unsaid: stopped), or the policy's error (said). */
int simulate_run(struct simulate *simulate);

#endif
