/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A made-up trace of many processes that fork, share, copy, map, protect, give
 * back and end, as a source: the same for the same seed.  For tests that want a
 * trace which asks much of the kernel part and of every kind of page table.
 */
#ifndef TESTS_FORK_SOURCE_H
#define TESTS_FORK_SOURCE_H

#include "analyzer/source.h"

/* batches: how many, each of some hundred accesses of one process.  0 or
 * -ENOMEM. */
int fork_source_open(struct source **out, uint64_t seed, unsigned batches);

#endif
