// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many uses of an array, one after the other: tlb_run of tlb.h.
 *
 * Made for uses of which nobody can foretell which hit: with vectors, nothing
 * branches on that where the array is in rows.  A miss is a hit of the last way:
 *
 *	row	 a b c d e f	which == tag?  c: ways 0 .. 2 take in
 *	         t a b d e f	 t, a, b, which are t and the row moved by one
 *
 * Rows are loaded and stored whole, so that a load right after a store of the
 * same row need not wait for it to reach the host's cache.
 */
#include "models/translation/tlb.h"

#include "analyzer/vectors.h"

static ALWAYS_INLINE uint64_t
key_of_tag(uint64_t tag)
{
	return tag & ~(TLB_ALWAYS | TLB_READONLY);
}

static ALWAYS_INLINE unsigned
code_of_tag(uint64_t tag)
{
	return tag >> TLB_SIZE_SHIFT & 3;
}

/* What a row of `ways` becomes: found are the ways that were `tag`. */
#define TAKES_IN(found, last) _blsmsk_u32((found) | (last))

/* Of _mm256_ternarylogic_epi64: a | b | c; a ? b : c. */
#define OR_OF_3 0xfe
#define CHOOSE	0xca

/*
 * Up to 4 ways.  What a use of a set waits for is the use before it, often of
 * the same set where sets are few: so which ways take in is found without a
 * mask's way through general registers, 14 cycles instead of 22.
 */
static ALWAYS_INLINE VECTORS unsigned
use_row4(uint64_t *tags, uint64_t *frames, uint64_t tag, uint64_t frame,
	 unsigned ways)
{
	const __m256i zero = _mm256_setzero_si256();
	const __m256i beyond =
		_mm256_cmpgt_epi64(_mm256_setr_epi64x(0, 1, 2, 3),
				   _mm256_set1_epi64x((long long)ways - 1));
	__m256i row = _mm256_loadu_si256((void *)tags);
	__m256i new = _mm256_set1_epi64x((long long)tag);
	__m256i is = _mm256_cmpeq_epi64(row, new);
	/* in a way before, or no way */
	__m256i before =
		_mm256_or_si256(_mm256_alignr_epi64(is, zero, 3), beyond);
	unsigned found = (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(is)) &
			 ((1u << ways) - 1);

	before = _mm256_ternarylogic_epi64(before,
					   _mm256_alignr_epi64(is, zero, 2),
					   _mm256_alignr_epi64(is, zero, 1),
					   OR_OF_3);
	new = _mm256_alignr_epi64(row, new, 3);
	_mm256_storeu_si256((void *)tags,
			    _mm256_ternarylogic_epi64(before, row, new,
						      CHOOSE));
	if (frames) {
		row = _mm256_loadu_si256((void *)frames);
		new = _mm256_set1_epi64x((long long)frame);
		new = _mm256_alignr_epi64(row, new, 3);
		_mm256_storeu_si256((void *)frames,
				    _mm256_ternarylogic_epi64(before, row, new,
							      CHOOSE));
	}
	return found;
}

/* Up to 8 ways. */
static ALWAYS_INLINE VECTORS unsigned
use_row8(uint64_t *tags, uint64_t *frames, uint64_t tag, uint64_t frame,
	 unsigned ways)
{
	__m512i row = _mm512_loadu_si512(tags);
	__m512i new = _mm512_set1_epi64((long long)tag);
	unsigned found = _mm512_cmpeq_epi64_mask(row, new) & ((1u << ways) - 1);
	__mmask8 in = (__mmask8)TAKES_IN(found, 1u << (ways - 1));

	_mm512_storeu_si512(tags,
			    _mm512_mask_alignr_epi64(row, in, row, new, 7));
	if (frames) {
		row = _mm512_loadu_si512(frames);
		new = _mm512_set1_epi64((long long)frame);
		_mm512_storeu_si512(frames,
				    _mm512_mask_alignr_epi64(row, in, row, new,
							     7));
	}
	return found;
}

/* A row of two vectors takes in a value. */
static ALWAYS_INLINE VECTORS void
take_in16(uint64_t *column, __m512i low, __m512i high, uint64_t value,
	  unsigned in, bool whole)
{
	__m512i new = _mm512_set1_epi64((long long)value);
	__m512i moved = _mm512_mask_alignr_epi64(high, (__mmask8)(in >> 8),
						 high, low, 7);

	_mm512_storeu_si512(column, _mm512_mask_alignr_epi64(low, (__mmask8)in,
							     low, new, 7));
	if (whole)
		_mm512_storeu_si512(column + 8, moved);
	else
		_mm256_storeu_si256((void *)(column + 8),
				    _mm512_castsi512_si256(moved));
}

