/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What advice about huge pages is made of: walks, faults and touched pages of
 * each aligned 2 MiB of a space.
 *
 *	walk  -> chunk[space, address >> 21] += cycles, bit of its 4K page
 *	fault ->                             += 1, of a page of 2M apart
 */
#ifndef MODELS_ANALYSIS_CHUNKS_H
#define MODELS_ANALYSIS_CHUNKS_H

#include "analyzer/result.h"
#include "analyzer/stream.h"

#define CHUNK_SHIFT 21

struct chunks;

/* 0 or -ENOMEM (said). */
int chunks_open(struct chunks **out);
void chunks_close(struct chunks *chunks);

/* Where and when something happened; what is mapped there: [start, end) of
 * `region`, empty where that is not known. */
struct chunk_place {
	uint64_t address, position;
	uint64_t start, end;
	uint32_t space, region;
};

/* All: 0 or -ENOMEM (said). */
int chunks_walked(struct chunks *chunks, const struct chunk_place *place,
		  uint64_t cycles);
/* The first walk to its page since that was mapped. */
int chunks_touched(struct chunks *chunks, const struct chunk_place *place);
/* A fault has brought in a page of 2^shift bytes. */
int chunks_faulted(struct chunks *chunks, const struct chunk_place *place,
		   unsigned shift);

/* What names regions and spaces */
struct chunk_names {
	void *context;
	const char *(*region)(void *context, uint32_t region);
	const struct stream *stream;
	bool large; /* larger pages hid which 4K pages were touched */
};

/* The table regions.2m, by space and address.  0 or -ENOMEM. */
int chunks_finish(const struct chunks *chunks, const struct chunk_names *names,
		  struct result *result);

#endif
