/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The run loop: one source, decoded once, fed to any number of models.  The
 * source runs on the caller's thread; batches go through a ring that all
 * models read, on `jobs` threads; results do not depend on their number.
 */
#ifndef ANALYZER_RUN_H
#define ANALYZER_RUN_H

#include "analyzer/model.h"
#include "analyzer/source.h"

#include <signal.h>

struct run {
	struct source *source;
	struct model **models;
	size_t n_models;
	unsigned jobs; /* threads for models beside the source's; 0: none */
	/* Set by a signal handler: finish what is there.  May be NULL. */
	const volatile sig_atomic_t *stop;
	/* A live source: on stop it lets its targets go and is read to its end,
	 * instead of being left where it is. */
	bool drain;
	/* Called after each batch on the source's thread, or NULL: progress */
	void (*tick)(struct run *run);
	void *tick_context;
	uint64_t max_accesses; /* end after so many, 0: no bound */

	/* out */
	uint64_t accesses, batches;
	bool stopped; /* ended early by stop or max_accesses */
};

/* 0, or the first negative errno (said). Does not finish or close models. */
int run_feed(struct run *run);

#endif
