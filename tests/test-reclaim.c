// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Replacement policies: published strings, laws, and each against a slow plain
 * twin.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "models/memory/random.h"
#include "models/paging/next-use.h"
#include "tests/plain-reclaim.h"
#include "tests/reclaim-drive.h"

static const uint32_t belady[] = { 1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5 };
static const uint32_t textbook[] = { 7, 0, 1, 2, 0, 3, 0, 4, 2, 3,
				     0, 3, 2, 1, 2, 0, 1, 7, 0, 1 };

#define STRING(a)                               \
	{                                       \
		.page = (a), .n = ARRAY_SIZE(a) \
	}

/* Belady, Nelson, Shedler 1969; Silberschatz' string */
static void
test_strings(UNUSED void **state)
{
	static const struct {
		const char *policy;
		uint64_t capacity, belady, textbook;
	} row[] = {
		{ "fifo", 3, 9, 15 },  { "fifo", 4, 10, 10 },
		{ "fifo", 5, 5, 0 },   { "fifo", 2, 0, 15 },
		{ "lru", 3, 10, 12 },  { "lru", 4, 8, 8 },
		{ "lru", 5, 5, 0 },    { "lru", 2, 0, 17 },
		{ "opt", 3, 7, 9 },    { "opt", 4, 6, 8 },
		{ "opt", 5, 5, 0 },    { "opt", 2, 0, 13 },
		{ "clock", 3, 9, 14 },
	};
	const struct reclaim_string first = STRING(belady);
	const struct reclaim_string second = STRING(textbook);

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		if (row[i].belady)
			assert_int_equal(reclaim_misses(row[i].policy,
							row[i].capacity,
							&first),
					 row[i].belady);
		if (row[i].textbook)
			assert_int_equal(reclaim_misses(row[i].policy,
							row[i].capacity,
							&second),
					 row[i].textbook);
	}
}

/* next-use against a search ahead, in runs of all lengths */
static void
test_next_use(UNUSED void **state)
{
	enum {
		LENGTH = 3000
	};
	static uint32_t page[LENGTH];
	static uint64_t next[LENGTH];
	struct next_use *next_use;
	uint32_t run;

	reclaim_random(page, LENGTH, 50, 3);
	assert_int_equal(next_use_open(&next_use, true), 0);
	for (uint32_t i = 0; i < LENGTH; i += run) {
		run = LENGTH - i < i % 7 ? LENGTH - i : i % 7 + !(i % 7);
		assert_int_equal(next_use_add(next_use, page + i, run), 0);
	}
	assert_int_equal(next_use_length(next_use), LENGTH);
	assert_int_equal(next_use_read(next_use, 0, LENGTH, next), LENGTH);
	assert_int_equal(next_use_read(next_use, LENGTH - 3, 10, next), 3);
	assert_int_equal(next_use_read(next_use, LENGTH, 10, next), 0);
	assert_int_equal(next_use_read(next_use, 0, LENGTH, next), LENGTH);
	assert_memory_equal(next_use_pages(next_use, 10), page + 10,
			    (LENGTH - 10) * sizeof(*page));
	for (uint64_t i = 0; i < LENGTH; i++) {
		uint64_t j = i + 1;

		while (j < LENGTH && page[j] != page[i])
			j++;
		assert_int_equal(next[i], j < LENGTH ? j : RECLAIM_NEVER);
	}
	next_use_close(next_use);
}

enum {
	TWIN_LENGTH = 4000
};

struct twin_run {
	struct reclaim_config config;
	uint32_t page[TWIN_LENGTH], pages;
	uint8_t write[TWIN_LENGTH];
	uint64_t next[TWIN_LENGTH];
	uint32_t left[PLAIN_PAGES * 64], n_left;
	uint64_t random;
};

static void
note_evicted(void *context, uint32_t page, bool dirty)
{
	struct twin_run *run = context;

	run->left[run->n_left++] = 2 * page + dirty;
}

