/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the cache engine: the side that traces.
 *
 *	cache-tracer.c  the tracer: opening, the two threads, the source
 *	cache-trace.c   the tracing thread: waits, and hands stops on
 *	cache-stop.c    what a stop means
 *	cache-enter.c   between the program's own state and the cache's
 *	cache-ask.c     what running threads want translated
 *	cache-step.c    single-stepping: odd instructions, and whom it must be
 *	cache-call.c    system calls, made where they stand
 *	cache-inside.c  those made in the cache
 *	cache-wait.c    time limits of calls that we interrupt
 *	cache-signal.c  signals
 *	cache-family.c  threads and processes: who there is; fork, clone, exec
 *	cache-protect.c code that is changed
 *	cache-detach.c  letting go
 *	cache-guard.c   the process of the tracing thread; a killed recorder
 *	cache-empty.c   a full cache
 *	cache-window.c  sampling
 *	cache-records.c record buffers
 *	cache-space.c   memory shared with an address space
 *	cache-remote.c  system calls made in a stopped thread
 *
 * A thread is either in the cache (its registers are the program's, but for
 * rip, the stolen one and the GS base) or native: stopped at an instruction of
 * its own, all registers as the program left them.  System calls, signal
 * handlers' beginnings and odd instructions are run natively.  A thread that
 * can't be run in the cache is stepped for as long as that is so (`refused`).
 */
#ifndef TRACERS_CACHE_ENGINE_H
#define TRACERS_CACHE_ENGINE_H

#include "analyzer/base.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/user.h>

#include "tracers/cache-code.h"
#include "tracers/cache-layout.h"
#include "tracers/cache-queue.h"
#include "tracers/files.h"
#include "tracers/roster.h"
#include "tracers/target.h"
#include "tracers/tracer.h"

#define AREAS_MAX 256

struct cache_engine;
struct cache_thread;

/* Why a thread is stepped */
enum cache_refusal {
	REFUSED_NOT,
	REFUSED_FILTERED,
	REFUSED_NO_ROOM,
	REFUSED_NO_MEMORY,
	REFUSED_NO_DESCRIPTOR,
	REFUSED_TOO_MANY,
	REFUSED_SHADOW_STACK,
	REFUSED_SEGMENT,
	REFUSED_OTHER,
	REFUSALS
};

struct cache_range {
	uint64_t start, end;
};

/* Of the target's code, as it was read */
struct cache_page {
	uint64_t page; /* 0: nothing */
	uint8_t bytes[4096];
};
#define KEPT_PAGES 128

/* The memory that is shared with the threads of one address space */
struct cache_space {
	struct cache_engine *engine;
	unsigned users; /* threads */
	pid_t pid;
	int memory; /* the memfd, ours */
	uint8_t *view;
	uint64_t window; /* where all of it is in the target */
	uint64_t gadget; /* a system call instruction there */
	struct cache_code *code;
	unsigned arenas;
	bool area_used[AREAS_MAX];
	unsigned pending[AREAS_MAX][BUFFERS]; /* the queue's */
	struct cache_thread *caller;	      /* to make calls in */
	bool unmapped;			      /* from the target */
	/* cache-protect.c: mappings that are writable and executable, and pages
	 * whose right to be written is withheld; both owned */
	struct cache_range *writable;
	size_t n_writable;
	bool writable_known;
	bool implies_exec; /* READ_IMPLIES_EXEC of personality(2) */
	uint64_t *protected;
	size_t n_protected;
	struct cache_page kept[KEPT_PAGES];
	enum cache_refusal refused; /* of the last block that was wanted */
	uint64_t no_room;	    /* near this pc; 0: nowhere */
};

/* A line of /proc/PID/maps */
struct cache_mapping {
	uint64_t start, end, offset, inode;
	uint16_t flags;
};

