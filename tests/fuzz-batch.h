/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every receiver of a batch may rely on (analyzer/batch.h), checked by
 * the fuzz entries of all sources.
 */
#ifndef TESTS_FUZZ_BATCH_H
#define TESTS_FUZZ_BATCH_H

#include "analyzer/source.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz.h"

static inline void
fuzz_check_events(const struct source *source, const struct batch *batch)
{
	uint32_t position = 0;

	FUZZ_HOLDS(batch->n_events <= BATCH_EVENTS);
	for (uint32_t i = 0; i < batch->n_events; i++) {
		const struct event *event = &batch->event[i];

		FUZZ_HOLDS(event->type < EVENT_TYPES);
		FUZZ_HOLDS(event->position >= position);
		FUZZ_HOLDS(event->position <= batch->n);
		FUZZ_HOLDS(event->file == UINT32_MAX ||
			   event->file < stream_files(source->stream));
		position = event->position;
	}
}

static inline void
fuzz_check_batch(const struct source *source, const struct batch *batch)
{
	FUZZ_HOLDS(batch->columned && batch->n <= BATCH_ACCESSES);
	FUZZ_HOLDS(batch->thread < stream_threads(source->stream));
	FUZZ_HOLDS(batch->space < stream_spaces(source->stream));
	for (uint32_t i = 0; i < batch->n; i++) {
		uint32_t index = SITE_INDEX(batch->site[i]);
		const struct site *site;

		FUZZ_HOLDS(index < stream_sites(source->stream));
		site = stream_site(source->stream, index);
		FUZZ_HOLDS(site->kind == SITE_KIND(batch->site[i]));
		FUZZ_HOLDS(!(batch->site[i] & SITE_WIDE) == (site->size <= 64));
	}
	fuzz_check_events(source, batch);
}

#endif
