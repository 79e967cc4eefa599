// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Writing a result document.  The writer is our own, because the same numbers
 * must give the same bytes (shortest reals, no locale; members in the order
 * in which they were put) and because a diff of two documents should read
 * well: one value, one option, one table row a line.
 */
#include "analyzer/result.h"

#include "analyzer/fail.h"

#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
result_real_print(double value, char *text, size_t text_bytes)
{
	int n = 0;

	/* %g drops the zeros that 15 digits may end in */
	for (int digits = 15; digits <= 17; digits++) {
		n = snprintf(text, text_bytes, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	return n;
}

static void
string_write(FILE *file, const char *text)
{
	putc('"', file);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fprintf(file, "\\%c", *text);
		else if (*text == '\n')
			fputs("\\n", file);
		else if (*text == '\t')
			fputs("\\t", file);
		else if ((unsigned char)*text < ' ' || *text == 0x7f)
			fprintf(file, "\\u%04x", (unsigned)*text);
		else
			putc(*text, file);
	}
	putc('"', file);
}

static void
real_write(FILE *file, double value)
{
	char text[40];

	result_real_print(value, text, sizeof(text));
	fputs(text, file);
	/* so that it stays a real when read again */
	if (!strpbrk(text, ".en"))
		fputs(".0", file);
}

static void value_write(FILE *file, const json_t *value, int depth);

static void
line_begin(FILE *file, int depth)
{
	putc('\n', file);
	for (int i = 0; i < depth; i++)
		fputs("  ", file);
}

/* depth < 0: all on one line. */
static void
object_write(FILE *file, const json_t *object, int depth)
{
	/* jansson's iterators take no const, and change nothing */
	json_t *walked = (json_t *)(uintptr_t)object, *value;
	const char *key, *before = "";

	putc('{', file);
	json_object_foreach(walked, key, value)
	{
		fputs(before, file);
		before = depth >= 0 ? "," : ", ";
		if (depth >= 0)
			line_begin(file, depth + 1);
		string_write(file, key);
		fputs(": ", file);
		value_write(file, value, depth >= 0 ? depth + 1 : -1);
	}
	if (depth >= 0 && *before)
		line_begin(file, depth);
	putc('}', file);
}

/* One element a line when depth >= 0. */
static void
array_write(FILE *file, const json_t *array, int depth)
{
	size_t n = json_array_size(array);

	putc('[', file);
	for (size_t i = 0; i < n; i++) {
		fputs(i == 0 ? "" : depth >= 0 ? "," : ", ", file);
		if (depth >= 0)
			line_begin(file, depth + 1);
		value_write(file, json_array_get(array, i), -1);
	}
	if (depth >= 0 && n)
		line_begin(file, depth);
	putc(']', file);
}

static void
value_write(FILE *file, const json_t *value, int depth)
{
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		object_write(file, value, depth);
		break;
	case JSON_ARRAY:
		array_write(file, value, depth);
		break;
	case JSON_STRING:
		string_write(file, json_string_value(value));
		break;
	case JSON_INTEGER:
		fprintf(file, "%" JSON_INTEGER_FORMAT,
			json_integer_value(value));
		break;
	case JSON_REAL:
		real_write(file, json_real_value(value));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		fputs(json_is_true(value) ? "true" : "false", file);
		break;
	default:
		fputs("null", file);
	}
}

static void members_write(FILE *file, const json_t *document, int depth);

/* A value or a column stands on one line, a table opens up to its rows. */
static void
member_write(FILE *file, const char *name, const json_t *member, int depth)
{
	const char *key, *before = "";
	json_t *entry;
	bool tables = !strcmp(name, "tables");

	if (!json_is_object(member)) {
		value_write(file, member, -1);
		return;
	}
	putc('{', file);
	json_object_foreach((json_t *)(uintptr_t)member, key, entry)
	{
		fputs(before, file);
		line_begin(file, depth + 1);
		string_write(file, key);
		fputs(": ", file);
		value_write(file, entry, tables ? depth + 1 : -1);
		before = ",";
	}
	if (*before)
		line_begin(file, depth);
	putc('}', file);
}

/* Each is a document of its own. */
static void
machines_write(FILE *file, const json_t *machines, int depth)
{
	size_t n = json_array_size(machines);

	putc('[', file);
	for (size_t i = 0; i < n; i++) {
		fputs(i ? "," : "", file);
		line_begin(file, depth + 1);
		members_write(file, json_array_get(machines, i), depth + 1);
	}
	line_begin(file, depth);
	putc(']', file);
}

static void
members_write(FILE *file, const json_t *document, int depth)
{
	const char *key, *before = "";
	json_t *member;

	putc('{', file);
	json_object_foreach((json_t *)(uintptr_t)document, key, member)
	{
		fputs(before, file);
		line_begin(file, depth + 1);
		string_write(file, key);
		fputs(": ", file);
		if (!strcmp(key, "machines") && json_is_array(member))
			machines_write(file, member, depth + 1);
		else
			member_write(file, key, member, depth + 1);
		before = ",";
	}
	line_begin(file, depth);
	putc('}', file);
}

void
result_print(const struct result *result, FILE *file)
{
	locale_t plain, before;

	/* a comma for a point would end the document for every reader */
	plain = newlocale(LC_NUMERIC_MASK, "C", (locale_t)0);
	before = uselocale(plain);
	members_write(file, result_json((struct result *)(uintptr_t)result), 0);
	putc('\n', file);
	uselocale(before);
	if (plain)
		freelocale(plain);
}

void
result_print_json(const json_t *value, FILE *file)
{
	value_write(file, value, -1);
}

int
result_write(const struct result *result, const char *path)
{
	bool standard = !strcmp(path, "-");
	FILE *file = standard ? stdout : fopen(path, "we");
	int error;

	if (!file)
		return fail_errno(errno, "%s", path);
	errno = 0;
	result_print(result, file);
	error = fflush(file) || ferror(file) ? errno ? errno : EIO : 0;
	if (!standard && fclose(file) && !error)
		error = errno;
	/* that of standard output is said at the end of the program, once */
	return error && !standard ? fail_errno(error, "%s", path) : -error;
}
