// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A call in a stopped thread: its registers point to a system call
 * instruction, two system-call stops pass, its registers are put back.  All
 * signals are blocked meanwhile, so that none is delivered in between; a
 * SIGSTOP, which cannot be, is sent again.
 */
#include "tracers/cache-engine.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CALL_STOP (SIGTRAP | 0x80)
#define YIELDS	  64u	/* looks for a leader's news, without a pause */
#define PAUSE_NS  50000 /* between two of those that follow */

int
remote_get(struct cache_thread *thread)
{
	return ptrace(PTRACE_GETREGS, thread->tid, NULL, &thread->registers)
		       ? -errno
		       : 0;
}

int
remote_set(struct cache_thread *thread)
{
	return ptrace(PTRACE_SETREGS, thread->tid, NULL, &thread->registers)
		       ? -errno
		       : 0;
}

/* Is it the first thread of a process that has others? */
static bool
is_leader(const struct cache_thread *thread)
{
	if (!thread->process || thread->tid != thread->process->pid)
		return false;
	for (const struct cache_thread *t = thread->engine->threads; t;
	     t = t->next)
		if (t != thread &&
		    (!t->process || t->process == thread->process))
			return true;
	return false;
}

/*
 * When a process is killed its first thread may end without a stop, and is not
 * reported before all others have ended (kernel/exit.c, delay_group_leader), who
 * wait for us meanwhile: so no news of it is waited for for ever.
 */
static pid_t
wait_for_leader(const struct cache_thread *thread, int *status)
{
	const struct timespec pause = { 0, PAUSE_NS };
	char state[16];
	pid_t tid;

	for (unsigned n = 1;; n++) {
		tid = waitpid(thread->tid, status, __WALL | WNOHANG);
		if (tid)
			return tid;
		if (n < YIELDS) {
			sched_yield();
			continue;
		}
		nanosleep(&pause, NULL);
		if (n % YIELDS)
			continue;
		state[0] = 'X';
		target_status(thread->tid, "State", state, sizeof(state));
		if (state[0] == 'Z' || state[0] == 'X') {
			errno = ESRCH;
			return -1;
		}
	}
}

int
remote_wait(struct cache_thread *thread, int *status)
{
	bool leader = is_leader(thread);
	pid_t tid;

	do
		tid = leader ? wait_for_leader(thread, status)
			     : waitpid(thread->tid, status, __WALL);
	while (tid < 0 && errno == EINTR);
	if (tid < 0 && leader)
		thread->stopped = false;
	if (tid < 0)
		return -ESRCH;
	/* It is ending.  Others of its process may have to be resumed before
	 * it can: the main loop is to hear of it. */
	if (!WIFSTOPPED(*status) || *status >> 16 == PTRACE_EVENT_EXIT) {
		thread->held = true;
		thread->status = *status;
		return -ESRCH;
	}
	return 0;
}

bool
remote_minds_stop(struct cache_thread *thread, int status)
{
	int number = WSTOPSIG(status);

	if (number != SIGSTOP && number != SIGTSTP && number != SIGTTIN &&
	    number != SIGTTOU)
		return false;
	thread->stop_wanted = true;
	return true;
}

/* To the next stop at a system call */
static int
to_call_stop(struct cache_thread *thread)
{
	int status, error;

	for (;;) {
		if (ptrace(PTRACE_SYSCALL, thread->tid, NULL, NULL))
			return -errno;
		error = remote_wait(thread, &status);
		if (error)
			return error;
		if (WSTOPSIG(status) == CALL_STOP)
			return 0;
		/* All other signals are blocked */
		if (!remote_minds_stop(thread, status) && !(status >> 16))
			return -EFAULT;
	}
}

void
remote_stop_again(struct cache_thread *thread)
{
	if (!thread->stop_wanted)
		return;
	thread->stop_wanted = false;
	syscall(SYS_tgkill, thread->process->pid, thread->tid, SIGSTOP);
}

static unsigned long int
number_in_status(pid_t tid, const char *key)
{
	char text[32] = "";

	return target_status(tid, key, text, sizeof(text))
		       ? strtoul(text, NULL, 10)
		       : 0;
}

unsigned long int
remote_filters(pid_t tid)
{
	unsigned long int n = number_in_status(tid, "Seccomp_filters");

	return n ? n : number_in_status(tid, "Seccomp");
}

void
remote_filters_changed(struct cache_thread *thread)
{
	for (struct cache_thread *t = thread->engine->threads; t; t = t->next)
		if (t->process == thread->process)
			t->filtered_known = false;
}

/*
 * A call that seccomp does not like may end the program.  Filters that are ours
 * too (a container's) let us make ours; others, and the strict mode, can only be
 * suspended, and only by the privileged.
 */
static int
suspend_filters(struct cache_thread *thread)
{
	const struct cache_engine *engine = thread->engine;

	if (!thread->filtered_known) {
		thread->filtered =
			remote_filters(thread->tid) > engine->own_filters;
		thread->filtered_known = true;
	}
	if (!thread->filtered)
		return 0;
	return ptrace(PTRACE_SETOPTIONS, thread->tid, NULL,
		      engine->options | PTRACE_O_SUSPEND_SECCOMP)
		       ? -EACCES
		       : 0;
}

