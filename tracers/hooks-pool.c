// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chunks in the order of their sequence numbers.  A process that died left
 * lines behind; they say how far its chunks are filled.
 */
#include "tracers/hooks-pool.h"

#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "tracers/hooks/channel.h"

/* A thread that took a number and then nothing for so long was killed. */
#define HOLE_TRIES 50

struct hooks_pool {
	int fd;
	struct channel *channel;
	char *maps;    /* owned [CHANNEL_BYTES + 1]: of the chunk taken last */
	uint64_t next; /* sequence number */
	unsigned hole_tries;
	unsigned next_line; /* to take a snapshot of */
	char variable[96];
};

static int
pool_map(struct hooks_pool *pool)
{
	pool->fd = memfd_create("pagescope", MFD_CLOEXEC);
	if (pool->fd < 0 || ftruncate(pool->fd, (off_t)CHANNEL_ALL_BYTES))
		return fail_errno(errno, "hooks: shared memory of %llu MiB",
				  (unsigned long long)CHANNEL_ALL_BYTES >> 20);
	pool->channel = mmap(NULL, CHANNEL_ALL_BYTES, PROT_READ | PROT_WRITE,
			     MAP_SHARED, pool->fd, 0);
	if (pool->channel == MAP_FAILED)
		return fail_errno(errno, "hooks: mapping shared memory");
	return 0;
}

int
hooks_pool_open(struct hooks_pool **out, bool fetch, bool no_follow)
{
	struct hooks_pool *pool = calloc(1, sizeof(*pool));
	uint64_t token = 0;
	int error;

	if (!pool)
		return fail(ENOMEM, "hooks: no memory");
	pool->fd = -1;
	pool->channel = MAP_FAILED;
	pool->maps = malloc(CHANNEL_BYTES + 1);
	error = pool->maps ? pool_map(pool) : fail(ENOMEM, "hooks: no memory");
	if (error) {
		hooks_pool_close(pool);
		return error;
	}
	/* Whoever else has our pid and descriptor later has another one. */
	if (getrandom(&token, sizeof(token), GRND_NONBLOCK) < 0)
		token = (uint64_t)time(NULL);
	*pool->channel = (struct channel){
		.magic = CHANNEL_MAGIC,
		.token = token,
		.bytes = sizeof(struct channel),
		.fetch = fetch,
		.recorder = (uint32_t)getpid(),
		.no_follow = no_follow,
	};
	/* Of one length, or the program's stack would move */
	snprintf(pool->variable, sizeof(pool->variable),
		 CHANNEL_VARIABLE "=%010d:%010d:%020llu", (int)getpid(),
		 pool->fd, (unsigned long long)token);
	*out = pool;
	return 0;
}

void
hooks_pool_close(struct hooks_pool *pool)
{
	if (!pool)
		return;
	if (pool->channel != MAP_FAILED) {
		hooks_pool_stop(pool);
		munmap(pool->channel, CHANNEL_ALL_BYTES);
	}
	if (pool->fd >= 0)
		close(pool->fd);
	free(pool->maps);
	free(pool);
}

void
hooks_pool_root(struct hooks_pool *pool, pid_t pid)
{
	pool->channel->root = (uint32_t)pid;
}

char *
hooks_pool_variable(struct hooks_pool *pool)
{
	return pool->variable;
}

static void
futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static char *
chunk_bytes(const struct hooks_pool *pool, unsigned i)
{
	return (char *)pool->channel + CHANNEL_CHUNKS_OFFSET +
	       i * CHANNEL_BYTES;
}

/* The committed chunk with the lowest number, or CHANNEL_CHUNKS. */
static unsigned
chunk_oldest(const struct hooks_pool *pool)
{
	unsigned oldest = CHANNEL_CHUNKS;
	uint64_t sequence = UINT64_MAX;

	for (unsigned i = 0; i < CHANNEL_CHUNKS; i++) {
		const struct channel_chunk *chunk = &pool->channel->chunk[i];
		uint32_t state =
			__atomic_load_n(&chunk->state, __ATOMIC_ACQUIRE);

		if ((state & CHANNEL_FULL) && chunk->sequence < sequence) {
			sequence = chunk->sequence;
			oldest = i;
		}
	}
	return oldest;
}

/* What is said about chunk i; it has `used` bytes of records. */
static struct hooks_chunk
chunk_describe(const struct hooks_pool *pool, unsigned i, uint64_t used)
{
	const struct channel_chunk *from = &pool->channel->chunk[i];
	uint64_t maps = from->maps;

	if (used > CHANNEL_BYTES)
		used = CHANNEL_BYTES;
	if (maps > CHANNEL_BYTES - used)
		maps = CHANNEL_BYTES - used;
	memcpy(pool->maps, chunk_bytes(pool, i) + used, maps);
	pool->maps[maps] = '\0';
	return (struct hooks_chunk){
		.word = (const void *)chunk_bytes(pool, i),
		.n = (uint32_t)(used / sizeof(uint64_t)),
		.maps = pool->maps,
		.number = i,
		.pid = (pid_t)(from->state & ~CHANNEL_FULL),
		.tid = (pid_t)from->tid,
		.parent = (pid_t)from->parent,
		.flags = from->flags,
		.start_ns = from->start_ns,
		.end_ns = from->end_ns,
		.lost = from->lost,
	};
}

bool
hooks_pool_empty(const struct hooks_pool *pool)
{
	return chunk_oldest(pool) == CHANNEL_CHUNKS;
}

