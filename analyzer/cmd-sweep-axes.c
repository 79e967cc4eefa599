// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The axes of a sweep: an option's name and the values that it takes.
 *
 *	tlb.l2.entries=512..8192 x2	512 1024 2048 4096 8192
 *	memory.latency=100..300 +50,1000	100 150 200 250 300 1000
 *	table.kind=radix,hashed
 *	pages.mthp=64k,1m=madvise;none	two: ; separates where it is there
 *
 * Values are read by the option's own row, so they are what --set takes, and
 * kept as the row prints them, so that 1M and 1024K are the same.
 */
#include "analyzer/cmd-sweep.h"
#include "analyzer/fail.h"
#include "models/machine-list.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VALUES_MOST 10000u

/* A field of any type but text, as rows set and print them */
union field {
	int64_t whole;
	uint64_t size;
	double real;
	bool yes;
	int choice;
};

struct parser {
	struct sweep_axis *axis;
	const char *text;      /* all of it, for messages */
	struct option_row row; /* the axis's, with its field at the start */
	size_t room;
};

static const struct {
	const char *name;
	enum sweep_layer layer;
	const char *option; /* in the machine's tree, or NULL */
} special[] = {
	{ "cpu", SWEEP_CPU, NULL },
	{ "config", SWEEP_CONFIG, NULL },
	{ "memory", SWEEP_MEMORY, "memory.size" },
	{ "seed", SWEEP_SET, "machine.seed" },
	{ "table", SWEEP_SET, "table.kind" },
	{ "policy", SWEEP_SET, "pages.policy" },
};

void
sweep_axis_fini(struct sweep_axis *axis)
{
	for (size_t i = 0; i < axis->n; i++)
		free(axis->value[i]);
	free(axis->value);
	free(axis->name);
	*axis = (struct sweep_axis){ 0 };
}

/* Says what is wrong with a name that no option has. */
static int
unknown_name(const char *name)
{
	struct machine_config config;
	int error;

	if (option_init(&machine_options, &config))
		return fail(ENOMEM, "sweep: no memory");
	error = option_set(&machine_options, &config, "sweep: -P", name, "");
	option_fini(&machine_options, &config);
	return error == -EINVAL ? -EUSAGE : error;
}

int
sweep_axis_name(struct sweep_axis *axis, const char *name)
{
	const char *option = name;

	*axis = (struct sweep_axis){ .layer = SWEEP_SET };
	for (size_t i = 0; i < ARRAY_SIZE(special); i++)
		if (!strcmp(name, special[i].name)) {
			axis->layer = special[i].layer;
			option = special[i].option;
			/* only where both mean the same */
			name = axis->layer == SWEEP_SET ? option : name;
		}
	if (option) {
		axis->row = option_find(&machine_options, option, NULL);
		if (!axis->row)
			return unknown_name(name);
	}
	axis->name = strdup(name);
	return axis->name ? 0 : fail(ENOMEM, "sweep: no memory");
}

static bool
is_text(const struct sweep_axis *axis)
{
	return !axis->row || axis->row->type == OPTION_STRING ||
	       axis->row->type == OPTION_LIST;
}

static bool
is_number(const struct sweep_axis *axis)
{
	return axis->row && (axis->row->type == OPTION_INT ||
			     axis->row->type == OPTION_SIZE ||
			     axis->row->type == OPTION_REAL ||
			     axis->row->type == OPTION_TIME);
}

static int
add_text(struct parser *parser, const char *text)
{
	struct sweep_axis *axis = parser->axis;
	char **more;

	for (size_t i = 0; i < axis->n; i++)
		if (!strcmp(axis->value[i], text))
			return fail(EUSAGE, "sweep: %s: %s is there twice",
				    parser->text, text);
	if (axis->n == VALUES_MOST)
		return fail(EUSAGE, "sweep: %s: more than %u values",
			    parser->text, VALUES_MOST);
	if (axis->n == parser->room) {
		size_t room = parser->room ? 2 * parser->room : 16;

		more = reallocarray(axis->value, room, sizeof(*more));
		if (!more)
			return fail(ENOMEM, "sweep: no memory");
		axis->value = more;
		parser->room = room;
	}
	axis->value[axis->n] = strdup(text);
	if (!axis->value[axis->n])
		return fail(ENOMEM, "sweep: no memory");
	axis->n++;
	return 0;
}

/* What the row makes of a text, in its bounds or (a step) not. */
static int
read_field(const struct parser *parser, const char *text, bool bounded,
	   union field *field)
{
	struct option_row row = parser->row;
	int error;

	if (!bounded)
		row.min = row.max = 0;
	error = option_set_row(&row, field, "sweep: -P", parser->axis->name,
			       text);
	return error == -EINVAL ? -EUSAGE : error;
}

