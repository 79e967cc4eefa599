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

/* Up to 4 ways. */
static ALWAYS_INLINE VECTORS unsigned
use_row4(uint64_t *tags, uint64_t *frames, uint64_t tag, uint64_t frame,
	 unsigned ways)
{
	__m256i row = _mm256_loadu_si256((void *)tags);
	__m256i new = _mm256_set1_epi64x((long long)tag);
	unsigned found = _mm256_cmpeq_epi64_mask(row, new) & ((1u << ways) - 1);
	__mmask8 in = (__mmask8)TAKES_IN(found, 1u << (ways - 1));

	_mm256_storeu_si256((void *)tags,
			    _mm256_mask_alignr_epi64(row, in, row, new, 3));
	if (frames) {
		row = _mm256_loadu_si256((void *)frames);
		new = _mm256_set1_epi64x((long long)frame);
		_mm256_storeu_si256((void *)frames,
				    _mm256_mask_alignr_epi64(row, in, row, new,
							     3));
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

/* kind: how many ways fit, 4, 8, 12, 16; a constant as `frames` is. */
static ALWAYS_INLINE VECTORS unsigned
run_rows(struct tlb *tlb, const struct tlb_uses *uses, uint16_t *list,
	 unsigned n, unsigned kind, bool frames)
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
		found = use_row(tags, frames ? &column.frame[first] : NULL, new,
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
 * uses are of that size, and sets are a power of two.
 */
static ALWAYS_INLINE VECTORS unsigned
run_steady(struct tlb *tlb, const struct tlb_uses *uses, uint16_t *list,
	   unsigned n, unsigned kind, bool frames)
{
	const uint64_t *tag = uses->tag, *physical = uses->physical;
	uint64_t *const tags = tlb->column.tag, *const frame =
							tlb->column.frame;
	const uint64_t mask = uses->mask, low = uses->low;
	const uint64_t set_mask = tlb->set_mask;
	const unsigned ways = tlb->ways;
	const unsigned shift =
		tlb->shift_of[code_of_tag((tag[*list] & mask) | low)];
	unsigned missed = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned j = list[i];
		uint64_t new = (tag[j] & mask) | low;
		uint64_t first = (new >> shift &set_mask) * ways;
		unsigned found =
			use_row(tags + first, frames ? frame + first : NULL,
				new, frames ? physical[j] >> shift << shift : 0,
				ways, kind);

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

#define RUN_ROWS(kind, frames)                                                \
	static VECTORS unsigned                                               \
		run_rows_##kind##_##frames(struct tlb *tlb,                   \
					   const struct tlb_uses *uses,       \
					   uint16_t *list, unsigned n)        \
	{                                                                     \
		return is_steady(tlb, uses, *list)                            \
			       ? run_steady(tlb, uses, list, n, kind, frames) \
			       : run_rows(tlb, uses, list, n, kind, frames);  \
	}
RUN_ROWS(4, false)
RUN_ROWS(8, false)
RUN_ROWS(12, false)
RUN_ROWS(16, false)
RUN_ROWS(4, true)
RUN_ROWS(8, true)
RUN_ROWS(12, true)
RUN_ROWS(16, true)

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
	static unsigned (*const run[2][4])(struct tlb *,
					   const struct tlb_uses *, uint16_t *,
					   unsigned) = {
		{ run_rows_4_false, run_rows_8_false, run_rows_12_false,
		  run_rows_16_false },
		{ run_rows_4_true, run_rows_8_true, run_rows_12_true,
		  run_rows_16_true },
	};

	if (!n)
		return 0;
	if (!tlb->rows || !tlb->vectors)
		return run_each(tlb, uses, list, n);
	return run[uses->physical != NULL][(tlb->ways - 1) / 4](tlb, uses, list,
								n);
}
