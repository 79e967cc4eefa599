/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who leaves a full set.  One file a policy, registered from REPLACEMENTS in
 * Makefile.am.  A policy reads the stamps (last use), fill times and random
 * state that the array keeps for all policies alike; see tlb.h.
 */
#ifndef MODELS_TRANSLATION_REPLACEMENT_H
#define MODELS_TRANSLATION_REPLACEMENT_H

#include "models/translation/tlb.h"

struct replacement_ops {
	const char *name;
	const char *help;
	bool ranked; /* it is LRU: see age[] in tlb.h */
	/* Its ways must be a power of two. */
	bool power_of_two;
	/* The slot to be reused in the full set that begins at `first`. */
	uint32_t (*victim)(struct tlb *tlb, uint32_t first);
};

extern const struct replacement_ops *const replacement_registry[];

/* NULL: there is no policy of that name. */
const struct replacement_ops *replacement_find(const char *name);

#endif
