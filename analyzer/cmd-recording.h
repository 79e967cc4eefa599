/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command, or a running process, that is watched: tracers, merged into one
 * source.  Who asks for it feeds the source to models: record to a writer, run
 * to machines.
 *
 *	launch -> tracers -> merge -> source
 */
#ifndef ANALYZER_CMD_RECORDING_H
#define ANALYZER_CMD_RECORDING_H

#include "analyzer/base.h"

#include <pthread.h>
#include <signal.h>

#include "analyzer/record-options.h"
#include "analyzer/stream.h"
#include "analyzer/verb.h"
#include "tracers/engines.h"
#include "tracers/launch.h"

struct recording {
	/* To be set: */
	const struct verb_call *call; /* whose arguments are the command */
	const struct record_config *config;
	bool stdout_to_stderr; /* the command's */

	struct stream *stream;
	struct source *source;
	struct roster *roster;
	struct tracer *tracer[TRACERS_MAX]; /* the main engine first */
	size_t n_tracers;
	char **argv; /* of what is run: the command, or what runs it */
	struct launch launch;
	bool launched;
	uint64_t start_ns;

	/* The watcher sets stop, for a signal or when the time is over. */
	pthread_t watcher;
	bool watching;
	volatile sig_atomic_t stop, watched;

	bool wait_known;
	int wait_status;
	int exec_error;
};

/* Those that return an int: 0 or negative errno (said). */
/* The stream, the tracers and the source; the command is found. */
int recording_open(struct recording *recording);
/* What is known of it all becomes a part of the stream's description. */
void recording_describe(struct recording *recording);
/* Start the command or join the process. */
int recording_begin(struct recording *recording);
/* Feeding has ended before the source: let go, and read what is left. */
int recording_drain(struct recording *recording);
/* The command's end, for its status, and whether it could be run at all. */
void recording_wait(struct recording *recording);
/* Feeding failed; the command runs on, and its status is told at least. */
void recording_goes_on(struct recording *recording);
void recording_close(struct recording *recording);
/* Is something missing that was asked for? */
bool recording_lost(const struct recording *recording);
/* An exit status: the command's own, or what tells why there is none. */
int recording_status(const struct recording *recording, bool lost);

#endif
