/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the step engine.
 *
 *	step.c          the tracer: attach, choose a thread, wait, detach
 *	step-run.c      one instruction: decode, accesses, code blocks
 *	step-stop.c     what a ptrace stop means: signals, forks, exec, exit
 *	step-syscall.c  system calls into events
 *	step-counts.c   the kernel's own counts into events
 *	step-code.c     decoded instructions and sites, each found once
 *
 * One thread runs user code at a time, for a turn of some thousand
 * instructions, so the order of all accesses of all threads is exact.  A
 * thread that waits in a system call lets another one run.
 */
#ifndef TRACERS_STEP_H
#define TRACERS_STEP_H

#include "analyzer/base.h"

#include <sched.h>
#include <signal.h>
#include <sys/user.h>
#include <time.h>

#include "tracers/files.h"
#include "tracers/maps.h"
#include "tracers/operands.h"
#include "tracers/roster.h"
#include "tracers/syscalls.h"
#include "tracers/target.h"
#include "tracers/tracer.h"

enum tracee_state {
	TRACEE_READY,	/* stopped; may be resumed */
	TRACEE_HELD,	/* stopped with `status` not looked at yet */
	TRACEE_RUNNING, /* resumed */
	TRACEE_QUIET,	/* in a group-stop, until SIGCONT */
};

struct code_range {
	uint64_t start, end;
};

/* What threads of a process share; a vforked child has its own */
struct process {
	struct process *next;
	pid_t pid;
	unsigned threads;
	uint32_t space;
	uint16_t image;
	bool from_exec;	   /* its program was seen from the beginning */
	bool trap_ignored; /* SIGTRAP: stepping makes the kernel forget it */
	struct syscall_memory memory;
	/* Executable, private and not writable: code there does not change */
	struct code_range *range; /* owned */
	size_t n_ranges;
	uint64_t ranges_of; /* generation in which they were read */
};

struct tracee {
	struct tracee *next;
	struct process *process;
	pid_t tid;
	uint32_t thread;
	uint8_t state;	   /* enum tracee_state */
	int status;	   /* wait status of a HELD one */
	int signal;	   /* to deliver when it is resumed */
	bool caught;	   /* the program handles that signal */
	bool delivering;   /* it was resumed into a handler */
	bool before_exec;  /* our own child on its way to exec: not recorded */
	bool ending;	   /* it runs no more code */
	bool in_call;	   /* between the stops of a system call */
	bool restarts;	   /* the kernel will restart its call */
	bool trap_blocked; /* the program blocks SIGTRAP; the kernel must not */
	bool trap_held;	   /* a SIGTRAP came meanwhile */
	bool trap_own;	   /* the program set the trap flag by itself */
	bool fresh;	   /* registers are of now */
	struct user_regs_struct registers;
	struct syscall_call call;
	cpu_set_t cores; /* what the program asked for */

	/* The instruction under way and what it will have touched */
	const struct instruction *flight;
	int n_flight;
	struct access access[INSTRUCTION_ACCESSES];
};

/* The straight-line code block being run by the active thread */
struct block {
	bool open, fetched; /* fetched: `slot` of the batch is its access */
	uint64_t start;
	uint32_t bytes, instructions, slot;
	uint64_t last_pc; /* its last instruction, if it goes on there */
};

struct queued {
	struct event event;
	uint32_t thread, space;
};

struct stepper {
	struct tracer tracer; /* first */
	struct tracer_setup setup;
	struct files *files;
	struct code *code;
	struct tracee *tracees;	   /* owned */
	struct process *processes; /* owned */
	struct tracee *active;
	unsigned turn; /* instructions left to the active thread */
	struct block block;
	uint64_t generation; /* counts changes of executable mappings */

	struct batch *batch;
	bool full;	      /* hand the batch out */
	bool gave;	      /* the last batch was not empty */
	bool failed;	      /* an error was said */
	bool detached;	      /* no more tracees by our own will */
	bool root_untraced;   /* let go of after exec of a 32-bit program ... */
	struct queued *queue; /* owned; events that did not fit the batch */
	size_t n_queued, queue_size;
	struct event spare; /* written to when there is no memory */

	pid_t root;
	int root_status;
	bool root_ended, launched;
	bool detaching, maps_wanted;
	bool has_timer;
	timer_t timer; /* interrupts waitpid now and then */
	struct sigaction old_action;
	bool tried_pin, pinned;
	int core;
	cpu_set_t own_cores; /* the recorder's before pinning */
	uint64_t unknown;    /* instructions whose operands are not modelled */
	uint8_t *xstate;     /* of the active thread */
	size_t xstate_bytes;
	bool xstate_fresh;
};

/* step.c */
struct tracee *step_tracee(struct stepper *step, pid_t tid);
struct tracee *step_tracee_add(struct stepper *step, pid_t pid, pid_t tid);
void step_tracee_remove(struct stepper *step, struct tracee *tracee);
/* A zeroed event of this thread at this place of the stream; never NULL. */
struct event *step_event(struct stepper *step, const struct tracee *tracee,
			 enum event_type type);
int step_registers(struct tracee *tracee);
uint64_t step_now_ns(void);

/* step-run.c: resume the active thread, by one instruction or into a call */
void step_resume(struct stepper *step, struct tracee *tracee);
/* Its instruction has been executed. */
void step_executed(struct stepper *step, struct tracee *tracee);
void step_block_close(struct stepper *step);

/* step-stop.c: a stop or an end, of the active thread */
void step_stopped(struct stepper *step, struct tracee *tracee, int status);
/* Of another one: what cannot wait until its turn; else it is held */
void step_stopped_aside(struct stepper *step, struct tracee *tracee,
			int status);
void step_ended(struct stepper *step, struct tracee *tracee, int status);
/* SIGTRAP must not be blocked while user code is stepped. */
void step_mask_strip(struct tracee *tracee);
void step_mask_restore(struct tracee *tracee);

/* step-syscall.c */
void step_call_entry(struct stepper *step, struct tracee *tracee);
void step_call_exit(struct stepper *step, struct tracee *tracee);
/* What concerns the process of a tracee, for target.h */
struct where {
	struct stepper *step;
	struct tracee *tracee;
};
struct target step_target(struct where *where);

/* step-counts.c: what the kernel counts of its process now, as events */
void step_counts(struct stepper *step, struct tracee *tracee, unsigned flags);
/* It is about to end; the last thread of its process tells them. */
void step_counts_end(struct stepper *step, struct tracee *tracee);

/* step-code.c */
int code_open(struct code **out, struct stream *stream);
void code_close(struct code *code);
/* The instruction at pc, read and decoded when it is new or may have changed.
 * NULL: it cannot be read or is none. */
const struct instruction *code_find(struct code *code, struct stepper *step,
				    const struct tracee *tracee, uint64_t pc);
/* Reference of a site, added when new.  0 or negative errno (said). */
int code_site(struct code *code, const struct site *site, uint32_t *ref);

#endif
