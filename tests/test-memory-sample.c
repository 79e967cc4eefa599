// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Samples of memory accesses, decoded from bytes as PEBS, IBS and SPE machines
 * would have sent them: written here one by one after the published layouts
 * (perf_event.h, AMD's registers, Arm's packets), whole, cut, damaged and
 * wrapped around the end of a ring.
 */
#include "tracers/memory-sample.h"
#include "tracers/memory-source.h"
#include "tracers/perf-ring.h"
#include "tracers/spe.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct bytes {
	unsigned char at[1024];
	size_t n;
};

static void
put(struct bytes *bytes, uint64_t value, size_t n)
{
	assert_true(bytes->n + n <= sizeof(bytes->at));
	for (size_t i = 0; i < n; i++)
		bytes->at[bytes->n++] = (unsigned char)(value >> 8 * i);
}

#define PEBS_TYPES                                                   \
	(PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | \
	 PERF_SAMPLE_TIME | PERF_SAMPLE_ADDR | PERF_SAMPLE_PERIOD |  \
	 PERF_SAMPLE_WEIGHT_STRUCT | PERF_SAMPLE_DATA_SRC |          \
	 PERF_SAMPLE_PHYS_ADDR | PERF_SAMPLE_DATA_PAGE_SIZE)

static void
put_head(struct bytes *bytes)
{
	put(bytes, 77, 8);	       /* identifier */
	put(bytes, 0x401234, 8);       /* ip */
	put(bytes, 1000, 4);	       /* pid */
	put(bytes, 1001, 4);	       /* tid */
	put(bytes, 123456789, 8);      /* time */
	put(bytes, 0x7f0012345678, 8); /* addr */
	put(bytes, 10007, 8);	       /* period */
}

/* A load that missed the second-level TLB and came from memory */
static const uint64_t walked =
	PERF_MEM_S(OP, LOAD) | PERF_MEM_S(LVL, HIT) | PERF_MEM_S(LVL, LOC_RAM) |
	PERF_MEM_S(TLB, MISS) | PERF_MEM_S(TLB, L2) | PERF_MEM_S(LVLNUM, RAM) |
	PERF_MEM_S(LOCK, LOCKED);

static struct bytes
pebs_body(void)
{
	struct bytes bytes = { .n = 0 };

	put_head(&bytes);
	put(&bytes, 345, 4); /* latency */
	put(&bytes, 9, 2);
	put(&bytes, 7, 2);
	put(&bytes, walked, 8);
	put(&bytes, 0x123456000, 8); /* physical */
	put(&bytes, 2 << 20, 8);     /* page size */
	return bytes;
}

static void
pebs(void **state)
{
	struct bytes bytes = pebs_body();
	struct memory_sample sample;

	(void)state;
	assert_int_equal(memory_sample_decode(PEBS_TYPES, false, bytes.at,
					      bytes.n, &sample),
			 0);
	assert_int_equal(sample.id, 77);
	assert_int_equal(sample.ip, 0x401234);
	assert_int_equal(sample.pid, 1000);
	assert_int_equal(sample.tid, 1001);
	assert_int_equal(sample.time_ns, 123456789);
	assert_int_equal(sample.address, 0x7f0012345678);
	assert_int_equal(sample.period, 10007);
	assert_int_equal(sample.latency, 345);
	assert_int_equal(sample.physical, 0x123456000);
	assert_int_equal(SAMPLE_OP(sample.flags), SAMPLE_OP_LOAD);
	assert_int_equal(SAMPLE_TLB(sample.flags), SAMPLE_TLB_WALK);
	assert_int_equal(SAMPLE_LEVEL(sample.flags), SAMPLE_LEVEL_RAM);
	assert_true(sample.flags & SAMPLE_LOCKED);
	assert_int_equal(SAMPLE_SHIFT(sample.flags), 21);
	/* Cut anywhere it is no sample, and nothing beyond is read */
	for (size_t n = 0; n < bytes.n; n++) {
		unsigned char *exact = malloc(n + 1);

		assert_non_null(exact);
		memcpy(exact, bytes.at, n);
		assert_int_equal(memory_sample_decode(PEBS_TYPES, false, exact,
						      n, &sample),
				 -EBADMSG);
		free(exact);
	}
	assert_int_equal(memory_sample_decode(PEBS_TYPES | PERF_SAMPLE_READ,
					      false, bytes.at, bytes.n,
					      &sample),
			 -ENOTSUP);
}

