/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A verb's part of the command line, parsed by its option rows in perf's
 * grammar: `--option value`, `--option=value`, unique beginnings, short keys,
 * `--x`, `--x=no` and `--no-x` for truth values, `--` ends options.
 */
#ifndef ANALYZER_COMMAND_LINE_H
#define ANALYZER_COMMAND_LINE_H

#include "analyzer/verb.h"

struct command_line {
	void *config; /* of ops->options, owned; NULL where that is NULL */
	int argc;     /* positional arguments */
	char **argv;  /* owned, its strings are not; ends with NULL */
	bool help;    /* --help or -h: the rest was not looked at */
};

/*
 * argv[0] is the verb.  Returns 0, or -EINVAL (said: a usage error) or -ENOMEM
 * (said); then there is nothing to fini.  Not reentrant (getopt).
 */
int command_line_init(struct command_line *line, const struct verb_ops *verb,
		      int argc, char **argv);
void command_line_fini(struct command_line *line, const struct verb_ops *verb);

/* The other name of a truth value: "no-x" for "x" and "x" for "no-x". */
void command_line_opposite(const char *name, char *text, size_t text_bytes);

#endif
