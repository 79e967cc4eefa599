// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guardian: the process that traces.  What ends the recorder must not end
 * the targets, whose translated code cannot go on without a tracer; so the
 * tracing thread is a process of its own, in a session of its own, that no
 * terminal and no kill of the recorder's group reaches.  All memory stays
 * shared (CLONE_VM): translation, queue and records are used as by a thread.
 *
 *	recorder                          guardian
 *	 thread T: clone, sleeps (vfork)   runs on T's stack, with T's locals
 *	 main thread: expands         <-   trace_run
 *	 killed                       ->   SIGALRM: lets all go, ends
 *
 * A recorder that is killed may hold any lock: then (`orphaned`) the guardian
 * takes none, allocates by mmap and frees nothing.  When the guardian itself is
 * killed the kernel kills the targets (PTRACE_O_EXITKILL): none runs on wrongly;
 * and the recorder ends.
 */
#include "tracers/cache-engine.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/fail.h"

#define GUARD_NICE (-10)
#define TICK_US	   5000		   /* how long a lost wake-up can last */
#define CLOSE_S	   10		   /* waiting for the guardian's end */
#define NAME	   "pgscope-guard" /* not what pkill pagescope ends */

void
guard_tick(void)
{
	const struct itimerval often = { { 0, TICK_US }, { 0, TICK_US } };

	setitimer(ITIMER_REAL, &often, NULL);
}

/* A signal just before waitpid would be lost: from the first one on they come
 * again and again */
static void
on_alarm(int number)
{
	(void)number;
	guard_tick();
}

bool
guard_orphaned(struct cache_engine *engine)
{
	if (!engine->orphaned && getppid() != engine->recorder)
		engine->orphaned = true;
	return engine->orphaned;
}

void *
guard_allocate(const struct cache_engine *engine, size_t bytes)
{
	void *room;

	if (!engine->orphaned)
		return calloc(1, bytes);
	room = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return room == MAP_FAILED ? NULL : room;
}

void
guard_free(const struct cache_engine *engine, void *room)
{
	if (!engine->orphaned)
		free(room);
}

/* It keeps nobody's pipe or file open but what it says errors to.  Not by
 * close(), which sanitizers would take for the recorder's. */
static void
drop_descriptors(void)
{
	int nothing = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDWR);

	if (nothing < 0)
		return;
	syscall(SYS_dup3, nothing, STDIN_FILENO, 0);
	syscall(SYS_dup3, nothing, STDOUT_FILENO, 0);
	syscall(SYS_close_range, 3u, ~0u, 0u);
}

static __attribute__((noinline, noreturn)) void
guardian(struct cache_engine *engine)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	sigset_t mask;

	engine->guardian = getpid();
	setsid();
	prctl(PR_SET_NAME, NAME);
	sigaction(SIGALRM, &action, NULL);
	sigfillset(&mask);
	sigdelset(&mask, SIGALRM);
	sigprocmask(SIG_SETMASK, &mask, NULL);
	prctl(PR_SET_PDEATHSIG, SIGALRM);
	drop_descriptors();
	/* Targets wait for it at each stop; only root may */
	setpriority(PRIO_PROCESS, 0, GUARD_NICE);
	trace_run(engine);
	_exit(0);
}

/* vfork, which sanitizers would make a fork of */
static ALWAYS_INLINE long int
clone_here(void)
{
	register long int fourth __asm__("r10") = 0;
	register long int fifth __asm__("r8") = 0;
	long int result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "0"(SYS_clone),
			   "D"(CLONE_VM | CLONE_VFORK | SIGCHLD), "S"(0),
			   "d"(0), "r"(fourth), "r"(fifth)
			 : "rcx", "r11", "memory");
	return result;
}

/*
 * The two are one program: memory that a killed process was changing, maybe
 * with locks that are free nevermore, is of no use.  So the recorder ends as if
 * one of its threads had been killed.
 */
static void
guardian_ended(struct cache_engine *engine, int status)
{
	static const char killed[] =
		"pagescope: cache: the process that traces was killed, and what it traced with it\n";

	/* 0 is its own end; another status a sanitizer's */
	if (status) {
		syscall(SYS_write, STDERR_FILENO, killed, sizeof(killed) - 1);
		kill(getpid(), SIGKILL);
	}
	pthread_mutex_lock(&engine->lock);
	engine->guardian = 0;
	if (!engine->attached) {
		engine->attached = true;
		engine->attach_error = -EIO;
	}
	pthread_cond_signal(&engine->changed);
	pthread_mutex_unlock(&engine->lock);
}

static void *
guard_run(void *argument)
{
	struct cache_engine *engine = argument;
	long int pid = clone_here();
	int status = 0;

	if (!pid)
		guardian(engine);
	if (pid < 0)
		fail_errno((int)-pid, "cache: cannot start a process");
	while (pid > 0 && waitpid((pid_t)pid, &status, __WALL) < 0 &&
	       errno == EINTR)
		;
	guardian_ended(engine, status);
	return NULL;
}

int
guard_start(struct cache_engine *engine)
{
	sigset_t all, old;
	int error;

	engine->recorder = getpid();
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	error = pthread_create(&engine->tracing, NULL, guard_run, engine);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (error)
		return fail_errno(error, "cache: cannot start a thread");
	engine->started = true;
	return 0;
}

void
guard_wake(struct cache_engine *engine)
{
	pthread_mutex_lock(&engine->lock);
	if (engine->guardian)
		kill(engine->guardian, SIGALRM);
	pthread_mutex_unlock(&engine->lock);
}

bool
guard_join(struct cache_engine *engine)
{
	struct timespec until;

	guard_wake(engine);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += CLOSE_S;
	if (!pthread_timedjoin_np(engine->tracing, NULL, &until))
		return true;
	/* It goes on alone, and uses nothing of ours any more */
	engine->orphaned = true;
	warn("cache: a process cannot be let go yet; process %d will do it",
	     (int)engine->guardian);
	return false;
}
