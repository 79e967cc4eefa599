// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libpfm4 turns a name into perf's numbers.  Software events are taken each
 * time (period 1); hardware events every 10007th, a prime so that loops of a
 * round length are not always met at the same place.
 */
#include "tracers/counters.h"
#include "analyzer/base.h"

#include "analyzer/fail.h"
#include "tracers/about.h"
#include "tracers/event-name.h"
#include "tracers/sampler.h"

#define HARDWARE_PERIOD 10007

static int
refuse(const char *event, int error)
{
	char why[256];

	event_refusal(error, why, sizeof(why));
	return fail(error == -EACCES || error == -EPERM ? EACCES : ENOENT,
		    "record: %s: %s", event, why);
}

static bool
is_page_fault(const struct perf_event_attr *attr)
{
	return attr->type == PERF_TYPE_SOFTWARE &&
	       (attr->config == PERF_COUNT_SW_PAGE_FAULTS ||
		attr->config == PERF_COUNT_SW_PAGE_FAULTS_MIN ||
		attr->config == PERF_COUNT_SW_PAGE_FAULTS_MAJ);
}

int
counters_open(struct tracer **out, const struct tracer_setup *setup,
	      const char *name)
{
	struct sampler_event event = { .name = name };
	const char *why;
	int error = event_encode(name, &event.attr, &why);

	if (error == -ENOENT)
		return refuse(name, error);
	if (error)
		return fail(
			EINVAL,
			"record: -e: no engine or event \"%s\" (libpfm4: %s)",
			name, why);
	if (!event.attr.sample_period)
		event.attr.sample_period =
			event.attr.type == PERF_TYPE_SOFTWARE ||
					event.attr.type == PERF_TYPE_TRACEPOINT
				? 1
				: HARDWARE_PERIOD;
	event.fault = is_page_fault(&event.attr);
	if (event.attr.config == PERF_COUNT_SW_PAGE_FAULTS_MAJ)
		event.flags = FAULT_FLAG_MAJOR;
	error = sampler_try(&event);
	if (error)
		return refuse(name, error);
	about_engine(setup->stream, name, "by time");
	return sampler_open(out, setup, name, &event, 1);
}
