// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a ptrace stop means, by the thread's mode.
 *
 * In the cache, SIGTRAP is an int3 of ours: an exit that is not linked yet, a
 * system call, or the miss of an indirect branch; SIGSEGV in a guard is a full
 * buffer.  Everything else is the program's.
 */
#include "tracers/cache-engine.h"

#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "analyzer/fail.h"
#include "tracers/cache-stub.h"

#define CALL_STOP (SIGTRAP | 0x80)

/* rip is behind the int3 of those who ask */
static bool
is_asking(const struct cache_thread *thread)
{
	uint64_t rip = thread->registers.rip;
	const struct cache_arena *arena =
		cache_code_arena(thread->process->shared->code, rip);

	return arena && rip - arena->address ==
				(uint64_t)(cache_stub_trap - cache_stub) + 1;
}

/* An exit that is not linked, or an indirect branch to a pc that has no checked
 * entry yet */
static void
asked(struct cache_engine *engine, struct cache_thread *thread)
{
	uint64_t pc = ask_wanted(thread);
	struct cache_block *block;

	ask_stopped(engine, thread);
	ask_wake(engine);
	if (ask_is_miss(thread)) {
		engine->counts.misses++;
		block = thread_must_leave(engine) ? NULL
						  : thread_block(thread, pc);
		if (block)
			link_indirect(thread->process->shared->code, block);
	} else {
		engine->counts.links++;
	}
	thread_on(engine, thread, pc);
}

/* true: it was one of ours */
static bool
trapped_in_cache(struct cache_engine *engine, struct cache_thread *thread)
{
	thread->cursor = thread_cursor(thread);
	if (call_asks(thread)) {
		thread_native(thread, call_pc(thread));
		call_begin(engine, thread);
		return true;
	}
	if (!is_asking(thread))
		return false;
	asked(engine, thread);
	return true;
}

/* A return whose stack can't be written: its address was read, so the program
 * itself has no fault here, and is where it returns to. */
static bool
returns_unstacked(struct cache_engine *engine, struct cache_thread *thread)
{
	struct user_regs_struct *r = &thread->registers;
	const struct cache_block *block =
		cache_code_at(thread->process->shared->code, r->rip);
	uint64_t pc = r->rax;

	if (!block || !block->return_at ||
	    r->rip != block->code + block->return_at)
		return false;
	thread->cursor = thread_cursor(thread);
	memcpy(&r->rax, thread->view + GS_RAX, sizeof(r->rax));
	memcpy(&r->rcx, thread->view + GS_RCX, sizeof(r->rcx));
	thread_on(engine, thread, pc);
	return true;
}

static bool
fault_of_ours(struct cache_engine *engine, struct cache_thread *thread,
	      int number)
{
	siginfo_t info = { 0 };
	bool in_guard;

	ptrace(PTRACE_GETSIGINFO, thread->tid, NULL, &info);
	if (info.si_code <= 0)
		return false;
	if (thread->mode == MODE_CACHE && call_string_fault(thread)) {
		remote_set(thread);
		thread_resume(thread, PTRACE_CONT);
		return true;
	}
	if (number != SIGSEGV)
		return false;
	in_guard = thread->mode == MODE_CACHE &&
		   records_in_guard(thread, (uint64_t)(uintptr_t)info.si_addr);
	/* It reads /proc/PID/maps: not for each full buffer */
	if (!in_guard &&
	    protect_fault(thread, (uint64_t)(uintptr_t)info.si_addr)) {
		if (thread->mode == MODE_CACHE)
			thread_resume(thread, PTRACE_CONT);
		else
			thread_go(engine, thread);
		return true;
	}
	if (!in_guard)
		return thread->mode == MODE_CACHE &&
		       returns_unstacked(engine, thread);
	engine->counts.guards++;
	thread->cursor = thread->registers.r11;
	/* In front of the store, and of the body it is for */
	if (engine->parking || !records_await_room(engine, thread)) {
		thread_park(engine, thread);
		return true;
	}
	records_next(engine, thread);
	thread->registers.r11 = thread->cursor;
	remote_set(thread);
	thread_resume(thread, PTRACE_CONT);
	return true;
}

static bool
is_group_stop(int number)
{
	return number == SIGSTOP || number == SIGTSTP || number == SIGTTIN ||
	       number == SIGTTOU;
}

/* On as it was, whatever it was doing */
static void
continue_as_it_was(struct cache_engine *engine, struct cache_thread *thread)
{
	switch ((enum cache_mode)thread->mode) {
	case MODE_CACHE:
	case MODE_GONE:
		thread_resume(thread, PTRACE_CONT);
		break;
	case MODE_LAUNCH: /* its exec is looked at */
	case MODE_CALL:
		/* An interrupt came before its entry, or ended it */
		thread_resume(thread, PTRACE_SYSCALL);
		break;
	default:
		thread->in_flight = false;
		thread_go(engine, thread);
		break;
	}
}

/*
 * All threads have come to their first stop.  Those that go into the cache get
 * their buffers while none runs: each call waits for the thread to be scheduled
 * (64 busy threads on two processors: 2.5 s if they run, 0.1 s if not).
 */
