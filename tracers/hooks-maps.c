// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two tellings are compared piece by piece, between all starts and ends of
 * both:
 *
 *	old    |-- heap --|        |-- lib --|
 *	new    |-- heap -------|   |-- lib r-|
 *	                  | MAP |      PROTECT
 */
#include "tracers/hooks-maps.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "tracers/maps.h"

#define RIGHTS (MAP_FLAG_READ | MAP_FLAG_WRITE | MAP_FLAG_EXEC)

void
hooks_areas_fini(struct hooks_areas *areas)
{
	free(areas->area);
	*areas = (struct hooks_areas){ 0 };
}

static int
areas_room(struct hooks_areas *areas, size_t n)
{
	struct hooks_area *area;

	if (n <= areas->room)
		return 0;
	n = 2 * n + 64;
	area = reallocarray(areas->area, n, sizeof(*area));
	if (!area)
		return fail(ENOMEM, "hooks: no memory for mappings");
	areas->area = area;
	areas->room = n;
	return 0;
}

int
hooks_areas_copy(struct hooks_areas *to, const struct hooks_areas *from)
{
	int error = areas_room(to, from->n);

	if (error)
		return error;
	if (from->n)
		memcpy(to->area, from->area, from->n * sizeof(*from->area));
	to->n = from->n;
	return 0;
}

/* Ours, in the program's address space */
static bool
recorders(const char *path)
{
	const char *name = strrchr(path, '/');

	return name && (!strncmp(name, "/memfd:pagescope", 16) ||
			!strncmp(name, "/libpagescope-hooks.so", 22));
}

static int
parse_line(struct hooks_areas *areas, char *text, struct files *files)
{
	struct mapping_line line;
	struct hooks_area *area;
	int error;

	if (maps_parse(text, &line) || line.start >> 47)
		return 0;
	error = areas_room(areas, areas->n + 1);
	if (error)
		return error;
	area = &areas->area[areas->n++];
	*area = (struct hooks_area){
		.start = line.start,
		.end = line.end,
		.offset = line.flags & MAP_FLAG_FILE ? line.offset : 0,
		.file = UINT32_MAX,
		.flags = line.flags,
	};
	if (recorders(line.path))
		area->flags |= MAP_FLAG_RECORDER;
	return line.path[0]
		       ? files_number(files, line.path, line.inode, &area->file)
		       : 0;
}

/* A text that was cut ends in half a line. */
static int
parse(struct hooks_areas *areas, char *text, bool cut, struct files *files)
{
	int error = 0;

	while (*text && !error) {
		char *end = strchr(text, '\n');

		if (!end && cut)
			break;
		if (end)
			*end++ = '\0';
		error = parse_line(areas, text, files);
		text = end ? end : text + strlen(text);
	}
	return error;
}

static int
change_add(struct hooks_changes *changes, const struct event *event)
{
	struct event *last =
		changes->n ? &changes->event[changes->n - 1] : NULL;
	size_t room = 2 * changes->room + 64;
	struct event *all;

	if (last && last->type == event->type &&
	    last->address + last->length == event->address &&
	    last->flags == event->flags && last->file == event->file &&
	    (!(event->flags & MAP_FLAG_FILE) || event->type != EVENT_MAP ||
	     last->offset + last->length == event->offset)) {
		last->length += event->length;
		return 0;
	}
	if (changes->n == changes->room) {
		all = reallocarray(changes->event, room, sizeof(*all));
		if (!all)
			return fail(ENOMEM, "hooks: no memory for mappings");
		changes->event = all;
		changes->room = room;
	}
	changes->event[changes->n++] = *event;
	return 0;
}

static uint64_t
offset_at(const struct hooks_area *area, uint64_t at)
{
	return area->flags & MAP_FLAG_FILE ? area->offset + at - area->start
					   : 0;
}

struct comparing {
	struct hooks_changes *before, *after;
	bool first, stack_known;
};