static void
make_run(struct twin_run *run, const char *policy, uint64_t seed)
{
	static const uint64_t capacities[] = {
		1, 2, 3, 4, 7, 10, 33, 100, 250
	};
	struct next_use *next_use;

	run->random = seed;
	run->pages = 1 + (uint32_t)random_below(&run->random, PLAIN_PAGES);
	run->config =
		reclaim_config_of(policy,
				  capacities[seed % ARRAY_SIZE(capacities)]);
	run->config.seed = seed;
	run->config.ws_window = random_below(&run->random, 300);
	run->config.pff_interval = random_below(&run->random, 20);
	run->config.clock_loaded = seed & 1;
	run->config.s3fifo_fill = seed & 1;
	if (random_below(&run->random, 2)) {
		run->config.twoq_in = 0.5;
		run->config.twoq_out = 0.1;
		run->config.slru_segments = 2;
		run->config.lirs_hir = 0.1;
		run->config.lirs_stack = 1.5;
		run->config.clockpro_cold = 0.5;
		run->config.s3fifo_small = 0.3;
		run->config.s3fifo_ghost = 0.1;
		run->config.s3fifo_uses = 1;
		run->config.nru_interval = 17;
	}
	reclaim_random(run->page, TWIN_LENGTH, run->pages, seed);
	for (uint32_t i = 0; i < TWIN_LENGTH; i++)
		run->write[i] = !random_below(&run->random, 3);
	assert_int_equal(next_use_open(&next_use, false), 0);
	assert_int_equal(next_use_add(next_use, run->page, TWIN_LENGTH), 0);
	next_use_read(next_use, 0, TWIN_LENGTH, run->next);
	next_use_close(next_use);
}

/* Runs of references with drops between: who left, in order, and all counts */
static void
twin_agrees(struct twin_run *run, struct plain *plain, struct reclaim *reclaim)
{
	uint32_t n;

	for (uint32_t i = 0; i < TWIN_LENGTH; i += n) {
		struct reclaim_batch batch = {
			.page = run->page + i,
			.write = run->write + i,
			.next = run->next + i,
			.position = i,
		};
		uint32_t page =
			(uint32_t)random_below(&run->random, run->pages);

		n = 1 + (uint32_t)random_below(&run->random, 50);
		n = n < TWIN_LENGTH - i ? n : TWIN_LENGTH - i;
		batch.n = n;
		run->n_left = plain->n_left = 0;
		assert_int_equal(reclaim->ops->feed(reclaim, &batch), 0);
		for (uint32_t j = i; j < i + n; j++)
			plain_touch(plain, &(struct plain_reference){
						   run->page[j], run->write[j],
						   run->next[j], j });
		assert_int_equal(run->n_left, plain->n_left);
		assert_memory_equal(run->left, plain->left,
				    run->n_left * sizeof(*run->left));
		assert_int_equal(reclaim->counts.misses, plain->misses);
		reclaim->ops->drop(reclaim, page);
		plain_drop(plain, page);
	}
	assert_int_equal(reclaim->counts.references, TWIN_LENGTH);
	assert_int_equal(reclaim->counts.evictions, plain->evictions);
	assert_int_equal(reclaim->counts.writebacks, plain->writebacks);
}

static void
test_twins(UNUSED void **state)
{
	static struct twin_run run;
	static struct plain plain;
	size_t twins = 0;

	for (size_t i = 0; reclaim_registry[i]; i++) {
		if (!plain_knows(reclaim_registry[i]->name))
			continue;
		twins++;
		for (uint64_t seed = 1; seed <= 45; seed++) {
			struct reclaim *reclaim;

			make_run(&run, reclaim_registry[i]->name, seed);
			plain_init(&plain, &run.config);
			assert_int_equal(reclaim_open(&reclaim, &run.config),
					 0);
			reclaim->evicted = note_evicted;
			reclaim->context = &run;
			twin_agrees(&run, &plain, reclaim);
			reclaim_close(reclaim);
		}
	}
	assert_int_equal(twins, 16);
}

#define LAW_LENGTH 60000u
#define LAW_PAGES  700u

/* Of all policies of the registry: none beats OPT, what came in and did not
 * leave is there, and where all fits each page misses once. */
static void
test_laws(UNUSED void **state)
{
	static const uint64_t capacity[] = { 1, 2, 10, 100, 400, LAW_PAGES };
	static uint32_t page[LAW_LENGTH];
	static uint64_t time[LAW_LENGTH];
	struct reclaim_string string = { .page = page,
					 .time = time,
					 .n = LAW_LENGTH };

	reclaim_random(page, LAW_LENGTH, LAW_PAGES, 11);
	for (uint64_t i = 0; i < LAW_LENGTH; i++)
		time[i] = i;
	for (uint32_t i = 0; i < LAW_PAGES; i++)
		page[i] = i;
	for (size_t c = 0; c < ARRAY_SIZE(capacity); c++) {
		uint64_t best = reclaim_misses("opt", capacity[c], &string);

		for (size_t i = 0; reclaim_registry[i]; i++) {
			struct reclaim_config config =
				reclaim_config_of(reclaim_registry[i]->name,
						  capacity[c]);
			struct reclaim_counts counts =
				reclaim_drive(&config, &string);

			assert_true(counts.misses >= best);
			assert_true(counts.misses >= LAW_PAGES);
			assert_true(counts.misses - counts.evictions <=
				    capacity[c]);
			assert_int_equal(counts.writebacks, 0);
			assert_int_equal(counts.refaults,
					 counts.misses - LAW_PAGES);
			if (capacity[c] == LAW_PAGES &&
			    !reclaim_registry[i]->needs_time)
				assert_int_equal(counts.misses, LAW_PAGES);
		}
	}
}

