// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Batches: their memory, and the expansion of the packed form into columns.
 */
#include "analyzer/batch.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/expand.h"

int
batch_init(struct batch *batch)
{
	*batch = (struct batch){ 0 };
	batch->address = calloc(BATCH_ACCESSES, sizeof(*batch->address));
	batch->site = calloc(BATCH_ACCESSES, sizeof(*batch->site));
	batch->step = calloc(BATCH_ACCESSES, sizeof(*batch->step));
	batch->root_memory =
		calloc(1 + BATCH_ACCESSES, sizeof(*batch->root_memory));
	batch->event = calloc(BATCH_EVENTS, sizeof(*batch->event));
	if (batch->address && batch->site && batch->step &&
	    batch->root_memory && batch->event) {
		batch->root = batch->root_memory + 1;
		return 0;
	}
	batch_fini(batch);
	return -ENOMEM;
}

void
batch_fini(struct batch *batch)
{
	free(batch->address);
	free(batch->site);
	free(batch->step);
	free(batch->root_memory);
	free(batch->event);
	*batch = (struct batch){ 0 };
}

void
batch_reset(struct batch *batch)
{
	batch->n = batch->n_events = batch->n_steps = batch->n_roots = 0;
	batch->packed = batch->columned = false;
}

void
batch_expand(struct batch *batch, const struct stream *stream)
{
	const uint64_t *root = batch->root;
	uint32_t n = 0;

	if (batch->columned || !batch->packed)
		return;
	for (uint32_t k = 0; k < batch->n_steps; k++) {
		const struct step *step = stream_step(stream, batch->step[k]);

		n += expand_step(step->access, step->n_accesses, step->guarded,
				 root, batch->address + n, batch->site + n);
		root += step->n_slots;
	}
	batch->n = n;
	batch->columned = true;
}

struct event *
batch_event(struct batch *batch, enum event_type type)
{
	struct event *event;

	if (batch->n_events == BATCH_EVENTS)
		return NULL;
	event = &batch->event[batch->n_events++];
	*event = (struct event){
		.position = batch->n,
		.type = (uint8_t)type,
		.file = UINT32_MAX,
		.thread = batch->thread,
	};
	return event;
}
