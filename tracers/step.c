// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engine `step`: every instruction by PTRACE_SINGLESTEP, its operands by
 * Zydis.  Slow (some ten thousand instructions a second) and exact: the
 * reference that other engines are held to.
 *
 * Recorder and target run on one core: a step is then two context switches
 * there and no wake-up of another (measured 50 k/s against 6 - 17 k/s).
 */
#include "tracers/step.h"
#include "analyzer/base.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "tracers/about.h"
#include "tracers/xstate.h"

#define TURN	   2000 /* instructions */
#define TICK_NS	   100000000
#define BATCH_NS   250000000 /* a batch is handed out at least so often */
#define QUIET_NS   1000000000
#define YIELDS_MAX 50

#define OPTIONS                                                             \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | \
	 PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT)
#define OPTIONS_NO_FOLLOW                                                   \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | \
	 PTRACE_O_TRACEEXIT)

uint64_t
step_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int
step_registers(struct tracee *tracee)
{
	if (ptrace(PTRACE_GETREGS, tracee->tid, NULL, &tracee->registers))
		return -errno;
	tracee->fresh = true;
	return 0;
}

struct tracee *
step_tracee(struct stepper *step, pid_t tid)
{
	struct tracee *tracee = step->tracees;

	while (tracee && tracee->tid != tid)
		tracee = tracee->next;
	return tracee;
}

static struct process *
find_process(struct stepper *step, pid_t pid)
{
	struct process *process = step->processes;

	while (process && process->pid != pid)
		process = process->next;
	if (process)
		return process;
	process = calloc(1, sizeof(*process));
	if (!process)
		return NULL;
	process->pid = pid;
	process->ranges_of = UINT64_MAX;
	process->next = step->processes;
	step->processes = process;
	return process;
}

/* A thread of process pid, or the known one of that tid, which now is pid's */
struct tracee *
step_tracee_add(struct stepper *step, pid_t pid, pid_t tid)
{
	struct tracee *tracee = step_tracee(step, tid);

	if (!tracee) {
		tracee = calloc(1, sizeof(*tracee));
		if (!tracee)
			goto no_memory;
		tracee->tid = tid;
		tracee->next = step->tracees;
		step->tracees = tracee;
	}
	if (pid && !tracee->process) {
		tracee->process = find_process(step, pid);
		if (!tracee->process)
			goto no_memory;
		tracee->process->threads++;
		if (roster_thread(step->setup.roster, pid, tid,
				  &tracee->thread))
			step->failed = true;
	}
	return tracee;
no_memory:
	fail(ENOMEM, "step: no memory for threads");
	step->failed = true;
	return NULL;
}

void
step_tracee_remove(struct stepper *step, struct tracee *tracee)
{
	struct process *process = tracee->process, **link = &step->processes;

	if (step->active == tracee) {
		step_block_close(step);
		step->active = NULL;
	}
	for (struct tracee **t = &step->tracees; *t; t = &(*t)->next)
		if (*t == tracee) {
			*t = tracee->next;
			break;
		}
	free(tracee);
	if (!process || --process->threads)
		return;
	roster_exit(step->setup.roster, process->pid);
	while (*link != process)
		link = &(*link)->next;
	*link = process->next;
	free(process->range);
	free(process);
}

static struct event *
queue_event(struct stepper *step, const struct tracee *tracee,
	    enum event_type type)
{
	struct queued *queued;

	step->full = true;
	if (step->n_queued == step->queue_size) {
		size_t size = step->queue_size ? 2 * step->queue_size : 64;

		queued = reallocarray(step->queue, size, sizeof(*queued));
		if (!queued) {
			fail(ENOMEM, "step: no memory for events");
			step->failed = true;
			return &step->spare;
		}
		step->queue = queued;
		step->queue_size = size;
	}
	queued = &step->queue[step->n_queued++];
	*queued = (struct queued){
		.event = { .type = (uint8_t)type,
			   .file = UINT32_MAX,
			   .thread = tracee->thread },
		.thread = tracee->thread,
		.space = tracee->process->space,
	};
	return &queued->event;
}

struct event *
step_event(struct stepper *step, const struct tracee *tracee,
	   enum event_type type)
{
	struct batch *batch = step->batch;
	struct event *event = NULL;

	if (tracee == step->active)
		step_block_close(step);
	if (!batch->n && !batch->n_events && !step->n_queued) {
		batch->thread = tracee->thread;
		batch->space = tracee->process->space;
	}
	if (!step->n_queued && batch->thread == tracee->thread &&
	    batch->space == tracee->process->space)
		event = batch_event(batch, type);
	if (!event)
		event = queue_event(step, tracee, type);
	event->time_ns = step_now_ns();
	return event;
}

