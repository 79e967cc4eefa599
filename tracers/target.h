/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What ptrace engines ask of a stopped thread's process, and tell of it:
 * memory, signal sets, mappings, what a signal's frame is.
 */
#ifndef TRACERS_TARGET_H
#define TRACERS_TARGET_H

#include "analyzer/base.h"

#include <sys/user.h>

#include "tracers/files.h"
#include "tracers/maps.h"
#include "tracers/syscalls.h"

struct target {
	pid_t pid, tid;
	struct files *files;
	/* A zeroed event, to be filled in; never NULL */
	struct event *(*event)(void *context, enum event_type type);
	void *context;
	bool failed; /* an error was said */
};

/* struct tracer_ops.probe of those that need ptrace. */
int target_probe(char *why, size_t why_bytes);

/* Visit each thread of a process, as /proc lists them, for engine `who`: visit
 * returns 1 for a new one, 0, or a negative errno, which ends it.  1: there was
 * a new one, 0: there was none; -ESRCH (said): no process; visit's errno. */
int target_each_thread(const char *who, pid_t pid,
		       int (*visit)(void *context, pid_t pid, pid_t tid),
		       void *context);

/*
 * PTRACE_SEIZE and PTRACE_INTERRUPT.  A guardian whose recorder was killed lets
 * its threads go soon: that is waited for.  0, or a negative errno, not said.
 */
int target_seize(pid_t tid, unsigned long options);
/* Say that it failed, and who traces it, for engine `who`; the error. */
int target_seize_failed(const char *who, pid_t tid, int error);

/* Run cpuid, of this length, for a target: on the processor we are on. */
void target_cpuid(struct user_regs_struct *registers, unsigned length);

/* Copy from its memory, execute-only code included; bytes copied. */
size_t target_read(pid_t tid, uint64_t address, void *to, size_t n_bytes);
void target_write(pid_t tid, uint64_t address, const void *from,
		  size_t n_bytes);
/* A line of /proc/TID/status, what is behind "name:"; false: there is none. */
bool target_status(pid_t tid, const char *name, char *text, size_t bytes);
/* One of the sets of /proc/TID/status: "SigCgt", "SigIgn", ... */
uint64_t target_signal_set(pid_t tid, const char *name);

/* For syscall_enter and syscall_leave. */
struct syscall_target target_of_calls(struct target *target);
void target_kernel_access(struct target *target, enum event_type type,
			  uint64_t address, uint64_t length);
/* EVENT_MAP of one line of /proc/PID/maps.  0; 1: failed. */
int target_map_event(struct target *target, const struct mapping_line *line,
		     uint16_t flags);
/* Its mappings as they are now. */
void target_initial_maps(struct target *target);
/* The kernel has written a signal frame: the handler's first instruction is
 * next. */
void target_frame_written(struct target *target,
			  const struct user_regs_struct *registers);
/* rt_sigreturn is about to read one. */
void target_frame_read(struct target *target,
		       const struct user_regs_struct *registers);
/* execve would give the program another's rights, which it does not get while
 * one without CAP_SYS_PTRACE traces it. */
bool target_gains_rights(pid_t tid, const struct syscall_call *call);
/* One that must not be made, and fails with ENOSYS: rseq.  The kernel aborts a
 * critical section that is preempted by its address, which the cache changes;
 * and one that is stepped is aborted for ever.  Programs do without, as with
 * older kernels (and as Valgrind makes them).  Only of those that were seen from
 * their exec on: the C library ends a process whose first thread may and others
 * may not. */
bool target_forbids(const struct syscall_call *call);

#endif
