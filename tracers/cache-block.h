/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A translated superblock: instructions from one entry through conditional
 * branches (forwards: not taken, backwards: taken) and direct jumps, with what
 * is known about them.  So an instruction of a loop may stand in it some times.
 *
 * All "before" counts make a prefix: at instruction k the record holds
 * place[k].words words, and place[k].accesses accesses have been made.  A
 * block does not change once it is made, so that the thread that expands
 * records may read it; only what concerns linking does, and that is the
 * tracing thread's.
 */
#ifndef TRACERS_CACHE_BLOCK_H
#define TRACERS_CACHE_BLOCK_H

#include "tracers/cache-track.h"

#define BLOCK_INSTRUCTIONS 32  /* it ends behind the next branch or page */
#define BLOCK_MAX	   320 /* so many at most */
#define BLOCK_ACCESSES	   900
#define BLOCK_SPECIALS	   64
#define BLOCK_CODE_BYTES   (64 << 10) /* at most; places in it: 16 bits */

struct cache_place {
	uint64_t pc;
	uint16_t start; /* of its code, from the block's */
	/* Up to here nothing has happened that can't be undone by taking the
	 * registers back from the area ... */
	uint16_t body;
	/* ... which must be done from here on: the substitute's, or rax and
	 * rcx of an indirect branch. */
	uint16_t saved;
	uint16_t accesses, words, fixes;
	uint8_t specials;
	uint8_t length : 4;
	uint8_t flow : 4;
	int8_t substitute; /* register, or -1 */
	bool takes_rax : 1;
	bool repeated : 1;
};

/* An instruction whose accesses are worked out when its record is expanded */
struct cache_special {
	struct instruction instruction;
	uint16_t needed;   /* bits of general registers */
	uint16_t after[3]; /* repeated: words of rcx, rsi, rdi behind it */
	struct cache_value general[16];
	uint8_t n_vectors;
	uint8_t vector[4]; /* numbers */
	uint8_t vector_bytes[4];
	uint16_t vector_word[4];
	uint16_t opmask_word; /* 0: none */
};

struct cache_block {
	uint64_t pc;
	uint64_t code; /* its address in the target; 0: `native` */
	uint32_t arena;
	uint32_t offset, bytes; /* in the arena; with its side exits */
	uint16_t n_places, n_accesses, n_fixes, n_specials;
	bool native; /* its first instruction can't run from the cache */
	bool dead;   /* its code has changed or is unmapped */
	uint64_t checked; /* address of the checked entry, 0: none */
	bool listed;	  /* indirect branches find it */
	/* The push of a return, from the block's code on: at it rax is the pc
	 * where control goes, and its own value is in the area; 0: none */
	uint32_t return_at;
	uint32_t first_link, n_links;
	const struct cache_place *place; /* n_places + 1 */
	const struct cache_access *access;
	const struct cache_fix *fix;
	const struct cache_special *special;
	struct cache_block *next; /* of all */
	struct cache_block *same; /* in an index of link_invalidate's */
};

/* What a record says: the first `instructions` of a block have run. */
struct cache_outcome {
	const struct cache_block *block;
	uint16_t instructions, accesses, words, fixes, specials;
};

/* A record's first word: the outcome's number and the record's words with it */
#define RECORD_NUMBER(word)	     ((uint32_t)(word)&0x3fffff)
#define RECORD_WORDS(word)	     ((uint32_t)(word) >> 22)
#define RECORD_HEADER(number, words) ((uint32_t)(words) << 22 | (number))
#define OUTCOMES_MAX		     (1u << 22)

#endif
