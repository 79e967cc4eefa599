// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Valgrind's command line.  The tool is looked for beside the program in its
 * build directory first, then where it is installed.
 */
#include "tracers/valgrind-command.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "tracers/launch.h"

#define TOOL "pagescope-amd64-linux"

struct valgrind_command {
	char launcher[PATH_MAX];
	char ring_option[48];
	char library_variable[PATH_MAX + 16];
	char **argv;	    /* owned; its strings are not */
	char **environment; /* the same */
};

/* DIR/BEHIND/TOOL is there? Then leave DIR/BEHIND in directory. */
static bool
tool_in(const char *dir, const char *behind, char *directory)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/%s/" TOOL, dir, behind) >=
		    (int)sizeof(path) ||
	    access(path, X_OK))
		return false;
	*strrchr(path, '/') = '\0';
	return realpath(path, directory) != NULL;
}

static bool
tool_find(char *directory)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (n > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
		if (tool_in(self, "tracers/valgrind", directory) ||
		    tool_in(self, "../tracers/valgrind", directory))
			return true;
	}
	return tool_in(ENGINES_DIR, "valgrind", directory);
}

static int
find(char *launcher, char *directory, char *why, size_t why_bytes)
{
	char preload[PATH_MAX + 64];

	/* Debian's `valgrind` is a script that edits the environment. */
	if (launch_find("valgrind.bin", launcher, PATH_MAX) &&
	    launch_find("valgrind", launcher, PATH_MAX)) {
		snprintf(why, why_bytes,
			 "Valgrind is not installed: apt-get install valgrind");
		return -ENOENT;
	}
	if (!tool_find(directory)) {
		snprintf(why, why_bytes,
			 "the tool " TOOL
			 " is not in %s/valgrind: make install",
			 ENGINES_DIR);
		return -ENOENT;
	}
	snprintf(preload, sizeof(preload), "%s/vgpreload_core-amd64-linux.so",
		 directory);
	if (access(preload, R_OK)) {
		snprintf(why, why_bytes,
			 "%s leads nowhere: apt-get install valgrind", preload);
		return -ENOENT;
	}
	return 0;
}

int
valgrind_command_probe(char *why, size_t why_bytes)
{
	char launcher[PATH_MAX], directory[PATH_MAX];

	return find(launcher, directory, why, why_bytes);
}

int
valgrind_command_open(struct valgrind_command **out)
{
	struct valgrind_command *command = calloc(1, sizeof(*command));
	char directory[PATH_MAX], why[2 * PATH_MAX];
	int error;

	if (!command)
		return fail(ENOMEM, "valgrind: no memory");
	error = find(command->launcher, directory, why, sizeof(why));
	if (error) {
		free(command);
		return fail(-error, "valgrind: %s", why);
	}
	snprintf(command->library_variable, sizeof(command->library_variable),
		 "VALGRIND_LIB=%s", directory);
	*out = command;
	return 0;
}

void
valgrind_command_close(struct valgrind_command *command)
{
	if (!command)
		return;
	free(command->argv);
	free(command->environment);
	free(command);
}

/* What Valgrind can't run is refused before it is started. */
static int
program_check(const char *path)
{
	unsigned char head[sizeof(Elf64_Ehdr)] = { 0 };
	struct stat about;
	Elf64_Ehdr elf;
	ssize_t n;
	int fd;

	if (!stat(path, &about) &&
	    ((about.st_mode & (S_ISUID | S_ISGID)) ||
	     getxattr(path, "security.capability", NULL, 0) > 0))
		return fail(EPERM,
			    "valgrind: %s is set-user-ID or has capabilities: "
			    "Valgrind can't run it (record a copy without "
			    "these, or, as root, use -e step)",
			    path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0; /* may be run, not read: Valgrind will say so */
	n = read(fd, head, sizeof(head));
	close(fd);
	memcpy(&elf, head, sizeof(elf));
	if (n < (ssize_t)sizeof(elf) || memcmp(head, ELFMAG, SELFMAG) != 0)
		return 0;
	if (head[EI_CLASS] != ELFCLASS64 || elf.e_machine != EM_X86_64)
		return fail(ENOEXEC,
			    "valgrind: %s is not a 64-bit x86 program (class "
			    "%u, machine %u): this engine records no other "
			    "(-e faults records its page faults)",
			    path, head[EI_CLASS], elf.e_machine);
	return 0;
}

static int
environment_make(struct valgrind_command *command)
{
	size_t n = 0, to = 0;

	while (environ && environ[n])
		n++;
	command->environment = calloc(n + 2, sizeof(char *));
	if (!command->environment)
		return fail(ENOMEM, "valgrind: no memory");
	for (size_t i = 0; i < n; i++) {
		if (strncmp(environ[i], "VALGRIND_LIB=", 13) != 0)
			command->environment[to++] = environ[i];
	}
	command->environment[to] = command->library_variable;
	return 0;
}

int
valgrind_command_make(struct valgrind_command *command, int ring_fd, int log_fd,
		      char ***argv)
{
	/*
	 * command-line-only: no ~/.valgrindrc; -q: no banner; which registers
	 * are right inside of a superblock: of faults only the pc is looked
	 * at, until the program has a handler (observe.c).  How far code is
	 * followed is set by the tool (chase.c).
	 */
	const char *const front[] = {
		command->launcher,
		"--command-line-only=yes",
		"-q",
		"--tool=pagescope",
		"--trace-children=yes",
		"--fair-sched=yes",
		"--vgdb=no",
		"--vex-iropt-register-updates=unwindregs-at-mem-access",
		command->ring_option,
	};
	char path[PATH_MAX];
	size_t n = 0;
	int error = launch_find((*argv)[0], path, sizeof(path));

	if (error)
		return fail_errno(-error, "%s", (*argv)[0]);
	error = program_check(path);
	if (!error)
		error = environment_make(command);
	if (error)
		return error;
	while ((*argv)[n])
		n++;
	command->argv = calloc(ARRAY_SIZE(front) + n + 1, sizeof(char *));
	if (!command->argv)
		return fail(ENOMEM, "valgrind: no memory");
	snprintf(command->ring_option, sizeof(command->ring_option),
		 "--ring=%d,%d", ring_fd, log_fd);
	for (size_t i = 0; i < ARRAY_SIZE(front); i++)
		command->argv[i] = (char *)(uintptr_t)front[i];
	memcpy(command->argv + ARRAY_SIZE(front), *argv, n * sizeof(char *));
	*argv = command->argv;
	return 0;
}

void
valgrind_command_environment(const struct valgrind_command *command)
{
	environ = command->environment;
}
