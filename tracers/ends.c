// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	inner:  batch  batch ... batch  end
 *	here:   batch  START  batch ... batch  END  end
 *
 * The first batch says in which thread and space the events are told.
 */
#include "tracers/ends.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "analyzer/fail.h"
#include "tracers/files.h"
#include "tracers/kernel-counts.h"

enum state {
	BEFORE,
	BEGUN, /* the first batch was given out */
	RUNNING,
	ENDED,
};

struct ends {
	struct source source; /* first */
	struct source *inner; /* owned */
	struct files *files;  /* owned */
	enum state state;
	pid_t pid;
	bool launched, failed;
	struct rusage before; /* of children that ended before */
	uint32_t thread, space;
	uint64_t time_ns;
	struct batch *batch; /* that is filled */
	uint16_t flags;
};

static void
tell(void *context, const struct kernel_count *count)
{
	struct ends *ends = context;
	struct event *event = batch_event(ends->batch, EVENT_COUNTER);

	/* More than fit are the last ones of a long list. */
	if (!event)
		return;
	event->flags = ends->flags;
	event->value = count->value;
	ends->failed |=
		files_number(ends->files, count->name, 0, &event->file) < 0;
}

static void
tell_usage(struct ends *ends)
{
	const struct rusage *before = &ends->before;
	struct rusage now;
	struct kernel_count count = { 0 };

	if (!ends->launched || getrusage(RUSAGE_CHILDREN, &now) ||
	    now.ru_minflt <= before->ru_minflt)
		return;
	count.name = "rusage.minflt";
	count.value = (uint64_t)(now.ru_minflt - before->ru_minflt);
	tell(ends, &count);
	count.name = "rusage.majflt";
	count.value = (uint64_t)(now.ru_majflt - before->ru_majflt);
	tell(ends, &count);
	count.name = "rusage.maxrss";
	count.value = (uint64_t)now.ru_maxrss * 1024;
	tell(ends, &count);
}

static int
give_counters(struct ends *ends, struct batch *batch, uint16_t flags)
{
	const struct kernel_counts counts = { .context = ends, .tell = tell };

	ends->batch = batch;
	ends->flags = (uint16_t)(flags | COUNTER_SYSTEM);
	batch->thread = ends->thread;
	batch->space = ends->space;
	batch->time_ns = ends->time_ns;
	batch->columned = true;
	if (flags == COUNTER_END)
		tell_usage(ends);
	kernel_counts_host(ends->pid, &counts);
	return ends->failed ? fail(ENOMEM, "record: no memory for counters")
			    : 1;
}

static int
ends_next(struct source *source, struct batch *batch)
{
	struct ends *ends = (struct ends *)source;
	int got;

	if (ends->state == BEGUN) {
		ends->state = RUNNING;
		return give_counters(ends, batch, COUNTER_START);
	}
	if (ends->state == ENDED)
		return 0;
	got = ends->inner->methods->next(ends->inner, batch);
	if (got == 1) {
		if (ends->state == BEFORE) {
			ends->state = BEGUN;
			ends->thread = batch->thread;
			ends->space = batch->space;
		}
		ends->time_ns = batch->time_ns;
		return got;
	}
	if (got || ends->state != RUNNING)
		return got;
	ends->state = ENDED;
	return give_counters(ends, batch, COUNTER_END);
}

static void
ends_close(struct source *source)
{
	struct ends *ends = (struct ends *)source;

	if (!ends)
		return;
	source_close(ends->inner);
	files_close(ends->files);
	free(ends);
}

static const struct source_methods methods = {
	.next = ends_next,
	.close = ends_close,
};

int
ends_open(struct source **out, struct source *inner)
{
	struct ends *ends = calloc(1, sizeof(*ends));

	if (!ends)
		return fail(ENOMEM, "record: no memory");
	if (files_open(&ends->files, inner->stream)) {
		free(ends);
		return fail(ENOMEM, "record: no memory");
	}
	ends->source.methods = &methods;
	ends->source.stream = inner->stream;
	ends->inner = inner;
	*out = &ends->source;
	return 0;
}

void
ends_attach(struct source *source, pid_t pid, bool launched)
{
	struct ends *ends = (struct ends *)source;

	ends->pid = pid;
	ends->launched = launched;
	getrusage(RUSAGE_CHILDREN, &ends->before);
}
