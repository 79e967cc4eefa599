/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this host lets us see, read from /proc and /sys, with the smallest fix
 * where it does not.
 */
#ifndef ANALYZER_HOST_H
#define ANALYZER_HOST_H

#include "analyzer/base.h"

enum finding_state {
	FINDING_FACT, /* neither good nor bad */
	FINDING_YES,
	FINDING_LIMITED,
	FINDING_NO,
};

struct finding {
	const char *name; /* "ptrace" */
	enum finding_state state;
	char text[256]; /* what was found */
	char fix[160];	/* the smallest fix, or "" */
};

#define HOST_FINDINGS_MAX 16

/*
 * Look at the host below `root` ("" is the host itself; a directory with
 * recorded files is for tests).  Returns the number of findings, of which
 * there are never more than HOST_FINDINGS_MAX.
 */
size_t host_look(const char *root, struct finding *findings);

/* Does this kernel map the shared zero page where a private anonymous page is
 * read before it is written?  Finding "zero page". */
bool host_has_zero_page(void);

#endif
