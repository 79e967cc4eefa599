/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The batches of a recording's engines as one source, in order of time.
 */
#ifndef TRACERS_MERGE_H
#define TRACERS_MERGE_H

#include "tracers/tracer.h"

struct merge_setup {
	struct tracer *main;	    /* blocks until it has a batch */
	struct tracer **companions; /* return 0 when they have none now */
	size_t n_companions;
	/* Accesses (not events) before this time are dropped; 0: none. */
	uint64_t start_ns;
	/* When this is set the tracers let go, and are read to their end. */
	const volatile sig_atomic_t *stop;
};

/* The tracers stay the caller's.  0 or -ENOMEM (said). */
int merge_open(struct source **out, const struct merge_setup *setup,
	       struct stream *stream);

/* The tracers were made to let go, before their targets ended. */
bool merge_stopped(const struct source *merge);

#endif
