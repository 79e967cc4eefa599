// SPDX-License-Identifier: GPL-2.0-or-later
/* Walks that wait for a walker; see walk-queue.h. */
#include "models/translation/walk-queue.h"

#include <stdlib.h>

#include "analyzer/fail.h"

const struct option_row walk_queue_rows[] = {
	{ .name = "count",
	  .type = OPTION_INT,
	  .offset = offsetof(struct walk_queue_config, walkers),
	  .fallback = "1",
	  .min = 1,
	  .max = WALK_QUEUE_WALKERS,
	  .unit = "walkers",
	  .help = "walks at a time; matters with cycles-per-access" },
	{ .name = "cycles-per-access",
	  .type = OPTION_REAL,
	  .offset = offsetof(struct walk_queue_config, cycles_per_access),
	  .fallback = "0",
	  .max = 1000,
	  .unit = "cycles",
	  .help = "time from one access of a core to its next, by which walks "
		  "come; 0: no walk waits for a walker" },
	{ .name = "queue",
	  .type = OPTION_INT,
	  .offset = offsetof(struct walk_queue_config, depth),
	  .fallback = "16",
	  .max = WALK_QUEUE_DEPTH,
	  .unit = "walks",
	  .help = "how many may wait for a walker before the core does, 0: "
		  "any number" },
	{ NULL },
};

int
walk_queue_init(struct walk_queue *queue,
		const struct walk_queue_config *config)
{
	*queue = (struct walk_queue){
		.walkers = config->walkers ? (uint32_t)config->walkers : 1,
		.depth = (uint32_t)config->depth,
		.cycles_per_access = config->cycles_per_access,
	};
	queue->free_at = calloc(queue->walkers, sizeof(*queue->free_at));
	queue->begun = calloc(queue->depth + 1u, sizeof(*queue->begun));
	if (queue->free_at && queue->begun)
		return 0;
	walk_queue_fini(queue);
	return fail(ENOMEM, "machine: no memory for a queue of walks");
}

void
walk_queue_fini(struct walk_queue *queue)
{
	free(queue->free_at);
	free(queue->begun);
	queue->free_at = queue->begun = NULL;
}

/* The walker that will be free first. */
static uint64_t *
first_free(const struct walk_queue *queue)
{
	uint64_t *first = queue->free_at;

	for (uint32_t i = 1; i < queue->walkers; i++)
		if (queue->free_at[i] < *first)
			first = &queue->free_at[i];
	return first;
}

/* When the walk that comes at `now` is let in: when of those before it fewer
 * than `depth` wait. */
static uint64_t
let_in(struct walk_queue *queue, uint64_t now)
{
	uint64_t begun = queue->begun[queue->walks % queue->depth];

	if (queue->walks < queue->depth || begun <= now)
		return now;
	queue->stalls++;
	queue->held += begun - now;
	return begun;
}

uint64_t
walk_queue_enter(struct walk_queue *queue, uint64_t accesses, uint64_t cycles)
{
	uint64_t now = (uint64_t)((double)accesses * queue->cycles_per_access) +
		       queue->held;
	uint64_t *walker = first_free(queue), begin, wait;

	if (queue->depth)
		now = let_in(queue, now);
	begin = *walker > now ? *walker : now;
	wait = begin - now;
	*walker = begin + cycles;
	if (queue->depth)
		queue->begun[queue->walks % queue->depth] = begin;
	queue->walks++;
	queue->waited += wait > 0;
	queue->wait_cycles += wait;
	queue->wait_max = wait > queue->wait_max ? wait : queue->wait_max;
	queue->service_cycles += cycles;
	queue->end = *walker > queue->end ? *walker : queue->end;
	return wait;
}

void
walk_queue_add(struct walk_queue *queue, const struct walk_queue *other)
{
	queue->walks += other->walks;
	queue->waited += other->waited;
	queue->wait_cycles += other->wait_cycles;
	queue->wait_max = other->wait_max > queue->wait_max ? other->wait_max
							    : queue->wait_max;
	queue->stalls += other->stalls;
	queue->held += other->held;
	queue->service_cycles += other->service_cycles;
	queue->end += other->end; /* time of all cores */
}

int
walk_queue_finish(const struct walk_queue *queue, struct result *result)
{
	const struct {
		const char *name;
		uint64_t value;
		const char *unit;
	} rows[] = {
		{ "walk.wait.count", queue->waited, "walks" },
		{ "walk.wait.cycles", queue->wait_cycles, "cycles" },
		{ "walk.wait.max", queue->wait_max, "cycles" },
		{ "walk.wait.stalls", queue->stalls, "walks" },
		{ "walk.wait.stall_cycles", queue->held, "cycles" },
	};
	int error = 0;

	/* Without a clock nothing waits, and nothing is told. */
	if (!walk_queue_runs(queue))
		return 0;
	for (size_t i = 0; !error && i < ARRAY_SIZE(rows); i++)
		error = result_count(result, rows[i].name, rows[i].value,
				     rows[i].unit);
	if (error)
		return error;
	if (!queue->end)
		return result_absent(result, "walk.wait.busy",
				     "no walk was made");
	return result_real(result, "walk.wait.busy",
			   100 * (double)queue->service_cycles /
				   ((double)queue->end * queue->walkers),
			   "percent");
}
