// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Verdicts (memory.verdict), the first that holds:
 *
 *	no-accesses	there is nothing to say
 *	no-reuse	no page is referenced twice with others between: any
 *			memory does
 *	tiny		all of it fits into what nobody counts
 *	short		too few references to a page to know which it needs
 *	growing		new pages come to the end: what is said is a lower bound
 *	answer
 */
#include "models/analysis/memory-need.h"

#include <math.h>
#include <stdio.h>

#define TINY_BYTES (UINT64_C(1) << 20)
#define SHORT_USES 8   /* accesses a page */
#define LATE_SHARE 0.2 /* of all pages, in a quarter of the run */

struct need {
	const struct memory_curve *curve;
	const struct memory_need_config *config;
	struct result *result;
};

static double
between(double x, double x0, double y0, double x1, double y1)
{
	return x1 > x0 ? y0 + (x - x0) / (x1 - x0) * (y1 - y0) : y1;
}

/* The point at or above this size; n: there is none */
static size_t
point_above(const struct memory_curve *curve, double pages)
{
	size_t low = 0, high = curve->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if ((double)curve->point[middle].pages < pages)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Misses and write-backs with so many pages, which may be no whole number */
static void
load_at(const struct need *need, double pages, struct thrash_load *load)
{
	const struct memory_curve *curve = need->curve;
	size_t i = point_above(curve, pages);
	const struct memory_point nothing = { 0, (double)curve->accesses, 0, 0,
					      0 };
	const struct memory_point *above, *below;
	double misses;

	*load = (struct thrash_load){ .accesses = (double)curve->accesses };
	if (i < curve->n) {
		above = &curve->point[i];
		below = i ? above - 1 : &nothing;
		misses = between(pages, (double)below->pages, below->misses,
				 (double)above->pages, above->misses);
		load->writebacks =
			between(pages, (double)below->pages, below->writebacks,
				(double)above->pages, above->writebacks);
		if (curve->misses)
			misses = (double)curve->misses[(uint64_t)pages];
	} else {
		misses = (double)curve->cold;
	}
	load->faults = misses - (need->config->cold ? 0 : (double)curve->cold);
	if (load->faults < 0)
		load->faults = 0;
}

/* Slowdown of a run alone that misses so often at this size */
static double
slowdown_of(const struct need *need, double pages, double misses)
{
	struct thrash_load load;
	struct thrash thrash;

	load_at(need, pages, &load);
	if (!isnan(misses)) {
		double cold =
			need->config->cold ? 0 : (double)need->curve->cold;

		load.faults = misses > cold ? misses - cold : 0;
	}
	thrash_together(&thrash, &load, &need->config->thrash, 1);
	return thrash.slowdown;
}

/* The fewest pages that slow it down by at most so much; 0: none do */
static uint64_t
pages_for(const struct need *need, double slowdown)
{
	const struct memory_curve *curve = need->curve;
	uint64_t low, high;
	size_t i = 0;

	while (i < curve->n &&
	       slowdown_of(need, (double)curve->point[i].pages, NAN) > slowdown)
		i++;
	if (i == curve->n)
		return 0;
	high = curve->point[i].pages;
	low = i ? curve->point[i - 1].pages : 0;
	while (curve->misses && low + 1 < high) {
		uint64_t middle = low + (high - low) / 2;

		if (slowdown_of(need, (double)middle, NAN) > slowdown)
			low = middle;
		else
			high = middle;
	}
	return high;
}

/* The same of one end of the interval; 0: not known */
static uint64_t
pages_of_band(const struct need *need, double slowdown, bool high)
{
	const struct memory_curve *curve = need->curve;

	for (size_t i = 0; i < curve->n; i++) {
		const struct memory_point *point = &curve->point[i];
		double misses = high ? point->high : point->low;

		if (isnan(misses))
			return 0;
		if (slowdown_of(need, (double)point->pages, misses) <= slowdown)
			return point->pages;
	}
	return high ? curve->peak : 0;
}

static int
put_bytes(const struct need *need, const char *name, const char *part,
	  uint64_t pages, const char *reason)
{
	char full[64];

	snprintf(full, sizeof(full), "%s%s", name, part);
	return pages ? result_count(need->result, full,
				    pages * need->curve->page_bytes, "bytes")
		     : result_absent(need->result, full, reason);
}

static const char no_interval[] =
	"the run has too few blocks of time, or sizes between their bins";

static int
put_need(const struct need *need, const char *name, double slowdown)
{
	uint64_t pages = pages_for(need, slowdown);
	uint64_t low = pages_of_band(need, slowdown, false);
	uint64_t high = pages_of_band(need, slowdown, true);
	const char *reason = "even with all of its pages it is slower: its "
			     "first references wait";
	int error = put_bytes(need, name, ".bytes", pages, reason);
	struct thrash_load load;
	char faults[64];

	if (!error && pages) {
		load_at(need, (double)pages, &load);
		snprintf(faults, sizeof(faults), "%s.faults", name);
		error = result_real(need->result, faults, load.faults, "pages");
	}

	/* Bins are coarser than the curve. */
	if (!pages || !low || !high)
		low = high = 0;
	else if (low > pages)
		low = pages;
	if (high && high < pages)
		high = pages;
	if (!error)
		error = put_bytes(need, name, ".low", low, no_interval);
	return error ? error
		     : put_bytes(need, name, ".high", high, no_interval);
}

static int
put_knee(const struct need *need)
{
	const struct memory_curve *curve = need->curve;
	const char *reason = "memory times faults falls to the last page";
	uint64_t low = curve->knee_low, high = curve->knee_high;
	int error =
		put_bytes(need, "memory.knee", ".bytes", curve->knee, reason);

	if (!curve->knee || !low)
		low = high = 0;
	else if (low > curve->knee)
		low = curve->knee;
	if (high && high < curve->knee)
		high = curve->knee;
	if (!error)
		error = put_bytes(need, "memory.knee", ".low", low,
				  curve->knee ? no_interval : reason);
	return error ? error
		     : put_bytes(need, "memory.knee", ".high", high,
				 curve->knee ? no_interval : reason);
}

static const char *
verdict(const struct memory_curve *curve)
{
	double first = curve->n ? curve->point[0].misses : 0;

	if (!curve->accesses)
		return "no-accesses";
	if (first <= (double)curve->cold && curve->peak > 1)
		return "no-reuse";
	if (curve->peak * curve->page_bytes <= TINY_BYTES)
		return "tiny";
	if (curve->accesses < SHORT_USES * curve->cold)
		return "short";
	return curve->late > LATE_SHARE ? "growing" : "answer";
}

/* By memory, of one process */
static int
put_alone(const struct need *need)
{
	static const char *const columns[] = { "bytes:bytes", "faults:pages",
					       "slowdown:",   "utilisation:",
					       "stall:",      NULL };
	const struct memory_curve *curve = need->curve;
	struct thrash_load load;
	struct thrash thrash;
	int error = result_table(
		need->result, "thrash",
		"A process alone, by memory: faults that wait for the device, "
		"how much longer it runs, shares of time that the processor "
		"works and that all waits",
		columns);

	for (size_t i = 0; !error && i < curve->n; i++) {
		double pages = (double)curve->point[i].pages;

		load_at(need, pages, &load);
		thrash_together(&thrash, &load, &need->config->thrash, 1);
		error = result_row(need->result, "thrash", "udddd",
				   curve->point[i].pages * curve->page_bytes,
				   load.faults, thrash.slowdown,
				   thrash.utilisation, thrash.full);
	}
	return error;
}

/* Where a number of processes is best, and where they thrash */
struct peak {
	unsigned best, collapse;
	double utilisation;
};

static void
peak_add(struct peak *peak, unsigned processes, double utilisation)
{
	/* as good as the best, with more of them */
	if (utilisation >= 0.99 * peak->utilisation && !peak->collapse) {
		peak->best = processes;
		if (utilisation > peak->utilisation)
			peak->utilisation = utilisation;
	} else if (utilisation < 0.5 * peak->utilisation && !peak->collapse) {
		peak->collapse = processes;
	}
}

static int
put_mix(const struct need *need, uint64_t bytes, struct peak *peak)
{
	static const char *const columns[] = { "processes:processes",
					       "bytes:bytes",
					       "faults:pages",
					       "utilisation:",
					       "device:",
					       "throughput:",
					       "some:",
					       "full:",
					       NULL };
	struct thrash_load load;
	struct thrash thrash;
	int error = result_table(
		need->result, "multiprogramming",
		"So many such processes that share a memory evenly: bytes and "
		"faults of each, shares of time that processors and device "
		"work, work done (1: one process without faults), shares of "
		"time that some or all wait",
		columns);

	for (unsigned n = 1; !error && n <= need->config->processes; n++) {
		double pages =
			(double)bytes / n / (double)need->curve->page_bytes;

		load_at(need, floor(pages), &load);
		thrash_together(&thrash, &load, &need->config->thrash, n);
		peak_add(peak, n, thrash.utilisation);
		error = result_row(need->result, "multiprogramming", "uudddddd",
				   (uint64_t)n, bytes / n, load.faults,
				   thrash.utilisation, thrash.device,
				   thrash.throughput, thrash.some, thrash.full);
	}
	return error;
}

static int
put_together(const struct need *need)
{
	const struct memory_curve *curve = need->curve;
	uint64_t pages = curve->knee ? curve->knee : curve->peak;
	uint64_t bytes = need->config->memory_bytes;
	struct peak peak = { 0 };
	int error;

	if (!bytes)
		bytes = 4 * pages * curve->page_bytes;
	error = put_mix(need, bytes, &peak);
	if (!error)
		error = result_count(need->result, "thrash.memory.bytes", bytes,
				     "bytes");
	if (!error)
		error = result_count(need->result, "thrash.processes.best",
				     peak.best, "processes");
	if (error)
		return error;
	return peak.collapse
		       ? result_count(need->result, "thrash.processes.collapse",
				      peak.collapse, "processes")
		       : result_absent(need->result,
				       "thrash.processes.collapse",
				       "processors stay at least half as busy "
				       "as at best, with as many as were "
				       "tried");
}

static int
put_costs(const struct thrash_config *config, struct result *result)
{
	int error = result_real(result, "thrash.cpu.ns", config->cpu_ns, "ns");

	if (!error)
		error = result_real(result, "thrash.read.ns", config->read_ns,
				    "ns");
	if (!error)
		error = result_real(result, "thrash.write.ns", config->write_ns,
				    "ns");
	return error ? error
		     : result_count(result, "thrash.processors",
				    config->processors, "processors");
}

int
memory_need_finish(const struct memory_curve *curve,
		   const struct memory_need_config *config,
		   struct result *result)
{
	const struct need need = { curve, config, result };
	int error = result_text(result, "memory.verdict", verdict(curve));

	if (error || !curve->n || !curve->accesses)
		return error;
	error = put_costs(&config->thrash, result);
	if (!error)
		error = put_knee(&need);
	if (!error)
		error = put_need(&need, "memory.slowdown.1", 1.01);
	if (!error)
		error = put_need(&need, "memory.slowdown.10", 1.1);
	if (!error)
		error = put_need(&need, "memory.slowdown.100", 2);
	if (!error && !isnan(curve->late))
		error = result_real(result, "memory.late", curve->late, "");
	if (!error)
		error = put_alone(&need);
	return error ? error : put_together(&need);
}
