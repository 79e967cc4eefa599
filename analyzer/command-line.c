// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * getopt_long does the grammar; its tables are made from the rows.  Option i
 * of the tree has the code CODE_SET + i, its opposite CODE_CLEAR + i.
 */
#include "analyzer/command-line.h"

#include "analyzer/fail.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ROWS_MAX = 1024,
	CODE_HELP = 256,
	CODE_SET = 1024,
	CODE_CLEAR = CODE_SET + ROWS_MAX,
	NAME_BYTES = 128,
};

struct entry {
	const struct option_row *row;
	size_t struct_offset;
	char name[NAME_BYTES], opposite[NAME_BYTES];
};

struct parser {
	const struct verb_ops *verb;
	struct command_line *line;
	struct entry *entry;
	size_t n_entries;
	struct option *options; /* for getopt_long; ends with zeroes */
	size_t n_options;
	char keys[3 * ROWS_MAX]; /* its short options */
};

void
command_line_opposite(const char *name, char *text, size_t text_bytes)
{
	if (strncmp(name, "no-", 3) == 0)
		snprintf(text, text_bytes, "%s", name + 3);
	else
		snprintf(text, text_bytes, "no-%s", name);
}

static void
add_option(struct parser *parser, const char *name, int has_argument, int code)
{
	struct option *option = &parser->options[parser->n_options++];

	option->name = name;
	option->has_arg = has_argument;
	option->val = code;
}

static void
add_row(struct parser *parser, const char *name, const struct option_row *row,
	size_t struct_offset)
{
	struct entry *entry = &parser->entry[parser->n_entries];
	int index = (int)parser->n_entries++;
	size_t used = strlen(parser->keys);

	entry->row = row;
	entry->struct_offset = struct_offset;
	snprintf(entry->name, sizeof(entry->name), "%s", name);
	if (row->key)
		snprintf(parser->keys + used, sizeof(parser->keys) - used,
			 "%c%s", row->key, row->type == OPTION_BOOL ? "" : ":");
	if (row->type != OPTION_BOOL) {
		add_option(parser, entry->name, required_argument,
			   CODE_SET + index);
		return;
	}
	command_line_opposite(name, entry->opposite, sizeof(entry->opposite));
	add_option(parser, entry->name, optional_argument, CODE_SET + index);
	add_option(parser, entry->opposite, no_argument, CODE_CLEAR + index);
}

static int
count_row(void *context, const char *name, const struct option_row *row,
	  const void *struct_start)
{
	(void)name, (void)row, (void)struct_start;
	++*(size_t *)context;
	return 0;
}

static int
add_each(void *context, const char *name, const struct option_row *row,
	 const void *struct_start)
{
	struct parser *parser = context;

	add_row(parser, name, row,
		(size_t)((const char *)struct_start -
			 (const char *)parser->line->config));
	return 0;
}

static void
parser_fini(struct parser *parser)
{
	free(parser->entry);
	free(parser->options);
	parser->entry = NULL;
	parser->options = NULL;
}

static int
parser_init(struct parser *parser)
{
	const struct option_tree *tree = parser->verb->options;
	size_t n = 0;

	/* ':' tells a missing value from an unknown option, '+' stops at the
	 * first positional argument. */
	strcpy(parser->keys, parser->verb->command ? "+:" : ":");
	if (tree)
		option_each(tree, parser->line->config, count_row, &n);
	if (n > ROWS_MAX)
		return fail(ENOSPC, "%s: too many options", parser->verb->name);
	parser->entry = calloc(n + 1, sizeof(*parser->entry));
	parser->options = calloc(2 * n + 2, sizeof(*parser->options));
	if (!parser->entry || !parser->options) {
		parser_fini(parser);
		return fail_errno(ENOMEM, "%s", parser->verb->name);
	}
	if (tree)
		option_each(tree, parser->line->config, add_each, parser);
	add_option(parser, "help", no_argument, CODE_HELP);
	if (!strchr(parser->keys, 'h'))
		strcat(parser->keys, "h");
	return 0;
}

/* "--a, --b": the options that begin so. */
static size_t
list_beginnings(const struct parser *parser, const char *start, size_t length,
		char *text, size_t text_bytes)
{
	size_t n = 0, used = 0;

	for (size_t i = 0; i < parser->n_options && used < text_bytes; i++)
		if (!strncmp(parser->options[i].name, start, length))
			used += (size_t)snprintf(text + used, text_bytes - used,
						 "%s--%s", n++ ? ", " : "",
						 parser->options[i].name);
	return n;
}

