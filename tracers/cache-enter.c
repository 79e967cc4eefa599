// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Into the cache and out of it.
 *
 * Out: a thread stops anywhere in translated code.  Up to an instruction's
 * body nothing has happened that the area does not undo, so it is taken back
 * to the beginning of that instruction; behind the body it is stepped on to the
 * next one.  The part of the block that has run becomes a record of its own.
 */
#include "tracers/cache-engine.h"

#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "tracers/cache-emit.h"
#include "tracers/cache-stub.h"

#define SETTLE_STEPS 2000

static uint64_t
slot(const struct cache_thread *thread, unsigned at)
{
	uint64_t value;

	memcpy(&value, thread->view + at, sizeof(value));
	return value;
}

static void
set_slot(struct cache_thread *thread, unsigned at, uint64_t value)
{
	memcpy(thread->view + at, &value, sizeof(value));
}

static unsigned long long int *
general(struct user_regs_struct *r, int number)
{
	unsigned long long int *const field[16] = {
		&r->rax, &r->rcx, &r->rdx, &r->rbx, &r->rsp, &r->rbp,
		&r->rsi, &r->rdi, &r->r8,  &r->r9,  &r->r10, &r->r11,
		&r->r12, &r->r13, &r->r14, &r->r15,
	};

	return field[number & 15];
}

void
thread_resume(struct cache_thread *thread, int request)
{
	int number = thread->signal;

	thread->stopped = false;
	thread->signal = 0;
	ptrace((enum __ptrace_request)request, thread->tid, NULL,
	       (void *)(uintptr_t)number);
}

/* Those that came while the program blocked them and does no more */
static void
raise_waiting(struct cache_thread *thread)
{
	uint64_t ready = thread->waiting & ~thread->blocked;

	for (int i = 1; ready && i < 32; i++)
		if (ready >> (i - 1) & 1)
			syscall(SYS_tgkill, thread->process->pid, thread->tid,
				i);
	thread->waiting &= thread->blocked;
}

void
thread_strip_mask(struct cache_thread *thread)
{
	uint64_t mask;

	if (ptrace(PTRACE_GETSIGMASK, thread->tid, sizeof(mask), &mask))
		return;
	/* Those taken away before are not in it any more */
	thread->blocked |= mask & TRACED_SIGNALS;
	raise_waiting(thread);
	if (!(mask & TRACED_SIGNALS))
		return;
	mask &= ~TRACED_SIGNALS;
	ptrace(PTRACE_SETSIGMASK, thread->tid, sizeof(mask), &mask);
}

void
thread_restore_mask(struct cache_thread *thread)
{
	uint64_t mask;

	if (!thread->blocked ||
	    ptrace(PTRACE_GETSIGMASK, thread->tid, sizeof(mask), &mask))
		return;
	mask |= thread->blocked;
	thread->blocked = 0;
	ptrace(PTRACE_SETSIGMASK, thread->tid, sizeof(mask), &mask);
	/* They are pending now, for the program to see */
	raise_waiting(thread);
}

struct cache_block *
thread_block(struct cache_thread *thread, uint64_t pc)
{
	struct cache_space *space = thread->process->shared;
	struct cache_block *block = cache_code_find(space->code, pc);

	if (!block && !space->code->full) {
		space->caller = thread;
		if (target_read(thread->tid, thread->registers.rsp,
				&space->code->caller,
				sizeof(space->code->caller)) !=
		    sizeof(space->code->caller))
			space->code->caller = 0;
		block = cache_code_translate(space->code, pc);
	}
	return block && !block->native ? block : NULL;
}

static void
enter_block(struct cache_engine *engine, struct cache_thread *thread,
	    const struct cache_block *block)
{
	struct user_regs_struct *r = &thread->registers;

	if (r->fs_base != thread->fs_base) {
		records_flush(engine, thread);
		thread->fs_base = r->fs_base;
	}
	set_slot(thread, GS_STOLEN, r->r11);
	thread->gs_base = r->gs_base;
	r->gs_base = thread->area_address;
	r->r11 = thread->cursor;
	r->rip = block->code;
	r->orig_rax = (unsigned long long int)-1;
	thread_strip_mask(thread);
	ask_enter(engine, thread);
	thread->mode = MODE_CACHE;
	thread->fetched = 0;
	remote_set(thread);
	thread_resume(thread, PTRACE_CONT);
}

