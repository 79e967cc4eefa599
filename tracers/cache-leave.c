// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ends of a superblock.  Where control may leave, the record is finished:
 * a header that says which exit it was, and the cursor moves behind it.
 */
#include "analyzer/base.h"
#include "tracers/cache-builder.h"

#include "tracers/cache-layout.h"
#include "tracers/cache-stub.h"
#include "tracers/cache-substitute.h"

#define LOOP_OVER 5

static void
header(struct builder *builder, unsigned behind)
{
	const struct cache_place *until = &builder->place[behind];
	uint32_t number =
		cache_code_outcome(builder->code, NULL, until, behind);

	emit_header(&builder->emit, RECORD_HEADER(number, until->words),
		    until->words);
}

static void
exit_to(struct builder *builder, uint64_t target, uint8_t *field)
{
	struct cache_link *link = &builder->link[builder->n_links++];

	*link = (struct cache_link){
		.target = target,
		.at = (uint32_t)(field -
				 builder->code->arena[builder->arena].memory),
		.arena = (uint16_t)builder->arena,
	};
}

static void
jump_to(struct builder *builder, uint64_t target)
{
	exit_to(builder, target, emit_jump(&builder->emit, 0));
}

/* Where the return lands; then push of the constant in front of the block */
static void
push_return(struct builder *builder, uint64_t pc)
{
	struct cache_code *code = builder->code;
	struct emitter *emit = &builder->emit;
	uint8_t *over;

	emit_byte(emit, 0xe8); /* call */
	over = emit->at;
	emit->at += 4;
	link_compare_return(code, emit, &code->arena[builder->arena], pc);
	jump_to(builder, pc);
	emit_relative(emit, over, emit_here(emit));
	emit_pop_slot(emit, GS_RETURNS + 8 * (unsigned)(pc & (RETURNS - 1u)));
	memcpy(builder->return_pc, &pc, sizeof(pc));
	emit_bytes(emit, "\xff\x35", 2);
	emit->at += 4;
	emit_relative(emit, emit->at - 4,
		      emit->address +
			      (uint64_t)(builder->return_pc - emit->start));
	ahead_expect(code, pc, EXPECT_RETURN);
}

/* Through the table, to the address in rax */
static void
jump_by_table(struct builder *builder)
{
	struct emitter *emit = &builder->emit;

	if (builder->code->pext) {
		/* pext %gs:GS_MASK, %rax, %rcx */
		emit_bytes(emit, "\x65\xc4\xe2\xfa\xf5\x0c\x25", 7);
		emit_word32(emit, GS_MASK);
	} else {
		emit_bytes(emit, "\x0f\xb7\xc8", 3); /* movzwl %ax, %ecx */
	}
	emit_bytes(emit, "\x65\xff\x24\xcd", 4); /* jmp *%gs:(,%rcx,8) */
	emit_word32(emit, GS_TABLE);
}

/* By a return of the cache's own.  One that drops arguments would leave that
 * among them. */
static void
return_by_table(struct builder *builder, const struct cache_instruction *code)
{
	struct emitter *emit = &builder->emit;

	if (code->by) {
		jump_by_table(builder);
		return;
	}
	emit_bytes(emit, "\x0f\xb7\xc8", 3); /* movzwl %ax, %ecx */
	builder->return_at = builder_offset(builder);
	emit_bytes(emit, "\x65\xff\x34\xcd", 4); /* push %gs:(,%rcx,8) */
	emit_word32(emit, GS_RETURNS);
	emit_byte(emit, 0xc3);
}

