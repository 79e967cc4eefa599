// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One instruction: its accesses are worked out from the registers before it
 * runs and become part of the stream when it has run.
 *
 * The fetch of a code block stands before the accesses of the block, but its
 * length is only known at its end: a slot of the batch is kept for it.
 *
 *	batch:  [fetch: filled at the end][load][store][load]...
 *
 * A block ends with its branch, at a page boundary (an instruction that
 * crosses one is begun in the first block and fetched by both), after 255
 * instructions, and where a signal interrupts it.  A repeated string
 * instruction is one instruction, fetched once, however often it repeats.
 */
#include "analyzer/base.h"

#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "analyzer/fail.h"
#include "tracers/step.h"
#include "tracers/xstate.h"

#include <elf.h>

#define PAGE		 UINT64_C(4096)
#define INSTRUCTIONS_MAX 255
/* A batch is handed out where a new block begins and less room is left */
#define BLOCK_ROOM 2048

static int
load_xstate(struct stepper *step, struct tracee *tracee)
{
	struct iovec to = { step->xstate, XSTATE_BYTES_MAX };

	if (step->xstate_fresh)
		return 0;
	if (ptrace(PTRACE_GETREGSET, tracee->tid, NT_X86_XSTATE, &to))
		return -errno;
	step->xstate_bytes = to.iov_len;
	step->xstate_fresh = true;
	return 0;
}

static int
read_vector(void *context, unsigned number, uint8_t value[64])
{
	struct stepper *step = context;
	int error = load_xstate(step, step->active);

	if (!error)
		xstate_vector(step->xstate, step->xstate_bytes, number, value);
	return error;
}

static int
read_opmask(void *context, unsigned number, uint64_t *value)
{
	struct stepper *step = context;
	int error = load_xstate(step, step->active);

	if (!error)
		*value =
			xstate_opmask(step->xstate, step->xstate_bytes, number);
	return error;
}

static void
add_access(struct stepper *step, const struct site *site, uint64_t address)
{
	uint32_t ref;

	if (code_site(step->code, site, &ref))
		step->failed = true;
	else
		batch_access(step->batch, address, ref);
}

void
step_block_close(struct stepper *step)
{
	struct block *block = &step->block;
	struct site site = {
		.pc = block->start,
		.size = block->bytes,
		.kind = SITE_FETCH,
		.instructions = (uint8_t)block->instructions,
	};

	if (!block->open)
		return;
	block->open = false;
	if (!block->fetched)
		return;
	site.image = step->active->process->image;
	if (code_site(step->code, &site, &step->batch->site[block->slot]))
		step->failed = true;
}

static void
block_open(struct stepper *step, uint64_t pc)
{
	struct block *block = &step->block;

	*block = (struct block){ .open = true, .start = pc };
	if (step->setup.kinds & TRACER_FETCH) {
		block->fetched = true;
		block->slot = step->batch->n;
		batch_access(step->batch, pc, 0);
	}
}

/* Another instruction joins the block, or opens one */
static void
block_add(struct stepper *step, const struct instruction *instruction)
{
	struct block *block = &step->block;
	uint64_t pc = instruction->pc, end = block->start + block->bytes;
	uint64_t to_page_end = PAGE - (pc & (PAGE - 1));

	if (block->open && (pc != end || !(end & (PAGE - 1)) ||
			    block->instructions == INSTRUCTIONS_MAX))
		step_block_close(step);
	if (!block->open)
		block_open(step, pc);
	block->instructions++;
	if (instruction->length <= to_page_end) {
		block->bytes += instruction->length;
	} else {
		block->bytes += (uint32_t)to_page_end;
		step_block_close(step);
		block_open(step, pc + to_page_end);
		block->bytes = (uint32_t)(instruction->length - to_page_end);
	}
	block->last_pc = instruction->repeated ? pc : 0;
}

/* Where a lane of a gather or scatter would fault, the step's trap comes in the
 * fault's stead; the lanes that are done have no mask bit any more (SDM vol. 2,
 * VPSCATTERDD). */
static bool
was_interrupted(const struct tracee *tracee,
		const struct instruction *instruction)
{
	if (tracee->registers.rip != instruction->pc)
		return false;
	for (unsigned i = 0; i < instruction->n_operands; i++)
		if (instruction->operand[i].form == OPERAND_VECTOR)
			return true;
	return false;
}

/* The rest is told when it goes on */
static void
drop_undone(struct stepper *step, struct tracee *tracee,
	    const struct instruction *instruction)
{
	const struct registers registers = {
		.general = &tracee->registers,
		.vector = read_vector,
		.opmask = read_opmask,
		.context = step,
	};
	struct access undone[INSTRUCTION_ACCESSES];
	int n;

	if (!(step->setup.kinds & TRACER_DATA))
		return;
	step->xstate_fresh = false;
	n = instruction_accesses(instruction, &registers, undone);
	if (n > 0 && n <= tracee->n_flight)
		tracee->n_flight -= n;
}

