// SPDX-License-Identifier: GPL-2.0-or-later
#include "step-watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "tracers/launch.h"
#include "tracers/roster.h"
#include "tracers/tracer.h"

static void *
grow(void *from, size_t n, size_t *size, size_t bytes)
{
	if (n < *size)
		return from;
	*size = *size ? 2 * *size : 1024;
	from = reallocarray(from, *size, bytes);
	if (!from)
		abort();
	return from;
}

static void
keep(struct step_run *run, const struct batch *batch)
{
	size_t first = run->n;

	for (uint32_t i = 0; i < batch->n; i++) {
		const struct site *site =
			stream_site(run->stream, SITE_INDEX(batch->site[i]));

		run->access = grow(run->access, run->n, &run->size,
				   sizeof(*run->access));
		run->access[run->n++] = (struct step_access){
			site->pc,    batch->address[i],	 site->size,
			site->kind,  site->instructions, batch->thread,
			batch->space
		};
	}
	for (uint32_t i = 0; i < batch->n_events; i++) {
		/* What the kernel counts and caches is not the program's doing */
		if (batch->event[i].type == EVENT_CACHED ||
		    batch->event[i].type == EVENT_COUNTER ||
		    batch->event[i].type == EVENT_RESIDENT)
			continue;
		run->event = grow(run->event, run->n_events, &run->events_size,
				  sizeof(*run->event));
		run->event[run->n_events++] =
			(struct step_event){ batch->event[i], batch->thread,
					     batch->space,
					     first + batch->event[i].position };
	}
}

static int
feed(struct step_run *run, struct tracer *tracer)
{
	struct batch batch;
	int got = batch_init(&batch);

	while (!got && (got = source_next(&tracer->source, &batch)) > 0) {
		batch_expand(&batch, run->stream);
		keep(run, &batch);
		got = 0;
	}
	batch_fini(&batch);
	return got;
}

static const struct tracer_ops *
find(const char *engine)
{
	for (size_t i = 0; tracer_registry[i]; i++)
		if (!strcmp(tracer_registry[i]->name, engine))
			return tracer_registry[i];
	return NULL;
}

static int
in_child(void *context)
{
	struct tracer *tracer = context;

	return tracer->tracing->in_child ? tracer->tracing->in_child(tracer)
					 : 0;
}

int
step_run(struct step_run *run, const char *engine, char **argv)
{
	const struct tracer_setup all = { .kinds = TRACER_DATA | TRACER_FETCH };

	return step_run_setup(run, engine, argv, &all);
}

int
step_run_setup(struct step_run *run, const char *engine, char **argv,
	       const struct tracer_setup *like)
{
	volatile sig_atomic_t stop = 0;
	struct tracer_setup setup = *like;
	struct launch_setup start = { .argv = argv, .in_child = in_child };
	const struct tracer_ops *ops = find(engine);
	struct launch launch = { .go = -1, .trouble = -1 };
	struct tracer *tracer;
	int error;

	*run = (struct step_run){ 0 };
	setup.stop = &stop;
	error = stream_open(&run->stream);
	if (error)
		return error;
	setup.stream = run->stream;
	error = roster_open(&setup.roster, run->stream);
	if (error)
		return error;
	error = ops->open(&tracer, &setup);
	if (error)
		goto close_roster;
	start.context = tracer;
	if (tracer->tracing->command)
		error = tracer->tracing->command(tracer, &start.argv);
	if (!error)
		error = launch_begin(&launch, &start);
	if (!error)
		error = tracer->tracing->attach(tracer, launch.pid);
	if (!error)
		error = launch_go(&launch);
	if (!error)
		error = feed(run, tracer);
	if (!error && !tracer->tracing->status(tracer, &run->status))
		waitpid(launch.pid, &run->status, 0);
	launch_fini(&launch);
	source_close(&tracer->source);
close_roster:
	roster_close(setup.roster);
	return error;
}

void
step_run_close(struct step_run *run)
{
	free(run->access);
	free(run->event);
	stream_close(run->stream);
}

size_t
step_run_count(const struct step_run *run, enum event_type type)
{
	size_t n = 0;

	for (size_t i = 0; i < run->n_events; i++)
		n += run->event[i].event.type == type;
	return n;
}

/* The rest of a fetch that the other engine told in one: step cuts a block
 * where a batch is full, the cache around an instruction that it steps. */
struct rest {
	uint64_t at, end;
};

static bool
is_rest(struct rest *rest, const struct step_access *access)
{
	if (access->kind != SITE_FETCH || rest->at == rest->end ||
	    access->pc != rest->at)
		return false;
	rest->at += access->size;
	return true;
}

static bool
same(const struct step_access *a, const struct step_access *b,
     struct rest *rest_a, struct rest *rest_b)
{
	if (a->pc != b->pc || a->address != b->address || a->kind != b->kind)
		return false;
	if (a->size == b->size)
		return true;
	if (a->kind != SITE_FETCH)
		return false;
	if (a->size < b->size)
		*rest_a = (struct rest){ a->pc + a->size, b->pc + b->size };
	else
		*rest_b = (struct rest){ b->pc + b->size, a->pc + a->size };
	return true;
}

static void
tell(char *why, size_t bytes, size_t n, const struct step_access *a,
     const struct step_access *b)
{
	const struct step_access none = { 0 };

	a = a ? a : &none;
	b = b ? b : &none;
	snprintf(
		why, bytes,
		"access %zu: step pc %llx %u bytes at %llx kind %u, cache pc %llx %u bytes at %llx kind %u",
		n, (unsigned long long)a->pc, a->size,
		(unsigned long long)a->address, a->kind,
		(unsigned long long)b->pc, b->size,
		(unsigned long long)b->address, b->kind);
}

bool
step_run_same(const struct step_run *step, const struct step_run *cache,
	      char *why, size_t why_bytes)
{
	struct rest rest_a = { 0 }, rest_b = { 0 };
	size_t i = 0, k = 0;

	while (i < step->n || k < cache->n) {
		const struct step_access *a =
			i < step->n ? &step->access[i] : NULL;
		const struct step_access *b =
			k < cache->n ? &cache->access[k] : NULL;

		if (a && b && same(a, b, &rest_a, &rest_b)) {
			i++;
			k++;
		} else if (a && is_rest(&rest_a, a)) {
			i++;
		} else if (b && is_rest(&rest_b, b)) {
			k++;
		} else {
			tell(why, why_bytes, k, a, b);
			return false;
		}
	}
	return true;
}