/* mov what the branch names, %rax */
static int
load_target(struct builder *builder, const struct cache_instruction *code,
	    const struct decoded *whole, int with)
{
	ZydisEncoderRequest request;
	ZydisEncoderOperand *from = &request.operands[1];
	ZyanUSize length = ZYDIS_MAX_INSTRUCTION_LENGTH;

	if (!ZYAN_SUCCESS(ZydisEncoderDecodedInstructionToEncoderRequest(
		    &whole->instruction, whole->operand,
		    whole->instruction.operand_count_visible, &request)))
		return -EINVAL;
	request.mnemonic = ZYDIS_MNEMONIC_MOV;
	request.prefixes &= ZYDIS_ATTRIB_HAS_SEGMENT_FS;
	request.branch_type = ZYDIS_BRANCH_TYPE_NONE;
	request.branch_width = ZYDIS_BRANCH_WIDTH_NONE;
	request.operand_size_hint = ZYDIS_OPERAND_SIZE_HINT_NONE;
	request.allowed_encodings = ZYDIS_ENCODABLE_ENCODING_DEFAULT;
	request.operand_count = 2;
	*from = request.operands[0];
	from->mem.size = 8;
	if (general_register(from->mem.base) == STOLEN)
		from->mem.base = ZYDIS_REGISTER_RAX + (unsigned)with;
	if (general_register(from->mem.index) == STOLEN)
		from->mem.index = ZYDIS_REGISTER_RAX + (unsigned)with;
	if (from->mem.base == ZYDIS_REGISTER_RIP)
		from->mem.displacement +=
			(ZyanI64)(code->touched.pc + code->touched.length);
	request.operands[0] = (ZydisEncoderOperand){
		.type = ZYDIS_OPERAND_TYPE_REGISTER,
		.reg.value = ZYDIS_REGISTER_RAX,
	};
	if (!ZYAN_SUCCESS(ZydisEncoderEncodeInstructionAbsolute(
		    &request, builder->emit.at, &length,
		    emit_here(&builder->emit))))
		return -EINVAL;
	builder->emit.at += length;
	return 0;
}

/* What a pointer in the program's data names, a PLT's above all, is where the
 * branch will go */
static void
expect_named(struct builder *builder, const struct instruction *touched)
{
	const struct operand *operand = &touched->operand[0];
	struct cache_code *code = builder->code;
	uint64_t to = 0;

	if (!touched->n_operands || operand->base >= 0 || operand->index >= 0 ||
	    operand->segment)
		return;
	if (code->methods.peek(code->methods.context,
			       (uint64_t)operand->displacement, &to,
			       sizeof(to)) == sizeof(to) &&
	    to)
		ahead_expect(code, to, EXPECT_TABLE);
}

/* jmp and call by register or memory */
static int
leave_by(struct builder *builder, unsigned k)
{
	const struct cache_instruction *code = &builder->run[k];
	struct cache_place *place = &builder->place[k];
	struct emitter *emit = &builder->emit;
	struct cache_instruction again;
	struct decoded whole;
	int with = -1, reg;
	bool memory;

	cache_decode_whole(&again, code->touched.pc, code->touched.bytes,
			   code->touched.length, &whole);
	memory = whole.operand[0].type == ZYDIS_OPERAND_TYPE_MEMORY;
	if (memory && code->reads >> STOLEN & 1) {
		with = substitute_choose(code);
		emit_save(emit, with, GS_SUBSTITUTE);
		place->saved = builder_offset(builder);
		place->substitute = (int8_t)with;
		emit_load(emit, with, GS_STOLEN);
	}
	record_operands(builder, k, with);
	emit_save(emit, RCX, GS_RCX);
	emit_save(emit, RAX, GS_RAX);
	place->body = builder_offset(builder);
	if (memory) {
		expect_named(builder, &code->touched);
		if (load_target(builder, code, &whole, with))
			return -EINVAL;
		if (with >= 0)
			emit_load(emit, with, GS_SUBSTITUTE);
	} else {
		reg = general_register(whole.operand[0].reg.value);
		if (reg == STOLEN)
			emit_load(emit, RAX, GS_STOLEN);
		else if (reg != RAX)
			emit_move(emit, reg, RAX);
	}
	if (code->flow == FLOW_CALL_BY)
		push_return(builder, code->touched.pc + code->touched.length);
	return 0;
}

static void
leave_return(struct builder *builder, unsigned k)
{
	const struct cache_instruction *code = &builder->run[k];
	struct emitter *emit = &builder->emit;

	record_operands(builder, k, -1);
	emit_save(emit, RCX, GS_RCX);
	emit_save(emit, RAX, GS_RAX);
	builder->place[k].body = builder_offset(builder);
	emit_byte(emit, 0x58); /* pop %rax */
	if (code->by) {
		emit_bytes(emit, "\x48\x8d\xa4\x24", 4); /* lea n(%rsp), %rsp */
		emit_word32(emit, (uint32_t)code->by);
	}
}

/* loop and jrcxz reach no further than the jump behind them */
static void
leave_loop(struct builder *builder, unsigned k)
{
	const struct cache_instruction *code = &builder->run[k];
	struct emitter *emit = &builder->emit;
	uint8_t *distance;

	header(builder, k + 1);
	emit_bytes(emit, code->touched.bytes, code->touched.length - 1u);
	distance = emit->at;
	emit_byte(emit, 0);
	jump_to(builder, code->touched.pc + code->touched.length);
	*distance = (uint8_t)(emit->at - distance - 1);
	jump_to(builder, code->target);
}

