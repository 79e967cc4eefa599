// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Groups of samples by one property each, and by site (event, program,
 * instruction, operation) in a hash; see samples.h.
 */
#include "models/analysis/samples.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "models/analysis/ranges.h"

#define SHIFTS	       64
#define SITES_REPORTED 4096

/* A group of samples */
struct group {
	uint64_t samples, walks;   /* walks: missed all TLBs */
	uint64_t known;		   /* of which the translation is known */
	double estimate, squares;  /* of the periods */
	uint64_t timed, latency;   /* samples with a latency; its cycles */
	uint64_t refilled, refill; /* the same for translations */
};

struct sample_site {
	uint64_t ip;
	uint32_t event; /* file number of its name */
	uint16_t image;
	uint8_t op;
	bool used;
	struct group group;
};

struct samples {
	struct model model;
	const struct stream *stream;
	struct ranges *ranges;
	struct group all, tlb[8], level[16], page[SHIFTS];
	struct group *mapping, *event; /* owned: by file number + 1, by file */
	uint32_t n_files;	       /* of both */
	struct sample_site *site;      /* owned: an open hash */
	size_t n_sites, max_sites;     /* a power of two */
};

static void
group_add(struct group *group, const struct event *event)
{
	unsigned tlb = SAMPLE_TLB(event->flags);
	uint64_t latency = event->length & UINT32_MAX;
	uint64_t refill = event->length >> 32;
	double period = event->extra ? (double)event->extra : 1;

	group->samples++;
	group->known += tlb != 0;
	group->walks += tlb == SAMPLE_TLB_WALK || tlb == SAMPLE_TLB_FAULT;
	group->estimate += period;
	group->squares += period * period;
	group->timed += latency != 0;
	group->latency += latency;
	group->refilled += refill != 0;
	group->refill += refill;
}

static int
grow_files(struct samples *samples)
{
	uint32_t n = stream_files(samples->stream);
	struct group *mapping, *event;

	if (n <= samples->n_files && samples->mapping)
		return 0;
	mapping = reallocarray(samples->mapping, n + 1u, sizeof(*mapping));
	if (mapping)
		samples->mapping = mapping;
	event = reallocarray(samples->event, n + 1u, sizeof(*event));
	if (event)
		samples->event = event;
	if (!mapping || !event)
		return fail(ENOMEM, "samples: no memory");
	if (!samples->n_files)
		memset(mapping, 0, sizeof(*mapping));
	memset(mapping + samples->n_files + 1, 0,
	       (n - samples->n_files) * sizeof(*mapping));
	memset(event + samples->n_files, 0,
	       (n + 1 - samples->n_files) * sizeof(*event));
	samples->n_files = n;
	return 0;
}

static size_t
site_slot(const struct sample_site *site, size_t max,
	  const struct sample_site *key)
{
	uint64_t hash = (key->ip ^ (uint64_t)key->event << 48 ^
			 (uint64_t)key->image << 56 ^ key->op) *
			UINT64_C(11400714819323198485);
	size_t i = (size_t)(hash >> 20) & (max - 1);

	while (site[i].used &&
	       (site[i].ip != key->ip || site[i].event != key->event ||
		site[i].image != key->image || site[i].op != key->op))
		i = (i + 1) & (max - 1);
	return i;
}

static int
grow_sites(struct samples *samples)
{
	size_t max = samples->max_sites ? 2 * samples->max_sites : 1024;
	struct sample_site *site;

	if (2 * samples->n_sites < samples->max_sites)
		return 0;
	site = calloc(max, sizeof(*site));
	if (!site)
		return fail(ENOMEM, "samples: no memory");
	for (size_t i = 0; i < samples->max_sites; i++)
		if (samples->site[i].used)
			site[site_slot(site, max, &samples->site[i])] =
				samples->site[i];
	free(samples->site);
	samples->site = site;
	samples->max_sites = max;
	return 0;
}

