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
	batch->address =
		calloc(BATCH_ACCESSES + BATCH_SPARE, sizeof(*batch->address));
	batch->site =
		calloc(BATCH_ACCESSES + BATCH_SPARE, sizeof(*batch->site));
	batch->step =
		calloc(BATCH_ACCESSES + BATCH_BEHIND, sizeof(*batch->step));
	batch->root_memory = calloc(BATCH_BEFORE + BATCH_ACCESSES,
				    sizeof(*batch->root_memory));
	batch->event = calloc(BATCH_EVENTS, sizeof(*batch->event));
	if (batch->address && batch->site && batch->step &&
	    batch->root_memory && batch->event) {
		batch->root = batch->root_memory + BATCH_BEFORE;
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

_Static_assert(BATCH_SPARE >= EXPAND_GROUP, "expand_group writes behind");

#define SHORT_STEPS 3 /* accesses: the mean of those that are */

static uint32_t
expand_short(struct batch *batch, const struct stream *stream)
{
	const uint64_t *root = batch->root;
	const uint32_t *number = batch->step, *end = number + batch->n_steps;
	uint64_t *address = batch->address;
	uint32_t *site = batch->site;
	uint32_t n = 0;

	for (; number < end; number++) {
		const struct step *step = stream_step(stream, *number);

		if (unlikely(step->n_accesses > EXPAND_GROUP || step->guarded))
			n += expand_step(step->access, step->n_accesses,
					 step->guarded, root, address + n,
					 site + n);
		else {
			expand_group(step->access, root, address + n, site + n);
			n += step->n_accesses;
		}
		root += step->n_slots;
	}
	return n;
}

void
batch_expand(struct batch *batch, const struct stream *stream)
{
	const uint64_t *root = batch->root;
	uint32_t n = 0;

	if (batch->columned || !batch->packed)
		return;
	batch->columned = true;
	if (batch->n < SHORT_STEPS * batch->n_steps) {
		batch->n = expand_short(batch, stream);
		return;
	}
	for (uint32_t k = 0; k < batch->n_steps; k++) {
		const struct step *step = stream_step(stream, batch->step[k]);

		n += expand_step(step->access, step->n_accesses, step->guarded,
				 root, batch->address + n, batch->site + n);
		root += step->n_slots;
	}
	batch->n = n;
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

static const char *const event_names[EVENT_TYPES] = {
	[EVENT_MAP] = "map",
	[EVENT_UNMAP] = "unmap",
	[EVENT_PROTECT] = "protect",
	[EVENT_REMAP] = "remap",
	[EVENT_ADVISE] = "advise",
	[EVENT_LOCK] = "lock",
	[EVENT_FORK] = "fork",
	[EVENT_EXEC] = "exec",
	[EVENT_THREAD] = "thread",
	[EVENT_EXIT] = "exit",
	[EVENT_SWITCH] = "switch",
	[EVENT_SIGNAL] = "signal",
	[EVENT_SYSCALL] = "syscall",
	[EVENT_KERNEL_READ] = "kernel-read",
	[EVENT_KERNEL_WRITE] = "kernel-write",
	[EVENT_FAULT] = "fault",
	[EVENT_LOST] = "lost",
	[EVENT_MARK] = "mark",
	[EVENT_SAMPLE] = "sample",
	[EVENT_RESIDENT] = "resident",
	[EVENT_LOOK] = "look",
	[EVENT_CACHED] = "cached",
	[EVENT_COUNTER] = "counter",
	[EVENT_CONTENT] = "content",
};

const char *
event_name(unsigned type)
{
	return type < EVENT_TYPES ? event_names[type] : NULL;
}
