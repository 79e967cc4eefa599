/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A verb of the command line: `pagescope NAME ...`.  One analyzer/cmd-NAME.c
 * each, registered from VERBS in Makefile.am.  --help, the man page's option
 * list and the shell completion come from the rows.
 */
#ifndef ANALYZER_VERB_H
#define ANALYZER_VERB_H

#include "analyzer/option.h"

#include <signal.h>

enum exit_status {
	STATUS_OK = 0,
	STATUS_USAGE = 2,
	STATUS_PARTIAL = 3, /* done, but not all of it */
	STATUS_FAILED = 125,
	STATUS_NO_EXEC = 126,
	STATUS_NOT_FOUND = 127,
};

struct verb_call {
	const void *config; /* of ops->options */
	int argc;	    /* positional arguments, options taken out */
	char **argv;	    /* ends with NULL */
	/* Set once by SIGINT or SIGTERM; the second one kills us. */
	const volatile sig_atomic_t *stop;
	int full_argc; /* the whole command line as it was typed */
	char **full_argv;
};

/* Registries and names that --help and the man page of a verb list */
enum verb_list {
	LIST_TRACERS = 1,
	LIST_IMPORTERS = 2,
	LIST_MODELS = 4,
	LIST_TABLES = 8,
	LIST_VERBS = 16,
	LIST_PATTERNS = 32, /* of the generator */
	LIST_EXPORTERS = 64,
	LIST_PLOTS = 128,
	LIST_RENDERERS = 256,
};

struct verb_ops {
	const char *name;
	const char *help;      /* one line, no full stop */
	const char *arguments; /* "[-o FILE] TRACE": after "pagescope NAME" */
	/* For --help and man: paragraphs with an empty line between; lines
	 * that start with a blank are kept as they are. */
	const char *details;
	/* Lines for both: a command to try, or a remark that starts with #.
	 * Those that start with "pagescope" are run as tests in a directory
	 * with the files that tests/examples.sh makes. */
	const char *examples;
	unsigned lists; /* enum verb_list, or 0 */
	const struct option_tree *options;
	/* The first positional argument ends the options (record CMD ...). */
	bool command;
	/* Returns an exit status, or a negative errno, already said, which
	 * becomes STATUS_FAILED, but -EUSAGE STATUS_USAGE. */
	int (*run)(const struct verb_call *call);
};

extern const struct verb_ops *const verb_registry[];

#endif
