/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records out of the bytes of a perf ring. */
#ifndef TRACERS_PERF_RING_H
#define TRACERS_PERF_RING_H

#include "analyzer/base.h"

#include <linux/perf_event.h>

/* A record is at most 64 KiB, whole and aligned here */
struct perf_record {
	union {
		struct perf_event_header header;
		uint64_t words[8192];
	};
};

/*
 * Copy the record at *tail (which may wrap around) and step over it.  data: the
 * ring, of `bytes` bytes, a power of two.  True; false: none up to head, or what
 * is there is no record (its size is none): *tail becomes head and *damaged
 * is set.
 */
bool perf_ring_next(const void *data, uint64_t bytes, uint64_t head,
		    uint64_t *tail, struct perf_record *record, bool *damaged);

#endif