struct cache_process {
	struct cache_process *next;
	pid_t pid;
	unsigned threads;
	uint32_t space; /* number in the stream */
	struct syscall_memory memory;
	/* Of TRACED_SIGNALS, those the program ignores: our use of them makes
	 * the kernel forget it */
	uint64_t ignored;
	struct cache_space *shared;
	enum cache_refusal refused;
	/* Its program was seen from the beginning on, up to its first rseq */
	bool from_exec, rseq_refused;
	/* Between windows: */
	bool away;
	/* as they were when it was last seen; owned */
	struct cache_mapping *mapping;
	size_t n_mappings;
};

struct cache_window {
	uint64_t on_ns;		     /* 0: no sampling */
	uint64_t began_ns, until_ns; /* sampling; this window */
	bool away;		   /* it is over: a process, when it has come */
	bool gathering;		   /* all are to park */
	bool told;		   /* that there are such times */
	uint64_t left_ns, away_ns; /* last left; all times between windows */
	int timer;
};

enum cache_mode {
	MODE_LAUNCH, /* our own child on its way to exec */
	MODE_CACHE,
	MODE_NATIVE,  /* goes on natively until something stops it */
	MODE_CALL,    /* about to make a system call, or in one */
	MODE_STEP,    /* one instruction natively */
	MODE_HANDLER, /* a signal is being delivered */
	MODE_GONE,    /* of no interest any more: it is ending */
};

/* cache-wait.c */
enum cache_wait_state {
	WAIT_NONE,
	WAIT_WANTED,
	WAIT_ARMED, /* the limit is not the program's */
	WAIT_ENDED,
};

struct cache_wait {
	uint8_t state; /* enum cache_wait_state */
	uint8_t argument;
	uint64_t pc, until_ns;
	uint64_t own;	/* what the program has put there */
	uint64_t place; /* 0, or where the limit stands; what stood there */
	uint8_t old[16];
};

struct cache_thread {
	struct cache_thread *next;
	struct cache_engine *engine;
	struct cache_process *process; /* NULL: not told yet whose it is */
	pid_t tid;
	uint32_t thread; /* number in the stream */
	uint8_t mode;	 /* enum cache_mode */
	bool held;	 /* stopped with `status` not looked at yet */
	int status;
	bool stopped;
	bool quiet;	  /* in a group-stop */
	bool interrupted; /* a stop of it was asked for */
	bool parked;	  /* stopped in its own state, to be let go */
	bool joining;	  /* attached to, and not stopped yet */
	bool ready;	  /* stopped, until the others are */
	bool in_call;	  /* the entry stop of a call was seen */
	/* how often it could not write where we withheld the right */
	uint8_t call_again;
	int signal;	  /* to deliver when it goes on */
	bool stop_wanted; /* a SIGSTOP came while we made a call in it */
	bool leaving;	  /* stopped because we asked for it, to be parked */
	bool called;	  /* a call was made in it since it was parked */
	siginfo_t info;	  /* of the signal it had then */
	uint64_t blocked; /* of TRACED_SIGNALS, those the program blocks */
	uint64_t waiting; /* of those, sent meanwhile */
	struct user_regs_struct registers;
	struct syscall_call call;
	struct cache_wait wait;

	int area; /* -1: none */
	uint8_t *view;
	uint64_t area_address;
	unsigned buffer;
	uint64_t taken[BUFFERS], taken_now; /* in which order they were */
	uint64_t sent, cursor; /* in the current buffer; target's addresses */
	uint64_t fs_base, gs_base; /* the program's */

	enum cache_refusal refused; /* as long as that is so */
	enum cache_refusal cause;   /* of this step */
	/* Does seccomp look at calls that we make in it? */
	bool filtered, filtered_known;

	/* MODE_STEP, and a call that is stepped to */
	struct instruction flight;
	bool in_flight;
	bool trap_own;	  /* the program has set the trap flag itself */
	uint64_t fetched; /* this instruction goes on, its fetch was told */
	int n_flight;
	struct access access[INSTRUCTION_ACCESSES];
};

