// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Curves from samples against the exact one, for 20 seeds each: the 95 %
 * intervals hold it at 90 % of all sizes and more, for strings that are easy and
 * hard to sample; what is counted is exact; and a sample of all is the curve.
 */
#include "models/analysis/curve-result.h"
#include "models/analysis/sampled.h"
#include "models/memory/random.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEEDS	 20u
#define ACCESSES 600000u
#define PAGES	 20000u

/* A string of pages: who draws the next one */
typedef uint32_t draw_page(uint64_t *random, uint32_t at);

static uint32_t
uniform(uint64_t *random, uint32_t at)
{
	(void)at;
	return (uint32_t)random_below(random, PAGES);
}

/* Page k with a share of about 1 / k */
static uint32_t
zipf(uint64_t *random, uint32_t at)
{
	double x = (double)(random_next(random) >> 11) * 0x1p-53;
	uint32_t page = (uint32_t)pow(PAGES, x) - 1;

	(void)at;
	return page * 7919u % PAGES; /* hot ones are not neighbours */
}

/* Two loops, one within the other: steps */
static uint32_t
loops(uint64_t *random, uint32_t at)
{
	(void)random;
	return at / 50000 % 2 ? at % PAGES : at % 5000;
}

/* A hot set that moves, and strangers */
static uint32_t
phases(uint64_t *random, uint32_t at)
{
	if (random_below(random, 10) == 0)
		return (uint32_t)random_below(random, PAGES);
	return at / 100000 * 3000 +
	       (uint32_t)(random_below(random, 1500) *
			  random_below(random, 1500) / 1500);
}

struct trace {
	struct stream *stream;
	struct batch batch;
	uint32_t site;
	uint32_t page[ACCESSES];
};

static void
feed(struct trace *trace, struct model *model)
{
	for (uint32_t at = 0; at < ACCESSES;) {
		batch_reset(&trace->batch);
		for (; trace->batch.n < BATCH_ACCESSES && at < ACCESSES; at++)
			batch_access(&trace->batch,
				     (uint64_t)trace->page[at] << 21,
				     trace->site);
		assert_int_equal(model->methods->feed(model, &trace->batch), 0);
	}
}

static struct trace *
trace_open(draw_page *draw)
{
	struct trace *trace = calloc(1, sizeof(*trace));
	uint64_t random = 77;
	const struct site site = { 0x1000, 8, 0, SITE_LOAD, 0 };

	assert_non_null(trace);
	for (uint32_t at = 0; at < ACCESSES; at++)
		trace->page[at] = draw(&random, at);
	assert_int_equal(stream_open(&trace->stream), 0);
	assert_true(stream_site_add(trace->stream, &site, &trace->site) >= 0);
	assert_int_equal(batch_init(&trace->batch), 0);
	return trace;
}

static void
trace_close(struct trace *trace)
{
	stream_close(trace->stream);
	batch_fini(&trace->batch);
	free(trace);
}

/* misses[0..peak], owned by the caller */
static uint64_t *
exact(struct trace *trace, uint32_t *peak, uint64_t *cold)
{
	const struct curve_config config = { .shift = 21, .fetches = true };
	struct curve_view view;
	struct model *model;
	uint64_t *misses;

	assert_int_equal(curve_open(&model, &config, trace->stream), 0);
	feed(trace, model);
	curve_view(model, &view);
	*peak = reuse_peak(view.reuse);
	*cold = reuse_cold(view.reuse);
	misses = calloc(*peak + 1, sizeof(*misses));
	assert_non_null(misses);
	reuse_misses(view.reuse, misses, NULL);
	model_close(model);
	return misses;
}

struct tally {
	unsigned points, held;
	double width, off; /* sums, of all references */
};

static void
judge(struct tally *tally, const struct sampled_estimate *estimate,
      uint64_t truth)
{
	tally->points++;
	tally->held += estimate->low <= (double)truth + 0.5 &&
		       (double)truth <= estimate->high + 0.5;
	tally->width += (estimate->high - estimate->low) / ACCESSES;
	tally->off += fabs(estimate->misses - (double)truth) / ACCESSES;
}

struct task {
	const char *name;
	draw_page *draw;
	double rate;
	uint32_t pages;
	bool aet;	   /* what it takes for granted is so */
	double width, off; /* at most, on average */
};

