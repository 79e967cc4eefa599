// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What reclaim counted; and out of memory: the moment at which a page had to go
 * to swap and there was no room, with the process that Linux would choose
 * (mm/oom_kill.c, oom_badness: resident pages + swapped + page tables; what
 * oom_score_adj adds is not in traces).  Nobody is killed: the replay goes on as
 * if there were room.
 */
#include "models/paging/driver-inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

static uint64_t
badness(const struct paging_usage *usage)
{
	return usage->resident + usage->swapped + usage->tables;
}

/* All spaces of a process; a process's first space asks. */
static struct paging_usage
usage_of(const struct driver *driver, uint32_t pid)
{
	const struct stream *stream = driver->with.stream;
	struct paging_usage sum = { 0 };

	for (uint32_t i = 0; i < stream_spaces(stream); i++) {
		struct paging_usage one;

		if (stream_space(stream, i)->pid != pid)
			continue;
		one = paging_usage(driver->with.paging, i);
		sum.resident += one.resident;
		sum.swapped += one.swapped;
		sum.tables += one.tables;
	}
	return sum;
}

static bool
seen_before(const struct stream *stream, uint32_t space)
{
	for (uint32_t i = 0; i < space; i++)
		if (stream_space(stream, i)->pid ==
		    stream_space(stream, space)->pid)
			return true;
	return false;
}

void
oom_note(struct driver *driver)
{
	const struct stream *stream = driver->with.stream;
	struct oom *oom = &driver->oom;
	const char *name = NULL;

	oom->pages++;
	if (oom->happened)
		return;
	oom->happened = true;
	oom->position = driver->position;
	oom->time_ns = driver->time_ns;
	for (uint32_t i = 0; i < stream_spaces(stream); i++) {
		struct paging_usage usage;

		if (seen_before(stream, i))
			continue;
		usage = usage_of(driver, stream_space(stream, i)->pid);
		oom->candidates += badness(&usage) > 0;
		if (badness(&usage) <= badness(&oom->usage))
			continue;
		oom->usage = usage;
		oom->pid = stream_space(stream, i)->pid;
		name = memory_program(driver, i);
	}
	oom->name = name ? strdup(name) : NULL;
}

static int
put_oom(const struct driver *driver, struct result *result)
{
	const struct oom *oom = &driver->oom;
	int error;

	if (!oom->happened)
		return 0;
	error = result_count(result, "oom.position", oom->position, "accesses");
	if (!error)
		error = result_count(result, "oom.time_ns", oom->time_ns, "ns");
	if (!error)
		error = result_count(result, "oom.pid", oom->pid, NULL);
	if (!error && oom->name)
		error = result_text(result, "oom.process", oom->name);
	else if (!error)
		error = result_absent(result, "oom.process",
				      "the trace does not show what program it "
				      "runs");
	if (!error)
		error = result_count(result, "oom.candidates", oom->candidates,
				     "processes");
	if (!error)
		error = result_count(result, "oom.resident.bytes",
				     oom->usage.resident << PAGE_SHIFT,
				     "bytes");
	if (!error)
		error = result_count(result, "oom.swapped.bytes",
				     oom->usage.swapped << PAGE_SHIFT, "bytes");
	if (!error)
		error = result_count(result, "oom.tables.bytes",
				     oom->usage.tables << PAGE_SHIFT, "bytes");
	return error ? error
		     : result_count(result, "oom.pages", oom->pages, "pages");
}

static uint64_t
sum_wired(const struct driver *driver)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < driver->memories; i++)
		sum += driver->memory[i]->wired;
	return sum;
}

static struct reclaim_counts
sum_counts(const struct driver *driver)
{
	struct reclaim_counts sum = { 0 };

	for (uint32_t i = 0; i < driver->memories; i++) {
		const struct reclaim_counts *one =
			&driver->memory[i]->policy->counts;

		sum.references += one->references;
		sum.misses += one->misses;
		sum.refaults += one->refaults;
		sum.evictions += one->evictions;
	}
	return sum;
}

static int
put_counts(const struct driver *driver, struct result *result)
{
	struct reclaim_counts sum = sum_counts(driver);
	/* One waits in each major fault; what is read ahead of files goes on
	 * beside, and so does writing to drives. */
	uint64_t swap_ns = driver->reads * driver->read_ns;
	uint64_t write_ns = driver->writes * driver->write_ns;
	uint64_t file_ns = (paging_major(driver->with.paging) - driver->reads) *
			   driver->file_read_ns;
	uint64_t stall_ns =
		swap_ns + file_ns + (driver->synchronous ? write_ns : 0);
	const struct {
		const char *name, *unit;
		uint64_t value;
	} row[] = {
		{ "reclaim.references", "references", sum.references },
		{ "reclaim.misses", "pages", sum.misses },
		{ "reclaim.refaults", "pages", sum.refaults },
		{ "reclaim.evictions", "pages", sum.evictions },
		{ "reclaim.writebacks", "pages",
		  driver->writes + driver->file_writes },
		{ "reclaim.writebacks.file", "pages", driver->file_writes },
		{ "reclaim.reads", "pages",
		  driver->reads + driver->file_reads },
		{ "reclaim.stall_ns", "ns", stall_ns },
		{ "reclaim.stall.files_ns", "ns", file_ns },
		{ "reclaim.device_ns", "ns", swap_ns + write_ns },
		{ "reclaim.files_ns", "ns",
		  file_ns + driver->file_writes * driver->file_write_ns },
		{ "reclaim.wired", "pages", sum_wired(driver) },
		{ "reclaim.stuck", "pages", driver->stuck },
	};
	int error = 0;

	for (size_t i = 0; !error && i < ARRAY_SIZE(row); i++)
		error = result_count(result, row[i].name, row[i].value,
				     row[i].unit);
	return error;
}

static int
put_memories(const struct driver *driver, struct result *result)
{
	static const char *const columns[] = {
		"memory:",	"pid:",
		"limit:bytes",	"references:references",
		"misses:pages", "evictions:pages",
		"locked:pages", NULL
	};
	int error = result_table(result, "reclaim.memories",
				 "each memory of its own and what its policy "
				 "did",
				 columns);

	for (uint32_t i = 0; !error && i < driver->memories; i++) {
		const struct memory *memory = driver->memory[i];
		const struct reclaim_counts *c = &memory->policy->counts;

		error = result_row(result, "reclaim.memories", "suuuuuu",
				   memory->name, (uint64_t)memory->pid,
				   driver->limit << PAGE_SHIFT, c->references,
				   c->misses, c->evictions, memory->wired);
	}
	return error;
}

int
driver_finish(struct driver *driver, struct result *result)
{
	int error = put_counts(driver, result);

	if (!error && driver->ops->fixed &&
	    (driver->config.tables || sum_wired(driver)))
		error = result_partial(result,
				       "this reclaim.policy keeps its size: "
				       "locked pages and tables are beside "
				       "memory.size");
	if (!error && driver->config.scope != SCOPE_GLOBAL)
		error = put_memories(driver, result);
	if (!error && driver->memories == 1 && driver->ops->finish)
		error = driver->ops->finish(driver->memory[0]->policy, result);
	return error ? error : put_oom(driver, result);
}
