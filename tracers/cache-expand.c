// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The hot loop is expand_plain or expand_vectors: most records are a step whose
 * roots are the record's words, with some replaced by sums (cache-track.h).
 *
 * With vectors all roots are sums, made eight at a time, with no branch that
 * depends on how many there are:
 *
 *	root[i] = term[base of i] + (term[index of i] << shift of i)
 *
 * where terms 0 to 7 are the record's first words, 8 is 0 and 9 is FS's base; of
 * a record of more words 0 to 15 are words, and masks say what is left out.
 */
#include "tracers/cache-expand.h"
#include "analyzer/base.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "analyzer/vectors.h"
#include "tracers/about.h"
#include "tracers/cache-code.h"
#include "tracers/cache-kernel.h"
#include "tracers/cache-layout.h"
#include "tracers/cache-shape.h"
#include "tracers/xstate.h"

#define LANES	     8u
#define COPIED	     12u /* words, however many there are */
#define TERM_NOTHING 8u
#define TERM_FS	     9u
#define LINE	     64u
#define AHEAD_WORDS  256 /* to be read: the target has written them */
#define SPECIAL_ROOM (INSTRUCTION_ACCESSES + 16)

enum meaning_kind {
	MEANING_UNKNOWN,
	MEANING_STEP,
	MEANING_PIECES, /* step: the number of a struct pieces */
	MEANING_NOTHING,
};

enum meaning_vectors {
	VECTORS_NONE, /* by expand_plain */
	VECTORS_NARROW,
	VECTORS_WIDE,
};

/* Sixteen roots of sixteen words; the others are copied. */
struct wide {
	struct wide_half {
		uint32_t base, index, shift;
		uint8_t based, indexed, fs; /* bits: has one, has FS's base */
	} half[2];
};

struct pieces {
	struct cache_piece *piece; /* owned */
	size_t n;
};

/* A record of several pieces under way */
struct progress_in_record {
	size_t piece;
	bool in_special;
	uint64_t iteration;
};

struct cache_expander {
	struct stream *stream;
	struct cache_shaper *shaper;
	struct pieces *pieces; /* owned */
	size_t n_pieces, pieces_size;
	struct wide *wide; /* owned */
	size_t n_wide, wide_size;
	size_t at; /* in the segment */
	struct progress_in_record inside;
	struct cache_kernel kernel;
	struct xstate_layout layout;
	bool vectors, short_vectors;
	bool flushes, idle;
};

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

static bool
has_room(const struct batch *batch)
{
	return batch->n_steps < BATCH_ACCESSES - SPECIAL_ROOM &&
	       batch->n <= BATCH_ACCESSES - SHAPE_ACCESSES_MAX &&
	       batch->n_roots <= BATCH_ACCESSES - SHAPE_SLOTS_MAX - 2 * LANES;
}

