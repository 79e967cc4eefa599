// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine `hooks`: programs that were built with a compiler's own calls at
 * each load and store (pagescope cc), linked to our runtime (tracers/hooks/).
 * Threads run in parallel and natively; each fills chunks of shared memory.
 *
 *	runtime in each process -> channel -> hooks-pool -> batches here (hot)
 *	                                                 -> hooks-process
 */
#include "tracers/tracer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "tracers/about.h"
#include "tracers/hooks-process.h"
#include "tracers/hooks-sites.h"
#include "tracers/hooks/channel.h"

#define IDLE_MS	     20
#define HURRY_IDLES  50 /* quiet for so long: ask for what there is */
#define DETACH_IDLES 8	/* let running threads commit first */

struct hooks {
	struct tracer tracer;
	struct tracer_setup setup;
	struct hooks_pool *pool;
	struct hooks_processes *processes;
	struct hooks_sites sites;
	char **environment;    /* of the command; its strings are not owned */
	uint64_t key[256];     /* hooks_site_key of a code, 0: not plain */
	uint64_t *thread_time; /* owned: ns of each thread's last batch */
	size_t thread_times;

	bool chunked;
	struct hooks_chunk chunk;
	uint32_t at; /* word of the chunk */
	struct hooks_process *process;
	uint32_t thread;
	struct hooks_queue before, behind;

	pid_t root;
	bool root_reaped, detached, spoken;
	int root_status;
	unsigned idles; /* in a row */
};

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void
keys_init(struct hooks *hooks)
{
	for (unsigned log2 = 0; log2 <= 4; log2++) {
		static const unsigned char codes[] = { HOOK_READ, HOOK_WRITE,
						       HOOK_MODIFY };

		for (size_t i = 0;
		     i < ARRAY_SIZE(codes) && hooks->setup.kinds & TRACER_DATA;
		     i++)
			hooks->key[codes[i] + log2] =
				hooks_site_key(codes[i] + log2, 1u << log2, 0);
	}
	if (hooks->setup.kinds & TRACER_FETCH)
		hooks->key[HOOK_ENTRY] = hooks_site_key(HOOK_ENTRY, 0, 0);
}

static bool
code_known(unsigned code)
{
	unsigned kind = code & 0xf0;

	if (code == HOOK_READ_RANGE || code == HOOK_WRITE_RANGE ||
	    code == HOOK_ENTRY)
		return true;
	return kind >= HOOK_READ && kind < HOOK_ENTRY && (code & 15) <= 4;
}

/* Neither wanted nor plain.  Words taken or a negative errno. */
static int
take_special(struct hooks *hooks, struct batch *batch, const uint64_t *word,
	     uint32_t left)
{
	unsigned code = (unsigned)(word[0] >> 56);
	uint64_t length;
	uint32_t ref;

	if (!code_known(code))
		return fail(EPROTO, "hooks: a damaged record %#llx",
			    (unsigned long long)word[0]);
	if ((code & 15) != 15)
		return 2;
	if (left < 4 || word[2] >> 56 != HOOK_SIZE)
		return fail(EPROTO, "hooks: a damaged range %#llx",
			    (unsigned long long)word[0]);
	length = word[2] << 8 >> 8;
	if (!(hooks->setup.kinds & TRACER_DATA) || !length)
		return 4;
	if (length > UINT32_MAX)
		length = UINT32_MAX;
	ref = hooks_sites_find(&hooks->sites, word[1],
			       hooks_site_key(code, (uint32_t)length,
					      hooks->process->image));
	if (ref == HOOKS_SITE_NONE)
		return hooks->sites.error;
	batch_access(batch, word[0] << 8 >> 8, ref);
	return 4;
}

/* Records to columns until either is full.  0 or a negative errno. */
static int
chunk_copy(struct hooks *hooks, struct batch *batch)
{
	const uint64_t *word = hooks->chunk.word;
	const uint64_t image = hooks_site_key(0, 0, hooks->process->image);
	uint32_t at = hooks->at, end = hooks->chunk.n & ~1u;
	int taken = 0;

	while (at < end && batch->n < BATCH_ACCESSES) {
		uint64_t first = word[at], pc = word[at + 1];
		uint64_t key = hooks->key[first >> 56];
		uint32_t ref;

		if (unlikely(!key)) {
			taken = take_special(hooks, batch, word + at, end - at);
			if (taken < 0)
				return taken;
			at += (uint32_t)taken;
			continue;
		}
		ref = hooks_sites_find(&hooks->sites, pc, key | image);
		if (unlikely(ref == HOOKS_SITE_NONE))
			return hooks->sites.error;
		batch_access(batch,
			     first >> 56 == HOOK_ENTRY ? pc : first << 8 >> 8,
			     ref);
		at += 2;
	}
	hooks->at = at;
	return 0;
}

