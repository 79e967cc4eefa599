// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope record -- CMD: watch a command with a main engine and companions,
 * and store what it does.
 *
 *	launch -> tracers -> merge -> run loop -> trace writer (or a counter)
 */
#include "analyzer/fail.h"
#include "analyzer/host.h"
#include "analyzer/progress.h"
#include "analyzer/record-options.h"
#include "analyzer/result.h"
#include "analyzer/run.h"
#include "analyzer/tally.h"
#include "analyzer/verb.h"
#include "tracers/counters.h"
#include "tracers/engines.h"
#include "tracers/launch.h"
#include "tracers/merge.h"
#include "tracers/roster.h"
#include "tracers/tracer.h"
#include "traces/pst.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WATCH_NS 10000000 /* how often stop and duration are looked at */

static const unsigned kind_bits[] = { TRACER_DATA, TRACER_FETCH,
				      TRACER_DATA | TRACER_FETCH };

/* A model that counts accesses by kind, from packed batches: it gets every
 * access, as steps and roots. */
struct counter {
	struct model model;
	struct tally tally;
};

struct record {
	const struct verb_call *call;
	const struct record_config *config;
	struct stream *stream;
	struct roster *roster;
	struct tracer *tracer[TRACERS_MAX]; /* the main engine first */
	size_t n_tracers;
	char **argv; /* of what is run: the command, or what runs it */
	struct launch launch;
	bool launched;
	struct source *source;
	struct model *writer;
	struct counter counter;
	struct progress progress;
	uint64_t faults;
	uint64_t start_ns;

	/* The watcher sets stop, for a signal or when the time is over. */
	pthread_t watcher;
	bool watching;
	volatile sig_atomic_t stop, watched;

	bool cut; /* ended by a bound */
	uint64_t accesses;
	bool wait_known;
	int wait_status;
	int exec_error;
};

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int
counter_feed(struct model *model, const struct batch *batch)
{
	return tally_batch(&((struct counter *)model)->tally, batch);
}

static int
counter_finish(struct model *model, struct result *result)
{
	(void)result;
	tally_sum(&((struct counter *)model)->tally);
	return 0;
}

static void
counter_close(struct model *model)
{
	tally_fini(&((struct counter *)model)->tally);
}

static const struct model_methods counter_methods = {
	.feed = counter_feed,
	.finish = counter_finish,
	.close = counter_close,
	.packed = true,
};

/* Rides along with the writer: the faults for the closing line. */
struct fault_counter {
	struct model model;
	uint64_t *faults;
};

static int
fault_feed(struct model *model, const struct batch *batch)
{
	struct fault_counter *counter = (struct fault_counter *)model;

	for (uint32_t i = 0; i < batch->n_events; i++)
		*counter->faults += batch->event[i].type == EVENT_FAULT;
	return 0;
}

static const struct model_methods fault_methods = { .feed = fault_feed,
						    .packed = true };

static int
set_windows(const struct record *record, const struct tracer_ops *ops,
	    struct tracer_setup *setup)
{
	const char *given = record->config->sample, *text = given ? given : "";
	unsigned long int on = 0, off = 0;
	int n = 0;

	setup->rate = record->config->rate;
	if (!*text && !setup->rate)
		return 0;
	if (!ops || !ops->samples)
		return fail(
			EINVAL,
			"record: --sample and --rate: the %s engine can't leave a running target and come back; -e cache can",
			ops ? ops->name : "events");
	if (!*text)
		return 0;
	if (setup->rate)
		return fail(EINVAL,
			    "record: --sample and --rate exclude each other");
	if (sscanf(text, "on=%lu,off=%lu%n", &on, &off, &n) != 2 || text[n] ||
	    !on || !off || on > 3600000 || off > 3600000)
		return fail(
			EINVAL,
			"record: --sample: \"%s\" is not on=MS,off=MS, each of 1 to 3600000",
			text);
	setup->on_ns = (uint64_t)on * 1000000;
	setup->off_ns = (uint64_t)off * 1000000;
	return 0;
}

static int
open_tracer(struct record *record, const struct engine_choice *choice,
	    bool beside, bool accompanied)
{
	const struct tracer_ops *ops = choice->ops;
	struct tracer_setup setup = {
		.stream = record->stream,
		.roster = record->roster,
		.kinds = kind_bits[record->config->kinds],
		.no_follow = !record->config->follow,
		.companion = beside,
		.accompanied = accompanied,
		.interval_ns = record->config->residency_ns,
		.referenced = record->config->referenced,
		.counters_ns = record->config->counters_ns,
		.contents_ns = record->config->contents_ns,
		.contents_all = record->config->contents_all,
		.verbose = record->config->verbose,
		.code_bytes = (size_t)record->config->code_bytes,
		.pid = (pid_t)record->config->pid,
		.stop = &record->stop,
	};
	char why[512];
	size_t at = beside ? record->n_tracers : 0;
	int error = ops && ops->probe ? ops->probe(why, sizeof(why)) : 0;

	if (!beside && set_windows(record, ops, &setup))
		return -EINVAL;
	if (error)
		return fail(-error, "record: the %s engine can't run here: %s",
			    ops->name, why);
	error = ops ? ops->open(&record->tracer[at], &setup)
		    : counters_open(&record->tracer[at], &setup, choice->name);
	if (!error && beside)
		record->n_tracers++;
	return error;
}

