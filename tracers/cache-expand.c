// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The hot loop is expand_simple or vectors_expand: most records are a step whose
 * roots are the record's words, with some replaced by sums (cache-track.h).
 */
#include "tracers/cache-expand.h"
#include "analyzer/base.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "analyzer/vectors.h"
#include "tracers/about.h"
#include "tracers/cache-expander.h"
#include "tracers/cache-layout.h"

#define LINE   64u
#define COPIED 12u /* words, however many there are */

int
expander_open(struct cache_expander **out, struct stream *stream,
	      unsigned kinds)
{
	struct cache_expander *expander = calloc(1, sizeof(*expander));
	int error;

	if (!expander)
		return fail(ENOMEM, "cache: no memory");
	expander->stream = stream;
	expander->vectors = vectors_at_hand();
	expander->short_vectors =
		short_vectors_at_hand() && __builtin_cpu_supports("bmi2");
	expander->flushes = flush_at_hand();
	xstate_layout_init(&expander->layout);
	error = shaper_open(&expander->shaper, stream, kinds);
	if (error) {
		free(expander);
		return error;
	}
	*out = expander;
	return 0;
}

void
expander_forgo_vectors(struct cache_expander *expander)
{
	expander->vectors = expander->short_vectors = false;
}

void
expander_waits(struct cache_expander *expander, bool waits)
{
	expander->idle = waits;
}

void
expander_close(struct cache_expander *expander)
{
	if (!expander)
		return;
	for (size_t i = 0; i < expander->n_pieces; i++)
		free(expander->pieces[i].piece);
	free(expander->pieces);
	free(expander->wide);
	shaper_close(expander->shaper);
	free(expander);
}

static int
keep_pieces(struct cache_expander *expander, const struct cache_piece *piece,
	    size_t n, uint32_t *number)
{
	struct expander_pieces *table = expander->pieces;

	if (expander->n_pieces == expander->pieces_size) {
		size_t size =
			expander->pieces_size ? 2 * expander->pieces_size : 256;

		table = reallocarray(table, size, sizeof(*table));
		if (!table)
			return fail(ENOMEM, "cache: no memory");
		expander->pieces = table;
		expander->pieces_size = size;
	}
	table += expander->n_pieces;
	table->n = n;
	table->piece = malloc(n * sizeof(*piece));
	if (!table->piece)
		return fail(ENOMEM, "cache: no memory");
	memcpy(table->piece, piece, n * sizeof(*piece));
	*number = (uint32_t)expander->n_pieces++;
	return 0;
}

static uint16_t
image_of(const struct cache_expander *expander,
	 const struct cache_segment *segment)
{
	return stream_space(expander->stream, segment->space)->image;
}

/* Is each of the fixes a base and an index? */
static bool
are_scaled(const struct cache_meaning *meaning)
{
	for (unsigned i = 0; i < meaning->fixes; i++)
		if (!meaning->fix[i].base || !meaning->fix[i].index ||
		    meaning->fix[i].fs)
			return false;
	return true;
}

/* The first record of its kind */
static int
learn(struct cache_expander *expander, const struct cache_segment *segment,
      uint32_t number)
{
	const struct cache_outcome *outcome = &segment->code->outcome[number];
	struct cache_meaning *meaning = &segment->code->meaning[number];
	const struct cache_piece *piece;
	size_t n;
	int error;

	if (!number || number >= OUTCOMES_MAX || !outcome->block)
		return fail(EPROTO, "cache: a record of no superblock");
	error = shaper_pieces(expander->shaper, image_of(expander, segment),
			      outcome, &piece, &n);
	if (error)
		return error;
	meaning->fix = outcome->block->fix;
	meaning->fixes = outcome->fixes;
	meaning->scaled = are_scaled(meaning);
	meaning->step = piece->step;
	meaning->accesses = piece->accesses;
	if (n > 1) {
		meaning->kind = MEANING_PIECES;
		return keep_pieces(expander, piece, n, &meaning->step);
	}
	meaning->kind = piece->some ? MEANING_STEP : MEANING_NOTHING;
	if (!piece->some || !expander->vectors)
		return 0;
	return vectors_learn(expander, meaning);
}

static ALWAYS_INLINE uint64_t
fixed(const struct cache_fix *fix, const uint64_t *at, uint64_t fs)
{
	uint64_t base = fix->base ? at[fix->base] : 0;
	uint64_t index = fix->index ? at[fix->index] << fix->shift : 0;

	return base + index + (fix->fs ? fs : 0);
}

/* The record's words as roots; its first word is at[1].  A call of memcpy or a
 * branch for each record's length cost more (gzip -9 on Zen 3: 38 cycles a
 * record, so 23). */
