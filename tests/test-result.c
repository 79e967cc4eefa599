// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The result document: what goes in comes back exactly, the same calls give
 * the same bytes, and bad documents get one error that names the place.
 */
#include "analyzer/base.h"
#include "analyzer/result.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/pagescope-result-XXXXXX";
static char path[128], errors[128];

static struct result *
sample(void)
{
	static const char *const columns[] = { "address",
					       "name:", "misses:accesses",
					       "share:percent", NULL };
	struct result *result;

	assert_int_equal(result_open(&result), 0);
	result_count(result, "accesses", 9007199254740993u, "accesses");
	result_count(result, "huge", UINT64_MAX, NULL);
	result_real(result, "walk.latency.mean", 0.1, "cycles");
	result_real(result, "third", 1.0 / 3, NULL);
	result_real(result, "whole", 4, "");
	result_real(result, "broken", NAN, NULL);
	result_text(result, "name", "tab\there \"quoted\" \\ \x01");
	result_text(result, "latin1", "caf\xe9 \xf0\x9f\x98\x80");
	result_absent(result, "instructions", "the trace has no fetches");
	result_option(result, "tlb.l1d.entries", "64");
	result_provenance(result, "command", json_pack("[s,s]", "a", "b c"));
	result_table(result, "sites", "hot places", columns);
	result_row(result, "sites", "xsud", UINT64_C(0xffffffffff600000), "f",
		   UINT64_C(7), 12.5);
	result_row(result, "sites", "xsnd", UINT64_C(1), NULL, INFINITY);
	return result;
}

static char *
file_text(const char *name)
{
	static char text[65536];
	FILE *file = fopen(name, "r");
	size_t n;

	assert_non_null(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	return text;
}

static json_t *
value_of(struct result *result, const char *name)
{
	json_t *values = json_object_get(result_json(result), "values");

	return json_object_get(json_object_get(values, name), "value");
}

static void
round_trip_is_exact(void **state)
{
	struct result *result = sample(), *again;
	char *first;

	(void)state;
	assert_int_equal(result_write(result, path), 0);
	assert_int_equal(result_read(&again, path), 0);
	assert_true(json_equal(result_json(result), result_json(again)));
	assert_int_equal(json_integer_value(value_of(again, "accesses")),
			 9007199254740993);
	assert_true(json_real_value(value_of(again, "third")) == 1.0 / 3);
	assert_true(json_is_null(value_of(again, "broken")));
	assert_true(json_is_real(value_of(again, "whole")));
	assert_string_equal(json_string_value(value_of(again, "latin1")),
			    "caf\xef\xbf\xbd \xf0\x9f\x98\x80");
	first = strdup(file_text(path));
	assert_int_equal(result_write(again, path), 0);
	assert_string_equal(first, file_text(path));
	assert_non_null(
		strstr(first, "{\"value\": 0.1, \"unit\": \"cycles\"}"));
	assert_non_null(strstr(first, "\n        [\"0xffffffffff600000\", "
				      "\"f\", 7, 12.5],\n"));
	free(first);
	result_close(again);
	result_close(result);
}

/* jansson itself is the judge that our writer writes JSON. */
static void
jansson_reads_it_the_same(void **state)
{
	struct result *result = sample();
	json_error_t wrong;
	json_t *document;

	(void)state;
	assert_int_equal(result_write(result, path), 0);
	document = json_load_file(path, 0, &wrong);
	assert_non_null(document);
	assert_true(json_equal(document, result_json(result)));
	json_decref(document);
	result_close(result);
}

static void
second_use_keeps_the_place(void **state)
{
	struct result *result;
	char *text;

	(void)state;
	assert_int_equal(result_open(&result), 0);
	result_count(result, "b", 1, NULL);
	result_count(result, "a", 2, NULL);
	result_count(result, "b", 3, NULL);
	assert_int_equal(result_write(result, path), 0);
	text = file_text(path);
	assert_true(strstr(text, "\"b\": {\"value\": 3}") <
		    strstr(text, "\"a\": {\"value\": 2}"));
	result_close(result);
}

static void
reals_are_short_and_exact(void **state)
{
	static const double reals[] = { 0.1,  1e300,   5e-324, 123456.789, 1.0,
					-0.0, 2.0 / 3, 1e22,   0.1 + 0.2 };
	char text[40];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(reals); i++) {
		result_real_print(reals[i], text, sizeof(text));
		assert_true(strtod(text, NULL) == reals[i]);
	}
	result_real_print(0.1, text, sizeof(text));
	assert_string_equal(text, "0.1");
	result_real_print(0.1 + 0.2, text, sizeof(text));
	assert_string_equal(text, "0.30000000000000004");
}

