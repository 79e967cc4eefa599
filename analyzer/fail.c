// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One line on stderr a message, written in one call so that lines of several
 * threads do not mix.
 */
#include "analyzer/fail.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* fail.h has macros for analyzers. */
#undef fail
#undef fail_errno

static void
say(const char *prefix, int error, const char *format, va_list args)
{
	char text[4096];
	char reason[128] = "";

	vsnprintf(text, sizeof(text), format, args);
	if (error)
		snprintf(reason, sizeof(reason), ": %s", strerror(error));
	fprintf(stderr, "pagescope: %s%s%s\n", prefix, text, reason);
}

int
fail(int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("", 0, format, args);
	va_end(args);
	return -error;
}

int
fail_errno(int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("", error, format, args);
	va_end(args);
	return -error;
}

void
warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("warning: ", 0, format, args);
	va_end(args);
}

void
note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("", 0, format, args);
	va_end(args);
}
