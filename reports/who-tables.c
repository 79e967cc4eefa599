// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tables with names of what was counted by number; see who-tables.h.
 *
 *	who.counts: a row for each combination -> each table's group of its names
 */
#include "reports/who-tables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reports/view.h"
#include "reports/who-groups.h"
#include "reports/who-names.h"

#define ROWS_MAX   1000 /* of a table, others are in the rest */
#define STACKS_MAX 20000

const char *const who_columns[WHO_COLUMNS] = {
	[WHO_L1D] = "l1d_misses:lookups",
	[WHO_L1I] = "l1i_misses:lookups",
	[WHO_L2] = "l2_misses:lookups",
	[WHO_WALKS] = "walks:walks",
	[WHO_CYCLES] = "walk_cycles:cycles",
	[WHO_MINOR] = "faults_minor:faults",
	[WHO_MAJOR] = "faults_major:faults",
};

/* What each column adds up to. */
static const char *const total_names[WHO_COLUMNS] = {
	[WHO_L1D] = "tlb.l1d.misses", [WHO_L1I] = "tlb.l1i.misses",
	[WHO_L2] = "tlb.l2.misses",   [WHO_WALKS] = "walk.count",
	[WHO_CYCLES] = NULL,	      [WHO_MINOR] = "fault.minor",
	[WHO_MAJOR] = "fault.major",
};

struct totals {
	uint64_t count[WHO_COLUMNS];
	bool known[WHO_COLUMNS];
};

/* One table. */
struct dimension {
	const char *by; /* asked for by this word of who.by */
	const char *table, *help;
	const char *columns[WHO_NAMES_MAX + 1]; /* of the names */
	const char *more[3];			/* and of numbers */
	void (*names)(const struct who_row_names *row, const char **names,
		      uint64_t *more);
	size_t rows_max;
	bool inclusive; /* each frame of a row's path counts it, too */
};

static void
function_names(const struct who_row_names *row, const char **names,
	       uint64_t *more)
{
	(void)more;
	names[0] = row->function;
	names[1] = row->file;
}

static void
line_names(const struct who_row_names *row, const char **names, uint64_t *more)
{
	(void)more;
	names[0] = row->line;
	names[1] = row->function;
	names[2] = row->file;
}

static void
object_names(const struct who_row_names *row, const char **names,
	     uint64_t *more)
{
	names[0] = row->object;
	names[1] = row->kind;
	names[2] = row->object_file;
	more[0] = row->bytes;
	more[1] = row->times;
}

static void
mapping_names(const struct who_row_names *row, const char **names,
	      uint64_t *more)
{
	(void)more;
	names[0] = row->mapping;
}

static void
thread_names(const struct who_row_names *row, const char **names,
	     uint64_t *more)
{
	(void)more;
	names[0] = row->thread;
	names[1] = row->process;
}

static void
node_names(const struct who_row_names *row, const char **names, uint64_t *more)
{
	(void)more;
	names[0] = row->from;
	names[1] = row->node;
}

static void
stack_names(const struct who_row_names *row, const char **names, uint64_t *more)
{
	(void)more;
	names[0] = row->process;
	names[1] = row->thread;
	names[2] = row->mapping;
	names[3] = who_names_stack(row);
	names[4] = row->line;
	names[5] = row->object;
}

static const struct dimension dimensions[] = {
	{ .by = "function",
	  .table = "who.function",
	  .help = "misses, walks and faults by the function that made them",
	  .columns = { "function:", "file:" },
	  .names = function_names,
	  .rows_max = ROWS_MAX },
	{ .by = "line",
	  .table = "who.line",
	  .help = "misses, walks and faults by source line; null: the file "
		  "has no line information",
	  .columns = { "line:", "function:", "file:" },
	  .names = line_names,
	  .rows_max = ROWS_MAX },
	{ .by = "object",
	  .table = "who.object",
	  .help = "misses, walks and faults by the data object they were made "
		  "on; bytes: its size, or of all that were allocated there; "
		  "times: how often",
	  .columns = { "object:", "kind:", "file:" },
	  .more = { "bytes:bytes", "times:" },
	  .names = object_names,
	  .rows_max = ROWS_MAX },
	{ .by = "mapping",
	  .table = "who.mapping",
	  .help = "misses, walks and faults by what is mapped there",
	  .columns = { "mapping:" },
	  .names = mapping_names,
	  .rows_max = ROWS_MAX },
	{ .by = "thread",
	  .table = "who.thread",
	  .help = "misses, walks and faults by the thread that made them",
	  .columns = { "thread:", "process:" },
	  .names = thread_names,
	  .rows_max = ROWS_MAX },
	{ .by = "node",
	  .table = "who.node",
	  .help = "misses, walks and faults by the node that ran and the node "
		  "that has the page",
	  .columns = { "from:", "node:" },
	  .names = node_names,
	  .rows_max = ROWS_MAX },
	{ .by = "path",
	  .table = "who.path",
	  .help = "misses, walks and faults by function, with those of what it "
		  "called (total_*) and without",
	  .columns = { "function:", "file:" },
	  .names = function_names,
	  .rows_max = ROWS_MAX,
	  .inclusive = true },
	{ .by = "",
	  .table = "who.stacks",
	  .help = "misses, walks and faults by all that was told apart at "
		  "once; stack: who called whom, joined by semicolons",
	  .columns = { "process:", "thread:", "mapping:", "stack:", "line:",
		       "object:" },
	  .names = stack_names,
	  .rows_max = STACKS_MAX },
};

