/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many pieces of work that know nothing of each other, on several threads.
 */
#ifndef ANALYZER_TASKS_H
#define ANALYZER_TASKS_H

#include "analyzer/base.h"

#include <signal.h>

struct tasks {
	size_t n;
	/* Do number i; 0 or a negative errno (said), after which no more are
	 * begun.  Called from several threads. */
	int (*work)(void *context, size_t i);
	void *context;
	unsigned jobs; /* threads beside the caller's, which works, too */
	const volatile sig_atomic_t *stop; /* begin no more; NULL: nobody */
	/* Called on the caller's thread before each of its own: so many are
	 * done.  May be NULL. */
	void (*tick)(void *context, size_t done);
};

/* 0; the error of the first in order that failed; -EINTR (unsaid): stopped. */
int tasks_run(const struct tasks *tasks);

#endif
