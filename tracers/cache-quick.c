// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Common instructions, decoded by tables: what cache_decode_whole() learns from
 * Zydis in 0.55 us takes 0.03 us here.  Anything that is not in a table, or has
 * an uncommon prefix, is left to it; tests/test-quick compares the two.
 */
#include "analyzer/base.h"
#include "tracers/cache-decode.h"

#include <stddef.h>
#include <string.h>

/* Of a row: what follows the opcode, and how large operands are */
#define MODRM	 0x01
#define BYTE	 0x02 /* operands of one byte */
#define IMM8	 0x04
#define IMM32	 0x08 /* 16 bits with the prefix */
#define TAKES_AL 0x10 /* rax is the register operand */
#define LOW	 0x20 /* the register stands in the opcode */
#define RM_BYTE	 0x40 /* the r/m operand's own size */
#define RM_WORD	 0x80
#define RM_HALF	 0x100 /* 32 bits */
#define ANY	 0x200 /* a row without any of these */

/* Access to an operand */
#define R  1
#define W  2
#define RW 3

enum meaning {
	PLAIN,
	GROUP, /* by the middle of ModRM: rm is its number */
	CONDITIONAL,
	ADD,
	SUB,
	XOR,
	MOVE,
	CONSTANT,
	CONSTANT64,
	INCREMENT,
	DECREMENT,
	LEA,
	NOP,
	/* From here on without the prefix for 16 bits */
	LONG_SIGNED,
	NO_OPERATION,
	SIGN_SPREAD,
	LEAVE,
	PUSH,
	POP,
	PUSH_MEMORY,
	CALL,
	CALL_BY,
	RETURN,
	RETURN_DROP,
	JUMP,
	JUMP_BY,
	BRANCH,
};

#define CF  ZYDIS_CPUFLAG_CF
#define PF  ZYDIS_CPUFLAG_PF
#define ZF  ZYDIS_CPUFLAG_ZF
#define SF  ZYDIS_CPUFLAG_SF
#define OF  ZYDIS_CPUFLAG_OF
#define ALL STATUS_FLAGS
/* Zydis leaves it out for sbb, which does no harm */
#define BUT_HALF  ((uint16_t)(ALL & ~ZYDIS_CPUFLAG_AF))
#define BUT_CARRY ((uint16_t)(ALL & ~CF))

struct row {
	uint16_t form;
	uint8_t rm, reg;
	uint8_t meaning;
	uint16_t set, tested;
};

#define ARITHMETIC(n, access, what, to, from)                                 \
	[8 * (n)] = { MODRM | BYTE, access, R, PLAIN, to, from },             \
	     [8 * (n) + 1] = { MODRM, access, R, (what) == XOR ? XOR : PLAIN, \
			       to,    from },                                 \
	     [8 * (n) + 2] = { MODRM | BYTE, R, access, PLAIN, to, from },    \
	     [8 * (n) +                                                       \
		     3] = { MODRM, R,	access, (what) == XOR ? XOR : PLAIN,  \
			    to,	   from },                                    \
	     [8 * (n) + 4] = { TAKES_AL | BYTE | IMM8,                        \
			       0,                                             \
			       access,                                        \
			       PLAIN,                                         \
			       to,                                            \
			       from },                                        \
	     [8 * (n) + 5] = { TAKES_AL | IMM32,                              \
			       0,                                             \
			       access,                                        \
			       (what) == XOR ? PLAIN : (what),                \
			       to,                                            \
			       from }

#define EIGHT(first, ...) [first...(first) + 7] = { __VA_ARGS__ }

