// SPDX-License-Identifier: GPL-2.0-or-later
/* Counters of each process that is looked at; see the header. */
#include "tracers/census-tlb.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"

struct counted {
	pid_t pid;
	uint64_t start;
	struct counting *counting; /* owned; NULL: it cannot be counted */
	struct count *before;	   /* owned: [plan->n] */
	bool asked;		   /* at this look */
};

struct census_tlb {
	const struct count_plan *plan;
	const struct counting_kernel *kernel;
	struct counted *process; /* owned: [n] */
	size_t n;
	struct count *now; /* owned: [plan->n]: since the look before */
	const struct counting *counting; /* whose they are */
};

static const char *const metrics[CENSUS_FIGURES] = {
	[CENSUS_L1_MISSES] = "tlb.l1d.misses",
	[CENSUS_L2_MISSES] = "tlb.l2.misses",
	[CENSUS_WALK_CYCLES] = "walk.cycles",
	[CENSUS_DTLB_MISSES] = "dtlb.load.misses",
	[CENSUS_ITLB_MISSES] = "itlb.misses",
};

const char *
census_tlb_metric(enum census_figure figure)
{
	return metrics[figure];
}

int
census_tlb_open(struct census_tlb **out, const struct count_plan *plan,
		const struct counting_kernel *kernel)
{
	struct census_tlb *tlb = calloc(1, sizeof(*tlb));

	if (tlb)
		tlb->now = calloc(plan->n, sizeof(*tlb->now));
	if (!tlb || !tlb->now) {
		free(tlb);
		return fail(ENOMEM, "counters: no memory");
	}
	tlb->plan = plan;
	tlb->kernel = kernel;
	*out = tlb;
	return 0;
}

static void
forget(struct counted *process)
{
	counting_close(process->counting);
	free(process->before);
	*process = (struct counted){ 0 };
}

void
census_tlb_close(struct census_tlb *tlb)
{
	if (!tlb)
		return;
	for (size_t i = 0; i < tlb->n; i++)
		forget(&tlb->process[i]);
	free(tlb->process);
	free(tlb->now);
	free(tlb);
}

/* Begin to count it.  What cannot be is not asked for again. */
static int
attach(const struct census_tlb *tlb, struct counted *process)
{
	const struct counting_setup setup = { .pid = process->pid,
					      .no_follow = true,
					      .kernel = tlb->kernel };
	char unheard[256];
	int error;

	process->before = calloc(tlb->plan->n, sizeof(*process->before));
	if (!process->before)
		return -ENOMEM;
	fail_listen(unheard, sizeof(unheard));
	error = counting_open(&process->counting, tlb->plan->event,
			      tlb->plan->n);
	if (!error)
		error = counting_attach(process->counting, &setup);
	if (!error)
		error = counting_enable(process->counting, true);
	fail_listen(NULL, 0);
	if (error) {
		counting_close(process->counting);
		process->counting = NULL;
	}
	return error;
}

static struct counted *
find(struct census_tlb *tlb, const struct census_row *row)
{
	struct counted *all;

	for (size_t i = 0; i < tlb->n; i++)
		if (tlb->process[i].pid == row->pid &&
		    tlb->process[i].start == row->start)
			return &tlb->process[i];
	all = reallocarray(tlb->process, tlb->n + 1, sizeof(*all));
	if (!all)
		return NULL;
	tlb->process = all;
	all[tlb->n] = (struct counted){ .pid = row->pid, .start = row->start };
	return &all[tlb->n++];
}

static bool
find_count(void *context, const char *event, double *count, const char **why)
{
	struct census_tlb *tlb = context;
	int i = count_plan_find(tlb->plan, event);

	*why = "not counted";
	return i >= 0 && !counting_reason(tlb->counting, (size_t)i) &&
	       count_scaled(&tlb->now[i], count);
}

void
census_tlb_row(struct census_tlb *tlb, struct census_row *row)
{
	struct counted *process = row->ended ? NULL : find(tlb, row);
	bool first = process && !process->before;
	const char *why;

	if (!process)
		return;
	process->asked = true;
	if (first && attach(tlb, process))
		return;
	if (first || !process->counting ||
	    counting_read(process->counting, tlb->now))
		return;
	for (size_t i = 0; i < tlb->plan->n; i++) {
		struct count *now = &tlb->now[i], *old = &process->before[i];
		const struct count sum = *now;

		now->value -= old->value;
		now->enabled_ns -= old->enabled_ns;
		now->running_ns -= old->running_ns;
		*old = sum;
	}
	tlb->counting = process->counting;
	for (int f = 0; f < CENSUS_FIGURES; f++) {
		const struct metric_row *metric =
			metrics[f]
				? metric_row_find(tlb->plan->family, metrics[f])
				: NULL;
		double value;

		if (!metric ||
		    metric_value(metric, find_count, tlb, &value, &why))
			continue;
		row->value[f] = value > 0 ? (uint64_t)llround(value) : 0;
		row->known |= 1u << f;
	}
}

void
census_tlb_end(struct census_tlb *tlb)
{
	size_t n = 0;

	for (size_t i = 0; i < tlb->n; i++) {
		struct counted *process = &tlb->process[i];

		if (!process->asked) {
			forget(process);
			continue;
		}
		process->asked = false;
		tlb->process[n++] = *process;
	}
	tlb->n = n;
}
