/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Walks that wait for a walker: a core has so many, and a miss that finds all of
 * them busy waits, first come first served.
 *
 *	misses ->  o o o  -> walker 0
 *	          depth   -> walker 1 ...
 *
 * A trace knows no cycles.  So time is a model: an access takes a given number of
 * cycles (a mean over the whole program, as 1 / (IPC * accesses an instruction)),
 * a miss does not hold its core, and a walk takes what its references and its
 * overhead cost.  Where `depth` misses wait already, the next one holds the core
 * until there is room: all that comes after it comes later by as much.
 *
 * Walks that end in a fault, and those of prefetches, take no walker here.
 *
 * With no limit to the depth, random arrivals and equal service this is the M/D/c
 * queue of the textbooks; a test holds it to their figures.
 */
#ifndef MODELS_TRANSLATION_WALK_QUEUE_H
#define MODELS_TRANSLATION_WALK_QUEUE_H

#include "analyzer/option.h"
#include "analyzer/result.h"

#define WALK_QUEUE_WALKERS 64
#define WALK_QUEUE_DEPTH   4096

/* Prefix "walker". */
struct walk_queue_config {
	int64_t walkers;
	double cycles_per_access; /* 0: there is no clock, no walk waits */
	int64_t depth;		  /* that wait at most; 0: no limit */
};
extern const struct option_row walk_queue_rows[];

struct walk_queue {
	uint64_t *free_at; /* owned: [walkers] when each will be */
	uint64_t *begun; /* owned: [depth] when the last walks began, a ring */
	uint32_t walkers, depth;
	double cycles_per_access;
	uint64_t held; /* cycles for which the core was held so far */
	uint64_t walks, waited, wait_cycles, wait_max;
	uint64_t stalls, service_cycles, end;
};

/* 0 or -ENOMEM (said). */
int walk_queue_init(struct walk_queue *queue,
		    const struct walk_queue_config *config);
void walk_queue_fini(struct walk_queue *queue);

static inline bool
walk_queue_runs(const struct walk_queue *queue)
{
	return queue->cycles_per_access > 0;
}

/*
 * A walk of so many cycles is wanted after so many accesses of this core, which
 * never decrease.  Returns how long it waits.
 */
uint64_t walk_queue_enter(struct walk_queue *queue, uint64_t accesses,
			  uint64_t cycles);

/* Add what another core's counted. */
void walk_queue_add(struct walk_queue *queue, const struct walk_queue *other);

/* walk.wait.* */
int walk_queue_finish(const struct walk_queue *queue, struct result *result);

#endif
