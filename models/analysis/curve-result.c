// SPDX-License-Identifier: GPL-2.0-or-later
#include "models/analysis/curve-result.h"

#include "models/analysis/knee.h"

#include <math.h>
#include <stdlib.h>

#define GROUPS_SHOWN 5u

/* The whole of one pass: misses[peak + 1] and write-backs */
struct all_sizes {
	uint64_t *misses, *writebacks; /* owned */
	uint32_t peak;
};

static int
all_sizes_init(struct all_sizes *all, const struct reuse *reuse)
{
	size_t n;

	all->peak = reuse_peak(reuse);
	n = (size_t)all->peak + 1;
	all->misses = calloc(n, sizeof(*all->misses));
	all->writebacks = calloc(n, sizeof(*all->writebacks));
	if (!all->misses || !all->writebacks) {
		free(all->misses);
		free(all->writebacks);
		return -ENOMEM;
	}
	reuse_misses(reuse, all->misses, all->writebacks);
	return 0;
}

static void
all_sizes_fini(struct all_sizes *all)
{
	free(all->misses);
	free(all->writebacks);
}

size_t
curve_result_sizes(uint64_t peak, uint64_t size[OCTAVES_BINS])
{
	size_t n = 0;

	if (!peak)
		return 0;
	for (unsigned bin = 0; octaves_end(bin) < peak; bin++)
		size[n++] = octaves_end(bin);
	size[n++] = peak;
	return n;
}

int
curve_result_table(struct result *result)
{
	static const char *const columns[] = {
		"policy:",     "bytes:bytes",
		"pages:pages", "misses:misses",
		"ratio:",      "writebacks:pages",
		"low:misses",  "high:misses",
		"of:",	       NULL
	};

	return result_table(result, "curve",
			    "Misses of replacement policies by size of memory; "
			    "ratio: of the accesses; low, high: a 95 % "
			    "interval where they are estimated; of: the thread "
			    "or other part of the run",
			    columns);
}

static double
ratio(uint64_t misses, uint64_t accesses)
{
	return accesses ? (double)misses / (double)accesses : 0;
}

static int
lru_row(const struct all_sizes *all, const struct curve_view *view,
	uint64_t bytes, uint64_t pages, struct result *result)
{
	uint64_t at = pages < all->peak ? pages : all->peak;

	return result_row(result, "curve", "suuudunnn", "lru", bytes, pages,
			  all->misses[at],
			  ratio(all->misses[at], view->accesses),
			  all->writebacks[at]);
}

int
curve_result_lru(const struct model *model,
		 const struct curve_result_rows *rows, struct result *result)
{
	uint64_t size[OCTAVES_BINS];
	struct all_sizes all;
	struct curve_view view;
	size_t n = rows->n;
	int error;

	curve_view(model, &view);
	error = all_sizes_init(&all, view.reuse);
	if (error)
		return error;
	if (!n)
		n = curve_result_sizes(all.peak, size);
	for (size_t i = 0; !error && i < n; i++) {
		uint64_t bytes =
			rows->n ? rows->bytes[i] : size[i] << rows->shift;

		error = lru_row(&all, &view, bytes, bytes >> rows->shift,
				result);
	}
	all_sizes_fini(&all);
	return error;
}

int
curve_result_simulated(const struct model *model,
		       const struct curve_result_rows *rows, const char *policy,
		       const struct simulation *simulation,
		       struct result *result)
{
	struct curve_view view;
	int error = 0;

	curve_view(model, &view);
	for (size_t i = 0; !error && i < rows->n; i++) {
		const struct reclaim_counts *counts = &simulation[i].counts;
		double share = ratio(counts->misses, view.accesses);

		if (rows->shift)
			error = result_row(result, "curve", "suuudunnn", policy,
					   rows->bytes[i],
					   rows->bytes[i] >> rows->shift,
					   counts->misses, share,
					   counts->writebacks);
		else
			error = result_row(result, "curve", "sunudunnn", policy,
					   rows->bytes[i], counts->misses,
					   share, counts->writebacks);
	}
	return error;
}

