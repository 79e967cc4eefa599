// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chunks of a million references; the highest bit of each says that it wrote.
 *
 *	page[]	|w page|w page| ...		always
 *	next[]	how far on the next one is	for OPT; 0: never
 *	wait[]	time since the reference before	for policies with clocks
 *
 * Changes (pages given back, sizes) stand in a list by position: there are few.
 */
#define _GNU_SOURCE
#include "models/analysis/refstring.h"

#include "analyzer/fail.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define CHUNK_SHIFT 20
#define CHUNK	    (1u << CHUNK_SHIFT)
#define CHUNK_BYTES (CHUNK * sizeof(uint32_t))
#define WRITE	    REFSTRING_PAGES
#define RUN	    4096u /* references at a time */

enum column {
	COLUMN_PAGE,
	COLUMN_NEXT,
	COLUMN_WAIT,
	COLUMNS
};

struct change {
	uint64_t position;
	uint32_t page;
	uint32_t bytes; /* 0: given back */
};

struct refstring {
	struct refstring_config config;
	uint32_t **chunk[COLUMNS]; /* owned, mapped */
	size_t n_chunks[COLUMNS], room[COLUMNS];
	uint64_t mapped, in_file; /* bytes */
	int file;		  /* -1: none yet */
	uint64_t n, time;	  /* time of the last */
	uint32_t pages;
	struct change *change; /* owned */
	size_t n_changes, room_changes;
	bool next_known;
};

int
refstring_open(struct refstring **out, const struct refstring_config *config)
{
	struct refstring *string = calloc(1, sizeof(*string));

	if (!string)
		return fail(ENOMEM, "references: no memory");
	string->config = *config;
	if (!string->config.memory_bytes)
		string->config.memory_bytes = UINT64_C(1) << 30;
	string->file = -1;
	*out = string;
	return 0;
}

void
refstring_close(struct refstring *string)
{
	if (!string)
		return;
	for (unsigned column = 0; column < COLUMNS; column++) {
		for (size_t i = 0; i < string->n_chunks[column]; i++)
			munmap(string->chunk[column][i], CHUNK_BYTES);
		free(string->chunk[column]);
	}
	if (string->file >= 0)
		close(string->file);
	free(string->change);
	free(string);
}

static int
open_file(struct refstring *string)
{
	const char *directory = getenv("TMPDIR");
	char name[512];

	if (string->file >= 0)
		return 0;
	snprintf(name, sizeof(name), "%s/pagescope-XXXXXX",
		 directory && *directory ? directory : "/tmp");
	string->file = mkostemp(name, O_CLOEXEC);
	if (string->file < 0)
		return fail_errno(errno, "references: cannot make %s", name);
	unlink(name);
	return 0;
}

/* Memory for a chunk, or a piece of the file */
static int
map_chunk(struct refstring *string, uint32_t **out)
{
	bool memory = string->mapped < string->config.memory_bytes;
	int flags = memory ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
	off_t at = memory ? 0 : (off_t)string->in_file;
	void *chunk;
	int error;

	if (!memory) {
		error = open_file(string);
		if (error)
			return error;
		error = posix_fallocate(string->file, at, CHUNK_BYTES);
		if (error)
			return fail_errno(error,
					  "references: a temporary file of "
					  "%llu MiB (TMPDIR says where)",
					  (unsigned long long)(at >> 20));
		string->in_file += CHUNK_BYTES;
	}
	chunk = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, flags,
		     memory ? -1 : string->file, at);
	if (chunk == MAP_FAILED)
		return fail_errno(errno, "references: no memory");
	string->mapped += CHUNK_BYTES;
	*out = chunk;
	return 0;
}

/* Where the column's number is at this position, which may be a new one. */
static int
make_cell(struct refstring *string, enum column column, uint64_t position)
{
	size_t at = position >> CHUNK_SHIFT;
	int error;

	if (at < string->n_chunks[column])
		return 0;
	if (at == string->room[column]) {
		size_t room = at ? 2 * at : 16;
		uint32_t **chunk = reallocarray(string->chunk[column], room,
						sizeof(*chunk));

		if (!chunk)
			return fail(ENOMEM, "references: no memory");
		string->chunk[column] = chunk;
		string->room[column] = room;
	}
	error = map_chunk(string, &string->chunk[column][at]);
	if (!error)
		string->n_chunks[column]++;
	return error;
}

static ALWAYS_INLINE uint32_t *
cell(const struct refstring *string, enum column column, uint64_t position)
{
	return &string->chunk[column][position >> CHUNK_SHIFT]
			     [position & (CHUNK - 1)];
}

