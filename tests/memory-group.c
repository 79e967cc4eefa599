// SPDX-License-Identifier: GPL-2.0-or-later
/* See memory-group.h. */
#include "tests/memory-group.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define ROOT "/sys/fs/cgroup/memory"
#define ZRAM "/sys/class/zram-control"

static struct {
	char group[128], device[64];
	int zram;      /* number of the device */
	int guardian;  /* end of its pipe */
	pid_t keeper;  /* the guardian */
	char why[256]; /* not to be done here, or "" */
} env = { .zram = -1 };

int
memory_group_put(const char *directory, const char *name, const char *text)
{
	char path[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = write(fd, text, strlen(text));
	close(fd);
	return n < 0 ? -1 : 0;
}

void
memory_group_put_number(const char *directory, const char *name,
			uint64_t number)
{
	char text[32];

	snprintf(text, sizeof(text), "%ju", (uintmax_t)number);
	assert_int_equal(memory_group_put(directory, name, text), 0);
}

static int
read_number(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return n <= 0 ? -1 : (int)strtol(text, NULL, 10);
}

/* Whoever is still in the group: the test may have been killed. */
static void
kill_group(const char *group)
{
	char path[192];
	FILE *file;
	int pid;

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	file = fopen(path, "re");
	while (file && fscanf(file, "%d", &pid) == 1)
		kill(pid, SIGKILL);
	if (file)
		fclose(file);
}

static void
take_away(void)
{
	char name[64], second[136];

	snprintf(second, sizeof(second), "%s-b", env.group);
	for (int i = 0; i < 100 && rmdir(env.group) && errno != ENOENT; i++) {
		kill_group(env.group);
		usleep(20000);
	}
	for (int i = 0; i < 100 && rmdir(second) && errno != ENOENT; i++) {
		kill_group(second);
		usleep(20000);
	}
	if (env.zram < 0)
		return;
	for (int i = 0; i < 100 && swapoff(env.device) && errno == EBUSY; i++)
		usleep(20000);
	snprintf(name, sizeof(name), "/sys/block/zram%d", env.zram);
	memory_group_put(name, "reset", "1");
	snprintf(name, sizeof(name), "%d", env.zram);
	memory_group_put(ZRAM, "hot_remove", name);
}

/* Waits until the test is over: the pipe's other end is closed then. */
static void
guard(void)
{
	int end[2];
	char byte;

	assert_int_equal(pipe(end), 0);
	env.keeper = fork();
	if (!env.keeper) {
		setsid();
		close(end[1]);
		signal(SIGTERM, SIG_IGN);
		signal(SIGINT, SIG_IGN);
		while (read(end[0], &byte, 1) < 0 && errno == EINTR)
			;
		take_away();
		_exit(0);
	}
	close(end[0]);
	env.guardian = end[1];
	fcntl(env.guardian, F_SETFD, FD_CLOEXEC);
}

static bool
swap_on(void)
{
	char command[128], name[64];
	int lock = open("/tmp/pagescope-swap.lock",
			O_RDWR | O_CREAT | O_CLOEXEC, 0666);

	/* One test at a time has swap of its own; held until the end. */
	if (lock >= 0)
		flock(lock, LOCK_EX);
	env.zram = read_number(ZRAM "/hot_add");
	if (env.zram < 0)
		return false;
	snprintf(name, sizeof(name), "/sys/block/zram%d", env.zram);
	snprintf(env.device, sizeof(env.device), "/dev/zram%d", env.zram);
	/* From here on there is something to take away. */
	guard();
	snprintf(command, sizeof(command), "mkswap %s >/dev/null 2>&1",
		 env.device);
	return !memory_group_put(name, "disksize", "256M") &&
	       !system(command) &&
	       !swapon(env.device, SWAP_FLAG_PREFER | SWAP_FLAG_PRIO_MASK);
}

const char *
memory_group_open(void)
{
	snprintf(env.group, sizeof(env.group), ROOT "/pagescope-test-%d",
		 getpid());
	if (geteuid())
		snprintf(env.why, sizeof(env.why), "needs root");
	else if (access(ROOT "/memory.stat", R_OK))
		snprintf(env.why, sizeof(env.why),
			 "no memory groups of version 1 at " ROOT);
	else if (read_number("/sys/kernel/mm/lru_gen/enabled") > 0)
		snprintf(env.why, sizeof(env.why),
			 "this kernel reclaims by generations (MGLRU)");
	else if (access(ZRAM "/hot_add", R_OK))
		snprintf(env.why, sizeof(env.why), "no zram to swap to");
	else if (!swap_on())
		snprintf(env.why, sizeof(env.why),
			 "no swap on a new zram device: %s", strerror(errno));
	return env.why[0] ? env.why : NULL;
}

void
memory_group_close(void)
{
	if (env.keeper) {
		close(env.guardian);
		waitpid(env.keeper, NULL, 0);
	}
}

const char *
memory_group_path(void)
{
	return env.group;
}

void
memory_group_make(const char *group, uint64_t limit_bytes)
{
	assert_int_equal(mkdir(group, 0755), 0);
	memory_group_put_number(group, "memory.limit_in_bytes", limit_bytes);
}

int
memory_group_join(const char *group)
{
	char number[32];

	snprintf(number, sizeof(number), "%d", getpid());
	return memory_group_put(group, "cgroup.procs", number);
}

int
memory_group_end(pid_t pid, const char *group)
{
	int status = -1;

	waitpid(pid, &status, 0);
	for (int i = 0; i < 100 && rmdir(group); i++)
		usleep(20000);
	return status;
}
