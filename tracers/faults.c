// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine `faults`: every page fault that the kernel takes for the target,
 * from perf's two software events for minor and major faults, each with
 * address, instruction, thread and time.
 */
#include "analyzer/base.h"

#include <stdio.h>
#include <string.h>

#include "analyzer/fail.h"
#include "tracers/about.h"
#include "tracers/sampler.h"

static void
describe(struct sampler_event *event, uint64_t config, uint16_t flags)
{
	*event = (struct sampler_event){
		.attr = { .type = PERF_TYPE_SOFTWARE,
			  .size = sizeof(event->attr),
			  .config = config,
			  .sample_period = 1 },
		.fault = true,
		.flags = flags,
		.name = "faults",
	};
}

static int
faults_probe(char *why, size_t why_bytes)
{
	struct sampler_event event;
	int error;

	describe(&event, PERF_COUNT_SW_PAGE_FAULTS_MIN, 0);
	error = sampler_try(&event);
	if (error == -EACCES || error == -EPERM)
		snprintf(
			why, why_bytes,
			"perf events are forbidden: sysctl kernel.perf_event_paranoid=1");
	else if (error)
		snprintf(
			why, why_bytes,
			"the kernel gives no page-fault events (%s): a kernel with CONFIG_PERF_EVENTS is needed",
			strerror(-error));
	return error;
}

static int
faults_open(struct tracer **out, const struct tracer_setup *setup)
{
	struct sampler_event events[2];
	int error = 0;

	describe(&events[0], PERF_COUNT_SW_PAGE_FAULTS_MIN, 0);
	describe(&events[1], PERF_COUNT_SW_PAGE_FAULTS_MAJ, FAULT_FLAG_MAJOR);
	for (int i = 0; i < 2 && !error; i++)
		error = sampler_try(&events[i]);
	if (error)
		return fail_errno(-error, "faults: perf_event_open");
	if (events[0].attr.exclude_kernel) {
		warn("faults: those taken in the kernel are left out (sysctl kernel.perf_event_paranoid=1 lets them in)");
		about_loss(setup->stream,
			   "page faults taken in the kernel: not allowed");
	}
	about_engine(setup->stream, "faults", "by time");
	return sampler_open(out, setup, "faults", events, 2);
}

const struct tracer_ops faults_tracer = {
	.name = "faults",
	.help = "every page fault the kernel takes, alone or beside another engine",
	.companion = true,
	.probe = faults_probe,
	.open = faults_open,
};
