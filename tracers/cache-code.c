// SPDX-License-Identifier: GPL-2.0-or-later
#include "tracers/cache-code.h"
#include "analyzer/base.h"

#include <cpuid.h>
#include <stdlib.h>
#include <string.h>

#include "analyzer/fail.h"
#include "tracers/cache-emit.h"
#include "tracers/cache-layout.h"
#include "tracers/wide.h"

#define TARGETS_FIRST (1u << 16)
#define PAGES_FIRST   (1u << 10)
#define PAGE_HERE     1u /* in the low bits of an entry */
#define PAGE_GONE     2u

#define CHUNK_BYTES (16u << 20)

struct cache_chunk {
	struct cache_chunk *next;
};

void *
cache_code_room(struct cache_code *code, size_t bytes)
{
	struct cache_chunk *chunk = code->chunks;
	char *room;

	bytes = (bytes + 15) & ~(size_t)15;
	if (!chunk || code->chunk_used + bytes > CHUNK_BYTES) {
		chunk = wide_open(CHUNK_BYTES);
		if (!chunk)
			return NULL;
		chunk->next = code->chunks;
		code->chunks = chunk;
		code->chunk_used = 64;
	}
	room = (char *)chunk + code->chunk_used;
	code->chunk_used += bytes;
	return room;
}

static bool
has_pext(void)
{
	unsigned eax, ebx, ecx, edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && ebx & 1 << 8;
}

int
cache_code_open(struct cache_code **out,
		const struct cache_code_methods *methods)
{
	struct cache_code *code = calloc(1, sizeof(*code));

	if (!code)
		return fail(ENOMEM, "cache: no memory");
	code->methods = *methods;
	code->n_links = 1;
	code->n_outcomes = CALL_OUTCOME + 1;
	code->pext = has_pext();
	code->targets_size = TARGETS_FIRST;
	code->target = wide_open(code->targets_size * sizeof(*code->target));
	code->pages_size = PAGES_FIRST;
	code->page = calloc(code->pages_size, sizeof(*code->page));
	code->outcome = wide_open(OUTCOMES_MAX * sizeof(*code->outcome));
	code->meaning = wide_open(OUTCOMES_MAX * sizeof(*code->meaning));
	code->link = wide_open(LINKS_MAX * sizeof(*code->link));
	if (!code->target || !code->page || !code->outcome || !code->link ||
	    !code->meaning || builder_open(&code->builder)) {
		cache_code_close(code);
		return fail(ENOMEM, "cache: no memory");
	}
	*out = code;
	return 0;
}

void
cache_code_close(struct cache_code *code)
{
	struct cache_chunk *next;

	if (!code)
		return;
	for (struct cache_chunk *c = code->chunks; c; c = next) {
		next = c->next;
		wide_close(c, CHUNK_BYTES);
	}
	for (unsigned i = 0; i < code->n_arenas; i++)
		free(code->arena[i].block);
	wide_close(code->outcome, OUTCOMES_MAX * sizeof(*code->outcome));
	wide_close(code->meaning, OUTCOMES_MAX * sizeof(*code->meaning));
	wide_close(code->link, LINKS_MAX * sizeof(*code->link));
	builder_close(code->builder);
	wide_close(code->target, code->targets_size * sizeof(*code->target));
	free(code->page);
	free(code);
}

static size_t
mix(uint64_t pc)
{
	pc *= UINT64_C(0x9e3779b97f4a7c15);
	return (size_t)(pc ^ pc >> 32);
}

static struct cache_target *
target_place(struct cache_target *table, size_t size, uint64_t pc)
{
	for (size_t i = mix(pc);; i++) {
		struct cache_target *target = &table[i & (size - 1)];

		if (!target->used || target->pc == pc)
			return target;
	}
}

static int
targets_grow(struct cache_code *code)
{
	size_t size = 2 * code->targets_size;
	struct cache_target *table;

	if (2 * code->n_targets < code->targets_size)
		return 0;
	table = wide_open(size * sizeof(*table));
	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < code->targets_size; i++)
		if (code->target[i].used)
			*target_place(table, size, code->target[i].pc) =
				code->target[i];
	wide_close(code->target, code->targets_size * sizeof(*table));
	code->target = table;
	code->targets_size = size;
	return 0;
}

struct cache_target *
cache_code_target(struct cache_code *code, uint64_t pc)
{
	struct cache_target *target;

	if (targets_grow(code))
		return NULL;
	target = target_place(code->target, code->targets_size, pc);
	if (!target->used) {
		*target = (struct cache_target){ .pc = pc, .used = true };
		code->n_targets++;
	}
	return target;
}

struct cache_block *
cache_code_find(const struct cache_code *code, uint64_t pc)
{
	return target_place(code->target, code->targets_size, pc)->block;
}

bool
cache_code_expects(const struct cache_code *code, uint64_t pc)
{
	return target_place(code->target, code->targets_size, pc)->expected;
}

bool
cache_code_returns(const struct cache_code *code, uint64_t pc)
{
	return target_place(code->target, code->targets_size, pc)->returned;
}

const struct cache_arena *
cache_code_arena(const struct cache_code *code, uint64_t address)
{
	for (unsigned i = 0; i < code->n_arenas; i++)
		if (address - code->arena[i].address < ARENA_BYTES)
			return &code->arena[i];
	return NULL;
}

