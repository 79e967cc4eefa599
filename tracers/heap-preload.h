/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record --heap: the library that tells the trace of allocations
 * (tracers/heap/heap.c) is loaded into the command. */
#ifndef TRACERS_HEAP_PRELOAD_H
#define TRACERS_HEAP_PRELOAD_H

#include "analyzer/base.h"

/* From now on, in the environment of what is launched.  0, -ENOENT (said: it is
 * not there), -ENOMEM (said). */
int heap_preload(void);

#endif
