/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all importers share: the input files one after the other, the batch,
 * the sites, bad lines.  A format adds only how to parse what a window holds.
 *
 *	input --window of whole lines or records--> format->take --> batch
 */
#ifndef TRACES_FOREIGN_H
#define TRACES_FOREIGN_H

#include "traces/importer.h"
#include "traces/input.h"
#include "traces/sites.h"

/*
 * take may be given a batch with this much room and not less, so one line or
 * record makes at most so many accesses.
 */
#define FOREIGN_ROOM 32
#define FOREIGN_FULL (BATCH_ACCESSES - FOREIGN_ROOM)

/* A batch with so many events is full: one line makes few. */
#define FOREIGN_EVENTS_FULL (BATCH_EVENTS - 8)

/* No instruction reads more at once; a larger size is damage. */
#define FOREIGN_SIZE_MAX 65536

struct foreign;

struct foreign_format {
	const char *name;
	size_t record_bytes; /* 0: lines of text */
	/*
	 * Parse from at to end while the batch has more than FOREIGN_ROOM
	 * free, count lines (or records) in foreign->line, and return how far
	 * it came.  Where a line is bad: foreign->wrong says why, and return
	 * its start.  sites.error ends it too.
	 */
	const char *(*take)(struct foreign *foreign, const char *at,
			    const char *end, struct batch *batch);
	/* After the last input: what the format counted goes into `importer`
	 * of what is known about the trace.  0 or a negative errno (said);
	 * may be NULL. */
	int (*end)(struct foreign *foreign, json_t *importer);
	/* Free what the format added; may be NULL. */
	void (*fini)(struct foreign *foreign);
	bool threads; /* it has several, by foreign_enter */
};

struct foreign_threads;

/* The first member of each importer's own struct. */
struct foreign {
	struct source source;
	const struct foreign_format *format;
	struct input *input; /* owned; NULL between files */
	struct sites sites;
	char **paths; /* owned, NULL-ended */
	size_t path;  /* number of the next */
	bool keep_going;

	uint64_t line; /* lines or records taken from this input */
	const char *wrong;
	char wrong_text[128];	/* room for a reason to be made */
	uint32_t thread, space; /* of the next batch */
	bool split;	   /* take wants a new batch: another thread or space */
	uint32_t pid, tid; /* of that thread, where the format has several */
	struct foreign_threads *threads; /* owned; NULL: none entered yet */
	uint64_t clock_ns;		 /* now, where the format has a clock */
	bool clocked;			 /* it has */

	uint64_t accesses;	 /* before this batch */
	uint64_t bad, bad_batch; /* lines skipped: in all, in this batch */
	uint64_t instructions;	 /* where the format counts them itself */
	uint64_t done_bytes;	 /* of the inputs before this one */
	uint64_t all_bytes;	 /* of all inputs, 0: unknown */
};

/*
 * Allocate an importer's struct of so many bytes, zeroed but for the frame,
 * and open the first input.  0 or a negative errno (said).
 */
int foreign_open(struct source **out, size_t bytes,
		 const struct foreign_format *format,
		 const struct importer_setup *setup);

/*
 * A fetch of one instruction.  It must not cross a page: what does becomes
 * two, of which the second begins no instruction.  false: sites.error
 */
bool foreign_fetch_split(struct foreign *foreign, struct batch *batch,
			 uint64_t pc, uint32_t size);

static ALWAYS_INLINE bool
foreign_fetch(struct foreign *foreign, struct batch *batch, uint64_t pc,
	      uint32_t size)
{
	uint32_t ref;

	if (unlikely((pc & 4095) + size > 4096))
		return foreign_fetch_split(foreign, batch, pc, size);
	ref = sites_find(&foreign->sites, pc, sites_key(size, SITE_FETCH, 1));
	if (unlikely(ref == SITES_FAILED))
		return false;
	batch_access(batch, pc, ref);
	return true;
}

static ALWAYS_INLINE bool
foreign_data(struct foreign *foreign, struct batch *batch, uint64_t pc,
	     uint64_t address, uint32_t size, enum site_kind kind)
{
	uint32_t ref =
		sites_find(&foreign->sites, pc, sites_key(size, kind, 0));

	if (unlikely(ref == SITES_FAILED))
		return false;
	batch_access(batch, address, ref);
	return true;
}

/*
 * Where a format does not say how long an access is, it is given `size`
 * bytes, but never more than its 64-byte line has: no crossing is made up.
 */
static ALWAYS_INLINE uint32_t
foreign_clip(uint64_t address, uint32_t size)
{
	uint32_t left = 64 - (uint32_t)(address & 63);

	return size < left ? size : left;
}

/* An address past 2^64 (address + size) is damage. */
static ALWAYS_INLINE bool
foreign_sane(uint64_t address, uint64_t size)
{
	return size - 1 < FOREIGN_SIZE_MAX && address <= UINT64_MAX - size;
}

/*
 * What follows is of this thread of this process (pid names the address
 * space).  false: the batch holds another thread's and must end first (split
 * is set), or sites.error.
 */
bool foreign_enter_other(struct foreign *foreign, struct batch *batch,
			 uint32_t pid, uint32_t tid);
void foreign_threads_close(struct foreign_threads *threads);

static ALWAYS_INLINE bool
foreign_enter(struct foreign *foreign, struct batch *batch, uint32_t pid,
	      uint32_t tid)
{
	if (likely(foreign->threads && foreign->pid == pid &&
		   foreign->tid == tid))
		return true;
	return foreign_enter_other(foreign, batch, pid, tid);
}

/* The format's own clock; a batch's time must not go back. */
static inline void
foreign_clock(struct foreign *foreign, uint64_t now_ns)
{
	foreign->clocked = true;
	if (now_ns > foreign->clock_ns)
		foreign->clock_ns = now_ns;
}

/* "wrong" made with printf. */
void foreign_wrong(struct foreign *foreign, const char *format, ...)
	PRINTF_LIKE(2, 3);

#endif