/* More memory never hurts the stack algorithms; it does hurt FIFO. */
static void
test_inclusion(UNUSED void **state)
{
	const struct reclaim_string string = STRING(belady);
	uint32_t page[3000];

	assert_true(reclaim_misses("fifo", 4, &string) >
		    reclaim_misses("fifo", 3, &string));
	for (uint64_t seed = 1; seed <= 10; seed++) {
		const struct reclaim_string random = STRING(page);
		uint64_t lru = UINT64_MAX, opt = UINT64_MAX;

		reclaim_random(page, ARRAY_SIZE(page), 60, seed);
		for (uint64_t c = 1; c <= 60; c++) {
			uint64_t more = reclaim_misses("lru", c, &random);

			assert_true(more <= lru);
			lru = more;
			more = reclaim_misses("opt", c, &random);
			assert_true(more <= opt);
			opt = more;
		}
	}
}

/* A cycle through one page more than there is memory: LRU, FIFO and clock miss
 * all; OPT misses, after the first round, one in c.  LIRS and CLOCK-Pro keep what
 * may be hot, all but one page, and miss the others. */
static void
test_cycle(UNUSED void **state)
{
	enum {
		PAGES = 101,
		ROUNDS = 101
	};
	static uint32_t page[PAGES * ROUNDS];
	const struct reclaim_string string = STRING(page);

	for (uint32_t i = 0; i < ARRAY_SIZE(page); i++)
		page[i] = i % PAGES;
	assert_int_equal(reclaim_misses("lru", PAGES - 1, &string), string.n);
	assert_int_equal(reclaim_misses("fifo", PAGES - 1, &string), string.n);
	assert_int_equal(reclaim_misses("clock", PAGES - 1, &string), string.n);
	assert_int_equal(reclaim_misses("opt", PAGES - 1, &string),
			 PAGES + (PAGES * (ROUNDS - 1)) / (PAGES - 1));
	for (uint64_t c = 10; c < 100; c += 10) {
		assert_int_equal(reclaim_misses("lirs", c, &string),
				 PAGES + (ROUNDS - 1) * (PAGES - (c - 1)));
		assert_int_equal(reclaim_misses("clockpro", c, &string),
				 PAGES + (ROUNDS - 1) * (PAGES - (c - 1)));
	}
}

static double
mean_of(const char *policy, uint64_t window,
	const struct reclaim_string *string, double *ratio)
{
	struct reclaim_config config = reclaim_config_of(policy, 1u << 20);
	struct reclaim_batch batch = { .page = string->page,
				       .n = (uint32_t)string->n };
	struct reclaim *reclaim;
	struct result *result;
	double mean;

	config.ws_window = window;
	assert_int_equal(result_open(&result), 0);
	assert_int_equal(reclaim_open(&reclaim, &config), 0);
	assert_int_equal(reclaim->ops->feed(reclaim, &batch), 0);
	assert_int_equal(reclaim_finish(reclaim, result), 0);
	*ratio = (double)reclaim->counts.misses / (double)string->n;
	mean = json_number_value(
		json_object_get(json_object_get(json_object_get(result_json(
									result),
								"values"),
						"reclaim.ws.mean"),
				"value"));
	reclaim_close(reclaim);
	result_close(result);
	return mean;
}

/* Independent uniform references: LRU misses 1 - C/N of them, the working set
 * is N(1 - (1 - 1/N)^T) pages (Denning, Schwartz 1972) and misses (1 - 1/N)^T. */
static void
test_independent(UNUSED void **state)
{
	enum {
		PAGES = 500,
		LENGTH = 400000
	};
	uint32_t *page = malloc(LENGTH * sizeof(*page));
	struct reclaim_string string = { .page = page, .n = LENGTH };
	uint64_t random = 5;

	assert_non_null(page);
	for (uint32_t i = 0; i < LENGTH; i++)
		page[i] = (uint32_t)random_below(&random, PAGES);
	for (uint64_t c = 50; c < PAGES; c += 150)
		for (size_t i = 0; i < 4; i++) {
			static const char *const policy[] = { "lru", "fifo",
							      "random",
							      "clock" };
			double ratio =
				(double)reclaim_misses(policy[i], c, &string) /
				LENGTH;

			assert_true(fabs(ratio - 1 + (double)c / PAGES) <
				    0.005);
		}
	for (uint64_t window = 1; window < 2000; window *= 3) {
		double ratio, out = pow(1 - 1.0 / PAGES, (double)window);
		double mean = mean_of("ws", window, &string, &ratio);

		assert_true(fabs(mean - PAGES * (1 - out)) < 0.01 * mean);
		assert_true(fabs(ratio - out) < 0.005);
	}
	free(page);
}

