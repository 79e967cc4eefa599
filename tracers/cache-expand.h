/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Segments of records into packed batches. */
#ifndef TRACERS_CACHE_EXPAND_H
#define TRACERS_CACHE_EXPAND_H

#include "tracers/cache-queue.h"

struct cache_expander;

int expander_open(struct cache_expander **out, struct stream *stream,
		  unsigned kinds);
/* Expand as on a host without them, for tests. */
void expander_forgo_vectors(struct cache_expander *expander);
/* Had it to wait for records, or they for it? */
void expander_waits(struct cache_expander *expander, bool waits);
void expander_close(struct cache_expander *expander);

/*
 * Append a segment, or more of the one that did not fit the last batch.
 * 0: all of it is done; 1: the batch is full, call again with the same segment
 * and another batch; negative errno (said).
 */
int expander_append(struct cache_expander *expander,
		    const struct cache_segment *segment, struct batch *batch);

#endif