static const struct row one_byte[256] = {
	ARITHMETIC(0, RW, ADD, ALL, 0),
	ARITHMETIC(1, RW, PLAIN, ALL, 0),
	ARITHMETIC(2, RW, PLAIN, ALL, CF),
	ARITHMETIC(3, RW, PLAIN, BUT_HALF, CF),
	ARITHMETIC(4, RW, PLAIN, ALL, 0),
	ARITHMETIC(5, RW, SUB, ALL, 0),
	ARITHMETIC(6, RW, XOR, ALL, 0),
	ARITHMETIC(7, R, PLAIN, ALL, 0),
	EIGHT(0x50, LOW, 0, R, PUSH),
	EIGHT(0x58, LOW, 0, W, POP),
	[0x63] = { MODRM | RM_HALF, R, W, LONG_SIGNED },
	[0x68] = { IMM32, 0, 0, PUSH },
	[0x69] = { MODRM | IMM32, R, W, PLAIN, CF | OF },
	[0x6a] = { IMM8, 0, 0, PUSH },
	[0x6b] = { MODRM | IMM8, R, W, PLAIN, CF | OF },
	EIGHT(0x70, IMM8, 0, 0, BRANCH),
	EIGHT(0x78, IMM8, 0, 0, BRANCH),
	[0x80] = { MODRM | BYTE | IMM8, 0, 0, GROUP },
	[0x81] = { MODRM | IMM32, 0, 0, GROUP },
	[0x83] = { MODRM | IMM8, 0, 0, GROUP },
	[0x84] = { MODRM | BYTE, R, R, PLAIN, ALL },
	[0x85] = { MODRM, R, R, PLAIN, ALL },
	[0x88] = { MODRM | BYTE, W, R, PLAIN },
	[0x89] = { MODRM, W, R, MOVE },
	[0x8a] = { MODRM | BYTE, R, W, PLAIN },
	[0x8b] = { MODRM, R, W, MOVE },
	[0x8d] = { MODRM, R, W, LEA },
	[0x90] = { ANY, 0, 0, NO_OPERATION },
	[0x98] = { ANY, 0, 0, SIGN_SPREAD },
	[0x99] = { ANY, 0, 0, SIGN_SPREAD },
	[0xa8] = { TAKES_AL | BYTE | IMM8, 0, R, PLAIN, ALL },
	[0xa9] = { TAKES_AL | IMM32, 0, R, PLAIN, ALL },
	EIGHT(0xb0, LOW | BYTE | IMM8, 0, W, PLAIN),
	EIGHT(0xb8, LOW | IMM32, 0, W, CONSTANT64),
	[0xc0] = { MODRM | BYTE | IMM8, 1, 0, GROUP },
	[0xc1] = { MODRM | IMM8, 1, 0, GROUP },
	[0xc2] = { ANY, 0, 0, RETURN_DROP },
	[0xc3] = { ANY, 0, 0, RETURN },
	[0xc6] = { MODRM | BYTE | IMM8, 2, 0, GROUP },
	[0xc7] = { MODRM | IMM32, 2, 0, GROUP },
	[0xc9] = { ANY, 0, 0, LEAVE },
	[0xd0] = { MODRM | BYTE, 1, 0, GROUP },
	[0xd1] = { MODRM, 1, 0, GROUP },
	[0xe8] = { IMM32, 0, 0, CALL },
	[0xe9] = { IMM32, 0, 0, JUMP },
	[0xeb] = { IMM8, 0, 0, JUMP },
	[0xf6] = { MODRM | BYTE, 3, 0, GROUP },
	[0xf7] = { MODRM, 3, 0, GROUP },
	[0xfe] = { MODRM | BYTE, 4, 0, GROUP },
	[0xff] = { MODRM, 5, 0, GROUP },
};

/* `form` is added to the opcode's */
static const struct row group[][8] = {
	{
		{ MODRM, RW, 0, ADD, ALL },
		{ MODRM, RW, 0, PLAIN, ALL },
		{ MODRM, RW, 0, PLAIN, ALL, CF },
		{ MODRM, RW, 0, PLAIN, BUT_HALF, CF },
		{ MODRM, RW, 0, PLAIN, ALL },
		{ MODRM, RW, 0, SUB, ALL },
		{ MODRM, RW, 0, PLAIN, ALL },
		{ MODRM, R, 0, PLAIN, ALL },
	},
	/* By 0 they leave the flags alone */
	{
		{ MODRM, RW, 0, PLAIN },
		{ MODRM, RW, 0, PLAIN },
		[4] = { MODRM, RW, 0, PLAIN },
		[5] = { MODRM, RW, 0, PLAIN },
		[7] = { MODRM, RW, 0, PLAIN },
	},
	{ { MODRM, W, 0, CONSTANT } },
	{
		/* Its immediate is added by hand */
		{ MODRM | IMM8, R, 0, PLAIN, ALL },
		[2] = { MODRM, RW, 0, PLAIN },
		[3] = { MODRM, RW, 0, PLAIN, ALL },
	},
	{
		{ MODRM, RW, 0, INCREMENT, BUT_CARRY },
		{ MODRM, RW, 0, DECREMENT, BUT_CARRY },
	},
	{
		{ MODRM, RW, 0, INCREMENT, BUT_CARRY },
		{ MODRM, RW, 0, DECREMENT, BUT_CARRY },
		[2] = { MODRM, R, 0, CALL_BY },
		[4] = { MODRM, R, 0, JUMP_BY },
		[6] = { MODRM, R, 0, PUSH_MEMORY },
	},
};