/* Move what waits in the queue into an empty batch; one thread's a batch */
static void
drain_queue(struct stepper *step)
{
	struct batch *batch = step->batch;
	size_t done = 0;

	if (!step->n_queued)
		return;
	batch->thread = step->queue[0].thread;
	batch->space = step->queue[0].space;
	while (done < step->n_queued &&
	       step->queue[done].thread == batch->thread &&
	       step->queue[done].space == batch->space) {
		struct event *event = batch_event(batch, EVENT_MARK);

		if (!event)
			break;
		*event = step->queue[done++].event;
		event->position = 0;
	}
	step->n_queued -= done;
	memmove(step->queue, step->queue + done,
		step->n_queued * sizeof(*step->queue));
	step->full = true;
}

static void
on_tick(int number)
{
	(void)number;
}

/* Interrupt waitpid every so often while next runs; 0: no more */
static void
tick(const struct stepper *step, long int every_ns)
{
	const struct itimerspec time = { { 0, every_ns }, { 0, every_ns } };

	timer_settime(step->timer, 0, &time, NULL);
}

static void
pin(struct stepper *step)
{
	cpu_set_t one;

	step->tried_pin = true;
	step->core = sched_getcpu();
	CPU_ZERO(&one);
	CPU_SET(step->core, &one);
	if (step->core < 0 ||
	    sched_getaffinity(0, sizeof(cpu_set_t), &step->own_cores))
		return;
	for (struct tracee *t = step->tracees; t; t = t->next) {
		if (sched_getaffinity(t->tid, sizeof(t->cores), &t->cores) ||
		    !CPU_ISSET(step->core, &t->cores))
			return;
		sched_setaffinity(t->tid, sizeof(one), &one);
	}
	step->pinned = !sched_setaffinity(0, sizeof(one), &one);
}

/* A thread whose parent's stop has not told yet whose it is does not count */
static struct tracee *
next_ready(struct stepper *step, const struct tracee *after)
{
	struct tracee *tracee = after ? after->next : step->tracees;

	for (; tracee; tracee = tracee->next)
		if (tracee->state <= TRACEE_HELD && tracee->process)
			return tracee;
	for (tracee = step->tracees; tracee; tracee = tracee->next)
		if (tracee->state <= TRACEE_HELD && tracee->process)
			return tracee;
	return NULL;
}

/* Give the turn to another thread; true: the batch must be handed out first */
static bool
switch_thread(struct stepper *step, struct tracee *to)
{
	struct batch *batch = step->batch;
	bool same = step->active == to;

	if (step->active)
		step_block_close(step);
	step->active = to;
	/* A repeated instruction may go on over the end of a batch */
	step->block = (struct block){
		.last_pc = same ? step->block.last_pc : 0,
	};
	step->turn = TURN;
	if (!to)
		return false;
	if ((batch->n || batch->n_events) &&
	    (batch->thread != to->thread || batch->space != to->process->space))
		return true;
	batch->thread = to->thread;
	batch->space = to->process->space;
	return false;
}

static void
look(struct stepper *step, pid_t tid, int status)
{
	struct tracee *tracee = step_tracee(step, tid);

	if (!tracee) {
		if (tid == step->root && !WIFSTOPPED(status)) {
			step->root_ended = true;
			step->root_status = status;
			return;
		}
		/* A new one, before its parent's stop tells whose it is */
		if (WIFSTOPPED(status)) {
			tracee = step_tracee_add(step, 0, tid);
			if (tracee) {
				tracee->state = TRACEE_HELD;
				tracee->status = status;
			}
		}
		return;
	}
	if (!WIFSTOPPED(status)) {
		if (tracee->process)
			step_ended(step, tracee, status);
		else
			step_tracee_remove(step, tracee);
	} else if (tracee == step->active) {
		step_stopped(step, tracee, status);
	} else {
		step_stopped_aside(step, tracee, status);
	}
}

/*
 * Wait for news of any thread: 1; 0 when a tick passed without.  The timer
 * interrupts waitpid, so that stop is noticed while all threads sleep.
 */
static int
wait_any(struct stepper *step, int flags)
{
	int status = 0;
	pid_t tid = waitpid(-1, &status, __WALL | flags);

	if (tid > 0) {
		look(step, tid, status);
		return 1;
	}
	if (tid < 0 && errno == ECHILD) {
		while (step->tracees)
			step_tracee_remove(step, step->tracees);
		step->root_ended = true;
		return 1;
	}
	return 0;
}