static void
go_natively(struct cache_thread *thread, uint8_t mode, int request)
{
	thread_restore_mask(thread);
	thread->mode = mode;
	thread_resume(thread, request);
}

void
thread_go(struct cache_engine *engine, struct cache_thread *thread)
{
	const struct user_regs_struct *r = &thread->registers;
	const struct cache_block *block;
	struct cache_space *space;
	bool caught = false;

	if (thread_must_park(engine) &&
	    (thread->signal || !call_was_interrupted(r))) {
		thread_park(engine, thread);
		return;
	}
	/* It may be gone on with as restart_syscall, which does not tell */
	if (call_was_interrupted(r) && r->orig_rax != SYS_restart_syscall)
		call_note(thread);
	windows_pass(engine, thread);
	if (wait_goes_on(engine, thread))
		return;
	if (engine->window.away) {
		go_natively(thread, MODE_NATIVE, PTRACE_CONT);
		return;
	}
	if (thread->signal)
		caught = target_signal_set(thread->tid, "SigCgt") >>
				 (thread->signal - 1) &
			 1;
	if (caught) {
		/* Stops at the handler's first instruction */
		go_natively(thread, MODE_HANDLER, PTRACE_SINGLESTEP);
		return;
	}
	if (call_was_interrupted(r)) {
		/* This stop has used up the one that was asked for */
		if (thread_must_park(engine)) {
			ptrace(PTRACE_INTERRUPT, thread->tid, NULL, NULL);
			thread->interrupted = true;
		}
		go_natively(thread, MODE_NATIVE, PTRACE_SYSCALL);
		return;
	}
	if (family_prepare(engine, thread))
		return;
	windows_start(engine);
	thread->cause = thread->refused;
	if (thread->refused) {
		thread_step(engine, thread);
		return;
	}
	space = thread->process->shared;
	space->refused = REFUSED_NOT;
	block = thread_block(thread, r->rip);
	if (thread_must_wait(thread)) {
		thread_park(engine, thread);
	} else if (block) {
		enter_block(engine, thread, block);
	} else {
		thread->cause = space->refused;
		if (space->refused)
			refusal_say(engine, thread, space->refused);
		thread_step(engine, thread);
	}
}

void
thread_on(struct cache_engine *engine, struct cache_thread *thread, uint64_t pc)
{
	const struct cache_block *block =
		thread_must_leave(engine) ? NULL : thread_block(thread, pc);

	if (!block || thread_must_wait(thread)) {
		thread_native(thread, pc);
		remote_set(thread);
		thread_go(engine, thread);
		return;
	}
	thread->registers.rip = block->code;
	thread->registers.orig_rax = (unsigned long long int)-1;
	ask_enter(engine, thread);
	remote_set(thread);
	thread_resume(thread, PTRACE_CONT);
}

void
thread_native(struct cache_thread *thread, uint64_t pc)
{
	struct user_regs_struct *r = &thread->registers;

	r->r11 = slot(thread, GS_STOLEN);
	r->gs_base = thread->gs_base;
	r->rip = pc;
	r->orig_rax = (unsigned long long int)-1;
	thread->mode = MODE_NATIVE;
}

/* Take back what was done for instruction k before its body */
static void
undo(struct cache_thread *thread, const struct cache_place *place,
     uint64_t offset)
{
	struct user_regs_struct *r = &thread->registers;

	if (place->substitute >= 0 && offset >= place->saved)
		*general(r, place->substitute) = slot(thread, GS_SUBSTITUTE);
	if (place->takes_rax && offset > place->body) {
		r->rax = slot(thread, GS_RAX);
		r->rcx = slot(thread, GS_RCX);
	}
}

static unsigned
place_at(const struct cache_block *block, uint64_t offset)
{
	unsigned k = block->n_places;

	while (k && block->place[k].start > offset)
		k--;
	return k;
}

