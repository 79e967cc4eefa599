// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From Zydis' operands to ours.  What Zydis leaves open is decided here:
 *
 *  - a push writes below the stack pointer it names, a pop into memory
 *    computes its address after the pop (Intel SDM vol. 2, POP);
 *  - lea, nop, prefetches and cache-line flushes name memory and touch none
 *    (flushes are checked like a load of one byte); nor do MPX's, which are
 *    nops since Linux 5.6;
 *  - enter checks that it could store at its new stack pointer, and does not;
 *  - under an AVX-512 mask memory is touched lane by lane, unless the
 *    instruction's exception class has no fault suppression ("NF", SDM vol. 2,
 *    2.8): it touches all of it whatever the mask is;
 *  - vmaskmov, maskmovdqu and AVX2 gathers take the mask from sign bits.
 */
#include "tracers/operands.h"
#include "analyzer/base.h"

#include <Zydis/Zydis.h>
#include <string.h>

#define STACK_POINTER 4
#define FRAME_POINTER 5

/* Instructions that name memory and do not touch it */
static bool
touches_nothing(const ZydisDecodedInstruction *decoded)
{
	switch (decoded->meta.category) {
	case ZYDIS_CATEGORY_NOP:
	case ZYDIS_CATEGORY_WIDENOP:
	case ZYDIS_CATEGORY_PREFETCH:
	case ZYDIS_CATEGORY_PREFETCHWT1:
	case ZYDIS_CATEGORY_CLFLUSHOPT:
	case ZYDIS_CATEGORY_CLWB:
	case ZYDIS_CATEGORY_CLDEMOTE:
	case ZYDIS_CATEGORY_MPX:
		return true;
	default:
		break;
	}
	switch (decoded->mnemonic) {
	case ZYDIS_MNEMONIC_NOP:
	case ZYDIS_MNEMONIC_LEA:
	case ZYDIS_MNEMONIC_CLFLUSH:
	case ZYDIS_MNEMONIC_PREFETCH:
	case ZYDIS_MNEMONIC_PREFETCHW:
	case ZYDIS_MNEMONIC_PREFETCHNTA:
	case ZYDIS_MNEMONIC_PREFETCHT0:
	case ZYDIS_MNEMONIC_PREFETCHT1:
	case ZYDIS_MNEMONIC_PREFETCHT2:
	case ZYDIS_MNEMONIC_INVLPG:
	case ZYDIS_MNEMONIC_SYSCALL:
	case ZYDIS_MNEMONIC_SYSENTER:
		return true;
	default:
		return false;
	}
}

