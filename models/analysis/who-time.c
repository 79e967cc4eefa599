// SPDX-License-Identifier: GPL-2.0-or-later
/* When misses, walks and faults were; see who-time.h. */
#include "models/analysis/who-time.h"

#include <stdlib.h>

#include "analyzer/fail.h"
#include "models/analysis/timeline.h"

enum {
	TIME_NS,
	TIME_RESIDENT,
	TIME_MISSES,
	TIME_WALKS,
	TIME_CYCLES,
	TIME_MINOR,
	TIME_MAJOR,
	TIME_SERIES,
};

static const struct timeline_series series[TIME_SERIES] = {
	[TIME_NS] = { "time", "ns", TIMELINE_GAUGE },
	[TIME_RESIDENT] = { "resident", "bytes", TIMELINE_GAUGE },
	[TIME_MISSES] = { "l1_misses", "lookups", TIMELINE_COUNTER },
	[TIME_WALKS] = { "walks", "walks", TIMELINE_COUNTER },
	[TIME_CYCLES] = { "walk_cycles", "cycles", TIMELINE_COUNTER },
	[TIME_MINOR] = { "faults_minor", "faults", TIMELINE_COUNTER },
	[TIME_MAJOR] = { "faults_major", "faults", TIMELINE_COUNTER },
};

struct listed {
	struct who_fault fault;
	uint64_t time_ns;
};

struct who_time {
	struct timeline *line; /* owned */
	struct listed *listed; /* owned [WHO_FAULTS_MAX] */
	size_t n;
	uint64_t begun_ns; /* the first batch's time; 0: none yet */
	uint64_t now_ns;   /* since then, of the batch before */
};

int
who_time_open(struct who_time **out)
{
	struct who_time *time = calloc(1, sizeof(*time));
	int error = 0;

	if (!time)
		return fail(ENOMEM, "machine: no memory for --by time");
	time->listed = calloc(WHO_FAULTS_MAX, sizeof(*time->listed));
	if (!time->listed)
		error = fail(ENOMEM, "machine: no memory for --by time");
	if (!error)
		error = timeline_open(&time->line, series, TIME_SERIES, 0);
	if (error)
		who_time_close(time);
	else
		*out = time;
	return error;
}

void
who_time_close(struct who_time *time)
{
	if (!time)
		return;
	timeline_close(time->line);
	free(time->listed);
	free(time);
}

void
who_time_begin(struct who_time *time, const struct batch *batch,
	       uint64_t position, uint64_t resident_bytes)
{
	if (!time->begun_ns)
		time->begun_ns = batch->time_ns;
	/* A batch's time is that of its end */
	timeline_set(time->line, TIME_NS, position, time->now_ns);
	timeline_set(time->line, TIME_RESIDENT, position, resident_bytes);
	if (batch->time_ns - time->begun_ns > time->now_ns &&
	    batch->time_ns >= time->begun_ns)
		time->now_ns = batch->time_ns - time->begun_ns;
}

void
who_time_missed(struct who_time *time, const struct who_miss *miss, bool walked)
{
	timeline_add(time->line, TIME_MISSES, miss->position, 1);
	if (!walked)
		return;
	timeline_add(time->line, TIME_WALKS, miss->position, 1);
	timeline_add(time->line, TIME_CYCLES, miss->position, miss->cycles);
}

int
who_time_faulted(struct who_time *time, const struct who_fault *fault)
{
	timeline_add(time->line, fault->major ? TIME_MAJOR : TIME_MINOR,
		     fault->position, 1);
	if (time->n < WHO_FAULTS_MAX)
		time->listed[time->n++] =
			(struct listed){ *fault, time->now_ns };
	return 0;
}

int
who_time_finish(const struct who_time *time, uint64_t end,
		const struct stream *stream, const struct who_regions *regions,
		struct result *result)
{
	static const char *const columns[] = {
		"accesses:accesses", "time:ns",	 "process:", "thread:",
		"address:",	     "mapping:", "class:",   NULL
	};
	int error = timeline_finish(time->line, end, result, "who.time",
				    "misses, walks, faults and resident memory "
				    "over the run; time: of the recording");

	if (!error)
		error = result_table(result, "who.faults",
				     "the first predicted faults; time: of the "
				     "recording, as fine as a batch",
				     columns);
	for (size_t i = 0; !error && i < time->n; i++) {
		const struct listed *one = &time->listed[i];
		const struct thread *thread =
			stream_thread(stream, one->fault.thread);

		error = result_row(result, "who.faults", "uuuuxss",
				   one->fault.position, one->time_ns,
				   (uint64_t)thread->pid, (uint64_t)thread->tid,
				   one->fault.page,
				   regions->name(regions->context,
						 one->fault.region),
				   one->fault.major ? "major" : "minor");
	}
	return error;
}