static ALWAYS_INLINE VECTORS __m512i
high_of(const uint64_t *column, bool whole)
{
	return whole ? _mm512_loadu_si512(column + 8)
		     : _mm512_castsi256_si512(
			       _mm256_loadu_si256((const void *)(column + 8)));
}

/* 9 to 16 ways; whole: more than 12. */
static ALWAYS_INLINE VECTORS unsigned
use_row16(uint64_t *tags, uint64_t *frames, uint64_t tag, uint64_t frame,
	  unsigned ways, bool whole)
{
	__m512i low = _mm512_loadu_si512(tags), high = high_of(tags, whole);
	__m512i new = _mm512_set1_epi64((long long)tag);
	unsigned found = ((unsigned)_mm512_cmpeq_epi64_mask(low, new) |
			  (unsigned)_mm512_cmpeq_epi64_mask(high, new) << 8) &
			 ((1u << ways) - 1);
	unsigned in = TAKES_IN(found, 1u << (ways - 1));

	take_in16(tags, low, high, tag, in, whole);
	if (frames)
		take_in16(frames, _mm512_loadu_si512(frames),
			  high_of(frames, whole), frame, in, whole);
	return found;
}

static ALWAYS_INLINE VECTORS unsigned
use_row(uint64_t *tags, uint64_t *frames, uint64_t tag, uint64_t frame,
	unsigned ways, unsigned kind)
{
	return kind == 4 ? use_row4(tags, frames, tag, frame, ways)
	       : kind == 8
		       ? use_row8(tags, frames, tag, frame, ways)
		       : use_row16(tags, frames, tag, frame, ways, kind == 16);
}

/* The lanes of a mask, all their bits. */
#define LANES(m)                                                        \
	{                                                               \
		-((m)&1), -((m) >> 1 & 1), -((m) >> 2 & 1), -((m) >> 3) \
	}
static const int64_t lanes[16][4] __attribute__((aligned(32))) = {
	LANES(0),  LANES(1),  LANES(2),	 LANES(3),  LANES(4),  LANES(5),
	LANES(6),  LANES(7),  LANES(8),	 LANES(9),  LANES(10), LANES(11),
	LANES(12), LANES(13), LANES(14), LANES(15),
};

/* A row of n short vectors takes in a value. */
static ALWAYS_INLINE SHORT_VECTORS void
take_in_short(uint64_t *column, uint64_t value, unsigned in, unsigned n)
{
	__m256i before = _mm256_set1_epi64x((long long)value);

	for (unsigned i = 0; i < n; i++) {
		__m256i row = _mm256_loadu_si256((void *)(column + 4 * i));
		__m256i turned =
			_mm256_permute4x64_epi64(row, _MM_SHUFFLE(2, 1, 0, 3));
		__m256i mask = _mm256_load_si256(
			(const void *)lanes[in >> 4 * i & 15]);

		_mm256_storeu_si256(
			(void *)(column + 4 * i),
			_mm256_blendv_epi8(row,
					   _mm256_blend_epi32(turned, before,
							      3),
					   mask));
		before = turned;
	}
}

/* A row of one vector: lanes before which nothing was found stay. */
static ALWAYS_INLINE SHORT_VECTORS void
take_in_short4(uint64_t *column, __m256i row, uint64_t value, __m256i before)
{
	__m256i moved =
		_mm256_blend_epi32(_mm256_permute4x64_epi64(row,
							    _MM_SHUFFLE(2, 1, 0,
									3)),
				   _mm256_set1_epi64x((long long)value), 3);

	_mm256_storeu_si256((void *)column,
			    _mm256_blendv_epi8(moved, row, before));
}