static void
find_totals(const struct result *result, struct totals *totals)
{
	for (size_t i = 0; i < WHO_COLUMNS; i++) {
		double value = 0;

		if (i == WHO_CYCLES) {
			value = view_walk_cycles(result);
			totals->known[i] = true;
		} else {
			totals->known[i] =
				view_value(result, total_names[i], &value);
		}
		totals->count[i] = view_count(value);
	}
}

static int
count_row(struct who_group *group, const struct who_row_names *row)
{
	if (!group)
		return -ENOMEM;
	for (size_t i = 0; i < WHO_COLUMNS; i++)
		group->count[i] += row->count[i];
	return 0;
}

/* Once for each function, however often it is on the path. */
static int
count_inclusive(struct who_group *group, const struct who_row_names *row)
{
	if (!group)
		return -ENOMEM;
	if (group->row == row->number + 1)
		return 0;
	group->row = row->number + 1;
	for (size_t i = 0; i < WHO_COLUMNS; i++)
		group->inclusive[i] += row->count[i];
	return 0;
}

static int
count_callers(struct who_names *names, struct who_groups *groups,
	      const struct who_row_names *row)
{
	const char *own[WHO_NAMES_MAX] = { row->function, row->file };
	int error = count_inclusive(who_groups_get(groups, own), row);

	for (size_t path = row->path; !error && path;
	     path = who_names_parent(names, path)) {
		const struct symbols_named *named =
			who_names_frame(names, path);
		const char *caller[WHO_NAMES_MAX] = { named->function,
						      named->file };

		error = count_inclusive(who_groups_get(groups, caller), row);
	}
	return error;
}

static int
gather(struct who_names *names, const struct dimension *dimension,
       struct who_groups *groups)
{
	struct who_row_names row;
	int error = 0;

	for (size_t i = 0; !error && who_names_row(names, i, &row); i++) {
		const char *text[WHO_NAMES_MAX] = { NULL };
		uint64_t more[2] = { 0, 0 };
		struct who_group *group;

		dimension->names(&row, text, more);
		group = who_groups_get(groups, text);
		error = count_row(group, &row);
		if (!error) {
			group->more[0] = more[0];
			group->more[1] = more[1];
		}
		if (!error && dimension->inclusive)
			error = count_callers(names, groups, &row);
	}
	return error;
}

static int
make_table(const struct dimension *dimension, struct result *result)
{
	const char *columns[2 * WHO_COLUMNS + WHO_NAMES_MAX + 4];
	char inclusive[WHO_COLUMNS][40];
	size_t n = 0;

	for (size_t i = 0; dimension->columns[i]; i++)
		columns[n++] = dimension->columns[i];
	for (size_t i = 0; dimension->more[i]; i++)
		columns[n++] = dimension->more[i];
	for (size_t i = 0; dimension->inclusive && i < WHO_COLUMNS; i++) {
		snprintf(inclusive[i], sizeof(inclusive[i]), "total_%s",
			 who_columns[i]);
		columns[n++] = inclusive[i];
	}
	for (size_t i = 0; i < WHO_COLUMNS; i++)
		columns[n++] = who_columns[i];
	columns[n++] = "share:percent";
	columns[n] = NULL;
	return result_table(result, dimension->table, dimension->help, columns);
}

static json_t *
text_cell(const char *text)
{
	return text ? result_string(text) : json_null();
}

