// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * How blocks lead to each other.
 *
 * A direct exit is a jump, first to its own stub (which tells the exit's number
 * to cache-stub.S), then, once the target is translated, to the target; in
 * another arena, by a trampoline.  All exits to a pc are in one chain, so that they are linked and
 * unlinked together.
 *
 * An indirect branch loads its target into rax and jumps through a table
 * indexed by the target's low bits; what stands there is a block's checked
 * entry, which compares rax with the block's pc.  It may be another one's, and
 * the flags be in use where control is to go (the compiler's jump tables): so
 * that is `lea` of the difference and `jrcxz`.  It stands in front of blocks of
 * which it was known that indirect branches come there, else anywhere.
 *
 * A return is predicted by the processor if it is one, and lands behind a call.
 * So calls and returns of the program are made as such:
 *
 *	call	1f			pop	%rax
 *	(landing: is rax R?		movzwl	%ax, %ecx
 *	 on at R)			push	%gs:returns(, %rcx, 8)
 * 1:	pop	%gs:returns + 8 * R	ret
 *	push	R
 *
 * where the last call that returns to R, or to a pc of the same low bits, has
 * noted its landing (per thread).  The landing puts R back where it was.
 */
#include "analyzer/base.h"
#include "tracers/cache-code.h"

#include <string.h>

#include "tracers/cache-emit.h"
#include "tracers/cache-layout.h"
#include "tracers/cache-stub.h"
#include "tracers/wide.h"

#define GONE	   1 /* the pc of a removed entry of the larger table */
#define ENTRY_ROOM 128
/* Of an exit's stub: movl $number, %gs:GS_LINK; jmp */
#define NUMBER_AT  8
#define STUB_BYTES 17

uint64_t
stub_address(const struct cache_code *code, const uint8_t *label)
{
	return code->arena[0].address + (uint64_t)(label - cache_stub);
}

static uint64_t
arena_stub(const struct cache_arena *arena, const uint8_t *label)
{
	return arena->address + (uint64_t)(label - cache_stub);
}

static const uint8_t *
miss_label(const struct cache_code *code)
{
	return code->pext ? cache_stub_miss : cache_stub_miss16;
}

static const uint8_t *
return_label(const struct cache_code *code)
{
	return code->pext ? cache_stub_return : cache_stub_return16;
}

uint64_t
link_return_miss(const struct cache_code *code)
{
	return stub_address(code, return_label(code));
}

static void
emitter_of(struct cache_arena *arena, struct emitter *emit)
{
	*emit = (struct emitter){
		.start = arena->memory + arena->used,
		.at = arena->memory + arena->used,
		.end = arena->memory + ARENA_BYTES - arena->stubs,
		.address = arena->address + arena->used,
	};
}

static uint64_t
stub_of(const struct cache_code *code, const struct cache_link *link)
{
	return code->arena[link->arena].address + link->stub;
}

static void
set_distance(const struct cache_code *code, const struct cache_link *link,
	     uint64_t to)
{
	const struct cache_arena *arena = &code->arena[link->arena];
	uint64_t from = arena->address + link->at + 4;
	int32_t distance = (int32_t)(int64_t)(to - from);
	unsigned within = link->at & 7;
	uint64_t *word =
		(uint64_t *)(void *)(arena->memory + link->at - within);
	uint64_t new;

	/* A running thread sees the old or the new; nobody else writes */
	memcpy(&new, word, sizeof(new));
	memcpy((uint8_t *)&new + within, &distance, sizeof(distance));
	__atomic_store_n(word, new, __ATOMIC_RELEASE);
}

/* jmp *behind(%rip), for a target in another arena */
static uint64_t
trampoline(struct cache_arena *arena, uint64_t to)
{
	struct emitter emit;

	emitter_of(arena, &emit);
	emit_align(&emit, 8);
	if (emit.end - emit.at < ENTRY_ROOM)
		return 0;
	emit_byte(&emit, 0xff);
	emit_byte(&emit, 0x25);
	emit_word32(&emit, 0);
	emit_word64(&emit, to);
	arena->used += (size_t)(emit.at - emit.start);
	return emit.address + (uint64_t)(emit.at - emit.start) - 14;
}

static void
link_to(struct cache_code *code, const struct cache_link *link,
	const struct cache_block *block)
{
	uint64_t to = block->code;

	if (link->arena != block->arena)
		to = trampoline(&code->arena[link->arena], to);
	if (to)
		set_distance(code, link, to);
}

/*
 * Stubs run once or never: they stand together at the arena's end, so that what
 * runs often is on fewer pages and lines (of 23 MB for a cc1, 6).
 */
static void
stub_begin(struct cache_code *code, struct cache_arena *arena,
	   struct emitter *emit)
{
	uint8_t *end = arena->memory + ARENA_BYTES;

	arena->stubs += STUB_BYTES;
	code->bytes += STUB_BYTES;
	if (arena->stubs > arena->stubs_touched) {
		arena->stubs_touched +=
			wide_shared_down(end - arena->stubs_touched,
					 ARENA_BYTES - arena->stubs_touched);
	}
	*emit = (struct emitter){
		.start = end - arena->stubs,
		.at = end - arena->stubs,
		.end = end,
		.address = arena->address + ARENA_BYTES - arena->stubs,
	};
}

uint32_t
link_add(struct cache_code *code, const struct cache_link *from)
{
	uint32_t number = code->n_links;
	struct cache_link *link = &code->link[number];
	struct emitter emit;

	if (number == LINKS_MAX) {
		code->full = true;
		return 0;
	}
	code->n_links++;
	*link = *from;
	stub_begin(code, &code->arena[from->arena], &emit);
	link->stub = (uint32_t)(emit.at - code->arena[from->arena].memory);
	emit_bytes(&emit, "\x65\xc7\x04\x25", 4);
	emit_word32(&emit, GS_LINK);
	emit_word32(&emit, number);
	emit_byte(&emit, 0xe9);
	emit.at += 4;
	emit_relative(&emit, emit.at - 4,
		      arena_stub(&code->arena[link->arena], cache_stub_link));
	set_distance(code, link, stub_of(code, link));
	return number;
}

void
link_resolve(struct cache_code *code, uint32_t number)
{
	struct cache_link *link = &code->link[number];
	struct cache_target *target;

	target = cache_code_target(code, link->target);
	if (!target)
		return;
	link->next = target->links;
	target->links = number;
	if (target->block && !target->block->native)
		link_to(code, link, target->block);
	else if (!target->block)
		ahead_expect(code, link->target, EXPECT_LINK);
}

void
link_block(struct cache_code *code, struct cache_block *block)
{
	struct cache_target *target = cache_code_target(code, block->pc);

	if (!target)
		return;
	target->block = block;
	if (block->native)
		return;
	for (uint32_t i = target->links; i; i = code->link[i].next)
		link_to(code, &code->link[i], block);
}

const struct cache_link *
link_at(const struct cache_code *code, uint64_t rip)
{
	const struct cache_arena *arena = cache_code_arena(code, rip);
	const struct cache_link *link;
	uint32_t number;

	if (!arena || rip + STUB_BYTES > arena->address + ARENA_BYTES)
		return NULL;
	memcpy(&number, arena->memory + (rip - arena->address) + NUMBER_AT,
	       sizeof(number));
	link = link_of(code, number);
	return link && stub_of(code, link) == rip ? link : NULL;
}

const struct cache_link *
link_of(const struct cache_code *code, uint32_t number)
{
	return number && number < code->n_links ? &code->link[number] : NULL;
}

/* Is rax the pc?  Else to `miss`.  What is compared is part of the code: as data
 * it would take lines and TLB entries of its own (a third of cc1's samples
 * stood here). */
static void
compare(struct emitter *emit, uint64_t pc, uint64_t miss)
{
	emit_bytes(emit, "\x48\xb9", 2); /* movabs -pc, %rcx */
	emit_word64(emit, -pc);
	emit_bytes(emit, "\x48\x8d\x0c\x01", 4); /* lea (%rcx,%rax) */
	emit_bytes(emit, "\xe3\x05\xe9", 3);	 /* jrcxz over a jmp */
	emit->at += 4;
	emit_relative(emit, emit->at - 4, miss);
}

void
link_compare(const struct cache_code *code, struct emitter *emit,
	     const struct cache_arena *arena, uint64_t pc)
{
	compare(emit, pc, arena_stub(arena, miss_label(code)));
	emit_load(emit, RCX, GS_RCX);
	emit_load(emit, RAX, GS_RAX);
}

void
link_compare_return(const struct cache_code *code, struct emitter *emit,
		    const struct cache_arena *arena, uint64_t pc)
{
	compare(emit, pc, arena_stub(arena, return_label(code)));
	emit_bytes(emit, "\x48\x89\x44\x24\xf8", 5); /* mov %rax, -8(%rsp) */
	emit_load(emit, RCX, GS_RCX);
	emit_load(emit, RAX, GS_RAX);
}

/* Of a block that was made without one */
static uint64_t
emit_checked(struct cache_code *code, const struct cache_block *block)
{
	struct cache_arena *arena = &code->arena[block->arena];
	struct emitter emit;

	emitter_of(arena, &emit);
	if (emit.end - emit.at < ENTRY_ROOM)
		return 0;
	emit_align(&emit, 8);
	link_compare(code, &emit, arena, block->pc);
	emit_byte(&emit, 0xe9);
	emit.at += 4;
	emit_relative(&emit, emit.at - 4, block->code);
	arena->used += (size_t)(emit.at - emit.start);
	return (emit.address + 7) & ~UINT64_C(7);
}

static size_t
level2_n(const struct cache_code *code)
{
	return (size_t)1 << code->level2_bits;
}

static uint64_t *
level2_first(const struct cache_code *code, uint64_t pc)
{
	uint64_t product = pc * (uint64_t)(int64_t)LEVEL2_FACTOR;

	return code->level2 + code->level2_at / 8 +
	       4 * ((product >> LEVEL2_SHIFT) & (level2_n(code) - 1));
}

static uint64_t *
level2_place(const struct cache_code *code, uint64_t pc)
{
	uint64_t *entry = level2_first(code, pc);

	while (entry[0] && entry[0] != pc)
		entry += 4;
	return entry;
}

static uint64_t *
table_place(const struct cache_code *code, uint64_t pc)
{
	return &code->table[pc & (((uint64_t)1 << code->table_bits) - 1)];
}

/* Nothing is where nothing was put yet */
static void
table_fill(struct cache_code *code, size_t from)
{
	uint64_t miss = stub_address(code, miss_label(code));
	size_t n = (size_t)1 << code->table_bits;

	wide_touch(code->table + from, 8 * (n - from));
	for (size_t i = from; i < n; i++)
		code->table[i] = miss;
}

static size_t
level2_bytes(const struct cache_code *code)
{
	return (level2_n(code) + LEVEL2_SLACK) * 32;
}

/* Threads that run may look into the old one meanwhile */
static void
level2_grow(struct cache_code *code)
{
	uint64_t *old = code->level2 + code->level2_at / 8;
	size_t bytes = level2_bytes(code);

	code->level2_at += bytes;
	code->level2_bits += GROWTH_BITS;
	wide_touch(code->level2 + code->level2_at / 8, level2_n(code) * 32);
	code->n_level2 = 0;
	for (size_t i = 0; i < bytes / 8; i += 4) {
		if (old[i] <= GONE)
			continue;
		memcpy(level2_place(code, old[i]), old + i, 32);
		code->n_level2++;
	}
}

/*
 * A page that is touched for the first time costs as much as the translation
 * of some blocks, on both sides: so the tables are small at first, and dense.
 */
static void
grow(struct cache_code *code)
{
	size_t n = code->n_level2, entries = (size_t)1 << code->table_bits;
	bool grown = false;

	if (code->level2_bits < LEVEL2_BITS && n > level2_n(code) / 4 * 3) {
		level2_grow(code);
		grown = true;
	}
	if (code->pext && code->table_bits < TABLE_BITS && n > entries / 4) {
		code->table_bits += GROWTH_BITS;
		table_fill(code, entries);
		grown = true;
	}
	if (grown)
		code->methods.grown(code->methods.context);
}

int
link_indirect(struct cache_code *code, struct cache_block *block)
{
	uint64_t *entry;

	if (block->native)
		return 0;
	if (!block->checked)
		block->checked = emit_checked(code, block);
	grow(code);
	if (!block->checked || (code->level2_bits == LEVEL2_BITS &&
				code->n_level2 > level2_n(code) / 2)) {
		code->full = true;
		return -ENOSPC;
	}
	entry = level2_place(code, block->pc);
	if (!entry[0])
		code->n_level2++;
	entry[1] = block->checked;
	entry[2] = block->code;
	__atomic_store_n(&entry[0], block->pc, __ATOMIC_RELEASE);
	*table_place(code, block->pc) = block->checked;
	block->listed = true;
	return 0;
}

/* Each run of entries is cleared up to its end, so that what was put behind
 * others is found too. */
void
link_forget(struct cache_code *code)
{
	table_fill(code, 0);
	for (const struct cache_block *block = code->blocks; block;
	     block = block->next) {
		if (!block->checked)
			continue;
		for (uint64_t *entry = level2_first(code, block->pc); entry[0];
		     entry += 4)
			memset(entry, 0, 32);
	}
}

void
link_tables(struct cache_code *code)
{
	code->table_bits = code->pext ? TABLE_FIRST : 16;
	code->level2_bits = LEVEL2_FIRST;
	table_fill(code, 0);
}

/* It may also stand where it was put while the table was smaller */
static void
table_forget(struct cache_code *code, const struct cache_block *block)
{
	uint64_t miss = stub_address(code, miss_label(code));

	for (unsigned bits = code->table_bits;
	     bits >= (code->pext ? TABLE_FIRST : 16); bits -= GROWTH_BITS) {
		uint64_t *entry =
			&code->table[block->pc & (((uint64_t)1 << bits) - 1)];

		if (*entry == block->checked && block->checked)
			*entry = miss;
	}
}

static bool
made_from(const struct cache_block *block, uint64_t start, uint64_t end)
{
	if (block->native)
		return block->pc < end && block->pc + INSTRUCTION_BYTES > start;
	for (unsigned i = 0; i < block->n_places; i++) {
		uint64_t pc = block->place[i].pc;

		if (pc < end && pc + block->place[i].length > start)
			return true;
	}
	return false;
}

static void
forget(struct cache_code *code, struct cache_block *block)
{
	struct cache_target *target = cache_code_target(code, block->pc);
	uint64_t *entry;

	block->dead = true;
	if (target && target->block == block)
		target->block = NULL;
	if (block->native || !target)
		return;
	for (uint32_t i = target->links; i; i = code->link[i].next)
		set_distance(code, &code->link[i],
			     stub_of(code, &code->link[i]));
	entry = level2_place(code, block->pc);
	if (entry[0] == block->pc)
		__atomic_store_n(&entry[0], GONE, __ATOMIC_RELEASE);
	table_forget(code, block);
}

static uint64_t
page_of(uint64_t pc)
{
	return pc >> 12;
}

static struct cache_block **
list_of(struct cache_code *code, uint64_t page)
{
	return &code->of_page[page & (PAGE_LISTS - 1)];
}

static bool
is_of_one_page(const struct cache_block *block)
{
	uint64_t page = page_of(block->pc);

	if (block->native)
		return page_of(block->pc + INSTRUCTION_BYTES - 1) == page;
	for (unsigned i = 0; i < block->n_places; i++) {
		const struct cache_place *place = &block->place[i];

		if (page_of(place->pc) != page ||
		    page_of(place->pc + place->length - 1) != page)
			return false;
	}
	return true;
}

/* Blocks that were made since the last time */
static void
index_new(struct cache_code *code)
{
	for (struct cache_block *block = code->blocks;
	     block && block != code->indexed; block = block->next) {
		struct cache_block **list =
			is_of_one_page(block)
				? list_of(code, page_of(block->pc))
				: &code->of_pages;

		block->same = *list;
		*list = block;
	}
	code->indexed = code->blocks;
}

static unsigned
invalidate_in(struct cache_code *code, struct cache_block **list,
	      uint64_t start, uint64_t end)
{
	unsigned n = 0;

	while (*list) {
		struct cache_block *block = *list;

		if (!block->dead && made_from(block, start, end)) {
			forget(code, block);
			n++;
		}
		if (block->dead)
			*list = block->same;
		else
			list = &block->same;
	}
	return n;
}

/* A JIT's pages change thousands of times, in a program of many blocks. */
unsigned
link_invalidate(struct cache_code *code, uint64_t start, uint64_t end)
{
	uint64_t page = page_of(start), last = page_of(end - 1);
	unsigned n;

	if (!cache_code_has_page(code, start, end))
		return 0;
	index_new(code);
	n = invalidate_in(code, &code->of_pages, start, end);
	if (last - page >= PAGE_LISTS)
		last = page + PAGE_LISTS - 1;
	for (; page <= last; page++)
		n += invalidate_in(code, list_of(code, page), start, end);
	return n;
}
