// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each sampled reference stands for 1 / rate references, at the rate of its
 * moment: the same as scaling counts down whenever the rate goes down.  What
 * these weights come to more or less than all references is of short distances
 * (SHARDS-adj): hot pages are in the sample or not.
 *
 * A sampled distance d stands for 1 + (d - 1) / rate pages: of the others above
 * a page the sample holds a share `rate`.
 *
 *	number of the page -> hash -> in the sample? -> number in the sample
 *	                       |                          -> distance, time since
 *	                       +-> part (32)                  -> bins of that part
 */
#include "models/analysis/sampled.h"

#include "analyzer/fail.h"
#include "models/analysis/reuse.h"
#include "models/memory/random.h"
#include "models/paging/references.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PARTS	    32u
#define NORMAL	    1.96
#define BIN_SHIFT   5 /* log2 of bins to an octave: 3 % */
#define BIN_STEP    (1u << BIN_SHIFT)
#define BINS	    ((60 - BIN_SHIFT) * BIN_STEP)
#define HASHES	    (UINT64_C(1) << 32)
#define NONE	    UINT32_MAX
#define PAGES_FIRST 1024u
#define RUN	    4096u

/* Weights, by distance or by time */
struct bins {
	double count[BINS], sum[BINS]; /* sum: of what is binned */
	double all, cold;
};

struct page {
	uint32_t hash;
	uint32_t number; /* among all pages */
	uint64_t last;	 /* access */
};

struct sampled {
	struct model model;
	struct sampled_config config;
	const struct stream *stream;
	struct references *references;
	struct reuse *reuse;
	uint64_t bound;	 /* hashes below it are in the sample */
	uint32_t *dense; /* owned: [room]: of each number, or NONE */
	uint32_t room;
	struct page *page; /* owned: [room_pages]; [n] and beyond are free */
	uint32_t room_pages;
	uint32_t *
		heap; /* owned: [room_pages] dense numbers, highest hash first */
	uint32_t n;   /* in the heap */
	uint32_t *freed; /* owned: [room_pages] */
	uint32_t n_freed, made;
	/* followed: references that came, of the sample or of pages that were */
	uint64_t accesses, fetches, followed, sampled, dropped, peak;
	struct bins *distance, *time; /* owned: [PARTS] */
	/* gathered, to be fed */
	uint32_t run[RUN];
	uint64_t access[RUN];
	uint32_t n_run;
};

static int
no_memory(void)
{
	return fail(ENOMEM, "sample: no memory");
}

/* --- bins ------------------------------------------------------------------ */

static ALWAYS_INLINE unsigned
bin_of(uint64_t number)
{
	uint64_t below = number - 1;
	unsigned top = 63u - (unsigned)__builtin_clzll(below | BIN_STEP);
	unsigned octave = top - BIN_SHIFT;

	return octave * BIN_STEP + (unsigned)(below >> octave);
}

/* The greatest number of the bin */
static double
bin_end(unsigned bin)
{
	unsigned octave = bin / BIN_STEP;

	if (!octave)
		return bin + 1;
	return ldexp(BIN_STEP + bin % BIN_STEP + 1, (int)octave - 1);
}

static double
bin_start(unsigned bin)
{
	return bin ? bin_end(bin - 1) : 0;
}

static ALWAYS_INLINE void
bins_add(struct bins *bins, uint64_t number, double weight)
{
	unsigned bin = bin_of(number);

	bins->count[bin] += weight;
	bins->sum[bin] += weight * (double)number;
	bins->all += weight;
}

/* How much is above a number; within a bin it is spread evenly. */
static double
bins_above(const struct bins *bins, double number)
{
	unsigned bin = number >= 1 ? bin_of((uint64_t)number) : 0;
	double start, end, above = 0;

	if (number < 1)
		return bins->all;
	start = bin_start(bin);
	end = bin_end(bin);
	for (unsigned i = bin + 1; i < BINS; i++)
		above += bins->count[i];
	return above + bins->count[bin] * (end - number) / (end - start);
}