int
general_register(ZydisRegister name)
{
	/* Zydis' own way, the largest enclosing one, is a search: 30 of 250 ns
	 * that the decoding of an instruction took */
	static const struct {
		ZydisRegister first, last;
		int number; /* of the first */
	} row[] = {
		{ ZYDIS_REGISTER_RAX, ZYDIS_REGISTER_R15, 0 },
		{ ZYDIS_REGISTER_EAX, ZYDIS_REGISTER_R15D, 0 },
		{ ZYDIS_REGISTER_AX, ZYDIS_REGISTER_R15W, 0 },
		{ ZYDIS_REGISTER_AL, ZYDIS_REGISTER_BL, 0 },
		{ ZYDIS_REGISTER_AH, ZYDIS_REGISTER_BH, 0 },
		{ ZYDIS_REGISTER_SPL, ZYDIS_REGISTER_R15B, 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++)
		if (name >= row[i].first && name <= row[i].last)
			return (int)(name - row[i].first) + row[i].number;
	return -1;
}

static uint8_t
register_number(ZydisRegister name)
{
	ZyanI8 id = ZydisRegisterGetId(name);

	return id < 0 ? 0 : (uint8_t)id;
}

static uint8_t
kind_of(const struct decoded *decoded, const ZydisDecodedOperand *from)
{
	bool reads = from->actions & ZYDIS_OPERAND_ACTION_MASK_READ;
	bool writes = from->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;

	/* No vector instruction changes memory in place: a merging mask only
	 * leaves lanes alone. */
	if (writes &&
	    decoded->instruction.encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY)
		return SITE_STORE;
	return reads && writes ? SITE_MODIFY : writes ? SITE_STORE : SITE_LOAD;
}

static bool
suppresses_faults(const ZydisDecodedInstruction *decoded)
{
	/* Those that Zydis puts into class E4: SDM says E4NF */
	switch (decoded->mnemonic) {
	case ZYDIS_MNEMONIC_VCVTNE2PS2BF16:
	case ZYDIS_MNEMONIC_VDBPSADBW:
	case ZYDIS_MNEMONIC_VGF2P8AFFINEQB:
	case ZYDIS_MNEMONIC_VGF2P8AFFINEINVQB:
		return false;
	default:
		break;
	}
	switch (decoded->meta.exception_class) {
	case ZYDIS_EXCEPTION_CLASS_E1NF:
	case ZYDIS_EXCEPTION_CLASS_E2NF:
	case ZYDIS_EXCEPTION_CLASS_E3NF:
	case ZYDIS_EXCEPTION_CLASS_E4NF:
	case ZYDIS_EXCEPTION_CLASS_E5NF:
	case ZYDIS_EXCEPTION_CLASS_E6NF:
	case ZYDIS_EXCEPTION_CLASS_E9NF:
	case ZYDIS_EXCEPTION_CLASS_E10NF:
	case ZYDIS_EXCEPTION_CLASS_E11NF:
		return false;
	default:
		return true;
	}
}

static bool
is_packed(ZydisMnemonic mnemonic)
{
	switch (mnemonic) {
	case ZYDIS_MNEMONIC_VCOMPRESSPS:
	case ZYDIS_MNEMONIC_VCOMPRESSPD:
	case ZYDIS_MNEMONIC_VPCOMPRESSB:
	case ZYDIS_MNEMONIC_VPCOMPRESSW:
	case ZYDIS_MNEMONIC_VPCOMPRESSD:
	case ZYDIS_MNEMONIC_VPCOMPRESSQ:
	case ZYDIS_MNEMONIC_VEXPANDPS:
	case ZYDIS_MNEMONIC_VEXPANDPD:
	case ZYDIS_MNEMONIC_VPEXPANDB:
	case ZYDIS_MNEMONIC_VPEXPANDW:
	case ZYDIS_MNEMONIC_VPEXPANDD:
	case ZYDIS_MNEMONIC_VPEXPANDQ:
		return true;
	default:
		return false;
	}
}

/* Lanes of a memory operand under a mask register: STYLE "mask_lanes" bits of
 * it, spread over `lanes` accesses. */
static void
mask_lanes(const struct decoded *decoded, const ZydisDecodedOperand *from,
	   struct operand *operand)
{
	const ZydisDecodedInstruction *whole = &decoded->instruction;
	const ZydisDecodedOperand *to = &decoded->operand[0];
	uint32_t bytes = from->size / 8;
	unsigned lanes = from->element_count ? from->element_count : 1;
	unsigned bits = lanes, most;
	bool repeat = whole->avx.broadcast.mode != ZYDIS_BROADCAST_MODE_INVALID;

	most = whole->avx.vector_length / (8 * bytes);
	if (to != from && to->type == ZYDIS_OPERAND_TYPE_REGISTER &&
	    ZydisRegisterGetClass(to->reg.value) != ZYDIS_REGCLASS_MASK)
		bits = to->element_count ? to->element_count : 1;
	else if (repeat)
		bits = most;
	if (repeat && lanes == 1 && bits > most)
		bits = most;
	if (!repeat && lanes == 1)
		bits = 1; /* a scalar: only bit 0 counts */
	if (lanes > bits && !repeat)
		lanes = bits; /* vdpbf16ps: pairs of elements a bit */
	if (bits > lanes && !repeat)
		bits = lanes; /* vcvtpd2dq: half of its target is cleared */
	operand->form =
		is_packed(whole->mnemonic) ? OPERAND_PACKED : OPERAND_LANES;
	operand->mask_by = MASK_OPMASK;
	operand->mask = register_number(whole->avx.mask.reg);
	operand->lanes = (uint8_t)lanes;
	operand->mask_lanes = (uint8_t)bits;
	operand->repeat_lanes = repeat;
	operand->size = bytes / lanes;
}

static void
vector_mask(struct operand *operand, ZydisRegister name, unsigned bytes,
	    unsigned lanes)
{
	operand->mask_by = MASK_VECTOR;
	operand->mask = register_number(name);
	operand->mask_bytes = (uint8_t)bytes;
	operand->lanes = operand->mask_lanes = (uint8_t)lanes;
	operand->size = bytes;
}

/* vpgatherdq: 4-byte indices, 8-byte elements; lanes by the longer one */
static void
gather(const struct decoded *decoded, const ZydisDecodedOperand *from,
       struct operand *operand)
{
	const ZydisDecodedInstruction *whole = &decoded->instruction;
	bool evex = whole->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX;
	const ZydisDecodedOperand *data = &decoded->operand[0];
	unsigned bytes, longer, lanes;

	if (data == from)
		data = &decoded->operand[evex ? 2 : 1];
	bytes = from->element_size ? from->element_size / 8u
				   : data->element_size / 8u;
	operand->form = OPERAND_VECTOR;
	operand->index = (int8_t)register_number(from->mem.index);
	switch (whole->mnemonic) {
	case ZYDIS_MNEMONIC_VGATHERQPS:
	case ZYDIS_MNEMONIC_VGATHERQPD:
	case ZYDIS_MNEMONIC_VPGATHERQD:
	case ZYDIS_MNEMONIC_VPGATHERQQ:
	case ZYDIS_MNEMONIC_VSCATTERQPS:
	case ZYDIS_MNEMONIC_VSCATTERQPD:
	case ZYDIS_MNEMONIC_VPSCATTERQD:
	case ZYDIS_MNEMONIC_VPSCATTERQQ:
		operand->index_bytes = 8;
		break;
	default:
		operand->index_bytes = 4;
		break;
	}
	longer = bytes > operand->index_bytes ? bytes : operand->index_bytes;
	lanes = whole->avx.vector_length / (8 * longer);
	operand->size = bytes;
	operand->lanes = operand->mask_lanes = (uint8_t)lanes;
	if (evex) {
		operand->mask_by = MASK_OPMASK;
		operand->mask = register_number(whole->avx.mask.reg);
	} else {
		vector_mask(operand, decoded->operand[2].reg.value, bytes,
			    lanes);
	}
}

/* Masks of the kinds that are not AVX-512's */
static void
sign_masks(const struct decoded *decoded, const ZydisDecodedOperand *from,
	   struct operand *operand)
{
	unsigned bytes;

	switch (decoded->instruction.mnemonic) {
	case ZYDIS_MNEMONIC_VMASKMOVPS:
	case ZYDIS_MNEMONIC_VPMASKMOVD:
		bytes = 4;
		break;
	case ZYDIS_MNEMONIC_VMASKMOVPD:
	case ZYDIS_MNEMONIC_VPMASKMOVQ:
		bytes = 8;
		break;
	case ZYDIS_MNEMONIC_MASKMOVDQU:
	case ZYDIS_MNEMONIC_VMASKMOVDQU:
		bytes = 1;
		break;
	case ZYDIS_MNEMONIC_MASKMOVQ:
		operand->form = OPERAND_LANES;
		vector_mask(operand, decoded->operand[1].reg.value, 1, 8);
		operand->mask = (uint8_t)(operand->mask + REGISTER_MMX);
		return;
	default:
		return;
	}
	operand->form = OPERAND_LANES;
	/* Register, mask, memory; memory, mask, register; register, mask */
	vector_mask(operand, decoded->operand[1].reg.value, bytes,
		    from->size / 8u / bytes);
}

/* The few whose address or size follows rules of its own */
static void
special_forms(const struct decoded *decoded, const ZydisDecodedOperand *from,
	      struct instruction *to, struct operand *operand)
{
	const ZydisDecodedOperand *second = &decoded->operand[1];

	switch (decoded->instruction.mnemonic) {
	case ZYDIS_MNEMONIC_XLAT:
		operand->base = 3;
		operand->index = 0;
		operand->index_bytes = 1;
		break;
	case ZYDIS_MNEMONIC_BT:
	case ZYDIS_MNEMONIC_BTS:
	case ZYDIS_MNEMONIC_BTR:
	case ZYDIS_MNEMONIC_BTC:
		if (second->type != ZYDIS_OPERAND_TYPE_REGISTER)
			break;
		operand->form = OPERAND_BIT;
		operand->mask = (uint8_t)general_register(second->reg.value);
		break;
	case ZYDIS_MNEMONIC_XSAVE:
	case ZYDIS_MNEMONIC_XSAVE64:
	case ZYDIS_MNEMONIC_XSAVEOPT:
	case ZYDIS_MNEMONIC_XSAVEOPT64:
		operand->kind = SITE_STORE;
		operand->form = OPERAND_SAVE;
		break;
	case ZYDIS_MNEMONIC_XRSTOR:
	case ZYDIS_MNEMONIC_XRSTOR64:
		operand->kind = SITE_LOAD;
		operand->form = OPERAND_SAVE;
		break;
	case ZYDIS_MNEMONIC_XSAVEC:
	case ZYDIS_MNEMONIC_XSAVEC64:
		operand->kind = SITE_STORE;
		operand->form = OPERAND_SAVE_COMPACT;
		break;
	case ZYDIS_MNEMONIC_CMPXCHG:
	case ZYDIS_MNEMONIC_CMPXCHG8B:
	case ZYDIS_MNEMONIC_CMPXCHG16B:
		operand->kind = SITE_MODIFY;
		break;
	case ZYDIS_MNEMONIC_MOVSXD:
		/* With a prefix for 16 bits it loads as much (SDM) */
		if (decoded->instruction.operand_width == 16)
			operand->size = 2;
		break;
	case ZYDIS_MNEMONIC_TILELOADD:
	case ZYDIS_MNEMONIC_TILELOADDT1:
	case ZYDIS_MNEMONIC_TILESTORED:
		to->unknown = true;
		break;
	default:
		sign_masks(decoded, from, operand);
		break;
	}
}

static void
stack_order(const struct decoded *decoded, const ZydisDecodedOperand *from,
	    struct operand *operand)
{
	bool hidden = from->visibility == ZYDIS_OPERAND_VISIBILITY_HIDDEN;

	/* leave reads by rbp */
	operand->stack = hidden && (operand->base == STACK_POINTER ||
				    operand->base == FRAME_POINTER);
	if (operand->base != STACK_POINTER)
		return;
	if (hidden && operand->kind == SITE_STORE)
		operand->displacement -= operand->size;
	if (!hidden && decoded->instruction.mnemonic == ZYDIS_MNEMONIC_POP)
		operand->displacement += operand->size;
}

static void
add_operand(const struct decoded *decoded, const ZydisDecodedOperand *from,
	    struct instruction *to)
{
	const ZydisDecodedInstruction *whole = &decoded->instruction;
	const ZydisDecodedOperandMem *memory = &from->mem;
	struct operand *operand;

	if (from->type != ZYDIS_OPERAND_TYPE_MEMORY ||
	    memory->type == ZYDIS_MEMOP_TYPE_AGEN)
		return;
	if (to->n_operands == INSTRUCTION_OPERANDS ||
	    memory->type == ZYDIS_MEMOP_TYPE_MIB || !from->size) {
		to->unknown = true;
		return;
	}
	operand = &to->operand[to->n_operands++];
	*operand = (struct operand){
		.kind = kind_of(decoded, from),
		.base = (int8_t)general_register(memory->base),
		.index = (int8_t)general_register(memory->index),
		.index_bytes = 8,
		.size = from->size / 8u,
		.displacement =
			memory->disp.has_displacement ? memory->disp.value : 0,
	};
	if (memory->scale > 1)
		operand->shift = (uint8_t)__builtin_ctz(memory->scale);
	if (memory->base == ZYDIS_REGISTER_RIP ||
	    memory->base == ZYDIS_REGISTER_EIP)
		operand->displacement += (int64_t)(to->pc + whole->length);
	if (memory->segment == ZYDIS_REGISTER_FS)
		operand->segment = 1;
	else if (memory->segment == ZYDIS_REGISTER_GS)
		operand->segment = 2;
	if (memory->type == ZYDIS_MEMOP_TYPE_VSIB)
		gather(decoded, from, operand);
	else if (whole->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX &&
		 whole->avx.mask.reg != ZYDIS_REGISTER_NONE &&
		 whole->avx.mask.reg != ZYDIS_REGISTER_K0 &&
		 suppresses_faults(whole))
		mask_lanes(decoded, from, operand);
	stack_order(decoded, from, operand);
	special_forms(decoded, from, to, operand);
}

static void
plain_operand(struct instruction *to, enum site_kind kind, int8_t base,
	      int64_t displacement, uint32_t size)
{
	to->operand[to->n_operands++] = (struct operand){
		.kind = (uint8_t)kind,
		.base = base,
		.index = -1,
		.size = size,
		.displacement = displacement,
	};
}

static void
stack_operand(struct instruction *to, enum site_kind kind, int8_t base,
	      int64_t displacement, uint32_t size)
{
	plain_operand(to, kind, base, displacement, size);
	to->operand[to->n_operands - 1].stack = true;
}

/* It pushes its code segment, then where to return to */
static bool
far_call(const struct decoded *decoded, struct instruction *to)
{
	uint32_t word = decoded->instruction.operand_width / 8u;

	if (decoded->instruction.meta.branch_type != ZYDIS_BRANCH_TYPE_FAR ||
	    decoded->operand[0].type != ZYDIS_OPERAND_TYPE_MEMORY)
		return false;
	add_operand(decoded, &decoded->operand[0], to);
	stack_operand(to, SITE_STORE, STACK_POINTER, -(int64_t)word, word);
	stack_operand(to, SITE_STORE, STACK_POINTER, -2 * (int64_t)word, word);
	return true;
}

/* Those that Zydis' operands describe badly; true: done */
static bool
whole_instruction(const struct decoded *decoded, struct instruction *to)
{
	const ZydisDecodedInstruction *whole = &decoded->instruction;
	uint32_t word = whole->operand_width / 8u;
	unsigned level;

	switch (whole->mnemonic) {
	case ZYDIS_MNEMONIC_LEAVE:
		stack_operand(to, SITE_LOAD, FRAME_POINTER, 0,
			      word == 2 ? 2 : 8);
		return true;
	case ZYDIS_MNEMONIC_ENTER:
		word = word == 2 ? 2 : 8;
		level = (unsigned)decoded->operand[1].imm.value.u & 31;
		stack_operand(to, SITE_STORE, STACK_POINTER, -(int64_t)word,
			      word);
		if (level) {
			stack_operand(to, SITE_LOAD, FRAME_POINTER, 0, word);
			to->operand[1].form = OPERAND_ENTER;
			to->operand[1].lanes = (uint8_t)level;
		}
		return true;
	case ZYDIS_MNEMONIC_IRET:
	case ZYDIS_MNEMONIC_IRETD:
	case ZYDIS_MNEMONIC_IRETQ:
		stack_operand(to, SITE_LOAD, STACK_POINTER, 0, 5 * word);
		return true;
	case ZYDIS_MNEMONIC_CALL:
		return far_call(decoded, to);
	case ZYDIS_MNEMONIC_RET:
		if (whole->meta.branch_type != ZYDIS_BRANCH_TYPE_FAR)
			return false;
		stack_operand(to, SITE_LOAD, STACK_POINTER, 0, 2 * word);
		return true;
	case ZYDIS_MNEMONIC_MOVDIR64B:
		add_operand(decoded, &decoded->operand[1], to);
		plain_operand(to, SITE_STORE,
			      (int8_t)general_register(
				      decoded->operand[0].reg.value),
			      0, 64);
		return true;
	default:
		return false;
	}
}

static uint8_t
class_of(const ZydisDecodedInstruction *decoded)
{
	switch (decoded->mnemonic) {
	case ZYDIS_MNEMONIC_SYSCALL:
	case ZYDIS_MNEMONIC_SYSENTER:
		return INSTRUCTION_SYSCALL;
	case ZYDIS_MNEMONIC_INT:
		return INSTRUCTION_SYSCALL;
	case ZYDIS_MNEMONIC_INT3:
	case ZYDIS_MNEMONIC_INT1:
		return INSTRUCTION_TRAP;
	case ZYDIS_MNEMONIC_PUSHF:
	case ZYDIS_MNEMONIC_PUSHFQ:
		return INSTRUCTION_PUSH_FLAGS;
	case ZYDIS_MNEMONIC_POPFQ:
		return INSTRUCTION_POP_FLAGS;
	case ZYDIS_MNEMONIC_CPUID:
		return INSTRUCTION_CPUID;
	default:
		return INSTRUCTION_PLAIN;
	}
}

static bool
ends_block(const ZydisDecodedInstruction *decoded)
{
	switch (decoded->meta.category) {
	case ZYDIS_CATEGORY_COND_BR:
	case ZYDIS_CATEGORY_UNCOND_BR:
	case ZYDIS_CATEGORY_CALL:
	case ZYDIS_CATEGORY_RET:
	case ZYDIS_CATEGORY_SYSCALL:
	case ZYDIS_CATEGORY_SYSRET:
	case ZYDIS_CATEGORY_INTERRUPT:
		return true;
	default:
		return false;
	}
}

int
instruction_decode(struct instruction *to, uint64_t pc, const uint8_t *bytes,
		   size_t n_bytes)
{
	struct decoded decoded;

	return instruction_decode_whole(to, pc, bytes, n_bytes, &decoded);
}

int
instruction_decode_whole(struct instruction *to, uint64_t pc,
			 const uint8_t *bytes, size_t n_bytes,
			 struct decoded *decoded)
{
	const ZydisDecodedInstruction *whole = &decoded->instruction;
	ZydisDecoderContext context;
	ZydisDecoder decoder;

	/* ZydisDecoderDecodeFull would clear all ten operands */
	if (!ZYAN_SUCCESS(ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
					   ZYDIS_STACK_WIDTH_64)) ||
	    !ZYAN_SUCCESS(
		    ZydisDecoderDecodeInstruction(&decoder, &context, bytes,
						  n_bytes,
						  &decoded->instruction)) ||
	    !ZYAN_SUCCESS(ZydisDecoderDecodeOperands(&decoder, &context,
						     &decoded->instruction,
						     decoded->operand,
						     whole->operand_count)))
		return -EINVAL;
	for (unsigned i = whole->operand_count; i < OPERANDS_SURE; i++)
		memset(&decoded->operand[i], 0, sizeof(decoded->operand[i]));
	*to = (struct instruction){
		.pc = pc,
		.length = whole->length,
		.class = class_of(whole),
		.ends_block = ends_block(whole),
		.address32 = whole->address_width == 32,
		.repeated = whole->meta.category == ZYDIS_CATEGORY_STRINGOP &&
			    (whole->attributes &
			     (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE |
			      ZYDIS_ATTRIB_HAS_REPNE)),
	};
	memcpy(to->bytes, bytes, to->length);
	if (touches_nothing(whole) || whole_instruction(decoded, to))
		return 0;
	/* Loads and modifies stand before stores */
	for (int store = 0; store < 2; store++)
		for (int i = 0; i < whole->operand_count; i++) {
			const ZydisDecodedOperand *from = &decoded->operand[i];

			if (from->type == ZYDIS_OPERAND_TYPE_MEMORY &&
			    (kind_of(decoded, from) == SITE_STORE) == store)
				add_operand(decoded, from, to);
		}
	return 0;
}
