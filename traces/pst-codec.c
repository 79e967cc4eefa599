// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * See pst-codec.h for the idea.  The state, by size:
 *
 *	step[n]          what a step is: its accesses, its first slot
 *	follower[n]      the step that came after it last time
 *	guess[65536]     the step that came after this hash of recent steps
 *	slot[n]          32 bytes each: what a root of a shape did last
 */
#include "traces/pst-codec.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/expand.h"
#include "analyzer/fail.h"

#define GUESS_BITS 16

enum {
	MODE_STRIDE,
	MODE_OFFSET
};

struct slot {
	uint64_t last;
	uint64_t stride;
	uint64_t offset;
	uint8_t back; /* offset is from the root 1 + back before this one */
	uint8_t mode; /* which of the two to try first */
	uint8_t pad[6];
};

struct codec_step {
	const struct shape_access *access;
	uint32_t slot;
	uint16_t n_slots;
	uint16_t n_accesses;
	bool guarded;
};

struct codec {
	const struct stream *stream;
	struct codec_step *step;
	uint32_t n_steps, step_room;
	uint32_t *follower;
	uint32_t *shape_slot; /* first slot of each shape */
	uint32_t n_shapes, shape_room;
	struct slot *slot;
	uint32_t n_slots, slot_room;
	uint32_t guess[1u << GUESS_BITS];

	/* decoding */
	const uint8_t *in[CODEC_STREAMS];
	const uint8_t *end[CODEC_STREAMS];
	const uint8_t *limit; /* of all streams */
	uint32_t hash, previous;
	uint64_t root[CODEC_HISTORY + BATCH_ACCESSES];
};

/* Fold a step into the hash of recent ones; the fourth last is shifted out. */
static ALWAYS_INLINE uint32_t
hash_step(uint32_t hash, uint32_t step)
{
	return (hash << 5 ^ step * UINT32_C(2654435761) >> 15) &
	       ((1u << GUESS_BITS) - 1);
}

int
codec_open(struct codec **out, const struct stream *stream)
{
	struct codec *codec = calloc(1, sizeof(*codec));

	if (!codec)
		return fail(ENOMEM, "trace codec: no memory");
	codec->stream = stream;
	*out = codec;
	return 0;
}

void
codec_close(struct codec *codec)
{
	if (!codec)
		return;
	free(codec->step);
	free(codec->follower);
	free(codec->shape_slot);
	free(codec->slot);
	free(codec);
}

/* Make *array hold n entries, doubling. */
static int
grow(void *array, uint32_t *room, uint32_t n, size_t entry_bytes)
{
	void **place = array;
	uint32_t more = *room ? *room : 1024;
	void *new;

	if (n <= *room)
		return 0;
	while (more < n)
		more *= 2;
	new = reallocarray(*place, more, entry_bytes);
	if (!new)
		return fail(ENOMEM, "trace codec: no memory for %u entries", n);
	*place = new;
	*room = more;
	return 0;
}

static int
learn_shapes(struct codec *codec)
{
	uint32_t n = stream_shapes(codec->stream);
	int error = grow(&codec->shape_slot, &codec->shape_room, n,
			 sizeof(*codec->shape_slot));

	if (error)
		return error;
	for (; codec->n_shapes < n; codec->n_shapes++) {
		codec->shape_slot[codec->n_shapes] = codec->n_slots;
		codec->n_slots +=
			stream_shape(codec->stream, codec->n_shapes)->n_slots;
	}
	return grow(&codec->slot, &codec->slot_room, codec->n_slots,
		    sizeof(*codec->slot));
}

static int
learn_steps(struct codec *codec, uint32_t n)
{
	uint32_t room = codec->step_room;
	int error =
		grow(&codec->step, &codec->step_room, n, sizeof(*codec->step));

	if (!error)
		error = grow(&codec->follower, &room, n,
			     sizeof(*codec->follower));
	if (error)
		return error;
	for (; codec->n_steps < n; codec->n_steps++) {
		const struct step *step =
			stream_step(codec->stream, codec->n_steps);
		const struct shape *shape =
			stream_shape(codec->stream, step->shape);

		codec->step[codec->n_steps] = (struct codec_step){
			.access = shape->access,
			.slot = codec->shape_slot[step->shape],
			.n_slots = step->n_slots,
			.n_accesses = step->n_accesses,
			.guarded = shape->guarded,
		};
	}
	return 0;
}

