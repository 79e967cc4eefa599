// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The predictors' state, and encoding.  See pst-codec.h for the idea,
 * pst-decode.c for the way back.
 */
#include "traces/pst-codec-state.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

int
codec_open(struct codec **out, const struct stream *stream)
{
	struct codec *codec = calloc(1, sizeof(*codec));

	if (!codec)
		return fail(ENOMEM, "trace codec: no memory");
	codec->stream = stream;
	codec->own_roots = true;
	for (uint32_t flags = 0; flags < 1u << FLAG_SLOTS; flags++)
		for (uint32_t j = 0; j < FLAG_GROUP; j++)
			codec->flag_row[flags][j] =
				j << DUE_SHIFT | (flags >> j & 1);
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
	free(codec->access);
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

/* Is access j root j and a displacement, for all j? */
static bool
has_own_roots(const struct shape *shape)
{
	for (unsigned j = 0; j < shape->n_accesses; j++)
		if (shape->access[j].slot != j + 1)
			return false;
	return shape->n_slots == shape->n_accesses && !shape->guarded;
}

static int
grow_slots(struct codec *codec)
{
	uint32_t room = codec->slot_room;
	int error = grow(&codec->slot, &codec->slot_room, codec->n_slots,
			 sizeof(*codec->slot));

	if (!error && codec->own_roots)
		return grow(&codec->access, &room, codec->n_slots,
			    sizeof(*codec->access));
	free(codec->access);
	codec->access = NULL;
	return error;
}

/* Of shapes from number `first` on. */
static void
learn_accesses(struct codec *codec, uint32_t first)
{
	for (uint32_t i = first; codec->own_roots && i < codec->n_shapes; i++) {
		const struct shape *shape = stream_shape(codec->stream, i);
		struct codec_access *access =
			&codec->access[codec->shape_slot[i]];

		for (unsigned j = 0; j < shape->n_slots; j++)
			access[j] = (struct codec_access){
				(uint64_t)shape->access[j].displacement,
				shape->access[j].ref
			};
	}
}

static int
learn_shapes(struct codec *codec)
{
	uint32_t n = stream_shapes(codec->stream), first = codec->n_shapes;
	int error = grow(&codec->shape_slot, &codec->shape_room, n,
			 sizeof(*codec->shape_slot));

	if (error)
		return error;
	for (; codec->n_shapes < n; codec->n_shapes++) {
		const struct shape *shape =
			stream_shape(codec->stream, codec->n_shapes);

		codec->shape_slot[codec->n_shapes] = codec->n_slots;
		codec->n_slots += shape->n_slots;
		codec->own_roots &= has_own_roots(shape);
	}
	if (codec->n_slots > SLOTS_MAX - SHAPE_SLOTS_MAX)
		return fail(ENOSPC, "trace codec: more than %u roots of shapes",
			    SLOTS_MAX);
	error = grow_slots(codec);
	if (!error)
		learn_accesses(codec, first);
	return error;
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
			.due = codec->shape_slot[step->shape] << DUE_SHIFT,
			.n_slots = step->n_slots,
			.n_accesses =
				shape->guarded ? GUARDED : step->n_accesses,
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
	memset(codec->history, 0, sizeof(codec->history));
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

/* Which of the 7 roots before is nearest; 0 if the slot's last value is. */
static NOINLINE unsigned
nearest_root(const uint64_t *root, uint64_t stride)
{
	uint64_t least = magnitude(stride);
	unsigned back = 0;

	for (unsigned k = 1; k < CODEC_HISTORY; k++) {
		uint64_t size = magnitude(*root - root[-(int)k]);

		back = size < least ? k : back;
		least = size < least ? size : least;
	}
	return back;
}

static ALWAYS_INLINE void
put_control(uint8_t **out, unsigned width, unsigned back)
{
	*out[CODEC_CONTROL]++ = (uint8_t)(1 + width * CODEC_HISTORY + back);
}

/*
 * A root that neither guess gave: the lesser of the two differences; if both
 * need more than a byte, that to the nearest of the roots before, which is
 * `back` from then on.  Returns the offset to the root that `back` says.
 */
static NOINLINE uint64_t
put_delta(struct slot *slot, const uint64_t *root, uint8_t **out)
{
	uint64_t stride = *root - slot->last, delta = stride;
	uint64_t offset = *root - root[slot->back - 1];
	unsigned back = 0, width;
	uint64_t size;

	if (magnitude(offset) < magnitude(stride)) {
		delta = offset;
		back = (unsigned)(1 - slot->back);
	}
	if (magnitude(delta) < 128) {
		*out[CODEC_DELTA1]++ = (uint8_t)delta;
		put_control(out, 0, back);
		return offset;
	}
	back = nearest_root(root, stride);
	delta = stride;
	if (back) {
		slot->back = (int8_t)(1 - (int)back);
		delta = offset = *root - root[-(int)back];
	}
	size = magnitude(delta);
	width = (size >= 1u << 7) + (size >= 1u << 15) + (size >= 1u << 31);
	memcpy(out[CODEC_DELTA1 + width], &delta, sizeof(delta));
	out[CODEC_DELTA1 + width] += 1u << width;
	put_control(out, width, back);
	return offset;
}

/* Code one root: was the first guess wrong? */
static ALWAYS_INLINE unsigned
encode_root(struct slot *slot, const uint64_t *root, uint8_t **out)
{
	uint64_t value = *root;
	uint64_t stride = value - slot->last;
	uint64_t offset = value - root[slot->back - 1];
	unsigned missed = 0;

	if (slot->mode ? offset != slot->offset : stride != slot->stride) {
		missed = 1;
		if (slot->mode ? stride == slot->stride
			       : offset == slot->offset) {
			*out[CODEC_CONTROL]++ = 0;
			slot->mode = (int8_t)~slot->mode;
		} else {
			offset = put_delta(slot, root, out);
		}
	}
	slot->last = value;
	slot->stride = stride;
	slot->offset = offset;
	return missed;
}

/* Roots from the 3rd to the 6th of a step, and bits of the 7th and later ones,
 * byte by byte. */
static NOINLINE unsigned
encode_rest(struct slot *slot, unsigned n, const uint64_t *root, uint8_t **out)
{
	unsigned flags = 0;
	uint8_t *more = out[CODEC_MORE];
	bool any = false;

	for (unsigned j = 2; j < 6 && j < n; j++)
		flags |= encode_root(slot + j, root + j, out) << (1 + j);
	if (n <= 6)
		return flags;
	memset(more, 0, (n + 1) / 8);
	for (unsigned j = 0; j < n - 6; j++) {
		unsigned missed = encode_root(slot + 6 + j, root + 6 + j, out);

		any |= missed;
		more[j / 8] |= (uint8_t)(missed << j % 8);
	}
	if (!any)
		return flags;
	out[CODEC_MORE] += (n + 1) / 8;
	return flags | 128;
}

/* Most steps have at most two roots. */
static ALWAYS_INLINE unsigned
encode_roots(struct slot *slot, unsigned n, const uint64_t *root, uint8_t **out)
{
	unsigned flags;

	if (!n)
		return 0;
	flags = encode_root(slot, root, out) << 1;
	if (n == 1)
		return flags;
	flags |= encode_root(slot + 1, root + 1, out) << 2;
	if (n == 2)
		return flags;
	return flags | encode_rest(slot, n, root, out);
}

void
codec_encode(struct codec *codec, const struct codec_source *source,
	     uint8_t *const out[CODEC_STREAMS], size_t bytes[CODEC_STREAMS])
{
	const uint32_t *const step = source->step;
	const size_t n_steps = source->n_steps;
	const uint64_t *root = source->root;
	struct tally tally = *source->tally;
	const struct codec_step *const table = codec->step;
	struct slot *const slot = codec->slot;
	uint32_t *const follower = codec->follower;
	uint8_t *at[CODEC_STREAMS];
	uint8_t *flags = out[CODEC_FLAGS];
	uint32_t hash = 0, previous = 0;

	memcpy(at, out, sizeof(at));
	for (size_t k = 0; k < n_steps; k++) {
		uint32_t number = step[k];
		const struct codec_step *now = &table[number];
		unsigned n = now->n_slots, flag = 0;

		if (codec->guess[hash] != number) {
			at[CODEC_STEPS] = put_step(at[CODEC_STEPS], codec,
						   previous, number);
			codec->guess[hash] = number;
			flag = 1;
		}
		follower[previous] = number;
		hash = hash_step(hash, number);
		previous = number;
		flag |= encode_roots(&slot[now->due >> DUE_SHIFT], n, root, at);
		tally_step(&tally, number, root);
		root += n;
		flags[k] = (uint8_t)flag;
	}
	at[CODEC_FLAGS] = flags + n_steps;
	for (int i = 0; i < CODEC_STREAMS; i++)
		bytes[i] = (size_t)(at[i] - out[i]);
	*source->tally = tally;
}
