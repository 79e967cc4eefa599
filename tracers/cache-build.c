// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One superblock.  It ends only where a code block ends that is one fetch
 * (step-run.c: behind a branch, at a page, after 255 instructions), so that
 * the stream does not depend on how code was cut into superblocks.
 *
 * In the arena: [the pc that a call pushes], [the checked entry], the code, side
 * exits; at its end, backwards, the stubs of all blocks.
 */
#include "analyzer/base.h"

#include <stdlib.h>
#include <string.h>

#include "tracers/cache-builder.h"
#include "tracers/cache-layout.h"
#include "tracers/cache-substitute.h"
#include "tracers/wide.h"

#define FETCH_INSTRUCTIONS 255
#define PAGE		   UINT64_C(4096)
#define WORDS_ROOM	   32 /* words of one instruction at most */
#define CODE_ROOM	   (BLOCK_CODE_BYTES / 2)
#define TOUCH_BEFORE	   (8u << 10)

int
builder_open(struct builder **out)
{
	struct builder *builder = wide_open(sizeof(*builder));

	if (!builder)
		return -ENOMEM;
	*out = builder;
	return 0;
}

void
builder_close(struct builder *builder)
{
	wide_close(builder, sizeof(*builder));
}

static bool
in_run(const struct builder *builder, uint64_t pc)
{
	for (unsigned i = 0; i < builder->n; i++)
		if (builder->run[i].touched.pc == pc)
			return true;
	return false;
}

/*
 * Can the run go on behind this instruction, and where?  Branches backwards are
 * taken: a loop becomes a block of some iterations, whose record names what
 * they share once (gzip -9: 40 % fewer records, 24 % fewer bytes).
 */
static bool
goes_on(struct builder *builder, unsigned k, uint64_t *pc)
{
	const struct cache_instruction *code = &builder->run[k];
	bool room = builder->n < BLOCK_INSTRUCTIONS;
	bool back = code->target <= code->touched.pc;

	*pc = code->touched.pc + code->touched.length;
	builder->taken[k] = false;
	switch (code->flow) {
	case FLOW_NEXT:
		return true;
	case FLOW_BRANCH:
		builder->taken[k] = room && back;
		if (builder->taken[k])
			*pc = code->target;
		return room;
	case FLOW_JUMP:
		if (!room || (!back && in_run(builder, code->target)))
			return false;
		*pc = code->target;
		return true;
	default:
		return false;
	}
}

/* Is there an end of a fetch behind this instruction?  One that stands over a
 * page's end is begun in one fetch, which ends there, and the next has begun. */
static bool
fetch_ends(const struct cache_instruction *code, unsigned *straight)
{
	uint64_t pc = code->touched.pc, next = pc + code->touched.length;
	bool ends = code->flow != FLOW_NEXT || !(next & (PAGE - 1)) ||
		    ++*straight == FETCH_INSTRUCTIONS;

	if (ends || (pc ^ next) & ~(PAGE - 1))
		*straight = 0;
	return ends;
}

static void
gather(struct builder *builder)
{
	struct cache_code *code = builder->code;
	uint64_t pc = builder->pc, window_start = 0;
	size_t window_bytes = 0;
	uint8_t window[256];
	unsigned straight = 0;

	builder->n = 0;
	builder->next = pc;
	while (builder->n < BLOCK_MAX) {
		struct cache_instruction *one = &builder->run[builder->n];

		if (pc < window_start ||
		    pc + INSTRUCTION_BYTES > window_start + window_bytes) {
			window_bytes =
				code->methods.read(code->methods.context, pc,
						   window, sizeof(window));
			window_start = pc;
		}
		if (pc >= window_start + window_bytes ||
		    cache_decode(one, pc, window + (pc - window_start),
				 window_start + window_bytes - pc) ||
		    one->flow == FLOW_NATIVE)
			return;
		builder->n++;
		if (!goes_on(builder, builder->n - 1, &pc)) {
			builder->next = 0;
			return;
		}
		builder->next = pc;
		if (fetch_ends(one, &straight) &&
		    builder->n >= BLOCK_INSTRUCTIONS)
			return;
	}
}

void
builder_place(struct builder *builder, unsigned k)
{
	struct cache_place *place = &builder->place[k];

	*place = (struct cache_place){
		.start = builder_offset(builder),
		.body = builder_offset(builder),
		.saved = UINT16_MAX,
		.substitute = -1,
		.accesses = (uint16_t)builder->n_accesses,
		.words = (uint16_t)builder->track.n_words,
		.fixes = (uint16_t)builder->track.n_fixes,
		.specials = (uint8_t)builder->n_specials,
	};
	if (k < builder->n) {
		const struct instruction *touched = &builder->run[k].touched;

		place->pc = touched->pc;
		place->length = touched->length & 15u;
		place->repeated = touched->repeated;
		place->flow = builder->run[k].flow & 15u;
		place->takes_rax = place->flow == FLOW_RETURN ||
				   place->flow == FLOW_JUMP_BY ||
				   place->flow == FLOW_CALL_BY;
	}
}

