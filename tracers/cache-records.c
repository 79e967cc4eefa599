// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A thread's record buffers.  The one in use is handed over in parts, before
 * each event and at its end; the next one is taken when all parts of its last
 * use are expanded: then the target waits, and nothing is lost.
 */
#include "tracers/cache-engine.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

#define STRIDE ((uint64_t)(BUFFER_BYTES + GUARD_BYTES))

uint64_t
records_bytes(int area)
{
	return area < AREAS_LONG ? BUFFER_BYTES : BUFFER_SHORT;
}

static uint64_t
buffer_start(const struct cache_thread *thread)
{
	return thread->area_address + GS_BUFFERS + thread->buffer * STRIDE;
}

static uint64_t
buffer_end(const struct cache_thread *thread)
{
	return buffer_start(thread) + records_bytes(thread->area);
}

static uint8_t *
seen_at(const struct cache_thread *thread, uint64_t address)
{
	return thread->view + (address - thread->area_address);
}

void
records_begin(struct cache_thread *thread)
{
	thread->buffer = 0;
	thread->sent = thread->cursor = buffer_start(thread);
}

static unsigned *
pending(const struct cache_thread *thread)
{
	return &thread->process->shared->pending[thread->area][thread->buffer];
}

/* Rather one that was used already: what is touched for the first time costs
 * several milliseconds for its pages */
static unsigned
next_buffer(const struct cache_thread *thread)
{
	const struct cache_space *space = thread->process->shared;
	const unsigned *parts = space->pending[thread->area];
	unsigned oldest = !thread->buffer;

	for (unsigned i = 0; i < BUFFERS; i++) {
		if (i == thread->buffer)
			continue;
		if (!__atomic_load_n(&parts[i], __ATOMIC_ACQUIRE))
			return i;
		if (thread->taken[i] < thread->taken[oldest])
			oldest = i;
	}
	return oldest;
}

static void
segment_begin(struct cache_segment *segment, const struct cache_thread *thread,
	      enum cache_segment_kind kind)
{
	*segment = (struct cache_segment){
		.kind = (uint8_t)kind,
		.thread = thread->thread,
		.space = thread->process->space,
		.time_ns = cache_now_ns(),
	};
}

void
records_event_put(struct cache_engine *engine)
{
	if (!engine->event_open)
		return;
	engine->event_open = false;
	queue_put(engine->queue, &engine->segment);
}

void
records_flush(struct cache_engine *engine, struct cache_thread *thread)
{
	struct cache_segment segment;

	records_event_put(engine);
	if (thread->area < 0 || thread->cursor == thread->sent)
		return;
	segment_begin(&segment, thread, SEGMENT_RECORDS);
	segment.code = thread->process->shared->code;
	segment.word =
		(const uint64_t *)(const void *)seen_at(thread, thread->sent);
	segment.n_words = (thread->cursor - thread->sent) / 8;
	segment.fs = thread->fs_base;
	segment.pending = pending(thread);
	queue_put(engine->queue, &segment);
	thread->sent = thread->cursor;
}

void
records_next(struct cache_engine *engine, struct cache_thread *thread)
{
	const uint8_t *from = seen_at(thread, thread->cursor);
	/* The last record's last words may be those that expansion fills in:
	 * they lie in the guard, and nothing wrote them */
	uint64_t rest = thread->cursor < buffer_end(thread)
				? buffer_end(thread) - thread->cursor
				: 0;

	records_flush(engine, thread);
	thread->buffer = next_buffer(thread);
	thread->taken[thread->buffer] = ++thread->taken_now;
	queue_await(engine->queue, pending(thread), NULL);
	thread->sent = thread->cursor = buffer_start(thread);
	memcpy(seen_at(thread, thread->cursor), from, rest);
}

void
records_lost(struct cache_engine *engine, const char *what)
{
	const struct cache_segment segment = { .kind = SEGMENT_LOSS,
					       .loss = what };

	records_event_put(engine);
	queue_put(engine->queue, &segment);
}

