/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Performance events by the names of libpfm4. */
#ifndef TRACERS_COUNTERS_H
#define TRACERS_COUNTERS_H

#include "tracers/tracer.h"

/*
 * A companion that samples this event: "perf::PAGE-FAULTS",
 * "DTLB_LOAD_MISSES:...", with ":period=N" for every Nth.  0; -EINVAL: libpfm4
 * knows no such event; -ENOENT, -EACCES ...: this host has or allows none
 * (all said).
 */
int counters_open(struct tracer **out, const struct tracer_setup *setup,
		  const char *event);

#endif
