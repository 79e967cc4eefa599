// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An event is its type, a mask of the fields that are not 0 (or as expected),
 * and those fields.
 */
#include "traces/pst-events.h"

enum field {
	FIELD_FLAGS = 1,
	FIELD_FILE = 2,
	FIELD_THREAD = 4, /* another than the batch's */
	FIELD_ADDRESS = 8,
	FIELD_LENGTH = 16,
	FIELD_OFFSET = 32,
	FIELD_VALUE = 64,
	FIELD_EXTRA = 128,
	FIELD_TIME = 256,
};

static unsigned
event_fields(const struct event *event, const struct batch *batch)
{
	return (event->flags ? FIELD_FLAGS : 0) |
	       (event->file != UINT32_MAX ? FIELD_FILE : 0) |
	       (event->thread != batch->thread ? FIELD_THREAD : 0) |
	       (event->address ? FIELD_ADDRESS : 0) |
	       (event->length ? FIELD_LENGTH : 0) |
	       (event->offset ? FIELD_OFFSET : 0) |
	       (event->value ? FIELD_VALUE : 0) |
	       (event->extra ? FIELD_EXTRA : 0) |
	       (event->time_ns ? FIELD_TIME : 0);
}

static void
event_write(struct bytes *bytes, struct event_state *state,
	    const struct event *event, const struct batch *batch)
{
	unsigned fields = event_fields(event, batch);

	bytes_put_varint(bytes, event->type);
	bytes_put_varint(bytes, fields);
	if (fields & FIELD_FLAGS)
		bytes_put_varint(bytes, event->flags);
	if (fields & FIELD_FILE)
		bytes_put_varint(bytes, event->file);
	if (fields & FIELD_THREAD)
		bytes_put_varint(bytes, event->thread);
	if (fields & FIELD_ADDRESS) {
		bytes_put_signed(bytes,
				 (int64_t)(event->address - state->address));
		state->address = event->address;
	}
	if (fields & FIELD_LENGTH)
		bytes_put_varint(bytes, event->length);
	if (fields & FIELD_OFFSET)
		bytes_put_varint(bytes, event->offset);
	if (fields & FIELD_VALUE)
		bytes_put_varint(bytes, event->value);
	if (fields & FIELD_EXTRA)
		bytes_put_varint(bytes, event->extra);
	if (fields & FIELD_TIME) {
		bytes_put_signed(bytes,
				 (int64_t)(event->time_ns - state->time_ns));
		state->time_ns = event->time_ns;
	}
}

void
events_write(struct bytes *bytes, struct event_state *state,
	     const struct batch *batch, uint32_t n_steps)
{
	uint32_t position = 0;

	bytes_put_varint(bytes, batch->thread);
	bytes_put_varint(bytes, batch->space);
	bytes_put_signed(bytes, (int64_t)(batch->time_ns - state->time_ns));
	bytes_put_varint(bytes, n_steps);
	bytes_put_varint(bytes, batch->n);
	bytes_put_varint(bytes, batch->n_events);
	state->time_ns = batch->time_ns;
	for (uint32_t i = 0; i < batch->n_events; i++) {
		bytes_put_varint(bytes, batch->event[i].position - position);
		position = batch->event[i].position;
		event_write(bytes, state, &batch->event[i], batch);
	}
}

int
events_read_head(struct cursor *cursor, struct event_state *state,
		 const struct stream *stream, struct batch_head *head)
{
	uint64_t thread = cursor_varint(cursor);
	uint64_t space = cursor_varint(cursor);
	uint64_t n_steps, n, n_events;

	state->time_ns += (uint64_t)cursor_signed(cursor);
	n_steps = cursor_varint(cursor);
	n = cursor_varint(cursor);
	n_events = cursor_varint(cursor);
	if (cursor->failed || thread >= stream_threads(stream) ||
	    space >= stream_spaces(stream) || n_steps > BATCH_ACCESSES ||
	    n > BATCH_ACCESSES || n_events > BATCH_EVENTS)
		return -EBADMSG;
	*head = (struct batch_head){
		.thread = (uint32_t)thread,
		.space = (uint32_t)space,
		.time_ns = state->time_ns,
		.n_steps = (uint32_t)n_steps,
		.n = (uint32_t)n,
		.n_events = (uint32_t)n_events,
	};
	return 0;
}

static uint64_t
get_field(struct cursor *cursor, uint64_t fields, enum field field)
{
	return fields & field ? cursor_varint(cursor) : 0;
}

static int
event_read(struct cursor *cursor, struct event_state *state,
	   const struct stream *stream, const struct batch *batch,
	   struct event *event)
{
	uint64_t type = cursor_varint(cursor);
	uint64_t fields = cursor_varint(cursor);
	uint64_t file, thread;

	event->flags = (uint16_t)get_field(cursor, fields, FIELD_FLAGS);
	file = fields & FIELD_FILE ? cursor_varint(cursor) : UINT32_MAX;
	thread = fields & FIELD_THREAD ? cursor_varint(cursor) : batch->thread;
	if (fields & FIELD_ADDRESS) {
		state->address += (uint64_t)cursor_signed(cursor);
		event->address = state->address;
	}
	event->length = get_field(cursor, fields, FIELD_LENGTH);
	event->offset = get_field(cursor, fields, FIELD_OFFSET);
	event->value = get_field(cursor, fields, FIELD_VALUE);
	event->extra = get_field(cursor, fields, FIELD_EXTRA);
	if (fields & FIELD_TIME) {
		state->time_ns += (uint64_t)cursor_signed(cursor);
		event->time_ns = state->time_ns;
	}
	if (cursor->failed || type >= EVENT_TYPES ||
	    (file >= stream_files(stream) && file != UINT32_MAX) ||
	    thread >= stream_threads(stream))
		return -EBADMSG;
	event->type = (uint8_t)type;
	event->file = (uint32_t)file;
	event->thread = (uint32_t)thread;
	return 0;
}

int
events_read(struct cursor *cursor, struct event_state *state,
	    const struct stream *stream, const struct batch_head *head,
	    struct batch *batch)
{
	uint64_t position = 0;

	for (uint32_t i = 0; i < head->n_events; i++) {
		struct event *event = &batch->event[i];
		int error;

		*event = (struct event){ 0 };
		position += cursor_varint(cursor);
		if (position > head->n)
			return -EBADMSG;
		event->position = (uint32_t)position;
		error = event_read(cursor, state, stream, batch, event);
		if (error)
			return error;
		/* Spaces that events name must exist. */
		if ((event->type == EVENT_FORK || event->type == EVENT_EXEC) &&
		    event->value >= stream_spaces(stream))
			return -EBADMSG;
		if (event->type == EVENT_THREAD &&
		    event->value >= stream_threads(stream))
			return -EBADMSG;
	}
	batch->n_events = head->n_events;
	return 0;
}
