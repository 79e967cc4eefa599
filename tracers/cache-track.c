// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracers/cache-track.h"
#include "analyzer/base.h"

#include <string.h>

enum word_use {
	WORD_FREE,
	WORD_PLAIN, /* some address is this word plus a constant */
	WORD_FIXED, /* a fix replaces it */
};

void
track_begin(struct cache_track *track)
{
	memset(track->value, 0, sizeof(track->value));
	track->n_words = track->n_fixes = 0;
}

unsigned
track_word(struct cache_track *track)
{
	track->use[++track->n_words] = WORD_FREE;
	return track->n_words;
}

void
track_known(struct cache_track *track, int reg, unsigned word)
{
	track->value[reg] = (struct cache_value){
		.kind = VALUE_WORD,
		.word = (uint16_t)word,
	};
}

static uint16_t
fixed_slot(struct cache_track *track, struct cache_fix fix)
{
	for (unsigned i = 0; i < track->n_fixes; i++) {
		const struct cache_fix *other = &track->fix[i];

		if (other->base == fix.base && other->index == fix.index &&
		    other->shift == fix.shift && other->fs == fix.fs)
			return other->slot;
	}
	if (fix.index && track->use[fix.index] == WORD_FREE)
		fix.slot = fix.index;
	else
		fix.slot = (uint16_t)track_word(track);
	track->use[fix.slot] = WORD_FIXED;
	track->fix[track->n_fixes++] = fix;
	return fix.slot;
}

void
track_access(struct cache_track *track, const struct operand *operand,
	     struct cache_access *access)
{
	struct cache_fix fix = { .fs = operand->segment == 1 };
	uint64_t displacement = (uint64_t)operand->displacement;

	if (operand->base >= 0) {
		const struct cache_value *base = &track->value[operand->base];

		displacement += (uint64_t)base->delta;
		fix.base = base->kind == VALUE_WORD ? base->word : 0;
	}
	if (operand->index >= 0) {
		const struct cache_value *index = &track->value[operand->index];

		displacement += (uint64_t)index->delta << operand->shift;
		if (index->kind == VALUE_WORD) {
			fix.index = index->word;
			fix.shift = operand->shift;
		}
	}
	if (!fix.base && !fix.shift) {
		fix.base = fix.index;
		fix.index = 0;
	}
	*access = (struct cache_access){
		.displacement = (int64_t)displacement,
		.size = operand->size,
		.kind = operand->kind,
	};
	if (!fix.base && !fix.index && !fix.fs)
		return;
	if (!fix.index && !fix.fs && track->use[fix.base] != WORD_FIXED) {
		track->use[fix.base] = WORD_PLAIN;
		access->slot = fix.base;
		return;
	}
	access->slot = fixed_slot(track, fix);
}

static bool
is_whole(const ZydisDecodedOperand *operand)
{
	return operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       operand->size == 64 && general_register(operand->reg.value) >= 0;
}

static struct cache_value
moved(struct cache_value value, int64_t by)
{
	if (value.kind != VALUE_UNKNOWN)
		value.delta = (int64_t)((uint64_t)value.delta + (uint64_t)by);
	return value;
}

static struct cache_value
constant(int64_t number)
{
	return (struct cache_value){ .kind = VALUE_CONSTANT, .delta = number };
}

static struct cache_value
lea_value(const struct cache_track *track, const struct cache_instruction *code)
{
	const ZydisDecodedOperandMem *memory = &code->operand[1].mem;
	int64_t displacement =
		memory->disp.has_displacement ? memory->disp.value : 0;
	int base = general_register(memory->base);

	if (code->decoded.address_width != 64 ||
	    memory->index != ZYDIS_REGISTER_NONE)
		return (struct cache_value){ 0 };
	if (memory->base == ZYDIS_REGISTER_RIP)
		return constant(displacement + (int64_t)(code->touched.pc +
							 code->touched.length));
	if (base < 0)
		return constant(displacement);
	return moved(track->value[base], displacement);
}

/* The new value of the first operand, a register of 64 bits */
static struct cache_value
result(const struct cache_track *track, const struct cache_instruction *code)
{
	const ZydisDecodedOperand *from = &code->operand[1];
	struct cache_value old =
		track->value[general_register(code->operand[0].reg.value)];
	bool immediate = from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
	const struct cache_value unknown = { 0 };

	switch (code->decoded.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		if (immediate)
			return constant(from->imm.value.s);
		return is_whole(from)
			       ? track->value[general_register(from->reg.value)]
			       : unknown;
	case ZYDIS_MNEMONIC_ADD:
		return immediate ? moved(old, from->imm.value.s) : unknown;
	case ZYDIS_MNEMONIC_SUB:
		return immediate ? moved(old, -from->imm.value.s) : unknown;
	case ZYDIS_MNEMONIC_INC:
		return moved(old, 1);
	case ZYDIS_MNEMONIC_DEC:
		return moved(old, -1);
	case ZYDIS_MNEMONIC_LEA:
		return lea_value(track, code);
	default:
		return unknown;
	}
}

/* mov $n, %r32 and xor %r32, %r32 clear the upper half */
static struct cache_value
narrow_result(const struct cache_instruction *code)
{
	const ZydisDecodedOperand *from = &code->operand[1];

	if (code->operand[0].size == 32) {
		if (code->decoded.mnemonic == ZYDIS_MNEMONIC_MOV &&
		    from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
			return constant((uint32_t)from->imm.value.u);
		if (code->decoded.mnemonic == ZYDIS_MNEMONIC_XOR &&
		    from->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		    from->reg.value == code->operand[0].reg.value)
			return constant(0);
	}
	return (struct cache_value){ 0 };
}

static struct cache_value
stack_value(const struct cache_track *track,
	    const struct cache_instruction *code)
{
	struct cache_value stack = track->value[RSP];
	int64_t word = code->decoded.operand_width / 8;

	switch (code->decoded.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_PUSHFQ:
		return moved(stack, -word);
	case ZYDIS_MNEMONIC_POP:
		if (general_register(code->operand[0].type ==
						     ZYDIS_OPERAND_TYPE_REGISTER
					     ? code->operand[0].reg.value
					     : ZYDIS_REGISTER_NONE) == RSP)
			return (struct cache_value){ 0 };
		return moved(stack, word);
	case ZYDIS_MNEMONIC_POPFQ:
		return moved(stack, word);
	case ZYDIS_MNEMONIC_LEAVE:
		return moved(track->value[RBP], word);
	default:
		return (struct cache_value){ 0 };
	}
}

void
track_run(struct cache_track *track, const struct cache_instruction *code)
{
	struct cache_value new = { 0 }, stack = stack_value(track, code);
	const ZydisDecodedOperand *to = &code->operand[0];
	int number = -1;

	if (code->decoded.operand_count &&
	    to->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    to->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
		number = general_register(to->reg.value);
	if (number >= 0)
		new = is_whole(to) ? result(track, code) : narrow_result(code);
	for (int i = 0; i < 16; i++)
		if (code->writes >> i & 1)
			track->value[i] = (struct cache_value){ 0 };
	if (number >= 0)
		track->value[number] = new;
	if (stack.kind != VALUE_UNKNOWN)
		track->value[RSP] = stack;
}