/* Up to 4 ways: as use_row4, and for the same reason. */
static ALWAYS_INLINE SHORT_VECTORS unsigned
use_row_short4(uint64_t *tags, uint64_t *frames, uint64_t tag, uint64_t frame,
	       unsigned ways)
{
	const __m256i zero = _mm256_setzero_si256();
	const __m256i beyond =
		_mm256_cmpgt_epi64(_mm256_setr_epi64x(0, 1, 2, 3),
				   _mm256_set1_epi64x((long long)ways - 1));
	__m256i row = _mm256_loadu_si256((void *)tags);
	__m256i is =
		_mm256_cmpeq_epi64(row, _mm256_set1_epi64x((long long)tag));
	__m256i by1 =
		_mm256_blend_epi32(_mm256_permute4x64_epi64(is,
							    _MM_SHUFFLE(2, 1, 0,
									3)),
				   zero, 3);
	__m256i by2 = _mm256_permute2x128_si256(is, is, 8);
	__m256i by3 =
		_mm256_blend_epi32(_mm256_permute4x64_epi64(is,
							    _MM_SHUFFLE(0, 3, 2,
									1)),
				   zero, 63);
	__m256i before = _mm256_or_si256(_mm256_or_si256(by1, by2),
					 _mm256_or_si256(by3, beyond));

	take_in_short4(tags, row, tag, before);
	if (frames)
		take_in_short4(frames, _mm256_loadu_si256((void *)frames),
			       frame, before);
	return (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(is)) &
	       ((1u << ways) - 1);
}

static ALWAYS_INLINE SHORT_VECTORS unsigned
use_row_short(uint64_t *tags, uint64_t *frames, uint64_t tag, uint64_t frame,
	      unsigned ways, unsigned kind)
{
	const __m256i new = _mm256_set1_epi64x((long long)tag);
	unsigned found = 0, in;

	if (kind == 4)
		return use_row_short4(tags, frames, tag, frame, ways);
	for (unsigned i = 0; i < kind / 4; i++)
		found |= (unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(
				 _mm256_cmpeq_epi64(new,
						    _mm256_loadu_si256(
							    (void *)(tags +
								     4 * i)))))
			 << 4 * i;
	found &= (1u << ways) - 1;
	in = TAKES_IN(found, 1u << (ways - 1));
	take_in_short(tags, tag, in, kind / 4);
	if (frames)
		take_in_short(frames, frame, in, kind / 4);
	return found;
}

/* What a loop calls for a use: a constant, as kind and frames are. */
typedef unsigned use_row_fn(uint64_t *tags, uint64_t *frames, uint64_t tag,
			    uint64_t frame, unsigned ways, unsigned kind);

/* kind: how many ways fit, 4, 8, 12, 16. */
static ALWAYS_INLINE unsigned
run_rows(struct tlb *tlb, const struct tlb_uses *uses, uint16_t *list,
	 unsigned n, use_row_fn *use, unsigned kind, bool frames)
{
	const struct tlb_columns column = tlb->column;
	const uint64_t *tag = uses->tag, *physical = uses->physical;
	const uint64_t mask = uses->mask, low = uses->low;
	const unsigned ways = tlb->ways;
	unsigned missed = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned j = list[i], found;
		uint64_t new = (tag[j] & mask) | low, frame = 0, old;
		unsigned shift = tlb->shift_of[code_of_tag(new)];
		size_t first = (size_t)tlb_set(tlb, new >> shift) * ways;
		uint64_t *tags = &column.tag[first];

		if (frames)
			frame = physical[j] >> shift << shift;
		old = tags[ways - 1];
		found = use(tags, frames ? &column.frame[first] : NULL, new,
			    frame, ways, kind);
		if (unlikely((old ^ new) >> TLB_SIZE_SHIFT & 3) && !found)
			tlb_resize(tlb, old, key_of_tag(new));
		list[missed] = (uint16_t)j;
		missed += !found;
	}
	return missed;
}

/*
 * The same where sizes can't change: the array is full of pages of one size,
 * uses are of that size, and sets are a power of two.  ways: the array's, a
 * constant where it can be.
 */
static ALWAYS_INLINE unsigned
run_steady(struct tlb *tlb, const struct tlb_uses *uses, uint16_t *list,
	   unsigned n, use_row_fn *use, unsigned kind, unsigned ways,
	   bool frames)
{
	const uint64_t *tag = uses->tag, *physical = uses->physical;
	uint64_t *const tags = tlb->column.tag, *const frame =
							tlb->column.frame;
	const uint64_t mask = uses->mask, low = uses->low;
	const uint64_t set_mask = tlb->set_mask;
	const unsigned shift =
		tlb->shift_of[code_of_tag((tag[*list] & mask) | low)];
	unsigned missed = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned j = list[i];
		uint64_t new = (tag[j] & mask) | low;
		uint64_t first = (new >> shift &set_mask) * ways;
		unsigned found =
			use(tags + first, frames ? frame + first : NULL, new,
			    frames ? physical[j] >> shift << shift : 0, ways,
			    kind);

		list[missed] = (uint16_t)j;
		missed += !found;
	}
	return missed;
}

