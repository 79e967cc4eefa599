// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Chunks in the order of their sequence numbers, and what becomes of those
 * whose producer was killed: its page says how far it had come.
 */
#include "tracers/valgrind-pool.h"

#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "tracers/valgrind/ring.h"

/* A producer that took a number and then nothing for so long was killed. */
#define HOLE_TRIES 50

struct valgrind_pool {
	int fd;
	struct ring *ring;
	uint64_t next; /* sequence number */
	unsigned hole_tries;
	unsigned snapshot_next; /* producer to look at */
	uint8_t *snapshot;	/* owned; its chunk */
};

int
valgrind_pool_open(struct valgrind_pool **out, unsigned kinds, bool no_follow)
{
	struct valgrind_pool *pool = calloc(1, sizeof(*pool));
	int error;

	if (!pool)
		return fail(ENOMEM, "valgrind: no memory for the pool");
	pool->ring = MAP_FAILED;
	pool->fd = memfd_create("pagescope", MFD_CLOEXEC);
	if (pool->fd < 0 || ftruncate(pool->fd, (off_t)RING_BYTES)) {
		error = fail_errno(errno, "valgrind: shared memory of %llu MiB",
				   (unsigned long long)RING_BYTES >> 20);
		goto close;
	}
	pool->ring = mmap(NULL, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
			  pool->fd, 0);
	if (pool->ring == MAP_FAILED) {
		error = fail_errno(errno, "valgrind: mapping shared memory");
		goto close;
	}
	*pool->ring = (struct ring){
		.magic = RING_MAGIC,
		.bytes = sizeof(struct ring),
		.kinds = kinds,
		.no_follow = no_follow,
		.consumer = (uint32_t)getpid(),
	};
	*out = pool;
	return 0;
close:
	valgrind_pool_close(pool);
	return error;
}

void
valgrind_pool_close(struct valgrind_pool *pool)
{
	if (!pool)
		return;
	if (pool->ring != MAP_FAILED) {
		valgrind_pool_stop(pool);
		munmap(pool->ring, RING_BYTES);
	}
	if (pool->fd >= 0)
		close(pool->fd);
	free(pool->snapshot);
	free(pool);
}

int
valgrind_pool_fd(const struct valgrind_pool *pool)
{
	return pool->fd;
}

static void
futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static uint8_t *
chunk_bytes(const struct valgrind_pool *pool, unsigned i)
{
	return (void *)((char *)pool->ring + RING_CHUNKS_OFFSET +
			(size_t)i * RING_CHUNK_BYTES);
}

static struct ring_producer *
producer_page(const struct valgrind_pool *pool, unsigned i)
{
	return (void *)((char *)pool->ring + RING_PRODUCERS_OFFSET +
			(size_t)i * RING_AREA);
}

/* The committed chunk with the lowest number, or RING_CHUNKS. */
static unsigned
chunk_oldest(const struct valgrind_pool *pool)
{
	unsigned oldest = RING_CHUNKS;
	uint64_t sequence = UINT64_MAX;

	if (__atomic_load_n(&pool->ring->next_sequence, __ATOMIC_ACQUIRE) ==
	    pool->next)
		return oldest;
	for (unsigned i = 0; i < RING_CHUNKS; i++) {
		const struct ring_chunk *chunk = &pool->ring->chunk[i];
		uint32_t state =
			__atomic_load_n(&chunk->state, __ATOMIC_ACQUIRE);

		if ((state & RING_FULL) && chunk->sequence < sequence) {
			sequence = chunk->sequence;
			oldest = i;
			if (sequence == pool->next)
				break;
		}
	}
	return oldest;
}

bool
valgrind_pool_take(struct valgrind_pool *pool, struct valgrind_chunk *chunk)
{
	unsigned i = chunk_oldest(pool);
	const struct ring_chunk *found = &pool->ring->chunk[i];

	if (i == RING_CHUNKS)
		return false;
	if (found->sequence != pool->next && pool->hole_tries++ < HOLE_TRIES) {
		usleep(1000); /* its producer is about to commit it */
		return false;
	}
	pool->hole_tries = 0;
	pool->next = found->sequence + 1;
	*chunk = (struct valgrind_chunk){
		.data = chunk_bytes(pool, i),
		.used = found->used,
		.number = i,
		.pid = (pid_t)(found->state & ~RING_FULL),
		.start_ns = found->start_ns,
		.end_ns = found->end_ns,
	};
	return true;
}

