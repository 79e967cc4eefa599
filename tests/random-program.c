// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A program is blocks of units.  A unit is an instruction whose address
 * registers are set right before it, or known to point into the data.
 *
 *	CODE	header, code
 *	DATA	0x0000 what instructions work on
 *		0x4000 stack
 *		0x6000 registers at the end
 *		0x8000 constants, counters, tables of jumps
 *
 * Blocks jump forward, loop by a counter in memory, and call functions, which
 * stand behind the last block.  Each block draws from a generator of its own,
 * so that a program of fewer blocks begins the same.
 */
#define _GNU_SOURCE
#include "random-program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "random-forms.h"
#include "tracers/operands.h"

#define CODE	   UINT32_C(0x400000)
#define DATA	   UINT32_C(0x600000)
#define DATA_BYTES 0x10000u
#define STACK	   (DATA + 0x5000)
#define RESULT	   (DATA + 0x6000)
#define CONSTANTS  (DATA + 0x8000)
#define CODE_BYTES 0x40000u
#define BLOCKS_MAX 64
#define FUNCTIONS  6
#define FIXES_MAX  1024
#define RAX	   0
#define RCX	   1
#define RSP	   4
#define RSI	   6
#define RDI	   7

struct fix {
	uint8_t *at; /* 4 bytes, relative to behind them, or 8, absolute */
	unsigned label;
	bool absolute;
};

struct maker {
	const struct random_forms *forms;
	uint64_t random;
	uint8_t *code, *at, *data;
	uint32_t constant; /* the next free address */
	uint32_t label[BLOCKS_MAX + 1 + FUNCTIONS];
	struct fix fix[FIXES_MAX];
	unsigned n_fixes, blocks;
	bool known[16]; /* points into the data: */
	uint32_t value[16];
};

