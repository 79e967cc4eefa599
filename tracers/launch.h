/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting the command to be recorded: it is forked, waits until the tracers
 * are attached, and execs.  A failing exec is told through a pipe.
 */
#ifndef TRACERS_LAUNCH_H
#define TRACERS_LAUNCH_H

#include "analyzer/base.h"

#include <sys/types.h>

struct launch {
	pid_t pid;
	int go;	     /* our end of the pipe that the child waits on */
	int trouble; /* our end of the pipe that tells a failed exec */
};

struct launch_setup {
	char **argv;
	bool stdout_to_stderr; /* our stdout carries the trace */
	/* In the child before it waits: async-signal-safe; may be NULL */
	int (*in_child)(void *context);
	void *context;
};

/* Full path of a command as exec would find it, or what is wrong with it:
 * -ENOENT, -EACCES (unsaid). */
int launch_find(const char *command, char *path, size_t path_bytes);

/* Is it a script without an interpreter?  0, or a negative errno (said) */
int launch_check(const char *path);

/* Fork it.  0, or a negative errno (said). */
int launch_begin(struct launch *launch, const struct launch_setup *setup);
/* Let it exec.  0 or -errno */
int launch_go(struct launch *launch);
/* The errno with which its exec failed, 0: it has exec'd (or never came so
 * far).  Waits until one of them is known. */
int launch_trouble(struct launch *launch);
void launch_fini(struct launch *launch);

#endif
