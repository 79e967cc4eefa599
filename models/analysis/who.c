// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who misses, walks and faults; see who.h.
 *
 * Calls, returns and heap notes that are found among the accesses wait in a
 * list until the misses before them have been told.
 */
#include "models/analysis/who.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "analyzer/heap-notes.h"
#include "models/analysis/paths.h"
#include "models/analysis/who-table.h"
#include "models/analysis/who-time.h"

#define WORD 8u /* bytes that calls and returns store and load */

const char *const who_names[] = { "function", "line", "object", "mapping",
				  "thread",   "node", "path",	"page",
				  "time",     NULL };

enum change_type {
	CHANGE_CALL,
	CHANGE_RETURN,
	CHANGE_NOTE,
	CHANGE_STACK, /* the thread's first store */
};

struct change {
	uint64_t position, address;
	uint32_t site;
	uint8_t type;
};

struct pending {
	struct who_fault fault;
	bool denied;
};

/* A heap note of a thread, as far as it has come. */
struct notes {
	uint64_t number[HEAP_NOTE_NUMBERS_MAX];
	unsigned n, bits, kind;
	bool open;
	bool started; /* a new thread, whose stack is not known */
	bool known;   /* it has been fed before */
};

struct who {
	const struct stream *stream;
	struct who_setup setup;
	struct objects *objects; /* NULL: not told apart, as paths */
	struct paths *paths;
	struct who_table table;
	struct who_pages pages;
	struct who_time *time;	/* NULL: nobody asked */
	uint32_t space, thread; /* of the part that was fed */
	struct change *change;	/* owned [BATCH_ACCESSES + BATCH_SPARE] */
	uint32_t n_changes, next;
	struct pending *pending; /* owned: [first_pending, n_pending) */
	size_t first_pending, n_pending, pending_room;
	uint64_t allocations; /* that were noted */
	struct notes *notes;  /* owned, by thread */
	uint32_t n_notes;
	uint8_t *branch; /* owned, by site: WHO_CALL, _RETURN, 0, UNLEARNT */
	uint32_t sites, site_room;
};

static int
no_memory(void)
{
	return fail(ENOMEM, "machine: no memory for --by");
}

int
who_open(struct who **out, const struct stream *stream,
	 const struct who_setup *setup)
{
	struct who *who = calloc(1, sizeof(*who));
	int error = 0;

	if (!who)
		return no_memory();
	who->stream = stream;
	who->setup = *setup;
	who->change =
		calloc(BATCH_ACCESSES + BATCH_SPARE, sizeof(*who->change));
	if (!who->change)
		error = no_memory();
	/* paths need what is mapped: the code that calls */
	if (!error && setup->by & (WHO_OBJECT | WHO_PATH))
		error = objects_open(&who->objects, stream, &setup->symbols);
	if (!error && setup->by & WHO_PATH)
		error = paths_open(&who->paths);
	if (!error && setup->by & WHO_TIME)
		error = who_time_open(&who->time);
	if (error)
		who_close(who);
	else
		*out = who;
	return error;
}

void
who_close(struct who *who)
{
	if (!who)
		return;
	objects_close(who->objects);
	paths_close(who->paths);
	who_time_close(who->time);
	who_table_fini(&who->table);
	who_pages_fini(&who->pages);
	free(who->change);
	free(who->pending);
	free(who->notes);
	free(who->branch);
	free(who);
}

bool
who_wants(const struct who *who, enum who_by by)
{
	return who->setup.by & by;
}

bool
who_wants_columns(const struct who *who)
{
	return who->objects;
}

/* By thread: NULL: no memory. */
static struct notes *
notes_of(struct who *who, uint32_t thread)
{
	uint32_t n = who->n_notes ? who->n_notes : 16;
	struct notes *more;

	if (likely(thread < who->n_notes))
		return &who->notes[thread];
	while (n <= thread)
		n *= 2;
	more = reallocarray(who->notes, n, sizeof(*more));
	if (!more)
		return NULL;
	memset(more + who->n_notes, 0, (n - who->n_notes) * sizeof(*more));
	who->notes = more;
	who->n_notes = n;
	return &more[thread];
}

void
who_begin(struct who *who, const struct batch *batch, uint64_t position,
	  uint64_t resident_bytes)
{
	if (who->time)
		who_time_begin(who->time, batch, position, resident_bytes);
}

