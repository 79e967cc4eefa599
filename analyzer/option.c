// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Options as rows: a field of a plain struct is found by group offset + row
 * offset, and one function a type reads and prints it.  Nothing here knows
 * what the options mean.
 */
#include "analyzer/option.h"

#include "analyzer/fail.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HUGE_BOUND     9e15 /* about 2^53, where doubles stop counting */
#define NAME_MAX_BYTES 128  /* of a dotted name, with its NUL */

/* One value on its way into a field, and how messages call it. */
struct setting {
	const struct option_row *row;
	const char *where, *label, *value;
};

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{ "", 1 },
	{ "K", UINT64_C(1) << 10 },
	{ "M", UINT64_C(1) << 20 },
	{ "G", UINT64_C(1) << 30 },
	{ "T", UINT64_C(1) << 40 },
	{ NULL, 0 },
};

/* Largest first, for printing. */
static const struct unit time_units[] = {
	{ "h", UINT64_C(3600000000000) },
	{ "m", UINT64_C(60000000000) },
	{ "s", UINT64_C(1000000000) },
	{ "ms", UINT64_C(1000000) },
	{ "us", UINT64_C(1000) },
	{ "ns", 1 },
	{ NULL, 0 },
};

static const struct {
	const char *name;
	bool value;
} bool_words[] = {
	{ "true", true }, { "false", false }, { "yes", true }, { "no", false },
	{ "on", true },	  { "off", false },   { "1", true },   { "0", false },
};

static void *
field_of(const struct option_row *row, void *struct_start)
{
	return (char *)struct_start + row->offset;
}

static const void *
const_field_of(const struct option_row *row, const void *struct_start)
{
	return (const char *)struct_start + row->offset;
}

static void
dotted_name(const struct option_group *group, const struct option_row *row,
	    char name[NAME_MAX_BYTES])
{
	snprintf(name, NAME_MAX_BYTES, "%s%s%s", group->prefix,
		 group->prefix[0] ? "." : "", row->name);
}

static bool
is_bounded(const struct option_row *row)
{
	return row->min != 0 || row->max != 0;
}

/* A bound as its option would be typed: times with a unit, no exponents. */
static void
bound_print(const struct option_row *row, double bound, char *text,
	    size_t text_bytes)
{
	struct option_row bare = { .type = row->type };
	uint64_t whole;

	if (row->type == OPTION_INT || row->type == OPTION_REAL ||
	    bound >= 18446744073709551615.0) {
		snprintf(text, text_bytes, "%.15g", bound);
		return;
	}
	whole = (uint64_t)bound;
	option_print(&bare, &whole, text, text_bytes);
}

static int
bad_value(const struct setting *setting, const char *wanted)
{
	return fail(EINVAL, "%s: %s: \"%s\" is not %s", setting->where,
		    setting->label, setting->value, wanted);
}

static int
check_bounds(const struct setting *setting, double number)
{
	const struct option_row *row = setting->row;
	/* bounds of times are printed with theirs */
	const char *unit =
		row->unit && row->type != OPTION_TIME ? row->unit : "";
	char least[64], most[64];

	if (!is_bounded(row) || (number >= row->min && number <= row->max))
		return 0;
	bound_print(row, row->min, least, sizeof(least));
	bound_print(row, row->max, most, sizeof(most));
	return fail(EINVAL, "%s: %s: %s is out of range (%s to %s%s%s)",
		    setting->where, setting->label, setting->value, least, most,
		    unit[0] ? " " : "", unit);
}

/* Digits, decimal or after 0x hexadecimal; no sign, no blanks before. */
static int
parse_digits(const char *text, uint64_t *number, char **end)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

	if (!isdigit((unsigned char)text[0]) ||
	    (hex && !isxdigit((unsigned char)text[2])))
		return -EINVAL;
	errno = 0;
	*number = strtoull(text, end, hex ? 16 : 10);
	return errno ? -ERANGE : 0;
}

