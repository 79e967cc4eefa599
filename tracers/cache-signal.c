// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Signals.  One that the program handles is delivered to it in its own state,
 * at the beginning of an instruction.  A fault in the cache is not delivered
 * at all: the instruction is run again where it stands and faults there, so
 * that all the kernel tells of it is right.
 */
#include "tracers/cache-engine.h"

#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <unistd.h>

bool
call_was_interrupted(const struct user_regs_struct *r)
{
	/* ERESTARTSYS ... ERESTART_RESTARTBLOCK */
	return (int64_t)r->orig_rax >= 0 && (int64_t)r->rax <= -512 &&
	       (int64_t)r->rax >= -516;
}

/* Calls that any interruption ends with EINTR, ours too, though no signal came
 * (signal(7)): nothing was done, so they can be made again */
static bool
ends_with_eintr(uint64_t number)
{
	static const uint16_t list[] = {
		SYS_epoll_wait,	  SYS_epoll_pwait,   SYS_epoll_pwait2,
		SYS_semop,	  SYS_semtimedop,    SYS_rt_sigtimedwait,
		SYS_io_getevents, SYS_io_pgetevents, SYS_io_uring_enter,
		SYS_read,	  SYS_readv,	     SYS_write,
		SYS_writev,	  SYS_recvfrom,	     SYS_recvmsg,
		SYS_recvmmsg,	  SYS_sendto,	     SYS_sendmsg,
		SYS_sendmmsg,	  SYS_accept,	     SYS_accept4,
	};

	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		if (list[i] == number)
			return true;
	return false;
}

void
call_undo_interruption(struct cache_thread *thread)
{
	struct user_regs_struct *r = &thread->registers;
	uint8_t code[2] = { 0 };
	uint64_t waiting;

	if ((int64_t)r->rax != -EINTR || (int64_t)r->orig_rax < 0 ||
	    !ends_with_eintr(r->orig_rax))
		return;
	waiting = target_signal_set(thread->tid, "SigPnd") |
		  target_signal_set(thread->tid, "ShdPnd");
	target_read(thread->tid, r->rip - sizeof(code), code, sizeof(code));
	if (waiting & ~target_signal_set(thread->tid, "SigBlk") ||
	    code[0] != 0x0f || code[1] != 0x05)
		return;
	r->rax = r->orig_rax;
	r->rip -= sizeof(code);
	r->orig_rax = (unsigned long long int)-1;
	remote_set(thread);
	wait_interrupted(thread);
}

static bool
is_fault(int number, const siginfo_t *info)
{
	return info->si_code > 0 && info->si_code != SI_KERNEL
		       ? number == SIGSEGV || number == SIGBUS ||
				 number == SIGFPE || number == SIGILL
		       : info->si_code == SI_KERNEL &&
				 (number == SIGSEGV || number == SIGBUS);
}

/* Would it end the process or make a core? */
static bool
is_fatal(pid_t tid, int number)
{
	uint64_t one = UINT64_C(1) << (number - 1);

	switch (number) {
	case SIGCHLD:
	case SIGURG:
	case SIGWINCH:
	case SIGCONT:
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return false;
	default:
		return !(target_signal_set(tid, "SigIgn") & one);
	}
}

static bool
is_caught(pid_t tid, int number)
{
	return target_signal_set(tid, "SigCgt") >> (number - 1) & 1;
}

/* The program blocks it, and only our need has let it through */
static bool
hold(struct cache_thread *thread, int number)
{
	uint64_t one = UINT64_C(1) << (number - 1);

	if (!(thread->blocked & one))
		return false;
	thread->waiting |= one;
	return true;
}

/* The program ignores it, and only our use of it made the kernel forget that */
static bool
ignore(const struct cache_thread *thread, int number, const siginfo_t *info)
{
	uint64_t one = UINT64_C(1) << (number - 1);

	return info->si_code <= 0 && thread->process->ignored & one;
}

/* In the cache */
static void
signalled_in_cache(struct cache_engine *engine, struct cache_thread *thread,
		   int number, const siginfo_t *info)
{
	bool fault = is_fault(number, info);

	thread->cursor = thread_cursor(thread);
	if (!fault && (ignore(thread, number, info) || hold(thread, number))) {
		thread_resume(thread, PTRACE_CONT);
		return;
	}
	if (!fault && !is_caught(thread->tid, number) &&
	    !is_fatal(thread->tid, number)) {
		thread->signal = number;
		thread_resume(thread, PTRACE_CONT);
		return;
	}
	if (thread_settle(engine, thread)) {
		engine->failed |= !thread->held;
		return;
	}
	if (fault) {
		thread_step(engine, thread);
		return;
	}
	/* Settling may have stepped, which has used up the signal's stop */
	ptrace(PTRACE_SETSIGINFO, thread->tid, NULL, info);
	thread->signal = number;
	thread_go(engine, thread);
}

void
thread_signalled(struct cache_engine *engine, struct cache_thread *thread,
		 int number)
{
	siginfo_t info = { 0 };

	engine->counts.signals++;
	ptrace(PTRACE_GETSIGINFO, thread->tid, NULL, &info);
	if (thread->mode == MODE_CACHE) {
		signalled_in_cache(engine, thread, number, &info);
		return;
	}
	if (thread->mode == MODE_STEP) {
		/* Has it run, and the signal came behind it? */
		if (thread->in_flight &&
		    thread->registers.rip != thread->flight.pc &&
		    !is_fault(number, &info))
			thread_stepped(engine, thread);
		thread->in_flight = false;
		if (!is_fault(number, &info) && info.si_code <= 0 &&
		    hold(thread, number)) {
			thread_go(engine, thread);
			return;
		}
	}
	/* Before the call that was stepped to */
	if (thread->mode == MODE_CALL)
		thread->in_flight = false;
	if (ignore(thread, number, &info)) {
		thread_go(engine, thread);
		return;
	}
	thread->signal = number;
	if (is_caught(thread->tid, number)) {
		thread_go(engine, thread);
		return;
	}
	if (is_fatal(thread->tid, number))
		records_flush(engine, thread);
	if (call_was_interrupted(&thread->registers) ||
	    is_fatal(thread->tid, number)) {
		thread_restore_mask(thread);
		thread->mode = MODE_NATIVE;
		thread_resume(thread, PTRACE_SYSCALL);
		return;
	}
	thread_go(engine, thread);
}

/* At the handler's first instruction */
void
thread_delivered(struct cache_engine *engine, struct cache_thread *thread)
{
	struct target target = target_of(engine, thread);
	struct event *event = records_event(engine, thread, EVENT_SIGNAL);

	event->value = thread->registers.rdi;
	event->address = thread->registers.rip;
	target_frame_written(&target, &thread->registers);
	records_event_put(engine);
	thread->registers.orig_rax = (unsigned long long int)-1;
	thread->mode = MODE_NATIVE;
	thread_go(engine, thread);
}
