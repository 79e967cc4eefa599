// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope advise TOPIC TRACE|R.json: a verdict.  A topic is how to measure a
 * trace, how to ask a result once more with other options, and how to say it.
 */
#include "analyzer/cmd-common.h"
#include "analyzer/cmd-curve.h"
#include "analyzer/fail.h"
#include "models/analysis/memory-need.h"
#include "models/analysis/octaves.h"
#include "reports/advice.h"
#include "reports/view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct option_row advise_rows[] = {
	{ "input", OPTION_STRING, CURVE_AT(input),
	  .help = "the trace or result, - for a .pst on standard input",
	  .key = 'i', .argument = "FILE" },
	{ "output", OPTION_STRING, CURVE_AT(output),
	  .help = "write the result as JSON, - for standard output, instead "
		  "of the verdict",
	  .key = 'o', .argument = "FILE" },
	{ "set", OPTION_LIST, CURVE_AT(set),
	  .help = "an option of the foreign format, may be repeated",
	  .argument = "NAME=VALUE" },
	{ "fetches", OPTION_BOOL, CURVE_AT(fetches), "yes",
	  .help = "fetches of code are references, too" },
	CURVE_TRACE_ROWS,
	CURVE_COST_ROWS,
	{ NULL },
};

static const struct option_group advise_groups[] = {
	{ "", advise_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree advise_options = {
	advise_groups, sizeof(struct curve_options)
};

struct topic {
	const char *name;
	/* Of a trace */
	int (*measure)(struct result **out, const struct verb_call *call,
		       const struct curve_options *options, const char *input);
	/* Of a result that was read: NULL in *out: as it is.  0, -EINVAL (said) */
	int (*again)(struct result **out, const struct result *result,
		     const struct curve_options *options);
	int (*say)(const struct result *result,
		   const struct render_setup *setup, FILE *file);
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
			.pages = (uint64_t)view_number(table, i,
						       view_column(table,
								   "pages")),
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
				     (uint64_t)view_or_zero(from, names[i][0]),
				     names[i][1]);
	return error;
}

static uint64_t
pages_of(const struct result *result, const char *name, uint64_t page_bytes)
{
	return (uint64_t)view_or_zero(result, name) / page_bytes;
}

static int
need_again(struct result *to, const struct result *result,
	   const struct view_table *table, const struct curve_options *options)
{
	uint64_t page = (uint64_t)view_or_zero(result, "curve.page.bytes");
	struct memory_point *point = points_of(table);
	struct memory_need_config config;
	struct memory_curve curve = {
		.page_bytes = page,
		.accesses = (uint64_t)view_or_zero(result, "accesses"),
		.cold = (uint64_t)view_or_zero(result, "curve.cold"),
		.peak = (uint64_t)view_or_zero(result, "footprint.pages"),
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

static const struct topic topics[] = {
	{ "memory", curve_measure, memory_again, advice_memory },
};

static const struct topic *
find_topic(const char *name)
{
	const char *names[ARRAY_SIZE(topics)];
	const char *near;

	for (size_t i = 0; i < ARRAY_SIZE(topics); i++) {
		names[i] = topics[i].name;
		if (!strcmp(name, topics[i].name))
			return &topics[i];
	}
	near = option_nearest(name, names, ARRAY_SIZE(topics));
	fail(EUSAGE, "advise: no topic \"%s\"%s%s%s", name,
	     near ? "; did you mean \"" : "; there is ",
	     near ? near : topics[0].name, near ? "\"?" : "");
	return NULL;
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

static int
get_result(struct result **out, const struct verb_call *call,
	   const struct topic *topic, const char *input)
{
	struct result *again;
	int error;

	if (!is_result(input))
		return topic->measure(out, call, call->config, input);
	error = result_read(out, input);
	if (error)
		return error;
	error = topic->again(&again, *out, call->config);
	if (error || again) {
		result_close(*out);
		*out = again;
	}
	return error;
}

static int
advise_run(const struct verb_call *call)
{
	const struct curve_options *options = call->config;
	const char *input = options->input;
	struct render_setup setup = { 0 };
	const struct topic *topic;
	struct result *result;
	bool partial;
	int error;

	if (!call->argc)
		return fail(EUSAGE, "advise: about what? there is %s",
			    topics[0].name);
	topic = find_topic(call->argv[0]);
	if (!topic)
		return -EUSAGE;
	if (call->argc - !options->input != 1)
		return fail(EUSAGE, call->argc == 1
					    ? "advise: of which trace or "
					      "result?"
					    : "advise: of one at a time");
	error = curve_check_device("advise", options);
	if (!error)
		error = get_result(&result, call, topic,
				   input ? input : call->argv[1]);
	if (error)
		return error;
	render_terminal(&setup);
	error = options->output ? result_write(result, options->output)
				: topic->say(result, &setup, stdout);
	partial =
		!json_is_null(json_object_get(result_json(result), "partial"));
	result_close(result);
	if (error)
		return error;
	return partial ? STATUS_PARTIAL : STATUS_OK;
}

const struct verb_ops advise_verb = {
	.name = "advise",
	.help = "a verdict: how much memory a program needs",
	.arguments = "[OPTION...] memory TRACE|RESULT",
	.details =
		"Answers one question about a trace, or about a result that "
		"holds what it takes, with the reason, with how sure that is, "
		"and with \"no answer\" where there is none.\n\n"
		"memory: how much memory the program needs to run at most 10 % "
		"and 1 % longer than with all of its pages in memory, below "
		"which size it thrashes (runs more than twice as long), the "
		"knee of its curve, and how many of its kind share a memory "
		"well. A result of pagescope curve has the answer; other "
		"devices and times are worked out from its curve, at the sizes "
		"that it holds. pagescope-curve(1) says what is measured, and "
		"what the intervals mean.",
	.examples = "pagescope advise memory trace.pst\n"
		    "# with another device, from the curve of a result\n"
		    "pagescope curve trace.pst -o curve.json\n"
		    "pagescope advise memory curve.json --device disk\n"
		    "pagescope advise memory generate:zipf,n=1M,pages=8192 "
		    "--device zram\n",
	.options = &advise_options,
	.run = advise_run,
};
