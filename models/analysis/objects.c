// SPDX-License-Identifier: GPL-2.0-or-later
/* What data lies where; see objects.h. */
#include "models/analysis/objects.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "analyzer/heap-notes.h"
#include "models/analysis/extents.h"

#define RECENT	     1024u
#define PAGE	     UINT64_C(4096)
#define STACK_GROWTH (UINT64_C(64) << 20)

/* What a mapping is; extent.number of `mapped` is an index of these. */
struct mapped {
	uint8_t kind;  /* OBJECT_FILE, ... _HEAP, _STACK, _MMAP */
	bool zeroed;   /* what follows a file's last segment */
	bool writable; /* and private: its file may go on in zeroed memory */
	uint32_t file; /* of OBJECT_MMAP: its number */
	uint32_t thread;
	uint64_t bytes;
};

struct space_objects {
	struct extents mapped, allocated;
};

/* Where an address of this page was found last. */
struct recent {
	uint64_t start, end;
	uint32_t space, object;
};

struct objects {
	const struct stream *stream;
	struct object_symbols symbols;
	struct space_objects *space; /* owned */
	uint32_t spaces;
	struct mapped *mapped; /* owned */
	uint32_t n_mapped, mapped_room;
	struct object *object; /* owned */
	uint32_t n, room;
	uint32_t *bucket; /* owned: number + 1, linear probing; 0: empty */
	uint32_t buckets;
	uint32_t mmaps; /* so far */
	struct recent recent[RECENT];
};

static int
no_memory(void)
{
	return fail(ENOMEM, "machine: no memory for data objects");
}

int
objects_open(struct objects **out, const struct stream *stream,
	     const struct object_symbols *symbols)
{
	struct objects *objects = calloc(1, sizeof(*objects));

	if (!objects)
		return no_memory();
	objects->stream = stream;
	objects->symbols = *symbols;
	objects->buckets = 1024;
	objects->bucket = calloc(objects->buckets, sizeof(*objects->bucket));
	objects->room = 256;
	objects->object = calloc(objects->room, sizeof(*objects->object));
	if (!objects->bucket || !objects->object) {
		objects_close(objects);
		return no_memory();
	}
	objects->n = 1; /* OBJECT_NOTHING */
	*out = objects;
	return 0;
}

void
objects_close(struct objects *objects)
{
	if (!objects)
		return;
	for (uint32_t i = 0; i < objects->spaces; i++) {
		extents_fini(&objects->space[i].mapped);
		extents_fini(&objects->space[i].allocated);
	}
	free(objects->space);
	free(objects->mapped);
	free(objects->object);
	free(objects->bucket);
	free(objects);
}

static struct space_objects *
space_of(struct objects *objects, uint32_t number)
{
	uint32_t spaces = objects->spaces ? objects->spaces : 16;
	struct space_objects *more;

	if (number < objects->spaces)
		return &objects->space[number];
	while (spaces <= number)
		spaces *= 2;
	more = reallocarray(objects->space, spaces, sizeof(*more));
	if (!more)
		return NULL;
	memset(more + objects->spaces, 0,
	       (spaces - objects->spaces) * sizeof(*more));
	objects->space = more;
	objects->spaces = spaces;
	return &more[number];
}

/* Nothing that was found there is to be found again. */
static void
forget(struct objects *objects, uint64_t start, uint64_t end)
{
	if (end - start >= RECENT / 4 * PAGE) {
		memset(objects->recent, 0, sizeof(objects->recent));
		return;
	}
	for (uint64_t page = start / PAGE; page <= (end - 1) / PAGE; page++)
		objects->recent[page % RECENT].end = 0;
}

static uint32_t
hash_of(const struct object *object)
{
	uint64_t hash = object->offset ^ (uint64_t)object->file << 40 ^
			(uint64_t)object->path << 20 ^
			(uint64_t)object->thread << 8 ^ object->kind;

	hash = (hash ^ (uint64_t)object->image << 50) *
	       UINT64_C(0x9e3779b97f4a7c15);
	return (uint32_t)(hash >> 32);
}

static bool
same(const struct object *a, const struct object *b)
{
	return a->kind == b->kind && a->image == b->image &&
	       a->file == b->file && a->thread == b->thread &&
	       a->path == b->path && a->offset == b->offset;
}

