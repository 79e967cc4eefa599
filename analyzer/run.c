// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The run loop.  The source fills slots of a ring; each model takes every batch
 * of it in order, on whatever thread has time for it:
 *
 *	source -> [slot][slot][slot]...[slot]
 *	           ^ taken by model 1   ^ filled
 *	                 ^ taken by model 0
 *
 * A thread takes the model that is furthest behind and that no other thread
 * has, and feeds it until it has caught up; while the ring is full, the
 * source's thread does so too.  So no thread waits while a model could go on,
 * a model's memory stays in one core's caches for a while, and as it sees all
 * batches in order its result cannot depend on the number of threads.
 *
 * A batch is some thousands of accesses, so a lock a batch costs nothing.  Where
 * one model alone takes columns, it makes them on its thread: decoding is the
 * slower half.
 */
#include "analyzer/run.h"

#include <pthread.h>
#include <stdlib.h>

#include "analyzer/fail.h"

#define RING_SLOTS 16

/* A model's way through the batches; of the ring's lock. */
struct lane {
	uint64_t taken;
	bool busy; /* some thread feeds it */
	int error; /* what it ended with: it takes the rest unseen */
};

struct ring {
	struct run *run;
	struct batch slot[RING_SLOTS];
	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t filled;
	bool ended;
	struct lane *lane; /* [run->n_models], owned */
	unsigned n_workers;
	bool late; /* its only model's thread makes the columns */
};

static int
feed_models(const struct run *run, const struct batch *batch)
{
	for (size_t i = 0; i < run->n_models; i++) {
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
		error = feed_models(run, &batch);
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

	for (size_t i = 0; i < ring->run->n_models; i++)
		if (ring->lane[i].taken < slowest)
			slowest = ring->lane[i].taken;
	return slowest;
}

/* Of the first model that failed, in their order. */
static int
ring_error(const struct ring *ring)
{
	for (size_t i = 0; i < ring->run->n_models; i++)
		if (ring->lane[i].error)
			return ring->lane[i].error;
	return 0;
}

/* Who is furthest behind and waits for a thread, or NULL. */
static struct lane *
lane_waiting(const struct ring *ring)
{
	struct lane *found = NULL;

	for (size_t i = 0; i < ring->run->n_models; i++) {
		struct lane *lane = &ring->lane[i];

		if (!lane->busy && lane->taken < ring->filled &&
		    (!found || lane->taken < found->taken))
			found = lane;
	}
	return found;
}

/* Feed this model what is there; the lock is held before and after. */
static void
lane_run(struct ring *ring, struct lane *lane)
{
	struct model *model = ring->run->models[lane - ring->lane];

	lane->busy = true;
	while (lane->taken < ring->filled) {
		struct batch *batch = &ring->slot[lane->taken % RING_SLOTS];
		int error = lane->error;

		pthread_mutex_unlock(&ring->lock);
		if (ring->late && !model->methods->packed)
			batch_expand(batch, ring->run->source->stream);
		if (!error)
			error = model->methods->feed(model, batch);
		pthread_mutex_lock(&ring->lock);
		lane->error = error;
		lane->taken++;
		pthread_cond_broadcast(&ring->changed);
	}
	lane->busy = false;
}

static void *
work(void *argument)
{
	struct ring *ring = argument;
	struct lane *lane;

	pthread_mutex_lock(&ring->lock);
	for (;;) {
		lane = lane_waiting(ring);
		if (lane)
			lane_run(ring, lane);
		else if (ring->ended)
			break;
		else
			pthread_cond_wait(&ring->changed, &ring->lock);
	}
	pthread_mutex_unlock(&ring->lock);
	return NULL;
}

/* Wait for a free slot, and help meanwhile.  0, or the models' error. */
static int
ring_make_room(struct ring *ring)
{
	struct lane *lane;
	int error;

	pthread_mutex_lock(&ring->lock);
	while (!(error = ring_error(ring)) &&
	       ring->filled - ring_slowest(ring) == RING_SLOTS) {
		lane = lane_waiting(ring);
		if (lane)
			lane_run(ring, lane);
		else
			pthread_cond_wait(&ring->changed, &ring->lock);
	}
	pthread_mutex_unlock(&ring->lock);
	return error;
}

static int
ring_fill(struct ring *ring)
{
	bool columns = columns_wanted(ring->run) && !ring->late;
	int got = 0;

	for (;;) {
		got = ring_make_room(ring);
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
	return got;
}

/* Nothing more comes: the threads end when all is taken. */
static void
ring_end(struct ring *ring)
{
	pthread_mutex_lock(&ring->lock);
	ring->ended = true;
	pthread_cond_broadcast(&ring->changed);
	pthread_mutex_unlock(&ring->lock);
}

static int
ring_run(struct ring *ring, pthread_t *thread)
{
	unsigned started;
	int error = 0;

	for (started = 0; started < ring->n_workers; started++) {
		error = pthread_create(&thread[started], NULL, work, ring);
		if (error)
			break;
	}
	if (error)
		error = fail_errno(error, "run: cannot start a thread");
	else
		error = ring_fill(ring);
	ring_end(ring);
	work(ring);
	for (unsigned i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
	return error ? error : ring_error(ring);
}

static int
run_threads(struct run *run, unsigned n_workers)
{
	struct ring *ring = calloc(1, sizeof(*ring));
	pthread_t *thread = calloc(n_workers, sizeof(*thread));
	int error = -ENOMEM, made = 0;
	bool ran = false;

	if (!ring || !thread)
		goto free_ring;
	ring->run = run;
	ring->n_workers = n_workers;
	/* a run that is to be cut has to know how long a batch is */
	ring->late = run->n_models == 1 && !run->max_accesses;
	ring->lane = calloc(run->n_models, sizeof(*ring->lane));
	if (!ring->lane)
		goto free_ring;
	for (; made < RING_SLOTS; made++)
		if (batch_init(&ring->slot[made]))
			goto free_slots;
	pthread_mutex_init(&ring->lock, NULL);
	pthread_cond_init(&ring->changed, NULL);
	error = ring_run(ring, thread);
	ran = true;
	pthread_cond_destroy(&ring->changed);
	pthread_mutex_destroy(&ring->lock);
free_slots:
	while (made-- > 0)
		batch_fini(&ring->slot[made]);
	free(ring->lane);
free_ring:
	free(thread);
	free(ring);
	return ran ? error : fail(ENOMEM, "run: no memory for batches");
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
