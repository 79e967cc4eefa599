// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel counted of the whole host, of the program's memory group and
 * of all its processes together while the trace was recorded, each at the
 * recording's two ends; beside what is predicted of it, where something is.
 *
 * Others use the host, too, and a group may have more in it than was recorded:
 * so nothing here passes or differs, but for the processes' own (rusage).
 */
#include "models/paging/space.h"

#include <stdlib.h>
#include <string.h>

struct host_counter {
	uint32_t file; /* of its name */
	bool told;     /* predicted is valid */
	uint64_t start, end, predicted;
};

struct host_counters {
	struct host_counter *row; /* owned */
	size_t n, room;
};

static uint64_t
huge_faults(struct paging *paging)
{
	return paging->huge.faulted[LARGE_ORDER];
}

static uint64_t
huge_fallback(struct paging *paging)
{
	return paging->huge.fallback[LARGE_ORDER];
}

static uint64_t
huge_collapses(struct paging *paging)
{
	return paging->huge.collapsed + paging->huge.advised;
}

static uint64_t
huge_splits(struct paging *paging)
{
	return paging->huge.splits;
}

static uint64_t
huge_limited(struct paging *paging)
{
	return paging->huge.no_room;
}

static uint64_t
huge_swapped(struct paging *paging)
{
	return paging->huge.swapped_out;
}

static uint64_t
swapped_out(struct paging *paging)
{
	return paging->swap.outs;
}

static uint64_t
swapped_in(struct paging *paging)
{
	return paging->swap.ins;
}

static uint64_t
swap_bytes(struct paging *paging)
{
	return paging->swap.pages << PAGE_SHIFT;
}

static uint64_t
minor(struct paging *paging)
{
	return paging_minor(paging, true);
}

static uint64_t
major(struct paging *paging)
{
	return paging_major(paging);
}

static uint64_t
all_faults(struct paging *paging)
{
	return paging_minor(paging, true) + paging_major(paging);
}

static uint64_t
anonymous(struct paging *paging)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < paging->spaces; i++) {
		struct paging_memory memory;

		paging_memory(paging, i, &memory);
		bytes += memory.anonymous_bytes;
	}
	return bytes;
}

static uint64_t
ksm_shared(struct paging *paging)
{
	struct ksm_counts counts;

	ksm_counts(paging, &counts);
	return counts.shared;
}

static uint64_t
ksm_sharing(struct paging *paging)
{
	struct ksm_counts counts;

	ksm_counts(paging, &counts);
	return counts.sharing;
}

static const struct {
	const char *counter, *figure;
	uint64_t (*predict)(struct paging *paging);
} figures[] = {
	{ "rusage.minflt", "fault.minor", minor },
	{ "rusage.majflt", "fault.major", major },
	{ "vmstat.pgfault", "fault.minor + fault.major", all_faults },
	{ "vmstat.pgmajfault", "fault.major", major },
	{ "vmstat.thp_fault_alloc", "thp.faults", huge_faults },
	{ "vmstat.thp_fault_fallback", "thp.fallback", huge_fallback },
	{ "vmstat.thp_collapse_alloc", "collapses", huge_collapses },
	{ "vmstat.thp_fault_fallback_charge", "thp.fallback.limit",
	  huge_limited },
	{ "vmstat.thp_split_pmd", "thp.splits", huge_splits },
	{ "vmstat.thp_swpout", "thp.swapouts", huge_swapped },
	{ "vmstat.pswpout", "swap.out", swapped_out },
	{ "vmstat.pswpin", "swap.in", swapped_in },
	{ "memory.stat.pgfault", "fault.minor + fault.major", all_faults },
	{ "memory.stat.pgmajfault", "fault.major", major },
	{ "memory.stat.rss", "anonymous memory", anonymous },
	{ "memory.stat.anon", "anonymous memory", anonymous },
	{ "memory.stat.swap", "swap.bytes", swap_bytes },
	{ "ksm.pages_shared", "ksm.shared", ksm_shared },
	{ "ksm.pages_sharing", "ksm.sharing", ksm_sharing },
	{ "zram0.orig_data_size", "swap.bytes", swap_bytes },
};

