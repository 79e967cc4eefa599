// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System calls are made where they stand in the program, in its own state, so
 * that the kernel restarts them and delivers signals as ever.
 */
#include "tracers/cache-engine.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "tracers/about.h"

#define SHADOW_STACK_ENABLE 0x5001 /* asm/prctl.h, Linux 6.6 */

static struct event *
add_event(void *context, enum event_type type)
{
	struct cache_thread *thread = context;

	return records_event(thread->engine, thread, type);
}

struct target
target_of(struct cache_engine *engine, struct cache_thread *thread)
{
	return (struct target){
		.pid = thread->process->pid,
		.tid = thread->tid,
		.files = engine->files,
		.event = add_event,
		.context = thread,
	};
}

/* Does it ask for filters of system calls? */
static bool
asks_for_filters(uint64_t number, uint64_t first)
{
	return number == SYS_seccomp ||
	       (number == SYS_prctl && first == PR_SET_SECCOMP);
}

/* Would it replace memory of the engine's, or its rights? */
static bool
takes_ours(const struct cache_thread *thread)
{
	const struct user_regs_struct *r = &thread->registers;
	const struct cache_space *space = thread->process->shared;

	if (!space)
		return false;
	switch (r->rax) {
	case SYS_mmap:
		return r->r10 & (MAP_FIXED | MAP_FIXED_NOREPLACE) &&
		       space_overlaps(space, r->rdi, r->rsi);
	case SYS_munmap:
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		return space_overlaps(space, r->rdi, r->rsi);
	case SYS_mremap:
		return r->r10 & MREMAP_FIXED &&
		       space_overlaps(space, r->r8, r->rdx);
	default:
		return false;
	}
}

/* The program has it: everything is let go, and the call made then */
static void
give_way(struct cache_engine *engine, struct cache_thread *thread)
{
	if (!engine->orphaned)
		warn("cache: process %d wants the memory at %#llx, where the engine's own is: everything goes on unrecorded",
		     (int)thread->process->pid,
		     (unsigned long long)thread->registers.rdi);
	records_lost(engine,
		     "a program wanted the memory where the engine's own is");
	engine->detaching = 1;
	remote_set(thread);
	thread_park(engine, thread);
}

/* At the call's instruction, natively */
void
call_begin(struct cache_engine *engine, struct cache_thread *thread)
{
	const struct user_regs_struct *r = &thread->registers;

	engine->counts.calls++;
	if (takes_ours(thread)) {
		give_way(engine, thread);
		return;
	}
	protect_allow(thread, (uint64_t[6]){ r->rdi, r->rsi, r->rdx, r->r10,
					     r->r8, r->r9 });
	/* Later it might be forbidden */
	if (asks_for_filters(r->rax, r->rdi))
		protect_allow_all(thread);
	thread_restore_mask(thread);
	thread->mode = MODE_CALL;
	thread->in_call = false;
	remote_set(thread);
	thread_resume(thread, PTRACE_SYSCALL);
}

static void
let_go_of_setuid(struct cache_engine *engine, struct cache_thread *thread)
{
	pid_t pid = thread->process->pid;

	warn("cache: process %d execs a setuid program: it goes on unrecorded, for a traced one would not get its rights",
	     (int)pid);
	records_lost(engine, "a setuid program was exec'd");
	if (pid == engine->root)
		engine->root_untraced = true;
	ptrace(PTRACE_DETACH, thread->tid, NULL, NULL);
	thread_remove(engine, thread);
}

void
call_note(struct cache_thread *thread)
{
	const struct user_regs_struct *r = &thread->registers;

	thread->call = (struct syscall_call){
		.number = r->orig_rax,
		.argument = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 },
	};
}

/* Not between windows: what it does to mappings is found later */
static bool
is_told(const struct cache_thread *thread)
{
	return !thread->engine->orphaned && !thread->process->away;
}

void
call_entered(struct cache_engine *engine, struct cache_thread *thread)
{
	const struct user_regs_struct *r = &thread->registers;
	struct syscall_call *call = &thread->call;
	struct target target;
	struct syscall_target calls;

	thread->in_call = true;
	thread_stepped(engine, thread);
	/* restart_syscall goes on with the call that was interrupted */
	if (r->orig_rax != SYS_restart_syscall)
		call_note(thread);
	wait_entered(thread);
	if ((call->number == SYS_execve || call->number == SYS_execveat) &&
	    target_gains_rights(thread->tid, call)) {
		let_go_of_setuid(engine, thread);
		return;
	}
	if (thread->mode == MODE_LAUNCH) {
		thread_resume(thread, PTRACE_SYSCALL);
		return;
	}
	thread->mode = MODE_CALL;
	if (thread->process->from_exec && target_forbids(call)) {
		thread->process->rseq_refused = true;
		thread->registers.orig_rax = (unsigned long long int)-1;
		remote_set(thread);
	}
	target = target_of(engine, thread);
	calls = target_of_calls(&target);
	if (is_told(thread))
		syscall_enter(call, &thread->process->memory, &calls);
	if (call->number == SYS_rt_sigreturn)
		target_frame_read(&target, r);
	records_event_put(engine);
	engine->failed |= target.failed;
	thread_resume(thread, PTRACE_SYSCALL);
}

