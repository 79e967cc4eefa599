// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope explain NAME: what a figure of a report is, its unit, how it is
 * counted, which options change it and where it comes from.
 */
#include "analyzer/fail.h"
#include "analyzer/verb.h"
#include "models/machine.h"
#include "reports/meaning.h"
#include "reports/view.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct explain_config {
	char *result;
};

static const struct option_row explain_rows[] = {
	{ "result", OPTION_STRING, offsetof(struct explain_config, result),
	  .help = "Say what the names are in this result; without a NAME "
		  "explain all that is in it",
	  .key = 'r', .argument = "FILE" },
	{ NULL },
};

static const struct option_group explain_groups[] = {
	{ "", explain_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree explain_options = {
	explain_groups, sizeof(struct explain_config)
};

enum {
	WIDTH = 79,
	TEXT_AT = 10 /* column at which the words begin */
};

/* A paragraph after its label, broken between words */
static void
say(const char *label, const char *text)
{
	int at = printf("  %-*s", TEXT_AT - 2, label);

	while (*text) {
		size_t n = strcspn(text, " ");

		if (at > TEXT_AT && at + 1 + (int)n > WIDTH) {
			printf("\n%*s", TEXT_AT, "");
			at = TEXT_AT;
		}
		at += printf("%s%.*s", at > TEXT_AT ? " " : "", (int)n, text);
		text += n + strspn(text + n, " ");
	}
	putchar('\n');
}

struct listing {
	const char *prefix; /* of the options looked for */
	size_t n;	    /* how many there are */
};

static int
count_option(void *context, const char *name, const struct option_row *row,
	     const void *start)
{
	struct listing *listing = context;

	(void)row;
	(void)start;
	listing->n += !strncmp(name, listing->prefix, strlen(listing->prefix));
	return 0;
}

/* "tlb. pages.policy" as "tlb.*, pages.policy", of those that there are */
static void
list_options(const char *list, char *text, size_t bytes)
{
	char word[64];
	size_t at = 0;

	for (; *list; list += strspn(list, " ")) {
		size_t n = strcspn(list, " ");
		struct listing listing = { .prefix = word };

		snprintf(word, sizeof(word), "%.*s", (int)n, list);
		list += n;
		option_each(&machine_options, NULL, count_option, &listing);
		assert(listing.n);
		at += (size_t)snprintf(text + at, bytes - at, "%s%s%s",
				       at ? ", " : "", word,
				       word[n - 1] == '.' ? "*" : "");
	}
}

/* What is the same of values and columns: how, what changes it, where from */
static void
say_family(const char *name)
{
	const struct meaning_family *family = meaning_family(name);
	char options[256] = "";

	say("counted", family->counted);
	list_options(family->options, options, sizeof(options));
	say("changed", *options ? options : "by no option of the machine");
	say("source", family->source);
}

static void
say_value(const char *name, const json_t *entry)
{
	const json_t *value = json_object_get(entry, "value");
	const char *unit = json_string_value(json_object_get(entry, "unit"));

	if (!entry)
		unit = meaning_unit(name);
	if (unit && *unit)
		say("unit", unit);
	if (!entry)
		return;
	fputs("  here    ", stdout);
	if (json_is_null(value))
		printf("not known: %s",
		       json_string_value(json_object_get(entry, "reason")));
	else
		result_print_json(value, stdout);
	putchar('\n');
}

static bool
explain_value(const char *name, const json_t *entry)
{
	const struct meaning_words *words = meaning_find("value", name);

	if (!words)
		return false;
	printf("%s\n", name);
	say("is", words->text);
	say_value(name, entry);
	say_family(name);
	return true;
}

static bool
explain_column(const char *table, const char *column, const char *unit)
{
	const struct meaning_words *words = meaning_column(table, column);

	if (!words)
		return false;
	printf("%s.%s\n", table, column);
	say("is", words->text);
	if (!unit)
		unit = meaning_unit(column);
	if (unit && *unit)
		say("unit", unit);
	say_family(table);
	return true;
}

static bool
explain_table(const char *table, const json_t *entry)
{
	const struct meaning_words *words = meaning_find("table", table);
	const char *help = json_string_value(json_object_get(entry, "help"));

	if (!words)
		return false;
	printf("%s (a table)\n", table);
	say("is", words->text);
	if (help)
		say("here", help);
	say_family(table);
	return true;
}

/* A name as typed: a value, a table, a column of a table (TABLE.COLUMN) */
static bool
explain_name(const char *name, const json_t *document)
{
	const json_t *values = json_object_get(document, "values");
	const json_t *tables = json_object_get(document, "tables");
	bool found = explain_value(name, json_object_get(values, name));
	char table[128];

	found |= explain_table(name, json_object_get(tables, name));
	for (const char *dot = name; !found && (dot = strchr(dot, '.'));
	     dot++) {
		snprintf(table, sizeof(table), "%.*s", (int)(dot - name), name);
		if (meaning_find("table", table))
			found = explain_column(table, dot + 1, NULL);
	}
	return found;
}

static int
unknown_name(const char *name)
{
	const char *names[2048], *near;
	size_t n = 0;

	for (size_t i = 0; meaning_words[i].kind && n < ARRAY_SIZE(names); i++)
		if (strncmp(meaning_words[i].name, "TABLE.", 6) != 0)
			names[n++] = meaning_words[i].name;
	near = option_nearest(name, names, n);
	if (near)
		return fail(EUSAGE,
			    "explain: no figure \"%s\"; did you mean \"%s\"?",
			    name, near);
	return fail(EUSAGE,
		    "explain: no figure \"%s\"; \"pagescope explain\" lists "
		    "them all",
		    name);
}

/* Names and the beginnings of their words */
static void
list_all(void)
{
	static const char *const kinds[] = { "value", "table", "column" };

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		printf("%s%ss\n", k ? "\n" : "", kinds[k]);
		for (size_t i = 0; meaning_words[i].kind; i++)
			if (!strcmp(meaning_words[i].kind, kinds[k]))
				printf("  %-30s %.46s%s\n",
				       meaning_words[i].name,
				       meaning_words[i].text,
				       strlen(meaning_words[i].text) > 46 ? ".."
									  : "");
	}
}

/* One document's values and tables; returns how many have no words. */
static unsigned
explain_members(const json_t *document, const char *path)
{
	const char *name;
	json_t *entry, *column;
	unsigned missing = 0;
	size_t i;

	json_object_foreach(json_object_get(document, "values"), name, entry)
	{
		const char *unit =
			json_string_value(json_object_get(entry, "unit"));
		const char *told = meaning_unit(name);

		if (unit && told && strcmp(unit, told) != 0) {
			note("%s: value %s is in %s, not in %s", path, name,
			     unit, told);
			missing++;
		}
		if (explain_value(name, entry))
			continue;
		note("%s: value %s has no explanation", path, name);
		missing++;
	}
	json_object_foreach(json_object_get(document, "tables"), name, entry)
	{
		const json_t *columns = json_object_get(entry, "columns");

		if (!explain_table(name, entry)) {
			note("%s: table %s has no explanation", path, name);
			missing++;
		}
		json_array_foreach(columns, i, column)
		{
			const char *of = json_string_value(
				json_object_get(column, "name"));
			const char *unit = json_string_value(
				json_object_get(column, "unit"));

			if (explain_column(name, of, unit ? unit : ""))
				continue;
			note("%s: column %s.%s has no explanation", path, name,
			     of);
			missing++;
		}
	}
	return missing;
}

static int
explain_result(const char *path, const json_t *document)
{
	const json_t *machines = json_object_get(document, "machines");
	unsigned missing = explain_members(document, path);
	json_t *machine;
	size_t i;

	json_array_foreach(machines, i, machine) missing +=
		explain_members(machine, path);
	return missing ? STATUS_PARTIAL : STATUS_OK;
}

static int
explain_run(const struct verb_call *call)
{
	const struct explain_config *config = call->config;
	struct result *result = NULL;
	const json_t *document = NULL;
	int status = 0;

	if (config->result && *config->result) {
		status = result_read(&result, config->result);
		if (status)
			return status;
		document = result_json(result);
	}
	if (!call->argc && document)
		status = explain_result(config->result, document);
	else if (!call->argc)
		list_all();
	for (int i = 0; i < call->argc && !status; i++) {
		if (i)
			putchar('\n');
		if (!explain_name(call->argv[i], document))
			status = unknown_name(call->argv[i]);
	}
	result_close(result);
	return status;
}

const struct verb_ops explain_verb = {
	.name = "explain",
	.help = "what a figure of a report means",
	.arguments = "[OPTION...] [NAME...]",
	.details =
		"Tells of each named figure what it is, its unit, how it is "
		"counted, which options of a machine change it, and which part "
		"of the program (and what paper or manual) it comes from. NAME "
		"is a value (walk.count), a table (functions) or a column "
		"(functions.walk_cycles) as reports call them; words in "
		"capitals stand for any. Without NAME all are listed. --result "
		"says what the names are in that result, and alone explains "
		"all that it holds: status 3 when something in it has no "
		"explanation. The words are those of pagescope-result(5). What "
		"an option means is told by `pagescope config show'.",
	.options = &explain_options,
	.examples = "pagescope explain walk.count functions.walk_cycles\n"
		    "pagescope explain --result result.json walk.latency.p99\n"
		    "pagescope explain --result result.json\n"
		    "pagescope explain\n",
	.run = explain_run,
};
