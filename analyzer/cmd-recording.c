// SPDX-License-Identifier: GPL-2.0-or-later
#include "analyzer/cmd-recording.h"
#include "analyzer/base.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/batch.h"
#include "analyzer/fail.h"
#include "analyzer/host.h"
#include "analyzer/result.h"
#include "analyzer/source.h"
#include "analyzer/stream.h"
#include "tracers/counters.h"
#include "tracers/ends.h"
#include "tracers/engines.h"
#include "tracers/heap-preload.h"
#include "tracers/launch.h"
#include "tracers/merge.h"
#include "tracers/roster.h"
#include "tracers/tracer.h"

#define WATCH_NS 10000000 /* how often stop and duration are looked at */

struct recording {
	const struct verb_call *call;
	const struct record_config *config;
	bool stdout_to_stderr;

	struct stream *stream;
	struct source *source;
	struct roster *roster;
	struct tracer *tracer[TRACERS_MAX]; /* the main engine first */
	size_t n_tracers;
	bool counts; /* the main engine tells what the kernel counts */
	char **argv; /* of what is run: the command, or what runs it */
	struct launch launch;
	bool launched;
	uint64_t start_ns;

	/* The watcher sets stop, for a signal or when the time is over. */
	pthread_t watcher;
	bool watching;
	volatile sig_atomic_t stop, watched;

	bool wait_known;
	int wait_status;
	int exec_error;
};

static const unsigned kind_bits[] = { TRACER_DATA, TRACER_FETCH,
				      TRACER_DATA | TRACER_FETCH };

static uint64_t
now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* "on=TIME,off=TIME", "first=TIME,on=TIME,off=TIME", in ms where no unit is
 * named */
static int
parse_windows(const char *text, struct tracer_setup *setup)
{
	static const struct option_row rows[] = {
		{ "first", OPTION_TIME, offsetof(struct tracer_setup, first_ns),
		  .max = 3600e9, .unit = "ms" },
		{ "on", OPTION_TIME, offsetof(struct tracer_setup, on_ns),
		  .min = 1e6, .max = 3600e9, .unit = "ms" },
		{ "off", OPTION_TIME, offsetof(struct tracer_setup, off_ns),
		  .min = 1e6, .max = 3600e9, .unit = "ms" },
	};
	char time[3][32] = { "0" };
	int n = 0, at = 0, error = 0;

	if (sscanf(text, "first=%31[^,],%n", time[0], &at) != 1 || !at)
		at = 0;
	if (sscanf(text + at, "on=%31[^,],off=%31[^,]%n", time[1], time[2],
		   &n) != 2 ||
	    text[at + n])
		return fail(
			EINVAL,
			"record: --sample: \"%s\" is not on=MS,off=MS, as on=10,off=90 or on=10ms,off=1s, with first=MS, before it if need be",
			text);
	for (size_t i = 0; i < ARRAY_SIZE(rows) && !error; i++)
		error = option_set_row(&rows[i], setup, "record: --sample",
				       rows[i].name, time[i]);
	return error;
}

static int
set_windows(const struct recording *recording, const struct tracer_ops *ops,
	    struct tracer_setup *setup)
{
	const char *given = recording->config->sample,
		   *text = given ? given : "";

	setup->rate = recording->config->rate;
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
	return parse_windows(text, setup);
}

static int
open_tracer(struct recording *recording, const struct engine_choice *choice,
	    bool beside, bool accompanied)
{
	const struct tracer_ops *ops = choice->ops;
	struct tracer_setup setup = {
		.stream = recording->stream,
		.roster = recording->roster,
		.kinds = kind_bits[recording->config->kinds],
		.no_follow = !recording->config->follow,
		.companion = beside,
		.accompanied = accompanied,
		.interval_ns = recording->config->residency_ns,
		.referenced = recording->config->referenced,
		.counters_ns = recording->config->counters_ns,
		.contents_ns = recording->config->contents_ns,
		.contents_all = recording->config->contents_all,
		.verbose = recording->config->verbose,
		.code_bytes = (size_t)recording->config->code_bytes,
		.pid = (pid_t)recording->config->pid,
		.stop = &recording->stop,
	};
	char why[512];
	size_t at = beside ? recording->n_tracers : 0;
	int error = ops && ops->probe ? ops->probe(why, sizeof(why)) : 0;

	if (!beside && set_windows(recording, ops, &setup))
		return -EINVAL;
	if (error)
		return fail(-error, "record: the %s engine can't run here: %s",
			    ops->name, why);
	error = ops ? ops->open(&recording->tracer[at], &setup)
		    : counters_open(&recording->tracer[at], &setup,
				    choice->name);
	if (!error && beside)
		recording->n_tracers++;
	else if (!error)
		recording->counts = ops && ops->counts;
	return error;
}