/* What becomes of [start, end), which was old (or NULL) and is new. */
static int
compare(const struct comparing *comparing, uint64_t start, uint64_t end,
	const struct hooks_area *old, const struct hooks_area *now)
{
	struct event event = {
		.type = EVENT_MAP,
		.file = UINT32_MAX,
		.address = start,
		.length = end - start,
	};
	bool same;

	if (!now) {
		event.type = EVENT_UNMAP;
		return old ? change_add(comparing->after, &event) : 0;
	}
	same = old && old->file == now->file &&
	       offset_at(old, start) == offset_at(now, start) &&
	       !((old->flags ^ now->flags) & ~RIGHTS);
	if (same && old->flags == now->flags)
		return 0;
	/* The stack grows by itself. */
	if (!old && now->flags & MAP_FLAG_STACK && comparing->stack_known)
		return 0;
	event.flags = now->flags;
	if (same) {
		event.type = EVENT_PROTECT;
		event.flags &= RIGHTS;
		return change_add(comparing->before, &event);
	}
	event.file = now->file;
	event.offset = offset_at(now, start);
	if (comparing->first)
		event.flags |= MAP_FLAG_INITIAL;
	return change_add(comparing->before, &event);
}

static const struct hooks_area *
area_at(const struct hooks_areas *areas, size_t i, uint64_t at)
{
	return i < areas->n && areas->area[i].start <= at ? &areas->area[i]
							  : NULL;
}

static uint64_t
edge_behind(const struct hooks_areas *areas, size_t i, uint64_t at)
{
	if (i >= areas->n)
		return UINT64_MAX;
	return areas->area[i].start > at ? areas->area[i].start
					 : areas->area[i].end;
}

static int
compare_all(const struct comparing *comparing, const struct hooks_areas *old,
	    const struct hooks_areas *now, uint64_t until)
{
	uint64_t at = 0;
	size_t i = 0, j = 0;
	int error = 0;

	while (!error && at < until && (i < old->n || j < now->n)) {
		uint64_t a = edge_behind(old, i, at);
		uint64_t b = edge_behind(now, j, at);
		uint64_t edge = a < b ? a : b;

		error = compare(comparing, at, edge, area_at(old, i, at),
				area_at(now, j, at));
		at = edge;
		while (i < old->n && old->area[i].end <= at)
			i++;
		while (j < now->n && now->area[j].end <= at)
			j++;
	}
	return error;
}

static bool
has_stack(const struct hooks_areas *areas)
{
	for (size_t i = 0; i < areas->n; i++)
		if (areas->area[i].flags & MAP_FLAG_STACK)
			return true;
	return false;
}

/* What a cut text does not speak of stays. */
static int
keep_rest(struct hooks_areas *now, const struct hooks_areas *old,
	  uint64_t until)
{
	int error = 0;

	for (size_t i = 0; i < old->n && !error; i++) {
		if (old->area[i].start < until)
			continue;
		error = areas_room(now, now->n + 1);
		if (!error)
			now->area[now->n++] = old->area[i];
	}
	return error;
}

int
hooks_maps_tell(struct hooks_areas *areas, char *text, bool cut,
		struct files *files, struct hooks_changes *before,
		struct hooks_changes *after)
{
	struct hooks_areas now = { 0 };
	struct comparing comparing = { before, after, !areas->n,
				       has_stack(areas) };
	uint64_t until = UINT64_MAX;
	int error = parse(&now, text, cut, files);

	before->n = after->n = 0;
	if (!error && !now.n)
		goto done;
	if (!error && cut) {
		until = now.area[now.n - 1].end;
		error = keep_rest(&now, areas, until);
	}
	if (!error)
		error = compare_all(&comparing, areas, &now, until);
	if (!error)
		error = hooks_areas_copy(areas, &now);
done:
	hooks_areas_fini(&now);
	return error;
}