static int
add_field(struct parser *parser, const union field *field)
{
	char text[64];

	option_print(&parser->row, field, text, sizeof(text));
	return add_text(parser, text);
}

static int
add_value(struct parser *parser, const char *text)
{
	union field field = { 0 };
	int error;

	if (is_text(parser->axis))
		return add_text(parser, text);
	error = read_field(parser, text, true, &field);
	return error ? error : add_field(parser, &field);
}

static double
number_of(const struct parser *parser, const union field *field)
{
	return parser->row.type == OPTION_REAL	? field->real
	       : parser->row.type == OPTION_INT ? (double)field->whole
						: (double)field->size;
}

/* Whole numbers go up by one at least, so that x1.1 gets on from 1. */
static void
next_field(const struct parser *parser, union field *field, double next)
{
	uint64_t before = field->size;

	if (parser->row.type == OPTION_REAL)
		field->real = next;
	else if (parser->row.type == OPTION_INT)
		field->whole = llround(next);
	else
		field->size = (uint64_t)(next + 0.5);
	if (parser->row.type != OPTION_REAL && field->size == before)
		field->size++;
}

/* "x2" or "+64" behind a range, x2 where there is nothing */
static int
read_step(const struct parser *parser, const char *step, double *times,
	  double *plus)
{
	union field field = { 0 };
	char *end;
	int error;

	*times = 2;
	*plus = 0;
	if (!*step)
		return 0;
	if (*step == '+') {
		error = read_field(parser, step + 1, false, &field);
		*plus = error ? 0 : number_of(parser, &field);
		if (error || *plus > 0)
			return error;
	} else if (*step == 'x') {
		*times = strtod(step + 1, &end);
		if (!*end && end != step + 1 && *times >= 1.0001 &&
		    *times <= 1e9)
			return 0;
	}
	return fail(EUSAGE,
		    "sweep: %s: \"%s\" is no step; a step is x2, x1.5 or +64",
		    parser->text, step);
}

static int
add_range(struct parser *parser, const char *from, const char *to,
	  const char *step)
{
	union field at = { 0 }, last = { 0 };
	double times, plus, next, end;
	int error = read_field(parser, from, true, &at);

	if (!error)
		error = read_field(parser, to, true, &last);
	if (!error)
		error = read_step(parser, step, &times, &plus);
	if (error)
		return error;
	next = number_of(parser, &at);
	end = number_of(parser, &last);
	if (end < next)
		return fail(EUSAGE, "sweep: %s: %s to %s goes down",
			    parser->text, from, to);
	if (plus <= 0 && next <= 0)
		return fail(EUSAGE,
			    "sweep: %s: no factor leads from %s to %s; a sum "
			    "(+1) does",
			    parser->text, from, to);
	/* 0.1 + 0.1 + 0.1 is a little more than 0.3 */
	end += parser->row.type == OPTION_REAL ? fabs(end) * 1e-12 : 0;
	while (!error && number_of(parser, &at) <= end) {
		error = add_field(parser, &at);
		next = plus > 0 ? next + plus : next * times;
		next_field(parser, &at, next);
	}
	return error;
}

static char *
trim(char *text)
{
	size_t n;

	text += strspn(text, " \t");
	for (n = strlen(text); n && isspace((unsigned char)text[n - 1]); n--)
		text[n - 1] = '\0';
	return text;
}

/* One of the list: a value, or "1..9 +2" */
static int
add_item(struct parser *parser, char *item)
{
	char *dots = is_number(parser->axis) ? strstr(item, "..") : NULL;
	char *to, *step = NULL;

	item = trim(item);
	if (!*item)
		return fail(EUSAGE, "sweep: %s: an empty value", parser->text);
	if (!dots)
		return add_value(parser, item);
	*dots = '\0';
	to = dots + 2;
	to += strspn(to, " ");
	step = to + (strncmp(to, "0x", 2) ? 0 : 2); /* no factor but hex */
	step += strcspn(step, " x+");
	if (*step == ' ') {
		*step++ = '\0';
		return add_range(parser, trim(item), to, trim(step));
	}
	if (*step) {
		char *copy = strdup(step);
		int error;

		if (!copy)
			return fail(ENOMEM, "sweep: no memory");
		*step = '\0';
		error = add_range(parser, trim(item), to, trim(copy));
		free(copy);
		return error;
	}
	return add_range(parser, trim(item), to, "");
}

static int
add_list(struct parser *parser, char *list)
{
	char separator = strchr(list, ';') ? ';' : ',';
	int error = 0;

	while (!error && list) {
		char *end = strchr(list, separator);

		if (end)
			*end++ = '\0';
		error = add_item(parser, list);
		/* "a,b;" is one value that has a comma */
		list = end && separator == ';' && !*end ? NULL : end;
	}
	return error;
}