static uint32_t *
bucket_of(const struct objects *objects, const struct object *key)
{
	uint32_t i = hash_of(key) & (objects->buckets - 1);

	while (objects->bucket[i] &&
	       !same(&objects->object[objects->bucket[i] - 1], key))
		i = (i + 1) & (objects->buckets - 1);
	return &objects->bucket[i];
}

static int
grow(struct objects *objects)
{
	struct object *more =
		reallocarray(objects->object, 2 * objects->room, sizeof(*more));
	uint32_t *bucket;

	if (!more)
		return -ENOMEM;
	objects->object = more;
	objects->room *= 2;
	bucket = calloc(4 * (size_t)objects->room, sizeof(*bucket));
	if (!bucket)
		return -ENOMEM;
	free(objects->bucket);
	objects->bucket = bucket;
	objects->buckets = 4 * objects->room;
	for (uint32_t i = 1; i < objects->n; i++)
		*bucket_of(objects, &objects->object[i]) = i + 1;
	return 0;
}

/* Its number, 0 where there are too many. */
static uint32_t
intern(struct objects *objects, const struct object *key)
{
	uint32_t *bucket = bucket_of(objects, key);

	if (*bucket)
		return *bucket - 1;
	if (objects->n == OBJECTS_MAX ||
	    (objects->n == objects->room && grow(objects)))
		return 0;
	bucket = bucket_of(objects, key);
	objects->object[objects->n] = *key;
	*bucket = ++objects->n;
	return objects->n - 1;
}

