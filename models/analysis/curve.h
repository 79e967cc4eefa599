/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What one pass over a trace tells of how much memory it needs: reuse
 * distances (LRU at all sizes), working sets, blocks of time for intervals; and
 * where other policies are asked for, the references themselves.
 *
 *	batch -> references -> reuse -> blocks
 *	                    -> working set
 *	                    -> refstring
 */
#ifndef MODELS_ANALYSIS_CURVE_H
#define MODELS_ANALYSIS_CURVE_H

#include "analyzer/model.h"
#include "models/analysis/blocks.h"
#include "models/analysis/refstring.h"
#include "models/analysis/reuse.h"
#include "models/analysis/segments.h"
#include "models/analysis/working-set.h"

struct curve_config {
	unsigned shift; /* log2 of a page's bytes */
	/* Each access is of an object: its address is its number, the
	 * length of the first access to it its size.  Nothing is left out. */
	bool objects;
	bool fetches; /* code is referenced, too */
	bool working_sets;
	bool keep; /* the references */
	bool keep_times;
	/* Pieces of the string that are measured side by side (segments.h), on
	 * so many threads beside the caller's, and in other processes; 0: none.
	 * The result is the same. */
	unsigned segments, jobs;
	const struct segments_remote *remote; /* borrowed; NULL: nobody */
};

/* The stream outlives it.  0, -ENOMEM (said). */
int curve_open(struct model **out, const struct curve_config *config,
	       const struct stream *stream);

struct curve_view {
	uint64_t accesses;
	const struct reuse *reuse;
	const struct blocks *blocks;
	struct refstring *string; /* NULL: not kept */
	struct working_set *set;  /* NULL: not wanted */
	uint64_t object_bytes;	  /* of all objects */
};

/* What it has come to, borrowed. */
void curve_view(const struct model *model, struct curve_view *view);

/* The mappings that hold its pages, number group; NULL: there are no more. */
const char *curve_group(const struct model *model, unsigned group);

#endif