/* Read `document`; it must fail with exactly one line holding `expected`. */
static void
refused(const char *document, const char *expected)
{
	struct result *result = NULL;
	FILE *file = fopen(path, "w");
	int saved = dup(2), status, to;
	char *text;

	assert_non_null(file);
	fputs(document, file);
	fclose(file);
	to = open(errors, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	dup2(to, 2);
	status = result_read(&result, path);
	dup2(saved, 2);
	close(saved);
	close(to);
	assert_int_equal(status, -EINVAL);
	assert_null(result);
	text = file_text(errors);
	if (!strstr(text, expected) || !strstr(text, path) ||
	    strchr(text, '\n') != text + strlen(text) - 1)
		fail_msg("wanted one line with '%s', got: %s", expected, text);
}

#define HEAD   "{\"pagescope\":\"0\",\"schema\":1,\"partial\":null,"
#define MIDDLE "\"provenance\":{},\"options\":{},"

static void
bad_documents_are_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "", ":1:" },
		{ "[1]", "no \"pagescope\"" },
		{ "{}", "no \"pagescope\"" },
		{ "{\n\"a\": 1,\n\"b\" 2}", ":3:" },
		{ "\x28\xb5\x2f\xfd....", "trace" },
		{ "{\"pagescope\":\"0\",\"schema\":2}", "schema" },
		{ HEAD "\"values\":{}}", "provenance" },
		{ HEAD "\"provenance\":{},\"options\":{\"a\":1},"
		       "\"values\":{},\"tables\":{}}",
		  "options.a" },
		{ HEAD MIDDLE "\"values\":{\"a.b\":3},\"tables\":{}}",
		  "values.a.b" },
		{ HEAD MIDDLE "\"values\":{\"a\":{\"value\":[]}},"
			      "\"tables\":{}}",
		  "values.a" },
		{ HEAD MIDDLE "\"values\":{\"a\":{\"value\":null}},"
			      "\"tables\":{}}",
		  "without a reason" },
		{ HEAD MIDDLE "\"values\":{},\"tables\":{\"t\":[]}}",
		  "tables.t.columns" },
		{ HEAD MIDDLE "\"values\":{},\"tables\":{\"t\":{\"columns\":"
			      "[{\"name\":\"x\"}],\"rows\":[[1],[1,2]]}}}",
		  "tables.t.rows[1]" },
		{ HEAD MIDDLE "\"values\":{},\"tables\":{\"t\":{\"columns\":"
			      "[{\"name\":\"x\"}],\"rows\":[[{}]]}}}",
		  "tables.t.rows[0][0]" },
		{ HEAD MIDDLE "\"values\":{\"a\":{\"value\":1},\"a\":"
			      "{\"value\":2}},\"tables\":{}}",
		  "duplicate" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		refused(bad[i][0], bad[i][1]);
}

/* Cut anywhere, a document is never taken for whole. */
static void
truncated_documents_are_refused(void **state)
{
	struct result *result = sample();
	char *whole, cut[4096];
	size_t n;

	(void)state;
	assert_int_equal(result_write(result, path), 0);
	result_close(result);
	whole = strdup(file_text(path));
	n = strlen(whole);
	assert_in_range(n, 100, sizeof(cut) - 1);
	for (size_t i = 0; i + 2 < n; i += 7) {
		memcpy(cut, whole, i);
		cut[i] = '\0';
		refused(cut, "not JSON");
	}
	free(whole);
}

static void
full_disk_is_an_error(void **state)
{
	struct result *result = sample();
	int saved = dup(2), null = open("/dev/null", O_WRONLY), status;

	(void)state;
	dup2(null, 2);
	status = result_write(result, "/dev/full");
	assert_int_equal(result_write(result, "/nowhere/at/all"), -ENOENT);
	dup2(saved, 2);
	close(saved);
	close(null);
	assert_int_equal(status, -ENOSPC);
	result_close(result);
}

static int
setup(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/r.json", directory);
	snprintf(errors, sizeof(errors), "%s/errors", directory);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	unlink(errors);
	return rmdir(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip_is_exact),
		cmocka_unit_test(jansson_reads_it_the_same),
		cmocka_unit_test(second_use_keeps_the_place),
		cmocka_unit_test(reals_are_short_and_exact),
		cmocka_unit_test(bad_documents_are_refused),
		cmocka_unit_test(truncated_documents_are_refused),
		cmocka_unit_test(full_disk_is_an_error),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
