// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The files of a sweep.  A plan is a result document (so `report' shows it)
 * whose provenance.sweep has all that is needed to run it; each file appears
 * whole under its name or not at all, so a killed sweep leaves nothing half.
 */
#include "analyzer/cmd-common.h"
#include "analyzer/cmd-sweep.h"
#include "analyzer/fail.h"

#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
sweep_path(char *path, size_t bytes, const struct sweep_plan *plan,
	   const char *name)
{
	return (size_t)snprintf(path, bytes, "%s/%s", plan->directory, name) <
			       bytes
		       ? 0
		       : fail(ENAMETOOLONG, "sweep: %s", plan->directory);
}

int
sweep_result_path(char *path, size_t bytes, const struct sweep_plan *plan,
		  const char *hash, const char *ending)
{
	char name[64];

	snprintf(name, sizeof(name), "results/%s.%s", hash, ending);
	return sweep_path(path, bytes, plan, name);
}

/*
 * Under its own name now.  It need not be on the disk: what a crash of the host
 * loses is empty or has no end, and is run again.
 */
static int
file_close(FILE *file, const char *from, const char *path)
{
	int error = 0;

	errno = 0;
	if (fflush(file) || ferror(file))
		error = errno ? errno : EIO;
	if (fclose(file) && !error)
		error = errno;
	if (!error && rename(from, path))
		error = errno;
	if (error)
		unlink(from);
	return error ? fail_errno(error, "%s", path) : 0;
}

static int
save(const struct result *result, const char *text, const char *path)
{
	char host[64] = "", from[PATH_MAX];
	FILE *file;

	/* shards on other hosts may write the same one */
	gethostname(host, sizeof(host) - 1);
	if ((size_t)snprintf(from, sizeof(from), "%s.%s-%ld.part", path, host,
			     (long)getpid()) >= sizeof(from))
		return fail(ENAMETOOLONG, "sweep: %s", path);
	file = fopen(from, "we");
	if (!file)
		return fail_errno(errno, "%s", from);
	if (result)
		result_print(result, file);
	else
		fputs(text, file);
	return file_close(file, from, path);
}

int
sweep_save(const struct result *result, const char *path)
{
	return save(result, NULL, path);
}

int
sweep_save_text(const char *text, const char *path)
{
	return save(NULL, text, path);
}

/* "HASH.json.HOST-PID.part" of a process of this host that is no more */
static bool
is_left_over(const char *name)
{
	char host[64] = "", mark[80];
	const char *at;
	char *end;
	long pid;

	gethostname(host, sizeof(host) - 1);
	snprintf(mark, sizeof(mark), ".%s-", host);
	at = strstr(name, mark);
	if (!at)
		return false;
	pid = strtol(at + strlen(mark), &end, 10);
	return !strcmp(end, ".part") && pid > 0 && kill((pid_t)pid, 0) &&
	       errno == ESRCH;
}

void
sweep_clean(const struct sweep_plan *plan)
{
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *results;

	if (sweep_path(path, sizeof(path), plan, "results"))
		return;
	results = opendir(path);
	while (results && (entry = readdir(results)))
		if (is_left_over(entry->d_name))
			unlinkat(dirfd(results), entry->d_name, 0);
	if (results)
		closedir(results);
}

/* ---- the document ---- */

static json_t *
text_or_null(const char *text)
{
	return text ? result_string(text) : json_null();
}

/* "NAME=VALUE,VALUE", or with ; where values have commas */
static json_t *
axis_word(const struct sweep_axis *axis)
{
	size_t bytes = strlen(axis->name) + 3;
	const char *between = ",";
	json_t *word = NULL;
	char *text, *at;

	for (size_t i = 0; i < axis->n; i++) {
		bytes += strlen(axis->value[i]) + 1;
		if (strchr(axis->value[i], ','))
			between = ";";
	}
	text = malloc(bytes);
	if (!text)
		return NULL;
	at = stpcpy(stpcpy(text, axis->name), "=");
	for (size_t i = 0; i < axis->n; i++)
		at = stpcpy(stpcpy(at, i ? between : ""), axis->value[i]);
	if (axis->n == 1 && *between == ';')
		strcpy(at, between);
	word = result_string(text);
	free(text);
	return word;
}