void
valgrind_pool_give(struct valgrind_pool *pool,
		   const struct valgrind_chunk *chunk)
{
	struct ring *ring = pool->ring;

	if (chunk->snapshot)
		return;
	__atomic_store_n(&ring->chunk[chunk->number].state, 0,
			 __ATOMIC_RELEASE);
	__atomic_store_n(&ring->taken, pool->next, __ATOMIC_RELEASE);
	__atomic_fetch_add(&ring->released, 1, __ATOMIC_SEQ_CST);
	if (__atomic_exchange_n(&ring->producers_wait, 0, __ATOMIC_SEQ_CST))
		futex_wake(&ring->released);
}

bool
valgrind_pool_live(const struct valgrind_pool *pool)
{
	for (unsigned i = 0; i < RING_PRODUCERS; i++)
		if (__atomic_load_n(&pool->ring->producer[i], __ATOMIC_ACQUIRE))
			return true;
	return false;
}

void
valgrind_pool_wait(struct valgrind_pool *pool, unsigned milliseconds)
{
	struct timespec timeout = { 0, (long)milliseconds * 1000000 };
	struct ring *ring = pool->ring;
	uint32_t seen = __atomic_load_n(&ring->committed, __ATOMIC_ACQUIRE);

	__atomic_store_n(&ring->consumer_waits, 1, __ATOMIC_SEQ_CST);
	if (chunk_oldest(pool) == RING_CHUNKS)
		syscall(SYS_futex, &ring->committed, FUTEX_WAIT, seen, &timeout,
			NULL, 0);
	__atomic_store_n(&ring->consumer_waits, 0, __ATOMIC_SEQ_CST);
}

/* What the producer's chunk lacks, put behind it. */
static uint32_t
rest_append(const struct ring_producer *page, uint8_t *chunk, uint32_t room)
{
	struct ring_rest rest = ring_rest(page);

	if (rest.to < rest.from || rest.to > RING_AREA - RING_PAGE ||
	    rest.kept > room - (RING_AREA - RING_PAGE))
		return 0;
	memcpy(chunk + rest.kept, (const char *)page + RING_PAGE + rest.from,
	       rest.to - rest.from);
	return rest.kept + rest.to - rest.from;
}

/* A copy of the producer's chunk as far as it is filled now; its last record
 * may lack some of its end, which a shorter prefix of its superblock covers. */
static bool
page_snapshot(struct valgrind_pool *pool, unsigned i,
	      struct valgrind_chunk *chunk)
{
	const struct ring_producer *page = producer_page(pool, i);
	struct ring_producer then = *page;
	uint32_t number = then.chunk;

	if (!number || number > RING_CHUNKS || then.moving > RING_CHUNK_BYTES)
		return false;
	if (!pool->snapshot)
		pool->snapshot = malloc(RING_CHUNK_BYTES);
	if (!pool->snapshot)
		return false;
	memcpy(pool->snapshot, chunk_bytes(pool, number - 1), then.moving);
	*chunk = (struct valgrind_chunk){
		.data = pool->snapshot,
		.used = rest_append(page, pool->snapshot, RING_CHUNK_BYTES),
		.number = number - 1,
		.pid = (pid_t)page->pid,
		.start_ns = pool->ring->chunk[number - 1].start_ns,
		.snapshot = true,
	};
	chunk->end_ns = chunk->start_ns;
	/* Committed meanwhile? Then it was, or will be, taken in its turn. */
	return __atomic_load_n(&page->moving, __ATOMIC_ACQUIRE) ==
		       then.moving &&
	       __atomic_load_n(&pool->ring->chunk[number - 1].state,
			       __ATOMIC_ACQUIRE) == page->pid;
}

bool
valgrind_pool_snapshot(struct valgrind_pool *pool, struct valgrind_chunk *chunk)
{
	while (pool->snapshot_next < RING_PRODUCERS) {
		unsigned i = pool->snapshot_next++;

		if (pool->ring->producer[i] && page_snapshot(pool, i, chunk))
			return true;
	}
	return false;
}