int
codec_begin(struct codec *codec, uint32_t n_steps)
{
	int error = learn_shapes(codec);

	if (!error)
		error = learn_steps(codec, n_steps);
	if (error)
		return error;
	memset(codec->guess, 0, sizeof(codec->guess));
	if (codec->n_steps)
		memset(codec->follower, 0,
		       codec->n_steps * sizeof(*codec->follower));
	if (codec->n_slots)
		memset(codec->slot, 0, codec->n_slots * sizeof(*codec->slot));
	codec->hash = codec->previous = 0;
	memset(codec->root, 0, sizeof(codec->root[0]) * CODEC_HISTORY);
	return 0;
}

size_t
codec_bound(enum codec_stream which, size_t n_steps, size_t n_roots)
{
	switch (which) {
	case CODEC_FLAGS:
		return n_steps;
	case CODEC_MORE: /* a step writes at most n_slots / 8 + 1 */
		return n_steps + n_roots;
	case CODEC_STEPS:
		return n_steps * 5;
	case CODEC_CONTROL:
	case CODEC_DELTA1:
		return n_roots;
	case CODEC_DELTA2:
		return n_roots * 2;
	case CODEC_DELTA4:
		return n_roots * 4;
	default:
		return n_roots * 8;
	}
}

static uint8_t *
put_step(uint8_t *out, const struct codec *codec, uint32_t previous,
	 uint32_t step)
{
	int64_t difference = (int64_t)step - (int64_t)previous;
	uint64_t value;

	if (codec->follower[previous] == step) {
		*out++ = 0;
		return out;
	}
	value = ((uint64_t)difference << 1 ^ (uint64_t)(difference >> 63)) + 1;
	for (; value >= 128; value >>= 7)
		*out++ = (uint8_t)(value | 128);
	*out++ = (uint8_t)value;
	return out;
}

static ALWAYS_INLINE uint64_t
magnitude(uint64_t difference)
{
	return difference ^ (uint64_t)((int64_t)difference >> 63);
}

/*
 * A root that neither guess gave: the least of its differences to the slot's
 * last value (back 0) and to the 7 roots before it.  Returns its control byte.
 */
static NOINLINE uint8_t
put_delta(struct slot *slot, const uint64_t *root, uint8_t **out)
{
	uint64_t best = *root - slot->last;
	uint64_t size = magnitude(best);
	unsigned back = 0, width;

	for (unsigned k = 1; k < CODEC_HISTORY; k++) {
		uint64_t difference = *root - root[-(int)k];

		if (magnitude(difference) < size) {
			best = difference;
			size = magnitude(difference);
			back = k;
		}
	}
	width = size < 128 ? 0 : size < 32768 ? 1 : size < 1u << 31 ? 2 : 3;
	memcpy(out[CODEC_DELTA1 + width], &best, (size_t)1 << width);
	out[CODEC_DELTA1 + width] += 1u << width;
	if (back)
		slot->back = (uint8_t)(back - 1);
	return (uint8_t)(1 + width * CODEC_HISTORY + back);
}

static ALWAYS_INLINE void
slot_learn(struct slot *slot, const uint64_t *root)
{
	slot->stride = *root - slot->last;
	slot->last = *root;
	slot->offset = *root - root[-1 - (int)slot->back];
}

/* Steps of more than 6 slots: bits of the 7th and later ones, byte by byte. */
static NOINLINE const uint64_t *
encode_rest(struct slot *slot, unsigned n, const uint64_t *root, uint8_t *flags,
	    uint8_t **out)
{
	uint8_t *more = out[CODEC_MORE];
	bool any = false;

	memset(more, 0, (n + 7) / 8);
	for (unsigned j = 0; j < n; j++, slot++, root++) {
		uint64_t guess[2] = { slot->last + slot->stride,
				      root[-1 - (int)slot->back] +
					      slot->offset };

		if (guess[slot->mode] != *root) {
			any = true;
			more[j / 8] |= (uint8_t)(1u << j % 8);
			if (guess[!slot->mode] == *root) {
				*out[CODEC_CONTROL]++ = 0;
				slot->mode = !slot->mode;
			} else {
				*out[CODEC_CONTROL]++ =
					put_delta(slot, root, out);
			}
		}
		slot_learn(slot, root);
	}
	if (any) {
		*flags |= 128;
		out[CODEC_MORE] += (n + 7) / 8;
	}
	return root;
}