static int
add_site(struct samples *samples, uint32_t space, const struct event *event)
{
	struct sample_site key = {
		.ip = event->value,
		.event = event->file,
		.image = stream_space(samples->stream, space)->image,
		.op = (uint8_t)SAMPLE_OP(event->flags),
		.used = true,
	};
	struct sample_site *site;
	int error = grow_sites(samples);

	if (error)
		return error;
	site = &samples->site[site_slot(samples->site, samples->max_sites,
					&key)];
	if (!site->used) {
		*site = key;
		samples->n_sites++;
	}
	group_add(&site->group, event);
	return 0;
}

static int
add(struct samples *samples, uint32_t space, const struct event *event)
{
	int error = grow_files(samples);
	uint32_t file;

	if (!error)
		error = add_site(samples, space, event);
	if (error)
		return error;
	if (event->file < samples->n_files)
		group_add(&samples->event[event->file], event);
	/* A plain event has no more to tell */
	if (!event->flags)
		return 0;
	group_add(&samples->all, event);
	group_add(&samples->tlb[SAMPLE_TLB(event->flags)], event);
	group_add(&samples->level[SAMPLE_LEVEL(event->flags)], event);
	group_add(&samples->page[SAMPLE_SHIFT(event->flags)], event);
	file = ranges_find(samples->ranges, space, event->address);
	group_add(&samples->mapping[file < samples->n_files ? file + 1 : 0],
		  event);
	return 0;
}

static int
samples_feed(struct model *model, const struct batch *batch)
{
	struct samples *samples = (struct samples *)model;
	uint32_t space = batch->space;
	int error = 0;

	for (uint32_t i = 0; i < batch->n_events && !error; i++) {
		const struct event *event = &batch->event[i];

		if (event->type == EVENT_SAMPLE)
			error = add(samples, space, event);
		else
			error = ranges_follow(samples->ranges, space, event);
		/* What follows an exec in this batch is the new program's */
		if (event->type == EVENT_EXEC)
			space = (uint32_t)event->value;
	}
	return error;
}

static double
mean(uint64_t sum, uint64_t n)
{
	return n ? (double)sum / (double)n : NAN;
}

/* The standard error of a share, in percent */
static double
error_of(uint64_t part, uint64_t whole)
{
	double p = mean(part, whole);

	return 100 * sqrt(p * (1 - p) / (double)whole);
}

static int
put_group(struct result *result, const char *table, const char *name,
	  const struct group *group, uint64_t whole)
{
	return result_row(result, table, "suddududdd", name, group->samples,
			  100 * mean(group->samples, whole),
			  error_of(group->samples, whole), group->walks,
			  100 * mean(group->walks, group->known), group->known,
			  error_of(group->walks, group->known),
			  mean(group->latency, group->timed),
			  mean(group->refill, group->refilled));
}

static int
put_groups(struct result *result, const char *table, const char *help)
{
	static const char *const columns[] = { "what:",
					       "samples:samples",
					       "share:percent",
					       "error:percent",
					       "walks:samples",
					       "walk_share:percent",
					       "known:samples",
					       "walk_error:percent",
					       "latency:cycles",
					       "translation:cycles",
					       NULL };

	return result_table(result, table, help, columns);
}

static const char *const tlb_names[8] = {
	"unknown",
	"first-level hit",
	"second-level hit",
	"hit of either level",
	"page walk",
	"the kernel",
	"missed the first, then unknown",
};

static const char *const level_names[16] = {
	"unknown",
	"L1",
	"line underway",
	"L2",
	"L3",
	"L4",
	"a cache",
	"another node's cache",
	"memory",
	"another node's memory",
	"persistent memory",
	"CXL memory",
	"I/O",
	"uncached",
};

