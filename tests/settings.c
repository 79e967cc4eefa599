// SPDX-License-Identifier: GPL-2.0-or-later
/* The guardian of settings.h: records of a kind, a path and a value. */
#include "tests/settings.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORDS 256
#define HUGE	"/sys/kernel/mm/transparent_hugepage/enabled"

struct record {
	char path[192]; /* "": the value is a command */
	char value[192];
};

static int to_guardian = -1;
static pid_t guardian;
static char told[RECORDS][192]; /* paths that the guardian knows */
static size_t n_told;

static bool
put(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t n = strlen(value);
	bool done = fd >= 0 && write(fd, value, n) == (ssize_t)n;

	if (fd >= 0)
		close(fd);
	return done;
}

static void
run(const char *command)
{
	if (system(command) == -1)
		perror(command);
}

/* Wait for the end of the pipe, then put all back, the last first. */
static void
guard(int from)
{
	static struct record record[2 * RECORDS]; /* commands, too */
	size_t n = 0;

	setsid();
	for (int i = 1; i < 32; i++)
		signal(i, i == SIGCHLD ? SIG_DFL : SIG_IGN);
	while (n < 2 * RECORDS && read(from, &record[n], sizeof(record[n])) ==
					  (ssize_t)sizeof(record[n]))
		n++;
	while (n--) {
		if (record[n].path[0])
			put(record[n].path, record[n].value);
		else
			run(record[n].value);
	}
	_exit(0);
}

bool
settings_open(void)
{
	int ends[2];

	if (geteuid() != 0 || pipe2(ends, O_CLOEXEC) < 0)
		return false;
	fflush(NULL);
	guardian = fork();
	if (guardian < 0)
		return false;
	if (guardian == 0) {
		close(ends[1]);
		guard(ends[0]);
	}
	close(ends[0]);
	to_guardian = ends[1];
	n_told = 0;
	return true;
}

void
settings_forget(void)
{
	close(to_guardian);
	to_guardian = -1;
}

void
settings_close(void)
{
	if (to_guardian < 0)
		return;
	close(to_guardian);
	to_guardian = -1;
	waitpid(guardian, NULL, 0);
}

static bool
tell(const struct record *record)
{
	return write(to_guardian, record, sizeof(*record)) ==
	       (ssize_t)sizeof(*record);
}

/* What it had before the first change is what counts. */
static bool
is_told(const char *path)
{
	for (size_t i = 0; i < n_told; i++)
		if (!strcmp(told[i], path))
			return true;
	return false;
}

static bool
had(const char *path, char *value, size_t bytes)
{
	char text[192] = "", *bracket;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (n <= 0)
		return false;
	bracket = strchr(text, '[');
	if (bracket)
		snprintf(value, bytes, "%.*s", (int)strcspn(bracket + 1, "]"),
			 bracket + 1);
	else
		snprintf(value, bytes, "%.*s", (int)strcspn(text, "\n"), text);
	return true;
}

bool
settings_put(const char *path, const char *value)
{
	struct record record = { "", "" };

	if (is_told(path))
		return put(path, value);
	snprintf(record.path, sizeof(record.path), "%s", path);
	if (n_told == RECORDS ||
	    !had(path, record.value, sizeof(record.value)) || !tell(&record))
		return false;
	snprintf(told[n_told++], sizeof(told[0]), "%s", path);
	return put(path, value);
}

bool
settings_put_number(const char *path, uint64_t value)
{
	char text[32];

	snprintf(text, sizeof(text), "%ju", (uintmax_t)value);
	return settings_put(path, text);
}

void
settings_at_end(const char *command)
{
	struct record record = { "", "" };

	snprintf(record.value, sizeof(record.value), "%s", command);
	(void)tell(&record);
}

void
settings_lock_huge_pages(bool shared)
{
	int fd = open(HUGE, O_RDONLY | O_CLOEXEC);

	/* Kept to the end of the process. */
	if (fd >= 0)
		(void)flock(fd, shared ? LOCK_SH : LOCK_EX);
}

long
settings_number(const char *path, const char *name)
{
	FILE *file = fopen(path, "re");
	char line[256];
	long number = -1;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			number = strtol(line + strlen(name), NULL, 10);
	if (file)
		fclose(file);
	return number;
}
