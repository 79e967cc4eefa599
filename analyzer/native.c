// SPDX-License-Identifier: GPL-2.0-or-later
#include "analyzer/native.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/fail.h"

static const char huge_path[] = "/sys/kernel/mm/transparent_hugepage/enabled";

static double
now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static double
ns_of(const struct timeval *time)
{
	return (double)time->tv_sec * 1e9 + (double)time->tv_usec * 1e3;
}

/* In the child; tells of errors through the pipe. */
static void
start(char *const *argv, enum native_pages pages, int pipe)
{
	int nowhere = open("/dev/null", O_WRONLY), error = 0;

	if (nowhere < 0 || dup2(nowhere, STDOUT_FILENO) < 0)
		error = errno;
	if (!error && pages == NATIVE_NO_HUGE &&
	    prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		error = errno;
	if (!error) {
		execvp(argv[0], argv);
		error = errno;
	}
	if (write(pipe, &error, sizeof(error)) < 0)
		_exit(126);
	_exit(127);
}

static int
wait_for(pid_t child, struct native_time *time)
{
	struct rusage usage;

	while (wait4(child, &time->status, 0, &usage) < 0)
		if (errno != EINTR)
			return fail_errno(errno, "wait");
	time->system_ns = ns_of(&usage.ru_stime);
	time->cpu_ns = ns_of(&usage.ru_utime) + time->system_ns;
	return 0;
}

int
native_run(char *const *argv, enum native_pages pages, struct native_time *time)
{
	int ends[2], error = 0, got;
	double begin = now_ns();
	pid_t child;

	if (pipe2(ends, O_CLOEXEC))
		return fail_errno(errno, "pipe");
	child = fork();
	if (!child)
		start(argv, pages, ends[1]);
	if (child < 0)
		error = -errno;
	close(ends[1]);
	if (error) {
		close(ends[0]);
		return fail_errno(-error, "%s", argv[0]);
	}
	got = read(ends[0], &error, sizeof(error)) == sizeof(error) ? error : 0;
	close(ends[0]);
	error = wait_for(child, time);
	time->wall_ns = now_ns() - begin;
	return got ? fail_errno(got, "%s", argv[0]) : error;
}

void
native_huge_mode(char mode[16])
{
	FILE *file = fopen(huge_path, "re");
	char line[128] = "", *open_at;

	*mode = '\0';
	if (!file)
		return;
	if (fgets(line, sizeof(line), file)) {
		open_at = strchr(line, '[');
		if (open_at)
			snprintf(mode, 16, "%.*s",
				 (int)strcspn(open_at + 1, "]"), open_at + 1);
	}
	fclose(file);
}

static int
set_mode(const char *mode)
{
	FILE *file = fopen(huge_path, "we");
	int error = 0;

	if (!file)
		return errno;
	if (fputs(mode, file) < 0)
		error = errno;
	if (fclose(file) && !error)
		error = errno;
	return error;
}

/* The pipe's other end is ours alone: it closes when we are gone. */
static void
keep_watch(int pipe, const char *mode)
{
	char byte;

	setsid();
	while (read(pipe, &byte, 1) < 0 && errno == EINTR)
		;
	set_mode(mode);
	_exit(0);
}

int
native_huge_always(int *guard)
{
	/* One at a time; the lock is the child's, who is the last to go. */
	int lock = open(huge_path, O_RDONLY | O_CLOEXEC);
	char mode[16];
	int ends[2], error;
	pid_t child;

	if (lock >= 0)
		(void)flock(lock, LOCK_EX);
	native_huge_mode(mode);
	if (pipe2(ends, O_CLOEXEC)) {
		error = errno;
		close(lock);
		return fail_errno(error, "pipe");
	}
	child = fork();
	error = errno;
	if (!child) {
		close(ends[1]);
		keep_watch(ends[0], mode);
	}
	close(lock);
	close(ends[0]);
	if (child < 0) {
		close(ends[1]);
		return fail_errno(error, "fork");
	}
	*guard = ends[1];
	error = set_mode("always");
	if (!error)
		return 0;
	native_huge_back(*guard);
	return fail_errno(error, "%s", huge_path);
}

void
native_huge_back(int guard)
{
	close(guard);
	while (waitpid(-1, NULL, 0) > 0)
		;
}
