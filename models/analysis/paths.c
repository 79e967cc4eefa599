// SPDX-License-Identifier: GPL-2.0-or-later
/* Who called whom; see paths.h. */
#include "models/analysis/paths.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

struct frame {
	uint64_t address;
	uint32_t path;
};

struct thread_frames {
	struct frame *frame; /* owned [PATH_FRAMES_MAX], or NULL */
	uint32_t n;
};

/* Of a forked thread, until its copy is first heard of */
struct forked {
	struct thread_frames frames; /* owned */
	uint32_t space;
};

struct paths {
	struct thread_frames *thread; /* owned */
	uint32_t threads;
	struct forked *forked; /* owned */
	size_t n_forked, forked_room;
	struct path *path; /* owned */
	uint32_t n, room;
	uint32_t *bucket; /* owned: of (parent, site): its number; 0: empty */
	uint32_t buckets;
};

static int
no_memory(void)
{
	return fail(ENOMEM, "machine: no memory for call paths");
}

int
paths_open(struct paths **out)
{
	struct paths *paths = calloc(1, sizeof(*paths));

	if (!paths)
		return no_memory();
	paths->room = 1024;
	paths->buckets = 4 * paths->room;
	paths->path = calloc(paths->room, sizeof(*paths->path));
	paths->bucket = calloc(paths->buckets, sizeof(*paths->bucket));
	if (!paths->path || !paths->bucket) {
		paths_close(paths);
		return no_memory();
	}
	paths->n = 1;
	*out = paths;
	return 0;
}

void
paths_close(struct paths *paths)
{
	if (!paths)
		return;
	for (uint32_t i = 0; i < paths->threads; i++)
		free(paths->thread[i].frame);
	for (size_t i = 0; i < paths->n_forked; i++)
		free(paths->forked[i].frames.frame);
	free(paths->forked);
	free(paths->thread);
	free(paths->path);
	free(paths->bucket);
	free(paths);
}

static struct thread_frames *
thread_of(struct paths *paths, uint32_t number)
{
	uint32_t threads = paths->threads ? paths->threads : 16;
	struct thread_frames *thread;

	if (unlikely(number >= paths->threads)) {
		while (threads <= number)
			threads *= 2;
		thread = reallocarray(paths->thread, threads, sizeof(*thread));
		if (!thread)
			return NULL;
		memset(thread + paths->threads, 0,
		       (threads - paths->threads) * sizeof(*thread));
		paths->thread = thread;
		paths->threads = threads;
	}
	thread = &paths->thread[number];
	if (unlikely(!thread->frame))
		thread->frame = calloc(PATH_FRAMES_MAX, sizeof(*thread->frame));
	return thread->frame ? thread : NULL;
}

static uint32_t *
bucket_of(const struct paths *paths, uint32_t parent, uint32_t site)
{
	uint64_t hash =
		((uint64_t)parent << 32 | site) * UINT64_C(0x9e3779b97f4a7c15);
	uint32_t i = (uint32_t)(hash >> 32) & (paths->buckets - 1);

	for (;; i = (i + 1) & (paths->buckets - 1)) {
		const struct path *path = &paths->path[paths->bucket[i]];

		if (!paths->bucket[i] ||
		    (path->parent == parent && path->site == site))
			return &paths->bucket[i];
	}
}

static int
grow(struct paths *paths)
{
	struct path *path =
		reallocarray(paths->path, 2 * paths->room, sizeof(*path));
	uint32_t *bucket;

	if (!path)
		return -ENOMEM;
	paths->path = path;
	paths->room *= 2;
	bucket = calloc(4 * (size_t)paths->room, sizeof(*bucket));
	if (!bucket)
		return -ENOMEM;
	free(paths->bucket);
	paths->bucket = bucket;
	paths->buckets = 4 * paths->room;
	for (uint32_t i = 1; i < paths->n; i++)
		*bucket_of(paths, path[i].parent, path[i].site) = i;
	return 0;
}

/* The path of a call; that of its caller where there are too many. */
static int
child_of(struct paths *paths, uint32_t parent, uint32_t site, uint32_t *number)
{
	uint32_t *bucket = bucket_of(paths, parent, site);

	*number = *bucket;
	if (likely(*bucket))
		return 0;
	*number = parent;
	if (paths->n == PATHS_MAX)
		return 0;
	if (paths->n == paths->room && grow(paths))
		return no_memory();
	paths->path[paths->n] = (struct path){ parent, site };
	*bucket_of(paths, parent, site) = paths->n;
	*number = paths->n++;
	return 0;
}

static void
leave(struct thread_frames *thread, uint64_t address)
{
	while (thread->n && thread->frame[thread->n - 1].address <= address)
		thread->n--;
}

int
paths_call(struct paths *paths, uint32_t number, uint64_t address,
	   uint32_t site)
{
	struct thread_frames *thread = thread_of(paths, number);
	uint32_t path;

	if (!thread)
		return no_memory();
	leave(thread, address);
	if (thread->n == PATH_FRAMES_MAX)
		return 0;
	path = thread->n ? thread->frame[thread->n - 1].path : 0;
	if (child_of(paths, path, site, &path))
		return -ENOMEM;
	thread->frame[thread->n++] = (struct frame){ address, path };
	return 0;
}

int
paths_return(struct paths *paths, uint32_t number, uint64_t address)
{
	struct thread_frames *thread = thread_of(paths, number);

	if (!thread)
		return no_memory();
	leave(thread, address);
	return 0;
}

void
paths_forget(struct paths *paths, uint32_t thread)
{
	if (thread < paths->threads)
		paths->thread[thread].n = 0;
}

int
paths_fork(struct paths *paths, uint32_t number, uint32_t space)
{
	const struct thread_frames *thread = thread_of(paths, number);
	struct forked *forked;

	if (!thread)
		return no_memory();
	if (!thread->n)
		return 0;
	if (paths->n_forked == paths->forked_room) {
		size_t room = paths->forked_room ? 2 * paths->forked_room : 8;

		forked = reallocarray(paths->forked, room, sizeof(*forked));
		if (!forked)
			return no_memory();
		paths->forked = forked;
		paths->forked_room = room;
	}
	forked = &paths->forked[paths->n_forked];
	forked->space = space;
	forked->frames.n = thread->n;
	forked->frames.frame =
		calloc(PATH_FRAMES_MAX, sizeof(*forked->frames.frame));
	if (!forked->frames.frame)
		return no_memory();
	memcpy(forked->frames.frame, thread->frame,
	       thread->n * sizeof(*thread->frame));
	paths->n_forked++;
	return 0;
}

int
paths_begin(struct paths *paths, uint32_t number, uint32_t space)
{
	struct thread_frames *thread = thread_of(paths, number);

	if (!thread)
		return no_memory();
	for (size_t i = 0; i < paths->n_forked; i++) {
		if (paths->forked[i].space != space)
			continue;
		free(thread->frame);
		*thread = paths->forked[i].frames;
		paths->forked[i] = paths->forked[--paths->n_forked];
		break;
	}
	return 0;
}

uint32_t
paths_now(const struct paths *paths, uint32_t number)
{
	const struct thread_frames *thread;

	if (number >= paths->threads)
		return 0;
	thread = &paths->thread[number];
	return thread->n ? thread->frame[thread->n - 1].path : 0;
}

const struct path *
paths_get(const struct paths *paths, uint32_t number)
{
	return &paths->path[number];
}

uint32_t
paths_count(const struct paths *paths)
{
	return paths->n;
}
