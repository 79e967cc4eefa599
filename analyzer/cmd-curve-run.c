// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a trace to memory curves: one pass that counts LRU at all sizes, then the
 * other policies over the references that were kept, each size for itself.
 */
#include "analyzer/cmd-common.h"
#include "analyzer/cmd-curve-job.h"
#include "analyzer/cmd-curve.h"
#include "analyzer/fail.h"
#include "analyzer/run.h"
#include "models/analysis/curve-result.h"
#include "models/analysis/memory-need.h"
#include "models/analysis/segments.h"
#include "models/analysis/simulate.h"
#include "models/paging/swap-device.h"
#include "traces/importer.h"
#include "traces/open.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NVME   1  /* in swap_devices: the default */
#define POINTS 32 /* sizes of policies that are simulated, if none are named */

const char *const curve_units[] = { "page", "2m", "line", "object", NULL };
const char *const curve_methods[] = { "exact", "shards", "aet", NULL };
const char *const curve_bys[] = { "nothing", "thread",	 "process",
				  "mapping", "function", NULL };
const char *const curve_devices[] = { "auto", "zram", "nvme", "disk",
				      "far",  "none", NULL };

static const unsigned unit_shift[] = { 12, 21, 6, 0 };

unsigned
curve_shift(const struct curve_options *options)
{
	return unit_shift[options->unit];
}

bool
curve_is_sampled(const struct curve_options *options)
{
	return options->method != CURVE_EXACT;
}

