// SPDX-License-Identifier: GPL-2.0-or-later
/* pagescope sweep: many machines, from all combinations of parameters. */
#include "analyzer/cmd-sweep.h"
#include "analyzer/cmd-common.h"
#include "analyzer/config-file.h"
#include "analyzer/fail.h"
#include "analyzer/rows.h"
#include "reports/renderer.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REASONS_MOST 8 /* why points are no machine, printed */
#define AT(field)    offsetof(struct sweep_options, field)

static const struct option_row sweep_rows[] = {
	{ "parameter", OPTION_LIST, AT(parameter),
	  .help = "a parameter and its values, in one word or in several: "
		  "NAME FROM..TO xFACTOR, NAME FROM..TO +STEP, NAME VALUE,...; "
		  "NAME is an option of the machine (table: table.kind, "
		  "policy: pages.policy), or cpu, config, memory or "
		  "seed",
	  .key = 'P', .argument = "NAME=VALUES" },
	{ "list", OPTION_LIST, AT(parameter),
	  .help = "the same, for lists of words", .key = 'L',
	  .argument = "NAME=VALUES" },
	{ "file", OPTION_STRING, AT(file),
	  .help = "a sweep's file: these options by their long names, and "
		  "input for its traces",
	  .key = 'f', .argument = "FILE" },
	{ "input", OPTION_LIST, AT(input), .help = "a trace", .key = 'i',
	  .argument = "FILE" },
	{ "output", OPTION_STRING, AT(output),
	  .help = "the sweep's directory (sweep); of merge the file (its "
		  "sweep.json), - for standard output",
	  .key = 'o', .argument = "DIR" },
	ROW_CPU(AT(cpu), "a preset, whose parameters are varied"),
	ROW_CONFIG(AT(config)),
	{ "set", OPTION_LIST, AT(set),
	  .help = "one option of all points, laid over the file", .key = 's',
	  .argument = "NAME=VALUE" },
	ROW_SEED(AT(seed), "0",
		 "of what machines do at random, 0: as configured"),
	{ "memory", OPTION_SIZE, AT(memory), "0",
	  .help = "so much memory for data, as replay has it; 0: as "
		  "configured" },
	{ "max-accesses", OPTION_SIZE, AT(max_accesses), "0",
	  .help = "of each trace only so many, 0: all", .key = 'n',
	  .argument = "N" },
	ROW_RECOVER(AT(recover)),
	ROW_SYMBOLS(AT(symbols)),
	ROW_JOBS(AT(jobs)),
	{ "group", OPTION_INT, AT(group), "0", .min = 0, .max = 4096,
	  .help = "machines in one decoding, at most (a kill loses as much); "
		  "0: 16 to 128, fewer of a longer trace",
	  .argument = "N" },
	{ "room", OPTION_SIZE, AT(room), "0",
	  .help = "memory for a group; what needs more runs in smaller ones; "
		  "0: three quarters of what is free" },
	{ "shard", OPTION_STRING, AT(shard),
	  .help = "run: only each N-th point, from the I-th on; else what "
		  "SLURM_ARRAY_TASK_ID and _COUNT say, or all",
	  .argument = "I/N" },
	{ "shards", OPTION_INT, AT(shards), "0", .min = 0, .max = 100000,
	  .help = "submit: how many; 0: four for each processor, or 64 of "
		  "Slurm's",
	  .argument = "N" },
	{ "slurm", OPTION_BOOL, AT(slurm), .help = "submit: as a job array" },
	{ "parallel", OPTION_BOOL, AT(parallel),
	  .help = "submit: with GNU parallel" },
	{ "sbatch", OPTION_LIST, AT(sbatch),
	  .help = "submit --slurm: an option of sbatch: "
		  "--sbatch=--partition=long",
	  .argument = "OPTION" },
	{ "dry-run", OPTION_BOOL, AT(dry_run),
	  .help = "submit: print the script, and start nothing" },
	{ "partial", OPTION_BOOL, AT(partial),
	  .help = "merge: without the results that are missing, and say so in "
		  "the document" },
	{ "figures", OPTION_STRING, AT(figures),
	  .help = "merge: only these values of the results, with commas "
		  "between and * for any text: 'walk.*,translation.cycles'",
	  .argument = "LIST" },
	{ NULL },
};

