// SPDX-License-Identifier: GPL-2.0-or-later
#include "models/analysis/curve.h"

#include "analyzer/fail.h"
#include "models/paging/hash.h"
#include "models/paging/references.h"

#include <stdlib.h>
#include <string.h>

#define OTHERS	    (WORKING_SET_GROUPS - 1u)
#define RUN	    4096u
#define PAGES_FIRST 1024u

struct curve {
	struct model model;
	struct curve_config config;
	struct references *references; /* NULL: objects */
	const struct stream *stream;
	struct reuse *reuse;
	struct blocks blocks;
	struct working_set *set;
	struct refstring *string;
	struct segments *segments;  /* NULL: all in one piece */
	uint64_t accesses, fetches; /* fetches: that do not count */
	/* pages: their mappings */
	uint8_t *group; /* owned: [room] */
	uint32_t pages, room;
	/* The same for what is measured beside: owned, [beside_pages] */
	uint8_t *beside_group;
	uint32_t beside_pages;
	char *name[WORKING_SET_GROUPS]; /* owned */
	unsigned names;
	/* objects */
	struct hash number; /* of an address */
	uint32_t *size;	    /* owned: [room] */
	uint64_t bytes;
	uint32_t page[RUN];
	uint8_t write[RUN];
	uint64_t time[RUN];
	uint32_t n;
};

static int
no_memory(void)
{
	return fail(ENOMEM, "curve: no memory");
}

/* Which mapping a page belongs to, by its name */
static uint8_t
group_of(struct curve *curve, const char *label)
{
	for (unsigned i = 0; i < curve->names; i++)
		if (!strcmp(curve->name[i], label))
			return (uint8_t)i;
	if (curve->names == OTHERS)
		return OTHERS;
	curve->name[curve->names] = strdup(label);
	return (uint8_t)(curve->name[curve->names] ? curve->names++ : OTHERS);
}

static int
group_pages(struct curve *curve)
{
	uint32_t n = references_pages(curve->references);

	if (n > curve->room) {
		uint32_t room = curve->room ? curve->room : PAGES_FIRST;
		uint8_t *group;

		while (room < n)
			room = room < UINT32_MAX / 2 ? 2 * room : UINT32_MAX;
		group = realloc(curve->group, room);
		if (!group)
			return no_memory();
		curve->group = group;
		curve->room = room;
	}
	for (; curve->pages < n; curve->pages++)
		curve->group[curve->pages] =
			group_of(curve, references_label(curve->references,
							 curve->pages));
	return 0;
}

static int
feed_working_set(struct curve *curve, const struct working_set_run *run)
{
	return curve->set ? working_set_feed(curve->set, run) : 0;
}

/* Groups of pages that are new since the last segments */
static int
begin_segments(void *context)
{
	struct curve *curve = context;
	uint32_t known = curve->beside_pages;
	uint8_t *group;

	if (!curve->set || curve->pages == known)
		return 0;
	group = realloc(curve->beside_group, curve->pages);
	if (!group)
		return no_memory();
	memcpy(group + known, curve->group + known, curve->pages - known);
	curve->beside_group = group;
	curve->beside_pages = curve->pages;
	return 0;
}

/* While segments are measured */
static int
beside_segment(void *context, const struct segment *segment)
{
	struct curve *curve = context;
	const struct working_set_run run = {
		segment->page, segment->access, segment->n,
		curve->references ? curve->beside_group : NULL
	};

	return feed_working_set(curve, &run);
}

static int
take_in_turn(struct curve *curve, const struct reclaim_batch *batch)
{
	const struct working_set_run run = { batch->page, batch->access,
					     batch->n,
					     curve->references ? curve->group
							       : NULL };
	uint32_t distance[RUN];
	int error = 0;

	for (uint32_t at = 0, n; !error && at < batch->n; at += n) {
		n = batch->n - at < RUN ? batch->n - at : RUN;
		error = reuse_feed(curve->reuse, batch->page + at,
				   batch->write ? batch->write + at : NULL, n,
				   distance);
		if (!error)
			blocks_add(&curve->blocks, distance, batch->access + at,
				   n);
	}
	return error ? error : feed_working_set(curve, &run);
}

static int
take_references(void *context, const struct reclaim_batch *batch)
{
	struct curve *curve = context;
	int error = 0;

	if (curve->set && curve->references)
		error = group_pages(curve);
	if (!error)
		error = curve->segments ? segments_feed(curve->segments, batch)
					: take_in_turn(curve, batch);
	if (!error && curve->string)
		error = refstring_add(curve->string, batch);
	return error;
}

static int
take_drop(void *context, uint32_t page)
{
	struct curve *curve = context;
	int error = curve->segments ? segments_drop(curve->segments, page)
				    : reuse_drop(curve->reuse, page);

	return !error && curve->string ? refstring_drop(curve->string, page)
				       : error;
}

static int
flush_objects(struct curve *curve)
{
	const struct reclaim_batch batch = { .page = curve->page,
					     .write = curve->write,
					     .time = curve->time,
					     .access = curve->time,
					     .n = curve->n };
	int error = curve->n ? take_references(curve, &batch) : 0;

	curve->n = 0;
	return error;
}