/* --- who is in the sample -------------------------------------------------- */

static uint32_t
hash_of(const struct sampled *sampled, uint32_t number)
{
	uint64_t state = sampled->config.seed * UINT64_C(0x9e3779b97f4a7c15) +
			 number * UINT64_C(0xd1342543de82ef95);

	return (uint32_t)(random_next(&state) >> 32);
}

/* Its other bits */
static unsigned
part_of(uint32_t hash)
{
	return hash * UINT32_C(0x9e3779b1) >> 27;
}

static bool
sampled_wanted(const void *context, uint32_t number)
{
	const struct sampled *sampled = context;

	return hash_of(sampled, number) < sampled->bound;
}

static double
rate_of(const struct sampled *sampled)
{
	return (double)sampled->bound / (double)HASHES;
}

static int
make_numbers(struct sampled *sampled, uint32_t number)
{
	uint32_t room = sampled->room ? sampled->room : PAGES_FIRST, *dense;

	if (number < sampled->room)
		return 0;
	while (room <= number)
		room = room < UINT32_MAX / 2 ? 2 * room : UINT32_MAX;
	dense = reallocarray(sampled->dense, room, sizeof(*dense));
	if (!dense)
		return no_memory();
	memset(dense + sampled->room, 0xff,
	       (room - sampled->room) * sizeof(*dense));
	sampled->dense = dense;
	sampled->room = room;
	return 0;
}

static int
make_pages(struct sampled *sampled)
{
	uint32_t room =
		sampled->room_pages ? 2 * sampled->room_pages : PAGES_FIRST;
	struct page *page;
	uint32_t *heap, *freed;

	if (sampled->made < sampled->room_pages)
		return 0;
	page = reallocarray(sampled->page, room, sizeof(*page));
	sampled->page = page ? page : sampled->page;
	heap = reallocarray(sampled->heap, room, sizeof(*heap));
	sampled->heap = heap ? heap : sampled->heap;
	freed = reallocarray(sampled->freed, room, sizeof(*freed));
	sampled->freed = freed ? freed : sampled->freed;
	if (!page || !heap || !freed)
		return no_memory();
	sampled->room_pages = room;
	return 0;
}

static uint32_t
heap_hash(const struct sampled *sampled, uint32_t at)
{
	return sampled->page[sampled->heap[at]].hash;
}

static void
heap_add(struct sampled *sampled, uint32_t dense)
{
	uint32_t at = sampled->n++, parent;

	for (; at; at = parent) {
		parent = (at - 1) / 2;
		if (heap_hash(sampled, parent) >= sampled->page[dense].hash)
			break;
		sampled->heap[at] = sampled->heap[parent];
	}
	sampled->heap[at] = dense;
}

static uint32_t
heap_take(struct sampled *sampled)
{
	uint32_t top = sampled->heap[0], at = 0, child;
	uint32_t last = sampled->heap[--sampled->n];

	while ((child = 2 * at + 1) < sampled->n) {
		if (child + 1 < sampled->n &&
		    heap_hash(sampled, child + 1) > heap_hash(sampled, child))
			child++;
		if (heap_hash(sampled, child) <= sampled->page[last].hash)
			break;
		sampled->heap[at] = sampled->heap[child];
		at = child;
	}
	sampled->heap[at] = last;
	return top;
}

static void
forget(struct sampled *sampled, uint32_t dense)
{
	reuse_remove(sampled->reuse, dense);
	sampled->dense[sampled->page[dense].number] = NONE;
	sampled->freed[sampled->n_freed++] = dense;
}

/* Too many: the highest hashes go, and from now on none as high comes in. */
static void
lower_bound(struct sampled *sampled)
{
	sampled->bound = heap_hash(sampled, 0);
	while (sampled->n && heap_hash(sampled, 0) >= sampled->bound)
		forget(sampled, heap_take(sampled));
}

/* --- references ------------------------------------------------------------- */

