/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The recorder's side of the memory that hooked programs write to
 * (tracers/hooks/channel.h).
 */
#ifndef TRACERS_HOOKS_POOL_H
#define TRACERS_HOOKS_POOL_H

#include "analyzer/base.h"

#include <sys/types.h>

struct hooks_pool;

struct hooks_chunk {
	const uint64_t *word;
	uint32_t n; /* words of records */
	char *maps; /* text, ended; "" if it has none */
	uint32_t number;
	pid_t pid, tid, parent;
	uint32_t flags; /* enum channel_flag */
	uint64_t start_ns, end_ns, lost;
	bool snapshot; /* still its thread's: not to be given back */
};

/* 0, -ENOMEM or the errno of the memfd (said). */
int hooks_pool_open(struct hooks_pool **out, bool fetch, bool no_follow);
void hooks_pool_close(struct hooks_pool *pool);

/* The first process: with no_follow the only one. */
void hooks_pool_root(struct hooks_pool *pool, pid_t pid);
/* What the environment must say: "NAME=VALUE", owned by the pool. */
char *hooks_pool_variable(struct hooks_pool *pool);

/* The next chunk in order, without waiting. */
bool hooks_pool_take(struct hooks_pool *pool, struct hooks_chunk *chunk);
/* Nothing is committed that was not taken. */
bool hooks_pool_empty(const struct hooks_pool *pool);
void hooks_pool_give(struct hooks_pool *pool, const struct hooks_chunk *chunk);

/* Until a chunk is committed, at most so long. */
void hooks_pool_wait(struct hooks_pool *pool, unsigned milliseconds);

/* Threads commit at their next hook; with stop, they record no more. */
void hooks_pool_hurry(struct hooks_pool *pool);
void hooks_pool_stop(struct hooks_pool *pool);

/* After a stop: what was not committed, one chunk a call, then false. */
bool hooks_pool_snapshot(struct hooks_pool *pool, struct hooks_chunk *chunk);

/* Commit what processes that died have left; how many threads live on. */
unsigned hooks_pool_check(struct hooks_pool *pool);

/* Does any of its threads run? */
bool hooks_pool_alive(const struct hooks_pool *pool, pid_t pid);

#endif