/* What is in, as the policy's callers can tell */
struct inside {
	uint64_t held, left; /* left: of the pages evicted by the last step */
	uint32_t in[300];    /* sizes; 0: it is not in */
};

static void
size_left(void *context, uint32_t page, bool dirty)
{
	struct inside *inside = context;

	assert_false(dirty);
	assert_true(inside->in[page] > 0);
	inside->left += inside->in[page];
	inside->in[page] = 0;
}

static void
size_step(struct reclaim *reclaim, struct inside *inside,
	  const struct reclaim_batch *batch, uint64_t size)
{
	uint32_t page = *batch->page, before = inside->in[page];
	uint64_t misses = reclaim->counts.misses, came;

	inside->left = 0;
	assert_int_equal(reclaim->ops->feed(reclaim, batch), 0);
	came = reclaim->used + inside->left - inside->held;
	assert_int_equal(reclaim->counts.misses - misses, before == 0);
	assert_true(came == 0 || !before);
	assert_true(came == 0 || !size || came == size);
	if (came)
		inside->in[page] = (uint32_t)came;
	inside->held = reclaim->used;
	assert_true(inside->held <= reclaim->capacity);
}

/* Objects whose sizes change while they are out, and are dropped: what is held
 * is what came in and did not leave. */
static void
test_sizes(UNUSED void **state)
{
	enum {
		LENGTH = 5000,
		OBJECTS = 300
	};
	int lirs = reclaim_find("lirs"); /* remembers the size it had */
	static uint32_t page[LENGTH], size[OBJECTS];
	static uint64_t next[LENGTH];
	const uint32_t *sizes = size;
	struct next_use *next_use;

	reclaim_random(page, LENGTH, OBJECTS, 21);
	assert_int_equal(next_use_open(&next_use, false), 0);
	assert_int_equal(next_use_add(next_use, page, LENGTH), 0);
	next_use_read(next_use, 0, LENGTH, next);
	next_use_close(next_use);
	for (size_t i = 0; reclaim_registry[i]; i++) {
		struct reclaim_config config =
			reclaim_config_of(reclaim_registry[i]->name, 1000);
		struct inside inside = { .held = 0 };
		uint64_t random = i, time = 1;
		struct reclaim *reclaim;

		config.size = &sizes;
		if (!reclaim_registry[i]->sized) {
			assert_int_equal(reclaim_open(&reclaim, &config),
					 -EINVAL);
			continue;
		}
		assert_int_equal(reclaim_open(&reclaim, &config), 0);
		reclaim->evicted = size_left;
		reclaim->context = &inside;
		for (uint32_t at = 0; at < LENGTH; at++, time++) {
			struct reclaim_batch batch = { .page = page + at,
						       .next = next + at,
						       .time = &time,
						       .n = 1,
						       .position = at };
			uint32_t gone =
				(uint32_t)random_below(&random, OBJECTS);

			if (!inside.in[page[at]])
				size[page[at]] =
					1 + (uint32_t)random_below(&random, 40);
			size_step(reclaim, &inside, &batch,
				  config.policy == lirs ? 0 : size[page[at]]);
			if (at % 5)
				continue;
			reclaim->ops->drop(reclaim, gone);
			inside.held -= inside.in[gone];
			inside.in[gone] = 0;
			assert_int_equal(reclaim->used, inside.held);
		}
		reclaim_close(reclaim);
	}
}

static void
test_no_memory(UNUSED void **state)
{
	for (int i = 0; reclaim_registry[i]; i++) {
		struct reclaim_config config =
			reclaim_config_of(reclaim_registry[i]->name, 0);
		struct reclaim *reclaim;

		assert_int_equal(reclaim_open(&reclaim, &config), -EINVAL);
		assert_int_equal(reclaim_find(reclaim_registry[i]->name), i);
		assert_non_null(
			strstr(reclaim_names, reclaim_registry[i]->name));
	}
	assert_int_equal(reclaim_find("lr"), -1);
	assert_int_equal(reclaim_find("lruu"), -1);
	assert_int_equal(reclaim_find(""), -1);
	assert_int_equal(reclaim_find("-"), -1);
	assert_int_equal(reclaim_find("S3-FIFO"), reclaim_find("s3fifo"));
	assert_int_equal(reclaim_find("CLOCK-Pro"), reclaim_find("clockpro"));
	assert_int_equal(reclaim_find("Belady"), reclaim_find("opt"));
	reclaim_close(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_next_use),
		cmocka_unit_test(test_twins),
		cmocka_unit_test(test_laws),
		cmocka_unit_test(test_inclusion),
		cmocka_unit_test(test_cycle),
		cmocka_unit_test(test_independent),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
