/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the Valgrind tool and its consumer share: one memfd with a header, an
 * area for each producer (traced process) and a pool of chunks.
 *
 *	| struct ring | page, buffer | page, buffer | ... | chunk 0 | chunk 1 | ...
 *
 * A producer owns one chunk at a time, fills it, commits it under the next
 * global sequence number and claims another.  The consumer takes chunks in
 * that order and frees them.
 *
 * What the program does is written into the producer's buffer, which stays in
 * its own core's cache, and moved to the chunk now and then: to fetch the lines
 * that the consumer has read from its core at each record's store doubled the
 * time of the whole run.  The chunks in flight fit a core's second-level cache:
 * larger ones, stored past the caches, were 15 % slower.
 * Page and buffer are mapped at one fixed address in the tool; the consumer
 * reads them only to finish the work of a producer that was killed.
 *
 * Records are made of units of 6 bytes, for what is stored must be read again
 * by another core: a superblock's exit is its number (4 bytes), RECORD_ROOTS (2
 * bytes) and the roots, 6 bytes each, modulo 2^48: from -2^32 up, for addresses
 * have 47 bits and displacements are kept below 2^31.
 * If bit 31 of the number is set it is an event: type in bits 0..7, in bits
 * 8..30 the number of 64-bit words that follow, from the next multiple of 8
 * bytes in the chunk on.
 */
#ifndef TRACERS_VALGRIND_RING_H
#define TRACERS_VALGRIND_RING_H

#include <stdint.h>

#define RING_MAGIC	 UINT64_C(0x3130676e69726770) /* "pgring01" */
#define RING_CHUNKS	 1024u
#define RING_CHUNK_BYTES (1u << 18)
#define RING_PRODUCERS	 1024u
#define RING_IN_FLIGHT	 8u /* committed and not yet freed: then wait */
#define RING_WAKE	 4u /* so many committed wake the consumer */
#define RING_FORKS	 256u
#define RING_PAGE	 4096u
#define RING_AREA	 65536u /* page and buffer of a producer */
#define RING_LINE	 64u	/* buffer to chunk by so many bytes */

/* ring_chunk.state: 0 free, a pid: owned by it, with FULL: committed by it */
#define RING_FULL 0x80000000u

#define RING_DATA  1u /* ring.kinds, as TRACER_DATA and TRACER_FETCH */
#define RING_FETCH 2u

struct ring_chunk {
	uint32_t state;
	uint32_t used; /* bytes, when committed */
	uint64_t sequence;
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
};

/*
 * A producer that runs none of its program's code (it may sleep in a system
 * call for hours) is quiet.  The consumer, which would have what there is, takes
 * it by compare-and-swap, commits in its place and leaves it without a chunk.
 */
enum ring_quiet {
	RING_BUSY,
	RING_QUIET,
	RING_TAKEN
};

/*
 * At the start of a producer's page.  Addresses are the producer's own.  The
 * chunk holds `moved` bytes, a multiple of RING_LINE, and the buffer what comes
 * behind them.  While the buffer's lines are moved, `moving` is what `moved`
 * will be: the two differ from when the lines are in the chunk until the rest
 * is at the start of the buffer.
 */
struct ring_producer {
	uint64_t cursor; /* where the next record goes, in the buffer */
	uint64_t base;	 /* of the buffer */
	uint32_t hurry;	 /* consumer: commit, there is nothing else to do */
	uint32_t quiet;	 /* enum ring_quiet: the consumer may commit for it */
	uint32_t chunk;	 /* its number + 1, 0: none */
	uint32_t pid;
	uint32_t moved, moving;
};

struct ring {
	uint64_t magic;
	uint32_t bytes; /* sizeof(struct ring): the two sides agree */
	uint32_t kinds;
	uint32_t no_follow;
	uint32_t stop;		      /* record no more */
	uint32_t consumer;	      /* pid */
	uint32_t committed, released; /* futexes: bumped at each */
	uint32_t consumer_waits, producers_wait;
	uint32_t next_exit; /* exits are numbered over all processes */
	uint64_t next_sequence;
	uint64_t taken;	     /* freed so far */
	uint32_t unrecorded; /* forks and execs that found no free area */
	uint32_t next_fork;
	uint32_t fork_done[RING_FORKS];	   /* ordinal % RING_FORKS -> ordinal */
	uint32_t producer[RING_PRODUCERS]; /* pid or 0 */
	struct ring_chunk chunk[RING_CHUNKS];
};

#define RING_PRODUCERS_OFFSET \
	((sizeof(struct ring) + RING_PAGE - 1) & ~(uint64_t)(RING_PAGE - 1))
#define RING_CHUNKS_OFFSET \
	(RING_PRODUCERS_OFFSET + (uint64_t)RING_PRODUCERS * RING_AREA)
#define RING_BYTES \
	(RING_CHUNKS_OFFSET + RING_CHUNKS * (uint64_t)RING_CHUNK_BYTES)

/* What a producer's chunk lacks: bytes [from, to) of its buffer, which go
 * behind the first `kept` bytes of the chunk. */