static const struct row two_byte[256] = {
	[0x1f] = { MODRM, R, R, NOP },
	EIGHT(0x40, MODRM, R, RW, CONDITIONAL),
	EIGHT(0x48, MODRM, R, RW, CONDITIONAL),
	EIGHT(0x80, IMM32, 0, 0, BRANCH),
	EIGHT(0x88, IMM32, 0, 0, BRANCH),
	EIGHT(0x90, MODRM | BYTE, W, 0, CONDITIONAL),
	EIGHT(0x98, MODRM | BYTE, W, 0, CONDITIONAL),
	[0xaf] = { MODRM, R, RW, PLAIN, CF | OF },
	[0xb6] = { MODRM | RM_BYTE, R, W, PLAIN },
	[0xb7] = { MODRM | RM_WORD, R, W, PLAIN },
	[0xbe] = { MODRM | RM_BYTE, R, W, PLAIN },
	[0xbf] = { MODRM | RM_WORD, R, W, PLAIN },
};

/* Of vectors, without a prefix and with 66, f3, f2: bytes of memory; 0: not
 * here */
struct vector_row {
	uint8_t bytes[4];
	uint8_t access;	 /* to the r/m operand, if that is memory */
	uint8_t general; /* to a general register in its place */
	uint8_t to;	 /* to one in the other operand's */
	bool memory;	 /* only */
	bool imm8, flags;
};

#define PACKED(n)  [n] = { { 16, 16, 0, 0 }, R }
#define SCALAR(n)  [n] = { { 16, 16, 4, 8 }, R }
#define INTEGER(n) [n] = { { 0, 16, 0, 0 }, R }

static const struct vector_row vector[256] = {
	SCALAR(0x10),
	[0x11] = { { 16, 16, 4, 8 }, W },
	[0x12] = { { 8, 8, 0, 0 }, R, .memory = true },
	[0x13] = { { 8, 8, 0, 0 }, W, .memory = true },
	PACKED(0x14),
	PACKED(0x15),
	[0x16] = { { 8, 8, 0, 0 }, R, .memory = true },
	[0x17] = { { 8, 8, 0, 0 }, W, .memory = true },
	PACKED(0x28),
	[0x29] = { { 16, 16, 0, 0 }, W },
	[0x2a] = { { 0, 0, 4, 4 }, R, .general = R },
	[0x2c] = { { 0, 0, 4, 8 }, R, .to = W },
	[0x2d] = { { 0, 0, 4, 8 }, R, .to = W },
	[0x2e] = { { 4, 8, 0, 0 }, R, .flags = true },
	[0x2f] = { { 4, 8, 0, 0 }, R, .flags = true },
	SCALAR(0x51),
	PACKED(0x54),
	PACKED(0x55),
	PACKED(0x56),
	PACKED(0x57),
	SCALAR(0x58),
	SCALAR(0x59),
	[0x5a] = { { 8, 16, 4, 8 }, R },
	SCALAR(0x5c),
	SCALAR(0x5d),
	SCALAR(0x5e),
	SCALAR(0x5f),
	INTEGER(0x60),
	INTEGER(0x61),
	INTEGER(0x62),
	INTEGER(0x63),
	INTEGER(0x64),
	INTEGER(0x65),
	INTEGER(0x66),
	INTEGER(0x67),
	INTEGER(0x68),
	INTEGER(0x69),
	INTEGER(0x6a),
	INTEGER(0x6b),
	INTEGER(0x6c),
	INTEGER(0x6d),
	[0x6e] = { { 0, 4, 0, 0 }, R, .general = R },
	[0x6f] = { { 0, 16, 16, 0 }, R },
	[0x70] = { { 0, 16, 16, 16 }, R, .imm8 = true },
	INTEGER(0x74),
	INTEGER(0x75),
	INTEGER(0x76),
	[0x7e] = { { 0, 4, 8, 0 }, W, .general = W },
	[0x7f] = { { 0, 16, 16, 0 }, W },
	[0xc6] = { { 16, 16, 0, 0 }, R, .imm8 = true },
	INTEGER(0xd4),
	[0xd6] = { { 0, 8, 0, 0 }, W },
	INTEGER(0xd8),
	INTEGER(0xda),
	INTEGER(0xdb),
	INTEGER(0xdc),
	INTEGER(0xde),
	INTEGER(0xdf),
	[0xe7] = { { 0, 16, 0, 0 }, W, .memory = true },
	INTEGER(0xeb),
	INTEGER(0xef),
	INTEGER(0xf4),
	INTEGER(0xf8),
	INTEGER(0xf9),
	INTEGER(0xfa),
	INTEGER(0xfb),
	INTEGER(0xfc),
	INTEGER(0xfd),
	INTEGER(0xfe),
};

