// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope record -- CMD: watch a command with a main engine and companions,
 * and store what it does.
 *
 *	recording -> run loop -> trace writer (or a counter)
 */
#include "analyzer/cmd-recording.h"
#include "analyzer/fail.h"
#include "analyzer/progress.h"
#include "analyzer/result.h"
#include "analyzer/run.h"
#include "analyzer/tally.h"
#include "analyzer/verb.h"
#include "traces/pst.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A model that counts accesses by kind, from packed batches: it gets every
 * access, as steps and roots. */
struct counter {
	struct model model;
	struct tally tally;
};

struct record {
	const struct record_config *config;
	struct recording *recording;
	struct source *source; /* the recording's, and its stream */
	struct stream *stream;
	struct model *writer;
	struct counter counter;
	struct progress progress;
	uint64_t faults;
	bool cut; /* ended by a bound */
	uint64_t accesses;
};

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
	recording_describe(record->recording);
	return pst_writer_open(sink, config->output, &options, record->stream);
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
	drained = recording_drain(record->recording);
	if (error == -EFBIG)
		error = 0;
	return error ? error : drained;
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

static int
record_all(struct record *record, const struct recording_setup *setup)
{
	struct model *sink = NULL;
	int error = recording_open(&record->recording, setup);

	if (error)
		return error;
	record->source = recording_source(record->recording);
	record->stream = record->source->stream;
	error = open_sink(record, &sink);
	if (error)
		return error;
	error = recording_begin(record->recording);
	if (!error) {
		error = record_into(record, sink);
		if (error)
			recording_goes_on(record->recording);
	}
	if (!error)
		recording_wait(record->recording);
	model_close(sink);
	return error;
}

static int
record_run(const struct verb_call *call)
{
	const struct record_config *config = call->config;
	const struct recording_setup setup = {
		.call = call,
		.config = config,
		.stdout_to_stderr =
			!config->count && !strcmp(config->output, "-"),
	};
	struct record record = { .config = config };
	int error;

	if (!call->argc == !config->pid) {
		fail(EINVAL, call->argc ? "record: a command or --pid, not "
					  "both"
					: "record: which command?");
		return STATUS_USAGE;
	}
	if (config->count && strcmp(config->output, RECORD_OUTPUT)) {
		fail(EINVAL,
		     "record: --count stores nothing: without -o, or without it");
		return STATUS_USAGE;
	}
	error = record_all(&record, &setup);
	return recording_end(record.recording, error, false);
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
