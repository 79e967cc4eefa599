// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Imports from a pipe and exports into one need no more memory for a long
 * trace than for a short one: the peak of a run with 4 times the lines is
 * above that of the short run by far less than the lines are longer.
 */
#include "analyzer/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <fcntl.h>

#define FEW  250000u
#define MANY (4u * FEW)

struct text {
	const char *format;
	/* Write record i; returns its bytes. */
	size_t (*record)(FILE *file, unsigned i);
};

static size_t
drview_record(FILE *file, unsigned i)
{
	unsigned long pc = 0x401000 + i % 500 * 4;

	return (size_t)
		fprintf(file,
			"%12u%12u: %11u %-12s 8 byte(s) @ 0x%016lx by PC "
			"0x%016lx\n",
			i + 1, i / 2, 41 + i / 1000 % 3,
			i % 3 ? "read" : "write", 0x7f0000000000 + i * 8UL, pc);
}

static size_t
perf_record(FILE *file, unsigned i)
{
	return (size_t)fprintf(file,
			       "prog %u/%u [001] %u.%06u:   1 mem-loads: %16x "
			       "sym+0x1 (/bin/prog) %16x f+0x2 (/bin/prog)\n",
			       41u, 41 + i / 1000 % 3, i / 1000000, i % 1000000,
			       i * 8 + 8, 4096 + i % 500);
}

static size_t
oracle_record(FILE *file, unsigned i)
{
	char record[24] = { 0 };
	uint64_t object = i % 1000;
	int64_t next = -1;
	uint32_t size = 100;

	memcpy(record, &i, 4);
	memcpy(record + 4, &object, 8);
	memcpy(record + 12, &size, 4);
	memcpy(record + 16, &next, 8);
	return fwrite(record, 1, sizeof(record), file);
}

static size_t
lackey_record(FILE *file, unsigned i)
{
	return (size_t)fprintf(file, i % 2 ? " L %08x,8\n" : "I  %08x,4\n",
			       4096 + i % 500 * 4);
}

static const struct text texts[] = {
	{ "drview", drview_record },
	{ "perf", perf_record },
	{ "oracle", oracle_record },
	{ "lackey", lackey_record },
};

static pid_t
spawn(const char *const *arguments, int in, int out)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid)
		return pid;
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	execv(arguments[0], (char *const *)(uintptr_t)arguments);
	_exit(127);
}

/* Peak of the process, KiB */
static long
wait_for(pid_t pid)
{
	struct rusage usage;
	int status;

	assert_int_equal(wait4(pid, &status, 0, &usage), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	return usage.ru_maxrss;
}

/* Peak KiB of reading n records from a pipe, and their bytes */
static long
import_peak(const struct text *text, unsigned n, size_t *bytes)
{
	/* not import, whose writer keeps blocks of millions of accesses */
	const char *const arguments[] = {
		getenv("PAGESCOPE"), "export", "--to",	    "xdin",
		"/dev/stdin",	     "-o",     "/dev/null", NULL
	};
	int pipes[2];
	FILE *file;
	pid_t pid;

	assert_int_equal(pipe(pipes), 0);
	pid = spawn(arguments, pipes[0], STDOUT_FILENO);
	close(pipes[0]);
	file = fdopen(pipes[1], "w");
	assert_non_null(file);
	*bytes = 0;
	for (unsigned i = 0; i < n; i++)
		*bytes += text->record(file, i);
	assert_int_equal(fclose(file), 0);
	return wait_for(pid);
}

static void
test_import(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		size_t bytes;
		long few = import_peak(&texts[i], FEW, &bytes);
		long many = import_peak(&texts[i], MANY, &bytes);

		print_message(
			"%s: %zu KiB of input, peak %ld KiB, for a quarter "
			"of it %ld KiB\n",
			texts[i].format, bytes / 1024, many, few);
		assert_true(many - few < (long)(bytes / 1024 / 4));
	}
}

/* Peak KiB of exporting into a pipe, and the bytes that came */
static long
export_peak(const char *format, unsigned n, size_t *bytes)
{
	char input[128];
	const char *const arguments[] = { getenv("PAGESCOPE"),
					  "export",
					  "--to",
					  format,
					  input,
					  "-o",
					  "-",
					  NULL };
	char buffer[65536];
	ssize_t got;
	int pipes[2];
	pid_t pid;

	snprintf(input, sizeof(input), "generate:uniform,n=%u,pages=1000", n);
	assert_int_equal(pipe(pipes), 0);
	pid = spawn(arguments, STDIN_FILENO, pipes[1]);
	close(pipes[1]);
	*bytes = 0;
	while ((got = read(pipes[0], buffer, sizeof(buffer))) > 0)
		*bytes += (size_t)got;
	close(pipes[0]);
	return wait_for(pid);
}

static void
test_export(void **state)
{
	static const char *const formats[] = { "lackey", "champsim", "oracle" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		size_t bytes;
		long few = export_peak(formats[i], FEW, &bytes);
		long many = export_peak(formats[i], MANY, &bytes);

		print_message(
			"%s: %zu KiB of output, peak %ld KiB, for a quarter "
			"of it %ld KiB\n",
			formats[i], bytes / 1024, many, few);
		assert_true(bytes > MANY * UINT64_C(10));
		assert_true(many - few < (long)(bytes / 1024 / 4));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_import),
		cmocka_unit_test(test_export),
	};

	if (!getenv("PAGESCOPE")) {
		puts("PAGESCOPE names no program");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