static int
open_tracers(struct record *record)
{
	const struct record_config *config = record->config;
	struct engine_choice chosen[TRACERS_MAX];
	size_t n;
	unsigned beside =
		(config->residency_ns ? ENGINE_RESIDENCY : 0) |
		(config->counters_ns || config->contents_ns ? ENGINE_KERNEL
							    : 0);
	int error = engines_choose(config->engines, beside, config->pid, chosen,
				   &n);

	if (error)
		return error;
	record->n_tracers = 1;
	for (size_t i = 0; i < n && !error; i++)
		error = open_tracer(record, &chosen[i], i > 0, !i && n > 1);
	return error;
}

static int
in_child(void *context)
{
	struct record *record = context;

	for (size_t i = 0; i < record->n_tracers; i++) {
		struct tracer *tracer = record->tracer[i];
		int error = tracer->tracing->in_child
				    ? tracer->tracing->in_child(tracer)
				    : 0;

		if (error) {
			errno = -error;
			return error;
		}
	}
	return 0;
}

static int
attach(struct record *record, pid_t pid)
{
	int error = 0;

	for (size_t i = 0; i < record->n_tracers && !error; i++) {
		struct tracer *tracer = record->tracer[i];

		if (tracer->tracing->attach)
			error = tracer->tracing->attach(tracer, pid);
	}
	return error;
}

/* A command that can't be found or run fails here, before a file is made. */
static int
find_command(struct record *record)
{
	char **argv = record->call->argv, path[4096];
	int error = launch_find(argv[0], path, sizeof(path));

	if (error)
		fail_errno(-error, "%s: cannot run", argv[0]);
	else
		error = launch_check(path);
	if (error) {
		record->exec_error = -error;
		return error;
	}
	for (size_t i = 0; i < record->n_tracers && !error; i++) {
		struct tracer *tracer = record->tracer[i];

		if (tracer->tracing->command)
			error = tracer->tracing->command(tracer, &argv);
	}
	record->argv = argv;
	return error;
}

/* Start the command; its exec itself may still fail, which shows at the end. */
static int
start_command(struct record *record)
{
	struct launch_setup setup = {
		.argv = record->argv,
		.stdout_to_stderr = !record->config->count &&
				    !strcmp(record->config->output, "-"),
		.in_child = in_child,
		.context = record,
	};
	int error = launch_begin(&record->launch, &setup);

	if (error)
		return error;
	record->launched = true;
	error = attach(record, record->launch.pid);
	return error ? error : launch_go(&record->launch);
}

static void *
watch(void *argument)
{
	struct record *record = argument;
	const struct record_config *config = record->config;
	uint64_t end = config->duration_ns
			       ? record->start_ns + config->start_after_ns +
					 config->duration_ns
			       : UINT64_MAX;

	while (!record->watched) {
		struct timespec pause = { 0, WATCH_NS };

		if (*record->call->stop || now_ns() >= end)
			record->stop = 1;
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static int
start_watcher(struct record *record)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&record->watcher, NULL, watch, record);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error)
		return fail_errno(error, "record: cannot start a thread");
	record->watching = true;
	return 0;
}

static void
about_host(json_t *about)
{
	struct finding finding[HOST_FINDINGS_MAX];
	size_t n = host_look("", finding);
	json_t *host = json_object();

	for (size_t i = 0; i < n; i++)
		json_object_set_new(host, finding[i].name,
				    json_string(finding[i].text));
	json_object_set_new(about, "host", host);
}

/* Of a process that runs already: the words of its command line. */
static void
command_of(pid_t pid, json_t *command)
{
	char path[64], *word = NULL;
	size_t room = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/cmdline", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return;
	while (getdelim(&word, &room, '\0', file) > 0)
		json_array_append_new(command, result_string(word));
	free(word);
	fclose(file);
}

