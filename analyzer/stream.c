// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables that only grow, in chunks that never move:
 *
 *	table.chunk[] -> [entry x CHUNK] [entry x CHUNK] ...
 *
 * The directory of chunks is allocated once at its full size (untouched pages
 * of it cost nothing), so a reader never sees it move.  The count is written
 * after the entry; a reader got the number through a batch, whose hand-over
 * orders both.
 */
#include "analyzer/stream.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/expand.h"
#include "analyzer/fail.h"

#define CHUNK_SHIFT STREAM_CHUNK_SHIFT
#define CHUNK	    STREAM_CHUNK

struct table {
	void **chunk;
	size_t entry_bytes;
	uint32_t max;
	uint32_t n;
	const char *what;
};

enum table_id {
	SITES,
	SHAPES,
	STEPS,
	THREADS,
	SPACES,
	FILES,
	TABLES
};

struct stream {
	struct stream_directory directory; /* first: see stream.h */
	struct table table[TABLES];
	pthread_mutex_t adding; /* source and trace writer both may add */
	uint16_t images;
	json_t *about;
};

static const struct table table_kinds[TABLES] = {
	[SITES] = { NULL, sizeof(struct site), SITE_INDEX_MAX, 0, "sites" },
	[SHAPES] = { NULL, sizeof(struct shape), 1u << 28, 0, "shapes" },
	[STEPS] = { NULL, sizeof(struct step), 1u << 28, 0, "steps" },
	[THREADS] = { NULL, sizeof(struct thread), 1u << 22, 0, "threads" },
	[SPACES] = { NULL, sizeof(struct space), 1u << 22, 0, "spaces" },
	[FILES] = { NULL, sizeof(struct file), 1u << 22, 0, "files" },
};

static void *
table_at(const struct table *table, uint32_t i)
{
	char *chunk = table->chunk[i >> CHUNK_SHIFT];

	return chunk + (i & (CHUNK - 1)) * table->entry_bytes;
}

static int
table_append(struct table *table, const void *entry, uint32_t *number)
{
	uint32_t i = table->n;

	if (i >= table->max)
		return fail(ENOSPC, "stream: more than %u %s", table->max,
			    table->what);
	if (!table->chunk[i >> CHUNK_SHIFT]) {
		table->chunk[i >> CHUNK_SHIFT] =
			calloc(CHUNK, table->entry_bytes);
		if (!table->chunk[i >> CHUNK_SHIFT])
			return fail(ENOMEM, "stream: no memory for %s",
				    table->what);
	}
	memcpy(table_at(table, i), entry, table->entry_bytes);
	*number = i;
	__atomic_store_n(&table->n, i + 1, __ATOMIC_RELEASE);
	return 0;
}

static int
table_add(struct stream *stream, enum table_id id, const void *entry,
	  uint32_t *number)
{
	int error;

	pthread_mutex_lock(&stream->adding);
	error = table_append(&stream->table[id], entry, number);
	pthread_mutex_unlock(&stream->adding);
	return error;
}

static void
table_fini(struct table *table)
{
	if (!table->chunk)
		return;
	for (uint32_t i = 0; i <= table->max >> CHUNK_SHIFT; i++) {
		if (!table->chunk[i])
			break;
		free(table->chunk[i]);
	}
	free(table->chunk);
}

int
stream_open(struct stream **out)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return -ENOMEM;
	pthread_mutex_init(&stream->adding, NULL);
	for (int i = 0; i < TABLES; i++) {
		struct table *table = &stream->table[i];

		*table = table_kinds[i];
		table->chunk = calloc((table->max >> CHUNK_SHIFT) + 1,
				      sizeof(*table->chunk));
		if (!table->chunk)
			goto close;
	}
	stream->directory = (struct stream_directory){
		.site = (struct site **)stream->table[SITES].chunk,
		.shape = (struct shape **)stream->table[SHAPES].chunk,
		.step = (struct step **)stream->table[STEPS].chunk,
	};
	stream->about = json_object();
	if (!stream->about)
		goto close;
	*out = stream;
	return 0;
close:
	stream_close(stream);
	return -ENOMEM;
}

