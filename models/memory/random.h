/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Seeded random numbers for models: splitmix64 (Steele, Lea, Flood 2014).
 * The state is one word, any seed is good, results repeat everywhere.
 */
#ifndef MODELS_MEMORY_RANDOM_H
#define MODELS_MEMORY_RANDOM_H

#include "analyzer/base.h"

static inline uint64_t
random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* 0 <= number < bound; bound < 2^32 is drawn without noticeable bias. */
static inline uint64_t
random_below(uint64_t *state, uint64_t bound)
{
	return (uint64_t)((unsigned __int128)random_next(state) * bound >> 64);
}

#endif
