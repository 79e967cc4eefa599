// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/sweep-table.h"

#include "analyzer/fail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What people look at first */
static const char *const figures[] = {
	"translation.cycles", "walk.cycles",	      "walk.count",
	"tlb.l2.misses",      "fault.minor",	      "fault.major",
	"table.bytes.peak",   "footprint.bytes.peak",
};

static bool
same(const json_t *a, const json_t *b)
{
	return json_equal((json_t *)(uintptr_t)a, (json_t *)(uintptr_t)b);
}

static void
axis_fill(struct sweep_axis_view *axis, const struct view_table *table)
{
	size_t n = strlen(axis->name);

	axis->number = true;
	axis->repetitions = !strcmp(axis->name, "trace") ||
			    (n >= 4 && !strcmp(axis->name + n - 4, "seed"));
	for (size_t i = 0; i < table->n_rows; i++) {
		const json_t *cell = view_cell(table, i, axis->column);
		size_t k = axis->n;

		/* points run through it in order: mostly the last or next */
		while (k && !same(axis->value[k - 1], cell))
			k--;
		if (k || axis->n == SWEEP_VALUES_MOST)
			continue;
		axis->value[axis->n++] = cell;
		axis->number &= json_is_number(cell);
	}
}

int
sweep_table_open(struct sweep_table *sweep, const struct result *result)
{
	json_t *provenance =
		json_object_get(result_json((struct result *)(uintptr_t)result),
				"provenance");
	json_t *axes =
		json_object_get(json_object_get(provenance, "sweep"), "axes");
	size_t n = json_array_size(axes);
	int trace;

	*sweep = (struct sweep_table){ .n_axes = 0 };
	if (!view_table(result, "sweep", &sweep->table))
		return -ENOENT;
	sweep->point = view_column(&sweep->table, "point");
	sweep->status = view_column(&sweep->table, "status");
	sweep->reason = view_column(&sweep->table, "reason");
	trace = view_column(&sweep->table, "trace");
	if (trace < 0 || sweep->status < 0 ||
	    (size_t)trace + n >= sweep->table.n_columns + !n)
		return -ENOENT;
	sweep->first_figure = trace + 1 + (int)n;
	sweep->axis = calloc(SWEEP_AXES_MOST, sizeof(*sweep->axis));
	if (!sweep->axis)
		return fail(ENOMEM, "sweep: no memory");
	for (size_t k = 0; k <= n && sweep->n_axes < SWEEP_AXES_MOST; k++) {
		struct sweep_axis_view *axis = &sweep->axis[sweep->n_axes];

		*axis = (struct sweep_axis_view){ .column = trace + (int)k };
		axis->name =
			view_column_name(&sweep->table, (size_t)axis->column);
		axis_fill(axis, &sweep->table);
		/* one trace is no dimension */
		sweep->n_axes += k || axis->n > 1;
	}
	return 0;
}

void
sweep_table_close(struct sweep_table *sweep)
{
	free(sweep->axis);
	*sweep = (struct sweep_table){ .n_axes = 0 };
}

size_t
sweep_table_value(const struct sweep_table *sweep, size_t row, size_t axis)
{
	const struct sweep_axis_view *view = &sweep->axis[axis];
	const json_t *cell = view_cell(&sweep->table, row, view->column);
	size_t i = 0;

	while (i < view->n && !same(view->value[i], cell))
		i++;
	return i;
}

bool
sweep_table_figure(const struct sweep_table *sweep, size_t row, int column,
		   double *value)
{
	const json_t *cell = view_cell(&sweep->table, row, column);

	if (!json_is_number(cell))
		return false;
	*value = json_number_value(cell);
	return true;
}

void
sweep_table_text(const json_t *value, char *text, size_t bytes)
{
	if (json_is_string(value))
		snprintf(text, bytes, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(text, bytes, "%" JSON_INTEGER_FORMAT,
			 json_integer_value(value));
	else
		snprintf(text, bytes, "%.10g", json_number_value(value));
}

static bool
differs(const struct sweep_table *sweep, int column)
{
	double first = 0, value;
	bool any = false;

	for (size_t i = 0; i < sweep->table.n_rows; i++) {
		if (!sweep_table_figure(sweep, i, column, &value))
			continue;
		if (any && value != first)
			return true;
		first = value;
		any = true;
	}
	return false;
}

int
sweep_table_find(const struct sweep_table *sweep, const char *figure)
{
	int found = -1;

	if (figure) {
		found = view_column(&sweep->table, figure);
		return found >= sweep->first_figure ? found : -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++) {
		found = view_column(&sweep->table, figures[i]);
		if (found >= 0 && differs(sweep, found))
			return found;
	}
	for (int i = sweep->first_figure; i < (int)sweep->table.n_columns; i++)
		if (differs(sweep, i))
			return i;
	return sweep->first_figure < (int)sweep->table.n_columns
		       ? sweep->first_figure
		       : -1;
}

const char *
sweep_table_choice(const struct result *result, const char *name)
{
	json_t *provenance =
		json_object_get(result_json((struct result *)(uintptr_t)result),
				"provenance");

	return json_string_value(
		json_object_get(json_object_get(provenance, "plot"), name));
}

size_t
sweep_table_axis(const struct sweep_table *sweep, const char *name)
{
	size_t k = 0;

	while (k < sweep->n_axes &&
	       (!name || strcmp(sweep->axis[k].name, name)))
		k++;
	return k;
}

/* Numbers before words, many values before few, repetitions last */
size_t
sweep_table_best(const struct sweep_table *sweep, size_t except)
{
	size_t best = sweep->n_axes, merit = 0;

	for (size_t k = 0; k < sweep->n_axes; k++) {
		const struct sweep_axis_view *axis = &sweep->axis[k];
		size_t m = axis->n + (axis->number ? 1000000 : 0) +
			   (axis->repetitions ? 0 : 2000000);

		if (k != except && axis->n > 1 && m > merit) {
			merit = m;
			best = k;
		}
	}
	return best;
}
