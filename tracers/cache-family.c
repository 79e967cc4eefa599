// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Threads and processes.  A forked child has none of the shared memory
 * (MADV_DONTFORK) and is set up anew when it first goes on; one that shares
 * its parent's memory (vfork) uses its parent's cache until it execs.
 */
#include "tracers/cache-engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "tracers/about.h"
#include "tracers/initial.h"

#define CODE_32_BIT	  0x23 /* code segment of 32-bit programs */
#define CLONE_VM_FLAG	  0x100u
#define CLONE_THREAD_FLAG 0x10000u

struct cache_thread *
thread_find(const struct cache_engine *engine, pid_t tid)
{
	struct cache_thread *thread = engine->threads;

	while (thread && thread->tid != tid)
		thread = thread->next;
	return thread;
}

static struct cache_process *
find_process(struct cache_engine *engine, pid_t pid)
{
	struct cache_process *process = engine->processes;

	while (process && process->pid != pid)
		process = process->next;
	if (process)
		return process;
	process = guard_allocate(engine, sizeof(*process));
	if (!process)
		return NULL;
	process->pid = pid;
	process->next = engine->processes;
	engine->processes = process;
	return process;
}

struct cache_thread *
thread_add(struct cache_engine *engine, pid_t pid, pid_t tid)
{
	struct cache_thread *thread = thread_find(engine, tid);

	if (!thread) {
		thread = guard_allocate(engine, sizeof(*thread));
		if (!thread)
			goto no_memory;
		thread->tid = tid;
		thread->engine = engine;
		thread->area = -1;
		thread->mode = MODE_NATIVE;
		thread->next = engine->threads;
		engine->threads = thread;
	}
	if (pid && !thread->process) {
		thread->process = find_process(engine, pid);
		if (!thread->process)
			goto no_memory;
		thread->process->threads++;
		if (!engine->orphaned &&
		    roster_thread(engine->setup.roster, pid, tid,
				  &thread->thread))
			engine->failed = true;
	}
	return thread;
no_memory:
	fail(ENOMEM, "cache: no memory for threads");
	engine->failed = true;
	return NULL;
}

/* Nobody uses it any more; its records are expanded first */
static void
drop_space(struct cache_engine *engine, struct cache_space *space)
{
	struct cache_segment segment = { .kind = SEGMENT_CLOSE,
					 .close = space_close,
					 .what = space };

	if (space->users)
		return;
	for (struct cache_process *p = engine->processes; p; p = p->next)
		if (p->shared == space)
			p->shared = NULL;
	queue_put(engine->queue, &segment);
}

/* The last user of a space takes it along */
static void
leave_space(struct cache_engine *engine, struct cache_thread *thread)
{
	struct cache_space *space =
		thread->process ? thread->process->shared : NULL;

	if (!space || thread->area < 0)
		return;
	records_flush(engine, thread);
	space_leave(space, thread);
	drop_space(engine, space);
}

void
thread_remove(struct cache_engine *engine, struct cache_thread *thread)
{
	struct cache_process *process = thread->process;
	struct cache_process **link = &engine->processes;

	records_event_put(engine);
	thread_joined(engine, thread);
	leave_space(engine, thread);
	for (struct cache_thread **t = &engine->threads; *t; t = &(*t)->next)
		if (*t == thread) {
			*t = thread->next;
			break;
		}
	guard_free(engine, thread);
	if (!process || --process->threads)
		return;
	if (!engine->orphaned)
		roster_exit(engine->setup.roster, process->pid);
	while (*link != process)
		link = &(*link)->next;
	*link = process->next;
	guard_free(engine, process->mapping);
	guard_free(engine, process);
}

void
thread_ended(struct cache_engine *engine, struct cache_thread *thread,
	     int status)
{
	struct event *event;

	if (thread->process) {
		event = records_event(engine, thread, EVENT_EXIT);
		event->value = (uint32_t)status;
		event->flags = thread->process->threads == 1;
	}
	if (thread->tid == engine->root) {
		engine->root_ended = true;
		engine->root_status = status;
	}
	thread_remove(engine, thread);
}

static void
initial_maps(struct cache_engine *engine, struct cache_thread *thread)
{
	struct target target = target_of(engine, thread);

	engine->maps_wanted = false;
	target_initial_maps(&target);
	initial_pages(&target, false);
	records_event_put(engine);
	counts_tell(engine, thread, COUNTER_START);
}

/* Its space and area; what forbids them is the process's, or the thread's */
static int
make_room(struct cache_engine *engine, struct cache_thread *thread)
{
	struct cache_process *process = thread->process;
	int error = 0;

	if (process->refused) {
		thread->refused = process->refused;
		return 0;
	}
	thread->refused = thread_refused(thread);
	if (thread->refused)
		return 0;
	if (!process->shared) {
		error = space_open(&process->shared, engine, thread);
		if (error && error != -ESRCH)
			process->refused = refusal_of(error);
	}
	if (!error) {
		error = space_join(process->shared, thread);
		if (error && error != -ESRCH && !process->shared->users)
			space_unmap(process->shared, thread);
		if (error)
			drop_space(engine, process->shared);
	}
	if (error && error != -ESRCH)
		thread->refused = refusal_of(error);
	return error == -ESRCH ? error : 0;
}

