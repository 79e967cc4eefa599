/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What replacement policies and curves see of a trace: references of pages by
 * dense numbers.  A page is what has one frame: the same page of a file or of
 * shared memory is one number in all spaces, the two copies after a
 * copy-on-write are two, the zero page is none's.  Numbers are given in the
 * order of first references and never again.
 *
 *	batch -> address -> (space, page) -> number
 *
 * A run of accesses to one page is one reference, a write if any of them wrote
 * (a first write after the run's reference was fed goes on as another).
 */
#ifndef MODELS_PAGING_REFERENCES_H
#define MODELS_PAGING_REFERENCES_H

#include "analyzer/batch.h"
#include "analyzer/option.h"
#include "models/paging/reclaim.h"

struct references;

struct references_config {
	unsigned shift; /* log2 bytes of a page: 12, or 6 for cache lines ... */
	bool fetches;	/* code is referenced too */
	/* Is a page wanted, when its first reference comes?  Of others only
	 * the number of references is known.  NULL: all are.  May be asked of
	 * a page more than once. */
	bool (*wanted)(const void *context, uint32_t page);
	const void *context;
	bool untimed; /* reclaim_batch.time is not wanted, and is NULL */
};

/* What of a batch goes on, in its order. */
struct references_sink {
	void *context;
	/* References, and for each the thread (of the batch) and space are the
	 * batch's; 0 or a negative errno (said) */
	int (*feed)(void *context, const struct reclaim_batch *batch);
	/* The page is gone: unmapped, or its last process over */
	int (*drop)(void *context, uint32_t page);
};

/* The stream outlives it.  0, -ENOMEM (said). */
int references_open(struct references **out,
		    const struct references_config *config,
		    const struct stream *stream);
void references_close(struct references *references);

/* Follow a batch.  0, -ENOMEM, or what the sink returned. */
int references_feed(struct references *references, const struct batch *batch,
		    const struct references_sink *sink);

/* Numbers given so far: they are below that. */
uint32_t references_pages(const struct references *references);
/* All accesses so far, those left out included. */
uint64_t references_accesses(const struct references *references);
/* References to pages that were not wanted. */
uint64_t references_passed(const struct references *references);
/* What is mapped there ("[heap]", a path): the label of a page's first
 * reference.  Borrowed. */
const char *references_label(const struct references *references,
			     uint32_t page);

#endif