static int
feed_run(struct sampled *sampled)
{
	double weight = 1 / rate_of(sampled);
	uint32_t distance[RUN];
	int error = reuse_feed(sampled->reuse, sampled->run, NULL,
			       sampled->n_run, distance);

	for (uint32_t i = 0; !error && i < sampled->n_run; i++) {
		struct page *page = &sampled->page[sampled->run[i]];
		unsigned part = part_of(page->hash);
		uint64_t gap = sampled->access[i] - page->last;

		page->last = sampled->access[i];
		if (distance[i] == REUSE_COLD) {
			sampled->distance[part].cold += weight;
			continue;
		}
		bins_add(&sampled->distance[part],
			 1 + (uint64_t)((distance[i] - 1) * weight), weight);
		bins_add(&sampled->time[part], gap ? gap : 1, weight);
	}
	sampled->sampled += sampled->n_run;
	sampled->n_run = 0;
	return error;
}

/* A page that is not in the sample: is it to be? */
static int
add_page(struct sampled *sampled, uint32_t number)
{
	uint32_t hash = hash_of(sampled, number), dense;
	int error;

	if (hash >= sampled->bound)
		return 0;
	if (sampled->n_freed) {
		dense = sampled->freed[--sampled->n_freed];
	} else {
		error = make_pages(sampled);
		if (error)
			return error;
		dense = sampled->made++;
	}
	sampled->page[dense] = (struct page){ .hash = hash, .number = number };
	sampled->dense[number] = dense;
	heap_add(sampled, dense);
	if (!sampled->config.pages || sampled->n <= sampled->config.pages)
		return 0;
	error = feed_run(sampled);
	if (!error)
		lower_bound(sampled);
	return error;
}

static int
take_references(void *context, const struct reclaim_batch *batch)
{
	struct sampled *sampled = context;
	uint32_t pages = references_pages(sampled->references);
	int error = pages ? make_numbers(sampled, pages - 1) : 0;

	if (pages - sampled->dropped > sampled->peak)
		sampled->peak = pages - sampled->dropped;
	sampled->followed += batch->n;
	for (uint32_t i = 0; !error && i < batch->n; i++) {
		uint32_t *dense = &sampled->dense[batch->page[i]];

		if (*dense == NONE)
			error = add_page(sampled, batch->page[i]);
		if (*dense == NONE || error)
			continue;
		sampled->run[sampled->n_run] = *dense;
		sampled->access[sampled->n_run++] = batch->access[i];
		if (sampled->n_run == RUN)
			error = feed_run(sampled);
	}
	return error ? error : feed_run(sampled);
}

/* The hash of a page that is given back stays in the sample. */
static int
take_drop(void *context, uint32_t number)
{
	struct sampled *sampled = context;
	uint64_t pages = references_pages(sampled->references);

	if (pages - sampled->dropped > sampled->peak)
		sampled->peak = pages - sampled->dropped;
	sampled->dropped++;
	if (number >= sampled->room || sampled->dense[number] == NONE)
		return 0;
	return reuse_drop(sampled->reuse, sampled->dense[number]);
}

static int
sampled_feed(struct model *model, const struct batch *batch)
{
	struct sampled *sampled = (struct sampled *)model;
	const struct references_sink sink = { sampled, take_references,
					      take_drop };
	int error = references_feed(sampled->references, batch, &sink);

	if (!sampled->config.fetches)
		for (uint32_t i = 0; i < batch->n; i++)
			sampled->fetches +=
				SITE_KIND(batch->site[i]) == SITE_FETCH;
	sampled->accesses += batch->n;
	return error;
}

static void
sampled_close(struct model *model)
{
	struct sampled *sampled = (struct sampled *)model;

	if (!sampled)
		return;
	references_close(sampled->references);
	reuse_close(sampled->reuse);
	free(sampled->dense);
	free(sampled->page);
	free(sampled->heap);
	free(sampled->freed);
	free(sampled->distance);
	free(sampled->time);
	free(sampled);
}