#define REX_W 8u
#define REX_R 4u
#define REX_X 2u
#define REX_B 1u

/* An instruction under way */
struct text {
	const uint8_t *bytes;
	unsigned at;
	uint8_t rex;	/* 0x40 to 0x4f; 0: none */
	uint8_t repeat; /* f2 or f3; 0: neither */
	bool narrow, fs;
	uint8_t opcode;
	uint8_t modrm;
	bool in_memory;	       /* the r/m operand is */
	struct operand memory; /* then; its size and kind are open */
	bool by_rip;
	int64_t immediate;
};

static void
prefixes(struct text *text)
{
	for (;; text->at++) {
		uint8_t byte = text->bytes[text->at];

		if (byte == 0x66 && !text->narrow)
			text->narrow = true;
		else if (byte == 0x64 && !text->fs)
			text->fs = true;
		else if ((byte == 0xf2 || byte == 0xf3) && !text->repeat)
			text->repeat = byte;
		else
			break;
	}
	if ((text->bytes[text->at] & 0xf0) == 0x40)
		text->rex = text->bytes[text->at++];
}

static int32_t
take32(struct text *text)
{
	int32_t value;

	memcpy(&value, text->bytes + text->at, sizeof(value));
	text->at += 4;
	return value;
}

static unsigned
middle(const struct text *text)
{
	return (text->modrm >> 3 & 7u) | (text->rex & REX_R ? 8u : 0);
}

static unsigned
low(const struct text *text, uint8_t byte)
{
	return (byte & 7u) | (text->rex & REX_B ? 8u : 0);
}

static void
index_byte(struct text *text, unsigned mod)
{
	uint8_t byte = text->bytes[text->at++];
	unsigned index = (byte >> 3 & 7u) | (text->rex & REX_X ? 8u : 0);

	if (index != RSP) {
		text->memory.index = (int8_t)index;
		text->memory.shift = byte >> 6;
	}
	if ((byte & 7) == 5 && !mod)
		text->memory.displacement = take32(text);
	else
		text->memory.base = (int8_t)low(text, byte);
}

static void
take_modrm(struct text *text, struct cache_instruction *to)
{
	struct operand *memory = &text->memory;
	unsigned mod;

	text->modrm = text->bytes[text->at++];
	mod = text->modrm >> 6;
	text->in_memory = mod != 3;
	if (!text->in_memory)
		return;
	memory->base = memory->index = -1;
	memory->index_bytes = 8;
	memory->segment = text->fs;
	if ((text->modrm & 7) == 4) {
		index_byte(text, mod);
	} else if ((text->modrm & 7) == 5 && !mod) {
		to->displacement_at = (uint8_t)text->at;
		text->by_rip = true;
		memory->displacement = take32(text);
	} else {
		memory->base = (int8_t)low(text, text->modrm);
	}
	if (mod == 1)
		memory->displacement = (int64_t)(int8_t)text->bytes[text->at++];
	else if (mod == 2)
		memory->displacement = take32(text);
	if (memory->base >= 0)
		to->reads |= (uint16_t)(1u << memory->base);
	if (memory->index >= 0)
		to->reads |= (uint16_t)(1u << memory->index);
}

/* A byte or word of a register leaves the rest as it was */
static void
use(struct cache_instruction *to, unsigned number, unsigned bytes,
    unsigned access)
{
	uint16_t one = (uint16_t)(1u << number);

	if (access & R || (access && bytes < 4))
		to->reads |= one;
	if (access & W)
		to->writes |= one;
}