static const struct option_group sweep_groups[] = {
	{ "", sweep_rows, 0, NULL },
	{ NULL },
};

const struct option_tree sweep_options_tree = { sweep_groups,
						sizeof(struct sweep_options) };

struct sweep {
	const struct verb_call *call;
	struct sweep_options options; /* the file's, and the command line's */
	char **axes, **words;	      /* owned: arrays, axes' strings */
	char **traces;		      /* owned: the array */
	struct sweep_plan plan;
};

/* ---- options: those of the file, and over them those of the command line */

/* For option_each over the call's options: those that are not the default */
static int
lay_row(void *context, const char *name, const struct option_row *row,
	const void *start)
{
	struct sweep *sweep = context;
	struct sweep_options plain;
	char text[PATH_MAX], before[PATH_MAX];
	int error = 0;

	if (row->type == OPTION_LIST) {
		char *const *list =
			*(char *const *const *)(const void *)((const char *)
								      start +
							      row->offset);

		if (!strcmp(name, "list"))
			return 0; /* parameter's own */
		for (; !error && list && *list; list++)
			error = option_set_row(row, &sweep->options, "sweep",
					       name, *list);
		return error;
	}
	if (option_init(&sweep_options_tree, &plain))
		return fail(ENOMEM, "sweep: no memory");
	option_print(row, &plain, before, sizeof(before));
	option_print(row, start, text, sizeof(text));
	option_fini(&sweep_options_tree, &plain);
	return strcmp(text, before) ? option_set_row(row, &sweep->options,
						     "sweep", name, text)
				    : 0;
}

static int
lay_options(struct sweep *sweep)
{
	const struct sweep_options *given = sweep->call->config;
	int error = option_init(&sweep_options_tree, &sweep->options);

	if (error)
		return fail(ENOMEM, "sweep: no memory");
	if (given->file)
		error = config_load(&sweep_options_tree, &sweep->options,
				    given->file);
	/* Its parameters come first; those of the command line are words. */
	return error ? error
		     : option_each(&sweep_options_tree, given, lay_row, sweep);
}

static size_t
count(char *const *list)
{
	size_t n = 0;

	while (list && list[n])
		n++;
	return n;
}

/* The parameters of the file before those of the command line */
static int
join_axes(struct sweep *sweep)
{
	const struct sweep_options *given = sweep->call->config;
	size_t own = count(sweep->axes), n = count(given->parameter);
	size_t all = count(sweep->options.parameter), from_file = all - n;
	char **axes;

	if (own != n)
		return fail(EUSAGE, "sweep: --parameter and --list are written "
				    "in full, or -P and -L");
	axes = calloc(from_file + own + 1, sizeof(*axes));
	if (!axes)
		return fail(ENOMEM, "sweep: no memory");
	for (size_t i = 0; i < own; i++)
		axes[from_file + i] = sweep->axes[i];
	for (size_t i = 0; i < from_file; i++) {
		axes[i] = strdup(sweep->options.parameter[i]);
		if (!axes[i]) {
			/* what is left of the array must be whole */
			memmove(axes, axes + from_file,
				(own + 1) * sizeof(*axes));
			break;
		}
	}
	free(sweep->axes);
	sweep->axes = axes;
	return from_file && !axes[0] ? fail(ENOMEM, "sweep: no memory") : 0;
}

/* Those of -i and of the file, and the words, without the first `skip` */
static int
join_traces(struct sweep *sweep, size_t skip)
{
	size_t n = count(sweep->options.input), m = count(sweep->words);

	sweep->traces = calloc(n + m + 1, sizeof(*sweep->traces));
	if (!sweep->traces)
		return fail(ENOMEM, "sweep: no memory");
	for (size_t i = 0; i < n; i++)
		sweep->traces[i] = sweep->options.input[i];
	for (size_t i = skip; i < m; i++)
		sweep->traces[n + i - skip] = sweep->words[i];
	return 0;
}

