/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a command under the step engine and keeps all that it tells. */
#ifndef TESTS_STEP_WATCH_H
#define TESTS_STEP_WATCH_H

#include "analyzer/batch.h"

struct step_access {
	uint64_t pc, address;
	uint32_t size, kind, instructions;
	uint32_t thread, space;
};

struct step_event {
	struct event event;
	uint32_t thread, space;
	size_t position; /* among the accesses */
};

struct step_run {
	struct stream *stream;
	struct step_access *access;
	size_t n, size;
	struct step_event *event;
	size_t n_events, events_size;
	int status; /* wait status */
};

/* 0 or a negative errno; argv[0] is a path.  Close also what failed. */
int step_run(struct step_run *run, const char *engine, char **argv);
struct tracer_setup;
/* The same, with what a setup says beside stream, roster and stop. */
int step_run_setup(struct step_run *run, const char *engine, char **argv,
		   const struct tracer_setup *like);
void step_run_close(struct step_run *run);
/* Do both tell the same accesses?  A fetch that one tells in parts is the same
 * as one.  Else the first difference is told. */
bool step_run_same(const struct step_run *step, const struct step_run *cache,
		   char *why, size_t why_bytes);
/* Events of this type. */
size_t step_run_count(const struct step_run *run, enum event_type type);

#endif
