/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Batch heads and events in a block: varints, as differences to the one before
 * where that is small.
 */
#ifndef TRACES_PST_EVENTS_H
#define TRACES_PST_EVENTS_H

#include "analyzer/batch.h"
#include "traces/pst-bytes.h"

/* What differences are taken to; zeroed when a block begins. */
struct event_state {
	uint64_t time_ns;
	uint64_t address;
	uint32_t thread, space;
};

struct batch_head {
	uint32_t thread, space;
	uint64_t time_ns;
	uint32_t n_steps, n, n_events;
};

/* Append the batch's head and events.  n: its accesses, if expanded. */
void events_write(struct bytes *bytes, struct event_state *state,
		  const struct batch *batch, uint32_t n_steps);

/* -EBADMSG (unsaid) if the head or a number in it cannot be right. */
int events_read_head(struct cursor *cursor, struct event_state *state,
		     const struct stream *stream, struct batch_head *head);
/* Read head->n_events into the batch, whose thread is set. */
int events_read(struct cursor *cursor, struct event_state *state,
		const struct stream *stream, const struct batch_head *head,
		struct batch *batch);

#endif
