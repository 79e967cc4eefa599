// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope run -- CMD: record and replay in one process.  The batches go to
 * the machines as they are, so that nothing is encoded and decoded.
 *
 *	recording -> run loop -> machines -> result
 *	                     \-> what verdicts take -> verdicts
 */
#include "analyzer/cmd-recording.h"
#include "analyzer/cmd-verdicts.h"
#include "analyzer/fail.h"
#include "analyzer/replay.h"
#include "reports/renderer.h"
#include "reports/verdict.h"

#include <string.h>
#include <unistd.h>

struct run_config {
	struct record_config record;
	struct replay_config replay;
	bool verdicts;
	uint64_t runtime_ns;
	char *sample;
};

static const struct option_row run_rows[] = {
	{ "verdicts", OPTION_BOOL, offsetof(struct run_config, verdicts), "yes",
	  .help = "end the report with verdicts, as advise has them" },
	{ "sample", OPTION_STRING, offsetof(struct run_config, sample), "auto",
	  .help = "what to watch, as for record; auto: all of the first 2 s, then "
		  "10 ms of each 100, where there are verdicts and engine "
		  "cache; all: everything",
	  .argument = "auto|all|[first=MS,]on=MS,off=MS" },
	{ "runtime", OPTION_TIME, offsetof(struct run_config, runtime_ns), "0",
	  .help = "for verdicts: how long the command runs when nobody records "
		  "it; 0: not known" },
	{ NULL },
};