static int
put_fixed(const struct samples *samples, struct result *result)
{
	int error = put_groups(result, "samples.translation",
			       "samples by how the address was translated");

	for (size_t i = 0; i < 8 && !error; i++)
		if (samples->tlb[i].samples && tlb_names[i])
			error = put_group(result, "samples.translation",
					  tlb_names[i], &samples->tlb[i],
					  samples->all.samples);
	if (!error)
		error = put_groups(result, "samples.levels",
				   "samples by where the data came from");
	for (size_t i = 0; i < 16 && !error; i++)
		if (samples->level[i].samples && level_names[i])
			error = put_group(result, "samples.levels",
					  level_names[i], &samples->level[i],
					  samples->all.samples);
	return error;
}

static int
put_pages(const struct samples *samples, struct result *result)
{
	int error = put_groups(result, "samples.pages",
			       "samples by the size of the page");

	for (unsigned i = 0; i < SHIFTS && !error; i++) {
		static const char units[] = "bkmgtpe";
		char name[24] = "unknown";

		if (!samples->page[i].samples)
			continue;
		if (i)
			snprintf(name, sizeof(name), "%u%c", 1u << i % 10,
				 units[i / 10]);
		error = put_group(result, "samples.pages", name,
				  &samples->page[i], samples->all.samples);
	}
	return error;
}

/* A group with its place in the order before */
struct ranked {
	const struct group *group;
	const struct sample_site *site; /* or NULL */
	const char *name;
};

