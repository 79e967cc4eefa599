// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading a result document: all of it is checked here, place by place, so
 * that renderers may take for granted what the schema promises.
 */
#include "analyzer/result.h"

#include "analyzer/fail.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The whole of a file or of stdin; said. */
static int
text_read(const char *path, char **out, size_t *out_bytes)
{
	FILE *file = strcmp(path, "-") ? fopen(path, "re") : stdin;
	size_t bytes = 0, room = 0, n;
	char *text = NULL, *wider;
	int error = 0;

	if (!file)
		return fail_errno(errno, "%s", path);
	do {
		if (bytes == room) {
			room = room ? 2 * room : 65536;
			wider = realloc(text, room);
			if (!wider) {
				error = fail_errno(ENOMEM, "%s", path);
				break;
			}
			text = wider;
		}
		errno = 0;
		n = fread(text + bytes, 1, room - bytes, file);
		bytes += n;
	} while (n);
	if (!error && ferror(file))
		error = fail_errno(errno ? errno : EIO, "%s", path);
	if (file != stdin)
		fclose(file);
	if (error) {
		free(text);
		return error;
	}
	*out = text;
	*out_bytes = bytes;
	return 0;
}

static const char *
type_name(const json_t *value)
{
	static const char *const names[] = {
		"an object", "a list",	 "a text",    "a whole number",
		"a real",    "\"true\"", "\"false\"", "null",
	};

	return value ? names[json_typeof(value)] : "nothing";
}

/* A sum of numbers as large is still a number; no count comes near it. */
static bool
is_beyond(const json_t *value)
{
	return fabs(json_real_value(value)) >= RESULT_NUMBER_END;
}

/* Each of values: {"value": number, text or null with a reason, "unit"}. */
static int
values_check(const char *path, json_t *values)
{
	const char *name;
	json_t *entry;

	json_object_foreach(values, name, entry)
	{
		json_t *value = json_object_get(entry, "value");
		json_t *unit = json_object_get(entry, "unit");

		if (!value || json_is_object(value) || json_is_array(value) ||
		    json_is_boolean(value))
			return fail(EINVAL,
				    "%s: values.%s: needs a \"value\" that is "
				    "a number, a text or null, found %s",
				    path, name,
				    type_name(value ? value : entry));
		if (is_beyond(value))
			return fail(EINVAL, "%s: values.%s: %g is out of range",
				    path, name, json_real_value(value));
		if (unit && !json_is_string(unit))
			return fail(EINVAL,
				    "%s: values.%s.unit: a text is needed, "
				    "found %s",
				    path, name, type_name(unit));
		if (json_is_null(value) &&
		    !json_is_string(json_object_get(entry, "reason")))
			return fail(EINVAL,
				    "%s: values.%s: is null without a reason",
				    path, name);
	}
	return 0;
}

static int
columns_check(const char *path, const char *table, json_t *columns)
{
	size_t i;
	json_t *column;

	if (!json_is_array(columns) || !json_array_size(columns))
		return fail(EINVAL,
			    "%s: tables.%s.columns: a list of columns is "
			    "needed, found %s",
			    path, table, type_name(columns));
	json_array_foreach(columns, i, column)
	{
		json_t *unit = json_object_get(column, "unit");

		if (!json_is_string(json_object_get(column, "name")) ||
		    (unit && !json_is_string(unit)))
			return fail(EINVAL,
				    "%s: tables.%s.columns[%zu]: needs a "
				    "\"name\" (and maybe a \"unit\") that is a "
				    "text",
				    path, table, i);
	}
	return 0;
}

static int
table_check(const char *path, const char *name, json_t *table)
{
	json_t *columns = json_object_get(table, "columns");
	json_t *rows = json_object_get(table, "rows"), *row, *cell;
	size_t i, j;
	int error = columns_check(path, name, columns);

	if (error)
		return error;
	if (!json_is_array(rows))
		return fail(EINVAL,
			    "%s: tables.%s.rows: a list is needed, found %s",
			    path, name, type_name(rows));
	json_array_foreach(rows, i, row)
	{
		if (!json_is_array(row) ||
		    json_array_size(row) != json_array_size(columns))
			return fail(EINVAL,
				    "%s: tables.%s.rows[%zu]: a list of %zu "
				    "cells is needed",
				    path, name, i, json_array_size(columns));
		json_array_foreach(row, j, cell)
		{
			if (!json_is_number(cell) && !json_is_string(cell) &&
			    !json_is_null(cell))
				return fail(EINVAL,
					    "%s: tables.%s.rows[%zu][%zu]: a "
					    "number, a text or null is needed, "
					    "found %s",
					    path, name, i, j, type_name(cell));
			if (is_beyond(cell))
				return fail(EINVAL,
					    "%s: tables.%s.rows[%zu][%zu]: %g "
					    "is out of range",
					    path, name, i, j,
					    json_real_value(cell));
		}
	}
	return 0;
}

