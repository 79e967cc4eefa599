/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of this room share; nobody else includes it.
 *
 *	paging.c   opening, spaces, counting, the result
 *	vma.c      mappings of a space          pageset.c  state of its pages
 *	object.c   files and shared memory      owner.c    frames and their owners
 *	fault.c    bringing in a 4K page        large.c    2M and 1G pages
 *	fault-file.c  the same, of files        file-cache.c  the page cache
 *	zap.c      taking pages away            follow.c   mapping events
 *	fork.c     fork, exec, exit             advise.c   madvise, mlock
 *	huge.c     which sizes may come
 *	region.c   labels                       hash.c     number to number
 *	resident.c what was seen of the real pages
 *	compact.c  where memory is too fragmented for large pages
 *	sharing.c  who shares what          libraries.c  by segments of ELF
 *	swap.c     pages that are in swap       evict.c    pages that must go
 *	swap-cache.c  and in memory as well, or read ahead
 *	measured.c what the kernel counted, beside what is predicted
 *	measured-host.c  the same of the whole host
 *	ksm.c      merging pages of the same content
 *	fault-log.c faults one by one, beside those recorded
 *	hugetlb.c  pools of MAP_HUGETLB
 *	coverage.c what of large pages is used  huge-result.c
 *	khugepaged.c making large pages of small ones  promote.c and huge-NAME.c
 *	space-memory.c what a space holds
 *	lookup.c   pages of accesses without a walk
 *	references.c  a trace as numbers of pages, beside a machine
 */
#ifndef MODELS_PAGING_SPACE_H
#define MODELS_PAGING_SPACE_H

#include "analyzer/base.h"
#include "models/analysis/timeline.h"
#include "models/paging/file-cache.h"
#include "models/paging/hash.h"
#include "models/paging/pageset.h"
#include "models/paging/paging.h"
#include "models/paging/vma.h"

#define PAGE_SHIFT  12
#define PAGE_BYTES  (UINT64_C(1) << PAGE_SHIFT)
#define LARGE_SHIFT 21
#define LARGE_BYTES (UINT64_C(1) << LARGE_SHIFT)
#define LARGE_ORDER (LARGE_SHIFT - PAGE_SHIFT)
#define GIANT_SHIFT 30

#define MAP_RIGHTS (MAP_FLAG_READ | MAP_FLAG_WRITE | MAP_FLAG_EXEC)

struct range {
	uint64_t start, end;
};

struct address_space {
	uint32_t number;
	struct vma_list vmas;
	struct pageset pages;
	struct hash large;   /* first address -> struct large_page, packed */
	struct hash swapped; /* see swap.c */
	/* groups -> pages touched; that came along and were not: coverage.c */
	struct hash used, brought;
	/* promote.c: regions -> number of reservation; to be promoted; how hot
	 * they are; groups -> pages touched since the last look */
	struct hash reserved, wanted, heat, recent;
	unsigned granule;     /* over 12: all pages are large, and of that */
	struct table *table;  /* owned */
	struct vma nowhere;   /* stands for all that is not mapped */
	uint64_t deposited;   /* PTE tables held back to split THPs */
	uint64_t table_bytes; /* as last added to paging->table_bytes */
	uint64_t minor, major, populated, fetched; /* faults; by fetches */
	uint64_t recorded;	  /* minor ones of the kernel */
	uint32_t program;	  /* file that it runs, plus 1; 0: not told */
	struct table_taken taken; /* ... to paging->taken */
};

/* A file, or shared anonymous memory: pages known by their number in it. */
struct object {
	struct hash frame; /* page number -> frame */
	struct hash out;   /* page number -> slot: it had to leave (evict.c) */
	/* Of shared memory: came in by a read, and no fault told of a write: it
	 * is zeros still, unless it was written without a fault */
	struct hash unwritten;
	uint64_t pages;		 /* length of a file; 0: unknown */
	bool named;		 /* a file: it stays when nobody maps it */
	uint32_t number;	 /* of the stream's files, then */
	bool file;		 /* all its pages are in the page cache */
	bool disk;		 /* the first write to a page must be noticed */
	struct file_cache cache; /* of a file */
	uint8_t shift;		 /* of hugetlb's pages; 0: of 4K */
	uint64_t reserved;	 /* pages of a pool: hugetlb.c */
};

