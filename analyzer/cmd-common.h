/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What verbs that feed traces to models have in common (cmd-common.c). */
#ifndef ANALYZER_CMD_COMMON_H
#define ANALYZER_CMD_COMMON_H

#include "analyzer/result.h"
#include "analyzer/source.h"
#include "analyzer/verb.h"

#include <stdio.h>

/* The command line, without what does not change the result (-o, -j). */
json_t *common_command(const struct verb_call *call);

/* Provenance of the trace; the result is partial where that is. 0, -ENOMEM. */
int common_trace(struct result *result, struct source *source,
		 const char *name);

/* Threads beside the decoding one: --jobs, or for -1 the other processors. */
unsigned common_jobs(int64_t jobs);

/* Make each directory of the path that is not there yet.  0, -errno (said). */
int common_directories(const char *path);

struct render_setup;
/* Write the result as JSON, or print it to standard output where output is NULL;
 * it is closed.  STATUS_OK, STATUS_PARTIAL where it is, or an error (said). */
int common_show(struct result *result, const char *output,
		int (*print)(const struct result *result,
			     const struct render_setup *setup, FILE *file));

/* For option_each: echo a row of the effective options into a result. */
int common_option(void *result, const char *name, const struct option_row *row,
		  const void *start);

#endif
