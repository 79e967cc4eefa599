/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What machines make of a source, as replay does it of a trace and run of a
 * program while it runs: the same options, the same result.
 */
#ifndef ANALYZER_REPLAY_H
#define ANALYZER_REPLAY_H

#include "analyzer/base.h"

#include <stdint.h>
#include <stdio.h>

#include "analyzer/option.h"
#include "analyzer/result.h"
#include "analyzer/source.h"
#include "analyzer/verb.h"

struct replay_config {
	char *input;
	char *output;
	char *cpu;
	char *by;
	char *config;
	char **machine;
	char **set;
	int64_t seed;
	int64_t jobs;
	uint64_t max_accesses, memory;
	int64_t explain_walks;
	bool recover, symbols;
	bool stored; /* no option: replay_open's source is no live one */
};

/* Its rows; the first ones are of the trace. */
#define REPLAY_TRACE_ROWS 2
extern const struct option_row replay_rows[];

struct machine_list;
struct machine_choice;
struct model;
struct symbols;

/* The machines that these options name; see machine_list_init. */
int replay_machines(struct machine_list *list,
		    const struct replay_config *config);

/* What one machine made of a source, all of it fed */
struct replay_parts {
	const struct machine_choice *choice;
	struct model *machine; /* NULL: has put its part there already */
	struct model *samples;
	struct symbols *symbols; /* NULL: without names of functions */
	struct source *source;
	const char *input; /* its name */
};

/* The result of that machine, replayed alone by this command line, to which
 * the reference is taken.  0 or a negative errno (said). */
int replay_fill(struct result *result, const struct replay_parts *parts,
		json_t *command);

struct replay;

/* Machines for a source, which stays the caller's and, unless config->stored,
 * is not finished yet; name: of what it is, for the result.  All: 0 or negative
 * errno (said). */
int replay_open(struct replay **out, const struct verb_call *call,
		const struct replay_config *config, struct source *source,
		const char *name);
/* One more model, once, which is fed with the machines and closed with them;
 * its results stay its own. */
struct model;
void replay_add(struct replay *replay, struct model *model);
/* 1: a bound has ended it before the source. */
int replay_feed(struct replay *replay);
/* The result itself, borrowed. */
struct result;
int replay_document(struct replay *replay, struct result **out);
/* The result, into the file of the options or as a report. */
int replay_finish(struct replay *replay, FILE *report);
bool replay_is_partial(const struct replay *replay);
/* NULL is allowed. */
void replay_close(struct replay *replay);

#endif
