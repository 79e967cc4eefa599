// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracers/cache-queue.h"

#include <linux/futex.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/fail.h"

#define SEGMENTS 512u
#define LOOK_NS	 20000000 /* how often those who wait look around */

struct cache_queue {
	struct cache_segment segment[SEGMENTS];
	uint64_t put, taken;
	bool ended, abandoned;
	int error;
	pid_t consumer; /* the tracing process's parent, 0: none yet */
	pthread_mutex_t lock;
	pthread_cond_t filled;
	/* What the tracing side waits for.  No condition variable: it would
	 * take the lock again at once, which a killed consumer may have kept. */
	uint32_t emptied; /* a futex: changes when something was taken */
	bool tracer_waits;
};

int
queue_open(struct cache_queue **out)
{
	struct cache_queue *queue = calloc(1, sizeof(*queue));
	pthread_condattr_t attribute;

	if (!queue)
		return fail(ENOMEM, "cache: no memory");
	pthread_mutex_init(&queue->lock, NULL);
	pthread_condattr_init(&attribute);
	pthread_condattr_setclock(&attribute, CLOCK_MONOTONIC);
	pthread_cond_init(&queue->filled, &attribute);
	pthread_condattr_destroy(&attribute);
	*out = queue;
	return 0;
}

static void
release(struct cache_segment *segment)
{
	free(segment->stepped);
	if (segment->pending)
		--*segment->pending;
	if (segment->kind == SEGMENT_CLOSE)
		segment->close(segment->what);
}

void
queue_close(struct cache_queue *queue)
{
	if (!queue)
		return;
	while (queue->taken < queue->put)
		release(&queue->segment[queue->taken++ % SEGMENTS]);
	pthread_mutex_destroy(&queue->lock);
	pthread_cond_destroy(&queue->filled);
	free(queue);
}

static struct timespec
soon(clockid_t clock)
{
	struct timespec until;

	clock_gettime(clock, &until);
	until.tv_nsec += LOOK_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return until;
}

/* In the tracing process: was the consumer's killed?  Then it may have died
 * with the lock, and nothing here is touched any more. */
static bool
is_orphan(const struct cache_queue *queue)
{
	return queue->consumer && getppid() != queue->consumer;
}

static bool
lock_of_tracer(struct cache_queue *queue)
{
	while (!is_orphan(queue)) {
		const struct timespec until = soon(CLOCK_REALTIME);

		if (!pthread_mutex_timedlock(&queue->lock, &until))
			return true;
	}
	return false;
}

/* Until something is taken; false: nothing will be */
static bool
wait_of_tracer(struct cache_queue *queue)
{
	const struct timespec look = { 0, LOOK_NS };
	uint32_t seen = queue->emptied;

	queue->tracer_waits = true;
	pthread_mutex_unlock(&queue->lock);
	syscall(SYS_futex, &queue->emptied, FUTEX_WAIT_PRIVATE, seen, &look,
		NULL, 0);
	return lock_of_tracer(queue);
}

/* Locked */
static void
tell_tracer(struct cache_queue *queue)
{
	__atomic_fetch_add(&queue->emptied, 1, __ATOMIC_RELEASE);
	if (queue->tracer_waits)
		syscall(SYS_futex, &queue->emptied, FUTEX_WAKE_PRIVATE, 1, NULL,
			NULL, 0);
	queue->tracer_waits = false;
}

void
queue_tracer(struct cache_queue *queue, pid_t consumer)
{
	queue->consumer = consumer;
}

void
queue_put(struct cache_queue *queue, const struct cache_segment *segment)
{
	struct cache_segment lost = *segment;

	if (!lock_of_tracer(queue))
		return;
	while (queue->put - queue->taken == SEGMENTS && !queue->abandoned)
		if (!wait_of_tracer(queue))
			return;
	if (segment->pending)
		++*segment->pending;
	if (queue->abandoned) {
		release(&lost);
	} else {
		queue->segment[queue->put++ % SEGMENTS] = *segment;
		pthread_cond_signal(&queue->filled);
	}
	pthread_mutex_unlock(&queue->lock);
}

bool
queue_await(struct cache_queue *queue, const unsigned *pending,
	    const volatile sig_atomic_t *give_up)
{
	bool none;

	if (!lock_of_tracer(queue))
		return false;
	while (*pending && !(give_up && *give_up))
		if (!wait_of_tracer(queue))
			return false;
	none = !*pending;
	pthread_mutex_unlock(&queue->lock);
	return none;
}

void
queue_end(struct cache_queue *queue, int error)
{
	if (!lock_of_tracer(queue))
		return;
	queue->ended = true;
	queue->error = error;
	pthread_cond_signal(&queue->filled);
	pthread_mutex_unlock(&queue->lock);
}

struct cache_segment *
queue_first(struct cache_queue *queue, unsigned ms)
{
	struct cache_segment *first = NULL;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long int)ms * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&queue->lock);
	while (queue->put == queue->taken && !queue->ended)
		if (pthread_cond_timedwait(&queue->filled, &queue->lock,
					   &until))
			break;
	if (queue->put != queue->taken)
		first = &queue->segment[queue->taken % SEGMENTS];
	pthread_mutex_unlock(&queue->lock);
	return first;
}

void
queue_done(struct cache_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	release(&queue->segment[queue->taken++ % SEGMENTS]);
	tell_tracer(queue);
	pthread_mutex_unlock(&queue->lock);
}

bool
queue_ended(struct cache_queue *queue, int *error)
{
	bool ended;

	pthread_mutex_lock(&queue->lock);
	ended = queue->ended && queue->put == queue->taken;
	*error = queue->error;
	pthread_mutex_unlock(&queue->lock);
	return ended;
}

void
queue_abandon(struct cache_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->abandoned = true;
	while (queue->taken < queue->put)
		release(&queue->segment[queue->taken++ % SEGMENTS]);
	tell_tracer(queue);
	pthread_mutex_unlock(&queue->lock);
}
