// SPDX-License-Identifier: GPL-2.0-or-later
/* Records are multiples of 8 bytes and may wrap; see the header. */
#include "tracers/perf-ring.h"

#include <string.h>

bool
perf_ring_next(const void *data, uint64_t bytes, uint64_t head, uint64_t *tail,
	       struct perf_record *record, bool *damaged)
{
	const char *from = data;
	struct perf_event_header header;
	uint64_t at = *tail & (bytes - 1), first;

	if (*tail >= head)
		return false;
	memcpy(&header, from + at, sizeof(header));
	if (header.size < sizeof(header) || header.size % 8 ||
	    header.size > head - *tail || header.size > bytes) {
		*damaged = true;
		*tail = head;
		return false;
	}
	first = bytes - at < header.size ? bytes - at : header.size;
	memcpy(record, from + at, first);
	memcpy((char *)record + first, from, header.size - first);
	*tail += header.size;
	return true;
}
