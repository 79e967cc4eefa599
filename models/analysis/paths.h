/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who called whom, from the accesses alone: a call stores its return address,
 * a return loads it, so the address of that word is the frame.
 *
 *	call stores at A	frames at or below A are gone; (A, site) is pushed
 *	return loads at A	frames at or below A are gone
 *
 * That holds for tail calls, longjmp and unwinding too, whose frames go when
 * something is called again; a stack that is left for one at other addresses
 * (a signal's own, a coroutine's) loses the frames below it, and they stay
 * unknown until they return.  No frame pointers are needed.
 *
 * Paths are nodes of a tree: 0 the root, others a call site under its caller's.
 */
#ifndef MODELS_ANALYSIS_PATHS_H
#define MODELS_ANALYSIS_PATHS_H

#include "analyzer/base.h"

#define PATHS_MAX	(1u << 21) /* what is called beyond stays its caller */
#define PATH_FRAMES_MAX 1024u	   /* likewise */

struct path {
	uint32_t parent;
	uint32_t site; /* of the call, an index of the stream's */
};

struct paths;

/* 0 or -ENOMEM (said). */
int paths_open(struct paths **out);
void paths_close(struct paths *paths);

/* Of this thread: a call or a return through that word.  0, -ENOMEM (said). */
int paths_call(struct paths *paths, uint32_t thread, uint64_t address,
	       uint32_t site);
int paths_return(struct paths *paths, uint32_t thread, uint64_t address);
/* A new program: the thread's frames are gone. */
void paths_forget(struct paths *paths, uint32_t thread);

/* A copy of the thread that runs in this new space, and its first thread there,
 * which goes on with the copy's frames. */
int paths_fork(struct paths *paths, uint32_t thread, uint32_t space);
int paths_begin(struct paths *paths, uint32_t thread, uint32_t space);

/* Where the thread is. */
uint32_t paths_now(const struct paths *paths, uint32_t thread);
const struct path *paths_get(const struct paths *paths, uint32_t number);
uint32_t paths_count(const struct paths *paths);

#endif