static int
open_tracers(struct recording *recording)
{
	const struct record_config *config = recording->config;
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
	recording->n_tracers = 1;
	for (size_t i = 0; i < n && !error; i++)
		error = open_tracer(recording, &chosen[i], i > 0, !i && n > 1);
	return error;
}

static int
in_child(void *context)
{
	struct recording *recording = context;

	for (size_t i = 0; i < recording->n_tracers; i++) {
		struct tracer *tracer = recording->tracer[i];
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
attach(struct recording *recording, pid_t pid)
{
	int error = 0;

	for (size_t i = 0; i < recording->n_tracers && !error; i++) {
		struct tracer *tracer = recording->tracer[i];

		if (tracer->tracing->attach)
			error = tracer->tracing->attach(tracer, pid);
	}
	if (!recording->counts)
		ends_attach(recording->source, pid, recording->launched);
	return error;
}

/* A command that can't be found or run fails here, before a file is made. */
static int
find_command(struct recording *recording)
{
	char **argv = recording->call->argv, path[4096];
	int error = launch_find(argv[0], path, sizeof(path));

	if (error)
		fail_errno(-error, "%s: cannot run", argv[0]);
	else
		error = launch_check(path);
	if (error) {
		recording->exec_error = -error;
		return error;
	}
	if (recording->config->heap)
		error = heap_preload();
	for (size_t i = 0; i < recording->n_tracers && !error; i++) {
		struct tracer *tracer = recording->tracer[i];

		if (tracer->tracing->command)
			error = tracer->tracing->command(tracer, &argv);
	}
	recording->argv = argv;
	return error;
}

/* Start the command; its exec itself may still fail, which shows at the end. */
static int
start_command(struct recording *recording)
{
	struct launch_setup setup = {
		.argv = recording->argv,
		.stdout_to_stderr = recording->stdout_to_stderr,
		.in_child = in_child,
		.context = recording,
	};
	int error = launch_begin(&recording->launch, &setup);

	if (error)
		return error;
	recording->launched = true;
	error = attach(recording, recording->launch.pid);
	return error ? error : launch_go(&recording->launch);
}

static void *
watch(void *argument)
{
	struct recording *recording = argument;
	const struct record_config *config = recording->config;
	uint64_t end = config->duration_ns
			       ? recording->start_ns + config->start_after_ns +
					 config->duration_ns
			       : UINT64_MAX;

	while (!recording->watched) {
		struct timespec pause = { 0, WATCH_NS };

		if (*recording->call->stop || now_ns() >= end)
			recording->stop = 1;
		nanosleep(&pause, NULL);
	}
	return NULL;
}

static int
start_watcher(struct recording *recording)
{
	sigset_t all, old;
	int error;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&recording->watcher, NULL, watch, recording);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error)
		return fail_errno(error, "record: cannot start a thread");
	recording->watching = true;
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

void
recording_describe(struct recording *recording)
{
	json_t *about = stream_about(recording->stream);
	json_t *command = json_array();

	for (int i = 0; i < recording->call->argc; i++)
		json_array_append_new(command,
				      result_string(recording->call->argv[i]));
	if (recording->config->pid)
		command_of((pid_t)recording->config->pid, command);
	json_object_set_new(about, "command", command);
	json_object_set_new(about, "pagescope", json_string(PACKAGE_VERSION));
	if (recording->config->heap)
		json_object_set_new(about, "heap", json_true());
	json_object_set_new(about, "kinds",
			    json_string(
				    record_kinds[recording->config->kinds]));
	if (recording->config->pid)
		json_object_set_new(about, "pid",
				    json_integer(recording->config->pid));
	about_host(about);
}

static void
find_status(struct recording *recording)
{
	int status;

	if (recording->wait_known || !recording->launched)
		return;
	for (size_t i = 0; i < recording->n_tracers; i++) {
		struct tracer *tracer = recording->tracer[i];

		if (tracer->tracing->status &&
		    tracer->tracing->status(tracer, &status)) {
			recording->wait_known = true;
			recording->wait_status = status;
			return;
		}
	}
	/* It runs on after we let go; its status is ours too.  A second
	 * signal ends the waiting. */
	while (waitpid(recording->launch.pid, &status, 0) < 0)
		if (errno != EINTR)
			return;
	recording->wait_known = true;
	recording->wait_status = status;
}

int
recording_drain(struct recording *recording)
{
	struct batch batch;
	int got = batch_init(&batch);

	if (got)
		return fail(ENOMEM, "record: no memory");
	recording->stop = 1;
	do
		got = source_next(recording->source, &batch);
	while (got > 0);
	batch_fini(&batch);
	return got;
}

void
recording_goes_on(struct recording *recording)
{
	const char *name = recording->call->argv[0];
	int status;

	if (!recording->launched)
		return;
	note("%s goes on unrecorded; waiting for its end", name);
	find_status(recording);
	status = recording->wait_status;
	if (recording->wait_known && WIFSIGNALED(status))
		note("%s was ended by signal %d", name, WTERMSIG(status));
	else if (recording->wait_known)
		note("%s ended with status %d", name, WEXITSTATUS(status));
}

static int
open_source(struct recording *recording)
{
	struct merge_setup setup = {
		.stop = &recording->stop,
	};
	int error = stream_open(&recording->stream);

	if (error)
		return fail(ENOMEM, "record: no memory");
	error = roster_open(&recording->roster, recording->stream);
	if (!error)
		error = open_tracers(recording);
	if (error)
		return error;
	recording->start_ns = now_ns();
	setup.main = recording->tracer[0];
	setup.companions = recording->tracer + 1;
	setup.n_companions = recording->n_tracers - 1;
	if (recording->config->start_after_ns)
		setup.start_ns =
			recording->start_ns + recording->config->start_after_ns;
	error = merge_open(&recording->source, &setup, recording->stream);
	if (!error && !recording->counts)
		error = ends_open(&recording->source, recording->source);
	return error || recording->config->pid ? error
					       : find_command(recording);
}

int
recording_open(struct recording **out, const struct recording_setup *setup)
{
	struct recording *recording;

	if (setup->config->heap && setup->config->pid)
		return fail(EINVAL, "record: --heap: a library can only be "
				    "loaded when a command starts, not into a "
				    "process that runs (--pid)");
	recording = calloc(1, sizeof(*recording));
	if (!recording)
		return fail(ENOMEM, "record: no memory");
	recording->call = setup->call;
	recording->config = setup->config;
	recording->stdout_to_stderr = setup->stdout_to_stderr;
	*out = recording;
	return open_source(recording);
}

struct source *
recording_source(const struct recording *recording)
{
	return recording->source;
}

bool
recording_not_run(const struct recording *recording)
{
	return recording->exec_error;
}

int
recording_begin(struct recording *recording)
{
	int error = recording->config->pid
			    ? attach(recording, (pid_t)recording->config->pid)
			    : start_command(recording);

	return error ? error : start_watcher(recording);
}

void
recording_wait(struct recording *recording)
{
	if (!recording->launched)
		return;
	find_status(recording);
	recording->exec_error = launch_trouble(&recording->launch);
	if (recording->exec_error)
		fail_errno(recording->exec_error, "%s: cannot run",
			   recording->call->argv[0]);
}

static void
close_all(struct recording *recording)
{
	if (!recording)
		return;
	recording->watched = 1;
	if (recording->watching)
		pthread_join(recording->watcher, NULL);
	source_close(recording->source);
	for (size_t i = 0; i < recording->n_tracers; i++)
		if (recording->tracer[i])
			source_close(&recording->tracer[i]->source);
	if (recording->launched)
		launch_fini(&recording->launch);
	roster_close(recording->roster);
	stream_close(recording->stream);
	free(recording);
}

bool
recording_sampled(const struct recording *recording)
{
	const json_t *about = stream_about(recording->stream);

	return json_object_get(about, "unrecorded_ns") != NULL;
}

static bool
losses(const struct recording *recording)
{
	json_t *list =
		json_object_get(stream_about(recording->stream), "losses");
	/* Samples are what was asked for; the trace says that it has no more */
	bool sampled = recording_sampled(recording);

	return json_array_size(list) > sampled || json_object_size(list);
}

static int
exit_status(const struct recording *recording, bool lost)
{
	int status = recording->wait_status;

	if (recording->exec_error)
		return recording->exec_error == ENOENT ? STATUS_NOT_FOUND
						       : STATUS_NO_EXEC;
	if (recording->wait_known && WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	if (recording->wait_known && WEXITSTATUS(status))
		return WEXITSTATUS(status);
	return lost ? STATUS_PARTIAL : STATUS_OK;
}

int
recording_end(struct recording *recording, int error, bool lost)
{
	int status;

	if (!recording)
		return error;
	status = exit_status(recording, lost || losses(recording));
	if (error && !recording->exec_error)
		status = error == -EINVAL ? STATUS_USAGE : error;
	close_all(recording);
	return status;
}
