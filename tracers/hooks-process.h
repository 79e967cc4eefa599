/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hooked processes: what their chunks say about forks, execs, threads and
 * mappings, as events that go before or behind the accesses of a chunk.
 */
#ifndef TRACERS_HOOKS_PROCESS_H
#define TRACERS_HOOKS_PROCESS_H

#include "tracers/hooks-maps.h"
#include "tracers/hooks-pool.h"
#include "tracers/tracer.h"

struct hooks_process {
	pid_t pid;
	uint32_t space, thread; /* thread: its first one's number */
	uint16_t image;
	bool dead;  /* what it left is committed */
	bool ended; /* its exit is queued */
	struct hooks_areas areas;
	pid_t *tid; /* owned: those that were announced */
	size_t n_tids, tids_room;
};

/* Events in order, each with whose they are */
struct hooks_event {
	uint32_t thread, space;
	struct event event;
};

struct hooks_queue {
	struct hooks_event *event; /* owned */
	size_t n, at, room;
};

struct hooks_processes;

int hooks_processes_open(struct hooks_processes **out,
			 const struct tracer_setup *setup);
void hooks_processes_close(struct hooks_processes *processes);

/* By index, ended ones too; NULL behind the last. */
struct hooks_process *hooks_process_at(const struct hooks_processes *processes,
				       size_t i);

/*
 * Whose chunk this is: the process, the number of its thread, and the events
 * before and behind its accesses.  0 or a negative errno (said).
 */
int hooks_process_chunk(struct hooks_processes *processes,
			const struct hooks_chunk *chunk,
			struct hooks_process **process, uint32_t *thread,
			struct hooks_queue *before, struct hooks_queue *behind);

/* It is no more: queue its exit with this wait status. */
int hooks_process_end(struct hooks_processes *processes,
		      struct hooks_process *process, int status,
		      struct hooks_queue *queue);

void hooks_queue_fini(struct hooks_queue *queue);

#endif
