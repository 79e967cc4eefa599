// SPDX-License-Identifier: GPL-2.0-or-later
#include "analyzer/cmd-live.h"
#include "analyzer/fail.h"
#include "tracers/launch.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

uint64_t
live_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static double
seconds(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

int
live_command(struct live *live, const struct launch_setup *setup)
{
	char path[4096];
	int error = launch_find(setup->argv[0], path, sizeof(path));

	if (error)
		fail_errno(-error, "%s: cannot run", setup->argv[0]);
	else
		error = launch_check(path);
	if (error) {
		live->exec_error = -error;
		return error;
	}
	live_fini(live);
	live->launch = calloc(1, sizeof(*live->launch));
	if (!live->launch)
		return fail(ENOMEM, "%s: no memory", setup->argv[0]);
	error = launch_begin(live->launch, setup);
	if (error)
		return error;
	live->pid = live->launch->pid;
	live->launched = true;
	live->reaped = false;
	return 0;
}

int
live_go(struct live *live)
{
	return launch_go(live->launch);
}

int
live_started(struct live *live, const char *name)
{
	if (live->launched)
		live->exec_error = launch_trouble(live->launch);
	return live->exec_error
		       ? fail_errno(live->exec_error, "%s: cannot run", name)
		       : 0;
}

void
live_watch(struct live *live, pid_t pid)
{
	live->pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
}

/* A zombie has: whoever is to reap it may take long */
static bool
process_ended(const struct live *live, pid_t pid)
{
	struct pollfd poll_fd = { .fd = live->pid_fd, .events = POLLIN };

	if (live->pid_fd >= 0)
		return poll(&poll_fd, 1, 0) > 0;
	return kill(pid, 0) && errno == ESRCH;
}

bool
live_ended(struct live *live, pid_t pid)
{
	struct rusage usage;

	if (!live->launched)
		return pid && process_ended(live, pid);
	if (!live->reaped && wait4(live->pid, &live->wait_status, WNOHANG,
				   &usage) == live->pid) {
		live->reaped = true;
		live->user_s += seconds(&usage.ru_utime);
		live->system_s += seconds(&usage.ru_stime);
	}
	return live->reaped;
}

void
live_reap(struct live *live)
{
	if (!live->launched || live->reaped)
		return;
	launch_fini(live->launch);
	while (waitpid(live->pid, &live->wait_status, 0) < 0)
		if (errno != EINTR)
			return;
	live->reaped = true;
}

void
live_fini(struct live *live)
{
	if (live->pid_fd >= 0)
		close(live->pid_fd);
	live->pid_fd = -1;
	if (live->launched)
		launch_fini(live->launch);
	free(live->launch);
	live->launch = NULL;
}

int
live_status(const struct live *live, bool partial)
{
	int status = live->wait_status;

	if (live->exec_error)
		return live->exec_error == ENOENT ? STATUS_NOT_FOUND
						  : STATUS_NO_EXEC;
	if (live->launched && WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	if (live->launched && WEXITSTATUS(status))
		return WEXITSTATUS(status);
	return partial ? STATUS_PARTIAL : STATUS_OK;
}

json_t *
live_words(const struct verb_call *call)
{
	json_t *words = json_array();

	for (int i = 0; words && i < call->full_argc; i++)
		json_array_append_new(words,
				      result_string(i ? call->full_argv[i]
						      : "pagescope"));
	return words;
}
