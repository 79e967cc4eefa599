// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A process becomes known by its first chunk.  One that was forked by a known
 * process, or started by one through posix_spawn, is that one's fork.
 */
#include "tracers/hooks-process.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "tracers/hooks/channel.h"
#include "tracers/roster.h"

struct hooks_processes {
	const struct tracer_setup *setup;
	struct files *files;
	struct hooks_process **process; /* each owned: they never move */
	size_t n, room;
	struct hooks_changes before, after;
};

int
hooks_processes_open(struct hooks_processes **out,
		     const struct tracer_setup *setup)
{
	struct hooks_processes *processes = calloc(1, sizeof(*processes));
	int error;

	if (!processes)
		return fail(ENOMEM, "hooks: no memory");
	processes->setup = setup;
	error = files_open(&processes->files, setup->stream);
	if (error) {
		free(processes);
		return error;
	}
	*out = processes;
	return 0;
}

void
hooks_processes_close(struct hooks_processes *processes)
{
	if (!processes)
		return;
	for (size_t i = 0; i < processes->n; i++) {
		hooks_areas_fini(&processes->process[i]->areas);
		free(processes->process[i]->tid);
		free(processes->process[i]);
	}
	free(processes->process);
	free(processes->before.event);
	free(processes->after.event);
	files_close(processes->files);
	free(processes);
}

void
hooks_queue_fini(struct hooks_queue *queue)
{
	free(queue->event);
	*queue = (struct hooks_queue){ 0 };
}

/* A zeroed event at the end, or NULL: no memory (said) */
static struct event *
queue_add(struct hooks_queue *queue, uint32_t thread, uint32_t space,
	  enum event_type type)
{
	size_t room = 2 * queue->room + 64;
	struct hooks_event *all = queue->event;

	if (queue->at == queue->n)
		queue->at = queue->n = 0;
	if (queue->n == queue->room) {
		all = reallocarray(all, room, sizeof(*all));
		if (!all) {
			fail(ENOMEM, "hooks: no memory for events");
			return NULL;
		}
		queue->event = all;
		queue->room = room;
	}
	all = &all[queue->n++];
	*all = (struct hooks_event){
		.thread = thread,
		.space = space,
		.event = { .type = (uint8_t)type,
			   .file = UINT32_MAX,
			   .thread = thread },
	};
	return &all->event;
}

struct hooks_process *
hooks_process_at(const struct hooks_processes *processes, size_t i)
{
	return i < processes->n ? processes->process[i] : NULL;
}

static struct hooks_process *
process_find(const struct hooks_processes *processes, pid_t pid)
{
	for (size_t i = processes->n; i-- > 0;)
		if (processes->process[i]->pid == pid &&
		    !processes->process[i]->ended)
			return processes->process[i];
	return NULL;
}

static int
process_add(struct hooks_processes *processes, pid_t pid, uint32_t space,
	    struct hooks_process **out)
{
	size_t room = 2 * processes->room + 16;
	struct hooks_process **all = processes->process, *process;
	uint32_t thread;
	int error = roster_thread(processes->setup->roster, pid, pid, &thread);

	if (error)
		return error;
	if (processes->n == processes->room) {
		all = reallocarray(all, room, sizeof(struct hooks_process *));
		if (!all)
			return fail(ENOMEM, "hooks: no memory");
		processes->process = all;
		processes->room = room;
	}
	process = calloc(1, sizeof(*process));
	if (!process)
		return fail(ENOMEM, "hooks: no memory");
	all[processes->n++] = process;
	process->pid = pid;
	process->space = space;
	process->image = stream_space(processes->setup->stream, space)->image;
	process->thread = thread;
	*out = process;
	return 0;
}

/* A process that is new to us */
static int
process_meet(struct hooks_processes *processes, const struct hooks_chunk *chunk,
	     struct hooks_process **out, struct hooks_queue *queue)
{
	struct roster *roster = processes->setup->roster;
	struct hooks_process *parent = process_find(processes, chunk->parent);
	struct event *event;
	uint32_t space;
	int error =
		parent ? roster_fork(roster, chunk->parent, chunk->pid, &space)
		       : roster_space(roster, chunk->pid, &space);

	if (!error)
		error = process_add(processes, chunk->pid, space, out);
	if (error || !parent)
		return error;
	event = queue_add(queue, parent->thread, parent->space, EVENT_FORK);
	if (!event)
		return -ENOMEM;
	event->value = space;
	return hooks_areas_copy(&(*out)->areas, &parent->areas);
}

/* Its program, if its mappings tell */
static uint32_t
program_of(const struct hooks_chunk *chunk, struct files *files)
{
	uint32_t number = UINT32_MAX;
	const char *end = strchr(chunk->maps, '\n');
	const char *path = strchr(chunk->maps, '/');
	char name[4096];

	if (!path || !end || path > end || (size_t)(end - path) >= sizeof(name))
		return number;
	memcpy(name, path, (size_t)(end - path));
	name[end - path] = '\0';
	return files_number(files, name, 0, &number) ? UINT32_MAX : number;
}