static uint64_t
draw(struct maker *maker)
{
	maker->random ^= maker->random << 13;
	maker->random ^= maker->random >> 7;
	maker->random ^= maker->random << 17;
	return maker->random * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

static unsigned
below(struct maker *maker, unsigned n)
{
	return (unsigned)(draw(maker) % n);
}

static void
put(struct maker *maker, const void *bytes, size_t n)
{
	memcpy(maker->at, bytes, n);
	maker->at += n;
}

static void
put_byte(struct maker *maker, unsigned byte)
{
	*maker->at++ = (uint8_t)byte;
}

static void
put_word(struct maker *maker, uint32_t word)
{
	put(maker, &word, 4);
}

static uint32_t
here(const struct maker *maker)
{
	return CODE + (uint32_t)(maker->at - maker->code);
}

static void
put_label(struct maker *maker, unsigned label)
{
	maker->fix[maker->n_fixes++] = (struct fix){ maker->at, label, false };
	put_word(maker, 0);
}

/* 8 bytes of the constants */
static uint32_t
constant(struct maker *maker, uint64_t value)
{
	uint32_t address = maker->constant;

	memcpy(maker->data + (address - DATA), &value, 8);
	maker->constant += 8;
	return address;
}

static uint32_t
label_constant(struct maker *maker, unsigned label)
{
	uint32_t address = constant(maker, 0);

	maker->fix[maker->n_fixes++] =
		(struct fix){ maker->data + (address - DATA), label, true };
	return address;
}

static void
unknown(struct maker *maker)
{
	memset(maker->known, 0, sizeof(maker->known));
}

/* REX.W opcode reg, [address] */
static void
absolute(struct maker *maker, unsigned opcode, unsigned reg, uint32_t address)
{
	put_byte(maker, 0x48 | (reg >> 3) << 2);
	put_byte(maker, opcode);
	put_byte(maker, 4 | (reg & 7) << 3);
	put_byte(maker, 0x25);
	put_word(maker, address);
}

/* mov $value, reg */
static void
move_immediate(struct maker *maker, unsigned reg, int32_t value)
{
	put_byte(maker, 0x48 | reg >> 3);
	put_byte(maker, 0xc7);
	put_byte(maker, 0xc0 | (reg & 7));
	put_word(maker, (uint32_t)value);
}

/* The same number reaches a register in many ways, that the cache follows or
 * does not. */
static void
set_register(struct maker *maker, unsigned reg, int32_t value)
{
	unsigned from = below(maker, 16);
	uint32_t distance = (uint32_t)value - maker->value[from];

	switch (below(maker, 8)) {
	case 0:
		absolute(maker, 0x8b, reg,
			 constant(maker, (uint64_t)(int64_t)value));
		break;
	case 1: /* push, pop */
		put_byte(maker, 0x68);
		put_word(maker, (uint32_t)value);
		if (reg > 7)
			put_byte(maker, 0x41);
		put_byte(maker, 0x58 | (reg & 7));
		break;
	case 2: /* lea */
		absolute(maker, 0x8d, reg, (uint32_t)value);
		break;
	case 3:
	case 4:
		if (maker->known[from] && from != RSP) {
			/* lea distance(from), reg */
			put_byte(maker, 0x48 | (reg >> 3) << 2 | from >> 3);
			put_byte(maker, 0x8d);
			put_byte(maker, 0x80 | (reg & 7) << 3 | (from & 7));
			if ((from & 7) == 4)
				put_byte(maker, 0x24);
			put_word(maker, distance);
			break;
		}
		move_immediate(maker, reg, value);
		break;
	default:
		move_immediate(maker, reg, value);
		break;
	}
	maker->known[reg] = false;
}

/* An address in the data */
static uint32_t
some_address(struct maker *maker, bool aligned)
{
	uint32_t address = DATA + 0x1000 + below(maker, 0x2000);

	if (below(maker, 8) == 0) /* over a page's end */
		address = DATA + 0x2000 - 1 - below(maker, 32);
	return aligned ? address & ~63u : address;
}

struct address {
	unsigned base, index, scale; /* 16: none */
	int32_t displacement;
	bool relative; /* to rip: the address is displacement's */
};

static void
choose_address(struct maker *maker, const struct form *form,
	       struct address *address)
{
	address->base = below(maker, 16);
	address->index = below(maker, 2) ? 16 : below(maker, 16);
	address->scale = below(maker, 4);
	address->displacement = (int32_t)below(maker, 200) - 100;
	address->relative = false;
	if (address->index == RSP || address->index == address->base)
		address->index = 16;
	if (form->vector) {
		address->index = 2;
		if (address->base == RSP)
			address->base = 11;
		return;
	}
	switch (below(maker, 16)) {
	case 0:
		address->base = 16;
		break;
	case 1:
		address->base = address->index = 16;
		address->relative = true;
		break;
	case 2:
	case 3:
	case 4:
		address->base = 11;
		if (address->index == 11)
			address->index = 10;
		break;
	default:
		break;
	}
}

/* ModRM, SIB and displacement; returns where the displacement is */
static unsigned
encode_address(const struct address *address, unsigned reg, bool narrow,
	       uint8_t *to, unsigned *n)
{
	unsigned base = address->base, index = address->index & 7, k = 0;
	bool sib = address->index < 16 || base == 16 || (base & 7) == 4;

	if (address->index == 16)
		index = 4;
	reg = (reg & 7) << 3;
	if (address->relative || base == 16)
		narrow = false;
	if (address->relative) {
		to[k++] = (uint8_t)(reg | 5);
	} else if (base == 16) {
		to[k++] = (uint8_t)(reg | 4);
		to[k++] = (uint8_t)(address->scale << 6 | index << 3 | 5);
	} else {
		to[k++] = (uint8_t)((narrow ? 0x40 : 0x80) | reg |
				    (sib ? 4 : base & 7));
		if (sib)
			to[k++] = (uint8_t)(address->scale << 6 | index << 3 |
					    (base & 7));
	}
	*n = k + (narrow ? 1 : 4);
	if (narrow)
		to[k] = (uint8_t)address->displacement;
	else
		memcpy(to + k, &address->displacement, 4);
	return k;
}

/* Bits of REX, VEX or EVEX for registers over 7: bit 3 of reg, index, base */
static void
extend(const struct form *form, uint8_t *lead, unsigned reg,
       const struct address *address)
{
	unsigned index = address->index < 16 ? address->index : 0;
	unsigned base = address->base < 16 ? address->base : 0;
	uint8_t *byte = &lead[form->high - 1];

	if (form->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY) {
		*byte = (uint8_t)((*byte & ~7u) | (reg >> 3 & 1) << 2 |
				  (index >> 3) << 1 | base >> 3);
		return;
	}
	if (form->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX) {
		lead[1] = (uint8_t)((lead[1] & 0x0fu) | (reg & 16 ? 0 : 0x10));
	} else {
		lead[1] &= 0x1f;
	}
	lead[1] |= (uint8_t)((reg & 8 ? 0 : 0x80) | (index & 8 ? 0 : 0x40) |
			     (base & 8 ? 0 : 0x20));
}

/* Other registers than those that the form came with, where it has them */
static void
vary_vector(struct maker *maker, const struct form *form, uint8_t *lead)
{
	uint8_t was[10];

	memcpy(was, lead, sizeof(was));
	if (form->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY || form->vector)
		return;
	/* 15 stands for none */
	if ((lead[2] & 0x78) != 0x78)
		lead[2] = (uint8_t)((lead[2] & ~0x78u) | below(maker, 15) << 3);
	if (form->encoding != ZYDIS_INSTRUCTION_ENCODING_EVEX)
		return;
	if ((lead[2] & 0x78) != 0x78 && below(maker, 2))
		lead[3] ^= 8;
	if (lead[3] & 7)
		lead[3] = (uint8_t)((lead[3] & ~7u) | (1 + below(maker, 7)));
}

/* What each operand needs of registers; false: it can't be had */
static bool
plan(struct maker *maker, const struct instruction *instruction, bool aligned,
     uint32_t written, int32_t need[16], bool needed[16])
{
	(void)written;
	memset(needed, 0, 16 * sizeof(bool));
	for (unsigned i = 0; i < instruction->n_operands; i++) {
		const struct operand *operand = &instruction->operand[i];

		if (operand->form != OPERAND_VECTOR && operand->index >= 0 &&
		    operand->index_bytes == 8) {
			if (operand->index == operand->base ||
			    needed[operand->index])
				return false;
			needed[operand->index] = true;
			need[operand->index] = (int32_t)below(maker, 33) - 16;
		}
		if (operand->form == OPERAND_BIT) {
			if (operand->mask == RSP || needed[operand->mask] ||
			    operand->mask == operand->base)
				return false;
			needed[operand->mask] = true;
			need[operand->mask] = (int32_t)below(maker, 999) - 500;
		}
	}
	if (instruction->repeated) {
		needed[RCX] = true;
		need[RCX] = (int32_t)below(maker, 6);
	}
	for (unsigned i = 0; i < instruction->n_operands; i++) {
		const struct operand *operand = &instruction->operand[i];
		int base = operand->base, index = operand->index;
		int64_t value = some_address(maker, aligned);

		if (base < 0 || base == RSP) {
			/* One that is aligned, or beyond FS, can't be had */
			if (base == RSP && (aligned || operand->segment))
				return false;
			continue;
		}
		if (needed[base]) {
			if (i && instruction->operand[0].base == base)
				continue;
			return false;
		}
		value -= operand->displacement;
		if (index >= 0 && operand->form != OPERAND_VECTOR &&
		    operand->index_bytes == 8)
			value -= (int64_t)need[index] * (1 << operand->shift);
		if (operand->segment == 1)
			value -= DATA;
		needed[base] = true;
		need[base] = (int32_t)value;
	}
	return true;
}

/* Does it write rsp other than by pushing and popping? */
static uint32_t
writes(const uint8_t *bytes)
{
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction decoded;
	ZydisDecoder decoder;
	uint32_t written = 0;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
			 ZYDIS_STACK_WIDTH_64);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, 15, &decoded,
						 operand)))
		return UINT32_MAX;
	for (int i = 0; i < decoded.operand_count; i++) {
		ZydisRegister whole;

		if (operand[i].type != ZYDIS_OPERAND_TYPE_REGISTER ||
		    !(operand[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE))
			continue;
		whole = ZydisRegisterGetLargestEnclosing(
			ZYDIS_MACHINE_MODE_LONG_64, operand[i].reg.value);
		if (whole < ZYDIS_REGISTER_RAX || whole > ZYDIS_REGISTER_R15)
			continue;
		if (whole == ZYDIS_REGISTER_RSP &&
		    i < decoded.operand_count_visible)
			return UINT32_MAX;
		written |= 1u << (whole - ZYDIS_REGISTER_RAX);
	}
	return written;
}

