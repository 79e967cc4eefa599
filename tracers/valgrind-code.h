/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the tool tells once about each superblock becomes a shape and steps of
 * the stream; what it tells at each execution is copied into packed batches.
 */
#ifndef TRACERS_VALGRIND_CODE_H
#define TRACERS_VALGRIND_CODE_H

#include "analyzer/batch.h"

struct valgrind_code;

/* A place in a chunk. */
struct valgrind_cursor {
	const uint64_t *at, *end;
	const uint64_t *last; /* the record before `at`, or NULL */
};

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

/* Room for one more record of any size? */
static inline bool
valgrind_batch_room(const struct batch *batch)
{
	return batch->n_steps < BATCH_ACCESSES &&
	       batch->n <= BATCH_ACCESSES - SHAPE_ACCESSES_MAX &&
	       batch->n_roots <= BATCH_ACCESSES - SHAPE_SLOTS_MAX - 8;
}

#endif
