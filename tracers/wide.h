/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Zeroed memory for tables that are touched all over: in large pages, or
 * touched at once.  A fault for each small page costs more than what is done
 * there (in a guest 12 - 18 us, 6 if all are made at once, 0.3 in a large one).
 */
#ifndef TRACERS_WIDE_H
#define TRACERS_WIDE_H

#include <stddef.h>

/* NULL: no memory. */
void *wide_open(size_t bytes);
/* NULL is allowed. */
void wide_close(void *room, size_t bytes);
/* It will be written soon: make its pages at once, if this kernel can. */
void wide_touch(void *room, size_t bytes);
/*
 * The same of memory that is shared with a target, of which some is made at a
 * time, from `at` on or before `end`, as far as room goes: how much it was.
 * Large pages are only had one by one (a kernel's default): 0.2 ms for 2 MiB
 * that is 2 in small ones, and fewer TLB misses for who runs code there.
 */
size_t wide_shared_up(void *at, size_t room);
size_t wide_shared_down(void *end, size_t room);

#endif
