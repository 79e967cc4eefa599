// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PERF_RECORD_SAMPLE field by field, in the order of perf_event_open(2); the
 * kernel's common words for where data came from; and AMD's registers, which
 * tell page sizes and the cycles of translation that those words cannot.
 * Registers: AMD's Processor Programming References, MSRC001_103x.
 */
#include "tracers/memory-sample.h"

#include <string.h>

struct reader {
	const unsigned char *at, *end;
	bool failed;
};

static uint64_t
take(struct reader *reader, size_t bytes)
{
	uint64_t value = 0;

	if ((size_t)(reader->end - reader->at) < bytes) {
		reader->failed = true;
		return 0;
	}
	memcpy(&value, reader->at, bytes);
	reader->at += bytes;
	return value;
}

static void
skip(struct reader *reader, uint64_t bytes)
{
	if ((uint64_t)(reader->end - reader->at) < bytes)
		reader->failed = true;
	else
		reader->at += bytes;
}

uint16_t
memory_sample_page(uint16_t flags, uint64_t page_bytes)
{
	unsigned shift;

	if (!page_bytes)
		return flags;
	shift = (unsigned)__builtin_ctzll(page_bytes);
	return (uint16_t)((flags & 0x3ff) | shift << 10);
}

static enum sample_tlb
tlb_of(unsigned tlb)
{
	bool first = tlb & PERF_MEM_TLB_L1, second = tlb & PERF_MEM_TLB_L2;

	if (tlb & PERF_MEM_TLB_OS)
		return SAMPLE_TLB_FAULT;
	if (tlb & PERF_MEM_TLB_WK)
		return SAMPLE_TLB_WALK;
	if (tlb & PERF_MEM_TLB_HIT)
		return first && second ? SAMPLE_TLB_HIT
		       : first	       ? SAMPLE_TLB_FIRST
		       : second	       ? SAMPLE_TLB_SECOND
				       : SAMPLE_TLB_HIT;
	if (tlb & PERF_MEM_TLB_MISS)
		return second || !first ? SAMPLE_TLB_WALK : SAMPLE_TLB_MISS;
	return 0;
}

/* The newer of the two ways in which the kernel tells the level */
static unsigned
level_by_number(const union perf_mem_data_src *source)
{
	static const uint8_t levels[16] = {
		[PERF_MEM_LVLNUM_L1] = SAMPLE_LEVEL_L1,
		[PERF_MEM_LVLNUM_L2] = SAMPLE_LEVEL_L2,
		[PERF_MEM_LVLNUM_L3] = SAMPLE_LEVEL_L3,
		[PERF_MEM_LVLNUM_L4] = SAMPLE_LEVEL_L4,
		/* 5: L2 MHB, 6: memory-side cache, of newer kernels */
		[5] = SAMPLE_LEVEL_FILL,
		[6] = SAMPLE_LEVEL_CACHE,
		[8] = SAMPLE_LEVEL_UNCACHED,
		[PERF_MEM_LVLNUM_CXL] = SAMPLE_LEVEL_CXL,
		[PERF_MEM_LVLNUM_IO] = SAMPLE_LEVEL_IO,
		[PERF_MEM_LVLNUM_ANY_CACHE] = SAMPLE_LEVEL_CACHE,
		[PERF_MEM_LVLNUM_LFB] = SAMPLE_LEVEL_FILL,
		[PERF_MEM_LVLNUM_RAM] = SAMPLE_LEVEL_RAM,
		[PERF_MEM_LVLNUM_PMEM] = SAMPLE_LEVEL_PMEM,
	};
	unsigned level = levels[source->mem_lvl_num];

	if (!source->mem_remote)
		return level;
	if (level == SAMPLE_LEVEL_RAM)
		return SAMPLE_LEVEL_REMOTE_RAM;
	return level && level <= SAMPLE_LEVEL_CACHE ? SAMPLE_LEVEL_REMOTE_CACHE
						    : level;
}

static unsigned
level_by_bits(unsigned bits)
{
	static const struct {
		unsigned bits, level;
	} rows[] = {
		{ PERF_MEM_LVL_REM_RAM1 | PERF_MEM_LVL_REM_RAM2,
		  SAMPLE_LEVEL_REMOTE_RAM },
		{ PERF_MEM_LVL_REM_CCE1 | PERF_MEM_LVL_REM_CCE2,
		  SAMPLE_LEVEL_REMOTE_CACHE },
		{ PERF_MEM_LVL_LOC_RAM, SAMPLE_LEVEL_RAM },
		{ PERF_MEM_LVL_L3, SAMPLE_LEVEL_L3 },
		{ PERF_MEM_LVL_L2, SAMPLE_LEVEL_L2 },
		{ PERF_MEM_LVL_LFB, SAMPLE_LEVEL_FILL },
		{ PERF_MEM_LVL_L1, SAMPLE_LEVEL_L1 },
		{ PERF_MEM_LVL_IO, SAMPLE_LEVEL_IO },
		{ PERF_MEM_LVL_UNC, SAMPLE_LEVEL_UNCACHED },
	};

	/* A miss names the last level that was asked, not where it was */
	if (bits & PERF_MEM_LVL_MISS && !(bits & PERF_MEM_LVL_HIT))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (bits & rows[i].bits)
			return rows[i].level;
	return 0;
}

