// SPDX-License-Identifier: GPL-2.0-or-later
/* Curves of this host; see calibration.h. */
#include "analyzer/calibration.h"

#include "analyzer/fail.h"
#include "analyzer/pointer-chase.h"

#include <math.h>
#include <string.h>

#define LINE	    64.0
#define PAGE	    4096.0
#define CACHE_LEAST 4096.0
#define PAGES_LEAST 16.0
#define LEVEL_MOST \
	0.5 /* of the small pages' penalty: huge ones reach further */

struct measuring {
	const struct calibration_plan *plan;
	struct calibration *out;
	struct chase *small, *huge; /* huge: NULL: none came */
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

static struct chase_time
time_of(struct measuring *measuring, struct chase *chase, double n, double step)
{
	const struct chase_shape shape = {
		.n = (size_t)n,
		.step = (size_t)step,
		.seconds = measuring->plan->seconds,
		.times = measuring->plan->times,
	};
	struct chase_time time;

	chase_run(chase, &shape, &time);
	tick(measuring);
	return time;
}

static double
cycles_of(const struct measuring *measuring, double ns)
{
	return ns * measuring->out->mhz / 1000;
}

static unsigned
points(const struct calibration_plan *plan, double from, double to)
{
	unsigned n = (unsigned)(log2(to / from) * plan->octave) + 1;

	return n < LATENCY_POINTS_MAX ? n : LATENCY_POINTS_MAX;
}

static double
size_of(const struct calibration_plan *plan, double from, unsigned i)
{
	return floor(from * exp2((double)i / plan->octave));
}

/* Lines side by side, in the largest pages there are */
static void
measure_caches(struct measuring *measuring)
{
	const struct calibration_plan *plan = measuring->plan;
	struct latency_curve *curve = &measuring->out->caches;
	struct chase *chase =
		measuring->huge ? measuring->huge : measuring->small;
	unsigned n = points(plan, CACHE_LEAST, (double)plan->bytes);

	for (unsigned i = 0; i < n; i++) {
		double bytes = size_of(plan, CACHE_LEAST, i);
		struct chase_time time =
			time_of(measuring, chase, bytes / LINE, LINE);

		curve->point[curve->n++] = (struct latency_point){
			bytes, cycles_of(measuring, time.ns), time.spread
		};
	}
	curve->steps = latency_steps(curve->point, curve->n, curve->step,
				     &curve->noise);
}

/* One line a page, less what as many lines side by side take */
static void
measure_pages(struct measuring *measuring, struct chase *chase,
	      struct latency_curve *curve)
{
	const struct calibration_plan *plan = measuring->plan;
	const struct latency_curve *caches = &measuring->out->caches;
	double first = caches->point[0].latency;
	unsigned n = points(plan, PAGES_LEAST, (double)plan->bytes / PAGE);

	for (unsigned i = 0; i < n; i++) {
		double pages = size_of(plan, PAGES_LEAST, i);
		struct chase_time time = time_of(measuring, chase, pages, PAGE);
		double data = calibration_penalty(caches, pages * LINE);
		double added = cycles_of(measuring, time.ns) - data;

		curve->point[curve->n++] = (struct latency_point){
			pages, added > first ? added : first, time.spread
		};
	}
	curve->steps = latency_steps(curve->point, curve->n, curve->step,
				     &curve->noise);
}

/* The middle of three draws of the chains */
static void
measure_overlap(struct measuring *measuring)
{
	struct chase_shape shape = {
		.n = measuring->plan->bytes / (size_t)PAGE,
		.step = (size_t)PAGE,
		.seconds = measuring->plan->seconds,
		.times = measuring->plan->times,
	};
	struct chase_time chained, beside;

	chase_run(measuring->small, &shape, &chained);
	tick(measuring);
	shape.free = true;
	chase_run(measuring->small, &shape, &beside);
	tick(measuring);
	measuring->out->overlap = beside.ns / chained.ns;
}

static unsigned
count(const struct measuring *measuring)
{
	const struct calibration_plan *plan = measuring->plan;
	unsigned pages = points(plan, PAGES_LEAST, (double)plan->bytes / PAGE);

	return points(plan, CACHE_LEAST, (double)plan->bytes) + 2 +
	       pages * (measuring->huge ? 2 : 1);
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
	struct measuring measuring = { .plan = plan, .out = calibration };
	int error;

	*calibration = (struct calibration){ .mhz = chase_clock() };
	error = open_buffers(&measuring);
	if (!error) {
		measuring.all = count(&measuring);
		measure_caches(&measuring);
		measure_pages(&measuring, measuring.small, &calibration->small);
		if (measuring.huge)
			measure_pages(&measuring, measuring.huge,
				      &calibration->huge);
		measure_overlap(&measuring);
	}
	chase_close(measuring.small);
	chase_close(measuring.huge);
	if (error)
		return error;
	calibration->fault_ns = chase_fault(CHASE_4K, plan->bytes / 4);
	if (!calibration->no_huge)
		calibration->huge_fault_ns =
			chase_fault(CHASE_2M, plan->bytes / 4);
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
