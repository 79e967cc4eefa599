// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All roots of a record are sums, made eight at a time, with no branch that
 * depends on how many there are:
 *
 *	root[i] = term[base of i] + (term[index of i] << shift of i)
 *
 * where terms 0 to 7 are the record's first words, 8 is 0 and 9 is FS's base; of
 * a record of more words 0 to 15 are words, and masks say what is left out.
 */
#include "analyzer/base.h"
#include "tracers/cache-expander.h"

#include <stdlib.h>

#include "analyzer/fail.h"
#include "analyzer/vectors.h"

#define TERM_NOTHING 8u
#define TERM_FS	     9u

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
set_half(struct expander_half *half, unsigned first,
	 const struct cache_meaning *meaning)
{
	*half = (struct expander_half){
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
	struct expander_wide *table = expander->wide;

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

int
vectors_learn(struct cache_expander *expander, struct cache_meaning *meaning)
{
	if (!set_terms(meaning))
		return set_wide(expander, meaning);
	meaning->vectors = VECTORS_NARROW;
	return 0;
}

/* The constants of vectors_expand */
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
half_sums(__m512i low, __m512i high, const struct expander_half *half,
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
make_wide(const uint64_t *at, unsigned words, const struct expander_wide *wide,
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

VECTORS const uint64_t *
vectors_expand(const struct cache_expander *expander,
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
	expander_note_place(batch, step, root, n);
	return at;
}