uint16_t
memory_sample_source(uint64_t data_src)
{
	union perf_mem_data_src source = { .val = data_src };
	unsigned level = level_by_number(&source);
	enum sample_op op =
		source.mem_op & PERF_MEM_OP_LOAD    ? SAMPLE_OP_LOAD
		: source.mem_op & PERF_MEM_OP_STORE ? SAMPLE_OP_STORE
		: source.mem_op & (PERF_MEM_OP_PFETCH | PERF_MEM_OP_EXEC)
			? SAMPLE_OP_OTHER
			: 0;

	if (!level)
		level = level_by_bits(source.mem_lvl);
	return (uint16_t)(SAMPLE_FLAGS(op, tlb_of(source.mem_dtlb), level) |
			  (source.mem_lock & PERF_MEM_LOCK_LOCKED
				   ? SAMPLE_LOCKED
				   : 0));
}

/* OpData2's source, of Zen 4 on (with its two high bits) and before */
static unsigned
ibs_level(uint64_t data2, bool extended)
{
	static const uint8_t levels[16] = {
		[1] = SAMPLE_LEVEL_L3,	 [2] = SAMPLE_LEVEL_CACHE,
		[3] = SAMPLE_LEVEL_RAM,	 [5] = SAMPLE_LEVEL_REMOTE_CACHE,
		[6] = SAMPLE_LEVEL_PMEM, [7] = SAMPLE_LEVEL_IO,
		[8] = SAMPLE_LEVEL_CXL,	 [12] = SAMPLE_LEVEL_IO,
	};
	static const uint8_t old_levels[8] = {
		[2] = SAMPLE_LEVEL_L3,
		[3] = SAMPLE_LEVEL_RAM,
		[4] = SAMPLE_LEVEL_REMOTE_CACHE,
		[7] = SAMPLE_LEVEL_IO,
	};
	unsigned source = data2 & 7, level;
	bool remote = data2 >> 4 & 1;

	if (extended)
		source |= (unsigned)(data2 >> 6 & 3) << 3;
	level = extended ? (source < 16 ? levels[source] : 0)
			 : old_levels[source];
	if (remote && level == SAMPLE_LEVEL_RAM)
		return SAMPLE_LEVEL_REMOTE_RAM;
	if (remote && (level == SAMPLE_LEVEL_L3 || level == SAMPLE_LEVEL_CACHE))
		return SAMPLE_LEVEL_REMOTE_CACHE;
	return level;
}

#define IBS_CAPS_ZEN4 (1u << 11)

/* OpData3 */
enum {
	IBS_LOAD = 1 << 0,
	IBS_STORE = 1 << 1,
	IBS_L1_TLB_MISS = 1 << 2,
	IBS_L2_TLB_MISS = 1 << 3,
	IBS_L1_TLB_2M = 1 << 4,
	IBS_L1_TLB_1G = 1 << 5,
	IBS_L2_TLB_2M = 1 << 6,
	IBS_DC_MISS = 1 << 7,
	IBS_UNCACHED = 1 << 14,
	IBS_LOCKED = 1 << 15,
	IBS_LINEAR_VALID = 1 << 17,
	IBS_PHYSICAL_VALID = 1 << 18,
	IBS_L2_TLB_1G = 1 << 19,
	IBS_L2_MISS = 1 << 20,
};

static uint64_t
ibs_page(uint32_t bits)
{
	bool second = bits & IBS_L1_TLB_MISS;

	if (bits & (second ? IBS_L2_TLB_1G : IBS_L1_TLB_1G))
		return UINT64_C(1) << 30;
	if (bits & (second ? IBS_L2_TLB_2M : IBS_L1_TLB_2M))
		return UINT64_C(1) << 21;
	return second && bits & IBS_L2_TLB_MISS ? 0 : 4096;
}