static int
set_bool(const struct setting *setting, void *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(bool_words); i++)
		if (!strcmp(setting->value, bool_words[i].name)) {
			*(bool *)field = bool_words[i].value;
			return 0;
		}
	return bad_value(setting, "true or false");
}

static int
set_int(const struct setting *setting, void *field)
{
	bool negative = setting->value[0] == '-';
	uint64_t magnitude;
	int64_t number;
	char *end;
	int error = parse_digits(setting->value + negative, &magnitude, &end);

	if (error == -ERANGE || (!error && magnitude > INT64_MAX))
		return bad_value(setting, "a number below 2^63");
	if (error || *end)
		return bad_value(setting, "a whole number");
	number = negative ? -(int64_t)magnitude : (int64_t)magnitude;
	error = check_bounds(setting, (double)number);
	if (!error)
		*(int64_t *)field = number;
	return error;
}

/* "4", "4K", "4k", "4KB", "4KiB" */
static bool
is_size_unit(const char *text, const struct unit *unit)
{
	size_t length = strlen(unit->name);

	if (strncasecmp(text, unit->name, length))
		return false;
	text += length;
	return !*text || !strcasecmp(text, "B") ||
	       (length && !strcasecmp(text, "iB"));
}

static int
set_size(const struct setting *setting, void *field)
{
	const struct unit *unit = size_units;
	uint64_t number;
	char *end;
	int error = parse_digits(setting->value, &number, &end);

	if (!error)
		while (unit->name && !is_size_unit(end, unit))
			unit++;
	if (error == -EINVAL || !unit->name)
		return bad_value(setting, "a size such as 4096, 32K, 2M, 1G");
	if (error || __builtin_mul_overflow(number, unit->factor, &number))
		return bad_value(setting, "a size below 2^64");
	error = check_bounds(setting, (double)number);
	if (!error)
		*(uint64_t *)field = number;
	return error;
}

/* NaN is refused: it passes every comparison with a bound. */
static int
parse_real(const char *text, double *number, char **end)
{
	*number = strtod(text, end);
	return *end == text || isspace((unsigned char)text[0]) ||
			       !isfinite(*number)
		       ? -EINVAL
		       : 0;
}

static int
set_real(const struct setting *setting, void *field)
{
	double number;
	char *end;
	int error = parse_real(setting->value, &number, &end);

	if (error || *end)
		return bad_value(setting, "a number");
	error = check_bounds(setting, number);
	if (!error)
		*(double *)field = number;
	return error;
}

static uint64_t
time_factor(const char *name)
{
	const struct unit *unit = time_units;

	while (unit->name && strcmp(unit->name, name))
		unit++;
	return unit->factor;
}

static int
set_time(const struct setting *setting, void *field)
{
	const char *own = setting->row->unit;
	uint64_t factor, whole;
	double number;
	char *end;
	int error = parse_real(setting->value, &number, &end);

	factor = error ? 0 : time_factor(*end ? end : own ? own : "s");
	if (!factor || number < 0)
		return bad_value(setting, "a time such as 10s, 250ms, 5m");
	number *= (double)factor;
	if (number >= 0x1p63)
		return bad_value(setting, "a time below 2^63 ns");
	error = check_bounds(setting, number);
	if (error)
		return error;
	/* Whole numbers stay exact above 2^53 ns (104 days). */
	if (parse_digits(setting->value, &whole, &end) == 0 &&
	    time_factor(*end  ? end
			: own ? own
			      : "s") == factor)
		*(uint64_t *)field = whole * factor;
	else
		*(uint64_t *)field = (uint64_t)(number + 0.5);
	return 0;
}

static int
set_string(const struct setting *setting, void *field)
{
	char *copy = NULL;

	if (setting->value[0]) {
		copy = strdup(setting->value);
		if (!copy)
			return fail_errno(ENOMEM, "%s: %s", setting->where,
					  setting->label);
	}
	free(*(char **)field);
	*(char **)field = copy;
	return 0;
}

