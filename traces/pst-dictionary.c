// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each table: the number of its first new entry, how many, then the entries,
 * as varints; what tends to grow (pcs, site numbers) as differences to the
 * entry before.
 */
#include "traces/pst-dictionary.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

void
dictionary_counts(const struct stream *stream, struct dictionary_counts *counts)
{
	/* Users before what they use: what a counted entry refers to is
	 * counted too, even while the source adds more. */
	counts->steps = stream_steps(stream);
	counts->shapes = stream_shapes(stream);
	counts->sites = stream_sites(stream);
	counts->threads = stream_threads(stream);
	counts->spaces = stream_spaces(stream);
	counts->files = stream_files(stream);
}

static void
put_range(struct bytes *bytes, uint32_t from, uint32_t to)
{
	bytes_put_varint(bytes, from);
	bytes_put_varint(bytes, to - from);
}

static void
write_files(struct bytes *bytes, const struct stream *stream, uint32_t from,
	    uint32_t to)
{
	put_range(bytes, from, to);
	for (uint32_t i = from; i < to; i++) {
		const struct file *file = stream_file(stream, i);

		bytes_put_string(bytes, file->path);
		bytes_put_string(bytes, file->build_id);
		bytes_put_varint(bytes, file->inode);
		bytes_put_varint(bytes, file->size_bytes);
		bytes_put_varint(bytes, file->mtime_s);
	}
}

static void
write_spaces(struct bytes *bytes, const struct stream *stream, uint32_t from,
	     uint32_t to)
{
	put_range(bytes, from, to);
	for (uint32_t i = from; i < to; i++) {
		const struct space *space = stream_space(stream, i);

		bytes_put_varint(bytes, space->pid);
		bytes_put_varint(bytes, space->image);
		bytes_put_varint(bytes, (uint32_t)(space->parent + 1));
	}
}

static void
write_threads(struct bytes *bytes, const struct stream *stream, uint32_t from,
	      uint32_t to)
{
	put_range(bytes, from, to);
	for (uint32_t i = from; i < to; i++) {
		const struct thread *thread = stream_thread(stream, i);

		bytes_put_varint(bytes, thread->pid);
		bytes_put_varint(bytes, thread->tid);
	}
}

static void
write_sites(struct bytes *bytes, const struct stream *stream, uint32_t from,
	    uint32_t to)
{
	uint64_t pc = 0;

	put_range(bytes, from, to);
	for (uint32_t i = from; i < to; i++) {
		const struct site *site = stream_site(stream, i);

		bytes_put_signed(bytes, (int64_t)(site->pc - pc));
		bytes_put_varint(bytes, site->size);
		bytes_put_varint(bytes, site->kind);
		bytes_put_varint(bytes, site->instructions);
		bytes_put_varint(bytes, site->image);
		pc = site->pc;
	}
}

static void
write_shapes(struct bytes *bytes, const struct stream *stream, uint32_t from,
	     uint32_t to)
{
	uint32_t site = 0;

	put_range(bytes, from, to);
	for (uint32_t i = from; i < to; i++) {
		const struct shape *shape = stream_shape(stream, i);

		bytes_put_varint(bytes, shape->n_accesses);
		bytes_put_varint(bytes, shape->n_slots);
		for (unsigned k = 0; k < shape->n_accesses; k++) {
			const struct shape_access *access = &shape->access[k];
			uint32_t index = SITE_INDEX(access->ref);

			bytes_put_signed(bytes, (int64_t)index - (int64_t)site);
			bytes_put_varint(bytes, (uint64_t)access->slot << 1 |
							!!access->guarded);
			bytes_put_signed(bytes, access->displacement);
			site = index;
		}
	}
}

static void
write_steps(struct bytes *bytes, const struct stream *stream, uint32_t from,
	    uint32_t to)
{
	uint32_t shape = 0;

	put_range(bytes, from, to);
	for (uint32_t i = from; i < to; i++) {
		const struct step *step = stream_step(stream, i);

		bytes_put_signed(bytes, (int64_t)step->shape - (int64_t)shape);
		bytes_put_varint(bytes, step->n_accesses);
		bytes_put_varint(bytes, step->n_slots);
		shape = step->shape;
	}
}