static int
put_sets(const struct curve_view *view, uint64_t page_bytes,
	 struct result *result)
{
	static const char *const columns[] = { "window:accesses", "pages:pages",
					       "bytes:bytes",
					       "missing:", NULL };
	int error = result_table(
		result, "working.set",
		"Denning's working set: pages that the last accesses touched, "
		"on average, by their number; missing: how often the next "
		"access is to none of them",
		columns);
	uint64_t window;

	for (unsigned i = 0;
	     !error && (window = working_set_time(view->set, i)); i++) {
		double pages = working_set_pages(view->set, i);

		error = result_row(result, "working.set", "uddd", window, pages,
				   pages * (double)page_bytes,
				   working_set_missing(view->set, i));
	}
	return error;
}

struct share {
	unsigned group;
	uint64_t touched;
};

/* The most first */
static int
by_share(const void *a, const void *b)
{
	const struct share *x = a, *y = b;

	if (x->touched != y->touched)
		return x->touched < y->touched ? 1 : -1;
	return (x->group > y->group) - (x->group < y->group);
}

static void
find_shares(const struct working_set *set, struct share *share)
{
	unsigned n = working_set_windows(set);

	for (unsigned group = 0; group < WORKING_SET_GROUPS; group++) {
		share[group] = (struct share){ .group = group };
		for (unsigned i = 0; i < n; i++)
			share[group].touched +=
				working_set_touched(set, i, group);
	}
	qsort(share, WORKING_SET_GROUPS, sizeof(*share), by_share);
}

/* One window: of the mappings that use most, and of all others together */
static int
put_window(const struct model *model, const struct curve_view *view,
	   const struct share *share, unsigned window, struct result *result)
{
	uint64_t start = window * working_set_window(view->set), rest = 0;
	int error = 0;

	for (unsigned i = 0; !error && i < WORKING_SET_GROUPS; i++) {
		uint64_t pages =
			working_set_touched(view->set, window, share[i].group);
		const char *name = curve_group(model, share[i].group);

		if (i >= GROUPS_SHOWN || !name || !*name)
			rest += pages;
		else if (share[i].touched)
			error = result_row(result, "working.set.time", "usu",
					   start, name, pages);
	}
	if (!error && share[GROUPS_SHOWN].touched)
		error = result_row(result, "working.set.time", "usu", start,
				   "others", rest);
	return error;
}

static int
put_windows(const struct model *model, const struct curve_view *view,
	    struct result *result)
{
	static const char *const columns[] = { "accesses:accesses",
					       "mapping:", "pages:pages",
					       NULL };
	struct share share[WORKING_SET_GROUPS];
	unsigned n = working_set_windows(view->set);
	int error = result_table(
		result, "working.set.time",
		"Different pages that each window of the run touched, by "
		"mapping; where the window begins",
		columns);

	find_shares(view->set, share);
	for (unsigned i = 0; !error && i < n; i++)
		error = put_window(model, view, share, i, result);
	return error ? error
		     : result_count(result, "working.set.window",
				    working_set_window(view->set), "accesses");
}

/* Share of all first references that came in the last quarter; NAN: the blocks
 * are too few */
static double
late_share(const struct blocks *blocks, uint64_t accesses)
{
	unsigned n = blocks_number(blocks, accesses);
	uint64_t all = 0, late = 0;

	for (unsigned i = 0; i < n; i++) {
		all += blocks->block[i].cold;
		if (i >= n - n / 4)
			late += blocks->block[i].cold;
	}
	return n < 4 || !all ? NAN : (double)late / (double)all;
}