struct measured;
struct host_counters;
struct ksm;

/* What the trace's host had; 0: not told */
struct ksm_host {
	bool known, run, zero, smart;
	bool advised; /* advisor_mode: scan_pages changed as it ran */
	uint64_t scan_pages, sleep_ns, max_sharing;
};
struct fault_log;
struct sharing;

struct region {
	char *name; /* owned */
	uint64_t faults[FAULT_CLASSES];
};

/* huge-reservation.c */
struct reservation {
	uint64_t start, frame;
	uint64_t used[8]; /* bits of the pages given out */
	uint32_t space, n;
	bool live;
};

/* Series of thp.time. */
enum huge_line {
	HUGE_LINE_LARGE,
	HUGE_LINE_UNTOUCHED,
	HUGE_LINE_FAULTS,
	HUGE_LINE_COLLAPSES,
	HUGE_LINE_SPLITS,
};

/* Of all spaces at a moment. */
struct huge_state {
	uint64_t bytes, anonymous_bytes, unaligned_bytes, untouched_bytes;
	uint64_t deposited_bytes;
};

/* Who compacts memory. */
enum compact_for {
	COMPACT_FAULT,
	COMPACT_ADVICE, /* MADV_COLLAPSE, the huge zero page */
	COMPACT_KHUGEPAGED,
	COMPACT_POLICY, /* of huge-policy.h */
	COMPACT_KCOMPACTD,
	COMPACT_WHO,
};

struct compact_count {
	uint64_t tries, made, skipped, looked, moved, ns, longest_ns;
};

/* compact.c */
struct compact {
	struct hash where;    /* frame -> space and page of who maps it alone */
	unsigned woken_shift; /* what kcompactd is to make free; 0: nothing */
	/* after failures for runs of failed_shift on: tries that were put off */
	unsigned defer_shift, failed_shift;
	uint64_t considered;
	uint64_t wakes;
	struct compact_count count[COMPACT_WHO];
};

/* huge.c, khugepaged.c, coverage.c, huge-result.c */
struct huge {
	struct huge_orders orders; /* that mappings may have */
	int defrag;		   /* enum huge_defrag */
	struct compact compact;
	/* counts: large pages that faults brought in, by order; those that
	 * found no free run; copies of the huge zero page within the first */
	uint64_t faulted[HUGE_ORDERS], fallback[HUGE_ORDERS];
	uint64_t zero, splits, swapped_out;
	/* ... of the fallbacks those that the limit had no room for */
	uint64_t no_room;
	/* khugepaged.c: where it goes on, and when */
	size_t space;
	uint64_t address, next_ns;
	/* counts: of khugepaged, of MADV_COLLAPSE, and of 4K pages in both */
	uint64_t rounds, scanned, full_scans, beyond_limits, collapsed;
	uint64_t advised, collapse_failed;
	uint64_t collapse_copied, collapse_zeroed, swapped_in;
	/* bytes in large pages that are not the zero page; 4K pages of
	 * larger ones, of every size, that nobody touched */
	uint64_t bytes, peak, untouched_bytes, untouched_peak;
	struct huge_state last; /* before the last process ended */
	struct timeline *line;	/* owned */
	/* promote.c: reservations ever made, [reservations], the live ones
	 * from reservation_first on; bytes of runs that are not given out */
	struct reservation *reservation; /* owned */
	size_t reservations, reservation_room, reservation_first;
	uint64_t reserved_bytes, reserved_peak, reservations_broken, promoted;
	bool ripe;		/* some space has regions that are wanted */
	bool watching, watched; /* it is asked for; it was told */
};

struct pool_of {
	uint64_t *frame; /* owned: free ones, [n] */
	uint64_t n, pages, reserved;
	/* counts: at most; mmaps and faults that it was too small for */
	uint64_t used_peak, reserved_peak, refused, lacking;
};

struct hugetlb {
	struct pool_of pool[HUGETLB_POOLS]; /* pages 0: no limit */
};