/* Events of one thread from the queue; true if there were any. */
static bool
queue_batch(struct hooks_queue *queue, struct batch *batch)
{
	if (queue->at == queue->n)
		return false;
	batch->thread = queue->event[queue->at].thread;
	batch->space = queue->event[queue->at].space;
	while (queue->at < queue->n && batch->n_events < BATCH_EVENTS) {
		const struct hooks_event *next = &queue->event[queue->at];
		struct event *event;

		if (next->thread != batch->thread ||
		    next->space != batch->space)
			break;
		event = batch_event(batch, next->event.type);
		*event = next->event;
		event->position = batch->n;
		queue->at++;
	}
	return true;
}

/* A thread's time never goes back. */
static int
batch_time(struct hooks *hooks, struct batch *batch, uint64_t time_ns)
{
	size_t room = 2 * ((size_t)batch->thread + 32);
	uint64_t *all = hooks->thread_time;

	if (batch->thread >= hooks->thread_times) {
		all = reallocarray(all, room, sizeof(*all));
		if (!all)
			return fail(ENOMEM, "hooks: no memory");
		memset(all + hooks->thread_times, 0,
		       (room - hooks->thread_times) * sizeof(*all));
		hooks->thread_time = all;
		hooks->thread_times = room;
	}
	if (time_ns < all[batch->thread])
		time_ns = all[batch->thread];
	all[batch->thread] = batch->time_ns = time_ns;
	batch->columned = true;
	return 1;
}

static int
chunk_begin(struct hooks *hooks)
{
	hooks->chunked = true;
	hooks->spoken = true;
	hooks->at = 0;
	hooks->idles = 0;
	return hooks_process_chunk(hooks->processes, &hooks->chunk,
				   &hooks->process, &hooks->thread,
				   &hooks->before, &hooks->behind);
}

/* It was filled evenly from its start to its end, as far as we know. */
static uint64_t
chunk_time_ns(const struct hooks *hooks)
{
	const struct hooks_chunk *chunk = &hooks->chunk;
	double done = chunk->n ? (double)hooks->at / chunk->n : 1;

	return chunk->start_ns +
	       (uint64_t)((double)(chunk->end_ns - chunk->start_ns) * done);
}

/* 1: a batch; 0: the chunk is over */
static int
chunk_batch(struct hooks *hooks, struct batch *batch)
{
	int error = 0;

	if (queue_batch(&hooks->before, batch))
		return batch_time(hooks, batch, hooks->chunk.start_ns);
	batch->thread = hooks->thread;
	batch->space = hooks->process->space;
	if (hooks->at < (hooks->chunk.n & ~1u))
		error = chunk_copy(hooks, batch);
	if (error)
		return error;
	if (batch->n)
		return batch_time(hooks, batch, chunk_time_ns(hooks));
	if (queue_batch(&hooks->behind, batch))
		return batch_time(hooks, batch, hooks->chunk.end_ns);
	hooks->chunked = false;
	hooks_pool_give(hooks->pool, &hooks->chunk);
	return 0;
}

static void
root_reap(struct hooks *hooks)
{
	if (!hooks->root_reaped &&
	    waitpid(hooks->root, &hooks->root_status, WNOHANG) == hooks->root)
		hooks->root_reaped = true;
}

/*
 * Find processes that are no more and, as all that they had committed was
 * taken, queue the exits of those found before.  How many live on, or a
 * negative errno.
 */
static int
processes_check(struct hooks *hooks)
{
	struct hooks_process *process;
	int live = 0, error;

	for (size_t i = 0; (process = hooks_process_at(hooks->processes, i));
	     i++) {
		bool root = process->pid == hooks->root;

		if (process->ended)
			continue;
		live++;
		if (!process->dead) {
			process->dead = root ? hooks->root_reaped
					     : !hooks_pool_alive(hooks->pool,
								 process->pid);
			continue;
		}
		error = hooks_process_end(hooks->processes, process,
					  root ? hooks->root_status : 0,
					  &hooks->behind);
		if (error)
			return error;
	}
	return live;
}

static void
complain(struct hooks *hooks)
{
	if (hooks->spoken)
		return;
	hooks->spoken = true;
	warn("hooks: the command has none: build it with `pagescope cc`");
	about_loss(hooks->setup.stream,
		   "the command was built without hooks: nothing was recorded");
}

/* Nothing to take.  0: look again; -ENOENT: the end. */
static int
idle(struct hooks *hooks)
{
	bool reaped = hooks->root_reaped;
	unsigned recording;
	int live;

	if (!hooks_pool_empty(hooks->pool))
		return 0;
	root_reap(hooks);
	live = processes_check(hooks);
	if (live < 0)
		return live;
	recording = hooks_pool_check(hooks->pool);
	if (hooks->root_reaped && !live && !recording) {
		if (!reaped || !hooks_pool_empty(hooks->pool))
			return 0;
		complain(hooks);
		return -ENOENT;
	}
	if (++hooks->idles % HURRY_IDLES == 0)
		hooks_pool_hurry(hooks->pool);
	hooks_pool_wait(hooks->pool, recording ? IDLE_MS : 1);
	return 0;
}

/* After detach.  As idle(). */
static int
idle_detached(struct hooks *hooks)
{
	if (hooks->idles++ < DETACH_IDLES) {
		hooks_pool_wait(hooks->pool, IDLE_MS / 2);
		return 0;
	}
	if (!hooks_pool_snapshot(hooks->pool, &hooks->chunk))
		return -ENOENT;
	return chunk_begin(hooks);
}

