// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope advise [TOPIC...] TRACE|R.json: verdicts.
 *
 *	trace -> cmd-verdicts.c -> document with the table `verdicts` -> text
 *	result -> judged again -> the same
 *
 * `advise memory` alone has a measurement of its own (cmd-curve-run.c), which
 * takes all of its options.
 */
#include "analyzer/cmd-common.h"
#include "analyzer/cmd-verdicts.h"
#include "analyzer/fail.h"
#include "models/analysis/memory-need.h"
#include "models/analysis/octaves.h"
#include "models/machine.h"
#include "reports/advice.h"
#include "reports/verdict.h"
#include "reports/view.h"
#include "traces/importer.h"
#include "traces/open.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct advise_options {
	struct curve_options curve;
	char *cpu, *config, *ranges;
	uint64_t runtime_ns, system_ns;
	bool data;
};

#define ADVISE_AT(field) offsetof(struct advise_options, field)

static const struct option_row advise_rows[] = {
	{ "input", OPTION_STRING, CURVE_AT(input),
	  .help = "the trace or result, - for a .pst on standard input",
	  .key = 'i', .argument = "FILE" },
	{ "output", OPTION_STRING, CURVE_AT(output),
	  .help = "write the result as JSON, - for standard output, instead "
		  "of the verdict",
	  .key = 'o', .argument = "FILE" },
	{ "set", OPTION_LIST, CURVE_AT(set),
	  .help = "an option of the machine, or of the foreign format; may be "
		  "repeated",
	  .key = 's', .argument = "NAME=VALUE" },
	ROW_CPU(ADVISE_AT(cpu),
		"the machine: a preset (config list names them)"),
	{ "config", OPTION_STRING, ADVISE_AT(config),
	  .help = "a machine's file, laid over the preset: that of pagescope "
		  "calibrate",
	  .argument = "FILE" },
	{ "runtime", OPTION_TIME, ADVISE_AT(runtime_ns), "0",
	  .help = "how long the program runs when nobody records it, with 4K "
		  "pages: narrows the intervals; 0: not known" },
	{ "system", OPTION_TIME, ADVISE_AT(system_ns), "0",
	  .help = "what of --runtime was in the kernel (as time -p says), for "
		  "what faults take; 0: not known" },
	{ "ranges", OPTION_STRING, ADVISE_AT(ranges),
	  .help = "write the ranges to advise huge pages for, and not for, "
		  "here; - for standard output",
	  .argument = "FILE" },
	{ "data-caches", OPTION_BOOL, ADVISE_AT(data), "yes",
	  .help = "caches carry the program's data beside page tables, which "
		  "takes longer and tells more" },
	CURVE_TRACE_ROWS,
	CURVE_COST_ROWS,
	{ NULL },
};