static ALWAYS_INLINE void
make_roots(const uint64_t *at, unsigned words, const struct cache_fix *fix,
	   unsigned fixes, uint64_t fs, uint64_t *root)
{
	memcpy(root, at + 1, COPIED * sizeof(*root));
	if (unlikely(words > COPIED))
		memcpy(root + COPIED, at + 1 + COPIED,
		       (words - COPIED) * sizeof(*root));
	for (unsigned i = 0; i < fixes; i++)
		root[fix[i].slot - 1] = fixed(&fix[i], at, fs);
}

/* A record of several pieces.  1: the batch is full; 0: done */
static int
expand_pieces(struct cache_expander *expander,
	      const struct cache_segment *segment,
	      const struct cache_meaning *meaning, const uint64_t *at,
	      struct batch *batch)
{
	const struct expander_pieces *pieces = &expander->pieces[meaning->step];
	struct expander_progress *inside = &expander->inside;
	unsigned words = RECORD_WORDS(*at);
	int result;

	for (; inside->piece < pieces->n; inside->piece++) {
		struct cache_piece *piece = &pieces->piece[inside->piece];

		if (!expander_has_room(batch))
			return 1;
		if (!inside->in_special && piece->some) {
			make_roots(at, words, meaning->fix, meaning->fixes,
				   segment->fs, batch->root + batch->n_roots);
			batch->n_roots += words;
			batch->step[batch->n_steps++] = piece->step;
			batch->n += piece->accesses;
		}
		inside->in_special = true;
		if (piece->special) {
			result = special_expand(expander,
						image_of(expander, segment),
						piece, at, segment->fs, batch);
			if (result)
				return result;
		}
		inside->in_special = false;
	}
	inside->piece = 0;
	return 0;
}

static int
expand_rare(struct cache_expander *expander,
	    const struct cache_segment *segment, const uint64_t *at,
	    struct batch *batch)
{
	struct cache_meaning *meaning =
		&segment->code->meaning[RECORD_NUMBER(*at)];
	int error;

	if (RECORD_NUMBER(*at) == CALL_OUTCOME)
		return kernel_append(&expander->kernel, at, segment->time_ns,
				     batch);
	if (meaning->kind == MEANING_UNKNOWN) {
		error = learn(expander, segment, RECORD_NUMBER(*at));
		if (error)
			return error;
	}
	if (meaning->kind == MEANING_PIECES)
		return expand_pieces(expander, segment, meaning, at, batch);
	if (meaning->kind == MEANING_NOTHING)
		return 0;
	make_roots(at, RECORD_WORDS(*at), meaning->fix, meaning->fixes,
		   segment->fs, batch->root + batch->n_roots);
	batch->n_roots += RECORD_WORDS(*at);
	batch->step[batch->n_steps++] = meaning->step;
	batch->n += meaning->accesses;
	return 0;
}

/* Records as long as they are simple; returns where it stopped. */
static ALWAYS_INLINE const uint64_t *
expand_simple(const struct cache_meaning *table, const uint64_t *at,
	      const uint64_t *end, uint64_t fs, struct batch *batch)
{
	uint32_t *step = batch->step + batch->n_steps, n = batch->n;
	uint64_t *root = batch->root + batch->n_roots;

	while (at < end) {
		const unsigned words = RECORD_WORDS(*at);
		const struct cache_meaning *meaning =
			&table[RECORD_NUMBER(*at)];

		if (unlikely(meaning->kind != MEANING_STEP ||
			     expander_is_full(batch, root, n)))
			break;
		_mm_prefetch(at + AHEAD_WORDS, _MM_HINT_T0);
		make_roots(at, words, meaning->fix, meaning->fixes, fs, root);
		root += words;
		*step++ = meaning->step;
		n += meaning->accesses;
		at += 1 + words;
	}
	expander_note_place(batch, step, root, n);
	return at;
}

static const uint64_t *
expand_plain(const struct cache_meaning *table, const uint64_t *at,
	     const uint64_t *end, uint64_t fs, struct batch *batch)
{
	return expand_simple(table, at, end, fs, batch);
}

/* The fixes of make_roots, most of which are a base and an index */
static ALWAYS_INLINE void
fix_roots(const struct cache_meaning *meaning, const uint64_t *at, uint64_t fs,
	  uint64_t *root)
{
	const struct cache_fix *fix = meaning->fix, *end = fix + meaning->fixes;

	if (likely(meaning->scaled)) {
		for (; fix < end; fix++)
			root[fix->slot - 1] =
				at[fix->base] + (at[fix->index] << fix->shift);
		return;
	}
	for (; fix < end; fix++)
		root[fix->slot - 1] = fixed(fix, at, fs);
}

/*
 * The same with AVX2 and BMI2: one branch where there were three, and fixes as
 * most are without any (cycles a record on Zen 3, half of all batches below:
 * python3 17 before, 12.5 now; cc1 28 and 25; gzip -9 41 and 35).
 */