static int
process_exec(struct hooks_processes *processes, struct hooks_process *process,
	     const struct hooks_chunk *chunk, struct hooks_queue *queue)
{
	uint32_t space;
	struct event *event;
	int error = roster_exec(processes->setup->roster, process->pid, &space);

	if (error)
		return error;
	event = queue_add(queue, process->thread, process->space, EVENT_EXEC);
	if (!event)
		return -ENOMEM;
	event->value = space;
	event->file = program_of(chunk, processes->files);
	process->space = space;
	process->image = stream_space(processes->setup->stream, space)->image;
	process->areas.n = 0;
	process->n_tids = 0;
	return 0;
}

static int
process_get(struct hooks_processes *processes, const struct hooks_chunk *chunk,
	    struct hooks_process **out, struct hooks_queue *queue)
{
	struct hooks_process *process = process_find(processes, chunk->pid);
	bool known = process != NULL, spawned;
	int error = 0;

	if (!known)
		error = process_meet(processes, chunk, &process, queue);
	if (error)
		return error;
	*out = process;
	spawned = !known && chunk->flags & CHANNEL_START &&
		  stream_space(processes->setup->stream, process->space)
				  ->parent != SPACE_NONE;
	if ((known && chunk->flags & CHANNEL_START) || spawned)
		error = process_exec(processes, process, chunk, queue);
	return error;
}

/* EVENT_THREAD the first time that a thread speaks */
static int
thread_meet(struct hooks_process *process, pid_t tid, uint32_t number,
	    struct hooks_queue *queue)
{
	size_t room = 2 * process->tids_room + 8;
	struct event *event;
	pid_t *all;

	for (size_t i = 0; i < process->n_tids; i++)
		if (process->tid[i] == tid)
			return 0;
	if (process->n_tids == process->tids_room) {
		all = reallocarray(process->tid, room, sizeof(*all));
		if (!all)
			return fail(ENOMEM, "hooks: no memory");
		process->tid = all;
		process->tids_room = room;
	}
	process->tid[process->n_tids++] = tid;
	if (tid == process->pid)
		return 0;
	event = queue_add(queue, process->thread, process->space, EVENT_THREAD);
	if (!event)
		return -ENOMEM;
	event->value = number;
	return 0;
}

static void
thread_forget(struct hooks_process *process, pid_t tid)
{
	for (size_t i = 0; i < process->n_tids; i++)
		if (process->tid[i] == tid)
			process->tid[i] = process->tid[--process->n_tids];
}

static int
queue_changes(struct hooks_queue *queue, uint32_t thread, uint32_t space,
	      const struct hooks_changes *changes)
{
	for (size_t i = 0; i < changes->n; i++) {
		struct event *event =
			queue_add(queue, thread, space, changes->event[i].type);

		if (!event)
			return -ENOMEM;
		*event = changes->event[i];
		event->thread = thread;
	}
	return 0;
}

/* What must be known of the mappings before and behind the chunk */
static int
queue_maps(struct hooks_processes *processes, struct hooks_process *process,
	   const struct hooks_chunk *chunk, uint32_t thread,
	   struct hooks_queue *before, struct hooks_queue *behind)
{
	int error = hooks_maps_tell(&process->areas, chunk->maps,
				    chunk->flags & CHANNEL_MAPS_CUT,
				    processes->files, &processes->before,
				    &processes->after);

	if (!error)
		error = queue_changes(before, thread, process->space,
				      &processes->before);
	if (!error)
		error = queue_changes(behind, thread, process->space,
				      &processes->after);
	return error;
}

int
hooks_process_chunk(struct hooks_processes *processes,
		    const struct hooks_chunk *chunk, struct hooks_process **out,
		    uint32_t *thread, struct hooks_queue *before,
		    struct hooks_queue *behind)
{
	struct hooks_process *process = NULL;
	struct event *event;
	int error = process_get(processes, chunk, &process, before);

	if (!error)
		error = roster_thread(processes->setup->roster, chunk->pid,
				      chunk->tid, thread);
	if (!error)
		error = thread_meet(process, chunk->tid, *thread, before);
	if (!error)
		error = queue_maps(processes, process, chunk, *thread, before,
				   behind);
	if (error)
		return error;
	if (chunk->lost) {
		event = queue_add(before, *thread, process->space, EVENT_LOST);
		if (!event)
			return -ENOMEM;
		event->value = chunk->lost;
	}
	if (chunk->flags & CHANNEL_END && chunk->tid != chunk->pid) {
		if (!queue_add(behind, *thread, process->space, EVENT_EXIT))
			return -ENOMEM;
		thread_forget(process, chunk->tid);
	}
	*out = process;
	return 0;
}

int
hooks_process_end(struct hooks_processes *processes,
		  struct hooks_process *process, int status,
		  struct hooks_queue *queue)
{
	struct event *event =
		queue_add(queue, process->thread, process->space, EVENT_EXIT);

	if (!event)
		return -ENOMEM;
	event->value = (uint64_t)status;
	event->flags = 1;
	process->ended = true;
	hooks_areas_fini(&process->areas);
	roster_exit(processes->setup->roster, process->pid);
	return 0;
}
