// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The result document, kept as one jansson tree from the first count on: what
 * a renderer reads is what a file holds (result-read.c, result-write.c).
 */
#include "analyzer/result.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct result {
	json_t *document; /* owned */
	/* members of document, borrowed */
	json_t *provenance, *options, *values, *tables;
};

int
result_adopt(struct result **out, json_t *document)
{
	struct result *result = calloc(1, sizeof(*result));

	if (!result)
		return -ENOMEM;
	result->document = document;
	result->provenance = json_object_get(document, "provenance");
	result->options = json_object_get(document, "options");
	result->values = json_object_get(document, "values");
	result->tables = json_object_get(document, "tables");
	*out = result;
	return 0;
}

int
result_open(struct result **out)
{
	json_t *document = json_pack("{s:s, s:i, s:n, s:{}, s:{}, s:{}, s:{}}",
				     "pagescope", PACKAGE_VERSION, "schema",
				     RESULT_SCHEMA, "partial", "provenance",
				     "options", "values", "tables");

	if (!document)
		return -ENOMEM;
	if (result_adopt(out, document)) {
		json_decref(document);
		return -ENOMEM;
	}
	return 0;
}

void
result_close(struct result *result)
{
	if (!result)
		return;
	json_decref(result->document);
	free(result);
}

json_t *
result_json(struct result *result)
{
	return result->document;
}