/* Bytes of the form with other registers; 0: try again */
static unsigned
vary(struct maker *maker, const struct form *form, uint8_t bytes[32],
     struct address *address)
{
	unsigned n = 0, operand_bytes, reg = form->reg, at, lead;
	bool legacy = form->encoding == ZYDIS_INSTRUCTION_ENCODING_LEGACY;
	bool narrow = below(maker, 2);

	choose_address(maker, form, address);
	if (below(maker, 3) == 0 && !address->relative)
		bytes[n++] = below(maker, 2) ? 0x67 : 0x64;
	lead = n;
	memcpy(bytes + n, form->lead, form->n_lead);
	vary_vector(maker, form, bytes + n);
	n += form->n_lead;
	if (!form->modrm) {
		address->base = address->index = 16;
	} else if (form->direct) {
		bytes[n++] = (uint8_t)(0xc0 | form->reg << 3 | 2);
		address->base = address->index = 16;
	} else {
		if (!form->vector && below(maker, 4))
			reg = below(
				maker,
				legacy ? 16
				: form->encoding ==
						ZYDIS_INSTRUCTION_ENCODING_EVEX
					? 32
					: 16);
		extend(form, bytes + lead, reg, address);
		at = encode_address(address, reg, narrow, bytes + n,
				    &operand_bytes);
		(void)at;
		n += operand_bytes;
	}
	for (unsigned i = 0; i < 8; i++)
		bytes[n + i] = (uint8_t)draw(maker);
	return form_is(form, bytes) ? n : 0;
}