/* Without REX the numbers 4 to 7 are ah, ch, dh, bh */
static unsigned
numbered(const struct text *text, unsigned number, unsigned bytes)
{
	return bytes == 1 && !text->rex && number >= 4 ? number - 4 : number;
}

static void
touch(struct cache_instruction *to, const struct text *text, unsigned access,
      uint32_t bytes)
{
	struct operand *operand =
		&to->touched.operand[to->touched.n_operands++];

	*operand = text->memory;
	operand->size = bytes;
	operand->kind = access == RW ? SITE_MODIFY
			: access & W ? SITE_STORE
				     : SITE_LOAD;
}

static void
touch_stack(struct cache_instruction *to, enum site_kind kind,
	    int64_t displacement)
{
	to->touched.operand[to->touched.n_operands++] = (struct operand){
		.kind = (uint8_t)kind,
		.base = RSP,
		.index = -1,
		.index_bytes = 8,
		.stack = true,
		.size = 8,
		.displacement = displacement,
	};
	use(to, RSP, 8, RW);
}

static void
become(struct cache_instruction *to, unsigned number, enum cache_effect effect,
       unsigned from, int64_t by)
{
	to->to = (uint8_t)number;
	to->effect = (uint8_t)effect;
	to->from = (uint8_t)from;
	to->by = by;
}

static void
end_with(struct cache_instruction *to, enum cache_flow flow)
{
	to->flow = (uint8_t)flow;
	to->touched.ends_block = true;
	to->tested = STATUS_FLAGS;
}

static uint16_t
tested_by(unsigned condition)
{
	static const uint16_t flags[8] = { OF, CF, ZF,	    CF | ZF,
					   SF, PF, SF | OF, ZF | SF | OF };

	return flags[condition >> 1 & 7];
}

static void
mean_move(struct cache_instruction *to, const struct text *text,
	  const struct row *row, unsigned bytes)
{
	unsigned rm = low(text, text->modrm), reg = middle(text);
	bool by_register = row->form & MODRM && !text->in_memory;
	unsigned number = row->form & MODRM ? rm : RAX;

	switch (row->meaning) {
	case CONDITIONAL:
		to->tested = tested_by(text->opcode & 15);
		break;
	case ADD:
	case SUB:
		if (bytes == 8 && (by_register || row->form & TAKES_AL))
			become(to, number, EFFECT_MOVED, number,
			       row->meaning == ADD ? text->immediate
						   : -text->immediate);
		break;
	case XOR:
		if (bytes == 4 && by_register && rm == reg)
			become(to, rm, EFFECT_CONSTANT, 0, 0);
		break;
	case MOVE:
		if (bytes == 8 && by_register)
			become(to, row->rm & W ? rm : reg, EFFECT_MOVED,
			       row->rm & W ? reg : rm, 0);
		break;
	case CONSTANT:
		if (bytes >= 4 && by_register)
			become(to, rm, EFFECT_CONSTANT, 0,
			       bytes == 8 ? text->immediate
					  : (uint32_t)text->immediate);
		break;
	case CONSTANT64:
		if (bytes >= 4)
			become(to, low(text, text->opcode), EFFECT_CONSTANT, 0,
			       bytes == 8 ? text->immediate
					  : (uint32_t)text->immediate);
		break;
	case INCREMENT:
	case DECREMENT:
		if (bytes == 8 && by_register)
			become(to, rm, EFFECT_MOVED, rm,
			       row->meaning == INCREMENT ? 1 : -1);
		break;
	default:
		break;
	}
}

static void
mean_lea(struct cache_instruction *to, const struct text *text, unsigned bytes)
{
	const struct operand *memory = &text->memory;

	if (bytes != 8 || memory->index >= 0)
		return;
	if (memory->base >= 0)
		become(to, middle(text), EFFECT_MOVED, (unsigned)memory->base,
		       memory->displacement);
	else
		become(to, middle(text), EFFECT_CONSTANT, 0,
		       memory->displacement);
}

static void
mean_stack(struct cache_instruction *to, const struct text *text,
	   enum meaning meaning)
{
	to->stack_from = RSP;
	to->stack_by = meaning == POP ? 8 : -8;
	switch (meaning) {
	case LEAVE:
		use(to, RBP, 8, RW);
		use(to, RSP, 8, RW);
		to->stack_from = RBP;
		to->stack_by = 8;
		to->touched.operand[to->touched.n_operands++] =
			(struct operand){ .kind = SITE_LOAD,
					  .base = RBP,
					  .index = -1,
					  .stack = true,
					  .size = 8 };
		break;
	case POP:
		if (low(text, text->opcode) == RSP)
			to->stack_by = 0;
		touch_stack(to, SITE_LOAD, 0);
		break;
	default:
		touch_stack(to, SITE_STORE, -8);
		break;
	}
}

