// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tracing thread, the guardian's.  It alone makes ptrace calls; what it
 * learns goes into the queue.  It sleeps in waitpid, out of which a signal
 * wakes it when it is to detach.
 */
#include "tracers/cache-engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/fail.h"

#define OPTIONS                                                             \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | \
	 PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL)
#define OPTIONS_FOLLOW (OPTIONS | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK)

#define ROUNDS	     8 /* of work between looks at what the kernel tells */
#define ORPHAN_TURNS 8 /* of the loop between looks for the recorder */

uint64_t
cache_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool
has_ended(pid_t tid)
{
	char text[16] = "";

	return !target_status(tid, "State", text, sizeof(text)) ||
	       text[0] == 'Z' || text[0] == 'X';
}

static bool
traced_by_us(pid_t tid)
{
	char text[16] = "";

	return target_status(tid, "TracerPid", text, sizeof(text)) &&
	       strtol(text, NULL, 10) == getpid();
}

static int
seize(struct cache_engine *engine, pid_t pid, pid_t tid)
{
	struct cache_thread *thread;
	int error = target_seize(tid, engine->options);

	if (error && pid != tid && (error == -ESRCH || has_ended(tid)))
		return 0;
	if (error == -EPERM && has_ended(tid))
		return fail(ESRCH,
			    "cache: process %d, or its first thread, has ended",
			    (int)pid);
	/* Its creator's clone may have made it ours */
	if (error && !(error == -EPERM && traced_by_us(tid)))
		return target_seize_failed("cache", tid, error);
	thread = thread_add(engine, pid, tid);
	if (!thread)
		return -ENOMEM;
	thread->mode = engine->launched ? MODE_LAUNCH : MODE_NATIVE;
	thread->joining = true;
	engine->joining++;
	return roster_space(engine->setup.roster, pid, &thread->process->space);
}

static int
seize_new(void *context, pid_t pid, pid_t tid)
{
	struct cache_engine *engine = context;
	int error;

	if (thread_find(engine, tid))
		return 0;
	error = seize(engine, pid, tid);
	return error ? error : thread_find(engine, tid) != NULL;
}

/* All threads; again until there is no new one */
static int
seize_all(struct cache_engine *engine, pid_t pid)
{
	int got;

	do
		got = target_each_thread("cache", pid, seize_new, engine);
	while (got > 0);
	return got;
}

static void
attach(struct cache_engine *engine)
{
	int error;

	engine->attached_ns = cache_now_ns();
	engine->options = engine->setup.no_follow ? OPTIONS : OPTIONS_FOLLOW;
	engine->own_filters = remote_filters(getpid());
	error = engine->launched ? seize(engine, engine->root, engine->root)
				 : seize_all(engine, engine->root);

	pthread_mutex_lock(&engine->lock);
	engine->attached = true;
	engine->attach_error = error;
	pthread_cond_signal(&engine->changed);
	pthread_mutex_unlock(&engine->lock);
	engine->failed |= error < 0;
	engine->maps_wanted = !engine->launched;
}

/* Killed before it was told whose it is, and who would have told it as well */
static void
end_unknown(struct cache_thread *thread)
{
	thread->held = false;
	thread->mode = MODE_GONE;
	thread_resume(thread, PTRACE_CONT);
}

/* News of one thread */
static void
look_at(struct cache_engine *engine, pid_t tid, int status)
{
	struct cache_thread *thread = thread_find(engine, tid);

	if (!thread) {
		if (tid == engine->root && !WIFSTOPPED(status)) {
			engine->root_ended = true;
			engine->root_status = status;
			return;
		}
		/* A new one, before its parent's stop tells whose it is */
		if (WIFSTOPPED(status))
			thread = thread_add(engine, 0, tid);
		if (!thread)
			return;
	}
	if (WIFSTOPPED(status) && !thread->process) {
		if (status >> 16 == PTRACE_EVENT_EXIT) {
			end_unknown(thread);
			return;
		}
		thread->held = true;
		thread->status = status;
	} else if (WIFSTOPPED(status)) {
		thread_stopped(engine, thread, status);
		thread = thread_find(engine, tid);
		if (thread)
			thread_joined(engine, thread);
	} else {
		thread_ended(engine, thread, status);
	}
}

/* Those that a call inside has found ended, and new ones that are known now */
void
trace_look_at_held(struct cache_engine *engine)
{
	struct cache_thread *next;

	for (struct cache_thread *t = engine->threads; t; t = next) {
		next = t->next;
		if (!t->held || !t->process)
			continue;
		t->held = false;
		look_at(engine, t->tid, t->status);
		next = engine->threads;
	}
}

void
trace_look(struct cache_engine *engine, pid_t tid, int status)
{
	look_at(engine, tid, status);
	trace_look_at_held(engine);
}

static bool
over(const struct cache_engine *engine)
{
	if (engine->failed || engine->detached)
		return true;
	return !engine->threads && (!engine->root_untraced ||
				    engine->root_ended || !engine->launched);
}

/* Translate ahead; false: there is nothing to do */
static bool
work_ahead(struct cache_engine *engine)
{
	bool more = false;

	for (struct cache_process *p = engine->processes; p && !more;
	     p = p->next)
		more = p->shared && ahead_go_on(p->shared->code);
	return more;
}

/* What targets ask for comes first; false: it is time to sleep */
static bool
work(struct cache_engine *engine)
{
	bool more = true;

	for (unsigned i = 0; i < ROUNDS && more; i++)
		more = ask_answer(engine) || work_ahead(engine);
	if (!more)
		more = ask_await(engine);
	if (!more)
		ask_sleep(engine);
	return more;
}

static uint64_t
work_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void *
trace_run(void *argument)
{
	struct cache_engine *engine = argument;
	bool busy = false;
	unsigned turn = 0;
	int status;

	queue_tracer(engine->queue, engine->recorder);
	ask_open(engine);
	attach(engine);
	windows_open(engine);
	while (!over(engine)) {
		pid_t tid = waitpid(-1, &status, __WALL | (busy ? WNOHANG : 0));

		if (tid > 0)
			trace_look(engine, tid, status);
		else if (tid < 0 && errno == ECHILD)
			break;
		windows_look(engine);
		empty_full(engine);
		busy = tid > 0 || work(engine);
		/* Whoever ends it wakes us by a signal */
		if (engine->detaching ||
		    ((tid < 0 || ++turn % ORPHAN_TURNS == 0) &&
		     guard_orphaned(engine)))
			let_all_go(engine);
	}
	ask_sleep(engine);
	/* After an error too */
	if (engine->threads)
		let_all_go(engine);
	while (engine->threads)
		thread_remove(engine, engine->threads);
	records_event_put(engine);
	engine->counts.work_ns = work_ns();
	queue_end(engine->queue, engine->failed ? -EIO : 0);
	return NULL;
}
