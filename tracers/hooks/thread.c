// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A thread's line and chunk: taken at its first hook, exchanged when full.
 * Signals are blocked meanwhile, so that handlers find a line with room.
 */
#include "tracers/hooks/runtime.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>

/* The mappings are told at each so many commits even if the size of the
 * address space is the same. */
#define MAPS_EVERY 16

/* There are more threads than lines: how many hooks go by unrecorded. */
#define PASS 10000

struct hooks_self hooks_self;
__thread struct channel_line *hooks_line;
/* Hooks to pass over before this thread looks for a line again */
static __thread uint32_t passing;
int64_t hooks_rseq;
uint32_t hooks_fetch;
uint32_t hooks_inactive;

static uint64_t
now_ns(void)
{
	struct timespec now = { 0, 0 };

	hooks_call(SYS_clock_gettime, CLOCK_MONOTONIC, (uintptr_t)&now, 0, 0);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t
hooks_signals_block(void)
{
	uint64_t all = UINT64_MAX, before = 0;

	hooks_call(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, (uintptr_t)&all,
		   (uintptr_t)&before, sizeof(all));
	return before;
}

void
hooks_signals_restore(uint64_t mask)
{
	hooks_call(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, (uintptr_t)&mask, 0,
		   sizeof(mask));
}

void
hooks_wake(uint32_t *word)
{
	hooks_call(SYS_futex, (uintptr_t)word, FUTEX_WAKE, INT32_MAX, 0);
}

size_t
hooks_file_read(const char *path, char *text, size_t bytes)
{
	int64_t fd = hooks_call(SYS_openat, (uint64_t)AT_FDCWD, (uintptr_t)path,
				O_RDONLY | O_CLOEXEC, 0);
	size_t n = 0;

	if (fd < 0)
		return 0;
	while (n < bytes) {
		int64_t got = hooks_call(SYS_read, (uint64_t)fd,
					 (uintptr_t)(text + n), bytes - n, 0);

		if (got <= 0)
			break;
		n += (size_t)got;
	}
	hooks_call(SYS_close, (uint64_t)fd, 0, 0, 0);
	return n;
}

/* A decimal number and a path: no printf here. */
static void
path_of(char *path, const char *front, uint32_t number, const char *behind)
{
	char digit[12];
	size_t n = 0;

	do
		digit[n++] = (char)('0' + number % 10);
	while (number /= 10);
	while (*front)
		*path++ = *front++;
	while (n)
		*path++ = digit[--n];
	while ((*path++ = *behind++))
		;
}

static bool
recorder_alive(const struct channel *channel)
{
	char path[40], text[256];
	const char *state = NULL;
	size_t n;

	path_of(path, "/proc/", channel->recorder, "/stat");
	n = hooks_file_read(path, text, sizeof(text));
	for (size_t i = 0; i + 2 < n; i++)
		if (text[i] == ')')
			state = text + i + 2;
	if (!state) /* no /proc, or no such process */
		return hooks_call(SYS_kill, channel->recorder, 0, 0, 0) !=
		       -3; /* ESRCH */
	return *state != 'Z' && *state != 'X';
}

bool
hooks_wait(uint32_t *word, uint32_t seen)
{
	struct timespec timeout = { 0, 100000000 };
	struct channel *channel = hooks_self.channel;
	int64_t result;

	if (__atomic_load_n(&channel->stop, __ATOMIC_ACQUIRE))
		return false;
	result = hooks_call(SYS_futex, (uintptr_t)word, FUTEX_WAIT, seen,
			    (uintptr_t)&timeout);
	if (result == -110 /* ETIMEDOUT */ && !recorder_alive(channel))
		return false;
	return !__atomic_load_n(&channel->stop, __ATOMIC_ACQUIRE);
}

/* The recording is over: no more hooks here */
static void
switch_off(void)
{
	hooks_self.channel = NULL;
	hooks_inactive = 1;
	hooks_line = NULL;
}

static struct channel_line *
line_claim(struct channel *channel)
{
	uint32_t tid = (uint32_t)hooks_call(SYS_gettid, 0, 0, 0, 0);

	for (uint32_t i = 0; i < CHANNEL_LINES; i++) {
		struct channel_line *line = &channel->line[i];
		uint32_t none = 0;

		if (!__atomic_load_n(&line->pid, __ATOMIC_RELAXED) &&
		    __atomic_compare_exchange_n(&line->pid, &none,
						hooks_self.pid, false,
						__ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED)) {
			line->tid = tid;
			line->chunk = 0;
			return line;
		}
	}
	return NULL;
}

/* A free chunk, now or as soon as the recorder gives one back.  0: none will
 * come; else its number + 1. */
static uint32_t
chunk_claim(struct channel *channel)
{
	uint32_t pid = hooks_self.pid;

	for (;;) {
		uint32_t seen =
			__atomic_load_n(&channel->released, __ATOMIC_SEQ_CST);
		uint64_t waiting =
			__atomic_load_n(&channel->next_sequence,
					__ATOMIC_SEQ_CST) -
			__atomic_load_n(&channel->taken, __ATOMIC_SEQ_CST);

		for (uint32_t i = 0;
		     waiting < CHANNEL_WAITING && i < CHANNEL_CHUNKS; i++) {
			uint32_t none = 0;

			if (!__atomic_load_n(&channel->chunk[i].state,
					     __ATOMIC_RELAXED) &&
			    __atomic_compare_exchange_n(&channel->chunk[i]
								 .state,
							&none, pid, false,
							__ATOMIC_ACQ_REL,
							__ATOMIC_RELAXED))
				return i + 1;
		}
		__atomic_store_n(&channel->threads_wait, 1, __ATOMIC_SEQ_CST);
		if (__atomic_load_n(&channel->released, __ATOMIC_SEQ_CST) ==
			    seen &&
		    !hooks_wait(&channel->released, seen))
			return 0;
		if (__atomic_load_n(&channel->stop, __ATOMIC_ACQUIRE))
			return 0;
	}
}

/* Its first numbers: the size in pages */
static uint64_t
space_pages(void)
{
	char text[32];
	size_t n = hooks_file_read("/proc/self/statm", text, sizeof(text));
	uint64_t pages = 0;

	for (size_t i = 0; i < n && text[i] >= '0' && text[i] <= '9'; i++)
		pages = 10 * pages + (uint64_t)(text[i] - '0');
	return pages;
}

/* The text of the mappings behind a chunk's records, if it is due. */
static void
maps_write(struct channel_chunk *chunk, char *behind, size_t room, bool due)
{
	struct hooks_self *process = &hooks_self;
	uint64_t pages = space_pages();
	size_t n;

	chunk->maps = 0;
	if (!due && pages == process->size_pages &&
	    process->commits % MAPS_EVERY)
		return;
	process->size_pages = pages;
	n = hooks_file_read("/proc/self/maps", behind, room);
	if (n == room)
		chunk->flags |= CHANNEL_MAPS_CUT;
	chunk->maps = (uint32_t)n;
}

static void
chunk_commit(struct channel_line *line, uint32_t flags, bool whole)
{
	struct channel *channel = hooks_self.channel;
	struct channel_chunk *chunk = &channel->chunk[line->chunk - 1];
	uint64_t used = line->cursor - line->base;

	flags |= __atomic_exchange_n(&hooks_self.flags, 0, __ATOMIC_RELAXED);
	chunk->tid = line->tid;
	chunk->parent = hooks_self.parent;
	chunk->flags = flags;
	chunk->used = (uint32_t)used;
	chunk->lost =
		__atomic_exchange_n(&hooks_self.lost, 0, __ATOMIC_RELAXED);
	maps_write(chunk, (char *)(uintptr_t)line->cursor, CHANNEL_BYTES - used,
		   whole || (flags & (CHANNEL_START | CHANNEL_FORKED)));
	__atomic_fetch_add(&hooks_self.commits, 1, __ATOMIC_RELAXED);
	chunk->end_ns = now_ns();
	chunk->sequence = __atomic_fetch_add(&channel->next_sequence, 1,
					     __ATOMIC_SEQ_CST);
	__atomic_store_n(&chunk->state, hooks_self.pid | CHANNEL_FULL,
			 __ATOMIC_RELEASE);
	/* Only now: killed before, the recorder finds the chunk by this. */
	__atomic_store_n(&line->chunk, 0, __ATOMIC_RELEASE);
	__atomic_fetch_add(&channel->committed, 1, __ATOMIC_SEQ_CST);
	if (__atomic_exchange_n(&channel->recorder_waits, 0, __ATOMIC_SEQ_CST))
		hooks_wake(&channel->committed);
}

/* A fresh chunk for this line; false: there will be none. */
static bool
chunk_begin(struct channel_line *line)
{
	struct channel *channel = hooks_self.channel;
	uint32_t number = chunk_claim(channel);
	struct channel_chunk *chunk;

	if (!number)
		return false;
	chunk = &channel->chunk[number - 1];
	chunk->tid = line->tid;
	chunk->parent = hooks_self.parent;
	chunk->flags = hooks_self.flags;
	chunk->used = chunk->maps = 0;
	chunk->lost = 0;
	chunk->start_ns = chunk->end_ns = now_ns();
	line->base = (uintptr_t)channel + CHANNEL_CHUNKS_OFFSET +
		     (number - 1) * CHANNEL_BYTES;
	line->cursor = line->base;
	line->limit = line->base + CHANNEL_BYTES - CHANNEL_MAPS;
	__atomic_store_n(&line->chunk, number, __ATOMIC_RELEASE);
	return true;
}

static void
line_free(struct channel_line *line)
{
	line->tid = 0;
	line->chunk = 0;
	__atomic_store_n(&line->pid, 0, __ATOMIC_RELEASE);
}

/* With signals blocked. */
static struct channel_line *
room_make(void)
{
	struct channel_line *line = hooks_line;
	struct channel *channel;

	hooks_start();
	channel = hooks_self.channel;
	if (!channel)
		return hooks_line = NULL;
	if (!line) {
		line = line_claim(channel);
		if (!line) {
			passing = PASS;
			__atomic_fetch_add(&hooks_self.lost, 1,
					   __ATOMIC_RELAXED);
			return NULL;
		}
		hooks_thread_started();
	} else if (line->chunk) {
		chunk_commit(line, 0, false);
	}
	if (!chunk_begin(line)) {
		line_free(line);
		switch_off();
		return NULL;
	}
	return hooks_line = line;
}

struct channel_line *
hooks_room(void)
{
	struct channel_line *line;
	uint64_t mask;

	if (passing) {
		passing--;
		__atomic_fetch_add(&hooks_self.lost, 1, __ATOMIC_RELAXED);
		return NULL;
	}
	mask = hooks_signals_block();
	/* A handler may have made room before they were blocked. */
	line = hooks_line;
	if (!line || line->cursor > line->limit)
		line = room_make();
	hooks_signals_restore(mask);
	return line;
}

void
hooks_commit(uint32_t flags, bool whole)
{
	struct channel_line *line = hooks_line;

	if (hooks_self.channel && line && line->chunk) {
		chunk_commit(line, flags, whole);
		line->limit = 0;
		line->cursor = 1; /* no room: the next hook takes a chunk */
	}
}

void
hooks_leave(uint32_t flags, bool whole)
{
	struct channel_line *line = hooks_line;

	hooks_commit(flags, whole);
	hooks_line = NULL;
	if (line && hooks_self.channel)
		line_free(line);
}
