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

struct cache_instruction {
	struct instruction touched; /* pc, bytes, length, operands */
	uint8_t flow;		    /* enum cache_flow */
	uint64_t target;	    /* of a direct branch */
	uint16_t reads, writes;	    /* bits of general registers */
	/* Its accesses follow from more than registers before it runs: they
	 * are worked out by instruction_accesses() from stored values. */
	bool special;
	/* Last: most have two or three operands */
	union {
		struct decoded whole;
		struct {
			ZydisDecodedInstruction decoded;
			ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
		};
	};
};

/*
 * Instructions that were decoded lately, for blocks overlap: of 860,000 that
 * were decoded for the start of a Python two of three had been.  What is found
 * depends on nothing but the pc and the bytes.
 */
struct cache_memo;
#define MEMO_RUN 320

/* NULL: no memory. */
struct cache_memo *memo_open(void);
void memo_close(struct cache_memo *memo);
/* A new run of MEMO_RUN instructions at most: those of the last one may go. */
void memo_begin(struct cache_memo *memo);
/* NULL: no instruction. */
const struct cache_instruction *memo_decode(struct cache_memo *memo,
					    uint64_t pc, const uint8_t *bytes,
					    size_t n_bytes);

/* 0, or -EINVAL (unsaid): no instruction. */
int cache_decode(struct cache_instruction *to, uint64_t pc,
		 const uint8_t *bytes, size_t n_bytes);

/* Does this run of instructions overwrite all status flags before it reads
 * any? */
bool cache_flags_dead(const struct cache_instruction *const *code, unsigned n);

#endif
