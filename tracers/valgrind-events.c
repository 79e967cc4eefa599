// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The tool's event records, one function each in a table by type.
 */
#include "tracers/valgrind-events.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "tracers/files.h"
#include "tracers/roster.h"
#include "tracers/valgrind/ring.h"

#define SAME(name)                                                   \
	_Static_assert((int)RING_MAP_##name == (int)MAP_FLAG_##name, \
		       "the tool's flags are the stream's")
SAME(READ);
SAME(WRITE);
SAME(EXEC);
SAME(SHARED);
SAME(FILE);
SAME(STACK);
SAME(HEAP);
SAME(POPULATE);
SAME(HUGETLB);
SAME(INITIAL);
SAME(NORESERVE);
SAME(RECORDER);

struct valgrind_events {
	const struct tracer_setup *setup;
	struct valgrind_code *code;
	struct valgrind_log *log;
	struct files *files;
	struct valgrind_process **process; /* each owned: they never move */
	size_t n, room;
	size_t latest;
};

/* One record being taken */
struct taking {
	struct valgrind_events *events;
	struct valgrind_process *process;
	struct batch *batch;
	struct valgrind_cursor *cursor;
	const uint64_t *word; /* behind the header */
	uint32_t n;
};

int
valgrind_events_open(struct valgrind_events **out,
		     const struct tracer_setup *setup,
		     struct valgrind_code *code, struct valgrind_log *log)
{
	struct valgrind_events *events = calloc(1, sizeof(*events));
	int error;

	if (!events)
		return fail(ENOMEM, "valgrind: no memory for events");
	events->setup = setup;
	events->code = code;
	events->log = log;
	error = files_open(&events->files, setup->stream);
	if (error) {
		free(events);
		return error;
	}
	*out = events;
	return 0;
}

void
valgrind_events_close(struct valgrind_events *events)
{
	if (!events)
		return;
	for (size_t i = 0; i < events->n; i++)
		free(events->process[i]);
	free(events->process);
	files_close(events->files);
	free(events);
}

struct valgrind_process *
valgrind_process_at(const struct valgrind_events *events, size_t i)
{
	return i < events->n ? events->process[i] : NULL;
}

struct valgrind_process *
valgrind_process_find(const struct valgrind_events *events, pid_t pid)
{
	for (size_t i = 0; i < events->n; i++) {
		if (events->process[i]->pid == pid &&
		    !events->process[i]->ended)
			return events->process[i];
	}
	return NULL;
}

/* A free entry for a process whose space is to be filled in. */
static int
process_add(struct valgrind_events *events, pid_t pid,
	    struct valgrind_process **process)
{
	size_t i = 0, room = events->room ? 2 * events->room : 16;
	struct valgrind_process **all = events->process, *entry;
	uint32_t thread;
	int error = roster_thread(events->setup->roster, pid, pid, &thread);

	if (error)
		return error;
	while (i < events->n && !all[i]->ended)
		i++;
	if (i == events->room) {
		all = reallocarray(all, room, sizeof(*all));
		if (!all)
			return fail(ENOMEM, "valgrind: no memory");
		events->process = all;
		events->room = room;
	}
	if (i == events->n) {
		all[i] = malloc(sizeof(*all[i]));
		if (!all[i])
			return fail(ENOMEM, "valgrind: no memory");
		events->n++;
	}
	entry = all[i];
	*entry = (struct valgrind_process){
		.pid = pid,
		.thread = thread,
		.main_thread = thread,
	};
	*process = entry;
	return 0;
}

int
valgrind_process_get(struct valgrind_events *events, pid_t pid,
		     struct valgrind_process **process)
{
	struct valgrind_process *found = valgrind_process_find(events, pid);
	uint32_t space;
	int error;

	if (found) {
		*process = found;
		return 0;
	}
	error = roster_space(events->setup->roster, pid, &space);
	if (!error)
		error = process_add(events, pid, process);
	if (!error)
		(*process)->space = space;
	return error;
}

/* The text behind n words, ended in the record's last word, or NULL. */
static const char *
text_behind(const struct taking *taking, uint32_t n)
{
	const char *text = (const char *)(taking->word + n);

	if (taking->n <= n || !text[0] ||
	    !memchr(text, '\0', (taking->n - n) * sizeof(uint64_t)))
		return NULL;
	return text;
}

static int
take_code(struct taking *taking)
{
	const struct stream *stream = taking->events->setup->stream;
	uint16_t image = stream_space(stream, taking->process->space)->image;

	return valgrind_code_add(taking->events->code, image, taking->word,
				 taking->n);
}

