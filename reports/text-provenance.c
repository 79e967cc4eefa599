// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Where the figures come from: command, host, trace, machine; the options
 * that differ from their defaults; and what this run could not give.
 */
#include "reports/text-report.h"

#include "analyzer/model.h"
#include "analyzer/quote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A word of a command */
static char *
quoted(const json_t *value)
{
	const char *word = json_string_value(value);
	size_t bytes = quote_word(word, NULL, 0) + 1;
	char *text = malloc(bytes);

	if (text)
		quote_word(word, text, bytes);
	return text;
}

/* One line of text for any JSON value; owned by the caller, NULL: no memory */
static char *
flat(const json_t *value)
{
	char *text = NULL, *again = NULL;
	size_t bytes, i;
	json_t *item;
	FILE *file;
	const char *key, *before = "";

	if (json_is_string(value) && quote_controls(json_string_value(value)))
		return quoted(value);
	if (json_is_string(value))
		return strdup(json_string_value(value));
	file = open_memstream(&text, &bytes);
	if (!file)
		return NULL;
	if (json_is_array(value)) {
		json_array_foreach(value, i, item)
		{
			again = json_is_string(item) ? quoted(item)
						     : flat(item);
			fprintf(file, "%s%s", i ? " " : "", again ? again : "");
			free(again);
		}
	} else if (json_is_object(value)) {
		json_object_foreach((json_t *)(uintptr_t)value, key, item)
		{
			again = flat(item);
			fprintf(file, "%s%s %s", before, key,
				again ? again : "");
			free(again);
			before = ", ";
		}
	} else {
		result_print_json(value, file);
	}
	if (fclose(file)) {
		free(text);
		return NULL;
	}
	return text;
}

static void
put_line(struct text *text, const char *prefix, const char *name,
	 const json_t *value)
{
	char full[128], *line;
	const char *key;
	json_t *member;

	if (json_is_null(value))
		return;
	snprintf(full, sizeof(full), "%s%s%s", prefix, *prefix ? "." : "",
		 name);
	if (json_is_object(value) && !*prefix) {
		json_object_foreach((json_t *)(uintptr_t)value, key, member)
			put_line(text, full, key, member);
		return;
	}
	line = flat(value);
	if (!line) {
		text->error = -ENOMEM;
		return;
	}
	if (*line)
		text_say(text, "%s: %s", full, line);
	free(line);
}

struct search {
	const char *name, *value;
	bool found, same;
};

static int
compare_default(void *context, const char *name, const struct option_row *row,
		const void *struct_start)
{
	struct search *search = context;
	char value[1024];

	if (strcmp(name, search->name))
		return 0;
	option_print(row, struct_start, value, sizeof(value));
	search->found = true;
	search->same = !strcmp(value, search->value);
	return 1;
}

/* Is it what a model of ours would have done by itself? */
static bool
is_default(const char *name, const char *value)
{
	struct search search = { name, value, false, false };

	for (size_t i = 0; model_registry[i] && !search.found; i++) {
		const struct option_tree *tree = model_registry[i]->options;
		void *config = tree ? calloc(1, tree->config_bytes) : NULL;

		if (config && !option_init(tree, config)) {
			option_each(tree, config, compare_default, &search);
			option_fini(tree, config);
		}
		free(config);
	}
	return search.found && search.same;
}

static void
put_options(struct text *text)
{
	json_t *options =
		json_object_get(result_json((struct result *)(uintptr_t)
						    text->result),
				"options");
	struct grid *grid = grid_open("<~");
	const char *name;
	json_t *value;
	size_t n = 0;

	if (!grid) {
		text->error = -ENOMEM;
		return;
	}
	grid_add(grid, "option");
	grid_add(grid, "value");
	json_object_foreach(options, name, value)
	{
		if (is_default(name, json_string_value(value)))
			continue;
		grid_add(grid, name);
		grid_add(grid, json_string_value(value));
		n++;
	}
	if (!n) {
		grid_close(grid);
		return;
	}
	text_heading(text, "Options that are not the defaults");
	text_grid(text, grid);
}

/* Is it absent because an option says so?  The reason begins with its name. */
static bool
is_switched_off(const struct text *text, const char *reason)
{
	json_t *options =
		json_object_get(result_json((struct result *)(uintptr_t)
						    text->result),
				"options");
	char name[128];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(reason, " "), reason);
	return json_object_get(options, name) != NULL;
}

/* Why it is absent; NULL: it is not, or that is told elsewhere. */
static const char *
absence(const struct text *text, const char *name, const json_t *entry)
{
	const char *reason =
		json_string_value(json_object_get(entry, "reason"));

	/* what is missing of walks stands with the walks */
	if (!json_is_null(json_object_get(entry, "value")) ||
	    !strncmp(name, "walk.", 5) ||
	    is_switched_off(text, reason ? reason : ""))
		return NULL;
	return reason ? reason : "";
}

/* The names of all that are absent for the reason; false: the first of them is
 * not this one. */
static bool
names_of(const struct text *text, json_t *values, const char *first,
	 const char *reason, char names[512])
{
	const char *name, *why;
	json_t *entry;

	names[0] = '\0';
	json_object_foreach(values, name, entry)
	{
		size_t n = strlen(names);

		why = absence(text, name, entry);
		if (!why || strcmp(why, reason) != 0)
			continue;
		if (!n && strcmp(name, first) != 0)
			return false;
		snprintf(names + n, 512 - n, "%s%s", n ? ", " : "", name);
	}
	return true;
}

static void
put_absent(struct text *text)
{
	json_t *values =
		json_object_get(result_json((struct result *)(uintptr_t)
						    text->result),
				"values");
	const char *name;
	json_t *entry;
	bool any = false;

	json_object_foreach(values, name, entry)
	{
		const char *reason = absence(text, name, entry);
		char names[512];

		if (!reason || !names_of(text, values, name, reason, names))
			continue;
		if (!any)
			text_heading(text, "Not known");
		any = true;
		text_say(text, "%s: %s", names, reason);
	}
}

void
text_provenance(struct text *text)
{
	json_t *document =
		result_json((struct result *)(uintptr_t)text->result);
	json_t *provenance = json_object_get(document, "provenance"), *value;
	const char *name;

	put_absent(text);
	put_options(text);
	text_heading(text, "Provenance");
	text_say(text, "pagescope: %s",
		 json_string_value(json_object_get(document, "pagescope")));
	json_object_foreach(provenance, name, value)
		put_line(text, "", name, value);
}
