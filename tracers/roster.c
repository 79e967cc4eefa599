// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who is who: two hash tables with linear probing, from (pid, tid) to a
 * thread's number and from pid to the space it runs in now.
 *
 * A thread keeps its number for good, also when the kernel gives the same tid
 * out again: numbers are names, and the pair is all that anybody knows of it.
 * A process that ended leaves its slot behind with `gone`, so that probing
 * goes on past it.
 */
#include "tracers/roster.h"

#include <pthread.h>
#include <stdlib.h>

#include "analyzer/fail.h"

#define SLOTS_MIN 64 /* a power of two */

struct slot {
	uint64_t key; /* pid << 32 | tid, or pid; 0: free */
	uint32_t number;
	bool gone;
};

struct names {
	struct slot *slot;
	size_t n, size; /* slots in use and in all */
};

struct roster {
	struct stream *stream; /* not owned */
	/* An engine may add on a thread of its own, beside others' */
	pthread_mutex_t lock;
	struct names threads, spaces;
};

static struct slot *
names_find(const struct names *names, uint64_t key)
{
	size_t i = (size_t)(key * UINT64_C(0x9e3779b97f4a7c15) >> 32);

	for (;; i++) {
		struct slot *slot = &names->slot[i & (names->size - 1)];

		if (slot->key == key || !slot->key)
			return slot;
	}
}

static int
names_grow(struct names *names)
{
	struct names bigger = { .size = names->size ? names->size * 2
						    : SLOTS_MIN };

	bigger.slot = calloc(bigger.size, sizeof(*bigger.slot));
	if (!bigger.slot)
		return fail(ENOMEM, "roster: no memory for threads");
	for (size_t i = 0; i < names->size; i++) {
		if (!names->slot[i].key || names->slot[i].gone)
			continue;
		*names_find(&bigger, names->slot[i].key) = names->slot[i];
		bigger.n++;
	}
	free(names->slot);
	*names = bigger;
	return 0;
}

/* The slot of this key, new or known; NULL: no memory (said) */
static struct slot *
names_slot(struct names *names, uint64_t key)
{
	struct slot *slot;

	if (2 * names->n >= names->size && names_grow(names))
		return NULL;
	slot = names_find(names, key);
	if (!slot->key) {
		slot->key = key;
		slot->gone = true;
		names->n++;
	}
	return slot;
}

int
roster_open(struct roster **out, struct stream *stream)
{
	struct roster *roster = calloc(1, sizeof(*roster));

	if (!roster)
		return fail(ENOMEM, "roster: no memory");
	roster->stream = stream;
	pthread_mutex_init(&roster->lock, NULL);
	if (names_grow(&roster->threads) || names_grow(&roster->spaces)) {
		roster_close(roster);
		return -ENOMEM;
	}
	*out = roster;
	return 0;
}

void
roster_close(struct roster *roster)
{
	if (!roster)
		return;
	pthread_mutex_destroy(&roster->lock);
	free(roster->threads.slot);
	free(roster->spaces.slot);
	free(roster);
}

static int
thread_locked(struct roster *roster, pid_t pid, pid_t tid, uint32_t *number)
{
	struct thread thread = { .tid = (uint32_t)tid, .pid = (uint32_t)pid };
	uint64_t key = (uint64_t)thread.pid << 32 | thread.tid;
	struct slot *slot = names_slot(&roster->threads, key);
	int error;

	if (!slot)
		return -ENOMEM;
	if (slot->gone) {
		error = stream_thread_add(roster->stream, &thread,
					  &slot->number);
		if (error)
			return error;
		slot->gone = false;
	}
	*number = slot->number;
	return 0;
}

/* Give pid a new space; parent's number is SPACE_NONE for a new image */
static int
space_add(struct roster *roster, pid_t pid, uint32_t parent, uint32_t *number)
{
	struct slot *slot = names_slot(&roster->spaces, (uint32_t)pid);
	struct space space = { .pid = (uint32_t)pid, .parent = parent };
	int error;

	if (!slot)
		return -ENOMEM;
	space.image = parent == SPACE_NONE
			      ? stream_image_add(roster->stream)
			      : stream_space(roster->stream, parent)->image;
	error = stream_space_add(roster->stream, &space, &slot->number);
	if (error)
		return error;
	slot->gone = false;
	*number = slot->number;
	return 0;
}

static int
space_locked(struct roster *roster, pid_t pid, uint32_t *number)
{
	const struct slot *slot = names_find(&roster->spaces, (uint32_t)pid);

	if (!slot->key || slot->gone)
		return space_add(roster, pid, SPACE_NONE, number);
	*number = slot->number;
	return 0;
}

static int
fork_locked(struct roster *roster, pid_t parent, pid_t pid, uint32_t *number)
{
	uint32_t from;
	int error = space_locked(roster, parent, &from);

	return error ? error : space_add(roster, pid, from, number);
}

static int
share_locked(struct roster *roster, pid_t parent, pid_t pid, uint32_t *number)
{
	int error = space_locked(roster, parent, number);
	struct slot *slot;

	if (error)
		return error;
	slot = names_slot(&roster->spaces, (uint32_t)pid);
	if (!slot)
		return -ENOMEM;
	slot->number = *number;
	slot->gone = false;
	return 0;
}

static void
exit_locked(struct roster *roster, pid_t pid)
{
	struct slot *slot = names_find(&roster->spaces, (uint32_t)pid);

	if (slot->key)
		slot->gone = true;
}

int
roster_thread(struct roster *roster, pid_t pid, pid_t tid, uint32_t *number)
{
	int error;

	pthread_mutex_lock(&roster->lock);
	error = thread_locked(roster, pid, tid, number);
	pthread_mutex_unlock(&roster->lock);
	return error;
}

int
roster_space(struct roster *roster, pid_t pid, uint32_t *number)
{
	int error;

	pthread_mutex_lock(&roster->lock);
	error = space_locked(roster, pid, number);
	pthread_mutex_unlock(&roster->lock);
	return error;
}

bool
roster_space_known(struct roster *roster, pid_t pid, uint32_t *number)
{
	const struct slot *slot;
	bool known;

	pthread_mutex_lock(&roster->lock);
	slot = names_find(&roster->spaces, (uint32_t)pid);
	known = slot->key && !slot->gone;
	if (known)
		*number = slot->number;
	pthread_mutex_unlock(&roster->lock);
	return known;
}

int
roster_fork(struct roster *roster, pid_t parent, pid_t pid, uint32_t *number)
{
	int error;

	pthread_mutex_lock(&roster->lock);
	error = fork_locked(roster, parent, pid, number);
	pthread_mutex_unlock(&roster->lock);
	return error;
}

int
roster_share(struct roster *roster, pid_t parent, pid_t pid, uint32_t *number)
{
	int error;

	pthread_mutex_lock(&roster->lock);
	error = share_locked(roster, parent, pid, number);
	pthread_mutex_unlock(&roster->lock);
	return error;
}

int
roster_exec(struct roster *roster, pid_t pid, uint32_t *number)
{
	int error;

	pthread_mutex_lock(&roster->lock);
	error = space_add(roster, pid, SPACE_NONE, number);
	pthread_mutex_unlock(&roster->lock);
	return error;
}

void
roster_exit(struct roster *roster, pid_t pid)
{
	pthread_mutex_lock(&roster->lock);
	exit_locked(roster, pid);
	pthread_mutex_unlock(&roster->lock);
}
