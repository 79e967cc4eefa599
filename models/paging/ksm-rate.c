// SPDX-License-Identifier: GPL-2.0-or-later
/* ksm.rate: contents made up, where none were recorded. */
#include "models/paging/ksm-inside.h"

#include <stdlib.h>

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* ksm.rate: contents made up for the pages of one VMA */
static int
make_up(struct paging *paging, struct address_space *space,
	const struct vma *vma, uint64_t *seen)
{
	const struct ksm_config *config = &paging->config.ksm;
	uint64_t *group;
	int64_t n = pageset_groups(&space->pages, vma->start, vma->end, &group);
	int error = n < 0 ? paging_no_memory(paging) : 0;

	for (int64_t i = 0; i < n && !error; i++) {
		uint64_t bits = pageset_present(&space->pages, group[i],
						vma->start, vma->end);

		for (; bits && !error; bits &= bits - 1) {
			uint64_t at =
				group[i] +
				PAGE_BYTES * (uint64_t)__builtin_ctzll(bits);
			uint64_t key = (uint64_t)space->number
					       << KSM_SPACE_SHIFT |
				       at >> PAGE_SHIFT;
			double chance = (double)(mix(key) >> 11) * 0x1p-53;

			if (pageset_state(&space->pages, at) < PAGE_FORKED ||
			    hash_find(&paging->ksm->by_key, key))
				continue;
			error = ksm_add(paging, key,
					chance < config->rate
						? mix((*seen)++ /
						      (uint64_t)config->group)
						: mix(key) | 1);
		}
	}
	free(group);
	return error;
}

int
ksm_make_up(struct paging *paging)
{
	uint64_t seen = paging->ksm->made_up;
	bool asked = false;
	int error = 0;

	for (size_t s = 0; s < paging->spaces; s++)
		for (size_t i = 0;
		     paging->space[s] && i < paging->space[s]->vmas.n; i++)
			asked |= paging->space[s]->vmas.vma[i].flags &
				 VMA_MERGEABLE;
	for (size_t s = 0; s < paging->spaces && !error; s++) {
		struct address_space *space = paging->space[s];

		for (size_t i = 0; space && !error && i < space->vmas.n; i++) {
			const struct vma *vma = &space->vmas.vma[i];

			if (vma->object == OBJECT_NONE &&
			    !(vma->flags & MAP_FLAG_SHARED) &&
			    (!asked || vma->flags & VMA_MERGEABLE))
				error = make_up(paging, space, vma, &seen);
		}
	}
	paging->ksm->made_up = seen;
	return error;
}