int
who_event(struct who *who, uint32_t space, uint32_t thread,
	  const struct event *event)
{
	struct notes *notes;

	if (!who->objects)
		return 0;
	if (event->type == EVENT_EXEC && who->paths)
		paths_forget(who->paths, thread);
	if (event->type == EVENT_FORK && who->paths &&
	    paths_fork(who->paths, thread, (uint32_t)event->value))
		return -ENOMEM;
	if (event->type == EVENT_THREAD) {
		notes = notes_of(who, (uint32_t)event->value);
		if (!notes)
			return no_memory();
		/* Its first store is to its stack */
		*notes = (struct notes){ .started = true };
	}
	return objects_event(who->objects, space, event);
}

/* Where calls and returns are is learnt when their sites are first used: the
 * code may be unmapped later. */
static NOINLINE int
learn(struct who *who, uint32_t space, uint32_t index)
{
	const struct site *site = stream_site(who->stream, index);
	/* a call through memory also loads, which is no return */
	int wanted = site->kind == SITE_STORE  ? WHO_CALL
		     : site->kind == SITE_LOAD ? WHO_RETURN
					       : 0;
	uint32_t file;
	uint64_t offset;

	if (!who->setup.branch || site->size != WORD || !wanted ||
	    !objects_file(who->objects, space, site->pc, &file, &offset))
		return 0;
	return who->setup.branch(who->setup.symbols.context, file, offset) ==
			       wanted
		       ? wanted
		       : 0;
}

#define UNLEARNT 255u

static int
learn_sites(struct who *who)
{
	uint32_t n = stream_sites(who->stream), room = who->site_room;
	uint8_t *more;

	if (likely(n <= who->sites))
		return 0;
	if (n > room) {
		room = room ? room : 4096;
		while (room < n)
			room *= 2;
		more = realloc(who->branch, room);
		if (!more)
			return no_memory();
		who->branch = more;
		who->site_room = room;
	}
	memset(who->branch + who->sites, UNLEARNT, n - who->sites);
	who->sites = n;
	return 0;
}

static void
add_change(struct who *who, const struct change *change)
{
	who->change[who->n_changes++] = *change;
}

/* The first store of a new thread tells where its stack is. */
static void
find_stack(struct who *who, struct notes *notes, const struct batch *batch,
	   uint32_t from, uint32_t to, uint64_t position)
{
	for (uint32_t i = from; i < to; i++)
		if (SITE_KIND(batch->site[i]) == SITE_STORE) {
			notes->started = false;
			/* in order: all of the part are on this stack */
			add_change(who, &(struct change){ position,
							  batch->address[i], 0,
							  CHANGE_STACK });
			return;
		}
}

static void
find_changes(struct who *who, const struct batch *batch, uint32_t from,
	     uint32_t to, uint64_t position)
{
	bool paths = who->paths;

	for (uint32_t i = from; i < to; i++) {
		uint32_t index = SITE_INDEX(batch->site[i]);
		struct change change = { position + i - from, batch->address[i],
					 index, 0 };
		uint8_t branch;

		if (unlikely(change.address - HEAP_NOTES_ADDRESS <
			     HEAP_NOTES_BYTES)) {
			change.type = CHANGE_NOTE;
			add_change(who, &change);
			continue;
		}
		if (!paths)
			continue;
		branch = who->branch[index];
		if (unlikely(branch == UNLEARNT))
			branch = who->branch[index] =
				(uint8_t)learn(who, batch->space, index);
		if (!branch)
			continue;
		change.type = branch == WHO_CALL ? CHANGE_CALL : CHANGE_RETURN;
		add_change(who, &change);
	}
}

int
who_feed(struct who *who, const struct batch *batch, uint32_t from, uint32_t to,
	 uint64_t position)
{
	struct notes *notes;

	if (!who->objects)
		return 0;
	who->space = batch->space;
	who->thread = batch->thread;
	notes = notes_of(who, batch->thread);
	if (!notes)
		return no_memory();
	if (!notes->known && who->paths &&
	    paths_begin(who->paths, batch->thread, batch->space))
		return -ENOMEM;
	notes->known = true;
	if (learn_sites(who))
		return -ENOMEM;
	who->n_changes = who->next = 0;
	if (unlikely(notes->started))
		find_stack(who, notes, batch, from, to, position);
	find_changes(who, batch, from, to, position);
	return 0;
}