int
sweep_axis_init(struct sweep_axis *axis, const char *text)
{
	struct parser parser = { .axis = axis, .text = text };
	const char *equal = strchr(text, '=');
	char *copy;
	int error;

	if (!equal || equal == text || !equal[1])
		return fail(
			EUSAGE,
			"sweep: -P %s: which values? NAME=FROM..TO xFACTOR, "
			"NAME=FROM..TO +STEP or NAME=VALUE,VALUE",
			text);
	copy = strdup(text);
	if (!copy)
		return fail(ENOMEM, "sweep: no memory");
	copy[equal - text] = '\0';
	error = sweep_axis_name(axis, trim(copy));
	if (!error && axis->row) {
		parser.row = *axis->row;
		parser.row.offset = 0;
	}
	if (!error)
		error = add_list(&parser, copy + (equal - text) + 1);
	free(copy);
	if (error)
		sweep_axis_fini(axis);
	return error;
}

json_t *
sweep_axis_number(const struct sweep_axis *axis, size_t i)
{
	union field field = { 0 };
	struct option_row row;

	if (!is_number(axis))
		return NULL;
	row = *axis->row;
	row.offset = 0;
	if (option_set_row(&row, &field, "plan.json", axis->name,
			   axis->value[i]))
		return NULL;
	if (row.type == OPTION_REAL)
		return json_real(field.real);
	return json_integer((json_int_t)field.whole);
}

const char *
sweep_axis_unit(const struct sweep_axis *axis)
{
	if (!is_number(axis))
		return NULL;
	if (axis->row->type == OPTION_TIME)
		return "ns";
	if (axis->row->unit)
		return axis->row->unit;
	return axis->row->type == OPTION_SIZE ? "bytes" : NULL;
}

/* Is this word a parameter's option?  *value: what is glued to it, or NULL. */
static bool
is_parameter(const char *word, const char **value)
{
	static const char *const names[] = { "--parameter", "--list" };

	*value = NULL;
	if (word[0] == '-' && (word[1] == 'P' || word[1] == 'L')) {
		*value = word[2] ? word + 2 : NULL;
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n = strlen(names[i]);

		if (strncmp(word, names[i], n) || (word[n] && word[n] != '='))
			continue;
		*value = word[n] ? word + n + 1 : NULL;
		return true;
	}
	return false;
}

static bool
is_step(const char *word)
{
	return word && (word[0] == 'x' || word[0] == '+') &&
	       (isdigit((unsigned char)word[1]) || word[1] == '.');
}

/* Take the call's argument that is this word out of the list. */
static void
drop_word(char **words, const char *word)
{
	size_t i = 0;

	while (words[i] && strcmp(words[i], word))
		i++;
	for (; words[i]; i++)
		words[i] = words[i + 1];
}

/* The axis that begins at word i of the command line; *i: its last one. */
static int
take_axis(const struct verb_call *call, int *i, char **words, char **out)
{
	const char *name, *values = NULL, *step = NULL;
	char **argv = call->full_argv;
	int error;

	is_parameter(argv[*i], &name);
	if (!name)
		name = argv[++*i]; /* getopt has seen that it is there */
	if (!strchr(name, '=')) {
		values = argv[*i + 1];
		if (!values || values[0] == '-')
			return fail(EUSAGE,
				    "sweep: -P %s: which values? -P %s "
				    "FROM..TO xFACTOR or -L %s VALUE,VALUE",
				    name, name, name);
		++*i;
		drop_word(words, values);
	}
	if (is_step(argv[*i + 1])) {
		step = argv[++*i];
		drop_word(words, step);
	}
	error = asprintf(out, "%s%s%s%s%s", name, values ? "=" : "",
			 values ? values : "", step ? " " : "",
			 step ? step : "");
	return error < 0 ? fail(ENOMEM, "sweep: no memory") : 0;
}

int
sweep_words(const struct verb_call *call, char ***out, char ***words)
{
	size_t n = (size_t)call->full_argc;
	const char *glued;
	int error = 0;

	*out = calloc(n + 1, sizeof(**out));
	*words = calloc((size_t)call->argc + 1, sizeof(**words));
	if (!*out || !*words)
		error = fail(ENOMEM, "sweep: no memory");
	for (int i = 0; !error && i < call->argc; i++)
		(*words)[i] = call->argv[i];
	n = 0;
	for (int i = 2; !error && i < call->full_argc; i++)
		if (is_parameter(call->full_argv[i], &glued))
			error = take_axis(call, &i, *words, &(*out)[n++]);
	return error;
}
