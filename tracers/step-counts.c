// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the kernel counts of a process when its program begins and just before
 * it ends.  Stepping puts nothing into the target, so all of it is its own, but
 * for faults on code, which is read before it runs.
 */
#include "tracers/kernel-counts.h"
#include "tracers/step.h"

struct telling {
	struct stepper *step;
	const struct tracee *tracee;
	uint16_t flags;
};

static void
tell(void *context, const struct kernel_count *count)
{
	const struct telling *telling = context;
	struct stepper *step = telling->step;
	struct event *event = step_event(step, telling->tracee, EVENT_COUNTER);

	event->flags = (uint16_t)(telling->flags |
				  (count->disturbed ? COUNTER_DISTURBED : 0) |
				  (count->codeless ? COUNTER_CODELESS : 0));
	event->value = count->value;
	if (files_number(step->files, count->name, 0, &event->file))
		step->failed = true;
}

void
step_counts(struct stepper *step, struct tracee *tracee, unsigned flags)
{
	struct telling telling = { step, tracee, (uint16_t)flags };
	const struct kernel_counts counts = { .context = &telling,
					      .tell = tell,
					      .reads_code = true };
	pid_t pid = tracee->process->pid;

	kernel_counts_process(pid, &counts);
	if (pid != step->root)
		return;
	telling.flags |= COUNTER_SYSTEM;
	kernel_counts_host(pid, &counts);
}

void
step_counts_end(struct stepper *step, struct tracee *tracee)
{
	tracee->ending = tracee->in_call = true;
	tracee->flight = NULL;
	if (!tracee->process)
		return;
	for (const struct tracee *t = step->tracees; t; t = t->next)
		if (t->process == tracee->process && !t->ending)
			return;
	step_counts(step, tracee, COUNTER_END);
}