#define CALLS_AGAIN 100u

/*
 * It could not write to a page whose right to be written we withhold, and that
 * no argument shows: once more, with all of it given back.  And again if other
 * threads' code made us withhold it meanwhile, or if a window ended before it
 * was made again, but not for ever.
 */
static bool
goes_again(struct cache_thread *thread)
{
	struct cache_space *space = thread->process->shared;
	struct user_regs_struct *r = &thread->registers;

	if (thread->call.result != -EFAULT || !space || !space->n_protected) {
		thread->call_again = 0;
		return false;
	}
	if (thread->call_again == CALLS_AGAIN)
		return false;
	thread->call_again++;
	protect_allow_all(thread);
	r->rip -= 2;
	r->rax = thread->call.number;
	r->orig_rax = (unsigned long long int)-1;
	return true;
}

static bool
is_writable_code(const struct cache_space *space, uint64_t rights)
{
	uint64_t both = PROT_WRITE | (space->implies_exec ? 0 : PROT_EXEC);

	return (rights & both) == both;
}

/* Code may be other code now */
static void
code_changed(struct cache_thread *thread)
{
	const struct syscall_call *call = &thread->call;
	struct cache_space *space = thread->process->shared;
	uint64_t start = call->argument[0], bytes = call->argument[1];
	bool writable = true;

	if (!space || call->result < 0)
		return;
	switch (call->number) {
	case SYS_mmap:
		start = (uint64_t)call->result;
		writable = is_writable_code(space, call->argument[2]);
		break;
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		writable = is_writable_code(space, call->argument[2]);
		break;
	case SYS_munmap:
		writable = false;
		break;
	case SYS_madvise:
	case SYS_remap_file_pages:
		break;
	case SYS_mremap:
		protect_changed(space, (uint64_t)call->result,
				(uint64_t)call->result + call->argument[2],
				true);
		break;
	case SYS_shmat:
	case SYS_shmdt:
		start = 0;
		bytes = UINT64_C(1) << 47;
		break;
	default:
		return;
	}
	bytes = (bytes + 4095) & ~UINT64_C(4095);
	protect_changed(space, start, start + bytes, writable);
}

/* The program asks for an action of a signal that we use */
static void
signal_action(struct cache_thread *thread)
{
	const struct syscall_call *call = &thread->call;
	struct cache_process *process = thread->process;
	uint64_t handler = (uintptr_t)SIG_IGN, one;

	if (call->number != SYS_rt_sigaction || call->result < 0)
		return;
	one = UINT64_C(1) << (call->argument[0] - 1) & TRACED_SIGNALS;
	if (process->ignored & one && call->argument[2])
		target_write(thread->tid, call->argument[2], &handler,
			     sizeof(handler));
	if (!one || !call->argument[1] ||
	    target_read(thread->tid, call->argument[1], &handler,
			sizeof(handler)) != sizeof(handler))
		return;
	process->ignored &= ~one;
	if (handler == (uintptr_t)SIG_IGN)
		process->ignored |= one;
}

void
call_left(struct cache_engine *engine, struct cache_thread *thread)
{
	struct syscall_call *call = &thread->call;
	struct target target;
	struct syscall_target calls;

	thread->in_call = false;
	if (thread->mode == MODE_LAUNCH) {
		thread_resume(thread, PTRACE_SYSCALL);
		return;
	}
	thread->mode = MODE_NATIVE;
	if (thread->process->from_exec && target_forbids(call)) {
		thread->registers.rax = (unsigned long long int)-ENOSYS;
		remote_set(thread);
	}
	call->result = (int64_t)thread->registers.rax;
	if (goes_again(thread)) {
		call_begin(engine, thread);
		return;
	}
	if (is_told(thread) && call->number != SYS_rt_sigreturn &&
	    !((call->number == SYS_execve || call->number == SYS_execveat) &&
	      !call->result)) {
		target = target_of(engine, thread);
		calls = target_of_calls(&target);
		syscall_leave(call, &thread->process->memory, &calls);
		records_event_put(engine);
		engine->failed |= target.failed;
	}
	code_changed(thread);
	signal_action(thread);
	if (asks_for_filters(call->number, call->argument[0]))
		remote_filters_changed(thread);
	if (call->number == SYS_arch_prctl && !call->result &&
	    call->argument[0] == SHADOW_STACK_ENABLE)
		thread->refused = REFUSED_SHADOW_STACK;
	call_undo_interruption(thread);
	thread->interrupted = false;
	thread_go(engine, thread);
}
