/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reuse distances, exactly, in one pass: at which depth of the LRU stack each
 * reference finds its page, so misses at every memory size are known at once
 * (Mattson, Gecsei, Slutz, Traiger 1970).  A memory of C pages misses the
 * references whose distance is above C.
 *
 *	page[] -> distance[] -> histogram -> misses of all sizes
 *
 * Pages that are given back (munmap) leave their frame free in all memories
 * that held them: a hole in the stack, which the next page to come in fills.
 * With writes also the write-backs of all sizes (Thompson, Smith 1989).
 */
#ifndef MODELS_ANALYSIS_REUSE_H
#define MODELS_ANALYSIS_REUSE_H

#include "analyzer/base.h"

#define REUSE_COLD UINT32_MAX /* a distance: never referenced before */

struct reuse;

/* writes: count write-backs, too.  0, -ENOMEM (said). */
int reuse_open(struct reuse **out, bool writes);
void reuse_close(struct reuse *reuse);

/*
 * Take n references to pages by dense numbers; write: which are stores, NULL:
 * none is known to be.  distance: where to put each distance (1: the page of
 * the reference before), NULL: only the histogram is wanted.  0, -ENOMEM
 * (said).
 */
int reuse_feed(struct reuse *reuse, const uint32_t *page, const uint8_t *write,
	       uint32_t n, uint32_t *distance);
/* The page is given back: its next reference is a cold one.  0, -ENOMEM. */
int reuse_drop(struct reuse *reuse, uint32_t page);
/* The page was never there: those below it move up. */
void reuse_remove(struct reuse *reuse, uint32_t page);

uint64_t reuse_references(const struct reuse *reuse);
/* References to pages that were not there at any size. */
uint64_t reuse_cold(const struct reuse *reuse);
/* Pages at once, at most: at this size only cold references miss. */
uint32_t reuse_peak(const struct reuse *reuse);
/*
 * Misses of memories of 0 to reuse_peak() pages: fills misses[peak + 1].
 * writebacks (NULL: not wanted) the same, of pages written back so far.
 */
void reuse_misses(const struct reuse *reuse, uint64_t *misses,
		  uint64_t *writebacks);

/*
 * Pieces of a string (segments.h).  An engine of pieces begins each as if no
 * page had ever been referenced, and says at its end what that did to the pages.
 */
struct reuse_part {
	uint32_t before; /* greatest distance before it was written here */
	uint32_t dirty;	 /* from this size on it is; 0: it was not written */
};

/* With write-backs.  0, -ENOMEM (said). */
int reuse_open_pieces(struct reuse **out);
/*
 * The piece is over: fills part[] of these n pages, which are all that were
 * referenced in it, and last[] with them in the order of their last references.
 */
void reuse_end_piece(struct reuse *reuse, const uint32_t *page, uint32_t n,
		     struct reuse_part *part, uint32_t *last);
/* Go on with a piece: its pages by their first references, the same by their
 * last ones.  Fills distance[n].  0, -ENOMEM (said). */
struct reuse_piece {
	const uint32_t *page, *last;
	const struct reuse_part *part;
	uint32_t n;
};
int reuse_join_piece(struct reuse *reuse, const struct reuse_piece *piece,
		     uint32_t *distance);
/* What an engine of pieces counted by distance, but for first references.
 * Fills up to room; returns how many there are. */
struct reuse_count {
	uint64_t references;
	int64_t written;
};
uint32_t reuse_counts(const struct reuse *reuse, struct reuse_count *count,
		      uint32_t room);
/* 0, -ENOMEM (said). */
int reuse_add_counts(struct reuse *reuse, const struct reuse_count *count,
		     uint32_t n);

#endif