static int
take_fault(struct taking *taking)
{
	if (!valgrind_batch_room(taking->batch))
		return EVENT_CUT_BEFORE;
	return valgrind_code_fault(taking->events->code, taking->batch,
				   taking->cursor, taking->word, taking->n);
}

/* A program that exec'd before has got a new space. */
static int
take_exec_done(struct taking *taking)
{
	struct valgrind_events *events = taking->events;
	struct valgrind_process *process = taking->process;
	const char *path = text_behind(taking, 4);
	struct event *event;
	uint32_t space;
	int error = roster_exec(events->setup->roster, process->pid, &space);

	if (error)
		return error;
	event = batch_event(taking->batch, EVENT_EXEC);
	event->value = space;
	error = path ? files_number(events->files, path, 0, &event->file) : 0;
	process->space = space;
	process->thread = process->main_thread;
	return error ? error : EVENT_CUT_AFTER;
}

static int
take_start(struct taking *taking)
{
	struct valgrind_process *process = taking->process;
	bool again = process->started && !taking->word[3];

	process->started = true;
	return again ? take_exec_done(taking) : EVENT_TAKEN;
}

static int
take_thread(struct taking *taking)
{
	struct valgrind_process *process = taking->process;
	struct batch *batch = taking->batch;
	uint32_t thread;
	int error;

	error = roster_thread(taking->events->setup->roster, process->pid,
			      (pid_t)taking->word[0], &thread);
	if (error || thread == batch->thread)
		return error;
	if (batch->n_steps || batch->n_events)
		return EVENT_CUT_BEFORE;
	process->thread = batch->thread = thread;
	return EVENT_TAKEN;
}

static int
take_thread_new(struct taking *taking)
{
	uint32_t thread;
	int error;

	error = roster_thread(taking->events->setup->roster,
			      taking->process->pid, (pid_t)taking->word[0],
			      &thread);
	if (!error)
		batch_event(taking->batch, EVENT_THREAD)->value = thread;
	return error;
}

static int
take_thread_end(struct taking *taking)
{
	struct event *event = batch_event(taking->batch, EVENT_EXIT);
	int error;

	error = roster_thread(taking->events->setup->roster,
			      taking->process->pid, (pid_t)taking->word[0],
			      &event->thread);
	event->value = taking->word[1] << 8;
	return error;
}

static int
take_fork(struct taking *taking)
{
	struct valgrind_events *events = taking->events;
	struct valgrind_process *child;
	pid_t pid = (pid_t)taking->word[0];
	uint32_t space;
	int error;

	if (events->setup->no_follow)
		return EVENT_TAKEN;
	error = roster_fork(events->setup->roster, taking->process->pid, pid,
			    &space);
	if (!error)
		error = process_add(events, pid, &child);
	if (error)
		return error;
	child->space = space;
	batch_event(taking->batch, EVENT_FORK)->value = space;
	return EVENT_TAKEN;
}

static const char *const exec_refused[] = {
	[EXEC_PRIVILEGED] = "is set-user-ID or has capabilities",
	[EXEC_FOREIGN] = "is not an x86-64 program",
};

static int
take_exec(struct taking *taking)
{
	struct valgrind_process *process = taking->process;
	uint64_t how = taking->word[0];
	const char *path = text_behind(taking, 1);
	json_t *about = stream_about(taking->events->setup->stream);
	json_t *losses = json_object_get(about, "losses");

	process->native = how == EXEC_PRIVILEGED || how == EXEC_FOREIGN;
	if (!process->native)
		return EVENT_TAKEN;
	warn("valgrind: process %d: %s %s: it runs on, unrecorded",
	     (int)process->pid, path ? path : "its program", exec_refused[how]);
	if (losses)
		json_array_append_new(losses,
				      json_pack("{s:s, s:s?, s:s}", "engine",
						"valgrind", "program", path,
						"why", exec_refused[how]));
	return EVENT_TAKEN;
}

static int
take_exit(struct taking *taking)
{
	struct valgrind_process *process = taking->process;
	int code = (int)(taking->word[0] & 0xff) << 8;

	process->exiting = true;
	process->status = taking->word[1]
				  ? code
				  : valgrind_log_signal(taking->events->log,
							process->pid);
	return EVENT_TAKEN;
}

