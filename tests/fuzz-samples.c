// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Whatever a perf ring, a sample or SPE's packets hold, no byte beyond is read,
 * and what comes out is in range.  The first byte chooses: p: a ring of perf's
 * records, whose samples have the fields of the next eight bytes; s: SPE.
 */
#include "analyzer/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz.h"
#include "tracers/memory-sample.h"
#include "tracers/perf-ring.h"
#include "tracers/spe.h"

const char *const fuzz_corpora[] = { "tests/corpus/samples", NULL };

static void
check(const struct memory_sample *sample)
{
	FUZZ_HOLDS(SAMPLE_TLB(sample->flags) < SAMPLE_TLBS);
	FUZZ_HOLDS(SAMPLE_LEVEL(sample->flags) < SAMPLE_LEVELS);
}

static int
visit(void *context, const struct memory_sample *sample)
{
	(*(uint64_t *)context)++;
	check(sample);
	return 0;
}

/* The bytes as a ring of the next power of two, filled up with 0 */
static unsigned char *
ring_of(const uint8_t *data, size_t size, size_t *bytes)
{
	unsigned char *ring;

	for (*bytes = 64; *bytes < size; *bytes *= 2)
		;
	ring = calloc(1, *bytes);
	FUZZ_HOLDS(ring);
	memcpy(ring, data, size);
	return ring;
}

static void
perf(const uint8_t *data, size_t size)
{
	struct perf_record *record = malloc(sizeof(*record));
	uint64_t types, tail = 0;
	bool damaged = false;
	unsigned char *ring;
	size_t bytes;

	FUZZ_HOLDS(record);
	if (size < sizeof(types)) {
		free(record);
		return;
	}
	memcpy(&types, data, sizeof(types));
	ring = ring_of(data + 8, size - 8, &bytes);
	while (perf_ring_next(ring, bytes, size - 8, &tail, record, &damaged)) {
		size_t length = record->header.size - sizeof(record->header);
		unsigned char *exact = malloc(length + 1);
		struct memory_sample sample;

		FUZZ_HOLDS(exact && tail <= size - 8);
		memcpy(exact, &record->words[1], length);
		if (!memory_sample_decode(types, true, exact, length, &sample))
			check(&sample);
		free(exact);
	}
	FUZZ_HOLDS(tail <= size);
	free(ring);
	free(record);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t damaged = 0, n = 0;
	unsigned char *ring;
	size_t bytes;

	if (!size)
		return 0;
	if (data[0] == 'p') {
		perf(data + 1, size - 1);
		return 0;
	}
	ring = ring_of(data + 1, size - 1, &bytes);
	/* From the middle, so that it wraps */
	spe_decode(ring, bytes, bytes / 2, size - 1, visit, &n, &damaged);
	FUZZ_HOLDS(n + damaged <= size);
	free(ring);
	return 0;
}