struct swap {
	struct hash owners;		    /* see swap.c */
	struct hash cached, slot_of, ahead; /* see swap-cache.c */
	uint64_t *used; /* owned [used_room]: bits of slots with a page */
	size_t used_room;
	/* Slots ever given (none twice), pages there now and at most, moves;
	 * read ahead, and of these wanted. */
	uint64_t slots, pages, peak, ins, outs, aheads, ahead_hits;
	/* The device: read by the processor (zram); a disk that turns; log2 of
	 * the most pages that are read at once */
	bool synchronous, turns;
	unsigned cluster;
	/* read-ahead by slots: hits since the last one, its place, its pages */
	unsigned hits, last;
	uint64_t before;
};

struct paging {
	struct paging_config config;
	bool zero_page;	  /* reads first map it */
	bool swap_space;  /* MADV_PAGEOUT has somewhere to go */
	bool cache_known; /* what of files is in the page cache */
	const struct stream *stream;
	struct frames *frames;
	const struct table_ops *table_ops;
	struct table_with table_with; /* but for the space */
	void *table_shared;	      /* the tables' own */
	struct paging_listener listener;

	struct address_space **space; /* owned, by number; NULL: not yet */
	size_t spaces;
	struct hash owners; /* see owner.c */
	struct swap swap;
	struct huge huge;
	struct hugetlb hugetlb;
	struct object *object; /* owned */
	size_t objects, object_room;
	struct hash file_object; /* file of the stream -> object */
	struct region *region;	 /* owned */
	size_t regions, region_room;
	struct hash file_region;	 /* file of the stream -> region */
	uint64_t zero_frame, zero_large; /* 0: not taken yet */
	struct hash kernel_frame; /* region << 32 | page of it -> frame */
	uint32_t families;	  /* of anonymous pages, so far */

	/* counts */
	uint64_t now; /* accesses so far */
	uint64_t faults[FAULT_CLASSES];
	uint64_t populated, protection;
	uint64_t copied_bytes; /* by system calls, to and from the program */
	uint64_t recorded_minor, recorded_major;
	/* resident.c: 2M pages made; pages moved to their real frame, and not,
	 * as another page of the model has it */
	uint64_t recorded_large, recorded_frames, recorded_taken;
	uint64_t mapping_events;
	uint64_t touched_pages;
	bool untouched_pages; /* pages were mapped that nobody asked for */
	bool touch_reported;  /* paging_touch is being called */
	bool large_pages;     /* any was mapped */
	uint64_t resident_bytes, resident_peak, table_bytes, table_peak;
	/* before the last process ended: what a whole recording ends with */
	uint64_t last_resident, last_table;
	/* frames that tables lie in, without copies; and those two of them */
	struct table_taken taken, last_taken;
	uint64_t taken_peak;
	struct timeline *fault_line, *foot_line, *table_line; /* owned */
	struct timeline *file_line;			      /* owned */
	uint64_t cached_pages, cached_peak;  /* of files, as is known */
	struct measured *measured;	     /* owned; NULL: nothing was */
	struct host_counters *host_counters; /* the same */
	struct ksm *ksm;		     /* owned; NULL: nothing merges */
	struct ksm_host ksm_host;
	bool contents;		 /* of pages were told */
	struct fault_log *log;	 /* owned; NULL: nobody asks */
	struct sharing *sharing; /* owned; NULL: not looked at yet */
};

/* paging.c */
/* 0 or -ENOMEM (said). */
int space_get(struct paging *paging, uint32_t number,
	      struct address_space **out);
/* Bring the sums of table and resident bytes up to date. */
void space_account(struct paging *paging, struct address_space *space);
void space_stale(struct paging *paging, const struct address_space *space,
		 uint64_t address, uint64_t length);
void count_fault(struct paging *paging, const struct vma *vma,
		 enum fault_class class);
/* Does any space have pages? */
bool paging_is_alive(const struct paging *paging);
int paging_no_memory(const struct paging *paging);
/* What the trace says of its host; NULL: nothing. */
const char *recorded_host(const struct stream *stream, const char *name);

/* owner.c: an anonymous frame has one owner unless fork shared it. */
/* address: virtual, or a place in a file. */
int owner_take(struct paging *paging, unsigned shift, uint64_t address,
	       uint64_t *frame);