/* One without a base: its displacement is all of the address */
static bool
place(struct maker *maker, const struct instruction *instruction, bool aligned,
      const struct address *address, const int32_t need[16], unsigned n,
      uint8_t *bytes)
{
	uint32_t target = some_address(maker, aligned);
	int32_t displacement;

	if (!address->relative && address->base < 16)
		return true;
	if (address->relative)
		target -= here(maker) + instruction->length;
	else if (address->index < 16)
		target -= (uint32_t)need[address->index] << address->scale;
	if (bytes[0] == 0x64)
		target -= DATA;
	displacement = (int32_t)target;
	memcpy(bytes + n - 4, &displacement, 4);
	return true;
}

/* Vector indices, within the data */
static void
set_indices(struct maker *maker, const struct instruction *instruction)
{
	const struct operand *operand = &instruction->operand[0];
	uint32_t address = maker->constant = (maker->constant + 63) & ~63u;

	if (!instruction->n_operands || operand->form != OPERAND_VECTOR)
		return;
	for (unsigned i = 0; i < 64; i += operand->index_bytes) {
		int64_t value = (int64_t)below(maker, 61) - 30;

		memcpy(maker->data + (address - DATA) + i, &value,
		       operand->index_bytes);
	}
	maker->constant += 64;
	if (__builtin_cpu_supports("avx512f"))
		put(maker, "\x62\xf1\xfe\x48\x6f\x14\x25", 7); /* zmm2 */
	else
		put(maker, "\xc5\xfe\x6f\x14\x25", 5); /* ymm2 */
	put_word(maker, address);
}

static bool
try_form(struct maker *maker)
{
	unsigned which = below(maker, (unsigned)maker->forms->n), n;
	const struct form *form = &maker->forms->form[which];
	bool aligned = maker->forms->aligned[which], needed[16];
	struct instruction instruction;
	struct address address;
	int32_t need[16] = { 0 };
	uint8_t bytes[48];
	uint32_t written;

	n = vary(maker, form, bytes, &address);
	if (!n || instruction_decode(&instruction, here(maker), bytes, 15))
		return false;
	written = writes(bytes);
	if (written == UINT32_MAX ||
	    !plan(maker, &instruction, aligned, written, need, needed))
		return false;
	if (form->mnemonic == ZYDIS_MNEMONIC_XLAT && needed[RAX])
		return false;
	set_indices(maker, &instruction);
	for (unsigned i = 0; i < 16; i++)
		if (needed[i])
			set_register(maker, i, need[i]);
	if (form->modrm && !form->direct &&
	    !place(maker, &instruction, aligned, &address, need, n, bytes))
		return false;
	put(maker, bytes, instruction.length);
	for (unsigned i = 0; i < 16; i++) {
		if (needed[i] && need[i] > (int32_t)DATA) {
			maker->known[i] = true;
			maker->value[i] = (uint32_t)need[i];
		}
		if (written >> i & 1 || instruction.repeated)
			maker->known[i] = false;
	}
	return true;
}