static void
one_seed(struct trace *trace, const struct task *task, uint64_t seed,
	 const uint64_t *misses, uint32_t peak, struct tally *tally)
{
	const struct sampled_config config = { 21, true, task->rate,
					       task->pages, seed };
	uint64_t size[OCTAVES_BINS];
	size_t n = curve_result_sizes(peak, size);
	struct sampled_view view;
	struct model *model;

	assert_int_equal(sampled_open(&model, &config, trace->stream), 0);
	feed(trace, model);
	sampled_view(model, &view);
	assert_int_equal(view.accesses, ACCESSES);
	assert_int_equal(view.peak, peak);
	assert_int_equal(view.cold, misses[peak]);
	assert_int_equal(view.references, misses[0]);
	if (task->pages)
		assert_true(view.sampled_pages <= task->pages &&
			    view.sampled_pages > task->pages * 8 / 10);
	/* what a sample cannot tell are sizes of a few of its pages */
	for (size_t i = 0; i + 1 < n; i++) {
		struct sampled_estimate estimate =
			sampled_shards(model, size[i]);

		judge(&tally[0], &estimate, misses[size[i]]);
		estimate = sampled_aet(model, size[i]);
		judge(&tally[1], &estimate, misses[size[i]]);
	}
	model_close(model);
}

static void
one_task(const struct task *task)
{
	struct tally tally[2] = { { 0 } };
	struct trace *trace = trace_open(task->draw);
	uint64_t cold, *misses;
	uint32_t peak;

	misses = exact(trace, &peak, &cold);
	for (uint64_t seed = 1; seed <= SEEDS; seed++)
		one_seed(trace, task, seed, misses, peak, tally);
	for (int i = 0; i < 2; i++) {
		double n = tally[i].points;

		print_message("%s, %s: %.1f %% of %.0f sizes in the interval, "
			      "%.3f wide, off by %.4f\n",
			      task->name, i ? "aet" : "shards",
			      100 * tally[i].held / n, n, tally[i].width / n,
			      tally[i].off / n);
		if (i && !task->aet)
			continue;
		assert_true(tally[i].held >= 0.9 * n);
		assert_true(tally[i].width < task->width * n);
		assert_true(tally[i].off < task->off * n);
	}
	free(misses);
	trace_close(trace);
}

static void
test_twenty_seeds(void **state)
{
	static const struct task tasks[] = {
		{ "uniform 2 %", uniform, 0.02, 0, true, 0.22, 0.04 },
		{ "zipf 2 %", zipf, 0.02, 0, true, 0.65, 0.12 },
		{ "zipf 10 %", zipf, 0.10, 0, true, 0.42, 0.07 },
		{ "loops 5 %", loops, 0.05, 0, false, 0.14, 0.03 },
		{ "phases 5 %", phases, 0.05, 0, false, 0.26, 0.04 },
		{ "zipf, 1000 pages", zipf, 1, 1000, true, 0.65, 0.12 },
		{ "phases, 1000 pages", phases, 1, 1000, false, 0.26, 0.04 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tasks); i++)
		one_task(&tasks[i]);
}

/* All pages: SHARDS is the curve, but for where it cuts bins of 3 % */
static void
test_sample_of_all(void **state)
{
	const struct sampled_config config = { 21, true, 1, 0, 1 };
	uint64_t size[OCTAVES_BINS], cold, *misses;
	struct trace *trace = trace_open(phases);
	struct model *model;
	uint32_t peak;
	size_t n;

	(void)state;
	misses = exact(trace, &peak, &cold);
	n = curve_result_sizes(peak, size);
	assert_int_equal(sampled_open(&model, &config, trace->stream), 0);
	feed(trace, model);
	for (size_t i = 0; i < n; i++) {
		struct sampled_estimate estimate =
			sampled_shards(model, size[i]);

		/* ends of our 8 bins to an octave are ends of its 32 */
		assert_true(fabs(estimate.misses - (double)misses[size[i]]) <
			    0.5);
	}
	model_close(model);
	free(misses);
	trace_close(trace);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_twenty_seeds),
		cmocka_unit_test(test_sample_of_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
