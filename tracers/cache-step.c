// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Single-stepping: one instruction that can't be translated, or a thread that
 * can't be run in the cache, for as long as that is so.  What is told is what
 * the engine `step` tells, one fetch an instruction.
 */
#include "tracers/cache-engine.h"

#include <elf.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "analyzer/fail.h"
#include "tracers/xstate.h"

#define TRAP_FLAG  0x100u
#define USER_FLAGS 0x244dd5u /* CF PF AF ZF SF TF DF OF NT AC ID */

static int
load_xstate(struct cache_engine *engine, pid_t tid, size_t *bytes)
{
	struct iovec to = { engine->xstate, XSTATE_BYTES_MAX };

	if (ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &to))
		return -errno;
	*bytes = to.iov_len;
	return 0;
}

struct where {
	struct cache_engine *engine;
	pid_t tid;
	const struct cache_lanes *lanes; /* instead of what is there; or NULL */
};

static int
read_vector(void *context, unsigned number, uint8_t value[64])
{
	const struct where *where = context;
	const struct cache_lanes *lanes = where->lanes;
	size_t bytes = 0;
	int error;

	for (unsigned i = 0; lanes && i < lanes->n; i++)
		if (lanes->number[i] == number) {
			memcpy(value, lanes->value[i], 64);
			return 0;
		}
	error = load_xstate(where->engine, where->tid, &bytes);
	if (!error)
		xstate_vector(where->engine->xstate, bytes, number, value);
	return error;
}

static int
read_opmask(void *context, unsigned number, uint64_t *value)
{
	const struct where *where = context;
	size_t bytes = 0;
	int error;

	if (where->lanes && where->lanes->masked) {
		*value = where->lanes->opmask;
		return 0;
	}
	error = load_xstate(where->engine, where->tid, &bytes);
	if (!error)
		*value = xstate_opmask(where->engine->xstate, bytes, number);
	return error;
}

/* What the instruction in flight is going to touch, in this state; or was, with
 * the masks of then */
static int
accesses(struct cache_engine *engine, struct cache_thread *thread,
	 const struct cache_lanes *lanes, struct access *access)
{
	struct where where = { engine, thread->tid, lanes };
	const struct registers registers = {
		.general = &thread->registers,
		.vector = read_vector,
		.opmask = read_opmask,
		.context = &where,
	};
	int n = 0;

	if (engine->setup.kinds & TRACER_DATA)
		n = instruction_accesses(&thread->flight, &registers, access);
	return n < 0 ? 0 : n;
}

static void
prepare(struct cache_engine *engine, struct cache_thread *thread)
{
	uint64_t pc = thread->registers.rip;
	uint8_t bytes[INSTRUCTION_BYTES] = { 0 };
	size_t n = target_read(thread->tid, pc, bytes, sizeof(bytes));

	thread->n_flight = 0;
	thread->in_flight =
		n && !instruction_decode(&thread->flight, pc, bytes, n);
	if (thread->in_flight)
		thread->n_flight =
			accesses(engine, thread, NULL, thread->access);
	thread->trap_own = thread->registers.eflags & TRAP_FLAG;
}

/* Linux takes the trap flag for the program's own once popf was stepped: so
 * popf is done here (step-run.c).  False: it must be stepped after all. */
static bool
pop_flags(struct cache_thread *thread)
{
	struct user_regs_struct *r = &thread->registers;
	uint64_t flags;

	if (target_read(thread->tid, r->rsp, &flags, sizeof(flags)) !=
		    sizeof(flags) ||
	    flags & TRAP_FLAG)
		return false;
	r->eflags = (r->eflags & ~(uint64_t)USER_FLAGS) | (flags & USER_FLAGS);
	r->rsp += sizeof(flags);
	r->rip += thread->flight.length;
	return !remote_set(thread);
}

/* A hypervisor may lose the trap behind it (step-run.c). */
static bool
identify(struct cache_thread *thread)
{
	target_cpuid(&thread->registers, thread->flight.length);
	return !remote_set(thread);
}

/* Was the one in flight done here, without a step? */
static bool
done_here(struct cache_thread *thread)
{
	if (!thread->in_flight || thread->signal || thread->trap_own)
		return false;
	switch (thread->flight.class) {
	case INSTRUCTION_POP_FLAGS:
		return pop_flags(thread);
	case INSTRUCTION_CPUID:
		return identify(thread);
	default:
		return false;
	}
}

void
thread_step(struct cache_engine *engine, struct cache_thread *thread)
{
	prepare(engine, thread);
	while (done_here(thread)) {
		thread_stepped(engine, thread);
		prepare(engine, thread);
	}
	engine->counts.steps++;
	if (thread->in_flight && thread->flight.class == INSTRUCTION_SYSCALL) {
		call_begin(engine, thread);
		return;
	}
	thread_strip_mask(thread);
	thread->mode = MODE_STEP;
	thread_resume(thread, PTRACE_SINGLESTEP);
}

/* Is it a gather or scatter?  Where a lane of it would fault, the step's trap
 * comes in the fault's stead; the lanes that are done have no mask bit any more
 * (SDM vol. 2, VPSCATTERDD). */
static bool
has_lanes(const struct instruction *instruction)
{
	for (unsigned i = 0; i < instruction->n_operands; i++)
		if (instruction->operand[i].form == OPERAND_VECTOR)
			return true;
	return false;
}

/* pushf saves the trap flag that stepping sets: the program must not see it */
static void
hide_trap_flag(const struct cache_thread *thread)
{
	uint64_t at = thread->registers.rsp, word;

	if (target_read(thread->tid, at, &word, sizeof(word)) != sizeof(word) ||
	    !(word & TRAP_FLAG))
		return;
	word &= ~(uint64_t)TRAP_FLAG;
	target_write(thread->tid, at, &word, sizeof(word));
}

