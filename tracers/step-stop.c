// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a ptrace stop means.
 *
 * SIGTRAP needs care: each step raises one, and the kernel *unblocks* it and
 * resets its handler when the program blocks or ignores it.  So while user
 * code is stepped it is never blocked: the program's own wish is put back
 * before each system call (which may read or change the mask) and before a
 * handler is entered (whose frame keeps the mask), and taken away after.  A
 * SIGTRAP that others send meanwhile is held and raised again when the mask
 * is back.
 */
#include "analyzer/base.h"

#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "tracers/about.h"
#include "tracers/initial.h"
#include "tracers/step.h"

#define TRAP_BIT    (UINT64_C(1) << (SIGTRAP - 1))
#define TRAP_FLAG   0x100u /* in rflags */
#define CODE_32_BIT 0x23   /* code segment of 32-bit programs */

static int
get_mask(const struct tracee *tracee, uint64_t *mask)
{
	return ptrace(PTRACE_GETSIGMASK, tracee->tid, sizeof(*mask), mask)
		       ? -errno
		       : 0;
}

void
step_mask_strip(struct tracee *tracee)
{
	uint64_t mask;

	if (get_mask(tracee, &mask))
		return;
	tracee->trap_blocked = mask & TRAP_BIT;
	if (tracee->trap_blocked) {
		mask &= ~TRAP_BIT;
		ptrace(PTRACE_SETSIGMASK, tracee->tid, sizeof(mask), &mask);
	} else if (tracee->trap_held) {
		tracee->trap_held = false;
		syscall(SYS_tgkill, tracee->process->pid, tracee->tid, SIGTRAP);
	}
}

void
step_mask_restore(struct tracee *tracee)
{
	uint64_t mask;

	if (!tracee->trap_blocked || get_mask(tracee, &mask))
		return;
	mask |= TRAP_BIT;
	ptrace(PTRACE_SETSIGMASK, tracee->tid, sizeof(mask), &mask);
	if (tracee->trap_held) {
		tracee->trap_held = false;
		syscall(SYS_tgkill, tracee->process->pid, tracee->tid, SIGTRAP);
	}
}

/* The handler's first instruction is next */
static void
handler_entered(struct stepper *step, struct tracee *tracee)
{
	const struct user_regs_struct *r = &tracee->registers;
	struct where where = { step, tracee };
	struct target target = step_target(&where);
	struct event *event;

	tracee->delivering = false;
	event = step_event(step, tracee, EVENT_SIGNAL);
	event->value = r->rdi;
	event->address = r->rip;
	target_frame_written(&target, r);
	step_mask_strip(tracee);
}

/* Someone sent SIGTRAP; or the program raised it by int3 */
static void
own_trap(struct tracee *tracee, bool sent)
{
	if (sent && tracee->trap_blocked) {
		tracee->trap_held = true;
		return;
	}
	if (sent && tracee->process->trap_ignored)
		return;
	tracee->signal = SIGTRAP;
	tracee->caught = target_signal_set(tracee->tid, "SigCgt") & TRAP_BIT;
}

/* pushf saves the trap flag that stepping sets: the program must not see it */
static void
hide_trap_flag(const struct tracee *tracee)
{
	uint64_t at = tracee->registers.rsp;
	unsigned long int word;

	errno = 0;
	word = (unsigned long int)ptrace(PTRACE_PEEKDATA, tracee->tid, at, 0);
	if (!errno && word & TRAP_FLAG)
		ptrace(PTRACE_POKEDATA, tracee->tid, at,
		       word & ~(unsigned long int)TRAP_FLAG);
}

static void
trapped(struct stepper *step, struct tracee *tracee)
{
	const struct instruction *instruction = tracee->flight;
	siginfo_t info = { 0 };
	bool own = instruction && instruction->class == INSTRUCTION_TRAP;

	if (tracee->delivering) {
		handler_entered(step, tracee);
		return;
	}
	/* Only then can it be anything but the step's own */
	if (!instruction || tracee->registers.rip == instruction->pc) {
		ptrace(PTRACE_GETSIGINFO, tracee->tid, NULL, &info);
		if (info.si_code <= 0) {
			tracee->flight = NULL;
			own_trap(tracee, true);
			return;
		}
	}
	if (instruction && instruction->class == INSTRUCTION_PUSH_FLAGS &&
	    !tracee->trap_own)
		hide_trap_flag(tracee);
	step_executed(step, tracee);
	if (own || tracee->trap_own)
		own_trap(tracee, false);
}