/* What is ours in a process, for the recorder's side to ask */
struct cache_own {
	pid_t pid;
	uint64_t start, bytes;
};
#define OWN_MAX 1024

struct cache_counts {
	uint64_t stops, guards, misses, links, calls, signals, steps, emptied;
	uint64_t asked;
	uint64_t work_ns; /* processor time of the tracing thread */
	/* From the first thread's attaching to the last one's going on; from
	 * the wish to leave to the unmapping, and to the last thread's leave */
	uint64_t attach_ns, unmap_ns, detach_ns;
};

/* cache-ask.c */
struct cache_asking {
	bool possible, awake;
	cpu_set_t processors;	/* ours */
	bool away;		/* on some of them only */
	unsigned vain;		/* questions, one after the other */
	unsigned stops_without; /* to come */
};

struct cache_engine {
	struct tracer tracer; /* first */
	struct tracer_setup setup;
	struct files *files;
	struct cache_queue *queue;
	struct cache_expander *expander;
	struct cache_thread *threads;	 /* owned */
	struct cache_process *processes; /* owned */
	struct cache_counts counts;
	struct cache_own own[OWN_MAX];
	unsigned n_own;		  /* grows behind what it counts */
	uint64_t alone[REFUSALS]; /* instructions, stepped for that */
	bool refusal_said[REFUSALS];
	unsigned long int options, own_filters; /* ptrace's; seccomp's */
	struct cache_window window;
	struct cache_asking ask;
	uint64_t delivered;	      /* accesses */
	struct event *event;	      /* to be put before the next one */
	struct cache_segment segment; /* that event's */
	bool event_open;

	pid_t root;
	int root_status;
	bool root_ended, launched, root_untraced;
	bool failed;			  /* an error was said */
	bool parking;			  /* everything is to be let go */
	unsigned joining;		  /* threads */
	uint64_t attached_ns, leaving_ns; /* when */
	bool maps_wanted; /* of a process that was running already */
	uint8_t *xstate;

	/* Between the two sides */
	pthread_t tracing;
	bool started;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pid_t attach_to;
	bool attached;
	int attach_error;
	volatile sig_atomic_t detaching, detached;
	pid_t recorder, guardian; /* process ids; guardian 0: it has ended */
	bool orphaned; /* the recorder's threads are gone: take no locks */
};

/* The program must be able to block these while the cache needs them. */
#define TRACED_SIGNALS \
	(UINT64_C(1) << (SIGTRAP - 1) | UINT64_C(1) << (SIGSEGV - 1))

/* cache-remote.c.  All return 0 or -errno; -ESRCH: the thread is gone, and
 * waitpid will tell. */
int remote_get(struct cache_thread *thread);
int remote_set(struct cache_thread *thread);
/* Wait for this thread's next stop. */
int remote_wait(struct cache_thread *thread, int *status);
/* Was it a SIGSTOP, or its group's stop, at an awkward time? */
bool remote_minds_stop(struct cache_thread *thread, int status);
/* Then send it again. */
void remote_stop_again(struct cache_thread *thread);
/* Make a call in a stopped thread, whose registers are as before after it. */
int remote_call(struct cache_thread *thread, uint64_t gadget, long int number,
		const uint64_t argument[6], int64_t *result);
/* Before calls in a parked thread, and after them: what it was stopped for is
 * as it was, its signal and the call that was interrupted. */
void remote_prepare(struct cache_thread *thread);
void remote_finish(struct cache_thread *thread);
/* The program has asked for filters, for some or all of its threads. */
void remote_filters_changed(struct cache_thread *thread);
/* Of this thread; no kernel that tells: those of its mode */
unsigned long int remote_filters(pid_t tid);
/* Address of a system call instruction in the target. */
int remote_gadget(struct cache_thread *thread, uint64_t *gadget);

/* cache-space.c */
bool space_owns(const struct cache_engine *engine, pid_t pid, uint64_t address);
/* Is any of it the engine's? */
bool space_overlaps(const struct cache_space *space, uint64_t start,
		    uint64_t bytes);
