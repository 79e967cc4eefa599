/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes of a recording by the Valgrind engine, and the tool's event
 * records as events of the stream.
 */
#ifndef TRACERS_VALGRIND_EVENTS_H
#define TRACERS_VALGRIND_EVENTS_H

#include "analyzer/batch.h"
#include "tracers/tracer.h"
#include "tracers/valgrind-code.h"
#include "tracers/valgrind-log.h"

struct valgrind_process {
	pid_t pid;
	uint32_t space, thread;
	uint32_t main_thread;
	bool started; /* has sent its first record */
	bool native;  /* exec'd what Valgrind can't run */
	bool exiting; /* has said so, or was found dead */
	bool ended;   /* its EVENT_EXIT is out; the entry is free */
	int status;   /* wait status, if exiting */
};

struct valgrind_events;

int valgrind_events_open(struct valgrind_events **out,
			 const struct tracer_setup *setup,
			 struct valgrind_code *code, struct valgrind_log *log);
void valgrind_events_close(struct valgrind_events *events);

/* The process that `pid` is now, added if it is new. -ENOMEM, -ENOSPC. */
int valgrind_process_get(struct valgrind_events *events, pid_t pid,
			 struct valgrind_process **process);
/* NULL if there is no such, or it has ended. */
struct valgrind_process *
valgrind_process_find(const struct valgrind_events *events, pid_t pid);
/* Entries by index, ended ones too; NULL behind the last. */
struct valgrind_process *
valgrind_process_at(const struct valgrind_events *events, size_t i);

enum valgrind_taken {
	EVENT_TAKEN,
	EVENT_CUT_BEFORE, /* not taken: hand out the batch, then again */
	EVENT_CUT_AFTER,  /* taken, and the batch must end here */
};

/*
 * Take the event record at the cursor, which moves behind it.  Returns enum
 * valgrind_taken or a negative errno (said).
 */
int valgrind_events_take(struct valgrind_events *events,
			 struct valgrind_process *process, struct batch *batch,
			 struct valgrind_cursor *cursor);

/* EVENT_EXIT of a process with its status, which ends it. */
void valgrind_process_exit(struct valgrind_events *events,
			   struct valgrind_process *process,
			   struct batch *batch);

#endif