static int
set_choice(const struct setting *setting, void *field)
{
	const char *const *choices = setting->row->choices;
	char wanted[512];
	size_t used;
	int n;

	for (n = 0; choices[n]; n++)
		if (!strcmp(choices[n], setting->value)) {
			*(int *)field = n;
			return 0;
		}
	used = (size_t)snprintf(wanted, sizeof(wanted), "one of");
	for (n = 0; choices[n] && used < sizeof(wanted); n++)
		used += (size_t)snprintf(wanted + used, sizeof(wanted) - used,
					 "%s %s", n ? "," : "", choices[n]);
	return bad_value(setting, wanted);
}

static int
set_list(const struct setting *setting, void *field)
{
	char **old = *(char ***)field, **list;
	size_t n = 0;

	while (old && old[n])
		n++;
	list = reallocarray(old, n + 2, sizeof(*list));
	if (!list)
		return fail_errno(ENOMEM, "%s: %s", setting->where,
				  setting->label);
	*(char ***)field = list;
	list[n + 1] = NULL;
	list[n] = strdup(setting->value);
	return list[n] ? 0
		       : fail_errno(ENOMEM, "%s: %s", setting->where,
				    setting->label);
}

static void
list_free(char **list)
{
	for (size_t i = 0; list && list[i]; i++)
		free(list[i]);
	free(list);
}

static int
print_bool(const struct option_row *row, const void *field, char *text,
	   size_t text_bytes)
{
	(void)row;
	return snprintf(text, text_bytes, "%s",
			*(const bool *)field ? "true" : "false");
}

static int
print_int(const struct option_row *row, const void *field, char *text,
	  size_t text_bytes)
{
	(void)row;
	return snprintf(text, text_bytes, "%lld",
			(long long)*(const int64_t *)field);
}

static int
print_size(const struct option_row *row, const void *field, char *text,
	   size_t text_bytes)
{
	(void)row;
	return snprintf(text, text_bytes, "%llu",
			(unsigned long long)*(const uint64_t *)field);
}

/* The shortest of the forms that read back as the same number. */
static int
print_real(const struct option_row *row, const void *field, char *text,
	   size_t text_bytes)
{
	double number = *(const double *)field;
	char digits[40];

	(void)row;
	for (int precision = 15; precision <= 17; precision++) {
		snprintf(digits, sizeof(digits), "%.*g", precision, number);
		if (strtod(digits, NULL) == number)
			break;
	}
	return snprintf(text, text_bytes, "%s", digits);
}

static int
print_time(const struct option_row *row, const void *field, char *text,
	   size_t text_bytes)
{
	uint64_t time_ns = *(const uint64_t *)field;
	const struct unit *unit = time_units;

	(void)row;
	if (!time_ns)
		return snprintf(text, text_bytes, "0s");
	while (time_ns % unit->factor)
		unit++;
	return snprintf(text, text_bytes, "%llu%s",
			(unsigned long long)(time_ns / unit->factor),
			unit->name);
}

static int
print_string(const struct option_row *row, const void *field, char *text,
	     size_t text_bytes)
{
	const char *string = *(char *const *)field;

	(void)row;
	return snprintf(text, text_bytes, "%s", string ? string : "");
}

static int
print_choice(const struct option_row *row, const void *field, char *text,
	     size_t text_bytes)
{
	return snprintf(text, text_bytes, "%s",
			row->choices[*(const int *)field]);
}

static int
print_list(const struct option_row *row, const void *field, char *text,
	   size_t text_bytes)
{
	char *const *list = *(char **const *)field;
	size_t length = 0;

	(void)row;
	if (text_bytes)
		text[0] = '\0';
	for (size_t i = 0; list && list[i]; i++) {
		size_t used = length < text_bytes ? length : text_bytes;

		length +=
			(size_t)snprintf(used < text_bytes ? text + used : NULL,
					 text_bytes - used, "%s%s",
					 i ? "," : "", list[i]);
	}
	return (int)length;
}

