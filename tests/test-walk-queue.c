// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The queue of walks against published waiting times of M/M/c and M/D/1 queues
 * and against a twin that moves time on cycle by cycle.
 */
#include "models/translation/walk-queue.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Of mean 1. */
static double
exponential(uint64_t *state)
{
	double u = ((double)(next_random(state) >> 11) + 0.5) * 0x1p-53;

	return -log(u);
}

/* Mean wait over mean service of random arrivals at this load. */
static double
mean_wait(unsigned walkers, double load, bool equal)
{
	const struct walk_queue_config config = { walkers, 1, 0 };
	const double service = 1e6;
	uint64_t random = 88172645463325252u, n = 4000000;
	struct walk_queue queue;
	double now = 0, mean;

	assert_int_equal(walk_queue_init(&queue, &config), 0);
	for (uint64_t i = 0; i < n; i++) {
		double cycles =
			equal ? service : service * exponential(&random);

		now += exponential(&random) * service / (load * walkers);
		walk_queue_enter(&queue, (uint64_t)now, (uint64_t)cycles);
	}
	mean = (double)queue.wait_cycles / (double)n / service;
	assert_true(fabs((double)queue.service_cycles /
				 ((double)queue.end * walkers) -
			 load) < 0.01);
	walk_queue_fini(&queue);
	return mean;
}