static int
hooks_next(struct source *source, struct batch *batch)
{
	struct hooks *hooks = (struct hooks *)source;
	int result = 0;

	for (;;) {
		if (hooks->chunked)
			result = chunk_batch(hooks, batch);
		else if (queue_batch(&hooks->behind, batch))
			result = batch_time(hooks, batch, now_ns());
		else if (hooks_pool_take(hooks->pool, &hooks->chunk))
			result = chunk_begin(hooks);
		else if (hooks->detached)
			result = idle_detached(hooks);
		else if (hooks->setup.stop && *hooks->setup.stop)
			return -EINTR;
		else
			result = idle(hooks);
		if (result == -ENOENT)
			return 0;
		if (result)
			return result;
	}
}

static void
hooks_close(struct source *source)
{
	struct hooks *hooks = (struct hooks *)source;

	if (!hooks)
		return;
	hooks_processes_close(hooks->processes);
	hooks_pool_close(hooks->pool);
	hooks_sites_fini(&hooks->sites);
	hooks_queue_fini(&hooks->before);
	hooks_queue_fini(&hooks->behind);
	free(hooks->thread_time);
	free(hooks->environment);
	free(hooks);
}

/* Made here, as the child may not allocate. */
static int
hooks_command(struct tracer *tracer, char ***argv)
{
	struct hooks *hooks = (struct hooks *)tracer;
	size_t n = 0, to = 0;

	(void)argv;
	while (environ && environ[n])
		n++;
	hooks->environment = calloc(n + 2, sizeof(char *));
	if (!hooks->environment)
		return fail(ENOMEM, "hooks: no memory");
	for (size_t i = 0; i < n; i++)
		if (strncmp(environ[i], CHANNEL_VARIABLE "=",
			    sizeof(CHANNEL_VARIABLE)) != 0)
			hooks->environment[to++] = environ[i];
	hooks->environment[to] = hooks_pool_variable(hooks->pool);
	return 0;
}

static int
hooks_in_child(struct tracer *tracer)
{
	environ = ((struct hooks *)tracer)->environment;
	return 0;
}

static int
hooks_attach(struct tracer *tracer, pid_t pid)
{
	struct hooks *hooks = (struct hooks *)tracer;

	hooks->root = pid;
	hooks_pool_root(hooks->pool, pid);
	return 0;
}

static bool
hooks_status(const struct tracer *tracer, int *status)
{
	const struct hooks *hooks = (const struct hooks *)tracer;

	if (hooks->root_reaped)
		*status = hooks->root_status;
	return hooks->root_reaped;
}

static int
hooks_detach(struct tracer *tracer)
{
	struct hooks *hooks = (struct hooks *)tracer;

	hooks->detached = true;
	hooks->idles = 0;
	hooks_pool_stop(hooks->pool);
	return 0;
}

static const struct source_methods source_methods = {
	.next = hooks_next,
	.close = hooks_close,
};

static const struct tracer_methods tracer_methods = {
	.command = hooks_command,
	.in_child = hooks_in_child,
	.attach = hooks_attach,
	.status = hooks_status,
	.detach = hooks_detach,
};

static int
hooks_open(struct tracer **out, const struct tracer_setup *setup)
{
	struct hooks *hooks;
	int error;

	if (setup->pid)
		return fail(
			EOPNOTSUPP,
			"hooks: can't attach to process %d: its runtime looks for a recorder only when it starts",
			(int)setup->pid);
	hooks = calloc(1, sizeof(*hooks));
	if (!hooks)
		return fail(ENOMEM, "hooks: no memory");
	hooks->setup = *setup;
	hooks->tracer.source.methods = &source_methods;
	hooks->tracer.source.stream = setup->stream;
	hooks->tracer.tracing = &tracer_methods;
	keys_init(hooks);
	error = hooks_sites_init(&hooks->sites, setup->stream);
	if (!error)
		error = hooks_pool_open(&hooks->pool,
					setup->kinds & TRACER_FETCH,
					setup->no_follow);
	if (!error)
		error = hooks_processes_open(&hooks->processes, &hooks->setup);
	if (error) {
		hooks_close(&hooks->tracer.source);
		return error;
	}
	about_engine(
		setup->stream, "hooks",
		"each thread exactly; threads and processes by chunks of 1 MiB (61,440 accesses); only rebuilt code; fetches are function entries");
	*out = &hooks->tracer;
	return 0;
}

/* Programs open our memory by /proc/PID/fd. */
static int
hooks_probe(char *why, size_t why_bytes)
{
	if (!access("/proc/self/fd", X_OK))
		return 0;
	snprintf(why, why_bytes,
		 "/proc is not mounted: mount -t proc proc /proc");
	return -ENOENT;
}

const struct tracer_ops hooks_tracer = {
	.name = "hooks",
	.help = "loads and stores of programs built with `pagescope cc`, threads in parallel",
	.probe = hooks_probe,
	.open = hooks_open,
};
