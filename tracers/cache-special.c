// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Instructions whose accesses follow from more than a word each: repeated ones,
 * gathers, masked ones.  What their operands need is taken out of the record,
 * and the accesses are worked out by the one table for all engines.
 */
#include "analyzer/base.h"
#include "tracers/cache-expander.h"

#include <assert.h>
#include <string.h>

int
special_single(struct cache_expander *expander, const struct site *site,
	       uint64_t address, struct batch *batch)
{
	uint32_t step;
	int error = shaper_single(expander->shaper, site, &step);

	if (error)
		return error;
	batch->step[batch->n_steps++] = step;
	batch->root[batch->n_roots++] = address;
	batch->n++;
	return 0;
}

/* What an instruction's operands need, out of a record */
struct stored {
	const struct cache_special *special;
	const uint64_t *at;
	struct user_regs_struct general;
};

static int
stored_vector(void *context, unsigned number, uint8_t value[64])
{
	const struct stored *stored = context;
	const struct cache_special *special = stored->special;

	memset(value, 0, 64);
	for (unsigned i = 0; i < special->n_vectors; i++)
		if (special->vector[i] == number)
			memcpy(value, stored->at + special->vector_word[i],
			       special->vector_bytes[i]);
	return 0;
}

static int
stored_opmask(void *context, unsigned number, uint64_t *value)
{
	const struct stored *stored = context;

	(void)number;
	*value = stored->at[stored->special->opmask_word];
	return 0;
}

static uint64_t
value_of(const struct cache_value *value, const uint64_t *at)
{
	return (uint64_t)value->delta +
	       (value->kind == VALUE_WORD ? at[value->word] : 0);
}

static void
restore(struct stored *stored, const struct cache_special *special,
	const uint64_t *at, uint64_t fs)
{
	const struct cache_value *value = special->general;

	*stored = (struct stored){
		.special = special,
		.at = at,
		.general = {
			.rax = value_of(&value[RAX], at),
			.rcx = value_of(&value[RCX], at),
			.rdx = value_of(&value[RDX], at),
			.rbx = value_of(&value[RBX], at),
			.rsp = value_of(&value[RSP], at),
			.rbp = value_of(&value[RBP], at),
			.rsi = value_of(&value[RSI], at),
			.rdi = value_of(&value[RDI], at),
			.r8 = value_of(&value[R8], at),
			.r9 = value_of(&value[R9], at),
			.r10 = value_of(&value[R10], at),
			.r11 = value_of(&value[R11], at),
			.r12 = value_of(&value[R12], at),
			.r13 = value_of(&value[R13], at),
			.r14 = value_of(&value[R14], at),
			.r15 = value_of(&value[R15], at),
			.fs_base = fs,
		},
	};
}

static int
accesses_of(struct stored *stored, const struct xstate_layout *layout,
	    struct access *access)
{
	const struct registers registers = {
		.general = &stored->general,
		.vector = stored_vector,
		.opmask = stored_opmask,
		.context = stored,
		.layout = layout,
	};

	return instruction_accesses(&stored->special->instruction, &registers,
				    access);
}

static struct site
site_of(const struct instruction *instruction, uint16_t image,
	const struct access *access)
{
	return (struct site){
		.pc = instruction->pc,
		.size = access->size,
		.image = image,
		.kind = access->kind,
	};
}

/* How often a repeated instruction ran, and how far rsi and rdi went a time */
static uint64_t
repeats(const struct stored *stored, int64_t *source, int64_t *destination)
{
	const struct cache_special *special = stored->special;
	uint64_t count = stored->general.rcx - stored->at[special->after[0]];

	*source = *destination = 0;
	if (special->instruction.address32)
		count = (uint32_t)count;
	if (!count)
		return 0;
	if (special->after[1])
		*source = (int64_t)(stored->at[special->after[1]] -
				    stored->general.rsi) /
			  (int64_t)count;
	if (special->after[2])
		*destination = (int64_t)(stored->at[special->after[2]] -
					 stored->general.rdi) /
			       (int64_t)count;
	return count;
}

/* So many times, of which the first is at these addresses */
static int
add_run(struct cache_expander *expander, struct cache_run *run,
	const struct cache_repeat *repeat, const struct access *access,
	uint64_t done, unsigned times, struct batch *batch)
{
	int error = shaper_run_step(expander->shaper, run, times,
				    &batch->step[batch->n_steps]);

	if (error)
		return error;
	batch->n_steps++;
	for (unsigned i = 0; i < repeat->n; i++)
		batch->root[batch->n_roots++] =
			access[i].address + done * (uint64_t)repeat->by[i];
	batch->n += times * repeat->n;
	return 0;
}