static void
put_counts(json_t *row, const uint64_t *count, const struct totals *totals)
{
	for (size_t i = 0; i < WHO_COLUMNS; i++)
		json_array_append_new(row,
				      totals->known[i]
					      ? json_integer(
							(json_int_t)count[i])
					      : json_null());
}

static int
put_row(const struct dimension *dimension, const struct who_group *group,
	const struct totals *totals, struct result *result)
{
	json_t *tables = json_object_get(result_json(result), "tables");
	json_t *table = json_object_get(tables, dimension->table);
	json_t *row = json_array();
	uint64_t whole = totals->count[WHO_CYCLES];
	const uint64_t *of =
		dimension->inclusive ? group->inclusive : group->count;

	if (!row)
		return -ENOMEM;
	for (size_t i = 0; dimension->columns[i]; i++)
		json_array_append_new(row, text_cell(group->name[i]));
	for (size_t i = 0; dimension->more[i]; i++)
		json_array_append_new(row,
				      json_integer((json_int_t)group->more[i]));
	if (dimension->inclusive)
		put_counts(row, group->inclusive, totals);
	put_counts(row, group->count, totals);
	json_array_append_new(row,
			      whole ? json_real(100 * (double)of[WHO_CYCLES] /
						(double)whole)
				    : json_null());
	return json_array_append_new(json_object_get(table, "rows"), row)
		       ? -ENOMEM
		       : 0;
}

/* What the rows before do not add up to; nothing, if they do. */
static int
put_rest(const struct dimension *dimension, const uint64_t *sum,
	 const struct totals *totals, struct result *result)
{
	char name[] = WHO_REST;
	struct who_group rest = { .name = { name } };
	bool any = false;

	for (size_t i = 0; i < WHO_COLUMNS; i++) {
		if (!totals->known[i] || totals->count[i] <= sum[i])
			continue;
		rest.count[i] = rest.inclusive[i] = totals->count[i] - sum[i];
		any = true;
	}
	return any ? put_row(dimension, &rest, totals, result) : 0;
}

static int
put_table(struct who_names *names, const struct dimension *dimension,
	  const struct totals *totals, struct result *result)
{
	size_t n_names = 0;
	uint64_t sum[WHO_COLUMNS] = { 0 };
	struct who_groups groups;
	int error;

	while (dimension->columns[n_names])
		n_names++;
	error = who_groups_init(&groups, n_names);
	if (!error)
		error = gather(names, dimension, &groups);
	if (!error)
		error = make_table(dimension, result);
	if (!error)
		who_groups_sort(&groups, dimension->inclusive);
	for (size_t i = 0; !error && i < groups.n && i < dimension->rows_max;
	     i++) {
		for (size_t j = 0; j < WHO_COLUMNS; j++)
			sum[j] += groups.group[i].count[j];
		error = put_row(dimension, &groups.group[i], totals, result);
	}
	if (!error)
		error = put_rest(dimension, sum, totals, result);
	who_groups_fini(&groups);
	return error;
}

static bool
is_wanted(const char *by, const char *word)
{
	size_t n = strlen(word);

	if (!n) /* of all words but these, which are for themselves */
		return strcmp(by, "page") && strcmp(by, "time") &&
		       strcmp(by, "page,time");
	for (const char *at = by; at; at = strchr(at, ',')) {
		at += *at == ',';
		if (!strncmp(at, word, n) && (at[n] == ',' || !at[n]))
			return true;
	}
	return false;
}

int
who_tables(struct symbols *symbols, const struct stream *stream,
	   struct result *result)
{
	static const char *const raw[] = { "who.counts", "who.objects",
					   "who.paths" };
	json_t *tables = json_object_get(result_json(result), "tables");
	const char *by = view_string(result, "who.by");
	struct who_names *names;
	struct totals totals;
	int error;

	if (!json_object_get(tables, "who.counts"))
		return 0;
	error = who_names_open(&names, symbols, stream, result);
	if (error)
		return error;
	find_totals(result, &totals);
	for (size_t i = 0; !error && i < ARRAY_SIZE(dimensions); i++)
		if (is_wanted(by, dimensions[i].by))
			error = put_table(names, &dimensions[i], &totals,
					  result);
	if (!error)
		error = who_names_lines(names, result);
	who_names_close(names);
	for (size_t i = 0; i < ARRAY_SIZE(raw); i++)
		json_object_del(tables, raw[i]);
	return error;
}
