/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A superblock in the making.
 *
 *	cache-build.c   which instructions, and their code
 *	cache-record.c  what is recorded for their accesses
 *	cache-leave.c   branches: how a block ends
 */
#ifndef TRACERS_CACHE_BUILDER_H
#define TRACERS_CACHE_BUILDER_H

#include "tracers/cache-code.h"
#include "tracers/cache-emit.h"

/* A conditional branch in the middle that goes the other way: its code stands
 * behind the block */
struct side_exit {
	uint8_t *field;
	unsigned behind; /* the place behind the branch */
	uint64_t target;
};

struct builder {
	struct cache_code *code;
	struct emitter emit;
	unsigned arena;
	uint64_t start; /* address of the block's code */
	uint64_t checked;
	uint32_t return_at; /* 0: none */
	uint64_t pc;
	struct cache_instruction run[BLOCK_MAX];
	/* A conditional branch whose target follows in the run */
	bool taken[BLOCK_MAX];
	unsigned n; /* instructions */
	unsigned n_done;
	uint64_t next; /* pc behind the run, where control goes on */

	struct cache_track track;
	struct cache_place place[BLOCK_MAX + 1];
	struct cache_access access[BLOCK_ACCESSES];
	unsigned n_accesses;
	struct cache_special special[BLOCK_SPECIALS];
	unsigned n_specials;
	bool unrecorded; /* no way to store what an instruction needs */
	struct side_exit side[BLOCK_MAX];
	unsigned n_sides;
	uint8_t *return_pc; /* the constant that a call pushes */
	struct cache_link link[BLOCK_MAX + 4];
	unsigned n_links;
};

/* cache-record.c: store what the accesses of instruction k need.  with: the
 * register that stands in for the stolen one, or -1. */
void record_operands(struct builder *builder, unsigned k, int with);
/* Behind a repeated one: how far it came. */
void record_repeated(struct builder *builder, unsigned k);

/* cache-leave.c: the code of a branch that ends the block; -EINVAL: it has to
 * run natively. */
int leave(struct builder *builder, unsigned k);
/* The block ends without a branch and goes on at builder->next. */
void leave_on(struct builder *builder);
/* A conditional branch in the middle of the block. */
void leave_aside(struct builder *builder, unsigned k);
/* The code of those taken, and all stubs. */
void leave_rest(struct builder *builder);

/* Note the state in which instruction k begins. */
void builder_place(struct builder *builder, unsigned k);
static inline uint16_t
builder_offset(const struct builder *builder)
{
	return (uint16_t)(emit_here(&builder->emit) - builder->start);
}

#endif
