/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Valgrind tool's own parts.  It is freestanding code inside Valgrind: no
 * libc, Valgrind's types and functions instead.
 *
 *	tool.c        options, start and end
 *	producer.c    buffer to chunk; claim, commit; fork and exec hand-over
 *	chase.c       longer superblocks, with marks of what stands where
 *	instrument.c  the code that goes into each superblock
 *	client.c      what the program sees of all this
 *	observe.c     system calls, mappings, threads, signals as events
 */
#ifndef TRACERS_VALGRIND_TOOL_H
#define TRACERS_VALGRIND_TOOL_H

#include "pub_tool_basics.h"

#include "pub_tool_tooliface.h"
#include "pub_tool_vki.h"

#include "tracers/valgrind/ring.h"

/* A system call of our own: coregrind exports it, its tool headers do not. */
extern SysRes VG_(do_syscall)(UWord number, RegWord, RegWord, RegWord, RegWord,
			      RegWord, RegWord, RegWord, RegWord);
#define SYSTEM(number, a, b, c, d, e, f)                                   \
	VG_(do_syscall)                                                    \
	((number), (RegWord)(a), (RegWord)(b), (RegWord)(c), (RegWord)(d), \
	 (RegWord)(e), (RegWord)(f), 0, 0)

/*
 * The page that generated code works on and the buffer behind it, at a fixed
 * address below 2 GiB: static memory with this producer's area of the ring
 * mapped over it.
 */
union producer_page {
	struct ring_producer at;
	UChar bytes[RING_AREA];
};
extern union producer_page producer;
/*
 * The buffer is full when the cursor is above: half of a first-level cache.
 * Behind that fits the largest event (ITEMS_MAX words of RECORD_CODE), or a
 * record (1 + 1024 units) and the event that saves an interrupted one.
 */
#define PRODUCER_LIMIT ((Addr)&producer + RING_PAGE + (16u << 10))

/* RING_DATA | RING_FETCH; 0: nothing is to be recorded */
extern UInt producer_kinds;
/* This process records no more; what it writes goes nowhere. */
extern Bool producer_dropping;

/* Map the ring of "RING,LOG[,ARGUMENT]" (file descriptors, and what argument
 * 0 of the program is to be) and claim a chunk. */
void producer_open(const HChar *descriptors);
/* Commit what there is.  Ends with an empty chunk. */
void producer_flush(void);
/* For generated code: the cursor is above the limit. */
void producer_full(void);
/* The last commit of this process. */
void producer_close(void);
/* The first of n free numbers for exits; and how many of them were used. */
UInt producer_exits(UInt n);
void producer_exits_used(UInt n);
/* Append an event; not inside of a superblock. */
void producer_event(UInt type, UInt n, const ULong *word);
/* None of the program's code runs, or may run, from here on. */
void producer_quiet(Bool quiet);
/* The superblock running was left at pc, inside. */
void producer_fault(Addr pc, UInt roots);

void producer_fork_before(ThreadId tid);
void producer_fork_child(ThreadId tid);
/* In the parent, once the child's pid is known (or -1: it failed). */
void producer_fork_done(Int pid);

/* Let the descriptors survive an exec of the next Valgrind, or not. */
void producer_pass(Bool pass);

/* Before the first translation */
void chase_open(void);

/* In a superblock, as hints (Ist_AbiHint) of these lengths */
enum chase_mark {
	CHASE_BLOCK = -1,	/* here begins the next block */
	CHASE_GUARDED = -2,	/* it runs if the hint's base is 1, not 0 */
	CHASE_GUARDED_END = -3, /* its exit follows, if that can be taken */
};

IRSB *instrument(VgCallbackClosure *closure, IRSB *in,
		 const VexGuestLayout *layout, const VexGuestExtents *extents,
		 const VexArchInfo *host, IRType guest_word, IRType host_word);
/* Most roots a record has had. */
extern UInt instrument_widest;

/* Before the program's first instruction. */
void client_begin(ThreadId tid);
/* What its first argument was when it was exec'd. */
void client_first_argument(const HChar *text);
/* It execs path (NULL: no longer) with this first argument, or none. */
void client_exec(const HChar *path, const HChar *argument);
/* That argument, or "" */
const HChar *client_argument(void);

/* The program is to see nothing of us. */
extern Bool observe_clean;

void observe_open(void);
void observe_program(UInt fork);
void observe_exit(Int code);

#endif
