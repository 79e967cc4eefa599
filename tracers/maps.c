// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * 7f0a-7f0b r-xp 00002000 08:01 1234   /usr/lib/libc.so.6
 *
 * A name in brackets is the kernel's for anonymous memory ("[heap]").
 */
#include "tracers/maps.h"
#include "analyzer/base.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static uint16_t
rights(const char *text)
{
	return (text[0] == 'r' ? MAP_FLAG_READ : 0) |
	       (text[1] == 'w' ? MAP_FLAG_WRITE : 0) |
	       (text[2] == 'x' ? MAP_FLAG_EXEC : 0) |
	       (text[3] == 's' ? MAP_FLAG_SHARED : 0);
}

int
maps_parse(char *text, struct mapping_line *line)
{
	char access[5];
	int name = 0;

	text[strcspn(text, "\n")] = '\0';
	if (sscanf(text,
		   "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %" SCNu64 " %n",
		   &line->start, &line->end, access, &line->offset,
		   &line->inode, &name) != 5)
		return -EINVAL;
	line->path = text + name;
	line->flags = rights(access);
	if (!strcmp(line->path, "[stack]"))
		line->flags |= MAP_FLAG_STACK;
	else if (!strcmp(line->path, "[heap]"))
		line->flags |= MAP_FLAG_HEAP;
	/* Shared anonymous memory has an inode of the kernel's own */
	else if (line->inode && strncmp(line->path, "/dev/zero", 9))
		line->flags |= MAP_FLAG_FILE;
	return 0;
}

/* Visit the whole lines of text; what is left of the last one goes to its
 * beginning, and its length back.  A line longer than the buffer is cut. */
static size_t
visit_lines(char *text, size_t n, int *got, maps_visit *visit, void *context)
{
	struct mapping_line line;
	char *at = text, *end;

	while (!*got && (end = memchr(at, '\n', n - (size_t)(at - text)))) {
		*end = '\0';
		if (!maps_parse(at, &line))
			*got = visit(context, &line);
		at = end + 1;
	}
	n -= (size_t)(at - text);
	memmove(text, at, n);
	return n;
}

/* Without stdio and malloc: also after the recorder was killed, maybe with
 * their locks */
int
maps_each(pid_t pid, maps_visit *visit, void *context)
{
	char text[16384], path[64];
	size_t kept = 0;
	ssize_t n;
	int got = 0, fd;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (!got && kept < sizeof(text) - 1 &&
	       (n = read(fd, text + kept, sizeof(text) - 1 - kept)) > 0)
		kept = visit_lines(text, kept + (size_t)n, &got, visit,
				   context);
	close(fd);
	return got;
}