unsigned
valgrind_pool_unrecorded(const struct valgrind_pool *pool)
{
	return __atomic_load_n(&pool->ring->unrecorded, __ATOMIC_ACQUIRE);
}

bool
valgrind_pid_alive(pid_t pid)
{
	char path[32], text[256];
	const char *state;
	size_t n;
	FILE *file;

	if (kill(pid, 0) && errno == ESRCH)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return errno != ENOENT;
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	state = strrchr(text, ')');
	return !state || state[1] != ' ' ||
	       (state[2] != 'Z' && state[2] != 'X');
}

/* Commit the chunk of a producer that does not, and leave it without one. */
static void
producer_commit(struct valgrind_pool *pool, unsigned i, uint64_t end_ns)
{
	struct ring *ring = pool->ring;
	struct ring_producer *page = producer_page(pool, i);
	uint32_t number = page->chunk;
	struct ring_chunk *chunk;

	if (!number || number > RING_CHUNKS)
		return;
	chunk = &ring->chunk[number - 1];
	if (chunk->state == ring->producer[i]) {
		chunk->used = rest_append(page, chunk_bytes(pool, number - 1),
					  RING_CHUNK_BYTES);
		chunk->end_ns = end_ns ? end_ns : chunk->start_ns;
		chunk->sequence = __atomic_fetch_add(&ring->next_sequence, 1,
						     __ATOMIC_SEQ_CST);
		__atomic_store_n(&chunk->state, chunk->state | RING_FULL,
				 __ATOMIC_RELEASE);
	}
	page->chunk = 0;
}

static void
producer_bury(struct valgrind_pool *pool, unsigned i)
{
	producer_commit(pool, i, 0);
	__atomic_store_n(&pool->ring->producer[i], 0, __ATOMIC_RELEASE);
}

/* It is in a system call, perhaps for hours. */
static void
producer_take(struct valgrind_pool *pool, unsigned i)
{
	struct ring_producer *page = producer_page(pool, i);
	uint32_t quiet = RING_QUIET;
	struct timespec now;

	if (!__atomic_compare_exchange_n(&page->quiet, &quiet, RING_TAKEN,
					 false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		return;
	if (page->cursor != page->base || page->moved) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		producer_commit(pool, i,
				(uint64_t)now.tv_sec * 1000000000u +
					(uint64_t)now.tv_nsec);
		page->cursor = page->base;
		page->moved = page->moving = 0;
	}
	__atomic_store_n(&page->quiet, RING_QUIET, __ATOMIC_SEQ_CST);
	futex_wake(&page->quiet);
}

void
valgrind_pool_hurry(struct valgrind_pool *pool)
{
	for (unsigned i = 0; i < RING_PRODUCERS; i++) {
		if (!pool->ring->producer[i])
			continue;
		__atomic_store_n(&producer_page(pool, i)->hurry, 1,
				 __ATOMIC_RELEASE);
		producer_take(pool, i);
	}
}

void
valgrind_pool_stop(struct valgrind_pool *pool)
{
	struct ring *ring = pool->ring;

	__atomic_store_n(&ring->stop, 1, __ATOMIC_SEQ_CST);
	valgrind_pool_hurry(pool);
	__atomic_fetch_add(&ring->released, 1, __ATOMIC_SEQ_CST);
	futex_wake(&ring->released);
	for (unsigned i = 0; i < RING_FORKS; i++)
		futex_wake(&ring->fork_done[i]);
}

unsigned
valgrind_pool_check(struct valgrind_pool *pool,
		    bool (*ignored)(void *context, pid_t pid),
		    void (*dead)(void *context, pid_t pid), void *context)
{
	unsigned live = 0;

	for (unsigned i = 0; i < RING_PRODUCERS; i++) {
		pid_t pid = (pid_t)__atomic_load_n(&pool->ring->producer[i],
						   __ATOMIC_ACQUIRE);

		if (!pid)
			continue;
		if (valgrind_pid_alive(pid)) {
			live += !ignored(context, pid);
			continue;
		}
		if (!__atomic_load_n(&pool->ring->producer[i],
				     __ATOMIC_ACQUIRE))
			continue; /* it ended properly in between */
		producer_bury(pool, i);
		dead(context, pid);
	}
	return live;
}
