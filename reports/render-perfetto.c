// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A trace for Perfetto (ui.perfetto.dev, or chrome://tracing), in the JSON trace
 * event format: counters over time and a slice for each of the first faults.
 *
 *	{"traceEvents": [ {"ph": "M" names}, {"ph": "C" counters},
 *	                  {"ph": "X" faults} ], ...}
 *
 * Time is that of the recording where the result has it (replay --by time), else
 * a microsecond stands for a thousand accesses.  How long a fault took is not
 * known to a replay: each is drawn one microsecond long.
 */
#include "reports/renderer.h"
#include "reports/view.h"

#include <string.h>

struct events {
	FILE *file;
	bool any;
};

/* Open an event's object; what follows begins with a comma. */
static void
begin(struct events *events, const char *phase, uint64_t pid, uint64_t tid)
{
	fprintf(events->file, "%s{\"ph\": \"%s\", \"pid\": %ju, \"tid\": %ju",
		events->any ? ",\n" : "\n", phase, (uintmax_t)pid,
		(uintmax_t)tid);
	events->any = true;
}

static void
put_text(struct events *events, const char *name, const char *text)
{
	json_t *value = result_string(text);

	fprintf(events->file, ", \"%s\": ", name);
	result_print_json(value, events->file);
	json_decref(value);
}

/* Microseconds of nanoseconds, with all digits */
static void
put_time(struct events *events, uint64_t ns)
{
	fprintf(events->file, ", \"ts\": %ju.%03u", (uintmax_t)(ns / 1000),
		(unsigned)(ns % 1000));
}

static void
put_name(struct events *events, const char *what, uint64_t pid, uint64_t tid,
	 const char *name)
{
	json_t *value = result_string(name);

	begin(events, "M", pid, tid);
	put_text(events, "name", what);
	fputs(", \"args\": {\"name\": ", events->file);
	result_print_json(value, events->file);
	fputs("}}", events->file);
	json_decref(value);
}

/* A table's columns of numbers, but for those of time, as counters. */
static void
put_counters(struct events *events, const struct view_table *table,
	     bool by_time)
{
	int time = view_column(table, by_time ? "time" : "accesses");

	for (size_t i = 0; i < table->n_rows; i++)
		for (int j = 0; j < (int)table->n_columns; j++) {
			const char *name = view_column_name(table, (size_t)j);
			const json_t *cell = view_cell(table, i, j);

			if (!strcmp(name, "time") ||
			    !strcmp(name, "accesses") || !json_is_number(cell))
				continue;
			begin(events, "C", 0, 0);
			put_text(events, "name", name);
			put_time(events, view_address(table, i, time));
			put_text(events, "cat", table->name);
			fprintf(events->file, ", \"args\": {\"%s\": ",
				*view_column_unit(table, (size_t)j)
					? view_column_unit(table, (size_t)j)
					: "value");
			result_print_json(cell, events->file);
			fputs("}}", events->file);
		}
}

static void
put_threads(struct events *events, const struct view_table *faults)
{
	int process = view_column(faults, "process");
	int thread = view_column(faults, "thread");

	for (size_t i = 0; i < faults->n_rows; i++) {
		uint64_t tid = view_address(faults, i, thread);
		char name[64];
		size_t before = 0;

		while (before < i &&
		       view_address(faults, before, thread) != tid)
			before++;
		if (before < i)
			continue;
		snprintf(name, sizeof(name), "thread %ju", (uintmax_t)tid);
		put_name(events, "thread_name",
			 view_address(faults, i, process), tid, name);
	}
}

/* One after the other in each thread, also where several are of one time. */
static void
put_faults(struct events *events, const struct view_table *faults)
{
	uint64_t last[1024] = { 0 };

	for (size_t i = 0; i < faults->n_rows; i++) {
		uint64_t tid =
			view_address(faults, i, view_column(faults, "thread"));
		uint64_t ns =
			view_address(faults, i, view_column(faults, "time"));
		uint64_t *end = &last[tid % ARRAY_SIZE(last)];
		char name[32];

		if (ns < *end)
			ns = *end;
		*end = ns + 1000;
		begin(events, "X",
		      view_address(faults, i, view_column(faults, "process")),
		      tid);
		snprintf(name, sizeof(name), "%.16s fault",
			 view_text(faults, i, view_column(faults, "class")));
		put_text(events, "name", name);
		put_text(events, "cat", "fault");
		put_time(events, ns);
		fputs(", \"dur\": 1.000, \"args\": {\"address\": ",
		      events->file);
		result_print_json(view_cell(faults, i,
					    view_column(faults, "address")),
				  events->file);
		put_text(events, "mapping",
			 view_text(faults, i, view_column(faults, "mapping")));
		fputs("}}", events->file);
	}
}

static int
perfetto_render(const struct result *result, const struct render_setup *setup,
		FILE *file)
{
	static const char *const tables[] = { "faults.time", "footprint.time",
					      "table.time" };
	struct events events = { file, false };
	struct view_table table;
	char command[300];

	(void)setup;
	view_command(result, command, sizeof(command));
	fputs("{\"traceEvents\": [", file);
	put_name(&events, "process_name", 0, 0,
		 *command ? command : "pagescope");
	if (view_table(result, "who.time", &table)) {
		put_counters(&events, &table, true);
	} else {
		for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
			if (view_table(result, tables[i], &table))
				put_counters(&events, &table, false);
	}
	if (view_table(result, "who.faults", &table)) {
		put_threads(&events, &table);
		put_faults(&events, &table);
	}
	fputs("\n],\n\"displayTimeUnit\": \"ns\",\n\"otherData\": {\"time\": ",
	      file);
	fputs(view_table(result, "who.time", &table)
		      ? "\"of the recording; each fault is drawn 1 us long\""
		      : "\"1 us is 1,000 accesses\"",
	      file);
	fputs("}}\n", file);
	return 0;
}

const struct renderer_ops perfetto_renderer = {
	.name = "perfetto",
	.help = "counters over time and faults, as ui.perfetto.dev opens them",
	.render = perfetto_render,
};