static bool
call_was_interrupted(const struct user_regs_struct *r)
{
	/* ERESTARTSYS ... ERESTART_RESTARTBLOCK */
	return (int64_t)r->orig_rax >= 0 && (int64_t)r->rax <= -512 &&
	       (int64_t)r->rax >= -516;
}

static void
signalled(struct stepper *step, struct tracee *tracee, int number)
{
	/* A fault, or one that came before the instruction ran */
	if (tracee->flight && tracee->registers.rip == tracee->flight->pc)
		tracee->flight = NULL;
	step_executed(step, tracee);
	step_block_close(step);
	tracee->restarts = call_was_interrupted(&tracee->registers);
	tracee->delivering = false;
	tracee->signal = number;
	tracee->caught =
		target_signal_set(tracee->tid, "SigCgt") >> (number - 1) & 1;
	if (tracee->caught)
		step_mask_restore(tracee);
}

static struct process *
process_fork(struct stepper *step, struct tracee *parent, pid_t pid,
	     bool shares)
{
	struct tracee *child = step_tracee_add(step, pid, pid);
	struct process *process;

	if (!child)
		return NULL;
	process = child->process;
	if (shares) {
		step->failed |=
			roster_share(step->setup.roster, parent->process->pid,
				     pid, &process->space) < 0;
	} else {
		step->failed |=
			roster_fork(step->setup.roster, parent->process->pid,
				    pid, &process->space) < 0;
		step_event(step, parent, EVENT_FORK)->value = process->space;
	}
	process->image = parent->process->image;
	process->memory = parent->process->memory;
	process->from_exec = parent->process->from_exec;
	process->trap_ignored = parent->process->trap_ignored;
	child->cores = parent->cores;
	return process;
}

#define CLONE_VM_FLAG	  0x100u
#define CLONE_THREAD_FLAG 0x10000u

static uint64_t
clone_flags(const struct tracee *tracee, int event)
{
	uint64_t flags = 0;

	if (tracee->call.number == SYS_clone)
		return tracee->call.argument[0];
	if (tracee->call.number == SYS_clone3) {
		target_read(tracee->tid, tracee->call.argument[0], &flags,
			    sizeof(flags));
		return flags;
	}
	return event == PTRACE_EVENT_VFORK ? CLONE_VM_FLAG : 0;
}

static void
forked(struct stepper *step, struct tracee *tracee, int event)
{
	uint64_t flags = clone_flags(tracee, event);
	unsigned long int new = 0;
	struct tracee *child;

	if (ptrace(PTRACE_GETEVENTMSG, tracee->tid, NULL, &new))
		return;
	if (flags & CLONE_THREAD_FLAG) {
		child = step_tracee_add(step, tracee->process->pid,
					(pid_t) new);
		if (!child)
			return;
		child->cores = tracee->cores;
	} else if (!process_fork(step, tracee, (pid_t) new,
				 flags & CLONE_VM_FLAG)) {
		return;
	}
	child = step_tracee(step, (pid_t) new);
	step_event(step, tracee, EVENT_THREAD)->value = child->thread;
	/* Its first stop may have come before this one */
	if (child->state == TRACEE_HELD)
		return;
	child->state = TRACEE_RUNNING;
}

static void
initial_maps(struct stepper *step, struct tracee *tracee, bool execed)
{
	struct where where = { step, tracee };
	struct target target = step_target(&where);

	target_initial_maps(&target);
	initial_pages(&target, execed);
	step->failed |= target.failed;
}

static void
let_go_of_32_bit(struct stepper *step, struct tracee *tracee)
{
	pid_t pid = tracee->process->pid;

	warn("step: process %d has exec'd a 32-bit program: it goes on unrecorded",
	     (int)pid);
	about_loss(step->setup.stream, "a 32-bit program was exec'd");
	if (pid == step->root)
		step->root_untraced = true;
	ptrace(PTRACE_DETACH, tracee->tid, NULL, NULL);
	step_tracee_remove(step, tracee);
}

/* All threads of the process but the caller are gone; it has the leader's id
 * now */
static struct tracee *
only_thread(struct stepper *step, struct tracee *tracee)
{
	struct process *process = tracee->process;
	struct tracee *next;

	for (struct tracee *t = step->tracees; t; t = next) {
		next = t->next;
		if (t == tracee || t->process != process)
			continue;
		step_event(step, t, EVENT_EXIT);
		step_tracee_remove(step, t);
	}
	return tracee;
}

