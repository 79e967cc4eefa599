// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracers/cache-queue.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "analyzer/fail.h"

#define SEGMENTS 512u

struct cache_queue {
	struct cache_segment segment[SEGMENTS];
	uint64_t put, taken;
	bool ended, abandoned;
	int error;
	pthread_mutex_t lock;
	pthread_cond_t filled, emptied;
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
	pthread_cond_init(&queue->emptied, NULL);
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
	pthread_cond_destroy(&queue->emptied);
	free(queue);
}

void
queue_put(struct cache_queue *queue, const struct cache_segment *segment)
{
	struct cache_segment lost = *segment;

	pthread_mutex_lock(&queue->lock);
	while (queue->put - queue->taken == SEGMENTS && !queue->abandoned)
		pthread_cond_wait(&queue->emptied, &queue->lock);
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

void
queue_await(struct cache_queue *queue, const unsigned *pending)
{
	pthread_mutex_lock(&queue->lock);
	while (*pending)
		pthread_cond_wait(&queue->emptied, &queue->lock);
	pthread_mutex_unlock(&queue->lock);
}

void
queue_end(struct cache_queue *queue, int error)
{
	pthread_mutex_lock(&queue->lock);
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
	pthread_cond_broadcast(&queue->emptied);
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
	pthread_cond_broadcast(&queue->emptied);
	pthread_mutex_unlock(&queue->lock);
}