static const struct option_group advise_groups[] = {
	{ "", advise_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree advise_options = {
	advise_groups, sizeof(struct advise_options)
};

/* The points of the table memory.curve; owned by the caller */
static struct memory_point *
points_of(const struct view_table *table)
{
	struct memory_point *point = calloc(table->n_rows + 1, sizeof(*point));
	int low = view_column(table, "low"), high = view_column(table, "high");

	for (size_t i = 0; point && i < table->n_rows; i++) {
		bool known = json_is_number(view_cell(table, i, low));

		point[i] = (struct memory_point){
			.pages = view_address(table, i,
					      view_column(table, "pages")),
			.misses = view_number(table, i,
					      view_column(table, "misses")),
			.writebacks =
				view_number(table, i,
					    view_column(table, "writebacks")),
			.low = known ? view_number(table, i, low) : NAN,
			.high = known ? view_number(table, i, high) : NAN,
		};
	}
	return point;
}

/* What stays the same whatever a fault costs */
static int
copy_values(struct result *to, const struct result *from)
{
	static const char *const names[][2] = {
		{ "accesses", "accesses" },
		{ "curve.references", "references" },
		{ "curve.cold", "misses" },
		{ "curve.page.bytes", "bytes" },
		{ "footprint.pages", "pages" },
		{ "footprint.bytes", "bytes" },
	};
	int error =
		result_text(to, "curve.unit", view_string(from, "curve.unit"));

	for (size_t i = 0; !error && i < ARRAY_SIZE(names); i++)
		error = result_count(to, names[i][0],
				     view_count(
					     view_or_zero(from, names[i][0])),
				     names[i][1]);
	return error;
}

static uint64_t
pages_of(const struct result *result, const char *name, uint64_t page_bytes)
{
	return view_count(view_or_zero(result, name)) / page_bytes;
}

static int
need_again(struct result *to, const struct result *result,
	   const struct view_table *table, const struct curve_options *options)
{
	uint64_t page = view_count(view_or_zero(result, "curve.page.bytes"));
	struct memory_point *point = points_of(table);
	struct memory_need_config config;
	struct memory_curve curve = {
		.page_bytes = page,
		.accesses = view_count(view_or_zero(result, "accesses")),
		.cold = view_count(view_or_zero(result, "curve.cold")),
		.peak = view_count(view_or_zero(result, "footprint.pages")),
		.point = point,
		.n = table->n_rows,
		.knee = pages_of(result, "memory.knee.bytes", page),
		.knee_low = pages_of(result, "memory.knee.low", page),
		.knee_high = pages_of(result, "memory.knee.high", page),
		.late = NAN,
	};
	int error = -ENOMEM;

	view_value(result, "memory.late", &curve.late);
	curve_costs(&config, options);
	if (point)
		error = copy_values(to, result);
	if (!error)
		error = memory_need_finish(&curve, &config, to);
	if (!error)
		error = curve_cost_options(to, options);
	free(point);
	return error;
}

/* The same curve, where other things cost other times */
static int
memory_again(struct result **out, const struct result *result,
	     const struct curve_options *options)
{
	bool same = !options->device && !options->cold &&
		    options->cpu_ns <= 0 && options->read_ns <= 0 &&
		    options->write_ns <= 0 && !options->memory &&
		    !options->processes && !options->processors;
	struct view_table table;
	struct result *to;
	int error;

	*out = NULL;
	if (same || !view_table(result, "memory.curve", &table) ||
	    view_or_zero(result, "curve.page.bytes") < 1)
		return 0;
	error = result_open(&to);
	if (error)
		return fail(ENOMEM, "advise: no memory");
	error = need_again(to, result, &table, options);
	if (error) {
		result_close(to);
		return error == -ENOMEM ? fail(ENOMEM, "advise: no memory")
					: error;
	}
	*out = to;
	return 0;
}

/* Does it begin like a result document? */
static bool
is_result(const char *path)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "r") : NULL;
	int first = file ? getc(file) : EOF;

	if (file)
		fclose(file);
	return first == '{';
}

/* --- memory alone --------------------------------------------------------- */

/* Has the result a memory curve?  Said where not */
static int
check_curve(const struct result *result, const char *path)
{
	const char *why = view_reason(result, "memory.verdict");

	if (*view_string(result, "memory.verdict"))
		return 0;
	return fail(EINVAL,
		    "%s: this result holds no memory curve%s%s; pagescope "
		    "curve TRACE -o R.json makes one",
		    path, why ? ": " : "", why ? why : "");
}

static int
get_memory(struct result **out, const struct verb_call *call, const char *input)
{
	const struct advise_options *options = call->config;
	struct result *again;
	int error;

	if (!is_result(input))
		return curve_measure(out, call, &options->curve, input);
	error = result_read(out, input);
	if (error)
		return error;
	error = check_curve(*out, input);
	again = NULL;
	if (!error)
		error = memory_again(&again, *out, &options->curve);
	if (error || again) {
		result_close(*out);
		*out = again;
	}
	return error;
}

/* --- verdicts ------------------------------------------------------------- */

struct advise {
	const struct verb_call *call;
	const struct advise_options *options;
	const struct topic_ops *topic[VERDICTS_TOPICS];
	size_t n;
	const char *input;
	char **machine, **format; /* owned, not their strings: --set of each */
};

