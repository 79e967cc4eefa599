// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope validate TRACE, or validate -- CMD: is what a replay predicts what
 * the kernel counted in the same run?
 *
 *	CMD -> record -> trace -> replay -> result: table `validate` -> status
 *
 * record and replay are the verbs themselves, with their own options.
 */
#include "analyzer/cmd-validate.h"
#include "analyzer/fail.h"
#include "analyzer/result.h"
#include "analyzer/verb.h"
#include "reports/renderer.h"
#include "reports/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct option_row validate_rows[] = {
	{ "input", OPTION_STRING, offsetof(struct validate_config, input),
	  .help = "the trace", .key = 'i', .argument = "FILE" },
	{ "output", OPTION_STRING, offsetof(struct validate_config, output),
	  .help = "write the whole result as JSON, - for standard output",
	  .key = 'o', .argument = "FILE" },
	{ "engine", OPTION_STRING, offsetof(struct validate_config, engine),
	  "step",
	  .help = "of a command: how to record it (record -e); step disturbs "
		  "least, cache is faster",
	  .key = 'e', .argument = "ENGINE[,ENGINE...]" },
	{ "trace", OPTION_STRING, offsetof(struct validate_config, trace),
	  .help = "of a command: keep its trace here", .argument = "FILE" },
	{ "cpu", OPTION_STRING, offsetof(struct validate_config, cpu),
	  .help = "a preset (config list names them)", .key = 'c',
	  .argument = "PRESET" },
	{ "config", OPTION_STRING, offsetof(struct validate_config, config),
	  .help = "a machine's file, laid over the preset",
	  .argument = "FILE" },
	{ "set", OPTION_LIST, offsetof(struct validate_config, set),
	  .help = "one option of the machine: pages.policy=thp", .key = 's',
	  .argument = "NAME=VALUE" },
	{ "runtime", OPTION_BOOL, offsetof(struct validate_config, runtime),
	  "no",
	  .help = "of a command: predict what huge pages do to its runtime, and "
		  "measure it" },
	{ "repeat", OPTION_INT, offsetof(struct validate_config, repeat), "5",
	  .min = 1, .max = 1000,
	  .help = "with --runtime: run it so often with huge pages, and as "
		  "often without",
	  .argument = "N" },
	{ "allow-huge", OPTION_BOOL,
	  offsetof(struct validate_config, allow_huge), "no",
	  .help = "with --runtime, as root: switch transparent_hugepage to "
		  "always for the time of the runs, and back" },
	{ NULL },
};

