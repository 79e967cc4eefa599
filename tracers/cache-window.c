// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sampling: windows that are recorded, between them the target runs its own
 * code, seen only when it makes threads and processes.
 *
 *	on:  in the cache    off: native ("away")
 *
 * To change over all threads are called into their own state.  One that is in
 * the kernel for long comes late: it has a stop to come before it can run
 * anything, and goes on by what is then (windows_pass).  What became of
 * mappings meanwhile is told from /proc/PID/maps, before and after, and so is
 * what of the translated code may have changed.
 */
#include "tracers/cache-engine.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GATHER_NS      UINT64_C(50000000) /* one in vfork can't come */
#define GATHER_MOST_NS UINT64_C(2000000000)
#define RATE_NS	       UINT64_C(5000000) /* how long windows of --rate are */
#define AGAIN_NS       1000000 /* a signal just before waitpid is lost */

bool
thread_must_park(const struct cache_engine *engine)
{
	return engine->parking || engine->window.gathering;
}

bool
thread_must_leave(const struct cache_engine *engine)
{
	return thread_must_park(engine) || engine->window.away;
}

static void
set_timer(struct cache_engine *engine, uint64_t ns)
{
	const struct itimerspec at = {
		.it_value = { (time_t)(ns / 1000000000),
			      (long int)(ns % 1000000000) },
		.it_interval = { 0, AGAIN_NS },
	};

	syscall(SYS_timer_settime, engine->window.timer, 0, &at, NULL);
}

void
windows_open(struct cache_engine *engine)
{
	struct cache_window *window = &engine->window;
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
				  .sigev_signo = SIGALRM };

	window->on_ns = engine->setup.on_ns;
	if (engine->setup.rate)
		window->on_ns = RATE_NS;
	if (!window->on_ns)
		return;
	event._sigev_un._tid = gettid();
	if (syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &window->timer))
		window->on_ns = 0;
}

void
windows_start(struct cache_engine *engine)
{
	struct cache_window *window = &engine->window;
	uint64_t first = engine->setup.first_ns;

	if (!window->on_ns || window->until_ns)
		return;
	if (!first)
		first = window->on_ns;
	window->began_ns = cache_now_ns();
	window->until_ns = window->began_ns + first;
	set_timer(engine, first);
}

static bool
comes(const struct cache_thread *thread)
{
	return thread->process && !thread->parked && !thread->quiet &&
	       thread->mode != MODE_LAUNCH && thread->mode != MODE_GONE;
}

/* Interrupt those who are still to come; false: there are none */
static bool
call_in(struct cache_engine *engine)
{
	bool any = false;

	for (struct cache_thread *t = engine->threads; t; t = t->next) {
		if (!comes(t))
			continue;
		any = true;
		if (t->interrupted || t->held)
			continue;
		t->interrupted = true;
		ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL);
	}
	return any;
}

/* Does one of them only wait for a processor, or for us?  Not those that sleep
 * in the kernel, whatever comes: in vfork, or for a disk. */
static bool
any_on_its_way(const struct cache_engine *engine)
{
	char text[16];

	for (const struct cache_thread *t = engine->threads; t; t = t->next) {
		text[0] = 'X';
		if (comes(t))
			target_status(t->tid, "State", text, sizeof(text));
		if (text[0] != 'D' && text[0] != 'Z' && text[0] != 'X')
			return true;
	}
	return false;
}

/* All threads stopped in their own state, those that can.  Signals of the timer
 * end waitpid. */
static void
gather(struct cache_engine *engine)
{
	uint64_t start = cache_now_ns();
	int status;

	engine->window.gathering = true;
	while (call_in(engine)) {
		uint64_t past = cache_now_ns() - start;
		pid_t tid;

		if (past > GATHER_MOST_NS ||
		    (past > GATHER_NS && !any_on_its_way(engine)))
			break;
		tid = waitpid(-1, &status, __WALL);
		if (tid > 0)
			trace_look(engine, tid, status);
		else if (errno == ECHILD)
			break;
		trace_look_at_held(engine);
	}
	engine->window.gathering = false;
}

static void
release(struct cache_engine *engine)
{
	struct cache_thread *next;

	for (struct cache_thread *t = engine->threads; t; t = next) {
		next = t->next;
		if (!t->parked)
			continue;
		t->parked = false;
		thread_go(engine, t);
		/* Going on may have removed any of them */
		next = engine->threads;
	}
}