/* Fields between that we do not want are stepped over */
static void
other_fields(void **state)
{
	struct bytes bytes = { .n = 0 };
	struct memory_sample sample;
	uint64_t types = PERF_SAMPLE_IP | PERF_SAMPLE_ID |
			 PERF_SAMPLE_STREAM_ID | PERF_SAMPLE_CPU |
			 PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_RAW |
			 PERF_SAMPLE_WEIGHT | PERF_SAMPLE_TRANSACTION |
			 PERF_SAMPLE_CGROUP | PERF_SAMPLE_CODE_PAGE_SIZE |
			 PERF_SAMPLE_PHYS_ADDR;
	size_t chain;

	(void)state;
	put(&bytes, 1, 8); /* ip */
	put(&bytes, 2, 8); /* id */
	put(&bytes, 3, 8); /* stream */
	put(&bytes, 4, 8); /* cpu */
	chain = bytes.n;
	put(&bytes, 2, 8); /* two callers */
	put(&bytes, 5, 8);
	put(&bytes, 6, 8);
	put(&bytes, 12, 4); /* raw */
	put(&bytes, 7, 8);
	put(&bytes, 8, 4);
	put(&bytes, 99, 8); /* weight */
	put(&bytes, 9, 8);  /* transaction */
	put(&bytes, 10, 8); /* physical */
	put(&bytes, 11, 8); /* cgroup */
	put(&bytes, 12, 8); /* code page */
	assert_int_equal(memory_sample_decode(types, false, bytes.at, bytes.n,
					      &sample),
			 0);
	assert_int_equal(sample.ip, 1);
	assert_int_equal(sample.id, 2);
	assert_int_equal(sample.latency, 99);
	assert_int_equal(sample.physical, 10);
	assert_int_equal(sample.period, 1);
	assert_int_equal(sample.flags, 0);
	/* A chain of 2^61 callers is not 0 bytes long */
	memset(&bytes.at[chain], 0, 8);
	bytes.at[chain + 7] = 0x20;
	assert_int_equal(memory_sample_decode(types, false, bytes.at, bytes.n,
					      &sample),
			 -EBADMSG);
}

