/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tool tells once about each superblock becomes a shape and steps of
 * the stream; what it tells at each execution is copied into packed batches.
 */
#ifndef TRACERS_VALGRIND_CODE_H
#define TRACERS_VALGRIND_CODE_H

#include <string.h>

#include "analyzer/batch.h"

struct valgrind_code;

/* A place in a chunk. */
struct valgrind_cursor {
	const uint8_t *at, *end;
	const uint8_t *last; /* the record before `at`, or NULL */
};

/* The first bytes of a record: an exit's number, or an event's head */
static inline uint32_t
valgrind_head(const uint8_t *at)
{
	uint32_t head;

	memcpy(&head, at, sizeof(head));
	return head;
}

/* kinds: TRACER_DATA | TRACER_FETCH.  0 or -ENOMEM (said). */
int valgrind_code_open(struct valgrind_code **out, struct stream *stream,
		       unsigned kinds);
void valgrind_code_close(struct valgrind_code *code);

/* RECORD_CODE and RECORD_FAULT: the n words behind their header. */
int valgrind_code_add(struct valgrind_code *code, uint16_t image,
		      const uint64_t *word, size_t n);
int valgrind_code_fault(struct valgrind_code *code, struct batch *batch,
			const struct valgrind_cursor *cursor,
			const uint64_t *word, size_t n);

/*
 * Copy records until an event or the end (0), or until the batch has no room
 * for the largest record (1).
 */
int valgrind_code_copy(struct valgrind_code *code, struct batch *batch,
		       struct valgrind_cursor *cursor);

/* What a batch is full with, of accesses, steps or roots: one more record of
 * any size would still fit. */
#define VALGRIND_BATCH_FULL (BATCH_ACCESSES - SHAPE_ACCESSES_MAX - 8u)

static inline uint32_t
valgrind_batch_most(const struct batch *batch)
{
	uint32_t most = batch->n;

	if (most < batch->n_steps)
		most = batch->n_steps;
	return most < batch->n_roots ? batch->n_roots : most;
}

static inline bool
valgrind_batch_room(const struct batch *batch)
{
	return valgrind_batch_most(batch) <= VALGRIND_BATCH_FULL;
}

#endif