static int
keep_line(void *context, const struct mapping_line *line)
{
	struct cache_process *process = context;
	struct cache_mapping *table = process->mapping;

	if (line->start >> 47)
		return 0;
	if (!(process->n_mappings & (process->n_mappings + 1))) {
		table = reallocarray(table, 2 * process->n_mappings + 2,
				     sizeof(*table));
		if (!table)
			return 1;
		process->mapping = table;
	}
	table[process->n_mappings++] =
		(struct cache_mapping){ line->start, line->end, line->offset,
					line->inode, line->flags };
	return 0;
}

static void
keep_maps(struct cache_process *process)
{
	process->away = true;
	process->n_mappings = 0;
	maps_each(process->pid, keep_line, process);
}

void
windows_begin(struct cache_engine *engine, struct cache_process *process)
{
	process->away = false;
	if (engine->window.away)
		keep_maps(process);
}

void
windows_inherit(struct cache_engine *engine, struct cache_process *process,
		const struct cache_process *parent)
{
	size_t n = parent->n_mappings;

	process->away = parent->away;
	if (!parent->away || !n)
		return;
	guard_free(engine, process->mapping);
	process->mapping =
		guard_allocate(engine, (2 * n + 2) * sizeof(*process->mapping));
	if (!process->mapping)
		return;
	memcpy(process->mapping, parent->mapping,
	       n * sizeof(*process->mapping));
	process->n_mappings = n;
}

/* What has become of the mappings of a process */
struct change {
	struct target target;
	struct cache_process *process;
	size_t next;   /* old mapping */
	uint64_t done; /* up to here */
};

static void
changed(struct change *change, enum event_type type, uint64_t start,
	uint64_t end, const struct mapping_line *line)
{
	struct cache_process *process = change->process;
	struct mapping_line cut;
	struct event *event;

	if (process->shared)
		protect_changed(process->shared, start, end, true);
	if (type == EVENT_MAP) {
		cut = *line;
		cut.offset += start - cut.start;
		cut.start = start;
		cut.end = end;
		target_map_event(&change->target, &cut, 0);
		return;
	}
	event = change->target.event(change->target.context, type);
	event->address = start;
	event->length = end - start;
	if (line)
		event->flags = line->flags &
			       (MAP_FLAG_READ | MAP_FLAG_WRITE | MAP_FLAG_EXEC);
}

/* The old mapping that ends behind `done`, or NULL */
static const struct cache_mapping *
old_mapping(struct change *change)
{
	const struct cache_process *process = change->process;

	while (change->next < process->n_mappings &&
	       process->mapping[change->next].end <= change->done)
		change->next++;
	return change->next < process->n_mappings
		       ? &process->mapping[change->next]
		       : NULL;
}

static void
unmapped_up_to(struct change *change, uint64_t end)
{
	const struct cache_mapping *old;

	while (change->done < end && (old = old_mapping(change)) &&
	       old->start < end) {
		uint64_t from =
			old->start > change->done ? old->start : change->done;
		uint64_t to = old->end < end ? old->end : end;

		changed(change, EVENT_UNMAP, from, to, NULL);
		change->done = to;
	}
	change->done = end;
}

#define PRIVATE(entry) \
	((entry) >> 62 && !((entry) >> 61 & 1)) /* here or swapped, no file's */
#define ENTRIES 512

/*
 * Which code may be other code now, though its mapping is the same?  Of a
 * file's private pages those that were written: they are the file's no more
 * (Documentation/admin-guide/mm/pagemap.rst).
 */
static void
code_changed(const struct cache_process *process,
	     const struct mapping_line *line, uint64_t start, uint64_t end)
{
	uint64_t entry[ENTRIES];
	char path[64];
	int fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)process->pid);
	if (line->flags & MAP_FLAG_FILE && !(line->flags & MAP_FLAG_SHARED))
		fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && start < end) {
		uint64_t n = (end - start) / 4096, i;

		n = n < ENTRIES ? n : ENTRIES;
		if (pread(fd, entry, n * 8, (off_t)(start / 4096 * 8)) !=
		    (ssize_t)(n * 8))
			break;
		for (i = 0; i < n; i++)
			if (PRIVATE(entry[i]))
				protect_changed(process->shared,
						start + i * 4096,
						start + (i + 1) * 4096, true);
		start += n * 4096;
	}
	if (fd >= 0)
		close(fd);
	if (start < end)
		protect_changed(process->shared, start, end, true);
}

static void
compare(struct change *change, const struct cache_mapping *old,
	const struct mapping_line *line, uint64_t end)
{
	const uint16_t rights = MAP_FLAG_READ | MAP_FLAG_WRITE | MAP_FLAG_EXEC;
	uint64_t start = change->done;
	bool anonymous = !(line->flags & MAP_FLAG_FILE);

	if (old->inode != line->inode || (old->flags ^ line->flags) & ~rights ||
	    (!anonymous &&
	     old->offset - old->start != line->offset - line->start))
		changed(change, EVENT_MAP, start, end, line);
	else if (old->flags != line->flags)
		changed(change, EVENT_PROTECT, start, end, line);
	else if (line->flags & MAP_FLAG_EXEC && change->process->shared)
		/* It may have been written anew, with its rights changed
		 * there and back */
		code_changed(change->process, line, start, end);
}

