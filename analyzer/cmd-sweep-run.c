// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Running the points of a plan that have no result yet, in groups: a group's
 * machines are fed from one decoding of their trace, on all threads (run.c),
 * and each of them then puts what it counted into a document of its own.
 *
 * A machine that fails stands still while the others of its group go on; its
 * point keeps what it said.  Where it is memory that it had not (the machine's
 * own, or ours) it gets a second try, alone.  A group that takes more memory
 * than there is room for is given up, and run again as two.
 */
#include "analyzer/cmd-common.h"
#include "analyzer/cmd-sweep.h"
#include "analyzer/fail.h"
#include "analyzer/progress.h"
#include "analyzer/run.h"
#include "analyzer/tasks.h"
#include "models/analysis/samples.h"
#include "models/machine-list.h"
#include "reports/code-map.h"
#include "reports/symbols.h"
#include "traces/open.h"

#include <assert.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GROUP_FIRST 32
#define GROUP_LEAST 16
#define GROUP_MOST  128
/* A kill loses a group: so many accesses of machines are a minute or so. */
#define GROUP_ACCESSES	 UINT64_C(20000000000)
#define TRIED_POINTS	 4 /* of an estimate */
#define TRIED_ACCESSES	 UINT64_C(1000000)
#define TICKS_PER_LOOK	 64 /* at memory, in batches */
#define PROGRESS_A_POINT UINT64_C(1000000)

/* A machine, and what it ended with */
struct guard {
	struct model model;
	struct model *machine;
	struct machine_list list; /* of one */
	struct sweep_case one;
	size_t point;
	int error;
	char reason[SWEEP_REASON_BYTES];
};

struct group {
	const struct sweep_plan *plan;
	const struct sweep_how *how;
	struct guard *guard; /* owned: [n] */
	size_t n;
	struct source *source;
	struct model *code_map, *samples;
	struct symbols *symbols;
	pthread_mutex_t lock;	    /* of what its machines share */
	volatile sig_atomic_t stop; /* a signal came, or: */
	bool too_large;
	unsigned ticks;
	uint64_t room, most_accesses, accesses;
	struct progress *progress;
	uint64_t done_before, all; /* of the progress, in its units */
	uint64_t fed_before;
};

static int
guard_feed(struct model *model, const struct batch *batch)
{
	struct guard *guard = (struct guard *)model;

	if (guard->error)
		return 0;
	fail_listen(guard->reason, sizeof(guard->reason));
	guard->error = guard->machine->methods->feed(guard->machine, batch);
	fail_listen(NULL, 0);
	if (!guard->error && guard->reason[0])
		note("%s", guard->reason);
	return 0;
}

static void
guard_close(struct model *model)
{
	struct guard *guard = (struct guard *)model;

	model_close(guard->machine);
	machine_list_fini(&guard->list);
	sweep_case_fini(&guard->one);
}

static const struct model_methods guard_methods = {
	.feed = guard_feed,
	.close = guard_close,
};

static const struct model_methods guard_methods_packed = {
	.feed = guard_feed,
	.close = guard_close,
	.packed = true,
};

/* A file of --config may have changed since it was planned, or a preset. */
static int
check_planned(const struct guard *guard, const struct sweep_plan *plan)
{
	char hash[SWEEP_HASH_BYTES], text[256];
	int error =
		sweep_point_hash(hash, plan, guard->point, guard->list.machine);

	if (error || !strcmp(hash, plan->point[guard->point].hash))
		return error;
	sweep_point_text(plan, guard->point, text, sizeof(text));
	return fail(EINVAL,
		    "sweep: the machine of point %zu (%s) has changed since it "
		    "was planned; plan again",
		    guard->point + 1, text);
}

/* For tasks_run.  A machine that cannot be made fails as one that fails later
 * does. */
static int
guard_open(void *context, size_t i)
{
	struct group *group = context;
	struct guard *guard = &group->guard[i];
	int error = sweep_case_init(&guard->one, group->plan, guard->point);

	if (!error)
		error = replay_machines(&guard->list, &guard->one.config);
	if (!error)
		error = check_planned(guard, group->plan);
	if (error)
		return error;
	fail_listen(guard->reason, sizeof(guard->reason));
	error = machine_model.open(&guard->machine,
				   &guard->list.machine[0].config,
				   group->source->stream);
	fail_listen(NULL, 0);
	guard->error = error;
	if (!error && !guard->machine->methods->packed)
		guard->model.methods = &guard_methods;
	return 0;
}

