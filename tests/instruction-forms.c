// SPDX-License-Identifier: GPL-2.0-or-later
#include "instruction-forms.h"

#include <stdlib.h>
#include <string.h>

#define SEEN_SIZE (1u << 16)
#define INDEX	  2 /* rdx, or a vector register */

struct search {
	bool (*take)(void *context, const struct form *form);
	void *context;
	ZydisDecoder decoder;
	uint64_t *seen; /* signatures; owned */
};

static uint64_t
mix(uint64_t hash, uint64_t value)
{
	hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static uint64_t
signature_of(const ZydisDecodedInstruction *decoded,
	     const ZydisDecodedOperand *operand)
{
	const uint64_t attributes =
		ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE |
		ZYDIS_ATTRIB_HAS_REPNE | ZYDIS_ATTRIB_HAS_LOCK;
	uint64_t hash = mix(decoded->mnemonic, decoded->encoding);

	hash = mix(hash, decoded->attributes & attributes);
	hash = mix(hash, decoded->avx.broadcast.mode);
	hash = mix(hash, decoded->avx.mask.mode);
	hash = mix(hash, decoded->avx.vector_length);
	hash = mix(hash, decoded->operand_width);
	for (int i = 0; i < decoded->operand_count; i++) {
		hash = mix(hash, operand[i].type);
		hash = mix(hash, operand[i].size);
		hash = mix(hash, operand[i].element_size);
		hash = mix(hash, operand[i].actions);
		if (operand[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			hash = mix(hash, operand[i].mem.type);
		else if (operand[i].type == ZYDIS_OPERAND_TYPE_REGISTER)
			hash = mix(hash,
				   ZydisRegisterGetClass(operand[i].reg.value));
	}
	return hash ? hash : 1;
}

static uint64_t *
slot_of(struct search *search, uint64_t signature)
{
	size_t i = signature & (SEEN_SIZE - 1);

	while (search->seen[i] && search->seen[i] != signature)
		i = (i + 1) & (SEEN_SIZE - 1);
	return &search->seen[i];
}

/* In a ModRM byte's terms: is there a memory operand? */
static bool
names_memory(const ZydisDecodedInstruction *decoded,
	     const ZydisDecodedOperand *operand)
{
	for (int i = 0; i < decoded->operand_count; i++)
		if (operand[i].type == ZYDIS_OPERAND_TYPE_MEMORY)
			return true;
	return false;
}

static bool
has_vector_index(const ZydisDecodedInstruction *decoded,
		 const ZydisDecodedOperand *operand)
{
	for (int i = 0; i < decoded->operand_count; i++)
		if (operand[i].type == ZYDIS_OPERAND_TYPE_MEMORY &&
		    operand[i].mem.type == ZYDIS_MEMOP_TYPE_VSIB)
			return true;
	return false;
}

enum shape {
	PLAIN,
	VECTOR,
	DIRECT
};

static void
try(struct search *search, struct form *form, enum shape shape)
{
	static const uint8_t filler[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction decoded;
	ZydisDecoderContext context;
	uint8_t bytes[32];
	uint64_t *slot;

	form->modrm = true;
	form->vector = shape == VECTOR;
	form->direct = shape == DIRECT;
	form_bytes(form, FORM_BASE, filler, bytes);
	if (!ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&search->decoder,
							&context, bytes, 15,
							&decoded)) ||
	    !ZYAN_SUCCESS(
		    ZydisDecoderDecodeOperands(&search->decoder, &context,
					       &decoded, operand,
					       ZYDIS_MAX_OPERAND_COUNT)) ||
	    !names_memory(&decoded, operand) ||
	    has_vector_index(&decoded, operand) != form->vector)
		return;
	form->modrm = decoded.attributes & ZYDIS_ATTRIB_HAS_MODRM;
	form->mnemonic = decoded.mnemonic;
	form->category = decoded.meta.category;
	form->encoding = decoded.encoding;
	form->signature = signature_of(&decoded, operand);
	slot = slot_of(search, form->signature);
	if (!*slot && search->take(search->context, form))
		*slot = form->signature;
}

static void
try_registers(struct search *search, struct form *form)
{
	for (unsigned reg = 0; reg < 8; reg++) {
		form->reg = (uint8_t)reg;
		try(search, form, PLAIN);
		try(search, form, DIRECT);
	}
}

static void
legacy_map(struct search *search, struct form *form)
{
	static const uint8_t map[4][2] = {
		{ 0 }, { 0x0f }, { 0x0f, 0x38 }, { 0x0f, 0x3a }
	};
	unsigned n = form->n_lead;

	for (unsigned m = 0; m < 4; m++)
		for (unsigned opcode = 0; opcode < 256; opcode++) {
			unsigned bytes = m ? m > 1 ? 2 : 1 : 0;

			/* Those are prefixes, or lead to another map */
			if (!m && ((opcode & 0xf0) == 0x40 || opcode == 0x0f ||
				   opcode == 0x62 || (opcode & ~1u) == 0xc4 ||
				   (opcode & ~3u) == 0x64 || opcode == 0xf0 ||
				   (opcode & ~1u) == 0xf2))
				continue;
			memcpy(form->lead + n, map[m], bytes);
			form->lead[n + bytes] = (uint8_t)opcode;
			form->n_lead = (uint8_t)(n + bytes + 1);
			try_registers(search, form);
		}
}

static void
legacy(struct search *search)
{
	static const uint8_t prefix[][3] = {
		{ 0 },		{ 0x66 },	{ 0xf2 }, { 0xf3 },
		{ 0x66, 0xf2 }, { 0x66, 0xf3 }, { 0xf0 }, { 0xf0, 0x66 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(prefix); i++)
		for (unsigned wide = 0; wide < 2; wide++) {
			struct form form = { 0 };

			form.n_lead = (uint8_t)strlen((const char *)prefix[i]);
			memcpy(form.lead, prefix[i], form.n_lead);
			form.lead[form.n_lead] = (uint8_t)(0x40 | wide << 3);
			form.high = ++form.n_lead;
			form.high_bit = 1;
			legacy_map(search, &form);
		}
}

/* Opcodes whose ModRM byte chooses among instructions */
static bool
is_group(unsigned opcode)
{
	return (opcode >= 0x71 && opcode <= 0x73) || opcode == 0xae ||
	       opcode == 0xc6 || opcode == 0xc7 || opcode == 0xf3;
}

static void
try_vector(struct search *search, struct form *form)
{
	unsigned opcode = form->lead[form->n_lead - 1];

	for (unsigned reg = 1; reg < 9; reg += is_group(opcode) ? 1 : 8) {
		form->reg = reg & 7;
		try(search, form, PLAIN);
		try(search, form, VECTOR);
		try(search, form, DIRECT);
	}
}

/* bits: W, vvvv free or not, L, pp */
static void
vex(struct search *search, unsigned map, unsigned bits)
{
	struct form form = { .n_lead = 4, .high = 2, .high_bit = 0x20 };
	unsigned vvvv = bits & 2 ? 9 : 15;

	form.lead[0] = 0xc4;
	form.lead[1] = (uint8_t)(0xe0 | map);
	form.lead[2] = (uint8_t)((bits & 1) << 7 | vvvv << 3 |
				 (bits & 4 ? 4 : 0) | bits >> 3);
	for (unsigned opcode = 0; opcode < 256; opcode++) {
		form.lead[3] = (uint8_t)opcode;
		try_vector(search, &form);
	}
}

/* bits: W, vvvv free or not, mask, z, b, L'L, pp */
static void
evex(struct search *search, unsigned map, unsigned bits)
{
	struct form form = { .n_lead = 5, .high = 2, .high_bit = 0x20 };
	unsigned vvvv = bits & 2 ? 9 : 15;

	form.lead[0] = 0x62;
	form.lead[1] = (uint8_t)(0xf0 | map);
	form.lead[2] =
		(uint8_t)((bits & 1) << 7 | vvvv << 3 | 4 | (bits >> 7 & 3));
	form.lead[3] =
		(uint8_t)((bits & 8 ? 0x80 : 0) | (bits >> 5 & 3) << 5 |
			  (bits & 16 ? 0x10 : 0) | 8 | (bits & 4 ? 1 : 0));
	for (unsigned opcode = 0; opcode < 256; opcode++) {
		form.lead[4] = (uint8_t)opcode;
		try_vector(search, &form);
	}
}

void
forms_each(bool (*take)(void *context, const struct form *form), void *context)
{
	static const uint8_t evex_map[] = { 1, 2, 3, 5, 6 };
	struct search search = { .take = take, .context = context };

	ZydisDecoderInit(&search.decoder, ZYDIS_MACHINE_MODE_LONG_64,
			 ZYDIS_STACK_WIDTH_64);
	search.seen = calloc(SEEN_SIZE, sizeof(*search.seen));
	if (!search.seen)
		abort();
	legacy(&search);
	for (unsigned map = 1; map <= 3; map++)
		for (unsigned bits = 0; bits < 32; bits++)
			vex(&search, map, bits);
	for (size_t i = 0; i < ARRAY_SIZE(evex_map); i++)
		for (unsigned bits = 0; bits < 512; bits++)
			evex(&search, evex_map[i], bits);
	free(search.seen);
}

bool
form_is(const struct form *form, const uint8_t bytes[15])
{
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction decoded;
	ZydisDecoder decoder;

	ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64,
			 ZYDIS_STACK_WIDTH_64);
	return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, 15,
						   &decoded, operand)) &&
	       signature_of(&decoded, operand) == form->signature;
}