static const struct option_group run_groups[] = {
	{ "", recording_rows, offsetof(struct run_config, record), NULL },
	{ "", replay_rows + REPLAY_TRACE_ROWS,
	  offsetof(struct run_config, replay), NULL },
	{ "", run_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree run_options = { run_groups,
						sizeof(struct run_config) };

/* What the source is fed to: machines, with verdicts or without. */
struct watching {
	struct recording *recording;
	struct replay *replay;
	struct verdicts *verdicts; /* NULL: without */
	bool partial;
};

/* Of several machines, or into a file, the result is of those alone. */
static bool
has_verdicts(const struct run_config *config)
{
	return config->verdicts && !config->replay.machine &&
	       !config->replay.output && !config->replay.explain_walks;
}

/* Of the record that is made: all of it where only some engines can sample. */
static const char *
sample_of(const struct run_config *config)
{
	const char *engine = config->record.engines;

	if (config->sample && !strcmp(config->sample, "all"))
		return "";
	if (config->sample && strcmp(config->sample, "auto") != 0)
		return config->sample;
	if (!has_verdicts(config) || config->replay.max_accesses ||
	    (strcmp(engine, "auto") != 0 && strcmp(engine, "cache") != 0))
		return "";
	return "first=2000,on=10,off=90";
}

/* What the machines get, and the command's end. */
static int
watch(struct watching *watching)
{
	int error = recording_begin(watching->recording);

	if (error)
		return error;
	error = watching->verdicts ? verdicts_feed(watching->verdicts)
				   : replay_feed(watching->replay);
	if (error > 0)
		error = recording_drain(watching->recording);
	if (error)
		recording_goes_on(watching->recording);
	else
		recording_wait(watching->recording);
	return error;
}

static int
open_machines(struct watching *watching, const struct recording_setup *setup,
	      const struct run_config *config, const char *name)
{
	const struct topic_ops *topic[VERDICTS_TOPICS];
	struct verdicts_request request = {
		.call = setup->call,
		.topic = topic,
		.replay = config->replay,
		.plain = "",
		.name = name,
		.lean = true,
		.runtime_ns = config->runtime_ns,
	};
	struct source *source = recording_source(watching->recording);

	if (!has_verdicts(config))
		return replay_open(&watching->replay, setup->call,
				   &config->replay, source, name);
	while (request.n < VERDICTS_TOPICS && topic_registry[request.n]) {
		topic[request.n] = topic_registry[request.n];
		request.n++;
	}
	return verdicts_open(&watching->verdicts, &request, source);
}

/* The report of the plain machine, then the verdicts */
static int
report_verdicts(struct watching *watching, FILE *file)
{
	extern const struct renderer_ops text_renderer;
	struct render_setup setup = { .top = 10 };
	struct result *all, *plain = NULL;
	int error = verdicts_finish(watching->verdicts, &all);

	if (error)
		return error;
	render_terminal(&setup);
	/* Windows were asked for */
	watching->partial = view_partial(all) != NULL &&
			    !recording_sampled(watching->recording);
	if (result_machine(&plain, all, 0))
		return fail(ENOMEM, "run: no memory");
	error = text_renderer.render(plain, &setup, file);
	result_close(plain);
	return error ? error : verdicts_print(all, &setup, file);
}

static int
finish(struct watching *watching)
{
	int error;

	if (watching->verdicts)
		return report_verdicts(watching, stderr);
	error = replay_finish(watching->replay, stderr);
	watching->partial = !error && replay_is_partial(watching->replay);
	return error;
}

static int
run_all(struct watching *watching, const struct recording_setup *setup,
	const struct run_config *config)
{
	const char *name =
		setup->config->pid ? "a running process" : setup->call->argv[0];
	int error = recording_open(&watching->recording, setup);

	if (error)
		return error;
	recording_describe(watching->recording);
	error = open_machines(watching, setup, config, name);
	if (!error)
		error = watch(watching);
	/* The command's output stays its own */
	if (!error && !recording_not_run(watching->recording))
		error = finish(watching);
	return error;
}

static int
run_run(const struct verb_call *call)
{
	const struct run_config *config = call->config;
	const char *output = config->replay.output;
	struct record_config record = config->record;
	const struct recording_setup setup = {
		.call = call,
		.config = &record,
		.stdout_to_stderr = output && !strcmp(output, "-"),
	};
	struct watching watching = { NULL };
	int error;

	record.sample = (char *)(uintptr_t)sample_of(config);
	if (!call->argc == !config->record.pid) {
		fail(EINVAL, call->argc ? "run: a command or --pid, not both"
					: "run: which command?");
		return STATUS_USAGE;
	}
	error = run_all(&watching, &setup, config);
	replay_close(watching.replay);
	verdicts_close(watching.verdicts);
	return recording_end(watching.recording, error,
			     !error && watching.partial);
}

const struct verb_ops run_verb = {
	.name = "run",
	.help = "record a command and replay it at once, without a file",
	.arguments = "[OPTION...] [--] COMMAND [ARGUMENT...]",
	.details =
		"Runs the command, watches it as record does and feeds what it "
		"does to the machines that replay would make: the options are "
		"those of the two, and the result is that of record and then "
		"replay. No trace is made, which is faster; to ask "
		"another question, the command has to run again.\n\n"
		"The report ends with the verdicts of pagescope-advise(1), as "
		"far as one pass that is not slowed down can give them (what "
		"takes data in the caches is left to advise and a trace); not "
		"where --machine names several, and not in the file of -o.\n\n"
		"With verdicts, a command that takes longer than 2 s under "
		"watch is then watched for 10 ms of each 100 (--sample), with "
		"the engine cache. The figures are then of these windows; for "
		"verdicts the time between them is taken to be alike, and "
		"pages that were touched in it alone are not known. What the "
		"program did differently there is in no interval: --sample all "
		"watches everything.\n\n"
		"The report goes to standard error, for the command's output "
		"stays its own; with -o the result is written as JSON "
		"instead (with -o - to standard output, and the "
		"command's own output to standard error). The exit status is "
		"the command's, as record has it; 3 when it succeeded but the "
		"result is partial.",
	.examples = "pagescope run -- gzip -9 -k -f FILE\n"
		    "# would larger pages do?\n"
		    "pagescope run -m 4k=zen4:pages.policy=4k "
		    "-m huge=zen4:pages.policy=2m -o result.json "
		    "-- gzip -9 -k -f FILE\n",
	.lists = LIST_TRACERS,
	.options = &run_options,
	.command = true,
	.run = run_run,
};
