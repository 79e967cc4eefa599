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
#include "analyzer/result.h"
#include "analyzer/run.h"
#include "analyzer/tally.h"
#include "analyzer/verb.h"
#include "tracers/counters.h"
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

#define TRACERS_MAX 8
#define WATCH_NS    10000000 /* how often stop and duration are looked at */

struct record_config {
	char *engines, *output, *sample;
	int kinds, compress;
	uint64_t max_accesses, max_size, code_bytes, rate;
	uint64_t duration_ns, start_after_ns, residency_ns;
	int64_t pid, jobs;
	bool follow, count, referenced, verbose;
};

static const char *const kind_choices[] = { "data", "fetch", "all", NULL };
static const unsigned kind_bits[] = { TRACER_DATA, TRACER_FETCH,
				      TRACER_DATA | TRACER_FETCH };
static const char *const efforts[] = { "fast", "normal", "small", NULL };

static const struct option_row record_rows[] = {
	{ "engine", OPTION_STRING, offsetof(struct record_config, engines),
	  "valgrind",
	  .help = "how to watch, joined by commas: one engine for accesses "
		  "(valgrind, step, cache, hooks), faults, mem, residency or "
		  "events beside it, or these "
		  "alone",
	  .key = 'e', .argument = "ENGINE[,ENGINE...]" },
	{ "output", OPTION_STRING, offsetof(struct record_config, output),
	  "pagescope.pst",
	  .help = "the trace; - is standard output (the command's own then "
		  "goes to standard error)",
	  .key = 'o', .argument = "FILE" },
	{ "pid", OPTION_INT, offsetof(struct record_config, pid), "0", .min = 0,
	  .max = 1 << 22,
	  .help = "watch this running process instead of a command",
	  .key = 'p' },
	{ "kinds", OPTION_CHOICE, offsetof(struct record_config, kinds), "all",
	  .choices = kind_choices,
	  .help = "which accesses: loads and stores, code fetches, or all; "
		  "less is cheaper and smaller" },
	{ "max-accesses", OPTION_SIZE,
	  offsetof(struct record_config, max_accesses), "0",
	  .help = "stop recording after so many, 0: no bound", .key = 'n',
	  .argument = "N" },
	{ "max-size", OPTION_SIZE, offsetof(struct record_config, max_size),
	  "0", .unit = "bytes",
	  .help = "stop recording before the file is larger, 0: no bound" },
	{ "duration", OPTION_TIME, offsetof(struct record_config, duration_ns),
	  "0", .help = "stop recording after this time, 0: no bound" },
	{ "start-after", OPTION_TIME,
	  offsetof(struct record_config, start_after_ns), "0",
	  .help = "leave out the accesses of this first time" },
	{ "residency", OPTION_TIME,
	  offsetof(struct record_config, residency_ns), "0", .unit = "ms",
	  .help = "look at the resident pages at this interval too (as -e "
		  "residency), 0: do not" },
	{ "referenced", OPTION_BOOL, offsetof(struct record_config, referenced),
	  .help = "with residency: estimate the memory in use between two looks "
		  "by clear_refs, which is up to 40 % too low and makes the "
		  "kernel forget what was referenced" },
	{ "compress", OPTION_CHOICE, offsetof(struct record_config, compress),
	  "normal", .choices = efforts,
	  .help = "time against size of the trace" },
	{ "follow", OPTION_BOOL, offsetof(struct record_config, follow), "yes",
	  .help = "record child processes too" },
	{ "sample", OPTION_STRING, offsetof(struct record_config, sample), "",
	  .help = "engine cache: record for on, then let the target run "
		  "unrecorded for off, in turn (on=10,off=90: a tenth of the "
		  "time); the trace tells where",
	  .argument = "on=MS,off=MS" },
	{ "rate", OPTION_SIZE, offsetof(struct record_config, rate), "0",
	  .help = "engine cache: so many accesses a second at most on average, "
		  "in windows as by --sample, 0: all",
	  .argument = "N" },
	{ "code-cache", OPTION_SIZE, offsetof(struct record_config, code_bytes),
	  "0", .unit = "bytes",
	  .help = "engine cache: translated code that is kept before all of it "
		  "is dropped and made anew, 0: as much as there is room for "
		  "(1 GiB)" },
	{ "jobs", OPTION_INT, offsetof(struct record_config, jobs), "2",
	  .min = 0, .max = 64, .help = "threads that compress", .key = 'j',
	  .argument = "N" },
	{ "verbose", OPTION_BOOL, offsetof(struct record_config, verbose),
	  .help = "engine cache: say at the end why it had to stop the target, "
		  "and how often",
	  .key = 'v' },
	{ "count", OPTION_BOOL, offsetof(struct record_config, count),
	  .help = "store nothing, only count the accesses" },
	{ NULL },
};