/* Make the memory and map it into the thread's address space. */
int space_open(struct cache_space **out, struct cache_engine *engine,
	       struct cache_thread *thread);
/* Give a thread an area. */
int space_join(struct cache_space *space, struct cache_thread *thread);
/* Where its threads' returns are to land is code no more. */
void space_forget_returns(struct cache_space *space);
/* Of all its threads, from now on. */
void space_careful(struct cache_space *space);
void space_leave(struct cache_space *space, struct cache_thread *thread);
/* Unmap everything from the target, by a native thread. */
void space_unmap(struct cache_space *space, struct cache_thread *thread);
/* Our side of it; called when the last record is expanded. */
void space_close(void *space);

/* cache-records.c */
/* How long a buffer of this area is */
uint64_t records_bytes(int area);
void records_begin(struct cache_thread *thread);
/* Hand over what is there up to the cursor. */
void records_flush(struct cache_engine *engine, struct cache_thread *thread);
/* The cursor has come to the buffer's end: the next one.  Bytes from the
 * cursor to the end are copied. */
void records_next(struct cache_engine *engine, struct cache_thread *thread);
/* Something is missing: one sentence, a constant */
void records_lost(struct cache_engine *engine, const char *what);
/* Wait for it; false: all is to be let go now. */
bool records_await_room(struct cache_engine *engine,
			struct cache_thread *thread);
bool records_in_guard(const struct cache_thread *thread, uint64_t address);
/* Finish the record under way as the prefix of a block. */
void records_prefix(struct cache_engine *engine, struct cache_thread *thread,
		    const struct cache_block *block, unsigned instructions);
/* Finish the record of the system call that has just returned. */
void records_called(struct cache_engine *engine, struct cache_thread *thread);
/* Zeroed, to be filled in before the next call of anything here. */
struct event *records_event(struct cache_engine *engine,
			    struct cache_thread *thread, enum event_type type);
void records_event_put(struct cache_engine *engine);
/* The instruction in flight has run; is its fetch to be told? */
void records_stepped(struct cache_engine *engine, struct cache_thread *thread,
		     bool fetched);

/* cache-enter.c */
/* Go on, natively or in the cache, as its registers and its signal say. */
void thread_go(struct cache_engine *engine, struct cache_thread *thread);
/* From the cache's state to the program's own; 0, or -ESRCH. */
int thread_settle(struct cache_engine *engine, struct cache_thread *thread);
/* The block to go on with at pc; NULL: natively. */
struct cache_block *thread_block(struct cache_thread *thread, uint64_t pc);
/* A direct exit that is not linked, or a miss: on in the cache. */
void thread_on(struct cache_engine *engine, struct cache_thread *thread,
	       uint64_t pc);
/* Registers as the program's, at pc; nothing is recorded. */
void thread_native(struct cache_thread *thread, uint64_t pc);
void thread_resume(struct cache_thread *thread, int request);
void thread_strip_mask(struct cache_thread *thread);
void thread_restore_mask(struct cache_thread *thread);

/* cache-ask.c */
void ask_open(struct cache_engine *engine);
/* All that is asked for now; false: nothing. */
bool ask_answer(struct cache_engine *engine);
/* For some microseconds; false: nothing came. */
bool ask_await(struct cache_engine *engine);
/* From now on nobody looks at questions; or somebody does again. */
void ask_sleep(struct cache_engine *engine);
void ask_wake(struct cache_engine *engine);
/* The thread goes into the cache. */
void ask_enter(struct cache_engine *engine, struct cache_thread *thread);
/* Its question is over: when it is stepped on it will stop. */
void ask_end(struct cache_thread *thread);
/* It has stopped for an answer, or to get none. */
void ask_stopped(struct cache_engine *engine, struct cache_thread *thread);
/* The pc that it has asked for. */
uint64_t ask_wanted(const struct cache_thread *thread);
/* By an indirect branch */
bool ask_is_miss(const struct cache_thread *thread);