static int
descending(uint64_t a, uint64_t b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

static int
rank(const void *left, const void *right)
{
	const struct ranked *a = left, *b = right;
	int order = descending(a->group->walks, b->group->walks);

	if (!order)
		order = descending(a->group->samples, b->group->samples);
	if (!order && a->site) {
		order = descending(b->site->event, a->site->event);
		if (!order)
			order = descending(b->site->image, a->site->image);
		if (!order)
			order = descending(b->site->ip, a->site->ip);
		if (!order)
			order = descending(b->site->op, a->site->op);
		return order;
	}
	return order ? order : strcmp(a->name, b->name);
}

static int
put_mappings(const struct samples *samples, struct result *result)
{
	struct ranked *ranked = calloc(samples->n_files + 1u, sizeof(*ranked));
	size_t n = 0;
	int error = ranked ? put_groups(result, "samples.mappings",
					"samples by what is mapped at their "
					"data address")
			   : -ENOMEM;

	for (uint32_t i = 0; ranked && i <= samples->n_files; i++)
		if (samples->mapping[i].samples)
			ranked[n++] = (struct ranked){
				&samples->mapping[i], NULL,
				i ? stream_file(samples->stream, i - 1)->path
				  : "[anonymous]"
			};
	if (n)
		qsort(ranked, n, sizeof(*ranked), rank);
	for (size_t i = 0; i < n && !error; i++)
		error = put_group(result, "samples.mappings", ranked[i].name,
				  ranked[i].group, samples->all.samples);
	free(ranked);
	return error;
}

static const char *
sampled_event(const struct samples *samples, uint32_t file)
{
	return file < stream_files(samples->stream)
		       ? stream_file(samples->stream, file)->path
		       : "";
}

static int
put_sites(const struct samples *samples, struct result *result)
{
	static const char *const columns[] = { "event:",
					       "image:",
					       "pc:",
					       "op:",
					       "samples:samples",
					       "walks:samples",
					       "known:samples",
					       "estimate:times",
					       "error:times",
					       "cycles:cycles",
					       NULL };
	static const char *const ops[] = { "", "load", "store", "other" };
	struct ranked *ranked = calloc(samples->n_sites + 1, sizeof(*ranked));
	size_t n = 0;
	int error = ranked ? result_table(result, "samples.sites",
					  "instructions by the walks of their "
					  "samples; cycles: of all latencies",
					  columns)
			   : -ENOMEM;

	for (size_t i = 0; ranked && i < samples->max_sites; i++)
		if (samples->site[i].used)
			ranked[n++] = (struct ranked){ &samples->site[i].group,
						       &samples->site[i], "" };
	if (n)
		qsort(ranked, n, sizeof(*ranked), rank);
	for (size_t i = 0; i < n && i < SITES_REPORTED && !error; i++) {
		const struct sample_site *site = ranked[i].site;
		const struct group *group = ranked[i].group;

		error = result_row(result, "samples.sites", "suusuuuddu",
				   sampled_event(samples, site->event),
				   (uint64_t)site->image, site->ip,
				   ops[site->op], group->samples, group->walks,
				   group->known, group->estimate,
				   sqrt(group->squares), group->latency);
	}
	free(ranked);
	return error;
}

static int
put_events(const struct samples *samples, struct result *result)
{
	static const char *const columns[] = { "event:", "samples:samples",
					       "estimate:times", "error:times",
					       NULL };
	int error = result_table(result, "samples.events",
				 "samples by event, and how many times they "
				 "stand for",
				 columns);

	for (uint32_t i = 0; i < samples->n_files && !error; i++)
		if (samples->event[i].samples)
			error = result_row(result, "samples.events", "sudd",
					   sampled_event(samples, i),
					   samples->event[i].samples,
					   samples->event[i].estimate,
					   sqrt(samples->event[i].squares));
	return error;
}

static int
put_values(const struct samples *samples, struct result *result)
{
	const struct group *all = &samples->all;
	int error =
		result_count(result, "samples.memory", all->samples, "samples");

	if (!error && all->known) {
		error = result_real(result, "samples.walk.share",
				    100 * mean(all->walks, all->known),
				    "percent");
		if (!error)
			error = result_real(result, "samples.walk.share.error",
					    error_of(all->walks, all->known),
					    "percent");
	} else if (!error) {
		error = result_absent(result, "samples.walk.share",
				      "no sample tells its translation");
	}
	if (!error)
		error = all->timed
				? result_real(result, "samples.latency.mean",
					      mean(all->latency, all->timed),
					      "cycles")
				: result_absent(result, "samples.latency.mean",
						"no sample has a latency");
	if (!error)
		error = all->refilled
				? result_real(result,
					      "samples.translation.mean",
					      mean(all->refill, all->refilled),
					      "cycles")
				: result_absent(
					  result, "samples.translation.mean",
					  "no sample has a latency of its "
					  "translation");
	return error;
}

static int
samples_finish(struct model *model, struct result *result)
{
	const struct samples *samples = (const struct samples *)model;
	int error;

	if (!samples->n_sites)
		return 0;
	error = put_events(samples, result);
	if (!error && samples->all.samples)
		error = put_values(samples, result);
	if (!error && samples->all.samples)
		error = put_fixed(samples, result);
	if (!error && samples->all.samples)
		error = put_pages(samples, result);
	if (!error && samples->all.samples)
		error = put_mappings(samples, result);
	if (!error)
		error = put_sites(samples, result);
	return error ? fail(ENOMEM, "samples: no memory") : 0;
}

static void
samples_close(struct model *model)
{
	struct samples *samples = (struct samples *)model;

	ranges_close(samples->ranges);
	free(samples->mapping);
	free(samples->event);
	free(samples->site);
	free(samples);
}

static const struct model_methods methods = {
	.feed = samples_feed,
	.finish = samples_finish,
	.close = samples_close,
	.packed = true,
};

static int
samples_open(struct model **out, const void *config,
	     const struct stream *stream)
{
	struct samples *samples = calloc(1, sizeof(*samples));

	(void)config;
	if (!samples)
		return fail(ENOMEM, "samples: no memory");
	if (ranges_open(&samples->ranges)) {
		free(samples);
		return fail(ENOMEM, "samples: no memory");
	}
	samples->model.methods = &methods;
	samples->stream = stream;
	*out = &samples->model;
	return 0;
}

const struct model_ops samples_model = {
	.name = "samples",
	.help = "who misses the TLBs, from samples alone",
	.open = samples_open,
};
