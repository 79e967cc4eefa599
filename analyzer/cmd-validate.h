/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two halves of the verb validate: counts, and runtime. */
#ifndef ANALYZER_CMD_VALIDATE_H
#define ANALYZER_CMD_VALIDATE_H

#include "analyzer/verb.h"

struct validate_config {
	char *input, *output, *trace, *engine, *cpu, *config;
	char **set;
	bool runtime, allow_huge;
	int64_t repeat;
};

struct validate {
	const struct verb_call *call;
	const struct validate_config *config;
	char trace[64], result[64]; /* our own files; "": none */
	const char *input;
};

/* Both: 0 or a negative errno (said).  An empty file in TMPDIR. */
int validate_own_file(char path[64], const char *what);
/* Record the command into validate->input.  Also a status. */
int validate_record(struct validate *validate, const char *engine);

/* validate --runtime -- CMD: a status, or a negative errno (said). */
int validate_runtime(struct validate *validate);

#endif
