/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The record of a system call made in the cache, as events. */
#ifndef TRACERS_CACHE_KERNEL_H
#define TRACERS_CACHE_KERNEL_H

#include "analyzer/batch.h"

#define KERNEL_EVENTS 8

struct cache_kernel {
	struct event event[KERNEL_EVENTS];
	unsigned n, done;
	bool begun;
};

/* Append its kernel accesses.  0: done; 1: the batch is full, call again. */
int kernel_append(struct cache_kernel *kernel, const uint64_t *record,
		  uint64_t time_ns, struct batch *batch);

#endif