static int
keep_pieces(struct cache_expander *expander, const struct cache_piece *piece,
	    size_t n, uint32_t *number)
{
	struct pieces *table = expander->pieces;

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

/* The first eight roots as sums; a root that no fix makes is its word.  false:
 * a fix is of other words, or of three. */
static bool
set_terms(struct cache_meaning *meaning)
{
	meaning->base = 0x76543210;
	meaning->index = 0x88888888;
	meaning->shift = 0;
	for (unsigned i = 0; i < meaning->fixes; i++) {
		const struct cache_fix *fix = &meaning->fix[i];
		uint32_t base = fix->base ? fix->base - 1u : TERM_NOTHING;
		uint32_t index = fix->index ? fix->index - 1u : TERM_NOTHING;
		unsigned at = 4 * (fix->slot - 1u);
		uint32_t shift = fix->shift;

		if (fix->slot > LANES || fix->base > LANES ||
		    fix->index > LANES || (fix->fs && fix->base && fix->index))
			return false;
		if (fix->fs && fix->base) {
			index = TERM_FS;
			shift = 0;
		} else if (fix->fs) {
			base = TERM_FS;
		}
		meaning->base &= ~(UINT32_C(15) << at);
		meaning->index &= ~(UINT32_C(15) << at);
		meaning->base |= base << at;
		meaning->index |= index << at;
		meaning->shift |= shift << at;
	}
	return true;
}

static void
set_half(struct wide_half *half, unsigned first,
	 const struct cache_meaning *meaning)
{
	*half = (struct wide_half){
		.base = first ? 0xfedcba98 : 0x76543210,
		.based = UINT8_MAX,
	};
	for (unsigned i = 0; i < meaning->fixes; i++) {
		const struct cache_fix *fix = &meaning->fix[i];
		unsigned lane = fix->slot - 1u - first, at = 4 * lane;

		if (lane >= LANES)
			continue;
		half->base &= ~(UINT32_C(15) << at);
		if (fix->base)
			half->base |= (fix->base - UINT32_C(1)) << at;
		else
			half->based &= (uint8_t) ~(1u << lane);
		if (fix->index) {
			half->indexed |= (uint8_t)(1u << lane);
			half->index |= (fix->index - UINT32_C(1)) << at;
			half->shift |= (uint32_t)fix->shift << at;
		}
		if (fix->fs)
			half->fs |= (uint8_t)(1u << lane);
	}
}

/* 0: done, or not to be done with vectors */
static int
set_wide(struct cache_expander *expander, struct cache_meaning *meaning)
{
	struct wide *table = expander->wide;

	for (unsigned i = 0; i < meaning->fixes; i++)
		if (meaning->fix[i].slot > 2 * LANES ||
		    meaning->fix[i].base > 2 * LANES ||
		    meaning->fix[i].index > 2 * LANES)
			return 0;
	if (expander->n_wide == expander->wide_size) {
		size_t size =
			expander->wide_size ? 2 * expander->wide_size : 256;

		table = reallocarray(table, size, sizeof(*table));
		if (!table)
			return fail(ENOMEM, "cache: no memory");
		expander->wide = table;
		expander->wide_size = size;
	}
	table += expander->n_wide;
	set_half(&table->half[0], 0, meaning);
	set_half(&table->half[1], LANES, meaning);
	meaning->base = (uint32_t)expander->n_wide++;
	meaning->vectors = VECTORS_WIDE;
	return 0;
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
	meaning->step = piece->step;
	meaning->accesses = piece->accesses;
	if (n > 1) {
		meaning->kind = MEANING_PIECES;
		return keep_pieces(expander, piece, n, &meaning->step);
	}
	meaning->kind = piece->some ? MEANING_STEP : MEANING_NOTHING;
	if (!piece->some || !expander->vectors)
		return 0;
	if (!set_terms(meaning))
		return set_wide(expander, meaning);
	meaning->vectors = VECTORS_NARROW;
	return 0;
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
	for (unsigned i = 0; i < fixes; i++) {
		uint64_t base = at[fix[i].base], index = at[fix[i].index];

		base = fix[i].base ? base : 0;
		index = fix[i].index ? index << fix[i].shift : 0;
		root[fix[i].slot - 1] = base + index + (fix[i].fs ? fs : 0);
	}
}

/* One access with a step of its own */
static int
add_single(struct cache_expander *expander, const struct site *site,
	   uint64_t address, struct batch *batch)
{
	uint32_t step;
	int error = shaper_single(expander->shaper, site, &step);

	if (error)
		return error;
	batch->step[batch->n_steps++] = step;
	batch->root[batch->n_roots++] = address;
	batch->n++;
	return 0;
}

/* What an instruction's operands need, out of a record */
struct stored {
	const struct cache_special *special;
	const uint64_t *at;
	struct user_regs_struct general;
};

static int
stored_vector(void *context, unsigned number, uint8_t value[64])
{
	const struct stored *stored = context;
	const struct cache_special *special = stored->special;

	memset(value, 0, 64);
	for (unsigned i = 0; i < special->n_vectors; i++)
		if (special->vector[i] == number)
			memcpy(value, stored->at + special->vector_word[i],
			       special->vector_bytes[i]);
	return 0;
}

static int
stored_opmask(void *context, unsigned number, uint64_t *value)
{
	const struct stored *stored = context;

	(void)number;
	*value = stored->at[stored->special->opmask_word];
	return 0;
}

static uint64_t
value_of(const struct cache_value *value, const uint64_t *at)
{
	return (uint64_t)value->delta +
	       (value->kind == VALUE_WORD ? at[value->word] : 0);
}

static void
restore(struct stored *stored, const struct cache_special *special,
	const uint64_t *at, uint64_t fs)
{
	const struct cache_value *value = special->general;

	*stored = (struct stored){
		.special = special,
		.at = at,
		.general = {
			.rax = value_of(&value[RAX], at),
			.rcx = value_of(&value[RCX], at),
			.rdx = value_of(&value[RDX], at),
			.rbx = value_of(&value[RBX], at),
			.rsp = value_of(&value[RSP], at),
			.rbp = value_of(&value[RBP], at),
			.rsi = value_of(&value[RSI], at),
			.rdi = value_of(&value[RDI], at),
			.r8 = value_of(&value[R8], at),
			.r9 = value_of(&value[R9], at),
			.r10 = value_of(&value[R10], at),
			.r11 = value_of(&value[R11], at),
			.r12 = value_of(&value[R12], at),
			.r13 = value_of(&value[R13], at),
			.r14 = value_of(&value[R14], at),
			.r15 = value_of(&value[R15], at),
			.fs_base = fs,
		},
	};
}

static int
accesses_of(struct stored *stored, const struct xstate_layout *layout,
	    struct access *access)
{
	const struct registers registers = {
		.general = &stored->general,
		.vector = stored_vector,
		.opmask = stored_opmask,
		.context = stored,
		.layout = layout,
	};

	return instruction_accesses(&stored->special->instruction, &registers,
				    access);
}

static struct site
site_of(const struct instruction *instruction, uint16_t image,
	const struct access *access)
{
	return (struct site){
		.pc = instruction->pc,
		.size = access->size,
		.image = image,
		.kind = access->kind,
	};
}

/* How often a repeated instruction ran, and how far rsi and rdi went a time */
static uint64_t
repeats(const struct stored *stored, int64_t *source, int64_t *destination)
{
	const struct cache_special *special = stored->special;
	uint64_t count = stored->general.rcx - stored->at[special->after[0]];

	*source = *destination = 0;
	if (special->instruction.address32)
		count = (uint32_t)count;
	if (!count)
		return 0;
	if (special->after[1])
		*source = (int64_t)(stored->at[special->after[1]] -
				    stored->general.rsi) /
			  (int64_t)count;
	if (special->after[2])
		*destination = (int64_t)(stored->at[special->after[2]] -
					 stored->general.rdi) /
			       (int64_t)count;
	return count;
}

/* So many times, of which the first is at these addresses */
static int
add_run(struct cache_expander *expander, struct cache_run *run,
	const struct cache_repeat *repeat, const struct access *access,
	uint64_t done, unsigned times, struct batch *batch)
{
	int error = shaper_run_step(expander->shaper, run, times,
				    &batch->step[batch->n_steps]);

	if (error)
		return error;
	batch->n_steps++;
	for (unsigned i = 0; i < repeat->n; i++)
		batch->root[batch->n_roots++] =
			access[i].address + done * (uint64_t)repeat->by[i];
	batch->n += times * repeat->n;
	return 0;
}

/* Operands and accesses agree.  1: the batch is full; 0: done */
static int
expand_repeated(struct cache_expander *expander, uint16_t image,
		struct cache_piece *piece, const struct stored *stored,
		const struct access *access, unsigned n, struct batch *batch)
{
	const struct instruction *instruction = &stored->special->instruction;
	struct progress_in_record *inside = &expander->inside;
	struct cache_repeat repeat = { .n = n };
	int64_t source, destination;
	uint64_t count = repeats(stored, &source, &destination);
	int error;

	assert(n <= RUN_ACCESSES);
	if (!count || !n)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		repeat.by[i] = instruction->operand[i].base == RSI
				       ? source
				       : destination;
		repeat.site[i] = site_of(instruction, image, &access[i]);
	}
	error = shaper_run(expander->shaper, &repeat, &piece->run);
	while (!error && inside->iteration < count) {
		uint64_t times = count - inside->iteration;

		if (!has_room(batch))
			return 1;
		times = times < RUN_TIMES ? times : RUN_TIMES;
		error = add_run(expander, piece->run, &repeat, access,
				inside->iteration, (unsigned)times, batch);
		inside->iteration += times;
	}
	inside->iteration = 0;
	return error;
}

