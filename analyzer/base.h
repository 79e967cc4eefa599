/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every file of pagescope may assume: C11 with the GNU extensions named
 * here and nowhere else.  Include this first.
 */
#ifndef ANALYZER_BASE_H
#define ANALYZER_BASE_H

#ifdef HAVE_CONFIG_H
#include <config.h>
#endif

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define likely(x)     __builtin_expect(!!(x), 1)
#define unlikely(x)   __builtin_expect(!!(x), 0)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#define ALWAYS_INLINE		 inline __attribute__((always_inline))
#define NOINLINE		 __attribute__((noinline))
#define UNUSED			 __attribute__((unused))

#endif
