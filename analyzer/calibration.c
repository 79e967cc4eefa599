// SPDX-License-Identifier: GPL-2.0-or-later
/* Curves of this host; see calibration.h. */
#include "analyzer/calibration.h"

#include "analyzer/fail.h"
#include "analyzer/pointer-chase.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE	    64.0
#define PAGE	    4096.0
#define CACHE_LEAST 4096.0
#define PAGES_LEAST 16.0
#define NEAR_BYTES  ((size_t)4 << 20) /* two huge pages: in the last cache */
#define CACHE_PART  4		      /* of the buffer for the caches' curve */
#define LEVEL_MOST \
	0.5 /* of the small pages' penalty: huge ones reach further */

/* A walk takes so many times what a hit of the second level does. */
#define WALK_LEAST 1.5

/* Times of one curve, over passes */
struct series {
	struct chase *chase;
	size_t step;
	double least; /* size of the first point, in lines */
	unsigned n;
	struct chase_time time[LATENCY_POINTS_MAX];
};

struct measuring {
	const struct calibration_plan *plan;
	struct calibration *out;
	struct chase *small, *huge; /* huge: NULL: none came */
	struct series caches, small_pages, huge_pages;
	struct chase_time chained, beside;
	struct chase_faults faults, huge_faults, huge_near;
	unsigned done, all;
};

static void
tick(struct measuring *measuring)
{
	measuring->done++;
	if (measuring->plan->tick)
		measuring->plan->tick(measuring->plan->context, measuring->done,
				      measuring->all);
}

static double
cycles_of(const struct measuring *measuring, double ns)
{
	return ns * measuring->out->mhz / 1000;
}

static double
size_of(const struct measuring *measuring, double least, unsigned i)
{
	return floor(least * exp2((double)i / measuring->plan->octave));
}

static void
series_init(const struct measuring *measuring, struct series *series,
	    struct chase *chase, size_t step)
{
	double most = (double)measuring->plan->bytes;

	/* Beside page tables, so many lines are no matter. */
	if (step == (size_t)LINE)
		most /= CACHE_PART;
	series->chase = chase;
	series->step = step;
	series->least = step == (size_t)LINE ? CACHE_LEAST / LINE : PAGES_LEAST;
	series->n = (unsigned)(log2(most / (double)step / series->least) *
			       measuring->plan->octave) +
		    1;
	if (series->n > LATENCY_POINTS_MAX)
		series->n = LATENCY_POINTS_MAX;
	if (!chase)
		series->n = 0;
}

static struct chase_shape
shape_of(const struct measuring *measuring, double n, size_t step)
{
	return (struct chase_shape){
		.n = (size_t)n,
		.step = step,
		.seconds = measuring->plan->seconds,
		.times = measuring->plan->times,
	};
}

static void
measure_series(struct measuring *measuring, struct series *series)
{
	for (unsigned i = 0; i < series->n; i++) {
		struct chase_shape shape =
			shape_of(measuring,
				 size_of(measuring, series->least, i),
				 series->step);

		chase_run(series->chase, &shape, &series->time[i]);
		tick(measuring);
	}
}

static void
measure_clock(struct measuring *measuring)
{
	double mhz = chase_clock();

	if (measuring->out->mhz < mhz)
		measuring->out->mhz = mhz;
}

static void
measure_faults(struct measuring *measuring)
{
	size_t bytes = measuring->plan->bytes / 4;

	chase_faults(&measuring->faults, CHASE_4K, bytes);
	if (!measuring->huge)
		return;
	chase_faults(&measuring->huge_faults, CHASE_2M, bytes);
	chase_faults(&measuring->huge_near, CHASE_2M, NEAR_BYTES);
}

/* All that a pass looks at; what else the host does comes and goes, so that the
 * least of several passes is nearer to what it is without. */
static void
measure_pass(struct measuring *measuring)
{
	struct chase_shape shape =
		shape_of(measuring, (double)measuring->plan->bytes / PAGE,
			 (size_t)PAGE);

	measure_clock(measuring);
	measure_series(measuring, &measuring->caches);
	measure_clock(measuring);
	measure_series(measuring, &measuring->small_pages);
	measure_series(measuring, &measuring->huge_pages);
	measure_clock(measuring);
	chase_run(measuring->small, &shape, &measuring->chained);
	tick(measuring);
	shape.free = true;
	chase_run(measuring->small, &shape, &measuring->beside);
	tick(measuring);
	measure_faults(measuring);
}

/* Lines side by side */
static void
put_caches(const struct measuring *measuring, struct latency_curve *curve)
{
	const struct series *series = &measuring->caches;

	for (unsigned i = 0; i < series->n; i++)
		curve->point[curve->n++] = (struct latency_point){
			LINE * size_of(measuring, series->least, i),
			cycles_of(measuring, series->time[i].ns),
			series->time[i].spread
		};
	curve->steps = latency_steps(curve->point, curve->n, curve->step,
				     &curve->noise);
}