static const struct option_group validate_groups[] = {
	{ "", validate_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree validate_options = {
	validate_groups, sizeof(struct validate_config)
};

/* An option of another verb */
struct given {
	const char *name, *value; /* value NULL: not given */
};

/* Run another verb as if it had been typed. */
static int
run_verb(const struct verb_ops *ops, const struct verb_call *from,
	 const struct given *given, int argc, char **argv)
{
	void *config = calloc(1, ops->options->config_bytes);
	struct verb_call call = *from;
	int error = config ? option_init(ops->options, config) : -ENOMEM;

	if (error) {
		free(config);
		return fail(ENOMEM, "validate: no memory");
	}
	for (; !error && given->name; given++)
		if (given->value)
			error = option_set(ops->options, config, "validate",
					   given->name, given->value);
	call.config = config;
	call.argc = argc;
	call.argv = argv;
	if (!error)
		error = ops->run(&call);
	option_fini(ops->options, config);
	free(config);
	return error;
}

int
validate_own_file(char path[64], const char *what)
{
	const char *where = getenv("TMPDIR");
	int fd;

	if (!where || strlen(where) > 32)
		where = "/tmp";
	snprintf(path, 64, "%s/pagescope-%.8s.XXXXXX", where, what);
	fd = mkstemp(path);
	if (fd < 0) {
		int error = errno;

		path[0] = '\0';
		return fail_errno(error, "validate: no file in %s", where);
	}
	close(fd);
	return 0;
}

/* The command's own status is told, and is not ours. */
int
validate_record(struct validate *validate, const char *engine)
{
	extern const struct verb_ops record_verb;
	const struct verb_call *call = validate->call;
	const struct validate_config *config = validate->config;
	int status = 0;

	if (config->trace && *config->trace)
		validate->input = config->trace;
	else
		status = validate_own_file(validate->trace, "trace");
	if (status)
		return status;
	if (*validate->trace)
		validate->input = validate->trace;
	status = run_verb(&record_verb, call,
			  (const struct given[]){ { "engine", engine },
						  { "output", validate->input },
						  { NULL, NULL } },
			  call->argc, call->argv);
	if (status < 0 || status == STATUS_USAGE || status >= STATUS_FAILED)
		return status;
	if (status)
		note("%s ended with status %d", call->argv[0], status);
	return 0;
}

static int
replay(struct validate *validate)
{
	extern const struct verb_ops replay_verb;
	const struct validate_config *config = validate->config;
	struct given given[16] = {
		{ "input", validate->input },
		{ "output", validate->result },
		{ "cpu", config->cpu },
		{ "config", config->config },
		{ "symbols", "no" },
		{ "set", "pages.policy=thp" },
		{ "set", "pages.thp=recorded" },
	};
	size_t n = 7;

	for (size_t i = 0; config->set && config->set[i]; i++) {
		if (n + 1 == ARRAY_SIZE(given))
			return fail(EINVAL, "validate: too many --set");
		given[n++] = (struct given){ "set", config->set[i] };
	}
	return run_verb(&replay_verb, validate->call, given, 0,
			(char *[]){ NULL });
}

static int
judge(const struct result *result, const char *input)
{
	double passed = 0, differs = 0;
	struct view_table table;

	if (!view_table(result, "validate", &table))
		return fail(
			EINVAL,
			"validate: %s has none of the kernel's own counts: record it with -e cache or -e step, to the end of the program",
			input);
	view_value(result, "validate.passed", &passed);
	view_value(result, "validate.differs", &differs);
	return differs > 0 || passed <= 0 ? STATUS_PARTIAL : STATUS_OK;
}

static int
tell(struct validate *validate)
{
	extern const struct renderer_ops text_renderer;
	struct render_setup setup = { .table = "validate" };
	const char *output = validate->config->output;
	struct result *result = NULL;
	int status = result_read(&result, validate->result);

	if (status)
		return status;
	status = judge(result, validate->input);
	render_terminal(&setup);
	if (status >= 0) {
		int error =
			output && *output
				? result_write(result, output)
				: text_renderer.render(result, &setup, stdout);

		status = error ? error : status;
	}
	result_close(result);
	return status;
}

static int
validate_all(struct validate *validate, bool command)
{
	int status =
		command ? validate_record(validate, validate->config->engine)
			: 0;

	if (!status)
		status = validate_own_file(validate->result, "result");
	if (!status)
		status = replay(validate);
	if (status == STATUS_OK || status == STATUS_PARTIAL)
		status = tell(validate);
	if (*validate->trace)
		unlink(validate->trace);
	if (*validate->result)
		unlink(validate->result);
	return status;
}

/* What stands behind -- is a command. */
static bool
is_command(const struct verb_call *call)
{
	for (int i = 1; i < call->full_argc; i++)
		if (!strcmp(call->full_argv[i], "--"))
			return call->argc > 0;
	return false;
}

static int
validate_run(const struct verb_call *call)
{
	const struct validate_config *config = call->config;
	struct validate validate = { .call = call, .config = config };
	bool command = is_command(call);
	bool named = config->input && *config->input;

	validate.input = named ? config->input : call->argv[0];
	if (command ? named : !validate.input || call->argc > !named) {
		fail(EINVAL,
		     validate.input
			     ? "validate: one trace, or -- and a command"
			     : "validate: which trace? (or -- and a command)");
		return STATUS_USAGE;
	}
	if (config->runtime && !command)
		return fail(EUSAGE, "validate --runtime: of a command, behind "
				    "--");
	return config->runtime ? validate_runtime(&validate)
			       : validate_all(&validate, command);
}

const struct verb_ops validate_verb = {
	.name = "validate",
	.help = "hold predictions against what the kernel counted in the same run",
	.arguments = "[OPTION...] TRACE | [OPTION...] -- COMMAND [ARGUMENT...]",
	.details =
		"The engines cache and step store in the trace what the kernel "
		"itself counts of each process: faults (as getrusage does), "
		"resident memory and page tables (status, smaps_rollup), when "
		"its program begins and in the moment before it ends. The "
		"replay of the accesses predicts the same figures, and "
		"validate prints both, the error, how much of it is allowed, "
		"and whether they agree. Of a command, it records it first, "
		"into a file that is not kept unless --trace names one.\n\n"
		"The status is 0 where all figures that can be compared agree, "
		"3 where one does not or none can be compared, 2 of wrong "
		"usage and 125 of a failure, as of a trace without such "
		"counts. The command's own status is only told.\n\n"
		"Figures: fault.minor and fault.major since the program "
		"began, with those that mlock and MAP_POPULATE took; "
		"table.bytes (VmPTE), mapped.bytes (VmSize), locked.bytes "
		"(VmLck), rss.bytes and its parts rss.anon, rss.file and "
		"rss.shared, pss.anon (Pss_Anon; who maps the same files is "
		"not recorded), thp.bytes (AnonHugePages), swap.bytes (VmSwap) "
		"just before it ended. Exact means equal; else the error may "
		"be that part of the measured figure, or so much.\n\n"
		"What disturbs: step reads code before it runs, so that the "
		"faults on it are the recorder's own; they are left out on "
		"both sides. cache maps memory of its own into the target, "
		"which is told apart and subtracted; its faults, and pages of "
		"code that it read ahead, are not, so fault.minor and what "
		"has rss.file in it are then not compared. A figure that is "
		"not compared is listed with the reason.\n\n"
		"The machine is that of replay, with pages.policy=thp and "
		"pages.thp=recorded, which is what the host did; --set changes "
		"it.\n\n"
		"--runtime records the command once (with the engine cache, "
		"unless another is named), and runs it --repeat times with huge "
		"pages and as often without (prctl PR_SET_THP_DISABLE), in "
		"turns, after one of each that does not count, with its output "
		"thrown away. From the median processor time without huge "
		"pages and from the trace it predicts what they change, as "
		"pagescope advise huge-pages does, and prints that beside what "
		"was measured (the median of the ratios of neighbouring runs, "
		"and what 95 of 100 such medians lie between; of less than 6 "
		"runs the least and the greatest), with the error in points. "
		"The "
		"status is 0 where the error is at most 10 points, or what was "
		"measured lies in the interval. Huge pages must be allowed for "
		"all (transparent_hugepage=always), which --allow-huge sees to "
		"for the time of the runs, however they end. The machine "
		"should be this host: pagescope calibrate -o host.cfg makes "
		"its file.",
	.examples = "pagescope validate -- gzip -k -f FILE\n"
		    "# as root (not tested)\n"
		    "pagescope validate --runtime --allow-huge --config "
		    "host.cfg -- gzip -k -f FILE\n"
		    "# faster, with less that can be compared\n"
		    "pagescope validate -e cache -- gzip -k -f FILE\n",
	.options = &validate_options,
	.run = validate_run,
};
