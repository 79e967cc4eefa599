/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where batches come from: a live tracer, a stored trace, a foreign trace, the
 * generator.  An opened source knows its stream (the dictionary), fills one
 * batch a call, and says how far it is.
 */
#ifndef ANALYZER_SOURCE_H
#define ANALYZER_SOURCE_H

#include "analyzer/batch.h"

struct source;

struct source_methods {
	/*
	 * Fill the caller's batch (already reset).  1: done; 0: the end;
	 * negative errno: failed, and said.  Blocks while a live target is
	 * quiet, but returns -EINTR (unsaid) within 100 ms of stop.
	 */
	int (*next)(struct source *source, struct batch *batch);
	/* Done so far and in all, in any unit; all 0: unknown.  May be NULL */
	void (*progress)(const struct source *source, uint64_t *done,
			 uint64_t *all);
	/* NULL is allowed. */
	void (*close)(struct source *source);
};

/* The first member of each source's own struct. */
struct source {
	const struct source_methods *methods;
	struct stream *stream; /* owned by the source */
};

static inline int
source_next(struct source *source, struct batch *batch)
{
	batch_reset(batch);
	return source->methods->next(source, batch);
}

static inline void
source_close(struct source *source)
{
	if (source)
		source->methods->close(source);
}

#endif
