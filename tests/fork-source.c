// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many processes; see fork-source.h.  All have the same layout, the children
 * their parent's mappings as those are when it forks; what each does is drawn.
 */
#include "tests/fork-source.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "models/memory/random.h"

#define PROCESSES 14u
#define SITES	  24u
#define PAGE	  UINT64_C(4096)
#define MIB	  (UINT64_C(1) << 20)

enum area {
	AREA_CODE,
	AREA_HEAP,
	AREA_DATA,
	AREA_FILE,
	AREA_SHARED,
	AREA_STACK,
	AREAS
};

static const struct {
	uint64_t start, bytes;
	uint16_t flags;
	bool file;
} areas[AREAS] = {
	[AREA_CODE] = { 0x400000, MIB / 2,
			MAP_FLAG_READ | MAP_FLAG_EXEC | MAP_FLAG_FILE, true },
	[AREA_HEAP] = { 0x1000000, 4 * MIB,
			MAP_FLAG_READ | MAP_FLAG_WRITE | MAP_FLAG_HEAP, false },
	[AREA_DATA] = { UINT64_C(0x7f0000000000), 24 * MIB,
			MAP_FLAG_READ | MAP_FLAG_WRITE, false },
	[AREA_FILE] = { UINT64_C(0x7f1000000000), 2 * MIB,
			MAP_FLAG_READ | MAP_FLAG_WRITE | MAP_FLAG_FILE, true },
	[AREA_SHARED] = { UINT64_C(0x7f2000000000), 4 * MIB,
			  MAP_FLAG_READ | MAP_FLAG_WRITE | MAP_FLAG_SHARED,
			  false },
	[AREA_STACK] = { UINT64_C(0x7ffffff00000), MIB / 4,
			 MAP_FLAG_READ | MAP_FLAG_WRITE | MAP_FLAG_STACK,
			 false },
};

struct process {
	bool alive;
	uint64_t at[AREAS]; /* where its last access was, from the start */
};

struct fork_source {
	struct source source;
	uint64_t state; /* of random numbers */
	uint64_t time_ns;
	unsigned left;
	bool begun, wild; /* wild: the batch's data is anywhere */
	struct process process[PROCESSES];
	unsigned n; /* processes that there were */
	uint32_t site[SITES];
	uint32_t file[AREAS];
};

static uint64_t
below(struct fork_source *mine, uint64_t bound)
{
	return random_below(&mine->state, bound);
}

/* An event about pages [from, from + pages) of an area. */
static struct event *
about(struct batch *batch, enum event_type type, enum area area, uint64_t from,
      uint64_t pages)
{
	struct event *event = batch_event(batch, type);

	if (!event)
		abort(); /* batches are too short for that */
	event->address = areas[area].start + from * PAGE;
	event->length = pages * PAGE;
	return event;
}

static void
map(struct fork_source *mine, struct batch *batch, enum area area,
    uint64_t from, uint64_t pages)
{
	struct event *event = about(batch, EVENT_MAP, area, from, pages);

	event->flags = areas[area].flags;
	event->offset = from * PAGE;
	event->file = areas[area].file ? mine->file[area] : UINT32_MAX;
}

/* One of what a program asks of its kernel. */
static void
ask(struct fork_source *mine, struct batch *batch)
{
	enum area area = 1 + (enum area)below(mine, AREAS - 2);
	uint64_t all = areas[area].bytes / PAGE;
	uint64_t pages = below(mine, 3) ? 1 + below(mine, 20) : 512;
	uint64_t from = below(mine, all - (pages < all ? pages : all - 1));
	struct event *event;

	pages = from + pages > all ? all - from : pages;
	switch (below(mine, 8)) {
	case 0:
		about(batch, EVENT_UNMAP, area, from, pages);
		map(mine, batch, area, from, pages);
		break;
	case 1:
		event = about(batch, EVENT_PROTECT, area, from, pages);
		event->flags = MAP_FLAG_READ;
		event = about(batch, EVENT_PROTECT, area, from,
			      below(mine, pages) + 1);
		event->flags = MAP_FLAG_READ | MAP_FLAG_WRITE;
		break;
	case 2:
	case 3:
		event = about(batch, EVENT_ADVISE, area, from, pages);
		event->value = MADV_DONTNEED;
		break;
	case 4:
		event = about(batch, EVENT_ADVISE, AREA_DATA, 0, 24 * 256);
		event->value = below(mine, 2) ? MADV_HUGEPAGE : MADV_NOHUGEPAGE;
		break;
	case 5:
		event = about(batch, EVENT_REMAP, AREA_DATA, from % 2048, 16);
		event->value = areas[AREA_DATA].start + 30 * MIB +
			       below(mine, 64) * 16 * PAGE;
		event->extra = event->length;
		map(mine, batch, AREA_DATA, from % 2048, 16);
		break;
	case 6:
		about(batch, EVENT_KERNEL_WRITE, area, from, 1);
		break;
	default:
		event = about(batch, EVENT_SWITCH, area, 0, 0);
		event->value = below(mine, 4);
	}
}

