/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policies of huge pages other than Linux's: one a file, huge-NAME.c, in the
 * table of promote.c.  All make 2M pages of the 4K pages of private anonymous
 * memory; they differ in when, and in where the 4K pages are until then.
 */
#ifndef MODELS_PAGING_HUGE_POLICY_H
#define MODELS_PAGING_HUGE_POLICY_H

#include "models/paging/space.h"

struct huge_policy {
	/* The frame that a 4K page of that address gets: 1, 0: any, -ENOMEM
	 * (said); NULL: any */
	int (*frame)(struct paging *paging, struct address_space *space,
		     const struct vma *vma, uint64_t address, uint64_t *frame);
	/* It is there now; may be NULL.  0, -ENOMEM (said) */
	int (*came)(struct paging *paging, struct address_space *space,
		    struct vma *vma, uint64_t address);
	/* All that the fault or call at hand brings is there, and huge.ripe was
	 * set meanwhile; may be NULL.  0, -ENOMEM (said) */
	int (*settle)(struct paging *paging);
	/* Time has come to this; may be NULL.  0, -ENOMEM (said) */
	int (*tick)(struct paging *paging, uint64_t time_ns);
};

extern const struct huge_policy reservation_policy, utilisation_policy,
	buckets_policy;

#endif
