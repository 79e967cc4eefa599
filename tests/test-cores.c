// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Several cores that take turns: each counts what it would alone with its own
 * threads; who is told of stale translations; threads that move inside a batch.
 */
#include "models/translation/cores.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/tables/radix.h"
#include "tests/core-world.h"

#define CORES	4u
#define THREADS 6u

struct site_set {
	uint32_t load, store;
};

/* A machine of cores alone: pages are mapped where they are touched. */
struct crowd {
	struct frames *frames;
	struct hierarchy *hierarchy;
	struct table *table[SPACES];
	struct cores cores;
	struct stream *stream;
	struct site_set site;
	struct batch batch;
	uint64_t fed, missed;
	bool told; /* positions of misses are those of what is fed */
};

static int
crowd_fault(void *context, uint32_t space, uint64_t address,
	    enum site_kind kind, uint64_t position, struct mapping *mapping)
{
	struct crowd *crowd = context;
	struct table *table = crowd->table[space];

	(void)kind;
	(void)position;
	*mapping = (struct mapping){ .frame = address >> 12 << 12,
				     .shift = 12,
				     .writable = true };
	return table->ops->map(table, address >> 12 << 12, mapping);
}

static void
crowd_missed(void *context, const struct core_misses *misses)
{
	struct crowd *crowd = context;

	crowd->missed += misses->n;
	for (unsigned i = 0; crowd->told && i < misses->n; i++) {
		uint64_t at = misses->position[i] - crowd->fed;

		assert_in_range(at, 0, crowd->batch.n - 1);
		assert_int_equal(crowd->batch.address[at], misses->address[i]);
	}
}

static void
crowd_open_with(struct crowd *crowd, const struct cores_config *cores,
		struct core_config config)
{
	struct hierarchy_config caches = { .memory = { .latency = 100 } };
	struct frames_config memory = { .size_bytes = 0 };
	static const struct tables_config tables = { .own.radix.levels = 4 };
	struct table_with with = { .config = &tables, .kinds = &tables.own };
	struct core_kernel kernel = { crowd, crowd_fault, crowd_missed };
	struct site load = { .pc = 1, .size = 8, .kind = SITE_LOAD };
	struct site store = { .pc = 2, .size = 8, .kind = SITE_STORE };

	*crowd = (struct crowd){ .told = true };
	assert_int_equal(stream_open(&crowd->stream), 0);
	assert_int_equal(stream_site_add(crowd->stream, &load,
					 &crowd->site.load),
			 0);
	assert_int_equal(stream_site_add(crowd->stream, &store,
					 &crowd->site.store),
			 0);
	assert_int_equal(batch_init(&crowd->batch), 0);
	assert_int_equal(frames_open(&crowd->frames, &memory), 0);
	assert_int_equal(hierarchy_open(&crowd->hierarchy, &caches), 0);
	with.frames = crowd->frames;
	for (unsigned i = 0; i < SPACES; i++)
		assert_int_equal(radix_table.open(&crowd->table[i], &with), 0);
	config.asid.asids = 3;
	assert_int_equal(cores_init(&crowd->cores, cores, &config, &kernel,
				    crowd->hierarchy),
			 0);
}

static void
crowd_open(struct crowd *crowd, const struct cores_config *cores)
{
	crowd_open_with(crowd, cores, config_of(lru, 0));
}

static void
crowd_close(struct crowd *crowd)
{
	cores_fini(&crowd->cores);
	for (unsigned i = 0; i < SPACES; i++)
		radix_table.close(crowd->table[i]);
	hierarchy_close(crowd->hierarchy);
	frames_close(crowd->frames);
	batch_fini(&crowd->batch);
	stream_close(crowd->stream);
}

