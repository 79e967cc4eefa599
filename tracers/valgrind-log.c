// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Valgrind's messages, "==PID== text" a line.  Passed on: what it could not
 * do.  Kept: which signal ended whom.
 */
#include "tracers/valgrind-log.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "analyzer/fail.h"

#define DEATHS	 64 /* the latest are kept */
#define SAID_MAX 20

struct valgrind_log {
	int fd;
	off_t at;
	char line[1024];
	size_t used;
	unsigned said;
	struct {
		pid_t pid;
		int signal;
	} death[DEATHS];
	unsigned deaths;
};

static const char *const worth_saying[] = {
	"unhandled", "Unhandled",  "nrecognised",
	"valgrind:", "impossible", "out of memory",
};

int
valgrind_log_open(struct valgrind_log **out)
{
	struct valgrind_log *log = calloc(1, sizeof(*log));

	if (!log)
		return fail(ENOMEM, "valgrind: no memory for its log");
	log->fd = memfd_create("pagescope-log", MFD_CLOEXEC);
	if (log->fd < 0 || fcntl(log->fd, F_SETFL, O_APPEND)) {
		int error = fail_errno(errno, "valgrind: a memfd for its log");

		valgrind_log_close(log);
		return error;
	}
	*out = log;
	return 0;
}

void
valgrind_log_close(struct valgrind_log *log)
{
	if (!log)
		return;
	if (log->fd >= 0)
		close(log->fd);
	free(log);
}

int
valgrind_log_fd(const struct valgrind_log *log)
{
	return log->fd;
}

static void
line_take(struct valgrind_log *log)
{
	char *text = log->line;
	int pid = 0, signal = 0;

	log->line[log->used] = '\0';
	log->used = 0;
	if (sscanf(text,
		   "==%d== Process terminating with default action of "
		   "signal %d",
		   &pid, &signal) == 2) {
		log->death[log->deaths % DEATHS].pid = pid;
		log->death[log->deaths++ % DEATHS].signal = signal;
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(worth_saying); i++) {
		if (!strstr(text, worth_saying[i]))
			continue;
		if (log->said++ < SAID_MAX)
			warn("valgrind: %s", text);
		return;
	}
}

void
valgrind_log_read(struct valgrind_log *log)
{
	char text[4096];
	ssize_t n;

	while ((n = pread(log->fd, text, sizeof(text), log->at)) > 0) {
		log->at += n;
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] == '\n')
				line_take(log);
			else if (log->used < sizeof(log->line) - 1)
				log->line[log->used++] = text[i];
		}
	}
}

int
valgrind_log_signal(struct valgrind_log *log, pid_t pid)
{
	valgrind_log_read(log);
	for (unsigned i = 0; i < DEATHS && i < log->deaths; i++) {
		if (log->death[i].pid == pid)
			return log->death[i].signal;
	}
	return 0;
}
