/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Round a recording whose engine does not do it itself: what the kernel counts
 * of the host and the program's memory group (kernel-counts.h) at its beginning
 * and at its end, and then what all processes of the command used, as wait4
 * tells who waits for it: rusage.minflt, rusage.majflt, rusage.maxrss.
 */
#ifndef TRACERS_ENDS_H
#define TRACERS_ENDS_H

#include "analyzer/source.h"

#include <sys/types.h>

/* inner becomes the new source's own, and its stream is that.  0, -ENOMEM (said):
 * inner stays the caller's. */
int ends_open(struct source **out, struct source *inner);
/* The process that is recorded; launched: this one waits for its end. */
void ends_attach(struct source *source, pid_t pid, bool launched);

#endif
