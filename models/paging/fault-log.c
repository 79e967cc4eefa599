// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each predicted fault beside each recorded one (record -e cache,faults): by
 * process and page, how often.  So one sees where the model and the kernel
 * differ, not only by how much.
 *
 *	predicted  [process, page, class] \   sorted by process and page,
 *	recorded   [process, page]        /   as many of each are a match
 *
 * Not by space: a companion may hear of a child's faults before the main engine
 * hears of the child, and of its space.
 */
#include "models/paging/space.h"

#include <stdlib.h>
#include <string.h>

#define LIST_MAX 1000 /* differences that are shown */

struct logged {
	uint64_t page, accesses;
	uint32_t pid, region;
	uint8_t class;
	bool recorded, write, fetch, major;
};

struct fault_log {
	struct logged *entry; /* owned */
	size_t n, room;
	bool compares;
};

/* Counts of faults. */
struct compared {
	uint64_t matched, fetched, unrecorded, unpredicted;
};

/* Did something record the kernel's faults? */
static bool
has_faults(const struct stream *stream)
{
	const json_t *engines =
		json_object_get(stream_about(stream), "engines");
	const json_t *engine;
	size_t i;

	json_array_foreach(engines, i, engine)
	{
		const char *name = json_string_value(
			json_is_object(engine) ? json_object_get(engine, "name")
					       : engine);

		if (name && !strcmp(name, "faults"))
			return true;
	}
	return false;
}

int
fault_log_open(struct paging *paging)
{
	bool compares = has_faults(paging->stream);

	if (!compares && !paging->config.list)
		return 0;
	paging->log = calloc(1, sizeof(*paging->log));
	if (!paging->log)
		return paging_no_memory(paging);
	paging->log->compares = compares;
	return 0;
}

void
fault_log_close(struct fault_log *log)
{
	if (log)
		free(log->entry);
	free(log);
}

static int
add(struct paging *paging, const struct logged *one)
{
	struct fault_log *log = paging->log;

	if (log->n == log->room) {
		size_t room = log->room ? 2 * log->room : 1024;
		struct logged *more =
			reallocarray(log->entry, room, sizeof(*more));

		if (!more)
			return paging_no_memory(paging);
		log->entry = more;
		log->room = room;
	}
	log->entry[log->n++] = *one;
	return 0;
}

int
fault_log_predicted(struct paging *paging, const struct predicted_fault *fault)
{
	const struct logged one = {
		.page = page_down(fault->address),
		.accesses = paging->now,
		.pid = stream_space(paging->stream, fault->space)->pid,
		.region = fault->region,
		.class = (uint8_t)fault->class,
		.write = fault->write,
		.fetch = fault->fetch,
		.major = fault->major,
	};

	return paging->log ? add(paging, &one) : 0;
}

/* What the process has there. */
static uint32_t
region_at(struct paging *paging, uint32_t pid, uint64_t address)
{
	for (size_t i = paging->spaces; i-- > 0;) {
		struct address_space *space = paging->space[i];
		const struct vma *vma = NULL;

		if (space &&
		    stream_space(paging->stream, (uint32_t)i)->pid == pid)
			vma = vma_find(&space->vmas, address);
		if (vma)
			return vma->region;
	}
	return REGION_UNMAPPED;
}

int
fault_log_recorded(struct paging *paging, uint32_t space,
		   const struct event *event)
{
	uint32_t pid = stream_space(paging->stream, space)->pid;
	const struct logged one = {
		.page = page_down(event->address),
		.accesses = paging->now,
		.pid = pid,
		.region = region_at(paging, pid, event->address),
		.recorded = true,
		.major = event->flags & FAULT_FLAG_MAJOR,
	};

	return paging->log && paging->log->compares ? add(paging, &one) : 0;
}