static const struct option_group record_groups[] = {
	{ "", record_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree record_options = {
	record_groups, sizeof(struct record_config)
};

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

static const struct tracer_ops *
find_tracer(const char *name, size_t n)
{
	for (size_t i = 0; tracer_registry[i]; i++)
		if (strlen(tracer_registry[i]->name) == n &&
		    !strncmp(tracer_registry[i]->name, name, n))
			return tracer_registry[i];
	return NULL;
}

/* A mistyped engine, or an event of libpfm4? */
static const char *
near_engine(const char *name)
{
	const char *names[32];
	size_t known = 0;

	for (; tracer_registry[known] && known < ARRAY_SIZE(names); known++)
		names[known] = tracer_registry[known]->name;
	return option_nearest(name, names, known);
}

/* One engine of -e */
struct choice {
	const struct tracer_ops *ops; /* NULL: an event */
	char name[128];
};

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
open_tracer(struct record *record, const struct choice *choice, bool beside)
{
	const struct tracer_ops *ops = choice->ops;
	struct tracer_setup setup = {
		.stream = record->stream,
		.roster = record->roster,
		.kinds = kind_bits[record->config->kinds],
		.no_follow = !record->config->follow,
		.companion = beside,
		.interval_ns = record->config->residency_ns,
		.referenced = record->config->referenced,
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

/* Which engines does -e name?  The main one comes first. */
static int
choose_tracers(const char *names, struct choice *chosen, size_t *n)
{
	bool main = false;

	*n = 0;
	for (; *names; names += strspn(names, ",")) {
		size_t length = strcspn(names, ",");
		struct choice one = { find_tracer(names, length), "" };

		snprintf(one.name, sizeof(one.name), "%.*s", (int)length,
			 names);
		if (!one.ops && near_engine(one.name))
			return fail(
				EINVAL,
				"record: -e: no engine or event \"%s\"; did you mean \"%s\"?",
				one.name, near_engine(one.name));
		if (*n == TRACERS_MAX)
			return fail(EINVAL, "record: -e: too many engines");
		chosen[(*n)++] = one;
		names += length;
		if (!one.ops || one.ops->companion)
			continue;
		if (main)
			return fail(
				EINVAL,
				"record: -e: only one of the engines for accesses at a time");
		main = true;
		chosen[*n - 1] = chosen[0];
		chosen[0] = one;
	}
	if (!*n)
		return fail(EINVAL, "record: -e names no engine");
	return 0;
}

/* --residency MS means -e residency beside what -e names. */
static int
choose_residency(struct choice *chosen, size_t *n)
{
	const struct tracer_ops *ops = find_tracer("residency", 9);

	for (size_t i = 0; i < *n; i++)
		if (chosen[i].ops == ops)
			return 0;
	if (*n == TRACERS_MAX)
		return fail(EINVAL, "record: -e: too many engines");
	chosen[(*n)++] = (struct choice){ ops, "" };
	return 0;
}

static int
open_tracers(struct record *record)
{
	struct choice chosen[TRACERS_MAX];
	size_t n;
	int error = choose_tracers(record->config->engines, chosen, &n);

	if (!error && record->config->residency_ns)
		error = choose_residency(chosen, &n);
	if (error)
		return error;
	record->n_tracers = 1;
	for (size_t i = 0; i < n && !error; i++)
		error = open_tracer(record, &chosen[i], i > 0);
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
			    json_string(kind_choices[record->config->kinds]));
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
print_summary(const struct record *record, const struct model *writer)
{
	const struct counter *counter = &record->counter;
	uint64_t bytes;
	unsigned n;

	if (record->config->count) {
		fprintf(stderr,
			"pagescope: counted %llu accesses: %llu loads, %llu "
			"stores, %llu modifies, %llu fetch blocks\n",
			(unsigned long long)record->accesses,
			(unsigned long long)counter->tally.kind[SITE_LOAD],
			(unsigned long long)counter->tally.kind[SITE_STORE],
			(unsigned long long)counter->tally.kind[SITE_MODIFY],
			(unsigned long long)counter->tally.kind[SITE_FETCH]);
		return;
	}
	bytes = pst_writer_bytes(writer);
	n = processes(record->stream);
	fprintf(stderr,
		"pagescope: recorded %llu accesses, %llu faults, %u "
		"process%s, %llu bytes (%.3f an access) into %s\n",
		(unsigned long long)record->accesses,
		(unsigned long long)record->faults, n, n == 1 ? "" : "es",
		(unsigned long long)bytes,
		record->accesses ? (double)bytes / (double)record->accesses : 0,
		record->config->output);
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
	if (!error)
		print_summary(record, sink);
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
	.details =
		"Runs the command and stores every load, store and code fetch, "
		"every change of its mappings and, with the faults engine, "
		"every page fault, of all its threads and children. The "
		"command's input and output stay its own, and its exit status "
		"becomes record's: 128+N when signal N ended it, 126 or 127 "
		"when it could not be run, 3 when it succeeded but something "
		"was lost (info tells what), 125 when recording failed "
		"(the command then runs on, and record tells its status).\n\n"
		"The first Ctrl-C (or SIGTERM, SIGHUP) saves what was recorded and "
		"lets the command go on; the second aborts. When a bound "
		"(--max-accesses, --max-size, --duration) is reached the trace "
		"is saved at once, and record waits for the command, which "
		"runs on.\n\n"
		"A recorder that is killed (SIGKILL) leaves a trace of all but "
		"about the last second, which verify, info and replay read, "
		"with status 3. The command, or the process attached to, then "
		"goes on unrecorded, but not with the step engine: the kernel "
		"leaves it stepping, and the next step's SIGTRAP kills it. With "
		"the cache engine a second process, pgscope-guard, traces, in a "
		"session of its own; it lets the target go on within "
		"milliseconds of the recorder's end, whatever ended that. "
		"SIGKILL for pgscope-guard itself ends the target too, for its "
		"translated code cannot go on alone; so does the kernel's "
		"out-of-memory killer when it chooses the recorder, as the two "
		"share their memory.\n\n"
		"An engine that is none of the list is taken as the name of a "
		"performance event, as libpfm4 knows them (perf::PAGE-FAULTS, "
		"DTLB_LOAD_MISSES:...): each time it is counted, or each Nth "
		"with :period=N, becomes a sample of the trace, or a fault if "
		"it is one of page faults.\n\n"
		"With -o - the trace goes to standard output: pagescope record "
		"-o - -- COMMAND | pagescope replay -i -.",
	.examples =
		"pagescope record -o gzip.pst -- gzip -9 -k -f FILE\n"
		"# no file between\n"
		"pagescope record -o - -- gzip -9 -k -f FILE | "
		"pagescope replay -i -\n"
		"# every page fault of the kernel too (not tested)\n"
		"pagescope record -e valgrind,faults -o gzip.pst -- gzip -9 "
		"-k -f FILE\n"
		"# how often this program accesses memory\n"
		"pagescope record --count --kinds data -- gzip -k -f FILE\n",
	.lists = LIST_TRACERS,
	.options = &record_options,
	.command = true,
	.run = record_run,
};
