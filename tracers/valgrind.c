// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The `valgrind` engine: runs the command under our own Valgrind tool
 * (tracers/valgrind/), which writes each access into shared memory, and makes
 * packed batches from it.  Complete and lossless for any x86-64 program that
 * Valgrind can run: JITs, threads (one at a time), forks and execs included.
 *
 *	tool in each process -> ring -> valgrind-pool -> valgrind-code  (hot)
 *	                                              -> valgrind-events
 */
#include "tracers/tracer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "tracers/valgrind-code.h"
#include "tracers/valgrind-command.h"
#include "tracers/valgrind-events.h"
#include "tracers/valgrind-pool.h"

#define IDLE_MS	     20
#define HURRY_IDLES  10 /* quiet for so long: ask for what there is */
#define DETACH_IDLES 8	/* let running producers commit first */
#define LOOK_CHUNKS  256
#define QUIET_IDLES  50 /* a second */

struct valgrind {
	struct tracer tracer;
	struct tracer_setup setup;
	struct valgrind_pool *pool;
	struct valgrind_log *log;
	struct valgrind_code *code;
	struct valgrind_events *events;
	struct valgrind_command *command;

	bool chunked; /* chunk and process are valid */
	struct valgrind_chunk chunk;
	struct valgrind_cursor cursor;
	struct valgrind_process *process;

	pid_t root;
	bool root_reaped, detached;
	int root_status;
	bool waited; /* since the last chunk: next, look around */
	unsigned chunks;
	unsigned idles;	  /* in a row */
	uint64_t last_ns; /* time of the last batch */
};

static struct valgrind *
of_source(struct source *source)
{
	return (struct valgrind *)source;
}

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int
chunk_begin(struct valgrind *v)
{
	int error = valgrind_process_get(v->events, v->chunk.pid, &v->process);

	if (error)
		return error;
	v->cursor = (struct valgrind_cursor){
		.at = v->chunk.data,
		.end = v->chunk.data + v->chunk.used,
	};
	v->chunked = true;
	v->waited = ++v->chunks % LOOK_CHUNKS == 0;
	v->idles = 0;
	return 0;
}

static void
chunk_end(struct valgrind *v)
{
	v->chunked = false;
	valgrind_pool_give(v->pool, &v->chunk);
}

/* A chunk was filled evenly from its start to its end, as far as we know. */
static uint64_t
chunk_time_ns(const struct valgrind *v)
{
	const struct valgrind_chunk *chunk = &v->chunk;
	uint64_t done = (uint64_t)(v->cursor.at - chunk->data);
	uint64_t span = chunk->end_ns - chunk->start_ns;

	if (!chunk->used)
		return chunk->end_ns;
	return chunk->start_ns +
	       (uint64_t)((double)span * (double)done / chunk->used);
}

static bool
batch_empty(const struct batch *batch)
{
	return !batch->n_steps && !batch->n_events;
}

/* Fill the batch from the chunk.  1: it is full; 0: the chunk is over. */
static int
chunk_fill(struct valgrind *v, struct batch *batch)
{
	struct valgrind_cursor *cursor = &v->cursor;

	batch->packed = true;
	batch->thread = v->process->thread;
	batch->space = v->process->space;
	while (cursor->at < cursor->end) {
		int result = valgrind_code_copy(v->code, batch, cursor);

		if (result)
			return result;
		if (cursor->at == cursor->end)
			break;
		result = valgrind_events_take(v->events, v->process, batch,
					      cursor);
		if (result != EVENT_TAKEN)
			return result < 0 ? result : 1;
	}
	return 0;
}

/* 1: a batch; 0: there was nothing in what was left of the chunk */
static int
chunk_batch(struct valgrind *v, struct batch *batch)
{
	int result = chunk_fill(v, batch);

	batch->time_ns = v->last_ns = chunk_time_ns(v);
	if (result < 0)
		return result;
	if (!result)
		chunk_end(v);
	return !batch_empty(batch);
}

static void
root_reap(struct valgrind *v)
{
	struct valgrind_process *process;

	if (v->root_reaped ||
	    waitpid(v->root, &v->root_status, WNOHANG) != v->root)
		return;
	v->root_reaped = true;
	process = valgrind_process_find(v->events, v->root);
	if (process) {
		process->exiting = true;
		process->status = v->root_status;
	}
}

