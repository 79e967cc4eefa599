// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which threads a foreign trace has named so far: a hash table of (pid, tid)
 * for the threads, and of pids for their address spaces.  Nobody knows what
 * the processes ran, so all share one image, as all their sites do.
 */
#include "traces/foreign.h"

#include <stdlib.h>

#include "analyzer/fail.h"

#define START_SLOTS 64

struct threads_entry {
	uint64_t key; /* pid << 32 | tid; of a space: the pid */
	uint32_t number;
	bool used;
};

struct threads_table {
	struct threads_entry *entry; /* owned [slots], at most half used */
	uint32_t n, slots;
};

struct foreign_threads {
	struct threads_table thread, space;
	uint16_t image;
};

static struct threads_entry *
slot_of(const struct threads_table *table, uint64_t key)
{
	uint32_t mask = table->slots - 1;
	uint32_t at = (uint32_t)((key * 0x9e3779b97f4a7c15u) >> 32) & mask;

	while (table->entry[at].used && table->entry[at].key != key)
		at = (at + 1) & mask;
	return &table->entry[at];
}

static int
grow(struct threads_table *table)
{
	struct threads_table bigger = { .n = table->n };

	bigger.slots = table->slots ? 2 * table->slots : START_SLOTS;
	bigger.entry = calloc(bigger.slots, sizeof(*bigger.entry));
	if (!bigger.entry)
		return fail(ENOMEM, "import: no memory for threads");
	for (uint32_t i = 0; i < table->slots; i++)
		if (table->entry[i].used)
			*slot_of(&bigger, table->entry[i].key) =
				table->entry[i];
	free(table->entry);
	*table = bigger;
	return 0;
}

/* Where that key is or will be; NULL: no memory (said) */
static struct threads_entry *
find(struct threads_table *table, uint64_t key)
{
	if (2 * table->n >= table->slots && grow(table))
		return NULL;
	return slot_of(table, key);
}

static int
space_number(struct foreign *foreign, uint32_t pid, uint32_t *number)
{
	struct foreign_threads *threads = foreign->threads;
	struct threads_entry *entry = find(&threads->space, pid);
	struct space space = { pid, threads->image, SPACE_NONE };
	int error;

	if (!entry)
		return -ENOMEM;
	if (!entry->used) {
		error = stream_space_add(foreign->source.stream, &space,
					 &entry->number);
		if (error)
			return error;
		entry->key = pid;
		entry->used = true;
		threads->space.n++;
	}
	*number = entry->number;
	return 0;
}

static int
thread_number(struct foreign *foreign, uint32_t pid, uint32_t tid,
	      uint32_t *number)
{
	struct foreign_threads *threads = foreign->threads;
	uint64_t key = (uint64_t)pid << 32 | tid;
	struct threads_entry *entry = find(&threads->thread, key);
	int error;

	if (!entry)
		return -ENOMEM;
	if (!entry->used) {
		error = stream_thread_add(foreign->source.stream,
					  &(struct thread){ tid, pid },
					  &entry->number);
		if (error)
			return error;
		entry->key = key;
		entry->used = true;
		threads->thread.n++;
	}
	*number = entry->number;
	return 0;
}

static int
open_threads(struct foreign *foreign)
{
	foreign->threads = calloc(1, sizeof(*foreign->threads));
	if (!foreign->threads)
		return fail(ENOMEM, "import: no memory for threads");
	foreign->threads->image = stream_image_add(foreign->source.stream);
	return 0;
}

bool
foreign_enter_other(struct foreign *foreign, struct batch *batch, uint32_t pid,
		    uint32_t tid)
{
	int error = 0;

	if (batch->n || batch->n_events) {
		foreign->split = true;
		return false;
	}
	if (!foreign->threads)
		error = open_threads(foreign);
	if (!error)
		error = space_number(foreign, pid, &foreign->space);
	if (!error)
		error = thread_number(foreign, pid, tid, &foreign->thread);
	if (error) {
		foreign->sites.error = error;
		return false;
	}
	foreign->pid = pid;
	foreign->tid = tid;
	batch->thread = foreign->thread;
	batch->space = foreign->space;
	return true;
}

void
foreign_threads_close(struct foreign_threads *threads)
{
	if (!threads)
		return;
	free(threads->thread.entry);
	free(threads->space.entry);
	free(threads);
}
