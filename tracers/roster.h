/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is who in a recording: all its engines number threads and address
 * spaces alike, by pid and tid.
 */
#ifndef TRACERS_ROSTER_H
#define TRACERS_ROSTER_H

#include "analyzer/stream.h"

#include <sys/types.h>

struct roster;

int roster_open(struct roster **out, struct stream *stream);
void roster_close(struct roster *roster);

/* Thread number of (pid, tid), added when new.  0, -ENOMEM, -ENOSPC. */
int roster_thread(struct roster *roster, pid_t pid, pid_t tid,
		  uint32_t *number);

/* The space that pid runs in now, added (parent SPACE_NONE, new image) when
 * pid is new. */
int roster_space(struct roster *roster, pid_t pid, uint32_t *number);
/* The same, but false where pid is new. */
bool roster_space_known(struct roster *roster, pid_t pid, uint32_t *number);
/* pid was forked from parent: a new space with the parent's image. */
int roster_fork(struct roster *roster, pid_t parent, pid_t pid,
		uint32_t *number);
/* pid runs in parent's very space until it execs (vfork, CLONE_VM). */
int roster_share(struct roster *roster, pid_t parent, pid_t pid,
		 uint32_t *number);
/* pid has exec'd: a new, empty space with a new image. */
int roster_exec(struct roster *roster, pid_t pid, uint32_t *number);
/* pid has ended; the number may come back as another process. */
void roster_exit(struct roster *roster, pid_t pid);

#endif
