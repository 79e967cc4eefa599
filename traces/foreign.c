// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The frame of all importers.  Where a format has no clock, a batch's time is
 * the number of accesses up to its end.
 */
#include "traces/foreign.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "analyzer/fail.h"
#include "traces/text.h"

void
foreign_wrong(struct foreign *foreign, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(foreign->wrong_text, sizeof(foreign->wrong_text), format,
		  args);
	va_end(args);
	foreign->wrong = foreign->wrong_text;
}

bool
foreign_fetch_split(struct foreign *foreign, struct batch *batch, uint64_t pc,
		    uint32_t size)
{
	unsigned begun = 1;

	while (size) {
		uint32_t left = 4096 - (uint32_t)(pc & 4095);
		uint32_t part = size < left ? size : left;
		uint32_t ref = sites_find(&foreign->sites, pc,
					  sites_key(part, SITE_FETCH, begun));

		if (ref == SITES_FAILED)
			return false;
		batch_access(batch, pc, ref);
		pc += part;
		size -= part;
		begun = 0;
	}
	return true;
}

/* At the end: what was lost, and what the format itself counted. */
static int
about_end(struct foreign *foreign)
{
	json_t *about = stream_about(foreign->source.stream);
	json_t *importer = json_object_get(about, "importer");
	json_int_t bad = (json_int_t)foreign->bad;
	json_int_t instructions = (json_int_t)foreign->instructions;
	int error = 0;

	if (instructions)
		error |= json_object_set_new(importer, "instructions",
					     json_integer(instructions));
	if (bad)
		error |= json_object_set_new(about, "losses",
					     json_pack("[{s:s, s:s, s:I}]",
						       "engine",
						       foreign->format->name,
						       "why", "bad records",
						       "records", bad));
	if (error)
		return fail(ENOMEM, "import: no memory");
	return foreign->format->end ? foreign->format->end(foreign, importer)
				    : 0;
}

/* Report the bad line or record at `at`; skip it when told to keep going. */
static int
bad_record(struct foreign *foreign, const char *at, const char *end)
{
	const char *name = input_name(foreign->input);
	size_t record = foreign->format->record_bytes;
	char place[32], text[320] = "";

	if (record)
		snprintf(place, sizeof(place), "byte %" PRIu64,
			 input_offset(foreign->input));
	else {
		snprintf(place, sizeof(place), "%" PRIu64, foreign->line + 1);
		text_quote(text, sizeof(text), at, end);
	}
	if (!foreign->keep_going)
		return fail(EINVAL, record ? "%s:%s: %s" : "%s:%s: %s: \"%s\"",
			    name, place, foreign->wrong, text);
	if (!foreign->bad)
		warn(record ? "%s:%s: %s (skipped)"
			    : "%s:%s: %s: \"%s\" (skipped)",
		     name, place, foreign->wrong, text);
	foreign->bad++;
	foreign->bad_batch++;
	foreign->line++;
	foreign->wrong = NULL;
	input_take(foreign->input,
		   record ? at + record : text_next_line(at, end));
	return 0;
}

/* The next file of the list: 1, 0 when there is none. */
static int
open_next(struct foreign *foreign)
{
	uint64_t done, all;
	int error;

	if (foreign->input) {
		input_progress(foreign->input, &done, &all);
		foreign->done_bytes += done;
		input_close(foreign->input);
		foreign->input = NULL;
	}
	if (!foreign->paths[foreign->path])
		return 0;
	foreign->line = 0;
	error = input_open(&foreign->input, foreign->paths[foreign->path]);
	if (error)
		return error;
	foreign->path++;
	return 1;
}

/* The next window: 1, 0 behind the last file. */
static int
window(struct foreign *foreign, const char **at, const char **end)
{
	int got;

	do {
		size_t record = foreign->format->record_bytes;

		got = record ? input_records(foreign->input, record, at, end)
			     : input_lines(foreign->input, at, end);
		if (got < 0 && got != -EINTR && foreign->keep_going) {
			/* what cannot be read is lost, and was said */
			foreign->bad++;
			foreign->bad_batch++;
			got = 0;
		}
		if (got)
			return got;
		got = open_next(foreign);
	} while (got > 0);
	return got;
}

/* Lines until the batch is full, the input ends or something is wrong. */
static int
fill_batch(struct foreign *foreign, struct batch *batch)
{
	while (batch->n <= FOREIGN_FULL && foreign->input) {
		const char *at, *end, *stop;
		int got = window(foreign, &at, &end);

		if (got <= 0)
			return batch->n && got == -EINTR ? 0 : got;
		stop = foreign->format->take(foreign, at, end, batch);
		input_take(foreign->input, stop);
		if (foreign->sites.error)
			return foreign->sites.error;
		if (foreign->wrong) {
			got = bad_record(foreign, stop, end);
			if (got)
				return got;
		}
		if (foreign->split)
			break;
	}
	return 0;
}