/* cache-step.c */
/* One instruction, natively. */
void thread_step(struct cache_engine *engine, struct cache_thread *thread);
/* It has run, if there is one. */
void thread_stepped(struct cache_engine *engine, struct cache_thread *thread);
/* Of a gather or scatter that is interrupted in the cache: what it began with */
struct cache_lanes {
	uint64_t pc; /* 0: it is none */
	unsigned n;
	uint8_t number[4];
	uint8_t value[4][64]; /* vectors */
	bool masked;
	uint64_t opmask;
};
/* Before it is settled, and after: the lanes that are done are told. */
void lanes_keep(const struct cache_thread *thread, struct cache_lanes *lanes);
void lanes_tell(struct cache_engine *engine, struct cache_thread *thread,
		const struct cache_lanes *lanes);
/* Can't it be run in the cache, whatever is made for it? */
enum cache_refusal thread_refused(const struct cache_thread *thread);
/* What an error of making the shared memory means */
enum cache_refusal refusal_of(int error);
/* Say it once. */
void refusal_say(struct cache_engine *engine, const struct cache_thread *thread,
		 enum cache_refusal refusal);
const char *refusal_name(enum cache_refusal refusal);

/* cache-stop.c */
void thread_stopped(struct cache_engine *engine, struct cache_thread *thread,
		    int status);
/* It has come to its first stop, or never will. */
void thread_joined(struct cache_engine *engine, struct cache_thread *thread);
/* cache-signal.c */
void thread_signalled(struct cache_engine *engine, struct cache_thread *thread,
		      int number);
void thread_delivered(struct cache_engine *engine, struct cache_thread *thread);
bool call_was_interrupted(const struct user_regs_struct *registers);
/* A stop that we asked for must not be seen as EINTR. */
void call_undo_interruption(struct cache_thread *thread);
/* cache-wait.c */
/* Its call was ended by our stop and is to be made again, as its registers
 * say. */
void wait_interrupted(struct cache_thread *thread);
/* true: it goes on with such a call. */
bool wait_goes_on(struct cache_engine *engine, struct cache_thread *thread);
/* The call's arguments were noted: they are the program's. */
void wait_entered(struct cache_thread *thread);
/* At any stop but the call's entry */
void wait_ended(struct cache_thread *thread);
/* cache-call.c */
void call_begin(struct cache_engine *engine, struct cache_thread *thread);
/* What call its registers tell of. */
void call_note(struct cache_thread *thread);
void call_entered(struct cache_engine *engine, struct cache_thread *thread);
void call_left(struct cache_engine *engine, struct cache_thread *thread);
/* cache-inside.c */
/* The classes of calls, in an area.  careful: the kernel can't write to some
 * pages where the program could. */
void calls_set(uint8_t *view, bool careful);
/* Where the next record begins; the thread has stopped in the cache. */
uint64_t thread_cursor(const struct cache_thread *thread);
/* Its int3 is that of a call which is to be made where it stands, at
 * call_pc. */
bool call_asks(const struct cache_thread *thread);
uint64_t call_pc(const struct cache_thread *thread);
/* true: a fault while a string was measured; it goes on behind that. */
bool call_string_fault(struct cache_thread *thread);
/* In a call or about to make one; true: settled. */
bool settle_in_call(struct cache_engine *engine, struct cache_thread *thread);
struct target target_of(struct cache_engine *engine,
			struct cache_thread *thread);

/* cache-family.c */
struct cache_thread *thread_find(const struct cache_engine *engine, pid_t tid);
struct cache_thread *thread_add(struct cache_engine *engine, pid_t pid,
				pid_t tid);
void thread_remove(struct cache_engine *engine, struct cache_thread *thread);
void thread_ended(struct cache_engine *engine, struct cache_thread *thread,
		  int status);
void family_forked(struct cache_engine *engine, struct cache_thread *thread,
		   int event);
