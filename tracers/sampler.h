/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * perf_event_open's samples as a tracer: for page faults and for any event
 * that libpfm4 names.
 */
#ifndef TRACERS_SAMPLER_H
#define TRACERS_SAMPLER_H

#include <linux/perf_event.h>

#include "tracers/tracer.h"

#define SAMPLER_EVENTS 3

struct sampler_event {
	struct perf_event_attr attr; /* type, config, period, exclusions */
	bool fault;	  /* becomes EVENT_FAULT, else EVENT_SAMPLE */
	uint16_t flags;	  /* of the fault: enum fault_flag */
	const char *name; /* for EVENT_SAMPLE; copied */
	/* Of memory accesses (memory-sample.h) */
	bool memory, ibs, spe;
	bool helper;	      /* its samples are not wanted */
	bool grouped;	      /* in the first event's group */
	uint64_t sample_type; /* further fields of samples */
};

/* 0, -ENOMEM (said).  "losses" in what is known about the recording tells
 * under `what` how many are missing. */
int sampler_open(struct tracer **out, const struct tracer_setup *setup,
		 const char *what, const struct sampler_event *events,
		 size_t n_events);

/* Can this event be opened here?  0 or -errno; tries again without the
 * kernel's part where only that is forbidden, and sets exclude_kernel. */
int sampler_try(struct sampler_event *event);

#endif
