/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mappings of a live process, as /proc/PID/maps tells them.
 */
#ifndef TRACERS_MAPS_H
#define TRACERS_MAPS_H

#include "analyzer/batch.h"

#include <sys/types.h>

struct mapping_line {
	uint64_t start, end, offset, inode;
	uint16_t flags;	  /* enum map_flag, without MAP_FLAG_INITIAL */
	const char *path; /* "" if it has no name; owned by the reader */
};

/* A non-zero return of visit ends the reading and is returned. */
typedef int maps_visit(void *context, const struct mapping_line *line);
/* 0, what visit returned, or a negative errno (unsaid): no such process. */
int maps_each(pid_t pid, maps_visit *visit, void *context);

/* Parse one line of /proc/PID/maps, which is changed.  0 or -EINVAL (unsaid) */
int maps_parse(char *text, struct mapping_line *line);

#endif