bool
records_await_room(struct cache_engine *engine, struct cache_thread *thread)
{
	unsigned now = thread->buffer;
	bool room;

	records_flush(engine, thread);
	thread->buffer = next_buffer(thread);
	room = queue_await(engine->queue, pending(thread), &engine->detaching);
	thread->buffer = now;
	return room && !engine->detaching;
}

bool
records_in_guard(const struct cache_thread *thread, uint64_t address)
{
	return thread->area >= 0 && address - buffer_end(thread) < GUARD_BYTES;
}

void
records_prefix(struct cache_engine *engine, struct cache_thread *thread,
	       const struct cache_block *block, unsigned instructions)
{
	const struct cache_place *until = &block->place[instructions];
	uint64_t bytes = 8 + 8 * (uint64_t)until->words;
	uint32_t number, header;

	if (!instructions)
		return;
	number = cache_code_outcome(thread->process->shared->code, block, until,
				    instructions);
	if (!number)
		return;
	if (thread->cursor + bytes > buffer_end(thread))
		records_next(engine, thread);
	header = RECORD_HEADER(number, until->words);
	memcpy(seen_at(thread, thread->cursor), &header, sizeof(header));
	thread->cursor += bytes;
}

void
records_called(struct cache_engine *engine, struct cache_thread *thread)
{
	const struct user_regs_struct *r = &thread->registers;
	const uint64_t value[] = { r->rax, r->rdi, r->rsi, r->rdx,
				   r->r10, r->r8,  r->r9 };
	uint32_t header = RECORD_HEADER(CALL_OUTCOME, CALL_WORDS);
	uint8_t *at = seen_at(thread, thread->cursor);

	(void)engine;
	memcpy(at, &header, sizeof(header));
	memcpy(at + 16, value, sizeof(value));
	thread->cursor += 8 + 8 * CALL_WORDS;
}

struct event *
records_event(struct cache_engine *engine, struct cache_thread *thread,
	      enum event_type type)
{
	struct cache_segment *segment = &engine->segment;

	records_flush(engine, thread);
	segment_begin(segment, thread, SEGMENT_EVENT);
	segment->event = (struct event){
		.type = (uint8_t)type,
		.file = UINT32_MAX,
		.thread = thread->thread,
		.time_ns = segment->time_ns,
	};
	engine->event_open = true;
	return &segment->event;
}

static void
add_stepped(struct cache_segment *segment, const struct site *site,
	    uint64_t address)
{
	segment->stepped[segment->n_stepped++] =
		(struct cache_stepped){ *site, address };
}

/* One that crosses a page is fetched from both (step-run.c) */
static void
add_fetch(struct cache_segment *segment, struct site *site)
{
	uint64_t pc = site->pc;
	uint32_t here = 4096 - (uint32_t)(pc & 4095), all = site->size;

	if (here < all)
		site->size = here;
	add_stepped(segment, site, pc);
	if (here < all) {
		struct site rest = *site;

		rest.pc = pc + here;
		rest.size = all - here;
		rest.instructions = 0;
		add_stepped(segment, &rest, rest.pc);
	}
}

void
records_stepped(struct cache_engine *engine, struct cache_thread *thread,
		bool fetched)
{
	const struct instruction *instruction = &thread->flight;
	struct cache_segment segment;
	struct site site = { .pc = instruction->pc,
			     .size = instruction->length,
			     .kind = SITE_FETCH,
			     .instructions = 1 };

	thread->in_flight = false;
	if (engine->orphaned)
		return;
	records_flush(engine, thread);
	segment_begin(&segment, thread, SEGMENT_STEPPED);
	segment.stepped =
		calloc((size_t)thread->n_flight + 2, sizeof(*segment.stepped));
	if (!segment.stepped) {
		fail(ENOMEM, "cache: no memory");
		engine->failed = true;
		return;
	}
	if (fetched && engine->setup.kinds & TRACER_FETCH)
		add_fetch(&segment, &site);
	site.instructions = 0;
	for (int i = 0; i < thread->n_flight; i++) {
		site.size = thread->access[i].size;
		site.kind = thread->access[i].kind;
		add_stepped(&segment, &site, thread->access[i].address);
	}
	queue_put(engine->queue, &segment);
}