/* How many of n accesses stand side by side */
static unsigned
side_by_side(const struct access *access, unsigned n)
{
	unsigned k = 1;

	while (k < n && k < RUN_TIMES && access[k].size == access->size &&
	       access[k].kind == access->kind &&
	       access[k].address == access->address + k * access->size)
		k++;
	return k;
}

static int
expand_lanes(struct cache_expander *expander, uint16_t image,
	     struct cache_piece *piece, const struct access *access, unsigned n,
	     struct batch *batch)
{
	int error = 0;

	while (n && !error) {
		unsigned k = side_by_side(access, n);
		const struct cache_repeat repeat = {
			.site[0] = site_of(&piece->special->instruction, image,
					   access),
			.by[0] = access->size,
			.n = 1,
		};

		if (k == 1) {
			error = add_single(expander, &repeat.site[0],
					   access->address, batch);
		} else {
			error = shaper_run(expander->shaper, &repeat,
					   &piece->run);
			if (!error)
				error = add_run(expander, piece->run, &repeat,
						access, 0, k, batch);
		}
		access += k;
		n -= k;
	}
	return error;
}

/* 1: the batch is full; 0: done */
static int
expand_special(struct cache_expander *expander, uint16_t image,
	       struct cache_piece *piece, const uint64_t *at, uint64_t fs,
	       struct batch *batch)
{
	struct access access[INSTRUCTION_ACCESSES];
	struct stored stored;
	int n;