void
dictionary_write_code(struct bytes *bytes, const struct stream *stream,
		      const struct dictionary_counts *to)
{
	write_sites(bytes, stream, 0, to->sites);
	write_shapes(bytes, stream, 0, to->shapes);
	write_steps(bytes, stream, 0, to->steps);
}

bool
dictionary_write(struct bytes *bytes, const struct stream *stream,
		 struct dictionary_counts *from,
		 const struct dictionary_counts *to)
{
	if (!memcmp(from, to, sizeof(*from)))
		return false;
	write_files(bytes, stream, from->files, to->files);
	write_spaces(bytes, stream, from->spaces, to->spaces);
	write_threads(bytes, stream, from->threads, to->threads);
	write_sites(bytes, stream, from->sites, to->sites);
	write_shapes(bytes, stream, from->shapes, to->shapes);
	write_steps(bytes, stream, from->steps, to->steps);
	*from = *to;
	return true;
}

/* The number of new entries of a table that has `have`; UINT64_MAX if the
 * section does not continue it. */
static uint64_t
get_range(struct cursor *cursor, uint32_t have)
{
	uint64_t from = cursor_varint(cursor);
	uint64_t n = cursor_varint(cursor);

	/* an entry takes at least 2 bytes: a bound before any loop */
	if (cursor->failed || from != have ||
	    n > (size_t)(cursor->end - cursor->at))
		return UINT64_MAX;
	return n;
}

static int
read_files(struct cursor *cursor, struct stream *stream)
{
	uint64_t n = get_range(cursor, stream_files(stream));
	int error = n == UINT64_MAX ? -EBADMSG : 0;

	for (; n && !error; n--) {
		char *path = cursor_string(cursor);
		char *build_id = cursor_string(cursor);
		struct file file = { .path = path, .build_id = build_id };
		uint32_t number;

		file.inode = cursor_varint(cursor);
		file.size_bytes = cursor_varint(cursor);
		file.mtime_s = cursor_varint(cursor);
		error = cursor->failed
				? -EBADMSG
				: stream_file_add(stream, &file, &number);
		free(path);
		free(build_id);
	}
	return error;
}

static int
read_spaces(struct cursor *cursor, struct stream *stream)
{
	uint64_t n = get_range(cursor, stream_spaces(stream));
	int error = n == UINT64_MAX ? -EBADMSG : 0;

	for (; n && !error; n--) {
		struct space space = { 0 };
		uint64_t parent;
		uint32_t number;

		space.pid = (uint32_t)cursor_varint(cursor);
		space.image = (uint16_t)cursor_varint(cursor);
		parent = cursor_varint(cursor);
		space.parent = (uint32_t)(parent - 1);
		if (cursor->failed || parent > stream_spaces(stream))
			return -EBADMSG;
		error = stream_space_add(stream, &space, &number);
	}
	return error;
}

static int
read_threads(struct cursor *cursor, struct stream *stream)
{
	uint64_t n = get_range(cursor, stream_threads(stream));
	int error = n == UINT64_MAX ? -EBADMSG : 0;

	for (; n && !error; n--) {
		struct thread thread = { 0 };
		uint32_t number;

		thread.pid = (uint32_t)cursor_varint(cursor);
		thread.tid = (uint32_t)cursor_varint(cursor);
		error = cursor->failed
				? -EBADMSG
				: stream_thread_add(stream, &thread, &number);
	}
	return error;
}

static int
read_sites(struct cursor *cursor, struct stream *stream)
{
	uint64_t n = get_range(cursor, stream_sites(stream));
	int error = n == UINT64_MAX ? -EBADMSG : 0;
	uint64_t pc = 0;

	for (; n && !error; n--) {
		struct site site = { 0 };
		uint64_t kind, size;
		uint32_t ref;

		pc += (uint64_t)cursor_signed(cursor);
		site.pc = pc;
		size = cursor_varint(cursor);
		kind = cursor_varint(cursor);
		site.size = (uint32_t)size;
		site.kind = (uint8_t)kind;
		site.instructions = (uint8_t)cursor_varint(cursor);
		site.image = (uint16_t)cursor_varint(cursor);
		if (cursor->failed || kind > SITE_FETCH || size > UINT32_MAX)
			return -EBADMSG;
		error = stream_site_add(stream, &site, &ref);
	}
	return error;
}

