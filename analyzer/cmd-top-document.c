// SPDX-License-Identifier: GPL-2.0-or-later
/* What was counted and seen between two looks, as a document. */
#include "analyzer/cmd-common.h"
#include "analyzer/cmd-top.h"
#include "analyzer/fail.h"
#include "tracers/census-tlb.h"
#include "tracers/count-result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const top_sorts[] = {
	[TOP_FAULTS] = "faults",   [TOP_MINOR] = "minor",
	[TOP_MAJOR] = "major",	   [TOP_CPU] = "cpu",
	[TOP_RSS] = "rss",	   [TOP_HUGE] = "huge",
	[TOP_TABLES] = "tables",   [TOP_SWAP] = "swap",
	[TOP_TLB] = "tlb",	   [TOP_WORKING_SET] = "working-set",
	[TOP_WALK] = "walk",	   [TOP_PID] = "pid",
	[TOP_COMMAND] = "command", [TOP_SORTS] = NULL,
};

/* The columns after pid, tid and command, in the order of the document */
static const struct column {
	const char *name;
	enum census_figure figure;
	bool detail;	   /* only of rows that are shown */
	bool of_processes; /* not of threads */
} columns[] = {
	{ "minor:faults", CENSUS_MINOR, false, false },
	{ "major:faults", CENSUS_MAJOR, false, false },
	{ "cpu:ns", CENSUS_CPU, false, false },
	{ "rss:bytes", CENSUS_RSS, false, false },
	{ "huge:bytes", CENSUS_HUGE, true, false },
	{ "tables:bytes", CENSUS_TABLES, false, false },
	{ "swap:bytes", CENSUS_SWAP, false, false },
	{ "working_set:bytes", CENSUS_REFERENCED, true, false },
	{ "l1_misses:misses", CENSUS_L1_MISSES, true, true },
	{ "l2_misses:misses", CENSUS_L2_MISSES, true, true },
	{ "walk_cycles:cycles", CENSUS_WALK_CYCLES, true, true },
	{ "dtlb_misses:misses", CENSUS_DTLB_MISSES, true, true },
	{ "itlb_misses:misses", CENSUS_ITLB_MISSES, true, true },
};

static double
figure(const struct census_row *row, enum census_figure figure)
{
	return census_knows(row, figure) ? (double)row->value[figure] : -1;
}

static double
first_known(const struct census_row *row, enum census_figure one,
	    enum census_figure other)
{
	return census_knows(row, one) ? figure(row, one) : figure(row, other);
}

/* What is sorted by, the largest first; -1: not known */
static double
weight(const struct census_row *row, enum top_sort sort)
{
	static const enum census_figure figures[] = {
		[TOP_MINOR] = CENSUS_MINOR,
		[TOP_MAJOR] = CENSUS_MAJOR,
		[TOP_CPU] = CENSUS_CPU,
		[TOP_RSS] = CENSUS_RSS,
		[TOP_HUGE] = CENSUS_HUGE,
		[TOP_TABLES] = CENSUS_TABLES,
		[TOP_SWAP] = CENSUS_SWAP,
		[TOP_WORKING_SET] = CENSUS_REFERENCED,
		[TOP_WALK] = CENSUS_WALK_CYCLES,
	};

	switch (sort) {
	case TOP_FAULTS:
		return figure(row, CENSUS_MINOR) + figure(row, CENSUS_MAJOR);
	case TOP_TLB:
		return first_known(row, CENSUS_L2_MISSES, CENSUS_DTLB_MISSES);
	case TOP_PID:
	case TOP_COMMAND:
	case TOP_SORTS:
		return 0;
	default:
		return figure(row, figures[sort]);
	}
}

static int
row_order(const void *left, const void *right, void *context)
{
	const struct census_row *a = *(struct census_row *const *)left;
	const struct census_row *b = *(struct census_row *const *)right;
	enum top_sort sort = *(const enum top_sort *)context;
	double by = weight(b, sort) - weight(a, sort);
	int order = 0;

	if (sort == TOP_COMMAND)
		order = strcmp(a->name, b->name);
	if (sort != TOP_PID && sort != TOP_COMMAND && by == 0)
		by = figure(b, CENSUS_RSS) - figure(a, CENSUS_RSS);
	if (!order)
		order = by < 0 ? -1 : by > 0;
	if (!order)
		order = a->pid < b->pid ? -1 : a->pid > b->pid;
	return order ? order : a->tid < b->tid ? -1 : a->tid > b->tid;
}

