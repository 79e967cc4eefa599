// SPDX-License-Identifier: GPL-2.0-or-later
/* pagescope report R.json: the result document as text, CSV or one value. */
#include "analyzer/fail.h"
#include "analyzer/verb.h"
#include "reports/machines.h"
#include "reports/renderer.h"
#include "reports/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct report_config {
	char *get, *format, *table, *machine, *weight;
	int64_t top;
};

static const struct option_row report_rows[] = {
	{ "get", OPTION_STRING, offsetof(struct report_config, get),
	  .help = "Print only this value or option, bare, for scripts",
	  .argument = "NAME" },
	{ "format", OPTION_STRING, offsetof(struct report_config, format),
	  .fallback = "text",
	  .help = "How to print: text, json, csv, html, folded or perfetto",
	  .argument = "FORMAT" },
	{ "table", OPTION_STRING, offsetof(struct report_config, table),
	  .help = "Print only this table, whole", .argument = "NAME" },
	{ "machine", OPTION_STRING, offsetof(struct report_config, machine),
	  .help = "Of a result of several machines only this one", .key = 'm',
	  .argument = "NAME" },
	{ "weight", OPTION_STRING, offsetof(struct report_config, weight),
	  .help = "Of folded stacks: what counts, a column of the table "
		  "who.stacks (walk_cycles)",
	  .argument = "COLUMN" },
	{ "top", OPTION_INT, offsetof(struct report_config, top),
	  .fallback = "10", .min = 0, .max = 1e9,
	  .help = "Rows of each ranking in the report, 0: all" },
	{ NULL },
};