/* Feed the batch, with its events. */
static void
crowd_feed(struct crowd *crowd, uint32_t thread, uint32_t space)
{
	struct batch *batch = &crowd->batch;
	struct core_pass pass;
	uint32_t event = 0;

	batch->thread = thread;
	batch->space = space;
	assert_int_equal(cores_begin(&crowd->cores, &pass, crowd->stream, batch,
				     crowd->table[space], crowd->fed),
			 0);
	for (; event < batch->n_events; event++) {
		uint32_t at = batch->event[event].position;

		assert_int_equal(cores_feed(&crowd->cores, &pass, at), 0);
		assert_int_equal(cores_event(&crowd->cores, &pass,
					     &batch->event[event],
					     crowd->fed + at),
				 0);
	}
	assert_int_equal(cores_feed(&crowd->cores, &pass, batch->n), 0);
	crowd->fed += batch->n;
}

static void
fill(struct crowd *crowd, uint64_t *random, uint64_t pages, uint32_t n)
{
	batch_reset(&crowd->batch);
	for (uint32_t i = 0; i < n; i++) {
		uint64_t x = next_random(random);
		uint64_t page = (x >> 20) % (x & 7 ? 20 : pages);

		batch_access(&crowd->batch, page << 12 | (x >> 8 & 0xff0),
			     x & 8 ? crowd->site.load : crowd->site.store);
	}
}

/* Also of walkers, but for what depends on who faults. */
static void
counts_alike(struct core *a, struct core *b)
{
	/* slow hits of 4K pages are not told apart */
	for (unsigned side = 0; side < CORE_SIDES; side++)
		a->counts.l1_large[side][0] = b->counts.l1_large[side][0] = 0;
	counts_equal(&a->counts, &b->counts);
	assert_int_equal(a->walker.walks, b->walker.walks);
}

/* Threads in turn on cores: each core as if it had run its threads alone. */
static void
cores_count_as_if_alone(void **state)
{
	const struct cores_config four = { CORES, CORES_RECORDED };
	const struct cores_config one = { 1, CORES_RECORDED };
	static struct crowd crowd, alone[CORES];
	uint64_t random = 7, misses = 0;

	(void)state;
	crowd_open(&crowd, &four);
	for (unsigned i = 0; i < CORES; i++)
		crowd_open(&alone[i], &one);
	for (unsigned round = 0; round < 200; round++) {
		/* threads appear in the order of their numbers */
		uint32_t thread =
			round < THREADS
				? round
				: (uint32_t)(next_random(&random) % THREADS);
		struct crowd *other = &alone[thread % CORES];
		uint64_t same = random, pages = round % 3 ? 40 : 1500;

		fill(&crowd, &random, pages, 500);
		fill(other, &same, pages, 500);
		crowd_feed(&crowd, thread, thread % SPACES);
		crowd_feed(other, thread, thread % SPACES);
	}
	for (unsigned i = 0; i < CORES; i++) {
		struct core *core = &crowd.cores.core[i];
		struct core *other = &alone[i].cores.core[0];

		counts_alike(core, other);
		misses += core->counts.l2_misses[0];
		assert_int_equal(core->counts.switches > 0, i < 2);
	}
	assert_true(misses > 2000);
	assert_int_equal(crowd.cores.threads_on[0], 2);
	assert_int_equal(crowd.cores.threads_on[3], 1);
	crowd_close(&crowd);
	for (unsigned i = 0; i < CORES; i++)
		crowd_close(&alone[i]);
}

