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
	double wall;
	size_t n;
	double least, spread;
};

struct validation {
	struct validate *validate;
	struct timed small, huge;
	struct runtime_change predicted;
	double measured; /* percent */
};

static int
compare(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return a < b ? -1 : a > b;
}

static void
sum_up(struct timed *timed)
{
	qsort(timed->ns, timed->n, sizeof(double), compare);
	timed->least = timed->ns[0];
	timed->spread = timed->ns[timed->n / 2] / timed->ns[0] - 1;
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
	timed->ns[timed->n++] = time.cpu_ns > 0 ? time.cpu_ns : 1;
	return 0;
}

static int
run_native(struct validation *validation)
{
	size_t n = (size_t)validation->validate->config->repeat;
	struct progress progress;
	int error = 0;

	validation->small.ns = calloc(n, sizeof(double));
	validation->huge.ns = calloc(n, sizeof(double));
	if (!validation->small.ns || !validation->huge.ns)
		return fail(ENOMEM, "validate: no memory");
	progress_init(&progress, "run");
	for (size_t i = 0; !error && i < n; i++) {
		error = run_once(validation, &validation->small,
				 NATIVE_NO_HUGE);
		if (!error)
			error = run_once(validation, &validation->huge,
					 NATIVE_AS_IS);
		progress_update(&progress, i + 1, n, 0);
	}
	progress_fini(&progress);
	if (error)
		return error;
	sum_up(&validation->small);
	sum_up(&validation->huge);
	validation->measured =
		100 * (validation->huge.least / validation->small.least - 1);
	return 0;
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
		{ "runtime.small.ns", validation->small.least, "ns" },
		{ "runtime.small.spread", validation->small.spread, "" },
		{ "runtime.huge.ns", validation->huge.least, "ns" },
		{ "runtime.huge.spread", validation->huge.spread, "" },
		{ "runtime.measured.change", validation->measured, "percent" },
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

	printf("%s, %zu times each\n", validation->validate->call->argv[0],
	       validation->small.n);
	printf("  without huge pages  %.3f s of processor time (+%.1f %% the "
	       "median), %.3f s in all\n",
	       validation->small.least / 1e9, 100 * validation->small.spread,
	       validation->small.wall / 1e9);
	printf("  with huge pages     %.3f s (+%.1f %%)\n",
	       validation->huge.least / 1e9, 100 * validation->huge.spread);
	printf("  measured change     %+.1f %%\n", validation->measured);
	printf("  predicted change    %+.1f %% (%+.1f to %+.1f)\n",
	       change->change, change->low, change->high);
	printf("  error               %+.1f points\n",
	       change->change - validation->measured);
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
		.runtime_ns = (uint64_t)validation->small.least,
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
