// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The stand-ins are such that only the low three bits of the register's number
 * change, wherever it is encoded: r12 needs an index byte as a base and r13 a
 * displacement, so they are none.  The result is decoded again to be sure.
 */
#include "tracers/cache-substitute.h"
#include "analyzer/base.h"

#include <string.h>

#include "tracers/cache-emit.h"

int
substitute_choose(const struct cache_instruction *code)
{
	static const int candidate[] = { R8, R9, R10, R14, R15 };
	uint16_t used = code->reads | code->writes;

	for (size_t i = 0; i < ARRAY_SIZE(candidate); i++)
		if (!(used >> candidate[i] & 1))
			return candidate[i];
	return -1;
}

static void
set_low(uint8_t *byte, int with)
{
	*byte = (uint8_t)((*byte & ~7) | (with & 7));
}

static void
set_middle(uint8_t *byte, int with)
{
	*byte = (uint8_t)((*byte & ~0x38) | (with & 7) << 3);
}

/* The register in VEX.vvvv or EVEX.vvvv, stored inverted */
static void
set_vvvv(const ZydisDecodedInstruction *decoded, uint8_t *bytes, int with)
{
	unsigned at =
		decoded->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX
			? decoded->raw.vex.offset + decoded->raw.vex.size - 1u
			: decoded->raw.evex.offset + 2u;

	bytes[at] = (uint8_t)((bytes[at] & ~0x38) | (~with & 7) << 3);
}

static int
register_operand(const ZydisDecodedInstruction *decoded,
		 const ZydisDecodedOperand *operand, uint8_t *bytes, int with)
{
	unsigned at;

	switch (operand->encoding) {
	case ZYDIS_OPERAND_ENCODING_MODRM_REG:
		set_middle(&bytes[decoded->raw.modrm.offset], with);
		return 0;
	case ZYDIS_OPERAND_ENCODING_MODRM_RM:
		set_low(&bytes[decoded->raw.modrm.offset], with);
		return 0;
	case ZYDIS_OPERAND_ENCODING_OPCODE:
		at = decoded->raw.rex.offset + 1u;
		if (bytes[at] == 0x0f)
			at++;
		set_low(&bytes[at], with);
		return 0;
	case ZYDIS_OPERAND_ENCODING_NDSNDD:
		set_vvvv(decoded, bytes, with);
		return 0;
	default:
		return -EINVAL;
	}
}

static void
memory_operand(const ZydisDecodedInstruction *decoded,
	       const ZydisDecodedOperand *operand, uint8_t *bytes, int with)
{
	uint8_t *modrm = &bytes[decoded->raw.modrm.offset];
	uint8_t *sib = &bytes[decoded->raw.sib.offset];

	if (general_register(operand->mem.base) == STOLEN)
		set_low(decoded->raw.modrm.rm == 4 ? sib : modrm, with);
	if (operand->mem.type != ZYDIS_MEMOP_TYPE_VSIB &&
	    general_register(operand->mem.index) == STOLEN)
		set_middle(sib, with);
}

static bool
is_right(const struct cache_instruction *code, const struct decoded *whole,
	 const uint8_t *bytes, int with)
{
	uint16_t stolen = 1u << STOLEN, one = (uint16_t)(1u << with);
	uint16_t reads = code->reads, writes = code->writes;
	struct cache_instruction again;
	struct decoded whole_again;

	if (cache_decode_whole(&again, code->touched.pc, bytes,
			       code->touched.length, &whole_again) ||
	    again.touched.length != code->touched.length ||
	    whole_again.instruction.mnemonic != whole->instruction.mnemonic)
		return false;
	if (reads & stolen)
		reads = (uint16_t)((reads & ~stolen) | one);
	if (writes & stolen)
		writes = (uint16_t)((writes & ~stolen) | one);
	return again.reads == reads && again.writes == writes;
}

int
substitute_register(const struct cache_instruction *code,
		    const struct decoded *whole, uint8_t *bytes, int with)
{
	int error = 0;

	for (int i = 0; i < whole->instruction.operand_count && !error; i++) {
		const ZydisDecodedOperand *operand = &whole->operand[i];

		if (operand->type == ZYDIS_OPERAND_TYPE_MEMORY)
			memory_operand(&whole->instruction, operand, bytes,
				       with);
		else if (operand->type == ZYDIS_OPERAND_TYPE_REGISTER &&
			 general_register(operand->reg.value) == STOLEN)
			error = register_operand(&whole->instruction, operand,
						 bytes, with);
	}
	if (!error && !is_right(code, whole, bytes, with))
		error = -EINVAL;
	return error;
}

int
substitute_place(const struct cache_instruction *code, uint8_t *bytes,
		 uint64_t address)
{
	uint8_t *at = bytes + code->displacement_at;
	int64_t distance;
	int32_t narrow;

	if (!code->displacement_at)
		return 0;
	memcpy(&narrow, at, sizeof(narrow));
	distance = narrow + (int64_t)(code->touched.pc - address);
	narrow = (int32_t)distance;
	if (narrow != distance)
		return -ERANGE;
	memcpy(at, &narrow, sizeof(narrow));
	return 0;
}
