/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one thing that flows through pagescope (DESIGN.md): some thousands of
 * accesses of one thread, in program order, and the rare events among them.
 *
 *	address[0..n)  site[0..n)          the columns: always valid for models
 *	step[0..n_steps) root[0..n_roots)  the packed form, if `packed`
 *	event[0..n_events)                 each with a position among the accesses
 *
 * Batches come in a total order; `time_ns` never decreases within a thread.
 * Receivers keep no pointers into a batch.
 */
#ifndef ANALYZER_BATCH_H
#define ANALYZER_BATCH_H

#include "analyzer/base.h"
#include "analyzer/stream.h"

#define BATCH_ACCESSES 8192 /* capacity of the columns, and of step and root */
#define BATCH_EVENTS   1024
#define BATCH_BEFORE   8 /* readable roots before the first, for decoders */
#define BATCH_SPARE    4 /* room behind the columns that expansion may use */
#define BATCH_BEHIND   8 /* readable steps after the last, for looking ahead */

/* Where a mapping's pages come from, how and with what rights: event.flags */
enum map_flag {
	MAP_FLAG_READ = 1,
	MAP_FLAG_WRITE = 2,
	MAP_FLAG_EXEC = 4,
	MAP_FLAG_SHARED = 8,	 /* else private */
	MAP_FLAG_FILE = 16,	 /* backed by event.file; else anonymous */
	MAP_FLAG_STACK = 32,	 /* the main stack: grows down on demand */
	MAP_FLAG_HEAP = 64,	 /* brk */
	MAP_FLAG_POPULATE = 128, /* MAP_POPULATE or MAP_LOCKED */
	MAP_FLAG_HUGETLB = 256,
	MAP_FLAG_INITIAL = 512, /* was there when recording began */
	MAP_FLAG_NORESERVE = 1024,
	MAP_FLAG_RECORDER = 2048, /* the tracer's own: not the program's */
};

enum event_type {
	/* address, length, flags; file and offset if MAP_FLAG_FILE, else file
	 * may still name the region ("[heap]"); extra, if MAP_FLAG_HUGETLB:
	 * log2 bytes of its pages (0: 2M).  Replaces what was there. */
	EVENT_MAP,
	EVENT_UNMAP,   /* address, length */
	EVENT_PROTECT, /* address, length, flags: the MAP_FLAG_ rights only */
	EVENT_REMAP, /* address, length -> value (new address), extra (new length) */
	EVENT_ADVISE, /* address, length, value: MADV_* number */
	EVENT_LOCK,   /* address, length; flags 1: unlock */
	EVENT_FORK,   /* value: the new space, a copy of batch.space now */
	EVENT_EXEC,   /* value: the new space, empty; file: the program */
	EVENT_THREAD, /* value: the thread number that was created */
	EVENT_EXIT, /* of the thread; value: wait status, flags 1: of the process */
	EVENT_SWITCH, /* to core `value` */
	EVENT_SIGNAL, /* value: signal number delivered; address: handler or 0 */
	EVENT_SYSCALL, /* value: number (optional, for context) */
	/* The kernel's own access to user memory in a system call. */
	EVENT_KERNEL_READ,  /* address, length */
	EVENT_KERNEL_WRITE, /* address, length */
	/* A page fault that the kernel really took: address, value: ip (0: of the engine),
	 * time_ns, flags: enum fault_flag */
	EVENT_FAULT,
	EVENT_LOST, /* value: how many accesses or faults are missing here */
	EVENT_MARK, /* a phase boundary; file names it */
	/* A performance event was counted here: address (0: none), value: ip,
	 * extra: how many it stands for; file names it.  Of a memory access:
	 * flags: SAMPLE_*, length: cycles of latency, and above bit 32 those of
	 * its translation; offset: physical address (0: unknown) */
	EVENT_SAMPLE,
	/* These pages are resident so, from what was seen here on: address,
	 * length; value: physical address of the first (0: hidden or none),
	 * extra: log2 bytes of each page, flags: enum resident_flag */
	EVENT_RESIDENT,
	/* One look at a space is over (its changes stand before it): length:
	 * resident bytes, offset: in large pages, value: in swap, extra:
	 * referenced since the look before (an estimate), flags: enum look_flag,
	 * time_ns */
	EVENT_LOOK,
	/* From here on these pages of a file are in the page cache so: file,
	 * offset and length (bytes in it); value: log2 bytes of the folio that
	 * each is in (12: alone), 0: not in the page cache; flags: enum
	 * cached_flag; extra: bytes that its device is read ahead */
	EVENT_CACHED,
	/* What the kernel itself counts: file names the counter, value, extra:
	 * of it, what is the recorder's and not the program's; flags: enum
	 * counter_flag, time_ns.  Of the host, those not told are 0. */
	EVENT_COUNTER,
	/* These pages were seen with this content: address, length; value: hash
	 * of each page's bytes (XXH3-64), time_ns */
	EVENT_CONTENT,
	EVENT_TYPES,
};

enum resident_flag {
	RESIDENT_FILE = 1,    /* of a file or shared memory */
	RESIDENT_ZERO = 2,    /* the zero page */
	RESIDENT_SWAPPED = 4, /* not resident: in swap */
	RESIDENT_SHARED = 8,  /* mapped more than once */
	RESIDENT_DIRTY = 16,  /* file pages: to be written back */
	RESIDENT_KSM = 32,
	RESIDENT_LARGE = 64,  /* one entry of the page table maps each */
	RESIDENT_FOLIO = 128, /* larger than 4K, mapped by 4K entries */
	RESIDENT_GONE = 256,  /* no longer resident */
	RESIDENT_INITIAL =
		512, /* was there when recording of the space began */
};

