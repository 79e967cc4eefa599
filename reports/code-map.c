// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where code lay.  Ranges are only ever appended, so the last one that covers
 * a pc is the latest; an exec starts a new image (stream.h), so old and new
 * programs do not mix, and a fork shares its parent's.  What an mprotect makes
 * executable later (JITs, relocated text) is remembered as well.
 */
#include "reports/code-map.h"

#include "analyzer/fail.h"

#include <stdlib.h>

struct range {
	uint64_t start, end, offset;
	uint32_t file; /* UINT32_MAX: anonymous */
	uint16_t image;
	bool code; /* is or was executable */
};

struct code_map {
	struct model model;
	const struct stream *stream;
	struct range *range; /* owned */
	size_t n, room;
};

static int
range_add(struct code_map *map, const struct range *range)
{
	struct range *end;

	if (map->n == map->room) {
		size_t room = map->room ? 2 * map->room : 256;
		struct range *wider =
			reallocarray(map->range, room, sizeof(*wider));

		if (!wider)
			return fail(ENOMEM, "code map: no memory");
		map->range = wider;
		map->room = room;
	}
	end = map->range + map->n;
	/* a heap that grows page by page is one range */
	if (map->n && !range->code && !end[-1].code &&
	    end[-1].end == range->start && end[-1].image == range->image &&
	    end[-1].file == UINT32_MAX && range->file == UINT32_MAX) {
		end[-1].end = range->end;
	} else {
		*end = *range;
		map->n++;
	}
	return 0;
}

/* The latest range of this image that covers the address, or NULL. */
static const struct range *
range_find(const struct code_map *map, uint16_t image, uint64_t address)
{
	for (size_t i = map->n; i-- > 0;) {
		const struct range *range = &map->range[i];

		if (range->image == image && address >= range->start &&
		    address < range->end)
			return range;
	}
	return NULL;
}

/* All that this protection covers and that was not code becomes code. */
static int
protect(struct code_map *map, uint16_t image, const struct event *event)
{
	uint64_t end = event->address + event->length;
	size_t n = map->n;

	for (size_t i = 0; i < n; i++) {
		struct range part = map->range[i];

		if (part.image != image || part.code || part.start >= end ||
		    part.end <= event->address)
			continue;
		if (part.start < event->address) {
			part.offset += event->address - part.start;
			part.start = event->address;
		}
		if (part.end > end)
			part.end = end;
		part.code = true;
		if (range_add(map, &part))
			return -ENOMEM;
	}
	return 0;
}

static int
remap(struct code_map *map, uint16_t image, const struct event *event)
{
	const struct range *from = range_find(map, image, event->address);
	struct range moved;

	if (!from)
		return 0;
	moved = *from;
	moved.offset += event->address - moved.start;
	moved.start = event->value;
	moved.end = event->value + event->extra;
	return range_add(map, &moved);
}

static int
map_event(struct code_map *map, uint16_t image, const struct event *event)
{
	struct range range = {
		.start = event->address,
		.end = event->address + event->length,
		.offset = event->offset,
		.file = event->file,
		.image = image,
		.code = event->flags & MAP_FLAG_EXEC,
	};

	switch (event->type) {
	case EVENT_MAP:
		return range_add(map, &range);
	case EVENT_PROTECT:
		return range.code ? protect(map, image, event) : 0;
	case EVENT_REMAP:
		return remap(map, image, event);
	default:
		return 0;
	}
}

static int
code_map_feed(struct model *model, const struct batch *batch)
{
	struct code_map *map = (struct code_map *)model;
	uint32_t space = batch->space;
	int error = 0;

	for (uint32_t i = 0; !error && i < batch->n_events; i++) {
		const struct event *event = &batch->event[i];

		/* what follows an exec in this batch is the new program's */
		if (event->type == EVENT_EXEC)
			space = (uint32_t)event->value;
		if (space < stream_spaces(map->stream))
			error = map_event(map,
					  stream_space(map->stream, space)
						  ->image,
					  event);
	}
	return error;
}

static void
code_map_close(struct model *model)
{
	struct code_map *map = (struct code_map *)model;

	if (!map)
		return;
	free(map->range);
	free(map);
}

static const struct model_methods code_map_methods = {
	.feed = code_map_feed,
	.close = code_map_close,
	.packed = true,
};

int
code_map_open(struct model **out, const struct stream *stream)
{
	struct code_map *map = calloc(1, sizeof(*map));

	if (!map)
		return fail(ENOMEM, "code map: no memory");
	map->model.methods = &code_map_methods;
	map->stream = stream;
	*out = &map->model;
	return 0;
}

bool
code_map_find(const struct model *model, uint16_t image, uint64_t pc,
	      struct code_place *place)
{
	const struct code_map *map = (const struct code_map *)model;
	const struct range *range = range_find(map, image, pc);

	if (!range)
		return false;
	*place = (struct code_place){ .file = range->file,
				      .offset =
					      range->offset + pc - range->start,
				      .start = range->start };
	return true;
}
