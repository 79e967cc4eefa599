// SPDX-License-Identifier: GPL-2.0-or-later
/* The machines of a result, and tables that hold them all. */
#include "reports/machines.h"

#include "analyzer/fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
machines_close(struct machines *machines)
{
	for (size_t i = 0; !machines->alone && i < machines->n; i++)
		result_close(machines->one[i]);
	free(machines->one);
	free(machines->name);
	*machines = (struct machines){ 0 };
}

int
machines_open(struct machines *machines, const struct result *result)
{
	size_t n = result_machines(result);
	int error = 0;

	*machines = (struct machines){ .alone = n == 0 };
	machines->one = calloc(n + 1, sizeof(*machines->one));
	machines->name = calloc(n + 1, sizeof(*machines->name));
	if (!machines->one || !machines->name)
		error = -ENOMEM;
	for (size_t i = 0; !error && i < n; i++) {
		error = result_machine(&machines->one[i], result, i);
		machines->name[i] = result_machine_name(result, i);
		machines->n += !error;
	}
	if (!error && !n) {
		machines->one[0] = (struct result *)(uintptr_t)result;
		machines->name[0] = view_machine(result);
		machines->n = 1;
	}
	if (error)
		machines_close(machines);
	return error ? fail(ENOMEM, "machines: no memory") : 0;
}

static json_t *
member(const struct machines *machines, size_t i, const char *name)
{
	return json_object_get(result_json(machines->one[i]), name);
}

/* A document like that of all, with nothing but a table of these columns. */
static int
table_open(struct result **out, const struct machines *machines,
	   const char *name, const char *help, json_t *columns, json_t *rows)
{
	json_t *document = json_copy(result_json(machines->one[0]));
	json_t *table = json_pack("{s:s, s:O, s:O}", "help", help, "columns",
				  columns, "rows", rows);
	int error = -ENOMEM;

	if (document && table) {
		json_object_set_new(document, "values", json_object());
		json_object_set_new(document, "tables",
				    json_pack("{s:O}", name, table));
		error = result_adopt(out, document);
	}
	if (error)
		json_decref(document);
	json_decref(table);
	return error ? fail(ENOMEM, "machines: no memory") : 0;
}

static json_t *
column_of(const char *name)
{
	return json_pack("{s:s}", "name", name);
}

/* Add the columns of a table that are not there yet. */
static void
columns_merge(json_t *columns, const struct view_table *table)
{
	for (size_t j = 0; j < table->n_columns; j++) {
		const char *name = view_column_name(table, j);
		json_t *column;
		size_t i;

		json_array_foreach(columns, i, column)
		{
			if (i &&
			    !strcmp(name,
				    json_string_value(
					    json_object_get(column, "name"))))
				break;
		}
		if (i == json_array_size(columns))
			json_array_append(columns,
					  json_array_get(table->columns, j));
	}
}

/* The rows of one machine's table under these columns. */
static void
rows_merge(json_t *rows, const json_t *columns, const char *machine,
	   const struct view_table *table)
{
	for (size_t i = 0; i < table->n_rows; i++) {
		json_t *row = json_array();

		json_array_append_new(row, result_string(machine));
		for (size_t j = 1; j < json_array_size(columns); j++) {
			const char *name = json_string_value(
				json_object_get(json_array_get(columns, j),
						"name"));
			const json_t *cell =
				view_cell(table, i, view_column(table, name));

			if (cell)
				json_array_append(row,
						  (json_t *)(uintptr_t)cell);
			else
				json_array_append_new(row, json_null());
		}
		json_array_append_new(rows, row);
	}
}

int
machines_table(struct result **out, const struct machines *machines,
	       const char *name)
{
	json_t *columns = json_array(), *rows = json_array();
	struct view_table table;
	const char *help = NULL;
	int error = -ENOENT;

	json_array_append_new(columns, column_of("machine"));
	for (size_t i = 0; i < machines->n; i++)
		if (view_table(machines->one[i], name, &table)) {
			help = help ? help : table.help;
			columns_merge(columns, &table);
		}
	for (size_t i = 0; i < machines->n; i++)
		if (view_table(machines->one[i], name, &table))
			rows_merge(rows, columns, machines->name[i], &table);
	if (help)
		error = table_open(out, machines, name, help, columns, rows);
	json_decref(columns);
	json_decref(rows);
	return error;
}

/* name, unit and what each machine says of it */
static json_t *
value_row(const struct machines *machines, const char *name)
{
	json_t *row = json_array(), *unit = NULL;

	for (size_t i = 0; i < machines->n && !unit; i++)
		unit = json_object_get(json_object_get(member(machines, i,
							      "values"),
						       name),
				       "unit");
	json_array_append_new(row, json_string(name));
	if (unit)
		json_array_append(row, unit);
	else
		json_array_append_new(row, json_null());
	for (size_t i = 0; i < machines->n; i++) {
		json_t *value =
			json_object_get(json_object_get(member(machines, i,
							       "values"),
							name),
					"value");

		if (value)
			json_array_append(row, value);
		else
			json_array_append_new(row, json_null());
	}
	return row;
}

int
machines_values(struct result **out, const struct machines *machines)
{
	json_t *columns = json_array(), *rows = json_array();
	json_t *seen = json_object(), *entry;
	const char *name;
	int error;

	json_array_append_new(columns, column_of("name"));
	json_array_append_new(columns, column_of("unit"));
	for (size_t i = 0; i < machines->n; i++) {
		json_array_append_new(columns, column_of(machines->name[i]));
		json_object_foreach(member(machines, i, "values"), name, entry)
		{
			if (json_object_get(seen, name))
				continue;
			json_object_set_new(seen, name, json_true());
			json_array_append_new(rows, value_row(machines, name));
		}
	}
	error = table_open(out, machines, "values",
			   "all values, one column a machine", columns, rows);
	json_decref(columns);
	json_decref(rows);
	json_decref(seen);
	return error;
}

void
machines_list(const struct result *result, char *text, size_t bytes)
{
	size_t used = 0;

	*text = '\0';
	for (size_t i = 0; i < result_machines(result) && used < bytes; i++)
		used += (size_t)snprintf(text + used, bytes - used, "%s%s",
					 i ? ", " : "",
					 result_machine_name(result, i));
}

int
machines_choose(const char *path, struct result **result, const char *name)
{
	struct result *one;
	char names[512];
	int error;

	for (size_t i = 0; i < result_machines(*result); i++) {
		if (strcmp(name, result_machine_name(*result, i)) != 0)
			continue;
		error = result_machine(&one, *result, i);
		if (error)
			return fail(ENOMEM, "machines: no memory");
		result_close(*result);
		*result = one;
		return 0;
	}
	if (!result_machines(*result))
		return fail(EUSAGE, "%s: is of one machine: no --machine",
			    path);
	machines_list(*result, names, sizeof(names));
	return fail(EUSAGE, "%s: no machine \"%s\"; there are: %s", path, name,
		    names);
}
