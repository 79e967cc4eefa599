/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Position-independent code that is copied into each code arena. */
#ifndef TRACERS_CACHE_STUB_H
#define TRACERS_CACHE_STUB_H

#include <stdint.h>

/* The miss of an indirect branch; it ends in int3 at the label. */
extern const uint8_t cache_stub[], cache_stub_end[];
extern const uint8_t cache_stub_call[]; /* syscall; int3 */
extern const uint8_t cache_stub_miss[], cache_stub_miss16[];
extern const uint8_t cache_stub_trap[], cache_stub_trap16[];

#endif
