/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One core as slow and plain as can be, for tests of the real one: TLBs, walk
 * caches and caches are lists, the latest first, that are searched from end to
 * end and moved about; each access is done with before the next begins.  LRU
 * only.  Entries may have several pages.  The table's full walk is taken as given (test-radix judges it).
 */
#ifndef TESTS_PLAIN_CORE_H
#define TESTS_PLAIN_CORE_H

#include "models/translation/core.h"

#define PLAIN_WAYS	  64u
#define PLAIN_LATENCY_MAX 4096u

struct plain_set {
	struct plain_key {
		uint64_t page; /* or group of pages */
		unsigned shift;
		uint32_t space;
		uint64_t has, readonly; /* of a group; else bit 0 */
	} key[PLAIN_WAYS];
	unsigned n;
};

struct plain_array {
	unsigned sets, ways;
	unsigned pages; /* of 4K that an entry may have */
	bool coalesces;
	unsigned least; /* log2 of a page of which it may have several */
	int sizes;
	struct plain_set *set; /* owned */
};

struct plain_cache {
	uint64_t sets, ways;
	unsigned shift, latency;
	uint64_t *line; /* owned: [sets][ways], the latest first, 0: free */
};

struct plain_core {
	struct plain_array l1[2][3], l2[2], pwc[PWC_LEVELS];
	struct plain_cache cache[2][3]; /* [fetch][level]; L2, L3 in [0] */
	unsigned memory_latency;
	unsigned walks_at; /* enum hierarchy_place: where walks enter */
	unsigned granule;  /* log2 of the least page; each level has 3 less */
	bool data_cached, globals;
	/* pages in a row with the one that was found */
	uint64_t row_first, row_last;

	uint64_t l1_misses[2], l2_hits[2], l2_misses[2], walks, references;
	uint64_t faults;
	uint64_t found[WALKER_LEVELS][PLACES], data_found[PLACES];
	uint64_t latency[PLAIN_LATENCY_MAX];
};

/* Who pages in: maps the page, so that the access is allowed. */
struct plain_kernel {
	void *context;
	void (*fault)(void *context, uint32_t space, uint64_t address,
		      enum site_kind kind);
};

void plain_core_init(struct plain_core *plain, const struct core_config *config,
		     const struct hierarchy_config *caches);
void plain_core_fini(struct plain_core *plain);

/* One page of one access: bytes of it from address on. */
void plain_core_page(struct plain_core *plain, struct table *table,
		     const struct plain_kernel *kernel, uint32_t space,
		     uint64_t address, uint64_t bytes, enum site_kind kind);
void plain_core_invalidate(struct plain_core *plain, uint32_t space,
			   uint64_t from, uint64_t last);

#endif
