/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which memory an x86-64 instruction touches: decoded once into a short list
 * of operands in terms of registers, evaluated each time it runs.  The
 * decoding is Zydis'; the list adds what its operands do not say (masks,
 * stack order, bit offsets, save areas).
 */
#ifndef TRACERS_OPERANDS_H
#define TRACERS_OPERANDS_H

#include "analyzer/stream.h"

#include <Zydis/Zydis.h>
#include <sys/user.h>

#define INSTRUCTION_BYTES    15
#define INSTRUCTION_OPERANDS 4
/* Accesses of one instruction at most: 64 masked bytes, enter's 64 */
#define INSTRUCTION_ACCESSES 80

#define REGISTER_MMX 32 /* mm0, where a vector register is meant */

enum operand_form {
	OPERAND_PLAIN,
	OPERAND_BIT,	/* bt mem,reg: index is a signed bit offset */
	OPERAND_LANES,	/* an access for each lane whose mask bit is set */
	OPERAND_PACKED, /* as many lanes, side by side, as mask bits are set */
	OPERAND_VECTOR, /* gather, scatter: index is a vector register */
	OPERAND_ENTER,	/* the nested frame pointers of enter */
	OPERAND_SAVE,	/* xsave, xrstor: size by edx:eax */
	OPERAND_SAVE_COMPACT, /* xsavec */
};

enum operand_mask {
	MASK_NONE,
	MASK_OPMASK, /* bits of k register `mask` */
	MASK_VECTOR, /* sign bits of the lanes of vector register `mask` */
};

struct operand {
	uint8_t form;	     /* enum operand_form */
	uint8_t kind;	     /* enum site_kind */
	int8_t base, index;  /* 0..15 rax..r15 as encoded; -1: none */
	uint8_t shift;	     /* of the index */
	uint8_t index_bytes; /* of the index used: 1, 4 or 8 */
	uint8_t segment;     /* 0, 1: FS, 2: GS */
	uint8_t mask_by;     /* enum operand_mask */
	uint8_t mask;
	uint8_t lanes, mask_lanes; /* mask_lanes is a multiple of lanes or
				    * a divisor; see lane_active */
	bool stack;	    /* by the stack's address size, which is fixed */
	bool repeat_lanes;  /* a broadcast: mask bit i stands for i % lanes */
	uint8_t mask_bytes; /* of a lane of a vector mask */
	uint32_t size;	    /* bytes of one access (of one lane) */
	int64_t displacement;
};

enum instruction_class {
	INSTRUCTION_PLAIN,
	INSTRUCTION_SYSCALL,
	INSTRUCTION_TRAP,	/* int3, int1: raises SIGTRAP by itself */
	INSTRUCTION_PUSH_FLAGS, /* lets the program see the trap flag */
	INSTRUCTION_POP_FLAGS,	/* popfq: sets it, as far as Linux knows */
	INSTRUCTION_CPUID,	/* a hypervisor may lose the step's trap */
};

struct instruction {
	uint64_t pc;
	uint8_t bytes[INSTRUCTION_BYTES];
	uint8_t length;
	uint8_t n_operands;
	uint8_t class;	 /* enum instruction_class */
	bool ends_block; /* branch, call, return, system call */
	bool repeated;	 /* with rep: nothing is touched when rcx is 0 */
	bool address32;
	bool unknown; /* it touches memory in a way that is not modelled */
	struct operand operand[INSTRUCTION_OPERANDS];
};

struct registers {
	const struct user_regs_struct *general;
	/* Vector register 0..31, all 64 bytes, or REGISTER_MMX + 0..7, 8 bytes;
	 * k register 0..7.  0 or -errno. */
	int (*vector)(void *context, unsigned number, uint8_t value[64]);
	int (*opmask)(void *context, unsigned number, uint64_t *value);
	const struct xstate_layout *layout; /* NULL: asked for when needed */
	void *context;
};

struct access {
	uint64_t address;
	uint32_t size;
	uint8_t kind; /* enum site_kind */
};

/* 0, or -EINVAL (unsaid): not an instruction. */
int instruction_decode(struct instruction *instruction, uint64_t pc,
		       const uint8_t *bytes, size_t n_bytes);

/* 0..15: rax..r15 as encoded, of which it is all or a part; -1: of none. */
int general_register(ZydisRegister name);

struct decoded {
	ZydisDecodedInstruction instruction;
	ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
};

/* So many of its operands may be looked at, whether it has them or not. */
#define OPERANDS_SURE 3

/* The same; what Zydis says of it is kept. */
int instruction_decode_whole(struct instruction *instruction, uint64_t pc,
			     const uint8_t *bytes, size_t n_bytes,
			     struct decoded *decoded);

/*
 * The accesses it will make in this state, in order: loads before stores.
 * For a repeated string instruction: of one iteration.  Returns their number,
 * at most INSTRUCTION_ACCESSES; negative errno from the register calls.
 */
int instruction_accesses(const struct instruction *instruction,
			 const struct registers *registers,
			 struct access *access);

#endif
