/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an import of a file comes to, access by access, for the tests of
 * importers and exporters.
 */
#ifndef TESTS_SEEN_H
#define TESTS_SEEN_H

#include "analyzer/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "traces/importer.h"

struct seen {
	uint64_t address, pc;
	uint32_t size;
	int kind;
	unsigned instructions, space;
	unsigned tid;
};

#define SEEN_EVENTS 64

struct import {
	int error; /* of opening or reading */
	struct seen *seen;
	size_t n;
	uint64_t lost, instructions;
	uint32_t sites;
	struct event event[SEEN_EVENTS]; /* the first; thread is its tid */
	size_t n_events;		 /* in all */
	uint64_t time_ns;		 /* of the last batch */
	bool clocked;			 /* the format has a clock */
	bool partial;			 /* about.losses */
	char message[4096];		 /* on stderr */
};

struct what {
	const char *format, *set, *set2;
	bool keep_going, clocked;
};

/* The file that is imported */
static char path[] = "/tmp/test-import-XXXXXX";

static inline void
put_file(const void *bytes, size_t n)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, n, file), n);
	assert_int_equal(fclose(file), 0);
}

static inline void
take_batch(struct import *import, const struct source *source,
	   const struct batch *batch)
{
	unsigned tid = stream_thread(source->stream, batch->thread)->tid;

	import->seen = reallocarray(import->seen, import->n + batch->n + 1,
				    sizeof(*import->seen));
	assert_non_null(import->seen);
	for (uint32_t i = 0; i < batch->n; i++) {
		const struct site *site =
			stream_site(source->stream, SITE_INDEX(batch->site[i]));

		assert_int_equal(SITE_KIND(batch->site[i]), site->kind);
		import->seen[import->n++] = (struct seen){ batch->address[i],
							   site->pc,
							   site->size,
							   site->kind,
							   site->instructions,
							   batch->space,
							   tid };
	}
	for (uint32_t i = 0; i < batch->n_events; i++) {
		if (batch->event[i].type == EVENT_LOST)
			import->lost += batch->event[i].value;
		if (import->n_events < SEEN_EVENTS) {
			import->event[import->n_events] = batch->event[i];
			import->event[import->n_events].thread = tid;
		}
		import->n_events++;
	}
	assert_true(batch->time_ns >= import->time_ns);
	import->time_ns = batch->time_ns;
	if (!import->clocked)
		assert_int_equal(batch->time_ns, import->n);
}

static inline void
drain(struct import *import, struct source *source)
{
	struct batch batch;
	json_t *about = stream_about(source->stream);

	assert_int_equal(batch_init(&batch), 0);
	while ((import->error = source_next(source, &batch)) > 0)
		take_batch(import, source, &batch);
	batch_fini(&batch);
	import->sites = stream_sites(source->stream);
	import->partial = json_object_get(about, "losses") != NULL;
	import->instructions = (uint64_t)json_integer_value(
		json_object_get(json_object_get(about, "importer"),
				"instructions"));
}

/* Import the file at `path` with stderr caught. */
static inline struct import
import_file(const struct what *what)
{
	struct import import = { .clocked = what->clocked };
	const char *const paths[] = { path, NULL };
	const char *const sets[] = { what->set, what->set2, NULL };
	struct importer_request request = { what->format, paths,
					    what->set ? sets : NULL,
					    what->keep_going };
	struct source *source = NULL;
	FILE *caught = tmpfile();
	int saved = dup(STDERR_FILENO);

	assert_non_null(caught);
	fflush(stderr);
	dup2(fileno(caught), STDERR_FILENO);
	import.error = importer_open(&source, &request);
	if (!import.error)
		drain(&import, source);
	source_close(source);
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	rewind(caught);
	import.message[fread(import.message, 1, sizeof(import.message) - 1,
			     caught)] = '\0';
	fclose(caught);
	return import;
}

static inline struct import
import_bytes(const struct what *what, const void *bytes, size_t n)
{
	put_file(bytes, n);
	return import_file(what);
}

static inline struct import
import_text(const struct what *what, const char *text)
{
	return import_bytes(what, text, strlen(text));
}

static inline void
expect(struct import *import, const struct seen *seen, size_t n)
{
	assert_string_equal(import->message, "");
	assert_int_equal(import->error, 0);
	assert_int_equal(import->n, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(import->seen[i].address, seen[i].address);
		assert_int_equal(import->seen[i].pc, seen[i].pc);
		assert_int_equal(import->seen[i].size, seen[i].size);
		assert_int_equal(import->seen[i].kind, seen[i].kind);
		assert_int_equal(import->seen[i].instructions,
				 seen[i].instructions);
	}
	free(import->seen);
}

#define EXPECT(what_came, ...)                                  \
	do {                                                    \
		const struct seen expected[] = { __VA_ARGS__ }; \
		struct import got = what_came;                  \
		expect(&got, expected, ARRAY_SIZE(expected));   \
	} while (0)

/* The whole message, whose first @ is the file's name */
static inline void
expect_error(struct import import, const char *message)
{
	const char *at = strchr(message, '@');
	char whole[8192];

	if (at)
		snprintf(whole, sizeof(whole), "pagescope: %.*s%s%s\n",
			 (int)(at - message), message, path, at + 1);
	else
		snprintf(whole, sizeof(whole), "pagescope: %s\n", message);
	assert_true(import.error < 0);
	assert_string_equal(import.message, whole);
	free(import.seen);
}

#endif