static void
leave_call(struct builder *builder, unsigned k)
{
	const struct cache_instruction *code = &builder->run[k];

	record_operands(builder, k, -1);
	builder->place[k].body = builder_offset(builder);
	push_return(builder, code->touched.pc + code->touched.length);
}

static void
leave_branch(struct builder *builder, unsigned k)
{
	const struct cache_instruction *code = &builder->run[k];

	header(builder, k + 1);
	exit_to(builder, code->target,
		emit_branch(&builder->emit, code->condition, 0));
	jump_to(builder, code->touched.pc + code->touched.length);
}

/* mov $value, %rcx; mov %rcx, %gs:slot */
static void
set_slot(struct emitter *emit, unsigned slot, uint64_t value)
{
	emit_bytes(emit, "\x48\xb9", 2);
	emit_word64(emit, value);
	emit_save(emit, RCX, slot);
}

/* Into the stub, which comes back to the jump behind */
static void
leave_call_of_system(struct builder *builder, unsigned k)
{
	const struct cache_instruction *code = &builder->run[k];
	const struct cache_arena *arena = &builder->code->arena[builder->arena];
	uint64_t next = code->touched.pc + code->touched.length;
	struct emitter *emit = &builder->emit;
	uint8_t *resume;

	header(builder, k + 1);
	set_slot(emit, GS_CALL, code->touched.pc);
	set_slot(emit, GS_NEXT, next);
	emit_bytes(emit, "\x48\x8d\x0d", 3); /* lea resume(%rip), %rcx */
	resume = emit->at;
	emit->at += 4;
	emit_save(emit, RCX, GS_RESUME);
	emit_byte(emit, 0xe9);
	emit->at += 4;
	emit_relative(emit, emit->at - 4,
		      arena->address +
			      (uint64_t)(cache_stub_enter - cache_stub));
	emit_relative(emit, resume, emit_here(emit));
	jump_to(builder, next);
}

int
leave(struct builder *builder, unsigned k)
{
	const struct cache_instruction *code = &builder->run[k];
	int error = 0;

	if (code->flow == FLOW_CALL)
		leave_call(builder, k);
	else if (code->flow == FLOW_RETURN)
		leave_return(builder, k);
	else if (code->flow == FLOW_JUMP_BY || code->flow == FLOW_CALL_BY)
		error = leave_by(builder, k);
	else
		builder->place[k].body = builder_offset(builder);
	if (error)
		return error;
	builder->n_done = k + 1;
	builder_place(builder, k + 1);
	switch (code->flow) {
	case FLOW_LOOP:
		leave_loop(builder, k);
		break;
	case FLOW_BRANCH:
		leave_branch(builder, k);
		break;
	case FLOW_JUMP:
	case FLOW_CALL:
		header(builder, k + 1);
		jump_to(builder, code->target);
		break;
	case FLOW_SYSCALL:
		leave_call_of_system(builder, k);
		break;
	case FLOW_RETURN:
		header(builder, k + 1);
		return_by_table(builder, code);
		break;
	default:
		header(builder, k + 1);
		jump_by_table(builder);
		break;
	}
	return 0;
}

void
leave_on(struct builder *builder)
{
	builder_place(builder, builder->n_done);
	header(builder, builder->n_done);
	jump_to(builder, builder->next);
}

void
leave_aside(struct builder *builder, unsigned k)
{
	const struct cache_instruction *code = &builder->run[k];
	uint64_t next = code->touched.pc + code->touched.length;
	/* The lowest bit of a condition negates it */
	unsigned aside = code->condition ^ builder->taken[k];

	builder->place[k].body = builder_offset(builder);
	builder->side[builder->n_sides++] = (struct side_exit){
		.field = emit_branch(&builder->emit, aside, 0),
		.behind = k + 1,
		.target = builder->taken[k] ? next : code->target,
	};
}

void
leave_rest(struct builder *builder)
{
	for (unsigned i = 0; i < builder->n_sides; i++) {
		const struct side_exit *side = &builder->side[i];

		emit_relative(&builder->emit, side->field,
			      emit_here(&builder->emit));
		header(builder, side->behind);
		jump_to(builder, side->target);
	}
	for (unsigned i = 0; i < builder->n_links; i++)
		link_add(builder->code, &builder->link[i]);
}
