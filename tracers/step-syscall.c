// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * System calls of stepped threads: their events through tracers/syscalls, and
 * what stepping itself must hide from the program or do for it.
 */
#include "analyzer/base.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "analyzer/fail.h"
#include "tracers/about.h"
#include "tracers/step.h"

struct where {
	struct stepper *step;
	struct tracee *tracee;
};

void
step_kernel_access(struct stepper *step, const struct tracee *tracee,
		   enum event_type type, uint64_t address, uint64_t length)
{
	struct event *event = step_event(step, tracee, type);

	event->address = address;
	event->length = length;
}

int
step_map_event(struct stepper *step, const struct tracee *tracee,
	       const struct mapping_line *line, uint16_t flags)
{
	struct event *event;
	uint32_t file = UINT32_MAX;

	/* Not the program's: the kernel's own page above user space */
	if (line->start >> 47)
		return 0;
	if (line->path[0] &&
	    files_number(step->files, line->path, line->inode, &file)) {
		step->failed = true;
		return 1;
	}
	event = step_event(step, tracee, EVENT_MAP);
	event->address = line->start;
	event->length = line->end - line->start;
	event->offset = line->flags & MAP_FLAG_FILE ? line->offset : 0;
	event->flags = line->flags | flags;
	event->file = file;
	return 0;
}

static struct event *
add_event(void *context, enum event_type type)
{
	struct where *where = context;

	return step_event(where->step, where->tracee, type);
}

static size_t
read_target(void *context, uint64_t address, void *to, size_t n_bytes)
{
	struct where *where = context;

	return step_read(where->tracee->tid, address, to, n_bytes);
}

static uint32_t
name_number(void *context, const char *name)
{
	struct where *where = context;
	uint32_t number = UINT32_MAX;

	if (files_number(where->step->files, name, 0, &number))
		where->step->failed = true;
	return number;
}

static uint32_t
file_number(void *context, int descriptor)
{
	struct where *where = context;
	uint32_t number = UINT32_MAX;
	char link[64], path[4096];
	struct stat about = { 0 };
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)where->tracee->tid,
		 descriptor);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return number;
	path[n] = '\0';
	if (stat(link, &about))
		about.st_ino = 0;
	if (files_number(where->step->files, path, about.st_ino, &number))
		where->step->failed = true;
	return number;
}

struct range {
	struct where *where;
	uint64_t start, end;
	uint64_t inode, found; /* of a System V segment; its bytes */
};

static int
map_in_range(void *context, const struct mapping_line *line)
{
	struct range *range = context;
	struct mapping_line cut = *line;

	if (line->end <= range->start || line->start >= range->end)
		return 0;
	if (cut.start < range->start) {
		cut.offset += range->start - cut.start;
		cut.start = range->start;
	}
	if (cut.end > range->end)
		cut.end = range->end;
	return step_map_event(range->where->step, range->where->tracee, &cut,
			      0);
}

static void
mapped(void *context, uint64_t address, uint64_t length)
{
	struct range range = { context, address, address + length, 0, 0 };

	maps_each(range.where->tracee->process->pid, map_in_range, &range);
}

static int
segment_line(void *context, const struct mapping_line *line)
{
	struct range *range = context;

	if (line->start == range->start)
		range->inode = line->inode;
	else if (line->start != range->end || line->inode != range->inode)
		return 0;
	range->end = line->end;
	range->found = range->end - range->start;
	return 0;
}

static uint64_t
segment(void *context, uint64_t address)
{
	struct range range = { context, address, 0, UINT64_MAX, 0 };

	maps_each(range.where->tracee->process->pid, segment_line, &range);
	return range.found;
}

static struct syscall_target
target_of(struct where *where)
{
	return (struct syscall_target){
		.event = add_event,
		.read = read_target,
		.file = file_number,
		.name = name_number,
		.mapped = mapped,
		.segment = segment,
		.context = where,
	};
}

/* The program would run with another's rights, which it does not get while
 * one without CAP_SYS_PTRACE traces it */
static bool
gains_rights(const struct tracee *tracee)
{
	char path[4096], name[4200];
	uint64_t at =
		tracee->call.argument[tracee->call.number == SYS_execveat];
	struct stat about;
	size_t n;

	if (geteuid() == 0)
		return false;
	n = step_read(tracee->tid, at, path, sizeof(path));
	if (!memchr(path, '\0', n))
		return false;
	snprintf(name, sizeof(name), "/proc/%d/%s%s", (int)tracee->tid,
		 path[0] == '/' ? "root" : "cwd/", path);
	if (stat(name, &about) || access(name, X_OK))
		return false;
	if (about.st_mode & S_ISUID && about.st_uid != geteuid())
		return true;
	if (about.st_mode & S_ISGID && about.st_mode & S_IXGRP &&
	    about.st_gid != getegid())
		return true;
	return getxattr(name, "security.capability", NULL, 0) > 0;
}

static void
let_go_of_setuid(struct stepper *step, struct tracee *tracee)
{
	pid_t pid = tracee->process->pid;

	warn("step: process %d execs a setuid program: it goes on unrecorded, for a traced one would not get its rights",
	     (int)pid);
	about_loss(step->setup.stream, "a setuid program was exec'd");
	if (pid == step->root)
		step->root_untraced = true;
	step_mask_restore(tracee);
	ptrace(PTRACE_DETACH, tracee->tid, NULL, NULL);
	step_tracee_remove(step, tracee);
}