/* A frame of that size was taken elsewhere. */
void owner_taken(struct paging *paging, unsigned shift);
int owner_share(struct paging *paging, unsigned shift, uint64_t frame);
void owner_release(struct paging *paging, unsigned shift, uint64_t frame);
bool owner_alone(const struct paging *paging, unsigned shift, uint64_t frame);
/* How many own this 4K page. */
uint64_t owner_count(const struct paging *paging, uint64_t frame);
/* Does another owner of this 2M page map parts of it? */
bool owner_in_parts(const struct paging *paging, uint64_t frame);
/* A large page's owner goes on with its 512 parts. */
int owner_split(struct paging *paging, uint64_t frame);

/* object.c */
int object_of_file(struct paging *paging, uint32_t file, uint32_t *object);
int object_create(struct paging *paging, uint32_t *object);
/* The frame of a page; 0 if it is not there and may not be created. */
int object_page(struct paging *paging, struct object *object, uint64_t page,
		bool create, uint64_t *frame);
bool object_is_out(const struct object *object, uint64_t page);
/* The file's page cache had so many pages before, and has read so many. */
void files_note(struct paging *paging, const struct object *object,
		uint64_t pages, uint64_t read);
/* What of a file's page cache was seen.  0, -ENOMEM (said). */
int follow_cached(struct paging *paging, const struct event *event);
/* Forget pages [first, last] (MADV_REMOVE). */
void object_punch(struct paging *paging, uint32_t object, uint64_t first,
		  uint64_t last);
/* Free shared memory that no space maps any more. */
void object_sweep(struct paging *paging);
void object_fini(struct object *object);

/* region.c */
#define REGION_ANON	0
#define REGION_UNMAPPED 1
int region_first(struct paging *paging); /* those two */
int region_of(struct paging *paging, const struct event *event,
	      uint32_t *region);
int region_named(struct paging *paging, const char *name, uint32_t *region);

/* fault.c */
struct fault {
	struct paging *paging;
	struct address_space *space;
	struct vma *vma;
	uint64_t address; /* of the page */
	bool write, fetch;
	bool grown; /* the stack was, for this */
};
/* A frame of its own for the page: the class given, or -ENOMEM (said). */
int fault_own(const struct fault *fault, enum fault_class class);

/* fault-file.c: not present, in a file's or shared memory's mapping: the class,
 * or -ENOMEM (said). */
int fault_object(const struct fault *fault);

enum fault_cause {
	CAUSE_ACCESS,
	CAUSE_POPULATE
};
/* As paging_fault. */
int fault_page(struct paging *paging, struct address_space *space,
	       uint64_t address, enum site_kind kind, enum fault_cause cause);
/* Populate [start, end) as mlock does; write: MADV_POPULATE_WRITE. */
int fault_range(struct paging *paging, struct address_space *space,
		uint64_t start, uint64_t end, bool lock, bool write);
/* The page is mapped as told and its state kept. */
int page_map(struct paging *paging, struct address_space *space,
	     uint64_t address, const struct mapping *mapping,
	     enum page_state state);
/* There is a PTE table for the address, with pages or without. */
int page_table_add(struct paging *paging, struct address_space *space,
		   uint64_t address);
/* The VMA's pages get a family when the first anonymous one comes. */
void vma_prepare(struct paging *paging, struct address_space *space,
		 struct vma *vma);

/* compact.c */
/* A frame for a large page of that mapping, as owner_take; memory may be
 * compacted for it.  0 or -ENOMEM. */
int compact_take(struct paging *paging, const struct vma *vma,
		 enum compact_for who, unsigned shift, uint64_t address,
		 uint64_t *frame);
/* There was none.  1: there may be one now; 0: no; -ENOMEM (said). */
int compact_for(struct paging *paging, const struct vma *vma,
		enum compact_for who, unsigned shift);
/* Would it wait for room (direct reclaim, direct compaction)? */
bool compact_waits(const struct paging *paging, const struct vma *vma,
		   enum compact_for who);
void compact_fini(struct paging *paging);
int compact_finish(const struct paging *paging, struct result *result);