static int
mapped_add(struct objects *objects, const struct mapped *mapped,
	   uint32_t *number)
{
	if (objects->n_mapped == objects->mapped_room) {
		uint32_t room =
			objects->mapped_room ? 2 * objects->mapped_room : 64;
		struct mapped *more =
			reallocarray(objects->mapped, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		objects->mapped = more;
		objects->mapped_room = room;
	}
	*number = objects->n_mapped;
	objects->mapped[objects->n_mapped++] = *mapped;
	return 0;
}

/* Anonymous memory right behind a file's private and writable mapping is what
 * its segment has beyond the file. */
static bool
goes_on(const struct objects *objects, const struct space_objects *space,
	const struct event *event, struct extent *extent, struct mapped *mapped)
{
	const struct extent *before =
		event->address
			? extents_find(&space->mapped, event->address - 1)
			: NULL;

	if (!before || before->end != event->address ||
	    !objects->mapped[before->number].writable)
		return false;
	*mapped = objects->mapped[before->number];
	mapped->zeroed = true;
	mapped->writable = false;
	mapped->bytes = event->length;
	extent->offset = before->offset + (before->end - before->start);
	return true;
}

static int
map(struct objects *objects, struct space_objects *space,
    const struct event *event)
{
	struct extent extent = { event->address, event->address + event->length,
				 event->offset, 0 };
	struct mapped mapped = { .kind = OBJECT_FILE,
				 .file = event->file,
				 .thread = UINT32_MAX,
				 .bytes = event->length };
	bool follows = false;

	if (event->flags & MAP_FLAG_HEAP) {
		mapped.kind = OBJECT_HEAP;
	} else if (event->flags & MAP_FLAG_STACK) {
		mapped.kind = OBJECT_STACK;
	} else if (event->address == HEAP_NOTES_ADDRESS) {
		mapped.kind = OBJECT_NOTES;
		mapped.file = 0;
	} else if (event->file == UINT32_MAX) {
		follows = goes_on(objects, space, event, &extent, &mapped);
		if (!follows) {
			mapped.kind = OBJECT_MMAP;
			mapped.file = ++objects->mmaps;
		}
	} else if (event->flags & MAP_FLAG_EXEC) {
		mapped.kind = OBJECT_CODE;
	} else {
		mapped.writable = event->flags & MAP_FLAG_WRITE &&
				  !(event->flags & MAP_FLAG_SHARED);
	}
	if (mapped_add(objects, &mapped, &extent.number) ||
	    extents_remove(&space->allocated, extent.start, extent.end) ||
	    extents_put(&space->mapped, &extent))
		return -ENOMEM;
	return 0;
}

static int
unmap(struct space_objects *space, uint64_t start, uint64_t end)
{
	int error = extents_remove(&space->allocated, start, end);

	return error ? error : extents_remove(&space->mapped, start, end);
}

static int
move(struct objects *objects, struct space_objects *space,
     const struct event *event)
{
	const struct extent *from =
		extents_find(&space->mapped, event->address);
	struct extent to;

	if (!from)
		return 0;
	to = *from;
	to.offset += event->address - to.start;
	to.start = event->value;
	to.end = event->value + event->extra;
	forget(objects, to.start, to.end);
	if (unmap(space, event->address, event->address + event->length))
		return -ENOMEM;
	return extents_put(&space->mapped, &to);
}

static int
fork_space(struct objects *objects, uint32_t from, uint32_t to)
{
	struct space_objects *child = space_of(objects, to);
	struct space_objects *parent = space_of(objects, from);

	if (!child || !parent)
		return -ENOMEM;
	child = space_of(objects, to);
	extents_fini(&child->mapped);
	extents_fini(&child->allocated);
	if (extents_copy(&child->mapped, &parent->mapped))
		return -ENOMEM;
	return extents_copy(&child->allocated, &parent->allocated);
}

int
objects_event(struct objects *objects, uint32_t number,
	      const struct event *event)
{
	struct space_objects *space = space_of(objects, number);
	uint64_t end = event->address + event->length;
	int error = space ? 0 : -ENOMEM;

	if (error)
		return no_memory();
	switch (event->type) {
	case EVENT_MAP:
	case EVENT_UNMAP:
	case EVENT_REMAP:
		if (event->length)
			forget(objects, event->address, end);
		error = event->type == EVENT_MAP ? map(objects, space, event)
			: event->type == EVENT_UNMAP
				? unmap(space, event->address, end)
				: move(objects, space, event);
		break;
	case EVENT_FORK:
		error = fork_space(objects, number, (uint32_t)event->value);
		break;
	default:
		break;
	}
	return error ? no_memory() : 0;
}

int
objects_allocate(struct objects *objects, uint32_t number,
		 const struct allocation *allocation)
{
	struct space_objects *space = space_of(objects, number);
	struct object key = {
		.kind = OBJECT_ALLOCATED,
		.image = stream_space(objects->stream, number)->image,
		.path = allocation->path,
		.offset = allocation->caller
	};
	struct extent extent = { allocation->address,
				 allocation->address + allocation->bytes, 0,
				 0 };

	if (!allocation->bytes)
		extent.end++;
	extent.number = intern(objects, &key);
	objects->object[extent.number].bytes += allocation->bytes;
	objects->object[extent.number].times++;
	forget(objects, extent.start, extent.end);
	return space && !extents_put(&space->allocated, &extent) ? 0
								 : no_memory();
}

int
objects_free(struct objects *objects, uint32_t number, uint64_t address)
{
	struct space_objects *space = space_of(objects, number);
	const struct extent *extent =
		space ? extents_find(&space->allocated, address) : NULL;
	struct extent old;

	if (!space)
		return no_memory();
	if (!extent || extent->start != address)
		return 0;
	old = *extent;
	forget(objects, old.start, old.end);
	return extents_remove(&space->allocated, old.start, old.end)
		       ? no_memory()
		       : 0;
}

int
objects_stack(struct objects *objects, uint32_t number, uint64_t address,
	      uint32_t thread)
{
	struct space_objects *space = space_of(objects, number);
	const struct extent *found =
		space ? extents_find(&space->mapped, address) : NULL;
	struct mapped mapped;
	struct extent extent;

	if (!space)
		return no_memory();
	if (!found)
		return 0;
	extent = *found;
	mapped = objects->mapped[extent.number];
	if (mapped.kind != OBJECT_MMAP && mapped.kind != OBJECT_STACK)
		return 0;
	mapped.kind = OBJECT_STACK;
	mapped.thread = thread;
	mapped.file = UINT32_MAX;
	forget(objects, extent.start, extent.end);
	if (mapped_add(objects, &mapped, &extent.number))
		return no_memory();
	return extents_put(&space->mapped, &extent) ? no_memory() : 0;
}

/* Of a file: the symbol there, or what none covers; narrows the extent. */
static struct object
object_of_file(struct objects *objects, const struct mapped *mapped,
	       struct extent *extent, uint64_t address)
{
	struct object key = { .kind = OBJECT_FILE, .file = mapped->file };
	uint64_t offset = extent->offset + (address - extent->start);
	uint64_t start = 0, end = UINT64_MAX;
	int named = objects->symbols.find
			    ? objects->symbols.find(objects->symbols.context,
						    mapped->file, offset,
						    &start, &end)
			    : 0;

	if (named < 0 && mapped->zeroed)
		key = (struct object){ .kind = OBJECT_MMAP };
	if (named > 0) {
		key.kind = OBJECT_SYMBOL;
		key.offset = start;
	}
	if (named >= 0) {
		if (start > extent->offset)
			extent->start += start - extent->offset;
		if (end < offset + (extent->end - address))
			extent->end = address + (end - offset);
	}
	return key;
}

/* What is mapped there; a process's first stack grows down to it. */
static const struct extent *
mapped_at(const struct objects *objects, const struct space_objects *space,
	  uint64_t address)
{
	const struct extent *found = extents_find(&space->mapped, address);
	const struct mapped *mapped;

	if (found)
		return found;
	found = extents_after(&space->mapped, address);
	if (!found || found->start - address > STACK_GROWTH)
		return NULL;
	mapped = &objects->mapped[found->number];
	return mapped->kind == OBJECT_STACK && mapped->thread == UINT32_MAX
		       ? found
		       : NULL;
}

static uint32_t
find_mapped(struct objects *objects, const struct space_objects *space,
	    uint64_t address, struct extent *extent)
{
	const struct extent *found = mapped_at(objects, space, address);
	struct object key;
	struct mapped *mapped;
	uint32_t number;

	if (!found)
		return 0;
	*extent = *found;
	if (address < extent->start)
		extent->start = address;
	mapped = &objects->mapped[found->number];
	key = (struct object){ .kind = mapped->kind, .file = mapped->file };
	if (mapped->kind == OBJECT_FILE)
		key = object_of_file(objects, mapped, extent, address);
	if (key.kind == OBJECT_STACK) {
		key.thread = mapped->thread;
		key.file = 0;
	}
	if (key.kind == OBJECT_HEAP)
		key.file = 0;
	number = intern(objects, &key);
	if (key.kind == OBJECT_SYMBOL)
		objects->object[number].bytes = extent->end - extent->start;
	else if (key.kind == OBJECT_MMAP || key.kind == OBJECT_STACK)
		objects->object[number].bytes = mapped->bytes;
	return number;
}

/* Between what is allocated, so that the cut piece is all one object. */
static void
cut(const struct space_objects *space, uint64_t address, struct extent *extent)
{
	const struct extent *before =
		extents_before(&space->allocated, address);
	const struct extent *after = extents_after(&space->allocated, address);

	if (before && before->end > extent->start)
		extent->start = before->end;
	if (after && after->start < extent->end)
		extent->end = after->start;
}

uint32_t
objects_at(struct objects *objects, uint32_t number, uint64_t address)
{
	struct recent *recent = &objects->recent[address / PAGE % RECENT];
	const struct space_objects *space;
	const struct extent *allocated;
	struct extent extent;
	uint32_t object;

	if (likely(address < recent->end && address >= recent->start &&
		   recent->space == number))
		return recent->object;
	space = space_of(objects, number);
	if (!space)
		return 0;
	allocated = extents_find(&space->allocated, address);
	if (allocated) {
		extent = *allocated;
		object = allocated->number;
	} else {
		extent = (struct extent){ 0, 0, 0, 0 };
		object = find_mapped(objects, space, address, &extent);
		cut(space, address, &extent);
	}
	*recent = (struct recent){ extent.start, extent.end, number, object };
	return object;
}

bool
objects_file(struct objects *objects, uint32_t number, uint64_t address,
	     uint32_t *file, uint64_t *offset)
{
	const struct space_objects *space = space_of(objects, number);
	const struct extent *found =
		space ? extents_find(&space->mapped, address) : NULL;
	const struct mapped *mapped;

	if (!found)
		return false;
	mapped = &objects->mapped[found->number];
	if (mapped->kind != OBJECT_FILE && mapped->kind != OBJECT_CODE)
		return false;
	*file = mapped->file;
	*offset = found->offset + (address - found->start);
	return true;
}

const struct object *
objects_get(const struct objects *objects, uint32_t number)
{
	return &objects->object[number];
}

uint32_t
objects_count(const struct objects *objects)
{
	return objects->n;
}
