/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What encoder and decoder of a block keep, by size:
 *
 *	step[n]          what a step is: its first slot, how many
 *	follower[n]      the step that came after it last time
 *	guess[65536]     the step that came after this hash of recent steps
 *	slot[n]          32 bytes each: what a root of a shape did last
 *	access[n]        the one access that it is for, where all have one
 */
#ifndef TRACES_PST_CODEC_STATE_H
#define TRACES_PST_CODEC_STATE_H

#include "traces/pst-codec.h"

#define GUESS_BITS 16
#define FLAG_SLOTS 6 /* whose bits are in the flag byte itself */

enum {
	MODE_STRIDE = 0,
	MODE_OFFSET = -1 /* all bits, for choosing without a branch */
};

struct slot {
	uint64_t last;
	uint64_t stride;
	uint64_t offset;
	int8_t back; /* offset is from root[-1 + back], so never above 0 */
	int8_t mode; /* enum: which of the two to try first */
	uint8_t pad[6];
};

#define GUARDED (2 * BATCH_ACCESSES) /* more than any batch may have */

/* A slot by its place in bytes, a bit for "missed" beside it. */
#define DUE_SHIFT 5
#define SLOTS_MAX (UINT32_C(1) << 27)
_Static_assert(sizeof(struct slot) == 1 << DUE_SHIFT, "due[] is wrong");

struct codec_step {
	uint32_t due; /* its first slot */
	uint16_t n_slots;
	uint16_t n_accesses; /* GUARDED: the roots must tell */
};

/* What a slot's root is for, where each access has a root of its own. */
struct codec_access {
	uint64_t displacement;
	uint32_t ref;
};

/* Slots of a step are written to due[] so many at a time, whether it has them
 * or not, so there is room behind the last. */
#define FLAG_GROUP 8

struct codec {
	const struct stream *stream;
	struct codec_step *step;
	uint32_t n_steps, step_room;
	uint32_t *follower;
	uint32_t *shape_slot; /* first slot of each shape */
	uint32_t n_shapes, shape_room;
	struct slot *slot;
	uint32_t n_slots, slot_room;
	bool own_roots; /* do all accesses of all shapes have one of their own? */
	struct codec_access *access; /* owned: [slot_room] if they do */
	uint32_t guess[1u << GUESS_BITS];

	/* decoding */
	const uint8_t *in[CODEC_STREAMS];
	const uint8_t *end[CODEC_STREAMS];
	const uint8_t *limit; /* of all streams */
	uint32_t hash, previous;
	uint64_t history[CODEC_HISTORY];
	uint32_t flag_row[1u << FLAG_SLOTS][FLAG_GROUP];
	uint32_t due[BATCH_ACCESSES + SHAPE_SLOTS_MAX + 2 * FLAG_GROUP];
};

/* Fold a step into the hash of recent ones; the fourth last is shifted out. */
static ALWAYS_INLINE uint32_t
hash_step(uint32_t hash, uint32_t step)
{
	return (hash << 5 ^ step * UINT32_C(2654435761) >> 15) &
	       ((1u << GUESS_BITS) - 1);
}

static ALWAYS_INLINE void
slot_learn(struct slot *slot, const uint64_t *root)
{
	slot->stride = *root - slot->last;
	slot->last = *root;
	slot->offset = *root - root[slot->back - 1];
}

#endif
