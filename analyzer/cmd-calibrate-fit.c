// SPDX-License-Identifier: GPL-2.0-or-later
/* Walks of a machine beside those measured; see cmd-calibrate-fit.h. */
#include "analyzer/cmd-calibrate-fit.h"

#include "analyzer/run.h"
#include "models/machine.h"
#include "traces/open.h"

#include <math.h>
#include <stdlib.h>

#define FITS	   12
#define LINE	   64
#define CACHE_PART 4 /* of the last cache, for lines: tables are in it, too */
#define MOST	   65536.0

struct fitting {
	struct machine_config *machine;
	const struct calibration *measured;
	double pages[FITS];
	size_t n;
};

/* Cycles of translation in so many rounds through all pages */
static int
replay_rounds(const struct machine_config *config, double pages,
	      unsigned rounds, double *cycles)
{
	char spec[96];
	struct source *chase = NULL;
	struct model *model = NULL;
	struct result *result = NULL;
	struct run run = { .models = &model, .n_models = 1 };
	int error;

	snprintf(spec, sizeof(spec), "generate:chase,pages=%.0f,n=%.0f", pages,
		 pages * rounds);
	error = source_open(&chase, spec, false);
	if (!error)
		error = machine_model.open(&model, config, chase->stream);
	run.source = chase;
	if (!error)
		error = run_feed(&run);
	if (!error)
		error = result_open(&result);
	if (!error)
		error = model->methods->finish(model, result);
	if (!error) {
		const json_t *values =
			json_object_get(result_json(result), "values");

		*cycles = json_number_value(
			json_object_get(json_object_get(values,
							"translation.cycles"),
					"value"));
	}
	result_close(result);
	model_close(model);
	source_close(chase);
	return error;
}

/* What the machine adds to a load, when all pages are there.  Each page has a
 * frame of its own: what was timed was written before. */
static int
modelled(const struct machine_config *machine, int policy, double pages,
	 double *penalty)
{
	struct machine_config config = *machine; /* borrows its strings */
	double first = 0, all = 0;
	int error;

	config.paging.policy = policy;
	config.paging.zero_page = ZERO_PAGE_NO;
	config.core.data_cached = true;
	error = replay_rounds(&config, pages, 2, &first);
	if (!error)
		error = replay_rounds(&config, pages, 4, &all);
	*penalty = (all - first) / (2 * pages);
	return error;
}

/* Beyond that the lines themselves come from memory at times, of which a
 * neighbour that the hardware fetched, too, has its share. */
static double
most_pages(const struct fitting *fitting)
{
	const struct latency_curve *small = &fitting->measured->small;
	double last = (double)fitting->machine->hierarchy.l3.size_bytes;
	double most = fmin(small->point[small->n - 1].size, MOST);

	return last > 0 ? fmin(most, last / LINE / CACHE_PART) : most;
}

static void
choose_sizes(struct fitting *fitting)
{
	double entries = (double)fitting->machine->core.tlb[CORE_L2].entries;
	double most = most_pages(fitting);

	if (most < 2 * entries) /* a last cache that holds hardly more */
		most = fmin(2.01 * entries, MOST);
	if (fitting->measured->small.point[fitting->measured->small.n - 1]
		    .size < most * 0.99)
		return;
	for (double at = 2 * entries; at <= most * 1.01 && fitting->n < FITS;
	     at *= M_SQRT2)
		fitting->pages[fitting->n++] = floor(at);
}

static int
compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return a < b ? -1 : a > b;
}

struct compared {
	double short_of[2 * FITS], real[2 * FITS];
	size_t n;
};

static int
compare_curve(const struct fitting *fitting, int policy,
	      const struct latency_curve *curve, struct compared *out)
{
	for (size_t i = 0; i < fitting->n; i++) {
		double real = calibration_penalty(curve, fitting->pages[i]);
		double penalty;
		int error = modelled(fitting->machine, policy,
				     fitting->pages[i], &penalty);

		if (error)
			return error;
		out->real[out->n] = real;
		out->short_of[out->n++] = real - penalty;
	}
	return 0;
}

/* The overhead that takes up what it is short of, in the middle, and the error
 * in percent that is left.  Medians, for at some sizes something else may have
 * used the caches. */
static void
judge(const struct compared *compared, double *overhead, double *error)
{
	double sorted[2 * FITS], errors[2 * FITS];

	for (size_t i = 0; i < compared->n; i++)
		sorted[i] = compared->short_of[i];
	qsort(sorted, compared->n, sizeof(double), compare);
	*overhead = fmax(0, round(sorted[compared->n / 2]));
	for (size_t i = 0; i < compared->n; i++)
		errors[i] = compared->real[i] > 0
				    ? 100 *
					      fabs(compared->short_of[i] -
						   *overhead) /
					      compared->real[i]
				    : 100;
	qsort(errors, compared->n, sizeof(double), compare);
	*error = errors[compared->n / 2];
}

/* One way to place frames and to begin walks */
static int
try_one(struct fitting *fitting, bool scattered, bool second,
	struct walk_fit *best)
{
	struct machine_config *machine = fitting->machine;
	struct compared compared = { .n = 0 };
	double overhead, percent;
	int error;

	machine->frames.order = scattered ? FRAMES_RANDOM : FRAMES_ASCENDING;
	machine->hierarchy.levels.walks = second;
	machine->core.walker.overhead = 0;
	error = compare_curve(fitting, PAGES_4K, &fitting->measured->small,
			      &compared);
	if (!error && !fitting->measured->no_huge)
		error = compare_curve(fitting, PAGES_2M,
				      &fitting->measured->huge, &compared);
	if (error)
		return error;
	judge(&compared, &overhead, &percent);
	if (best->sizes && best->error <= percent)
		return 0;
	best->sizes = fitting->n;
	best->scattered = scattered;
	best->second = second;
	best->overhead = overhead;
	best->error = percent;
	return 0;
}

int
fit_walks(struct walk_fit *fit, struct machine_config *machine,
	  const struct calibration *measured)
{
	struct fitting fitting = { .machine = machine, .measured = measured };
	int error = 0;

	*fit = (struct walk_fit){ .sizes = 0 };
	choose_sizes(&fitting);
	for (unsigned i = 0; fitting.n && !error && i < 4; i++)
		error = try_one(&fitting, i & 1, i & 2, fit);
	if (error || !fitting.n)
		return error;
	fit->pages = fitting.pages[0];
	fit->most = fitting.pages[fitting.n - 1];
	machine->frames.order =
		fit->scattered ? FRAMES_RANDOM : FRAMES_ASCENDING;
	machine->hierarchy.levels.walks = fit->second;
	machine->core.walker.overhead = (int64_t)fit->overhead;
	return 0;
}