static void
execed(struct stepper *step, struct tracee *tracee)
{
	struct process *process;
	struct event *event;
	char path[64], program[4096];
	ssize_t n;

	step_block_close(step);
	tracee = only_thread(step, tracee);
	process = tracee->process;
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)process->pid);
	n = readlink(path, program, sizeof(program) - 1);
	program[n < 0 ? 0 : n] = '\0';
	event = step_event(step, tracee, EVENT_EXEC);
	if (roster_exec(step->setup.roster, process->pid, &process->space))
		step->failed = true;
	event->value = process->space;
	if (files_number(step->files, program, 0, &event->file))
		step->failed = true;
	process->image =
		stream_space(step->setup.stream, process->space)->image;
	process->memory = (struct syscall_memory){ 0 };
	process->trap_ignored =
		target_signal_set(tracee->tid, "SigIgn") & TRAP_BIT;
	process->from_exec = true;
	step->generation++;
	step->full = true;
	tracee->before_exec = false;
	tracee->in_call = true;
	if (step_registers(tracee))
		return;
	if (tracee->registers.cs == CODE_32_BIT) {
		let_go_of_32_bit(step, tracee);
		return;
	}
	initial_maps(step, tracee, true);
	step_counts(step, tracee, COUNTER_START);
}

static bool
is_group_stop(int number)
{
	return number == SIGSTOP || number == SIGTSTP || number == SIGTTIN ||
	       number == SIGTTOU;
}

static void
event_stop(struct stepper *step, struct tracee *tracee, int number)
{
	if (tracee->flight && tracee->registers.rip == tracee->flight->pc)
		tracee->flight = NULL;
	step_executed(step, tracee);
	if (is_group_stop(number)) {
		tracee->state = TRACEE_QUIET;
		ptrace(PTRACE_LISTEN, tracee->tid, NULL, NULL);
		return;
	}
	if (step->maps_wanted && tracee->tid == step->root) {
		step->maps_wanted = false;
		initial_maps(step, tracee, false);
		step_counts(step, tracee, COUNTER_START);
	}
	if (!tracee->in_call && !tracee->before_exec)
		step_mask_strip(tracee);
	tracee->restarts = call_was_interrupted(&tracee->registers);
}

static void
event_stopped(struct stepper *step, struct tracee *tracee, int event,
	      int number)
{
	switch (event) {
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		forked(step, tracee, event);
		break;
	case PTRACE_EVENT_EXEC:
		execed(step, tracee);
		break;
	case PTRACE_EVENT_STOP:
		event_stop(step, tracee, number);
		break;
	case PTRACE_EVENT_EXIT:
		step_counts_end(step, tracee);
		break;
	default:
		break;
	}
}

void
step_stopped(struct stepper *step, struct tracee *tracee, int status)
{
	int number = WSTOPSIG(status), event = status >> 16;

	tracee->state = TRACEE_READY;
	if (step_registers(tracee))
		return;
	if (event) {
		event_stopped(step, tracee, event, number);
	} else if (number == (SIGTRAP | 0x80)) {
		if (tracee->in_call)
			step_call_exit(step, tracee);
		else
			step_call_entry(step, tracee);
	} else if (number == SIGTRAP && !tracee->before_exec) {
		trapped(step, tracee);
	} else {
		signalled(step, tracee, number);
	}
}

void
step_stopped_aside(struct stepper *step, struct tracee *tracee, int status)
{
	int number = WSTOPSIG(status);

	(void)step;
	if (status >> 16 == PTRACE_EVENT_STOP && is_group_stop(number)) {
		tracee->state = TRACEE_QUIET;
		ptrace(PTRACE_LISTEN, tracee->tid, NULL, NULL);
		return;
	}
	tracee->state = TRACEE_HELD;
	tracee->status = status;
}

void
step_ended(struct stepper *step, struct tracee *tracee, int status)
{
	struct event *event;

	if (tracee == step->active)
		step_block_close(step);
	event = step_event(step, tracee, EVENT_EXIT);
	event->value = (uint32_t)status;
	event->flags = tracee->process->threads == 1;
	if (tracee->tid == step->root) {
		step->root_ended = true;
		step->root_status = status;
	}
	step_tracee_remove(step, tracee);
}
