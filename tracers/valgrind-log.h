/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Valgrind itself has to say, from all processes: kept out of the
 * program's stderr, in a memfd.
 */
#ifndef TRACERS_VALGRIND_LOG_H
#define TRACERS_VALGRIND_LOG_H

#include "analyzer/base.h"

#include <sys/types.h>

struct valgrind_log;

int valgrind_log_open(struct valgrind_log **out);
void valgrind_log_close(struct valgrind_log *log);
int valgrind_log_fd(const struct valgrind_log *log);

/* Read what is new, and pass on what a user should know. */
void valgrind_log_read(struct valgrind_log *log);

/* The signal that the log says has ended pid, or 0. */
int valgrind_log_signal(struct valgrind_log *log, pid_t pid);

#endif