/* pagescope sweep TRACE... OPTION...: what makes this plan */
static json_t *
plan_command(const struct sweep_plan *plan)
{
	json_t *words = json_array();

	json_array_append_new(words, json_string("pagescope"));
	json_array_append_new(words, json_string("sweep"));
	for (size_t i = 0; i < plan->n_traces; i++)
		json_array_append_new(words,
				      result_string(plan->trace[i].name));
	sweep_common_words(words, &plan->common);
	for (size_t k = 0; k < plan->n_axes; k++) {
		json_array_append_new(words, json_string("-P"));
		json_array_append_new(words, axis_word(&plan->axis[k]));
	}
	return words;
}

static json_t *
plan_axes(const struct sweep_plan *plan)
{
	json_t *axes = json_array();

	for (size_t k = 0; k < plan->n_axes; k++) {
		const struct sweep_axis *axis = &plan->axis[k];
		json_t *values = json_array();

		for (size_t i = 0; i < axis->n; i++)
			json_array_append_new(values,
					      result_string(axis->value[i]));
		json_array_append_new(axes, json_pack("{s:o, s:o}", "name",
						      result_string(axis->name),
						      "values", values));
	}
	return axes;
}

static json_t *
plan_sweep(const struct sweep_plan *plan)
{
	const struct replay_config *common = &plan->common;
	json_t *traces = json_array(), *set = json_array();

	for (size_t i = 0; i < plan->n_traces; i++)
		json_array_append_new(traces,
				      json_pack("{s:o, s:o}", "name",
						result_string(
							plan->trace[i].name),
						"digest",
						result_string(
							plan->trace[i]
								.digest)));
	for (size_t i = 0; common->set && common->set[i]; i++)
		json_array_append_new(set, result_string(common->set[i]));
	return json_pack("{s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:b, s:b, s:o}",
			 "traces", traces, "cpu", text_or_null(common->cpu),
			 "config", text_or_null(common->config), "set", set,
			 "seed", (json_int_t)common->seed, "memory",
			 (json_int_t)common->memory, "max_accesses",
			 (json_int_t)common->max_accesses, "recover",
			 common->recover, "symbols", common->symbols, "axes",
			 plan_axes(plan));
}

static json_t *
plan_columns(const struct sweep_plan *plan)
{
	static const char *const first[] = { "point", "result", "status",
					     "reason", "trace" };
	json_t *columns = json_array();

	for (size_t i = 0; i < ARRAY_SIZE(first); i++)
		json_array_append_new(columns,
				      json_pack("{s:s}", "name", first[i]));
	for (size_t k = 0; k < plan->n_axes; k++) {
		const char *unit = sweep_axis_unit(&plan->axis[k]);
		json_t *column = json_pack("{s:o}", "name",
					   result_string(plan->axis[k].name));

		if (unit)
			json_object_set_new(column, "unit", json_string(unit));
		json_array_append_new(columns, column);
	}
	return columns;
}

json_t *
sweep_row(const struct sweep_plan *plan, size_t point, const char *status,
	  const char *reason)
{
	const char *hash = plan->point[point].hash;
	const char *trace = plan->trace[sweep_trace_of(plan, point)].name;
	json_t *row = json_array();

	json_array_append_new(row, json_integer((json_int_t)point + 1));
	json_array_append_new(row, text_or_null(*hash ? hash : NULL));
	json_array_append_new(row, json_string(status));
	json_array_append_new(row, text_or_null(reason));
	json_array_append_new(row, result_string(trace));
	for (size_t k = 0; k < plan->n_axes; k++) {
		size_t i = sweep_value_of(plan, point, k);
		json_t *number = sweep_axis_number(&plan->axis[k], i);

		if (!number)
			number = result_string(plan->axis[k].value[i]);
		json_array_append_new(row, number);
	}
	return row;
}

