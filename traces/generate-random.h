/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers for the generator that are the same on every machine and in every
 * version: xoshiro256++ seeded by splitmix64 (Blackman and Vigna, "Scrambled
 * linear pseudorandom number generators", 2021), and permutations of 0..n-1
 * that need no memory.
 */
#ifndef TRACES_GENERATE_RANDOM_H
#define TRACES_GENERATE_RANDOM_H

#include "analyzer/base.h"

static inline uint64_t
splitmix(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

struct random {
	uint64_t s[4];
};

static inline void
random_seed(struct random *random, uint64_t seed)
{
	for (int i = 0; i < 4; i++)
		random->s[i] = splitmix(&seed);
}

static ALWAYS_INLINE uint64_t
random_rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

/* 64 bits; 0.7 ns */
static ALWAYS_INLINE uint64_t
random_next(struct random *random)
{
	uint64_t *s = random->s;
	uint64_t result = random_rotate(s[0] + s[3], 23) + s[0];
	uint64_t t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = random_rotate(s[3], 45);
	return result;
}

/*
 * One of 0..n-1 from 64 random bits, by their highest ones.  Some values come
 * n / 2^64 more often than others, which no trace is long enough to show; and
 * the low bits of `bits` are still good for other decisions while n <= 2^36.
 */
static ALWAYS_INLINE uint64_t
random_below(uint64_t bits, uint64_t n)
{
	return (uint64_t)((unsigned __int128)bits * n >> 64);
}

/*
 * A permutation of 0..n-1 drawn by seed: three rounds of multiplying and
 * adding modulo 2^k and of xoring the high half into the low one, each of
 * which can be undone, so the whole maps 0..2^k-1 one to one.  What lands at
 * or above n goes round again (less than twice on average), which keeps it
 * one to one on 0..n-1.
 */
struct permutation {
	uint64_t n, mask;
	uint64_t multiply[3], add[3];
	unsigned shift;
};

static inline void
permutation_init(struct permutation *p, uint64_t n, uint64_t seed)
{
	unsigned bits = n > 1 ? 64 - (unsigned)__builtin_clzll(n - 1) : 0;

	p->n = n;
	p->mask = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
	p->shift = (bits + 1) / 2;
	for (int i = 0; i < 3; i++) {
		p->multiply[i] = splitmix(&seed) | 1;
		p->add[i] = splitmix(&seed);
	}
}

/* Where i < n goes. */
static ALWAYS_INLINE uint64_t
permutation_at(const struct permutation *p, uint64_t i)
{
	do {
		for (int round = 0; round < 3; round++) {
			i = (i * p->multiply[round] + p->add[round]) & p->mask;
			i ^= i >> p->shift;
		}
	} while (unlikely(i >= p->n));
	return i;
}

#endif