/* huge.c */
int huge_open(struct paging *paging);
/* Bits of the orders that faults may bring in there. */
uint32_t huge_allowed(const struct paging *paging, const struct vma *vma);
/* Has the memory that pays for it room for a page of that size, or makes it? */
bool huge_has_room(struct paging *paging, const struct address_space *space,
		   const struct vma *vma, enum compact_for who, unsigned shift);
/* One came. */
void huge_came(struct paging *paging, const struct address_space *space,
	       uint64_t address, unsigned shift, uint64_t frame);
/* A run of 4K pages that comes in as one (mTHP) for this absent, anonymous page:
 * the class; FAULT_CLASSES: it comes alone; -ENOMEM (said). */
int huge_fault(struct paging *paging, struct address_space *space,
	       struct vma *vma, uint64_t address);

/* fault-log.c */
struct predicted_fault {
	uint64_t address;
	uint32_t space, region;
	enum fault_class class;
	bool write, fetch, major;
};
/* Does nothing where there is nothing to list or compare; 0, -ENOMEM (said). */
int fault_log_open(struct paging *paging);
void fault_log_close(struct fault_log *log);
int fault_log_predicted(struct paging *paging,
			const struct predicted_fault *fault);
int fault_log_recorded(struct paging *paging, uint32_t space,
		       const struct event *event);
int fault_log_finish(const struct paging *paging, struct result *result);
const char *paging_class_name(unsigned class);

/* sharing.c */
/* Look at who shares what, if more is mapped than before.  0, -ENOMEM (said). */
int sharing_look(struct paging *paging);
void sharing_close(struct sharing *sharing);
/* The space's proportional share of anonymous memory now, as Pss_Anon of
 * smaps_rollup.  0, -ENOMEM (said). */
int sharing_pss_anon(struct paging *paging, const struct address_space *space,
		     uint64_t *bytes);
int sharing_finish(const struct paging *paging, struct result *result);

/* libraries.c: a page that a process maps */
struct shared_page {
	const struct vma *vma; /* or NULL */
	uint64_t address, bytes;
	uint64_t times; /* it is mapped in all */
	uint32_t space;
	bool first, own; /* no process had it before; it is anonymous */
};
struct libraries;
/* 0 or -ENOMEM (unsaid); *out is to be closed in any case. */
int libraries_open(struct libraries **out, const struct paging *paging);
void libraries_close(struct libraries *libraries);
void libraries_add(struct libraries *libraries, const struct paging *paging,
		   const struct shared_page *page);
int libraries_finish(const struct libraries *libraries,
		     const struct paging *paging, struct result *result);

/* large.c */
enum large_kind {
	LARGE_WHAT_IF, /* pages.policy 2m, 1g; pages.granule 16k, 64k */
	LARGE_THP,
	LARGE_HUGETLB,
};

struct large_page {
	uint64_t start;
	uint8_t shift;
	uint8_t state; /* enum page_state */
	uint8_t kind;
	bool shared; /* first touched in a shared mapping: fork leaves it */
};

bool large_find(const struct address_space *space, uint64_t address,
		struct large_page *page);
/*
 * Bring one in if policy and mapping allow it: the class (FAULT_CLASSES: no,
 * take a small one), -ENOMEM (said).
 */
int large_fault(struct paging *paging, struct address_space *space,
		struct vma *vma, uint64_t address, bool write);
/* One comes in at [start, start + 2M) for the 4K pages there, if any: 1, or 0
 * if memory is too fragmented, or -ENOMEM (said). */
int large_collapse(struct paging *paging, struct address_space *space,
		   struct vma *vma, uint64_t start, enum compact_for who);
/* The 4K pages of [start, start + 2M), which lie in the run at the frame and are
 * nobody else's, are one from here on.  0, -ENOMEM (said). */
int large_promote(struct paging *paging, struct address_space *space,
		  struct vma *vma, uint64_t start, uint64_t frame);
/* A write to one that is not writable: the class; FAULT_CLASSES: it was split
 * and the 4K page is to be handled. */
int large_write(struct paging *paging, struct address_space *space,
		struct vma *vma, const struct large_page *page);
/* Split the THP at this address, if there is one. */
int large_split(struct paging *paging, struct address_space *space,
		uint64_t address);
/* Split those THPs of [start, end) that nobody shares. */
int large_split_alone(struct paging *paging, struct address_space *space,
		      uint64_t start, uint64_t end);
