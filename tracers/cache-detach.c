// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Letting go.  Each thread is stopped and brought into the program's own state
 * ("parked"); when none is left in the cache the shared memory is unmapped, by
 * a call in one of them, and all run on as if we had never been there.
 *
 * A stop that we asked for may overtake a signal that the cache itself has
 * raised (an int3, a guard): that one would kill the program later, so it is
 * taken first.
 */
#include "tracers/cache-engine.h"

#include <errno.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "analyzer/fail.h"

#define LET_GO_NS  UINT64_C(5000000000)
#define HOLD_NS	   UINT64_C(15000000)
#define QUEUED_MAX 16

bool
thread_raised(const struct cache_thread *thread)
{
	struct __ptrace_peeksiginfo_args where = { .nr = QUEUED_MAX };
	siginfo_t info[QUEUED_MAX];
	long int n = ptrace(PTRACE_PEEKSIGINFO, thread->tid, &where, info);

	for (long int i = 0; i < n; i++)
		if ((info[i].si_signo == SIGTRAP ||
		     info[i].si_signo == SIGSEGV) &&
		    info[i].si_code > 0)
			return true;
	return false;
}

void
thread_park(struct cache_engine *engine, struct cache_thread *thread)
{
	if (thread->mode == MODE_CACHE) {
		if (thread_raised(thread)) {
			thread_resume(thread, PTRACE_CONT);
			return;
		}
		thread->leaving = true;
		if (thread_settle(engine, thread))
			return;
		thread->leaving = false;
	} else if (thread->mode == MODE_STEP && thread_raised(thread)) {
		thread_resume(thread, PTRACE_CONT);
		return;
	}
	if (thread->mode != MODE_LAUNCH)
		thread->mode = MODE_NATIVE;
	thread->in_flight = false;
	records_flush(engine, thread);
	thread->called = false;
	thread->parked = true;
}

/* One to make calls in: better one that is in no call of its own */
static struct cache_thread *
parked_user(const struct cache_engine *engine, const struct cache_space *space)
{
	struct cache_thread *found = NULL;

	for (struct cache_thread *t = engine->threads; t; t = t->next) {
		if (!t->parked || !t->process || t->process->shared != space)
			continue;
		if (!call_was_interrupted(&t->registers) && !t->signal)
			return t;
		if (!found || !t->signal)
			found = t;
	}
	return found;
}

static void
release_space(struct cache_engine *engine, struct cache_space *space)
{
	struct cache_thread *thread = parked_user(engine, space);

	if (!thread)
		return;
	remote_prepare(thread);
	space_unmap(space, thread);
	space->unmapped = true;
	engine->counts.unmap_ns = cache_now_ns() - engine->leaving_ns;
}

static void
release_thread(struct cache_engine *engine, struct cache_thread *thread)
{
	int number = thread->signal;
	pid_t tid = thread->tid;
	pid_t pid = thread->process ? thread->process->pid : 0;
	uint64_t waiting = thread->waiting;

	if (thread->mode != MODE_LAUNCH && thread->mode != MODE_CALL)
		thread_restore_mask(thread);
	remote_finish(thread);
	/* One that is being killed is not stopped any more, and would wait for us
	 * for ever where it stops once more, to end */
	if (ptrace(PTRACE_DETACH, tid, NULL, (void *)(uintptr_t)number) &&
	    errno == ESRCH) {
		thread->parked = thread->stopped = thread->interrupted = false;
		thread->mode = MODE_GONE;
		return;
	}
	for (int i = 1; i < 32 && waiting; i++)
		if (waiting >> (i - 1) & 1)
			syscall(SYS_tgkill, pid, tid, i);
	thread_remove(engine, thread);
}

static bool
any_in_cache(const struct cache_engine *engine, const struct cache_space *space)
{
	for (const struct cache_thread *t = engine->threads; t; t = t->next)
		if (t->process && t->process->shared == space && !t->parked &&
		    t->mode == MODE_CACHE)
			return true;
	return false;
}

static void
interrupt_all(struct cache_engine *engine)
{
	for (struct cache_thread *t = engine->threads; t; t = t->next)
		if (!t->interrupted && !t->parked && !t->held && !t->ready) {
			t->interrupted = true;
			ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL);
		}
}

/*
 * Settling steps a thread, which waits for a processor each time: not before
 * all have stopped (16 busy threads on two processors: 5 ms instead of 30).
 */
static void
park_ready(struct cache_engine *engine)
{
	for (const struct cache_thread *t = engine->threads; t; t = t->next)
		if (t->mode == MODE_CACHE && !t->ready && !t->parked &&
		    !t->quiet)
			return;
	for (struct cache_thread *t = engine->threads; t; t = t->next)
		if (t->ready) {
			t->ready = false;
			thread_park(engine, t);
		}
}

/*
 * A thread that is let go runs, and those that are still to stop wait for the
 * processor meanwhile: so none is before all have stopped, if that does not
 * take long.
 */
static bool
must_hold(const struct cache_engine *engine)
{
	if (cache_now_ns() - engine->leaving_ns > HOLD_NS)
		return false;
	for (const struct cache_thread *t = engine->threads; t; t = t->next)
		if (!t->parked)
			return true;
	return false;
}

/* Those whose space has no thread in the cache any more */
static void
release_ready(struct cache_engine *engine)
{
	bool hold = must_hold(engine);
	struct cache_thread *next;

	for (struct cache_thread *t = engine->threads; t; t = next) {
		struct cache_space *space =
			t->process ? t->process->shared : NULL;

		next = t->next;
		if (!t->parked || (space && any_in_cache(engine, space)))
			continue;
		if (space && !space->unmapped)
			release_space(engine, space);
		if (hold)
			continue;
		release_thread(engine, t);
		next = engine->threads;
	}
}

/* After an error some are stopped that nobody has resumed */
static void
park_stopped(struct cache_engine *engine)
{
	struct cache_thread *next;

	for (struct cache_thread *t = engine->threads; t; t = next) {
		next = t->next;
		if (!t->stopped || t->quiet || t->held || t->parked ||
		    !t->process)
			continue;
		t->signal = 0;
		t->ready = false;
		thread_park(engine, t);
	}
}

/*
 * The recorder need not wait for a process that cannot be let go yet (in an
 * uninterruptible call, or in vfork); we do, as long as it takes: without us it
 * could not go on.
 */
void
let_all_go(struct cache_engine *engine)
{
	uint64_t start = cache_now_ns();
	int status;

	engine->leaving_ns = start;
	engine->parking = true;
	ask_sleep(engine);
	guard_tick();
	park_stopped(engine);
	release_ready(engine);
	while (engine->threads) {
		pid_t tid;

		interrupt_all(engine);
		tid = waitpid(-1, &status, __WALL);
		if (tid > 0)
			trace_look(engine, tid, status);
		else if (errno == ECHILD)
			break;
		guard_orphaned(engine);
		park_ready(engine);
		/* One that is ending waits for us, and no other news may come */
		trace_look_at_held(engine);
		release_ready(engine);
		if (!engine->detached && cache_now_ns() - start > LET_GO_NS) {
			engine->detached = true;
			queue_end(engine->queue, 0);
		}
	}
	engine->counts.detach_ns = cache_now_ns() - start;
	engine->detached = true;
}
