/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Position-independent code that is copied into each code arena. */
#ifndef TRACERS_CACHE_STUB_H
#define TRACERS_CACHE_STUB_H

#include <stdint.h>

extern const uint8_t cache_stub[], cache_stub_end[];
extern const uint8_t cache_stub_call[]; /* syscall; int3 */
/* The miss of an indirect branch, and an exit that is not linked: they come to
 * give_up, in the program's own state, and to int3 at `trap`. */
extern const uint8_t cache_stub_miss[], cache_stub_miss16[];
extern const uint8_t cache_stub_link[];
/* That of a return */
extern const uint8_t cache_stub_return[], cache_stub_return16[];
extern const uint8_t cache_stub_give_up[], cache_stub_trap[];
/* A system call, in the order of their addresses; see the assembly. */
extern const uint8_t cache_stub_enter[]; /* about to begin */
extern const uint8_t cache_stub_saved[]; /* GS_CURSOR is the cursor ... */
extern const uint8_t cache_stub_ask[];	 /* int3 */
extern const uint8_t cache_stub_string[];
extern const uint8_t cache_stub_gate[]; /* the syscall instruction */
extern const uint8_t cache_stub_made[]; /* behind it */
extern const uint8_t
	cache_stub_back[]; /* ... up to here, r11 again from here on */

#endif