void
step_executed(struct stepper *step, struct tracee *tracee)
{
	const struct instruction *instruction = tracee->flight;
	struct site site = { 0 };
	bool partly;

	tracee->flight = NULL;
	if (!instruction)
		return;
	site.pc = instruction->pc;
	site.image = tracee->process->image;
	partly = was_interrupted(tracee, instruction);
	if (step->block.last_pc != instruction->pc)
		block_add(step, instruction);
	if (partly) {
		drop_undone(step, tracee, instruction);
		step->block.last_pc = instruction->pc;
	} else if (!instruction->repeated) {
		step->block.last_pc = 0;
	}
	for (int i = 0; i < tracee->n_flight; i++) {
		site.size = tracee->access[i].size;
		site.kind = tracee->access[i].kind;
		add_access(step, &site, tracee->access[i].address);
	}
	if (instruction->ends_block)
		step_block_close(step);
	if (step->turn)
		step->turn--;
	if (!step->block.open && step->batch->n > BATCH_ACCESSES - BLOCK_ROOM)
		step->full = true;
	/* A long repeat inside a block: the rest becomes another block */
	if (step->batch->n > BATCH_ACCESSES - INSTRUCTION_ACCESSES - 2) {
		step_block_close(step);
		step->full = true;
	}
}

/* What the instruction at the program counter is going to touch */
static void
prepare(struct stepper *step, struct tracee *tracee)
{
	const struct registers registers = {
		.general = &tracee->registers,
		.vector = read_vector,
		.opmask = read_opmask,
		.context = step,
	};

	tracee->flight =
		code_find(step->code, step, tracee, tracee->registers.rip);
	tracee->n_flight = 0;
	if (!tracee->flight || !(step->setup.kinds & TRACER_DATA))
		return;
	step->xstate_fresh = false;
	tracee->n_flight = instruction_accesses(tracee->flight, &registers,
						tracee->access);
	if (tracee->n_flight < 0)
		tracee->n_flight = 0;
}

/* A thread that is not there any more has been killed: wait will tell */
static void
resume(struct tracee *tracee, enum __ptrace_request how)
{
	tracee->state = TRACEE_RUNNING;
	tracee->fresh = false;
	ptrace(how, tracee->tid, NULL, (void *)(uintptr_t)tracee->signal);
	tracee->signal = 0;
}

#define TRAP_FLAG  0x100u
#define USER_FLAGS 0x244dd5u /* CF PF AF ZF SF TF DF OF NT AC ID */

/*
 * Linux takes the trap flag for the program's own once popf was stepped, and
 * leaves it set for good (arch/x86/kernel/step.c).  So popf is done here.
 * False: it must be stepped after all.
 */
static bool
pop_flags(struct tracee *tracee)
{
	struct user_regs_struct *r = &tracee->registers;
	uint64_t flags;

	if (tracee->trap_own ||
	    target_read(tracee->tid, r->rsp, &flags, sizeof(flags)) !=
		    sizeof(flags) ||
	    flags & TRAP_FLAG)
		return false;
	r->eflags = (r->eflags & ~(uint64_t)USER_FLAGS) | (flags & USER_FLAGS);
	r->rsp += sizeof(flags);
	r->rip += tracee->flight->length;
	return !ptrace(PTRACE_SETREGS, tracee->tid, NULL, r);
}

/*
 * Some hypervisors (PVM) run cpuid themselves and forget the trap that was to
 * come behind it: the step would be one of two instructions.
 */
static bool
identify(struct tracee *tracee)
{
	struct user_regs_struct *r = &tracee->registers;

	if (tracee->trap_own)
		return false;
	target_cpuid(r, tracee->flight->length);
	return !ptrace(PTRACE_SETREGS, tracee->tid, NULL, r);
}

/* Some are done here, without a step.  True: the one in flight was. */
static bool
done_here(struct tracee *tracee)
{
	if (!tracee->flight || tracee->signal)
		return false;
	switch (tracee->flight->class) {
	case INSTRUCTION_POP_FLAGS:
		return pop_flags(tracee);
	case INSTRUCTION_CPUID:
		return identify(tracee);
	default:
		return false;
	}
}

void
step_resume(struct stepper *step, struct tracee *tracee)
{
	bool call;

	if (tracee->signal && tracee->caught) {
		/* Stops at the handler's first instruction */
		tracee->delivering = true;
		tracee->restarts = false;
		tracee->flight = NULL;
		resume(tracee, PTRACE_SINGLESTEP);
		return;
	}
	if (tracee->in_call || tracee->before_exec || tracee->restarts) {
		tracee->restarts = false;
		resume(tracee, PTRACE_SYSCALL);
		return;
	}
	if (!tracee->fresh && step_registers(tracee)) {
		tracee->state = TRACEE_RUNNING;
		return;
	}
	tracee->trap_own = tracee->registers.eflags >> 8 & 1;
	prepare(step, tracee);
	if (done_here(tracee)) {
		step_executed(step, tracee);
		return;
	}
	/* A call stops before and after it; and without the trap flag, for
	 * the call would save that in r11. */
	call = tracee->flight && tracee->flight->class == INSTRUCTION_SYSCALL;
	resume(tracee, call ? PTRACE_SYSCALL : PTRACE_SINGLESTEP);
}