static int
sweep_init(struct sweep *sweep, const struct verb_call *call)
{
	int error;

	*sweep = (struct sweep){ .call = call };
	error = lay_options(sweep);
	if (!error)
		error = sweep_words(call, &sweep->axes, &sweep->words);
	return error ? error : join_axes(sweep);
}

static void
sweep_fini(struct sweep *sweep)
{
	for (size_t i = 0; sweep->axes && sweep->axes[i]; i++)
		free(sweep->axes[i]);
	free(sweep->axes);
	free(sweep->words);
	free(sweep->traces);
	sweep_plan_fini(&sweep->plan);
	option_fini(&sweep_options_tree, &sweep->options);
}

/* ---- what the verb does ---- */

static int
set_default(char **text, const char *otherwise)
{
	if (!*text)
		*text = strdup(otherwise);
	return *text ? 0 : fail(ENOMEM, "sweep: no memory");
}

/* Points that are no machine by their reasons, the first of each named */
static void
print_invalid(const struct sweep_plan *plan)
{
	size_t first[REASONS_MOST], points[REASONS_MOST], n = 0, more = 0;
	char text[512];

	for (size_t i = 0; i < plan->n_points; i++) {
		const char *reason = plan->point[i].reason;
		size_t k = 0;

		if (!reason)
			continue;
		while (k < n && strcmp(plan->point[first[k]].reason, reason))
			k++;
		if (k == REASONS_MOST) {
			more++;
			continue;
		}
		if (k == n) {
			first[n] = i;
			points[n++] = 0;
		}
		points[k]++;
	}
	for (size_t k = 0; k < n; k++) {
		sweep_point_text(plan, first[k], text, sizeof(text));
		printf("  no machine: %s: point %zu",
		       plan->point[first[k]].reason, first[k] + 1);
		if (points[k] > 1)
			printf(" and %zu more", points[k] - 1);
		printf(" (%s)\n", text);
	}
	if (more)
		printf("  no machine for other reasons: %zu\n", more);
}

static int
plan_it(struct sweep *sweep, size_t skip)
{
	struct sweep_plan *plan = &sweep->plan;
	char path[PATH_MAX];
	int error = join_traces(sweep, skip);

	if (!error)
		error = set_default(&sweep->options.output, "sweep");
	if (!error)
		error = sweep_plan_make(plan, &sweep->options, sweep->traces,
					sweep->axes);
	if (!error)
		error = sweep_path(path, sizeof(path), plan, "results");
	if (!error)
		error = common_directories(path);
	if (!error)
		error = sweep_plan_write(plan);
	if (error)
		return error;
	printf("%s/plan.json: %zu points, %zu of them no machine\n",
	       plan->directory, plan->n_points, plan->n_invalid);
	print_invalid(plan);
	return 0;
}

static struct sweep_how
how_to(const struct sweep *sweep)
{
	return (struct sweep_how){
		.call = sweep->call,
		.jobs = common_jobs(sweep->options.jobs),
		.group = (size_t)sweep->options.group,
		.room = sweep->options.room,
		.shard = 1,
		.shards = 1,
	};
}

static int
run_plan(struct sweep *sweep)
{
	struct sweep_how how = how_to(sweep);
	double seconds;
	int error = plan_it(sweep, 1);

	if (!error)
		error = sweep_estimate(&seconds, &sweep->plan, &how);
	if (error)
		return error;
	if (isinf(seconds))
		printf("nobody knows how long it takes: the trace does not say "
		       "how long it is\n");
	else
		printf("about %.*f %s on %u thread%s of a machine like this\n",
		       seconds < 9.5 || (seconds >= 120 && seconds < 600),
		       seconds < 120 ? seconds : seconds / 60,
		       seconds < 120 ? "s" : "minutes", how.jobs + 1,
		       how.jobs ? "s" : "");
	return STATUS_OK;
}