/* Operands and accesses agree.  1: the batch is full; 0: done */
static int
expand_repeated(struct cache_expander *expander, uint16_t image,
		struct cache_piece *piece, const struct stored *stored,
		const struct access *access, unsigned n, struct batch *batch)
{
	const struct instruction *instruction = &stored->special->instruction;
	struct expander_progress *inside = &expander->inside;
	struct cache_repeat repeat = { .n = n };
	int64_t source, destination;
	uint64_t count = repeats(stored, &source, &destination);
	int error;

	assert(n <= RUN_ACCESSES);
	if (!count || !n)
		return 0;
	for (unsigned i = 0; i < n; i++) {
		repeat.by[i] = instruction->operand[i].base == RSI
				       ? source
				       : destination;
		repeat.site[i] = site_of(instruction, image, &access[i]);
	}
	error = shaper_run(expander->shaper, &repeat, &piece->run);
	while (!error && inside->iteration < count) {
		uint64_t times = count - inside->iteration;

		if (!expander_has_room(batch))
			return 1;
		times = times < RUN_TIMES ? times : RUN_TIMES;
		error = add_run(expander, piece->run, &repeat, access,
				inside->iteration, (unsigned)times, batch);
		inside->iteration += times;
	}
	inside->iteration = 0;
	return error;
}

/* The run of a plain one that goes this way */
static int
plain_run(struct cache_expander *expander, uint16_t image,
	  struct cache_piece *piece, bool down)
{
	const struct instruction *instruction = &piece->special->instruction;
	struct cache_repeat repeat = { .n = instruction->n_operands };

	if (piece->run && piece->down == down)
		return 0;
	for (unsigned i = 0; i < repeat.n; i++) {
		const struct operand *operand = &instruction->operand[i];
		const struct access access = { .size = operand->size,
					       .kind = operand->kind };

		repeat.by[i] =
			down ? -(int64_t)operand->size : (int64_t)operand->size;
		repeat.site[i] = site_of(instruction, image, &access);
	}
	piece->down = down;
	return shaper_run(expander->shaper, &repeat, &piece->run);
}

/* What rep movs and rep stos are; expand_repeated tells the same of them in six
 * times the time (memset of 1 KB, inlined: 25 % of all that expansion did). */
static int
expand_plain_repeat(struct cache_expander *expander, uint16_t image,
		    struct cache_piece *piece, const uint64_t *at,
		    struct batch *batch)
{
	const struct cache_special *special = piece->special;
	const struct instruction *instruction = &special->instruction;
	struct expander_progress *inside = &expander->inside;
	uint64_t count =
		value_of(&special->general[RCX], at) - at[special->after[0]];
	struct access access[RUN_ACCESSES];
	struct cache_repeat repeat = { .n = instruction->n_operands };
	bool down = false;
	int error;

	for (unsigned i = 0; i < repeat.n; i++) {
		const struct operand *operand = &instruction->operand[i];
		const int base = operand->base;
		const unsigned word = special->after[base == RSI ? 1 : 2];
		uint64_t value = value_of(&special->general[base], at);

		access[i].address = value + (uint64_t)operand->displacement;
		down = (int64_t)(at[word] - value) < 0;
		repeat.by[i] =
			down ? -(int64_t)operand->size : (int64_t)operand->size;
	}
	error = count ? plain_run(expander, image, piece, down) : 0;
	while (!error && inside->iteration < count) {
		uint64_t times = count - inside->iteration;

		if (!expander_has_room(batch))
			return 1;
		times = times < RUN_TIMES ? times : RUN_TIMES;
		error = add_run(expander, piece->run, &repeat, access,
				inside->iteration, (unsigned)times, batch);
		inside->iteration += times;
	}
	inside->iteration = 0;
	return error;
}

/* How many of n accesses stand side by side */
static unsigned
side_by_side(const struct access *access, unsigned n)
{
	unsigned k = 1;

	while (k < n && k < RUN_TIMES && access[k].size == access->size &&
	       access[k].kind == access->kind &&
	       access[k].address == access->address + k * access->size)
		k++;
	return k;
}

static int
expand_lanes(struct cache_expander *expander, uint16_t image,
	     struct cache_piece *piece, const struct access *access, unsigned n,
	     struct batch *batch)
{
	int error = 0;

	while (n && !error) {
		unsigned k = side_by_side(access, n);
		const struct cache_repeat repeat = {
			.site[0] = site_of(&piece->special->instruction, image,
					   access),
			.by[0] = access->size,
			.n = 1,
		};

		if (k == 1) {
			error = special_single(expander, &repeat.site[0],
					       access->address, batch);
		} else {
			error = shaper_run(expander->shaper, &repeat,
					   &piece->run);
			if (!error)
				error = add_run(expander, piece->run, &repeat,
						access, 0, k, batch);
		}
		access += k;
		n -= k;
	}
	return error;
}

int
special_expand(struct cache_expander *expander, uint16_t image,
	       struct cache_piece *piece, const uint64_t *at, uint64_t fs,
	       struct batch *batch)
{
	struct access access[INSTRUCTION_ACCESSES];
	struct stored stored;
	int n;

	if (!expander_has_room(batch))
		return 1;
	if (piece->plain)
		return expand_plain_repeat(expander, image, piece, at, batch);
	restore(&stored, piece->special, at, fs);
	n = accesses_of(&stored, &expander->layout, access);
	if (n < 0)
		return n;
	if (piece->special->instruction.repeated)
		return expand_repeated(expander, image, piece, &stored, access,
				       (unsigned)n, batch);
	return expand_lanes(expander, image, piece, access, (unsigned)n, batch);
}
