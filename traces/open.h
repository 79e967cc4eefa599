/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One way to open whatever a verb is given to read: a .pst trace, a generator
 * or a foreign trace.
 */
#ifndef TRACES_OPEN_H
#define TRACES_OPEN_H

#include "analyzer/source.h"

enum open_kind {
	OPEN_PST,
	OPEN_GENERATE,
	OPEN_FOREIGN
};

/*
 * What is this name?  "-" is a .pst on standard input, "generate:..." a
 * generator, a file that begins like a .pst is one, all else is foreign.
 */
enum open_kind source_kind(const char *name);

/* Is `output` the regular file that `input` is, so that writing would destroy
 * what is to be read? */
bool source_is_file(const char *input, const char *output);

/*
 * Open it.  A foreign file's format is recognised, with its default options
 * (`import` sets them).  recover: see pst_reader_open.  0 or a negative errno
 * (said).
 */
int source_open(struct source **out, const char *name, bool recover);

#endif