bool
hooks_pool_take(struct hooks_pool *pool, struct hooks_chunk *chunk)
{
	unsigned i = chunk_oldest(pool);
	const struct channel_chunk *found = &pool->channel->chunk[i];

	if (i == CHANNEL_CHUNKS)
		return false;
	if (found->sequence != pool->next && pool->hole_tries++ < HOLE_TRIES) {
		usleep(1000); /* its thread is about to commit it */
		return false;
	}
	pool->hole_tries = 0;
	pool->next = found->sequence + 1;
	*chunk = chunk_describe(pool, i, found->used);
	return true;
}

void
hooks_pool_give(struct hooks_pool *pool, const struct hooks_chunk *chunk)
{
	struct channel *channel = pool->channel;

	if (chunk->snapshot)
		return;
	__atomic_store_n(&channel->chunk[chunk->number].state, 0,
			 __ATOMIC_RELEASE);
	__atomic_store_n(&channel->taken, pool->next, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&channel->released, 1, __ATOMIC_SEQ_CST);
	if (__atomic_exchange_n(&channel->threads_wait, 0, __ATOMIC_SEQ_CST))
		futex_wake(&channel->released);
}

void
hooks_pool_wait(struct hooks_pool *pool, unsigned milliseconds)
{
	struct timespec timeout = { 0, (long)milliseconds * 1000000 };
	struct channel *channel = pool->channel;
	uint32_t seen = __atomic_load_n(&channel->committed, __ATOMIC_ACQUIRE);

	__atomic_store_n(&channel->recorder_waits, 1, __ATOMIC_SEQ_CST);
	if (chunk_oldest(pool) == CHANNEL_CHUNKS)
		syscall(SYS_futex, &channel->committed, FUTEX_WAIT, seen,
			&timeout, NULL, 0);
	__atomic_store_n(&channel->recorder_waits, 0, __ATOMIC_SEQ_CST);
}

void
hooks_pool_hurry(struct hooks_pool *pool)
{
	for (unsigned i = 0; i < CHANNEL_LINES; i++)
		if (pool->channel->line[i].pid)
			__atomic_store_n(&pool->channel->line[i].limit, 0,
					 __ATOMIC_RELEASE);
}

void
hooks_pool_stop(struct hooks_pool *pool)
{
	struct channel *channel = pool->channel;

	__atomic_store_n(&channel->stop, 1, __ATOMIC_SEQ_CST);
	hooks_pool_hurry(pool);
	__atomic_fetch_add(&channel->released, 1, __ATOMIC_SEQ_CST);
	futex_wake(&channel->released);
	futex_wake(&channel->forks);
}

static bool
line_snapshot(const struct hooks_pool *pool, unsigned i,
	      struct hooks_chunk *chunk)
{
	const struct channel_line *line = &pool->channel->line[i];
	uint64_t cursor = __atomic_load_n(&line->cursor, __ATOMIC_ACQUIRE);
	uint32_t number = line->chunk, pid = line->pid;
	uint64_t used = cursor - line->base;

	if (!pid || !number || number > CHANNEL_CHUNKS || used > CHANNEL_BYTES)
		return false;
	*chunk = chunk_describe(pool, number - 1, used);
	chunk->maps[0] = '\0';
	chunk->end_ns = chunk->start_ns;
	chunk->snapshot = true;
	/* Committed meanwhile?  Then it was, or will be, taken in its turn. */
	return __atomic_load_n(&pool->channel->chunk[number - 1].state,
			       __ATOMIC_ACQUIRE) == pid;
}

bool
hooks_pool_snapshot(struct hooks_pool *pool, struct hooks_chunk *chunk)
{
	while (pool->next_line < CHANNEL_LINES)
		if (line_snapshot(pool, pool->next_line++, chunk))
			return true;
	return false;
}

/* Neither gone nor a zombie, by a stat file of /proc. */
static bool
stat_alive(const char *path)
{
	char text[256];
	const char *state;
	FILE *file = fopen(path, "re");
	size_t n;

	if (!file)
		return errno != ENOENT;
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	if (!n) /* ESRCH: it went while we read */
		return false;
	state = strrchr(text, ')');
	return !state || state[1] != ' ' ||
	       (state[2] != 'Z' && state[2] != 'X');
}

static bool
thread_alive(pid_t pid, pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid,
		 (int)tid);
	return stat_alive(path);
}

bool
hooks_pool_alive(const struct hooks_pool *pool, pid_t pid)
{
	/* The main thread may have ended by itself, with others running on. */
	if (thread_alive(pid, pid))
		return true;
	for (unsigned i = 0; i < CHANNEL_LINES; i++) {
		const struct channel_line *line = &pool->channel->line[i];

		if (line->pid == (uint32_t)pid &&
		    thread_alive(pid, (pid_t)line->tid))
			return true;
	}
	return false;
}

unsigned
hooks_pool_check(struct hooks_pool *pool)
{
	unsigned live = 0;

	for (unsigned i = 0; i < CHANNEL_LINES; i++) {
		struct channel_line *line = &pool->channel->line[i];
		uint32_t pid = __atomic_load_n(&line->pid, __ATOMIC_ACQUIRE);

		if (!pid)
			continue;
		if (hooks_pool_alive(pool, (pid_t)pid))
			live++;
		else if (__atomic_load_n(&line->pid, __ATOMIC_ACQUIRE) == pid)
			channel_bury(pool->channel, line);
	}
	return live;
}