static uint64_t
signal_frame_bytes(const struct tracee *tracee)
{
	/* rt_sigreturn's stack pointer is past the return address */
	uint64_t frame = tracee->registers.rsp - 8, state = 0;
	uint32_t magic[2] = { 0 }, bytes = 512;

	step_read(tracee->tid, frame + 8 + 40 + 184, &state, sizeof(state));
	if (state <= frame || state - frame > 65536)
		return 0;
	step_read(tracee->tid, state + 464, magic, sizeof(magic));
	if (magic[0] == 0x46505853 && magic[1] < 65536)
		bytes = magic[1];
	return state + bytes - frame;
}

void
step_call_entry(struct stepper *step, struct tracee *tracee)
{
	const struct user_regs_struct *r = &tracee->registers;
	struct where where = { step, tracee };
	const struct syscall_target target = target_of(&where);
	struct syscall_call *call = &tracee->call;

	step_executed(step, tracee);
	tracee->in_call = true;
	/* restart_syscall goes on with the call that was interrupted */
	if (r->orig_rax != SYS_restart_syscall)
		*call = (struct syscall_call){
			.number = r->orig_rax,
			.argument = { r->rdi, r->rsi, r->rdx, r->r10, r->r8,
				      r->r9 },
		};
	if (call->number == SYS_execve || call->number == SYS_execveat) {
		if (gains_rights(tracee)) {
			let_go_of_setuid(step, tracee);
			return;
		}
	}
	if (tracee->before_exec)
		return;
	step_mask_restore(tracee);
	syscall_enter(call, &tracee->process->memory, &target);
	if (call->number == SYS_rt_sigreturn) {
		uint64_t bytes = signal_frame_bytes(tracee);

		if (bytes)
			step_kernel_access(step, tracee, EVENT_KERNEL_READ,
					   r->rsp - 8, bytes);
	}
}

static void
poke(const struct tracee *tracee, uint64_t address, const void *from,
     size_t n_bytes)
{
	struct iovec local = { (void *)(uintptr_t)from, n_bytes };
	struct iovec remote = { (void *)(uintptr_t)address, n_bytes };

	process_vm_writev(tracee->tid, &local, 1, &remote, 1, 0);
}

/* The thread that a call names: 0 is the caller */
static struct tracee *
named_thread(struct stepper *step, struct tracee *tracee, uint64_t tid)
{
	return tid ? step_tracee(step, (pid_t)tid) : tracee;
}

/* All run on one core; the program is to believe in its own */
static void
affinity(struct stepper *step, struct tracee *tracee)
{
	const struct syscall_call *call = &tracee->call;
	struct tracee *whom = named_thread(step, tracee, call->argument[0]);
	size_t n_bytes = call->argument[1] < sizeof(cpu_set_t)
				 ? call->argument[1]
				 : sizeof(cpu_set_t);
	cpu_set_t one;

	if (!step->pinned || !whom || call->result < 0)
		return;
	if (call->number == SYS_sched_getaffinity) {
		if ((size_t)call->result < n_bytes)
			n_bytes = (size_t)call->result;
		poke(tracee, call->argument[2], &whom->cores, n_bytes);
		return;
	}
	/* As the kernel understood it: with cores that are there */
	sched_getaffinity(whom->tid, sizeof(whom->cores), &whom->cores);
	CPU_ZERO(&one);
	CPU_SET(step->core, &one);
	sched_setaffinity(whom->tid, sizeof(one), &one);
}

/* Stepping makes the kernel forget that SIGTRAP is ignored: remember it */
static void
trap_action(struct tracee *tracee)
{
	const struct syscall_call *call = &tracee->call;
	struct process *process = tracee->process;
	uint64_t handler = (uintptr_t)SIG_IGN;

	if (call->argument[0] != SIGTRAP || call->result < 0)
		return;
	if (process->trap_ignored && call->argument[2])
		poke(tracee, call->argument[2], &handler, sizeof(handler));
	if (call->argument[1] &&
	    step_read(tracee->tid, call->argument[1], &handler,
		      sizeof(handler)) == sizeof(handler))
		process->trap_ignored = handler == (uintptr_t)SIG_IGN;
}

/* Code may be other code now */
static bool
may_change_code(const struct process *process, const struct syscall_call *call)
{
	uint64_t start = call->argument[0], end = start + call->argument[1];

	switch (call->number) {
	case SYS_mmap:
		start = (uint64_t)call->result;
		end = start + call->argument[1];
		if (call->argument[2] & PROT_EXEC)
			return true;
		break;
	case SYS_mprotect:
	case SYS_pkey_mprotect:
		if (call->argument[2] & PROT_EXEC)
			return true;
		break;
	case SYS_mremap:
	case SYS_shmat:
	case SYS_shmdt:
	case SYS_remap_file_pages:
		return true;
	case SYS_munmap:
	case SYS_madvise:
		break;
	default:
		return false;
	}
	for (size_t i = 0; i < process->n_ranges; i++)
		if (start < process->range[i].end &&
		    process->range[i].start < end)
			return true;
	return false;
}

void
step_call_exit(struct stepper *step, struct tracee *tracee)
{
	struct where where = { step, tracee };
	const struct syscall_target target = target_of(&where);
	struct syscall_call *call = &tracee->call;

	tracee->in_call = false;
	if (tracee->before_exec)
		return;
	call->result = (int64_t)tracee->registers.rax;
	if (call->number == SYS_sched_setaffinity ||
	    call->number == SYS_sched_getaffinity)
		affinity(step, tracee);
	else if (call->number == SYS_rt_sigaction)
		trap_action(tracee);
	if (call->number == SYS_execve || call->number == SYS_execveat) {
		if (!call->result) {
			step_registers(tracee);
			step_mask_strip(tracee);
			return;
		}
	}
	if (call->number != SYS_rt_sigreturn)
		syscall_leave(call, &tracee->process->memory, &target);
	if (may_change_code(tracee->process, call))
		step->generation++;
	step_mask_strip(tracee);
}