static int
make_call(struct cache_thread *thread, uint64_t gadget, long int number,
	  const uint64_t argument[6], int64_t *result)
{
	struct user_regs_struct registers, old;
	uint64_t mask = 0, all = ~UINT64_C(0);
	int error;

	if (ptrace(PTRACE_GETREGS, thread->tid, NULL, &old) ||
	    ptrace(PTRACE_GETSIGMASK, thread->tid, sizeof(mask), &mask) ||
	    ptrace(PTRACE_SETSIGMASK, thread->tid, sizeof(all), &all))
		return -errno;
	registers = old;
	registers.rip = gadget;
	registers.orig_rax = (unsigned long long int)-1;
	registers.rax = (unsigned long long int)number;
	registers.rdi = argument[0];
	registers.rsi = argument[1];
	registers.rdx = argument[2];
	registers.r10 = argument[3];
	registers.r8 = argument[4];
	registers.r9 = argument[5];
	if (ptrace(PTRACE_SETREGS, thread->tid, NULL, &registers))
		return -errno;
	thread->called = true;
	error = to_call_stop(thread);
	if (!error)
		error = to_call_stop(thread);
	if (error)
		return error;
	remote_stop_again(thread);
	if (ptrace(PTRACE_GETREGS, thread->tid, NULL, &registers))
		return -errno;
	*result = (int64_t)registers.rax;
	if (ptrace(PTRACE_SETREGS, thread->tid, NULL, &old) ||
	    ptrace(PTRACE_SETSIGMASK, thread->tid, sizeof(mask), &mask))
		return -errno;
	return 0;
}

int
remote_call(struct cache_thread *thread, uint64_t gadget, long int number,
	    const uint64_t argument[6], int64_t *result)
{
	int error = suspend_filters(thread);

	if (error)
		return error;
	error = make_call(thread, gadget, number, argument, result);
	if (thread->filtered)
		ptrace(PTRACE_SETOPTIONS, thread->tid, NULL,
		       thread->engine->options);
	return error;
}

/* The kernel would not make an interrupted call again after calls of ours */
static void
restart_by_hand(struct cache_thread *thread)
{
	struct user_regs_struct *r = &thread->registers;

	if (!call_was_interrupted(r))
		return;
	r->rax = (int64_t)r->rax == -516 ? SYS_restart_syscall : r->orig_rax;
	r->rip -= 2;
	r->orig_rax = (unsigned long long int)-1;
	remote_set(thread);
}

void
remote_prepare(struct cache_thread *thread)
{
	/* Else the signal says whether it is made again */
	if (!thread->signal)
		restart_by_hand(thread);
	else
		ptrace(PTRACE_GETSIGINFO, thread->tid, NULL, &thread->info);
}

/*
 * A signal is delivered with what is told of it only out of a stop for a
 * signal, and the one it came with is over when a call was made since.  A
 * SIGSTOP gives another one, before any instruction; others wait meanwhile.
 */
void
remote_finish(struct cache_thread *thread)
{
	uint64_t mask, all = ~UINT64_C(0);
	int status;

	if (!thread->signal || !thread->called)
		return;
	thread->called = false;
	if (ptrace(PTRACE_GETSIGMASK, thread->tid, sizeof(mask), &mask) ||
	    ptrace(PTRACE_SETSIGMASK, thread->tid, sizeof(all), &all))
		return;
	syscall(SYS_tgkill, thread->process->pid, thread->tid, SIGSTOP);
	do
		if (ptrace(PTRACE_CONT, thread->tid, NULL, NULL) ||
		    remote_wait(thread, &status))
			return;
	while (status >> 16 || WSTOPSIG(status) != SIGSTOP);
	ptrace(PTRACE_SETSIGMASK, thread->tid, sizeof(mask), &mask);
	ptrace(PTRACE_SETSIGINFO, thread->tid, NULL, &thread->info);
}

/* The vdso has one */
static int
vdso_line(void *context, const struct mapping_line *line)
{
	uint64_t *range = context;

	if (strcmp(line->path, "[vdso]"))
		return 0;
	range[0] = line->start;
	range[1] = line->end;
	return 1;
}

int
remote_gadget(struct cache_thread *thread, uint64_t *gadget)
{
	uint64_t range[2] = { 0, 0 };
	uint8_t bytes[256];

	maps_each(thread->tid, vdso_line, range);
	while (range[0] < range[1]) {
		size_t n = target_read(thread->tid, range[0], bytes,
				       sizeof(bytes));
		const uint8_t *at = memmem(bytes, n, "\x0f\x05", 2);

		if (at) {
			*gadget = range[0] + (uint64_t)(at - bytes);
			return 0;
		}
		if (n < 2)
			break;
		range[0] += n - 1;
	}
	return -ENOENT;
}