void family_execed(struct cache_engine *engine, struct cache_thread *thread);
/* The thread's space and area, made if it has none; or it is known why it has
 * none.  0, or -ESRCH. */
int family_prepare(struct cache_engine *engine, struct cache_thread *thread);

/* cache-protect.c */
/* Something of this page was translated; false: that can't be allowed while
 * the target runs. */
bool protect_page(void *space, uint64_t page);
/* true: a write to a page that was withheld; it may go on now. */
bool protect_fault(struct cache_thread *thread, uint64_t address);
/* The kernel may write where a call's arguments point to, or anywhere. */
void protect_allow(struct cache_thread *thread, const uint64_t argument[6]);
void protect_allow_all(struct cache_thread *thread);
/* Can the target write code there? */
bool protect_is_writable(struct cache_space *space, uint64_t page);
/* The program has changed these mappings; some may be code that it can write
 * now. */
void protect_changed(struct cache_space *space, uint64_t start, uint64_t end,
		     bool writable);
void protect_end(struct cache_space *space, struct cache_thread *thread);

/* cache-detach.c */
void let_all_go(struct cache_engine *engine);
/* Has the cache, or stepping, raised a signal that is still to come? */
bool thread_raised(const struct cache_thread *thread);
/* At a stop while all is being let go. */
void thread_park(struct cache_engine *engine, struct cache_thread *thread);

/* cache-counts.c */
/* What the kernel counts of the thread's process now, as events: flags are
 * enum counter_flag's. */
void counts_tell(struct cache_engine *engine, struct cache_thread *thread,
		 unsigned flags);
/* The thread is about to end; the last one of its process tells them. */
void counts_tell_end(struct cache_engine *engine, struct cache_thread *thread);

/* cache-guard.c */
/* trace_run in a process of its own.  0, or -errno (said). */
int guard_start(struct cache_engine *engine);
/* The recorder's side: out of waitpid; all is to be let go. */
void guard_wake(struct cache_engine *engine);
/* Wait for its end; false: it takes too long, and uses the engine on. */
bool guard_join(struct cache_engine *engine);
/* The guardian's: from now on waitpid returns at times. */
void guard_tick(void);
/* Was the recorder killed? */
bool guard_orphaned(struct cache_engine *engine);
/* calloc and free, which an orphan cannot use. */
void *guard_allocate(const struct cache_engine *engine, size_t bytes);
void guard_free(const struct cache_engine *engine, void *room);
/* cache-empty.c */
/* Its cache is full, and it may not go on there. */
bool thread_must_wait(const struct cache_thread *thread);
void empty_full(struct cache_engine *engine);

/* cache-window.c */
/* Is it to stop in its own state, wherever it comes? */
bool thread_must_park(const struct cache_engine *engine);
/* Or to go on in it? */
bool thread_must_leave(const struct cache_engine *engine);
/* The timer, where --sample or --rate asks for windows; the first one begins
 * when the first thread is about to be recorded (windows_start, any number of
 * times), not while the command is still made ready. */
void windows_open(struct cache_engine *engine);
void windows_start(struct cache_engine *engine);
/* Change over, if it is time. */
void windows_look(struct cache_engine *engine);
/* A thread is about to go on: its process changes over now, if none of its
 * threads was there in time. */
void windows_pass(struct cache_engine *engine, struct cache_thread *thread);
/* The stream knows the mappings as they are now. */
void windows_begin(struct cache_engine *engine, struct cache_process *process);
/* It knows what it knows of the parent's. */
void windows_inherit(struct cache_engine *engine, struct cache_process *process,
		     const struct cache_process *parent);

/* cache-trace.c */
void trace_look(struct cache_engine *engine, pid_t tid, int status);
/* At what was learned of a thread while a call was made in it, or a step */
void trace_look_at_held(struct cache_engine *engine);
void *trace_run(void *engine);
uint64_t cache_now_ns(void);

#endif