static uint64_t
resident_bytes(void)
{
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return 0;
	if (fscanf(file, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(file);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Three quarters of what is free now */
static uint64_t
free_room(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	uint64_t kib = 0;

	while (file && !kib && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %" SCNu64, &kib) != 1)
			kib = 0;
	if (file)
		fclose(file);
	return kib ? kib * 1024 / 4 * 3 : UINT64_MAX;
}

static void
group_tick(struct run *run)
{
	struct group *group = run->tick_context;
	uint64_t done = 0, all = 0, points = PROGRESS_A_POINT * group->n;

	if (group->how->call->stop && *group->how->call->stop)
		group->stop = 1;
	if (group->n > 1 && ++group->ticks % TICKS_PER_LOOK == 0 &&
	    resident_bytes() > group->room) {
		group->too_large = true;
		group->stop = 1;
	}
	if (!group->progress)
		return;
	if (run->source->methods->progress)
		run->source->methods->progress(run->source, &done, &all);
	progress_update(group->progress,
			group->done_before +
				(all ? (uint64_t)((double)done / (double)all *
						  (double)points)
				     : 0),
			group->all,
			group->fed_before + run->accesses * group->n);
}

/* The file may have changed since it was planned. */
static int
open_trace(struct group *group, size_t trace)
{
	const struct sweep_trace *planned = &group->plan->trace[trace];
	bool recover = group->plan->common.recover;
	char *digest = NULL;
	int error = sweep_digest(&digest, planned->name, recover);

	if (!error && strcmp(digest, planned->digest) != 0)
		error = fail(EINVAL,
			     "sweep: %s has changed since it was planned; "
			     "plan again",
			     planned->name);
	free(digest);
	return error ? error
		     : source_open(&group->source, planned->name, recover);
}

static int
group_open(struct group *group, const size_t *points)
{
	struct tasks tasks = {
		.n = group->n,
		.work = guard_open,
		.context = group,
		.jobs = group->how->jobs,
	};
	int error;

	assert(group->n > 0);
	error = open_trace(group, sweep_trace_of(group->plan, points[0]));
	if (error)
		return error;
	group->guard = calloc(group->n, sizeof(*group->guard));
	if (!group->guard)
		return fail(ENOMEM, "sweep: no memory");
	for (size_t i = 0; i < group->n; i++) {
		group->guard[i].model.methods = &guard_methods_packed;
		group->guard[i].point = points[i];
	}
	error = tasks_run(&tasks);
	if (!error)
		error = code_map_open(&group->code_map, group->source->stream);
	return error ? error
		     : samples_model.open(&group->samples, NULL,
					  group->source->stream);
}

static void
group_close(struct group *group)
{
	symbols_close(group->symbols);
	model_close(group->samples);
	model_close(group->code_map);
	for (size_t i = 0; group->guard && i < group->n; i++)
		guard_close(&group->guard[i].model);
	free(group->guard);
	source_close(group->source);
	pthread_mutex_destroy(&group->lock);
}

/* 1: stopped. */
static int
group_feed(struct group *group)
{
	size_t n = group->n + 2;
	struct model **models = calloc(n, sizeof(struct model *));
	struct run run = {
		.source = group->source,
		.models = models,
		.n_models = n,
		.jobs = group->how->jobs,
		.stop = &group->stop,
		.max_accesses = group->most_accesses,
		.tick = group_tick,
		.tick_context = group,
	};
	int error;

	if (!models)
		return fail(ENOMEM, "sweep: no memory");
	for (size_t i = 0; i < group->n; i++)
		models[i] = &group->guard[i].model;
	models[group->n] = group->code_map;
	models[group->n + 1] = group->samples;
	error = run_feed(&run);
	free(models);
	group->accesses = run.accesses;
	return error ? error : group->stop;
}

static int
save_failure(const struct sweep_plan *plan, const struct guard *guard)
{
	char path[PATH_MAX], text[SWEEP_REASON_BYTES + 1];
	const char *hash = plan->point[guard->point].hash;
	int error = sweep_result_path(path, sizeof(path), plan, hash, "failed");

	snprintf(text, sizeof(text), "%s\n",
		 guard->reason[0] ? guard->reason : strerror(-guard->error));
	return error ? error : sweep_save_text(text, path);
}

/* What its machines share is one's at a time. */
static int
fill(struct group *group, const struct guard *guard, struct result *result)
{
	const struct replay_parts parts = {
		.choice = guard->list.machine,
		.samples = group->samples,
		.symbols = group->symbols,
		.source = group->source,
		.input = guard->one.config.input,
	};
	json_t *command = sweep_case_command(&guard->one);
	int error = guard->machine->methods->finish(guard->machine, result);

	if (error) {
		json_decref(command);
		return error;
	}
	pthread_mutex_lock(&group->lock);
	error = replay_fill(result, &parts, command);
	pthread_mutex_unlock(&group->lock);
	return error;
}

static bool
gets_second_try(const struct group *group, const struct guard *guard)
{
	return guard->error == -ENOMEM && group->n > 1;
}

/* For tasks_run: what one machine counted, onto the disk */
static int
finish_one(void *context, size_t i)
{
	struct group *group = context;
	struct guard *guard = &group->guard[i];
	const char *hash = group->plan->point[guard->point].hash;
	struct result *result;
	char path[PATH_MAX];
	int error;

	if (gets_second_try(group, guard))
		return 0;
	if (guard->error)
		return save_failure(group->plan, guard);
	error = sweep_result_path(path, sizeof(path), group->plan, hash,
				  "json");
	if (error)
		return error;
	if (result_open(&result))
		return fail(ENOMEM, "sweep: no memory");
	error = fill(group, guard, result);
	model_close(guard->machine);
	guard->machine = NULL;
	if (!error)
		error = sweep_save(result, path);
	result_close(result);
	return error;
}

static int
group_finish(struct group *group)
{
	struct tasks tasks = {
		.n = group->n,
		.work = finish_one,
		.context = group,
		.jobs = group->how->jobs,
	};

	if (group->plan->common.symbols &&
	    symbols_open(&group->symbols, group->code_map,
			 group->source->stream))
		return -ENOMEM;
	return tasks_run(&tasks);
}

static void
group_count(const struct group *group, struct sweep_done *done)
{
	for (size_t i = 0; i < group->n; i++) {
		const struct guard *guard = &group->guard[i];

		if (gets_second_try(group, guard))
			continue;
		done->run++;
		done->failed += guard->error != 0;
	}
}

/* Is there such a file, with its end? */
static bool
is_whole(const char *path)
{
	FILE *file = fopen(path, "re");
	bool whole = file && !fseek(file, -1, SEEK_END) && getc(file) == '\n';

	if (file)
		fclose(file);
	return whole;
}

bool
sweep_point_there(const struct sweep_plan *plan, size_t point)
{
	static const char *const endings[] = { "json", "failed" };
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		if (!sweep_result_path(path, sizeof(path), plan,
				       plan->point[point].hash, endings[i]) &&
		    is_whole(path))
			return true;
	return false;
}

/* The shard's points that are to run, in order; *n of them, to be freed. */
static int
find_missing(const struct sweep_plan *plan, const struct sweep_how *how,
	     size_t **points, struct sweep_done *done)
{
	size_t *missing = calloc(plan->n_points + 1, sizeof(*missing));
	size_t n = 0, turn = 0;

	if (!missing)
		return fail(ENOMEM, "sweep: no memory");
	*done = (struct sweep_done){ 0 };
	for (size_t i = 0; i < plan->n_points; i++) {
		if (plan->point[i].reason || plan->point[i].again)
			continue;
		if (turn++ % how->shards != how->shard - 1)
			continue;
		done->points++;
		if (sweep_point_there(plan, i))
			done->there++;
		else
			missing[n++] = i;
	}
	missing[n] = SIZE_MAX;
	*points = missing;
	return 0;
}

/* How many of these points have one trace; at most so many, and no group much
 * smaller than the others */
static size_t
group_size(const struct sweep_plan *plan, const size_t *points, size_t most)
{
	size_t trace = sweep_trace_of(plan, points[0]), n = 1, groups;

	while (points[n] != SIZE_MAX &&
	       sweep_trace_of(plan, points[n]) == trace)
		n++;
	groups = (n - 1) / most + 1;
	return (n + groups - 1) / groups;
}

struct running {
	const struct sweep_plan *plan;
	const struct sweep_how *how;
	struct sweep_done *done;
	struct progress progress;
	size_t most; /* machines of a group */
	bool short_of_room;
	uint64_t room, fed, all;
};

/* What begins and ends a group is done less often in large ones. */
static void
choose_most(struct running *running, uint64_t accesses)
{
	uint64_t most = accesses ? GROUP_ACCESSES / accesses : GROUP_MOST;

	if (running->how->group || running->short_of_room)
		return;
	running->most = most > GROUP_MOST    ? GROUP_MOST
			: most < GROUP_LEAST ? GROUP_LEAST
					     : most;
}

/* Run some; *n: how many it were, or 0, and then fewer are to be tried. */
static int
run_group(struct running *running, const size_t *points, size_t *n)
{
	struct group group = {
		.plan = running->plan,
		.how = running->how,
		.n = *n,
		.room = running->room,
		.most_accesses = running->plan->common.max_accesses,
		.progress = &running->progress,
		.done_before = running->done->run * PROGRESS_A_POINT,
		.all = running->all,
		.fed_before = running->fed,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	int error = group_open(&group, points);

	if (!error)
		error = group_feed(&group);
	if (group.too_large || (error == -ENOMEM && group.n > 1)) {
		running->most = group.n / 2;
		running->short_of_room = true;
		*n = 0;
		error = 0;
	} else if (!error) {
		error = group_finish(&group);
		group_count(&group, running->done);
		running->fed += group.accesses * group.n;
		choose_most(running, group.accesses);
	}
	group_close(&group);
	return error;
}

/* Those of the group that are to be tried alone */
static int
second_tries(struct running *running, const size_t *points, size_t n)
{
	int error = 0;

	for (size_t i = 0; !error && n > 1 && i < n; i++) {
		size_t one = 1;

		if (!sweep_point_there(running->plan, points[i]))
			error = run_group(running, points + i, &one);
	}
	return error;
}

int
sweep_points_run(struct sweep_done *done, const struct sweep_plan *plan,
		 const struct sweep_how *how)
{
	struct running running = { .plan = plan, .how = how, .done = done };
	size_t *points = NULL, n = 0, at = 0;
	int error = find_missing(plan, how, &points, done);

	if (error)
		return error;
	sweep_clean(plan);
	while (points[n] != SIZE_MAX)
		n++;
	running.all = n * PROGRESS_A_POINT;
	running.most = how->group ? how->group : GROUP_FIRST;
	running.room = how->room ? how->room : free_room();
	progress_init(&running.progress, "sweep");
	while (!error && at < n) {
		size_t some = group_size(plan, points + at, running.most);

		error = run_group(&running, points + at, &some);
		if (!error)
			error = second_tries(&running, points + at, some);
		at += some;
	}
	progress_fini(&running.progress);
	done->stopped = error == 1;
	free(points);
	return error < 0 ? error : 0;
}

/* ---- the estimate ---- */

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Seconds that one point of this trace takes on one thread: some of them, from
 * the first to the last, over the trace's beginning. */
static int
try_points(double *seconds, const struct sweep_plan *plan,
	   const struct sweep_how *how, const size_t *points, size_t n)
{
	struct sweep_how alone = *how;
	struct group group = {
		.plan = plan,
		.how = &alone,
		.n = n < TRIED_POINTS ? n : TRIED_POINTS,
		.room = UINT64_MAX,
		.most_accesses = TRIED_ACCESSES,
		.lock = PTHREAD_MUTEX_INITIALIZER,
	};
	uint64_t limit = plan->common.max_accesses, done = 0, all = 0;
	size_t tried[TRIED_POINTS];
	double start;
	int error;

	alone.jobs = 0;
	if (limit && limit < TRIED_ACCESSES)
		group.most_accesses = limit;
	for (size_t i = 0; i < group.n; i++)
		tried[i] =
			points[i * (n - 1) / (group.n > 1 ? group.n - 1 : 1)];
	error = group_open(&group, tried);
	start = now();
	if (!error)
		error = group_feed(&group);
	*seconds = (now() - start) / (double)group.n;
	if (!error && group.source->methods->progress)
		group.source->methods->progress(group.source, &done, &all);
	if (limit > group.accesses && group.accesses)
		*seconds *= fmin((double)limit / (double)group.accesses,
				 done && all ? (double)all / (double)done
					     : HUGE_VAL);
	else if (!limit && group.accesses >= group.most_accesses)
		*seconds *= done && all ? (double)all / (double)done : HUGE_VAL;
	group_close(&group);
	return error < 0 ? error : 0;
}

int
sweep_estimate(double *seconds, const struct sweep_plan *plan,
	       const struct sweep_how *how)
{
	struct sweep_done done;
	size_t *points = NULL, at = 0, n;
	double one;
	int error = find_missing(plan, how, &points, &done);

	*seconds = 0;
	for (; !error && points[at] != SIZE_MAX; at += n) {
		n = group_size(plan, points + at, SIZE_MAX);
		error = try_points(&one, plan, how, points + at, n);
		*seconds += one * (double)n / (double)(how->jobs + 1);
	}
	free(points);
	return error;
}
