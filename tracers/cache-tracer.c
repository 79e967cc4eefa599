// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine `cache`: the target runs a translation of its own code, made by
 * us and kept in memory that both sides map, which writes into buffers what
 * its accesses' addresses are made of.  No instruction of it is emulated, and
 * its own code is untouched, so it can be joined and left at any time.
 *
 *	guardian: ptrace, translation  -> queue -> expansion: our caller
 *	(cache-guard.c, cache-engine.h)          (cache-expand.h)
 */
#include "tracers/cache-engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "tracers/about.h"
#include "tracers/cache-expand.h"
#include "tracers/xstate.h"

#define WAIT_MS 50

static struct cache_engine *
of_source(struct source *source)
{
	return (struct cache_engine *)source;
}

/* Of the tracing side, which has ended */
static void
tell_stepped(const struct cache_engine *engine)
{
	for (int i = REFUSED_NOT + 1; i < REFUSALS; i++)
		if (engine->alone[i])
			about_stepped(engine->setup.stream,
				      refusal_name((enum cache_refusal)i),
				      engine->alone[i]);
}

static const char sampled[] =
	"sampled: between marks \"[not recorded from here on]\" and \"[recorded from here on]\" no access is told";

/* How long nothing was told.  After a long first window nothing may have been
 * left out. */
static void
tell_windows(struct cache_engine *engine)
{
	struct cache_window *window = &engine->window;
	uint64_t ns = window->away_ns;

	if (window->away)
		ns += cache_now_ns() - window->left_ns;
	if (ns && !window->told)
		about_loss(engine->setup.stream, sampled);
	window->told = true;
	if (ns)
		json_object_set_new(stream_about(engine->setup.stream),
				    "unrecorded_ns",
				    json_integer((json_int_t)ns));
}

static int
fill(struct source *source, struct batch *batch)
{
	struct cache_engine *engine = of_source(source);
	struct cache_segment *segment;
	bool done = false;
	int result, error = 0;

	for (;;) {
		bool empty = !batch->n_steps && !batch->n_events;

		segment = queue_first(engine->queue, empty ? WAIT_MS : 0);
		if (!segment || done)
			expander_waits(engine->expander, !segment);
		if (!segment) {
			if (!empty)
				return 1;
			if (queue_ended(engine->queue, &error)) {
				tell_stepped(engine);
				tell_windows(engine);
				return error;
			}
			if (!engine->detaching &&
			    (*engine->setup.stop || engine->setup.accompanied))
				return -EINTR;
			if (engine->detaching && !engine->detached)
				guard_wake(engine);
			continue;
		}
		result = expander_append(engine->expander, segment, batch);
		if (result < 0)
			return result;
		if (result)
			return 1;
		queue_done(engine->queue);
		done = true;
	}
}

static int
cache_next(struct source *source, struct batch *batch)
{
	struct cache_engine *engine = of_source(source);
	int got = fill(source, batch);

	/* Nobody else writes it; a locked addition would wait for the lines
	 * that the expander flushes (7 % of its time) */
	if (got > 0)
		__atomic_store_n(&engine->delivered,
				 engine->delivered + batch->n,
				 __ATOMIC_RELAXED);
	return got;
}

/* The guardian is no ancestor of the command: with Yama it may trace it only
 * if that says so.  Any descendant of the recorder may, then. */
static int
cache_in_child(struct tracer *tracer)
{
	(void)tracer;
	prctl(PR_SET_PTRACER, (unsigned long int)getppid(), 0ul, 0ul, 0ul);
	return 0;
}

static int
cache_attach(struct tracer *tracer, pid_t pid)
{
	struct cache_engine *engine = (struct cache_engine *)tracer;
	int error;

	engine->root = pid;
	engine->launched = !engine->setup.pid;
	error = guard_start(engine);
	if (error)
		return error;
	pthread_mutex_lock(&engine->lock);
	while (!engine->attached)
		pthread_cond_wait(&engine->changed, &engine->lock);
	error = engine->attach_error;
	pthread_mutex_unlock(&engine->lock);
	return error;
}

