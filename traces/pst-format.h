/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The outer layout of a .pst file: sections, and how their heads are coded.
 * traces/FORMAT.md is the specification.
 *
 *	head     skippable frame: what was recorded, as JSON
 *	section  skippable frame of 64 bytes, then one zstd frame
 *	...
 *	index    skippable frame: totals as JSON, where the sections are, trailer
 */
#ifndef TRACES_PST_FORMAT_H
#define TRACES_PST_FORMAT_H

#include "analyzer/base.h"

#define PST_VERSION 1

/* zstd skippable frame magics; the frame's length follows in 4 bytes */
#define PST_FRAME_SECTION 0x184D2A5Du
#define PST_FRAME_HEAD	  0x184D2A5Eu
#define PST_FRAME_INDEX	  0x184D2A5Fu
#define PST_FRAME_BYTES	  8u

#define PST_HEAD_MAGIC	"pagescope trace\n" /* 16 bytes, no NUL */
#define PST_INDEX_MAGIC "pagescope index\n"
/* Magic, version (u16), 0x0102 in the writer's order (u16), page bytes (u32),
 * XXH64 of the JSON (u64), then the JSON. */
#define PST_HEAD_BYTES 32u
/* The index ends with: offset of the index frame (u64), XXH64 of the frame's
 * content before these 24 bytes (u64), and 8 characters. */
#define PST_TRAILER_MAGIC "pst-end\n"
#define PST_TRAILER_BYTES 24u

#define PST_JSON_MAX	  (64u << 20)
#define PST_RAW_MAX	  (1u << 30)  /* of one section */
#define PST_SECTION_MAGIC 0x74737073u /* "spst" */

enum pst_section_kind {
	PST_DICTIONARY = 1,
	PST_BLOCK = 2
};

struct pst_section {
	uint32_t kind;
	uint32_t batches, events;
	uint32_t number;       /* of sections, from 0 */
	uint64_t stored_bytes; /* of the zstd frame that follows */
	uint64_t raw_bytes;    /* in it */
	uint64_t first_access; /* accesses in the blocks before */
	uint64_t accesses;
	uint64_t end_ns;
};

#define PST_SECTION_BYTES 64u

/* To and from the 64 bytes; decode is false if magic or checksum are wrong. */
void pst_section_encode(const struct pst_section *section, uint8_t *out);
bool pst_section_decode(struct pst_section *section, const uint8_t *in);

/* A block's raw bytes begin with these little-endian u32: steps, roots,
 * batches, bytes of the heads and events, bytes of each codec stream. */
#define PST_BLOCK_WORDS (4u + 8u)

static inline void
put_u32(uint8_t *out, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(value >> 8 * i);
}

static inline void
put_u64(uint8_t *out, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(value >> 8 * i);
}

static inline uint32_t
get_u32(const uint8_t *in)
{
	return (uint32_t)in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 |
	       (uint32_t)in[3] << 24;
}

static inline uint64_t
get_u64(const uint8_t *in)
{
	return get_u32(in) | (uint64_t)get_u32(in + 4) << 32;
}

#endif
