/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of its processors' ways of sampling memory accesses a host has. */
#ifndef TRACERS_MEMORY_SOURCE_H
#define TRACERS_MEMORY_SOURCE_H

#include "analyzer/base.h"

#include <linux/perf_event.h>

#define MEMORY_SOURCE_EVENTS 3

struct memory_source {
	const char *kind; /* "PEBS", "IBS", "SPE" */
	struct {
		const char *name;	     /* "mem-loads" */
		struct perf_event_attr attr; /* type, config, period, precise */
		bool helper; /* leads the group, its samples are not wanted */
	} event[MEMORY_SOURCE_EVENTS];
	size_t n;
	bool grouped; /* all in the first one's group */
	bool ibs, spe;
	uint64_t sample_type; /* what is worth asking for */
};

/*
 * Look below root ("" is the host itself).  0; -ENODEV: none, with the reason
 * and the fix in why; -EINVAL: the kernel's description is not understood.
 */
int memory_source_find(const char *root, struct memory_source *source,
		       char *why, size_t why_bytes);

/*
 * Set the bits of a format ("config:0-7,32-35") in attr to value.  0 or -EINVAL
 */
int memory_source_format(const char *format, uint64_t value,
			 struct perf_event_attr *attr);

#endif
