// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Batches: their memory, and the expansion of the packed form into columns.
 */
#include "analyzer/batch.h"

#include <stdlib.h>
#include <string.h>

int
batch_init(struct batch *batch)
{
	*batch = (struct batch){ 0 };
	batch->address = calloc(BATCH_ACCESSES, sizeof(*batch->address));
	batch->site = calloc(BATCH_ACCESSES, sizeof(*batch->site));
	batch->step = calloc(BATCH_ACCESSES, sizeof(*batch->step));
	batch->root = calloc(BATCH_ACCESSES, sizeof(*batch->root));
	batch->event = calloc(BATCH_EVENTS, sizeof(*batch->event));
	if (batch->address && batch->site && batch->step && batch->root &&
	    batch->event)
		return 0;
	batch_fini(batch);
	return -ENOMEM;
}

void
batch_fini(struct batch *batch)
{
	free(batch->address);
	free(batch->site);
	free(batch->step);
	free(batch->root);
	free(batch->event);
	*batch = (struct batch){ 0 };
}

void
batch_reset(struct batch *batch)
{
	batch->n = batch->n_events = batch->n_steps = batch->n_roots = 0;
	batch->packed = batch->columned = false;
}

/* Guarded accesses were made only if their root is not 0 */
static size_t
expand_guarded(const struct shape_access *access, size_t n,
	       const uint64_t *root, uint64_t *address, uint32_t *site)
{
	size_t made = 0;

	for (size_t i = 0; i < n; i++) {
		uint64_t value = access[i].slot ? root[access[i].slot - 1] : 0;

		if (access[i].guarded && !value)
			continue;
		address[made] = value + (uint64_t)access[i].displacement;
		site[made++] = access[i].ref;
	}
	return made;
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
		const struct shape_access *access = step->access;

		if (unlikely(step->guarded)) {
			n += (uint32_t)expand_guarded(access, step->n_accesses,
						      root, batch->address + n,
						      batch->site + n);
			root += step->n_slots;
			continue;
		}
		for (uint32_t i = 0; i < step->n_accesses; i++, n++) {
			uint64_t value =
				access[i].slot ? root[access[i].slot - 1] : 0;

			batch->address[n] =
				value + (uint64_t)access[i].displacement;
			batch->site[n] = access[i].ref;
		}
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