/* The active thread is in a call that may sleep: does it come back soon? */
static void
wait_for_call(struct stepper *step, const struct tracee *tracee)
{
	for (int i = 0; i < YIELDS_MAX; i++) {
		while (wait_any(step, WNOHANG))
			if (step->active != tracee ||
			    tracee->state != TRACEE_RUNNING)
				return;
		sched_yield();
	}
}

/* Run until the batch is to be handed out; false: nothing happened in a tick */
static bool
advance(struct stepper *step)
{
	struct tracee *active = step->active;

	if (!active || !step->turn || active->state == TRACEE_QUIET) {
		struct tracee *ready = next_ready(step, active);

		if (ready != active && switch_thread(step, ready)) {
			step->full = true;
			return true;
		}
		step->turn = TURN;
		active = ready;
	}
	if (!active)
		return wait_any(step, 0) > 0;
	if (active->state == TRACEE_HELD) {
		step_stopped(step, active, active->status);
		return true;
	}
	if (active->state == TRACEE_READY) {
		step_resume(step, active);
		if (active->state == TRACEE_READY)
			return true; /* it was done without */
		if (!active->in_call || active->before_exec ||
		    !syscall_may_wait(active->call.number) ||
		    !step->tracees->next)
			return wait_any(step, 0) > 0 || step->active != active;
		wait_for_call(step, active);
	}
	/* Still running: another one's turn, or wait on */
	if (step->active == active && active->state == TRACEE_RUNNING) {
		if (next_ready(step, active)) {
			step->turn = 0;
			return true;
		}
		return wait_any(step, 0) > 0;
	}
	return true;
}

static bool
over(const struct stepper *step)
{
	if (step->detached)
		return true;
	return !step->tracees &&
	       (!step->root_untraced || step->root_ended || !step->launched);
}

/* The step that an interrupt overtook has left a SIGTRAP that would kill */
static void
swallow_trap(const struct tracee *tracee)
{
	struct __ptrace_peeksiginfo_args where = { .nr = 16 };
	siginfo_t info[16];
	int status;
	long int n = ptrace(PTRACE_PEEKSIGINFO, tracee->tid, &where, info);

	for (long int i = 0; i < n; i++) {
		if (info[i].si_signo != SIGTRAP || info[i].si_code <= 0)
			continue;
		ptrace(PTRACE_CONT, tracee->tid, NULL, NULL);
		waitpid(tracee->tid, &status, __WALL);
		return;
	}
}

static void
let_go(struct stepper *step, struct tracee *tracee)
{
	if (tracee->state == TRACEE_HELD && tracee->process) {
		step->active = tracee;
		step_stopped(step, tracee, tracee->status);
	}
	if (tracee->process && !tracee->in_call && !tracee->before_exec)
		step_mask_restore(tracee);
	if (step->pinned)
		sched_setaffinity(tracee->tid, sizeof(tracee->cores),
				  &tracee->cores);
	swallow_trap(tracee);
	ptrace(PTRACE_DETACH, tracee->tid, NULL,
	       (void *)(uintptr_t)tracee->signal);
	step_tracee_remove(step, tracee);
}

#define LET_GO_NS UINT64_C(5000000000)

/* One that sleeps in vfork stops only when its child, let go, has exec'd */
static void
let_all_go(struct stepper *step)
{
	uint64_t start = step_now_ns();
	struct tracee *next;

	for (struct tracee *t = step->tracees; t; t = t->next)
		if (t->state == TRACEE_RUNNING || t->state == TRACEE_QUIET)
			ptrace(PTRACE_INTERRUPT, t->tid, NULL, NULL);
	while (step->tracees && step_now_ns() - start < LET_GO_NS) {
		for (struct tracee *t = step->tracees; t; t = next) {
			next = t->next;
			if (t->state != TRACEE_RUNNING &&
			    t->state != TRACEE_QUIET) {
				let_go(step, t);
				next = step->tracees;
			}
		}
		if (step->tracees)
			wait_any(step, 0);
	}
	step->detached = true;
}

static int
step_next(struct source *source, struct batch *batch)
{
	struct stepper *step = (struct stepper *)source;
	uint64_t start = step_now_ns();
	unsigned n = 0;

	step->batch = batch;
	batch->columned = true;
	step->full = false;
	if (!step->tried_pin)
		pin(step);
	if (step->active)
		switch_thread(step, step->active);
	drain_queue(step);
	tick(step, TICK_NS);
	if (step->detaching && !step->detached && !step->full)
		let_all_go(step);
	while (!step->full && !step->failed && !over(step)) {
		bool news = advance(step);
		bool some = batch->n || batch->n_events;

		if (!news && *step->setup.stop && !some) {
			tick(step, 0);
			return -EINTR;
		}
		/* An empty batch, so that who stores the batches ends a block,
		 * which a kill would lose */
		if (!news && !some && step->gave &&
		    step_now_ns() - start > QUIET_NS)
			break;
		if (news && (++n & 255))
			continue;
		if (some && !step->block.open &&
		    (*step->setup.stop || step_now_ns() - start > BATCH_NS))
			break;
	}
	tick(step, 0);
	step_block_close(step);
	batch->time_ns = step_now_ns();
	step->gave = batch->n || batch->n_events;
	if (step->failed)
		return -EIO;
	return batch->n || batch->n_events || step->n_queued || !over(step);
}

