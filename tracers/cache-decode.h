/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One instruction as the code cache must know it: where control goes next,
 * which registers and flags it reads and writes, and (operands.h, the one
 * table for all engines) which memory it touches.
 */
#ifndef TRACERS_CACHE_DECODE_H
#define TRACERS_CACHE_DECODE_H

#include "tracers/operands.h"

#include <Zydis/Zydis.h>

enum general_number {
	RAX,
	RCX,
	RDX,
	RBX,
	RSP,
	RBP,
	RSI,
	RDI,
	R8,
	R9,
	R10,
	R11,
	R12,
	R13,
	R14,
	R15
};

enum cache_flow {
	FLOW_NEXT,
	FLOW_BRANCH,  /* a conditional one by flags */
	FLOW_LOOP,    /* by rcx: loop, jrcxz; reaches 127 bytes only */
	FLOW_JUMP,    /* to `target` */
	FLOW_CALL,    /* of `target` */
	FLOW_JUMP_BY, /* by register or memory */
	FLOW_CALL_BY,
	FLOW_RETURN,
	FLOW_SYSCALL,
	FLOW_NATIVE, /* can't run from the cache: stepped where it stands */
};

/* What is known of a register behind an instruction that writes it */
enum cache_effect {
	EFFECT_UNKNOWN,
	EFFECT_CONSTANT, /* to = by */
	EFFECT_MOVED,	 /* to = from + by */
};

struct cache_instruction {
	struct instruction touched; /* pc, bytes, length, operands */
	uint64_t target;	    /* of a direct branch */
	int64_t by;		    /* of the effect; what a return drops */
	uint16_t reads, writes;	    /* bits of general registers */
	uint16_t tested, set;	    /* status flags */
	uint8_t flow;		    /* enum cache_flow */
	uint8_t condition;	    /* of a FLOW_BRANCH */
	uint8_t effect;		    /* enum cache_effect */
	uint8_t to, from;
	/* Of the stack pointer: stack_from + stack_by, if that is not 0 */
	uint8_t stack_from;
	int8_t stack_by;
	/* Where a displacement stands that is counted from rip; 0: none */
	uint8_t displacement_at;
	/* Its accesses follow from more than registers before it runs: they
	 * are worked out by instruction_accesses() from stored values. */
	bool special;
};

#define STATUS_FLAGS                                              \
	(ZYDIS_CPUFLAG_CF | ZYDIS_CPUFLAG_PF | ZYDIS_CPUFLAG_AF | \
	 ZYDIS_CPUFLAG_ZF | ZYDIS_CPUFLAG_SF | ZYDIS_CPUFLAG_OF)

/* 0, or -EINVAL (unsaid): no instruction. */
int cache_decode(struct cache_instruction *to, uint64_t pc,
		 const uint8_t *bytes, size_t n_bytes);
/* The same by Zydis alone; what it says is kept. */
int cache_decode_whole(struct cache_instruction *to, uint64_t pc,
		       const uint8_t *bytes, size_t n_bytes,
		       struct decoded *whole);

/* cache-quick.c: the same of common instructions; -EINVAL: it is none. */
int quick_decode(struct cache_instruction *to, uint64_t pc,
		 const uint8_t *bytes, size_t n_bytes);

#endif
