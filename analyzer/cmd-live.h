/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What verbs that count a live command have in common (cmd-live.c). */
#ifndef ANALYZER_CMD_LIVE_H
#define ANALYZER_CMD_LIVE_H

#include "analyzer/result.h"
#include "analyzer/verb.h"

#include <sys/types.h>

struct launch;
struct launch_setup;

struct live {
	struct launch *launch; /* owned: of the command, if there is one */
	pid_t pid;
	bool launched, reaped;
	int wait_status, exec_error;
	int pid_fd; /* of a process that is not ours, or -1 */
	double user_s, system_s;
};

/* Find, check and fork the command, which then waits for live_go.  0, or a
 * negative errno (said), which is in exec_error where it cannot run. */
int live_command(struct live *live, const struct launch_setup *setup);
int live_go(struct live *live);
/* Did its exec fail?  0 or -errno (said), which is in exec_error too */
int live_started(struct live *live, const char *name);
/* Watch a process of another's. */
void live_watch(struct live *live, pid_t pid);
/* Has the command, or the process, ended?  An ended command is reaped. */
bool live_ended(struct live *live, pid_t pid);
/* A second signal, or the command's end, ends the waiting. */
void live_reap(struct live *live);
void live_fini(struct live *live);

/* The command's own status as a shell has it, else ours. */
int live_status(const struct live *live, bool partial);

/* The whole command line. */
json_t *live_words(const struct verb_call *call);
uint64_t live_now_ns(void);

#endif
