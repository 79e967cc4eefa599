// SPDX-License-Identifier: GPL-2.0-or-later
/* The index of a trace, read. */
#include "traces/pst-index.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "analyzer/fail.h"
#include "traces/pst-format.h"

int
pst_about_take(json_t *about, json_t *from, const char *path)
{
	if (!json_is_object(from))
		return fail(EBADMSG, "%s: its description is no JSON object",
			    path);
	json_object_clear(about);
	return json_object_update(about, from) ? -ENOMEM : 0;
}

static uint64_t
total(json_t *totals, const char *name)
{
	return (uint64_t)json_integer_value(json_object_get(totals, name));
}

static void
take_totals(struct pst_summary *index, json_t *totals)
{
	const char *digest =
		json_string_value(json_object_get(totals, "digest"));

	index->accesses = total(totals, "accesses");
	index->batches = total(totals, "batches");
	index->events = total(totals, "events");
	index->kind[SITE_LOAD] = total(totals, "loads");
	index->kind[SITE_STORE] = total(totals, "stores");
	index->kind[SITE_MODIFY] = total(totals, "modifies");
	index->kind[SITE_FETCH] = total(totals, "fetches");
	index->instructions = total(totals, "instructions");
	index->start_ns = total(totals, "start_ns");
	index->end_ns = total(totals, "end_ns");
	pst_kept_take(&index->kept, json_object_get(totals, "kept"));
	if (digest && strlen(digest) == 32)
		memcpy(index->digest, digest, 33);
	index->complete = true;
}

int
pst_index_parse(struct pst_summary *index, json_t *about, const char *path,
		const uint8_t *data, uint64_t n)
{
	const uint8_t *trailer = data + n - PST_TRAILER_BYTES;
	uint64_t json_bytes;
	json_t *root;
	int error;

	if (n < 24 + PST_TRAILER_BYTES ||
	    memcmp(trailer + 16, PST_TRAILER_MAGIC, 8) != 0 ||
	    memcmp(data, PST_INDEX_MAGIC, 16) != 0)
		return 0;
	n -= PST_TRAILER_BYTES;
	json_bytes = get_u64(data + 16);
	if (XXH64(data, n, 0) != get_u64(trailer + 8) || json_bytes > n - 24)
		return 0;
	index->blocks = 0;
	for (uint64_t at = 24 + json_bytes; at + 8 + PST_SECTION_BYTES <= n;
	     at += 8 + PST_SECTION_BYTES) {
		struct pst_section section;

		if (pst_section_decode(&section, data + at + 8))
			index->blocks += section.kind == PST_BLOCK;
	}
	root = json_loadb((const char *)data + 24, json_bytes, 0, NULL);
	error = pst_about_take(about, json_object_get(root, "about"), path);
	take_totals(index, json_object_get(root, "totals"));
	json_decref(root);
	return error;
}

int
pst_index_find(struct pst_summary *index, json_t *about,
	       const struct pst_input *input)
{
	uint8_t trailer[PST_TRAILER_BYTES];
	uint64_t end = input->file_bytes, start, n;
	uint8_t *data;
	int error = 0;

	if (end < PST_TRAILER_BYTES ||
	    pread(input->fd, trailer, sizeof(trailer),
		  (off_t)(end - sizeof(trailer))) != sizeof(trailer) ||
	    memcmp(trailer + 16, PST_TRAILER_MAGIC, 8) != 0)
		return 0;
	start = get_u64(trailer) + PST_FRAME_BYTES;
	if (start > end - sizeof(trailer) || end - start > PST_JSON_MAX)
		return 0;
	n = end - start;
	data = malloc(n);
	if (!data)
		return fail(ENOMEM, "%s: no memory for the index", input->path);
	if (pread(input->fd, data, n, (off_t)start) == (ssize_t)n)
		error = pst_index_parse(index, about, input->path, data, n);
	free(data);
	return error;
}