static int
foreign_next(struct source *source, struct batch *batch)
{
	struct foreign *foreign = (struct foreign *)source;
	int error;

	batch->thread = foreign->thread;
	batch->space = foreign->space;
	batch->columned = true;
	foreign->bad_batch = 0;
	foreign->split = false;
	error = fill_batch(foreign, batch);
	if (error)
		return error;
	if (foreign->bad_batch) {
		/* nobody may have been named yet */
		if (foreign->format->threads && !foreign->threads &&
		    !foreign_enter(foreign, batch, 0, 0))
			return foreign->sites.error;
		batch_event(batch, EVENT_LOST)->value = foreign->bad_batch;
	}
	foreign->accesses += batch->n;
	batch->time_ns =
		foreign->clocked ? foreign->clock_ns : foreign->accesses;
	if (batch->n || batch->n_events)
		return 1;
	return about_end(foreign);
}

static void
foreign_progress(const struct source *source, uint64_t *done, uint64_t *all)
{
	const struct foreign *foreign = (const struct foreign *)source;
	uint64_t size;

	*done = 0;
	if (foreign->input)
		input_progress(foreign->input, done, &size);
	*done += foreign->done_bytes;
	*all = foreign->all_bytes;
}

static void
foreign_close(struct source *source)
{
	struct foreign *foreign = (struct foreign *)source;

	if (!foreign)
		return;
	if (foreign->format->fini)
		foreign->format->fini(foreign);
	input_close(foreign->input);
	sites_fini(&foreign->sites);
	foreign_threads_close(foreign->threads);
	stream_close(source->stream);
	for (size_t i = 0; foreign->paths && foreign->paths[i]; i++)
		free(foreign->paths[i]);
	free(foreign->paths);
	free(foreign);
}

static const struct source_methods foreign_methods = {
	.next = foreign_next,
	.progress = foreign_progress,
	.close = foreign_close,
};

/* Copy the list; the sizes of its files are for progress. */
static int
list_paths(struct foreign *foreign, const char *const *paths)
{
	size_t n = 0;
	struct stat status;
	bool known = true;

	while (paths[n])
		n++;
	foreign->paths = calloc(n + 1, sizeof(*foreign->paths));
	if (!foreign->paths)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		foreign->paths[i] = strdup(paths[i]);
		if (!foreign->paths[i])
			return -ENOMEM;
		known &= !stat(paths[i], &status) && S_ISREG(status.st_mode);
		foreign->all_bytes += known ? (uint64_t)status.st_size : 0;
	}
	if (!known)
		foreign->all_bytes = 0;
	return 0;
}

/* A file's name as JSON, which knows only UTF-8: other bytes as \xNN */
static json_t *
json_name(const char *path)
{
	json_t *name = json_string(path);
	char *text, *at;

	if (name)
		return name;
	text = at = calloc(strlen(path) + 1, 4);
	if (!text)
		return NULL;
	for (; *path; path++)
		at += sprintf(at, (*path & 0x80) ? "\\x%02x" : "%c",
			      (unsigned char)*path);
	name = json_string(text);
	free(text);
	return name;
}

/* What is known about such a trace, its one thread and space. */
static int
describe(struct foreign *foreign)
{
	struct stream *stream = foreign->source.stream;
	json_t *about = stream_about(stream);
	json_t *inputs = json_array();
	int error = !inputs;

	for (size_t i = 0; !error && foreign->paths[i]; i++)
		error = json_array_append_new(inputs,
					      json_name(foreign->paths[i]));
	error |= json_object_set_new(about, "input", inputs);
	error |= json_object_set_new(about, "importer",
				     json_pack("{s:s, s:s}", "format",
					       foreign->format->name, "packing",
					       input_packing(foreign->input)));
	error |= json_object_set_new(about, "engines",
				     json_pack("[{s:s, s:s}]", "name",
					       foreign->format->name, "order",
					       "as in the input"));
	if (error)
		return -ENOMEM;
	if (foreign->format->threads)
		return 0;
	error = stream_thread_add(stream, &(struct thread){ 1, 1 },
				  &foreign->thread);
	if (!error)
		error = stream_space_add(stream,
					 &(struct space){
						 1, stream_image_add(stream),
						 SPACE_NONE },
					 &foreign->space);
	return error;
}

int
foreign_open(struct source **out, size_t bytes,
	     const struct foreign_format *format,
	     const struct importer_setup *setup)
{
	struct foreign *foreign = calloc(1, bytes);
	int error;

	if (!foreign) {
		input_close(setup->input);
		return fail(ENOMEM, "import: no memory");
	}
	foreign->source.methods = &foreign_methods;
	foreign->format = format;
	foreign->keep_going = setup->keep_going;
	foreign->input = setup->input;
	foreign->path = setup->input ? 1 : 0;
	error = list_paths(foreign, setup->paths);
	if (!error)
		error = stream_open(&foreign->source.stream);
	if (!error)
		error = sites_init(&foreign->sites, foreign->source.stream);
	if (!error && !foreign->input)
		error = open_next(foreign) < 0 ? -EINVAL : 0;
	if (!error)
		error = describe(foreign);
	if (error == -ENOMEM)
		fail(ENOMEM, "%s: no memory to import it", setup->paths[0]);
	if (error) {
		foreign_close(&foreign->source);
		return error;
	}
	*out = &foreign->source;
	return 0;
}
