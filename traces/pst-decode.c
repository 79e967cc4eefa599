// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Decoding of blocks, a batch at a time, in two passes:
 *
 *	flags, guesses -> step[], due[]     which steps, which slots' roots
 *	due[], slots   -> root[]            all roots in one row
 *
 * The first is one chain of dependent loads, which a second pass would only
 * lengthen; the second has no loop a step, whose end no branch predictor could
 * foresee, and knows long before which slots it will need.  (One loop that did
 * a step and a root at a time was slower: 180 against 199 M/s for cc1.)
 */
#include "traces/pst-codec-state.h"

#include <emmintrin.h>
#include <string.h>

#include "analyzer/expand.h"

#define AHEAD 16 /* roots that slots are asked for in advance */
#define NOISY 4u /* one step in so many with a wrong guess */

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
get_step(struct codec *codec, uint32_t previous)
{
	const uint8_t *in = codec->in[CODEC_STEPS];
	uint64_t value = 0;
	uint64_t step;

	if (in >= codec->limit)
		return UINT32_MAX;
	if (!*in) {
		codec->in[CODEC_STEPS]++;
		return codec->follower[previous];
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
	step = previous + (value >> 1 ^ -(value & 1));
	return step < codec->n_steps ? (uint32_t)step : UINT32_MAX;
}

/* The byte at a stream's place, which moves on; 0 past the limit. */
static ALWAYS_INLINE bool
get_control(struct codec *codec, unsigned *control)
{
	const uint8_t *in = codec->in[CODEC_CONTROL];

	if (unlikely(in >= codec->limit))
		return false;
	*control = *in;
	codec->in[CODEC_CONTROL] = in + 1;
	return true;
}

/*
 * A root that was not guessed: `other` is the guess that was not tried.
 * Reading past a stream's end but within the block is harmless:
 * codec_decode_end sees it.
 */
static ALWAYS_INLINE bool
get_root(struct codec *codec, struct slot *slot, const uint64_t *root,
	 uint64_t other, uint64_t *value)
{
	/* No shifts by a count that varies: 3 operations each */
	static const struct {
		uint64_t mask, sign;
	} of_width[] = {
		{ UINT8_MAX, UINT64_C(1) << 7 },
		{ UINT16_MAX, UINT64_C(1) << 15 },
		{ UINT32_MAX, UINT64_C(1) << 31 },
		{ UINT64_MAX, 0 },
	};
	unsigned control, width, back;
	const uint8_t **in;
	uint64_t delta;

	if (!get_control(codec, &control))
		return false;
	if (!control) {
		*value = other;
		slot->mode = (int8_t)~slot->mode;
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
	delta = ((delta & of_width[width].mask) ^ of_width[width].sign) -
		of_width[width].sign;
	*in += (size_t)1 << width;
	if (back)
		slot->back = (int8_t)(1 - (int)back);
	*value = (back ? root[-(int)back] : slot->last) + delta;
	return true;
}

/* Roots from the 7th of a step on, whose bits are in CODEC_MORE. */
static NOINLINE bool
due_rest(struct codec *codec, uint32_t *due, uint32_t first, unsigned n,
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
	for (unsigned j = 0; j < n; j++)
		due[j] = (first + (j << DUE_SHIFT)) |
			 (bits ? more[j / 8] >> j % 8 & 1u : 0);
	return true;
}

/* What a batch is found to hold, on the way. */
struct found {
	uint32_t n_roots;
	uint32_t n_accesses; /* too many for a batch if any are guarded */
};

/* The slots of a step, FLAG_GROUP at once, whether it has so many or not. */
static ALWAYS_INLINE void
due_first(uint32_t *due, uint32_t slot, const uint32_t *row)
{
	const __m128i first = _mm_set1_epi32((int)slot);
	const __m128i *in = (const __m128i *)(const void *)row;
	__m128i *out = (__m128i *)(void *)due;

	_mm_storeu_si128(out, _mm_add_epi32(first, _mm_loadu_si128(in)));
	_mm_storeu_si128(out + 1,
			 _mm_add_epi32(first, _mm_loadu_si128(in + 1)));
}

/* get_step, where nothing branches on which of the two it is that takes a
 * byte: UINT32_MAX or any other that is no step if the bytes are wrong. */
static ALWAYS_INLINE uint32_t
next_step(struct codec *codec, uint32_t previous)
{
	const uint8_t *in = codec->in[CODEC_STEPS];
	uint32_t value, step;

	if (unlikely(in >= codec->limit || *in >= 128))
		return get_step(codec, previous);
	codec->in[CODEC_STEPS] = in + 1;
	value = *in - 1u;
	step = previous + (value >> 1 ^ -(value & 1));
	return step ^ ((step ^ codec->follower[previous]) & -(uint32_t) !*in);
}

static NOINLINE bool
decode_steps(struct codec *codec, const uint8_t *flags, uint32_t n_steps,
	     uint32_t *steps, struct found *found)
{
	const struct codec_step *table = codec->step;
	uint32_t *guess = codec->guess, *follower = codec->follower;
	uint32_t *due = codec->due;
	uint32_t hash = codec->hash, previous = codec->previous;
	uint32_t n_roots = 0, n_accesses = 0;

	for (uint32_t k = 0; k < n_steps; k++) {
		unsigned flag = flags[k];
		uint32_t number;
		struct codec_step step;

		if (!(flag & 1)) {
			number = guess[hash];
		} else {
			number = next_step(codec, previous);
			if (unlikely(number >= codec->n_steps))
				return false;
			guess[hash] = number;
		}
		follower[previous] = number;
		hash = hash_step(hash, number);
		previous = number;
		steps[k] = number;
		step = table[number];
		due_first(due + n_roots, step.due,
			  codec->flag_row[flag >> 1 &
					  ((1u << FLAG_SLOTS) - 1)]);
		if (unlikely(step.n_slots > FLAG_SLOTS) &&
		    !due_rest(codec, due + n_roots + FLAG_SLOTS,
			      step.due + (FLAG_SLOTS << DUE_SHIFT),
			      step.n_slots - FLAG_SLOTS, flag >> 7))
			return false;
		n_roots += step.n_slots;
		n_accesses += step.n_accesses;
		if (unlikely(n_roots > BATCH_ACCESSES))
			return false;
	}
	codec->hash = hash;
	codec->previous = previous;
	*found = (struct found){ n_roots, n_accesses };
	return true;
}

static NOINLINE bool
decode_roots(struct codec *codec, struct batch *batch, uint32_t n)
{
	uint8_t *slots = (uint8_t *)codec->slot;
	const uint32_t *due = codec->due, *end = due + n;
	uint64_t *root = batch->root;

	memset(codec->due + n, 0, AHEAD * sizeof(*due));
	for (; due < end; due++, root++) {
		struct slot *slot = (void *)(slots + (*due & -32u));
		uint64_t last = slot->last, stride = last + slot->stride;
		uint64_t offset = root[slot->back - 1] + slot->offset;
		uint64_t change = stride ^ offset;
		uint64_t value = stride ^ (change & (uint64_t)slot->mode);

		__builtin_prefetch(slots + due[AHEAD], 1);
		if (*due & 1 && unlikely(!get_root(codec, slot, root,
						   value ^ change, &value)))
			return false;
		*root = value;
		slot->stride = value - last;
		slot->last = value;
		slot->offset = value - root[slot->back - 1];
	}
	return true;
}

/* What a control byte says, less one: which delta, and from where. */
struct control {
	uint64_t mask, sign;
	uint32_t width, bytes;
	int32_t from;	    /* root[from]; 0: the slot's last value */
	uint8_t keep, back; /* what becomes of slot->back, and is put there */
};

#define CONTROL(width, mask, sign, back)                                    \
	{                                                                   \
		mask, sign, CODEC_DELTA1 + (width), 1u << (width), -(back), \
			(back) ? 0 : UINT8_MAX,                             \
			(uint8_t)((back) ? 1 - (back) : 0)                  \
	}
#define CONTROLS(width, mask, sign)                                           \
	CONTROL(width, mask, sign, 0), CONTROL(width, mask, sign, 1),         \
		CONTROL(width, mask, sign, 2), CONTROL(width, mask, sign, 3), \
		CONTROL(width, mask, sign, 4), CONTROL(width, mask, sign, 5), \
		CONTROL(width, mask, sign, 6), CONTROL(width, mask, sign, 7)
static const struct control controls[4 * CODEC_HISTORY] = {
	CONTROLS(0, UINT8_MAX, UINT64_C(1) << 7),
	CONTROLS(1, UINT16_MAX, UINT64_C(1) << 15),
	CONTROLS(2, UINT32_MAX, UINT64_C(1) << 31),
	CONTROLS(3, UINT64_MAX, 0),
};

/* One that was guessed, or whose control byte is not in that table. */
static NOINLINE bool
take_other(struct codec *codec, uint32_t due, struct slot *slot,
	   const uint64_t *root, uint64_t *value)
{
	uint64_t stride = slot->last + slot->stride;
	uint64_t offset = root[slot->back - 1] + slot->offset;
	uint64_t change = stride ^ offset;

	*value = stride ^ (change & (uint64_t)slot->mode);
	return !(due & 1) ||
	       get_root(codec, slot, root, *value ^ change, value);
}

/* Roots and columns, where each access has a root and nearly none is guessed.
 * The block has as many control bytes, or what may be read as such. */
static NOINLINE bool
decode_columns(struct codec *codec, struct batch *batch, uint32_t n)
{
	const struct codec_access *access = codec->access;
	uint8_t *slots = (uint8_t *)codec->slot;
	const uint8_t *limit = codec->limit, **in = codec->in;
	const uint8_t *next = in[CODEC_CONTROL];
	uint64_t *root = batch->root, *address = batch->address;
	uint32_t *site = batch->site;

	for (uint32_t k = 0; k < n; k++, root++) {
		uint32_t due = codec->due[k];
		struct slot *slot = (void *)(slots + (due & -32u));
		const struct codec_access *of = &access[due >> DUE_SHIFT];
		unsigned number = *next - 1u;
		uint64_t value, last = slot->last;

		if (likely(due & 1 && number < ARRAY_SIZE(controls))) {
			const struct control *control = &controls[number];
			const uint8_t *delta = in[control->width];

			if (unlikely(delta > limit))
				return false;
			memcpy(&value, delta, sizeof(value));
			value = ((value & control->mask) ^ control->sign) -
				control->sign;
			in[control->width] = delta + control->bytes;
			*root = last;
			value += root[control->from];
			slot->back = (int8_t)((slot->back & control->keep) |
					      control->back);
			next++;
		} else {
			in[CODEC_CONTROL] = next;
			if (!take_other(codec, due, slot, root, &value))
				return false;
			next = in[CODEC_CONTROL];
		}
		*root = value;
		slot->stride = value - last;
		slot->last = value;
		slot->offset = value - root[slot->back - 1];
		address[k] = value + of->displacement;
		site[k] = of->ref;
	}
	in[CODEC_CONTROL] = next;
	batch->columned = true;
	return true;
}

/*
 * Batches that no one can foresee are mostly of misses, and who has those wants
 * columns: where they fall off, 29 ns an access for both against 37.
 */
static bool
is_noisy(const uint8_t *flags, uint32_t n_steps)
{
	const __m128i zero = _mm_setzero_si128(), one = _mm_set1_epi8(1);
	__m128i right = zero; /* two counters */
	uint64_t sums[2];
	uint32_t k = 0;

	for (; k + 16 <= n_steps; k += 16) {
		__m128i row = _mm_loadu_si128((const void *)(flags + k));

		row = _mm_and_si128(_mm_cmpeq_epi8(row, zero), one);
		right = _mm_add_epi64(right, _mm_sad_epu8(row, zero));
	}
	_mm_storeu_si128((void *)sums, right);
	for (; k < n_steps; k++)
		sums[0] += !flags[k];
	return n_steps - (uint32_t)(sums[0] + sums[1]) > n_steps / NOISY;
}

/* May so many control bytes be read, be they those of later streams? */
static bool
has_controls(const struct codec *codec, uint32_t n)
{
	const uint8_t *in = codec->in[CODEC_CONTROL];

	return in <= codec->limit && n <= (size_t)(codec->limit - in);
}

static bool
decode(struct codec *codec, const uint8_t *flags, uint32_t n_steps,
       struct batch *batch, struct found *found)
{
	bool noisy = codec->own_roots && is_noisy(flags, n_steps);

	if (!decode_steps(codec, flags, n_steps, batch->step, found))
		return false;
	return noisy && has_controls(codec, found->n_roots)
		       ? decode_columns(codec, batch, found->n_roots)
		       : decode_roots(codec, batch, found->n_roots);
}

/* Accesses made, where guards make that depend on the roots. */
static bool
count_guarded(const struct codec *codec, const struct batch *batch,
	      uint32_t *n_accesses)
{
	const uint64_t *root = batch->root;
	uint32_t n = 0;

	for (uint32_t k = 0; k < batch->n_steps; k++) {
		const struct step *step =
			stream_step(codec->stream, batch->step[k]);

		n += expand_count(step, root);
		if (n > BATCH_ACCESSES)
			return false;
		root += step->n_slots;
	}
	*n_accesses = n;
	return true;
}

int
codec_decode(struct codec *codec, size_t n_steps, uint32_t n,
	     struct batch *batch)
{
	const uint8_t *flags = codec->in[CODEC_FLAGS];
	size_t history_bytes = sizeof(codec->history);
	struct found found;

	if (n_steps > (size_t)(codec->end[CODEC_FLAGS] - flags) ||
	    n_steps > BATCH_ACCESSES || (n_steps && !codec->n_steps))
		return -EBADMSG;
	memcpy(batch->root - CODEC_HISTORY, codec->history, history_bytes);
	if (!decode(codec, flags, (uint32_t)n_steps, batch, &found))
		return -EBADMSG;
	codec->in[CODEC_FLAGS] = flags + n_steps;
	memcpy(codec->history, batch->root + found.n_roots - CODEC_HISTORY,
	       history_bytes);
	batch->n_steps = (uint32_t)n_steps;
	batch->n_roots = found.n_roots;
	batch->n = found.n_accesses;
	batch->packed = true;
	if (unlikely(batch->n != n) && !count_guarded(codec, batch, &batch->n))
		return -EBADMSG;
	return batch->n == n && n <= BATCH_ACCESSES ? 0 : -EBADMSG;
}