/*
 * Sorted rows with their details: only those of shown ones take time, unless
 * it is by them that rows are sorted.  To be freed; NULL: no memory.
 */
static struct census_row **
choose_rows(struct top *top, size_t *shown)
{
	bool by_detail = top->sort == TOP_HUGE || top->sort == TOP_TLB ||
			 top->sort == TOP_WORKING_SET || top->sort == TOP_WALK;
	size_t n;
	struct census_row *rows = census_rows(top->census, &n);
	struct census_row **order = calloc(n + 1, sizeof(*order));

	if (!order)
		return NULL;
	for (size_t i = 0; i < n; i++)
		order[i] = &rows[i];
	*shown = top->most_rows && top->most_rows < n ? top->most_rows : n;
	if (!by_detail)
		qsort_r(order, n, sizeof(*order), row_order, &top->sort);
	for (size_t i = 0; i < (by_detail ? n : *shown); i++) {
		census_detail(top->census, order[i]);
		if (top->tlb && !top->threads)
			census_tlb_row(top->tlb, order[i]);
	}
	if (top->tlb)
		census_tlb_end(top->tlb);
	if (by_detail)
		qsort_r(order, n, sizeof(*order), row_order, &top->sort);
	return order;
}

static json_t *
cell(const struct census_row *row, const struct column *column)
{
	if (!census_knows(row, column->figure))
		return json_null();
	return json_integer((json_int_t)row->value[column->figure]);
}

/* A row as a list: there are more cells than result_row's letters are good
 * for. */
static int
put_row(const struct top *top, json_t *rows, const struct census_row *row)
{
	json_t *cells = json_array();
	const char *why = row->ended	 ? "it has ended"
			  : row->refused ? "of another user: root sees it"
					 : NULL;

	json_array_append_new(cells, json_integer(row->pid));
	json_array_append_new(cells, top->threads ? json_integer(row->tid)
						  : json_null());
	json_array_append_new(cells, result_string(row->name));
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		json_array_append_new(cells, cell(row, &columns[i]));
	json_array_append_new(cells, why ? json_string(why) : json_null());
	if (json_array_size(cells) != 4 + ARRAY_SIZE(columns)) {
		json_decref(cells);
		return -ENOMEM;
	}
	return json_array_append_new(rows, cells) ? -ENOMEM : 0;
}

static int
put_rows(struct top *top, struct result *result)
{
	const char *names[ARRAY_SIZE(columns) + 5] = { "pid:", "tid:",
						       "command:" };
	size_t n, shown = 0, k = 3;
	struct census_row **order = choose_rows(top, &shown);
	json_t *list;
	int error;

	if (!order)
		return -ENOMEM;
	census_rows(top->census, &n);

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		names[k++] = columns[i].name;
	names[k] = "reason:";
	error = result_table(result, "top",
			     "faults, time and misses of the interval; memory "
			     "at its end",
			     names);
	list = json_object_get(json_object_get(json_object_get(result_json(
								       result),
							       "tables"),
					       "top"),
			       "rows");
	for (size_t i = 0; i < shown && !error; i++)
		error = put_row(top, list, order[i]);
	free(order);
	if (!error)
		error = result_count(result, "top.count", n,
				     top->threads ? "threads" : "processes");
	if (!error)
		error = result_text(result, "top.sort", top_sorts[top->sort]);
	return error;
}

static int
put_bytes(struct result *result, const char *name, uint64_t value)
{
	return value == UINT64_MAX
		       ? result_absent(result, name, "not in /proc/meminfo")
		       : result_count(result, name, value, "bytes");
}