static int
figure_of(const char *counter)
{
	for (size_t i = 0; i < ARRAY_SIZE(figures); i++)
		if (!strcmp(figures[i].counter, counter))
			return (int)i;
	return -1;
}

void
host_counters_close(struct host_counters *counters)
{
	if (!counters)
		return;
	free(counters->row);
	free(counters);
}

static struct host_counter *
counter_get(struct host_counters *counters, uint32_t file)
{
	for (size_t i = 0; i < counters->n; i++)
		if (counters->row[i].file == file)
			return &counters->row[i];
	if (counters->n == counters->room) {
		size_t room = counters->room ? 2 * counters->room : 128;
		struct host_counter *more =
			reallocarray(counters->row, room, sizeof(*more));

		if (!more)
			return NULL;
		counters->row = more;
		counters->room = room;
	}
	counters->row[counters->n] = (struct host_counter){ .file = file };
	return &counters->row[counters->n++];
}

int
host_counters_event(struct paging *paging, const char *name,
		    const struct event *event)
{
	int figure = figure_of(name);
	struct host_counter *counter;

	if (!paging->host_counters)
		paging->host_counters =
			calloc(1, sizeof(*paging->host_counters));
	counter = paging->host_counters
			  ? counter_get(paging->host_counters, event->file)
			  : NULL;
	if (!counter)
		return paging_no_memory(paging);
	if (event->flags & COUNTER_START) {
		counter->start = event->value;
		return 0;
	}
	counter->end = event->value;
	if (figure >= 0) {
		counter->predicted = figures[figure].predict(paging);
		counter->told = true;
	}
	return 0;
}

/* Is it one that only ever grows, and not what is there now? */
static bool
grows(const char *name)
{
	static const char *const levels[] = { "ksm.", "zram", "memory.stat." };
	static const char *const counts[] = {
		"memory.stat.pg", "memory.stat.total_pg", "ksm.full_scans",
		"ksm.pages_scanned", "ksm.pages_skipped"
	};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		if (!strncmp(name, counts[i], strlen(counts[i])))
			return true;
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (!strncmp(name, levels[i], strlen(levels[i])))
			return false;
	return true;
}

static int
put_row(const struct paging *paging, const struct host_counter *counter,
	struct result *result)
{
	const char *name = stream_file(paging->stream, counter->file)->path;
	bool count = grows(name);
	double seen = count ? (double)counter->end - (double)counter->start
			    : (double)counter->end;
	int figure = figure_of(name);

	/* What stood still says nothing; what was not told at the end (of the
	 * group of a process that is no more), neither. */
	if (count && (counter->end < counter->start ||
		      (counter->end == counter->start && !counter->predicted)))
		return 0;
	if (!counter->told)
		return result_row(result, "kernel.counters", "suudnn", name,
				  counter->start, counter->end, seen);
	return result_row(result, "kernel.counters", "suudus", name,
			  counter->start, counter->end, seen,
			  counter->predicted, figures[figure].figure);
}

int
host_counters_finish(const struct paging *paging, struct result *result)
{
	static const char *const columns[] = {
		"counter:",   "start:",	 "end:", "measured:",
		"predicted:", "figure:", NULL,
	};
	const struct host_counters *counters = paging->host_counters;
	int error;

	if (!counters || !counters->n)
		return 0;
	error = result_table(
		result, "kernel.counters",
		"What the kernel counted of the whole host, of the "
		"memory group and of all processes at the "
		"recording's ends; measured: the growth, or what "
		"is there at the end",
		columns);
	for (size_t i = 0; i < counters->n && !error; i++)
		error = put_row(paging, &counters->row[i], result);
	return error;
}