static bool
process_ignored(void *context, pid_t pid)
{
	struct valgrind *v = context;
	const struct valgrind_process *process =
		valgrind_process_find(v->events, pid);

	return process && process->native;
}

/* Found dead without having said so: nothing but SIGKILL does that. */
static void
process_dead(void *context, pid_t pid)
{
	struct valgrind *v = context;
	struct valgrind_process *process =
		valgrind_process_find(v->events, pid);

	if (process && pid != v->root) {
		process->exiting = true;
		process->status = SIGKILL;
	}
}

/* Forked, but not heard of yet. */
static bool
children_expected(struct valgrind *v)
{
	struct valgrind_process *process;
	bool expected = false;

	for (size_t i = 0; (process = valgrind_process_at(v->events, i)); i++) {
		if (process->ended || process->started || process->exiting)
			continue;
		if (valgrind_pid_alive(process->pid))
			expected |= process->pid != v->root;
		else if (process->pid != v->root)
			process_dead(v, process->pid);
	}
	return expected;
}

/* The command's own status is known once it is reaped. */
static bool
exit_known(const struct valgrind *v, const struct valgrind_process *process)
{
	return process->exiting && !process->ended &&
	       (process->pid != v->root || v->root_reaped);
}

/* EVENT_EXIT of a process whose last chunk is done. */
static bool
exit_batch(struct valgrind *v, struct batch *batch)
{
	struct valgrind_process *process;

	for (size_t i = 0; (process = valgrind_process_at(v->events, i)); i++) {
		if (!exit_known(v, process))
			continue;
		valgrind_process_exit(v->events, process, batch);
		batch->packed = true;
		batch->time_ns = now_ns();
		return true;
	}
	return false;
}

/* Nothing to take.  1: a batch; 0: look again; -ENOENT: the end. */
static int
idle(struct valgrind *v, struct batch *batch)
{
	unsigned live;
	bool expected, reaped = v->root_reaped;

	/* Looking around takes some system calls: seldom between chunks. */
	if (!v->waited && valgrind_pool_live(v->pool)) {
		v->waited = true;
		valgrind_pool_wait(v->pool, IDLE_MS);
		return 0;
	}
	valgrind_log_read(v->log);
	if (exit_batch(v, batch))
		return 1;
	root_reap(v);
	live = valgrind_pool_check(v->pool, process_ignored, process_dead, v);
	expected = children_expected(v);
	if (!live && !expected && v->root_reaped) {
		/* One more look: it may have committed and then died. */
		return reaped && v->idles++ ? -ENOENT : 0;
	}
	if (++v->idles % HURRY_IDLES == 0)
		valgrind_pool_hurry(v->pool);
	valgrind_pool_wait(v->pool, live || expected ? IDLE_MS : 1);
	return 0;
}

/* After detach.  As idle(). */
static int
idle_detached(struct valgrind *v)
{
	if (v->idles++ < DETACH_IDLES) {
		valgrind_pool_wait(v->pool, IDLE_MS / 2);
		return 0;
	}
	if (!valgrind_pool_snapshot(v->pool, &v->chunk))
		return -ENOENT;
	return chunk_begin(v);
}

/* So that who stores the batches ends a block, which a kill would lose */
static int
empty_batch(struct valgrind *v, struct batch *batch)
{
	struct valgrind_process *process;
	int error = valgrind_process_get(v->events, v->root, &process);

	if (error)
		return error;
	batch->packed = true;
	batch->thread = process->main_thread;
	batch->space = process->space;
	batch->time_ns = v->last_ns;
	return 1;
}

/* At the end: what nobody could say before. */
static void
losses_say(const struct valgrind *v)
{
	unsigned n = valgrind_pool_unrecorded(v->pool);
	json_t *losses = json_object_get(stream_about(v->tracer.source.stream),
					 "losses");

	if (!n)
		return;
	warn("valgrind: %u forks and execs ran unrecorded: too many processes "
	     "at once",
	     n);
	json_array_append_new(losses,
			      json_pack("{s:s, s:i, s:s}", "engine", "valgrind",
					"forks and execs", (int)n, "why",
					"too many processes at once"));
}

