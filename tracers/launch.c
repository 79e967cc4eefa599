// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	parent                        child
 *	launch_begin  -- fork -->     in_child, reads "go"
 *	tracers attach
 *	launch_go     -- a byte -->   execvp
 *	launch_trouble <- errno ---   or end of file: the pipe closes on exec
 *
 * SIGINT and SIGTERM are blocked over the fork, so that the child never runs
 * a handler of ours; exec resets handlers and keeps what was ignored.
 */
#include "tracers/launch.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "analyzer/fail.h"

static int
usable(const char *path)
{
	struct stat about;

	if (stat(path, &about))
		return -errno;
	if (!S_ISREG(about.st_mode) || access(path, X_OK))
		return -EACCES;
	return 0;
}

int
launch_find(const char *command, char *path, size_t path_bytes)
{
	const char *from = getenv("PATH");
	int worst = -ENOENT;

	if (strchr(command, '/')) {
		if ((size_t)snprintf(path, path_bytes, "%s", command) >=
		    path_bytes)
			return -ENAMETOOLONG;
		return usable(path);
	}
	if (!from)
		from = "/bin:/usr/bin";
	while (*command) {
		size_t n = strcspn(from, ":");
		int error;

		snprintf(path, path_bytes, "%.*s%s%s", (int)n, from,
			 n ? "/" : "", command);
		error = usable(path);
		if (!error)
			return 0;
		if (error == -EACCES)
			worst = error;
		if (!from[n])
			break;
		from += n + 1;
	}
	return worst;
}

/* What stands behind "#!" of a script's first line: 0, or -ENOENT: nothing */
static int
interpreter_of(const char *path, char *name, size_t name_bytes)
{
	char line[256] = "";
	const char *from;
	FILE *file = fopen(path, "re");
	size_t n = file ? fread(line, 1, sizeof(line) - 1, file) : 0;

	if (file)
		fclose(file);
	if (n < 3 || strncmp(line, "#!", 2) != 0)
		return -ENOENT;
	from = line + 2 + strspn(line + 2, " \t");
	n = strcspn(from, " \t\n");
	if (!n)
		return -ENOENT;
	snprintf(name, name_bytes, "%.*s", (int)n, from);
	return 0;
}

int
launch_check(const char *path)
{
	char name[256];
	size_t n;
	int error;

	if (interpreter_of(path, name, sizeof(name)))
		return 0;
	error = usable(name);
	if (!error)
		return 0;
	n = strlen(name);
	if (name[n - 1] != '\r')
		return fail_errno(-error, "%s: its interpreter %s", path, name);
	return fail_errno(-error,
			  "%s: its interpreter %.*s\\r (its first line ends in "
			  "a carriage return: dos2unix)",
			  path, (int)(n - 1), name);
}

static void
reset_handlers(void)
{
	for (int number = 1; number < NSIG; number++) {
		struct sigaction action;

		if (!sigaction(number, NULL, &action) &&
		    action.sa_handler != SIG_IGN)
			signal(number, SIG_DFL);
	}
}

static _Noreturn void
child(const struct launch_setup *setup, int go, int trouble,
      const sigset_t *mask)
{
	int error;
	ssize_t sent;
	char byte;

	reset_handlers();
	sigprocmask(SIG_SETMASK, mask, NULL);
	if (setup->stdout_to_stderr && dup2(2, 1) < 0)
		goto tell;
	if (setup->in_child && setup->in_child(setup->context))
		goto tell;
	/* The parent's death closes the pipe: then don't run. */
	while ((sent = read(go, &byte, 1)) < 0 && errno == EINTR)
		;
	if (sent != 1)
		_exit(125);
	execvp(setup->argv[0], setup->argv);
tell:
	error = errno;
	sent = write(trouble, &error, sizeof(error));
	(void)sent;
	_exit(error == ENOENT ? 127 : 126);
}

int
launch_begin(struct launch *launch, const struct launch_setup *setup)
{
	sigset_t block, mask;
	int go[2], trouble[2];

	if (pipe2(go, O_CLOEXEC))
		return fail_errno(errno, "%s: pipe", setup->argv[0]);
	if (pipe2(trouble, O_CLOEXEC)) {
		int error = errno;

		close(go[0]);
		close(go[1]);
		return fail_errno(error, "%s: pipe", setup->argv[0]);
	}
	sigfillset(&block);
	pthread_sigmask(SIG_SETMASK, &block, &mask);
	launch->pid = fork();
	if (launch->pid == 0) {
		close(go[1]);
		child(setup, go[0], trouble[1], &mask);
	}
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	close(go[0]);
	close(trouble[1]);
	launch->go = go[1];
	launch->trouble = trouble[0];
	if (launch->pid < 0) {
		int error = errno;

		launch_fini(launch);
		return fail_errno(error, "%s: fork", setup->argv[0]);
	}
	return 0;
}

int
launch_go(struct launch *launch)
{
	ssize_t sent = write(launch->go, "", 1);

	if (sent != 1)
		return fail_errno(errno, "starting the command");
	close(launch->go);
	launch->go = -1;
	return 0;
}

int
launch_trouble(struct launch *launch)
{
	int error = 0;
	ssize_t got;

	while ((got = read(launch->trouble, &error, sizeof(error))) < 0 &&
	       errno == EINTR)
		;
	return got == (ssize_t)sizeof(error) ? error : 0;
}

void
launch_fini(struct launch *launch)
{
	if (launch->go >= 0)
		close(launch->go);
	if (launch->trouble >= 0)
		close(launch->trouble);
	launch->go = launch->trouble = -1;
}
