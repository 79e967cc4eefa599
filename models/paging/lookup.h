/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From accesses to page numbers without a walk: a copy of what the tables
 * would say, kept right by paging's listener.
 *
 *	space, page -> chunk of 512 pages -> number and what is allowed
 *	                 ^ the last ones directly, by a hash of region and space
 *	frame       -> number
 *
 * lookup_scan goes over the accesses of a batch as long as all is known, and
 * appends their references; where something is not, its owner finds out,
 * tells by lookup_set, and goes on.  4 bytes a page, and 4 a frame.
 */
#ifndef MODELS_PAGING_LOOKUP_H
#define MODELS_PAGING_LOOKUP_H

#include "analyzer/batch.h"
#include "models/paging/hash.h"

/* A value: 0 nothing is known; else: */
#define LOOKUP_SILENT	1u /* readable, but nobody's page (the zero page) */
#define LOOKUP_FIRST	2u /* number + LOOKUP_FIRST: that page, readable */
#define LOOKUP_WRITABLE (UINT32_C(1) << 31) /* flag */
#define LOOKUP_PASSED	(UINT32_C(1) << 30) /* flag: only counted, see `passed' */
#define LOOKUP_MAX	(LOOKUP_PASSED - LOOKUP_FIRST - 1) /* numbers */

#define LOOKUP_CHUNK_SHIFT 9
#define LOOKUP_RECENT	   1024u
#define LOOKUP_DIRECT	   512u

/* References that a scan of one batch may add, and room for as many others. */
#define LOOKUP_REFERENCES (4u * BATCH_ACCESSES)

struct lookup_recent {
	uint64_t region; /* UINT64_MAX: none */
	uint32_t *page;
	uint32_t space;
};

/* What was found last, by the page's lowest bits and whether it is written:
 * what hits here is known and may be done. */
struct lookup_direct {
	uint64_t key[LOOKUP_DIRECT];   /* page and write; UINT64_MAX: none */
	uint32_t value[LOOKUP_DIRECT]; /* number, LOOKUP_PASSED */
	uint32_t space;
};

struct lookup {
	unsigned shift;
	bool fetches;
	const struct stream *stream;
	struct lookup_direct direct;
	struct lookup_recent recent[LOOKUP_RECENT];
	struct hash *space; /* owned [spaces]: region -> chunk's address */
	uint32_t spaces;
	uint32_t **of_frame; /* owned, see lookup_frame */
	size_t directories;
	uint32_t last; /* page of the reference before; UINT32_MAX: none */
	bool last_written;
	/* The last page's first write came when its reference had gone on: it
	 * is noted here (the owner clears it) or, unless `notes`, appended */
	bool late, notes;
	uint64_t passed; /* references to pages that are LOOKUP_PASSED */
	bool passing;	 /* there are such pages */
	bool vectors;	 /* AVX2 is at hand */
	/* out: references, emptied by the owner (n = 0) */
	uint32_t *page;	  /* owned [LOOKUP_REFERENCES + 1] */
	uint8_t *write;	  /* ... */
	uint64_t *access; /* how many were before it */
	uint64_t *time;	  /* see lookup_times */
	uint32_t n;
};

/* 0 or -ENOMEM (said). */
int lookup_init(struct lookup *lookup, const struct stream *stream,
		unsigned shift, bool fetches);
void lookup_fini(struct lookup *lookup);

/* First and last page of access i of the batch. */
struct lookup_pages {
	uint64_t first, last;
};
struct lookup_pages lookup_pages(const struct lookup *lookup,
				 const struct batch *batch, uint32_t i);

/*
 * Append the references of accesses [from, to), of which the first is the
 * run's number `position`: where it stopped, because not all is known there;
 * `to`: all are in.  Nothing of the access at which it stops is appended.
 */
uint32_t lookup_scan(struct lookup *lookup, const struct batch *batch,
		     uint32_t from, uint32_t to, uint64_t position);

/* Append one reference; of a run of them to one page the first stands for all,
 * and says whether any wrote.  There must be room. */
void lookup_refer(struct lookup *lookup, uint32_t number, bool write,
		  uint64_t access);

/* The same for a value but 0: of a silent page nothing is appended, one to be
 * passed is counted. */
void lookup_take(struct lookup *lookup, uint32_t value, bool write,
		 uint64_t access);

/* From accesses to time: the times of what was appended become nanoseconds,
 * evenly from one moment to another for the n accesses from `position` on. */
struct lookup_span {
	uint64_t position, n, from_ns, to_ns;
};
void lookup_times(struct lookup *lookup, const struct lookup_span *span);

/* The value of a page of a space, 0: not known. */
uint32_t lookup_get(const struct lookup *lookup, uint32_t space, uint64_t page);
/* 0 or -ENOMEM (said). */
int lookup_set(struct lookup *lookup, uint32_t space, uint64_t page,
	       uint32_t value);
/* As paging_listener's. */
void lookup_invalidate(struct lookup *lookup, uint32_t space, uint64_t address,
		       uint64_t length);

/* Where the number of the page in a frame stands, plus 1 (0: has none).
 * NULL: no memory (said). */
uint32_t *lookup_frame(struct lookup *lookup, uint64_t frame);

#endif