	if (!has_room(batch))
		return 1;
	restore(&stored, piece->special, at, fs);
	n = accesses_of(&stored, &expander->layout, access);
	if (n < 0)
		return n;
	if (piece->special->instruction.repeated)
		return expand_repeated(expander, image, piece, &stored, access,
				       (unsigned)n, batch);
	return expand_lanes(expander, image, piece, access, (unsigned)n, batch);
}

/* A record of several pieces.  1: the batch is full; 0: done */
static int
expand_pieces(struct cache_expander *expander,
	      const struct cache_segment *segment,
	      const struct cache_meaning *meaning, const uint64_t *at,
	      struct batch *batch)
{
	const struct pieces *pieces = &expander->pieces[meaning->step];
	struct progress_in_record *inside = &expander->inside;
	unsigned words = RECORD_WORDS(*at);
	int result;

	for (; inside->piece < pieces->n; inside->piece++) {
		struct cache_piece *piece = &pieces->piece[inside->piece];

		if (!has_room(batch))
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
			result = expand_special(expander,
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

/* The hot loops know where they are in a batch by two pointers and a count.
 * A step has an access or more: there is room for steps as long as there is
 * for accesses. */
static ALWAYS_INLINE bool
is_full(const struct batch *batch, const uint64_t *root, uint32_t n)
{
	return n > BATCH_ACCESSES - SHAPE_ACCESSES_MAX ||
	       root > batch->root + BATCH_ACCESSES - SHAPE_SLOTS_MAX -
			       2 * LANES;
}

static ALWAYS_INLINE void
note_place(struct batch *batch, const uint32_t *step, const uint64_t *root,
	   uint32_t n)
{
	batch->n_steps = (uint32_t)(step - batch->step);
	batch->n_roots = (uint32_t)(root - batch->root);
	batch->n = n;
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
			     is_full(batch, root, n)))
			break;
		_mm_prefetch(at + AHEAD_WORDS, _MM_HINT_T0);
		make_roots(at, words, meaning->fix, meaning->fixes, fs, root);
		root += words;
		*step++ = meaning->step;
		n += meaning->accesses;
		at += 1 + words;
	}
	note_place(batch, step, root, n);
	return at;
}

static const uint64_t *
expand_plain(const struct cache_meaning *table, const uint64_t *at,
	     const uint64_t *end, uint64_t fs, struct batch *batch)
{
	return expand_simple(table, at, end, fs, batch);
}

/* The same, with what the compiler makes of it for AVX2 and BMI2 */
__attribute__((target("avx2,bmi,bmi2"))) static const uint64_t *
expand_short(const struct cache_meaning *table, const uint64_t *at,
	     const uint64_t *end, uint64_t fs, struct batch *batch)
{
	return expand_simple(table, at, end, fs, batch);
}

/* The constants of expand_vectors */
struct lanes {
	__m512i fours; /* where in a meaning's base, index and shift each is */
	__m512i low;
	__m512i others; /* terms from 8 on */
	__m512i fs;
};

/* Of each lane the low four bits are meant. */
VECTORS static ALWAYS_INLINE __m512i
parts(const uint32_t *of, const struct lanes *lanes)
{
	return _mm512_srlv_epi64(_mm512_set1_epi32((int)*of), lanes->fours);
}

VECTORS static ALWAYS_INLINE __m512i
sums(const uint64_t *at, const struct cache_meaning *meaning,
     const struct lanes *lanes)
{
	__m512i word = _mm512_loadu_si512(at + 1);
	__m512i base =
		_mm512_permutex2var_epi64(word, parts(&meaning->base, lanes),
					  lanes->others);
	__m512i index =
		_mm512_permutex2var_epi64(word, parts(&meaning->index, lanes),
					  lanes->others);
	__m512i shift =
		_mm512_and_si512(parts(&meaning->shift, lanes), lanes->low);

	return _mm512_add_epi64(base, _mm512_sllv_epi64(index, shift));
}

/* low, high: the record's first words */
VECTORS static ALWAYS_INLINE __m512i
half_sums(__m512i low, __m512i high, const struct wide_half *half,
	  const struct lanes *lanes)
{
	__m512i base =
		_mm512_maskz_permutex2var_epi64(half->based, low,
						parts(&half->base, lanes),
						high);

	if (half->indexed) {
		__m512i index =
			_mm512_maskz_permutex2var_epi64(half->indexed, low,
							parts(&half->index,
							      lanes),
							high);
		__m512i shift = _mm512_and_si512(parts(&half->shift, lanes),
						 lanes->low);

		base = _mm512_add_epi64(base, _mm512_sllv_epi64(index, shift));
	}
	return _mm512_mask_add_epi64(base, half->fs, base, lanes->fs);
}

