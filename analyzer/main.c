// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope VERB [OPTION...] [ARGUMENT...]: finds the verb, parses its
 * options, minds signals and the end of the output.  Only this file exits.
 */
#include "analyzer/command-line.h"
#include "analyzer/fail.h"
#include "analyzer/verb.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VERBS_MAX 64

static volatile sig_atomic_t stop;
static volatile sig_atomic_t pipe_broken;
static int output_error; /* why a write failed */

/* The first one asks; any after it kills. */
static void
on_stop(int number)
{
	(void)number;
	stop = 1;
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
}

/*
 * A handler, for what is ignored stays ignored over exec in the recorded
 * command.  Who reads us has enough: finish soon.
 */
static void
on_pipe(int number)
{
	(void)number;
	pipe_broken = 1;
	stop = 1;
}

static void
handle(int number, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler }, old;

	/* nohup and a shell's background jobs ignore; leave it so. */
	if (sigaction(number, NULL, &old) || old.sa_handler == SIG_IGN)
		return;
	sigemptyset(&action.sa_mask);
	/* No SA_RESTART: a read that waits must notice stop. */
	sigaction(number, &action, NULL);
}

/* So that no file we open becomes a standard one; what is written to a
 * closed stdout still fails. */
static void
open_standard_files(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
			abort();
}

/* stdio forgets why a write failed; this remembers. */
static ssize_t
write_output(void *cookie, const char *text, size_t n)
{
	size_t done = 0;

	(void)cookie;
	while (done < n) {
		ssize_t got = write(STDOUT_FILENO, text + done, n - done);

		if (got < 0 && errno == EINTR && !pipe_broken)
			continue;
		if (got < 0) {
			output_error = errno;
			break;
		}
		done += (size_t)got;
	}
	return (ssize_t)done;
}

static void
watch_output(void)
{
	const cookie_io_functions_t functions = { .write = write_output };
	FILE *file = fopencookie(NULL, "w", functions);

	if (!file)
		return;
	setvbuf(file, NULL, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, BUFSIZ);
	stdout = file;
}

/* A full disk is a failure; a reader who left is what SIGPIPE says it is. */
static int
finish_output(int status)
{
	if (!ferror(stdout) && fflush(stdout) == 0)
		return status;
	if (pipe_broken) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	fail_errno(output_error ? output_error : EIO, "standard output");
	return STATUS_FAILED;
}

static const struct verb_ops *
find_verb(const char *name)
{
	const char *names[VERBS_MAX], *near;
	size_t n = 0;

	for (; verb_registry[n]; n++) {
		if (!strcmp(verb_registry[n]->name, name))
			return verb_registry[n];
		if (n < VERBS_MAX)
			names[n] = verb_registry[n]->name;
	}
	near = option_nearest(name, names, n < VERBS_MAX ? n : VERBS_MAX);
	if (near)
		fail(EINVAL, "unknown verb \"%s\"; did you mean \"%s\"?", name,
		     near);
	else
		fail(EINVAL, "unknown verb \"%s\"; see \"pagescope help\"",
		     name);
	return NULL;
}

static int
run_verb(const struct verb_ops *verb, int argc, char **argv, int full_argc,
	 char **full_argv)
{
	struct verb_call call = { .full_argc = full_argc,
				  .full_argv = full_argv,
				  .stop = &stop };
	struct command_line line;
	int status = command_line_init(&line, verb, argc, argv);

	if (status == -EINVAL)
		return STATUS_USAGE;
	if (status)
		return STATUS_FAILED;
	if (line.help) {
		char help[] = "help";
		char *words[] = { help, argv[0], NULL };

		command_line_fini(&line, verb);
		return run_verb(find_verb(help), 2, words, full_argc,
				full_argv);
	}
	call.config = line.config;
	call.argc = line.argc;
	call.argv = line.argv;
	status = verb->run(&call);
	command_line_fini(&line, verb);
	if (status == -EUSAGE)
		return STATUS_USAGE;
	return status < 0 ? STATUS_FAILED : status;
}

static bool
is_one_of(const char *word, const char *long_name, const char *short_name)
{
	return !strcmp(word, long_name) || !strcmp(word, short_name);
}

static int
run_line(int argc, char **argv)
{
	const struct verb_ops *verb;
	char help[] = "help";
	char *words[] = { help, NULL };

	if (argc < 2) {
		fail(EINVAL, "no verb given; see \"pagescope help\"");
		return STATUS_USAGE;
	}
	if (is_one_of(argv[1], "--version", "-V")) {
		puts(PACKAGE_STRING);
		return STATUS_OK;
	}
	if (is_one_of(argv[1], "--help", "-h"))
		return run_verb(find_verb(help), 1, words, argc, argv);
	if (argv[1][0] == '-') {
		fail(EINVAL,
		     "unknown option \"%s\": a verb comes first; see "
		     "\"pagescope help\"",
		     argv[1]);
		return STATUS_USAGE;
	}
	verb = find_verb(argv[1]);
	return verb ? run_verb(verb, argc - 1, argv + 1, argc, argv)
		    : STATUS_USAGE;
}

int
main(int argc, char **argv)
{
	open_standard_files();
	watch_output();
	handle(SIGINT, on_stop);
	handle(SIGTERM, on_stop);
	handle(SIGHUP, on_stop);
	handle(SIGPIPE, on_pipe);
	return finish_output(run_line(argc, argv));
}
