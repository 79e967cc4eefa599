/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel part of a machine: address spaces that follow the recorded
 * mappings as Linux does, faults that bring pages in, the policies that choose
 * page sizes, and the counts of all that.
 *
 * What it predicts is what Linux 6.18 counts (models/paging/README.md lists
 * the rules and how each was checked).  Files are taken to be in the page cache
 * (warm) where the trace does not tell, memory to be enough.
 */
#ifndef MODELS_PAGING_PAGING_H
#define MODELS_PAGING_PAGING_H

#include "analyzer/batch.h"
#include "analyzer/option.h"
#include "analyzer/result.h"
#include "models/memory/frames.h"
#include "models/paging/huge.h"
#include "models/paging/ksm.h"
#include "models/tables/table.h"

struct paging;

/*
 * 2M, 1G and blocks are what-ifs of page size alone: the first touch maps the whole
 * aligned region, whatever mappings share it, writable, at one fault of the
 * touched mapping's class; no zero page, no fault-around.  Fork shares it and
 * the first write after copies it whole, except where the first touch was in
 * a shared mapping.  It goes when no mapping is left in its region.
 */
enum pages_policy {
	/* 4K, and 2M where the mapping is hugetlb or the trace shows a 2M page
	 * (record --residency), from there on */
	PAGES_RECORDED,
	PAGES_4K,
	PAGES_2M,
	PAGES_1G,
	PAGES_THP, /* as Linux: huge.h */
	/* huge-NAME.c: 2M of 4K pages, when all, enough or the most accessed
	 * are there */
	PAGES_RESERVATION,
	PAGES_UTILISATION,
	PAGES_BUCKETS,
	PAGES_BLOCK, /* of the granule: 2M, 32M, 512M */
};

/*
 * The least page.  16K and 64K (AArch64) are what-ifs as 2M and 1G are: the
 * recorded mappings are of 4K, so what shares a granule shares its page.
 */
enum pages_granule {
	GRANULE_4K,
	GRANULE_16K,
	GRANULE_64K,
};

/* Each predicted fault is of one class. */
enum fault_class {
	FAULT_ANON,	/* demand zero, written first */
	FAULT_ZERO,	/* read first: the zero page */
	FAULT_ZERO_COW, /* later write to it */
	FAULT_COW,	/* write to a page shared by fork or a private file */
	FAULT_REUSE,	/* write-protected, but the only owner */
	FAULT_FILE,	/* mapped from the page cache, with its neighbours */
	FAULT_SHARED,	/* shared anonymous memory; write to a shared file */
	FAULT_STACK,	/* growth of the stack's mapping, then anon */
	FAULT_UNMAPPED, /* outside every recorded mapping: mapped anyway */
	FAULT_CACHED,	/* in swap, and in memory as well: the swap cache */
	FAULT_MINOR_CLASSES, /* above: minor; from here on: major */
	FAULT_SWAP = FAULT_MINOR_CLASSES, /* its page was in swap */
	FAULT_READ,			  /* its page was read from a file */
	FAULT_CLASSES,
};

/* Do anonymous pages that are read first map the shared zero page? */
enum zero_page {
	ZERO_PAGE_RECORDED, /* as the trace says of its host; else they do */
	ZERO_PAGE_YES,
	ZERO_PAGE_NO,
};

/* Has the host swap for MADV_PAGEOUT to put pages in? */
enum host_swap {
	SWAP_RECORDED, /* as the trace says of its host; else it has */
	SWAP_YES,
	SWAP_NO,
};

/* What is in the page cache when a file is first mapped? */
enum files_cache {
	FILES_RECORDED, /* as the trace says; where it does not: all */
	FILES_WARM,	/* all */
	FILES_COLD,	/* nothing */
};

struct files_config {
	int cache;	    /* enum files_cache */
	int64_t read_ahead; /* KiB; below 0: as recorded, or 128 */
};

