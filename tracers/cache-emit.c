// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracers/cache-emit.h"

#define PREFIX_GS   0x65
#define REX_W	    0x48
#define REX_R	    0x04
#define REX_B	    0x01
#define STORE	    0x89
#define LOAD	    0x8b
#define LEA	    0x8d
#define SIB_NO_BASE 0x25

void
emit_relative(const struct emitter *emit, uint8_t *at, uint64_t to)
{
	uint64_t behind = emit->address + (uint64_t)(at - emit->start) + 4;
	int32_t distance = (int32_t)(int64_t)(to - behind);

	memcpy(at, &distance, sizeof(distance));
}

void
emit_align(struct emitter *emit, unsigned n)
{
	while (emit_here(emit) & (n - 1))
		emit_byte(emit, 0xcc);
}

void
emit_align_field(struct emitter *emit, unsigned offset)
{
	static const char *const nop[] = { "", "\x90", "\x66\x90", "\x0f\x1f" };
	unsigned within = (emit_here(emit) + offset) & 7;
	unsigned n = within > 4 ? 8 - within : 0;

	emit_bytes(emit, nop[n], n < 3 ? n : 2);
	if (n == 3)
		emit_byte(emit, 0);
}

static void
slot_operand(struct emitter *emit, unsigned opcode, int reg, unsigned slot,
	     bool wide)
{
	unsigned rex = (wide ? REX_W : 0x40) | (reg > 7 ? REX_R : 0);

	emit_byte(emit, PREFIX_GS);
	if (rex != 0x40)
		emit_byte(emit, rex);
	emit_byte(emit, opcode);
	emit_byte(emit, 0x04 | ((unsigned)reg & 7) << 3);
	emit_byte(emit, SIB_NO_BASE);
	emit_word32(emit, slot);
}

void
emit_save(struct emitter *emit, int reg, unsigned slot)
{
	slot_operand(emit, STORE, reg, slot, true);
}

void
emit_load(struct emitter *emit, int reg, unsigned slot)
{
	slot_operand(emit, LOAD, reg, slot, true);
}

void
emit_load32(struct emitter *emit, int reg, unsigned slot)
{
	slot_operand(emit, LOAD, reg, slot, false);
}

void
emit_push_slot(struct emitter *emit, unsigned slot)
{
	slot_operand(emit, 0xff, 6, slot, false);
}

void
emit_pop_slot(struct emitter *emit, unsigned slot)
{
	slot_operand(emit, 0x8f, 0, slot, false);
}

void
emit_move(struct emitter *emit, int from, int to)
{
	emit_byte(emit, REX_W | (from > 7 ? REX_R : 0) | (to > 7 ? REX_B : 0));
	emit_byte(emit, STORE);
	emit_byte(emit, 0xc0 | ((unsigned)from & 7) << 3 | ((unsigned)to & 7));
}

/* reg and displacement(cursor) behind an opcode */
static void
cursor_operand(struct emitter *emit, int reg, unsigned displacement)
{
	unsigned middle = ((unsigned)reg & 7) << 3 | (STOLEN & 7);

	if (displacement < 128) {
		emit_byte(emit, 0x40 | middle);
		emit_byte(emit, displacement);
	} else {
		emit_byte(emit, 0x80 | middle);
		emit_word32(emit, displacement);
	}
}

void
emit_record(struct emitter *emit, int reg, unsigned word)
{
	emit_byte(emit, REX_W | REX_B | (reg > 7 ? REX_R : 0));
	emit_byte(emit, STORE);
	cursor_operand(emit, reg, 8 + 8 * word);
}

void
emit_header(struct emitter *emit, uint32_t header, unsigned words)
{
	emit_byte(emit, 0x41);
	emit_byte(emit, 0xc7);
	emit_byte(emit, STOLEN & 7);
	emit_word32(emit, header);
	emit_byte(emit, REX_W | REX_R | REX_B);
	emit_byte(emit, LEA);
	cursor_operand(emit, STOLEN, 8 + 8 * words);
}

static uint8_t *
distance(struct emitter *emit, uint64_t to)
{
	uint8_t *field = emit->at;

	emit->at += 4;
	emit_relative(emit, field, to);
	return field;
}

uint8_t *
emit_jump(struct emitter *emit, uint64_t to)
{
	emit_align_field(emit, 1);
	emit_byte(emit, 0xe9);
	return distance(emit, to);
}

uint8_t *
emit_branch(struct emitter *emit, unsigned condition, uint64_t to)
{
	emit_align_field(emit, 2);
	emit_byte(emit, 0x0f);
	emit_byte(emit, 0x80 | condition);
	return distance(emit, to);
}