static void
sources(void **state)
{
	static const struct {
		uint64_t source;
		unsigned op, tlb, level;
	} rows[] = {
		{ PERF_MEM_S(OP, NA) | PERF_MEM_S(LVL, NA) |
			  PERF_MEM_S(TLB, NA) | PERF_MEM_S(LVLNUM, NA),
		  0, 0, 0 },
		{ PERF_MEM_S(OP, STORE) | PERF_MEM_S(LVL, HIT) |
			  PERF_MEM_S(LVL, L1) | PERF_MEM_S(TLB, HIT) |
			  PERF_MEM_S(TLB, L1),
		  SAMPLE_OP_STORE, SAMPLE_TLB_FIRST, SAMPLE_LEVEL_L1 },
		/* Intel does not tell the two levels apart */
		{ PERF_MEM_S(OP, LOAD) | PERF_MEM_S(LVL, HIT) |
			  PERF_MEM_S(LVL, LFB) | PERF_MEM_S(TLB, HIT) |
			  PERF_MEM_S(TLB, L1) | PERF_MEM_S(TLB, L2) |
			  PERF_MEM_S(LVLNUM, LFB),
		  SAMPLE_OP_LOAD, SAMPLE_TLB_HIT, SAMPLE_LEVEL_FILL },
		{ PERF_MEM_S(OP, LOAD) | PERF_MEM_S(TLB, HIT) |
			  PERF_MEM_S(TLB, L2) | PERF_MEM_S(LVLNUM, L3),
		  SAMPLE_OP_LOAD, SAMPLE_TLB_SECOND, SAMPLE_LEVEL_L3 },
		{ PERF_MEM_S(OP, LOAD) | PERF_MEM_S(LVLNUM, RAM) |
			  PERF_MEM_S(REMOTE, REMOTE) | PERF_MEM_S(TLB, WK),
		  SAMPLE_OP_LOAD, SAMPLE_TLB_WALK, SAMPLE_LEVEL_REMOTE_RAM },
		{ PERF_MEM_S(OP, LOAD) | PERF_MEM_S(LVLNUM, ANY_CACHE) |
			  PERF_MEM_S(REMOTE, REMOTE) | PERF_MEM_S(TLB, OS),
		  SAMPLE_OP_LOAD, SAMPLE_TLB_FAULT, SAMPLE_LEVEL_REMOTE_CACHE },
		{ PERF_MEM_S(OP, PFETCH) | PERF_MEM_S(LVL, MISS) |
			  PERF_MEM_S(LVL, L3) | PERF_MEM_S(TLB, MISS) |
			  PERF_MEM_S(TLB, L1),
		  SAMPLE_OP_OTHER, SAMPLE_TLB_MISS, 0 },
		{ PERF_MEM_S(OP, LOAD) | PERF_MEM_S(LVL, HIT) |
			  PERF_MEM_S(LVL, UNC),
		  SAMPLE_OP_LOAD, 0, SAMPLE_LEVEL_UNCACHED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint16_t flags = memory_sample_source(rows[i].source);

		assert_int_equal(SAMPLE_OP(flags), rows[i].op);
		assert_int_equal(SAMPLE_TLB(flags), rows[i].tlb);
		assert_int_equal(SAMPLE_LEVEL(flags), rows[i].level);
		assert_int_equal(SAMPLE_SHIFT(flags), 0);
	}
}

/* Registers of one op: capabilities, then OpCtl ... DcPhysAd */
static struct bytes
ibs_raw(uint32_t caps, uint64_t data2, uint64_t data3)
{
	struct bytes bytes = { .n = 0 };

	put(&bytes, caps, 4);
	put(&bytes, 0, 8);
	put(&bytes, 0x5555, 8);
	put(&bytes, 0, 8);
	put(&bytes, data2, 8);
	put(&bytes, data3, 8);
	put(&bytes, 0x7fff0000, 8);
	put(&bytes, 0x88888000, 8);
	return bytes;
}

enum {
	LOAD = 1,
	STORE = 2,
	L1_MISS = 4,
	L2_MISS = 8,
	L1_2M = 16,
	L1_1G = 32,
	L2_2M = 64,
	DC_MISS = 128,
	VALID = 3 << 17,
	L2_1G = 1 << 19,
	CACHE2_MISS = 1 << 20,
	ZEN4 = 1 << 11,
};
static const uint64_t times = UINT64_C(200) << 32 | UINT64_C(50) << 48;
static const struct {
	uint32_t caps;
	uint64_t data2, data3;
	unsigned op, tlb, level, shift, latency, refill;
} ibs_rows[] = {
	{ 0, 0, LOAD | VALID, SAMPLE_OP_LOAD, SAMPLE_TLB_FIRST, SAMPLE_LEVEL_L1,
	  12, 0, 0 },
	{ 0, 0, STORE | L1_2M | VALID, SAMPLE_OP_STORE, SAMPLE_TLB_FIRST,
	  SAMPLE_LEVEL_L1, 21, 0, 0 },
	{ 0, 0, LOAD | L1_MISS | L2_1G | VALID, SAMPLE_OP_LOAD,
	  SAMPLE_TLB_SECOND, SAMPLE_LEVEL_L1, 30, 0, 50 },
	{ 0, 0, LOAD | L1_MISS | L2_2M | DC_MISS | VALID, SAMPLE_OP_LOAD,
	  SAMPLE_TLB_SECOND, SAMPLE_LEVEL_L2, 21, 200, 50 },
	/* Walks do not tell their page's size; 3 is memory */
	{ 0, 3, LOAD | L1_MISS | L2_MISS | DC_MISS | CACHE2_MISS | VALID,
	  SAMPLE_OP_LOAD, SAMPLE_TLB_WALK, SAMPLE_LEVEL_RAM, 0, 200, 50 },
	{ 0, 3 | 16, LOAD | DC_MISS | CACHE2_MISS | VALID, SAMPLE_OP_LOAD,
	  SAMPLE_TLB_FIRST, SAMPLE_LEVEL_REMOTE_RAM, 12, 200, 0 },
	/* 2 was the local L3 before Zen 4, then 1 */
	{ 0, 2, LOAD | DC_MISS | CACHE2_MISS | VALID, SAMPLE_OP_LOAD,
	  SAMPLE_TLB_FIRST, SAMPLE_LEVEL_L3, 12, 200, 0 },
	{ ZEN4, 1, LOAD | DC_MISS | CACHE2_MISS | VALID, SAMPLE_OP_LOAD,
	  SAMPLE_TLB_FIRST, SAMPLE_LEVEL_L3, 12, 200, 0 },
	/* 8: bit 6 is the source's bit 3 */
	{ ZEN4, 0x40, LOAD | DC_MISS | CACHE2_MISS | VALID, SAMPLE_OP_LOAD,
	  SAMPLE_TLB_FIRST, SAMPLE_LEVEL_CXL, 12, 200, 0 },
};

static void
ibs(void **state)
{
	struct memory_sample sample;
	struct bytes bytes;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ibs_rows); i++) {
		sample = (struct memory_sample){ .period = 1 };
		bytes = ibs_raw(ibs_rows[i].caps, ibs_rows[i].data2,
				ibs_rows[i].data3 | times);
		assert_int_equal(memory_sample_ibs(bytes.at, bytes.n, &sample),
				 0);
		assert_int_equal(SAMPLE_OP(sample.flags), ibs_rows[i].op);
		assert_int_equal(SAMPLE_TLB(sample.flags), ibs_rows[i].tlb);
		assert_int_equal(SAMPLE_LEVEL(sample.flags), ibs_rows[i].level);
		assert_int_equal(SAMPLE_SHIFT(sample.flags), ibs_rows[i].shift);
		assert_int_equal(sample.latency, ibs_rows[i].latency);
		assert_int_equal(sample.translation, ibs_rows[i].refill);
		assert_int_equal(sample.ip, 0x5555);
		assert_int_equal(sample.address, 0x7fff0000);
		assert_int_equal(sample.physical, 0x88888000);
	}
	/* An op that touched no memory; registers that are cut */
	bytes = ibs_raw(0, 0, 0);
	assert_int_equal(memory_sample_ibs(bytes.at, bytes.n, &sample),
			 -ENOENT);
	for (size_t n = 0; n < bytes.n; n++)
		assert_int_equal(memory_sample_ibs(bytes.at, n, &sample),
				 -EBADMSG);
}