struct paging_config {
	int policy;		     /* enum pages_policy */
	uint64_t fault_around_bytes; /* window of file pages mapped a fault */
	int zero_page;		     /* enum zero_page */
	int granule;		     /* enum pages_granule */
	int64_t list;		     /* predicted faults to list, at most */
	int swap;		     /* enum host_swap */
	int64_t page_cluster;	     /* vm.page-cluster; below 0: as recorded */
	/* Where swap is: not an option of its own; zeroed: as recorded */
	enum swap_kind {
		SWAP_KIND_RECORDED,
		SWAP_KIND_SYNCHRONOUS, /* read by the processor, as zram */
		SWAP_KIND_DRIVE,
		SWAP_KIND_DISK, /* it turns */
	} swap_kind;
	struct huge_config huge;
	struct files_config files;
	struct ksm_config ksm;
};

extern const struct option_row paging_rows[]; /* prefix "pages" */
extern const struct option_row files_rows[];  /* "files", of files_config */

/* log2 of the least page: 12, 14, 16. */
static inline unsigned
paging_granule(const struct paging_config *config)
{
	return 12u + 2u * (unsigned)config->granule;
}

/* What must hear of translations that change. */
struct paging_listener {
	void *context;
	/* [address, address + length) of this space is stale in every TLB and
	 * walk cache; length UINT64_MAX: all of the space.  Said whenever an
	 * entry that was present changes in any way, also to more rights,
	 * before the next access: models/translation relies on it. */
	void (*invalidate)(void *context, uint32_t space, uint64_t address,
			   uint64_t length);
	/* The last owner of what was in this frame of that size is gone, and the
	 * frame free; NULL: nobody asks. */
	void (*gone)(void *context, unsigned shift, uint64_t frame);
	/* 4K pages come as one that leaves as one (THP, mTHP), at this frame; and
	 * is there room for such a page, after others left if those may wait who
	 * want it?  NULL: all come and go alone, and there is. */
	void (*came)(void *context, uint32_t space, uint64_t address,
		     unsigned shift, uint64_t frame);
	bool (*room)(void *context, uint32_t space, unsigned shift, bool wait);
	/* The same page leaves its frame for a slot of swap (or, of a file, its
	 * disk), which is told before the frame is gone; ... comes back from
	 * there, and is kept there, too; ... is gone while there; and came back
	 * to that frame unasked.  All or none. */
	void (*swapped)(void *context, uint64_t frame, uint64_t slot);
	void (*returned)(void *context, uint64_t slot, uint64_t frame,
			 bool kept);
	void (*forgotten)(void *context, uint64_t slot);
	/* Pages that paging_watch was told of are to be told once more when they
	 * are accessed; NULL: nobody watches */
	void (*again)(void *context);
	void (*ahead)(void *context, uint64_t frame);
	/* A fault was counted for this page of 4K, at `accesses` of the run;
	 * NULL: nobody asks. */
	void (*faulted)(void *context, uint32_t space, uint64_t page,
			uint64_t accesses, bool major);
};

/*
 * frames: for data pages; tables: what tables are opened with, but for frames
 * and space (NULL: nothing); listener (may be NULL) is copied.  0, -ENOMEM
 * (said).
 */
int paging_open(struct paging **out, const struct paging_config *config,
		const struct stream *stream, struct frames *frames,
		const struct table_ops *table_ops,
		const struct table_with *tables,
		const struct paging_listener *listener);
void paging_close(struct paging *paging);

/*
 * The page table of a space: for the walker.  Created when first asked for;
 * it stays the same one until paging_close, also over exec and exit, which
 * only empty it.  NULL: no memory (said).
 */
struct table *paging_table(struct paging *paging, uint32_t space);

/*
 * The page at `address` is not present, or not writable and this is a write:
 * make it so, and count.  accesses: how many were fed so far (for time
 * series).  Call it once an access: if the mapping's rights forbid the access
 * (the program gets a signal), it is counted as fault.protection and *mapping
 * may come back not present (shift 0) or not writable.  Else *mapping is what
 * the table now has.  0, -ENOMEM (said).
 */
int paging_fault(struct paging *paging, uint32_t space, uint64_t address,
		 enum site_kind kind, uint64_t accesses,
		 struct mapping *mapping);

/*
 * A walk for this address ended at a page (the accessed bit is set): exact
 * counts of touched pages need it, because fault-around and populate map pages
 * that nobody touched yet.  Cheap; calling it for each walk is enough.
 */
void paging_touch(struct paging *paging, uint32_t space, uint64_t address);