/* Instructions without memory: opcode with two registers, and so on */
static void
plain_unit(struct maker *maker)
{
	static const uint8_t two[] = { 0x01, 0x11, 0x21, 0x29, 0x31, 0x39, 0x85,
				       0x87, 0x89, 0x8b, 0x03, 0x0b, 0x13, 0x1b,
				       0x23, 0x2b, 0x33, 0x3b, 0x63 };
	static const uint8_t far[] = { 0xaf, 0xb6, 0xb7, 0xbe, 0xbf, 0xbc,
				       0xbd, 0xa3, 0xab, 0xc1, 0x40, 0x44,
				       0x4c, 0x47, 0x93, 0x98 };
	static const char single[] = "\xf5\xf8\xf9\xfc\xfd\x9e\x9f\x98\x99\x90";
	unsigned to = below(maker, 16), from = below(maker, 16), which;

	/* rsp stays what it is */
	to = to == RSP ? 11 : to;
	from = from == RSP ? 11 : from;
	switch (below(maker, 6)) {
	case 0:
		put_byte(maker, (uint8_t)single[below(maker, 10)]);
		break;
	case 1:
	case 2:
		put_byte(maker, (below(maker, 4) ? 0x48 : 0x40) |
					(from >> 3) << 2 | to >> 3);
		put_byte(maker, two[below(maker, sizeof(two))]);
		put_byte(maker, 0xc0 | (from & 7) << 3 | (to & 7));
		break;
	case 3:
		which = far[below(maker, sizeof(far))];
		put_byte(maker, 0x48 | (from >> 3) << 2 | to >> 3);
		put_byte(maker, 0x0f);
		put_byte(maker, which);
		put_byte(maker, 0xc0 | (from & 7) << 3 | (to & 7));
		break;
	case 4: /* arithmetic and shifts with a number */
		put_byte(maker, 0x48 | to >> 3);
		which = below(maker, 2);
		put_byte(maker, which ? 0x83 : 0xc1);
		put_byte(maker,
			 0xc0 | below(maker, which ? 8 : 6) << 3 | (to & 7));
		put_byte(maker, (unsigned)draw(maker));
		break;
	default: /* pushfq; popfq, what popfq takes being what was there */
		put(maker, "\x9c\x9d", 2);
		break;
	}
	maker->known[to] = maker->known[from] = maker->known[RAX] = false;
	maker->known[2] = false;
}

static void
unit(struct maker *maker)
{
	if (below(maker, 3) == 0) {
		plain_unit(maker);
		return;
	}
	while (!try_form(maker))
		;
}

static void
reset_stack(struct maker *maker)
{
	put(maker, "\x48\xc7\xc4", 3);
	put_word(maker, STACK + below(maker, 64));
}

static void
call(struct maker *maker)
{
	unsigned label = BLOCKS_MAX + 1 + below(maker, FUNCTIONS);
	uint32_t at;

	switch (below(maker, 3)) {
	case 0:
		put_byte(maker, 0xe8);
		put_label(maker, label);
		break;
	case 1: /* by memory */
		at = label_constant(maker, label);
		put(maker, "\xff\x14\x25", 3);
		put_word(maker, at);
		break;
	default: /* by r11 */
		at = label_constant(maker, label);
		absolute(maker, 0x8b, 11, at);
		put(maker, "\x41\xff\xd3", 3);
		break;
	}
	unknown(maker);
}

