// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What reclaim counted; and out of memory: the moment at which a page had to go
 * to swap and there was no room, with the process that Linux would choose
 * (mm/oom_kill.c, oom_badness: resident pages + swapped + page tables, and
 * thousandths of all memory as oom_score_adj says, where the trace tells).  Nobody
 * is killed: the replay goes on as if there were room.
 */
#include "models/paging/driver-inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

#define ADJ_NAME    "oom.score_adj"
#define ADJ_MIN	    (-1000) /* OOM_SCORE_ADJ_MIN: never */
#define ADJ_UNKNOWN INT64_MAX

static int64_t
badness(const struct driver *driver, const struct paging_usage *usage,
	int64_t adj)
{
	uint64_t total = driver->limit;

	if (driver->config.device != DEVICE_NONE)
		total += driver->config.swap_bytes >> PAGE_SHIFT;
	return (int64_t)(usage->resident + usage->swapped + usage->tables) +
	       adj * (int64_t)(total / 1000);
}

/* Of a space, or of what it came from by fork. */
static int64_t
adj_of(const struct driver *driver, uint32_t space)
{
	for (;;) {
		uint32_t parent =
			stream_space(driver->with.stream, space)->parent;

		if (space < driver->adjs && driver->adj[space] != ADJ_UNKNOWN)
			return driver->adj[space];
		if (parent >= space) /* SPACE_NONE, too */
			return 0;
		space = parent;
	}
}

int
oom_follow(struct driver *driver, uint32_t space, const struct event *event)
{
	const struct stream *stream = driver->with.stream;
	uint32_t room = stream_spaces(stream);
	int64_t *grown;

	if (event->flags & COUNTER_SYSTEM || event->file == UINT32_MAX ||
	    event->file >= stream_files(stream) ||
	    strcmp(stream_file(stream, event->file)->path, ADJ_NAME) != 0)
		return 0;
	if (space >= driver->adjs) {
		grown = reallocarray(driver->adj, room, sizeof(*grown));
		if (!grown)
			return driver_no_memory();
		for (uint32_t i = driver->adjs; i < room; i++)
			grown[i] = ADJ_UNKNOWN;
		driver->adj = grown;
		driver->adjs = room;
	}
	driver->adj[space] = (int64_t)event->value;
	return 0;
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
		int64_t adj = adj_of(driver, i), points;

		if (seen_before(stream, i))
			continue;
		usage = usage_of(driver, stream_space(stream, i)->pid);
		if (!(usage.resident + usage.swapped + usage.tables) ||
		    adj == ADJ_MIN)
			continue;
		points = badness(driver, &usage, adj);
		if (oom->candidates++ && points <= oom->points)
			continue;
		oom->usage = usage;
		oom->points = points;
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
		sum.evictions += one->evictions + driver->memory[i]->beyond;
	}
	return sum;
}

static int
put_counts(const struct driver *driver, struct result *result)
{
	struct reclaim_counts sum = sum_counts(driver);
	/* One waits in each major fault; what is read ahead goes on beside, and
	 * so does writing to drives. */
	uint64_t waits = paging_swap_faults(driver->with.paging);
	uint64_t swap_ns = waits * driver->read_ns;
	uint64_t write_ns = driver->writes * driver->write_ns;
	uint64_t file_ns = (paging_major(driver->with.paging) - waits) *
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
		{ "reclaim.device_ns", "ns",
		  driver->reads * driver->read_ns + write_ns },
		{ "reclaim.files_ns", "ns",
		  file_ns + driver->file_writes * driver->file_write_ns },
		{ "reclaim.wired", "pages", sum_wired(driver) },
		{ "reclaim.stuck", "pages", driver->stuck },
		{ "reclaim.freed", "pages", driver->freed },
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
				   c->misses, c->evictions + memory->beyond,
				   memory->wired);
	}
	return error;
}

/* A process that was not there is a slip of the pen. */
static int
put_unmatched(const struct driver *driver, struct result *result)
{
	const char *at = driver->config.groups ? driver->config.groups : "";
	int error = 0;

	for (size_t i = 0; *at && !error; i++) {
		struct assignment one;
		char text[160];

		at = assignment_next(at, &one);
		if (driver->matched[i])
			continue;
		snprintf(text, sizeof(text),
			 "reclaim.groups: no process that touches memory is "
			 "%.*s, so %.*s has none of it",
			 one.process_length > 40 ? 40 : (int)one.process_length,
			 one.process, (int)one.group_length, one.group);
		error = result_partial(result, text);
	}
	return error;
}

int
driver_finish(struct driver *driver, struct result *result)
{
	int error = put_counts(driver, result);

	if (!error)
		error = put_unmatched(driver, result);
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