/* May its policy bring in larger pages than the program asked for? */
bool paging_sizes_vary(const struct paging *paging);
/* Does the policy want all accesses? */
bool paging_wants_watch(const struct paging *paging);
/* The page at this address was accessed in this space, after its fault, by access
 * number `accesses`: at least the first time since it came; then it is known
 * what of large pages is used.  0, -ENOMEM (said). */
int paging_watch(struct paging *paging, uint32_t space, uint64_t address,
		 uint64_t accesses);

/* Does the policy want all walks?  Then: a page of the address was walked for
 * so often.  0, -ENOMEM (said). */
bool paging_wants_walks(const struct paging *paging);
int paging_walked(struct paging *paging, uint32_t space, uint64_t address,
		  uint64_t walks);

/* Follow one event of a batch (mappings, fork, exec, advice ...). Kernel
 * reads and writes fault pages in as the program's own would.  Events that
 * are not its business are ignored.  0, -ENOMEM (said). */
int paging_event(struct paging *paging, const struct batch *batch,
		 const struct event *event, uint64_t accesses);

/* What to scan, and who is told: bytes of present memory. */
struct paging_scan {
	uint64_t bytes;
	void *context;
	void (*mark)(void *context, uint64_t start, uint64_t bytes);
};
/* Scan a space from *cursor on, whose translations become stale; *cursor moves
 * on, to 0 at the end.  0, -ENOMEM (said). */
int paging_scan(struct paging *paging, uint32_t space,
		const struct paging_scan *scan, uint64_t *cursor);

/* Does an address of this frame read as zeros for all, owned by nobody? */
bool paging_is_zero(const struct paging *paging, uint64_t frame);

/*
 * For reclaim.  Where the page at an address is, so that it can be found later:
 * a page of an object, or of a space.
 */
#define PAGING_PLACE_SPACE UINT32_MAX
struct paging_place {
	uint64_t at;	 /* page number: in the object, else in the space */
	uint32_t object; /* PAGING_PLACE_SPACE: of no object */
	uint32_t space;
	bool file;   /* of a file on disk: needs no swap */
	bool locked; /* may not leave */
};
void paging_place(struct paging *paging, uint32_t space, uint64_t address,
		  struct paging_place *place);
/*
 * The page in this frame leaves memory, for all who map it: 1 to swap, 2 to its
 * file; 0: it is not there, or somebody maps it within a large page; -ENOMEM
 * (said).  Faults then bring it back: fault.swap, fault.read.
 */
int paging_evict(struct paging *paging, const struct paging_place *place,
		 uint64_t frame);
/*
 * The same of a page that came as one of that size (paging_listener.came), all
 * to swap: those who map it by one entry map its 4K pages from here on, and
 * each of these has a slot of its own; what is left stays.
 */
int paging_evict_whole(struct paging *paging, const struct paging_place *place,
		       unsigned shift, uint64_t frame);
/* Who maps it by one entry maps its 4K pages from here on.  0, -ENOMEM (said). */
int paging_split_whole(struct paging *paging, const struct paging_place *place,
		       uint64_t frame);
/* In a large page of 4K ones: the frame of the one at an address. */
static inline uint64_t
paging_frame_at(const struct mapping *mapping, uint64_t address)
{
	uint64_t within = (UINT64_C(1) << mapping->shift) - 1;

	return mapping->frame + (address & within & ~UINT64_C(4095));
}
/*
 * The anonymous page in this frame is nobody's any more, though it is mapped
 * (MADV_FREE): it is gone, and who touches it faults anew.  1; 0: it is not there;
 * -ENOMEM (said).
 */
int paging_discard(struct paging *paging, const struct paging_place *place,
		   uint64_t frame);
/* Does nobody else map the 4K page at this address?  anonymous: false where it is
 * not. */
bool paging_is_alone(const struct paging *paging, uint32_t space,
		     uint64_t address, bool anonymous);
/* Has the page at this address left, so that a fault would bring it back? */
bool paging_is_away(const struct paging *paging, uint32_t space,
		    uint64_t address);
/* Of a space now, in pages: present; in swap; its tables; in locked mappings,
 * present or not. */
struct paging_usage {
	uint64_t resident, swapped, tables, locked;
};
struct paging_usage paging_usage(const struct paging *paging, uint32_t space);

