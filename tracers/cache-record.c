// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * No address is computed in the target: the registers that an address is made
 * of are stored, once, into the record.
 */
#include "analyzer/base.h"
#include "tracers/cache-builder.h"

#include <string.h>

/* Its value is, or becomes, a word of the record */
static void
need(struct builder *builder, int reg, int with)
{
	struct cache_track *track = &builder->track;
	unsigned word;

	if (track->value[reg].kind != VALUE_UNKNOWN)
		return;
	word = track_word(track);
	emit_record(&builder->emit, reg == STOLEN && with >= 0 ? with : reg,
		    word - 1);
	track_known(track, reg, word);
}

static uint16_t
needed_registers(const struct instruction *instruction)
{
	uint16_t bits = instruction->repeated ? 1u << RCX : 0;

	for (unsigned i = 0; i < instruction->n_operands; i++) {
		const struct operand *operand = &instruction->operand[i];

		if (operand->base >= 0)
			bits |= (uint16_t)(1u << operand->base);
		if (operand->index >= 0 && operand->form != OPERAND_VECTOR)
			bits |= (uint16_t)(1u << operand->index);
		if (operand->form == OPERAND_BIT)
			bits |= (uint16_t)(1u << operand->mask);
		if (operand->form == OPERAND_SAVE ||
		    operand->form == OPERAND_SAVE_COMPACT)
			bits |= 1u << RAX | 1u << RDX;
		if (operand->form == OPERAND_ENTER)
			bits |= 1u << RBP | 1u << RSP;
	}
	return bits;
}

static unsigned
store_words(struct builder *builder, unsigned bytes)
{
	unsigned first = track_word(&builder->track);

	for (unsigned i = 8; i < bytes; i += 8)
		track_word(&builder->track);
	return first;
}

/* mov-like instruction of `name` from a register to a word of the record */
static void
encode_store(struct builder *builder, ZydisMnemonic name, ZydisRegister from,
	     unsigned word, unsigned bytes)
{
	ZydisEncoderRequest request = {
		.machine_mode = ZYDIS_MACHINE_MODE_LONG_64,
		.mnemonic = name,
	};
	ZyanUSize length = ZYDIS_MAX_INSTRUCTION_LENGTH;

	request.operands[0].type = ZYDIS_OPERAND_TYPE_MEMORY;
	request.operands[0].mem.base = ZYDIS_REGISTER_R11;
	request.operands[0].mem.displacement = 8 * (ZyanI64)word;
	request.operands[0].mem.size = (ZyanU16)bytes;
	/* To Zydis those of AVX-512 have a mask, if only k0 */
	if (bytes == 64)
		request.operands[1] = (ZydisEncoderOperand){
			.type = ZYDIS_OPERAND_TYPE_REGISTER,
			.reg.value = ZYDIS_REGISTER_K0,
		};
	request.operand_count = bytes == 64 ? 3 : 2;
	request.operands[request.operand_count - 1] = (ZydisEncoderOperand){
		.type = ZYDIS_OPERAND_TYPE_REGISTER,
		.reg.value = from,
	};
	if (ZYAN_SUCCESS(ZydisEncoderEncodeInstruction(&request,
						       builder->emit.at,
						       &length)))
		builder->emit.at += length;
	else
		builder->unrecorded = true;
}

static void
store_vector(struct builder *builder, ZydisInstructionEncoding encoding,
	     struct cache_special *special, unsigned number)
{
	unsigned i = special->n_vectors, bytes = 16;