/* Length of the well-formed UTF-8 sequence at `at`, or 0. */
static size_t
utf8_length(const unsigned char *at)
{
	size_t n = *at < 0x80			? 1
		   : *at >= 0xc2 && *at <= 0xdf ? 2
		   : (*at & 0xf0) == 0xe0	? 3
		   : *at >= 0xf0 && *at <= 0xf4 ? 4
						: 0;

	for (size_t i = 1; i < n; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	/* overlong forms, surrogates, beyond U+10FFFF */
	if ((*at == 0xe0 && at[1] < 0xa0) || (*at == 0xed && at[1] > 0x9f) ||
	    (*at == 0xf0 && at[1] < 0x90) || (*at == 0xf4 && at[1] > 0x8f))
		return 0;
	return n;
}

/*
 * JSON text is UTF-8, but file names and command lines are any bytes: what is
 * not UTF-8 becomes U+FFFD.  NULL: no memory.
 */
json_t *
result_string(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	json_t *string = json_string(text);
	char *clean, *end;

	if (string)
		return string;
	clean = malloc(3 * strlen(text) + 1);
	if (!clean)
		return NULL;
	for (end = clean; *at;) {
		size_t n = utf8_length(at);

		memcpy(end, n ? (const char *)at : "\xef\xbf\xbd", n ? n : 3);
		end += n ? n : 3;
		at += n ? n : 1;
	}
	*end = '\0';
	string = json_string(clean);
	free(clean);
	return string;
}

/* Above 2^63 JSON has no exact place: the nearest real then. */
static json_t *
json_count(uint64_t value)
{
	if (value > INT64_MAX)
		return json_real((double)value);
	return json_integer((json_int_t)value);
}

/* Set values.NAME to {"value": value, KEY: text}; takes value. */
static int
value_set(struct result *result, const char *name, json_t *value,
	  const char *key, const char *text)
{
	json_t *entry = json_object();

	if (!entry || !value) {
		json_decref(value);
		json_decref(entry);
		return -ENOMEM;
	}
	if (json_object_set_new(entry, "value", value) ||
	    (text && json_object_set_new(entry, key, result_string(text)))) {
		json_decref(entry);
		return -ENOMEM;
	}
	return json_object_set_new(result->values, name, entry) ? -ENOMEM : 0;
}

int
result_count(struct result *result, const char *name, uint64_t value,
	     const char *unit)
{
	return value_set(result, name, json_count(value), "unit",
			 unit && *unit ? unit : NULL);
}

int
result_real(struct result *result, const char *name, double value,
	    const char *unit)
{
	if (!isfinite(value))
		return result_absent(result, name, "not a finite number");
	return value_set(result, name, json_real(value), "unit",
			 unit && *unit ? unit : NULL);
}

int
result_text(struct result *result, const char *name, const char *value)
{
	return value_set(result, name, result_string(value), NULL, NULL);
}

int
result_absent(struct result *result, const char *name, const char *reason)
{
	return value_set(result, name, json_null(), "reason", reason);
}

int
result_partial(struct result *result, const char *reason)
{
	return json_object_set_new(result->document, "partial",
				   result_string(reason))
		       ? -ENOMEM
		       : 0;
}

int
result_option(struct result *result, const char *name, const char *value)
{
	return json_object_set_new(result->options, name,
				   result_string(value ? value : ""))
		       ? -ENOMEM
		       : 0;
}

int
result_provenance(struct result *result, const char *name, json_t *value)
{
	return json_object_set_new(result->provenance, name, value) ? -ENOMEM
								    : 0;
}

/* {"name": ..., "unit": ...} from "name:unit". */
static json_t *
column_new(const char *text)
{
	const char *colon = strchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : strlen(text);

	if (!colon || !colon[1])
		return json_pack("{s:s%}", "name", text, n);
	return json_pack("{s:s%, s:s}", "name", text, n, "unit", colon + 1);
}

int
result_table(struct result *result, const char *name, const char *help,
	     const char *const *columns)
{
	json_t *list = json_array(), *table;

	for (; list && *columns; columns++)
		if (json_array_append_new(list, column_new(*columns))) {
			json_decref(list);
			return -ENOMEM;
		}
	/* With O, not o: whether o is stolen from us on failure depends on
	 * where it fails. */
	table = json_pack("{s:s, s:O, s:[]}", "help", help ? help : "",
			  "columns", list, "rows");
	json_decref(list);
	if (!table)
		return -ENOMEM;
	return json_object_set_new(result->tables, name, table) ? -ENOMEM : 0;
}

/* One cell; NULL: no memory. */
static json_t *
cell_new(char letter, va_list *args)
{
	const char *text;
	char address[24];
	double real;

	switch (letter) {
	case 's':
		text = va_arg(*args, const char *);
		return text ? result_string(text) : json_null();
	case 'u':
		return json_count(va_arg(*args, uint64_t));
	case 'x':
		snprintf(address, sizeof(address), "0x%llx",
			 (unsigned long long)va_arg(*args, uint64_t));
		return json_string(address);
	case 'd':
		real = va_arg(*args, double);
		return isfinite(real) ? json_real(real) : json_null();
	default:
		assert(letter == 'n');
		return json_null();
	}
}

int
result_row(struct result *result, const char *table, const char *letters, ...)
{
	json_t *entry = json_object_get(result->tables, table);
	json_t *row = json_array();
	va_list args;
	int error = row ? 0 : -ENOMEM;

	assert(entry);
	assert(strlen(letters) ==
	       json_array_size(json_object_get(entry, "columns")));
	va_start(args, letters);
	for (; !error && *letters; letters++)
		if (json_array_append_new(row, cell_new(*letters, &args)))
			error = -ENOMEM;
	va_end(args);
	if (error) {
		json_decref(row);
		return error;
	}
	return json_array_append_new(json_object_get(entry, "rows"), row)
		       ? -ENOMEM
		       : 0;
}

int
result_machine_add(struct result *result, const char *name,
		   const struct result *one)
{
	json_t *machines = json_object_get(result->document, "machines");
	json_t *entry;

	if (!machines) {
		machines = json_array();
		if (json_object_set_new(result->document, "machines", machines))
			return -ENOMEM;
	}
	entry = json_pack("{s:o, s:O, s:O, s:O, s:O}", "name",
			  result_string(name), "provenance", one->provenance,
			  "options", one->options, "values", one->values,
			  "tables", one->tables);
	return entry && !json_array_append_new(machines, entry) ? 0 : -ENOMEM;
}

static json_t *
machine_entry(const struct result *result, size_t i)
{
	return json_array_get(json_object_get(result->document, "machines"), i);
}

size_t
result_machines(const struct result *result)
{
	return json_array_size(json_object_get(result->document, "machines"));
}

const char *
result_machine_name(const struct result *result, size_t i)
{
	return json_string_value(
		json_object_get(machine_entry(result, i), "name"));
}

/* The member of the machine, and of the whole what it does not have itself. */
static json_t *
member_merge(const struct result *result, size_t i, const char *name)
{
	json_t *merged =
		json_copy(json_object_get(machine_entry(result, i), name));

	if (json_object_update_missing(merged, json_object_get(result->document,
							       name))) {
		json_decref(merged);
		return NULL;
	}
	return merged;
}

/* provenance.machine with the machine's name in front */
static int
machine_set_name(json_t *provenance, const char *name)
{
	json_t *before = json_object_get(provenance, "machine");
	json_t *machine = json_pack("{s:s}", "name", name);

	if (json_is_object(before))
		json_object_update(machine, before);
	return json_object_set_new(provenance, "machine", machine);
}

int
result_machine(struct result **out, const struct result *result, size_t i)
{
	static const char *const members[] = { "provenance", "options",
					       "values", "tables" };
	json_t *document = json_copy(result->document);
	int error = 0;

	json_object_del(document, "machines");
	for (size_t m = 0; !error && m < ARRAY_SIZE(members); m++)
		error = json_object_set_new(document, members[m],
					    member_merge(result, i,
							 members[m]));
	if (!error)
		error = machine_set_name(json_object_get(document,
							 "provenance"),
					 result_machine_name(result, i));
	if (!error)
		error = result_adopt(out, document);
	if (error)
		json_decref(document);
	return error ? -ENOMEM : 0;
}