static unsigned
operand_bytes(const struct form *form, enum form_mode mode, uint8_t *at)
{
	unsigned reg = form->reg << 3u;
	bool sib = form->vector || mode == FORM_SIB || mode == FORM_SHORT ||
		   mode == FORM_HIGH;
	unsigned base = 3, n = 0;

	if (form->direct) {
		at[0] = (uint8_t)(0xc0 | reg | INDEX);
		return 1;
	}
	if (mode == FORM_RIP) {
		at[n++] = (uint8_t)(reg | 5);
	} else if (sib) {
		bool wide = mode == FORM_SIB || mode == FORM_SHORT ||
			    mode == FORM_HIGH;

		at[n++] = (uint8_t)((wide		  ? 0x80
				     : mode == FORM_DISP8 ? 0x40
							  : 0) |
				    reg | 4);
		at[n++] = (uint8_t)(0x40 | INDEX << 3 | base);
		if (!wide) {
			if (mode == FORM_DISP8)
				at[n++] = 1;
			return n;
		}
	} else {
		at[n++] =
			(uint8_t)((mode == FORM_DISP8 ? 0x40 : 0) | reg | base);
		if (mode == FORM_DISP8)
			at[n++] = 1;
		return n;
	}
	memcpy(at + n, "\x10\0\0", 4);
	return n + 4;
}

unsigned
form_bytes(const struct form *form, enum form_mode mode,
	   const uint8_t filler[8], uint8_t bytes[32])
{
	unsigned n = 0, lead;

	if ((!form->modrm || form->direct) && mode != FORM_BASE &&
	    mode != FORM_FS && mode != FORM_SHORT)
		return 0;
	if (form->vector && mode == FORM_RIP)
		return 0;
	if (mode == FORM_FS)
		bytes[n++] = 0x64;
	if (mode == FORM_SHORT)
		bytes[n++] = 0x67;
	lead = n;
	memcpy(bytes + n, form->lead, form->n_lead);
	n += form->n_lead;
	if (mode == FORM_HIGH) {
		uint8_t *byte = &bytes[lead + form->high - 1];

		*byte ^= form->high_bit;
	}
	if (form->modrm)
		n += operand_bytes(form, mode, bytes + n);
	memcpy(bytes + n, filler, 8);
	return n;
}