	for (unsigned k = 0; k < i; k++)
		if (special->vector[k] == number)
			return;
	if (number >= REGISTER_MMX)
		bytes = 8;
	else if (encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX)
		bytes = 64;
	else if (encoding == ZYDIS_INSTRUCTION_ENCODING_VEX)
		bytes = 32;
	special->vector[i] = (uint8_t)number;
	special->vector_bytes[i] = (uint8_t)bytes;
	special->vector_word[i] = (uint16_t)store_words(builder, bytes);
	special->n_vectors++;
	if (bytes == 8)
		encode_store(builder, ZYDIS_MNEMONIC_MOVQ,
			     ZYDIS_REGISTER_MM0 + number - REGISTER_MMX,
			     special->vector_word[i], 8);
	else if (bytes == 64)
		encode_store(builder, ZYDIS_MNEMONIC_VMOVDQU64,
			     ZYDIS_REGISTER_ZMM0 + number,
			     special->vector_word[i], 64);
	else if (bytes == 32)
		encode_store(builder, ZYDIS_MNEMONIC_VMOVDQU,
			     ZYDIS_REGISTER_YMM0 + number,
			     special->vector_word[i], 32);
	else
		encode_store(builder, ZYDIS_MNEMONIC_MOVDQU,
			     ZYDIS_REGISTER_XMM0 + number,
			     special->vector_word[i], 16);
}

static ZydisInstructionEncoding
encoding_of(const struct instruction *instruction)
{
	struct instruction again;
	struct decoded whole;

	instruction_decode_whole(&again, instruction->pc, instruction->bytes,
				 instruction->length, &whole);
	return whole.instruction.encoding;
}

static void
store_masks(struct builder *builder, const struct cache_instruction *code,
	    struct cache_special *special)
{
	ZydisInstructionEncoding encoding = encoding_of(&code->touched);

	for (unsigned i = 0; i < code->touched.n_operands; i++) {
		const struct operand *operand = &code->touched.operand[i];

		if (operand->form == OPERAND_VECTOR)
			store_vector(builder, encoding, special,
				     (unsigned)operand->index);
		if (operand->mask_by == MASK_VECTOR)
			store_vector(builder, encoding, special, operand->mask);
		if (operand->mask_by == MASK_OPMASK && !special->opmask_word) {
			special->opmask_word =
				(uint16_t)store_words(builder, 8);
			encode_store(builder, ZYDIS_MNEMONIC_KMOVQ,
				     ZYDIS_REGISTER_K0 + operand->mask,
				     special->opmask_word, 8);
		}
	}
}

static void
record_special(struct builder *builder, unsigned k, int with)
{
	const struct cache_instruction *code = &builder->run[k];
	struct cache_special *special = &builder->special[builder->n_specials];

	*special = (struct cache_special){
		.instruction = code->touched,
		.needed = needed_registers(&code->touched),
	};
	for (int reg = 0; reg < 16; reg++) {
		if (!(special->needed >> reg & 1))
			continue;
		need(builder, reg, with);
		special->general[reg] = builder->track.value[reg];
	}
	store_masks(builder, code, special);
	builder->n_specials++;
}

void
record_operands(struct builder *builder, unsigned k, int with)
{
	const struct instruction *touched = &builder->run[k].touched;

	builder->unrecorded = false;
	if (!builder->code->data)
		return;
	if (builder->run[k].special) {
		record_special(builder, k, with);
		return;
	}
	for (unsigned i = 0; i < touched->n_operands; i++) {
		const struct operand *operand = &touched->operand[i];

		if (operand->base >= 0)
			need(builder, operand->base, with);
		if (operand->index >= 0)
			need(builder, operand->index, with);
		track_access(&builder->track, operand,
			     &builder->access[builder->n_accesses++]);
	}
}

void
record_repeated(struct builder *builder, unsigned k)
{
	static const int reg[] = { RCX, RSI, RDI };
	const struct cache_instruction *code = &builder->run[k];
	struct cache_special *special;

	if (!builder->code->data)
		return;
	special = &builder->special[builder->n_specials - 1];
	for (size_t i = 0; i < ARRAY_SIZE(reg); i++) {
		if (!(code->writes >> reg[i] & 1))
			continue;
		special->after[i] = (uint16_t)track_word(&builder->track);
		emit_record(&builder->emit, reg[i], special->after[i] - 1u);
		track_known(&builder->track, reg[i], special->after[i]);
	}
}
