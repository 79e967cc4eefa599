/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A TLB of ranges beside the second level: each entry is any number of pages in
 * a row whose frames are in a row too and whose rights are the same (redundant
 * memory mappings: Karakostas and others, ISCA 2015).
 *
 *	second level misses -> a range has it?   the first level gets the page
 *	                    -> else a walk, and beside it one of the range table,
 *	                       which brings the range that the page is in
 *
 * The range table is what a kernel would keep: it is not stored but found, by
 * looking at the page table around a page, as far as the row goes; what was found
 * is remembered (`known`, by address), so that no page is looked at again until it
 * is invalidated.
 */
#ifndef MODELS_TRANSLATION_RANGE_TLB_H
#define MODELS_TRANSLATION_RANGE_TLB_H

#include "models/tables/table.h"

#define RANGE_TLB_MAX 1024

/* Prefix "tlb.range". */
struct range_tlb_config {
	int64_t entries; /* 0: there is none */
	int64_t least;	 /* pages of a range that is worth an entry */
	int64_t latency;
};
extern const struct option_row range_tlb_rows[];

struct range {
	uint64_t first, last; /* page numbers */
	uint64_t frame;	      /* of the first */
	bool writable;
	uint32_t owner; /* an entry's ASID; of known ones, the space */
	uint64_t stamp;
};

struct range_tlb {
	struct range *entry; /* owned: [entries] */
	uint32_t entries, used;
	uint64_t least, now;
	unsigned latency;
	struct range *known; /* owned: by owner and first */
	size_t n_known, room;
	uint64_t hits, walks; /* walks: of the range table */
	uint64_t pages, peak; /* that entries cover, and did at most */
};

/* 0 or -ENOMEM (said). */
int range_tlb_init(struct range_tlb *tlb,
		   const struct range_tlb_config *config);
void range_tlb_fini(struct range_tlb *tlb);

/* Has a range the page, with this right?  *physical: of the address. */
bool range_tlb_find(struct range_tlb *tlb, uint32_t asid, uint64_t address,
		    bool write, uint64_t *physical, bool *readonly);

/* A walk found this page: bring its range.  0 or -ENOMEM (said). */
int range_tlb_walk(struct range_tlb *tlb, struct table *table, uint32_t space,
		   uint32_t asid, uint64_t address,
		   const struct mapping *mapping);

void range_tlb_flush_asid(struct range_tlb *tlb, uint32_t asid);
/* Of the table, what overlaps; length UINT64_MAX: all of the space. */
int range_tlb_forget(struct range_tlb *tlb, uint32_t space, uint64_t address,
		     uint64_t length);
/* Of the entries, what overlaps. */
void range_tlb_invalidate(struct range_tlb *tlb, uint32_t asid,
			  uint64_t address, uint64_t length);

#endif
