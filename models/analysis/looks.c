// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each look replaces what was known of its space; a row is the sum of what is
 * then known of all.  Looks of one round (at several processes) make a row
 * each.
 */
#include "models/analysis/looks.h"

#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

struct level {
	uint64_t resident, large, swapped, referenced;
};

struct row {
	uint64_t time_ns;
	struct level level;
};

struct looks {
	struct level *space; /* owned: by number */
	uint32_t spaces;
	struct level sum, last;
	uint64_t peak, n;
	struct row row[LOOKS_MAX];
	size_t rows;
	uint64_t stride; /* looks a row */
	uint16_t flags;	 /* known in all looks */
};

int
looks_open(struct looks **out)
{
	struct looks *looks = calloc(1, sizeof(*looks));

	if (!looks)
		return fail(ENOMEM, "looks: no memory");
	looks->stride = 1;
	looks->flags = UINT16_MAX;
	*out = looks;
	return 0;
}

void
looks_close(struct looks *looks)
{
	if (!looks)
		return;
	free(looks->space);
	free(looks);
}

static int
space_set(struct looks *looks, uint32_t space, const struct level *level)
{
	uint32_t n = looks->spaces ? looks->spaces : 16;
	struct level *all, *old;

	while (n <= space)
		n *= 2;
	if (n > looks->spaces) {
		all = reallocarray(looks->space, n, sizeof(*all));
		if (!all)
			return fail(ENOMEM, "looks: no memory");
		memset(all + looks->spaces, 0,
		       (n - looks->spaces) * sizeof(*all));
		looks->space = all;
		looks->spaces = n;
	}
	old = &looks->space[space];
	looks->sum.resident += level->resident - old->resident;
	looks->sum.large += level->large - old->large;
	looks->sum.swapped += level->swapped - old->swapped;
	looks->sum.referenced += level->referenced - old->referenced;
	*old = *level;
	return 0;
}

static void
row_add(struct looks *looks, uint64_t time_ns)
{
	if (looks->n++ % looks->stride)
		return;
	if (looks->rows == LOOKS_MAX) {
		for (size_t i = 0; i < LOOKS_MAX / 2; i++)
			looks->row[i] = looks->row[2 * i];
		looks->rows = LOOKS_MAX / 2;
		looks->stride *= 2;
	}
	looks->row[looks->rows++] = (struct row){ time_ns, looks->sum };
}

int
looks_event(struct looks *looks, uint32_t space, const struct event *event)
{
	const struct level nothing = { 0, 0, 0, 0 };
	const struct level level = { event->length, event->offset, event->value,
				     event->extra };
	int error;

	if ((event->type == EVENT_EXIT && event->flags & 1) ||
	    event->type == EVENT_EXEC)
		return space < looks->spaces ? space_set(looks, space, &nothing)
					     : 0;
	if (event->type != EVENT_LOOK)
		return 0;
	error = space_set(looks, space, &level);
	if (error)
		return error;
	looks->last = looks->sum;
	looks->flags &= event->flags;
	if (looks->peak < looks->sum.resident)
		looks->peak = looks->sum.resident;
	row_add(looks, event->time_ns);
	return 0;
}

static int
put_values(const struct looks *looks, struct result *result)
{
	int error = result_count(result, "residency.bytes",
				 looks->last.resident, "bytes");

	if (!error)
		error = result_count(result, "residency.bytes.peak",
				     looks->peak, "bytes");
	if (!error)
		error = looks->flags & LOOK_LARGE
				? result_count(result, "residency.large.bytes",
					       looks->last.large, "bytes")
				: result_absent(result, "residency.large.bytes",
						"the recording kernel did not "
						"show large pages");
	if (!error)
		error = result_count(result, "residency.swapped.bytes",
				     looks->last.swapped, "bytes");
	if (!error)
		error = looks->flags & LOOK_REFERENCED
				? result_count(result,
					       "residency.referenced.bytes",
					       looks->last.referenced, "bytes")
				: result_absent(result,
						"residency.referenced.bytes",
						"not recorded (record "
						"--referenced)");
	return error;
}

/* What was not known in all looks is null. */
static int
put_row(const struct looks *looks, const struct row *row, struct result *result)
{
	const struct level *level = &row->level;
	double ms = (double)(row->time_ns - looks->row[0].time_ns) / 1e6;

	switch (looks->flags & (LOOK_LARGE | LOOK_REFERENCED)) {
	case LOOK_LARGE | LOOK_REFERENCED:
		return result_row(result, "residency.time", "duuuu", ms,
				  level->resident, level->large, level->swapped,
				  level->referenced);
	case LOOK_LARGE:
		return result_row(result, "residency.time", "duuun", ms,
				  level->resident, level->large,
				  level->swapped);
	case LOOK_REFERENCED:
		return result_row(result, "residency.time", "dunuu", ms,
				  level->resident, level->swapped,
				  level->referenced);
	default:
		return result_row(result, "residency.time", "dunun", ms,
				  level->resident, level->swapped);
	}
}

int
looks_finish(const struct looks *looks, struct result *result)
{
	static const char *const columns[] = {
		"time:ms",	 "resident:bytes",   "large:bytes",
		"swapped:bytes", "referenced:bytes", NULL,
	};
	int error;

	if (!looks->n)
		return 0;
	error = result_count(result, "residency.looks", looks->n, "looks");
	if (!error)
		error = put_values(looks, result);
	if (!error)
		error = result_table(result, "residency.time",
				     "Resident memory as seen while recording "
				     "(referenced: an estimate, up to 40 % "
				     "too low)",
				     columns);
	for (size_t i = 0; i < looks->rows && !error; i++)
		error = put_row(looks, &looks->row[i], result);
	return error;
}
