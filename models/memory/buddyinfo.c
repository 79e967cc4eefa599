// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Lines of the two files:
 *
 *	Node 0, zone   Normal    215    123 ...		free blocks by order
 *	Node    0, zone   Normal, type    Movable  17 ...	and by type
 *
 * pagetypeinfo goes on with a table of another kind, which is left out; it
 * writes >100000 where it stopped counting.
 */
#include "models/memory/buddyinfo.h"

#include "analyzer/fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	enum pool_type type;
} types[] = {
	{ "Unmovable", POOL_UNMOVABLE },
	{ "Movable", POOL_MOVABLE },
	{ "Reclaimable", POOL_RECLAIMABLE },
	{ "HighAtomic", POOL_UNMOVABLE },
	{ "CMA", POOL_MOVABLE },
	{ "Isolate", POOL_UNMOVABLE },
};

static int
find_type(const char *name, enum pool_type *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i].name, name)) {
			*type = types[i].type;
			return 0;
		}
	return -EINVAL;
}

/* The counts of one line; how many, or -EINVAL. */
static int
read_counts(const char *text, uint64_t counts[POOL_ORDERS])
{
	int n = 0;

	for (;; n++) {
		char *end;
		unsigned long long value;

		text += strspn(text, " \t\n>");
		if (!*text)
			return n;
		if (n == POOL_ORDERS || *text < '0' || *text > '9')
			return -EINVAL;
		value = strtoull(text, &end, 10);
		if (value > UINT32_MAX)
			return -EINVAL;
		counts[n] = value;
		text = end;
	}
}

/* 0, or -EINVAL with what is wrong. */
static int
read_line(struct buddyinfo *info, const char *line, const char **wrong)
{
	uint64_t counts[POOL_ORDERS] = { 0 };
	enum pool_type type = POOL_MOVABLE;
	char zone[32], name[32];
	unsigned node;
	int at = 0;

	*wrong = "no line of /proc/buddyinfo or /proc/pagetypeinfo";
	if (sscanf(line, "Node %u, zone %31[^, ], type %31s%n", &node, zone,
		   name, &at) == 3) {
		if (find_type(name, &type))
			return -EINVAL;
	} else if (sscanf(line, "Node %u, zone %31s%n", &node, zone, &at) !=
			   2 ||
		   !at) {
		return -EINVAL;
	}
	if (node >= BUDDYINFO_NODES) {
		*wrong = "the node is none of 0 to 63";
		return -EINVAL;
	}
	if (read_counts(line + at, counts) < 1) {
		*wrong = "not 1 to 11 counts of free blocks";
		return -EINVAL;
	}
	if (node >= info->nodes)
		info->nodes = node + 1;
	for (unsigned order = 0; order < POOL_ORDERS; order++)
		info->blocks[node][type][order] += counts[order];
	return 0;
}

static int
read_lines(struct buddyinfo *info, FILE *file, const char *path)
{
	char line[1024];
	size_t number = 0;

	while (fgets(line, sizeof(line), file)) {
		const char *wrong;

		number++;
		if (!strncmp(line, "Number of blocks", 16))
			break;
		if (line[0] == '\n' || !strncmp(line, "Page", 4) ||
		    !strncmp(line, "Free pages", 10))
			continue;
		if (read_line(info, line, &wrong) < 0)
			return fail(EINVAL, "%s:%zu: %s", path, number, wrong);
	}
	if (ferror(file))
		return fail(EIO, "%s: it can't be read", path);
	return info->nodes ? 0 : fail(EINVAL, "%s: it has no node", path);
}

int
buddyinfo_read(struct buddyinfo *info, const char *path)
{
	FILE *file = fopen(path, "re");
	int error;

	memset(info, 0, sizeof(*info));
	if (!file)
		return fail_errno(errno, "%s", path);
	error = read_lines(info, file, path);
	fclose(file);
	return error;
}

uint64_t
buddyinfo_pages(const uint64_t blocks[POOL_ORDERS])
{
	uint64_t pages = 0;

	for (unsigned order = 0; order < POOL_ORDERS; order++)
		pages += blocks[order] << order;
	return pages;
}

/* How many blocks of this order there are in all blocks. */
static uint64_t
suitable(const uint64_t blocks[POOL_ORDERS], unsigned order)
{
	uint64_t n = 0;

	for (unsigned i = order; i < POOL_ORDERS; i++)
		n += blocks[i] << (i - order);
	return n;
}

int64_t
buddyinfo_fragmentation(const uint64_t blocks[POOL_ORDERS], unsigned order)
{
	uint64_t requested = UINT64_C(1) << order, all = 0;
	uint64_t pages = buddyinfo_pages(blocks);

	for (unsigned i = 0; i < POOL_ORDERS; i++)
		all += blocks[i];
	if (!all)
		return 0;
	if (suitable(blocks, order))
		return -1000;
	return 1000 - (int64_t)((1000 + pages * 1000 / requested) / all);
}

int64_t
buddyinfo_unusable(const uint64_t blocks[POOL_ORDERS], unsigned order)
{
	uint64_t pages = buddyinfo_pages(blocks);

	if (!pages)
		return 1000;
	return (int64_t)((pages - (suitable(blocks, order) << order)) * 1000 /
			 pages);
}
