// SPDX-License-Identifier: GPL-2.0-or-later
#include "traces/text.h"

#include <stdio.h>

#define QUOTED_MAX   60
#define SCORED_LINES 200
#define SCORED_MAX   1024 /* of a line: longer ones are none of ours */

void
text_quote(char *text, size_t text_bytes, const char *line, const char *end)
{
	const char *newline = memchr(line, '\n', (size_t)(end - line));
	size_t n = (size_t)((newline ? newline : end) - line);
	size_t used = 0;

	if (n && line[n - 1] == '\r')
		n--;
	for (size_t i = 0; i < n && i < QUOTED_MAX; i++) {
		unsigned char byte = (unsigned char)line[i];
		bool plain = byte >= ' ' && byte < 0x7f && byte != '\\';

		if (used + 5 > text_bytes)
			break;
		used += (size_t)snprintf(text + used, text_bytes - used,
					 plain ? "%c" : "\\x%02x", byte);
	}
	snprintf(text + used, text_bytes - used, "%s",
		 n > QUOTED_MAX ? "..." : "");
}

/* A line copied to where it has slack around it, and a newline. */
static bool
line_copy(char room[SCORED_MAX + 2 * INPUT_SLACK], const char *line, size_t n)
{
	memset(room, 0, SCORED_MAX + 2 * INPUT_SLACK);
	if (n >= SCORED_MAX || memchr(line, '\0', n))
		return false;
	memcpy(room + INPUT_SLACK, line, n);
	room[INPUT_SLACK + n] = '\n';
	return true;
}

int
text_score(const char *start, size_t bytes, bool (*skip)(const char *line),
	   bool (*matches)(const char *line))
{
	const char *end = start + bytes;
	unsigned good = 0, all = 0;

	for (unsigned i = 0; i < SCORED_LINES && start < end; i++) {
		const char *newline =
			memchr(start, '\n', (size_t)(end - start));
		/* a last line without newline may be cut: only if alone */
		const char *stop = newline ? newline : end;
		char room[SCORED_MAX + 2 * INPUT_SLACK];
		const char *line = room + INPUT_SLACK;

		if (!newline && all)
			break;
		if (!line_copy(room, start, (size_t)(stop - start)))
			all++;
		else if (!text_line_end(line) && !(skip && skip(line))) {
			all++;
			good += matches(line);
		}
		start = stop + (newline != NULL);
	}
	return all ? (int)(100 * good / all) : 0;
}
