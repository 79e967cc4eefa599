// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope diff A.json B.json, or A... -- B...: figures of results side by
 * side, exact where each side is one or all its runs agree, else by means with
 * the interval of their difference.
 */
#include "analyzer/fail.h"
#include "analyzer/verb.h"
#include "reports/interval.h"
#include "reports/number.h"
#include "reports/view.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	STATUS_DIFFERS = 1, /* as diff(1) */
	RUNS_MAX = 1000
};

enum diff_format {
	DIFF_TEXT,
	DIFF_JSON,
	DIFF_CSV
};

static const char *const formats[] = { "text", "json", "csv", NULL };

struct diff_config {
	bool all;
	int format;
};

static const struct option_row diff_rows[] = {
	{ "all", OPTION_BOOL, offsetof(struct diff_config, all), "no",
	  .help = "Show figures that are the same, too", .key = 'a' },
	{ "format", OPTION_CHOICE, offsetof(struct diff_config, format), "text",
	  .choices = formats, .help = "How to print", .key = 'f' },
	{ NULL },
};

static const struct option_group diff_groups[] = {
	{ "", diff_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree diff_options = { diff_groups,
						 sizeof(struct diff_config) };

/* The runs of both sides: those of a first, n[0] of them. */
struct diff {
	const struct diff_config *config;
	struct result **run;
	char **path;
	size_t n[2];
	size_t differ, same, unsure;
	json_t *out; /* values of the JSON form */
};

enum difference {
	DIFFERENCE_NONE,
	DIFFERENCE_EXACT, /* all runs of a side agree, the sides do not */
	DIFFERENCE_SURE,  /* the interval excludes 0 */
	DIFFERENCE_UNSURE
};

/* One figure on both sides */
struct figure {
	const char *name, *unit;
	struct sample side[2];
	const char *text[2]; /* where it is no number; NULL: it is */
	enum difference difference;
	struct interval interval;
	bool varies;
};

/* The value in the run (of a machine, of several), or NULL */
static const json_t *
value_in(const json_t *document, const char *machine, const char *name)
{
	const json_t *machines = json_object_get(document, "machines"), *one;
	size_t i;

	if (!machine)
		return json_object_get(json_object_get(document, "values"),
				       name);
	json_array_foreach(machines, i, one)
	{
		const char *called =
			json_string_value(json_object_get(one, "name"));

		if (called && !strcmp(called, machine))
			return json_object_get(json_object_get(one, "values"),
					       name);
	}
	return NULL;
}

/* How what is no number reads */
static const char *
text_of(const json_t *entry)
{
	const json_t *value = json_object_get(entry, "value");

	if (!entry)
		return "absent";
	return json_is_string(value) ? json_string_value(value) : "not known";
}

static enum difference
judge(struct figure *figure)
{
	const struct sample *a = &figure->side[0], *b = &figure->side[1];
	bool known = interval_difference(a, b, &figure->interval);

	figure->varies = known && figure->interval.degrees > 0;
	if (figure->text[0] || figure->text[1])
		return figure->text[0] && figure->text[1] &&
				       !strcmp(figure->text[0], figure->text[1])
			       ? DIFFERENCE_NONE
			       : DIFFERENCE_EXACT;
	if (!figure->varies)
		return a->mean == b->mean ? DIFFERENCE_NONE : DIFFERENCE_EXACT;
	return figure->interval.low > 0 || figure->interval.high < 0
		       ? DIFFERENCE_SURE
		       : DIFFERENCE_UNSURE;
}

static void
figure_gather(const struct diff *diff, const char *machine,
	      struct figure *figure)
{
	size_t n = diff->n[0] + diff->n[1];

	for (size_t i = 0; i < n; i++) {
		size_t side = i >= diff->n[0];
		const json_t *entry = value_in(result_json(diff->run[i]),
					       machine, figure->name);
		const json_t *value = json_object_get(entry, "value");
		const char *unit =
			json_string_value(json_object_get(entry, "unit"));

		if (!json_is_number(value)) {
			figure->text[side] = text_of(entry);
			continue;
		}
		sample_add(&figure->side[side], json_number_value(value));
		figure->unit = unit ? unit : "";
	}
	figure->difference = judge(figure);
}

static void
number_text(double value, char *text, size_t bytes)
{
	if (fabs(value) < 1e15 && value == floor(value))
		snprintf(text, bytes, "%s%s", value < 0 ? "-" : "",
			 number_count(fabs(value)).text);
	else
		snprintf(text, bytes, "%.6g", value);
}

static void
side_text(const struct figure *figure, size_t side, char *text, size_t bytes)
{
	if (figure->text[side])
		snprintf(text, bytes, "%.40s", figure->text[side]);
	else
		number_text(figure->side[side].mean, text, bytes);
}

static double
percent_of(const struct figure *figure, double difference)
{
	return 100 * difference / fabs(figure->side[0].mean);
}

/* "+120 (+3.4 %)", and the interval where there is one */
static void
print_text(const char *name, const struct figure *figure)
{
	double difference = figure->side[1].mean - figure->side[0].mean;
	char a[64], b[64], by[64];

	side_text(figure, 0, a, sizeof(a));
	side_text(figure, 1, b, sizeof(b));
	printf("  %-32s %16s %16s", name, a, b);
	if (figure->text[0] || figure->text[1]) {
		putchar('\n');
		return;
	}
	number_text(difference, by, sizeof(by));
	printf("  %s%s", difference > 0 ? "+" : "", by);
	if (figure->side[0].mean != 0)
		printf(" (%+.3g %%)", percent_of(figure, difference));
	if (figure->varies)
		printf(" [%+.6g, %+.6g]%s", figure->interval.low,
		       figure->interval.high,
		       figure->difference == DIFFERENCE_SURE ? " *" : "");
	putchar('\n');
}

static void
print_csv(const char *name, const struct figure *figure)
{
	double difference = figure->side[1].mean - figure->side[0].mean;
	bool numbers = !figure->text[0] && !figure->text[1];

	printf("\"%s\",\"%s\"", name, figure->unit);
	for (size_t i = 0; i < 2; i++)
		if (figure->text[i])
			printf(",\"%s\"", figure->text[i]);
		else
			printf(",%.17g", figure->side[i].mean);
	if (numbers)
		printf(",%.17g", difference);
	else
		printf(",");
	if (figure->varies)
		printf(",%.9g,%.9g", figure->interval.low,
		       figure->interval.high);
	else
		printf(",,");
	printf(",%s\n", figure->difference == DIFFERENCE_EXACT	? "yes"
			: figure->difference == DIFFERENCE_SURE ? "yes"
			: figure->difference == DIFFERENCE_NONE ? "no"
								: "unsure");
}

static json_t *
side_json(const struct figure *figure, size_t side)
{
	if (figure->text[side])
		return json_pack("{ss}", "text", figure->text[side]);
	return json_pack("{sIsfsf}", "runs", (json_int_t)figure->side[side].n,
			 "mean", figure->side[side].mean, "deviation",
			 sample_deviation(&figure->side[side]));
}

static int
add_json(struct diff *diff, const char *name, const struct figure *figure)
{
	static const char *const words[] = { "no", "yes", "yes", "unsure" };
	json_t *one = json_pack("{sssososs}", "unit", figure->unit, "a",
				side_json(figure, 0), "b", side_json(figure, 1),
				"differs", words[figure->difference]);
	int error = one ? 0 : -1;

	if (!error && !figure->text[0] && !figure->text[1])
		error = json_object_set_new(one, "difference",
					    json_real(figure->side[1].mean -
						      figure->side[0].mean));
	if (!error && figure->varies)
		error = json_object_set_new(one, "interval",
					    json_pack("[ff]",
						      figure->interval.low,
						      figure->interval.high));
	if (!error)
		return json_object_set_new(diff->out, name, one);
	json_decref(one);
	return error;
}

static int
diff_figure(struct diff *diff, const char *machine, const char *name)
{
	struct figure figure = { .name = name, .unit = "" };
	char label[256];

	figure_gather(diff, machine, &figure);
	diff->same += figure.difference == DIFFERENCE_NONE;
	diff->unsure += figure.difference == DIFFERENCE_UNSURE;
	diff->differ += figure.difference == DIFFERENCE_EXACT ||
			figure.difference == DIFFERENCE_SURE;
	if (figure.difference == DIFFERENCE_NONE && !diff->config->all)
		return 0;
	snprintf(label, sizeof(label), "%s%s%s", machine ? machine : "",
		 machine ? ":" : "", name);
	if (diff->config->format == DIFF_JSON)
		return add_json(diff, label, &figure);
	if (diff->config->format == DIFF_CSV)
		print_csv(label, &figure);
	else
		print_text(label, &figure);
	return 0;
}

/* Names of run i that no run before it had */
static int
diff_names(struct diff *diff, size_t i, const char *machine,
	   const json_t *values)
{
	const char *name;
	json_t *entry;
	int error = 0;

	json_object_foreach((json_t *)(uintptr_t)values, name, entry)
	{
		size_t before = 0;

		while (before < i &&
		       !value_in(result_json(diff->run[before]), machine, name))
			before++;
		if (before == i && !error)
			error = diff_figure(diff, machine, name);
	}
	return error;
}

static int
diff_values(struct diff *diff)
{
	int error = 0;

	for (size_t i = 0; i < diff->n[0] + diff->n[1] && !error; i++) {
		const json_t *document = result_json(diff->run[i]);
		const json_t *machines = json_object_get(document, "machines");
		json_t *one;
		size_t j;

		error = diff_names(diff, i, NULL,
				   json_object_get(document, "values"));
		json_array_foreach(machines, j, one) if (!error) error =
			diff_names(diff, i,
				   json_string_value(
					   json_object_get(one, "name")),
				   json_object_get(one, "values"));
	}
	return error ? fail(ENOMEM, "diff: no memory") : 0;
}

/* Options of the first of each side; returns how many differ. */
static size_t
diff_options_of(const struct diff *diff, json_t *out)
{
	const json_t *a = json_object_get(result_json(diff->run[0]), "options");
	const json_t *b =
		json_object_get(result_json(diff->run[diff->n[0]]), "options");
	const char *name;
	json_t *value;
	size_t n = 0;

	json_object_foreach((json_t *)(uintptr_t)a, name, value)
	{
		json_t *other = json_object_get(b, name);

		if (!other || json_equal(value, other))
			continue;
		n++;
		if (out)
			json_object_set_new(out, name,
					    json_pack("[OO]", value, other));
		else if (diff->config->format == DIFF_TEXT)
			printf("  option %-25s %16.40s %16.40s\n", name,
			       json_string_value(value),
			       json_string_value(other));
	}
	return n;
}

/* Tables whose cells are not the same, of one run on each side */
static void
diff_tables(struct diff *diff, json_t *out)
{
	const json_t *a = json_object_get(result_json(diff->run[0]), "tables");
	const json_t *b =
		json_object_get(result_json(diff->run[diff->n[0]]), "tables");
	const char *name;
	json_t *table;

	if (diff->n[0] + diff->n[1] > 2)
		return;
	json_object_foreach((json_t *)(uintptr_t)a, name, table)
	{
		json_t *other = json_object_get(b, name);

		if (other && json_equal(json_object_get(table, "rows"),
					json_object_get(other, "rows")))
			continue;
		diff->differ++;
		if (out)
			json_array_append_new(out, json_string(name));
		else if (diff->config->format == DIFF_TEXT)
			printf("  table  %s %s\n", name,
			       other ? "has other rows"
				     : "is only in the first");
	}
}

static void
print_head(const struct diff *diff)
{
	if (diff->config->format == DIFF_CSV)
		puts("name,unit,a,b,difference,low,high,differs");
	if (diff->config->format != DIFF_TEXT)
		return;
	printf("a: %s", diff->path[0]);
	if (diff->n[0] > 1)
		printf(" and %zu more", diff->n[0] - 1);
	printf("\nb: %s", diff->path[diff->n[0]]);
	if (diff->n[1] > 1)
		printf(" and %zu more", diff->n[1] - 1);
	printf("\n  %-32s %16s %16s  %s\n", "", "a", "b",
	       diff->n[0] + diff->n[1] > 2
		       ? "b - a [95 % interval] (* significant)"
		       : "b - a");
}

static int
print_all(struct diff *diff)
{
	bool json = diff->config->format == DIFF_JSON;
	json_t *options = json ? json_object() : NULL;
	json_t *tables = json ? json_array() : NULL, *whole;
	int error;

	diff->out = json ? json_object() : NULL;
	print_head(diff);
	error = diff_values(diff);
	if (!error) {
		diff_options_of(diff, options);
		diff_tables(diff, tables);
	}
	if (!error && diff->config->format == DIFF_TEXT)
		printf("%zu differ, %zu are the same%s\n", diff->differ,
		       diff->same,
		       diff->unsure ? ", the others vary too much to tell"
				    : "");
	if (json) {
		whole = json_pack("{sososo}", "values", diff->out, "options",
				  options, "tables", tables);
		if (!whole)
			return fail(ENOMEM, "diff: no memory");
		json_dumpf(whole, stdout,
			   JSON_INDENT(2) | JSON_REAL_PRECISION(15));
		putchar('\n');
		json_decref(whole);
	}
	return error ? error : diff->differ ? STATUS_DIFFERS : STATUS_OK;
}

/* How many of the files are of the first side: those before "--" */
static int
split_sides(const struct verb_call *call, struct diff *diff)
{
	int after = -1;

	for (int i = 1; i < call->full_argc; i++)
		if (!strcmp(call->full_argv[i], "--")) {
			after = call->full_argc - i - 1;
			break;
		}
	if (after < 0 && call->argc != 2)
		return fail(EUSAGE,
			    "diff: two results, or several of each side with "
			    "-- between: A... -- B...");
	if (after < 0)
		after = 1;
	if (after < 1 || after >= call->argc || call->argc > RUNS_MAX)
		return fail(EUSAGE, "diff: 1 to %d results on each side of --",
			    RUNS_MAX / 2);
	diff->n[0] = (size_t)(call->argc - after);
	diff->n[1] = (size_t)after;
	return 0;
}

static int
diff_run(const struct verb_call *call)
{
	struct diff diff = { .config = call->config, .path = call->argv };
	size_t opened = 0;
	int status = split_sides(call, &diff);

	if (status)
		return status;
	diff.run = calloc((size_t)call->argc, sizeof(*diff.run));
	if (!diff.run)
		return fail(ENOMEM, "diff: no memory");
	for (; opened < (size_t)call->argc && !status; opened++)
		status = result_read(&diff.run[opened], call->argv[opened]);
	if (!status)
		status = print_all(&diff);
	while (opened--)
		result_close(diff.run[opened]);
	free(diff.run);
	return status;
}

const struct verb_ops diff_verb = {
	.name = "diff",
	.help = "what differs between results",
	.arguments = "[OPTION...] A.json B.json | A.json... -- B.json...",
	.details =
		"Puts the figures of two results side by side: what differs, "
		"by how much and what percent, then options and tables that "
		"are not the same. Replays are exact, so there every "
		"difference is one.\n\n"
		"Counts of a real run vary (stat, validate, run): give several "
		"results of each side, with -- between. Then the means are "
		"compared, with the 95 % interval of their difference by "
		"Student's t, as Welch does for spreads that are not the same; "
		"* marks what is significant: its interval excludes 0. Where "
		"one side is a single run, its spread is taken to be that of "
		"the other side. With many figures one of 20 is marked by "
		"chance. What all runs of a side agree on is compared exactly. "
		"Of results of several machines the figures are named "
		"MACHINE:NAME.\n\n"
		"Status 0: nothing differs (as far as can be told), 1: "
		"something does, 2: usage, 125: a result cannot be read.",
	.options = &diff_options,
	.examples =
		"pagescope diff result.json result.json\n"
		"# two machines; diff's status says that they differ\n"
		"pagescope replay trace.pst --cpu zen4 -o zen4.json\n"
		"pagescope diff result.json zen4.json || [ $? -eq 1 ]\n"
		"pagescope diff --format csv result.json zen4.json || [ $? -eq "
		"1 ]\n",
	.run = diff_run,
};
