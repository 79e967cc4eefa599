// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All results of a plan as one document: its table `sweep' gets a column for
 * each figure that any of them has.
 */
#include "analyzer/cmd-common.h"
#include "analyzer/cmd-sweep.h"
#include "analyzer/fail.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMED_MOST 8 /* of what is missing */

struct merging {
	const struct sweep_plan *plan;
	const struct sweep_options *options;
	struct result *result;
	json_t *columns, *rows; /* of the table, borrowed */
	json_t *number;		/* owned: of each figure, which column it is */
	char **pattern;		/* owned: of --figures, NULL-ended, or NULL */
	char *patterns;		/* owned: their text */
	size_t done, failed, missing, first; /* first: columns before figures */
	size_t named[NAMED_MOST];
	char *partial; /* owned: of a result */
};

static int
take_patterns(struct merging *merging)
{
	char *at, *rest = NULL;
	size_t n = 1;

	if (!merging->options->figures)
		return 0;
	merging->patterns = strdup(merging->options->figures);
	for (at = merging->patterns; at && *at; at++)
		n += *at == ',';
	merging->pattern = calloc(n + 1, sizeof(*merging->pattern));
	if (!merging->patterns || !merging->pattern)
		return fail(ENOMEM, "sweep: no memory");
	n = 0;
	for (at = strtok_r(merging->patterns, ", ", &rest); at;
	     at = strtok_r(NULL, ", ", &rest))
		merging->pattern[n++] = at;
	return 0;
}

static bool
wanted(const struct merging *merging, const char *name)
{
	if (!merging->pattern)
		return true;
	for (size_t i = 0; merging->pattern[i]; i++)
		if (!fnmatch(merging->pattern[i], name, 0))
			return true;
	return false;
}

/* The column of this figure, made when it is first seen */
static size_t
column_of(struct merging *merging, const char *name, const json_t *entry)
{
	json_t *known = json_object_get(merging->number, name), *column;
	json_t *unit = json_object_get(entry, "unit");
	size_t n = json_array_size(merging->columns);

	if (known)
		return (size_t)json_integer_value(known);
	column = json_pack("{s:s}", "name", name);
	if (unit)
		json_object_set(column, "unit", unit);
	json_array_append_new(merging->columns, column);
	json_object_set_new(merging->number, name, json_integer((json_int_t)n));
	return n;
}

/* A figure that no result has a number or text of gets no column. */
static void
add_figures(struct merging *merging, json_t *row, json_t *values)
{
	const char *name;
	json_t *entry;

	json_object_foreach(values, name, entry)
	{
		json_t *value = json_object_get(entry, "value");
		size_t column;

		if (json_is_null(value) || !wanted(merging, name))
			continue;
		column = column_of(merging, name, entry);
		while (json_array_size(row) <= column)
			json_array_append_new(row, json_null());
		json_array_set(row, column, value);
	}
}

/* Is it what this plan would have made? */
static int
check_result(const struct merging *merging, size_t i, struct result *result,
	     const char *path)
{
	const struct sweep_plan *plan = merging->plan;
	char hash[SWEEP_HASH_BYTES];
	int error = sweep_hash(hash, plan,
			       plan->trace[sweep_trace_of(plan, i)].digest,
			       result_json(result));

	if (error || !strcmp(hash, plan->point[i].hash))
		return error;
	warn("%s: is not of this point (its options say %s): left out", path,
	     hash);
	return -EINVAL;
}

/* Whose trace it is; with several they stand in the table. */
static void
keep_trace(struct merging *merging, struct result *result)
{
	json_t *from = json_object_get(result_json(result), "provenance");
	json_t *to =
		json_object_get(result_json(merging->result), "provenance");
	char several[32];

	if (json_object_get(to, "trace"))
		return;
	snprintf(several, sizeof(several), "%zu traces",
		 merging->plan->n_traces);
	if (merging->plan->n_traces > 1)
		json_object_set_new(to, "trace",
				    json_pack("{s:s}", "name", several));
	else
		json_object_set(to, "trace", json_object_get(from, "trace"));
}

static int
keep_partial(struct merging *merging, struct result *result)
{
	const char *why = json_string_value(
		json_object_get(result_json(result), "partial"));

	if (!why || merging->partial)
		return 0;
	merging->partial = strdup(why);
	return merging->partial ? 0 : fail(ENOMEM, "sweep: no memory");
}

static void
miss(struct merging *merging, size_t i)
{
	if (merging->missing < NAMED_MOST)
		merging->named[merging->missing] = i;
	merging->missing++;
}

/* What the point failed with, if it did; its text is to be freed. */
static char *
read_failure(const char *path)
{
	FILE *file = fopen(path, "re");
	char text[SWEEP_REASON_BYTES + 1];

	if (!file)
		return NULL;
	if (!fgets(text, sizeof(text), file))
		text[0] = '\0';
	fclose(file);
	text[strcspn(text, "\n")] = '\0';
	return strdup(text);
}

static void
add_row(struct merging *merging, json_t *row)
{
	json_array_append_new(merging->rows, row);
}