/* --set of the machine, and of the foreign format */
static int
split_sets(struct advise *advise)
{
	char **set = advise->options->curve.set;
	size_t n = 0, machine = 0, format = 0;

	while (set && set[n])
		n++;
	advise->machine = calloc(n + 1, sizeof(char *));
	advise->format = calloc(n + 1, sizeof(char *));
	if (!advise->machine || !advise->format)
		return fail(ENOMEM, "advise: no memory");
	for (size_t i = 0; i < n; i++) {
		char name[128];

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(set[i], "="),
			 set[i]);
		if (option_find(&machine_options, name, NULL) ||
		    !advise->options->curve.from)
			advise->machine[machine++] = set[i];
		else
			advise->format[format++] = set[i];
	}
	return 0;
}

static int
open_source(const struct advise *advise, struct source **out)
{
	const char *const paths[] = { advise->input, NULL };
	const struct importer_request request = {
		.format = advise->options->curve.from,
		.paths = paths,
		.assign = (const char *const *)advise->format,
	};

	return request.format ? importer_open(out, &request)
			      : source_open(out, advise->input,
					    advise->options->curve.recover);
}

static int
write_result(const struct advise *advise, struct result *result)
{
	const struct advise_options *options = advise->options;
	const char *output = options->curve.output;
	struct render_setup setup = { 0 };
	int error = 0;

	render_terminal(&setup);
	if (options->ranges && *options->ranges)
		error = verdict_ranges(result, options->ranges);
	if (error)
		return error;
	return output ? result_write(result, output)
		      : verdicts_print(result, &setup, stdout);
}

static int
finish(const struct advise *advise, struct result *result)
{
	int error = write_result(advise, result);

	if (error)
		return error;
	return view_partial(result) ? STATUS_PARTIAL : STATUS_OK;
}

static int
measure_all(struct advise *advise, struct source *source)
{
	const struct advise_options *options = advise->options;
	struct verdicts_request request = {
		.call = advise->call,
		.topic = advise->topic,
		.n = advise->n,
		.curve = &options->curve,
		.plain = "pages.policy=4k",
		.name = advise->input,
		.data = options->data,
		.runtime_ns = options->runtime_ns,
		.system_ns = options->system_ns,
		.replay = {
			.cpu = options->cpu,
			.config = options->config,
			.set = advise->machine,
			.jobs = options->curve.jobs,
			.max_accesses = options->curve.max_accesses,
			.stored = true,
		},
	};
	struct verdicts *verdicts = NULL;
	struct result *result;
	int error = verdicts_open(&verdicts, &request, source);

	if (!error)
		error = verdicts_feed(verdicts);
	if (error >= 0)
		error = verdicts_finish(verdicts, &result);
	if (!error)
		error = finish(advise, result);
	verdicts_close(verdicts);
	return error;
}

static int
judge_again(struct advise *advise)
{
	struct result *result;
	int error = result_read(&result, advise->input);

	if (error)
		return error;
	if (verdicts_runtime(result, advise->options->runtime_ns,
			     advise->options->system_ns))
		error = fail(ENOMEM, "advise: no memory");
	if (!error)
		error = verdicts_judge(result, advise->topic, advise->n);
	if (!error)
		error = finish(advise, result);
	result_close(result);
	return error;
}

static int
advise_verdicts(struct advise *advise)
{
	struct source *source = NULL;
	int error;

	if (is_result(advise->input))
		return judge_again(advise);
	error = split_sets(advise);
	if (!error)
		error = open_source(advise, &source);
	if (!error)
		error = measure_all(advise, source);
	source_close(source);
	free(advise->machine);
	free(advise->format);
	return error;
}

static int
advise_memory(const struct advise *advise)
{
	struct result *result;
	int error = get_memory(&result, advise->call, advise->input);

	return error ? error
		     : common_show(result, advise->options->curve.output,
				   advice_memory);
}

/* All words but the last, which is the input unless --input names it, are
 * topics; none: all topics. */