/* Split the THPs that [start, end) covers in part. */
int large_split_edges(struct paging *paging, struct address_space *space,
		      uint64_t start, uint64_t end);
/* Split those in which a mapping begins or ends since [start, end) changed. */
int large_split_between(struct paging *paging, struct address_space *space,
			uint64_t start, uint64_t end);
/* Drop those in [start, end); unmapped: and those without a mapping left. */
int large_zap(struct paging *paging, struct address_space *space,
	      uint64_t start, uint64_t end, bool unmapped);
/* The THPs in [start, end) become writable or not. */
int large_protect(struct paging *paging, struct address_space *space,
		  uint64_t start, uint64_t end, bool writable);
int large_fork(struct paging *paging, struct address_space *parent,
	       struct address_space *child, const struct vma *vma);
/* mremap of [start, end) by delta bytes. */
int large_move(struct paging *paging, struct address_space *space,
	       uint64_t start, uint64_t end, uint64_t delta);

/* hugetlb.c */
int hugetlb_open(struct paging *paging);
void hugetlb_fini(struct paging *paging);
/* log2 of its pages. */
unsigned hugetlb_shift(const struct vma *vma);
/* Reserve; the mapping is one of small pages from here on where the pool can't. */
void hugetlb_map(struct paging *paging, struct vma *vma);
/* The range goes, its pages are still there. */
void hugetlb_unmap(struct paging *paging, struct address_space *space,
		   struct range range);
/* copy: what is reserved is for the page that is there.  0 or -ENOMEM (unsaid). */
int hugetlb_take(struct paging *paging, const struct vma *vma,
		 const struct large_page *page, bool copy, uint64_t *frame);
/* A table that the parent has got by now its child gets, too (mm/hugetlb.c,
 * copy_hugetlb_page_range).  0, -ENOMEM (said). */
int hugetlb_fork(struct paging *paging, struct address_space *child,
		 const struct vma *vma);
/* Nobody maps it any more. */
void hugetlb_unreserve(struct paging *paging, struct object *object);
void hugetlb_give(struct paging *paging, unsigned shift, uint64_t frame);
int hugetlb_finish(const struct paging *paging, struct result *result);

/* zap.c */
/* Drop the pages, keep the mapping; frees PTE tables wholly inside. */
int zap_pages(struct paging *paging, struct address_space *space,
	      uint64_t start, uint64_t end);
/* After the mapping is gone: pages, then tables that nobody else needs. */
int zap_mapping(struct paging *paging, struct address_space *space,
		uint64_t start, uint64_t end);
/* Free tables in the gap around [start, end). */
void zap_tables(struct paging *paging, struct address_space *space,
		uint64_t start, uint64_t end);
/* All of a space: exit, exec. */
int zap_space(struct paging *paging, struct address_space *space);

/* follow.c, advise.c */
int follow_advice(struct paging *paging, struct address_space *space,
		  const struct event *event);
int follow_lock(struct paging *paging, struct address_space *space,
		const struct event *event);
int follow_mapping(struct paging *paging, struct address_space *space,
		   const struct event *event);

/* coverage.c: all 0 or -ENOMEM (said) */
/* The page at the address was touched. */
int coverage_touch(struct paging *paging, struct address_space *space,
		   uint64_t address);
/* Pages of [start, end) came in with a larger one. */
int coverage_bring(struct paging *paging, struct address_space *space,
		   uint64_t start, uint64_t end);
int coverage_drop(struct paging *paging, struct address_space *space,
		  struct range range);
int coverage_move(struct paging *paging, struct address_space *space,
		  struct range range, uint64_t delta);

/* How much is untouched now. */
void coverage_note(struct paging *paging);
/* Pages touched before count as touched again. */
void coverage_again(struct paging *paging);

/* promote.c */
/* May the 2M with this address be one page? */
bool promote_may(const struct vma *vma, uint64_t address);
/* As struct huge_policy says; for every 4K page of anonymous memory. */
int promote_frame(struct paging *paging, struct address_space *space,
		  const struct vma *vma, uint64_t address, uint64_t *frame);
int promote_came(struct paging *paging, struct address_space *space,
		 struct vma *vma, uint64_t address);