void
thread_stepped(struct cache_engine *engine, struct cache_thread *thread)
{
	const struct instruction *instruction = &thread->flight;
	struct access undone[INSTRUCTION_ACCESSES];
	bool partly;
	int n;

	if (!thread->in_flight)
		return;
	if (instruction->class == INSTRUCTION_PUSH_FLAGS && !thread->trap_own)
		hide_trap_flag(thread);
	if (thread->fetched != instruction->pc)
		engine->alone[thread->cause]++;
	partly = thread->registers.rip == instruction->pc &&
		 has_lanes(instruction);
	if (partly) {
		n = accesses(engine, thread, NULL, undone);
		if (n <= thread->n_flight)
			thread->n_flight -= n;
	}
	records_stepped(engine, thread, thread->fetched != instruction->pc);
	thread->fetched = partly || instruction->repeated ? instruction->pc : 0;
}

/* Of the instruction whose body it has stopped in, NULL: none with lanes */
static const struct cache_special *
special_at(const struct cache_thread *thread)
{
	uint64_t rip = thread->registers.rip;
	const struct cache_block *block =
		cache_code_at(thread->process->shared->code, rip);
	uint64_t offset = block ? rip - block->code : 0;
	const struct cache_place *place;
	unsigned k = 0;

	while (block && k + 1 < block->n_places &&
	       block->place[k + 1].start <= offset)
		k++;
	if (!block || k == block->n_places)
		return NULL;
	place = &block->place[k];
	if (offset < place->body || place[1].specials == place->specials ||
	    !has_lanes(&block->special[place->specials].instruction))
		return NULL;
	return &block->special[place->specials];
}

void
lanes_keep(const struct cache_thread *thread, struct cache_lanes *lanes)
{
	const struct cache_special *special = special_at(thread);
	const uint64_t *at =
		(const uint64_t *)(const void *)(thread->view + thread->cursor -
						 thread->area_address);

	lanes->pc = 0;
	if (!special)
		return;
	lanes->pc = special->instruction.pc;
	lanes->n = special->n_vectors;
	memset(lanes->value, 0, sizeof(lanes->value));
	for (unsigned i = 0; i < lanes->n; i++) {
		lanes->number[i] = special->vector[i];
		memcpy(lanes->value[i], at + special->vector_word[i],
		       special->vector_bytes[i]);
	}
	lanes->masked = special->opmask_word;
	lanes->opmask = at[special->opmask_word];
}

void
lanes_tell(struct cache_engine *engine, struct cache_thread *thread,
	   const struct cache_lanes *lanes)
{
	int all;

	if (!lanes->pc || thread->registers.rip != lanes->pc)
		return;
	prepare(engine, thread);
	all = thread->in_flight
		      ? accesses(engine, thread, lanes, thread->access)
		      : 0;
	if (all > thread->n_flight) {
		thread->n_flight = all - thread->n_flight;
		records_stepped(engine, thread, true);
	}
	thread->in_flight = false;
}

#define HWCAP2_FSGSBASE 2

enum cache_refusal
thread_refused(const struct cache_thread *thread)
{
	char text[64] = "";

	/* Without these instructions the kernel takes GS's base from the
	 * segment each time it switches to the thread */
	if (thread->registers.gs && !(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE))
		return REFUSED_SEGMENT;
	/* A translated return is a pop and a jump */
	if (thread->area < 0 &&
	    target_status(thread->tid, "x86_Thread_features", text,
			  sizeof(text)) &&
	    strstr(text, "shstk"))
		return REFUSED_SHADOW_STACK;
	return REFUSED_NOT;
}

enum cache_refusal
refusal_of(int error)
{
	switch (-error) {
	case EACCES:
		return REFUSED_FILTERED;
	case ENOSPC:
		return REFUSED_NO_ROOM;
	case ENOMEM:
	case EAGAIN: /* of locked memory */
		return REFUSED_NO_MEMORY;
	case EMFILE:
	case ENFILE:
		return REFUSED_NO_DESCRIPTOR;
	case EUSERS:
		return REFUSED_TOO_MANY;
	default:
		return REFUSED_OTHER;
	}
}

const char *
refusal_name(enum cache_refusal refusal)
{
	static const char *const name[REFUSALS] = {
		[REFUSED_NOT] = "",
		[REFUSED_FILTERED] = "seccomp filters its system calls",
		[REFUSED_NO_ROOM] =
			"there is no room for translated code within 2 GiB of its own",
		[REFUSED_NO_MEMORY] =
			"it may not map as much memory as the cache needs (RLIMIT_AS, RLIMIT_MEMLOCK)",
		[REFUSED_NO_DESCRIPTOR] = "it has no file descriptor left",
		[REFUSED_TOO_MANY] = "it has more than 256 threads",
		[REFUSED_SHADOW_STACK] = "it uses a shadow stack",
		[REFUSED_SEGMENT] = "it uses the GS segment",
		[REFUSED_OTHER] = "no memory can be shared with it",
	};

	return name[refusal];
}

void
refusal_say(struct cache_engine *engine, const struct cache_thread *thread,
	    enum cache_refusal refusal)
{
	if (engine->refusal_said[refusal])
		return;
	engine->refusal_said[refusal] = true;
	if (!engine->orphaned)
		warn("cache: process %d is single-stepped, which is slow, as long as it must be: %s",
		     (int)thread->process->pid, refusal_name(refusal));
}
