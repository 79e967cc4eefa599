// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracers/cache-decode.h"
#include "analyzer/base.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "tracers/wide.h"

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
is_native(const struct cache_instruction *code)
{
	switch (code->decoded.mnemonic) {
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
	switch (code->decoded.meta.category) {
	case ZYDIS_CATEGORY_INTERRUPT:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_IO:
	case ZYDIS_CATEGORY_IOSTRINGOP:
	case ZYDIS_CATEGORY_UINTR:
		return true;
	case ZYDIS_CATEGORY_SYSTEM:
		return code->decoded.mnemonic == ZYDIS_MNEMONIC_HLT;
	default:
		break;
	}
	for (int i = 0; i < code->decoded.operand_count; i++) {
		const ZydisDecodedOperand *operand = &code->operand[i];

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
flow_of(const struct cache_instruction *code)
{
	const ZydisDecodedInstruction *decoded = &code->decoded;
	bool direct = code->operand[0].type == ZYDIS_OPERAND_TYPE_IMMEDIATE;

	if (decoded->mnemonic == ZYDIS_MNEMONIC_SYSCALL)
		return FLOW_SYSCALL;
	if (is_native(code) || is_far(decoded) ||
	    code->touched.length > INSTRUCTION_BYTES)
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
moved_by_string(const struct cache_instruction *code)
{
	uint16_t moved = code->touched.repeated ? 1u << RCX : 0;

	if (code->decoded.meta.category != ZYDIS_CATEGORY_STRINGOP)
		return 0;
	for (unsigned i = 0; i < code->touched.n_operands; i++)
		moved |= bit(code->touched.operand[i].base);
	return moved;
}

static void
registers_of(struct cache_instruction *code)
{
	uint16_t moved = moved_by_string(code);

	code->reads |= moved;
	code->writes |= moved;
	for (int i = 0; i < code->decoded.operand_count; i++) {
		const ZydisDecodedOperand *operand = &code->operand[i];

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
	switch (code->decoded.mnemonic) {
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

int
cache_decode(struct cache_instruction *to, uint64_t pc, const uint8_t *bytes,
	     size_t n_bytes)
{
	to->target = 0;
	to->reads = to->writes = 0;
	if (instruction_decode_whole(&to->touched, pc, bytes, n_bytes,
				     &to->whole))
		return -EINVAL;
	to->flow = (uint8_t)flow_of(to);
	if (to->flow >= FLOW_BRANCH && to->flow <= FLOW_CALL)
		to->target = pc + to->touched.length +
			     (uint64_t)to->operand[0].imm.value.s;
	registers_of(to);
	to->special = is_special(&to->touched);
	return 0;
}

#define MEMO_BITS 12

struct cache_memo {
	struct cache_instruction instruction[1 << MEMO_BITS];
	uint32_t run[1 << MEMO_BITS]; /* that it was last in */
	uint32_t now;
	/* Of this run, those whose place another one of it has */
	unsigned n_others;
	struct cache_instruction other[MEMO_RUN];
};

struct cache_memo *
memo_open(void)
{
	return wide_open(sizeof(struct cache_memo));
}

void
memo_close(struct cache_memo *memo)
{
	wide_close(memo, sizeof(*memo));
}

void
memo_begin(struct cache_memo *memo)
{
	memo->n_others = 0;
	if (++memo->now)
		return;
	memset(memo->run, 0, sizeof(memo->run));
	memo->now = 1;
}

const struct cache_instruction *
memo_decode(struct cache_memo *memo, uint64_t pc, const uint8_t *bytes,
	    size_t n_bytes)
{
	size_t place = (pc ^ pc >> MEMO_BITS) & ((1u << MEMO_BITS) - 1);
	struct cache_instruction *kept = &memo->instruction[place];
	const struct instruction *touched = &kept->touched;

	if (touched->pc == pc && touched->length &&
	    touched->length <= n_bytes &&
	    !memcmp(touched->bytes, bytes, touched->length)) {
		memo->run[place] = memo->now;
		return kept;
	}
	if (memo->run[place] == memo->now) {
		assert(memo->n_others < MEMO_RUN);
		kept = &memo->other[memo->n_others++];
	} else {
		memo->run[place] = memo->now;
	}
	if (!cache_decode(kept, pc, bytes, n_bytes))
		return kept;
	kept->touched.length = 0;
	return NULL;
}

#define STATUS_FLAGS                                              \
	(ZYDIS_CPUFLAG_CF | ZYDIS_CPUFLAG_PF | ZYDIS_CPUFLAG_AF | \
	 ZYDIS_CPUFLAG_ZF | ZYDIS_CPUFLAG_SF | ZYDIS_CPUFLAG_OF)

/* A shift by 0 and a repeat of 0 times leave the flags alone */
static bool
surely_writes_flags(const struct cache_instruction *code)
{
	switch (code->decoded.meta.category) {
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
static uint32_t
flags_written(const struct cache_instruction *code)
{
	const ZydisAccessedFlags *flags = code->decoded.cpu_flags;
	uint32_t written;

	if (!flags || !surely_writes_flags(code))
		return 0;
	written = flags->modified | flags->set_0 | flags->set_1;
	if (code->decoded.meta.category == ZYDIS_CATEGORY_LOGICAL)
		written |= flags->undefined;
	return written;
}

bool
cache_flags_dead(const struct cache_instruction *const *code, unsigned n)
{
	uint32_t written = 0;

	for (unsigned i = 0; i < n; i++) {
		const ZydisAccessedFlags *flags = code[i]->decoded.cpu_flags;

		if (flags && flags->tested & ~written & STATUS_FLAGS)
			return false;
		if (code[i]->flow != FLOW_NEXT ||
		    code[i]->decoded.mnemonic == ZYDIS_MNEMONIC_PUSHFQ ||
		    code[i]->decoded.mnemonic == ZYDIS_MNEMONIC_LAHF)
			return false;
		written |= flags_written(code[i]);
		if ((written & STATUS_FLAGS) == STATUS_FLAGS)
			return true;
	}
	return false;
}
