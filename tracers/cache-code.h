/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The code cache of one address space: translated superblocks in arenas near
 * the code they stand for, linked to each other.
 *
 *	cache-code.c   arenas, blocks by pc and by place, outcomes
 *	cache-ahead.c  which blocks are made, and when
 *	cache-build.c  one superblock: decode, record, emit
 *	cache-link.c   direct exits, checked entries, the tables for indirect
 *	               branches, invalidation
 */
#ifndef TRACERS_CACHE_CODE_H
#define TRACERS_CACHE_CODE_H

#include "tracers/cache-block.h"

#include <sys/types.h>

#define ARENA_BYTES (64u << 20)
#define ARENAS_MAX  16
/* A block and its arena are at most so far apart: a rip-relative operand
 * reaches 2 GiB, and its own distance comes on top. */
#define ARENA_REACH 0x50000000
#define LINKS_MAX   (1u << 23)
#define AHEAD_SIZE  1024

/* An exit of a block to the block at `target`: a jump that goes to its stub until it is linked. */
struct cache_link {
	uint64_t target;
	uint32_t stub; /* in the arena */
	uint32_t at;   /* the jump's distance, there too */
	uint32_t next; /* of those with the same target */
	uint16_t arena;
};

struct cache_arena {
	uint8_t *memory;  /* the tracer's view */
	uint64_t address; /* in the target */
	size_t used;
	size_t touched;		     /* so many bytes have their pages */
	size_t stubs, stubs_touched; /* the same, from the end on backwards */
	struct cache_block **block;  /* owned; ascending */
	size_t n_blocks, blocks_size;
};

/* What a pc is: the start of a block, the target of links, or both */
struct cache_target {
	uint64_t pc;
	struct cache_block *block;
	uint32_t links; /* the first, 0: none */
	bool used;
	bool returned; /* a call returns to it */
	bool expected; /* other indirect branches come there */
};

struct emitter;

struct cache_code_methods {
	/* Make an arena that code at pc can be translated into. */
	int (*arena)(void *context, uint64_t pc, struct cache_arena *arena);
	/* Bytes of the target's code. */
	size_t (*read)(void *context, uint64_t pc, void *to, size_t n_bytes);
	/* Of its data. */
	size_t (*peek)(void *context, uint64_t address, void *to,
		       size_t n_bytes);
	/* A block was made from this page: see to it that the target can't
	 * change it unnoticed.  false: not now. */
	bool (*page)(void *context, uint64_t page);
	/* The tables for indirect branches have grown. */
	void (*grown)(void *context);
	void *context;
};

struct builder;

/* What a record of this outcome becomes, once it is known: cache-expand.c; 32
 * bytes */
struct cache_meaning {
	const struct cache_fix *fix;
	uint32_t step;
	uint16_t accesses;
	uint16_t fixes;
	/* How the first eight roots are made, if by expand_vectors; base: the
	 * number of a struct wide */
	uint32_t base, index; /* from the lowest bits on, 4 for each root */
	uint32_t shift;
	uint8_t vectors; /* enum meaning_vectors */
	uint8_t kind;	 /* enum meaning_kind */
	bool scaled;	 /* each fix is a base and an index */
};

#define PAGE_LISTS 4096

enum ahead_why {
	EXPECT_LINK,
	EXPECT_RETURN, /* a call returns there */
	EXPECT_TABLE,  /* other indirect branches come there */
};

/* Worth translating before control gets there */
struct cache_ahead {
	struct cache_expected {
		uint64_t pc;
		uint8_t why; /* enum ahead_why */
	} expected[AHEAD_SIZE];
	unsigned n, done, left;
	/* Where calls return to that were not come to; the last ones */
	struct cache_expected owed[AHEAD_SIZE];
	unsigned n_owed;
};

struct cache_code {
	struct cache_code_methods methods;
	struct cache_arena arena[ARENAS_MAX];
	unsigned n_arenas;
	struct cache_target *target; /* owned; a power of two of them */
	size_t n_targets, targets_size;
	struct cache_outcome *outcome; /* mapped: never moves */
	uint32_t n_outcomes;
	struct cache_meaning *meaning; /* mapped; the expanding thread's own */
	struct cache_link *link;       /* mapped */
	uint32_t n_links;
	struct cache_block *blocks; /* all */
	struct cache_chunk *chunks; /* owned: what blocks stand in */
	size_t chunk_used;
	struct builder *builder; /* owned */
	/* link_invalidate's index: of those up to here, by page, and those of
	 * several pages */
	struct cache_block *indexed, *of_pages;
	struct cache_block *of_page[PAGE_LISTS];
	uint64_t *page; /* owned: pages with code, a hash set */
	size_t n_pages, pages_size;
	/* The tracer's view of the tables; see cache-layout.h */
	uint64_t *table;
	uint64_t *level2; /* all of them; the one in use begins at level2_at */
	size_t level2_at; /* bytes */
	unsigned table_bits, level2_bits;
	uint32_t n_level2;
	bool pext;		 /* else 16 bits of the pc */
	bool data;		 /* loads and stores are wanted */
	size_t bytes, bytes_max; /* of translated code; 0: any */
	bool full;		 /* no more room: it must be emptied */
	bool running;		 /* no thread is stopped to make calls in */
	uint64_t caller; /* what stands on top of the stack, for a guess */
	struct cache_ahead ahead;
};