static const struct model_methods sampled_methods = {
	.feed = sampled_feed,
	.close = sampled_close,
};

int
sampled_open(struct model **out, const struct sampled_config *config,
	     const struct stream *stream)
{
	struct sampled *sampled = calloc(1, sizeof(*sampled));
	const struct references_config references = {
		.shift = config->shift,
		.fetches = config->fetches,
		.untimed = true,
		.wanted = sampled_wanted,
		.context = sampled,
	};
	int error;

	if (!sampled)
		return no_memory();
	sampled->model.methods = &sampled_methods;
	sampled->config = *config;
	sampled->stream = stream;
	sampled->bound = (uint64_t)llround(config->rate * (double)HASHES);
	sampled->bound = sampled->bound ? sampled->bound : 1;
	sampled->distance = calloc(PARTS, sizeof(*sampled->distance));
	sampled->time = calloc(PARTS, sizeof(*sampled->time));
	error = sampled->distance && sampled->time ? 0 : no_memory();
	if (!error)
		error = reuse_open(&sampled->reuse, false);
	if (!error)
		error = references_open(&sampled->references, &references,
					stream);
	if (error)
		sampled_close(&sampled->model);
	else
		*out = &sampled->model;
	return error;
}

void
sampled_view(const struct model *model, struct sampled_view *view)
{
	const struct sampled *sampled = (const struct sampled *)model;

	*view = (struct sampled_view){
		.accesses = sampled->accesses - sampled->fetches,
		.references = references_passed(sampled->references) +
			      sampled->followed,
		.cold = references_pages(sampled->references),
		.peak = sampled->peak,
		.sampled_references = sampled->sampled,
		.sampled_pages = sampled->n,
		.rate = rate_of(sampled),
	};
}

/* --- estimates -------------------------------------------------------------- */

/* The 97.5 % point of Student's t (Cornish, Fisher) */
static double
student(double degrees)
{
	return 1.96 + 2.37 / degrees + 2.82 / pow(degrees, 2) +
	       2.56 / pow(degrees, 3);
}

/*
 * Half of a jackknife's interval from what is left without each part.  Where a
 * few parts make most of the difference (a hot page is in one of them) there
 * are only so many degrees of freedom.
 */
static double
half_interval(const double without[PARTS])
{
	double mean = 0, squares = 0, fourths = 0;

	for (unsigned i = 0; i < PARTS; i++)
		mean += without[i] / PARTS;
	for (unsigned i = 0; i < PARTS; i++) {
		double square = (without[i] - mean) * (without[i] - mean);

		squares += square;
		fourths += square * square;
	}
	if (!(fourths > 0))
		return 0;
	return student(squares * squares / fourths) *
	       sqrt(squares * (PARTS - 1) / PARTS);
}

static double
between(double value, double low, double high)
{
	return fmin(fmax(value, low), high);
}

/* References beyond the first that miss in so many pages, and how sure that is */
static double
misses_above(const struct sampled *sampled, double pages, double *half)
{
	double part[PARTS], without[PARTS], all = 0;
	double rate = rate_of(sampled);

	for (unsigned i = 0; i < PARTS; i++)
		all += part[i] = bins_above(&sampled->distance[i], pages);
	for (unsigned i = 0; i < PARTS; i++)
		without[i] = (all - part[i]) * PARTS / (PARTS - 1);
	*half = half_interval(without) * sqrt(1 - rate);
	/* What none of a sample did may be up to three times what one stands
	 * for (95 %). */
	if (rate < 1)
		*half += 3 / rate;
	return all;
}

/* So many pages more or less than `size` may be those that a sample holds as
 * many of (binomial, 95 %). */
static double
size_off(const struct sampled *sampled, double size)
{
	double rate = rate_of(sampled);

	return NORMAL * sqrt(fmax(size, 1 / rate) * (1 - rate) / rate);
}