static void
mean_flow(struct cache_instruction *to, const struct text *text,
	  enum meaning meaning)
{
	switch (meaning) {
	case CALL:
		end_with(to, FLOW_CALL);
		touch_stack(to, SITE_STORE, -8);
		break;
	case CALL_BY:
		end_with(to, FLOW_CALL_BY);
		touch_stack(to, SITE_STORE, -8);
		break;
	case RETURN:
	case RETURN_DROP:
		end_with(to, FLOW_RETURN);
		touch_stack(to, SITE_LOAD, 0);
		to->by = text->immediate;
		break;
	case JUMP:
		end_with(to, FLOW_JUMP);
		break;
	case JUMP_BY:
		end_with(to, FLOW_JUMP_BY);
		break;
	case BRANCH:
		end_with(to, FLOW_BRANCH);
		to->condition = text->opcode & 15;
		break;
	default:
		break;
	}
	if (to->flow >= FLOW_BRANCH && to->flow <= FLOW_CALL)
		to->target =
			to->touched.pc + text->at + (uint64_t)text->immediate;
}

/* cdqe, cqo and their narrower forms */
static void
mean_spread(struct cache_instruction *to, const struct text *text)
{
	use(to, RAX, 4, text->opcode == 0x98 ? RW : R);
	if (text->opcode == 0x99)
		use(to, RDX, 4, W);
}

static unsigned
operand_bytes(const struct text *text, unsigned form)
{
	if (form & BYTE)
		return 1;
	if (text->narrow)
		return 2;
	return text->rex & REX_W ? 8 : 4;
}

static unsigned
rm_bytes(unsigned form, unsigned bytes)
{
	if (form & RM_BYTE)
		return 1;
	if (form & RM_WORD)
		return 2;
	return form & RM_HALF ? 4 : bytes;
}

static void
take_immediate(struct text *text, const struct row *row, unsigned bytes)
{
	int16_t word;

	if (row->meaning == RETURN_DROP) {
		memcpy(&word, text->bytes + text->at, sizeof(word));
		text->immediate = (uint16_t)word;
		text->at += 2;
	} else if (row->form & IMM8) {
		text->immediate = (int64_t)(int8_t)text->bytes[text->at++];
	} else if (row->form & IMM32 && bytes == 2) {
		memcpy(&word, text->bytes + text->at, sizeof(word));
		text->immediate = word;
		text->at += 2;
	} else if (row->meaning == CONSTANT64 && bytes == 8) {
		memcpy(&text->immediate, text->bytes + text->at, 8);
		text->at += 8;
	} else if (row->form & IMM32) {
		text->immediate = take32(text);
	}
}

static int
finish(struct cache_instruction *to, struct text *text)
{
	struct instruction *touched = &to->touched;

	if (text->at > INSTRUCTION_BYTES || (text->fs && !text->in_memory))
		return -EINVAL;
	touched->length = (uint8_t)text->at;
	memcpy(touched->bytes, text->bytes, touched->length);
	if (text->by_rip)
		text->memory.displacement +=
			(int64_t)(touched->pc + touched->length);
	return 0;
}

/* The row of a group's member, which is kept in `own`; NULL: none */
static const struct row *
row_of(struct text *text, const struct row *row, struct row *own)
{
	if (!row->form || row->meaning != GROUP)
		return row->form ? row : NULL;
	*own = group[row->rm][text->bytes[text->at] >> 3 & 7];
	if (!own->form)
		return NULL;
	/* test of an immediate, alone in its group */
	if (row->rm == 3 && own->form & IMM8 && !(row->form & BYTE))
		own->form = MODRM | IMM32;
	own->form |= row->form;
	return own;
}

static void
use_operands(struct cache_instruction *to, const struct text *text,
	     const struct row *row, unsigned bytes)
{
	unsigned rm = rm_bytes(row->form, bytes);
	unsigned reg = row->form & LOW	      ? low(text, text->opcode)
		       : row->form & TAKES_AL ? RAX
					      : middle(text);

	use(to, numbered(text, reg, bytes), bytes, row->reg);
	if (!(row->form & MODRM))
		return;
	if (!text->in_memory)
		use(to, numbered(text, low(text, text->modrm), rm), rm,
		    row->rm);
	else if (row->meaning != LEA && row->meaning != NOP)
		touch(to, text, row->rm, rm);
}

