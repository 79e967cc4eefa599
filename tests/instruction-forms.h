/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every form of instruction that touches or names memory, found by decoding
 * all opcodes under all prefixes: two encodings are one form if Zydis tells
 * the same of them but for which registers they name.
 */
#ifndef TESTS_INSTRUCTION_FORMS_H
#define TESTS_INSTRUCTION_FORMS_H

#include "analyzer/base.h"

#include <Zydis/Zydis.h>

/* How the form's memory operand is addressed */
enum form_mode {
	FORM_BASE,  /* (%rbx) */
	FORM_DISP8, /* 1(%rbx), which EVEX scales */
	FORM_SIB,   /* 0x10(%rbx,%rdx,2), or a vector index */
	FORM_RIP,   /* 0x10(%rip) */
	FORM_FS,    /* %fs:(%rbx) */
	FORM_SHORT, /* 0x10(%ebx,%edx,2) */
	FORM_HIGH,  /* 0x10(%r11,%rdx,2), where there is a prefix for it */
	FORM_MODES
};

struct form {
	uint8_t lead[10]; /* prefixes and opcode, up to a ModRM byte */
	uint8_t n_lead;
	uint8_t reg;  /* of the ModRM byte */
	bool modrm;   /* has one */
	bool vector;  /* its index is a vector register */
	bool direct;  /* its ModRM byte names registers only */
	uint8_t high; /* where in lead REX, VEX or EVEX extend the base: + 1 */
	uint8_t high_bit;
	ZydisMnemonic mnemonic;
	ZydisInstructionCategory category;
	ZydisInstructionEncoding encoding;
	uint64_t signature;
};

/* Calls back with each encoding that names memory, many of one signature; the
 * callback says whether this one will do for its signature. */
void forms_each(bool (*take)(void *context, const struct form *form),
		void *context);

/* Its bytes, 15 of them at most, and how many; 0: not in this mode.  Behind
 * them stands `filler` as immediate. */
unsigned form_bytes(const struct form *form, enum form_mode mode,
		    const uint8_t filler[8], uint8_t bytes[32]);

/* Do these bytes decode to that form? */
bool form_is(const struct form *form, const uint8_t bytes[15]);

#endif