static int
take_map(struct taking *taking)
{
	struct event *event = batch_event(taking->batch, EVENT_MAP);
	const char *path = text_behind(taking, 6);

	event->address = taking->word[0];
	event->length = taking->word[1];
	event->flags = (uint16_t)taking->word[2];
	event->offset = taking->word[3];
	/* Valgrind has the dynamic linker load it into each program. */
	if (path && strstr(path, "/vgpreload_"))
		event->flags |= MAP_FLAG_RECORDER;
	return path ? files_number(taking->events->files, path, taking->word[5],
				   &event->file)
		    : 0;
}

/* The plain ones: what their words mean */
static void
event_fill(struct event *event, unsigned type, const uint64_t *word)
{
	event->address = word[0];
	event->length = word[1];
	switch (type) {
	case RECORD_PROTECT:
	case RECORD_LOCK:
		event->flags = (uint16_t)word[2];
		break;
	case RECORD_REMAP:
		event->value = word[2];
		event->extra = word[3];
		break;
	case RECORD_ADVISE:
		event->value = word[2];
		break;
	case RECORD_SIGNAL:
		event->value = word[0];
		event->address = word[1];
		event->length = 0;
		break;
	case RECORD_LOST:
		event->value = word[0];
		event->address = event->length = 0;
		break;
	default:
		break;
	}
}

static const struct {
	int (*take)(struct taking *taking); /* or, if NULL, a plain one: */
	enum event_type event;
	uint32_t words; /* at least */
} records[] = {
	[RECORD_CODE] = { take_code, 0, 2 },
	[RECORD_START] = { take_start, 0, 4 },
	[RECORD_THREAD] = { take_thread, 0, 1 },
	[RECORD_THREAD_NEW] = { take_thread_new, 0, 1 },
	[RECORD_THREAD_END] = { take_thread_end, 0, 2 },
	[RECORD_FORK] = { take_fork, 0, 1 },
	[RECORD_EXEC] = { take_exec, 0, 1 },
	[RECORD_EXIT] = { take_exit, 0, 2 },
	[RECORD_MAP] = { take_map, 0, 6 },
	[RECORD_UNMAP] = { NULL, EVENT_UNMAP, 2 },
	[RECORD_PROTECT] = { NULL, EVENT_PROTECT, 3 },
	[RECORD_REMAP] = { NULL, EVENT_REMAP, 4 },
	[RECORD_ADVISE] = { NULL, EVENT_ADVISE, 3 },
	[RECORD_LOCK] = { NULL, EVENT_LOCK, 3 },
	[RECORD_KERNEL_READ] = { NULL, EVENT_KERNEL_READ, 2 },
	[RECORD_KERNEL_WRITE] = { NULL, EVENT_KERNEL_WRITE, 2 },
	[RECORD_SIGNAL] = { NULL, EVENT_SIGNAL, 2 },
	[RECORD_FAULT] = { take_fault, 0, 2 },
	[RECORD_LOST] = { NULL, EVENT_LOST, 2 },
};

static const uint64_t *
words_of(const uint8_t *head)
{
	return (const void *)(((uintptr_t)head + sizeof(uint32_t) + 7) &
			      ~(uintptr_t)7);
}

int
valgrind_events_take(struct valgrind_events *events,
		     struct valgrind_process *process, struct batch *batch,
		     struct valgrind_cursor *cursor)
{
	const uint32_t header = valgrind_head(cursor->at);
	unsigned type = RECORD_TYPE(header);
	struct taking taking = { events,
				 process,
				 batch,
				 cursor,
				 words_of(cursor->at),
				 RECORD_WORDS(header) };
	int result = EVENT_TAKEN;

	if (type >= ARRAY_SIZE(records) || !records[type].words ||
	    taking.n < records[type].words ||
	    (const uint8_t *)(taking.word + taking.n) > cursor->end)
		return fail(EPROTO, "valgrind: a damaged record %#x", header);
	if (batch->n_events == BATCH_EVENTS)
		return EVENT_CUT_BEFORE;
	if (records[type].take)
		result = records[type].take(&taking);
	else
		event_fill(batch_event(batch, records[type].event), type,
			   taking.word);
	if (result == EVENT_CUT_BEFORE || result < 0)
		return result;
	cursor->at = (const uint8_t *)(taking.word + taking.n);
	cursor->last = NULL;
	return result;
}

void
valgrind_process_exit(struct valgrind_events *events,
		      struct valgrind_process *process, struct batch *batch)
{
	struct event *event;

	batch->thread = process->main_thread;
	batch->space = process->space;
	event = batch_event(batch, EVENT_EXIT);
	event->value = (uint64_t)process->status;
	event->flags = 1;
	process->ended = true;
	roster_exit(events->setup->roster, process->pid);
}
