// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Ranges are only appended, the last one that covers an address counts; an
 * unmapped one is covered by a range of no file.  Samples are few, and so are
 * mappings: a search from the end is enough.
 */
#include "models/analysis/ranges.h"

#include <stdlib.h>

#include "analyzer/fail.h"

struct range {
	uint64_t start, end;
	uint32_t space, file;
};

struct ranges {
	struct range *range; /* owned */
	size_t n, max;
};

int
ranges_open(struct ranges **out)
{
	*out = calloc(1, sizeof(**out));
	return *out ? 0 : -ENOMEM;
}

void
ranges_close(struct ranges *ranges)
{
	if (!ranges)
		return;
	free(ranges->range);
	free(ranges);
}

static int
add(struct ranges *ranges, const struct range *range)
{
	struct range copy = *range;

	if (ranges->n == ranges->max) {
		size_t max = ranges->max ? 2 * ranges->max : 256;
		struct range *wider =
			reallocarray(ranges->range, max, sizeof(*wider));

		if (!wider)
			return fail(ENOMEM, "samples: no memory");
		ranges->range = wider;
		ranges->max = max;
	}
	ranges->range[ranges->n++] = copy;
	return 0;
}

static int
copy_space(struct ranges *ranges, uint32_t from, uint32_t to)
{
	size_t n = ranges->n;
	int error = 0;

	for (size_t i = 0; i < n && !error; i++) {
		struct range range = ranges->range[i];

		range.space = to;
		if (ranges->range[i].space == from)
			error = add(ranges, &range);
	}
	return error;
}

static int
move(struct ranges *ranges, uint32_t space, const struct event *event)
{
	uint32_t file = ranges_find(ranges, space, event->address);
	int error = add(ranges, &(struct range){ event->address,
						 event->address + event->length,
						 space, UINT32_MAX });

	return error ? error
		     : add(ranges, &(struct range){ event->value,
						    event->value + event->extra,
						    space, file });
}

int
ranges_follow(struct ranges *ranges, uint32_t space, const struct event *event)
{
	struct range range = { event->address, event->address + event->length,
			       space, event->file };

	switch (event->type) {
	case EVENT_UNMAP:
		range.file = UINT32_MAX;
		return add(ranges, &range);
	case EVENT_MAP:
		return add(ranges, &range);
	case EVENT_REMAP:
		return move(ranges, space, event);
	case EVENT_FORK:
		return copy_space(ranges, space, (uint32_t)event->value);
	default:
		return 0;
	}
}

uint32_t
ranges_find(const struct ranges *ranges, uint32_t space, uint64_t address)
{
	for (size_t i = ranges->n; i-- > 0;) {
		const struct range *range = &ranges->range[i];

		if (range->space == space && address >= range->start &&
		    address < range->end)
			return range->file;
	}
	return UINT32_MAX;
}
