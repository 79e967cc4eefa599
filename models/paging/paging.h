/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel part of a machine: address spaces that follow the recorded
 * mappings, faults that bring pages in, the policies that choose frame and
 * page size, and the counts of all that.
 */
#ifndef MODELS_PAGING_PAGING_H
#define MODELS_PAGING_PAGING_H

#include "analyzer/batch.h"
#include "analyzer/option.h"
#include "analyzer/result.h"
#include "models/memory/frames.h"
#include "models/tables/table.h"

struct paging;

enum pages_policy {
	PAGES_RECORDED, /* as recorded where known, else 4k */
	PAGES_4K,
	PAGES_2M,
	PAGES_1G,
	PAGES_THP, /* 2M where the aligned range lies in one anonymous mapping */
};

enum fault_class {
	FAULT_ANON,	/* demand zero, written first */
	FAULT_ZERO,	/* read first: the zero page */
	FAULT_ZERO_COW, /* later write to it */
	FAULT_COW,	/* write to a page shared by fork or a private file */
	FAULT_REUSE,	/* write-protected, but the only owner */
	FAULT_FILE,	/* mapped from the page cache, with its neighbours */
	FAULT_SHARED,	/* shared memory */
	FAULT_STACK,	/* growth of the stack's mapping, then anon */
	FAULT_UNMAPPED, /* outside every recorded mapping: mapped anyway */
	FAULT_CLASSES,
};

struct paging_config {
	int policy;	   /* enum pages_policy */
	bool fault_around; /* map 16 file pages a fault, as Linux does */
	bool zero_page;
};

extern const struct option_row paging_rows[]; /* prefix "pages" */

/* What must hear of translations that change. */
struct paging_listener {
	void *context;
	/* [address, address + length) of this space is stale in every TLB */
	void (*invalidate)(void *context, uint32_t space, uint64_t address,
			   uint64_t length);
};

/* frames: for data pages.  table_config is of table_ops->options. */
int paging_open(struct paging **out, const struct paging_config *config,
		const struct stream *stream, struct frames *frames,
		const struct table_ops *table_ops, const void *table_config,
		const struct paging_listener *listener);
void paging_close(struct paging *paging);

/* The page table of a space: for the walker.  Created when first asked for. */
struct table *paging_table(struct paging *paging, uint32_t space);

/*
 * The page at `address` is not present, or not writable and this is a write:
 * make it so, and count.  accesses: how many were fed so far (for time
 * series).  0 with *mapping as the table now has it, or -ENOMEM (said).
 */
int paging_fault(struct paging *paging, uint32_t space, uint64_t address,
		 enum site_kind kind, uint64_t accesses,
		 struct mapping *mapping);

/* Follow one event of a batch (mappings, fork, exec, advice ...). Kernel
 * reads and writes fault pages in as the program's own would. */
int paging_event(struct paging *paging, const struct batch *batch,
		 const struct event *event, uint64_t accesses);

/* fault.minor, fault.anon ..., table.bytes, footprint, mappings table,
 * faults and footprint over time */
int paging_finish(struct paging *paging, struct result *result);

#endif