static int
end_note(struct who *who, struct notes *notes)
{
	struct allocation allocation = {
		.address = notes->number[0] * 16,
		.bytes = notes->number[1],
		.caller = notes->number[2],
		.path = who->paths ? paths_now(who->paths, who->thread) : 0,
	};

	notes->open = false;
	if (notes->kind == HEAP_NOTE_FREE)
		return objects_free(who->objects, who->space,
				    allocation.address);
	who->allocations++;
	return objects_allocate(who->objects, who->space, &allocation);
}

/* One store to the page of notes. */
static int
take_note(struct who *who, uint64_t value)
{
	static const unsigned numbers[HEAP_NOTES] = {
		[HEAP_NOTE_ALLOC] = 3,
		[HEAP_NOTE_FREE] = 1,
	};
	struct notes *notes = &who->notes[who->thread];

	if (value >= HEAP_NOTES_KIND) {
		*notes = (struct notes){
			.kind = (unsigned)(value - HEAP_NOTES_KIND),
			.open = value < HEAP_NOTES_KIND + HEAP_NOTES
		};
		return 0;
	}
	if (!notes->open || notes->bits >= 64)
		return 0;
	notes->number[notes->n] |= (value & (HEAP_NOTES_LAST - 1))
				   << notes->bits;
	notes->bits += HEAP_NOTES_BITS;
	if (value < HEAP_NOTES_LAST)
		return 0;
	notes->bits = 0;
	return ++notes->n == numbers[notes->kind] ? end_note(who, notes) : 0;
}

static int
apply(struct who *who, const struct change *change)
{
	switch (change->type) {
	case CHANGE_CALL:
		return paths_call(who->paths, who->thread, change->address,
				  change->site);
	case CHANGE_RETURN:
		return paths_return(who->paths, who->thread, change->address);
	case CHANGE_STACK:
		return objects_stack(who->objects, who->space, change->address,
				     who->thread);
	default:
		return take_note(who, change->address - HEAP_NOTES_ADDRESS);
	}
}

/* All that happened before that access. */
static int
apply_before(struct who *who, uint64_t position)
{
	int error = 0;

	while (!error && who->next < who->n_changes &&
	       who->change[who->next].position < position)
		error = apply(who, &who->change[who->next++]);
	return error;
}

static struct who_key
key_of(struct who *who, const struct who_miss *miss)
{
	unsigned by = who->setup.by;

	return (struct who_key){
		.site = by & (WHO_FUNCTION | WHO_LINE) ? miss->site
						       : WHO_NO_SITE,
		.object = by & WHO_OBJECT
				  ? objects_at(who->objects, miss->space,
					       miss->address)
				  : 0,
		.region = by & WHO_MAPPING ? miss->region : 0,
		.thread = by & WHO_THREAD ? miss->thread : 0,
		.path = who->paths && miss->site != WHO_NO_SITE
				? paths_now(who->paths, miss->thread)
				: 0,
		.from = by & WHO_NODE ? miss->from : 0,
		.node = by & WHO_NODE ? miss->node : 0,
	};
}

/* A fault that no access of the program made. */
static int
count_alone(struct who *who, const struct who_fault *fault)
{
	const struct who_miss miss = {
		.address = fault->page,
		.space = fault->space,
		.thread = fault->thread,
		.region = fault->region,
		.site = WHO_NO_SITE,
	};
	const struct who_key key = key_of(who, &miss);
	struct who_count *count = who_table_get(&who->table, &key);

	if (!count)
		return no_memory();
	count->minor += !fault->major;
	count->major += fault->major;
	return 0;
}

/* The faults of this miss; those before it had none. */
static int
take_faults(struct who *who, const struct who_miss *miss,
	    struct who_count *faults, bool *denied)
{
	int error = 0;

