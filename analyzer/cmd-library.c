// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libpagescope (analyzer/pagescope.h): no verb, but like one it sees all rooms.
 * What the rooms say on errors is kept for pagescope_error.
 */
#include "analyzer/pagescope.h"

#include "analyzer/cmd-common.h"
#include "analyzer/fail.h"
#include "analyzer/replay.h"
#include "analyzer/run.h"
#include "analyzer/source.h"
#include "models/machine-list.h"
#include "reports/code-map.h"
#include "reports/symbols.h"
#include "reports/view.h"
#include "traces/open.h"

#include <stdlib.h>
#include <string.h>

/* The API's own names for the kinds are the program's. */
_Static_assert(PAGESCOPE_LOAD == (int)SITE_LOAD, "kinds");
_Static_assert(PAGESCOPE_STORE == (int)SITE_STORE, "kinds");
_Static_assert(PAGESCOPE_MODIFY == (int)SITE_MODIFY, "kinds");
_Static_assert(PAGESCOPE_FETCH == (int)SITE_FETCH, "kinds");

/* A global, as errno is: what this thread's last call said. */
static _Thread_local char said[1024];

struct pagescope_trace {
	struct source *source;
	struct batch batch;
	struct pagescope_access *access; /* [BATCH_ACCESSES] owned */
};

struct pagescope_result {
	struct result *result;
};

int
pagescope_api(void)
{
	return PAGESCOPE_API;
}

const char *
pagescope_version(void)
{
	return PACKAGE_VERSION;
}

const char *
pagescope_error(void)
{
	return said;
}

/* Each call that may fail is between these two. */
static void
listen(void)
{
	fail_listen(said, sizeof(said));
}

static int
heard(int error)
{
	fail_listen(NULL, 0);
	if (error >= 0)
		said[0] = '\0';
	else if (!said[0])
		strcpy(said, error == -ENOMEM ? "no memory" : "failed");
	return error == -EUSAGE ? -EINVAL : error;
}

int
pagescope_trace_open(struct pagescope_trace **out, const char *name)
{
	struct pagescope_trace *trace = calloc(1, sizeof(*trace));
	int error;

	listen();
	if (!trace)
		return heard(-ENOMEM);
	error = batch_init(&trace->batch);
	trace->access = calloc(BATCH_ACCESSES, sizeof(*trace->access));
	if (!error && !trace->access)
		error = -ENOMEM;
	if (!error)
		error = source_open(&trace->source, name, false);
	if (error)
		pagescope_trace_close(trace);
	else
		*out = trace;
	return heard(error);
}

int
pagescope_trace_next(struct pagescope_trace *trace,
		     struct pagescope_batch *batch)
{
	const struct stream *stream = trace->source->stream;
	const struct thread *thread;
	int got;

	listen();
	got = source_next(trace->source, &trace->batch);
	if (got <= 0)
		return heard(got);
	batch_expand(&trace->batch, stream);
	for (uint32_t i = 0; i < trace->batch.n; i++) {
		const struct site *site =
			stream_site(stream, SITE_INDEX(trace->batch.site[i]));

		trace->access[i] = (struct pagescope_access){
			.address = trace->batch.address[i],
			.pc = site->pc,
			.size = site->size,
			.kind = site->kind,
		};
	}
	thread = stream_thread(stream, trace->batch.thread);
	*batch = (struct pagescope_batch){
		.process = thread->pid,
		.thread = thread->tid,
		.time_ns = trace->batch.time_ns,
		.n = trace->batch.n,
		.access = trace->access,
	};
	return heard(1);
}

void
pagescope_trace_close(struct pagescope_trace *trace)
{
	if (!trace)
		return;
	source_close(trace->source);
	batch_fini(&trace->batch);
	free(trace->access);
	free(trace);
}

/* What one replay needs, to be closed together */
struct library_replay {
	struct machine_list machines;
	struct source *source;
	struct model *model[3]; /* machine, samples, code map */
	struct symbols *symbols;
};

static int
replay_models(struct library_replay *replay)
{
	extern const struct model_ops samples_model;
	const struct stream *stream = replay->source->stream;
	int error =
		machine_model.open(&replay->model[0],
				   &replay->machines.machine[0].config, stream);

	if (!error)
		error = samples_model.open(&replay->model[1], NULL, stream);
	return error ? error : code_map_open(&replay->model[2], stream);
}

/* All on this thread, whose messages are listened to */
static int
replay_run(struct library_replay *replay, struct result *result,
	   const char *name)
{
	struct run run = {
		.source = replay->source,
		.models = replay->model,
		.n_models = ARRAY_SIZE(replay->model),
	};
	struct replay_parts parts = {
		.choice = replay->machines.machine,
		.source = replay->source,
		.input = name,
	};
	int error = run_feed(&run);

	if (!error)
		error = symbols_open(&replay->symbols, replay->model[2],
				     replay->source->stream);
	if (error)
		return error;
	parts.machine = replay->model[0];
	parts.samples = replay->model[1];
	parts.symbols = replay->symbols;
	return replay_fill(result, &parts,
			   json_pack("[ss]", "libpagescope", name));
}

