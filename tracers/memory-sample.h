/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Samples of memory accesses as processors and kernel deliver them, decoded.
 * All here are functions of bytes: tests feed them what machines with PEBS,
 * IBS or SPE would have sent.
 */
#ifndef TRACERS_MEMORY_SAMPLE_H
#define TRACERS_MEMORY_SAMPLE_H

#include "analyzer/batch.h"

#include <linux/perf_event.h>

struct memory_sample {
	uint64_t id; /* of the event */
	uint64_t ip, address, physical, time_ns, period;
	uint32_t pid, tid;
	uint32_t latency, translation; /* cycles, 0: unknown */
	uint16_t flags;		       /* SAMPLE_* of analyzer/batch.h */
};

/* What memory_sample_decode can take apart */
#define MEMORY_SAMPLE_TYPES                                             \
	(PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID |    \
	 PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR | PERF_SAMPLE_ID |         \
	 PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD | \
	 PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_RAW | PERF_SAMPLE_WEIGHT | \
	 PERF_SAMPLE_WEIGHT_STRUCT | PERF_SAMPLE_DATA_SRC |             \
	 PERF_SAMPLE_TRANSACTION | PERF_SAMPLE_PHYS_ADDR |              \
	 PERF_SAMPLE_CGROUP | PERF_SAMPLE_DATA_PAGE_SIZE |              \
	 PERF_SAMPLE_CODE_PAGE_SIZE)

/*
 * The body (after the header) of a PERF_RECORD_SAMPLE of this sample_type.  ibs:
 * PERF_SAMPLE_RAW holds AMD's registers.  0, -EBADMSG: damaged or cut,
 * -ENOTSUP: a sample_type beyond MEMORY_SAMPLE_TYPES.
 */
int memory_sample_decode(uint64_t sample_type, bool ibs, const void *body,
			 size_t bytes, struct memory_sample *sample);

/* The flags of a perf_mem_data_src, without page size. */
uint16_t memory_sample_source(uint64_t data_src);

/*
 * AMD's IBS op registers as the kernel puts them into PERF_SAMPLE_RAW: u32
 * capabilities, then u64 OpCtl, OpRip, OpData, OpData2, OpData3, DcLinAd,
 * DcPhysAd.  Lays what they tell over sample.  0; -EBADMSG: cut; -ENOENT: the
 * op was no access of memory.
 */
int memory_sample_ibs(const void *raw, size_t bytes,
		      struct memory_sample *sample);

/* flags with the size of the page, which is a power of two or 0 */
uint16_t memory_sample_page(uint16_t flags, uint64_t page_bytes);

#endif