int
refstring_add(struct refstring *string, const struct reclaim_batch *batch)
{
	for (uint32_t i = 0; i < batch->n; i++) {
		uint64_t at = string->n;
		uint32_t page = batch->page[i];
		bool write = batch->write && batch->write[i];

		if (unlikely(!(at & (CHUNK - 1)))) {
			int error = make_cell(string, COLUMN_PAGE, at);

			if (!error && string->config.times)
				error = make_cell(string, COLUMN_WAIT, at);
			if (error)
				return error;
		}
		if (page >= string->pages)
			string->pages = page + 1;
		*cell(string, COLUMN_PAGE, at) = page | (write ? WRITE : 0);
		if (string->config.times) {
			uint64_t wait = batch->time[i] - string->time;

			*cell(string, COLUMN_WAIT, at) =
				wait < UINT32_MAX ? (uint32_t)wait : UINT32_MAX;
			string->time = batch->time[i];
		}
		string->n++;
	}
	return 0;
}

static int
add_change(struct refstring *string, uint32_t page, uint32_t bytes)
{
	if (string->n_changes == string->room_changes) {
		size_t room =
			string->room_changes ? 2 * string->room_changes : 64;
		struct change *change =
			reallocarray(string->change, room, sizeof(*change));

		if (!change)
			return fail(ENOMEM, "references: no memory");
		string->change = change;
		string->room_changes = room;
	}
	string->change[string->n_changes++] =
		(struct change){ string->n, page, bytes };
	return 0;
}

int
refstring_drop(struct refstring *string, uint32_t page)
{
	return add_change(string, page, 0);
}

int
refstring_size(struct refstring *string, uint32_t page, uint32_t bytes)
{
	return add_change(string, page, bytes ? bytes : 1);
}

int
refstring_find_next(struct refstring *string)
{
	uint32_t *seen; /* by page, position + 1 of what follows */
	int error = 0;

	if (string->next_known)
		return 0;
	if (string->n >= UINT32_MAX)
		return fail(EFBIG, "references: OPT looks ahead over less than "
				   "2^32 references, of which repeats of a "
				   "page are one");
	seen = calloc((size_t)string->pages + 1, sizeof(*seen));
	if (!seen)
		return fail(ENOMEM, "references: no memory");
	for (uint64_t at = 0; !error && at < string->n; at += CHUNK)
		error = make_cell(string, COLUMN_NEXT, at);
	for (uint64_t at = string->n; !error && at-- > 0;) {
		uint32_t page = *cell(string, COLUMN_PAGE, at) & ~WRITE;

		*cell(string, COLUMN_NEXT, at) =
			seen[page] ? seen[page] - 1 - (uint32_t)at : 0;
		seen[page] = (uint32_t)at + 1;
	}
	free(seen);
	string->next_known = !error;
	return error;
}

uint64_t
refstring_references(const struct refstring *string)
{
	return string->n;
}

struct player {
	const struct refstring *string;
	const struct refstring_listener *listener;
	uint32_t page[RUN];
	uint8_t write[RUN];
	uint64_t next[RUN], time[RUN];
	uint64_t now;
};

/* n references, within one chunk */
static int
play_run(struct player *player, uint64_t at, uint32_t n)
{
	const struct refstring *string = player->string;
	const uint32_t *page = cell(string, COLUMN_PAGE, at);
	const struct reclaim_batch batch = {
		.page = player->page,
		.write = player->write,
		.next = string->next_known ? player->next : NULL,
		.time = string->config.times ? player->time : NULL,
		.n = n,
		.position = at,
	};

	for (uint32_t i = 0; i < n; i++) {
		player->page[i] = page[i] & ~WRITE;
		player->write[i] = (uint8_t)(page[i] >> 31);
	}
	if (batch.next) {
		const uint32_t *next = cell(string, COLUMN_NEXT, at);

		for (uint32_t i = 0; i < n; i++)
			player->next[i] =
				next[i] ? at + i + next[i] : RECLAIM_NEVER;
	}
	if (batch.time) {
		const uint32_t *wait = cell(string, COLUMN_WAIT, at);

		for (uint32_t i = 0; i < n; i++)
			player->time[i] = player->now += wait[i];
	}
	return player->listener->feed(player->listener->context, &batch);
}

static void
play_change(const struct player *player, const struct change *change)
{
	const struct refstring_listener *listener = player->listener;

	if (change->bytes)
		listener->size(listener->context, change->page, change->bytes);
	else
		listener->drop(listener->context, change->page);
}

static uint64_t
least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

int
refstring_play(const struct refstring *string,
	       const struct refstring_listener *listener)
{
	struct player *player = malloc(sizeof(*player));
	size_t changes = 0;
	uint64_t at = 0;
	int error = 0;

	if (!player)
		return fail(ENOMEM, "references: no memory");
	player->string = string;
	player->listener = listener;
	player->now = 0;
	while (!error && at < string->n) {
		uint64_t end = least(at + RUN, (at | (CHUNK - 1)) + 1);

		end = least(end, string->n);
		while (changes < string->n_changes &&
		       string->change[changes].position == at)
			play_change(player, &string->change[changes++]);
		if (changes < string->n_changes)
			end = least(end, string->change[changes].position);
		error = play_run(player, at, (uint32_t)(end - at));
		at = end;
	}
	free(player);
	return error;
}
