// SPDX-License-Identifier: GPL-2.0-or-later
/* LRU's curve from a sample of the pages: SHARDS or AET. */
#include "analyzer/cmd-curve-job.h"
#include "analyzer/fail.h"
#include "models/analysis/curve-result.h"
#include "models/analysis/sampled.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE 0.01 /* unless it is said */

/* "1%", "0.5 %" as a share of 1; 0: it is none */
static double
rate_of(const char *text)
{
	char *end;
	double rate = strtod(text, &end);

	while (*end == ' ')
		end++;
	if (strcmp(end, "%") || !(rate > 0 && rate <= 100))
		return 0;
	return rate / 100;
}

static int
check_exact(const struct curve_options *options)
{
	const char *name = options->sample ? "--sample" : "--sample-size";

	if (!options->sample && !options->sample_size)
		return 0;
	return fail(EUSAGE,
		    "%s: without a sample the curve is exact; add --method "
		    "shards",
		    name);
}

int
curve_sample_check(const struct curve_options *options)
{
	const char *method = curve_methods[options->method];

	if (!curve_is_sampled(options))
		return check_exact(options);
	if (options->sample && rate_of(options->sample) <= 0)
		return fail(EUSAGE,
			    "--sample: \"%s\" is no share; it is 1%% or 0.1%%, "
			    "up to 100%%",
			    options->sample);
	if (options->sample && options->sample_size)
		return fail(EUSAGE, "--sample and --sample-size: a sample has "
				    "a fixed share or a fixed size");
	if (options->sample_size && options->sample_size < SAMPLED_PAGES_LEAST)
		return fail(EUSAGE,
			    "--sample-size: %" PRIu64 " pages tell nothing; "
			    "%u are the least",
			    options->sample_size, SAMPLED_PAGES_LEAST);
	if (options->unit == CURVE_OBJECT)
		return fail(EUSAGE,
			    "--method %s: objects are not sampled; --unit "
			    "page, 2m or line are",
			    method);
	if (options->policy && strcmp(options->policy, "lru"))
		return fail(EUSAGE,
			    "--method %s: estimates LRU only; --method exact "
			    "simulates others",
			    method);
	if (options->by)
		return fail(
			EUSAGE,
			"--by: a sample is of the whole run; --method exact "
			"tells who misses");
	return 0;
}

int
curve_sample_open(struct curve_job *job)
{
	const struct curve_options *options = job->options;
	const struct sampled_config config = {
		.shift = curve_shift(options),
		.fetches = options->fetches,
		.rate = options->sample_size ? 1
			: options->sample    ? rate_of(options->sample)
					     : RATE,
		.pages = (uint32_t)options->sample_size,
		.seed = (uint64_t)options->seed,
	};

	return sampled_open(&job->model, &config, job->source->stream);
}

uint64_t
curve_sample_peak(const struct curve_job *job)
{
	struct sampled_view view;

	sampled_view(job->model, &view);
	return view.peak;
}

static int
put_options(struct curve_job *job)
{
	const struct curve_options *options = job->options;
	char text[32];
	int error = result_option(job->result, "method",
				  curve_methods[options->method]);

	snprintf(text, sizeof(text), "%" PRIu64 " pages", options->sample_size);
	return error ? error
		     : result_option(job->result, "sample",
				     options->sample_size ? text
				     : options->sample	  ? options->sample
							  : "1%");
}

static int
put_values(struct curve_job *job, const struct sampled_view *view)
{
	const struct {
		const char *name;
		uint64_t value;
		const char *unit;
	} counts[] = {
		{ "accesses", view->accesses, "accesses" },
		{ "curve.page.bytes", UINT64_C(1) << curve_shift(job->options),
		  "bytes" },
		{ "curve.references", view->references, "references" },
		{ "curve.cold", view->cold, "misses" },
		{ "footprint.pages", view->peak, "pages" },
		{ "footprint.bytes", view->peak << curve_shift(job->options),
		  "bytes" },
		{ "curve.sample.references", view->sampled_references,
		  "references" },
		{ "curve.sample.pages", view->sampled_pages, "pages" },
	};
	int error = result_text(job->result, "curve.unit",
				curve_units[job->options->unit]);

	for (size_t i = 0; !error && i < ARRAY_SIZE(counts); i++)
		error = result_count(job->result, counts[i].name,
				     counts[i].value, counts[i].unit);
	if (!error)
		error = result_real(job->result, "curve.sample.rate",
				    view->rate, "");
	if (!error)
		error = result_absent(job->result, "memory.verdict",
				      "the curve is estimated from a sample of "
				      "the pages; --method exact has verdicts");
	return error;
}

static int
put_row(struct curve_job *job, const struct sampled_view *view, uint64_t bytes)
{
	uint64_t pages = bytes >> curve_shift(job->options);
	struct sampled_estimate estimate =
		job->options->method == CURVE_SHARDS
			? sampled_shards(job->model, pages)
			: sampled_aet(job->model, pages);
	double accesses = (double)view->accesses;

	return result_row(job->result, "curve", "suuudnuun",
			  curve_methods[job->options->method], bytes, pages,
			  (uint64_t)llround(estimate.misses),
			  accesses > 0 ? estimate.misses / accesses : 0,
			  (uint64_t)llround(estimate.low),
			  (uint64_t)llround(estimate.high));
}

int
curve_sample_put(struct curve_job *job)
{
	uint64_t size[OCTAVES_BINS];
	struct sampled_view view;
	bool given = job->sizes.n > 0;
	size_t n = job->sizes.n;
	int error;

	sampled_view(job->model, &view);
	error = put_values(job, &view);
	if (!error)
		error = put_options(job);
	if (!error)
		error = curve_result_table(job->result);
	if (!given)
		n = curve_result_sizes(view.peak, size);
	for (size_t i = 0; !error && i < n; i++)
		error = put_row(job, &view,
				given ? job->sizes.bytes[i]
				      : size[i] << curve_shift(job->options));
	return error;
}