static int
unknown_long(const struct parser *parser, const char *typed)
{
	const char *verb = parser->verb->name, *names[2 * ROWS_MAX + 1];
	size_t length = strcspn(typed, "=");
	char start[NAME_BYTES], several[256];
	const char *near;

	snprintf(start, sizeof(start), "%.*s", (int)length, typed);
	if (length && list_beginnings(parser, start, length, several,
				      sizeof(several)) > 1)
		return fail(EINVAL,
			    "%s: option \"--%s\" is short for several: %s",
			    verb, start, several);
	for (size_t i = 0; i < parser->n_options; i++)
		names[i] = parser->options[i].name;
	near = option_nearest(start, names, parser->n_options);
	if (near)
		return fail(
			EINVAL,
			"%s: unknown option \"--%s\"; did you mean \"--%s\"?",
			verb, start, near);
	return fail(EINVAL,
		    "%s: unknown option \"--%s\"; see \"pagescope %s --help\"",
		    verb, start, verb);
}

/* getopt said '?' or ':'; typed is the word, if it is a long option. */
static int
refuse(const struct parser *parser, int code, const char *typed)
{
	const char *verb = parser->verb->name;

	if (code == ':' && optopt < CODE_HELP)
		return fail(EINVAL, "%s: option \"-%c\" needs a value", verb,
			    optopt);
	if (code == ':')
		return fail(EINVAL, "%s: option \"--%s\" needs a value", verb,
			    parser->entry[optopt - CODE_SET].name);
	if (optopt >= CODE_HELP)
		return fail(EINVAL, "%s: option \"%s\" takes no value", verb,
			    typed);
	if (!optopt)
		return unknown_long(parser, typed + 2);
	return fail(EINVAL,
		    "%s: unknown option \"-%c\"; see \"pagescope %s --help\"",
		    verb, optopt, verb);
}

static int
set_entry(const struct parser *parser, size_t index, const char *value)
{
	const struct entry *entry = &parser->entry[index];
	char label[NAME_BYTES + 2];

	snprintf(label, sizeof(label), "--%s", entry->name);
	/* an empty text is a default (none), never what somebody meant */
	if (entry->row->type == OPTION_STRING && !*value)
		return fail(EINVAL, "%s: %s: is empty", parser->verb->name,
			    label);
	return option_set_row(entry->row,
			      (char *)parser->line->config +
				      entry->struct_offset,
			      parser->verb->name, label, value);
}

static int
take_key(const struct parser *parser, int key)
{
	for (size_t i = 0; i < parser->n_entries; i++)
		if (parser->entry[i].row->key == key)
			return set_entry(parser, i, optarg ? optarg : "true");
	parser->line->help = key == 'h';
	return 0;
}

static int
take(const struct parser *parser, int code, const char *typed)
{
	if (code == '?' || code == ':')
		return refuse(parser, code, typed);
	if (code >= CODE_CLEAR)
		return set_entry(parser, (size_t)(code - CODE_CLEAR), "false");
	if (code >= CODE_SET)
		return set_entry(parser, (size_t)(code - CODE_SET),
				 optarg ? optarg : "true");
	if (code == CODE_HELP) {
		parser->line->help = true;
		return 0;
	}
	return take_key(parser, code);
}

static int
parse(struct parser *parser, int argc, char **argv)
{
	struct command_line *line = parser->line;
	int code, error = 0;

	opterr = 0;
	optind = 0; /* start again, and forget the last order of arguments */
	while ((code = getopt_long(argc, argv, parser->keys, parser->options,
				   NULL)) != -1) {
		error = take(parser, code, argv[optind - 1]);
		if (error || line->help)
			return error;
	}
	line->argc = argc - optind;
	memmove(argv, argv + optind, (size_t)(line->argc + 1) * sizeof(*argv));
	return 0;
}

static int
line_open(struct command_line *line, const struct verb_ops *verb, int argc,
	  char **argv)
{
	memset(line, 0, sizeof(*line));
	line->argv = calloc((size_t)argc + 1, sizeof(*argv));
	if (!line->argv)
		return fail_errno(ENOMEM, "%s", verb->name);
	memcpy(line->argv, argv, (size_t)argc * sizeof(*argv));
	if (!verb->options)
		return 0;
	line->config = calloc(1, verb->options->config_bytes);
	if (!line->config)
		return fail_errno(ENOMEM, "%s", verb->name);
	return option_init(verb->options, line->config);
}

int
command_line_init(struct command_line *line, const struct verb_ops *verb,
		  int argc, char **argv)
{
	struct parser parser = { .verb = verb, .line = line };
	int error = line_open(line, verb, argc, argv);

	if (!error)
		error = parser_init(&parser);
	if (!error)
		error = parse(&parser, argc, line->argv);
	parser_fini(&parser);
	if (error)
		command_line_fini(line, verb);
	return error;
}

void
command_line_fini(struct command_line *line, const struct verb_ops *verb)
{
	if (line->config)
		option_fini(verb->options, line->config);
	free(line->config);
	free(line->argv);
	memset(line, 0, sizeof(*line));
}