/* What a document and each of its machines have */
static int
members_check(const char *path, json_t *document)
{
	static const char *const objects[] = { "provenance", "options",
					       "values", "tables" };
	const char *name;
	json_t *member;
	int error;

	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		member = json_object_get(document, objects[i]);
		if (!json_is_object(member))
			return fail(EINVAL,
				    "%s: %s: an object is needed, found %s",
				    path, objects[i], type_name(member));
	}
	json_object_foreach(json_object_get(document, "options"), name, member)
	{
		if (!json_is_string(member))
			return fail(EINVAL,
				    "%s: options.%s: a text is needed, found "
				    "%s",
				    path, name, type_name(member));
	}
	error = values_check(path, json_object_get(document, "values"));
	if (error)
		return error;
	json_object_foreach(json_object_get(document, "tables"), name, member)
	{
		error = table_check(path, name, member);
		if (error)
			return error;
	}
	return 0;
}

static int
machines_check(const char *path, json_t *machines)
{
	char place[512];
	json_t *machine;
	size_t i;
	int error = 0;

	if (machines && !json_array_size(machines))
		return fail(EINVAL,
			    "%s: machines: a list of machines is needed, "
			    "found %s",
			    path, type_name(machines));
	if (json_array_size(machines) > RESULT_MACHINES_MAX)
		return fail(EINVAL, "%s: machines: %zu of them; %d at most",
			    path, json_array_size(machines),
			    RESULT_MACHINES_MAX);
	json_array_foreach(machines, i, machine)
	{
		const char *name =
			json_string_value(json_object_get(machine, "name"));

		snprintf(place, sizeof(place), "%s: machines[%zu]", path, i);
		if (!name)
			return fail(EINVAL,
				    "%s.name: a text is needed, found %s",
				    place,
				    type_name(
					    json_object_get(machine, "name")));
		for (size_t j = 0; j < i; j++)
			if (!strcmp(name, json_string_value(json_object_get(
						  json_array_get(machines, j),
						  "name"))))
				return fail(EINVAL,
					    "%s.name: \"%s\" is that of "
					    "another one too",
					    place, name);
		error = members_check(place, machine);
		if (error)
			return error;
	}
	return 0;
}

/* Is it a document of ours, in every place that a renderer will look at? */
static int
document_check(const char *path, json_t *document)
{
	json_t *schema = json_object_get(document, "schema");
	json_t *partial = json_object_get(document, "partial");
	int error;

	if (!json_is_string(json_object_get(document, "pagescope")))
		return fail(EINVAL,
			    "%s: not a pagescope result: there is no "
			    "\"pagescope\" member",
			    path);
	if (!json_is_integer(schema) ||
	    json_integer_value(schema) != RESULT_SCHEMA)
		return fail(EINVAL,
			    "%s: schema: this pagescope reads schema %d, found "
			    "%s %lld",
			    path, RESULT_SCHEMA, type_name(schema),
			    (long long)json_integer_value(schema));
	if (!json_is_null(partial) && !json_is_string(partial))
		return fail(EINVAL,
			    "%s: partial: null or a text is needed, found %s",
			    path, type_name(partial));
	error = members_check(path, document);
	return error ? error
		     : machines_check(path,
				      json_object_get(document, "machines"));
}

/* A trace given for a result is the likeliest mistake of all. */
static bool
text_is_zstd(const char *text, size_t bytes)
{
	static const unsigned char frame[] = { 0x28, 0xb5, 0x2f, 0xfd };
	static const unsigned char skip[] = { 0x2a, 0x4d, 0x18 };

	return bytes >= 4 && (!memcmp(text, frame, 4) ||
			      ((text[0] & 0xf0) == 0x50 &&
			       !memcmp(text + 1, skip, sizeof(skip))));
}

int
result_read(struct result **out, const char *path)
{
	json_error_t wrong;
	json_t *document;
	size_t bytes = 0;
	char *text = NULL;
	int error = text_read(path, &text, &bytes);

	if (error)
		return error;
	path = strcmp(path, "-") ? path : "(stdin)";
	if (text_is_zstd(text, bytes)) {
		free(text);
		return fail(EINVAL,
			    "%s: a compressed trace, not a result: "
			    "`pagescope replay` makes a result of it",
			    path);
	}
	document = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &wrong);
	free(text);
	if (!document)
		return fail(EINVAL, "%s:%d:%d: not JSON: %s", path,
			    wrong.line > 0 ? wrong.line : 1,
			    wrong.column > 0 ? wrong.column : 1, wrong.text);
	error = document_check(path, document);
	if (!error && result_adopt(out, document))
		error = fail_errno(ENOMEM, "%s", path);
	if (error)
		json_decref(document);
	return error;
}
