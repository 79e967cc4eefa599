// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracers/cache-decode.h"
#include "analyzer/base.h"

#include <stddef.h>
#include <string.h>

static uint16_t
bit(int number)
{
	if (number < 0)
		return 0;
	return (uint16_t)(1u << number & UINT16_MAX);
}

static bool
names_gs(const ZydisDecodedOperand *operand)
{
	return operand->type == ZYDIS_OPERAND_TYPE_MEMORY &&
	       operand->mem.type != ZYDIS_MEMOP_TYPE_AGEN &&
	       operand->mem.segment == ZYDIS_REGISTER_GS;
}

/* What the kernel, the debugger or GS has a part in */
static bool
is_native(const struct decoded *whole)
{
	switch (whole->instruction.mnemonic) {
	case ZYDIS_MNEMONIC_RDGSBASE:
	case ZYDIS_MNEMONIC_WRGSBASE:
	case ZYDIS_MNEMONIC_WRFSBASE:
	case ZYDIS_MNEMONIC_SWAPGS:
	case ZYDIS_MNEMONIC_XBEGIN:
	case ZYDIS_MNEMONIC_XEND:
	case ZYDIS_MNEMONIC_XABORT:
	case ZYDIS_MNEMONIC_UD0:
	case ZYDIS_MNEMONIC_UD1:
	case ZYDIS_MNEMONIC_UD2:
	case ZYDIS_MNEMONIC_SYSENTER:
	case ZYDIS_MNEMONIC_ENCLU:
		return true;
	default:
		break;
	}
	switch (whole->instruction.meta.category) {
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_IO:
	case ZYDIS_CATEGORY_IOSTRINGOP:
	case ZYDIS_CATEGORY_UINTR:
		return true;
	case ZYDIS_CATEGORY_SYSTEM:
		return whole->instruction.mnemonic == ZYDIS_MNEMONIC_HLT;
	default:
		break;
	}
	for (int i = 0; i < whole->instruction.operand_count; i++) {
		const ZydisDecodedOperand *operand = &whole->operand[i];

		if (names_gs(operand))
			return true;
		/* mov to a segment register, far pointers */
		if (operand->type == ZYDIS_OPERAND_TYPE_POINTER ||
		    (operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		     ZydisRegisterGetClass(operand->reg.value) ==
			     ZYDIS_REGCLASS_SEGMENT &&
		     operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			return true;
	}
	return false;
}

static bool
is_far(const ZydisDecodedInstruction *decoded)
{
	return decoded->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
}

static enum cache_flow
flow_of(const struct decoded *whole)
{
	const ZydisDecodedInstruction *decoded = &whole->instruction;
	bool direct = whole->operand[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;

	if (decoded->mnemonic == ZYDIS_MNEMONIC_SYSCALL)
		return FLOW_SYSCALL;
	if (is_native(whole) || is_far(decoded) ||
	    decoded->length > INSTRUCTION_BYTES)
		return FLOW_NATIVE;
	switch (decoded->meta.category) {
	case ZYDIS_CATEGORY_COND_BR:
		return decoded->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT &&
				       decoded->opcode >= 0xe0 &&
				       decoded->opcode <= 0xe3
			       ? FLOW_LOOP
			       : FLOW_BRANCH;
	case ZYDIS_CATEGORY_UNCOND_BR:
		return direct ? FLOW_JUMP : FLOW_JUMP_BY;
	case ZYDIS_CATEGORY_CALL:
		return direct ? FLOW_CALL : FLOW_CALL_BY;
	case ZYDIS_CATEGORY_RET:
		return FLOW_RETURN;
	default:
		return FLOW_NEXT;
	}
}

/* Zydis does not say that scas and cmps move them */
static uint16_t
moved_by_string(const struct cache_instruction *code,
		const struct decoded *whole)
{
	uint16_t moved = code->touched.repeated ? 1u << RCX : 0;

	if (whole->instruction.meta.category != ZYDIS_CATEGORY_STRINGOP)
		return 0;
	for (unsigned i = 0; i < code->touched.n_operands; i++)
		moved |= bit(code->touched.operand[i].base);
	return moved;
}

static void
registers_of(struct cache_instruction *code, const struct decoded *whole)
{
	uint16_t moved = moved_by_string(code, whole);

	code->reads |= moved;
	code->writes |= moved;
	for (int i = 0; i < whole->instruction.operand_count; i++) {
		const ZydisDecodedOperand *operand = &whole->operand[i];

		if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY) {
			code->reads |= bit(general_register(operand->mem.base));
			if (operand->mem.type != ZYDIS_MEMOP_TYPE_VSIB)
				code->reads |= bit(
					general_register(operand->mem.index));
		} else if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER) {
			uint16_t one =
				bit(general_register(operand->reg.value));

			if (operand->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
				code->writes |= one;
			/* A byte or word leaves the rest as it was */
			if (operand->actions &
				    (ZYDIS_OPERAND_ACTION_MASK_READ |
				     ZYDIS_OPERAND_ACTION_CONDWRITE) ||
			    operand->size < 32)
				code->reads |= one;
		}
	}
	switch (whole->instruction.mnemonic) {
	case ZYDIS_MNEMONIC_CPUID:
	case ZYDIS_MNEMONIC_RDTSC:
	case ZYDIS_MNEMONIC_RDTSCP:
	case ZYDIS_MNEMONIC_XGETBV:
		code->writes |= 0xf; /* rax, rcx, rdx, rbx */
		break;
	case ZYDIS_MNEMONIC_SYSCALL:
		code->writes |= (uint16_t)(bit(RAX) | bit(RCX) | bit(R11));
		break;
	default:
		break;
	}
}

static bool
is_special(const struct instruction *touched)
{
	if (!touched->n_operands)
		return false;
	if (touched->repeated || touched->address32)
		return true;
	for (unsigned i = 0; i < touched->n_operands; i++) {
		const struct operand *operand = &touched->operand[i];

		if (operand->form != OPERAND_PLAIN ||
		    (operand->index >= 0 && operand->index_bytes != 8))
			return true;
	}
	return false;
}

/* A shift by 0 and a repeat of 0 times leave the flags alone */
static bool
surely_writes_flags(const struct cache_instruction *code,
		    const struct decoded *whole)
{
	switch (whole->instruction.meta.category) {
	case ZYDIS_CATEGORY_ROTATE:
	case ZYDIS_CATEGORY_SHIFT:
		return false;
	default:
		return !code->touched.repeated;
	}
}

/*
 * What the manuals call undefined is left as it was by some processors (imul on
 * Zen), and so passes on what came before.  Not AF after and, or, xor, test:
 * all clear it.
 */
static void
flags_of(struct cache_instruction *code, const struct decoded *whole)
{
	const ZydisAccessedFlags *flags = whole->instruction.cpu_flags;
	uint32_t set;

	/* Who looks at the flags wherever control goes, or stores them */
	if (code->flow != FLOW_NEXT ||
	    whole->instruction.mnemonic == ZYDIS_MNEMONIC_PUSHFQ ||
	    whole->instruction.mnemonic == ZYDIS_MNEMONIC_LAHF)
		code->tested = STATUS_FLAGS;
	if (!flags)
		return;
	code->tested |= (uint16_t)(flags->tested & STATUS_FLAGS);
	if (!surely_writes_flags(code, whole))
		return;
	set = flags->modified | flags->set_0 | flags->set_1;
	if (whole->instruction.meta.category == ZYDIS_CATEGORY_LOGICAL)
		set |= flags->undefined;
	code->set = (uint16_t)(set & STATUS_FLAGS);
}

static bool
is_whole(const ZydisDecodedOperand *operand)
{
	return operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	       operand->size == 64 && general_register(operand->reg.value) >= 0;
}

static void
effect(struct cache_instruction *code, enum cache_effect effect, int from,
       int64_t by)
{
	code->effect = (uint8_t)effect;
	code->from = (uint8_t)from;
	code->by = by;
}

static void
effect_of_lea(struct cache_instruction *code, const struct decoded *whole)
{
	const ZydisDecodedOperandMem *memory = &whole->operand[1].mem;
	int64_t displacement =
		memory->disp.has_displacement ? memory->disp.value : 0;
	int base = general_register(memory->base);

	if (whole->instruction.address_width != 64 ||
	    memory->index != ZYDIS_REGISTER_NONE)
		return;
	if (memory->base == ZYDIS_REGISTER_RIP)
		effect(code, EFFECT_CONSTANT, 0,
		       displacement + (int64_t)(code->touched.pc +
						code->touched.length));
	else if (base < 0)
		effect(code, EFFECT_CONSTANT, 0, displacement);
	else
		effect(code, EFFECT_MOVED, base, displacement);
}

/* Of those that write a register of 64 bits, their first operand */
static void
wide_effect(struct cache_instruction *code, const struct decoded *whole)
{
	const ZydisDecodedOperand *from = &whole->operand[1];
	bool immediate = from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;

	switch (whole->instruction.mnemonic) {
	case ZYDIS_MNEMONIC_MOV:
		if (immediate)
			effect(code, EFFECT_CONSTANT, 0, from->imm.value.s);
		else if (is_whole(from))
			effect(code, EFFECT_MOVED,
			       general_register(from->reg.value), 0);
		break;
	case ZYDIS_MNEMONIC_ADD:
		if (immediate)
			effect(code, EFFECT_MOVED, code->to, from->imm.value.s);
		break;
	case ZYDIS_MNEMONIC_SUB:
		if (immediate)
			effect(code, EFFECT_MOVED, code->to,
			       -from->imm.value.s);
		break;
	case ZYDIS_MNEMONIC_INC:
		effect(code, EFFECT_MOVED, code->to, 1);
		break;
	case ZYDIS_MNEMONIC_DEC:
		effect(code, EFFECT_MOVED, code->to, -1);
		break;
	case ZYDIS_MNEMONIC_LEA:
		effect_of_lea(code, whole);
		break;
	default:
		break;
	}
}

/* mov $n, %r32 and xor %r32, %r32 clear the upper half */
static void
narrow_effect(struct cache_instruction *code, const struct decoded *whole)
{
	const ZydisDecodedOperand *from = &whole->operand[1];

	if (whole->operand[0].size != 32)
		return;
	if (whole->instruction.mnemonic == ZYDIS_MNEMONIC_MOV &&
	    from->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		effect(code, EFFECT_CONSTANT, 0, (uint32_t)from->imm.value.u);
	if (whole->instruction.mnemonic == ZYDIS_MNEMONIC_XOR &&
	    from->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    from->reg.value == whole->operand[0].reg.value)
		effect(code, EFFECT_CONSTANT, 0, 0);
}

static void
effect_of(struct cache_instruction *code, const struct decoded *whole)
{
	const ZydisDecodedOperand *to = &whole->operand[0];

	if (!whole->instruction.operand_count ||
	    to->type != ZYDIS_OPERAND_TYPE_REGISTER ||
	    !(to->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) ||
	    general_register(to->reg.value) < 0)
		return;
	code->to = (uint8_t)general_register(to->reg.value);
	if (is_whole(to))
		wide_effect(code, whole);
	else
		narrow_effect(code, whole);
	if (code->effect == EFFECT_UNKNOWN)
		code->to = 0;
}

static void
stack_effect(struct cache_instruction *code, const struct decoded *whole)
{
	int word = whole->instruction.operand_width / 8;

	code->stack_from = RSP;
	switch (whole->instruction.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_PUSHFQ:
		code->stack_by = (int8_t)-word;
		break;
	case ZYDIS_MNEMONIC_POP:
		if (whole->operand[0].type != ZYDIS_OPERAND_TYPE_REGISTER ||
		    general_register(whole->operand[0].reg.value) != RSP)
			code->stack_by = (int8_t)word;
		break;
	case ZYDIS_MNEMONIC_POPFQ:
		code->stack_by = (int8_t)word;
		break;
	case ZYDIS_MNEMONIC_LEAVE:
		code->stack_from = RBP;
		code->stack_by = (int8_t)word;
		break;
	default:
		code->stack_from = 0;
		break;
	}
}

static uint8_t
displacement_at(const struct decoded *whole)
{
	for (int i = 0; i < whole->instruction.operand_count; i++) {
		const ZydisDecodedOperand *operand = &whole->operand[i];

		if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    (operand->mem.base == ZYDIS_REGISTER_RIP ||
		     operand->mem.base == ZYDIS_REGISTER_EIP))
			return whole->instruction.raw.disp.offset;
	}
	return 0;
}

int
cache_decode_whole(struct cache_instruction *to, uint64_t pc,
		   const uint8_t *bytes, size_t n_bytes, struct decoded *whole)
{
	memset(to, 0, sizeof(*to));
	if (instruction_decode_whole(&to->touched, pc, bytes, n_bytes, whole))
		return -EINVAL;
	to->flow = (uint8_t)flow_of(whole);
	if (to->flow >= FLOW_BRANCH && to->flow <= FLOW_CALL)
		to->target = pc + to->touched.length +
			     (uint64_t)whole->operand[0].imm.value.s;
	if (to->flow == FLOW_BRANCH)
		to->condition = whole->instruction.opcode & 15;
	registers_of(to, whole);
	flags_of(to, whole);
	effect_of(to, whole);
	stack_effect(to, whole);
	if (to->flow == FLOW_RETURN &&
	    whole->operand[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		to->by = (int64_t)whole->operand[0].imm.value.u;
	to->displacement_at = displacement_at(whole);
	to->special = is_special(&to->touched);
	return 0;
}

int
cache_decode(struct cache_instruction *to, uint64_t pc, const uint8_t *bytes,
	     size_t n_bytes)
{
	struct decoded whole;

	if (!quick_decode(to, pc, bytes, n_bytes))
		return 0;
	return cache_decode_whole(to, pc, bytes, n_bytes, &whole);
}