int promote_tick(struct paging *paging, uint64_t time_ns);
/* What came last may have made regions ripe. */
int promote_settle(struct paging *paging);
/* Anonymous pages in the 2M. */
unsigned promote_present(const struct address_space *space, uint64_t start);

/* huge-reservation.c */
/* The oldest gives back what it has; false: there is none. */
bool reservation_break(struct paging *paging);
int reservation_drop(struct paging *paging, struct address_space *space,
		     struct range range);

/* khugepaged.c */
/* The 4K pages of a region become one, whatever the limits: 1; 0: it can't;
 * -ENOMEM (said). */
int khugepaged_collapse(struct paging *paging, struct address_space *space,
			uint64_t start);
/* MADV_COLLAPSE of [start, end). */
int khugepaged_advise(struct paging *paging, struct address_space *space,
		      uint64_t start, uint64_t end);
/* Its rounds up to this time. */
int khugepaged_run(struct paging *paging, uint64_t time_ns);

/* space-memory.c */
/* Is the anonymous 4K page at the address nobody else's? */
bool page_alone(const struct paging *paging, const struct address_space *space,
		uint64_t address);

/* huge-result.c */
int huge_line_open(struct paging *paging);
/* A large page came or went. */
void huge_count(struct paging *paging, const struct large_page *page,
		bool more);
/* One of these happened now. */
void huge_note(struct paging *paging, enum huge_line what);
void huge_look(const struct paging *paging, struct huge_state *state);
int huge_finish(const struct paging *paging, uint64_t accesses,
		struct result *result);

/* swap.c */
/*
 * The anonymous 4K page at the address leaves memory, for all who share it: 1;
 * 0: it is no such page, or somebody maps it within a large page or elsewhere;
 * -ENOMEM (said).
 */
int swap_out(struct paging *paging, struct address_space *space,
	     uint64_t address);
/* The same by MADV_PAGEOUT: where writing takes time the page has a slot and stays
 * in memory until there is need of its frame. */
int swap_page_out(struct paging *paging, struct address_space *space,
		  uint64_t address);
/* A new slot, of one entry.  0, -ENOMEM (said). */
int swap_take(struct paging *paging, uint64_t *slot);
void swap_free(struct paging *paging, uint64_t slot);
/* One that stands for a file's place: not of the swap device. */
int swap_file_slot(struct paging *paging, uint64_t *slot);
bool swap_in_use(const struct paging *paging, uint64_t slot);
/* How many entries of tables lead there. */
uint64_t swap_entries(const struct paging *paging, uint64_t slot);
/* Is the page at the address in swap? */
bool swap_has(const struct address_space *space, uint64_t address);
/* ... and in which slot? */
bool swap_slot(const struct address_space *space, uint64_t address,
	       uint64_t *slot);
/* do_swap_page, for one that is: the class, -ENOMEM (said). */
int swap_fault(const struct fault *fault);
/* How many of the range are there; -ENOMEM (said). */
int64_t swap_count(const struct paging *paging,
		   const struct address_space *space, struct range range);
/* Those of the range are gone, without coming back. */
int swap_drop(struct paging *paging, struct address_space *space,
	      struct range range);
int swap_fork(struct paging *paging, struct address_space *parent,
	      struct address_space *child, const struct vma *vma);
/* Their tables are there already. */
int swap_move(struct paging *paging, struct address_space *space,
	      struct range range, uint64_t delta);

/* swap-result.c */
void swap_open(struct paging *paging);
void swap_fini(struct swap *swap);
int swap_finish(const struct paging *paging, struct result *result);

/* swap-cache.c */
/* The frame of what is in memory, too; slot may be NULL. */
bool swap_cached(const struct paging *paging, uint64_t slot, uint64_t *frame);
bool swap_cached_slot(const struct paging *paging, uint64_t frame,
		      uint64_t *slot);
/* A frame that is in the slot, too, and is the cache's from here on.  0, -ENOMEM
 * (said). */
int swap_cache(struct paging *paging, uint64_t slot, uint64_t frame);
/* It is in memory alone, or in swap alone; the cache's ownership of the frame is
 * the caller's. */