static int
seize(struct stepper *step, pid_t pid, pid_t tid)
{
	long int options = step->setup.no_follow ? OPTIONS_NO_FOLLOW : OPTIONS;
	struct tracee *tracee;
	int error;

	error = target_seize(tid, (unsigned long)options);
	if (error == -ESRCH && pid != tid)
		return 0; /* a thread that has just ended */
	if (error)
		return target_seize_failed("step", tid, error);
	tracee = step_tracee_add(step, pid, tid);
	if (!tracee)
		return -ENOMEM;
	tracee->state = TRACEE_RUNNING;
	tracee->before_exec = step->launched;
	return roster_space(step->setup.roster, pid, &tracee->process->space);
}

static int
seize_new(void *context, pid_t pid, pid_t tid)
{
	struct stepper *step = context;
	int error;

	if (step_tracee(step, tid))
		return 0;
	error = seize(step, pid, tid);
	return error ? error : 1;
}

/* All threads; again until there is no new one */
static int
seize_all(struct stepper *step, pid_t pid)
{
	int got;

	do
		got = target_each_thread("step", pid, seize_new, step);
	while (got > 0);
	return got;
}

static int
step_attach(struct tracer *tracer, pid_t pid)
{
	struct stepper *step = (struct stepper *)tracer;
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID,
				  .sigev_signo = SIGALRM };
	struct sigaction action = { .sa_handler = on_tick };
	int error;

	step->root = pid;
	step->launched = !step->setup.pid;
	event._sigev_un._tid = gettid();
	sigaction(SIGALRM, &action, &step->old_action);
	if (timer_create(CLOCK_MONOTONIC, &event, &step->timer))
		return fail_errno(errno, "step: timer");
	step->has_timer = true;
	error = step->launched ? seize(step, pid, pid) : seize_all(step, pid);
	if (!error && !step->launched)
		step->maps_wanted = true;
	return error;
}

static bool
step_status(const struct tracer *tracer, int *status)
{
	const struct stepper *step = (const struct stepper *)tracer;

	if (step->root_ended)
		*status = step->root_status;
	return step->root_ended;
}

static int
step_detach(struct tracer *tracer)
{
	((struct stepper *)tracer)->detaching = true;
	return 0;
}

static void
step_close(struct source *source)
{
	struct stepper *step = (struct stepper *)source;

	while (step->tracees)
		step_tracee_remove(step, step->tracees);
	if (step->unknown)
		warn("step: %llu instructions touch memory in ways that are not modelled (tile and MMX mask moves)",
		     (unsigned long long int)step->unknown);
	if (step->has_timer) {
		timer_delete(step->timer);
		sigaction(SIGALRM, &step->old_action, NULL);
	}
	if (step->pinned)
		sched_setaffinity(0, sizeof(step->own_cores), &step->own_cores);
	files_close(step->files);
	code_close(step->code);
	free(step->queue);
	free(step->xstate);
	free(step);
}

static const struct source_methods source_methods = {
	.next = step_next,
	.close = step_close,
};

static const struct tracer_methods methods = {
	.attach = step_attach,
	.status = step_status,
	.detach = step_detach,
};

static int
step_open(struct tracer **out, const struct tracer_setup *setup)
{
	struct stepper *step = calloc(1, sizeof(*step));

	if (!step)
		return fail(ENOMEM, "step: no memory");
	step->setup = *setup;
	step->tracer.source.methods = &source_methods;
	step->tracer.source.stream = setup->stream;
	step->tracer.tracing = &methods;
	step->xstate = malloc(XSTATE_BYTES_MAX);
	if (!step->xstate || files_open(&step->files, setup->stream) ||
	    code_open(&step->code, setup->stream)) {
		step_close(&step->tracer.source);
		return -ENOMEM;
	}
	about_engine(setup->stream, "step", "exact");
	*out = &step->tracer;
	return 0;
}

const struct tracer_ops step_tracer = {
	.name = "step",
	.help = "every instruction by ptrace single-step: exact and slow, the reference",
	.counts = true,
	.probe = target_probe,
	.open = step_open,
};