/* The share of the interval that tasks waited for memory */
static int
put_pressure(struct result *result, const char *name, uint64_t before,
	     uint64_t now, double seconds)
{
	if (before == UINT64_MAX || now == UINT64_MAX)
		return result_absent(
			result, name,
			"no /proc/pressure/memory: boot with psi=1");
	return result_real(result, name, (double)(now - before) / seconds / 1e4,
			   "percent");
}

static int
put_host(const struct top *top, struct result *result, double seconds)
{
	const struct census_host *now = top->host, *old = top->host_before;
	int error = put_bytes(result, "host.memory.bytes", now->total);

	if (!error)
		error = put_bytes(result, "host.available.bytes",
				  now->available);
	if (!error)
		error = put_bytes(result, "host.huge.bytes", now->huge);
	if (!error)
		error = put_bytes(result, "host.table.bytes", now->tables);
	if (!error)
		error = put_bytes(result, "host.swap.bytes", now->swap);
	if (!error)
		error = put_bytes(result, "host.swap.used.bytes",
				  now->swap_used);
	if (!error)
		error = put_pressure(result, "pressure.memory.some",
				     old->some_us, now->some_us, seconds);
	if (!error)
		error = put_pressure(result, "pressure.memory.full",
				     old->full_us, now->full_us, seconds);
	return error;
}

/* Of all that is counted, by perf events: as stat has it */
static int
put_counts(struct top *top, struct result *result, double seconds)
{
	struct count_sum *sums;
	struct count *part;
	int error;

	if (!top->counting)
		return result_absent(result, "counter.page-faults",
				     top->not_counted);
	error = counting_read(top->counting, top->counts);
	if (error)
		return error;
	sums = calloc(top->plan->n, sizeof(*sums));
	part = calloc(top->plan->n, sizeof(*part));
	for (size_t i = 0; sums && part && i < top->plan->n; i++) {
		part[i].value = top->counts[i].value - top->before[i].value;
		part[i].enabled_ns =
			top->counts[i].enabled_ns - top->before[i].enabled_ns;
		part[i].running_ns =
			top->counts[i].running_ns - top->before[i].running_ns;
		top->before[i] = top->counts[i];
	}
	if (sums && part) {
		count_sums_add(sums, top->plan, top->counting, part);
		error = count_result_totals(result, top->plan, sums, seconds);
	} else {
		error = -ENOMEM;
	}
	for (size_t i = 0; sums && i < top->plan->n; i++)
		if (sums[i].user_only)
			top->trouble = "the kernel's part is not counted: "
				       "sysctl kernel.perf_event_paranoid=1";
	free(sums);
	free(part);
	return error;
}

static int
fill(struct top *top, struct result *result, uint64_t now)
{
	double seconds = (double)(now - top->look_ns) / 1e9;
	int error = result_real(result, "time.elapsed", seconds, "s");

	if (!error)
		error = result_real(result, "time.end",
				    (double)(now - top->start_ns) / 1e9, "s");
	if (!error)
		error = put_host(top, result, seconds);
	if (!error)
		error = put_rows(top, result);
	if (!error)
		error = put_counts(top, result, seconds);
	if (!error)
		error = result_provenance(result, "command",
					  live_words(top->call));
	if (!error)
		error = option_each(top->options, top->config, common_option,
				    result);
	if (!error && top->trouble)
		error = result_partial(result, top->trouble);
	return error == -ENOMEM ? fail(ENOMEM, "top: no memory") : error;
}

/* The first look: nothing to tell yet */
static int
look_first(struct top *top)
{
	size_t shown;

	free(choose_rows(top, &shown));
	return top->counting ? counting_read(top->counting, top->before) : 0;
}

int
top_look(struct top *top, struct result **out)
{
	uint64_t now = live_now_ns();
	struct result *result = NULL;
	int error;

	*top->host_before = *top->host;
	census_host("/proc", top->host);
	error = census_look(top->census);
	if (error)
		return error;
	if (!top->look_ns) {
		error = look_first(top);
	} else {
		error = result_open(&result) ? fail(ENOMEM, "top: no memory")
					     : fill(top, result, now);
	}
	top->look_ns = now;
	if (error) {
		result_close(result);
		return error;
	}
	*out = result;
	return 0;
}
