// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope run -- CMD: record and replay in one process.  The batches go to
 * the machines as they are, so that nothing is encoded and decoded.
 *
 *	recording -> run loop -> machines -> result
 */
#include "analyzer/cmd-recording.h"
#include "analyzer/fail.h"
#include "analyzer/replay.h"

#include <string.h>
#include <unistd.h>

struct run_config {
	struct record_config record;
	struct replay_config replay;
};

static const struct option_group run_groups[] = {
	{ "", recording_rows, offsetof(struct run_config, record), NULL },
	{ "", replay_rows + REPLAY_TRACE_ROWS,
	  offsetof(struct run_config, replay), NULL },
	{ NULL },
};

static const struct option_tree run_options = { run_groups,
						sizeof(struct run_config) };

/* What the machines get, and the command's end. */
static int
watch(struct recording *recording, struct replay *replay)
{
	int error = recording_begin(recording);

	if (error)
		return error;
	error = replay_feed(replay);
	if (error > 0)
		error = recording_drain(recording);
	if (error)
		recording_goes_on(recording);
	else
		recording_wait(recording);
	return error;
}

static int
run_all(struct recording **out, const struct recording_setup *setup,
	const struct replay_config *config, struct replay **replay)
{
	const char *name =
		setup->config->pid ? "a running process" : setup->call->argv[0];
	int error = recording_open(out, setup);

	if (error)
		return error;
	recording_describe(*out);
	error = replay_open(replay, setup->call, config, recording_source(*out),
			    name);
	if (!error)
		error = watch(*out, *replay);
	/* The command's output stays its own */
	if (!error && !recording_not_run(*out))
		error = replay_finish(*replay, stderr);
	return error;
}

static int
run_run(const struct verb_call *call)
{
	const struct run_config *config = call->config;
	const char *output = config->replay.output;
	const struct recording_setup setup = {
		.call = call,
		.config = &config->record,
		.stdout_to_stderr = output && !strcmp(output, "-"),
	};
	struct recording *recording = NULL;
	struct replay *replay = NULL;
	bool partial;
	int error;

	if (!call->argc == !config->record.pid) {
		fail(EINVAL, call->argc ? "run: a command or --pid, not both"
					: "run: which command?");
		return STATUS_USAGE;
	}
	error = run_all(&recording, &setup, &config->replay, &replay);
	partial = !error && replay_is_partial(replay);
	replay_close(replay);
	return recording_end(recording, error, partial);
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
