// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System calls that the target makes in the cache, without us (cache-stub.S):
 * all but those that concern the engine, that change the address space, or
 * whose accesses can't be told from their arguments.
 *
 * The kernel sees a call at another place, so a thread that is stopped in one
 * is moved to where the program's own stands, with the result and what the
 * kernel needs to begin the call again.
 */
#include "tracers/cache-engine.h"

#include <string.h>
#include <sys/syscall.h>

#include "tracers/cache-stub.h"

enum call_class {
	CLASS_MAKE,
	CLASS_STRING_0,
	CLASS_STRING_1,
	CLASS_SOCKET, /* made if argument 5 is NULL */
	CLASS_ASK,
};

/* From here on calls are newer than this table */
#define CALLS_KNOWN 463

/* Those that concern threads, signals and their masks, GS, or code */
static const uint16_t asked[] = {
	SYS_clone,
	SYS_clone3,
	SYS_fork,
	SYS_vfork,
	SYS_execve,
	SYS_execveat,
	SYS_exit,
	SYS_exit_group,
	SYS_rt_sigreturn,
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigpending,
	SYS_rt_sigsuspend,
	SYS_rt_sigtimedwait,
	SYS_sigaltstack,
	SYS_signalfd,
	SYS_signalfd4,
	SYS_pselect6,
	SYS_ppoll,
	SYS_epoll_pwait,
	441, /* epoll_pwait2 */
	SYS_arch_prctl,
	SYS_prctl,
	SYS_seccomp,
	SYS_ptrace,
	334, /* rseq */
	SYS_modify_ldt,
	SYS_process_vm_writev,
	440, /* process_madvise */
	453, /* map_shadow_stack */
};

void
calls_set(uint8_t *view, bool careful)
{
	uint8_t *by_number = view + GS_CALLS;

	for (unsigned i = 0; i < CALLS; i++) {
		by_number[i] = (uint8_t)syscall_needs(i);
		if (!syscall_may_wait(i) || i >= CALLS_KNOWN ||
		    (careful && syscall_writes(i)))
			by_number[i] = CLASS_ASK;
	}
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		by_number[asked[i]] = CLASS_ASK;
	memset(view + GS_CALLS_HIGH, CLASS_ASK, CALLS_HIGH);
	memset(view + GS_CALLS_HIGH, CLASS_MAKE, CALLS / 256);
}

_Static_assert((int)CLASS_STRING_0 == (int)SYSCALL_NEEDS_STRING_0 &&
		       (int)CLASS_STRING_1 == (int)SYSCALL_NEEDS_STRING_1 &&
		       (int)CLASS_SOCKET == (int)SYSCALL_NEEDS_SOCKET &&
		       (int)CLASS_ASK == (int)SYSCALL_NEEDS_MORE,
	       "the classes are what the calls need");

static uint64_t
slot(const struct cache_thread *thread, unsigned at)
{
	uint64_t value;

	memcpy(&value, thread->view + at, sizeof(value));
	return value;
}

/* How far into the stub, or UINT64_MAX */
static uint64_t
in_stub(const struct cache_thread *thread)
{
	uint64_t rip = thread->registers.rip, at;
	const struct cache_arena *arena =
		cache_code_arena(thread->process->shared->code, rip);

	at = arena ? rip - arena->address : UINT64_MAX;
	return at < (uint64_t)(cache_stub_end - cache_stub) ? at : UINT64_MAX;
}

static uint64_t
place(const uint8_t *label)
{
	return (uint64_t)(label - cache_stub);
}

uint64_t
thread_cursor(const struct cache_thread *thread)
{
	uint64_t at = in_stub(thread);

	return at >= place(cache_stub_saved) && at < place(cache_stub_back)
		       ? slot(thread, GS_CURSOR)
		       : thread->registers.r11;
}

bool
call_asks(const struct cache_thread *thread)
{
	return in_stub(thread) == place(cache_stub_ask) + 1;
}

uint64_t
call_pc(const struct cache_thread *thread)
{
	return slot(thread, GS_CALL);
}

bool
call_string_fault(struct cache_thread *thread)
{
	if (in_stub(thread) != place(cache_stub_string))
		return false;
	thread->registers.rip +=
		place(cache_stub_gate) - place(cache_stub_string);
	return true;
}

/* The record that ends with the call claims that it was made: it was not */
static void
take_back(struct cache_engine *engine, struct cache_thread *thread)
{
	const struct cache_block *block =
		cache_code_at(thread->process->shared->code,
			      slot(thread, GS_RESUME));
	uint64_t bytes;

	if (!block)
		return;
	bytes = 8 + 8 * (uint64_t)block->place[block->n_places].words;
	if (thread->cursor - thread->sent < bytes)
		return;
	thread->cursor -= bytes;
	records_prefix(engine, thread, block, block->n_places - 1u);
}

bool
settle_in_call(struct cache_engine *engine, struct cache_thread *thread)
{
	struct user_regs_struct *r = &thread->registers;
	uint64_t at = in_stub(thread), flags = r->r11, number = r->orig_rax;

	if (at >= place(cache_stub_enter) && at <= place(cache_stub_gate)) {
		take_back(engine, thread);
		thread_native(thread, call_pc(thread));
		return true;
	}
	if (at != place(cache_stub_made))
		return false;
	records_called(engine, thread);
	thread_native(thread, slot(thread, GS_NEXT));
	r->rcx = r->rip;
	r->r11 = flags;
	/* Or it must not be made again */
	if ((int64_t)r->rax <= -512 && (int64_t)r->rax >= -516)
		r->orig_rax = number;
	if (thread->leaving && (int64_t)r->rax == -EINTR) {
		r->orig_rax = number;
		call_undo_interruption(thread);
		r->orig_rax = (unsigned long long int)-1;
	}
	return true;
}
