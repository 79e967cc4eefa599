/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the runtime in a hooked program and the recorder share: one memfd with
 * a header, a line for each recording thread and a pool of chunks.
 *
 *	| struct channel | chunk 0 | chunk 1 | ...
 *
 * A thread owns one chunk at a time, fills it with records and commits it
 * under the next sequence number.  How far it is filled stands in the thread's
 * line here, not in the program's own memory: whatever ends the program, the
 * recorder can read all that was written.
 *
 * A record is two words:
 *	code << 56 | address	return address of the hook: the site
 * and of a range two more: HOOK_SIZE << 56 | bytes, 0.  Behind the records of
 * a chunk stands the text of /proc/self/maps, when it may have changed.
 *
 * Assembly includes this too.
 */
#ifndef TRACERS_HOOKS_CHANNEL_H
#define TRACERS_HOOKS_CHANNEL_H

/* code: kind << 4 | log2 of the size, as enum site_kind */
#define HOOK_READ	 0x80
#define HOOK_WRITE	 0x90
#define HOOK_MODIFY	 0xa0
#define HOOK_ENTRY	 0xb0 /* of a function or block; no address */
#define HOOK_READ_RANGE	 0x8f
#define HOOK_WRITE_RANGE 0x9f
#define HOOK_SIZE	 0xff

#define CHANNEL_LINE_CURSOR 0 /* offsets in struct channel_line */
#define CHANNEL_LINE_LIMIT  8

#ifndef __ASSEMBLER__

#include <stdint.h>

#define CHANNEL_VARIABLE "PAGESCOPE_HOOKS" /* PID:FD:TOKEN, for /proc */
#define CHANNEL_MAGIC	 UINT64_C(0x3130736b6f6f6870) /* "phooks01" */
#define CHANNEL_CHUNKS	 1024u
#define CHANNEL_BYTES	 (UINT64_C(1) << 20) /* of a chunk */
#define CHANNEL_LINES	 1000u		     /* threads at a time */
#define CHANNEL_WAITING	 24u /* committed and not yet freed: then wait */
/* A chunk's last part that records leave to the text of the mappings */
#define CHANNEL_MAPS (UINT64_C(64) << 10)

/* channel_chunk.state: 0 free, a pid: owned by it, with FULL: committed */
#define CHANNEL_FULL 0x80000000u

enum channel_flag {
	CHANNEL_START = 1,    /* the first of a program: exec */
	CHANNEL_FORKED = 2,   /* the first of a forked child */
	CHANNEL_END = 4,      /* the thread ended */
	CHANNEL_MAPS_CUT = 8, /* the text is not whole */
};

struct channel_chunk {
	uint32_t state;
	uint32_t tid;
	uint32_t parent; /* pid, with CHANNEL_FORKED */
	uint32_t flags;
	uint32_t used; /* bytes of records, when committed */
	uint32_t maps; /* bytes of text behind them */
	uint64_t sequence;
	uint64_t start_ns, end_ns; /* CLOCK_MONOTONIC */
	uint64_t lost;		   /* records that had no place before it */
};

/* cursor and limit are addresses in the thread's process. */
struct channel_line {
	uint64_t cursor; /* where the next record goes */
	uint64_t limit;	 /* commit when the cursor is above; recorder: 0 */
	uint64_t base;	 /* of the chunk */
	uint32_t chunk;	 /* its number + 1, 0: none */
	uint32_t tid;
	uint32_t pid; /* 0: a free line.  Claimed by compare-and-swap */
	uint32_t pad[23];
};

struct channel {
	uint64_t magic, token;
	uint32_t bytes; /* sizeof(struct channel): the two sides agree */
	uint32_t fetch; /* function entries are recorded */
	uint32_t stop;	/* record no more */
	uint32_t recorder, root; /* pids */
	uint32_t no_follow;
	uint32_t committed, released; /* futexes: bumped at each */
	uint32_t recorder_waits, threads_wait;
	uint32_t forks; /* futex: bumped by each child that spoke */
	uint64_t next_sequence;
	uint64_t taken; /* freed so far */
	uint64_t lost;	/* records of threads that found no line */
	struct channel_chunk chunk[CHANNEL_CHUNKS];
	struct channel_line line[CHANNEL_LINES] __attribute__((aligned(128)));
};

#define CHANNEL_CHUNKS_OFFSET \
	((sizeof(struct channel) + 4095) & ~(uint64_t)4095)
#define CHANNEL_ALL_BYTES \
	(CHANNEL_CHUNKS_OFFSET + CHANNEL_CHUNKS * CHANNEL_BYTES)

/* Commit what a thread that is no more has left, and free its line. */
static inline void
channel_bury(struct channel *channel, struct channel_line *line)
{
	uint32_t number = line->chunk;
	uint64_t used = line->cursor - line->base;

	if (number && number <= CHANNEL_CHUNKS && used <= CHANNEL_BYTES) {
		struct channel_chunk *chunk = &channel->chunk[number - 1];

		if (chunk->state == line->pid && chunk->tid == line->tid) {
			chunk->used = (uint32_t)used;
			chunk->maps = 0;
			chunk->sequence =
				__atomic_fetch_add(&channel->next_sequence, 1,
						   __ATOMIC_SEQ_CST);
			__atomic_store_n(&chunk->state,
					 chunk->state | CHANNEL_FULL,
					 __ATOMIC_RELEASE);
		}
	}
	line->chunk = 0;
	__atomic_store_n(&line->pid, 0, __ATOMIC_RELEASE);
}

#endif
#endif