/* Common uses of the stolen register that need no stand-in; true: done */
static bool
short_form(struct builder *builder, unsigned k, const struct decoded *whole)
{
	const ZydisDecodedOperand *to = &whole->operand[0];
	const ZydisDecodedOperand *from = &whole->operand[1];
	struct emitter *emit = &builder->emit;
	bool stolen_to, stolen_from;

	if (to->type != ZYDIS_OPERAND_TYPE_REGISTER || to->size != 64)
		return false;
	stolen_to = general_register(to->reg.value) == STOLEN;
	stolen_from = from->type == ZYDIS_OPERAND_TYPE_REGISTER &&
		      general_register(from->reg.value) == STOLEN;
	switch (whole->instruction.mnemonic) {
	case ZYDIS_MNEMONIC_PUSH:
	case ZYDIS_MNEMONIC_POP:
		record_operands(builder, k, -1);
		builder->place[k].body = builder_offset(builder);
		if (whole->instruction.mnemonic == ZYDIS_MNEMONIC_PUSH)
			emit_push_slot(emit, GS_STOLEN);
		else
			emit_pop_slot(emit, GS_STOLEN);
		return true;
	case ZYDIS_MNEMONIC_MOV:
		if (from->type != ZYDIS_OPERAND_TYPE_REGISTER ||
		    general_register(from->reg.value) < 0 ||
		    stolen_to == stolen_from)
			return false;
		if (stolen_to)
			emit_save(emit, general_register(from->reg.value),
				  GS_STOLEN);
		else
			emit_load(emit, general_register(to->reg.value),
				  GS_STOLEN);
		return true;
	default:
		return false;
	}
}

/* An instruction that is not a branch */
static int
straight_code(struct builder *builder, unsigned k)
{
	const struct cache_instruction *code = &builder->run[k];
	const struct instruction *touched = &code->touched;
	struct cache_place *place = &builder->place[k];
	struct emitter *emit = &builder->emit;
	bool stolen = (code->reads | code->writes) >> STOLEN & 1;
	struct cache_instruction again;
	struct decoded whole;
	uint8_t bytes[16] = { 0 };
	int with = -1;

	if (stolen)
		cache_decode_whole(&again, touched->pc, touched->bytes,
				   touched->length, &whole);
	if (stolen && short_form(builder, k, &whole))
		goto run;
	memcpy(bytes, touched->bytes, touched->length);
	if (stolen) {
		with = substitute_choose(code);
		if (with < 0 || substitute_register(code, &whole, bytes, with))
			return -EINVAL;
		emit_save(emit, with, GS_SUBSTITUTE);
		place->saved = builder_offset(builder);
		place->substitute = (int8_t)with;
		emit_load(emit, with, GS_STOLEN);
	}
	record_operands(builder, k, with);
	if (builder->unrecorded)
		return -EINVAL;
	place->body = builder_offset(builder);
	if (substitute_place(code, bytes, emit_here(emit)))
		return -EINVAL;
	emit_bytes(emit, bytes, touched->length);
	if (with >= 0) {
		if (code->writes >> STOLEN & 1)
			emit_save(emit, with, GS_STOLEN);
		emit_load(emit, with, GS_SUBSTITUTE);
	}
run:
	track_run(&builder->track, code);
	if (touched->repeated && touched->n_operands)
		record_repeated(builder, k);
	return 0;
}

static bool
has_room(const struct builder *builder)
{
	return builder->track.n_words + WORDS_ROOM < TRACK_WORDS_MAX &&
	       builder->n_accesses + INSTRUCTION_OPERANDS < BLOCK_ACCESSES &&
	       builder->n_specials < BLOCK_SPECIALS &&
	       builder->emit.at - builder->emit.start < CODE_ROOM;
}

/* 0; or -EINVAL: instruction n_done can't be translated */
static int
emit_run(struct builder *builder)
{
	for (unsigned k = 0; k < builder->n; k++) {
		const struct cache_instruction *code = &builder->run[k];
		bool last = k == builder->n - 1;

		if (!has_room(builder)) {
			builder->next = code->touched.pc;
			break;
		}
		builder_place(builder, k);
		builder->n_done = k;
		if (code->flow == FLOW_BRANCH && (!last || builder->next)) {
			leave_aside(builder, k);
		} else if (code->flow == FLOW_JUMP &&
			   (!last || builder->next)) {
			/* followed */
		} else if (code->flow != FLOW_NEXT) {
			return leave(builder, k);
		} else if (straight_code(builder, k)) {
			return -EINVAL;
		}
		builder->n_done = k + 1;
	}
	leave_on(builder);
	return 0;
}