/* Which cores an invalidation goes to, and that they miss then. */
static void
stale_pages_leave_all_cores(void **state)
{
	const struct cores_config four = { CORES, CORES_ROUND_ROBIN };
	static struct crowd crowd;
	struct cores *cores = &crowd.cores;
	uint64_t before[CORES];

	(void)state;
	crowd_open(&crowd, &four);
	batch_reset(&crowd.batch);
	batch_access(&crowd.batch, 0x5000, crowd.site.load);
	/* space 0 on cores 0 to 2, which core 2 leaves for space 1 */
	for (uint32_t thread = 0; thread < 3; thread++)
		crowd_feed(&crowd, thread, 0);
	crowd_feed(&crowd, 2, 1);
	crowd_feed(&crowd, 0, 0);
	assert_int_equal(cores->turn, 0);
	cores_invalidate(cores, 0, 0x9000, 4096);
	assert_int_equal(cores->shootdowns, 1);
	assert_int_equal(cores->running, 1);
	assert_int_equal(cores->lazy, 1);
	cores_invalidate(cores, 1, 0x9000, 4096); /* of core 2 alone */
	assert_int_equal(cores->shootdowns, 2);
	assert_int_equal(cores->running, 2);
	cores_invalidate(cores, 4, 0, UINT64_MAX); /* of none */
	assert_int_equal(cores->shootdowns, 2);
	for (uint32_t i = 0; i < CORES; i++)
		before[i] = cores->core[i].counts.l2_misses[0];
	for (uint32_t thread = 0; thread < 3; thread++)
		crowd_feed(&crowd, thread, 0);
	for (uint32_t i = 0; i < CORES; i++)
		assert_int_equal(cores->core[i].counts.l2_misses[0], before[i]);
	cores_invalidate(cores, 0, 0x5000, 1);
	for (uint32_t thread = 0; thread < 3; thread++)
		crowd_feed(&crowd, thread, 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(cores->core[i].counts.l2_misses[0],
				 before[i] + 1);
	crowd_close(&crowd);
}

/* A switch inside a batch is as if the batch ended there. */
static void
threads_move_inside_a_batch(void **state)
{
	const struct cores_config config = { CORES, CORES_RECORDED };
	static struct crowd whole, cut;
	uint64_t random = 11;

	(void)state;
	crowd_open(&whole, &config);
	crowd_open(&cut, &config);
	for (unsigned round = 0; round < 100; round++) {
		uint32_t at = (uint32_t)(next_random(&random) % 500), n = 500;
		uint64_t to = next_random(&random) % 9, same;
		struct event *event;

		fill(&whole, &random, 1500, n);
		same = random;
		event = batch_event(&whole.batch, EVENT_SWITCH);
		event->position = at;
		event->value = to;
		crowd_feed(&whole, 0, round / 9 % SPACES);
		batch_reset(&cut.batch);
		for (uint32_t i = 0; i < n; i++) {
			if (i == at) {
				event = batch_event(&cut.batch, EVENT_SWITCH);
				event->value = to;
				event->position = cut.batch.n;
				crowd_feed(&cut, 0, round / 9 % SPACES);
				batch_reset(&cut.batch);
			}
			batch_access(&cut.batch, whole.batch.address[i],
				     whole.batch.site[i]);
		}
		crowd_feed(&cut, 0, round / 9 % SPACES);
		assert_int_equal(whole.cores.turn, to % CORES);
		assert_int_equal(random, same);
	}
	for (uint32_t i = 0; i < CORES; i++) {
		counts_alike(&whole.cores.core[i], &cut.cores.core[i]);
		walkers_equal(&whole.cores.core[i].walker,
			      &cut.cores.core[i].walker);
		assert_true(whole.cores.core[i].counts.l1_misses[0] > 1000);
	}
	crowd_close(&whole);
	crowd_close(&cut);
}

static struct event *
move_to(struct crowd *crowd, uint64_t core)
{
	struct event *event;

	batch_reset(&crowd->batch);
	batch_access(&crowd->batch, 0x5000, crowd->site.load);
	event = batch_event(&crowd->batch, EVENT_SWITCH);
	event->value = core;
	return event;
}

/* A batch of so many steps, each a load of one page. */
static void
fill_packed(struct crowd *crowd, uint32_t n)
{
	struct shape_access access = { .slot = 1, .ref = crowd->site.load };
	struct step step = { .n_slots = 1, .n_accesses = 1 };
	struct batch *batch = &crowd->batch;
	uint32_t number;

	assert_int_equal(stream_shape_add(crowd->stream, &access, 1, 1,
					  &step.shape),
			 0);
	assert_int_equal(stream_step_add(crowd->stream, &step, &number), 0);
	batch_reset(batch);
	batch->packed = true;
	for (uint32_t i = 0; i < n; i++) {
		batch->step[batch->n_steps++] = number;
		batch->root[batch->n_roots++] = 0x5000;
	}
	batch_expand(batch, crowd->stream);
	batch->columned = false;
	assert_int_equal(batch->n, n);
}

/* How a core is fed follows from its own walks, not from those of who came before
 * in the batch: after a move into a batch of steps. */
static void
moved_passes_count_their_own_walks(void **state)
{
	const struct cores_config config = { CORES, CORES_RECORDED };
	static struct crowd crowd;
	uint64_t random = 3;
	struct event *event;

	(void)state;
	crowd_open(&crowd, &config);
	for (unsigned round = 0; round < 20; round++) {
		fill(&crowd, &random, 5000, 500);
		event = batch_event(&crowd.batch, EVENT_SWITCH);
		event->value = 1;
		crowd_feed(&crowd, 0, 0);
	}
	assert_true(core_walks(&crowd.cores.core[1]) > 500);
	event = move_to(&crowd, 0);
	crowd_feed(&crowd, 1, 0);
	for (unsigned round = 0; round < 2; round++) {
		fill_packed(&crowd, 64);
		event = batch_event(&crowd.batch, EVENT_SWITCH);
		event->position = 32;
		event->value = 1;
		/* of a core that is heavy still, the other way is taken */
		core_set_heavy(&crowd.cores.core[1], round == 1);
		crowd_feed(&crowd, 1, 0);
		assert_int_equal(crowd.cores.turn, 1);
		assert_false(crowd.cores.core[1].heavy);
		event = move_to(&crowd, 0);
		crowd_feed(&crowd, 1, 0);
	}
	crowd_close(&crowd);
}

/* Sums of all cores are those of the result. */
static void
results_are_sums(void **state)
{
	const struct cores_config config = { CORES, CORES_ROUND_ROBIN };
	static struct crowd crowd;
	uint64_t random = 5, l1 = 0, l2 = 0, walks = 0;
	struct result *result;

	(void)state;
	crowd_open(&crowd, &config);
	for (unsigned round = 0; round < 50; round++) {
		fill(&crowd, &random, 300, 400);
		crowd_feed(&crowd, round % THREADS, round % 2);
	}
	for (uint32_t i = 0; i < CORES; i++) {
		l1 += crowd.cores.core[i].counts.l1_misses[0];
		l2 += crowd.cores.core[i].counts.l2_misses[0];
		walks += crowd.cores.core[i].walker.walks;
	}
	assert_int_equal(result_open(&result), 0);
	assert_int_equal(cores_finish(&crowd.cores, crowd.stream, result), 0);
	assert_int_equal(crowd.cores.core[0].counts.l1_misses[0], l1);
	assert_int_equal(crowd.cores.core[0].counts.l2_misses[0], l2);
	assert_int_equal(crowd.cores.core[0].walker.walks, walks);
	assert_int_equal(core_accesses(&crowd.cores.core[0]), 50 * 400);
	assert_int_equal(crowd.missed, l1);
	result_close(result);
	crowd_close(&crowd);
}

/* Where threads run, by placement: as recorded, and counted once a core that they
 * come to; or as they were placed, whatever is recorded. */
static void
placements_place(void **state)
{
	static struct crowd crowd;

	(void)state;
	for (int placement = CORES_RECORDED; placement <= CORES_SINGLE;
	     placement++) {
		const struct cores_config config = { CORES, placement };

		crowd_open(&crowd, &config);
		for (unsigned i = 0; i < 3; i++) {
			(void)move_to(&crowd, 2);
			crowd_feed(&crowd, 1, 0);
		}
		if (placement == CORES_RECORDED) {
			/* a new thread is placed before it is known where it is */
			assert_int_equal(crowd.cores.turn, 2);
			assert_int_equal(crowd.cores.threads_on[0], 1);
			assert_int_equal(crowd.cores.threads_on[2], 1);
		} else {
			assert_int_equal(crowd.cores.turn, 0);
			assert_int_equal(crowd.cores.threads_on[0], 1);
			assert_int_equal(crowd.cores.threads_on[2], 0);
		}
		(void)move_to(&crowd, 3);
		crowd_feed(&crowd, 4, 0);
		assert_int_equal(crowd.cores.turn,
				 placement == CORES_RECORDED	  ? 3
				 : placement == CORES_ROUND_ROBIN ? 1
								  : 0);
		crowd_close(&crowd);
	}
}

/* A core's clock runs while the core does: its walks wait as those of a machine
 * that has only its threads. */
static void
walks_wait_as_if_alone(void **state)
{
	const struct cores_config two = { 2, CORES_ROUND_ROBIN };
	const struct cores_config one = { 1, CORES_RECORDED };
	struct core_config config = config_of(lru, 0);
	static struct crowd crowd, alone[2];
	uint64_t random = 7;

	(void)state;
	config.queue = (struct walk_queue_config){ 1, 9, 3 };
	crowd_open_with(&crowd, &two, config);
	for (unsigned i = 0; i < 2; i++)
		crowd_open_with(&alone[i], &one, config);
	for (unsigned round = 0; round < 60; round++) {
		struct crowd *other = &alone[round & 1];
		uint64_t same = random;

		fill(&crowd, &random, 900, 300);
		fill(other, &same, 900, 300);
		crowd_feed(&crowd, round & 1, round & 1);
		crowd_feed(other, round & 1, round & 1);
	}
	for (unsigned i = 0; i < 2; i++) {
		const struct walk_queue *a = &crowd.cores.core[i].queue;
		const struct walk_queue *b = &alone[i].cores.core[0].queue;

		assert_true(a->waited > 300 && a->stalls > 0);
		assert_int_equal(a->waited, b->waited);
		assert_int_equal(a->wait_cycles, b->wait_cycles);
		assert_int_equal(a->held, b->held);
		assert_int_equal(a->end, b->end);
	}
	crowd_close(&crowd);
	for (unsigned i = 0; i < 2; i++)
		crowd_close(&alone[i]);
}

/* Each core draws for itself. */
static void
drawn_victims_are_of_each_core(void **state)
{
	const struct cores_config two = { 2, CORES_ROUND_ROBIN };
	struct core_config config = config_of(random_name, 0);
	static struct crowd crowd;
	uint64_t random = 7;

	(void)state;
	crowd_open_with(&crowd, &two, config);
	for (unsigned round = 0; round < 60; round++) {
		uint64_t same = random;

		fill(&crowd, &random, 600, 300);
		crowd_feed(&crowd, 0, 0);
		fill(&crowd, &same, 600, 300);
		crowd_feed(&crowd, 1, 0);
	}
	assert_int_equal(core_accesses(&crowd.cores.core[0]),
			 core_accesses(&crowd.cores.core[1]));
	assert_int_not_equal(crowd.cores.core[0].counts.l1_misses[0],
			     crowd.cores.core[1].counts.l1_misses[0]);
	crowd_close(&crowd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(placements_place),
		cmocka_unit_test(walks_wait_as_if_alone),
		cmocka_unit_test(drawn_victims_are_of_each_core),
		cmocka_unit_test(cores_count_as_if_alone),
		cmocka_unit_test(stale_pages_leave_all_cores),
		cmocka_unit_test(threads_move_inside_a_batch),
		cmocka_unit_test(moved_passes_count_their_own_walks),
		cmocka_unit_test(results_are_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