static bool
cache_status(const struct tracer *tracer, int *status)
{
	const struct cache_engine *engine = (const struct cache_engine *)tracer;

	if (!engine->root_ended)
		return false;
	*status = engine->root_status;
	/* It was told to the guardian; what is left of it is our child */
	if (engine->launched)
		waitpid(engine->root, NULL, WNOHANG);
	return true;
}

static bool
cache_owns(const struct tracer *tracer, pid_t pid, uint64_t address)
{
	return space_owns((const struct cache_engine *)tracer, pid, address);
}

static int
cache_detach(struct tracer *tracer)
{
	((struct cache_engine *)tracer)->detaching = 1;
	return 0;
}

/* What there was to do, for those who look into the engine's speed */
static void
note_counts(const struct cache_engine *engine)
{
	const struct cache_counts *c = &engine->counts;

	note("cache: stops %llu, full buffers %llu, misses %llu, links %llu, asked %llu, calls %llu, signals %llu, steps %llu, emptied %llu",
	     (unsigned long long)c->stops, (unsigned long long)c->guards,
	     (unsigned long long)c->misses, (unsigned long long)c->links,
	     (unsigned long long)c->asked, (unsigned long long)c->calls,
	     (unsigned long long)c->signals, (unsigned long long)c->steps,
	     (unsigned long long)c->emptied);
	note("cache: the tracing thread worked for %.3f s",
	     (double)c->work_ns / 1e9);
	if (!engine->launched && c->attach_ns && c->detach_ns)
		note("cache: attached in %.1f ms, let go in %.1f ms",
		     (double)c->attach_ns / 1e6, (double)c->detach_ns / 1e6);
}

static void
cache_close(struct source *source)
{
	struct cache_engine *engine = of_source(source);

	if (!engine)
		return;
	if (engine->started) {
		engine->detaching = 1;
		queue_abandon(engine->queue);
		if (!guard_join(engine))
			return;
	}
	if (engine->setup.verbose)
		note_counts(engine);
	queue_close(engine->queue);
	expander_close(engine->expander);
	files_close(engine->files);
	pthread_mutex_destroy(&engine->lock);
	pthread_cond_destroy(&engine->changed);
	free(engine->xstate);
	free(engine);
}

static const struct source_methods source_methods = {
	.next = cache_next,
	.close = cache_close,
};

static const struct tracer_methods methods = {
	.in_child = cache_in_child,
	.attach = cache_attach,
	.status = cache_status,
	.owns = cache_owns,
	.detach = cache_detach,
};

static int
cache_open(struct tracer **out, const struct tracer_setup *setup)
{
	struct cache_engine *engine = calloc(1, sizeof(*engine));

	if (!engine)
		return fail(ENOMEM, "cache: no memory");
	engine->setup = *setup;
	engine->tracer.source.methods = &source_methods;
	engine->tracer.source.stream = setup->stream;
	engine->tracer.tracing = &methods;
	pthread_mutex_init(&engine->lock, NULL);
	pthread_cond_init(&engine->changed, NULL);
	engine->xstate = malloc(XSTATE_BYTES_MAX);
	if (!engine->xstate || queue_open(&engine->queue) ||
	    files_open(&engine->files, setup->stream) ||
	    expander_open(&engine->expander, setup->stream, setup->kinds)) {
		cache_close(&engine->tracer.source);
		return -ENOMEM;
	}
	about_engine(
		setup->stream, "cache",
		"each thread exactly; between threads by buffers and system calls");
	/* After a long first window there may be nothing left to leave out. */
	engine->window.told = (setup->on_ns || setup->rate) && !setup->first_ns;
	if (engine->window.told)
		about_loss(setup->stream, sampled);
	*out = &engine->tracer;
	return 0;
}

const struct tracer_ops cache_tracer = {
	.name = "cache",
	.help = "every access, by translated code in the target (3 - 20x slower); attaches to running processes",
	.samples = true,
	.counts = true,
	.probe = target_probe,
	.open = cache_open,
};