/* A point whose result cannot be read is as if it were not there. */
static int
merge_result(struct merging *merging, size_t i, const char *path)
{
	const struct sweep_plan *plan = merging->plan;
	struct result *result;
	json_t *row;
	int error = result_read(&result, path);

	if (error == -ENOMEM)
		return error;
	if (!error) {
		error = check_result(merging, i, result, path);
		if (error)
			result_close(result);
	}
	if (error == -ENOMEM)
		return error;
	if (error) {
		miss(merging, i);
		add_row(merging,
			sweep_row(plan, i, "missing", "its file is damaged"));
		return 0;
	}
	merging->done++;
	row = sweep_row(plan, i, "done", NULL);
	add_figures(merging, row,
		    json_object_get(result_json(result), "values"));
	add_row(merging, row);
	keep_trace(merging, result);
	error = keep_partial(merging, result);
	result_close(result);
	return error;
}

static int
merge_point(struct merging *merging, size_t i)
{
	const struct sweep_plan *plan = merging->plan;
	const char *hash = plan->point[i].hash;
	char path[PATH_MAX], *why;
	int error;

	if (plan->point[i].reason) {
		add_row(merging,
			sweep_row(plan, i, "invalid", plan->point[i].reason));
		return 0;
	}
	error = sweep_result_path(path, sizeof(path), plan, hash, "json");
	if (error)
		return error;
	if (!access(path, F_OK))
		return merge_result(merging, i, path);
	error = sweep_result_path(path, sizeof(path), plan, hash, "failed");
	why = error ? NULL : read_failure(path);
	if (why) {
		merging->failed++;
		add_row(merging, sweep_row(plan, i, "failed", why));
		free(why);
		return 0;
	}
	miss(merging, i);
	add_row(merging, sweep_row(plan, i, "missing", "it was not run"));
	return error;
}

static int
refuse_missing(const struct merging *merging)
{
	size_t n =
		merging->missing < NAMED_MOST ? merging->missing : NAMED_MOST;
	char text[256];

	for (size_t i = 0; i < n; i++) {
		size_t point = merging->named[i];

		sweep_point_text(merging->plan, point, text, sizeof(text));
		note("sweep: missing: point %zu (%s), %s/results/%s.json",
		     point + 1, text, merging->plan->directory,
		     merging->plan->point[point].hash);
	}
	return fail(ENODATA,
		    "sweep: %zu of %zu results are missing%s; `pagescope sweep "
		    "run %s' makes them, --partial goes without",
		    merging->missing,
		    merging->plan->n_points - merging->plan->n_invalid,
		    n < merging->missing ? " (some are named above)" : "",
		    merging->plan->directory);
}

/* Rows of points with fewer figures than the last one has are filled up. */
static void
fill_rows(struct merging *merging)
{
	size_t n = json_array_size(merging->columns), i;
	json_t *row;

	json_array_foreach(merging->rows, i,
			   row) while (json_array_size(row) < n)
		json_array_append_new(row, json_null());
}

static int
put_counts(struct merging *merging)
{
	struct result *result = merging->result;
	char text[160];
	int error = result_count(result, "sweep.done", merging->done, "points");

	if (!error)
		error = result_count(result, "sweep.failed", merging->failed,
				     "points");
	if (!error)
		error = result_count(result, "sweep.missing", merging->missing,
				     "points");
	if (merging->missing) {
		snprintf(text, sizeof(text), "%zu of %zu results are missing",
			 merging->missing,
			 merging->plan->n_points - merging->plan->n_invalid);
		error = error ? error : result_partial(result, text);
	} else if (merging->partial) {
		error = error ? error
			      : result_partial(result, merging->partial);
	}
	return error ? fail(ENOMEM, "sweep: no memory") : 0;
}

static int
merge(struct merging *merging)
{
	json_t *table;
	int error = sweep_plan_document(&merging->result, merging->plan);

	if (error)
		return error;
	table = json_object_get(json_object_get(result_json(merging->result),
						"tables"),
				"sweep");
	merging->columns = json_object_get(table, "columns");
	merging->rows = json_object_get(table, "rows");
	merging->number = json_object();
	json_array_clear(merging->rows);
	error = take_patterns(merging);
	for (size_t i = 0; !error && i < merging->plan->n_points; i++)
		error = merge_point(merging, i);
	if (!error && merging->missing && !merging->options->partial)
		error = refuse_missing(merging);
	if (error)
		return error;
	fill_rows(merging);
	if (merging->options->figures && !json_object_size(merging->number))
		return fail(EUSAGE, "sweep: --figures %s: no result has such",
			    merging->options->figures);
	return put_counts(merging);
}

int
sweep_merge(struct result **out, const struct sweep_plan *plan,
	    const struct sweep_options *options)
{
	struct merging merging = { .plan = plan, .options = options };
	int error = merge(&merging);
	bool partial = merging.missing || merging.partial;

	json_decref(merging.number);
	free(merging.pattern);
	free(merging.patterns);
	free(merging.partial);
	if (error) {
		result_close(merging.result);
		return error;
	}
	*out = merging.result;
	return partial ? STATUS_PARTIAL : 0;
}