/* The registers lie within a sample, and know more than the kernel's word */
static void
ibs_in_a_sample(void **state)
{
	struct bytes raw =
		ibs_raw(0, 0, 1 | 4 | 8 | 3 << 17 | UINT64_C(33) << 48);
	struct bytes bytes = { .n = 0 };
	struct memory_sample sample;
	uint64_t types = PEBS_TYPES | PERF_SAMPLE_RAW;

	(void)state;
	put_head(&bytes);
	put(&bytes, raw.n, 4);
	memcpy(bytes.at + bytes.n, raw.at, raw.n);
	bytes.n += raw.n;
	put(&bytes, 345, 8);
	put(&bytes, PERF_MEM_S(OP, LOAD), 8);
	put(&bytes, 0x1000, 8);
	put(&bytes, 4096, 8);
	assert_int_equal(memory_sample_decode(types, true, bytes.at, bytes.n,
					      &sample),
			 0);
	assert_int_equal(SAMPLE_TLB(sample.flags), SAMPLE_TLB_WALK);
	assert_int_equal(SAMPLE_SHIFT(sample.flags), 12); /* the kernel's */
	assert_int_equal(sample.translation, 33);
	assert_int_equal(sample.tid, 1001);
	assert_int_equal(sample.physical, 0x88888000);
}

