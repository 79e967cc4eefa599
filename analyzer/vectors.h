/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AVX-512 for the few loops that gain by it.  Such a function is marked VECTORS,
 * and called only if vectors_at_hand() said so on this host; there is always
 * another way, with the same results.  SHORT_VECTORS, short_vectors_at_hand():
 * AVX2, where that other way would be much slower.
 */
#ifndef ANALYZER_VECTORS_H
#define ANALYZER_VECTORS_H

#include "analyzer/base.h"

#include <cpuid.h>
#include <immintrin.h>

#define VECTORS __attribute__((target("avx512f,avx512vl,avx512bw,bmi,bmi2")))

#define SHORT_VECTORS __attribute__((target("avx2,bmi")))

static inline bool
short_vectors_at_hand(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}

static inline bool
vectors_at_hand(void)
{
	return __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
}

/* clflushopt, which the names above do not have */
static inline bool
flush_at_hand(void)
{
	unsigned a, b, c, d;

	return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & 1u << 23);
}

static ALWAYS_INLINE void
flush_line(void *line)
{
	__asm__ volatile("clflushopt %0" : "+m"(*(char *)line));
}

#endif