VECTORS static ALWAYS_INLINE void
make_wide(const uint64_t *at, unsigned words, const struct wide *wide,
	  const struct lanes *lanes, uint64_t *root)
{
	__m512i low = _mm512_loadu_si512(at + 1);
	__m512i high = _mm512_loadu_si512(at + 1 + LANES);

	_mm512_storeu_si512(root, half_sums(low, high, &wide->half[0], lanes));
	_mm512_storeu_si512(root + LANES,
			    half_sums(low, high, &wide->half[1], lanes));
	for (unsigned i = 2 * LANES; unlikely(i < words); i += LANES)
		_mm512_storeu_si512(root + i, _mm512_loadu_si512(at + 1 + i));
}

VECTORS static ALWAYS_INLINE void
make_narrow(const uint64_t *at, unsigned words,
	    const struct cache_meaning *meaning, const struct lanes *lanes,
	    uint64_t *root)
{
	_mm512_storeu_si512(root, sums(at, meaning, lanes));
	for (unsigned i = LANES; unlikely(i < words); i += LANES)
		_mm512_storeu_si512(root + i, _mm512_loadu_si512(at + 1 + i));
}

#define GUESS(n)                                              \
	case n:                                               \
		__asm__("mov %1, %0" : "=r"(known) : "i"(n)); \
		return known;

/*
 * The same number, by a branch: where the next record begins is predicted then,
 * and does not wait for this one's header (2.8 ns a record to 2.0).  But for
 * the asm the compiler would see through it.
 */
static ALWAYS_INLINE size_t
by_branch(unsigned words)
{
	size_t known;

	/* clang-format off */
	switch (words) {
	GUESS(0) GUESS(1) GUESS(2) GUESS(3) GUESS(4) GUESS(5) GUESS(6)
	GUESS(7) GUESS(8) GUESS(9) GUESS(10) GUESS(11) GUESS(12)
	GUESS(13) GUESS(14) GUESS(15) GUESS(16)
	default:
		return words;
	}
	/* clang-format on */
}

/* The same, and as long as their meanings say that it can be */
VECTORS static const uint64_t *
expand_vectors(const struct cache_expander *expander,
	       const struct cache_meaning *table, const uint64_t *at,
	       const uint64_t *end, uint64_t fs, struct batch *batch)
{
	const struct lanes lanes = {
		.fours = _mm512_set_epi64(28, 24, 20, 16, 12, 8, 4, 0),
		.low = _mm512_set1_epi64(15),
		.others = _mm512_set_epi64(0, 0, 0, 0, 0, 0, (long long int)fs,
					   0),
		.fs = _mm512_set1_epi64((long long int)fs),
	};
	uint64_t *const root_end =
		batch->root + BATCH_ACCESSES - SHAPE_SLOTS_MAX - 2 * LANES;
	uint32_t *step = batch->step + batch->n_steps, n = batch->n;
	uint64_t *root = batch->root + batch->n_roots;

	while (at < end) {
		const unsigned words = RECORD_WORDS(*at);
		const struct cache_meaning *meaning =
			&table[RECORD_NUMBER(*at)];
		size_t known;

		if (unlikely(root > root_end ||
			     n > BATCH_ACCESSES - SHAPE_ACCESSES_MAX))
			break;
		_mm_prefetch(at + AHEAD_WORDS, _MM_HINT_T0);
		if (likely(meaning->vectors == VECTORS_NARROW))
			make_narrow(at, words, meaning, &lanes, root);
		else if (meaning->vectors == VECTORS_WIDE)
			make_wide(at, words, &expander->wide[meaning->base],
				  &lanes, root);
		else
			break;
		*step++ = meaning->step;
		n += meaning->accesses;
		known = by_branch(words);
		root += known;
		at += 1 + known;
	}
	note_place(batch, step, root, n);
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
			at = expand_vectors(expander, table, at, end,
					    segment->fs, batch);
		else if (expander->short_vectors)
			at = expand_short(table, at, end, segment->fs, batch);
		else
			at = expand_plain(table, at, end, segment->fs, batch);
		if (at >= end)
			break;
		result = has_room(batch)
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

		if (!has_room(batch))
			return 1;
		site.image = image;
		error = add_single(expander, &site, stepped->address, batch);
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