static const struct option_group policy_groups[] = {
	{ "reclaim", reclaim_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree policy_options = {
	policy_groups, sizeof(struct reclaim_config)
};

static int
unknown_policy(const char *name)
{
	const char *names[CURVE_POLICIES_MOST], *near;
	size_t n = 0;

	for (; n < CURVE_POLICIES_MOST && reclaim_registry[n]; n++)
		names[n] = reclaim_registry[n]->name;
	near = option_nearest(name, names, n);
	if (near)
		return fail(EUSAGE,
			    "--policy: no policy \"%s\"; did you mean \"%s\"?",
			    name, near);
	return fail(EUSAGE, "--policy: no policy \"%s\"; there are %s", name,
		    reclaim_names);
}

static int
add_policy(struct curve_job *job, int policy)
{
	for (size_t i = 0; i < job->n_policies; i++)
		if (job->policy[i] == policy)
			return 0;
	if (job->n_policies == CURVE_POLICIES_MOST)
		return fail(EUSAGE, "--policy: more than %d",
			    CURVE_POLICIES_MOST);
	job->policy[job->n_policies++] = policy;
	return 0;
}

static int
parse_policies(struct curve_job *job)
{
	const char *list = job->options->policy ? job->options->policy : "lru";
	int error = 0, policy;
	char name[64];

	for (const char *at = list; !error && *at;) {
		size_t n = strcspn(at, ", ");

		snprintf(name, sizeof(name), "%.*s", (int)n, at);
		policy = reclaim_find(name);
		if (!strcmp(name, "all"))
			for (int i = 0; !error && reclaim_registry[i]; i++)
				error = add_policy(job, i);
		else
			error = policy < 0 ? unknown_policy(name)
					   : add_policy(job, policy);
		at += n;
		at += strspn(at, ", ");
	}
	return error || job->n_policies
		       ? error
		       : fail(EUSAGE, "--policy: names none; there are %s",
			      reclaim_names);
}

static bool
is_lru(int policy)
{
	return !strcmp(reclaim_registry[policy]->name, "lru");
}

/* Is this policy counted by the one pass? */
static bool
one_pass(const struct curve_job *job, int policy)
{
	return job->options->unit != CURVE_OBJECT && is_lru(policy);
}

static int
parse_sizes(struct curve_job *job)
{
	const struct curve_options *options = job->options;
	uint64_t unit = UINT64_C(1) << unit_shift[options->unit];

	if (!options->sizes)
		return 0;
	if (options->unit == CURVE_OBJECT && strchr(options->sizes, 'p') &&
	    !strstr(options->sizes, "point"))
		return fail(EUSAGE,
			    "--sizes: \"%s\": objects have no pages; give "
			    "bytes",
			    options->sizes);
	return span_parse(&job->sizes, options->sizes, unit, "--sizes");
}

/* --set reclaim.x=y is the policies', all else the importer's. */
static int
parse_settings(struct curve_job *job, const char **rest)
{
	int error = option_init(&policy_options, job->reclaim);
	size_t n = 0;

	for (char **set = job->options->set; !error && set && *set; set++) {
		if (!strncmp(*set, "reclaim.", 8))
			error = option_assign(&policy_options, job->reclaim,
					      "--set", *set);
		else
			rest[n++] = *set;
	}
	rest[n] = NULL;
	job->reclaim->seed = (uint64_t)job->options->seed;
	return error == -EINVAL ? -EUSAGE : error;
}

static int
open_source(struct curve_job *job, const char *const *settings)
{
	const char *const paths[] = { job->input, NULL };
	struct importer_request request = {
		.format = job->options->from,
		.paths = paths,
		.assign = settings,
	};
	bool foreign = job->options->from || *settings;

	if (foreign && source_kind(job->input) == OPEN_GENERATE)
		return fail(EUSAGE,
			    "--from and --set are for foreign traces, "
			    "and %s is none",
			    job->input);
	if (foreign &&
	    !(source_kind(job->input) == OPEN_PST && strcmp(job->input, "-")))
		return importer_open(&job->source, &request);
	if (foreign)
		return fail(EUSAGE,
			    "--from and --set are for foreign traces, and %s "
			    "is a pagescope trace already",
			    job->input);
	return source_open(&job->source, job->input, job->options->recover);
}

static int
open_input(struct curve_job *job)
{
	size_t n = 0;
	const char **settings;
	int error;

	while (job->options->set && job->options->set[n])
		n++;
	settings = calloc(n + 1, sizeof(*settings));
	if (!settings)
		return fail(ENOMEM, "curve: no memory");
	error = parse_settings(job, settings);
	if (!error)
		error = open_source(job, settings);
	free(settings);
	return error;
}

/* Pieces side by side: one for each rank or thread.  With one thread beside the
 * first, pieces would cost more than they gain: that measures what the first has
 * decoded. */
static unsigned
segments_of(const struct curve_job *job)
{
	const struct curve_options *options = job->options;
	unsigned jobs = common_jobs(options->jobs);

	if (job->remote)
		return job->remote->n + 1;
	if (options->segments >= 0)
		return (unsigned)options->segments;
	return jobs > 1 ? jobs + 1 : jobs;
}

static int
open_model(struct curve_job *job)
{
	const struct curve_options *options = job->options;
	struct curve_config config = {
		.jobs = common_jobs(options->jobs),
		.remote = job->remote,
		.segments = segments_of(job),
		.shift = unit_shift[options->unit],
		.objects = options->unit == CURVE_OBJECT,
		.fetches = options->fetches,
		.working_sets =
			options->working_set && options->unit != CURVE_OBJECT,
	};

	for (size_t i = 0; i < job->n_policies; i++) {
		const struct reclaim_ops *ops =
			reclaim_registry[job->policy[i]];

		if (one_pass(job, job->policy[i]))
			continue;
		config.keep = true;
		config.keep_times |= ops->needs_time;
	}
	job->one_pass_only = !config.keep;
	if (curve_is_sampled(options))
		return curve_sample_open(job);
	return curve_open(&job->model, &config, job->source->stream);
}

static void
feed_tick(struct run *run)
{
	struct curve_job *job = run->tick_context;
	uint64_t done = 0, all = 0;

	if (run->source->methods->progress)
		run->source->methods->progress(run->source, &done, &all);
	progress_update(&job->progress, done, all, run->accesses);
}

static int
feed(struct curve_job *job)
{
	struct model *all[] = { job->model, job->shapes, job->by,
				job->code_map };
	struct model *models[ARRAY_SIZE(all)];
	struct run run = {
		.source = job->source,
		.models = models,
		.jobs = common_jobs(job->options->jobs),
		.stop = job->call->stop,
		.max_accesses = job->options->max_accesses,
		.tick = feed_tick,
		.tick_context = job,
	};
	int error;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i])
			models[run.n_models++] = all[i];
	progress_init(&job->progress, "curve");
	error = run_feed(&run);
	progress_fini(&job->progress);
	job->stopped = job->call->stop && *job->call->stop;
	if (!error && job->model->methods->finish)
		error = job->model->methods->finish(job->model, NULL);
	return error;
}