int
sweep_plan_document(struct result **out, const struct sweep_plan *plan)
{
	struct result *result;
	json_t *table, *rows = json_array();
	int error = result_open(&result);

	if (error)
		return fail(ENOMEM, "sweep: no memory");
	for (size_t i = 0; i < plan->n_points; i++)
		json_array_append_new(rows, sweep_row(plan, i,
						      plan->point[i].reason
							      ? "invalid"
							      : "planned",
						      plan->point[i].reason));
	table = json_pack("{s:s, s:o, s:o}", "help",
			  "points of the sweep: the values of its parameters "
			  "and what came of them",
			  "columns", plan_columns(plan), "rows", rows);
	error = result_provenance(result, "command", plan_command(plan));
	if (!error)
		error = result_provenance(result, "sweep", plan_sweep(plan));
	if (!error)
		error = result_count(result, "sweep.points", plan->n_points,
				     "points");
	if (!error)
		error = result_count(result, "sweep.invalid", plan->n_invalid,
				     "points");
	if (!error &&
	    json_object_set_new(json_object_get(result_json(result), "tables"),
				"sweep", table))
		error = -ENOMEM;
	if (error) {
		result_close(result);
		return fail(ENOMEM, "sweep: no memory");
	}
	*out = result;
	return 0;
}

int
sweep_plan_write(const struct sweep_plan *plan)
{
	char path[PATH_MAX];
	struct result *result;
	json_t *sweep;
	int error = sweep_plan_document(&result, plan);

	if (error)
		return error;
	sweep = json_object_get(json_object_get(result_json(result),
						"provenance"),
				"sweep");
	json_object_set_new(sweep, "directory", result_string(plan->home));
	error = sweep_path(path, sizeof(path), plan, "plan.json");
	if (!error)
		error = sweep_save(result, path);
	result_close(result);
	return error;
}

/* ---- and back ---- */

static int
no_plan(const struct sweep_plan *plan, const char *what)
{
	return fail(EINVAL,
		    "sweep: %s/plan.json: is no plan (%s); `pagescope sweep "
		    "plan' makes one",
		    plan->directory, what);
}

static int
take_text(char **out, const json_t *value)
{
	*out = json_is_string(value) ? strdup(json_string_value(value)) : NULL;
	return json_is_string(value) && !*out ? fail(ENOMEM, "sweep: no memory")
					      : 0;
}

static int
take_texts(char ***out, size_t *n, const json_t *list)
{
	size_t size = json_array_size(list);
	int error = 0;

	*out = calloc(size + 1, sizeof(**out));
	if (!*out)
		return fail(ENOMEM, "sweep: no memory");
	for (size_t i = 0; !error && i < size; i++) {
		error = take_text(&(*out)[i], json_array_get(list, i));
		if (!error && !(*out)[i])
			error = fail(EINVAL, "sweep: plan.json: a text is "
					     "needed in each list");
		if (!error && n)
			++*n;
	}
	return error;
}

static int
take_number(uint64_t *number, const struct sweep_plan *plan,
	    const json_t *sweep, const char *name)
{
	const json_t *value = json_object_get(sweep, name);
	char what[64];

	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		*number = (uint64_t)json_integer_value(value);
		return 0;
	}
	snprintf(what, sizeof(what), "its %s is no number", name);
	return no_plan(plan, what);
}

static int
read_common(struct sweep_plan *plan, const json_t *sweep)
{
	struct replay_config *common = &plan->common;
	uint64_t seed = 0;
	int error = take_text(&common->cpu, json_object_get(sweep, "cpu"));

	if (!error)
		error = take_text(&common->config,
				  json_object_get(sweep, "config"));
	if (!error)
		error = take_texts(&common->set, NULL,
				   json_object_get(sweep, "set"));
	if (!error)
		error = take_text(&plan->home,
				  json_object_get(sweep, "directory"));
	if (!error)
		error = take_number(&seed, plan, sweep, "seed");
	if (!error)
		error = take_number(&common->memory, plan, sweep, "memory");
	if (!error)
		error = take_number(&common->max_accesses, plan, sweep,
				    "max_accesses");
	common->seed = (int64_t)seed;
	common->recover = json_is_true(json_object_get(sweep, "recover"));
	common->symbols = json_is_true(json_object_get(sweep, "symbols"));
	return error;
}

