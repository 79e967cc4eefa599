// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The accesses that an instruction makes, from its operands and the registers
 * before it runs.
 */
#include "analyzer/base.h"

#include <cpuid.h>
#include <string.h>

#include "tracers/operands.h"
#include "tracers/xstate.h"

static uint64_t
general(const struct registers *registers, int number)
{
	const struct user_regs_struct *r = registers->general;
	const unsigned long long int value[16] = {
		r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp, r->rsi, r->rdi,
		r->r8,	r->r9,	r->r10, r->r11, r->r12, r->r13, r->r14, r->r15,
	};

	return value[number & 15];
}

static uint64_t
segment_base(const struct registers *registers, unsigned segment)
{
	return segment == 1   ? registers->general->fs_base
	       : segment == 2 ? registers->general->gs_base
			      : 0;
}

/* offset is what the instruction computes; the segment comes on top of it */
static uint64_t
linear(const struct instruction *instruction, const struct operand *operand,
       const struct registers *registers, uint64_t offset)
{
	if (instruction->address32 && !operand->stack)
		offset = (uint32_t)offset;
	return offset + segment_base(registers, operand->segment);
}

static uint64_t
base_offset(const struct operand *operand, const struct registers *registers)
{
	uint64_t offset = (uint64_t)operand->displacement;

	if (operand->base >= 0)
		offset += general(registers, operand->base);
	return offset;
}

static uint64_t
plain_offset(const struct operand *operand, const struct registers *registers)
{
	uint64_t offset = base_offset(operand, registers), index;

	if (operand->index < 0)
		return offset;
	index = general(registers, operand->index);
	if (operand->index_bytes == 1)
		index &= 0xff;
	return offset + (index << operand->shift);
}

/* bt mem,reg: the register's bits above the word's own select the word */
static uint64_t
bit_offset(const struct operand *operand, const struct registers *registers)
{
	uint64_t bits = general(registers, operand->mask);
	int64_t bit = operand->size == 8   ? (int64_t)bits
		      : operand->size == 4 ? (int32_t)bits
					   : (int16_t)bits;
	int64_t word_bits = 8 * (int64_t)operand->size;
	int64_t word = bit / word_bits - (bit % word_bits < 0);

	return plain_offset(operand, registers) +
	       (uint64_t)(word * (int64_t)operand->size);
}

/* One bit a lane of the mask */
static int
mask_bits(const struct operand *operand, const struct registers *registers,
	  uint64_t *bits)
{
	uint8_t value[64];
	int error;

	if (operand->mask_by == MASK_OPMASK)
		return registers->opmask(registers->context, operand->mask,
					 bits);
	error = registers->vector(registers->context, operand->mask, value);
	if (error)
		return error;
	*bits = 0;
	for (unsigned i = 0; i < operand->mask_lanes; i++)
		if (value[(i + 1) * operand->mask_bytes - 1] & 0x80)
			*bits |= UINT64_C(1) << i;
	return 0;
}

/* Lane by lane: a mask bit may stand for several lanes of memory (grouped) or,
 * in a broadcast, several bits for one lane */
static bool
lane_active(const struct operand *operand, uint64_t bits, unsigned lane)
{
	unsigned per_lane = operand->mask_lanes / operand->lanes;

	if (per_lane <= 1)
		return bits >> lane & 1;
	for (unsigned i = 0; i < per_lane; i++) {
		unsigned bit = operand->repeat_lanes ? i * operand->lanes + lane
						     : lane * per_lane + i;

		if (bits >> bit & 1)
			return true;
	}
	return false;
}

static int
lanes(const struct instruction *instruction, const struct operand *operand,
      const struct registers *registers, struct access *access)
{
	uint64_t bits, offset = plain_offset(operand, registers);
	int n = 0, error = mask_bits(operand, registers, &bits);

	if (error)
		return error;
	for (unsigned i = 0; i < operand->lanes; i++) {
		bool packed = operand->form == OPERAND_PACKED;
		unsigned place = packed ? (unsigned)n : i;

		if (!lane_active(operand, bits, i))
			continue;
		access[n++] = (struct access){
			linear(instruction, operand, registers,
			       offset + (uint64_t)place * operand->size),
			operand->size, operand->kind
		};
	}
	return n;
}

