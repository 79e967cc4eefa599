// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libpfm4 turns a name into perf's numbers.  Software events are taken each
 * time (period 1); hardware events every 10007th, a prime so that loops of a
 * round length are not always met at the same place.
 */
#include "tracers/counters.h"
#include "analyzer/base.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "analyzer/fail.h"
#include "tracers/about.h"
#include "tracers/sampler.h"

/* After the kernel's own perf_event.h, which it stands back for */
#include <perfmon/pfmlib_perf_event.h>

#define HARDWARE_PERIOD 10007

static int
refuse(const char *event, int error)
{
	char paranoid[16] = "?";
	FILE *file;

	if (error == -ENOENT || error == -EOPNOTSUPP || error == -ENODEV ||
	    error == -EINVAL)
		return fail(
			ENOENT,
			"record: %s: this host has no such event: no performance counters (PMU) here; run on the bare machine, or give the virtual machine a PMU (kvm: -cpu host,pmu=on)",
			event);
	file = fopen("/proc/sys/kernel/perf_event_paranoid", "re");
	if (file) {
		if (fgets(paranoid, sizeof(paranoid), file))
			paranoid[strcspn(paranoid, "\n")] = '\0';
		fclose(file);
	}
	if (error == -EACCES || error == -EPERM)
		return fail(
			EACCES,
			"record: %s: not allowed (kernel.perf_event_paranoid is %s); sysctl kernel.perf_event_paranoid=1",
			event, paranoid);
	return fail_errno(-error, "record: %s", event);
}

/* "skl::NAME:UMASK" begins with this event's name? */
static bool
is_event(const char *text, const char *name)
{
	const char *pmu = strstr(text, "::");
	size_t n;

	if (pmu)
		text = pmu + 2;
	n = strcspn(text, ":");
	return strlen(name) == n && !strncasecmp(text, name, n);
}

/* Does libpfm4 know it for some processor that is not here? */
static bool
is_of_other_machines(const char *text)
{
	for (int pmu = 0; pmu < PFM_PMU_MAX; pmu++) {
		pfm_pmu_info_t about = { .size = sizeof(about) };

		if (pfm_get_pmu_info((pfm_pmu_t)pmu, &about) != PFM_SUCCESS)
			continue;
		for (int i = about.first_event; i != -1;
		     i = pfm_get_event_next(i)) {
			pfm_event_info_t event = { .size = sizeof(event) };

			if (pfm_get_event_info(i, PFM_OS_NONE, &event) ==
				    PFM_SUCCESS &&
			    is_event(text, event.name))
				return true;
		}
	}
	return false;
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
	pfm_perf_encode_arg_t arg = { .attr = &event.attr,
				      .size = sizeof(arg) };
	int error = pfm_initialize();

	if (error == PFM_SUCCESS)
		error = pfm_get_os_event_encoding(name, PFM_PLM0 | PFM_PLM3,
						  PFM_OS_PERF_EVENT_EXT, &arg);
	if (error == PFM_ERR_NOTFOUND && is_of_other_machines(name))
		return refuse(name, -ENOENT);
	if (error != PFM_SUCCESS && error != PFM_ERR_NOTFOUND)
		return fail(EINVAL, "record: event %s: %s", name,
			    pfm_strerror(error));
	if (error != PFM_SUCCESS)
		return fail(
			EINVAL,
			"record: -e: no engine or event \"%s\" (libpfm4: %s)",
			name, pfm_strerror(error));
	if (!event.attr.sample_period)
		event.attr.sample_period =
			event.attr.type == PERF_TYPE_SOFTWARE ||
					event.attr.type == PERF_TYPE_TRACEPOINT
				? 1
				: HARDWARE_PERIOD;
	event.fault = is_page_fault(&event.attr);
	if (event.attr.config == PERF_COUNT_SW_PAGE_FAULTS_MAJ)
		event.flags = FAULT_FLAG_MAJOR;
	error = sampler_try(&event.attr);
	if (error)
		return refuse(name, error);
	about_engine(setup->stream, name, "by time");
	return sampler_open(out, setup, name, &event, 1);
}
