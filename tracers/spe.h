/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of Arm's Statistical Profiling Extension, as its hardware writes them
 * into perf's AUX area (Arm ARM, chapter D17; data sources of Neoverse).
 */
#ifndef TRACERS_SPE_H
#define TRACERS_SPE_H

#include "tracers/memory-sample.h"

enum spe_type {
	SPE_PADDING,
	SPE_END,
	SPE_TIMESTAMP,
	SPE_EVENTS,
	SPE_SOURCE,
	SPE_CONTEXT,
	SPE_OPERATION,
	SPE_ADDRESS,
	SPE_COUNTER,
};

struct spe_packet {
	enum spe_type type;
	unsigned index; /* of the address, counter, context or class */
	uint64_t payload;
};

/* Its length in bytes, 0: cut, -EBADMSG: no packet. */
int spe_packet_next(const unsigned char *at, size_t bytes,
		    struct spe_packet *packet);

typedef int spe_visit(void *context, const struct memory_sample *sample);

/*
 * All records of `bytes` bytes that begin at offset of a ring of ring_bytes (a
 * power of two): each load or store with an address is visited, with period 1
 * and no id or time.  A packet that is none is skipped up to the next record;
 * *damaged counts these and a record that is cut.  What visit returns, or 0.
 */
int spe_decode(const unsigned char *ring, size_t ring_bytes, uint64_t offset,
	       uint64_t bytes, spe_visit *visit, void *context,
	       uint64_t *damaged);

#endif