/* A record of SPE: a load that walked, from memory, in 300 cycles */
static void
put_spe(struct bytes *bytes)
{
	put(bytes, 0xb0, 1); /* pc, of EL0 */
	put(bytes, 0x400abc, 8);
	put(bytes, 0x65, 1); /* context of EL1 */
	put(bytes, 4242, 4);
	put(bytes, 0x49, 1); /* a load */
	put(bytes, 0x00, 1);
	put(bytes, 0x52, 1); /* 2 bytes of events: retired, L1, TLB, walk */
	put(bytes, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 9, 2);
	put(bytes, 0x98, 1); /* latency */
	put(bytes, 300, 2);
	put(bytes, 0x99, 1); /* until issue */
	put(bytes, 20, 2);
	put(bytes, 0x9a, 1); /* of the translation */
	put(bytes, 80, 2);
	put(bytes, 0xb2, 1); /* data address, with a tag above */
	put(bytes, 0xaa00ffff00001000, 8);
	put(bytes, 0x43, 1); /* source: memory */
	put(bytes, 0xe, 1);
	put(bytes, 0xb3, 1); /* physical, not secure */
	put(bytes, UINT64_C(1) << 63 | 0x90000, 8);
	put(bytes, 0x71, 1); /* timestamp */
	put(bytes, 999, 8);
}

struct seen {
	unsigned n;
	struct memory_sample last;
};

static int
see(void *context, const struct memory_sample *sample)
{
	struct seen *seen = context;

	seen->n++;
	seen->last = *sample;
	return 0;
}

static void
check_spe(const struct memory_sample *sample)
{
	assert_int_equal(sample->ip, 0x400abc);
	assert_int_equal(sample->address, 0xffff00001000);
	assert_int_equal(sample->physical, 0x90000);
	assert_int_equal(sample->tid, 4242);
	assert_int_equal(sample->latency, 300);
	assert_int_equal(sample->translation, 80);
	assert_int_equal(SAMPLE_OP(sample->flags), SAMPLE_OP_LOAD);
	assert_int_equal(SAMPLE_TLB(sample->flags), SAMPLE_TLB_WALK);
	assert_int_equal(SAMPLE_LEVEL(sample->flags), SAMPLE_LEVEL_RAM);
}

static void
spe(void **state)
{
	struct bytes bytes = { .n = 0 };
	struct seen seen = { 0 };
	uint64_t damaged = 0;
	size_t one;

	(void)state;
	put_spe(&bytes);
	one = bytes.n;
	put(&bytes, 0, 3); /* padding */
	/* A branch is none of ours */
	put(&bytes, 0xb0, 1);
	put(&bytes, 0x400000, 8);
	put(&bytes, 0x4a, 1);
	put(&bytes, 0, 1);
	put(&bytes, 0x01, 1); /* end */
	/* A store whose address packet has an extended header */
	put(&bytes, 0x49, 1);
	put(&bytes, 1, 1);
	put(&bytes, 0x20, 1);
	put(&bytes, 0xb2, 1);
	put(&bytes, 0x1234, 8);
	put(&bytes, 0x01, 1);
	assert_int_equal(spe_decode(bytes.at, 1024, 0, bytes.n, see, &seen,
				    &damaged),
			 0);
	assert_int_equal(damaged, 0);
	assert_int_equal(seen.n, 2);
	assert_int_equal(seen.last.address, 0x1234);
	assert_int_equal(SAMPLE_OP(seen.last.flags), SAMPLE_OP_STORE);
	assert_int_equal(SAMPLE_TLB(seen.last.flags), 0);
	/* Cut anywhere it is no record, and that is told */
	for (size_t n = 1; n < one; n++) {
		seen.n = 0;
		damaged = 0;
		spe_decode(bytes.at, 1024, 0, n, see, &seen, &damaged);
		assert_int_equal(seen.n, 0);
		if (n >= 9) /* some packet was whole */
			assert_int_equal(damaged, 1);
	}
	seen.n = 0;
	spe_decode(bytes.at, 1024, 0, one, see, &seen, &damaged);
	assert_int_equal(seen.n, 1);
	check_spe(&seen.last);
}

static void
spe_wraps(void **state)
{
	unsigned char ring[128];
	struct bytes bytes = { .n = 0 };

	(void)state;
	put_spe(&bytes);
	assert_true(bytes.n < sizeof(ring));
	for (size_t start = 0; start < sizeof(ring); start++) {
		struct seen seen = { 0 };
		uint64_t damaged = 0;

		memset(ring, 0xff, sizeof(ring));
		for (size_t i = 0; i < bytes.n; i++)
			ring[(start + i) % sizeof(ring)] = bytes.at[i];
		/* Offsets only grow */
		spe_decode(ring, sizeof(ring), 4096 + start, bytes.n, see,
			   &seen, &damaged);
		assert_int_equal(seen.n, 1);
		assert_int_equal(damaged, 0);
		check_spe(&seen.last);
	}
}

