// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Promotion by utilisation, as Ingens does (Kwon et al., OSDI 2016): a region
 * of 2M becomes one page when a share of its 4K pages is there, not at its
 * first fault; there in the background, here as soon as the fault is through.
 */
#include "models/paging/huge-policy.h"

#include <stdlib.h>

static int
utilisation_came(struct paging *paging, struct address_space *space,
		 struct vma *vma, uint64_t address)
{
	uint64_t start = address & ~(LARGE_BYTES - 1);
	double wanted = paging->config.huge.promotion.threshold * 512;

	(void)vma;
	if ((double)promote_present(space, start) < wanted)
		return 0;
	paging->huge.ripe = true;
	return hash_put(&space->wanted, start, 1) < 0 ? paging_no_memory(paging)
						      : 0;
}

static int
utilisation_settle(struct paging *paging)
{
	for (size_t i = 0; i < paging->spaces; i++) {
		struct address_space *space = paging->space[i];
		uint64_t *start = NULL;
		int64_t n;
		int error = 0;

		if (!space || !space->wanted.n)
			continue;
		n = hash_keys(&space->wanted, 0, UINT64_MAX - 1, &start);
		if (n < 0)
			return paging_no_memory(paging);
		hash_fini(&space->wanted);
		for (int64_t k = 0; k < n && error >= 0; k++)
			error = khugepaged_collapse(paging, space, start[k]);
		free(start);
		space_account(paging, space);
		if (error < 0)
			return error;
	}
	return 0;
}

const struct huge_policy utilisation_policy = {
	.came = utilisation_came,
	.settle = utilisation_settle,
};
