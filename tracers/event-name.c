// SPDX-License-Identifier: GPL-2.0-or-later
/* libpfm4 turns a name into perf's numbers; see the header. */
#include "tracers/event-name.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* After the kernel's own perf_event.h, which it stands back for */
#include <perfmon/pfmlib_perf_event.h>

void
event_refusal(int error, char *why, size_t why_bytes)
{
	char paranoid[16] = "?";
	FILE *file;

	switch (error) {
	case -ENOENT:
	case -EOPNOTSUPP:
	case -ENODEV:
	case -EINVAL:
		snprintf(
			why, why_bytes,
			"this host has no such event: no performance counters (PMU) here; run on the bare machine, or give the virtual machine a PMU (kvm: -cpu host,pmu=on)");
		return;
	case -EACCES:
	case -EPERM:
		file = fopen("/proc/sys/kernel/perf_event_paranoid", "re");
		if (file && fgets(paranoid, sizeof(paranoid), file))
			paranoid[strcspn(paranoid, "\n")] = '\0';
		if (file)
			fclose(file);
		snprintf(
			why, why_bytes,
			"not allowed (kernel.perf_event_paranoid is %s); sysctl kernel.perf_event_paranoid=1",
			paranoid);
		return;
	default:
		snprintf(why, why_bytes, "%s", strerror(-error));
	}
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

int
event_encode(const char *name, struct perf_event_attr *attr, const char **why)
{
	pfm_perf_encode_arg_t arg = { .attr = attr, .size = sizeof(arg) };
	int error = pfm_initialize();

	if (error == PFM_SUCCESS)
		error = pfm_get_os_event_encoding(name, PFM_PLM0 | PFM_PLM3,
						  PFM_OS_PERF_EVENT_EXT, &arg);
	if (error == PFM_SUCCESS)
		return 0;
	*why = pfm_strerror(error);
	if (error == PFM_ERR_NOTFOUND && is_of_other_machines(name))
		return -ENOENT;
	return -EINVAL;
}

bool
event_pmu_present(const char *pmu)
{
	if (pfm_initialize() != PFM_SUCCESS)
		return false;
	for (int i = 0; i < PFM_PMU_MAX; i++) {
		pfm_pmu_info_t about = { .size = sizeof(about) };

		if (pfm_get_pmu_info((pfm_pmu_t)i, &about) == PFM_SUCCESS &&
		    about.is_present && !strcmp(about.name, pmu))
			return true;
	}
	return false;
}
