// SPDX-License-Identifier: GPL-2.0-or-later
#include "traces/pst-digest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "analyzer/fail.h"
#include "traces/pst-dictionary.h"

struct digest {
	XXH3_state_t *steps, *roots, *events;
	uint64_t accesses;
	uint32_t thread, space;
	bool begun, failed;
	/* By a file's number: in which order they were met, from 1 on; 0: not
	 * yet.  Names of the kernel's counts are files too, and which of them
	 * there are the host decides. */
	uint32_t *met; /* owned */
	size_t met_size;
	uint32_t n_met;
};

int
digest_open(struct digest **out)
{
	struct digest *digest = calloc(1, sizeof(*digest));

	if (!digest)
		goto fail;
	digest->steps = XXH3_createState();
	digest->roots = XXH3_createState();
	digest->events = XXH3_createState();
	if (!digest->steps || !digest->roots || !digest->events)
		goto fail;
	XXH3_128bits_reset(digest->steps);
	XXH3_128bits_reset(digest->roots);
	XXH3_128bits_reset(digest->events);
	*out = digest;
	return 0;
fail:
	digest_close(digest);
	return fail(ENOMEM, "trace digest: no memory");
}

void
digest_close(struct digest *digest)
{
	if (!digest)
		return;
	XXH3_freeState(digest->steps);
	XXH3_freeState(digest->roots);
	XXH3_freeState(digest->events);
	free(digest->met);
	free(digest);
}

/* Little-endian words, so that hosts agree. */
static void
add_words(XXH3_state_t *state, const uint64_t *word, size_t n)
{
	XXH3_128bits_update(state, word, n * sizeof(*word));
}

/* What the kernel's scheduling and caches decide is not the program's. */
static bool
counted(const struct event *event)
{
	switch (event->type) {
	case EVENT_SWITCH:
	case EVENT_FAULT:
	case EVENT_LOST:
	case EVENT_RESIDENT:
	case EVENT_LOOK:
	case EVENT_CACHED:
	case EVENT_COUNTER:
	case EVENT_CONTENT:
		return false;
	default:
		return true;
	}
}

static uint64_t
met_as(struct digest *digest, uint32_t file)
{
	if (file == UINT32_MAX)
		return UINT32_MAX;
	if (file >= digest->met_size) {
		size_t size = 2 * (size_t)file + 64;
		uint32_t *met = reallocarray(digest->met, size, sizeof(*met));

		if (!met) {
			digest->failed = true;
			return 0;
		}
		memset(met + digest->met_size, 0,
		       (size - digest->met_size) * sizeof(*met));
		digest->met = met;
		digest->met_size = size;
	}
	if (!digest->met[file])
		digest->met[file] = ++digest->n_met;
	return digest->met[file] - 1;
}

static void
add_event(struct digest *digest, const struct event *event)
{
	uint64_t word[] = { digest->accesses + event->position,
			    event->type,
			    event->flags,
			    met_as(digest, event->file),
			    event->thread,
			    event->address,
			    event->length,
			    event->offset,
			    event->value,
			    event->extra };

	add_words(digest->events, word, ARRAY_SIZE(word));
}

void
digest_batch(struct digest *digest, const struct batch *batch,
	     const uint32_t *step, size_t n_steps, const uint64_t *root,
	     size_t n_roots)
{
	if (!digest->begun || batch->thread != digest->thread ||
	    batch->space != digest->space) {
		uint64_t word[] = { digest->accesses, batch->thread,
				    batch->space };

		add_words(digest->events, word, ARRAY_SIZE(word));
		digest->begun = true;
		digest->thread = batch->thread;
		digest->space = batch->space;
	}
	XXH3_128bits_update(digest->steps, step, n_steps * sizeof(*step));
	XXH3_128bits_update(digest->roots, root, n_roots * sizeof(*root));
	for (uint32_t i = 0; i < batch->n_events; i++)
		if (counted(&batch->event[i]))
			add_event(digest, &batch->event[i]);
	digest->accesses += batch->n;
}

int
digest_text(struct digest *digest, const struct stream *stream,
	    const struct dictionary_counts *counts, char text[33])
{
	struct bytes code = { 0 };
	XXH128_hash_t part[4], whole;
	XXH128_canonical_t canonical[4];

	dictionary_write_code(&code, stream, counts);
	if (code.failed || digest->failed) {
		bytes_fini(&code);
		return fail(ENOMEM, "trace digest: no memory");
	}
	part[0] = XXH3_128bits_digest(digest->steps);
	part[1] = XXH3_128bits_digest(digest->roots);
	part[2] = XXH3_128bits_digest(digest->events);
	part[3] = XXH3_128bits(code.data, code.n);
	bytes_fini(&code);
	for (size_t i = 0; i < ARRAY_SIZE(part); i++)
		XXH128_canonicalFromHash(&canonical[i], part[i]);
	whole = XXH3_128bits(canonical, sizeof(canonical));
	XXH128_canonicalFromHash(&canonical[0], whole);
	for (size_t i = 0; i < 16; i++)
		snprintf(text + 2 * i, 3, "%02x", canonical[0].digest[i]);
	return 0;
}
