// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The main engine's batch is held back until every companion's batch that ends
 * before it has gone out:
 *
 *	main        ....[held   T]
 *	companion   [held t1][held t2]   t1 <= T: first
 *
 * Batches change hands by swapping their buffers.
 */
#include "tracers/merge.h"

#include <stdlib.h>

#include "analyzer/fail.h"

struct lane {
	struct tracer *tracer;
	struct batch held;
	bool full, ended;
};

struct merge {
	struct source source;
	struct merge_setup setup;
	struct lane *lane; /* the main engine's first */
	size_t n_lanes;
	bool stopped;
};

static void
swap(struct batch *a, struct batch *b)
{
	struct batch c = *a;

	*a = *b;
	*b = c;
}

static int
let_go(struct merge *merge)
{
	int error = 0;

	merge->stopped = true;
	for (size_t i = 0; i < merge->n_lanes && !error; i++) {
		struct tracer *tracer = merge->lane[i].tracer;

		if (tracer->tracing->detach)
			error = tracer->tracing->detach(tracer);
	}
	return error;
}

/* Fill the main engine's lane, or find that it has ended, or that it has nothing
 * now: what it gives next ends later than what companions have. */
static int
fill_main(struct merge *merge)
{
	struct lane *lane = &merge->lane[0];

	while (!lane->full && !lane->ended) {
		int got;

		if (merge->setup.stop && *merge->setup.stop &&
		    !merge->stopped) {
			got = let_go(merge);
			if (got)
				return got;
		}
		got = source_next(&lane->tracer->source, &lane->held);
		if (got == -EINTR && !merge->stopped)
			return 0;
		if (got < 0 && got != -EINTR)
			return got;
		lane->full = got > 0;
		lane->ended = got <= 0;
	}
	return 0;
}

static int
fill_companions(struct merge *merge)
{
	for (size_t i = 1; i < merge->n_lanes; i++) {
		struct lane *lane = &merge->lane[i];
		int got;

		if (lane->full)
			continue;
		got = source_next(&lane->tracer->source, &lane->held);
		if (got < 0 && got != -EINTR)
			return got;
		lane->full = got > 0;
	}
	return 0;
}

static struct lane *
earliest(struct merge *merge)
{
	struct lane *first = NULL;

	for (size_t i = merge->n_lanes; i-- > 0;) {
		struct lane *lane = &merge->lane[i];

		if (lane->full &&
		    (!first || lane->held.time_ns < first->held.time_ns))
			first = lane;
	}
	return first;
}

/* Before the start only what changes the address space counts. */
static void
drop_accesses(struct batch *batch)
{
	batch->n = batch->n_steps = batch->n_roots = 0;
	batch->packed = false;
	batch->columned = true;
	for (uint32_t i = 0; i < batch->n_events; i++)
		batch->event[i].position = 0;
}

/* The program did not take the faults of what the main engine has put into it;
 * what translated code has at its address is not the program's either. */
static void
drop_faults_of_ours(struct merge *merge, struct batch *batch)
{
	const struct tracer *main = merge->lane[0].tracer;
	pid_t pid =
		(pid_t)stream_space(merge->source.stream, batch->space)->pid;
	uint32_t n = 0;

	if (!main->tracing->owns)
		return;
	for (uint32_t i = 0; i < batch->n_events; i++) {
		struct event *event = &batch->event[i];

		if (event->type == EVENT_FAULT) {
			if (main->tracing->owns(main, pid, event->address))
				continue;
			if (main->tracing->owns(main, pid, event->value))
				event->value = 0;
		}
		batch->event[n++] = *event;
	}
	batch->n_events = n;
}

static int
merge_next(struct source *source, struct batch *batch)
{
	struct merge *merge = (struct merge *)source;
	struct lane *lane;

	do {
		int error = fill_main(merge);

		if (!error)
			error = fill_companions(merge);
		if (error)
			return error;
		lane = earliest(merge);
	} while (!lane && !merge->lane[0].ended);
	if (!lane)
		return 0;
	lane->full = false;
	swap(batch, &lane->held);
	if (lane != merge->lane)
		drop_faults_of_ours(merge, batch);
	if (batch->time_ns < merge->setup.start_ns)
		drop_accesses(batch);
	return 1;
}

static void
merge_close(struct source *source)
{
	struct merge *merge = (struct merge *)source;

	if (!merge)
		return;
	for (size_t i = 0; merge->lane && i < merge->n_lanes; i++)
		batch_fini(&merge->lane[i].held);
	free(merge->lane);
	free(merge);
}

static const struct source_methods merge_methods = {
	.next = merge_next,
	.close = merge_close,
};

int
merge_open(struct source **out, const struct merge_setup *setup,
	   struct stream *stream)
{
	struct merge *merge = calloc(1, sizeof(*merge));

	if (!merge)
		return fail(ENOMEM, "record: no memory");
	merge->source.methods = &merge_methods;
	merge->source.stream = stream;
	merge->setup = *setup;
	merge->n_lanes = 1 + setup->n_companions;
	merge->lane = calloc(merge->n_lanes, sizeof(*merge->lane));
	if (!merge->lane)
		goto close;
	for (size_t i = 0; i < merge->n_lanes; i++) {
		merge->lane[i].tracer =
			i ? setup->companions[i - 1] : setup->main;
		if (batch_init(&merge->lane[i].held))
			goto close;
	}
	*out = &merge->source;
	return 0;
close:
	merge_close(&merge->source);
	return fail(ENOMEM, "record: no memory");
}

bool
merge_stopped(const struct source *source)
{
	return ((const struct merge *)source)->stopped;
}