/* Sizes, evenly on a scale of factors, from one page to all */
static int
spread_sizes(struct curve_job *job, uint64_t most)
{
	uint64_t unit = UINT64_C(1) << curve_shift(job->options);
	size_t n = job->sizes.points ? job->sizes.points : POINTS;
	uint64_t *bytes = calloc(n, sizeof(*bytes));
	size_t kept = 0;

	if (!bytes)
		return fail(ENOMEM, "curve: no memory");
	for (size_t i = 0; i < n && most; i++) {
		double part = n > 1 ? (double)i / (double)(n - 1) : 1;
		uint64_t pages = (uint64_t)llround(pow((double)most, part));

		if (!kept || pages * unit > bytes[kept - 1])
			bytes[kept++] = pages * unit;
	}
	job->sizes.bytes = bytes;
	job->sizes.n = kept;
	return 0;
}

static int
choose_sizes(struct curve_job *job, const struct curve_view *view)
{
	bool all_bins = job->one_pass_only && !job->sizes.points;
	uint64_t most = job->options->unit == CURVE_OBJECT
				? view->object_bytes
				: reuse_peak(view->reuse);

	if (job->sizes.n || all_bins)
		return 0;
	return spread_sizes(job, most);
}

static void
simulate_tick(void *context, size_t done)
{
	struct curve_job *job = context;

	progress_update(&job->progress, done, job->simulate->n, 0);
}

/* All policies but the one that is known, at all sizes */
static int
simulate(struct curve_job *job, const struct curve_view *view)
{
	struct simulate *simulate = job->simulate;
	size_t n = job->n_policies * job->sizes.n;
	unsigned shift = curve_shift(job->options);
	bool next = false;
	int error = 0;

	simulate->simulation = calloc(n + 1, sizeof(*simulate->simulation));
	if (!simulate->simulation)
		return fail(ENOMEM, "curve: no memory");
	for (size_t i = 0; i < job->n_policies; i++) {
		if (one_pass(job, job->policy[i]))
			continue;
		next |= reclaim_registry[job->policy[i]]->needs_next;
		for (size_t k = 0; k < job->sizes.n; k++) {
			struct simulation *one =
				&simulate->simulation[simulate->n++];

			one->config = *job->reclaim;
			one->config.policy = job->policy[i];
			one->config.capacity = job->sizes.bytes[k] >> shift;
		}
	}
	if (!simulate->n)
		return 0;
	if (next)
		error = refstring_find_next(view->string);
	simulate->string = view->string;
	simulate->sizes = job->options->unit == CURVE_OBJECT;
	simulate->jobs = common_jobs(job->options->jobs);
	simulate->stop = job->call->stop;
	simulate->tick = simulate_tick;
	simulate->tick_context = job;
	progress_init(&job->progress, "curve");
	if (!error)
		error = simulate_run(simulate);
	progress_fini(&job->progress);
	return error;
}

int
curve_check_device(const char *verb, const struct curve_options *options)
{
	if (!options->device ||
	    strcmp(curve_devices[options->device], "none") ||
	    options->read_ns > 0)
		return 0;
	return fail(EUSAGE,
		    "%s: --device none: pages that cannot leave cost no time; "
		    "name a device, or its --read-ns",
		    verb);
}

void
curve_costs(struct memory_need_config *config,
	    const struct curve_options *options)
{
	const struct swap_device *device =
		&swap_devices[options->device ? options->device - 1 : NVME];

	*config = (struct memory_need_config){
		.thrash = {
			.cpu_ns = options->cpu_ns > 0 ? options->cpu_ns : 1,
			.read_ns = options->read_ns > 0 ? options->read_ns : (double)device->read_ns,
			.write_ns = options->write_ns > 0 ? options->write_ns : (double)device->write_ns,
			.processors = options->processors
					      ? (unsigned)options->processors
					      : 1,
		},
		.cold = options->cold,
		.memory_bytes = options->memory,
		.processes = options->processes ? (unsigned)options->processes
						: 16,
	};
}

int
curve_cost_options(struct result *result, const struct curve_options *options)
{
	int device = options->device ? options->device : NVME + 1;
	int error = result_option(result, "device", curve_devices[device]);

	return error ? error
		     : result_option(result, "cold",
				     options->cold ? "yes" : "no");
}

static int
put_curves(struct curve_job *job)
{
	const struct curve_result_rows rows = {
		.bytes = job->sizes.bytes,
		.n = job->sizes.n,
		.shift = curve_shift(job->options),
	};
	const struct simulation *next = job->simulate->simulation;
	int error = curve_result_table(job->result);

	for (size_t i = 0; !error && i < job->n_policies; i++) {
		const char *name = reclaim_registry[job->policy[i]]->name;

		if (one_pass(job, job->policy[i])) {
			error = curve_result_lru(job->model, &rows,
						 job->result);
			continue;
		}
		error = curve_result_simulated(job->model, &rows, name, next,
					       job->result);
		next += job->sizes.n;
	}
	return error;
}