__attribute__((target("avx2,bmi,bmi2"))) static const uint64_t *
expand_short(const struct cache_meaning *table, const uint64_t *at,
	     const uint64_t *end, uint64_t fs, struct batch *batch)
{
	uint32_t *step = batch->step + batch->n_steps, n = batch->n;
	uint64_t *root = batch->root + batch->n_roots;
	const uint64_t *full = batch->root + ROOTS_FULL;

	while (at < end) {
		const unsigned words = RECORD_WORDS(*at);
		const struct cache_meaning *meaning =
			&table[RECORD_NUMBER(*at)];

		if (unlikely((meaning->kind != MEANING_STEP) |
			     (n > ACCESSES_FULL) | (root > full)))
			break;
		_mm_prefetch(at + AHEAD_WORDS, _MM_HINT_T0);
		for (unsigned i = 0; i < COPIED; i += 4)
			_mm256_storeu_si256((__m256i *)(root + i),
					    _mm256_loadu_si256(
						    (const __m256i *)(at + 1 +
								      i)));
		if (unlikely(words > COPIED))
			memcpy(root + COPIED, at + 1 + COPIED,
			       (words - COPIED) * sizeof(*root));
		fix_roots(meaning, at, fs, root);
		root += words;
		*step++ = meaning->step;
		n += meaning->accesses;
		at += 1 + words;
	}
	expander_note_place(batch, step, root, n);
	return at;
}

/*
 * Lines of the buffer that are done with leave all caches: the target's next
 * stores to them would wait for each to be taken away from this processor
 * (python3: 8.6 ns a line in the target, now 2.5).  That is work of ours, so only
 * as long as we are not what the target waits for (sqlite3 on Zen 3, whose cores
 * share a cache: 3.7 s with, 2.8 s without).
 */
static void
records_forget(const struct cache_expander *expander, const uint64_t *from,
	       const uint64_t *to)
{
	uintptr_t line = (uintptr_t)from & ~(uintptr_t)(LINE - 1);
	uintptr_t end = (uintptr_t)to & ~(uintptr_t)(LINE - 1);

	if (!expander->flushes || !expander->idle)
		return;
	for (; line < end; line += LINE)
		flush_line((void *)line);
}

static int
expand_records(struct cache_expander *expander,
	       const struct cache_segment *segment, struct batch *batch)
{
	const struct cache_meaning *table = segment->code->meaning;
	const uint64_t *at = segment->word + expander->at;
	const uint64_t *end = segment->word + segment->n_words;
	int result = 0;

	while (!result) {
		if (expander->vectors)
			at = vectors_expand(expander, table, at, end,
					    segment->fs, batch);
		else if (expander->short_vectors)
			at = expand_short(table, at, end, segment->fs, batch);
		else
			at = expand_plain(table, at, end, segment->fs, batch);
		if (at >= end)
			break;
		result = expander_has_room(batch)
				 ? expand_rare(expander, segment, at, batch)
				 : 1;
		if (!result)
			at += 1 + RECORD_WORDS(*at);
	}
	records_forget(expander, segment->word + expander->at, at);
	expander->at = (size_t)(at - segment->word);
	return result;
}

static int
expand_stepped(struct cache_expander *expander,
	       const struct cache_segment *segment, struct batch *batch)
{
	uint16_t image = image_of(expander, segment);

	for (; expander->at < segment->n_stepped; expander->at++) {
		const struct cache_stepped *stepped =
			&segment->stepped[expander->at];
		struct site site = stepped->site;
		int error;

		if (!expander_has_room(batch))
			return 1;
		site.image = image;
		error = special_single(expander, &site, stepped->address,
				       batch);
		if (error)
			return error;
	}
	return 0;
}

static int
append_event(const struct cache_segment *segment, struct batch *batch)
{
	struct event *event = batch_event(batch, segment->event.type);
	uint32_t position;

	if (!event)
		return 1;
	position = event->position;
	*event = segment->event;
	event->position = position;
	event->thread = segment->thread;
	return 0;
}

int
expander_append(struct cache_expander *expander,
		const struct cache_segment *segment, struct batch *batch)
{
	bool empty = !batch->n_steps && !batch->n_events;
	int result = 0;

	if (segment->kind == SEGMENT_LOSS) {
		about_loss(expander->stream, segment->loss);
		return 0;
	}
	if (!empty && (batch->thread != segment->thread ||
		       batch->space != segment->space))
		return 1;
	batch->packed = true;
	batch->thread = segment->thread;
	batch->space = segment->space;
	batch->time_ns = segment->time_ns;
	if (segment->kind == SEGMENT_RECORDS)
		result = expand_records(expander, segment, batch);
	else if (segment->kind == SEGMENT_STEPPED)
		result = expand_stepped(expander, segment, batch);
	else if (segment->kind == SEGMENT_EVENT)
		result = append_event(segment, batch);
	if (!result)
		expander->at = 0;
	return result;
}