static void
fill_points(struct memory_point *point, size_t n, const uint64_t *size,
	    const struct all_sizes *all, const struct knee_band *band)
{
	for (size_t i = 0; i < n; i++) {
		unsigned bin = octaves_bin(size[i]);
		bool known = band->known;

		point[i] = (struct memory_point){
			.pages = size[i],
			.misses = (double)all->misses[size[i]],
			.writebacks = (double)all->writebacks[size[i]],
			.low = known ? band->low[bin] : NAN,
			.high = known ? band->high[bin] : NAN,
		};
	}
}

static int
put_points(const struct memory_curve *curve, struct result *result)
{
	static const char *const columns[] = { "bytes:bytes",
					       "pages:pages",
					       "misses:misses",
					       "writebacks:pages",
					       "low:misses",
					       "high:misses",
					       NULL };
	int error = result_table(
		result, "memory.curve",
		"LRU by size of memory; low, high: a 90 % interval of the "
		"misses from the run's blocks of time",
		columns);

	for (size_t i = 0; !error && i < curve->n; i++) {
		const struct memory_point *point = &curve->point[i];

		error = result_row(result, "memory.curve",
				   isnan(point->low) ? "uuuunn" : "uuuudd",
				   point->pages * curve->page_bytes,
				   point->pages, (uint64_t)point->misses,
				   (uint64_t)point->writebacks, point->low,
				   point->high);
	}
	return error;
}

static int
put_need(const struct curve_view *view, const struct all_sizes *all,
	 const struct curve_result_config *config, struct result *result)
{
	struct memory_point point[OCTAVES_BINS];
	uint64_t size[OCTAVES_BINS];
	struct knee_band band;
	struct memory_curve curve = {
		.page_bytes = UINT64_C(1) << config->shift,
		.accesses = view->accesses,
		.cold = reuse_cold(view->reuse),
		.peak = all->peak,
		.point = point,
		.n = curve_result_sizes(all->peak, size),
		.misses = all->misses,
		.knee = knee_find(all->misses, all->peak, view->accesses),
		.late = late_share(view->blocks, view->accesses),
	};
	const struct knee_run run = { view->accesses, curve.cold, all->peak };
	int error = knee_band(&band, view->blocks, &run, config->seed);

	if (error)
		return error;
	fill_points(point, curve.n, size, all, &band);
	curve.knee_low = band.knee_low;
	curve.knee_high = band.knee_high;
	error = put_points(&curve, result);
	return error ? error
		     : memory_need_finish(&curve, &config->need, result);
}

static int
put_counts(const struct curve_view *view,
	   const struct curve_result_config *config, struct result *result)
{
	uint64_t cold = reuse_cold(view->reuse);
	uint64_t peak = reuse_peak(view->reuse);
	uint64_t bytes =
		config->objects ? view->object_bytes : peak << config->shift;
	int error =
		result_count(result, "accesses", view->accesses, "accesses");

	if (!error)
		error = result_text(result, "curve.unit", config->unit);
	if (!error)
		error = result_count(result, "curve.page.bytes",
				     UINT64_C(1) << config->shift, "bytes");
	if (!error)
		error = result_count(result, "curve.references",
				     reuse_references(view->reuse),
				     "references");
	if (!error)
		error = result_count(result, "curve.cold", cold, "misses");
	if (!error)
		error = result_count(result, "footprint.pages", peak,
				     config->objects ? "objects" : "pages");
	return error ? error
		     : result_count(result, "footprint.bytes", bytes, "bytes");
}

int
curve_result_values(const struct model *model,
		    const struct curve_result_config *config,
		    struct result *result)
{
	struct all_sizes all;
	struct curve_view view;
	int error;

	curve_view(model, &view);
	error = put_counts(&view, config, result);
	if (!error && view.set)
		error = put_sets(&view, UINT64_C(1) << config->shift, result);
	if (!error && view.set)
		error = put_windows(model, &view, result);
	if (error)
		return error;
	if (config->objects)
		return result_absent(result, "memory.verdict",
				     "objects are no pages");
	error = all_sizes_init(&all, view.reuse);
	if (!error) {
		error = put_need(&view, &all, config, result);
		all_sizes_fini(&all);
	}
	return error;
}
