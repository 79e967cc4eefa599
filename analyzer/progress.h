/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line of progress on stderr, when that is a terminal: how far, how fast,
 * how long still.
 */
#ifndef ANALYZER_PROGRESS_H
#define ANALYZER_PROGRESS_H

#include "analyzer/base.h"

struct progress {
	const char *what; /* borrowed */
	int fd;		  /* -1: say nothing */
	uint64_t start_ns, shown_ns;
	bool shown;
};

/* what: "replay".  Says nothing when stderr is no terminal. */
void progress_init(struct progress *progress, const char *what);
/* For tests: write to this descriptor, terminal or not. */
void progress_init_fd(struct progress *progress, const char *what, int fd);

/*
 * Done so far of all (in any unit; all 0: unknown) and accesses so far.  Cheap
 * to call for each batch: redraws four times a second at most, and not in the
 * first half second.
 */
void progress_update(struct progress *progress, uint64_t done, uint64_t all,
		     uint64_t accesses);
/* Wipe the line, so that the next message starts a line of its own. */
void progress_fini(struct progress *progress);

/* The line itself: "replay  42 %  120.5 M accesses  98.1 M/s  0:12 left".
 * elapsed_ns may be 0.  Returns the length as snprintf would. */
int progress_text(const char *what, uint64_t done, uint64_t all,
		  uint64_t accesses, uint64_t elapsed_ns, char *text,
		  size_t text_bytes);

#endif