static const struct {
	int (*set)(const struct setting *setting, void *field);
	int (*print)(const struct option_row *row, const void *field,
		     char *text, size_t text_bytes);
	const char *argument; /* in help */
} types[] = {
	[OPTION_BOOL] = { set_bool, print_bool, "BOOL" },
	[OPTION_INT] = { set_int, print_int, "N" },
	[OPTION_SIZE] = { set_size, print_size, "SIZE" },
	[OPTION_REAL] = { set_real, print_real, "X" },
	[OPTION_STRING] = { set_string, print_string, "TEXT" },
	[OPTION_CHOICE] = { set_choice, print_choice, "NAME" },
	[OPTION_TIME] = { set_time, print_time, "TIME" },
	[OPTION_LIST] = { set_list, print_list, "TEXT" },
};

int
option_set_row(const struct option_row *row, void *struct_start,
	       const char *where, const char *label, const char *value)
{
	struct setting setting = { row, where, label, value };

	return types[row->type].set(&setting, field_of(row, struct_start));
}

int
option_print(const struct option_row *row, const void *struct_start, char *text,
	     size_t text_bytes)
{
	return types[row->type].print(row, const_field_of(row, struct_start),
				      text, text_bytes);
}

int
option_domain(const struct option_row *row, char *text, size_t text_bytes)
{
	char least[64], most[64];
	size_t length = 0;

	if (row->argument)
		return snprintf(text, text_bytes, "%s", row->argument);
	if (row->type == OPTION_CHOICE) {
		for (size_t i = 0; row->choices[i]; i++) {
			size_t used = length < text_bytes ? length : text_bytes;

			length +=
				(size_t)snprintf(used < text_bytes ? text + used
								   : NULL,
						 text_bytes - used, "%s%s",
						 i ? "|" : "", row->choices[i]);
		}
		return (int)length;
	}
	/* "0..9e+15" says no more than N. */
	if (!is_bounded(row) || row->max >= HUGE_BOUND)
		return snprintf(text, text_bytes, "%s",
				types[row->type].argument);
	bound_print(row, row->min, least, sizeof(least));
	bound_print(row, row->max, most, sizeof(most));
	return snprintf(text, text_bytes, "%s..%s", least, most);
}

int
option_init(const struct option_tree *tree, void *config)
{
	const struct option_group *group;
	const struct option_row *row;
	char name[NAME_MAX_BYTES];
	int error;

	memset(config, 0, tree->config_bytes);
	for (group = tree->groups; group->rows; group++)
		for (row = group->rows; row->name; row++) {
			if (!row->fallback)
				continue;
			assert(row->type != OPTION_LIST);
			dotted_name(group, row, name);
			error = option_set_row(row,
					       (char *)config + group->offset,
					       "default", name, row->fallback);
			assert(error != -EINVAL && "a default must be valid");
			if (error) {
				option_fini(tree, config);
				return error;
			}
		}
	return 0;
}

void
option_fini(const struct option_tree *tree, void *config)
{
	const struct option_group *group;
	const struct option_row *row;

	for (group = tree->groups; group->rows; group++)
		for (row = group->rows; row->name; row++) {
			void *field =
				field_of(row, (char *)config + group->offset);

			if (row->type == OPTION_STRING) {
				free(*(char **)field);
				*(char **)field = NULL;
			} else if (row->type == OPTION_LIST) {
				list_free(*(char ***)field);
				*(char ***)field = NULL;
			}
		}
}

/* The row's name if `name` is `prefix` and a dot and something, else NULL */
static const char *
strip_prefix(const char *name, const char *prefix)
{
	size_t length = strlen(prefix);

	if (!length)
		return name;
	if (strncmp(name, prefix, length) || name[length] != '.')
		return NULL;
	return name + length + 1;
}

const struct option_row *
option_find(const struct option_tree *tree, const char *name,
	    size_t *struct_offset)
{
	const struct option_group *group;
	const struct option_row *row;

	for (group = tree->groups; group->rows; group++) {
		const char *last = strip_prefix(name, group->prefix);

		for (row = group->rows; last && row->name; row++)
			if (!strcmp(row->name, last)) {
				if (struct_offset)
					*struct_offset = group->offset;
				return row;
			}
	}
	return NULL;
}

