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

#include "analyzer/record-options.h"
#include "analyzer/source.h"
#include "analyzer/verb.h"

struct recording;

struct recording_setup {
	const struct verb_call *call; /* whose arguments are the command */
	const struct record_config *config;
	bool stdout_to_stderr; /* the command's */
};

/* Those that return an int: 0 or negative errno (said). */
/* The stream, the tracers and the source; the command is found.  The setup is
 * used on. */
int recording_open(struct recording **out, const struct recording_setup *setup);
/* The recording's. */
/* Were there times that nothing was told of?  Once the source has ended. */
bool recording_sampled(const struct recording *recording);
struct source *recording_source(const struct recording *recording);
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
/* It is known that the command could not be run. */
bool recording_not_run(const struct recording *recording);
/* Closes it (NULL is allowed); returns what the verb is to return after this
 * error (0: none; said): the command's own status, or what tells why there is
 * none, or STATUS_PARTIAL if something was lost, here or as the caller says. */
int recording_end(struct recording *recording, int error, bool lost);

#endif
