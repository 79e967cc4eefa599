/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first walks of a run, step by step, for people who follow them by hand.
 *
 * Nothing in a core knows of it.  While there are walks left to explain, the
 * core is given a table that stands before the real one and writes down what
 * each walk reads; faults are told by the kernel part, and when the core settles
 * its misses, what each reference found and what the walk cost is added:
 *
 *	core -> [walk 17: from level 4; 4 entries] -> real table
 *	fault -> [walk 17 ended in a fault]
 *	missed -> [walk 18: 4 entries, found in L1, L1, L2, memory; 268 cycles]
 */
#ifndef MODELS_TRANSLATION_EXPLAIN_H
#define MODELS_TRANSLATION_EXPLAIN_H

#include "models/translation/cores.h"

struct explain;

/* The first n walks that end in a translation, or in a denied access.
 * 0 or -ENOMEM (said). */
int explain_open(struct explain **out, uint64_t n);
/* NULL is allowed. */
void explain_close(struct explain *explain);

/* The table that cores are to walk for this space: one that writes down, or
 * the real one once there is enough.  cores: who has the turn walks. */
struct table *explain_table(struct explain *explain, const struct cores *cores,
			    uint32_t space, struct table *real);
/* The walk before this ended in a fault, which the kernel answered. */
void explain_fault(struct explain *explain);
/* As core_kernel's; before anything else happens to the core. */
void explain_missed(struct explain *explain, const struct core_misses *misses);

/* Table walks.explained.  0 or -ENOMEM. */
int explain_finish(const struct explain *explain, const struct stream *stream,
		   struct result *result);

#endif