static ALWAYS_INLINE const uint64_t *
encode_roots(struct slot *slot, unsigned n, const uint64_t *root,
	     uint8_t *flags, uint8_t **out)
{
	unsigned first = n < 6 ? n : 6;

	for (unsigned j = 0; j < first; j++, slot++, root++) {
		uint64_t stride = slot->last + slot->stride;
		uint64_t offset = root[-1 - (int)slot->back] + slot->offset;
		uint64_t guess = slot->mode ? offset : stride;

		if (guess != *root) {
			*flags |= (uint8_t)(2u << j);
			if ((slot->mode ? stride : offset) == *root) {
				*out[CODEC_CONTROL]++ = 0;
				slot->mode = !slot->mode;
			} else {
				*out[CODEC_CONTROL]++ =
					put_delta(slot, root, out);
			}
		}
		slot_learn(slot, root);
	}
	if (unlikely(n > 6))
		root = encode_rest(slot, n - 6, root, flags, out);
	return root;
}

void
codec_encode(struct codec *codec, const uint32_t *step, size_t n_steps,
	     const uint64_t *root, uint8_t *const out[CODEC_STREAMS],
	     size_t bytes[CODEC_STREAMS])
{
	uint8_t *at[CODEC_STREAMS];
	uint8_t *flags = out[CODEC_FLAGS];
	uint32_t hash = 0, previous = 0;

	memcpy(at, out, sizeof(at));
	for (size_t k = 0; k < n_steps; k++) {
		uint32_t *guess = &codec->guess[hash];
		const struct codec_step *now = &codec->step[step[k]];
		uint8_t flag = 0;

		if (*guess != step[k]) {
			flag = 1;
			at[CODEC_STEPS] = put_step(at[CODEC_STEPS], codec,
						   previous, step[k]);
			*guess = step[k];
		}
		codec->follower[previous] = step[k];
		hash = hash_step(hash, step[k]);
		previous = step[k];
		root = encode_roots(&codec->slot[now->slot], now->n_slots, root,
				    &flag, at);
		*flags++ = flag;
	}
	at[CODEC_FLAGS] = flags;
	for (int i = 0; i < CODEC_STREAMS; i++)
		bytes[i] = (size_t)(at[i] - out[i]);
}

void
codec_decode_begin(struct codec *codec, const uint8_t *const in[CODEC_STREAMS],
		   const size_t bytes[CODEC_STREAMS])
{
	codec->limit = in[0];
	for (int i = 0; i < CODEC_STREAMS; i++) {
		codec->in[i] = in[i];
		codec->end[i] = in[i] + bytes[i];
		if (codec->end[i] > codec->limit)
			codec->limit = codec->end[i];
	}
}

bool
codec_decode_end(const struct codec *codec)
{
	for (int i = 0; i < CODEC_STREAMS; i++)
		if (codec->in[i] != codec->end[i])
			return false;
	return true;
}

/* The step that was not guessed: UINT32_MAX if the bytes are wrong. */
static NOINLINE uint32_t
get_step(struct codec *codec)
{
	const uint8_t *in = codec->in[CODEC_STEPS];
	uint64_t value = 0;
	uint64_t step;

	if (in >= codec->limit)
		return UINT32_MAX;
	if (!*in) {
		codec->in[CODEC_STEPS]++;
		return codec->follower[codec->previous];
	}
	for (unsigned shift = 0; shift < 35; shift += 7) {
		if (in >= codec->limit)
			return UINT32_MAX;
		value |= (uint64_t)(*in & 127) << shift;
		if (*in++ < 128)
			break;
	}
	codec->in[CODEC_STEPS] = in;
	value--;
	step = codec->previous + (value >> 1 ^ -(value & 1));
	return step < codec->n_steps ? (uint32_t)step : UINT32_MAX;
}

/*
 * A root that was not guessed.  Reading past a stream's end but within the
 * block is harmless: codec_decode_end sees it.
 */
static ALWAYS_INLINE bool
get_root(struct codec *codec, struct slot *slot, uint64_t *root)
{
	unsigned control, width, back;
	const uint8_t **in;
	uint64_t stride = slot->last + slot->stride;
	uint64_t offset = root[-1 - (int)slot->back] + slot->offset;
	int64_t delta;

	if (unlikely(codec->in[CODEC_CONTROL] >= codec->limit))
		return false;
	control = *codec->in[CODEC_CONTROL]++;
	if (!control) {
		*root = slot->mode ? stride : offset;
		slot->mode = !slot->mode;
		return true;
	}
	control--;
	width = control / CODEC_HISTORY;
	back = control % CODEC_HISTORY;
	if (unlikely(width > 3))
		return false;
	in = &codec->in[CODEC_DELTA1 + width];
	if (unlikely(*in > codec->limit))
		return false;
	memcpy(&delta, *in, sizeof(delta));
	delta = (int64_t)((uint64_t)delta << (64 - (8u << width))) >>
		(64 - (8u << width));
	*in += (size_t)1 << width;
	if (back)
		slot->back = (uint8_t)(back - 1);
	*root = (back ? root[-(int)back] : slot->last) + (uint64_t)delta;
	return true;
}

