// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel counts of a process when its program begins and just before
 * it ends (the ptrace stop in which its memory is still there).  What the
 * engine has mapped into it is told apart.
 */
#include "tracers/cache-engine.h"
#include "tracers/kernel-counts.h"

struct telling {
	struct cache_engine *engine;
	struct cache_thread *thread;
	uint16_t flags;
};

static void
tell(void *context, const struct kernel_count *count)
{
	const struct telling *telling = context;
	struct cache_engine *engine = telling->engine;
	struct event *event =
		records_event(engine, telling->thread, EVENT_COUNTER);

	event->flags = (uint16_t)(telling->flags |
				  (count->disturbed ? COUNTER_DISTURBED : 0) |
				  (count->codeless ? COUNTER_CODELESS : 0));
	event->value = count->value;
	event->extra = count->own;
	engine->failed |=
		files_number(engine->files, count->name, 0, &event->file) < 0;
	records_event_put(engine);
}

static bool
owns(void *context, uint64_t address)
{
	const struct telling *telling = context;

	return space_owns(telling->engine, telling->thread->process->pid,
			  address);
}

void
counts_tell(struct cache_engine *engine, struct cache_thread *thread,
	    unsigned flags)
{
	struct telling telling = { engine, thread, (uint16_t)flags };
	const struct kernel_counts counts = { .context = &telling,
					      .tell = tell,
					      .owns = owns,
					      .reads_ahead = true };
	pid_t pid = thread->process->pid;

	if (engine->orphaned)
		return;
	kernel_counts_process(pid, &counts);
	if (pid != engine->root)
		return;
	telling.flags |= COUNTER_SYSTEM;
	kernel_counts_host(pid, &counts);
}

void
counts_tell_end(struct cache_engine *engine, struct cache_thread *thread)
{
	if (!thread->process)
		return;
	for (const struct cache_thread *t = engine->threads; t; t = t->next)
		if (t->process == thread->process && t->mode != MODE_GONE)
			return;
	counts_tell(engine, thread, COUNTER_END);
}
