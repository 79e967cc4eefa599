/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the expansion of records:
 *
 *	cache-expand.c   segments; what records mean; most of them, one by one
 *	cache-vectors.c  the same loop with AVX-512
 *	cache-special.c  repeats, lanes: accesses that are worked out
 */
#ifndef TRACERS_CACHE_EXPANDER_H
#define TRACERS_CACHE_EXPANDER_H

#include "analyzer/base.h"

#include "analyzer/batch.h"
#include "tracers/cache-code.h"
#include "tracers/cache-kernel.h"
#include "tracers/cache-shape.h"
#include "tracers/xstate.h"

#define LANES	     8u
#define AHEAD_WORDS  256 /* to be read: the target has written them */
#define SPECIAL_ROOM (INSTRUCTION_ACCESSES + 16)

enum meaning_kind {
	MEANING_UNKNOWN,
	MEANING_STEP,
	MEANING_PIECES, /* step: the number of a struct expander_pieces */
	MEANING_NOTHING,
};

enum meaning_vectors {
	VECTORS_NONE, /* one by one */
	VECTORS_NARROW,
	VECTORS_WIDE,
};

/* Sixteen roots of sixteen words; the others are copied. */
struct expander_wide {
	struct expander_half {
		uint32_t base, index, shift;
		uint8_t based, indexed, fs; /* bits: has one, has FS's base */
	} half[2];
};

struct expander_pieces {
	struct cache_piece *piece; /* owned */
	size_t n;
};

/* A record of several pieces under way */
struct expander_progress {
	size_t piece;
	bool in_special;
	uint64_t iteration;
};

struct cache_expander {
	struct stream *stream;
	struct cache_shaper *shaper;
	struct expander_pieces *pieces; /* owned */
	size_t n_pieces, pieces_size;
	struct expander_wide *wide; /* owned */
	size_t n_wide, wide_size;
	size_t at; /* in the segment */
	struct expander_progress inside;
	struct cache_kernel kernel;
	struct xstate_layout layout;
	bool vectors, short_vectors;
	bool flushes, idle;
};

#define ACCESSES_FULL (BATCH_ACCESSES - SHAPE_ACCESSES_MAX)
#define ROOTS_FULL    (BATCH_ACCESSES - SHAPE_SLOTS_MAX - 2 * LANES)

static inline bool
expander_has_room(const struct batch *batch)
{
	return batch->n_steps < BATCH_ACCESSES - SPECIAL_ROOM &&
	       batch->n <= ACCESSES_FULL && batch->n_roots <= ROOTS_FULL;
}

/* The hot loops know where they are in a batch by two pointers and a count.
 * A step has an access or more: there is room for steps as long as there is
 * for accesses. */
static ALWAYS_INLINE bool
expander_is_full(const struct batch *batch, const uint64_t *root, uint32_t n)
{
	return n > ACCESSES_FULL || root > batch->root + ROOTS_FULL;
}

static ALWAYS_INLINE void
expander_note_place(struct batch *batch, const uint32_t *step,
		    const uint64_t *root, uint32_t n)
{
	batch->n_steps = (uint32_t)(step - batch->step);
	batch->n_roots = (uint32_t)(root - batch->root);
	batch->n = n;
}

/* cache-vectors.c */
/* How the step's roots are made, if with vectors.  0, or -ENOMEM (said). */
int vectors_learn(struct cache_expander *expander,
		  struct cache_meaning *meaning);
/* Records as long as they are simple, and as long as their meanings say that
 * it can be; returns where it stopped. */
const uint64_t *vectors_expand(const struct cache_expander *expander,
			       const struct cache_meaning *table,
			       const uint64_t *at, const uint64_t *end,
			       uint64_t fs, struct batch *batch);

/* cache-special.c.  1: the batch is full, call again; 0: done; -errno */
int special_expand(struct cache_expander *expander, uint16_t image,
		   struct cache_piece *piece, const uint64_t *at, uint64_t fs,
		   struct batch *batch);
/* One access with a step of its own.  0, or -ENOMEM (said). */
int special_single(struct cache_expander *expander, const struct site *site,
		   uint64_t address, struct batch *batch);

#endif
