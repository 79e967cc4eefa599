/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where Valgrind and our tool are, and the command line that runs a program
 * under them.
 */
#ifndef TRACERS_VALGRIND_COMMAND_H
#define TRACERS_VALGRIND_COMMAND_H

#include "analyzer/base.h"

struct valgrind_command;

/* As tracer_ops.probe. */
int valgrind_command_probe(char *why, size_t why_bytes);

/* 0, or what probe says (said). */
int valgrind_command_open(struct valgrind_command **out);
void valgrind_command_close(struct valgrind_command *command);

/*
 * Put Valgrind in front of *argv; the new one is owned by the command.
 * -ENOENT, -EACCES: no such program; -EPERM: it is set-user-ID; -ENOEXEC: not
 * for x86-64 (all said).
 */
int valgrind_command_make(struct valgrind_command *command, int ring_fd,
			  int log_fd, char ***argv);

/* In the child: Valgrind's environment.  Async-signal-safe. */
void valgrind_command_environment(const struct valgrind_command *command);

#endif