/* One line a page, less what as many lines side by side take */
static void
put_pages(const struct measuring *measuring, const struct series *series,
	  struct latency_curve *curve)
{
	const struct latency_curve *caches = &measuring->out->caches;
	double first = caches->point[0].latency;

	for (unsigned i = 0; i < series->n; i++) {
		double pages = size_of(measuring, series->least, i);
		double data = calibration_penalty(caches, pages * LINE);
		double added = cycles_of(measuring, series->time[i].ns) - data;

		curve->point[curve->n++] =
			(struct latency_point){ pages,
						added > first ? added : first,
						series->time[i].spread };
	}
	if (series->n)
		curve->steps = latency_steps(curve->point, curve->n,
					     curve->step, &curve->noise);
}

static void
put_curves(struct measuring *measuring)
{
	struct calibration *out = measuring->out;

	put_caches(measuring, &out->caches);
	put_pages(measuring, &measuring->small_pages, &out->small);
	put_pages(measuring, &measuring->huge_pages, &out->huge);
	out->fault_ns =
		chase_faults_middle(&measuring->faults, &out->fault_error);
	out->huge_fault_ns = chase_faults_middle(&measuring->huge_faults, NULL);
	out->huge_near_ns = chase_faults_middle(&measuring->huge_near, NULL);
	/* No less than one chain's share; else the passes were not alike. */
	out->overlap = fmax(measuring->beside.ns / measuring->chained.ns,
			    1.0 / CHASE_LANES);
}

static double
now_seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void
measure_all(struct measuring *measuring)
{
	const struct calibration_plan *plan = measuring->plan;
	double start = now_seconds(), took = 0;

	series_init(measuring, &measuring->caches,
		    measuring->huge ? measuring->huge : measuring->small,
		    (size_t)LINE);
	series_init(measuring, &measuring->small_pages, measuring->small,
		    (size_t)PAGE);
	series_init(measuring, &measuring->huge_pages, measuring->huge,
		    (size_t)PAGE);
	measuring->all =
		plan->passes * (measuring->caches.n + measuring->small_pages.n +
				measuring->huge_pages.n + 2);
	for (unsigned i = 0; i < plan->passes; i++) {
		measure_pass(measuring);
		took = (now_seconds() - start) / (i + 1);
		measuring->out->passes = i + 1;
		if (now_seconds() - start + took > plan->limit)
			break;
	}
	put_curves(measuring);
}

static int
open_buffers(struct measuring *measuring)
{
	const struct calibration_plan *plan = measuring->plan;
	int error = chase_open(&measuring->small, plan->bytes, CHASE_4K,
			       plan->seed);

	if (error)
		return fail(ENOMEM, "calibrate: no memory for %zu MiB",
			    plan->bytes >> 20);
	error = chase_open(&measuring->huge, plan->bytes, CHASE_2M, plan->seed);
	if (error == -ENOTSUP)
		measuring->out->no_huge =
			"the kernel gave no huge pages (transparent_hugepage "
			"is never, or memory is in pieces)";
	else if (error)
		measuring->out->no_huge = "there is no memory for them";
	return 0;
}

int
calibration_measure(struct calibration *calibration,
		    const struct calibration_plan *plan)
{
	struct measuring *measuring = calloc(1, sizeof(*measuring));
	int error;

	if (!measuring)
		return fail(ENOMEM, "calibrate: no memory");
	*calibration = (struct calibration){ .mhz = 0 };
	measuring->plan = plan;
	measuring->out = calibration;
	error = open_buffers(measuring);
	if (!error)
		measure_all(measuring);
	chase_close(measuring->small);
	chase_close(measuring->huge);
	free(measuring);
	if (error)
		return error;
	return 0;
}

double
calibration_penalty(const struct latency_curve *curve, double size)
{
	const struct latency_point *point = curve->point;
	double base = point[0].latency;
	size_t i = 1;

	if (curve->n < 2 || size <= point[0].size)
		return 0;
	while (i + 1 < curve->n && point[i].size < size)
		i++;
	return point[i - 1].latency - base +
	       (point[i].latency - point[i - 1].latency) *
		       log(size / point[i - 1].size) /
		       log(point[i].size / point[i - 1].size);
}

const struct latency_step *
calibration_second_level(const struct latency_curve *curve)
{
	for (size_t i = 1; i < curve->steps; i++) {
		const struct latency_step *step = &curve->step[i];

		if (step->size > 3 * curve->step[0].size &&
		    step->after > WALK_LEAST * step->before)
			return step;
	}
	return NULL;
}

bool
calibration_huge_reach(const struct calibration *calibration)
{
	const struct latency_curve *small = &calibration->small;
	double pages, walks;

	if (calibration->no_huge || !small->steps)
		return false;
	/* Where small pages miss the first level only */
	pages = small->step[0].size * 3;
	walks = calibration_penalty(small, pages);
	return walks > 0 && calibration_penalty(&calibration->huge, pages) <
				    LEVEL_MOST * walks;
}