	*denied = false;
	while (!error && who->first_pending < who->n_pending) {
		const struct pending *pending =
			&who->pending[who->first_pending];
		const struct who_fault *fault = &pending->fault;

		if (fault->position > miss->position)
			break;
		if (fault->position == miss->position &&
		    fault->page == (miss->address & ~UINT64_C(4095))) {
			faults->minor += !pending->denied && !fault->major;
			faults->major += !pending->denied && fault->major;
			*denied |= pending->denied;
		} else if (fault->position < miss->position) {
			error = pending->denied ? 0 : count_alone(who, fault);
		} else {
			break;
		}
		who->first_pending++;
	}
	return error;
}

int
who_missed(struct who *who, const struct who_miss *miss)
{
	bool fetch = SITE_KIND(miss->site) == SITE_FETCH, denied = false;
	struct who_count faults = { 0 }, *count;
	struct who_key key;
	int error = 0;

	if (who->objects)
		error = apply_before(who, miss->position);
	if (!error && unlikely(who->first_pending < who->n_pending))
		error = take_faults(who, miss, &faults, &denied);
	if (error)
		return error;
	key = key_of(who, miss);
	count = who_table_get(&who->table, &key);
	if (!count)
		return no_memory();
	count->l1d += !fetch;
	count->l1i += fetch;
	count->l2 += miss->walked;
	count->walks += miss->walked && !denied;
	count->cycles += miss->walked ? miss->cycles : 0;
	count->minor += faults.minor;
	count->major += faults.major;
	if (who->time)
		who_time_missed(who->time, miss, miss->walked && !denied);
	if (who->setup.by & WHO_PAGE)
		return who_pages_add(&who->pages, miss,
				     miss->walked && !denied);
	return 0;
}

static int
add_pending(struct who *who, const struct who_fault *fault, bool denied)
{
	if (who->first_pending == who->n_pending)
		who->first_pending = who->n_pending = 0;
	if (who->n_pending == who->pending_room) {
		size_t room = who->pending_room ? 2 * who->pending_room : 256;
		struct pending *more =
			reallocarray(who->pending, room, sizeof(*more));

		if (!more)
			return no_memory();
		who->pending = more;
		who->pending_room = room;
	}
	who->pending[who->n_pending++] = (struct pending){ *fault, denied };
	return 0;
}

int
who_faulted(struct who *who, const struct who_fault *fault)
{
	if (who->time)
		who_time_faulted(who->time, fault);
	return fault->kernel ? count_alone(who, fault)
			     : add_pending(who, fault, false);
}

int
who_denied(struct who *who, uint64_t address, uint64_t position)
{
	const struct who_fault fault = { .page = address & ~UINT64_C(4095),
					 .position = position };

	return add_pending(who, &fault, true);
}

int
who_settle(struct who *who)
{
	int error = who->objects ? apply_before(who, UINT64_MAX) : 0;

	while (!error && who->first_pending < who->n_pending) {
		const struct pending *pending =
			&who->pending[who->first_pending++];

		if (!pending->denied)
			error = count_alone(who, &pending->fault);
	}
	return error;
}

static int
put_allocations(const struct who *who, struct result *result)
{
	const json_t *about = stream_about(who->stream);

	if (who->allocations)
		return result_count(result, "who.allocations", who->allocations,
				    "allocations");
	return result_absent(result, "who.allocations",
			     json_is_true(json_object_get(about, "heap"))
				     ? "none was noted: a static program, or "
				       "one with an allocator of its own"
				     : "recorded without --heap");
}

int
who_finish(const struct who *who, const struct who_regions *regions,
	   uint64_t accesses, struct result *result)
{
	char text[128] = "";
	size_t n = 0;
	int error;

	for (size_t i = 0; who_names[i]; i++)
		if (who->setup.by & 1u << i)
			n += (size_t)snprintf(text + n, sizeof(text) - n,
					      "%s%s", n ? "," : "",
					      who_names[i]);
	error = result_text(result, "who.by", text);
	if (!error)
		error = who_table_finish(&who->table,
					 &(struct who_context){
						 who->stream, who->objects,
						 who->paths, regions,
						 who->setup.by },
					 result);
	if (!error && who->setup.by & WHO_OBJECT)
		error = put_allocations(who, result);
	if (!error && who->setup.by & WHO_PAGE)
		error = who_pages_finish(&who->pages, regions, result);
	if (!error && who->time)
		error = who_time_finish(who->time, accesses, who->stream,
					regions, result);
	return error;
}