static int
compare_line(void *context, const struct mapping_line *line)
{
	struct change *change = context;

	if (line->start >> 47)
		return 0;
	unmapped_up_to(change, line->start);
	while (change->done < line->end) {
		const struct cache_mapping *old = old_mapping(change);
		uint64_t end = line->end;

		if (!old || old->start >= end) {
			changed(change, EVENT_MAP, change->done, end, line);
		} else if (old->start > change->done) {
			end = old->start;
			changed(change, EVENT_MAP, change->done, end, line);
		} else {
			end = old->end < end ? old->end : end;
			compare(change, old, line, end);
		}
		change->done = end;
	}
	if (line->flags & MAP_FLAG_HEAP)
		change->process->memory.brk = line->end;
	return 0;
}

/* One to make calls in */
static struct cache_thread *
one_of(const struct cache_engine *engine, const struct cache_process *process)
{
	struct cache_thread *found = NULL;

	for (struct cache_thread *t = engine->threads; t; t = t->next) {
		if (t->process != process || !t->parked)
			continue;
		if (!t->signal && !call_was_interrupted(&t->registers))
			return t;
		if (!found || found->signal)
			found = t;
	}
	return found;
}

static void
mark(struct cache_engine *engine, struct cache_thread *thread, const char *name)
{
	struct event *event = records_event(engine, thread, EVENT_MARK);

	engine->failed |=
		files_number(engine->files, name, 0, &event->file) < 0;
	records_event_put(engine);
}

static void
tell_changes(struct cache_engine *engine, struct cache_thread *thread)
{
	struct change change = { .target = target_of(engine, thread),
				 .process = thread->process };

	maps_each(thread->process->pid, compare_line, &change);
	unmapped_up_to(&change, UINT64_C(1) << 47);
	records_event_put(engine);
	engine->failed |= change.target.failed;
}

/* The kernel fails calls that write to what we withhold, and nobody looks at
 * them now */
static void
give_back(struct cache_thread *thread)
{
	const struct cache_space *space = thread->process->shared;

	if (!space || !space->n_protected)
		return;
	thread->called = false;
	remote_prepare(thread);
	protect_allow_all(thread);
	remote_finish(thread);
}

void
windows_pass(struct cache_engine *engine, struct cache_thread *thread)
{
	struct cache_process *process = thread->process;

	if (process->away == engine->window.away || engine->orphaned)
		return;
	if (engine->window.away) {
		process->from_exec &= process->rseq_refused;
		give_back(thread);
		keep_maps(process);
		mark(engine, thread, "[not recorded from here on]");
	} else {
		process->away = false;
		if (process->n_mappings)
			tell_changes(engine, thread);
		else if (process->shared)
			protect_changed(process->shared, 0, UINT64_C(1) << 47,
					true);
		mark(engine, thread, "[recorded from here on]");
	}
}

static void
change_over(struct cache_engine *engine, bool away)
{
	gather(engine);
	if (away)
		engine->window.left_ns = cache_now_ns();
	else
		engine->window.away_ns +=
			cache_now_ns() - engine->window.left_ns;
	engine->window.away = away;
	for (struct cache_process *p = engine->processes; p; p = p->next) {
		struct cache_thread *thread = one_of(engine, p);

		if (thread)
			windows_pass(engine, thread);
	}
	release(engine);
}

/* May the next window begin, by the rate? */
static bool
is_allowed(const struct cache_engine *engine, uint64_t now)
{
	double seconds = (double)(now - engine->window.began_ns) / 1e9;
	uint64_t n = __atomic_load_n(&engine->delivered, __ATOMIC_RELAXED);

	return (double)n <= seconds * (double)engine->setup.rate;
}

void
windows_look(struct cache_engine *engine)
{
	struct cache_window *window = &engine->window;
	uint64_t now, length;

	if (!window->until_ns || engine->detaching)
		return;
	now = cache_now_ns();
	if (now < window->until_ns)
		return;
	if (window->away && engine->setup.rate && !is_allowed(engine, now)) {
		window->until_ns = now + AGAIN_NS;
		return;
	}
	change_over(engine, !window->away);
	length = !window->away	      ? window->on_ns
		 : engine->setup.rate ? AGAIN_NS
				      : engine->setup.off_ns;
	window->until_ns = cache_now_ns() + length;
	set_timer(engine, length);
}
