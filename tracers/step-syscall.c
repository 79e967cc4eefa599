// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System calls of stepped threads: their events through tracers/syscalls, and
 * what stepping itself must hide from the program or do for it.
 */
#include "analyzer/base.h"

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "analyzer/fail.h"
#include "tracers/about.h"
#include "tracers/step.h"

static struct event *
add_event(void *context, enum event_type type)
{
	const struct where *where = context;

	return step_event(where->step, where->tracee, type);
}

struct target
step_target(struct where *where)
{
	return (struct target){
		.pid = where->tracee->process->pid,
		.tid = where->tracee->tid,
		.files = where->step->files,
		.event = add_event,
		.context = where,
	};
}

static void
let_go_of_setuid(struct stepper *step, struct tracee *tracee)
{
	pid_t pid = tracee->process->pid;

	warn("step: process %d execs a setuid program: it goes on unrecorded, for a traced one would not get its rights",
	     (int)pid);
	about_loss(step->setup.stream, "a setuid program was exec'd");
	if (pid == step->root)
		step->root_untraced = true;
	step_mask_restore(tracee);
	ptrace(PTRACE_DETACH, tracee->tid, NULL, NULL);
	step_tracee_remove(step, tracee);
}

void
step_call_entry(struct stepper *step, struct tracee *tracee)
{
	const struct user_regs_struct *r = &tracee->registers;
	struct where where = { step, tracee };
	struct target target = step_target(&where);
	const struct syscall_target calls = target_of_calls(&target);
	struct syscall_call *call = &tracee->call;

	step_executed(step, tracee);
	tracee->in_call = true;
	/* restart_syscall goes on with the call that was interrupted */
	if (r->orig_rax != SYS_restart_syscall)
		*call = (struct syscall_call){
			.number = r->orig_rax,
			.argument = { r->rdi, r->rsi, r->rdx, r->r10, r->r8,
				      r->r9 },
		};
	if (call->number == SYS_execve || call->number == SYS_execveat) {
		if (target_gains_rights(tracee->tid, call)) {
			let_go_of_setuid(step, tracee);
			return;
		}
	}
	if (tracee->before_exec)
		return;
	step_mask_restore(tracee);
	if (tracee->process->from_exec && target_forbids(call)) {
		tracee->registers.orig_rax = (unsigned long long int)-1;
		ptrace(PTRACE_SETREGS, tracee->tid, NULL, r);
	}
	syscall_enter(call, &tracee->process->memory, &calls);
	if (call->number == SYS_rt_sigreturn)
		target_frame_read(&target, r);
	step->failed |= target.failed;
}

/* The thread that a call names: 0 is the caller */
static struct tracee *
named_thread(struct stepper *step, struct tracee *tracee, uint64_t tid)
{
	return tid ? step_tracee(step, (pid_t)tid) : tracee;
}

/* All run on one core; the program is to believe in its own */
static void
affinity(struct stepper *step, struct tracee *tracee)
{
	const struct syscall_call *call = &tracee->call;
	struct tracee *whom = named_thread(step, tracee, call->argument[0]);
	size_t n_bytes = call->argument[1] < sizeof(cpu_set_t)
				 ? call->argument[1]
				 : sizeof(cpu_set_t);
	cpu_set_t one;

	if (!step->pinned || !whom || call->result < 0)
		return;
	if (call->number == SYS_sched_getaffinity) {
		if ((size_t)call->result < n_bytes)
			n_bytes = (size_t)call->result;
		target_write(tracee->tid, call->argument[2], &whom->cores,
			     n_bytes);
		return;
	}
	/* As the kernel understood it: with cores that are there */
	sched_getaffinity(whom->tid, sizeof(whom->cores), &whom->cores);
	CPU_ZERO(&one);
	CPU_SET(step->core, &one);
	sched_setaffinity(whom->tid, sizeof(one), &one);
}

/* Stepping makes the kernel forget that SIGTRAP is ignored: remember it */
static void
trap_action(struct tracee *tracee)
{
	const struct syscall_call *call = &tracee->call;
	struct process *process = tracee->process;
	uint64_t handler = (uintptr_t)SIG_IGN;

	if (call->argument[0] != SIGTRAP || call->result < 0)
		return;
	if (process->trap_ignored && call->argument[2])
		target_write(tracee->tid, call->argument[2], &handler,
			     sizeof(handler));
	if (call->argument[1] &&
	    target_read(tracee->tid, call->argument[1], &handler,
			sizeof(handler)) == sizeof(handler))
		process->trap_ignored = handler == (uintptr_t)SIG_IGN;
}

/* Code may be other code now */
static bool
may_change_code(const struct process *process, const struct syscall_call *call)
{
	uint64_t start = call->argument[0], end = start + call->argument[1];

	switch (call->number) {
	case SYS_mmap:
		start = (uint64_t)call->result;
		end = start + call->argument[1];
		if (call->argument[2] & PROT_EXEC)
			return true;
		break;
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		if (call->argument[2] & PROT_EXEC)
			return true;
		break;
	case SYS_mremap:
	case SYS_shmat:
	case SYS_shmdt:
	case SYS_remap_file_pages:
		return true;
	case SYS_munmap:
	case SYS_madvise:
		break;
	default:
		return false;
	}
	for (size_t i = 0; i < process->n_ranges; i++)
		if (start < process->range[i].end &&
		    process->range[i].start < end)
			return true;
	return false;
}

void
step_call_exit(struct stepper *step, struct tracee *tracee)
{
	struct where where = { step, tracee };
	struct target target = step_target(&where);
	const struct syscall_target calls = target_of_calls(&target);
	struct syscall_call *call = &tracee->call;

	tracee->in_call = false;
	if (tracee->before_exec)
		return;
	if (tracee->process->from_exec && target_forbids(call)) {
		tracee->registers.rax = (unsigned long long int)-ENOSYS;
		ptrace(PTRACE_SETREGS, tracee->tid, NULL, &tracee->registers);
	}
	call->result = (int64_t)tracee->registers.rax;
	if (call->number == SYS_sched_setaffinity ||
	    call->number == SYS_sched_getaffinity)
		affinity(step, tracee);
	else if (call->number == SYS_rt_sigaction)
		trap_action(tracee);
	if (call->number == SYS_execve || call->number == SYS_execveat) {
		if (!call->result) {
			step_registers(tracee);
			step_mask_strip(tracee);
			return;
		}
	}
	if (call->number != SYS_rt_sigreturn)
		syscall_leave(call, &tracee->process->memory, &calls);
	step->failed |= target.failed;
	if (may_change_code(tracee->process, call))
		step->generation++;
	step_mask_strip(tracee);
}
