// SPDX-License-Identifier: GPL-2.0-or-later
/* Each thread takes the next number until there are no more. */
#include "analyzer/tasks.h"

#include "analyzer/fail.h"

#include <pthread.h>
#include <stdlib.h>

struct crew {
	const struct tasks *tasks;
	pthread_mutex_t lock;
	size_t next, done, failed; /* of the lock */
	int error;
};

/* Take the next; false: there is none. */
static bool
crew_take(struct crew *crew, size_t *i, size_t *done)
{
	bool stopped = crew->tasks->stop && *crew->tasks->stop;
	bool taken;

	pthread_mutex_lock(&crew->lock);
	if (stopped && !crew->error && crew->next < crew->tasks->n) {
		crew->error = -EINTR;
		crew->failed = SIZE_MAX;
	}
	taken = !crew->error && crew->next < crew->tasks->n;
	*i = taken ? crew->next++ : 0;
	*done = crew->done;
	pthread_mutex_unlock(&crew->lock);
	return taken;
}

static void
crew_done(struct crew *crew, size_t i, int error)
{
	pthread_mutex_lock(&crew->lock);
	crew->done++;
	if (error && (!crew->error || i < crew->failed)) {
		crew->error = error;
		crew->failed = i;
	}
	pthread_mutex_unlock(&crew->lock);
}

static void *
crew_work(void *argument)
{
	struct crew *crew = argument;
	size_t i, done;

	while (crew_take(crew, &i, &done))
		crew_done(crew, i, crew->tasks->work(crew->tasks->context, i));
	return NULL;
}

int
tasks_run(const struct tasks *tasks)
{
	struct crew crew = { .tasks = tasks };
	unsigned jobs =
		tasks->jobs < tasks->n ? tasks->jobs : (unsigned)tasks->n;
	pthread_t *thread = calloc(jobs + 1, sizeof(*thread));
	unsigned started = 0;
	size_t i, done;

	if (!thread)
		return fail(ENOMEM, "no memory for threads");
	pthread_mutex_init(&crew.lock, NULL);
	/* with fewer threads it only takes longer */
	while (started < jobs &&
	       !pthread_create(&thread[started], NULL, crew_work, &crew))
		started++;
	while (crew_take(&crew, &i, &done)) {
		if (tasks->tick)
			tasks->tick(tasks->context, done);
		crew_done(&crew, i, tasks->work(tasks->context, i));
	}
	while (started)
		pthread_join(thread[--started], NULL);
	pthread_mutex_destroy(&crew.lock);
	free(thread);
	return crew.error;
}