/* What is no packet spoils its record, not those after the next end */
static void
spe_damaged(void **state)
{
	struct bytes bytes = { .n = 0 };
	struct seen seen = { 0 };
	uint64_t damaged = 0;

	(void)state;
	put(&bytes, 0xff, 1);
	put(&bytes, 0xfe, 1);
	put_spe(&bytes); /* spoiled */
	put_spe(&bytes);
	spe_decode(bytes.at, 1024, 0, bytes.n, see, &seen, &damaged);
	assert_int_equal(seen.n, 1);
	assert_int_equal(damaged, 1);
	check_spe(&seen.last);
	/* Any byte changed: never more records than there are ends */
	for (size_t i = 0; i < bytes.n; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes.at[i] ^= (unsigned char)(1u << bit);
			seen.n = 0;
			spe_decode(bytes.at, 1024, 0, bytes.n, see, &seen,
				   &damaged);
			assert_true(seen.n <= 8);
			bytes.at[i] ^= (unsigned char)(1u << bit);
		}
}

/* Two records in a ring of 256 bytes, the second around its end */
static void
rings(void **state)
{
	struct bytes body = pebs_body();
	uint64_t words[32] = { 0 };
	char *ring = (char *)words;
	struct perf_event_header header = { PERF_RECORD_SAMPLE, 0, 0 };
	struct perf_record record;
	struct memory_sample sample;
	bool damaged = false;

	(void)state;
	header.size = (uint16_t)(sizeof(header) + body.n);
	for (uint64_t start = 0; start < 256; start += 8) {
		uint64_t tail = 4096 + start, head = tail + 2u * header.size;

		for (unsigned k = 0; k < 2; k++)
			for (size_t i = 0; i < header.size; i++)
				ring[(start + k * header.size + i) % 256] =
					i < sizeof(header)
						? ((char *)&header)[i]
						: (char)body.at[i - 8];
		for (unsigned k = 0; k < 2; k++) {
			assert_true(perf_ring_next(ring, 256, head, &tail,
						   &record, &damaged));
			assert_int_equal(record.header.size, header.size);
			assert_int_equal(memory_sample_decode(PEBS_TYPES, false,
							      &record.words[1],
							      body.n, &sample),
					 0);
			assert_int_equal(sample.physical, 0x123456000);
		}
		assert_false(perf_ring_next(ring, 256, head, &tail, &record,
					    &damaged));
		assert_int_equal(tail, head);
		assert_false(damaged);
	}
}

static void
rings_damaged(void **state)
{
	static const uint16_t sizes[] = { 0, 4, 7, 12, 72, 0xfff8 };
	uint64_t words[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct perf_event_header header = { PERF_RECORD_SAMPLE, 0,
						    sizes[i] };
		struct perf_record record;
		uint64_t tail = 16, head = 80; /* 64 bytes */
		bool damaged = false;

		memset(words, 0, sizeof(words));
		memcpy(&words[2], &header, sizeof(header));
		assert_false(perf_ring_next(words, sizeof(words), head, &tail,
					    &record, &damaged));
		assert_true(damaged);
		assert_int_equal(tail, head);
	}
}

static char root[64];

static void
write_file(const char *pmu, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/sys/bus/event_source/devices/%s/%s",
		 root, pmu, name);
	for (char *slash = strchr(path + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0777);
		*slash = '/';
	}
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void
begin(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	assert_int_equal(system(command), 0);
	assert_int_equal(mkdir(root, 0777), 0);
}

