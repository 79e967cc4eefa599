/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a core may have beside its second level: a TLB of ranges, and a buffer of
 * translations that were prefetched.  Who misses the arrays asks the buffer, then
 * the ranges; what either has counts as a second-level hit of its size, and no
 * walk.  The buffer's page enters both levels, a range's 4K the first.
 */
#ifndef MODELS_TRANSLATION_CORE_BESIDE_H
#define MODELS_TRANSLATION_CORE_BESIDE_H

#include "models/tables/table.h"
#include "models/translation/prefetch.h"
#include "models/translation/range-tlb.h"
#include "models/translation/recency.h"

struct core;
struct core_page;

struct beside_config {
	struct range_tlb_config range;
	struct prefetch_config prefetch;
};

struct core_beside {
	struct range_tlb range;
	struct prefetch prefetch;
	struct recency recency; /* of PREFETCH_RECENCY */
};

/* NULL in *out: there is nothing of this.  0 or -ENOMEM. */
int core_beside_open(struct core_beside **out,
		     const struct beside_config *config);
void core_beside_close(struct core_beside *beside);

/* Where the page was found. */
struct beside_found {
	uint64_t physical; /* of the address */
	unsigned code, latency;
	bool readonly;
	bool second; /* it enters the second level too */
};

bool core_beside_find(struct core *core, const struct core_page *page,
		      struct beside_found *found);

/* A walk (mapping->shift set) or the buffer brought the page: what is to be
 * fetched ahead, and, after walks, the range. */
void core_beside_walked(struct core *core, const struct core_page *page,
			const struct mapping *mapping);
void core_beside_used(struct core *core, const struct core_page *page,
		      const struct beside_found *found);

void core_beside_flush_asid(struct core_beside *beside, uint64_t asid);
/* As core_invalidate; asid UINT64_MAX: the core has none for the space. */
int core_beside_invalidate(struct core_beside *beside, uint32_t space,
			   uint64_t asid, uint64_t address, uint64_t length);

/* Add what another core's counted and covers, for results alone; both may be
 * NULL. */
void core_beside_add(struct core_beside *beside,
		     const struct core_beside *other);
/* tlb.range.*, tlb.prefetch.*, of what there is; timed: there is a clock. */
int core_beside_finish(const struct core_beside *beside, bool timed,
		       struct result *result);

#endif
