// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The distance from each reference to the next of its page, in one pass ahead:
 * when a page is referenced, the place of its last reference gets the distance.
 * 0 says never; distances that 32 bits do not hold are in a table.
 */
#include "models/paging/next-use.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "models/paging/hash.h"

#define START_REFERENCES (UINT64_C(1) << 16)
#define UNSEEN		 UINT64_MAX
#ifndef MEMORY_MAX		       /* a test makes both small */
#define MEMORY_MAX (UINT64_C(1) << 26) /* bytes of a column */
#define FAR	   UINT32_MAX	       /* its distance is in `far` */
#endif

/* uint32_t[room] that moves from memory to a file */
struct column {
	uint32_t *word;
	uint64_t room;
	int file; /* -1: in memory */
};

struct next_use {
	struct column distance, page;
	bool keep_pages;
	uint64_t n;
	uint64_t *last; /* owned [pages]: position of the last reference */
	uint32_t pages;
	struct hash far;
};

static int
spill_open(void)
{
	const char *directory = getenv("TMPDIR");
	char *path;
	int file;

	if (asprintf(&path, "%s/pagescope-next.XXXXXX",
		     directory && *directory ? directory : "/tmp") < 0)
		return fail(ENOMEM, "reclaim: no memory for a file's name");
	file = mkostemp(path, O_CLOEXEC);
	if (file < 0)
		fail_errno(errno, "%s", path);
	else
		unlink(path);
	free(path);
	return file < 0 ? -EIO : file;
}

static int
column_no_memory(uint64_t room)
{
	return fail(ENOMEM, "reclaim: no memory for %" PRIu64 " references",
		    room);
}

/* Blocks are taken now: a full disk is an error here, not a signal later. */
static int
column_map(struct column *column, uint64_t room)
{
	size_t old = column->room * sizeof(*column->word);
	size_t bytes = room * sizeof(*column->word);
	int error = posix_fallocate(column->file, 0, (off_t)bytes);
	void *map;

	if (error) {
		fail_errno(error,
			   "%zu MiB of $TMPDIR for the next references of OPT",
			   bytes >> 20);
		return -ENOSPC;
	}
	map = column->word ? mremap(column->word, old, bytes, MREMAP_MAYMOVE)
			   : mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				  MAP_SHARED, column->file, 0);
	if (map == MAP_FAILED || !map)
		return column_no_memory(room);
	column->word = map;
	column->room = room;
	return 0;
}

static int
column_spill(struct column *column, uint64_t room)
{
	struct column spilled = { .file = spill_open() };
	int error;

	if (spilled.file < 0)
		return spilled.file;
	error = column_map(&spilled, room);
	if (error) {
		close(spilled.file);
		return error;
	}
	if (column->word)
		memcpy(spilled.word, column->word,
		       column->room * sizeof(*column->word));
	free(column->word);
	*column = spilled;
	return 0;
}

static int
column_grow(struct column *column, uint64_t need)
{
	uint64_t room = column->room ? column->room : START_REFERENCES;
	uint32_t *word;

	if (column->word && need <= column->room)
		return 0;
	while (room < need)
		room *= 2;
	if (column->file >= 0)
		return column_map(column, room);
	if (room * sizeof(*word) > MEMORY_MAX)
		return column_spill(column, room);
	word = reallocarray(column->word, room, sizeof(*word));
	if (!word)
		return column_no_memory(room);
	column->word = word;
	column->room = room;
	return 0;
}

static void
column_fini(struct column *column)
{
	if (column->file < 0) {
		free(column->word);
		return;
	}
	munmap(column->word, column->room * sizeof(*column->word));
	close(column->file);
}

int
next_use_open(struct next_use **out, bool keep_pages)
{
	struct next_use *next_use = calloc(1, sizeof(*next_use));

	if (!next_use)
		return column_no_memory(0);
	next_use->distance.file = next_use->page.file = -1;
	next_use->keep_pages = keep_pages;
	*out = next_use;
	return 0;
}

void
next_use_close(struct next_use *next_use)
{
	if (!next_use)
		return;
	column_fini(&next_use->distance);
	column_fini(&next_use->page);
	hash_fini(&next_use->far);
	free(next_use->last);
	free(next_use);
}

static int
pages_grow(struct next_use *next_use, uint32_t page)
{
	uint64_t pages = next_use->pages ? next_use->pages : 1024;
	uint64_t *last;

	while (pages <= page)
		pages *= 2;
	if (pages > UINT32_MAX)
		return fail(EINVAL,
			    "reclaim: page number %" PRIu32 " is too "
			    "large",
			    page);
	last = reallocarray(next_use->last, pages, sizeof(*last));
	if (!last)
		return fail(ENOMEM, "reclaim: no memory for %" PRIu64 " pages",
			    pages);
	for (uint64_t i = next_use->pages; i < pages; i++)
		last[i] = UNSEEN;
	next_use->last = last;
	next_use->pages = (uint32_t)pages;
	return 0;
}

static int
distance_put(struct next_use *next_use, uint64_t at, uint64_t distance)
{
	bool far = distance >= FAR;

	next_use->distance.word[at] = far ? FAR : (uint32_t)distance;
	if (far && hash_put(&next_use->far, at, distance))
		return column_no_memory(next_use->n);
	return 0;
}

int
next_use_add(struct next_use *next_use, const uint32_t *page, uint32_t n)
{
	uint64_t first = next_use->n;
	int error;

	if (!n)
		return 0;
	error = column_grow(&next_use->distance, first + n);
	if (!error && next_use->keep_pages)
		error = column_grow(&next_use->page, first + n);
	if (error)
		return error;
	if (next_use->keep_pages)
		memcpy(next_use->page.word + first, page, n * sizeof(*page));
	for (uint32_t i = 0; i < n; i++) {
		uint64_t *last;

		if (page[i] >= next_use->pages) {
			error = pages_grow(next_use, page[i]);
			if (error)
				return error;
		}
		last = &next_use->last[page[i]];
		if (*last != UNSEEN) {
			error = distance_put(next_use, *last,
					     first + i - *last);
			if (error)
				return error;
		}
		*last = first + i;
		next_use->distance.word[first + i] = 0;
	}
	next_use->n += n;
	return 0;
}

uint64_t
next_use_length(const struct next_use *next_use)
{
	return next_use->n;
}

uint32_t
next_use_read(const struct next_use *next_use, uint64_t position, uint32_t n,
	      uint64_t *next)
{
	uint64_t left = position < next_use->n ? next_use->n - position : 0;

	n = n < left ? n : (uint32_t)left;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t distance = next_use->distance.word[position + i];

		if (!distance)
			next[i] = RECLAIM_NEVER;
		else if (unlikely(distance == FAR))
			next[i] = position + i +
				  *hash_find(&next_use->far, position + i);
		else
			next[i] = position + i + distance;
	}
	return n;
}

const uint32_t *
next_use_pages(const struct next_use *next_use, uint64_t position)
{
	return next_use->page.word + position;
}