static bool
is_steady(const struct tlb *tlb, const struct tlb_uses *uses, unsigned j)
{
	unsigned code = code_of_tag((uses->tag[j] & uses->mask) | uses->low);

	return uses->same_size && tlb->used_by[code] == tlb->entries &&
	       (tlb->set_mask || tlb->sets == 1);
}

#define RUN_ROWS(name, target, use, kind, frames)                          \
	static target unsigned run_##name(struct tlb *tlb,                 \
					  const struct tlb_uses *uses,     \
					  uint16_t *list, unsigned n)      \
	{                                                                  \
		if (!is_steady(tlb, uses, *list))                          \
			return run_rows(tlb, uses, list, n, use, kind,     \
					frames);                           \
		return tlb->ways == (kind)                                 \
			       ? run_steady(tlb, uses, list, n, use, kind, \
					    kind, frames)                  \
			       : run_steady(tlb, uses, list, n, use, kind, \
					    tlb->ways, frames);            \
	}
RUN_ROWS(4, VECTORS, use_row, 4, false)
RUN_ROWS(8, VECTORS, use_row, 8, false)
RUN_ROWS(12, VECTORS, use_row, 12, false)
RUN_ROWS(16, VECTORS, use_row, 16, false)
RUN_ROWS(4_frames, VECTORS, use_row, 4, true)
RUN_ROWS(8_frames, VECTORS, use_row, 8, true)
RUN_ROWS(12_frames, VECTORS, use_row, 12, true)
RUN_ROWS(16_frames, VECTORS, use_row, 16, true)
RUN_ROWS(short_4, SHORT_VECTORS, use_row_short, 4, false)
RUN_ROWS(short_8, SHORT_VECTORS, use_row_short, 8, false)
RUN_ROWS(short_12, SHORT_VECTORS, use_row_short, 12, false)
RUN_ROWS(short_16, SHORT_VECTORS, use_row_short, 16, false)
RUN_ROWS(short_4_frames, SHORT_VECTORS, use_row_short, 4, true)
RUN_ROWS(short_8_frames, SHORT_VECTORS, use_row_short, 8, true)
RUN_ROWS(short_12_frames, SHORT_VECTORS, use_row_short, 12, true)
RUN_ROWS(short_16_frames, SHORT_VECTORS, use_row_short, 16, true)

/* Without vectors, and for arrays that are not in rows. */
static unsigned
run_each(struct tlb *tlb, const struct tlb_uses *uses, uint16_t *list,
	 unsigned n)
{
	unsigned missed = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned j = list[i];
		uint64_t tag = (uses->tag[j] & uses->mask) | uses->low;
		uint64_t key = key_of_tag(tag);
		unsigned shift = tlb->shift_of[code_of_tag(tag)];
		uint32_t slot = tlb_find(tlb, key, shift);

		if (slot != TLB_NO_SLOT) {
			tlb_touch(tlb, slot, uses->stamp + j);
			continue;
		}
		slot = tlb_fill(tlb, key, shift, uses->stamp + j);
		tlb->column.tag[slot] = tag;
		if (uses->physical)
			tlb->column.frame[slot] =
				uses->physical[j] >> shift << shift;
		list[missed++] = (uint16_t)j;
	}
	return missed;
}

unsigned
tlb_run(struct tlb *tlb, const struct tlb_uses *uses, uint16_t *list,
	unsigned n)
{
	/* by host, frames, ways */
	static unsigned (*const run[2][2][4])(struct tlb *,
					      const struct tlb_uses *,
					      uint16_t *, unsigned) = {
		{ { run_short_4, run_short_8, run_short_12, run_short_16 },
		  { run_short_4_frames, run_short_8_frames, run_short_12_frames,
		    run_short_16_frames } },
		{ { run_4, run_8, run_12, run_16 },
		  { run_4_frames, run_8_frames, run_12_frames,
		    run_16_frames } },
	};

	if (!n)
		return 0;
	if (!tlb->rows || !(tlb->vectors || tlb->short_vectors))
		return run_each(tlb, uses, list, n);
	return run[tlb->vectors][uses->physical != NULL]
		  [(tlb->ways - 1) / 4](tlb, uses, list, n);
}
