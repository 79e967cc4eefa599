// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * pagescope help [VERB]: help as text, man page, completion script, or the
 * examples of a page one a line (tests run them).
 */
#include "analyzer/fail.h"
#include "analyzer/model.h"
#include "analyzer/page.h"
#include "analyzer/verb.h"
#include "models/tables/table.h"
#include "reports/plot.h"
#include "reports/renderer.h"
#include "tracers/tracer.h"
#include "traces/exporter.h"
#include "traces/generate.h"
#include "traces/importer.h"

#include <stdlib.h>
#include <string.h>

enum help_form {
	FORM_TEXT,
	FORM_MAN,
	FORM_COMPLETION,
	FORM_EXAMPLES,
	FORM_NAMES,
};

struct help_config {
	int form;
};

static const char *const forms[] = { "text",	 "man",	  "completion",
				     "examples", "names", NULL };

static const struct option_row help_rows[] = {
	{ "as", OPTION_CHOICE, offsetof(struct help_config, form), "text",
	  .choices = forms,
	  .help = "text; the source of a man page; the completion script for "
		  "bash; only the examples; the names of all verbs" },
	{ NULL },
};

static const struct option_group help_groups[] = {
	{ "", help_rows, 0, NULL },
	{ NULL },
};

static const struct option_tree help_options = { help_groups,
						 sizeof(struct help_config) };

enum {
	ENTRIES_MAX = 128
};

struct entries {
	struct page_entry entry[ENTRIES_MAX];
	size_t n;
};

static void
entries_add(struct entries *entries, const char *name, const char *help,
	    const struct option_tree *options)
{
	if (entries->n < ENTRIES_MAX)
		entries->entry[entries->n++] =
			(struct page_entry){ name, help, options };
}

static struct page_list
list_of(unsigned list, const char *title, const char *argument,
	const struct entries *entries)
{
	return (struct page_list){ list, title, argument, entries->entry,
				   entries->n };
}

enum {
	OF_VERBS,
	OF_TRACERS,
	OF_IMPORTERS,
	OF_MODELS,
	OF_TABLES,
	OF_PATTERNS,
	OF_EXPORTERS,
	OF_PLOTS,
	OF_RENDERERS,
	REGISTRIES
};

/* entries: of REGISTRIES.  Verbs' options are on their own pages. */
static void
gather(struct entries *entries)
{
	size_t i;

	for (i = 0; verb_registry[i]; i++)
		entries_add(&entries[OF_VERBS], verb_registry[i]->name,
			    verb_registry[i]->help, NULL);
	entries_add(&entries[OF_TRACERS], "auto",
		    "cache where it can run, else valgrind (and why)", NULL);
	for (i = 0; tracer_registry[i]; i++)
		entries_add(&entries[OF_TRACERS], tracer_registry[i]->name,
			    tracer_registry[i]->help,
			    tracer_registry[i]->options);
	for (i = 0; importer_registry[i]; i++)
		entries_add(&entries[OF_IMPORTERS], importer_registry[i]->name,
			    importer_registry[i]->help,
			    importer_registry[i]->options);
	for (i = 0; exporter_registry[i]; i++)
		entries_add(&entries[OF_EXPORTERS], exporter_registry[i]->name,
			    exporter_registry[i]->help,
			    exporter_registry[i]->options);
	for (i = 0; model_registry[i]; i++)
		entries_add(&entries[OF_MODELS], model_registry[i]->name,
			    model_registry[i]->help,
			    model_registry[i]->options);
	for (i = 0; table_registry[i]; i++)
		entries_add(&entries[OF_TABLES], table_registry[i]->name,
			    table_registry[i]->help, NULL);
	for (i = 0; generate_pattern(i); i++)
		entries_add(&entries[OF_PATTERNS], generate_pattern(i)->name,
			    generate_pattern(i)->help, NULL);
	for (i = 0; plot_registry[i]; i++)
		entries_add(&entries[OF_PLOTS], plot_registry[i]->name,
			    plot_registry[i]->help, NULL);
	for (i = 0; renderer_registry[i]; i++)
		entries_add(&entries[OF_RENDERERS], renderer_registry[i]->name,
			    renderer_registry[i]->help, NULL);
	entries_add(&entries[OF_PATTERNS], "KEY=VALUE", "of all patterns",
		    &generate_options);
}