static int
read_traces(struct sweep_plan *plan, const json_t *traces)
{
	size_t n = json_array_size(traces);

	plan->trace = calloc(n + 1, sizeof(*plan->trace));
	if (!plan->trace)
		return fail(ENOMEM, "sweep: no memory");
	for (; plan->n_traces < n; plan->n_traces++) {
		const json_t *from = json_array_get(traces, plan->n_traces);
		struct sweep_trace *trace = &plan->trace[plan->n_traces];

		if (take_text(&trace->name, json_object_get(from, "name")) ||
		    take_text(&trace->digest, json_object_get(from, "digest")))
			return -ENOMEM;
		if (!trace->name || !trace->digest) {
			plan->n_traces++;
			return no_plan(plan, "a trace has no name or digest");
		}
	}
	return n ? 0 : no_plan(plan, "no traces");
}

static int
read_axes(struct sweep_plan *plan, const json_t *axes)
{
	size_t n = json_array_size(axes);
	int error = 0;

	plan->n_points = plan->n_traces;
	plan->axis = calloc(n + 1, sizeof(*plan->axis));
	if (!plan->axis)
		return fail(ENOMEM, "sweep: no memory");
	while (!error && plan->n_axes < n) {
		const json_t *from = json_array_get(axes, plan->n_axes);
		struct sweep_axis *axis = &plan->axis[plan->n_axes++];
		const char *name =
			json_string_value(json_object_get(from, "name"));

		error = sweep_axis_name(axis, name ? name : "");
		if (!error)
			error = take_texts(&axis->value, &axis->n,
					   json_object_get(from, "values"));
		if (!error &&
		    (!axis->n || __builtin_mul_overflow(plan->n_points, axis->n,
							&plan->n_points)))
			error = no_plan(plan, "an axis has no values");
	}
	return error;
}

static int
read_points(struct sweep_plan *plan, const json_t *rows)
{
	int error = 0;

	if (json_array_size(rows) != plan->n_points)
		return no_plan(plan, "not as many points as its axes have");
	plan->point = calloc(plan->n_points, sizeof(*plan->point));
	if (!plan->point)
		return fail(ENOMEM, "sweep: no memory");
	for (size_t i = 0; !error && i < plan->n_points; i++) {
		const json_t *row = json_array_get(rows, i);
		const char *hash = json_string_value(json_array_get(row, 1));
		struct sweep_point *point = &plan->point[i];

		if (!hash)
			error = take_text(&point->reason,
					  json_array_get(row, 3));
		else if (strlen(hash) == SWEEP_HASH_BYTES - 1 &&
			 strspn(hash, "0123456789abcdef") ==
				 SWEEP_HASH_BYTES - 1)
			strcpy(point->hash, hash);
		if (!error && !point->hash[0] && !point->reason)
			error = no_plan(plan, "a point without a result's name "
					      "or a reason");
		plan->n_invalid += !point->hash[0];
	}
	return error;
}

int
sweep_plan_read(struct sweep_plan *plan, const char *directory)
{
	struct result *result = NULL;
	char path[PATH_MAX];
	json_t *document, *sweep;
	int error;

	*plan = (struct sweep_plan){ .directory = strdup(directory) };
	if (!plan->directory)
		return fail(ENOMEM, "sweep: no memory");
	error = sweep_path(path, sizeof(path), plan, "plan.json");
	if (!error && access(path, F_OK))
		error = fail_errno(errno,
				   "sweep: %s; `pagescope sweep plan TRACE... "
				   "-o %s' makes it",
				   path, directory);
	if (!error)
		error = result_read(&result, path);
	if (error)
		goto undo;
	document = result_json(result);
	sweep = json_object_get(json_object_get(document, "provenance"),
				"sweep");
	error = read_common(plan, sweep);
	if (!error)
		error = read_traces(plan, json_object_get(sweep, "traces"));
	if (!error)
		error = read_axes(plan, json_object_get(sweep, "axes"));
	if (!error)
		error = read_points(
			plan, json_object_get(
				      json_object_get(json_object_get(document,
								      "tables"),
						      "sweep"),
				      "rows"));
	result_close(result);
	if (!error)
		error = sweep_mark_again(plan);
	if (!error)
		return 0;
undo:
	sweep_plan_fini(plan);
	return error;
}