static int
read_accesses(struct cursor *cursor, const struct stream *stream,
	      struct shape_access *access, uint64_t n, uint64_t n_slots,
	      uint64_t *index)
{
	for (uint64_t k = 0; k < n; k++) {
		const struct site *site;
		uint64_t slot;

		*index += (uint64_t)cursor_signed(cursor);
		slot = cursor_varint(cursor);
		access[k].guarded = slot & 1;
		access[k].slot = (uint16_t)(slot >> 1);
		access[k].displacement = cursor_signed(cursor);
		if (cursor->failed || *index >= stream_sites(stream) ||
		    slot >> 1 > n_slots)
			return -EBADMSG;
		site = stream_site(stream, (uint32_t)*index);
		access[k].ref = (uint32_t)*index << 3 |
				(site->size > 64 ? SITE_WIDE : 0) | site->kind;
	}
	return 0;
}

static int
read_shapes(struct cursor *cursor, struct stream *stream)
{
	struct shape_access access[SHAPE_ACCESSES_MAX];
	uint64_t n = get_range(cursor, stream_shapes(stream));
	int error = n == UINT64_MAX ? -EBADMSG : 0;
	uint64_t index = 0;

	for (; n && !error; n--) {
		uint64_t n_accesses = cursor_varint(cursor);
		uint64_t n_slots = cursor_varint(cursor);
		uint32_t number;

		if (cursor->failed || n_accesses > SHAPE_ACCESSES_MAX ||
		    n_slots > SHAPE_SLOTS_MAX)
			return -EBADMSG;
		error = read_accesses(cursor, stream, access, n_accesses,
				      n_slots, &index);
		if (!error)
			error = stream_shape_add(stream, access, n_accesses,
						 n_slots, &number);
	}
	return error;
}

/* The accesses of a step may only use roots that it has. */
static bool
step_sound(const struct stream *stream, const struct step *step)
{
	const struct shape *shape = stream_shape(stream, step->shape);

	if (step->n_accesses > shape->n_accesses ||
	    step->n_slots > shape->n_slots)
		return false;
	for (unsigned k = 0; k < step->n_accesses; k++)
		if (shape->access[k].slot > step->n_slots)
			return false;
	return true;
}

static int
read_steps(struct cursor *cursor, struct stream *stream)
{
	uint64_t n = get_range(cursor, stream_steps(stream));
	int error = n == UINT64_MAX ? -EBADMSG : 0;
	uint64_t shape = 0;

	for (; n && !error; n--) {
		struct step step;
		uint32_t number;

		shape += (uint64_t)cursor_signed(cursor);
		step.shape = (uint32_t)shape;
		step.n_accesses = (uint16_t)cursor_varint(cursor);
		step.n_slots = (uint16_t)cursor_varint(cursor);
		if (cursor->failed || shape >= stream_shapes(stream) ||
		    !step_sound(stream, &step))
			return -EBADMSG;
		error = stream_step_add(stream, &step, &number);
	}
	return error;
}

int
dictionary_read(const uint8_t *data, size_t n, struct stream *stream,
		const char **what)
{
	static const struct {
		const char *name;
		int (*read)(struct cursor *, struct stream *);
	} table[] = {
		{ "files", read_files },     { "spaces", read_spaces },
		{ "threads", read_threads }, { "sites", read_sites },
		{ "shapes", read_shapes },   { "steps", read_steps },
	};
	struct cursor cursor = { .at = data, .end = data + n };

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		int error = table[i].read(&cursor, stream);

		*what = table[i].name;
		if (error)
			return error;
	}
	*what = "end";
	return cursor.at == cursor.end ? 0 : -EBADMSG;
}