static void
about_fill(struct record *record)
{
	json_t *about = stream_about(record->stream);
	json_t *command = json_array();

	for (int i = 0; i < record->call->argc; i++)
		json_array_append_new(command,
				      result_string(record->call->argv[i]));
	if (record->config->pid)
		command_of((pid_t)record->config->pid, command);
	json_object_set_new(about, "command", command);
	json_object_set_new(about, "pagescope", json_string(PACKAGE_VERSION));
	json_object_set_new(about, "kinds",
			    json_string(record_kinds[record->config->kinds]));
	if (record->config->pid)
		json_object_set_new(about, "pid",
				    json_integer(record->config->pid));
	about_host(about);
}

static void
record_tick(struct run *run)
{
	struct record *record = run->tick_context;

	progress_update(&record->progress, 0, 0, run->accesses);
}

static int
open_sink(struct record *record, struct model **sink)
{
	const struct record_config *config = record->config;
	struct pst_writer_options options = {
		.effort = (enum pst_effort)config->compress,
		.threads = (unsigned)config->jobs,
		.max_bytes = config->max_size,
	};

	if (config->count) {
		record->counter.model.methods = &counter_methods;
		tally_init(&record->counter.tally, record->stream);
		*sink = &record->counter.model;
		return 0;
	}
	if (!strcmp(config->output, "-") && isatty(STDOUT_FILENO))
		return fail(EINVAL, "record: -o -: standard output is a "
				    "terminal; redirect it or name a file");
	about_fill(record);
	return pst_writer_open(sink, config->output, &options, record->stream);
}

/* Bounds end the feeding, not the source: let go, and read what is left. */
static int
drain(struct record *record)
{
	struct batch batch;
	int got = batch_init(&batch);

	if (got)
		return fail(ENOMEM, "record: no memory");
	record->stop = 1;
	do
		got = source_next(record->source, &batch);
	while (got > 0);
	batch_fini(&batch);
	return got;
}

static int
feed(struct record *record, struct model *sink)
{
	struct fault_counter faults = { { &fault_methods }, &record->faults };
	struct model *models[] = { sink, &faults.model };
	struct run run = {
		.source = record->source,
		.models = models,
		.n_models = ARRAY_SIZE(models),
		.max_accesses = record->config->max_accesses,
		.tick = record_tick,
		.tick_context = record,
	};
	int error, drained;

	progress_init(&record->progress, "record");
	error = run_feed(&run);
	progress_fini(&record->progress);
	record->accesses = run.accesses;
	if (!error && !run.stopped)
		return 0;
	record->cut = true;
	drained = drain(record);
	if (error == -EFBIG)
		error = 0;
	return error ? error : drained;
}

static void
find_status(struct record *record)
{
	int status;

	if (record->wait_known || !record->launched)
		return;
	for (size_t i = 0; i < record->n_tracers; i++) {
		struct tracer *tracer = record->tracer[i];

		if (tracer->tracing->status &&
		    tracer->tracing->status(tracer, &status)) {
			record->wait_known = true;
			record->wait_status = status;
			return;
		}
	}
	/* It runs on after we let go; its status is ours too.  A second
	 * signal ends the waiting. */
	while (waitpid(record->launch.pid, &status, 0) < 0)
		if (errno != EINTR)
			return;
	record->wait_known = true;
	record->wait_status = status;
}

/* A process has a space for each program that it exec'd. */
static unsigned
processes(const struct stream *stream)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < stream_spaces(stream); i++) {
		uint32_t first = 0;

		while (stream_space(stream, first)->pid !=
		       stream_space(stream, i)->pid)
			first++;
		n += first == i;
	}
	return n;
}

static void
print_counted(const struct record *record)
{
	const uint64_t *kind = record->counter.tally.kind;

	fprintf(stderr,
		"pagescope: counted %llu accesses: %llu loads, %llu stores, "
		"%llu modifies, %llu fetch blocks\n",
		(unsigned long long)record->accesses,
		(unsigned long long)kind[SITE_LOAD],
		(unsigned long long)kind[SITE_STORE],
		(unsigned long long)kind[SITE_MODIFY],
		(unsigned long long)kind[SITE_FETCH]);
}

static void
print_recorded(const struct record *record, const struct model *writer)
{
	uint64_t bytes = pst_writer_bytes(writer);
	uint64_t accesses = pst_writer_accesses(writer);
	unsigned n = processes(record->stream);
	char each[64] = "";

	if (accesses)
		snprintf(each, sizeof(each), " (%.3f an access)",
			 (double)bytes / (double)accesses);
	fprintf(stderr,
		"pagescope: recorded %llu accesses, %llu faults, %u "
		"process%s, %llu bytes%s into %s\n",
		(unsigned long long)accesses,
		(unsigned long long)record->faults, n, n == 1 ? "" : "es",
		(unsigned long long)bytes, each, record->config->output);
}