void swap_uncache(struct paging *paging, uint64_t slot, uint64_t frame);
/* An owner of the frame, or an entry, has gone: nobody may want it any more. */
void swap_settle(struct paging *paging, uint64_t frame);
/* Who maps it would have it alone: nobody but the cache is in the way, and goes. */
bool swap_take_over(struct paging *paging, uint64_t frame);
/* Nobody maps it, and it leaves memory. */
bool swap_leave_cache(struct paging *paging, uint64_t frame);
/* Read into the cache; with what is to be read ahead.  0, -ENOMEM (said). */
int swap_read(struct paging *paging, uint64_t slot, uint64_t address,
	      uint64_t *frame);
int swap_read_cluster(struct paging *paging, uint64_t slot);
int swap_read_fault(const struct fault *fault, uint64_t slot, uint64_t *frame);
/* It was found in the cache; vma NULL: not by an entry. */
void swap_hit(struct paging *paging, struct vma *vma, uint64_t address,
	      uint64_t slot);
/* MADV_WILLNEED.  0, -ENOMEM (said). */
int swap_want(struct paging *paging, const struct address_space *space,
	      struct range range);

/* evict.c */
/* MADV_PAGEOUT of what a mapping of a file or shared memory has at the address, if
 * nobody else maps it: 1 to swap, 2 out of the page cache; 0: not, though what was
 * written to a file is unmapped, and shared memory that nobody wrote to is gone;
 * -ENOMEM (said). */
int evict_mapped(struct paging *paging, const struct address_space *space,
		 uint64_t address);

/* fork.c */
int follow_fork(struct paging *paging, struct address_space *parent,
		uint32_t child_number);

/* resident.c */
int follow_resident(struct paging *paging, struct address_space *space,
		    const struct event *event);

/* ksm.c */
/* A setting of the host's, as "ksm.run". */
void ksm_counter(struct paging *paging, const char *name, uint64_t value);
/* EVENT_CONTENT; scanning up to this time.  0, -ENOMEM (said). */
int ksm_content(struct paging *paging, struct address_space *space,
		const struct event *event);
int ksm_run(struct paging *paging, uint64_t time_ns);
/* When it wakes next; UINT64_MAX: never. */
uint64_t ksm_next(const struct paging *paging);
/* The same, whatever is still to come. */
int ksm_catch_up(struct paging *paging, uint64_t time_ns);
/* MADV_UNMERGEABLE: each page its own again, which getrusage counts. */
int ksm_unmerge(struct paging *paging, struct address_space *space,
		uint64_t start, uint64_t end);
/* Of a space now, in merged frames */
uint64_t ksm_bytes(struct paging *paging, const struct address_space *space);
/* Is what the space maps there, to this frame, merged? */
bool ksm_maps(const struct paging *paging, const struct address_space *space,
	      uint64_t address, uint64_t frame);
int ksm_finish(const struct paging *paging, uint64_t accesses,
	       struct result *result);
void ksm_close(struct ksm *ksm);

/* measured.c */
int measured_event(struct paging *paging, struct address_space *space,
		   const struct event *event);
/* The space changed: what was gathered of it holds no more. */
void measured_forget(struct paging *paging);
int measured_finish(const struct paging *paging, struct result *result);
void measured_close(struct measured *measured);

/* measured-host.c: a COUNTER_SYSTEM at one of the ends */
int host_counters_event(struct paging *paging, const char *name,
			const struct event *event);
int host_counters_finish(const struct paging *paging, struct result *result);
void host_counters_close(struct host_counters *counters);

static inline uint64_t
page_down(uint64_t address)
{
	return address & ~(PAGE_BYTES - 1);
}

/* Up to a page; what is beyond the last page is the last page's end. */
static inline uint64_t
page_up(uint64_t address)
{
	return address > UINT64_MAX - PAGE_BYTES
		       ? page_down(UINT64_MAX)
		       : page_down(address + PAGE_BYTES - 1);
}

/* Whole pages round [address, address + length). */
static inline struct range
range_of(uint64_t address, uint64_t length)
{
	struct range range = { page_down(address), 0 };

	range.end = length > UINT64_MAX - address ? page_down(UINT64_MAX)
						  : page_up(address + length);
	return range;
}

#endif