/* lists: [REGISTRIES] */
static void
fill_lists(struct page_list *lists, const struct entries *entries)
{
	static const struct {
		unsigned list;
		const char *title, *argument;
		int of;
	} all[REGISTRIES] = {
		{ LIST_VERBS, "Verbs", NULL, OF_VERBS },
		{ LIST_TRACERS, "Engines", "ENGINE", OF_TRACERS },
		{ LIST_IMPORTERS, "Formats", "FORMAT", OF_IMPORTERS },
		{ LIST_MODELS, "Models and their options (--set)", NULL,
		  OF_MODELS },
		{ LIST_TABLES, "Page tables (table.kind)", NULL, OF_TABLES },
		{ LIST_PATTERNS, "Patterns of the generator", NULL,
		  OF_PATTERNS },
		{ LIST_EXPORTERS, "Formats", "FORMAT", OF_EXPORTERS },
		{ LIST_PLOTS, "Figures", "KIND", OF_PLOTS },
		{ LIST_RENDERERS, "Formats", "FORMAT", OF_RENDERERS },
	};

	for (size_t i = 0; i < REGISTRIES; i++)
		lists[i] = list_of(all[i].list, all[i].title, all[i].argument,
				   &entries[all[i].of]);
}

static int
show(const struct verb_ops *verb, int form)
{
	struct entries *entries = calloc(REGISTRIES, sizeof(*entries));
	struct page page = { form == FORM_MAN ? &page_man_ops : &page_text_ops,
			     stdout, NULL };
	struct page_list lists[REGISTRIES + 1] = { 0 };

	if (!entries)
		return fail_errno(ENOMEM, "help");
	gather(entries);
	fill_lists(lists, entries);
	page.lists = lists;
	if (form == FORM_COMPLETION)
		page_completion(stdout, lists);
	else if (verb)
		page_verb(&page, verb);
	else
		page_program(&page);
	free(entries);
	return STATUS_OK;
}

static void
print_examples(const struct verb_ops *verb)
{
	for (const char *line = verb->examples; line && *line;) {
		size_t length = strcspn(line, "\n");

		printf("%.*s\n", (int)length, line);
		line += length + (line[length] == '\n');
	}
}

static int
find_named(const char *name, const struct verb_ops **verb)
{
	const char *names[ENTRIES_MAX], *near;
	size_t n = 0;

	for (; verb_registry[n] && n < ENTRIES_MAX; n++) {
		names[n] = verb_registry[n]->name;
		if (!strcmp(names[n], name)) {
			*verb = verb_registry[n];
			return 0;
		}
	}
	near = option_nearest(name, names, n);
	return fail(EINVAL, "help: unknown verb \"%s\"%s%s%s", name,
		    near ? "; did you mean \"" : "", near ? near : "",
		    near ? "\"?" : "");
}

static int
help_run(const struct verb_call *call)
{
	const struct help_config *config = call->config;
	const struct verb_ops *verb = NULL;

	if (call->argc > 1) {
		fail(EINVAL, "help: one verb at a time, not \"%s\" too",
		     call->argv[1]);
		return STATUS_USAGE;
	}
	if (call->argc == 1 && find_named(call->argv[0], &verb))
		return STATUS_USAGE;
	if (config->form != FORM_NAMES && config->form != FORM_EXAMPLES)
		return show(verb, config->form);
	for (size_t i = 0; verb_registry[i]; i++) {
		if (config->form == FORM_NAMES)
			puts(verb_registry[i]->name);
		if (config->form == FORM_EXAMPLES &&
		    (!verb || verb == verb_registry[i]))
			print_examples(verb_registry[i]);
	}
	return STATUS_OK;
}

const struct verb_ops help_verb = {
	.name = "help",
	.help = "show help on a verb, as text or as a man page",
	.arguments = "[--as FORM] [VERB]",
	.details = "Help, man pages and the completion script all come from "
		   "the same option rows and registries that the program "
		   "itself runs on.",
	.examples = "pagescope help replay\n"
		    "pagescope help --as man replay\n",
	.lists = LIST_VERBS,
	.options = &help_options,
	.run = help_run,
};