/* To a later block, in one of many ways */
static void
jump(struct maker *maker, unsigned from)
{
	unsigned far = from + 1 + below(maker, 3);
	uint32_t at;

	if (far > maker->blocks)
		far = maker->blocks;
	switch (below(maker, 6)) {
	case 0:
		put_byte(maker, 0xe9);
		put_label(maker, far);
		break;
	case 1: /* jmp *%r11 */
		at = label_constant(maker, far);
		absolute(maker, 0x8b, 11, at);
		put(maker, "\x41\xff\xe3", 3);
		break;
	case 2: /* and $1, %ecx, but for the flags; jmp *table(,%rcx,8) */
		put(maker, "\x0f\xb6\xc9\x9c\x83\xe1\x01\x9d", 8);
		at = label_constant(maker, far);
		label_constant(maker, from + 1);
		put(maker, "\xff\x24\xcd", 3);
		put_word(maker, at);
		break;
	case 3: /* jrcxz over a jump */
		put(maker, "\xe3\x05\xe9", 3);
		put_label(maker, far);
		break;
	default:
		put_byte(maker, 0x0f);
		put_byte(maker, 0x80 | below(maker, 16));
		put_label(maker, far);
		break;
	}
}

/* decl counter; jnz back; the counter is in memory */
static void
loop_end(struct maker *maker, uint32_t counter, uint32_t back)
{
	put(maker, "\xff\x0c\x25", 3);
	put_word(maker, counter);
	put(maker, "\x0f\x85", 2);
	put_word(maker, back - here(maker) - 4);
}

static void
block(struct maker *maker, unsigned number, uint64_t seed)
{
	unsigned units = 1 + below(maker, 10);
	uint32_t counter, back;
	bool loops;

	maker->random = seed * UINT64_C(0x9e3779b97f4a7c15) + number * 7919 + 1;
	for (int i = 0; i < 8; i++)
		draw(maker);
	units = 1 + below(maker, 12);
	loops = below(maker, 2);
	unknown(maker);
	maker->label[number] = here(maker);
	reset_stack(maker);
	counter = constant(maker, 1 + below(maker, 12));
	back = here(maker);
	for (unsigned i = 0; i < units; i++)
		unit(maker);
	if (below(maker, 3) == 0)
		call(maker);
	if (loops)
		reset_stack(maker);
	if (loops)
		loop_end(maker, counter, back);
	jump(maker, number);
}

static void
function(struct maker *maker, unsigned number)
{
	uint32_t slot = constant(maker, 0);
	unsigned units = 1 + below(maker, 8);

	unknown(maker);
	maker->label[BLOCKS_MAX + 1 + number] = here(maker);
	absolute(maker, 0x89, RSP, slot);
	put(maker, "\x48\x8d\xa4\x24\x00\xfc\xff\xff", 8);
	for (unsigned i = 0; i < units; i++)
		unit(maker);
	absolute(maker, 0x8b, RSP, slot);
	if (number & 1)
		put(maker, "\xc2\x10\x00", 3);
	else
		put_byte(maker, 0xc3);
}

static void
vectors(struct maker *maker, bool store)
{
	bool wide = __builtin_cpu_supports("avx512bw");
	uint32_t at = store ? RESULT + 0x100 : DATA;

	for (unsigned i = 0; i < (wide ? 32 : 16); i++) {
		if (wide) { /* vmovdqu64 */
			put_byte(maker, 0x62);
			put_byte(maker, 0x61 | (i & 8 ? 0 : 0x80) |
						(i & 16 ? 0 : 0x10));
			put(maker, "\xfe\x48", 2);
		} else { /* vmovdqu */
			put_byte(maker, 0xc5);
			put_byte(maker, (i & 8 ? 0 : 0x80) | 0x7e);
		}
		put_byte(maker, store ? 0x7f : 0x6f);
		put_byte(maker, 4 | (i & 7) << 3);
		put_byte(maker, 0x25);
		put_word(maker, at + 64 * i);
	}
	for (unsigned i = 0; wide && i < 8; i++) { /* kmovq */
		put(maker, "\xc4\xe1\xf8", 3);
		put_byte(maker, store ? 0x91 : 0x90);
		put_byte(maker, 4 | i << 3);
		put_byte(maker, 0x25);
		put_word(maker, at + 64 * 32 + 8 * i);
	}
}