static const struct option_group report_groups[] = {
	{ "", report_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree report_options = {
	report_groups, sizeof(struct report_config)
};

/* Say that there is no such name among the keys, with the nearest one. */
static int
unknown(const char *path, const char *what, const char *name,
	json_t *const *objects, size_t n_objects)
{
	const char *near = NULL, *key, **names;
	size_t n = 0;
	json_t *value;

	for (size_t i = 0; i < n_objects; i++)
		n += json_object_size(objects[i]);
	names = calloc(n + 1, sizeof(*names));
	if (!names)
		return fail(ENOMEM, "report: no memory");
	n = 0;
	for (size_t i = 0; i < n_objects; i++)
		json_object_foreach(objects[i], key, value) names[n++] = key;
	near = option_nearest(name, names, n);
	if (near)
		fail(EINVAL, "%s: no %s \"%s\"; did you mean \"%s\"?", path,
		     what, name, near);
	else
		fail(EINVAL, "%s: no %s \"%s\"", path, what, name);
	free(names);
	return -EINVAL;
}

/* An absent value prints nothing, so that $(...) is empty, and is status 3. */
static int
print_bare(const char *path, struct result *result, const char *name)
{
	json_t *values = json_object_get(result_json(result), "values");
	json_t *options = json_object_get(result_json(result), "options");
	json_t *entry = json_object_get(values, name);
	json_t *value = json_object_get(entry, "value");

	if (!entry)
		value = json_object_get(options, name);
	if (!value)
		return unknown(path, "value or option", name,
			       (json_t *const[]){ values, options }, 2);
	if (json_is_null(value)) {
		note("%s: %s is not known: %s", path, name,
		     json_string_value(json_object_get(entry, "reason")));
		return STATUS_PARTIAL;
	}
	if (json_is_string(value))
		fputs(json_string_value(value), stdout);
	else
		result_print_json(value, stdout);
	putchar('\n');
	return STATUS_OK;
}

static const struct renderer_ops *
find_renderer(const char *name)
{
	const char *names[16], *near;
	size_t n = 0;

	for (; n < ARRAY_SIZE(names) && renderer_registry[n]; n++) {
		if (!strcmp(renderer_registry[n]->name, name))
			return renderer_registry[n];
		names[n] = renderer_registry[n]->name;
	}
	near = option_nearest(name, names, n);
	fail(EINVAL, "report: no format \"%s\"; did you mean \"%s\"?", name,
	     near ? near : "text");
	return NULL;
}

/* What the renderer is to see of several machines, where that is not the whole
 * document: one table that holds them all.  *out stays NULL for the whole. */
static int
report_merged(struct result **out, const struct result *result,
	      const struct report_config *config)
{
	const json_t *document =
		result_json((struct result *)(uintptr_t)result);
	struct machines machines;
	int error;

	/* A table of all of them together */
	if (config->table &&
	    json_object_get(json_object_get(document, "tables"), config->table))
		return 0;
	error = machines_open(&machines, result);
	if (error)
		return error;
	if (config->table && *config->table)
		error = machines_table(out, &machines, config->table);
	else if (!strcmp(config->format, "csv"))
		error = machines_values(out, &machines);
	machines_close(&machines);
	return error == -ENOENT ? 0 : error;
}

static int
report_print(const char *path, struct result *result,
	     const struct report_config *config)
{
	const struct renderer_ops *renderer = find_renderer(config->format);
	struct render_setup setup = { .top = (size_t)config->top };
	struct result *merged = NULL;
	json_t *tables;
	int status = 0;

	if (!renderer)
		return STATUS_USAGE;
	if (config->weight && *config->weight)
		setup.weight = config->weight;
	if (result_machines(result))
		status = report_merged(&merged, result, config);
	if (status)
		return status;
	if (merged)
		result = merged;
	tables = json_object_get(result_json(result), "tables");
	if (config->table && *config->table)
		setup.table = config->table;
	else if (merged)
		setup.table = "values";
	if (setup.table)
		setup.top = 0;
	if (setup.table && !json_object_get(tables, setup.table)) {
		json_t *machine =
			json_array_get(json_object_get(result_json(result),
						       "machines"),
				       0);

		status = unknown(path, "table", setup.table,
				 (json_t *const[]){
					 tables,
					 json_object_get(machine, "tables") },
				 2);
	} else {
		render_terminal(&setup);
		status = renderer->render(result, &setup, stdout);
	}
	result_close(merged);
	return status;
}

static int
report_of(const char *path, struct result **result,
	  const struct report_config *config)
{
	char names[512];
	int error = 0;

	if (config->machine && *config->machine)
		error = machines_choose(path, result, config->machine);
	if (error)
		return error;
	if (!config->get || !*config->get)
		return report_print(path, *result, config);
	if (!result_machines(*result) ||
	    json_object_get(json_object_get(result_json(*result), "values"),
			    config->get))
		return print_bare(path, *result, config->get);
	machines_list(*result, names, sizeof(names));
	return fail(EUSAGE,
		    "%s: is of several machines: --machine says which "
		    "(%s)",
		    path, names);
}

static int
report_run(const struct verb_call *call)
{
	const struct report_config *config = call->config;
	const char *path = call->argc ? call->argv[0] : "-";
	struct result *result;
	int status;

	if (call->argc > 1) {
		fail(EINVAL, "report: one result at a time, not \"%s\" too",
		     call->argv[1]);
		return STATUS_USAGE;
	}
	if (!call->argc && isatty(STDIN_FILENO)) {
		fail(EINVAL, "report: which result? Name a file that "
			     "\"pagescope replay -o FILE\" wrote");
		return STATUS_USAGE;
	}
	status = result_read(&result, path);
	if (status)
		return status;
	status = report_of(path, &result, config);
	result_close(result);
	return status;
}

const struct verb_ops report_verb = {
	.name = "report",
	.help = "print what a replay found out",
	.arguments = "[OPTION...] [RESULT.json]",
	.details =
		"Reads a result document (standard input when no file is "
		"named) and prints it. The text report begins with plain "
		"sentences: where the time of address translation goes, who "
		"causes it, what the kernel did; the tables behind them "
		"follow. --get NAME prints one bare value for scripts: status "
		"125 when there is no such name, 3 (and the reason on stderr) "
		"when this run could not give the value. --format csv prints "
		"all values, or with --table NAME one table. --format html is "
		"one page with sentences, figures and tables that needs no "
		"network; folded are stacks for flame graphs, of what --weight "
		"names, from the table who.stacks (pagescope-replay(1), --by); "
		"perfetto is a trace for ui.perfetto.dev: counters over time, and "
		"the first faults by thread (replay --by time; without it time "
		"is counted in accesses). A result of "
		"several machines (replay --machine) is compared: what differs "
		"in words, a column for each machine, the distance from the "
		"first, the options in which they differ; CSV has a column for "
		"each machine, tables one that names it. --machine NAME takes "
		"one of them, as if it had been replayed alone. The document "
		"itself is described in pagescope-result(5).",
	.lists = LIST_RENDERERS,
	.options = &report_options,
	.examples = "pagescope report result.json\n"
		    "pagescope report --get walk.count result.json\n"
		    "pagescope report --format csv --table sites result.json\n"
		    "# a page for a browser\n"
		    "pagescope report --format html result.json > result.html\n"
		    "# of several machines\n"
		    "pagescope report machines.json\n"
		    "pagescope report --machine zen4 --get walk.count "
		    "machines.json\n",
	.run = report_run,
};