/* Waiting over service, M/M/c at loads .5, .8, .9; M/D/1 is half of M/M/1. */
static void
waits_are_those_of_the_books(void **state)
{
	static const struct {
		unsigned walkers;
		double wait[3];
	} rows[] = {
		{ 1, { 1, 4, 9 } },
		{ 2, { .3333, 1.7778, 4.2632 } },
		{ 4, { .0870, .7455, 1.9694 } },
		{ 8, { .0148, .2860, .8769 } },
		{ 16, { .0011, .0953, .3696 } },
	};
	static const double loads[] = { .5, .8, .9 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (unsigned k = 0; k < 3; k++) {
			double got =
				mean_wait(rows[i].walkers, loads[k], false);
			double want = rows[i].wait[k];

			if (fabs(got - want) > 0.05 * want + 0.0003)
				fail_msg("M/M/%u at %g: %g, not %g",
					 rows[i].walkers, loads[k], got, want);
		}
	for (unsigned k = 0; k < 3; k++) {
		double got = mean_wait(1, loads[k], true);
		double want = rows[0].wait[k] / 2;

		if (fabs(got - want) > 0.04 * want)
			fail_msg("M/D/1 at %g: %g, not %g", loads[k], got,
				 want);
	}
}

#define MOST 3000u

struct plain_counts {
	uint64_t waited, longest, sum, stalls, held, service, end;
};

static void
plain_count(struct plain_counts *counts, uint64_t wait, uint64_t cycles,
	    uint64_t now)
{
	counts->waited += wait > 0;
	counts->longest = wait > counts->longest ? wait : counts->longest;
	counts->sum += wait;
	counts->service += cycles;
	counts->end = now + cycles > counts->end ? now + cycles : counts->end;
}

/* What happens, cycle by cycle: the core makes one access a cycle unless it is
 * held; walks wait in a line; walkers count down. */
static void
plain_waits(unsigned walkers, unsigned depth, const uint64_t *at,
	    const uint64_t *cycles, unsigned n, uint64_t *wait,
	    struct plain_counts *counts)
{
	uint64_t busy[8] = { 0 }, came[MOST], accesses = 0;
	unsigned entered = 0, begun = 0, stalled = MOST;

	*counts = (struct plain_counts){ 0 };

	for (uint64_t now = 0; begun < n; now++) {
		bool held = false;

		for (unsigned i = 0; i < walkers; i++)
			busy[i] -= busy[i] > 0;
		for (;;) {
			for (unsigned i = 0; i < walkers; i++)
				while (!busy[i] && begun < entered) {
					wait[begun] = now - came[begun];
					plain_count(counts, wait[begun],
						    cycles[begun], now);
					busy[i] = cycles[begun++];
				}
			if (entered == n || at[entered] > accesses)
				break;
			held = depth && entered - begun >= depth;
			counts->held += held;
			counts->stalls += held && stalled != entered;
			if (held) {
				stalled = entered;
				break;
			}
			came[entered++] = now;
		}
		accesses += !held;
	}
}

static void
counts_are(const struct walk_queue *queue, const struct plain_counts *counts)
{
	assert_int_equal(queue->waited, counts->waited);
	assert_int_equal(queue->wait_max, counts->longest);
	assert_int_equal(queue->wait_cycles, counts->sum);
	assert_int_equal(queue->stalls, counts->stalls);
	assert_int_equal(queue->held, counts->held);
	assert_int_equal(queue->service_cycles, counts->service);
	assert_int_equal(queue->end, counts->end);
}

static double
value_of(struct result *result, const char *name)
{
	json_t *values = json_object_get(result_json(result), "values");

	return json_number_value(
		json_object_get(json_object_get(values, name), "value"));
}

/* Of two cores: what is told is the sum, of the longest wait the longer, and busy
 * the share of all walkers' time. */
static void
sums_are_told(struct walk_queue *queue, const struct plain_counts *a,
	      const struct walk_queue *other, const struct plain_counts *b)
{
	struct result *result;

	walk_queue_add(queue, other);
	assert_int_equal(result_open(&result), 0);
	assert_int_equal(walk_queue_finish(queue, result), 0);
	assert_int_equal(value_of(result, "walk.wait.count"),
			 a->waited + b->waited);
	assert_int_equal(value_of(result, "walk.wait.cycles"), a->sum + b->sum);
	assert_int_equal(value_of(result, "walk.wait.max"),
			 a->longest > b->longest ? a->longest : b->longest);
	assert_int_equal(value_of(result, "walk.wait.stalls"),
			 a->stalls + b->stalls);
	assert_int_equal(value_of(result, "walk.wait.stall_cycles"),
			 a->held + b->held);
	assert_true(fabs(value_of(result, "walk.wait.busy") -
			 100. * (double)(a->service + b->service) /
				 ((double)(a->end + b->end) * queue->walkers)) <
		    1e-9);
	result_close(result);
}

static void
waits_equal_their_twin(void **state)
{
	struct walk_queue before = { .walkers = 0 };
	struct plain_counts counts_before = { 0 };
	uint64_t random = 4711;

	(void)state;
	for (unsigned k = 0; k < 60; k++) {
		const struct walk_queue_config config = { 1 + k % 4, 1, k % 7 };
		static uint64_t at[MOST], cycles[MOST], wait[MOST];
		uint64_t now = 0;
		struct plain_counts counts;
		struct walk_queue queue;

		for (unsigned i = 0; i < MOST; i++) {
			now += next_random(&random) % (k % 3 ? 40 : 12);
			at[i] = now;
			cycles[i] = 1 + next_random(&random) % 60;
		}
		plain_waits((unsigned)config.walkers, (unsigned)config.depth,
			    at, cycles, MOST, wait, &counts);
		assert_int_equal(walk_queue_init(&queue, &config), 0);
		for (unsigned i = 0; i < MOST; i++) {
			uint64_t got =
				walk_queue_enter(&queue, at[i], cycles[i]);

			if (got != wait[i])
				fail_msg("%u: walk %u waits %lu, not %lu", k, i,
					 (unsigned long)got,
					 (unsigned long)wait[i]);
		}
		counts_are(&queue, &counts);
		assert_true(config.depth || !queue.stalls);
		if (k)
			sums_are_told(&before, &counts_before, &queue, &counts);
		walk_queue_fini(&before);
		before = queue;
		counts_before = counts;
	}
	walk_queue_fini(&before);
}

/* As many walkers as walks can overlap: none waits.  One more never waits more. */
static void
more_walkers_never_wait_more(void **state)
{
	uint64_t before = UINT64_MAX;

	(void)state;
	for (int64_t walkers = 1; walkers <= 8; walkers++) {
		const struct walk_queue_config config = { walkers, 0.5, 0 };
		struct walk_queue queue;

		assert_int_equal(walk_queue_init(&queue, &config), 0);
		for (uint64_t i = 0; i < 10000; i++)
			walk_queue_enter(&queue, 20 * i, 79 + i % 2);
		/* a walk each 10 cycles, of about 80 */
		assert_true(queue.wait_cycles <= before);
		assert_true(walkers < 8 || queue.wait_cycles == 0);
		before = queue.wait_cycles;
		walk_queue_fini(&queue);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_are_those_of_the_books),
		cmocka_unit_test(waits_equal_their_twin),
		cmocka_unit_test(more_walkers_never_wait_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