int
family_prepare(struct cache_engine *engine, struct cache_thread *thread)
{
	int error = 0;

	if (engine->maps_wanted && thread->process->pid == engine->root)
		initial_maps(engine, thread);
	if (thread->refused == REFUSED_SEGMENT)
		thread->refused = REFUSED_NOT;
	if (thread->area < 0 && !thread->refused)
		error = make_room(engine, thread);
	else if (!thread->refused)
		thread->refused = thread_refused(thread);
	if (!error && thread->refused)
		refusal_say(engine, thread, thread->refused);
	return error;
}

static uint64_t
clone_flags(const struct cache_thread *thread, int event)
{
	uint64_t flags = 0;

	if (thread->call.number == SYS_clone)
		return thread->call.argument[0];
	if (thread->call.number == SYS_clone3) {
		target_read(thread->tid, thread->call.argument[0], &flags,
			    sizeof(flags));
		return flags;
	}
	return event == PTRACE_EVENT_VFORK ? CLONE_VM_FLAG : 0;
}

static void
fork_process(struct cache_engine *engine, struct cache_thread *parent,
	     pid_t pid, bool shares)
{
	struct cache_thread *child = thread_add(engine, pid, pid);
	struct cache_process *process;
	int error;

	if (!child)
		return;
	process = child->process;
	if (shares) {
		process->shared = parent->process->shared;
		process->refused = parent->process->refused;
	}
	if (engine->orphaned) {
		error = 0;
	} else if (shares) {
		error = roster_share(engine->setup.roster, parent->process->pid,
				     pid, &process->space);
	} else {
		error = roster_fork(engine->setup.roster, parent->process->pid,
				    pid, &process->space);
		records_event(engine, parent, EVENT_FORK)->value =
			process->space;
	}
	engine->failed |= error < 0;
	process->memory = parent->process->memory;
	process->from_exec = parent->process->from_exec;
	process->rseq_refused = parent->process->rseq_refused;
	windows_inherit(engine, process, parent->process);
	process->ignored = parent->process->ignored;
}

void
family_forked(struct cache_engine *engine, struct cache_thread *thread,
	      int event)
{
	uint64_t flags = clone_flags(thread, event);
	unsigned long int new = 0;
	struct cache_thread *child;

	if (ptrace(PTRACE_GETEVENTMSG, thread->tid, NULL, &new))
		return;
	if (flags & CLONE_THREAD_FLAG)
		thread_add(engine, thread->process->pid, (pid_t) new);
	else
		fork_process(engine, thread, (pid_t) new,
			     flags & CLONE_VM_FLAG);
	child = thread_find(engine, (pid_t) new);
	if (!child)
		return;
	records_event(engine, thread, EVENT_THREAD)->value = child->thread;
	records_event_put(engine);
}

/* All threads of the process but the caller are gone; it has the leader's id
 * now */
static void
only_thread(struct cache_engine *engine, struct cache_thread *thread)
{
	struct cache_thread *next;

	for (struct cache_thread *t = engine->threads; t; t = next) {
		next = t->next;
		if (t == thread || t->process != thread->process)
			continue;
		records_event(engine, t, EVENT_EXIT);
		thread_remove(engine, t);
	}
}

static void
let_go_of_32_bit(struct cache_engine *engine, struct cache_thread *thread)
{
	pid_t pid = thread->process->pid;

	warn("cache: process %d has exec'd a 32-bit program: it goes on unrecorded",
	     (int)pid);
	records_lost(engine, "a 32-bit program was exec'd");
	if (pid == engine->root)
		engine->root_untraced = true;
	ptrace(PTRACE_DETACH, thread->tid, NULL, NULL);
	thread_remove(engine, thread);
}

/* The new program, told */
static void
tell_exec(struct cache_engine *engine, struct cache_thread *thread)
{
	struct cache_process *process = thread->process;
	struct event *event;
	char path[64], program[4096];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/exe", (int)process->pid);
	n = readlink(path, program, sizeof(program) - 1);
	program[n < 0 ? 0 : n] = '\0';
	event = records_event(engine, thread, EVENT_EXEC);
	engine->failed |=
		files_number(engine->files, program, 0, &event->file) < 0;
	engine->failed |= roster_exec(engine->setup.roster, process->pid,
				      &process->space) < 0;
	event->value = process->space;
	records_event_put(engine);
}

void
family_execed(struct cache_engine *engine, struct cache_thread *thread)
{
	struct cache_process *process = thread->process;
	struct target target;

	only_thread(engine, thread);
	if (!engine->orphaned)
		tell_exec(engine, thread);
	leave_space(engine, thread);
	process->shared = NULL;
	process->refused = thread->refused = REFUSED_NOT;
	process->from_exec = !engine->window.away;
	process->rseq_refused = false;
	process->memory = (struct syscall_memory){ 0 };
	process->ignored |=
		target_signal_set(thread->tid, "SigIgn") & TRACED_SIGNALS;
	if (thread->registers.cs == CODE_32_BIT) {
		let_go_of_32_bit(engine, thread);
		return;
	}
	target = target_of(engine, thread);
	if (!engine->orphaned) {
		target_initial_maps(&target);
		initial_pages(&target, true);
	}
	records_event_put(engine);
	counts_tell(engine, thread, COUNTER_START);
	windows_begin(engine, process);
	thread->mode = MODE_CALL;
	thread->in_call = true;
	thread->call.number = SYS_execve;
	thread_resume(thread, PTRACE_SYSCALL);
}
