// SPDX-License-Identifier: GPL-2.0-or-later
/* What the policies of huge-policy.h share, their options, and who is asked. */
#include "models/paging/huge-policy.h"

#include <stdlib.h>

/* enum promotion_by */
static const char *const measures[] = { "coverage", "walks", NULL };

const struct option_row promotion_rows[] = {
	{ .name = "threshold",
	  .type = OPTION_REAL,
	  .offset = offsetof(struct promotion_config, threshold),
	  .fallback = "0.9",
	  .min = 0.001,
	  .max = 1,
	  .help = "With pages.policy=utilisation: share of the 2M that must "
		  "be there" },
	{ .name = "interval",
	  .type = OPTION_TIME,
	  .offset = offsetof(struct promotion_config, interval_ns),
	  .fallback = "30s",
	  .min = 1e3,
	  .max = 1e15,
	  .help = "With pages.policy=buckets: time of the trace between two "
		  "looks at what was accessed" },
	{ .name = "pages",
	  .type = OPTION_SIZE,
	  .offset = offsetof(struct promotion_config, pages),
	  .fallback = "64",
	  .min = 1,
	  .max = 1e9,
	  .unit = "pages",
	  .help = "With pages.policy=buckets: 2M pages made at each look" },
	{ .name = "by",
	  .type = OPTION_CHOICE,
	  .offset = offsetof(struct promotion_config, by),
	  .fallback = "coverage",
	  .choices = measures,
	  .help = "With pages.policy=buckets: who comes first, by 4K pages "
		  "accessed or by page walks" },
	{ 0 },
};

static const struct huge_policy *
policy_of(const struct paging *paging)
{
	switch (paging->config.policy) {
	case PAGES_RESERVATION:
		return &reservation_policy;
	case PAGES_UTILISATION:
		return &utilisation_policy;
	case PAGES_BUCKETS:
		return &buckets_policy;
	default:
		return NULL;
	}
}

bool
promote_may(const struct vma *vma, uint64_t address)
{
	uint64_t start = address & ~(LARGE_BYTES - 1);

	return vma->object == OBJECT_NONE &&
	       !(vma->flags & (VMA_UNMAPPED | VMA_NOHUGE | MAP_FLAG_HUGETLB |
			       MAP_FLAG_SHARED)) &&
	       start >= vma->start && start + LARGE_BYTES <= vma->end;
}

int
promote_frame(struct paging *paging, struct address_space *space,
	      const struct vma *vma, uint64_t address, uint64_t *frame)
{
	const struct huge_policy *policy = policy_of(paging);

	return policy && policy->frame && promote_may(vma, address)
		       ? policy->frame(paging, space, vma, address, frame)
		       : 0;
}

int
promote_came(struct paging *paging, struct address_space *space,
	     struct vma *vma, uint64_t address)
{
	const struct huge_policy *policy = policy_of(paging);

	return policy && policy->came && promote_may(vma, address)
		       ? policy->came(paging, space, vma, address)
		       : 0;
}

int
promote_tick(struct paging *paging, uint64_t time_ns)
{
	const struct huge_policy *policy = policy_of(paging);

	return policy && policy->tick ? policy->tick(paging, time_ns) : 0;
}

int
promote_settle(struct paging *paging)
{
	const struct huge_policy *policy = policy_of(paging);

	if (likely(!paging->huge.ripe))
		return 0;
	paging->huge.ripe = false;
	return policy && policy->settle ? policy->settle(paging) : 0;
}

unsigned
promote_present(const struct address_space *space, uint64_t start)
{
	unsigned pages = 0;

	for (uint64_t at = start; at < start + LARGE_BYTES;
	     at += UINT64_C(1) << GROUP_SHIFT) {
		const struct page_group *group =
			pageset_group(&space->pages, at);

		pages += group ? (unsigned)__builtin_popcountll(group->whose[1])
			       : 0;
	}
	return pages;
}
