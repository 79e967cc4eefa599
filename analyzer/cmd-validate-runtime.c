// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * validate --runtime -- CMD: is what advise huge-pages predicts what happens?
 *
 *	CMD without, with, without, with ... huge pages -> processor times
 *	CMD recorded once -> verdict, by the time without -> error
 */
#include "analyzer/cmd-validate.h"
#include "analyzer/cmd-verdicts.h"
#include "analyzer/fail.h"
#include "analyzer/native.h"
#include "analyzer/progress.h"
#include "reports/number.h"
#include "reports/verdict.h"
#include "traces/open.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALLOWED 10.0 /* points */

struct timed {
	double *ns; /* owned: [n] of processor time */
	double wall, system;
	size_t n;
	double median, spread; /* spread: of the middle half, as a part */
};

struct validation {
	struct validate *validate;
	struct timed small, huge;
	struct runtime_change predicted;
	/* Percent: the median of neighbours' ratios, and what it is between */
	double measured, measured_low, measured_high;
};

static int
compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return a < b ? -1 : a > b;
}

static double
middle(const double *sorted, size_t n)
{
	return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

static void
sum_up(struct timed *timed)
{
	double *ns = timed->ns;
	size_t quarter = timed->n / 4;

	qsort(ns, timed->n, sizeof(double), compare);
	timed->median = middle(ns, timed->n);
	timed->system /= (double)timed->n;
	timed->spread =
		(ns[timed->n - 1 - quarter] - ns[quarter]) / timed->median;
}

/*
 * By ratios of neighbours, which what else the machine does changes alike.  Of n
 * the median is between the k-th least and the k-th greatest but with twice the
 * chance of fewer than k of n tosses: 5 of 100 at most, if n is large enough.
 */
static void
compare_times(struct validation *validation, double *ratio)
{
	size_t n = validation->small.n, k = 0;
	double chance = exp2(-(double)n), below = chance;

	for (size_t i = 0; i < n; i++)
		ratio[i] =
			100 *
			(validation->huge.ns[i] / validation->small.ns[i] - 1);
	qsort(ratio, n, sizeof(double), compare);
	while (k + 1 < (n + 1) / 2) {
		chance *= (double)(n - k) / (double)(k + 1);
		below += chance;
		if (2 * below > 0.05)
			break;
		k++;
	}
	validation->measured = middle(ratio, n);
	validation->measured_low = ratio[k];
	validation->measured_high = ratio[n - 1 - k];
}

static int
run_once(struct validation *validation, struct timed *timed,
	 enum native_pages pages)
{
	char *const *argv = validation->validate->call->argv;
	struct native_time time;
	int error = native_run(argv, pages, &time);

	if (error)
		return error;
	if (time.status)
		return fail(EINVAL,
			    "validate: %s failed (wait status %d), so "
			    "its time says nothing",
			    argv[0], time.status);
	if (!timed->n || time.wall_ns < timed->wall)
		timed->wall = time.wall_ns;
	timed->system += time.system_ns;
	timed->ns[timed->n++] = time.cpu_ns > 0 ? time.cpu_ns : 1;
	return 0;
}

/* One without, one with.  The first two are for what is made once: the page
 * cache, and memory that a host gives when it is touched. */
static int
run_pair(struct validation *validation)
{
	int error = run_once(validation, &validation->small, NATIVE_NO_HUGE);

	return error ? error
		     : run_once(validation, &validation->huge, NATIVE_AS_IS);
}

static int
run_pairs(struct validation *validation, size_t n)
{
	struct progress progress;
	int error = run_pair(validation);

	validation->small.n = validation->huge.n = 0;
	validation->small.system = validation->huge.system = 0;
	progress_init(&progress, "run");
	for (size_t i = 0; !error && i < n; i++) {
		error = run_pair(validation);
		progress_update(&progress, i + 1, n, 0);
	}
	progress_fini(&progress);
	return error;
}

static int
run_native(struct validation *validation)
{
	size_t n = (size_t)validation->validate->config->repeat;
	double *ratio = calloc(n, sizeof(double));
	int error;

	validation->small.ns = calloc(n, sizeof(double));
	validation->huge.ns = calloc(n, sizeof(double));
	if (!ratio || !validation->small.ns || !validation->huge.ns) {
		free(ratio);
		return fail(ENOMEM, "validate: no memory");
	}
	error = run_pairs(validation, n);
	if (!error) {
		compare_times(validation, ratio);
		sum_up(&validation->small);
		sum_up(&validation->huge);
	}
	free(ratio);
	return error;
}

/* With huge pages for all, if that is wanted */
static int
run_allowed(struct validation *validation)
{
	const char *trouble = "pages would come only where the program asks "
			      "(transparent_hugepage is";
	char mode[16];
	int guard = -1, error;

	native_huge_mode(mode);
	if (strcmp(mode, "always") != 0 &&
	    !validation->validate->config->allow_huge)
		return fail(EPERM,
			    "validate --runtime: huge %s %s); --allow-huge "
			    "switches it for the time of the runs",
			    trouble, *mode ? mode : "not there");
	if (strcmp(mode, "always") != 0) {
		error = native_huge_always(&guard);
		if (error)
			return error;
	}
	error = run_native(validation);
	if (guard >= 0)
		native_huge_back(guard);
	return error;
}

static int
take_prediction(struct validation *validation, const struct result *result)
{
	struct runtime_change *change = &validation->predicted;
	struct view_table table;

	if (!view_table(result, "verdicts", &table) || !table.n_rows)
		return fail(EINVAL, "validate: no verdict");
	/* Of "always", which is what was run: the advice may be less. */
	change->known =
		view_value(result, "huge.always.change", &change->change);
	if (!change->known)
		return fail(EINVAL, "validate --runtime: no claim, as %s",
			    view_reason(result, "huge.always.change"));
	view_value(result, "huge.always.low", &change->low);
	view_value(result, "huge.always.high", &change->high);
	return 0;
}

static int
put(struct validation *validation, struct result *result)
{
	const struct {
		const char *name;
		double value;
		const char *unit;
	} value[] = {
		{ "runtime.small.ns", validation->small.median, "ns" },
		{ "runtime.small.spread", validation->small.spread, "" },
		{ "runtime.huge.ns", validation->huge.median, "ns" },
		{ "runtime.huge.spread", validation->huge.spread, "" },
		{ "runtime.measured.low", validation->measured_low, "percent" },
		{ "runtime.measured.change", validation->measured, "percent" },
		{ "runtime.measured.high", validation->measured_high,
		  "percent" },
		{ "runtime.error",
		  validation->predicted.change - validation->measured,
		  "percent" },
	};
	int error = 0;

	for (size_t i = 0; !error && i < ARRAY_SIZE(value); i++)
		error = result_real(result, value[i].name, value[i].value,
				    value[i].unit);
	return error ? fail(ENOMEM, "validate: no memory") : 0;
}

static void
tell(const struct validation *validation)
{
	const struct runtime_change *change = &validation->predicted;
	const struct timed *small = &validation->small;
	const struct timed *huge = &validation->huge;

	printf("%s, %zu times each, in turn\n",
	       validation->validate->call->argv[0], small->n);
	printf("  without huge pages  %.3f s of processor time (half of the "
	       "runs within %.1f %%), %.3f s in all\n",
	       small->median / 1e9, 100 * small->spread, small->wall / 1e9);
	printf("  with huge pages     %.3f s (%.1f %%)\n", huge->median / 1e9,
	       100 * huge->spread);
	printf("  measured change     %+.1f %% (%+.1f to %+.1f)\n",
	       validation->measured, validation->measured_low,
	       validation->measured_high);
	printf("  predicted change    %+.1f %% (%+.1f to %+.1f)\n",
	       change->change, change->low, change->high);
	printf("  error               %+.1f points\n",
	       change->change - validation->measured);
	if (validation->measured_high - validation->measured_low > ALLOWED)
		printf("  Too noisy to tell: what was measured is uncertain by "
		       "%.0f points. A quiet machine, or\n  more --repeat, "
		       "narrows it.\n",
		       validation->measured_high - validation->measured_low);
}

static int
judge(const struct validation *validation)
{
	const struct runtime_change *change = &validation->predicted;
	double error = change->change - validation->measured;

	return fabs(error) <= ALLOWED || (change->low <= validation->measured &&
					  validation->measured <= change->high)
		       ? STATUS_OK
		       : STATUS_PARTIAL;
}

static int
finish(struct validation *validation, struct verdicts *verdicts)
{
	const char *output = validation->validate->config->output;
	struct result *result;
	int error = verdicts_finish(verdicts, &result);

	if (!error)
		error = take_prediction(validation, result);
	if (!error)
		error = put(validation, result);
	if (error)
		return error;
	if (output && *output)
		error = result_write(result, output);
	else
		tell(validation);
	return error ? error : judge(validation);
}

static int
predict(struct validation *validation)
{
	const struct validate_config *config = validation->validate->config;
	const struct topic_ops *topic = verdicts_topic("huge-pages");
	struct verdicts_request request = {
		.call = validation->validate->call,
		.topic = &topic,
		.n = topic != NULL,
		.plain = "pages.policy=4k",
		.name = validation->validate->input,
		.data = true,
		.runtime_ns = (uint64_t)validation->small.median,
		.system_ns = (uint64_t)validation->small.system,
		.replay = { .cpu = config->cpu,
			    .config = config->config,
			    .set = config->set,
			    .jobs = -1,
			    .stored = true },
	};
	struct verdicts *verdicts = NULL;
	struct source *source = NULL;
	int error = source_open(&source, request.name, false);

	if (!error)
		error = verdicts_open(&verdicts, &request, source);
	if (!error)
		error = verdicts_feed(verdicts);
	if (error >= 0)
		error = finish(validation, verdicts);
	verdicts_close(verdicts);
	source_close(source);
	return error;
}

int
validate_runtime(struct validate *validate)
{
	struct validation validation = { .validate = validate };
	const char *engine = validate->config->engine;
	int error = run_allowed(&validation);

	/* step is for counts: too slow here */
	if (!error)
		error = validate_record(validate, strcmp(engine, "step")
							  ? engine
							  : "cache");
	if (!error)
		error = predict(&validation);
	if (*validate->trace)
		unlink(validate->trace);
	free(validation.small.ns);
	free(validation.huge.ns);
	return error;
}