/* Some pages at a time: a fault for each would cost twice as much */
static void
touch(struct cache_arena *arena)
{
	if (arena->used + TOUCH_BEFORE <= arena->touched)
		return;
	if (arena->touched < arena->used)
		arena->touched = arena->used & ~(size_t)(PAGE - 1);
	if (arena->touched == ARENA_BYTES)
		return;
	arena->touched += wide_shared_up(arena->memory + arena->touched,
					 ARENA_BYTES - arena->touched);
}

static void
begin(struct builder *builder)
{
	struct cache_code *code = builder->code;
	struct cache_arena *arena = &code->arena[builder->arena];
	uint8_t last = builder->run[builder->n - 1].flow;

	touch(arena);
	builder->emit = (struct emitter){
		.start = arena->memory + arena->used,
		.at = arena->memory + arena->used,
		.end = arena->memory + ARENA_BYTES - arena->stubs,
		.address = arena->address + arena->used,
	};
	emit_align(&builder->emit, 16);
	builder->return_pc = builder->emit.at;
	if (last == FLOW_CALL || last == FLOW_CALL_BY)
		emit_word64(&builder->emit, 0);
	builder->checked = 0;
	builder->return_at = 0;
	if (cache_code_expects(code, builder->pc)) {
		builder->checked = emit_here(&builder->emit);
		link_compare(code, &builder->emit, arena, builder->pc);
	}
	builder->start = emit_here(&builder->emit);
	builder->n_accesses = builder->n_specials = 0;
	builder->n_sides = builder->n_links = 0;
	track_begin(&builder->track);
}

static size_t
rounded(size_t bytes)
{
	return (bytes + 15) & ~(size_t)15;
}

/* One allocation: the block and its four tables */
static struct cache_block *
store(struct builder *builder)
{
	size_t places =
		rounded((builder->n_done + 1) * sizeof(struct cache_place));
	size_t accesses =
		rounded(builder->n_accesses * sizeof(struct cache_access));
	size_t fixes =
		rounded(builder->track.n_fixes * sizeof(struct cache_fix));
	size_t specials = builder->n_specials * sizeof(struct cache_special);
	size_t first = rounded(sizeof(struct cache_block));
	struct cache_block *block =
		cache_code_room(builder->code,
				first + places + accesses + fixes + specials);
	char *at;

	if (!block)
		return NULL;
	at = (char *)block + first;
	block->n_places = (uint16_t)builder->n_done;
	block->n_accesses = (uint16_t)builder->n_accesses;
	block->n_fixes = (uint16_t)builder->track.n_fixes;
	block->n_specials = (uint16_t)builder->n_specials;
	block->place =
		memcpy(at, builder->place,
		       (builder->n_done + 1) * sizeof(struct cache_place));
	at += places;
	block->access =
		memcpy(at, builder->access,
		       builder->n_accesses * sizeof(struct cache_access));
	at += accesses;
	block->fix = memcpy(at, builder->track.fix,
			    builder->track.n_fixes * sizeof(struct cache_fix));
	at += fixes;
	block->special = memcpy(at, builder->special, specials);
	return block;
}

static struct cache_block *
native_block(struct cache_code *code, uint64_t pc)
{
	struct cache_block *block = cache_code_room(code, sizeof(*block));

	if (block) {
		block->pc = pc;
		block->native = true;
	}
	return block;
}

static struct cache_block *
finish(struct builder *builder, uint32_t first_outcome)
{
	struct cache_code *code = builder->code;
	struct cache_arena *arena = &code->arena[builder->arena];
	uint32_t first_link = code->n_links;
	struct cache_block *block;

	leave_rest(builder);
	block = store(builder);
	if (!block)
		return NULL;
	block->pc = builder->pc;
	block->code = builder->start;
	block->arena = builder->arena;
	block->offset = (uint32_t)(builder->start - arena->address);
	block->bytes = (uint32_t)(emit_here(&builder->emit) - builder->start);
	block->checked = builder->checked;
	block->return_at = builder->return_at;
	for (uint32_t i = first_outcome; i < code->n_outcomes; i++)
		code->outcome[i].block = block;
	arena->used += (size_t)(builder->emit.at - builder->emit.start);
	for (uint32_t i = first_link; i < code->n_links; i++)
		link_resolve(code, i);
	return block;
}

struct cache_block *
builder_make(struct builder *builder, struct cache_code *code, unsigned arena,
	     uint64_t pc)
{
	uint32_t first_outcome = code->n_outcomes;

	builder->code = code;
	builder->arena = arena;
	builder->pc = pc;
	gather(builder);
	for (;;) {
		if (!builder->n)
			return native_block(code, pc);
		begin(builder);
		code->n_outcomes = first_outcome;
		if (!emit_run(builder))
			return finish(builder, first_outcome);
		/* End before the one that can't be translated */
		builder->n = builder->n_done;
		builder->next = builder->run[builder->n].touched.pc;
	}
}
