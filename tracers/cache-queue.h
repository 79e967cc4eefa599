/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the thread that traces to the one that expands: segments in order.  A
 * segment is a run of one thread's records, which stand in memory shared with
 * the target until they are expanded, or one event, or what was stepped.
 */
#ifndef TRACERS_CACHE_QUEUE_H
#define TRACERS_CACHE_QUEUE_H

#include "analyzer/batch.h"

#include <signal.h>
#include <sys/types.h>

struct cache_code;
struct cache_queue;

enum cache_segment_kind {
	SEGMENT_RECORDS,
	SEGMENT_EVENT,
	SEGMENT_STEPPED,
	SEGMENT_CLOSE, /* nothing more of this code follows */
	SEGMENT_LOSS,
};

struct cache_stepped {
	struct site site; /* image is filled in later */
	uint64_t address;
};

struct cache_segment {
	uint8_t kind; /* enum cache_segment_kind */
	uint32_t thread, space;
	uint64_t time_ns;
	/* RECORDS */
	struct cache_code *code;
	const uint64_t *word; /* sixteen behind the last can be read */
	size_t n_words;
	uint64_t fs;	   /* the FS base meanwhile */
	unsigned *pending; /* segments of this buffer still to be expanded */
	/* STEPPED; owned */
	struct cache_stepped *stepped;
	size_t n_stepped;
	struct event event;
	/* CLOSE */
	void (*close)(void *what);
	void *what;
	const char *loss; /* a constant: what is missing */
};

int queue_open(struct cache_queue **out);
void queue_close(struct cache_queue *queue);

/* The caller is the tracing process, a child of the consuming one, which
 * shares its memory: when that one is killed, the calls of the tracing side
 * return at once. */
void queue_tracer(struct cache_queue *queue, pid_t consumer);
/* Of the tracing side.  put waits while the queue is full. */
void queue_put(struct cache_queue *queue, const struct cache_segment *segment);
/* Wait until no segment of a buffer is pending: true; false: the wait was given
 * up when *give_up was set (it may be NULL), or nobody takes any more. */
bool queue_await(struct cache_queue *queue, const unsigned *pending,
		 const volatile sig_atomic_t *give_up);
/* Nothing more will come; error: negative errno (said) or 0. */
void queue_end(struct cache_queue *queue, int error);

/* Of the expanding one: the first segment, or NULL after milliseconds of
 * waiting, or at the end.  It stays until queue_done. */
struct cache_segment *queue_first(struct cache_queue *queue, unsigned ms);
void queue_done(struct cache_queue *queue);
/* Has it ended, with what error? */
bool queue_ended(struct cache_queue *queue, int *error);
/* What is put from now on is thrown away: nobody takes any more. */
void queue_abandon(struct cache_queue *queue);

#endif
