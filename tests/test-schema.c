// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test-schema [SCHEMA DOCUMENT...]: are documents what the published schema
 * says?  A small validator of the JSON Schema words that our schema uses (and
 * it refuses a schema with others), so that nothing else need be installed.
 * Without arguments: what tests/make-result makes, and spoilt copies of it.
 */
#include "analyzer/base.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char wrong[512];
static const json_t *whole; /* schema, for references into it */

static bool
complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(wrong, sizeof(wrong), format, args);
	va_end(args);
	return false;
}

static bool
has_type(const json_t *value, const char *type)
{
	static const struct {
		const char *name;
		unsigned types;
	} types[] = {
		{ "object", 1u << JSON_OBJECT },
		{ "array", 1u << JSON_ARRAY },
		{ "string", 1u << JSON_STRING },
		{ "integer", 1u << JSON_INTEGER },
		{ "number", 1u << JSON_INTEGER | 1u << JSON_REAL },
		{ "null", 1u << JSON_NULL },
		{ "boolean", 1u << JSON_TRUE | 1u << JSON_FALSE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (!strcmp(types[i].name, type))
			return types[i].types >> json_typeof(value) & 1;
	return false;
}

static bool validate(const json_t *schema, json_t *value, const char *path);

static bool
validate_type(const json_t *type, const json_t *value, const char *path)
{
	size_t i;
	json_t *name;

	if (json_is_string(type))
		return has_type(value, json_string_value(type)) ||
		       complain("%s: is no %s", path, json_string_value(type));
	json_array_foreach(type, i,
			   name) if (has_type(value,
					      json_string_value(
						      name))) return true;
	return complain("%s: has none of the types", path);
}

static bool
validate_object(const json_t *schema, json_t *value, const char *path)
{
	json_t *properties = json_object_get(schema, "properties");
	json_t *others = json_object_get(schema, "additionalProperties");
	json_t *required = json_object_get(schema, "required");
	json_t *member, *name;
	const char *key;
	char below[512];
	size_t i;

	json_array_foreach(required, i, name) if (
		!json_object_get(
			value,
			json_string_value(
				name))) return complain("%s: has no %s", path,
							json_string_value(
								name));
	json_object_foreach(value, key, member)
	{
		const json_t *rule = json_object_get(properties, key);

		snprintf(below, sizeof(below), "%.200s.%.200s", path, key);
		if (!rule && json_is_false(others))
			return complain("%s: is not in the schema", below);
		if (!rule)
			rule = others;
		if (json_is_object(rule) && !validate(rule, member, below))
			return false;
	}
	return true;
}

static bool
validate_array(const json_t *schema, json_t *value, const char *path)
{
	json_t *items = json_object_get(schema, "items");
	json_t *least = json_object_get(schema, "minItems"), *item;
	char below[512];
	size_t i;

	if ((json_int_t)json_array_size(value) < json_integer_value(least))
		return complain("%s: too short", path);
	json_array_foreach(value, i, item)
	{
		snprintf(below, sizeof(below), "%.400s[%zu]", path, i);
		if (items && !validate(items, item, below))
			return false;
	}
	return true;
}

/* Words without a meaning for validity */
static bool
is_known(const char *word)
{
	static const char *const words[] = {
		"$schema",
		"$comment",
		"title",
		"description",
		"type",
		"required",
		"additionalProperties",
		"properties",
		"const",
		"minItems",
		"minLength",
		"items",
		"if",
		"then",
		"$defs",
		"$ref",
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!strcmp(words[i], word))
			return true;
	return false;
}

static bool
validate(const json_t *schema, json_t *value, const char *path)
{
	json_t *type = json_object_get(schema, "type");
	json_t *constant = json_object_get(schema, "const");
	json_t *length = json_object_get(schema, "minLength");
	json_t *condition = json_object_get(schema, "if"), *rule;
	const char *reference =
		json_string_value(json_object_get(schema, "$ref"));
	const char *word;

	if (reference) {
		rule = !strncmp(reference, "#/$defs/", 8)
			       ? json_object_get(json_object_get(whole,
								 "$defs"),
						 reference + 8)
			       : NULL;
		return rule ? validate(rule, value, path)
			    : complain("schema: no %s", reference);
	}

	json_object_foreach((json_t *)(uintptr_t)schema, word, rule) if (
		!is_known(word)) return complain("schema: unknown word %s",
						 word);
	if (type && !validate_type(type, value, path))
		return false;
	if (constant && !json_equal(constant, value))
		return complain("%s: is not what it must be", path);
	if (json_is_string(value) &&
	    (json_int_t)json_string_length(value) < json_integer_value(length))
		return complain("%s: is empty", path);
	if (json_is_object(value) && !validate_object(schema, value, path))
		return false;
	if (json_is_array(value) && !validate_array(schema, value, path))
		return false;
	if (condition && validate(condition, value, path))
		return validate(json_object_get(schema, "then"), value, path);
	return true;
}

static json_t *
load(const char *path)
{
	json_error_t error;
	json_t *document = json_load_file(path, 0, &error);

	if (!document)
		fprintf(stderr, "%s: %s\n", path, error.text);
	return document;
}

/* Each of these, put into a good document, must be refused. */
static bool
refuses_spoilt(const json_t *schema, const json_t *good)
{
	static const struct {
		const char *object, *key, *value;
	} spoilt[] = {
		{ NULL, "more", "1" },
		{ NULL, "schema", "2" },
		{ NULL, "partial", "false" },
		{ NULL, "machines", "[]" },
		{ NULL, "machines", "{}" },
		{ NULL, "machines", "[{\"name\": \"a\", \"options\": {}}]" },
		{ "options", "x", "1" },
		{ "values", "x", "3" },
		{ "values", "x", "{\"value\": null}" },
		{ "values", "x", "{\"value\": true}" },
		{ "values", "x", "{\"value\": 1, \"units\": \"x\"}" },
		{ "tables", "x", "{\"help\": \"\", \"rows\": []}" },
		{ "tables", "x",
		  "{\"help\": \"\", \"columns\": [], \"rows\": []}" },
		{ "tables", "x",
		  "{\"help\": \"\", \"columns\": [{\"name\": \"a\"}], "
		  "\"rows\": [[{}]]}" },
	};
	bool right = true;

	for (size_t i = 0; i < ARRAY_SIZE(spoilt); i++) {
		json_t *bad = json_deep_copy(good);
		json_t *object =
			spoilt[i].object
				? json_object_get(bad, spoilt[i].object)
				: bad;

		json_object_set_new(object, spoilt[i].key,
				    json_loads(spoilt[i].value, JSON_DECODE_ANY,
					       NULL));
		if (validate(schema, bad, "")) {
			printf("spoilt document %zu was taken\n", i);
			right = false;
		}
		json_decref(bad);
	}
	return right;
}

static bool
check(const json_t *schema, const char *path)
{
	json_t *document = load(path);
	bool right = document && validate(schema, document, "");

	if (document && !right)
		printf("%s: %s\n", path, wrong);
	right = right && refuses_spoilt(schema, document);
	json_decref(document);
	return right;
}

static bool
check_made(const json_t *schema)
{
	static const char *const kinds[] = { "full",  "quiet", "empty",
					     "blind", "bare",  "machines" };
	const char *program = getenv("PAGESCOPE");
	char path[] = "/tmp/pagescope-schema-XXXXXX", command[4096];
	int fd = mkstemp(path);
	bool right = fd >= 0 && program;

	for (size_t i = 0; right && i < ARRAY_SIZE(kinds); i++) {
		snprintf(command, sizeof(command),
			 "%.*s/tests/make-result %s %s",
			 (int)(strrchr(program, '/') - program), program,
			 kinds[i], path);
		right = !system(command) && check(schema, path);
	}
	remove(path);
	return right;
}

int
main(int argc, char **argv)
{
	const char *srcdir = getenv("srcdir");
	char path[4096];
	json_t *schema;
	bool right;

	snprintf(path, sizeof(path), "%s/reports/result.schema.json",
		 srcdir ? srcdir : ".");
	schema = load(argc > 1 ? argv[1] : path);
	whole = schema;
	right = schema != NULL;
	for (int i = 2; right && i < argc; i++)
		right = check(schema, argv[i]);
	if (right && argc <= 1)
		right = check_made(schema);
	json_decref(schema);
	return right ? 0 : 1;
}