/* At an exit's stub, or the int3 that was not executed yet; true: settled */
static bool
settle_at_stub(struct cache_thread *thread, uint64_t rip)
{
	struct cache_code *code = thread->process->shared->code;
	const struct cache_arena *arena = cache_code_arena(code, rip);
	const struct cache_link *link;

	if (arena &&
	    rip - arena->address == (uint64_t)(cache_stub_trap - cache_stub)) {
		thread_native(thread, ask_wanted(thread));
		return true;
	}
	link = link_at(code, rip);
	if (!link)
		return false;
	thread_native(thread, link->target);
	return true;
}

/* In front of some instruction's body; faulted: its body has faulted */
static bool
settle_in_block(struct cache_engine *engine, struct cache_thread *thread,
		uint64_t rip, bool faulted)
{
	const struct cache_block *block =
		cache_code_at(thread->process->shared->code, rip);
	uint64_t offset = block ? rip - block->code : 0;
	const struct cache_place *place;
	unsigned k;

	if (!block)
		return false;
	k = place_at(block, offset);
	place = &block->place[k];
	if (k == block->n_places || (offset > place->body && !faulted))
		return false;
	undo(thread, place, offset);
	records_prefix(engine, thread, block, k);
	thread_native(thread, place->pc);
	return true;
}

static bool
try_to_settle(struct cache_engine *engine, struct cache_thread *thread,
	      bool faulted)
{
	uint64_t rip = thread->registers.rip;

	thread->cursor = thread_cursor(thread);
	return settle_in_call(engine, thread) || settle_at_stub(thread, rip) ||
	       settle_in_block(engine, thread, rip, faulted);
}

/* One step in the cache: 0, 1: a fault of the program's own, or -errno */
static int
step_inside(struct cache_engine *engine, struct cache_thread *thread)
{
	siginfo_t info = { 0 };
	int request = PTRACE_SINGLESTEP, status, error;

	/* A stop that was asked for may come before the step, or between it
	 * and its own stop, which would come at any time later */
	do {
		if (ptrace((enum __ptrace_request)request, thread->tid, NULL,
			   NULL))
			return -errno;
		error = remote_wait(thread, &status);
		if (error)
			return error;
		if (status >> 16 && thread_raised(thread))
			request = PTRACE_CONT;
	} while (remote_minds_stop(thread, status) || status >> 16);
	error = remote_get(thread);
	if (error || WSTOPSIG(status) == SIGTRAP)
		return error;
	ptrace(PTRACE_GETSIGINFO, thread->tid, NULL, &info);
	if (WSTOPSIG(status) == SIGSEGV &&
	    records_in_guard(thread, (uint64_t)(uintptr_t)info.si_addr)) {
		thread->cursor = thread->registers.r11;
		records_next(engine, thread);
		thread->registers.r11 = thread->cursor;
		return remote_set(thread);
	}
	return 1;
}

int
thread_settle(struct cache_engine *engine, struct cache_thread *thread)
{
	uint64_t mask, most = ~(TRACED_SIGNALS | UINT64_C(1) << (SIGBUS - 1) |
				UINT64_C(1) << (SIGFPE - 1) |
				UINT64_C(1) << (SIGILL - 1));
	struct cache_lanes lanes;
	int result = 0;

	thread->cursor = thread_cursor(thread);
	lanes_keep(thread, &lanes);
	if (try_to_settle(engine, thread, false)) {
		lanes_tell(engine, thread, &lanes);
		return remote_set(thread);
	}
	ask_end(thread);
	if (ptrace(PTRACE_GETSIGMASK, thread->tid, sizeof(mask), &mask) ||
	    ptrace(PTRACE_SETSIGMASK, thread->tid, sizeof(most), &most))
		return -errno;
	for (unsigned i = 0; i < SETTLE_STEPS; i++) {
		result = step_inside(engine, thread);
		if (result < 0)
			return result;
		if (try_to_settle(engine, thread, result == 1))
			break;
	}
	ptrace(PTRACE_SETSIGMASK, thread->tid, sizeof(mask), &mask);
	remote_stop_again(thread);
	if (thread->mode == MODE_CACHE && engine->orphaned)
		return -EPROTO;
	if (thread->mode == MODE_CACHE)
		return fail(
			EPROTO,
			"cache: thread %d did not come to an instruction's beginning (at %#llx)",
			(int)thread->tid,
			(unsigned long long)thread->registers.rip);
	lanes_tell(engine, thread, &lanes);
	return remote_set(thread);
}