/* Roots from the 7th of a step on, whose bits are in CODEC_MORE. */
static NOINLINE bool
decode_rest(struct codec *codec, struct slot *slot, unsigned n, uint64_t *root,
	    bool bits)
{
	const uint8_t *more = codec->in[CODEC_MORE];
	size_t bytes = (n + 7) / 8;

	if (bits) {
		if (more > codec->limit ||
		    bytes > (size_t)(codec->limit - more))
			return false;
		codec->in[CODEC_MORE] += bytes;
	}
	for (unsigned j = 0; j < n; j++, slot++, root++) {
		if (bits && more[j / 8] >> j % 8 & 1) {
			if (!get_root(codec, slot, root))
				return false;
		} else {
			*root = slot->mode ? root[-1 - (int)slot->back] +
						     slot->offset
					   : slot->last + slot->stride;
		}
		slot_learn(slot, root);
	}
	return true;
}

static ALWAYS_INLINE bool
decode_roots(struct codec *codec, const struct codec_step *step, uint64_t *root,
	     unsigned flags)
{
	struct slot *slot = &codec->slot[step->slot];
	unsigned n = step->n_slots < 6 ? step->n_slots : 6;

	for (unsigned j = 0; j < n; j++, slot++, root++) {
		uint64_t stride = slot->last + slot->stride;
		uint64_t offset = root[-1 - (int)slot->back] + slot->offset;

		*root = slot->mode ? offset : stride;
		if (flags >> j & 1)
			if (unlikely(!get_root(codec, slot, root)))
				return false;
		slot_learn(slot, root);
	}
	if (unlikely(step->n_slots > 6))
		return decode_rest(codec, slot, step->n_slots - 6u, root,
				   flags >> 6 & 1);
	return true;
}

int
codec_decode(struct codec *codec, size_t n_steps, bool packed,
	     struct batch *batch)
{
	uint64_t *root = codec->root + CODEC_HISTORY;
	const uint64_t *root_end = root + BATCH_ACCESSES;
	const uint8_t *flags = codec->in[CODEC_FLAGS];
	uint32_t hash = codec->hash, n = batch->n;

	if (n_steps > (size_t)(codec->end[CODEC_FLAGS] - flags) ||
	    n_steps > BATCH_ACCESSES || (n_steps && !codec->n_steps))
		return -EBADMSG;
	for (size_t k = 0; k < n_steps; k++) {
		unsigned flag = flags[k];
		uint32_t number = codec->guess[hash];
		const struct codec_step *step;

		if (flag & 1) {
			number = get_step(codec);
			if (unlikely(number == UINT32_MAX))
				return -EBADMSG;
			codec->guess[hash] = number;
		}
		codec->follower[codec->previous] = number;
		hash = hash_step(hash, number);
		codec->previous = number;
		step = &codec->step[number];
		if (unlikely(step->n_accesses > BATCH_ACCESSES - n ||
			     step->n_slots > root_end - root))
			return -EBADMSG;
		if (unlikely(!decode_roots(codec, step, root, flag >> 1)))
			return -EBADMSG;
		n += expand_step(step->access, step->n_accesses, step->guarded,
				 root, batch->address + n, batch->site + n);
		root += step->n_slots;
		if (packed)
			batch->step[k] = number;
	}
	codec->in[CODEC_FLAGS] = flags + n_steps;
	codec->hash = hash;
	batch->n = n;
	batch->columned = true;
	batch->packed = packed;
	batch->n_steps = (uint32_t)n_steps;
	batch->n_roots = (uint32_t)(root - codec->root) - CODEC_HISTORY;
	if (packed)
		memcpy(batch->root, codec->root + CODEC_HISTORY,
		       batch->n_roots * sizeof(*batch->root));
	memmove(codec->root, root - CODEC_HISTORY,
		CODEC_HISTORY * sizeof(*root));
	return 0;
}