struct sampled_estimate
sampled_shards(const struct model *model, uint64_t pages)
{
	const struct sampled *sampled = (const struct sampled *)model;
	double size = (double)pages, half, off;
	struct sampled_view view;
	struct sampled_estimate estimate;
	double cold, most;

	sampled_view(model, &view);
	cold = (double)view.cold;
	most = (double)view.references;
	off = size_off(sampled, size);
	estimate.misses =
		between(cold + misses_above(sampled, size, &half), cold, most);
	estimate.low = misses_above(sampled, size + off, &half);
	estimate.low =
		between(cold + estimate.low - half, cold, estimate.misses);
	estimate.high =
		size - off < 1
			? most - cold
			: misses_above(sampled, size - off, &half) + half;
	estimate.high = between(cold + estimate.high, estimate.misses, most);
	if (pages >= view.peak)
		estimate = (struct sampled_estimate){ cold, cold, cold };
	return estimate;
}

/* The sum of all parts */
static void
merge(struct bins *to, const struct bins *part)
{
	memset(to, 0, sizeof(*to));
	for (unsigned i = 0; i < PARTS; i++) {
		for (unsigned bin = 0; bin < BINS; bin++) {
			to->count[bin] += part[i].count[bin];
			to->sum[bin] += part[i].sum[bin];
		}
		to->all += part[i].all;
	}
}

/* What all would be if the sample were without this part */
static void
leave_out(struct bins *to, const struct bins *all, const struct bins *part)
{
	const double scale = (double)PARTS / (PARTS - 1);

	for (unsigned bin = 0; bin < BINS; bin++) {
		to->count[bin] = (all->count[bin] - part->count[bin]) * scale;
		to->sum[bin] = (all->sum[bin] - part->sum[bin]) * scale;
	}
	to->all = (all->all - part->all) * scale;
}

/*
 * A page sinks by P(t) places in the moment t after its reference, so it has
 * sunk c places where the sum of P up to T is c, and the share of misses is
 * P(T).  P(t): the share of accesses whose page is not accessed again for t.
 */
static double
aet_misses(const struct bins *time, const struct sampled_view *view,
	   double pages)
{
	double accesses = (double)view->accesses, cold = (double)view->cold;
	/* of the others, the next one is to the same page */
	double at_once = accesses - cold - time->all;
	double above = time->all, below = 0, sunk = 0, before = 0;

	for (unsigned bin = 0; bin < BINS; bin++) {
		double end = bin_end(bin);

		before = sunk;
		below += time->sum[bin];
		above -= time->count[bin];
		sunk = (at_once + below + (above + cold) * end) / accesses;
		if (sunk >= pages) {
			double part = (pages - before) / (sunk - before);

			return cold + above +
			       (1 - between(part, 0, 1)) * time->count[bin];
		}
	}
	return cold;
}

struct sampled_estimate
sampled_aet(const struct model *model, uint64_t pages)
{
	const struct sampled *sampled = (const struct sampled *)model;
	double without[PARTS], half, cold, most, off;
	struct sampled_estimate estimate;
	struct sampled_view view;
	struct bins all, left;

	sampled_view(model, &view);
	cold = (double)view.cold;
	most = (double)view.references;
	if (pages >= view.peak)
		return (struct sampled_estimate){ cold, cold, cold };
	merge(&all, sampled->time);
	for (unsigned i = 0; i < PARTS; i++) {
		leave_out(&left, &all, &sampled->time[i]);
		without[i] = aet_misses(&left, &view, (double)pages);
	}
	half = half_interval(without);
	off = size_off(sampled, (double)pages);
	estimate.misses =
		between(aet_misses(&all, &view, (double)pages), cold, most);
	estimate.low = aet_misses(&all, &view, (double)pages + off) - half;
	estimate.low = between(estimate.low, cold, estimate.misses);
	estimate.high =
		(double)pages - off < 1
			? most
			: aet_misses(&all, &view, (double)pages - off) + half;
	estimate.high = between(estimate.high, estimate.misses, most);
	return estimate;
}
