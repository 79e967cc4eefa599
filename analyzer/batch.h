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
	 * may still name the region ("[heap]").  Replaces what was there. */
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
	/* A page fault that the kernel really took: address, value: ip,
	 * time_ns, flags: enum fault_flag */
	EVENT_FAULT,
	EVENT_LOST, /* value: how many accesses or faults are missing here */
	EVENT_MARK, /* a phase boundary; file names it */
	/* A performance event was counted here: address (0: none), value: ip,
	 * extra: how many it stands for; file names it */
	EVENT_SAMPLE,
	EVENT_TYPES,
};

enum fault_flag {
	FAULT_FLAG_MAJOR = 1,
	FAULT_FLAG_WRITE = 2,
	FAULT_FLAG_EXEC = 4,
	FAULT_FLAG_KNOWN = 8, /* the write and exec flags are known */
};

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

	uint64_t *address; /* [BATCH_ACCESSES], owned by the batch */
	uint32_t *site;	   /* [BATCH_ACCESSES] site references */
	uint32_t *step;	   /* [BATCH_ACCESSES] numbers in the stream */
	uint64_t *root;	   /* [BATCH_ACCESSES]; root[-1] is readable too */
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

#endif
