/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bins for numbers of any size, some to an octave, so that a sum up to the end
 * of a bin is exact:
 *
 *	bin	0  1  ...  7  8   9      10     ... 15     16      17
 *	ends	1  2  ...  8  9   10     11     ... 16     18      20
 *	holds	1  2  ...  8  9   10     11     ... 16     17-18   19-20
 */
#ifndef MODELS_ANALYSIS_OCTAVES_H
#define MODELS_ANALYSIS_OCTAVES_H

#include "analyzer/base.h"

#define OCTAVES_SHIFT 3 /* log2 of the bins to an octave */
#define OCTAVES_STEP  (1u << OCTAVES_SHIFT)
/* of all numbers below 2^48 */
#define OCTAVES_BINS ((49 - OCTAVES_SHIFT) * OCTAVES_STEP)

/* The bin of a number, which is 1 or more.  Without a branch: whether a number is
 * small is not to be foretold. */
static inline unsigned
octaves_bin(uint64_t number)
{
	uint64_t below = number - 1;
	unsigned top = 63u - (unsigned)__builtin_clzll(below | OCTAVES_STEP);
	unsigned octave = top - OCTAVES_SHIFT;

	return octave * OCTAVES_STEP + (unsigned)(below >> octave);
}

/* The greatest number of the bin. */
static inline uint64_t
octaves_end(unsigned bin)
{
	unsigned octave = bin / OCTAVES_STEP;

	if (!octave)
		return bin + 1;
	return (uint64_t)(OCTAVES_STEP + bin % OCTAVES_STEP + 1)
	       << (octave - 1);
}

#endif