struct cache_block *
cache_code_at(const struct cache_code *code, uint64_t address)
{
	const struct cache_arena *arena = cache_code_arena(code, address);
	size_t low = 0, high = arena ? arena->n_blocks : 0;
	uint64_t offset = arena ? address - arena->address : 0;
	struct cache_block *block;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (arena->block[middle]->offset <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return NULL;
	block = arena->block[low - 1];
	return offset - block->offset < block->bytes ? block : NULL;
}

static uint64_t
apart(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* An arena that reaches pc and has room; a new one if there is none */
static struct cache_arena *
arena_for(struct cache_code *code, uint64_t pc)
{
	struct cache_arena *arena;

	for (unsigned i = 0; i < code->n_arenas; i++) {
		arena = &code->arena[i];
		if (apart(arena->address, pc) < ARENA_REACH &&
		    arena->used + arena->stubs + 2 * BLOCK_CODE_BYTES <
			    ARENA_BYTES)
			return arena;
	}
	if (code->running)
		return NULL;
	if (code->n_arenas == ARENAS_MAX) {
		code->full = true;
		return NULL;
	}
	arena = &code->arena[code->n_arenas];
	if (code->methods.arena(code->methods.context, pc, arena))
		return NULL;
	code->n_arenas++;
	return arena;
}

static int
keep(struct cache_arena *arena, struct cache_block *block)
{
	if (arena->n_blocks == arena->blocks_size) {
		size_t size =
			arena->blocks_size ? 2 * arena->blocks_size : 1024;
		struct cache_block **table =
			reallocarray(arena->block, size,
				     sizeof(struct cache_block *));

		if (!table)
			return -ENOMEM;
		arena->block = table;
		arena->blocks_size = size;
	}
	arena->block[arena->n_blocks++] = block;
	return 0;
}

/* Keep the target's hands off what a block was made of, if it can write
 * there.  false: that can't be done now. */
static bool
claim_pages(struct cache_code *code, const struct cache_block *block)
{
	const uint64_t page = ~UINT64_C(4095);
	bool claimed = cache_code_page(code, block->pc & page);

	for (unsigned i = 0; i < block->n_places && claimed; i++)
		claimed = cache_code_page(code, (block->place[i].pc +
						 block->place[i].length - 1) &
							page);
	return claimed;
}

struct cache_block *
cache_code_make(struct cache_code *code, uint64_t pc)
{
	struct cache_arena *arena = arena_for(code, pc);
	struct cache_target *target = cache_code_target(code, pc);
	struct cache_block *block;

	code->full |= code->bytes_max && code->bytes > code->bytes_max;
	if (!arena || !target || code->full)
		return NULL;
	block = builder_make(code->builder, code,
			     (unsigned)(arena - code->arena), pc);
	if (!block)
		return NULL;
	block->next = code->blocks;
	code->blocks = block;
	code->bytes += block->bytes;
	if (code->full || !claim_pages(code, block)) {
		block->dead = true;
		return NULL;
	}
	if (!block->native && keep(&code->arena[block->arena], block))
		return NULL;
	link_block(code, block);
	return block;
}

uint32_t
cache_code_outcome(struct cache_code *code, const struct cache_block *block,
		   const struct cache_place *until, unsigned instructions)
{
	if (code->n_outcomes == OUTCOMES_MAX) {
		code->full = true;
		return 0;
	}
	code->outcome[code->n_outcomes] = (struct cache_outcome){
		.block = block,
		.instructions = (uint16_t)instructions,
		.accesses = until->accesses,
		.words = until->words,
		.fixes = until->fixes,
		.specials = until->specials,
	};
	/* Written before it is read: the zero page would be replaced, and both
	 * processors told of it */
	code->meaning[code->n_outcomes] = (struct cache_meaning){ 0 };
	return code->n_outcomes++;
}

static uint64_t *
page_place(uint64_t *table, size_t size, uint64_t page)
{
	for (size_t i = mix(page);; i++) {
		uint64_t *at = &table[i & (size - 1)];

		if (!*at || *at == (page | PAGE_HERE))
			return at;
	}
}

bool
cache_code_page(struct cache_code *code, uint64_t page)
{
	uint64_t *at = page_place(code->page, code->pages_size, page);

	if (*at)
		return true;
	if (!code->methods.page(code->methods.context, page))
		return false;
	*at = page | PAGE_HERE;
	if (2 * ++code->n_pages < code->pages_size)
		return true;
	at = calloc(2 * code->pages_size, sizeof(*at));
	if (!at)
		return false;
	for (size_t i = 0; i < code->pages_size; i++)
		if (code->page[i] & PAGE_HERE)
			*page_place(at, 2 * code->pages_size,
				    code->page[i] & ~UINT64_C(1)) =
				code->page[i];
	free(code->page);
	code->page = at;
	code->pages_size *= 2;
	return true;
}

bool
cache_code_has_page(const struct cache_code *code, uint64_t start, uint64_t end)
{
	if ((end - start) >> 12 > code->pages_size) {
		for (size_t i = 0; i < code->pages_size; i++)
			if (code->page[i] && code->page[i] >= start &&
			    code->page[i] < end)
				return true;
		return false;
	}
	for (uint64_t page = start & ~UINT64_C(4095); page < end; page += 4096)
		if (*page_place(code->page, code->pages_size, page))
			return true;
	return false;
}

void
cache_code_forget_pages(struct cache_code *code, uint64_t start, uint64_t end)
{
	for (size_t i = 0; i < code->pages_size; i++)
		if (code->page[i] & PAGE_HERE && code->page[i] >= start &&
		    code->page[i] < end)
			code->page[i] ^= PAGE_HERE ^ PAGE_GONE;
}