int
memory_sample_ibs(const void *raw, size_t bytes, struct memory_sample *sample)
{
	struct reader reader = { raw, (const unsigned char *)raw + bytes,
				 false };
	uint32_t caps = (uint32_t)take(&reader, 4), bits;
	uint64_t value[7];
	unsigned level, tlb;
	uint16_t flags;

	for (size_t i = 0; i < ARRAY_SIZE(value); i++)
		value[i] = take(&reader, 8);
	if (reader.failed)
		return -EBADMSG;
	bits = (uint32_t)value[4];
	if (!(bits & (IBS_LOAD | IBS_STORE)) || !(bits & IBS_LINEAR_VALID))
		return -ENOENT;
	level = bits & IBS_UNCACHED	? SAMPLE_LEVEL_UNCACHED
		: !(bits & IBS_DC_MISS) ? SAMPLE_LEVEL_L1
		: !(bits & IBS_L2_MISS)
			? SAMPLE_LEVEL_L2
			: ibs_level(value[3], caps & IBS_CAPS_ZEN4);
	tlb = !(bits & IBS_L1_TLB_MISS)	  ? SAMPLE_TLB_FIRST
	      : !(bits & IBS_L2_TLB_MISS) ? SAMPLE_TLB_SECOND
					  : SAMPLE_TLB_WALK;
	flags = SAMPLE_FLAGS(bits & IBS_LOAD ? SAMPLE_OP_LOAD : SAMPLE_OP_STORE,
			     tlb, level);
	if (bits & IBS_LOCKED)
		flags |= SAMPLE_LOCKED;
	flags = memory_sample_page(flags, ibs_page(bits));
	/* What the kernel knows of the page is better than nothing */
	if (!SAMPLE_SHIFT(flags))
		flags |= sample->flags & 0xfc00;
	sample->flags = flags;
	sample->ip = value[1];
	sample->address = value[5];
	if (bits & IBS_PHYSICAL_VALID)
		sample->physical = value[6];
	if (bits & IBS_DC_MISS && bits & IBS_LOAD)
		sample->latency = value[4] >> 32 & 0xffff;
	if (bits & IBS_L1_TLB_MISS)
		sample->translation = (uint32_t)(value[4] >> 48);
	return 0;
}

/* Everything up to the period */
static void
take_identity(struct reader *reader, uint64_t type,
	      struct memory_sample *sample)
{
	if (type & PERF_SAMPLE_IDENTIFIER)
		sample->id = take(reader, 8);
	if (type & PERF_SAMPLE_IP)
		sample->ip = take(reader, 8);
	if (type & PERF_SAMPLE_TID) {
		sample->pid = (uint32_t)take(reader, 4);
		sample->tid = (uint32_t)take(reader, 4);
	}
	if (type & PERF_SAMPLE_TIME)
		sample->time_ns = take(reader, 8);
	if (type & PERF_SAMPLE_ADDR)
		sample->address = take(reader, 8);
	if (type & PERF_SAMPLE_ID)
		sample->id = take(reader, 8);
	if (type & PERF_SAMPLE_STREAM_ID)
		skip(reader, 8);
	if (type & PERF_SAMPLE_CPU)
		skip(reader, 8);
	if (type & PERF_SAMPLE_PERIOD)
		sample->period = take(reader, 8);
	if (type & PERF_SAMPLE_CALLCHAIN) {
		uint64_t n = take(reader, 8);

		skip(reader, n > UINT16_MAX ? UINT64_MAX : 8 * n);
	}
}

/* Everything from the weight on */
static void
take_source(struct reader *reader, uint64_t type, struct memory_sample *sample)
{
	uint64_t page = 0;

	if (type & (PERF_SAMPLE_WEIGHT | PERF_SAMPLE_WEIGHT_STRUCT)) {
		/* As a structure its low half is the latency; as a number it
		 * has no more than that */
		sample->latency = (uint32_t)take(reader, 8);
	}
	if (type & PERF_SAMPLE_DATA_SRC)
		sample->flags = memory_sample_source(take(reader, 8));
	if (type & PERF_SAMPLE_TRANSACTION)
		skip(reader, 8);
	if (type & PERF_SAMPLE_PHYS_ADDR)
		sample->physical = take(reader, 8);
	if (type & PERF_SAMPLE_CGROUP)
		skip(reader, 8);
	if (type & PERF_SAMPLE_DATA_PAGE_SIZE)
		page = take(reader, 8);
	if (type & PERF_SAMPLE_CODE_PAGE_SIZE)
		skip(reader, 8);
	sample->flags = memory_sample_page(sample->flags, page);
}

int
memory_sample_decode(uint64_t sample_type, bool ibs, const void *body,
		     size_t bytes, struct memory_sample *sample)
{
	struct reader reader = { body, (const unsigned char *)body + bytes,
				 false };
	const unsigned char *raw = NULL;
	uint32_t raw_bytes = 0;

	*sample = (struct memory_sample){ .period = 1 };
	if (sample_type & ~(uint64_t)MEMORY_SAMPLE_TYPES)
		return -ENOTSUP;
	take_identity(&reader, sample_type, sample);
	if (sample_type & PERF_SAMPLE_RAW) {
		raw_bytes = (uint32_t)take(&reader, 4);
		raw = reader.at;
		skip(&reader, raw_bytes);
	}
	take_source(&reader, sample_type, sample);
	if (reader.failed)
		return -EBADMSG;
	return ibs && raw ? memory_sample_ibs(raw, raw_bytes, sample) : 0;
}
