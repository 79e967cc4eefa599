// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The run loop.  The source fills slots of a ring; each worker thread feeds
 * every batch to its own models (model i belongs to worker i % jobs), so a
 * model sees all batches in order on one thread and its result cannot depend
 * on the number of workers.
 *
 *	source -> [slot][slot][slot]...[slot] -> worker 0: models 0, 2, ...
 *	           ^ filled               ^ taken  worker 1: models 1, 3, ...
 *
 * A batch is some thousands of accesses, so a lock a batch costs nothing.
 */
#include "analyzer/run.h"

#include <pthread.h>
#include <stdlib.h>

#include "analyzer/fail.h"

#define RING_SLOTS 16

struct worker {
	struct ring *ring;
	pthread_t thread;
	unsigned index;
	uint64_t taken;
	int error;
};

struct ring {
	struct run *run;
	struct batch slot[RING_SLOTS];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t filled;
	bool ended;
	struct worker *worker;
	unsigned n_workers;
};

static int
feed_models(const struct run *run, unsigned first, unsigned step,
	    const struct batch *batch)
{
	for (size_t i = first; i < run->n_models; i += step) {
		struct model *model = run->models[i];
		int error = model->methods->feed(model, batch);

		if (error)
			return error;
	}
	return 0;
}

static bool
columns_wanted(const struct run *run)
{
	for (size_t i = 0; i < run->n_models; i++)
		if (!run->models[i]->methods->packed)
			return true;
	return false;
}

/* Cut a batch so that the run ends after exactly max_accesses. */
static void
cut_batch(struct run *run, struct batch *batch, const struct stream *stream)
{
	uint64_t left = run->max_accesses - run->accesses;

	if (!run->max_accesses || batch->n <= left)
		return;
	batch_expand(batch, stream);
	batch->packed = false;
	batch->n = (uint32_t)left;
	while (batch->n_events &&
	       batch->event[batch->n_events - 1].position > batch->n)
		batch->n_events--;
}

/*
 * The next batch, ready for the models: 1, 0 at the end, negative errno.  A
 * source that notices stop itself says -EINTR, or drains and says 0.
 */
static int
next_batch(struct run *run, struct batch *batch, bool columns)
{
	int got;

	if (run->max_accesses && run->accesses >= run->max_accesses) {
		run->stopped = true;
		return 0;
	}
	if (run->stop && *run->stop && !run->drain) {
		run->stopped = true;
		return 0;
	}
	got = source_next(run->source, batch);
	if (got == -EINTR) {
		run->stopped = true;
		return 0;
	}
	if (got <= 0)
		return got;
	if (columns)
		batch_expand(batch, run->source->stream);
	cut_batch(run, batch, run->source->stream);
	run->accesses += batch->n;
	run->batches++;
	if (run->tick)
		run->tick(run);
	return 1;
}

static int
run_alone(struct run *run)
{
	bool columns = columns_wanted(run);
	struct batch batch;
	int error = batch_init(&batch);

	if (error)
		return fail(ENOMEM, "run: no memory for a batch");
	for (;;) {
		error = next_batch(run, &batch, columns);
		if (error <= 0)
			break;
		error = feed_models(run, 0, 1, &batch);
		if (error)
			break;
	}
	batch_fini(&batch);
	return error;
}

static uint64_t
ring_slowest(const struct ring *ring)
{
	uint64_t slowest = ring->filled;

	for (unsigned i = 0; i < ring->n_workers; i++)
		if (ring->worker[i].taken < slowest)
			slowest = ring->worker[i].taken;
	return slowest;
}

static void *
work(void *argument)
{
	struct worker *worker = argument;
	struct ring *ring = worker->ring;
	int error = 0;

	pthread_mutex_lock(&ring->lock);
	for (;;) {
		const struct batch *batch;

		while (worker->taken == ring->filled && !ring->ended)
			pthread_cond_wait(&ring->changed, &ring->lock);
		if (worker->taken == ring->filled)
			break;
		batch = &ring->slot[worker->taken % RING_SLOTS];
		pthread_mutex_unlock(&ring->lock);
		if (!error)
			error = feed_models(ring->run, worker->index,
					    ring->n_workers, batch);
		pthread_mutex_lock(&ring->lock);
		worker->error = error;
		worker->taken++;
		pthread_cond_broadcast(&ring->changed);
	}
	pthread_mutex_unlock(&ring->lock);
	return NULL;
}

/* First error of any worker, in order of workers. */
static int
ring_error(const struct ring *ring)
{
	for (unsigned i = 0; i < ring->n_workers; i++)
		if (ring->worker[i].error)
			return ring->worker[i].error;
	return 0;
}

static int
ring_fill(struct ring *ring)
{
	bool columns = columns_wanted(ring->run);
	int got = 0;

	for (;;) {
		pthread_mutex_lock(&ring->lock);
		while (ring->filled - ring_slowest(ring) == RING_SLOTS)
			pthread_cond_wait(&ring->changed, &ring->lock);
		got = ring_error(ring);
		pthread_mutex_unlock(&ring->lock);
		if (got)
			break;
		got = next_batch(ring->run,
				 &ring->slot[ring->filled % RING_SLOTS],
				 columns);
		if (got <= 0)
			break;
		pthread_mutex_lock(&ring->lock);
		ring->filled++;
		pthread_cond_broadcast(&ring->changed);
		pthread_mutex_unlock(&ring->lock);
	}
	pthread_mutex_lock(&ring->lock);
	ring->ended = true;
	pthread_cond_broadcast(&ring->changed);
	pthread_mutex_unlock(&ring->lock);
	return got;
}

static int
ring_run(struct ring *ring)
{
	unsigned started;
	int error = 0;

	for (started = 0; started < ring->n_workers; started++) {
		struct worker *worker = &ring->worker[started];

		*worker = (struct worker){ .ring = ring, .index = started };
		error = pthread_create(&worker->thread, NULL, work, worker);
		if (error)
			break;
	}
	if (error) {
		fail_errno(error, "run: cannot start a thread");
		error = -error;
		ring->ended = true;
		ring->n_workers = started;
	} else {
		error = ring_fill(ring);
	}
	for (unsigned i = 0; i < started; i++)
		pthread_join(ring->worker[i].thread, NULL);
	return error ? error : ring_error(ring);
}

static int
run_threads(struct run *run, unsigned n_workers)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	int error = -ENOMEM;
	int made = 0;

	if (!ring)
		return fail(ENOMEM, "run: no memory for the ring");
	ring->run = run;
	ring->n_workers = n_workers;
	ring->worker = calloc(n_workers, sizeof(*ring->worker));
	if (!ring->worker)
		goto free_ring;
	for (; made < RING_SLOTS; made++)
		if (batch_init(&ring->slot[made]))
			goto free_slots;
	pthread_mutex_init(&ring->lock, NULL);
	pthread_cond_init(&ring->changed, NULL);
	error = ring_run(ring);
	pthread_cond_destroy(&ring->changed);
	pthread_mutex_destroy(&ring->lock);
free_slots:
	if (made < RING_SLOTS)
		fail(ENOMEM, "run: no memory for batches");
	while (made-- > 0)
		batch_fini(&ring->slot[made]);
	free(ring->worker);
free_ring:
	free(ring);
	return error;
}

int
run_feed(struct run *run)
{
	unsigned n_workers = run->jobs;

	run->accesses = run->batches = 0;
	run->stopped = false;
	if (n_workers > run->n_models)
		n_workers = (unsigned)run->n_models;
	return n_workers ? run_threads(run, n_workers) : run_alone(run);
}
