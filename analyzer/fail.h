/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saying what went wrong, once, at the place that knows most (STYLE.md 6).
 * Callers pass the number up and stay silent.
 */
#ifndef ANALYZER_FAIL_H
#define ANALYZER_FAIL_H

#include "analyzer/base.h"

/*
 * Print "pagescope: " and the message to stderr; return -error, so that
 * `return fail(EINVAL, "%s:%zu: unknown kind %u", ...)` is the usual form.
 * error is a positive errno; the text of the errno is not appended.
 */
int fail(int error, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * Keep the first of what this thread says from now on in text, without
 * "pagescope: ", and print nothing; NULL: print again.  For those who go on
 * after what is the end for others.
 */
void fail_listen(char *text, size_t bytes);

/* For fail(): no errno of the system.  A word of the command line is wrong,
 * as nothing but the command line can tell; a verb that returns it ends with
 * the status for usage. */
#define EUSAGE 4000

/* The same with ": strerror(error)" appended. */
int fail_errno(int error, const char *format, ...) PRINTF_LIKE(2, 3);

#ifdef __clang_analyzer__
/* The analyzer sees one file at a time and must know that these never return
 * 0; else it follows each failure on as if it were a success. */
#define fail(error, ...) (fail(error, __VA_ARGS__), -(error))
#define fail_errno(error, ...) \
	(fail_errno(error, __VA_ARGS__), (error) ? -(error) : -EIO)
#endif

/* "pagescope: warning: ..." and "pagescope: ..." on stderr. */
void warn(const char *format, ...) PRINTF_LIKE(1, 2);
void note(const char *format, ...) PRINTF_LIKE(1, 2);

#endif
