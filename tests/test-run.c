// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The run loop: every model gets every batch in order whatever the number of
 * threads; errors of source and models end it; bounds are exact.
 */
#include "analyzer/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the above */
#include <cmocka.h>

#define MODELS_MAX 8

/* Batches of 1..1000 accesses whose addresses count up. */
struct counting_source {
	struct source source;
	uint32_t batches, end;
	int end_status;
	uint64_t address;
};

struct summing_model {
	struct model model;
	uint64_t sum, n, batches;
	uint64_t fail_at; /* batch, 0: never */
};

static int
counting_next(struct source *source, struct batch *batch)
{
	struct counting_source *mine = (struct counting_source *)source;
	uint32_t n = 1 + mine->batches * 7919 % 1000;

	if (mine->batches == mine->end)
		return mine->end_status;
	mine->batches++;
	batch->columned = true;
	for (uint32_t i = 0; i < n; i++)
		batch_access(batch, mine->address++, i << 3);
	batch_event(batch, EVENT_MARK);
	return 1;
}

static void
counting_close(struct source *source)
{
	(void)source;
}

static const struct source_methods counting_methods = {
	.next = counting_next,
	.close = counting_close,
};

static int
summing_feed(struct model *model, const struct batch *batch)
{
	struct summing_model *mine = (struct summing_model *)model;

	if (++mine->batches == mine->fail_at)
		return -EIO;
	/* depends on the order */
	for (uint32_t i = 0; i < batch->n; i++)
		mine->sum = mine->sum * 31 + batch->address[i];
	mine->n += batch->n;
	return 0;
}

static const struct model_methods summing_methods = {
	.feed = summing_feed,
	.close = NULL,
};

static struct summing_model summing[MODELS_MAX];
static struct model *list[MODELS_MAX];

static int
feed(unsigned n_models, unsigned jobs, struct counting_source *source,
     struct run *run)
{
	memset(summing, 0, sizeof(summing));
	for (unsigned i = 0; i < n_models; i++) {
		summing[i].model.methods = &summing_methods;
		list[i] = &summing[i].model;
	}
	source->source.methods = &counting_methods;
	assert_int_equal(stream_open(&source->source.stream), 0);
	run->source = &source->source;
	run->models = list;
	run->n_models = n_models;
	run->jobs = jobs;
	return run_feed(run);
}

static void
test_same_at_any_jobs(void **state)
{
	uint64_t sum = 0;

	(void)state;
	for (unsigned jobs = 0; jobs <= 9; jobs += 3) {
		struct counting_source source = { .end = 300 };
		struct run run = { 0 };

		assert_int_equal(feed(5, jobs, &source, &run), 0);
		assert_int_equal(run.batches, 300);
		assert_int_equal(run.accesses, source.address);
		for (unsigned i = 0; i < 5; i++) {
			sum = sum ? sum : summing[i].sum;
			assert_int_equal(summing[i].sum, sum);
			assert_int_equal(summing[i].n, source.address);
		}
		stream_close(source.source.stream);
	}
}

static void
test_source_error(void **state)
{
	(void)state;
	for (unsigned jobs = 0; jobs < 3; jobs++) {
		struct counting_source source = { .end = 50,
						  .end_status = -EBADMSG };
		struct run run = { 0 };

		assert_int_equal(feed(2, jobs, &source, &run), -EBADMSG);
		/* what came before was fed */
		assert_int_equal(summing[1].batches, 50);
		stream_close(source.source.stream);
	}
}

static int
feed_failing(unsigned jobs)
{
	struct counting_source source = { .end = 100000 };
	struct run run = { 0 };
	struct model *model = &summing[0].model;
	int error;

	memset(summing, 0, sizeof(summing));
	summing[0].model.methods = &summing_methods;
	summing[0].fail_at = 10;
	source.source.methods = &counting_methods;
	assert_int_equal(stream_open(&source.source.stream), 0);
	run = (struct run){ .source = &source.source,
			    .models = &model,
			    .n_models = 1,
			    .jobs = jobs };
	error = run_feed(&run);
	assert_true(source.batches < 1000);
	stream_close(source.source.stream);
	return error;
}

static void
test_model_error_ends_the_run(void **state)
{
	(void)state;
	assert_int_equal(feed_failing(0), -EIO);
	assert_int_equal(feed_failing(1), -EIO);
}

static void
test_max_accesses_is_exact(void **state)
{
	(void)state;
	for (unsigned jobs = 0; jobs < 2; jobs++) {
		struct counting_source source = { .end = 300 };
		struct run run = { .max_accesses = 12345 };

		assert_int_equal(feed(1, jobs, &source, &run), 0);
		assert_int_equal(run.accesses, 12345);
		assert_int_equal(summing[0].n, 12345);
		assert_true(run.stopped);
		stream_close(source.source.stream);
	}
}

static void
test_stop(void **state)
{
	static volatile sig_atomic_t stop = 1;
	struct counting_source source = { .end = 300 };
	struct run run = { .stop = &stop };

	(void)state;
	assert_int_equal(feed(1, 1, &source, &run), 0);
	assert_int_equal(run.accesses, 0);
	assert_true(run.stopped);
	stream_close(source.source.stream);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_at_any_jobs),
		cmocka_unit_test(test_source_error),
		cmocka_unit_test(test_model_error_ends_the_run),
		cmocka_unit_test(test_max_accesses_is_exact),
		cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