enum cached_flag {
	CACHED_MARK = 1,   /* read-ahead goes on when this folio is touched */
	CACHED_MEMORY = 2, /* the page cache is all there is: tmpfs */
	CACHED_FOLIOS = 4, /* its file system reads into large folios */
	CACHED_AHEAD = 8,  /* extra is known */
};

enum look_flag {
	LOOK_LARGE = 1,	     /* large pages are known */
	LOOK_FRAMES = 2,     /* physical addresses are shown */
	LOOK_FOLIOS = 4,     /* RESIDENT_FOLIO is known */
	LOOK_REFERENCED = 8, /* event.extra is known */
};

enum counter_flag { /* neither: at an interval */
	COUNTER_START = 1,
	COUNTER_END = 2,
	COUNTER_SYSTEM = 4, /* of the whole host or group, not of the process */
	/* The recorder has its part in it, and how much is not known */
	COUNTER_DISTURBED = 8,
	/* Without faults on code, which the recorder took when it read it */
	COUNTER_CODELESS = 16,
};

enum fault_flag {
	FAULT_FLAG_MAJOR = 1,
	FAULT_FLAG_WRITE = 2,
	FAULT_FLAG_EXEC = 4,
	FAULT_FLAG_KNOWN = 8, /* the write and exec flags are known */
};

/*
 * flags of EVENT_SAMPLE, all 0 where unknown:
 *
 *	15   10   9    8  5   4 2   1 0
 *	[shift] [lock] [level] [tlb] [op]	shift: log2 of the page's bytes
 */
enum sample_op {
	SAMPLE_OP_LOAD = 1,
	SAMPLE_OP_STORE = 2,
	SAMPLE_OP_OTHER = 3, /* a prefetch, a fetch */
};
enum sample_tlb {
	SAMPLE_TLB_FIRST = 1,  /* hit the first level */
	SAMPLE_TLB_SECOND = 2, /* hit the second level */
	SAMPLE_TLB_HIT = 3,    /* hit one of them */
	SAMPLE_TLB_WALK = 4,   /* missed all */
	SAMPLE_TLB_FAULT = 5,  /* the kernel handled it */
	SAMPLE_TLB_MISS = 6,   /* missed the first level, hit or not the next */
	SAMPLE_TLBS,
};
enum sample_level { /* where the data came from */
	SAMPLE_LEVEL_L1 = 1,
	SAMPLE_LEVEL_FILL, /* a line already on its way */
	SAMPLE_LEVEL_L2,
	SAMPLE_LEVEL_L3,
	SAMPLE_LEVEL_L4,
	SAMPLE_LEVEL_CACHE, /* some cache */
	SAMPLE_LEVEL_REMOTE_CACHE,
	SAMPLE_LEVEL_RAM,
	SAMPLE_LEVEL_REMOTE_RAM,
	SAMPLE_LEVEL_PMEM,
	SAMPLE_LEVEL_CXL,
	SAMPLE_LEVEL_IO,
	SAMPLE_LEVEL_UNCACHED,
	SAMPLE_LEVELS,
};
#define SAMPLE_FLAGS(op, tlb, level) \
	((uint16_t)((op) | (tlb) << 2 | (level) << 5))
#define SAMPLE_OP(flags)    ((flags)&3u)
#define SAMPLE_TLB(flags)   ((flags) >> 2 & 7u)
#define SAMPLE_LEVEL(flags) ((flags) >> 5 & 15u)
#define SAMPLE_LOCKED	    0x200u
#define SAMPLE_SHIFT(flags) ((flags) >> 10 & 63u)

struct event {
	uint32_t
		position; /* it stands before access `position`; n at the end */
	uint8_t type;	  /* enum event_type */
	uint8_t pad;
	uint16_t flags;
	uint32_t file;	 /* number in the stream, or UINT32_MAX */
	uint32_t thread; /* who, for FAULT; else batch.thread */
	uint64_t address, length, offset, value, extra;
	uint64_t time_ns; /* of the event, 0: unknown */
};

struct batch {
	uint32_t thread; /* number in the stream */
	uint32_t space;
	uint64_t time_ns; /* CLOCK_MONOTONIC at its end; importers count up */

	uint32_t n; /* accesses */
	uint32_t n_events;
	uint32_t n_steps, n_roots;
	bool packed;   /* step and root are valid */
	bool columned; /* address and site are valid */

	uint64_t *address; /* [BATCH_ACCESSES + BATCH_SPARE], owned */
	uint32_t *site;	   /* [the same] site references */
	uint32_t *step;	   /* [BATCH_ACCESSES] numbers in the stream, and
			    * BATCH_BEHIND readable after the last */
	uint64_t *root;	   /* [BATCH_ACCESSES], and BATCH_BEFORE before */
	uint64_t *root_memory;
	struct event *event; /* [BATCH_EVENTS], ascending positions */
};

/* Allocate the columns.  0 or -ENOMEM. */
int batch_init(struct batch *batch);
void batch_fini(struct batch *batch);
/* Empty it; thread, space and time stay. */
void batch_reset(struct batch *batch);

/*
 * Make the columns from the packed form, if they are not there.  Sets n
 * (which drops guarded accesses not made).  The source guarantees that they
 * fit and that roots suffice.
 */
void batch_expand(struct batch *batch, const struct stream *stream);

/* Append; the caller has checked the room. */
static inline void
batch_access(struct batch *batch, uint64_t address, uint32_t site)
{
	batch->address[batch->n] = address;
	batch->site[batch->n] = site;
	batch->n++;
}

/* A zeroed event at the end of the batch, to be filled in by the caller, with
 * file UINT32_MAX and thread batch->thread; NULL when there is no room. */
struct event *batch_event(struct batch *batch, enum event_type type);

/* "map", "fault", ...; NULL: no such type */
const char *event_name(unsigned type);

#endif