/* The only argument but the first */
static int
open_plan(struct sweep *sweep)
{
	const char *directory = sweep->words[1];
	size_t n = count(sweep->words);

	if (n > 2 || count(sweep->axes) || count(sweep->options.input))
		return fail(EUSAGE,
			    "sweep %s: the directory of one plan, and "
			    "no more",
			    sweep->words[0]);
	return sweep_plan_read(&sweep->plan, directory ? directory : "sweep");
}

/* Relative names of traces begin where it was planned. */
static int
go_home(struct sweep_plan *plan)
{
	char *directory = realpath(plan->directory, NULL);

	if (!directory)
		return fail_errno(errno, "%s", plan->directory);
	free(plan->directory);
	plan->directory = directory;
	if (plan->home && chdir(plan->home))
		note("sweep: %s, where it was planned, is not here: names of "
		     "traces begin in this directory",
		     plan->home);
	return 0;
}

static int
run_points(struct sweep *sweep, const struct sweep_how *how)
{
	struct sweep_done done;
	int error = sweep_points_run(&done, &sweep->plan, how);

	if (error)
		return error;
	printf("%zu points: %zu run, %zu were there", done.points, done.run,
	       done.there);
	if (done.failed)
		printf(", %zu failed", done.failed);
	printf("%s\n", done.stopped ? "; stopped" : "");
	if (done.stopped)
		note("sweep: stopped by a signal; the same command goes on");
	return done.stopped || done.failed ? STATUS_PARTIAL : STATUS_OK;
}

static int
run_run(struct sweep *sweep)
{
	struct sweep_how how = how_to(sweep);
	char path[PATH_MAX];
	int error = sweep_shard(&how.shard, &how.shards, sweep->options.shard);

	if (!error)
		error = open_plan(sweep);
	if (!error)
		error = go_home(&sweep->plan);
	if (!error)
		error = sweep_path(path, sizeof(path), &sweep->plan, "results");
	if (!error)
		error = common_directories(path);
	return error ? error : run_points(sweep, &how);
}

static int
run_submit(struct sweep *sweep)
{
	int error = open_plan(sweep);

	return error ? error : sweep_submit(&sweep->plan, &sweep->options);
}

/* Into path, or with a report where that is NULL, into DIR/sweep.json */
static int
merge_it(struct sweep *sweep, const char *path)
{
	extern const struct renderer_ops text_renderer;
	struct render_setup setup = { .top = 10 };
	char own[PATH_MAX];
	struct result *result;
	int error = sweep_path(own, sizeof(own), &sweep->plan, "sweep.json");
	int status;

	if (error)
		return error;
	status = sweep_merge(&result, &sweep->plan, &sweep->options);
	if (status < 0)
		return status;
	/* what is named may be no file: only ours is put in another's place */
	error = path ? result_write(result, path) : sweep_save(result, own);
	if (!error && !path) {
		render_terminal(&setup);
		error = text_renderer.render(result, &setup, stdout);
	}
	result_close(result);
	return error ? error : status;
}

static int
run_merge(struct sweep *sweep)
{
	int error = open_plan(sweep);

	return error ? error : merge_it(sweep, sweep->options.output);
}

/* All in one go */
static int
run_all(struct sweep *sweep)
{
	struct sweep_how how = how_to(sweep);
	int error = plan_it(sweep, 0), status;

	if (error)
		return error;
	status = run_points(sweep, &how);
	if (status < 0)
		return status;
	/* what was stopped is told by its points; the rest is not merged */
	for (size_t i = 0; i < sweep->plan.n_points; i++)
		if (sweep->plan.point[i].hash[0] &&
		    !sweep_point_there(&sweep->plan, i))
			return STATUS_PARTIAL;
	error = merge_it(sweep, NULL);
	return error ? error : status;
}