/* Options of policies that were simulated: "reclaim.clock.loaded" */
static int
policy_option(void *context, const char *name, const struct option_row *row,
	      const void *start)
{
	struct curve_job *job = context;
	size_t n = strcspn(row->name, ".");

	for (size_t i = 0; i < job->n_policies; i++) {
		const char *policy = reclaim_registry[job->policy[i]]->name;

		if (!strcmp(policy, "2q"))
			policy = "twoq";
		if (strlen(policy) == n && !strncmp(row->name, policy, n))
			return common_option(job->result, name, row, start);
	}
	return 0;
}

/* Which options made it what it is */
static int
put_options(struct curve_job *job)
{
	const struct curve_options *options = job->options;
	char seed[32];
	int error = result_option(job->result, "policy",
				  options->policy ? options->policy : "lru");

	snprintf(seed, sizeof(seed), "%lld", (long long)options->seed);
	if (!error && options->sizes)
		error = result_option(job->result, "sizes", options->sizes);
	if (!error)
		error = result_option(job->result, "unit",
				      curve_units[options->unit]);
	if (!error)
		error = result_option(job->result, "fetches",
				      options->fetches ? "yes" : "no");
	if (!error)
		error = result_option(job->result, "seed", seed);
	if (!error && !job->one_pass_only)
		error = option_each(&policy_options, job->reclaim,
				    policy_option, job);
	return error ? error : curve_cost_options(job->result, options);
}

static int
put_exact(struct curve_job *job)
{
	struct curve_result_config config = {
		.unit = curve_units[job->options->unit],
		.shift = curve_shift(job->options),
		.objects = job->options->unit == CURVE_OBJECT,
		.seed = (uint64_t)job->options->seed,
	};
	int error;

	curve_costs(&config.need, job->options);
	error = curve_result_values(job->model, &config, job->result);
	return error ? error : put_curves(job);
}

static int
put_result(struct curve_job *job)
{
	int error = curve_is_sampled(job->options) ? curve_sample_put(job)
						   : put_exact(job);

	if (!error)
		error = curve_parts_put(job);
	if (!error)
		error = put_options(job);
	if (!error)
		error = result_provenance(job->result, "command",
					  common_command(job->call));
	if (!error)
		error = common_trace(job->result, job->source, job->input);
	if (!error && job->stopped)
		error = result_partial(job->result, "stopped by a signal");
	return error == -ENOMEM ? fail(ENOMEM, "curve: no memory") : error;
}

/* The policies that are simulated */
static int
play(struct curve_job *job)
{
	struct curve_view view;
	int error;

	curve_view(job->model, &view);
	error = choose_sizes(job, &view);
	if (!error)
		error = simulate(job, &view);
	return error == -EINTR ? fail(EINTR, "curve: stopped before all sizes "
					     "were simulated")
			       : error;
}

static int
measure(struct curve_job *job)
{
	int error = parse_policies(job);

	if (!error)
		error = curve_parts_check(job->options);
	if (!error)
		error = parse_sizes(job);
	if (!error)
		error = open_input(job);
	if (!error)
		error = open_model(job);
	if (!error)
		error = curve_parts_open(job);
	if (!error)
		error = feed(job);
	if (!error && !curve_is_sampled(job->options))
		error = play(job);
	else if (!error && job->sizes.points)
		error = spread_sizes(job, curve_sample_peak(job));
	if (!error)
		error = result_open(&job->result);
	return error ? error : put_result(job);
}

int
curve_measure(struct result **out, const struct verb_call *call,
	      const struct curve_options *options, const char *input)
{
	struct simulate simulate = { 0 };
	struct reclaim_config reclaim = { 0 };
	struct curve_job job = {
		.call = call,
		.options = options,
		.input = input,
		.reclaim = &reclaim,
		.simulate = &simulate,
	};
	bool served = false;
	int error = options->mpi ? curve_mpi_open(&job.remote, &served) : 0;

	if (error || served)
		return error;
	error = measure(&job);
	curve_mpi_close(job.remote);
	model_close(job.model);
	curve_parts_close(&job);
	source_close(job.source);
	option_fini(&policy_options, &reclaim);
	span_fini(&job.sizes);
	free(simulate.simulation);
	if (error)
		result_close(job.result);
	else
		*out = job.result;
	return error;
}