/* 0 or negative errno (said). */
/* Zeroed memory that lives as long as the code; NULL: none. */
void *cache_code_room(struct cache_code *code, size_t bytes);
int cache_code_open(struct cache_code **out,
		    const struct cache_code_methods *methods);
void cache_code_close(struct cache_code *code);

/* cache-ahead.c */
/* The block at pc, translated if it is not there, and some that it leads to.
 * NULL: no memory, or not readable. */
struct cache_block *cache_code_translate(struct cache_code *code, uint64_t pc);
/* While threads of the target run: only this one.  NULL: not now. */
struct cache_block *cache_code_ask(struct cache_code *code, uint64_t pc);
/* Control may come to pc. */
void ahead_expect(struct cache_code *code, uint64_t pc, enum ahead_why why);
/* Translate some more of what is expected, while the target runs; false: there
 * is nothing more. */
bool ahead_go_on(struct cache_code *code);

/* One block, which is not there yet. */
struct cache_block *cache_code_make(struct cache_code *code, uint64_t pc);
/* As it is. */
struct cache_block *cache_code_find(const struct cache_code *code, uint64_t pc);
/* The block whose code holds this address of the target, or NULL. */
struct cache_block *cache_code_at(const struct cache_code *code,
				  uint64_t address);
const struct cache_arena *cache_code_arena(const struct cache_code *code,
					   uint64_t address);
/* Do indirect branches come there? */
bool cache_code_expects(const struct cache_code *code, uint64_t pc);
/* Does a call that was translated return there? */
bool cache_code_returns(const struct cache_code *code, uint64_t pc);
/* The entry of a pc, made if need be; NULL: no memory. */
struct cache_target *cache_code_target(struct cache_code *code, uint64_t pc);
/* A number for this prefix of a block; 0: no room. */
uint32_t cache_code_outcome(struct cache_code *code,
			    const struct cache_block *block,
			    const struct cache_place *until,
			    unsigned instructions);
/* Of a block; false: not now. */
bool cache_code_page(struct cache_code *code, uint64_t page);
/* Ask again when something of these is translated. */
void cache_code_forget_pages(struct cache_code *code, uint64_t start,
			     uint64_t end);
bool cache_code_has_page(const struct cache_code *code, uint64_t start,
			 uint64_t end);

/* cache-build.c */
int builder_open(struct builder **out);
void builder_close(struct builder *builder);
struct cache_block *builder_make(struct builder *builder,
				 struct cache_code *code, unsigned arena,
				 uint64_t pc);

/* cache-link.c */
/* A new exit whose jump's distance is at field, and its stub */
uint32_t link_add(struct cache_code *code, const struct cache_link *link);
/* Once its arena's end is known: join it to the block it leads to. */
void link_resolve(struct cache_code *code, uint32_t number);
/* All that waited for this new block */
void link_block(struct cache_code *code, struct cache_block *block);
/* The exit whose stub begins at rip; that of this number.  NULL: none. */
const struct cache_link *link_at(const struct cache_code *code, uint64_t rip);
const struct cache_link *link_of(const struct cache_code *code,
				 uint32_t number);
/* The code of a checked entry at pc, but for the way to the block: rax is pc
 * when it comes there, and rax and rcx are the program's again. */
void link_compare(const struct cache_code *code, struct emitter *emit,
		  const struct cache_arena *arena, uint64_t pc);
/* The same of where a return to pc lands; and where one lands that was not
 * called in the cache. */
void link_compare_return(const struct cache_code *code, struct emitter *emit,
			 const struct cache_arena *arena, uint64_t pc);
uint64_t link_return_miss(const struct cache_code *code);
/* Let indirect branches to this block find it. */
int link_indirect(struct cache_code *code, struct cache_block *block);
/* Fill the tables of a new cache. */
void link_tables(struct cache_code *code);
/* Nothing of this code is to be found by them any more. */
void link_forget(struct cache_code *code);
/* Blocks made from [start, end) are not to be entered any more; returns how
 * many there were. */
unsigned link_invalidate(struct cache_code *code, uint64_t start, uint64_t end);
uint64_t stub_address(const struct cache_code *code, const uint8_t *label);

#endif
