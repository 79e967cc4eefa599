// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * 7f0a-7f0b r-xp 00002000 08:01 1234   /usr/lib/libc.so.6
 *
 * A name in brackets is the kernel's for anonymous memory ("[heap]").
 */
#include "tracers/maps.h"
#include "analyzer/base.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

int
maps_each(pid_t pid, maps_visit *visit, void *context)
{
	struct mapping_line line;
	size_t bytes = 0;
	char *text = NULL;
	char path[64];
	FILE *file;
	int got = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (!got && getline(&text, &bytes, file) > 0)
		if (!maps_parse(text, &line))
			got = visit(context, &line);
	free(text);
	fclose(file);
	return got;
}
