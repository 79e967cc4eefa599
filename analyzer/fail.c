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

/*
 * Where this thread's messages go instead of to stderr.  A global, as who says
 * something is many calls below who listens, and none of those calls is about
 * messages.
 */
static _Thread_local struct {
	char *text;
	size_t bytes;
} listener;

static void
say(const char *prefix, int error, const char *format, va_list args)
{
	char text[4096];
	char reason[128] = "";

	vsnprintf(text, sizeof(text), format, args);
	if (error)
		snprintf(reason, sizeof(reason), ": %s", strerror(error));
	if (!listener.text)
		fprintf(stderr, "pagescope: %s%s%s\n", prefix, text, reason);
	else if (!listener.text[0])
		snprintf(listener.text, listener.bytes, "%s%s%s", prefix, text,
			 reason);
}

void
fail_listen(char *text, size_t bytes)
{
	listener.text = text;
	listener.bytes = bytes;
	if (text)
		text[0] = '\0';
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
