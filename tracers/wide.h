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

#endif
