/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of a space is in memory when its recording begins. */
#ifndef TRACERS_INITIAL_H
#define TRACERS_INITIAL_H

#include "analyzer/base.h"

#include "tracers/target.h"

/*
 * After target_initial_maps, before the program runs on: its resident pages,
 * as EVENT_RESIDENT with RESIDENT_INITIAL; execed: those that exec itself faulted
 * in as EVENT_KERNEL_WRITE.  Where the kernel does not tell: nothing.
 */
void initial_pages(struct target *target, bool execed);

#endif