static void
follow_fork(struct fork_source *mine, struct batch *batch)
{
	struct event *event;

	if (mine->n == PROCESSES)
		return;
	event = about(batch, EVENT_FORK, AREA_CODE, 0, 0);
	event->value = mine->n;
	mine->process[mine->n] = mine->process[batch->space];
	mine->process[mine->n++].alive = true;
}

static void
follow_end(struct fork_source *mine, struct batch *batch)
{
	struct event *event = about(batch, EVENT_EXIT, AREA_CODE, 0, 0);

	event->flags = 1;
	mine->process[batch->space].alive = false;
}

/* Often near the last, at times anywhere in the area. */
static void
access(struct fork_source *mine, struct batch *batch)
{
	struct process *process = &mine->process[batch->space];
	enum area area = (enum area)below(mine, AREAS);
	uint64_t draw = below(mine, 10), *at = &process->at[area];
	uint32_t site = mine->site[below(mine, SITES / 2)];

	if (draw < 6)
		*at += 8 + below(mine, 80);
	else if (draw < 8)
		*at += below(mine, 16) * PAGE;
	else
		*at = below(mine, areas[area].bytes);
	if (mine->wild && area != AREA_CODE)
		*at = below(mine, areas[area].bytes);
	*at %= areas[area].bytes - 64;
	if (area == AREA_CODE) {
		/* fetches do not cross pages */
		*at = *at / 64 * 64;
		site = mine->site[SITES / 2 + below(mine, SITES / 2)];
	}
	batch_access(batch, areas[area].start + *at, site);
}

static void
begin(struct fork_source *mine, struct batch *batch)
{
	mine->begun = true;
	mine->n = 1;
	mine->process[0].alive = true;
	for (enum area area = 0; area < AREAS; area++)
		map(mine, batch, area, 0, areas[area].bytes / PAGE);
}

static unsigned
draw_alive(struct fork_source *mine)
{
	unsigned number = (unsigned)below(mine, mine->n);

	while (!mine->process[number].alive)
		number = (number + 1) % mine->n;
	return number;
}

static int
fork_next(struct source *source, struct batch *batch)
{
	struct fork_source *mine = (struct fork_source *)source;
	unsigned alive = 0, n = 100 + (unsigned)below(mine, 500);

	if (!mine->left--)
		return 0;
	for (unsigned i = 0; i < mine->n; i++)
		alive += mine->process[i].alive;
	batch->thread = batch->space = mine->begun ? draw_alive(mine) : 0;
	batch->time_ns = mine->time_ns += 1000;
	batch->columned = true;
	if (!mine->begun)
		begin(mine, batch);
	mine->wild = !below(mine, 3);
	for (unsigned i = 0; i < n; i++) {
		access(mine, batch);
		if (!below(mine, 60))
			ask(mine, batch);
		if (!below(mine, 1500))
			follow_fork(mine, batch);
	}
	if (alive > 3 && !below(mine, 12))
		follow_end(mine, batch);
	return 1;
}

static void
fork_close(struct source *source)
{
	if (!source)
		return;
	stream_close(source->stream);
	free(source);
}

static const struct source_methods fork_methods = {
	.next = fork_next,
	.close = fork_close,
};

static int
add_sites(struct fork_source *mine)
{
	static const uint8_t kinds[] = { SITE_LOAD, SITE_STORE, SITE_LOAD,
					 SITE_MODIFY };
	int error = 0;

	for (unsigned i = 0; !error && i < SITES; i++) {
		bool fetch = i >= SITES / 2;
		struct site site = {
			.pc = 0x400000 + 16 * i,
			.size = fetch ? 16 : 4u << i % 5,
			.kind = fetch ? SITE_FETCH : kinds[i % 4],
			.instructions = fetch ? 4 : 0,
		};

		error = stream_site_add(mine->source.stream, &site,
					&mine->site[i]);
	}
	return error;
}

static int
add_processes(struct fork_source *mine)
{
	static const char *const paths[AREAS] = {
		[AREA_CODE] = "/bin/one", [AREA_FILE] = "/data/two"
	};
	struct stream *stream = mine->source.stream;
	uint32_t number;
	int error = 0;

	for (unsigned i = 0; !error && i < PROCESSES; i++) {
		struct thread thread = { 100 + i, 100 + i };
		struct space space = { .pid = 100 + i,
				       .parent = i ? 0 : SPACE_NONE };

		error = stream_thread_add(stream, &thread, &number);
		if (!error)
			error = stream_space_add(stream, &space, &number);
	}
	for (enum area area = 0; !error && area < AREAS; area++) {
		struct file file = { .path = paths[area],
				     .build_id = "",
				     .size_bytes = areas[area].bytes };

		if (paths[area])
			error = stream_file_add(stream, &file,
						&mine->file[area]);
	}
	return error;
}

int
fork_source_open(struct source **out, uint64_t seed, unsigned batches)
{
	struct fork_source *mine = calloc(1, sizeof(*mine));
	int error;

	if (!mine)
		return -ENOMEM;
	mine->source.methods = &fork_methods;
	mine->state = seed;
	mine->left = batches;
	error = stream_open(&mine->source.stream);
	if (!error)
		error = add_sites(mine);
	if (!error)
		error = add_processes(mine);
	if (error) {
		fork_close(&mine->source);
		return error;
	}
	*out = &mine->source;
	return 0;
}