void
stream_close(struct stream *stream)
{
	if (!stream)
		return;
	for (uint32_t i = 0; i < stream->table[SHAPES].n; i++)
		free((void *)(uintptr_t)stream_shape(stream, i)->access);
	for (uint32_t i = 0; i < stream->table[FILES].n; i++) {
		free((void *)(uintptr_t)stream_file(stream, i)->path);
		free((void *)(uintptr_t)stream_file(stream, i)->build_id);
	}
	for (int i = 0; i < TABLES; i++)
		table_fini(&stream->table[i]);
	json_decref(stream->about);
	pthread_mutex_destroy(&stream->adding);
	free(stream);
}

int
stream_site_add(struct stream *stream, const struct site *site, uint32_t *ref)
{
	uint32_t i;
	int error = table_add(stream, SITES, site, &i);

	if (error)
		return error;
	*ref = i << 3 | (site->size > 64 ? SITE_WIDE : 0) | (site->kind & 3u);
	return 0;
}

int
stream_shape_add(struct stream *stream, const struct shape_access *access,
		 size_t n_accesses, size_t n_slots, uint32_t *number)
{
	struct shape shape = {
		.n_accesses = (uint16_t)n_accesses,
		.n_slots = (uint16_t)n_slots,
	};
	struct shape_access *copy;
	int error;

	if (n_accesses > SHAPE_ACCESSES_MAX || n_slots > SHAPE_SLOTS_MAX)
		return fail(ENOSPC,
			    "stream: a shape of %zu accesses, %zu slots",
			    n_accesses, n_slots);
	/* whole groups are read, see expand.h */
	copy = calloc(n_accesses + EXPAND_GROUP, sizeof(*copy));
	if (!copy)
		return fail(ENOMEM, "stream: no memory for a shape");
	memcpy(copy, access, n_accesses * sizeof(*copy));
	for (size_t i = 0; i < n_accesses; i++)
		shape.guarded |= copy[i].guarded != 0;
	shape.access = copy;
	error = table_add(stream, SHAPES, &shape, number);
	if (error)
		free(copy);
	return error;
}

int
stream_step_add(struct stream *stream, const struct step *step,
		uint32_t *number)
{
	const struct shape *shape = stream_shape(stream, step->shape);
	struct step copy = *step;

	copy.access = shape->access;
	copy.guarded = shape->guarded;
	return table_add(stream, STEPS, &copy, number);
}

int
stream_thread_add(struct stream *stream, const struct thread *thread,
		  uint32_t *number)
{
	return table_add(stream, THREADS, thread, number);
}

int
stream_space_add(struct stream *stream, const struct space *space,
		 uint32_t *number)
{
	return table_add(stream, SPACES, space, number);
}

int
stream_file_add(struct stream *stream, const struct file *file,
		uint32_t *number)
{
	struct file copy = *file;
	int error;

	copy.path = strdup(file->path ? file->path : "");
	copy.build_id = strdup(file->build_id ? file->build_id : "");
	error = copy.path && copy.build_id
			? table_add(stream, FILES, &copy, number)
			: fail(ENOMEM, "stream: no memory for files");
	if (error) {
		free((void *)(uintptr_t)copy.path);
		free((void *)(uintptr_t)copy.build_id);
	}
	return error;
}

uint16_t
stream_image_add(struct stream *stream)
{
	return __atomic_fetch_add(&stream->images, 1, __ATOMIC_RELAXED);
}

#define TABLE_COUNT(plural, id)                               \
	uint32_t stream_##plural(const struct stream *stream) \
	{                                                     \
		return __atomic_load_n(&stream->table[id].n,  \
				       __ATOMIC_ACQUIRE);     \
	}

TABLE_COUNT(sites, SITES)
TABLE_COUNT(shapes, SHAPES)
TABLE_COUNT(steps, STEPS)
TABLE_COUNT(threads, THREADS)
TABLE_COUNT(spaces, SPACES)
TABLE_COUNT(files, FILES)

const struct thread *
stream_thread(const struct stream *stream, uint32_t number)
{
	return table_at(&stream->table[THREADS], number);
}

const struct space *
stream_space(const struct stream *stream, uint32_t number)
{
	return table_at(&stream->table[SPACES], number);
}

const struct file *
stream_file(const struct stream *stream, uint32_t number)
{
	return table_at(&stream->table[FILES], number);
}

json_t *
stream_about(const struct stream *stream)
{
	return stream->about;
}