static int
valgrind_next(struct source *source, struct batch *batch)
{
	struct valgrind *v = of_source(source);
	int result = 0;

	for (;;) {
		if (v->chunked)
			result = chunk_batch(v, batch);
		else if (valgrind_pool_take(v->pool, &v->chunk))
			result = chunk_begin(v);
		else if (v->detached)
			result = idle_detached(v);
		else if (v->setup.stop && *v->setup.stop)
			return -EINTR;
		else
			result = idle(v, batch);
		if (!result && v->idles == QUIET_IDLES && v->last_ns)
			result = empty_batch(v, batch);
		if (result == -ENOENT) {
			losses_say(v);
			return 0;
		}
		if (result)
			return result;
	}
}

static void
valgrind_close(struct source *source)
{
	struct valgrind *v = of_source(source);

	if (!v)
		return;
	valgrind_command_close(v->command);
	valgrind_events_close(v->events);
	valgrind_code_close(v->code);
	valgrind_pool_close(v->pool);
	valgrind_log_close(v->log);
	free(v);
}

static int
tracer_command(struct tracer *tracer, char ***argv)
{
	struct valgrind *v = (struct valgrind *)tracer;

	return valgrind_command_make(v->command, valgrind_pool_fd(v->pool),
				     valgrind_log_fd(v->log), argv);
}

static int
tracer_in_child(struct tracer *tracer)
{
	struct valgrind *v = (struct valgrind *)tracer;

	if (fcntl(valgrind_pool_fd(v->pool), F_SETFD, 0) ||
	    fcntl(valgrind_log_fd(v->log), F_SETFD, 0))
		return -errno;
	valgrind_command_environment(v->command);
	return 0;
}

static int
tracer_attach(struct tracer *tracer, pid_t pid)
{
	struct valgrind *v = (struct valgrind *)tracer;
	struct valgrind_process *process;

	v->root = pid;
	return valgrind_process_get(v->events, pid, &process);
}

static bool
tracer_status(const struct tracer *tracer, int *status)
{
	const struct valgrind *v = (const struct valgrind *)tracer;

	if (v->root_reaped)
		*status = v->root_status;
	return v->root_reaped;
}

static int
tracer_detach(struct tracer *tracer)
{
	struct valgrind *v = (struct valgrind *)tracer;

	v->detached = true;
	v->idles = 0;
	valgrind_pool_stop(v->pool);
	return 0;
}

static const struct source_methods source_methods = {
	.next = valgrind_next,
	.close = valgrind_close,
};

static const struct tracer_methods tracer_methods = {
	.command = tracer_command,
	.in_child = tracer_in_child,
	.attach = tracer_attach,
	.status = tracer_status,
	.detach = tracer_detach,
};

/* The list under this key in what is known about the recording. */
static json_t *
about_list(json_t *about, const char *key)
{
	json_t *list = json_object_get(about, key);

	if (!list) {
		list = json_array();
		json_object_set_new(about, key, list);
	}
	return list;
}

static void
about_fill(struct stream *stream)
{
	json_t *about = stream_about(stream);

	json_array_append_new(
		about_list(about, "engines"),
		json_pack("{s:s, s:s}", "name", "valgrind", "order",
			  "threads of a process exactly; processes by "
			  "chunks of 256 KiB"));
	about_list(about, "losses");
}

static int
valgrind_open(struct tracer **out, const struct tracer_setup *setup)
{
	struct valgrind *v;
	int error;

	if (setup->pid)
		return fail(EOPNOTSUPP,
			    "valgrind: can't attach to process %d: it can "
			    "only start a command; use another engine",
			    (int)setup->pid);
	v = calloc(1, sizeof(*v));
	if (!v)
		return fail(ENOMEM, "valgrind: no memory");
	v->setup = *setup;
	v->tracer.source.methods = &source_methods;
	v->tracer.source.stream = setup->stream;
	v->tracer.tracing = &tracer_methods;
	error = valgrind_command_open(&v->command);
	if (!error)
		error = valgrind_log_open(&v->log);
	if (!error)
		error = valgrind_pool_open(&v->pool, setup->kinds,
					   setup->no_follow);
	if (!error)
		error = valgrind_code_open(&v->code, setup->stream,
					   setup->kinds);
	if (!error)
		error = valgrind_events_open(&v->events, &v->setup, v->code,
					     v->log);
	if (error) {
		valgrind_close(&v->tracer.source);
		return error;
	}
	about_fill(setup->stream);
	*out = &v->tracer;
	return 0;
}

const struct tracer_ops valgrind_tracer = {
	.name = "valgrind",
	.help = "every access of a command, through Valgrind (6 - 15x slower); best for JITs",
	.probe = valgrind_command_probe,
	.open = valgrind_open,
};