static void
hosts(void **state)
{
	struct memory_source source;
	char why[512];

	(void)state;
	begin();
	assert_int_equal(memory_source_find(root, &source, why, sizeof(why)),
			 -ENODEV);
	assert_non_null(strstr(why, "PMU"));
	/* Skylake */
	write_file("cpu", "type", "4\n");
	write_file("cpu", "events/mem-loads", "event=0xcd,umask=0x1,ldlat=3\n");
	write_file("cpu", "events/mem-stores", "event=0xd0,umask=0x82\n");
	write_file("cpu", "format/event", "config:0-7\n");
	write_file("cpu", "format/umask", "config:8-15\n");
	write_file("cpu", "format/ldlat", "config1:0-15\n");
	assert_int_equal(memory_source_find(root, &source, why, sizeof(why)),
			 0);
	assert_string_equal(source.kind, "PEBS");
	assert_int_equal(source.n, 2);
	assert_false(source.grouped);
	assert_int_equal(source.event[0].attr.type, 4);
	assert_int_equal(source.event[0].attr.config, 0x1cd);
	assert_int_equal(source.event[0].attr.config1, 3);
	assert_int_equal(source.event[0].attr.precise_ip, 2);
	assert_int_equal(source.event[1].attr.config, 0x82d0);
	/* Sapphire Rapids: loads only beside their helper */
	write_file("cpu", "events/mem-loads-aux", "event=0x03,umask=0x82\n");
	assert_int_equal(memory_source_find(root, &source, why, sizeof(why)),
			 0);
	assert_int_equal(source.n, 3);
	assert_true(source.grouped && source.event[0].helper);
	assert_int_equal(source.event[0].attr.config, 0x8203);
	assert_int_equal(source.event[1].attr.config, 0x1cd);
	/* What is not understood is said, not guessed */
	write_file("cpu", "format/ldlat", "config9:0-15\n");
	assert_int_equal(memory_source_find(root, &source, why, sizeof(why)),
			 -EINVAL);
}

/* A core PMU without such events beside IBS; SPE */
static void
other_hosts(void **state)
{
	struct memory_source source;
	char why[512];

	(void)state;
	begin();
	write_file("cpu", "type", "4\n");
	write_file("cpu", "format/event", "config:0-7,32-35\n");
	write_file("ibs_op", "type", "11\n");
	write_file("ibs_op", "format/cnt_ctl", "config:19\n");
	assert_int_equal(memory_source_find(root, &source, why, sizeof(why)),
			 0);
	assert_string_equal(source.kind, "IBS");
	assert_true(source.ibs);
	assert_int_equal(source.event[0].attr.type, 11);
	assert_int_equal(source.event[0].attr.config, 1 << 19);
	assert_int_equal(source.event[0].attr.sample_period % 16, 0);
	/* Arm */
	begin();
	write_file("arm_spe_0", "type", "9\n");
	write_file("arm_spe_0", "format/ts_enable", "config:0\n");
	write_file("arm_spe_0", "format/load_filter", "config:33\n");
	write_file("arm_spe_0", "format/store_filter", "config:34\n");
	assert_int_equal(memory_source_find(root, &source, why, sizeof(why)),
			 0);
	assert_string_equal(source.kind, "SPE");
	assert_int_equal(source.event[0].attr.config, UINT64_C(0x600000001));
	begin();
	rmdir(root);
}

static void
formats(void **state)
{
	struct perf_event_attr attr = { .type = 0 };
	static const char *const bad[] = { "",		 "config",
					   "config:",	 "config:x",
					   "config:7-3", "config:64",
					   "config3:0",	 "config:0-3;" };

	(void)state;
	assert_int_equal(memory_source_format("config:0-7,32-35", 0xabc, &attr),
			 0);
	assert_int_equal(attr.config, UINT64_C(0xa000000bc));
	assert_int_equal(memory_source_format("config2:60-63", 5, &attr), 0);
	assert_int_equal(attr.config2, UINT64_C(5) << 60);
	/* A value that is too large */
	assert_int_equal(memory_source_format("config:0-3", 16, &attr),
			 -EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(memory_source_format(bad[i], 1, &attr),
				 -EINVAL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pebs),
		cmocka_unit_test(other_fields),
		cmocka_unit_test(sources),
		cmocka_unit_test(ibs),
		cmocka_unit_test(ibs_in_a_sample),
		cmocka_unit_test(spe),
		cmocka_unit_test(spe_wraps),
		cmocka_unit_test(spe_damaged),
		cmocka_unit_test(rings),
		cmocka_unit_test(rings_damaged),
		cmocka_unit_test(hosts),
		cmocka_unit_test(other_hosts),
		cmocka_unit_test(formats),
	};

	snprintf(root, sizeof(root), "/tmp/pagescope-memory-%d", (int)getpid());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