struct paging_page {
	uint64_t start, frame;
	unsigned shift;
	bool own; /* anonymous, and nobody else's */
};
/* The page of a space that has this address; false: there is none. */
bool paging_page(struct paging *paging, uint32_t space, uint64_t address,
		 struct paging_page *page);
/* Move it to a frame of that node: 1, or 0 where that can't be, or -ENOMEM
 * (said).  No fault is counted. */
int paging_move(struct paging *paging, uint32_t space, uint64_t address,
		unsigned node);

/*
 * A dense number for what is mapped at the address: the same for the same
 * label (a file's path, "[heap]", "[stack]", "[anon]", "[shared]",
 * "[unmapped]") in all spaces.  Fast after the first of a run in one mapping.
 */
uint32_t paging_region(struct paging *paging, uint32_t space, uint64_t address);
/* The same, and [*start, *end) all of which has that number until the next
 * event or fault; empty where nothing is mapped. */
uint32_t paging_region_span(struct paging *paging, uint32_t space,
			    uint64_t address, uint64_t *start, uint64_t *end);
/* NULL at and above the count of regions so far.  Borrowed. */
const char *paging_region_name(const struct paging *paging, uint32_t region);
uint32_t paging_regions(const struct paging *paging);

/* Of one space now, with the tables held back to split large pages. */
uint64_t paging_table_bytes(const struct paging *paging, uint32_t space);
/* Major faults so far; those of them that read swap. */
uint64_t paging_major(const struct paging *paging);
uint64_t paging_swap_faults(const struct paging *paging);
/* Minor faults so far: as perf counts them or, with the populated ones, as
 * getrusage does. */
uint64_t paging_minor(const struct paging *paging, bool populated);

/*
 * Time has come to that of a batch (0: unknown): what the kernel does by the
 * clock is done.  0, -ENOMEM (said).
 */
int paging_time(struct paging *paging, uint64_t time_ns, uint64_t accesses);

/* When there is next something to do by the clock; UINT64_MAX: never. */
uint64_t paging_next(const struct paging *paging);

/* What a space holds now (as smaps_rollup: Anonymous, the rest of Rss with
 * zero pages, AnonHugePages without, Private and Shared Hugetlb, Swap). */
struct paging_memory {
	uint64_t anonymous_bytes, borrowed_bytes, huge_bytes, hugetlb_bytes;
	uint64_t swap_bytes;
};
void paging_memory(const struct paging *paging, uint32_t space,
		   struct paging_memory *memory);

/* Pages of a pool (of pages-2m and -1g) that nobody maps, and of these those
 * that mappings have reserved. */
void paging_hugetlb(const struct paging *paging, enum hugetlb_pool pool,
		    uint64_t *free_pages, uint64_t *reserved);

/* Of all spaces now. */
uint64_t paging_resident_bytes(const struct paging *paging);
/* Entries of tables that were written so far. */
uint64_t paging_entries_written(const struct paging *paging);

/* Merged frames, pages mapped to them beyond the first, pages that became the
 * zero page; now.  merge_ns: from the first known content to the last merge. */
struct ksm_counts {
	uint64_t shared, sharing, zero, rounds, merge_ns;
};
void ksm_counts(struct paging *paging, struct ksm_counts *counts);
/* By merging, at most: a row of what mechanisms save. */
uint64_t ksm_saved_bytes(const struct paging *paging);
uint64_t ksm_merged_bytes(const struct paging *paging); /* mapped, then */

/*
 * accesses: the total of the run.  fault.minor (as perf counts it: without
 * populated pages and forbidden accesses), fault.major (absent where nothing
 * was swapped out: files are warm),
 * fault.CLASS, fault.populated (by mlock, MAP_POPULATE: getrusage counts
 * them), fault.protection, fault.recorded.minor and .major (the kernel's own,
 * if recorded), table.bytes and .peak, table.map.writes, table.unmap.writes,
 * swap.out, swap.in, swap.bytes and .peak (where anything was swapped out),
 * table.moves, table.resizes and what the kind counts, footprint.pages and .bytes and
 * .bytes.peak; tables faults.time, footprint.time, table.time and
 * faults.mappings.
 */
int paging_finish(struct paging *paging, uint64_t accesses,
		  struct result *result);

#endif
