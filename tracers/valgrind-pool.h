/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The consumer's side of the ring that the Valgrind tools of all traced
 * processes write to (tracers/valgrind/ring.h).
 */
#ifndef TRACERS_VALGRIND_POOL_H
#define TRACERS_VALGRIND_POOL_H

#include "analyzer/base.h"

#include <sys/types.h>

struct valgrind_pool;

struct valgrind_chunk {
	const uint8_t *data; /* at a multiple of 8 bytes */
	uint32_t used;	     /* bytes */
	uint32_t number;     /* of the chunk in the ring */
	pid_t pid;
	uint64_t start_ns, end_ns;
	bool snapshot; /* still its producer's: not to be given back */
};

/* 0, -ENOMEM or the errno of the memfd (said). */
int valgrind_pool_open(struct valgrind_pool **out, unsigned kinds,
		       bool no_follow);
void valgrind_pool_close(struct valgrind_pool *pool);

/* The memfd, closed on exec: the child clears that. */
int valgrind_pool_fd(const struct valgrind_pool *pool);

/* The next chunk in order, without waiting. */
bool valgrind_pool_take(struct valgrind_pool *pool,
			struct valgrind_chunk *chunk);
void valgrind_pool_give(struct valgrind_pool *pool,
			const struct valgrind_chunk *chunk);

/* Until a chunk is committed, at most so long. */
void valgrind_pool_wait(struct valgrind_pool *pool, unsigned milliseconds);

/* Is there a producer that has not said its end? */
bool valgrind_pool_live(const struct valgrind_pool *pool);

/* What producers that sleep have is committed, others do so when Valgrind next
 * looks around; with stop, they record no more. */
void valgrind_pool_hurry(struct valgrind_pool *pool);
void valgrind_pool_stop(struct valgrind_pool *pool);

/*
 * After a stop: what the producers had not committed, one chunk a call, false
 * when there are no more.
 */
bool valgrind_pool_snapshot(struct valgrind_pool *pool,
			    struct valgrind_chunk *chunk);

/*
 * Look for producers that died without a word, commit what they left, and
 * call dead() for each.  Returns how many live on.  A pid that `ignored` is
 * true for runs on unrecorded and does not count.
 */
unsigned valgrind_pool_check(struct valgrind_pool *pool,
			     bool (*ignored)(void *context, pid_t pid),
			     void (*dead)(void *context, pid_t pid),
			     void *context);

/* Forks and execs that ran unrecorded: too many processes were there. */
unsigned valgrind_pool_unrecorded(const struct valgrind_pool *pool);

/* Is it there, and not a zombie? */
bool valgrind_pid_alive(pid_t pid);

#endif