/* In the order in which they came. */
static int
put_list(const struct paging *paging, struct result *result)
{
	static const char *const columns[] = {
		"page:",    "process:",		 "class:", "access:",
		"mapping:", "accesses:accesses", NULL,
	};
	const struct fault_log *log = paging->log;
	uint64_t left = (uint64_t)paging->config.list;
	int error = result_table(result, "faults.list",
				 "Predicted page faults, one by one", columns);

	for (size_t i = 0; !error && i < log->n && left; i++) {
		const struct logged *one = &log->entry[i];

		if (one->recorded)
			continue;
		left--;
		error = result_row(result, "faults.list", "xusssu", one->page,
				   (uint64_t)one->pid,
				   paging_class_name(one->class),
				   one->fetch	? "fetch"
				   : one->write ? "write"
						: "read",
				   paging->region[one->region].name,
				   one->accesses);
	}
	return error;
}

static int
by_page(const void *left, const void *right)
{
	const struct logged *a = left, *b = right;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	if (a->page != b->page)
		return a->page < b->page ? -1 : 1;
	if (a->recorded != b->recorded)
		return a->recorded ? -1 : 1;
	/* What only a fetch explains is the first to stay without a peer. */
	if (a->fetch != b->fetch)
		return a->fetch ? 1 : -1;
	return a->accesses < b->accesses ? -1 : a->accesses > b->accesses;
}

static int
put_difference(const struct paging *paging, struct result *result,
	       const struct logged *one, uint64_t shown)
{
	if (shown >= LIST_MAX)
		return 0;
	return result_row(result, "faults.differ", "xusss", one->page,
			  (uint64_t)one->pid,
			  one->recorded ? "the kernel only" : "predicted only",
			  one->recorded ? one->major ? "major" : "minor"
					: paging_class_name(one->class),
			  paging->region[one->region].name);
}

/* The entries of one page: those recorded stand before those predicted. */
static int
compare_page(const struct paging *paging, struct result *result,
	     const struct logged *one, size_t n, struct compared *sum)
{
	size_t recorded = 0, predicted, pairs;
	int error = 0;

	while (recorded < n && one[recorded].recorded)
		recorded++;
	predicted = n - recorded;
	pairs = recorded < predicted ? recorded : predicted;
	sum->matched += pairs;
	for (size_t i = pairs; i < recorded && !error; i++)
		error = put_difference(paging, result, &one[i],
				       sum->unpredicted++ + sum->unrecorded);
	for (size_t i = recorded + pairs; i < n && !error; i++) {
		if (one[i].fetch)
			sum->fetched++;
		else
			error = put_difference(paging, result, &one[i],
					       sum->unrecorded++ +
						       sum->unpredicted);
	}
	return error;
}

static int
put_compared(const struct paging *paging, struct result *result)
{
	static const char *const columns[] = { "page:",	 "process:", "who:",
					       "class:", "mapping:", NULL };
	struct fault_log *log = paging->log;
	struct compared sum = { 0 };
	int error = result_table(result, "faults.differ",
				 "Page faults that only the model or only the "
				 "kernel had",
				 columns);

	qsort(log->entry, log->n, sizeof(*log->entry), by_page);
	for (size_t i = 0, n; i < log->n && !error; i += n) {
		const struct logged *one = &log->entry[i];

		n = 1;
		while (i + n < log->n && one[n].page == one->page &&
		       one[n].pid == one->pid)
			n++;
		error = compare_page(paging, result, one, n, &sum);
	}
	if (!error)
		error = result_count(result, "fault.recorded.matched",
				     sum.matched, "faults");
	if (!error)
		error = result_count(result, "fault.recorded.unpredicted",
				     sum.unpredicted, "faults");
	if (!error)
		error = result_count(result, "fault.unrecorded", sum.unrecorded,
				     "faults");
	if (!error)
		error = result_count(result, "fault.unrecorded.fetch",
				     sum.fetched, "faults");
	return error;
}

int
fault_log_finish(const struct paging *paging, struct result *result)
{
	int error = 0;

	if (!paging->log)
		return 0;
	if (paging->config.list)
		error = put_list(paging, result);
	if (!error && paging->log->compares &&
	    (paging->recorded_minor || paging->recorded_major))
		error = put_compared(paging, result);
	return error;
}