static int
object_number(struct curve *curve, uint64_t address, uint32_t *number)
{
	uint64_t *known = hash_find(&curve->number, address), next;
	uint32_t *size;

	next = curve->number.n;
	if (known) {
		*number = (uint32_t)*known;
		return 0;
	}
	if (next >= REFSTRING_PAGES)
		return fail(ENOSPC, "curve: too many objects");
	if (hash_put(&curve->number, address, next))
		return no_memory();
	if (next >= curve->room) {
		uint32_t room = curve->room ? 2 * curve->room : PAGES_FIRST;

		size = reallocarray(curve->size, room, sizeof(*size));
		if (!size)
			return no_memory();
		curve->size = size;
		curve->room = room;
	}
	curve->size[next] = 0;
	*number = (uint32_t)next;
	return 0;
}

/* An object has the size of its first request, as in libCacheSim. */
static int
object_size(struct curve *curve, uint32_t number, uint32_t bytes)
{
	int error = 0;

	if (curve->size[number])
		return 0;
	if (curve->string) {
		error = flush_objects(curve);
		if (!error)
			error = refstring_size(curve->string, number, bytes);
	}
	curve->bytes += bytes;
	curve->size[number] = bytes;
	return error;
}

static int
feed_objects(struct curve *curve, const struct batch *batch)
{
	int error = 0;

	for (uint32_t i = 0; !error && i < batch->n; i++) {
		const struct site *site =
			stream_site(curve->stream, SITE_INDEX(batch->site[i]));
		uint32_t number = 0;

		if (site->kind == SITE_FETCH && !curve->config.fetches)
			continue;
		error = object_number(curve, batch->address[i], &number);
		if (!error)
			error = object_size(curve, number,
					    site->size ? site->size : 1);
		if (error)
			break;
		curve->page[curve->n] = number;
		curve->write[curve->n] =
			site->kind == SITE_STORE || site->kind == SITE_MODIFY;
		curve->time[curve->n++] = curve->accesses + i;
		if (curve->n == RUN)
			error = flush_objects(curve);
	}
	return error ? error : flush_objects(curve);
}

static int
curve_feed(struct model *model, const struct batch *batch)
{
	struct curve *curve = (struct curve *)model;
	const struct references_sink sink = { curve, take_references,
					      take_drop };
	int error = curve->references
			    ? references_feed(curve->references, batch, &sink)
			    : feed_objects(curve, batch);

	if (!curve->config.fetches)
		for (uint32_t i = 0; i < batch->n; i++)
			curve->fetches +=
				SITE_KIND(batch->site[i]) == SITE_FETCH;
	curve->accesses += batch->n;
	return error;
}

static int
curve_finish(struct model *model, struct result *result)
{
	struct curve *curve = (struct curve *)model;

	int error = curve->segments ? segments_end(curve->segments) : 0;

	(void)result;
	return error || !curve->set
		       ? error
		       : working_set_end(curve->set, curve->accesses);
}

static void
curve_close(struct model *model)
{
	struct curve *curve = (struct curve *)model;

	if (!curve)
		return;
	segments_close(curve->segments);
	references_close(curve->references);
	reuse_close(curve->reuse);
	blocks_fini(&curve->blocks);
	working_set_close(curve->set);
	refstring_close(curve->string);
	hash_fini(&curve->number);
	for (unsigned i = 0; i < curve->names; i++)
		free(curve->name[i]);
	free(curve->group);
	free(curve->beside_group);
	free(curve->size);
	free(curve);
}

static const struct model_methods curve_methods = {
	.feed = curve_feed,
	.finish = curve_finish,
	.close = curve_close,
};

static int
open_parts(struct curve *curve)
{
	const struct references_config references = {
		.shift = curve->config.shift,
		.fetches = curve->config.fetches,
		.untimed = !curve->config.keep_times,
	};
	const struct refstring_config string = {
		.times = curve->config.keep_times,
	};
	const struct segments_config segments = {
		.n = curve->config.segments,
		.jobs = curve->config.jobs,
		.beside = beside_segment,
		.begin = begin_segments,
		.context = curve,
		.remote = curve->config.remote,
	};
	int error = 0;

	if (!curve->config.objects)
		error = references_open(&curve->references, &references,
					curve->stream);
	if (!error)
		error = reuse_open(&curve->reuse, true);
	if (!error)
		error = blocks_init(&curve->blocks);
	if (!error && curve->config.segments)
		error = segments_open(&curve->segments, &segments, curve->reuse,
				      &curve->blocks);
	if (!error && curve->config.working_sets)
		error = working_set_open(&curve->set);
	if (!error && curve->config.keep)
		error = refstring_open(&curve->string, &string);
	return error;
}

int
curve_open(struct model **out, const struct curve_config *config,
	   const struct stream *stream)
{
	struct curve *curve = calloc(1, sizeof(*curve));
	int error;

	if (!curve)
		return no_memory();
	curve->model.methods = &curve_methods;
	curve->config = *config;
	curve->stream = stream;
	error = open_parts(curve);
	if (error)
		curve_close(&curve->model);
	else
		*out = &curve->model;
	return error;
}

void
curve_view(const struct model *model, struct curve_view *view)
{
	const struct curve *curve = (const struct curve *)model;

	*view = (struct curve_view){
		.accesses = curve->accesses - curve->fetches,
		.reuse = curve->reuse,
		.blocks = &curve->blocks,
		.string = curve->string,
		.set = curve->set,
		.object_bytes = curve->bytes,
	};
}

const char *
curve_group(const struct model *model, unsigned group)
{
	const struct curve *curve = (const struct curve *)model;

	if (group < curve->names)
		return curve->name[group];
	return group == OTHERS && curve->names == OTHERS ? "(others)" : NULL;
}
