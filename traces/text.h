/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers in text, fast.  All of it may read up to INPUT_SLACK bytes around
 * what it is given, and expects a '\n' to end each line.
 */
#ifndef TRACES_TEXT_H
#define TRACES_TEXT_H

#include "analyzer/base.h"

#include <emmintrin.h>
#include <string.h>

#include "traces/input.h"

/* How many of the 16 bytes at p are hex digits before the first that is not */
static ALWAYS_INLINE unsigned
text_hex_digits(const char *p)
{
	__m128i text = _mm_loadu_si128((const __m128i *)p);
	__m128i decimal = _mm_sub_epi8(text, _mm_set1_epi8('0'));
	__m128i letter = _mm_sub_epi8(_mm_or_si128(text, _mm_set1_epi8(0x20)),
				      _mm_set1_epi8('a'));
	/* unsigned x <= m is min(x, m) == x */
	__m128i digit =
		_mm_or_si128(_mm_cmpeq_epi8(_mm_min_epu8(decimal,
							 _mm_set1_epi8(9)),
					    decimal),
			     _mm_cmpeq_epi8(_mm_min_epu8(letter,
							 _mm_set1_epi8(5)),
					    letter));

	return (unsigned)__builtin_ctz(~(unsigned)_mm_movemask_epi8(digit));
}

/* From [n] on: keep the last n bytes of 16 */
static const uint8_t text_last_bytes[32] __attribute__((
	aligned(32))) = { 0,   0,   0,	 0,   0,   0,	0,   0,	  0,   0,   0,
			  0,   0,   0,	 0,   0,   255, 255, 255, 255, 255, 255,
			  255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };

/*
 * Read hex digits at p: returns behind them, or NULL when there are none or
 * more than 16.  There is no branch on their number: the 16 bytes that end
 * with the last digit are loaded, and those before the first one cleared.
 */
static ALWAYS_INLINE const char *
text_hex(const char *p, uint64_t *value)
{
	unsigned n = text_hex_digits(p);
	__m128i text, nibbles, mask;

	if (unlikely(n == 0 || (n == 16 && text_hex_digits(p + 16))))
		return NULL;
	p += n;
	text = _mm_loadu_si128((const __m128i *)(p - 16));
	mask = _mm_loadu_si128((const __m128i *)(text_last_bytes + n));
	nibbles = _mm_add_epi8(_mm_and_si128(text, _mm_set1_epi8(15)),
			       _mm_and_si128(_mm_cmpgt_epi8(text,
							    _mm_set1_epi8('9')),
					     _mm_set1_epi8(9)));
	nibbles = _mm_and_si128(nibbles, mask);
	/* each pair of nibbles, first one high, becomes a byte */
	nibbles = _mm_or_si128(_mm_slli_epi16(nibbles, 4),
			       _mm_srli_epi16(nibbles, 8));
	nibbles = _mm_and_si128(nibbles, _mm_set1_epi16(0xff));
	*value = __builtin_bswap64((uint64_t)_mm_cvtsi128_si64(
		_mm_packus_epi16(nibbles, nibbles)));
	return p;
}

/* Read decimal digits: behind them, or NULL: none, or above 2^64 - 1. */
static ALWAYS_INLINE const char *
text_decimal(const char *p, uint64_t *value)
{
	uint64_t sum = (uint64_t)(*p - '0');

	if (unlikely(sum > 9))
		return NULL;
	for (p++; (unsigned char)(*p - '0') <= 9; p++) {
		uint64_t digit = (uint64_t)(*p - '0');

		if (unlikely(sum > (UINT64_MAX - digit) / 10))
			return NULL;
		sum = sum * 10 + digit;
	}
	*value = sum;
	return p;
}

/* See INPUT_LINE_MAX: is the line from `line` to its newline too long? */
static ALWAYS_INLINE bool
text_too_long(const char *line, const char *newline)
{
	return newline - line >= (ptrdiff_t)INPUT_LINE_MAX;
}

/* "0x" in front of a hex number is allowed everywhere. */
static ALWAYS_INLINE const char *
text_skip_0x(const char *p)
{
	return p[0] == '0' && (p[1] | 0x20) == 'x' ? p + 2 : p;
}

static ALWAYS_INLINE const char *
text_skip_blanks(const char *p)
{
	while (*p == ' ' || *p == '\t')
		p++;
	return p;
}

/* Blanks and a carriage return: the '\n', or NULL if something else is there */
static ALWAYS_INLINE const char *
text_line_end(const char *p)
{
	if (likely(*p == '\n'))
		return p;
	while (*p == ' ' || *p == '\t' || *p == '\r')
		p++;
	return *p == '\n' ? p : NULL;
}

static ALWAYS_INLINE const char *
text_next_line(const char *p, const char *end)
{
	return (const char *)memchr(p, '\n', (size_t)(end - p)) + 1;
}

/*
 * Put into text a printable copy of a line's start, up to its '\n', with
 * "..." if it is longer: for messages.
 */
void text_quote(char *text, size_t text_bytes, const char *line,
		const char *end);

/*
 * For recognising: of the first lines (up to 200 whole ones) that are neither
 * empty nor comments by `skip`, how many in 100 does `matches` accept?  0 if
 * there are none.
 */
int text_score(const char *start, size_t bytes, bool (*skip)(const char *line),
	       bool (*matches)(const char *line));

#endif