struct nearest {
	const char *name;
	size_t distance;
	char found[NAME_MAX_BYTES]; /* "" while nothing is near */
};

static size_t
least_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Edit distance with transpositions of neighbours (optimal string alignment):
 * "entreis" is one step from "entries".  What goes on after a beginning counts
 * one in all: "tlb.l1d.miss" is nearer to "misses" than to "hits".  Three rows
 * of the usual table.
 */
static size_t
edit_distance(const char *a, const char *b)
{
	size_t rows[3][NAME_MAX_BYTES];
	size_t length_a = strlen(a), length_b = strlen(b), least = SIZE_MAX;

	if (length_a >= NAME_MAX_BYTES || length_b >= NAME_MAX_BYTES)
		return SIZE_MAX;
	for (size_t j = 0; j <= length_b; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= length_a; i++) {
		size_t *now = rows[i % 3], *above = rows[(i + 2) % 3];
		size_t *before = rows[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= length_b; j++) {
			size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);

			now[j] = least_of(least_of(above[j], now[j - 1]) + 1,
					  change);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				now[j] = least_of(now[j], before[j - 2] + 1);
		}
	}
	for (size_t j = 0; j < length_b; j++)
		least = least_of(least, rows[length_a % 3][j] + 1);
	return least_of(least, rows[length_a % 3][length_b]);
}

static void
nearest_offer(struct nearest *nearest, const char *candidate)
{
	size_t distance = edit_distance(nearest->name, candidate);

	if (distance * 3 > strlen(nearest->name) ||
	    (nearest->found[0] && distance >= nearest->distance))
		return;
	nearest->distance = distance;
	snprintf(nearest->found, sizeof(nearest->found), "%s", candidate);
}

const char *
option_nearest(const char *name, const char *const *names, size_t n)
{
	struct nearest nearest = { .name = name };
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t before = nearest.found[0] ? nearest.distance : SIZE_MAX;

		nearest_offer(&nearest, names[i]);
		if (nearest.found[0] && nearest.distance < before)
			found = names[i];
	}
	return found;
}

static int
offer_row(void *context, const char *dotted, const struct option_row *row,
	  const void *struct_start)
{
	(void)row, (void)struct_start;
	nearest_offer(context, dotted);
	return 0;
}

int
option_set(const struct option_tree *tree, void *config, const char *where,
	   const char *name, const char *value)
{
	struct nearest nearest = { .name = name };
	size_t offset;
	const struct option_row *row = option_find(tree, name, &offset);

	if (row)
		return option_set_row(row, (char *)config + offset, where, name,
				      value);
	option_each(tree, config, offer_row, &nearest);
	if (nearest.found[0])
		return fail(EINVAL,
			    "%s: unknown option \"%s\"; did you mean \"%s\"?",
			    where, name, nearest.found);
	return fail(EINVAL, "%s: unknown option \"%s\"", where, name);
}

int
option_assign(const struct option_tree *tree, void *config, const char *where,
	      const char *assignment)
{
	const char *equals = strchr(assignment, '=');
	char name[NAME_MAX_BYTES];
	size_t length;

	if (!equals || equals == assignment)
		return fail(EINVAL, "%s: \"%s\" is not of the form NAME=VALUE",
			    where, assignment);
	length = (size_t)(equals - assignment);
	if (length >= sizeof(name))
		return fail(EINVAL, "%s: unknown option \"%.*s\"", where,
			    (int)length, assignment);
	memcpy(name, assignment, length);
	name[length] = '\0';
	return option_set(tree, config, where, name, equals + 1);
}

int
option_each(const struct option_tree *tree, const void *config,
	    option_visit *visit, void *context)
{
	const struct option_group *group;
	const struct option_row *row;
	char name[NAME_MAX_BYTES];
	int stop;

	for (group = tree->groups; group->rows; group++)
		for (row = group->rows; row->name; row++) {
			dotted_name(group, row, name);
			stop = visit(context, name, row,
				     config ? (const char *)config +
						      group->offset
					    : NULL);
			if (stop)
				return stop;
		}
	return 0;
}
