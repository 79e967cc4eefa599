/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Performance events by libpfm4's names, and why a host refuses one. */
#ifndef TRACERS_EVENT_NAME_H
#define TRACERS_EVENT_NAME_H

#include "analyzer/base.h"

#include <linux/perf_event.h>

/*
 * Fill in attr.  0; -ENOENT: it is one of other processors; -EINVAL: there is
 * no such event, or not with these attributes; *why is libpfm4's text then
 * (a literal).
 */
int event_encode(const char *name, struct perf_event_attr *attr,
		 const char **why);

/* What perf_event_open's error means, with the smallest fix. */
void event_refusal(int error, char *why, size_t why_bytes);

/* Is a PMU of this name of libpfm4 here? */
bool event_pmu_present(const char *pmu);

#endif