static int
parse(struct advise *advise)
{
	const struct verb_call *call = advise->call;
	const char *input = advise->options->curve.input;
	int words = call->argc - !input;

	if (!input && !call->argc)
		return fail(EUSAGE, "advise: of which trace or result?");
	advise->input = input ? input : call->argv[words];
	for (int i = 0; i < words; i++) {
		if (advise->n == VERDICTS_TOPICS)
			return fail(EUSAGE, "advise: too many topics");
		advise->topic[advise->n] = verdicts_topic(call->argv[i]);
		if (!advise->topic[advise->n++])
			return -EUSAGE;
	}
	for (size_t i = 0; !words && topic_registry[i]; i++)
		advise->topic[advise->n++] = topic_registry[i];
	if (!input && !words)
		for (size_t i = 0; topic_registry[i]; i++)
			if (!strcmp(topic_registry[i]->name, advise->input))
				return fail(EUSAGE, "advise: of which trace or "
						    "result?");
	return 0;
}

static int
advise_run(const struct verb_call *call)
{
	struct advise advise = { .call = call, .options = call->config };
	int error = parse(&advise);

	if (!error)
		error = curve_check_device("advise", &advise.options->curve);
	if (error)
		return error;
	if (advise.n == 1 && !strcmp(advise.topic[0]->name, "memory"))
		return advise_memory(&advise);
	return advise_verdicts(&advise);
}

const struct verb_ops advise_verb = {
	.name = "advise",
	.help = "verdicts: huge pages, memory, placement, colours, TLB and "
		"table",
	.arguments = "[OPTION...] [TOPIC...] TRACE|RESULT",
	.details =
		"Answers questions about a trace, all of them or those of the "
		"topics named, with yes, no, or \"can't tell\", the reason in "
		"figures, and how much longer or shorter the program would run: "
		"likely, and between what bounds. All machines that this takes "
		"are fed from one decoding. A result that was written with -o "
		"is judged again, as with another --runtime.\n\n"
		"huge-pages: the program with 4K pages, with the kernel's huge "
		"pages for all of its memory, and with files and code in 2M, "
		"too. Says by mapping what is saved (walks, faults), what of "
		"the larger pages is never touched (bloat), and which ranges "
		"to advise; --ranges writes these as lines of process, "
		"address, length, advice (hugepage: madvise MADV_HUGEPAGE; "
		"nohugepage: MADV_NOHUGEPAGE), offset in the mapping's first "
		"range, mapping. Less than a quarter touched is nohugepage.\n\n"
		"memory: how much memory the program needs to run at most 10 % "
		"and 1 % longer than with all of its pages in memory, below "
		"which size it thrashes (runs more than twice as long), the "
		"knee of its curve, and how many of its kind share a memory "
		"well. A result of pagescope curve has the answer; other "
		"devices and times are worked out from its curve, at the sizes "
		"that it holds. pagescope-curve(1) says what is measured, and "
		"what the intervals mean.\n\n"
		"numa: what it costs where the page tables, or the data, "
		"are on another node than the thread.\n\n"
		"colour: whether pages that get frames by colour would miss "
		"the caches less than with frames at random.\n\n"
		"tlb: whether twice the second-level TLB, or hashed or "
		"flattened page tables, would save time, where walks go.\n\n"
		"The runtime is instructions at 0.25 to 1 cycle each, plus "
		"faults, plus the part of cache misses and walks that the "
		"program waits for. That part follows from --runtime; without "
		"it, it is anything between what loads wait that depend on "
		"each other and what loads wait that do not (time.overlap-low "
		"and -high, which pagescope calibrate measures), so that the "
		"interval is wide. Data of a line next to the last of its page "
		"is taken to be fetched ahead, and costs nothing. With "
		"--system faults of 4K take what the kernel's time says, where "
		"they are most of it. There is no claim where the trace is of "
		"a part of a run whose whole time is given, or where the "
		"program mostly waits for something else.",
	.examples =
		"pagescope advise trace.pst\n"
		"pagescope advise huge-pages trace.pst --runtime 2s --system "
		"300ms --ranges ranges.txt -o advice.json\n"
		"pagescope advise advice.json --runtime 3s\n"
		"pagescope advise memory trace.pst\n"
		"# with another device, from the curve of a result\n"
		"pagescope curve trace.pst -o curve.json\n"
		"pagescope advise memory curve.json --device disk\n"
		"pagescope advise memory generate:zipf,n=1M,pages=8192 "
		"--device zram\n",
	.options = &advise_options,
	.run = advise_run,
};