static const struct {
	const char *name;
	int (*run)(struct sweep *sweep);
} actions[] = {
	{ "plan", run_plan },
	{ "run", run_run },
	{ "submit", run_submit },
	{ "merge", run_merge },
};

static int
sweep_run(const struct verb_call *call)
{
	struct sweep sweep;
	int (*action)(struct sweep * sweep) = run_all;
	int status = sweep_init(&sweep, call);

	for (size_t i = 0; !status && i < ARRAY_SIZE(actions); i++)
		if (sweep.words[0] && !strcmp(sweep.words[0], actions[i].name))
			action = actions[i].run;
	if (!status)
		status = action(&sweep);
	sweep_fini(&sweep);
	return status;
}

const struct verb_ops sweep_verb = {
	.name = "sweep",
	.help = "replay a trace through machines of all combinations of "
		"parameters",
	.arguments = "[plan] [OPTION...] TRACE... | run|submit|merge DIR",
	.details =
		"Makes a machine of each combination of the parameters' values "
		"(-P, -L) and replays the traces through all of them: many "
		"machines from one decoding, on all processors. Each result is "
		"a file of its own, the same, byte for byte, that the replay "
		"in its provenance.command writes; the table `sweep' of one "
		"more document, DIR/sweep.json, has a row for each, its "
		"parameters and its figures side by side.\n\n"
		"Results lie in DIR/results under a hash of the trace's "
		"content and of all options of the machine, and appear whole "
		"or not at all. So a sweep that was stopped or killed goes on "
		"where it was by the same command, and one with more values "
		"runs only what is new.\n\n"
		"A combination that is no machine (a TLB whose ways do not "
		"divide its entries) does not end the sweep: it is told, and "
		"stays in the table with the reason.\n\n"
		"On a cluster, or by hand, in steps: `sweep plan' writes "
		"DIR/plan.json, says how many points there are, and about how "
		"long they take; `sweep run DIR --shard I/N' runs each N-th of "
		"them; `sweep submit DIR' makes a script that does so in a "
		"Slurm array (--slurm) or with GNU parallel (--parallel) and "
		"starts it (--dry-run shows it); `sweep merge DIR' makes the "
		"one document when all are there, names what is missing where "
		"not, and takes what there is with --partial, which the "
		"document then says.\n\n"
		"Values of a parameter: 512..8192 x2 (by factors), 4..16 +4 "
		"(by sums), 16,48,64, or words, zen4,zen5; where words have "
		"commas themselves, with ; between and at the end. The last "
		"parameter varies first. Besides options of the machine, cpu "
		"and config may vary, memory (as replay --memory), and seed; "
		"several traces are one more dimension. A file (--file) has "
		"the same options by their long names, in libconfig's "
		"syntax:\n\n"
		"  input = [ \"trace.pst\" ];\n"
		"  cpu = \"zen4\";\n"
		"  parameter = [ \"tlb.l2.entries=512..4096 x2\",\n"
		"                \"table.kind=radix,hashed\" ];\n\n"
		"Status 3: stopped, or a point failed, or results are missing.",
	.examples =
		"# second-level TLBs and page tables\n"
		"pagescope sweep trace.pst -P tlb.l2.entries 768..6144 x2 "
		"-L table.kind radix,hashed -o sweep\n"
		"pagescope report --format csv --table sweep sweep/sweep.json\n"
		"pagescope plot sweep/sweep.json -o plots\n"
		"# in steps, as on a cluster\n"
		"pagescope sweep plan trace.pst --cpu zen4 -P seed 1..4 +1 "
		"-L pages.policy 4k,2m -o steps\n"
		"pagescope sweep submit steps --slurm --dry-run\n"
		"pagescope sweep run steps --shard 1/2\n"
		"pagescope sweep run steps --shard 2/2\n"
		"pagescope sweep merge steps -o all.json\n",
	.options = &sweep_options_tree,
	.run = sweep_run,
};