static void
go_on_joined(struct cache_engine *engine)
{
	for (struct cache_thread *t = engine->threads; t; t = t->next)
		if (t->ready && t->mode == MODE_NATIVE && !t->held &&
		    !call_was_interrupted(&t->registers) &&
		    family_prepare(engine, t))
			t->ready = false;
	for (struct cache_thread *t = engine->threads; t; t = t->next)
		if (t->ready) {
			t->ready = false;
			continue_as_it_was(engine, t);
		}
	engine->counts.attach_ns = cache_now_ns() - engine->attached_ns;
}

void
thread_joined(struct cache_engine *engine, struct cache_thread *thread)
{
	if (!thread->joining)
		return;
	thread->joining = false;
	if (!--engine->joining && !engine->parking)
		go_on_joined(engine);
}

/* The entry stop of the call was not seen if it began natively */
static void
forked(struct cache_engine *engine, struct cache_thread *thread, int event)
{
	if (!thread->in_call)
		call_note(thread);
	family_forked(engine, thread, event);
	if (!thread->in_call && engine->window.away) {
		thread_resume(thread, PTRACE_CONT);
		return;
	}
	thread->in_call = true;
	thread->mode = MODE_CALL;
	thread_resume(thread, PTRACE_SYSCALL);
}

/* The others left the cache without it */
static bool
comes_late(const struct cache_engine *engine, const struct cache_thread *thread)
{
	return engine->window.away &&
	       (thread->mode == MODE_CACHE ||
		(thread->mode == MODE_CALL && !thread->in_call));
}

static void
leave_late(struct cache_engine *engine, struct cache_thread *thread)
{
	thread_park(engine, thread);
	if (!thread->parked)
		return;
	thread->parked = false;
	thread_go(engine, thread);
}

static void
event_stopped(struct cache_engine *engine, struct cache_thread *thread,
	      int event, int number)
{
	switch (event) {
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		forked(engine, thread, event);
		return;
	case PTRACE_EVENT_EXEC:
		family_execed(engine, thread);
		return;
	case PTRACE_EVENT_EXIT:
		if (thread->mode == MODE_CACHE)
			thread->cursor = thread_cursor(thread);
		records_flush(engine, thread);
		thread->mode = MODE_GONE;
		counts_tell_end(engine, thread);
		thread_resume(thread, PTRACE_CONT);
		return;
	default:
		if (is_group_stop(number) && !engine->parking) {
			if (thread->mode == MODE_CACHE &&
			    thread_must_wait(thread))
				thread_settle(engine, thread);
			thread->quiet = true;
			ptrace(PTRACE_LISTEN, thread->tid, NULL, NULL);
			return;
		}
		/* The step was made, and its own stop still comes */
		if (thread->mode == MODE_STEP && thread_raised(thread)) {
			thread_resume(thread, PTRACE_CONT);
			return;
		}
		if (thread->mode != MODE_CACHE && thread->mode != MODE_LAUNCH)
			call_undo_interruption(thread);
		if (engine->parking && thread->mode == MODE_CACHE)
			thread->ready = true;
		else if (thread_must_park(engine) ||
			 (thread->mode == MODE_CACHE &&
			  thread_must_wait(thread)))
			thread_park(engine, thread);
		else if (thread->joining)
			thread->ready = true;
		else if (comes_late(engine, thread))
			leave_late(engine, thread);
		else
			continue_as_it_was(engine, thread);
	}
}

static void
call_stopped(struct cache_engine *engine, struct cache_thread *thread)
{
	if (thread->in_call) {
		call_left(engine, thread);
		return;
	}
	/* The stop that was asked for may be over with this one, or still come
	 * and end the call */
	thread->interrupted = false;
	if (engine->parking)
		ptrace(PTRACE_INTERRUPT, thread->tid, NULL, NULL);
	call_entered(engine, thread);
}

static void
trapped(struct cache_engine *engine, struct cache_thread *thread)
{
	siginfo_t info = { 0 };

	if (thread->mode == MODE_CACHE && trapped_in_cache(engine, thread))
		return;
	if (thread->mode == MODE_HANDLER) {
		thread_delivered(engine, thread);
		return;
	}
	ptrace(PTRACE_GETSIGINFO, thread->tid, NULL, &info);
	if (thread->mode == MODE_STEP && info.si_code == TRAP_TRACE) {
		thread_stepped(engine, thread);
		if (thread->trap_own)
			thread_signalled(engine, thread, SIGTRAP);
		else
			thread_go(engine, thread);
		return;
	}
	thread_signalled(engine, thread, SIGTRAP);
}

void
thread_stopped(struct cache_engine *engine, struct cache_thread *thread,
	       int status)
{
	int number = WSTOPSIG(status), event = status >> 16;

	engine->counts.stops++;
	thread->stopped = true;
	thread->quiet = thread->ready = false;
	if (number != CALL_STOP)
		thread->interrupted = false;
	if (remote_get(thread))
		return;
	if (number != CALL_STOP || thread->in_call)
		wait_ended(thread);
	if (event)
		event_stopped(engine, thread, event, number);
	else if (number == CALL_STOP)
		call_stopped(engine, thread);
	else if (thread->mode == MODE_LAUNCH || thread->mode == MODE_GONE) {
		thread->signal = number;
		thread_resume(thread, thread->mode == MODE_LAUNCH
					      ? PTRACE_SYSCALL
					      : PTRACE_CONT);
	} else if (number == SIGTRAP) {
		trapped(engine, thread);
	} else if ((number == SIGSEGV || number == SIGBUS) &&
		   fault_of_ours(engine, thread, number)) {
		/* done */
	} else {
		thread_signalled(engine, thread, number);
	}
}
