/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reuse distances of a long string of references from pieces of it that are
 * measured side by side, exactly (after PARDA; Niu, Dinan, Lu, Sadayappan 2012).
 *
 *	segment 1 | segment 2 | segment 3	each alone: distances of all but the
 *	a b a b c | c a c b c | d a d d		first reference to each page in it
 *	            ^ ^   ^     ^ ^		these, in order of the segments, to
 *						the engine that knows all before
 *
 * A page's first reference in a segment is as deep as if its repeats before were
 * not there, so feeding only first references gives their distances; then the
 * pages stand in the order of their last ones.
 *
 * How much is dirty at which size a segment does not know until it writes: it
 * keeps the greatest distance before that.
 */
#ifndef MODELS_ANALYSIS_SEGMENTS_H
#define MODELS_ANALYSIS_SEGMENTS_H

#include "models/analysis/blocks.h"
#include "models/analysis/reuse.h"
#include "models/paging/reclaim.h"

#define SEGMENT_REFERENCES (UINT32_C(1) << 20) /* the most in one */

struct segment {
	/* owned, [SEGMENT_REFERENCES]: references, in */
	uint32_t *page;
	uint8_t *write;
	uint64_t *access; /* ascending */
	uint32_t n;
	/* owned, [SEGMENT_REFERENCES]: different pages, out */
	uint32_t *first; /* positions, ascending */
	uint32_t *last;	 /* page numbers in the order of last references */
	struct reuse_part *part; /* as first */
	uint32_t n_pages;
};

/* 0, -ENOMEM (said). */
int segment_init(struct segment *segment);
void segment_fini(struct segment *segment);

/* One who measures segments, one after the other. */
struct segment_engine;

int segment_engine_open(struct segment_engine **out);
void segment_engine_close(struct segment_engine *engine);
int segment_measure(struct segment_engine *engine, struct segment *segment);

/* What this engine counted, for itself. */
const struct reuse *segment_engine_reuse(const struct segment_engine *engine);
struct blocks *segment_engine_blocks(struct segment_engine *engine);

/* Engines in other processes, which take segments and give them back. */
struct segments_remote {
	void *context;
	unsigned n;
	/* 0, or a negative errno (said) */
	int (*send)(void *context, unsigned who, const struct segment *segment);
	int (*receive)(void *context, unsigned who, struct segment *segment);
	/* At the end: what it counted goes into all. */
	int (*end)(void *context, unsigned who, struct reuse *all,
		   struct blocks *blocks);
};

struct segments_config {
	/* Side by side; 1: in turn, but beside the caller, who goes on */
	unsigned n;
	unsigned jobs; /* threads beside the caller's; 0: all is the caller's */
	/* Called for each segment, in order, while others are measured and the
	 * caller goes on; what is done with the references in their order.
	 * NULL: nothing */
	int (*beside)(void *context, const struct segment *segment);
	/* Called by the caller's thread when some are complete, and nothing is
	 * measured: what `beside' will need.  NULL: nothing */
	int (*begin)(void *context);
	void *context;
	const struct segments_remote *remote; /* NULL: nobody */
};

struct segments;

/* For these, which outlive it and belong to it until its end.  0, -ENOMEM. */
int segments_open(struct segments **out, const struct segments_config *config,
		  struct reuse *all, struct blocks *blocks);
void segments_close(struct segments *segments);
int segments_feed(struct segments *segments, const struct reclaim_batch *batch);
int segments_drop(struct segments *segments, uint32_t page);
/* Nothing more comes. */
int segments_end(struct segments *segments);

#endif
