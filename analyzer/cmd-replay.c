// SPDX-License-Identifier: GPL-2.0-or-later
/* pagescope replay TRACE: what a machine would have made of the accesses. */
#include "analyzer/cmd-common.h"
#include "analyzer/fail.h"
#include "analyzer/progress.h"
#include "analyzer/replay.h"
#include "analyzer/rows.h"
#include "analyzer/run.h"
#include "analyzer/verb.h"
#include "models/analysis/samples.h"
#include "models/machine-list.h"
#include "reports/code-map.h"
#include "reports/renderer.h"
#include "reports/symbols.h"
#include "reports/who-files.h"
#include "traces/open.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct replay_config, field)

const struct option_row replay_rows[] = {
	ROW_INPUT(AT(input)),
	ROW_RECOVER(AT(recover)),
	ROW_OUTPUT(AT(output)),
	ROW_CPU(AT(cpu), "a preset (config list names them)"),
	ROW_CONFIG(AT(config)),
	{ "machine", OPTION_LIST, AT(machine),
	  .help = "one of several machines to compare in one run: a preset or "
		  "a file, with options of its own",
	  .key = 'm', .argument = "[LABEL=]PRESET[:NAME=VALUE,...]" },
	{ "set", OPTION_LIST, AT(set),
	  .help = "one option, laid over the file: tlb.l1d.entries=128",
	  .key = 's', .argument = "NAME=VALUE" },
	ROW_SEED(AT(seed), "0",
		 "of what the machine does at random, 0: as configured"),
	ROW_JOBS(AT(jobs)),
	{ "memory", OPTION_SIZE, AT(memory), "0",
	  .help = "so much memory for data: when it is full, pages leave as "
		  "Linux has it, or as --set reclaim.policy says; 0: as "
		  "configured" },
	ROW_MAX_ACCESSES(AT(max_accesses)),
	{ "explain-walks", OPTION_INT, AT(explain_walks), "0", .min = 0,
	  .max = 100000,
	  .help = "tell the first walks step by step, in the report and the "
		  "table walks.explained",
	  .argument = "N" },
	{ "by", OPTION_STRING, AT(by), "",
	  .help = "tell who misses, walks and faults, by words joined by "
		  "commas: function, line, object, mapping, thread, node, path "
		  "(call paths), page (the hottest), time, or all",
	  .argument = "WORD[,WORD...]" },
	ROW_SYMBOLS(AT(symbols)),
	{ NULL },
};