struct ring_rest {
	uint32_t kept, from, to;
};

static inline struct ring_rest
ring_rest(const struct ring_producer *p)
{
	uint32_t lines = p->moving - p->moved;
	uint32_t to = (uint32_t)(p->cursor - p->base);

	/* Less than a line: the rest is at the start already. */
	return (struct ring_rest){ p->moving, to < lines ? 0 : lines, to };
}

#define RECORD_UNIT	    6u
#define RECORD_LOWEST	    (UINT64_C(1) << 32) /* below 0 */
#define RECORD_EVENT	    UINT32_C(0x80000000)
#define RECORD_TYPE(head)   ((unsigned)(head)&0xff)
#define RECORD_WORDS(head)  ((uint32_t)(head) >> 8 & 0x7fffff)
#define RECORD(type, words) (RECORD_EVENT | (uint32_t)(words) << 8 | (type))
/* Behind an exit's number: the record's bytes if it has at most RECORD_USUAL
 * roots, else 0; in the second byte how many roots, 255: or more. */
#define RECORD_USUAL 4u
#define RECORD_ROOTS(n)                                         \
	(((n) <= RECORD_USUAL ? (1 + (n)) * RECORD_UNIT : 0u) | \
	 ((n) < 255u ? (n) : 255u) << 8)

enum record_type {
	/* number of the part's start, then items (below) */
	RECORD_CODE = 1,
	/* pid, parent's pid, tid, fork ordinal (1 up) or 0: a fresh program,
	 * its path */
	RECORD_START,
	RECORD_THREAD,	   /* tid: runs from here on */
	RECORD_THREAD_NEW, /* tid */
	RECORD_THREAD_END, /* tid, exit code */
	RECORD_FORK,	   /* pid of the child */
	/* how (enum record_exec), path of the program */
	RECORD_EXEC,
	RECORD_EXIT, /* exit code, 1: by a system call; 0: by a signal */
	/* address, length, enum ring_map, offset, device, inode, name */
	RECORD_MAP,
	RECORD_UNMAP,	     /* address, length */
	RECORD_PROTECT,	     /* address, length, enum ring_map */
	RECORD_REMAP,	     /* address, length, new address, new length */
	RECORD_ADVISE,	     /* address, length, advice */
	RECORD_LOCK,	     /* address, length, 1: unlock */
	RECORD_KERNEL_READ,  /* address, length */
	RECORD_KERNEL_WRITE, /* address, length */
	RECORD_SIGNAL,	     /* number, handler */
	/* pc, bytes: a superblock ended at pc, inside.  The bytes are what
	 * stands from the cursor on: see valgrind-code.c. */
	RECORD_FAULT,
	RECORD_LOST, /* accesses */
};

/* As enum map_flag, which the tool can't include; valgrind-events.c checks */
enum ring_map {
	RING_MAP_READ = 1,
	RING_MAP_WRITE = 2,
	RING_MAP_EXEC = 4,
	RING_MAP_SHARED = 8,
	RING_MAP_FILE = 16,
	RING_MAP_STACK = 32,
	RING_MAP_HEAP = 64,
	RING_MAP_POPULATE = 128,
	RING_MAP_HUGETLB = 256,
	RING_MAP_INITIAL = 512,
	RING_MAP_NORESERVE = 1024,
	RING_MAP_RECORDER = 2048
};

enum record_exec {
	EXEC_TRACED,
	EXEC_PRIVILEGED, /* set-user-ID: runs on natively, unrecorded */
	EXEC_FOREIGN,	 /* not an x86-64 program: same */
	EXEC_FAILED,	 /* the one before did not happen */
};

/*
 * Items of RECORD_CODE, in program order.
 *	instruction: 1 | length << 8 | pc << 16
 *	access:      2 | kind << 4 | guarded << 6 | size << 8 | slot << 32,
 *		     then a word of displacement
 *	exit:        3 | ITEM_EXIT_AGAIN if it leads to its own instruction
 *		     (a locked one that is tried again) | ITEM_EXIT_INSIDE if
 *		     nothing is stored there: the next block of code follows,
 *		     or a guarded one that may not be run | slots so far << 32
 */
enum code_item {
	ITEM_INSTRUCTION = 1,
	ITEM_ACCESS,
	ITEM_EXIT
};

#define ITEM_TYPE(word)	      ((unsigned)((word)&15))
#define ITEM_LENGTH(word)     ((unsigned)((word) >> 8 & 0xff))
#define ITEM_PC(word)	      ((uint64_t)((int64_t)(word) >> 16))
#define ITEM_KIND(word)	      ((unsigned)((word) >> 4 & 3))
#define ITEM_GUARDED(word)    ((unsigned)((word) >> 6 & 1))
#define ITEM_SIZE(word)	      ((unsigned)((word) >> 8 & 0xffff))
#define ITEM_SLOT(word)	      ((unsigned)((word) >> 32))
#define ITEM_EXIT_AGAIN	      16u
#define ITEM_EXIT_INSIDE      32u
#define ITEM_EXIT_SLOTS(word) ((unsigned)((word) >> 32))

#endif