static void
begin(struct maker *maker)
{
	/* mov $158, %eax; mov $2 (ARCH_SET_FS), %edi; mov $DATA, %esi */
	put(maker, "\xb8\x9e\0\0\0\xbf\x02\x10\0\0\xbe", 11);
	put_word(maker, DATA);
	put(maker, "\x0f\x05", 2);
	vectors(maker, false);
	for (unsigned i = 0; i < 16; i++)
		if (i != RSP)
			absolute(maker, 0x8b, i, DATA + 0x800 + 8 * i);
}

/* All registers to memory, memory to stdout */
static void
end(struct maker *maker)
{
	maker->label[maker->blocks] = here(maker);
	for (unsigned i = 0; i < 16; i++)
		absolute(maker, 0x89, i, RESULT + 8 * i);
	reset_stack(maker);
	put_byte(maker, 0x9c); /* pushfq; pop */
	put(maker, "\x8f\x04\x25", 3);
	put_word(maker, RESULT + 0x80);
	vectors(maker, true);
	put(maker, "\xdb\x3c\x25", 3); /* fstpt */
	put_word(maker, RESULT + 0x90);
	/* write(1, DATA, DATA_BYTES); exit(7) */
	put(maker, "\xfc\xb8\1\0\0\0\xbf\1\0\0\0\xbe", 12);
	put_word(maker, DATA);
	put_byte(maker, 0xba);
	put_word(maker, DATA_BYTES);
	put(maker, "\x0f\x05\xb8\x3c\0\0\0\xbf\x07\0\0\0\x0f\x05", 14);
}

static void
fix_all(struct maker *maker)
{
	for (unsigned i = 0; i < maker->n_fixes; i++) {
		const struct fix *fix = &maker->fix[i];
		uint32_t to = maker->label[fix->label];

		if (!fix->absolute)
			to -= CODE + (uint32_t)(fix->at - maker->code) + 4;
		memcpy(fix->at, &to, 4);
	}
}

static int
write_file(const struct maker *maker, const char *path)
{
	const size_t first = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr);
	const Elf64_Phdr part[2] = {
		{ PT_LOAD, PF_R | PF_X, 0, CODE, CODE, CODE_BYTES, CODE_BYTES,
		  4096 },
		{ PT_LOAD, PF_R | PF_W, CODE_BYTES, DATA, DATA, DATA_BYTES,
		  DATA_BYTES, 4096 },
	};
	const Elf64_Ehdr header = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, 1 },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = 1,
		.e_entry = CODE + first,
		.e_phoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(part[0]),
		.e_phnum = 2,
	};
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	bool done;

	if (fd < 0)
		return -errno;
	memcpy(maker->code, &header, sizeof(header));
	memcpy(maker->code + sizeof(header), part, sizeof(part));
	done = write(fd, maker->code, CODE_BYTES) == CODE_BYTES &&
	       write(fd, maker->data, DATA_BYTES) == DATA_BYTES;
	return close(fd) || !done ? -EIO : 0;
}

int
random_program(const struct random_forms *forms, uint64_t seed, unsigned blocks,
	       const char *path)
{
	struct maker *maker = calloc(1, sizeof(*maker));
	int error = -ENOMEM;

	if (!maker)
		return error;
	maker->forms = forms;
	maker->blocks = blocks;
	maker->constant = CONSTANTS;
	maker->code = calloc(1, CODE_BYTES);
	maker->data = calloc(1, DATA_BYTES);
	if (!maker->code || !maker->data)
		goto free_all;
	maker->random = seed * UINT64_C(0xbf58476d1ce4e5b9) + 1;
	for (unsigned i = 0; i < 0x4000; i++)
		maker->data[i] = (uint8_t)draw(maker);
	maker->at = maker->code + sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr);
	begin(maker);
	for (unsigned i = 0; i < blocks; i++)
		block(maker, i, seed);
	end(maker);
	maker->random = seed + 12345;
	for (unsigned i = 0; i < FUNCTIONS; i++)
		function(maker, i);
	fix_all(maker);
	error = write_file(maker, path);
free_all:
	free(maker->code);
	free(maker->data);
	free(maker);
	return error;
}
