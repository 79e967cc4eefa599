// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Planning a sweep: all combinations, each of them built as far as its checks,
 * so that those that are no machine are known, with the reason, before the
 * first of them runs.
 */
#include "analyzer/cmd-common.h"
#include "analyzer/cmd-sweep.h"
#include "analyzer/fail.h"
#include "analyzer/tasks.h"
#include "models/machine-list.h"
#include "traces/open.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void
sweep_plan_fini(struct sweep_plan *plan)
{
	for (size_t i = 0; i < plan->n_traces; i++) {
		free(plan->trace[i].name);
		free(plan->trace[i].digest);
	}
	for (size_t i = 0; i < plan->n_axes; i++)
		sweep_axis_fini(&plan->axis[i]);
	for (size_t i = 0; plan->point && i < plan->n_points; i++)
		free(plan->point[i].reason);
	for (size_t i = 0; plan->common.set && plan->common.set[i]; i++)
		free(plan->common.set[i]);
	free(plan->common.set);
	free(plan->common.cpu);
	free(plan->common.config);
	free(plan->trace);
	free(plan->axis);
	free(plan->point);
	free(plan->home);
	free(plan->directory);
	*plan = (struct sweep_plan){ 0 };
}

static size_t
count(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

static int
copy_text(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? fail(ENOMEM, "sweep: no memory") : 0;
}

static int
take_common(struct sweep_plan *plan, const struct sweep_options *options)
{
	size_t n = count(options->set);
	char home[PATH_MAX];
	int error;

	plan->common = (struct replay_config){
		.seed = options->seed,
		.max_accesses = options->max_accesses,
		.memory = options->memory,
		.recover = options->recover,
		.symbols = options->symbols,
	};
	error = copy_text(&plan->common.cpu, options->cpu);
	if (!error)
		error = copy_text(&plan->common.config, options->config);
	plan->common.set = calloc(n + 1, sizeof(char *));
	if (!plan->common.set)
		return fail(ENOMEM, "sweep: no memory");
	for (size_t i = 0; !error && i < n; i++)
		error = copy_text(&plan->common.set[i], options->set[i]);
	if (!error && !getcwd(home, sizeof(home)))
		error = fail_errno(errno, "sweep: where we are");
	if (!error)
		error = copy_text(&plan->home, home);
	return error ? error : copy_text(&plan->directory, options->output);
}

/* What is no trace is said before a plan is written over another. */
static int
check_trace(const char *name, bool recover)
{
	struct source *source = NULL;
	struct batch batch;
	int error = source_open(&source, name, recover);

	if (error)
		return error;
	if (batch_init(&batch)) {
		source_close(source);
		return fail(ENOMEM, "sweep: no memory");
	}
	error = source->methods->next(source, &batch);
	batch_fini(&batch);
	source_close(source);
	return error < 0 ? error : 0;
}

/* The same content twice would be one result under two names. */
static int
take_traces(struct sweep_plan *plan, char *const *traces)
{
	size_t n = count(traces);
	int error = 0;

	plan->trace = calloc(n + 1, sizeof(*plan->trace));
	if (!plan->trace)
		return fail(ENOMEM, "sweep: no memory");
	while (!error && plan->n_traces < n) {
		struct sweep_trace *trace = &plan->trace[plan->n_traces];

		error = copy_text(&trace->name, traces[plan->n_traces++]);
		if (!error)
			error = sweep_digest(&trace->digest, trace->name,
					     plan->common.recover);
		if (!error)
			error = check_trace(trace->name, plan->common.recover);
		for (size_t i = 0; !error && i + 1 < plan->n_traces; i++)
			if (!strcmp(plan->trace[i].digest, trace->digest))
				error = fail(EUSAGE,
					     "sweep: %s and %s hold the same "
					     "trace",
					     plan->trace[i].name, trace->name);
	}
	return error;
}

static int
take_axes(struct sweep_plan *plan, char *const *axes)
{
	size_t n = count(axes), points = plan->n_traces;
	int error = 0;

	plan->axis = calloc(n + 1, sizeof(*plan->axis));
	if (!plan->axis)
		return fail(ENOMEM, "sweep: no memory");
	while (plan->n_axes < n) {
		struct sweep_axis *axis = &plan->axis[plan->n_axes];

		error = sweep_axis_init(axis, axes[plan->n_axes]);
		if (error)
			return error;
		plan->n_axes++;
		for (size_t i = 0; i + 1 < plan->n_axes; i++)
			if (!strcmp(plan->axis[i].name, axis->name))
				return fail(EUSAGE,
					    "sweep: -P %s: is there twice",
					    axis->name);
		if (__builtin_mul_overflow(points, axis->n, &points) ||
		    points > SWEEP_POINTS_MOST)
			return fail(EUSAGE,
				    "sweep: with %s that is more than %u "
				    "points",
				    axis->name, SWEEP_POINTS_MOST);
	}
	plan->n_points = points;
	plan->point = calloc(points, sizeof(*plan->point));
	return plan->point ? 0 : fail(ENOMEM, "sweep: no memory");
}

/* The machine's part of a document, for its hash */
static int
put_identity(struct result *result, const struct machine_choice *choice)
{
	int error = result_provenance(result, "machine",
				      json_pack("{s:o}", "cpu",
						result_string(choice->cpu)));

	return error ? error
		     : option_each(&machine_options, &choice->config,
				   common_option, result);
}

int
sweep_point_hash(char hash[SWEEP_HASH_BYTES], const struct sweep_plan *plan,
		 size_t point, const struct machine_choice *choice)
{
	const char *digest = plan->trace[sweep_trace_of(plan, point)].digest;
	struct result *result;
	int error = result_open(&result);

	if (error)
		return fail(ENOMEM, "sweep: no memory");
	if (put_identity(result, choice))
		error = fail(ENOMEM, "sweep: no memory");
	else
		error = sweep_hash(hash, plan, digest, result_json(result));
	result_close(result);
	return error;
}

/* For tasks_run: is it a machine?  If not, the point keeps why. */
static int
check_point(void *context, size_t i)
{
	struct sweep_plan *plan = context;
	struct sweep_point *point = &plan->point[i];
	char reason[SWEEP_REASON_BYTES];
	struct machine_list list = { NULL, 0 };
	struct sweep_case one;
	int error = sweep_case_init(&one, plan, i);

	if (error)
		return error;
	fail_listen(reason, sizeof(reason));
	error = replay_machines(&list, &one.config);
	fail_listen(NULL, 0);
	if (error == -ENOMEM) {
		fail(ENOMEM, "sweep: no memory");
	} else if (error) {
		error = copy_text(&point->reason, reason);
	} else {
		error = sweep_point_hash(point->hash, plan, i, list.machine);
	}
	machine_list_fini(&list);
	sweep_case_fini(&one);
	return error;
}

static int
by_hash(const void *a, const void *b)
{
	const struct sweep_point *x = *(struct sweep_point *const *)a;
	const struct sweep_point *y = *(struct sweep_point *const *)b;
	int order = strcmp(x->hash, y->hash);

	return order ? order : (x > y) - (x < y);
}

int
sweep_mark_again(struct sweep_plan *plan)
{
	struct sweep_point **sorted = calloc(plan->n_points, sizeof(*sorted));

	if (!sorted)
		return fail(ENOMEM, "sweep: no memory");
	for (size_t i = 0; i < plan->n_points; i++)
		sorted[i] = &plan->point[i];
	qsort(sorted, plan->n_points, sizeof(*sorted), by_hash);
	for (size_t i = 1; i < plan->n_points; i++)
		sorted[i]->again =
			sorted[i]->hash[0] &&
			!strcmp(sorted[i]->hash, sorted[i - 1]->hash);
	free(sorted);
	return 0;
}

static int
check_points(struct sweep_plan *plan, unsigned jobs)
{
	struct tasks tasks = { .n = plan->n_points,
			       .work = check_point,
			       .context = plan,
			       .jobs = jobs };
	int error = tasks_run(&tasks);

	for (size_t i = 0; !error && i < plan->n_points; i++)
		plan->n_invalid += plan->point[i].reason != NULL;
	if (!error && plan->n_invalid == plan->n_points)
		error = fail(EUSAGE, "sweep: not one of %zu is a machine: %s",
			     plan->n_points, plan->point[0].reason);
	return error;
}

int
sweep_plan_make(struct sweep_plan *plan, const struct sweep_options *options,
		char *const *traces, char *const *axes)
{
	int error;

	*plan = (struct sweep_plan){ 0 };
	if (!traces[0])
		return fail(EUSAGE, "sweep: which trace?");
	if (!axes[0] && !traces[1])
		return fail(EUSAGE, "sweep: nothing varies: -P NAME RANGE or "
				    "-L NAME VALUE,VALUE");
	error = take_common(plan, options);
	if (!error)
		error = take_traces(plan, traces);
	if (!error)
		error = take_axes(plan, axes);
	if (!error)
		error = check_points(plan, common_jobs(options->jobs));
	if (!error)
		error = sweep_mark_again(plan);
	if (error)
		sweep_plan_fini(plan);
	return error;
}