static int
vector_indexed(const struct instruction *instruction,
	       const struct operand *operand, const struct registers *registers,
	       struct access *access)
{
	uint8_t index[64];
	uint64_t bits, offset = base_offset(operand, registers);
	int n = 0, error = mask_bits(operand, registers, &bits);

	if (!error)
		error = registers->vector(registers->context,
					  (unsigned)operand->index, index);
	if (error)
		return error;
	for (unsigned i = 0; i < operand->lanes; i++) {
		int64_t value;
		int32_t narrow;

		if (!(bits >> i & 1))
			continue;
		memcpy(&narrow, index + 4 * i, sizeof(narrow));
		if (operand->index_bytes == 8)
			memcpy(&value, index + 8 * i, sizeof(value));
		else
			value = narrow;
		access[n++] = (struct access){
			linear(instruction, operand, registers,
			       offset + ((uint64_t)value << operand->shift)),
			operand->size, operand->kind
		};
	}
	return n;
}

/*
 * enter n, level (SDM vol. 2): after pushing rbp, level - 1 times: rbp moves
 * down a word and what it points to is pushed; then the new frame's address.
 */
static int
enter_frames(const struct operand *operand, const struct registers *registers,
	     struct access *access)
{
	uint64_t frame = registers->general->rbp;
	uint64_t stack = registers->general->rsp - operand->size;
	int n = 0;

	for (unsigned i = 1; i < operand->lanes; i++) {
		frame -= operand->size;
		stack -= operand->size;
		access[n++] =
			(struct access){ frame, operand->size, SITE_LOAD };
		access[n++] =
			(struct access){ stack, operand->size, SITE_STORE };
	}
	stack -= operand->size;
	access[n++] = (struct access){ stack, operand->size, SITE_STORE };
	return n;
}

static uint32_t
saved_bytes(const struct operand *operand, const struct registers *registers)
{
	const struct xstate_layout *layout = registers->layout;
	struct xstate_layout here;

	if (!layout) {
		xstate_layout_init(&here);
		layout = &here;
	}
	return xstate_save_bytes(layout,
				 registers->general->rdx << 32 |
					 (uint32_t)registers->general->rax,
				 operand->form == OPERAND_SAVE_COMPACT);
}

int
instruction_accesses(const struct instruction *instruction,
		     const struct registers *registers, struct access *access)
{
	uint64_t count = registers->general->rcx;
	int n = 0, got;

	if (instruction->address32)
		count = (uint32_t)count;
	if (instruction->repeated && !count)
		return 0;
	for (unsigned i = 0; i < instruction->n_operands; i++) {
		const struct operand *operand = &instruction->operand[i];
		uint64_t offset;
		uint32_t size = operand->size;

		switch ((enum operand_form)operand->form) {
		case OPERAND_LANES:
		case OPERAND_PACKED:
			got = lanes(instruction, operand, registers,
				    access + n);
			break;
		case OPERAND_VECTOR:
			got = vector_indexed(instruction, operand, registers,
					     access + n);
			break;
		case OPERAND_ENTER:
			got = enter_frames(operand, registers, access + n);
			break;
		default:
			offset = operand->form == OPERAND_BIT
					 ? bit_offset(operand, registers)
					 : plain_offset(operand, registers);
			if (operand->form == OPERAND_SAVE ||
			    operand->form == OPERAND_SAVE_COMPACT)
				size = saved_bytes(operand, registers);
			access[n] =
				(struct access){ linear(instruction, operand,
							registers, offset),
						 size, operand->kind };
			got = 1;
			break;
		}
		if (got < 0)
			return got;
		n += got;
	}
	return n;
}
