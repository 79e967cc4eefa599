/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing x86-64 code for the cache.  The few instructions that the cache adds
 * are encoded here; none of them changes a flag.
 */
#ifndef TRACERS_CACHE_EMIT_H
#define TRACERS_CACHE_EMIT_H

#include "analyzer/base.h"

#include <string.h>

#include "tracers/cache-decode.h"

/* The register that the cache keeps for itself: the record cursor */
#define STOLEN R11

struct emitter {
	uint8_t *start, *at, *end; /* in the tracer's view */
	uint64_t address;	   /* of `start` in the target */
};

static inline uint64_t
emit_here(const struct emitter *emit)
{
	return emit->address + (uint64_t)(emit->at - emit->start);
}

static inline void
emit_byte(struct emitter *emit, unsigned byte)
{
	*emit->at++ = (uint8_t)byte;
}

static inline void
emit_bytes(struct emitter *emit, const void *bytes, size_t n)
{
	memcpy(emit->at, bytes, n);
	emit->at += n;
}

static inline void
emit_word32(struct emitter *emit, uint32_t word)
{
	emit_bytes(emit, &word, sizeof(word));
}

static inline void
emit_word64(struct emitter *emit, uint64_t word)
{
	emit_bytes(emit, &word, sizeof(word));
}

/* The four bytes at `at` become the distance from behind them to `to`. */
void emit_relative(const struct emitter *emit, uint8_t *at, uint64_t to);
/* Fill with int3 up to a multiple of n. */
void emit_align(struct emitter *emit, unsigned n);
/* A nop, if need be, so that four bytes `offset` from here lie in one aligned
 * word of eight: processors see such a change whole. */
void emit_align_field(struct emitter *emit, unsigned offset);

/* mov %reg, %gs:slot and back; 32: the low half only */
void emit_save(struct emitter *emit, int reg, unsigned slot);
void emit_load(struct emitter *emit, int reg, unsigned slot);
void emit_load32(struct emitter *emit, int reg, unsigned slot);
/* pushq %gs:slot, popq %gs:slot */
void emit_push_slot(struct emitter *emit, unsigned slot);
void emit_pop_slot(struct emitter *emit, unsigned slot);
/* mov %from, %to */
void emit_move(struct emitter *emit, int from, int to);
/* mov %reg, 8 + 8 * word(cursor) */
void emit_record(struct emitter *emit, int reg, unsigned word);
/* mov $header, (cursor); lea 8 + 8 * words(cursor), cursor */
void emit_header(struct emitter *emit, uint32_t header, unsigned words);
/* An opcode and a 32-bit distance; returns where the distance stands, which
 * is aligned so that it can be changed while the code runs. */
uint8_t *emit_jump(struct emitter *emit, uint64_t to);
uint8_t *emit_branch(struct emitter *emit, unsigned condition, uint64_t to);

#endif