static const struct option_group replay_groups[] = {
	{ "", replay_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree replay_options = {
	replay_groups, sizeof(struct replay_config)
};

struct replay {
	const struct verb_call *call;
	const struct replay_config *config;
	const char *input;
	struct machine_list machines;
	unsigned by;		  /* enum who_by */
	struct who_files **files; /* owned, each too: [machines.n] */
	struct source *source;
	bool live;     /* the source is a program's */
	bool borrowed; /* it is its owner's */
	struct model *
		*model;	 /* [machines.n], the code map, the samples; more */
	size_t n_models; /* opened so far */
	struct result *result;
	struct progress progress;
};

/* What machine it was, and all of its options */
static int
put_machine(const struct machine_choice *choice, struct result *result)
{
	const char *about = choice->config.about ? choice->config.about : "";
	json_t *machine = json_object();
	int error;

	if (strcmp(choice->name, choice->cpu) != 0)
		json_object_set_new(machine, "name",
				    result_string(choice->name));
	json_object_set_new(machine, "cpu", result_string(choice->cpu));
	json_object_set_new(machine, "about", result_string(about));
	error = result_provenance(result, "machine", machine);
	return error ? error
		     : option_each(&machine_options, &choice->config,
				   common_option, result);
}

static void
replay_tick(struct run *run)
{
	struct replay *replay = run->tick_context;
	uint64_t done = 0, all = 0;

	if (run->source->methods->progress)
		run->source->methods->progress(run->source, &done, &all);
	progress_update(&replay->progress, done, all, run->accesses);
}

static int
feed_models(struct replay *replay)
{
	struct run run = {
		.source = replay->source,
		.models = replay->model,
		.n_models = replay->n_models,
		.jobs = common_jobs(replay->config->jobs),
		.stop = replay->live ? NULL : replay->call->stop,
		.max_accesses = replay->config->max_accesses,
		.tick = replay_tick,
		.tick_context = replay,
	};
	int error;

	progress_init(&replay->progress, replay->live ? "run" : "replay");
	error = run_feed(&run);
	progress_fini(&replay->progress);
	if (error)
		return error;
	if ((run.stopped || replay->live) && replay->call->stop &&
	    *replay->call->stop)
		error = result_partial(replay->result, "stopped by a signal");
	return error ? error : run.stopped;
}

static int
finish_model(struct model *model, struct result *result)
{
	return model->methods->finish(model, result);
}

/* Several machines: each puts what it counted into a result of its own. */
static int
finish_machine(struct replay *replay, size_t i, struct symbols *symbols)
{
	const struct machine_choice *choice = &replay->machines.machine[i];
	struct result *one;
	int error = result_open(&one);

	if (error)
		return fail(ENOMEM, "replay: no memory");
	error = finish_model(replay->model[i], one);
	if (!error && symbols)
		error = symbols_resolve(symbols, one);
	if (!error)
		error = put_machine(choice, one);
	if (!error)
		error = result_machine_add(replay->result, choice->name, one);
	result_close(one);
	return error;
}

int
replay_fill(struct result *result, const struct replay_parts *parts,
	    json_t *command)
{
	int error = parts->machine ? finish_model(parts->machine, result) : 0;

	if (!error)
		error = finish_model(parts->samples, result);
	if (!error && parts->symbols)
		error = symbols_resolve(parts->symbols, result);
	if (error) {
		json_decref(command);
		return error;
	}
	error = result_provenance(result, "command", command);
	if (!error)
		error = put_machine(parts->choice, result);
	return error ? error
		     : common_trace(result, parts->source, parts->input);
}

/* Several: what is of all of them, then each */
static int
finish_several(struct replay *replay, struct symbols *symbols)
{
	struct model *samples = replay->model[replay->machines.n + 1];
	int error = finish_model(samples, replay->result);

	if (!error && symbols)
		error = symbols_resolve(symbols, replay->result);
	if (!error)
		error = result_provenance(replay->result, "command",
					  common_command(replay->call));
	if (!error)
		error = common_trace(replay->result, replay->source,
				     replay->input);
	for (size_t i = 0; !error && i < replay->machines.n; i++)
		error = finish_machine(replay, i, symbols);
	return error;
}

static int
finish_machines(struct replay *replay, struct symbols *symbols)
{
	const struct replay_parts parts = {
		.choice = replay->machines.machine,
		.machine = replay->model[0],
		.samples = replay->model[replay->machines.n + 1],
		.symbols = symbols,
		.source = replay->source,
		.input = replay->input,
	};

	if (replay->machines.n > 1)
		return finish_several(replay, symbols);
	return replay_fill(replay->result, &parts,
			   common_command(replay->call));
}

static int
finish_result(struct replay *replay)
{
	struct symbols *symbols = NULL;
	int error = 0;

	if (replay->config->symbols)
		error = symbols_open(&symbols,
				     replay->model[replay->machines.n],
				     replay->source->stream);
	if (!error)
		error = finish_machines(replay, symbols);
	symbols_close(symbols);
	return error;
}

static int
write_result(struct replay *replay, FILE *report)
{
	extern const struct renderer_ops text_renderer;
	struct render_setup setup = { .top = 10 };

	if (replay->config->output)
		return result_write(replay->result, replay->config->output);
	render_terminal(&setup);
	return text_renderer.render(replay->result, &setup, report);
}

/* Linux's way, where --memory is given and no policy. */
static int
reclaim_by_default(struct machine_config *machine)
{
	if (driver_wanted(&machine->reclaim))
		return 0;
	free(machine->reclaim.policy);
	machine->reclaim.policy = strdup("linux");
	return machine->reclaim.policy ? machine_check(machine)
				       : fail(ENOMEM, "replay: no memory");
}

/* What --set says, and --memory as the last of it: to be freed. */
static char **
all_sets(const struct replay_config *config, char *memory, size_t bytes)
{
	size_t n = 0;
	char **sets;

	while (config->set && config->set[n])
		n++;
	sets = calloc(n + 2, sizeof(char *));
	if (!sets)
		return NULL;
	for (size_t i = 0; i < n; i++)
		sets[i] = config->set[i];
	snprintf(memory, bytes, "memory.size=%ju", (uintmax_t)config->memory);
	if (config->memory)
		sets[n] = memory;
	return sets;
}

int
replay_machines(struct machine_list *list, const struct replay_config *config)
{
	struct machine_common common = { config->cpu, config->config, NULL };
	char memory[64], **sets = all_sets(config, memory, sizeof(memory));
	int error;

	if (!sets)
		return fail(ENOMEM, "replay: no memory");
	common.sets = sets;
	error = machine_list_init(list, config->machine, &common);
	free(sets);
	for (size_t i = 0; !error && i < list->n; i++) {
		struct machine_config *machine = &list->machine[i].config;

		if (config->seed)
			machine->seed = config->seed;
		if (config->memory)
			error = reclaim_by_default(machine);
	}
	return error;
}

/* The words of --by as bits. */
static int
parse_by(const char *by, unsigned *bits)
{
	for (const char *at = by; at && *at; at += *at == ',') {
		size_t n = strcspn(at, ","), i = 0;

		while (who_names[i] && (strlen(who_names[i]) != n ||
					strncmp(who_names[i], at, n) != 0))
			i++;
		if (who_names[i])
			*bits |= 1u << i;
		else if (n == 3 && !strncmp(at, "all", n))
			*bits = ~0u;
		else
			return fail(
				EUSAGE,
				"--by: \"%.*s\" is none of function, line, "
				"object, mapping, thread, node, path, page, "
				"time, all",
				(int)n, at);
		at += n;
	}
	return 0;
}

static int
open_who(struct replay *replay, size_t i)
{
	struct who_setup setup = {
		.by = replay->by,
		.symbols.find = who_files_find,
		.branch = who_files_branch,
	};
	int error = who_files_open(&replay->files[i], replay->source->stream);

	setup.symbols.context = replay->files[i];
	return error ? error : machine_who(replay->model[i], &setup);
}

static int
open_machine(struct replay *replay, size_t i)
{
	uint64_t walks = (uint64_t)replay->config->explain_walks;
	int error = machine_model.open(&replay->model[i],
				       &replay->machines.machine[i].config,
				       replay->source->stream);

	if (!error && walks)
		error = machine_explain(replay->model[i], walks);
	return !error && replay->by ? open_who(replay, i) : error;
}

static int
open_models(struct replay *replay)
{
	const struct stream *stream = replay->source->stream;
	size_t n = replay->machines.n;
	int error = 0;

	replay->model = calloc(n + 3, sizeof(*replay->model));
	replay->files = calloc(n + 1, sizeof(*replay->files));
	if (!replay->model || !replay->files)
		return fail(ENOMEM, "replay: no memory");
	for (; !error && replay->n_models < n + 2; replay->n_models++) {
		size_t i = replay->n_models;
		struct model **model = &replay->model[i];

		if (i < n)
			error = open_machine(replay, i);
		else if (i == n)
			error = code_map_open(model, stream);
		else
			error = samples_model.open(model, NULL, stream);
	}
	return error;
}

static int
prepare(struct replay *replay)
{
	int error = parse_by(replay->config->by, &replay->by);

	if (!error && replay->by && !replay->config->symbols)
		error = fail(EUSAGE,
			     "replay: --by names what it finds: without "
			     "--no-symbols");
	if (!error)
		error = replay_machines(&replay->machines, replay->config);
	if (!error && !replay->borrowed)
		error = source_open(&replay->source, replay->input,
				    replay->config->recover);
	if (!error)
		error = result_open(&replay->result);
	return error ? error : open_models(replay);
}

static void
fini(struct replay *replay)
{
	for (size_t i = 0; i < replay->n_models; i++)
		model_close(replay->model[i]);
	for (size_t i = 0; replay->files && i < replay->machines.n; i++)
		who_files_close(replay->files[i]);
	free(replay->files);
	free(replay->model);
	if (!replay->borrowed)
		source_close(replay->source);
	result_close(replay->result);
	machine_list_fini(&replay->machines);
}

int
replay_open(struct replay **out, const struct verb_call *call,
	    const struct replay_config *config, struct source *source,
	    const char *name)
{
	struct replay *replay = calloc(1, sizeof(*replay));
	int error;

	if (!replay)
		return fail(ENOMEM, "%s: no memory", name);
	replay->call = call;
	replay->config = config;
	replay->input = name;
	replay->source = source;
	replay->live = !config->stored;
	replay->borrowed = true;
	error = prepare(replay);
	if (error)
		replay_close(replay);
	else
		*out = replay;
	return error;
}

void
replay_add(struct replay *replay, struct model *model)
{
	replay->model[replay->n_models++] = model;
}

int
replay_feed(struct replay *replay)
{
	return feed_models(replay);
}

int
replay_document(struct replay *replay, struct result **out)
{
	int error = finish_result(replay);

	*out = replay->result;
	return error;
}

int
replay_finish(struct replay *replay, FILE *report)
{
	int error = finish_result(replay);

	return error ? error : write_result(replay, report);
}

bool
replay_is_partial(const struct replay *replay)
{
	return !json_is_null(
		json_object_get(result_json(replay->result), "partial"));
}

void
replay_close(struct replay *replay)
{
	if (!replay)
		return;
	fini(replay);
	free(replay);
}

static int
replay_run(const struct verb_call *call)
{
	const struct replay_config *config = call->config;
	struct replay replay = { .call = call, .config = config };
	bool partial = false;
	int error;

	replay.input = config->input ? config->input : call->argv[0];
	if (!replay.input || call->argc > (config->input ? 0 : 1)) {
		fail(EINVAL, replay.input ? "replay: one trace at a time"
					  : "replay: which trace?");
		return STATUS_USAGE;
	}
	error = prepare(&replay);
	if (!error)
		error = feed_models(&replay);
	if (error >= 0)
		error = replay_finish(&replay, stdout);
	if (!error)
		partial = replay_is_partial(&replay);
	fini(&replay);
	if (error)
		return error;
	return partial ? STATUS_PARTIAL : STATUS_OK;
}

const struct verb_ops replay_verb = {
	.name = "replay",
	.help = "replay a trace through a machine",
	.arguments = "[OPTION...] TRACE",
	.details =
		"Feeds every access, fetch and event of the trace to a machine "
		"of TLBs, walk caches, page tables, caches and memory, whose "
		"kernel part follows the recorded mappings and faults pages "
		"in, and writes what it counted. The machine is a preset "
		"(--cpu), changed by a file (--config) and by single options "
		"(--set), each over the one before.\n\n"
		"With --machine, once for each of several, all of them are fed "
		"from one decoding of the trace, on all processors, and stand "
		"side by side in one result, report and plot. PRESET "
		"may be a file, too (it has a slash or ends in .cfg), or "
		"nothing: the machine of --cpu and --config. Options after the colon are "
		"that machine's own, over --set, which holds for all. LABEL "
		"names it in reports; else it is called as it was asked "
		"for.\n\n"
		"--explain-walks N tells the first N walks step by step: what "
		"the walk caches said, each entry that is read, where it was "
		"found and what that took, faults and what comes after them. "
		"The machine `textbook' is small enough to follow by "
		"hand.\n\n"
		"--by tells who misses the TLBs, walks and faults, and on what: "
		"by function and line (symbols and DWARF), data object (an ELF "
		"symbol, an allocation's call site if record --heap told of "
		"allocations, a stack, a mapping), mapping, thread, and node "
		"(which ran, which has the page). Each miss is counted once for "
		"all that is asked for, so that every table adds up to the "
		"totals: what is not told apart is its last row, \"(the rest)\". "
		"path says who called whom, from the return addresses that calls "
		"store and returns load (traces of all kinds of accesses; code "
		"that is no file, a JIT's, has no calls), and counts for each "
		"function what it called, too. page are the hottest pages, time "
		"is the run in 256 intervals and the first 10,000 faults. "
		"pagescope-report(1) prints the tables, folded stacks for flame "
		"graphs, and a trace for Perfetto. With object or path each "
		"access is looked at, which takes about 2.5 times as long; the "
		"other words cost little where few accesses miss.\n\n"
		"--memory SIZE says how much memory there is for data. When "
		"it is full a page has to leave, and who touches that again "
		"waits for a device (--set reclaim.device=nvme): the report "
		"tells how often, how long, and when swap would not do. The "
		"default is Linux's way; reclaim.policy names others. "
		"pagescope-curve(1) has many sizes at once.\n\n"
		"TRACE is a .pst, a foreign trace whose format is recognised, "
		"or generate:PATTERN[,key=value...]. The same trace and "
		"options give the same result, byte for byte, at any --jobs.\n\n"
		"pagescope-config(1) names every option that --set and "
		"--config take.",
	.examples = "pagescope replay trace.pst --cpu skylake-sp "
		    "-o result.json\n"
		    "# another TLB, another page size\n"
		    "pagescope replay trace.pst --set tlb.l2.entries=3072 "
		    "--set pages.policy=2m\n"
		    "# three machines side by side\n"
		    "pagescope replay trace.pst -m skylake-sp -m zen4 "
		    "-m huge=zen4:pages.policy=2m\n"
		    "# the first walks, step by step\n"
		    "pagescope replay trace.pst --cpu textbook "
		    "--explain-walks 3\n"
		    "# who misses, and on which data\n"
		    "pagescope replay trace.pst --by function,line,object\n"
		    "# a flame graph's stacks\n"
		    "pagescope replay trace.pst --by path,function -o - | "
		    "pagescope report --format folded\n"
		    "# in 3 MiB of memory, with swap on a drive\n"
		    "pagescope replay trace.pst --memory 3M "
		    "--set reclaim.device=nvme\n"
		    "# accesses made up from a seed\n"
		    "pagescope replay generate:mix,n=1M,seed=7\n",
	.options = &replay_options,
	.run = replay_run,
};
