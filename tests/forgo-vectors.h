/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A core as on a host without AVX-512, or without AVX2 either; before its first
 * access.
 */
#ifndef TESTS_FORGO_VECTORS_H
#define TESTS_FORGO_VECTORS_H

#include "analyzer/vectors.h"
#include "models/translation/core.h"

static inline void
forgo_tlb_vectors(struct tlb *tlb, bool all)
{
	tlb->vectors = false;
	tlb->short_vectors &= !all;
}

static inline void
forgo_vectors(struct core *core, bool all)
{
	struct hierarchy *h = core->hierarchy;
	struct cache *cache[] = { &h->l1d, &h->l1i, &h->l2, &h->l3 };

	core->vectors = false;
	for (unsigned i = 0; i < CORE_ARRAYS; i++)
		forgo_tlb_vectors(&core->tlb[i], all);
	for (unsigned i = 0; i < PWC_LEVELS; i++)
		forgo_tlb_vectors(&core->walker.pwc.level[i], all);
	for (unsigned i = 0; i < ARRAY_SIZE(cache); i++) {
		cache[i]->vectors = false;
		cache[i]->rows &= !all && short_vectors_at_hand();
	}
}

#endif