/* What does not reach the trace is a failure; the rest is saved. */
static int
record_into(struct record *record, struct model *sink)
{
	int error = feed(record, sink), finished = 0;

	if (sink->methods->finish)
		finished = sink->methods->finish(sink, NULL);
	if (finished == -EFBIG)
		finished = 0;
	if (!error)
		error = finished;
	if (!error && record->config->count)
		print_counted(record);
	else if (!error)
		print_recorded(record, sink);
	return error;
}

/* Recording failed; the command runs on, and its status is told at least. */
static void
report_status(struct record *record)
{
	const char *name = record->call->argv[0];
	int status;

	note("%s goes on unrecorded; waiting for its end", name);
	find_status(record);
	status = record->wait_status;
	if (record->wait_known && WIFSIGNALED(status))
		note("%s was ended by signal %d", name, WTERMSIG(status));
	else if (record->wait_known)
		note("%s ended with status %d", name, WEXITSTATUS(status));
}

static int
record_start(struct record *record)
{
	struct merge_setup setup = {
		.stop = &record->stop,
	};
	int error = stream_open(&record->stream);

	if (error)
		return fail(ENOMEM, "record: no memory");
	error = roster_open(&record->roster, record->stream);
	if (!error)
		error = open_tracers(record);
	if (error)
		return error;
	record->start_ns = now_ns();
	setup.main = record->tracer[0];
	setup.companions = record->tracer + 1;
	setup.n_companions = record->n_tracers - 1;
	if (record->config->start_after_ns)
		setup.start_ns =
			record->start_ns + record->config->start_after_ns;
	return merge_open(&record->source, &setup, record->stream);
}

static int
record_all(struct record *record)
{
	struct model *sink = NULL;
	int error = record_start(record);

	if (!error && !record->config->pid)
		error = find_command(record);
	if (!error)
		error = open_sink(record, &sink);
	if (error)
		return error;
	if (record->config->pid)
		error = attach(record, (pid_t)record->config->pid);
	else
		error = start_command(record);
	if (!error)
		error = start_watcher(record);
	if (!error) {
		error = record_into(record, sink);
		if (error && record->launched)
			report_status(record);
	}
	if (record->launched && !error) {
		find_status(record);
		record->exec_error = launch_trouble(&record->launch);
		if (record->exec_error)
			fail_errno(record->exec_error, "%s: cannot run",
				   record->call->argv[0]);
	}
	model_close(sink);
	return error;
}

static void
record_close(struct record *record)
{
	record->watched = 1;
	if (record->watching)
		pthread_join(record->watcher, NULL);
	source_close(record->source);
	for (size_t i = 0; i < record->n_tracers; i++)
		if (record->tracer[i])
			source_close(&record->tracer[i]->source);
	if (record->launched)
		launch_fini(&record->launch);
	roster_close(record->roster);
	stream_close(record->stream);
}

static bool
losses(const struct record *record)
{
	json_t *list = json_object_get(stream_about(record->stream), "losses");
	/* Samples are what was asked for; the trace says that it has no more */
	bool sampled = record->config->rate ||
		       (record->config->sample && *record->config->sample);

	return json_array_size(list) > sampled || json_object_size(list);
}

static int
exit_status(const struct record *record, bool lost)
{
	int status = record->wait_status;

	if (record->exec_error)
		return record->exec_error == ENOENT ? STATUS_NOT_FOUND
						    : STATUS_NO_EXEC;
	if (record->wait_known && WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	if (record->wait_known && WEXITSTATUS(status))
		return WEXITSTATUS(status);
	return lost ? STATUS_PARTIAL : STATUS_OK;
}

static int
record_run(const struct verb_call *call)
{
	struct record record = { .call = call, .config = call->config };
	bool lost;
	int error;

	if (!call->argc == !record.config->pid) {
		fail(EINVAL, call->argc ? "record: a command or --pid, not "
					  "both"
					: "record: which command?");
		return STATUS_USAGE;
	}
	if (record.config->count &&
	    strcmp(record.config->output, RECORD_OUTPUT)) {
		fail(EINVAL,
		     "record: --count stores nothing: without -o, or without it");
		return STATUS_USAGE;
	}
	error = record_all(&record);
	lost = record.stream && losses(&record);
	record_close(&record);
	if (error && !record.exec_error)
		return error == -EINVAL ? STATUS_USAGE : error;
	return exit_status(&record, lost);
}

const struct verb_ops record_verb = {
	.name = "record",
	.help = "record the accesses and faults of a command",
	.arguments = "[OPTION...] [--] COMMAND [ARGUMENT...]",
	.details = record_details,
	.examples = record_examples,
	.lists = LIST_TRACERS,
	.options = &record_options,
	.command = true,
	.run = record_run,
};