/* A row and what is decoded of it so far do not go together */
static bool
is_uncommon(const struct text *text, enum meaning meaning)
{
	switch (meaning) {
	case LEA:
	case NOP:
		return !text->in_memory || text->fs;
	case PUSH_MEMORY:
		return !text->in_memory;
	case NO_OPERATION:
		return text->rex;
	default:
		return false;
	}
}

static int
decode_row(struct cache_instruction *to, struct text *text,
	   const struct row *row)
{
	enum meaning meaning = (enum meaning)row->meaning;
	unsigned bytes = operand_bytes(text, row->form);

	if (text->repeat || (text->narrow && (text->rex & REX_W)) ||
	    (text->narrow && meaning >= LONG_SIGNED))
		return -EINVAL;
	if (row->form & MODRM)
		take_modrm(text, to);
	take_immediate(text, row, bytes);
	if (is_uncommon(text, meaning) || finish(to, text))
		return -EINVAL;
	to->set = row->set;
	to->tested = row->tested;
	if (meaning >= LEAVE)
		bytes = 8;
	use_operands(to, text, row, bytes);
	if (meaning < LEA)
		mean_move(to, text, row, bytes);
	else if (meaning == LEA)
		mean_lea(to, text, bytes);
	else if (meaning == SIGN_SPREAD)
		mean_spread(to, text);
	else if (meaning >= CALL)
		mean_flow(to, text, meaning);
	else if (meaning >= LEAVE)
		mean_stack(to, text, meaning);
	return 0;
}

static int
decode_vector(struct cache_instruction *to, struct text *text)
{
	const struct vector_row *row = &vector[text->opcode];
	unsigned prefix = text->narrow		 ? 1
			  : text->repeat == 0xf3 ? 2
			  : text->repeat == 0xf2 ? 3
						 : 0;
	unsigned bytes = row->bytes[prefix], wide = text->rex & REX_W ? 8 : 4;
	bool load = text->opcode == 0x7e && prefix == 2; /* of a vector */
	bool general = row->general && !load;

	if (!bytes || (text->narrow && text->repeat) ||
	    (text->rex & REX_W && !general && !row->to))
		return -EINVAL;
	take_modrm(text, to);
	if (row->memory && !text->in_memory)
		return -EINVAL;
	if (row->imm8)
		text->at++;
	if (finish(to, text))
		return -EINVAL;
	if (general)
		bytes = wide;
	if (text->in_memory)
		touch(to, text, load ? R : row->access, bytes);
	else if (general)
		use(to, low(text, text->modrm), wide, row->general);
	if (row->to)
		use(to, middle(text), wide, row->to);
	if (row->flags)
		to->set = STATUS_FLAGS;
	return 0;
}

static bool
is_endbr64(const uint8_t *bytes)
{
	return bytes[0] == 0xf3 && bytes[1] == 0x0f && bytes[2] == 0x1e &&
	       bytes[3] == 0xfa;
}

int
quick_decode(struct cache_instruction *to, uint64_t pc, const uint8_t *bytes,
	     size_t n_bytes)
{
	struct text text = { .bytes = bytes };
	const struct row *row;
	struct row own;

	if (n_bytes < INSTRUCTION_BYTES)
		return -EINVAL;
	/* All but operands, of which n_operands count */
	memset(to, 0, offsetof(struct instruction, operand));
	memset((char *)to + sizeof(to->touched), 0,
	       sizeof(*to) - sizeof(to->touched));
	to->touched.pc = pc;
	if (is_endbr64(bytes)) {
		text.at = 4;
		return finish(to, &text);
	}
	prefixes(&text);
	if (text.at > 4)
		return -EINVAL;
	text.opcode = text.bytes[text.at++];
	if (text.opcode != 0x0f) {
		row = row_of(&text, &one_byte[text.opcode], &own);
		return row ? decode_row(to, &text, row) : -EINVAL;
	}
	text.opcode = text.bytes[text.at++];
	row = &two_byte[text.opcode];
	return row->form ? decode_row(to, &text, row)
			 : decode_vector(to, &text);
}
