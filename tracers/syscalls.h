/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a Linux x86-64 system call did to the address space, and which user
 * memory the kernel read and wrote for it, as events.
 */
#ifndef TRACERS_SYSCALLS_H
#define TRACERS_SYSCALLS_H

#include "analyzer/batch.h"

struct syscall_call {
	uint64_t number;
	uint64_t argument[6];
	int64_t result;
	/* Behind the NUL of the string that it names, if that was looked for
	 * before the call; 0: it is read afterwards */
	uint64_t string_end;
};

/* What must be remembered of an address space between calls; zeroed at exec */
struct syscall_memory {
	uint64_t brk;	      /* 0: not known yet */
	uint64_t detached;    /* bytes that a shmdt under way will unmap */
	bool populate_future; /* mlockall(MCL_FUTURE) */
};

/* How to reach the target, and where events go. */
struct syscall_target {
	/* A zeroed event, to be filled in; never NULL */
	struct event *(*event)(void *context, enum event_type type);
	/* Copy from the target's memory; bytes copied */
	size_t (*read)(void *context, uint64_t address, void *to,
		       size_t n_bytes);
	/* Number of the file behind a descriptor, UINT32_MAX: unknown */
	uint32_t (*file)(void *context, int descriptor);
	/* Number of a name such as "[heap]" */
	uint32_t (*name)(void *context, const char *name);
	/* Add EVENT_MAPs of what the kernel says is mapped in a range */
	void (*mapped)(void *context, uint64_t address, uint64_t length);
	/* Bytes of the System V segment attached at address, 0: none */
	uint64_t (*segment)(void *context, uint64_t address);
	/* A range of this file is mapped now: say what is in the page cache */
	void (*cached)(void *context, uint32_t file, uint64_t offset,
		       uint64_t length);
	/* So many bytes went through this descriptor, from this offset on
	 * (UINT64_MAX: up to where it is now): a file may have more pages in the
	 * page cache now.  NULL: nobody asks */
	void (*filled)(void *context, int descriptor, uint64_t offset,
		       uint64_t length);
	void *context;
};

/* Before the call runs. */
void syscall_enter(const struct syscall_call *call,
		   struct syscall_memory *memory,
		   const struct syscall_target *target);
/* After it: its events, reads and writes first, then mapping changes. */
void syscall_leave(const struct syscall_call *call,
		   struct syscall_memory *memory,
		   const struct syscall_target *target);

/* It may sleep: another thread should run meanwhile. */
bool syscall_may_wait(uint64_t number);

/* What of the program's memory says which memory a call touches */
enum syscall_needs {
	SYSCALL_NEEDS_NOTHING,
	SYSCALL_NEEDS_STRING_0, /* the length of argument 0 */
	SYSCALL_NEEDS_STRING_1,
	SYSCALL_NEEDS_SOCKET, /* a length, if argument 5 is not NULL */
	SYSCALL_NEEDS_MORE,
};
enum syscall_needs syscall_needs(uint64_t number);
/* Does the kernel write to memory for it? */
bool syscall_writes(uint64_t number);

/* EVENT_KERNEL_READ and EVENT_KERNEL_WRITE of a call; syscall-buffers.c */
void syscall_buffers(const struct syscall_call *call,
		     const struct syscall_target *target);

#endif