static void
replay_free(struct library_replay *replay)
{
	symbols_close(replay->symbols);
	for (size_t i = ARRAY_SIZE(replay->model); i-- > 0;)
		model_close(replay->model[i]);
	source_close(replay->source);
	machine_list_fini(&replay->machines);
}

static int
result_wrap(struct pagescope_result **out, struct result *result)
{
	*out = calloc(1, sizeof(**out));
	if (!*out) {
		result_close(result);
		return -ENOMEM;
	}
	(*out)->result = result;
	return 0;
}

int
pagescope_replay(struct pagescope_result **out, const char *trace,
		 const char *machine, const char *const *options)
{
	struct library_replay replay = { .symbols = NULL };
	const struct replay_config config = {
		.cpu = (char *)(uintptr_t)machine,
		.set = (char **)(uintptr_t)options,
	};
	struct result *result = NULL;
	int error;

	listen();
	error = replay_machines(&replay.machines, &config);
	if (!error)
		error = source_open(&replay.source, trace, false);
	if (!error)
		error = result_open(&result);
	if (!error)
		error = replay_models(&replay);
	if (!error)
		error = replay_run(&replay, result, trace);
	replay_free(&replay);
	if (error)
		result_close(result);
	else
		error = result_wrap(out, result);
	return heard(error);
}

int
pagescope_result_read(struct pagescope_result **out, const char *path)
{
	struct result *result;
	int error;

	listen();
	error = result_read(&result, path);
	return heard(error ? error : result_wrap(out, result));
}

int
pagescope_result_write(const struct pagescope_result *result, const char *path)
{
	listen();
	return heard(result_write(result->result, path));
}

void
pagescope_result_close(struct pagescope_result *result)
{
	if (!result)
		return;
	result_close(result->result);
	free(result);
}

static json_t *
values_of(const struct pagescope_result *result)
{
	return json_object_get(result_json(result->result), "values");
}

const char *
pagescope_result_name(const struct pagescope_result *result, size_t i)
{
	json_t *values = values_of(result);
	void *at = json_object_iter(values);

	while (at && i--)
		at = json_object_iter_next(values, at);
	return at ? json_object_iter_key(at) : NULL;
}

int
pagescope_result_number(const struct pagescope_result *result, const char *name,
			double *value)
{
	const json_t *entry = json_object_get(values_of(result), name);
	const json_t *got = json_object_get(entry, "value");

	listen();
	if (!entry)
		return heard(fail(ENOENT, "no value \"%s\"", name));
	if (json_is_null(got))
		return heard(fail(ENODATA, "%s",
				  json_string_value(
					  json_object_get(entry, "reason"))));
	if (!json_is_number(got))
		return heard(fail(EINVAL, "%s is a text", name));
	*value = json_number_value(got);
	return heard(0);
}

const char *
pagescope_result_text(const struct pagescope_result *result, const char *name)
{
	const json_t *entry = json_object_get(values_of(result), name);
	const json_t *options =
		json_object_get(result_json(result->result), "options");

	return json_string_value(entry ? json_object_get(entry, "value")
				       : json_object_get(options, name));
}

const char *
pagescope_result_unit(const struct pagescope_result *result, const char *name)
{
	const char *unit = json_string_value(
		json_object_get(json_object_get(values_of(result), name),
				"unit"));

	return unit ? unit : "";
}

long
pagescope_table_rows(const struct pagescope_result *result, const char *table)
{
	struct view_table view;

	listen();
	if (!view_table(result->result, table, &view))
		return heard(fail(ENOENT, "no table \"%s\"", table));
	heard(0);
	return (long)view.n_rows;
}

int
pagescope_table_cell(const struct pagescope_result *result, const char *table,
		     size_t row, const char *column, double *number,
		     const char **text)
{
	struct view_table view;
	const json_t *cell = NULL;
	int at;

	listen();
	if (view_table(result->result, table, &view) && row < view.n_rows) {
		at = view_column(&view, column);
		cell = at >= 0 ? view_cell(&view, row, at) : NULL;
	}
	if (!cell)
		return heard(
			fail(ENOENT, "no cell %s[%zu].%s", table, row, column));
	if (json_is_null(cell))
		return heard(fail(ENODATA, "%s[%zu].%s is not known", table,
				  row, column));
	if (text)
		*text = json_string_value(cell);
	if (number)
		*number = json_number_value(cell);
	return heard(0);
}
